//! The description of the filter for the runtime.

use crate::config::Config;
use crate::flow::KeyAuthFlow;
use crate::source::Credentials;
use consumer::{Admitted, Owned, PROPERTY};
use exchange::Started;
use runtime::{Filter, Needs, Source};
use settings::{Common, Fields};
use std::rc::Rc;

/// The filter key_auth.
#[derive(Debug)]
pub struct KeyAuth;

impl Filter for KeyAuth {
    const NAME: &'static str = "key_auth";
    const ID: u8 = 1;
    type Config = Config;

    fn settings(fields: &mut Fields<'_>) -> Config {
        Config::read(fields)
    }

    fn common(config: &Config) -> &Common {
        &config.common
    }

    fn owned(_: &Config) -> Owned {
        Owned::identity()
    }

    fn leaves(_: &Config) -> Vec<&'static str> {
        vec![PROPERTY]
    }

    fn needs(config: &Config) -> Needs {
        let needs = Needs::of(&config.common);
        Needs {
            raw_target: needs.raw_target || config.key_in_query || config.hide_credentials,
            ..needs
        }
    }

    fn body_setting(config: &Config) -> Option<(&'static str, &'static str)> {
        config.key_in_body.then_some(("key_in_body", "found true"))
    }

    fn source(config: &Rc<Config>) -> Option<Box<dyn Source>> {
        let credentials = || Box::new(Credentials { now: runtime::now });
        config.common.admin.as_ref().map(|_| credentials() as Box<dyn Source>)
    }

    fn start(config: &Rc<Config>, request: Admitted) -> Started {
        KeyAuthFlow::start(Rc::clone(config), runtime::now, request)
    }
}
