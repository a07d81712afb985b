//! What the host has to know of this filter. No decision is made in this file.

use crate::config::Config;
use crate::flow::{self, MARK, MoesifFlow};
use crate::hub::{Hub, Tools};
use crate::sender::Sender;
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
    type Config = Hub;

    fn settings(fields: &mut Fields<'_>) -> Hub {
        Hub::new(Config::read(fields))
    }

    fn common(hub: &Hub) -> &Common {
        &hub.config.common
    }

    /// The transaction header is the client's to set: its value is taken over.
    fn owned(_: &Hub) -> Owned {
        Owned::nothing()
    }

    /// Where the mark of a recorded request cannot be left, a second instance records it again: that is no reason
    /// to refuse it.
    fn leaves(_: &Hub) -> Vec<&'static str> {
        Vec::new()
    }

    fn needs(_: &Hub) -> Needs {
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
    fn check_host(hub: &Hub, able: Capabilities) -> Result<(), Invalid> {
        hub.config
            .check_address(|address| !able.calls_addresses || runtime::is_address(address))?;
        hub.meet(!able.calls_addresses, able.calls_in_parallel);
        Ok(())
    }

    fn worker(hub: &Rc<Hub>) -> Option<Box<dyn Worker>> {
        if let Some(message) = hub.config.ignored_message() {
            runtime::note(&message);
        }
        Some(Box::new(Sender::new(Rc::clone(hub), TOOLS)))
    }

    fn period(hub: &Hub) -> Duration {
        hub.config.period()
    }

    fn ignores(hub: &Hub, request: &Request) -> bool {
        flow::ignores(hub, request)
    }

    fn start(hub: &Rc<Hub>, request: Admitted) -> Started {
        MoesifFlow::start(Rc::clone(hub), TOOLS, request)
    }
}
