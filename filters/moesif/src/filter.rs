//! The description of the filter for the runtime.

use crate::config::Config;
use crate::flow::{self, MARK, MoesifFlow};
use crate::sender::Sender;
use crate::shared::{Shared, Tools};
use consumer::{Admitted, Owned};
use exchange::{Request, Started, Worker};
use runtime::{Capabilities, Filter, Needs};
use settings::{Common, Fields, Invalid};
use std::rc::Rc;
use std::time::Duration;

/// The analytics filter.
#[derive(Debug)]
pub struct Moesif;

const TOOLS: Tools =
    Tools { random: runtime::random, report: runtime::report, note: runtime::note };

impl Filter for Moesif {
    const NAME: &'static str = "moesif";
    const ID: u8 = 6;
    type Config = Shared;

    fn settings(fields: &mut Fields<'_>) -> Shared {
        Shared::new(Config::read(fields))
    }

    fn common(shared: &Shared) -> &Common {
        &shared.config.common
    }

    /// The transaction header is not owned, because a client may set it.
    fn owned(_: &Shared) -> Owned {
        Owned::nothing()
    }

    /// The mark of a recorded request is not listed here, because no request is refused for lack of
    /// it. Without the mark, a second instance records the request again.
    fn leaves(_: &Shared) -> Vec<&'static str> {
        Vec::new()
    }

    fn needs(_: &Shared) -> Needs {
        Needs {
            raw_target: true,
            route: true,
            service: true,
            kong_entities: true,
            claims: true,
            peer: true,
            origin: true,
            mark: Some(MARK),
            at_response: true,
            ..Needs::default()
        }
    }

    /// Checks the collector's address. The gateway is known from here on, and with it the target.
    fn check_host(shared: &Shared, able: Capabilities) -> Result<(), Invalid> {
        shared
            .config
            .check_address(|address| !able.calls_addresses || runtime::is_address(address))?;
        shared.set_gateway(!able.calls_addresses, able.calls_in_parallel);
        Ok(())
    }

    fn worker(shared: &Rc<Shared>) -> Option<Box<dyn Worker>> {
        if let Some(message) = shared.config.ignored_message() {
            runtime::note(&message);
        }
        Some(Box::new(Sender::new(Rc::clone(shared), TOOLS)))
    }

    fn period(shared: &Shared) -> Duration {
        shared.config.period()
    }

    fn ignores(shared: &Shared, request: &Request) -> bool {
        flow::ignores(shared, request)
    }

    fn start(shared: &Rc<Shared>, request: Admitted) -> Started {
        MoesifFlow::start(Rc::clone(shared), TOOLS, request)
    }
}
