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

    /// The transaction header is the client's to set: its value is taken over.
    fn owned(_: &Shared) -> Owned {
        Owned::nothing()
    }

    /// Where the mark of a recorded request cannot be left, a second instance records it again: that is no reason
    /// to refuse it.
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

    /// The first to know the host; where batches go depends on that.
    fn check_host(shared: &Shared, able: Capabilities) -> Result<(), Invalid> {
        shared
            .config
            .check_address(|address| !able.calls_addresses || runtime::is_address(address))?;
        shared.meet(!able.calls_addresses, able.calls_in_parallel);
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
