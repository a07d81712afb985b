//! The description of the filter for the runtime.

use crate::config::{Config, Content};
use crate::flow::TerminationFlow;
use consumer::{Admitted, Owned};
use exchange::Started;
use runtime::{Capabilities, Filter, Needs};
use settings::{Common, Fields, Invalid};
use std::rc::Rc;

/// The request termination filter.
#[derive(Debug)]
pub struct RequestTermination;

impl Filter for RequestTermination {
    const NAME: &'static str = "request_termination";
    const ID: u8 = 9;
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
        let echo = matches!(config.content, Content::Echo(_));
        Needs {
            raw_target: needs.raw_target || echo || config.trigger.is_some(),
            route: needs.route || echo,
            service: needs.service || echo,
            entities: echo,
            origin: echo,
            ..needs
        }
    }

    fn check_host(config: &Config, able: Capabilities) -> Result<(), Invalid> {
        able.check_status("status_code", config.status)
    }

    fn start(config: &Rc<Config>, Admitted { request, .. }: Admitted) -> Started {
        TerminationFlow::start(Rc::clone(config), request)
    }
}
