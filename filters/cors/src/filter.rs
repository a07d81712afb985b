//! The description of the filter for the runtime.

use crate::config::Config;
use crate::flow::CorsFlow;
use consumer::{Admitted, Owned};
use exchange::Started;
use runtime::{Filter, Needs};
use settings::{Common, Fields};
use std::rc::Rc;

/// The CORS filter.
#[derive(Debug)]
pub struct Cors;

impl Filter for Cors {
    const NAME: &'static str = "cors";
    const ID: u8 = 11;
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
        Needs::of(&config.common).without_identity(&config.common)
    }

    fn start(config: &Rc<Config>, Admitted { request, .. }: Admitted) -> Started {
        CorsFlow::start(Rc::clone(config), &request)
    }
}
