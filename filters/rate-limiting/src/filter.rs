//! The description of the filter for the runtime.

use crate::config::{Config, LimitBy, Policy};
use crate::flow::LimitFlow;
use crate::syncer::Syncer;
use crate::table::Table;
use consumer::{Admitted, Owned, PROPERTY};
use exchange::{Started, Worker};
use runtime::{Capabilities, Filter, Needs};
use settings::{Common, Fields, Invalid};
use std::rc::Rc;
use std::time::Duration;

/// The rate limiting filter.
#[derive(Debug)]
pub struct RateLimiting;

impl Filter for RateLimiting {
    const NAME: &'static str = "rate_limiting";
    const ID: u8 = 7;
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

    fn leaves(config: &Config) -> Vec<&'static str> {
        match config.policy {
            Policy::Asking => vec![PROPERTY],
            Policy::Local | Policy::Syncing(_) => Vec::new(),
        }
    }

    fn needs(config: &Config) -> Needs {
        let needs = Needs::of(&config.common);
        let needs = match config.looks_at_identity() {
            true => needs,
            false => needs.without_identity(&config.common),
        };
        Needs {
            raw_target: needs.raw_target || matches!(config.limit_by, LimitBy::Path(_)),
            service: needs.service || config.limit_by == LimitBy::Service,
            peer: true,
            ..needs
        }
    }

    fn worker(config: &Rc<Config>) -> Option<Box<dyn Worker>> {
        let syncer = Syncer::new(config, runtime::random, runtime::note);
        syncer.map(|syncer| Box::new(syncer) as Box<dyn Worker>)
    }

    fn period(config: &Config) -> Duration {
        match config.policy {
            Policy::Syncing(every) => every,
            Policy::Local | Policy::Asking => Duration::from_secs(10),
        }
    }

    fn check_host(config: &Config, able: Capabilities) -> Result<(), Invalid> {
        able.check_status("error_code", config.error_code)
    }

    fn start(config: &Rc<Config>, request: Admitted) -> Started {
        open(config);
        LimitFlow::start(Rc::clone(config), &request, runtime::now)
    }
}

/// Returns the node's counters, or `None` while the gateway, and so their place, is unknown.
fn open(config: &Config) -> Option<&Table> {
    config.limiter.open(|| {
        let counters = runtime::counters::<RateLimiting>(config.common.shm_zone.as_deref())?;
        Some(Table::new(Box::new(counters), config.max_identifiers, runtime::random))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;

    #[test]
    fn a_refusal_that_is_no_answer_is_refused_where_the_client_would_wait_for_another() {
        let able = |sends| Capabilities { sends_interim_replies: sends, ..Capabilities::default() };
        let checked = |code: u16, sends: bool| {
            let config = config(&format!(r#"{{"second":1,"error_code":{code}}}"#));
            RateLimiting::check_host(&config, able(sends))
        };
        let problem = checked(199, false).unwrap_err().to_string();
        assert!(problem.contains("error_code: found an interim status"), "{problem}");
        assert_eq!([checked(199, true), checked(200, false), checked(429, false)], [(); 3].map(Ok));
    }
}
