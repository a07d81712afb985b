//! The description of the filter for the runtime.

use crate::config::Config;
use crate::flow::AppIdFlow;
use crate::source::AppIdSource;
use consumer::{Admitted, Owned, PROPERTY};
use exchange::Started;
use runtime::{Filter, Needs, Source};
use settings::{Common, Fields};
use std::rc::Rc;

/// The filter app_id.
#[derive(Debug)]
pub struct AppId;

impl Filter for AppId {
    const NAME: &'static str = "app_id";
    const ID: u8 = 2;
    type Config = Config;

    fn settings(fields: &mut Fields<'_>) -> Config {
        Config::read(fields)
    }

    fn common(config: &Config) -> &Common {
        &config.common
    }

    fn owned(config: &Config) -> Owned {
        Owned::nothing().answering_for([&config.header_name])
    }

    fn leaves(_: &Config) -> Vec<&'static str> {
        vec![PROPERTY]
    }

    fn needs(config: &Config) -> Needs {
        Needs::of(&config.common)
    }

    fn source(config: &Rc<Config>) -> Option<Box<dyn Source>> {
        config.common.admin.as_ref().map(|_| Box::new(AppIdSource) as Box<dyn Source>)
    }

    fn start(config: &Rc<Config>, request: Admitted) -> Started {
        AppIdFlow::start(Rc::clone(config), &request)
    }
}
