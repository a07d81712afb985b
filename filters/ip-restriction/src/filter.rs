//! The description of the filter for the runtime.

use crate::config::Config;
use crate::flow;
use consumer::{Admitted, Owned};
use exchange::Started;
use runtime::{Filter, Needs};
use settings::{Common, Fields};
use std::rc::Rc;

/// The IP restriction filter.
#[derive(Debug)]
pub struct IpRestriction;

impl Filter for IpRestriction {
    const NAME: &'static str = "ip_restriction";
    const ID: u8 = 10;
    type Config = Config;

    fn settings(fields: &mut Fields<'_>) -> Config {
        Config::read(fields)
    }

    fn common(config: &Config) -> &Common {
        &config.common
    }

    fn owned(_: &Config) -> Owned {
        Owned::nothing()
    }

    fn leaves(_: &Config) -> Vec<&'static str> {
        Vec::new()
    }

    fn needs(config: &Config) -> Needs {
        let needs = Needs::of(&config.common).without_identity(&config.common);
        Needs { peer: true, ..needs }
    }

    fn start(config: &Rc<Config>, Admitted { request, .. }: Admitted) -> Started {
        flow::judge(config, &request).into()
    }
}
