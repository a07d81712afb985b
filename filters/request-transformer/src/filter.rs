//! The description of the filter for the runtime.

use crate::config::Config;
use crate::flow::TransformerFlow;
use consumer::{Admitted, Owned};
use exchange::Started;
use runtime::{Filter, Needs};
use settings::{Common, Fields};
use std::rc::Rc;

/// The request transformer filter.
#[derive(Debug)]
pub struct RequestTransformer;

impl Filter for RequestTransformer {
    const NAME: &'static str = "request_transformer";
    const ID: u8 = 12;
    type Config = Config;

    fn settings(fields: &mut Fields<'_>) -> Config {
        Config::read(fields)
    }

    fn common(config: &Config) -> &Common {
        &config.common
    }

    /// The filter owns no header. It changes headers of the client as the operator says, and no
    /// trailer may bring back what it keeps from the upstream.
    fn owned(config: &Config) -> Owned {
        Owned::nothing().answering_for(config.headers.protected())
    }

    fn leaves(_: &Config) -> Vec<&'static str> {
        Vec::new()
    }

    fn needs(config: &Config) -> Needs {
        let needs = Needs::of(&config.common);
        let needs = match config.uses_identity || config.uses_claims {
            true => needs,
            false => needs.without_identity(&config.common),
        };
        let (path, query) = (config.uri_pattern.is_some(), config.reads_query());
        Needs {
            raw_target: needs.raw_target || path || query,
            upstream_query: query,
            claims: config.uses_claims,
            ..needs
        }
    }

    fn body_setting(config: &Config) -> Option<(&'static str, &'static str)> {
        (!config.body.is_empty()).then(|| (config.body_setting(), "found"))
    }

    fn start(config: &Rc<Config>, request: Admitted) -> Started {
        TransformerFlow::start(Rc::clone(config), &request)
    }
}
