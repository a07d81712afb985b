//! What to do with one request, from its headers to the response.
//!
//! ```text
//! Arrived ──preflight, not ours──▶ Done
//!    ├──▶ Open ──response──▶ Done
//!    └──no origin, which shall hear nothing──▶ Silent ──response──▶ Done
//! ```

use crate::config::Config;
use crate::origin::Origin;
use crate::policy::{preflight, response, silent};
use consumer::gate::{Admission, admit};
use exchange::{Event, Flow, Reply, Request, ResponseEvent, ResponseStep, Step};
use std::rc::Rc;

/// One request's progress.
pub(crate) struct CorsFlow {
    config: Rc<Config>,
    state: State,
}

enum State {
    Arrived,
    /// On its way; its response is told of this origin.
    Open(Option<Origin>),
    /// On its way; its response says nothing of origins, and caches are told that another's would.
    Silent,
    Done,
}

impl CorsFlow {
    pub(crate) fn new(config: Rc<Config>) -> Self {
        Self { config, state: State::Arrived }
    }

    fn arrive(&self, request: &Request) -> (State, Step) {
        let config = &self.config;
        match admit(request, &config.common) {
            Admission::Pass => return (State::Done, Step::forward(Vec::new())),
            Admission::Refuse(reply) => return (State::Done, Step::reply(reply)),
            Admission::Admit(_) => {}
        }
        let origin = request.head.first("origin").and_then(Origin::parse);
        let asks = request.method == b"OPTIONS"
            && request.head.first("access-control-request-method").is_some();
        match origin {
            // The upstream says all that there is to say.
            Some(_) if asks && config.preflight_continue => {
                (State::Done, Step::forward(Vec::new()))
            }
            Some(origin) if asks => {
                (State::Done, Step::reply(preflight(config, &request.head, &origin)))
            }
            None if !config.allow_origin_absent => (State::Silent, Step::forward(Vec::new())),
            origin => (State::Open(origin), Step::forward(Vec::new())),
        }
    }
}

impl Flow for CorsFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Done), event) {
            (State::Arrived, Event::Request(request)) => self.arrive(&request),
            // The host broke the order of events: refuse rather than guess.
            (State::Open(_) | State::Silent | State::Done, Event::Request(_))
            | (_, Event::Found(_) | Event::Body(_) | Event::Chunk(_) | Event::Answered(_)) => {
                (State::Done, Step::reply(Reply::unexpected()))
            }
        };
        self.state = next;
        step
    }

    fn wants_response(&self) -> bool {
        matches!(self.state, State::Open(_) | State::Silent)
    }

    fn on_response(&mut self, event: ResponseEvent) -> ResponseStep {
        let edits = match (std::mem::replace(&mut self.state, State::Done), event) {
            (State::Open(origin), ResponseEvent::Head(found)) => {
                response(&self.config, &found.head, origin.as_ref())
            }
            (State::Silent, ResponseEvent::Head(found)) => silent(&found.head),
            (State::Arrived | State::Done, ResponseEvent::Head(_))
            | (_, ResponseEvent::Answered(_)) => Vec::new(),
        };
        ResponseStep::Forward(edits)
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
