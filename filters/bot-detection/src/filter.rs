//! The description of the filter for the runtime.

use crate::config::{Action, Config};
use crate::flow;
use consumer::{Admitted, Owned};
use exchange::Started;
use runtime::{Filter, Needs};
use settings::{Common, Fields};
use std::rc::Rc;

/// The bot detection filter.
#[derive(Debug)]
pub struct BotDetection;

impl Filter for BotDetection {
    const NAME: &'static str = "bot_detection";
    const ID: u8 = 8;
    type Config = Config;

    fn settings(fields: &mut Fields<'_>) -> Config {
        Config::read(fields)
    }

    fn common(config: &Config) -> &Common {
        &config.common
    }

    fn owned(config: &Config) -> Owned {
        match config.action {
            Action::Tag => Owned::headers([&config.tag_header]),
            Action::Deny | Action::Log => Owned::nothing(),
        }
    }

    fn leaves(_: &Config) -> Vec<&'static str> {
        Vec::new()
    }

    fn needs(config: &Config) -> Needs {
        Needs::of(&config.common).without_identity(&config.common)
    }

    fn start(config: &Rc<Config>, Admitted { request, .. }: Admitted) -> Started {
        flow::judge(config, &request, runtime::note)
    }
}
