//! The way of one request: a preflight gets its response, and others get headers on theirs.
//!
//! ```text
//! start ──preflight──▶ Done
//!    ├──▶ Open ──response──▶ Done
//!    └──no origin, and no headers for it──▶ Silent ──response──▶ Done
//! ```

use crate::config::Config;
use crate::origin::Origin;
use crate::policy::{preflight, response, silent};
use exchange::{Event, Flow, Request, ResponseEvent, ResponseStep, Started, Step};
use std::rc::Rc;

/// The state machine of one request.
pub(crate) struct CorsFlow {
    config: Rc<Config>,
    state: State,
}

enum State {
    /// The request went on. Its response gets the headers for this origin.
    Open(Option<Origin>),
    /// The request went on. Its response gets no CORS headers, but tells caches that the response
    /// to a request with an origin may differ.
    Silent,
    Done,
}

impl CorsFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(config: Rc<Config>, request: &Request) -> Started {
        let (state, step) = judge(&config, request);
        Started::new(step, Self { config, state })
    }
}

fn judge(config: &Config, request: &Request) -> (State, Step) {
    let origin = request.head.first("origin").and_then(Origin::parse);
    let asks = request.method == b"OPTIONS"
        && request.head.first("access-control-request-method").is_some();
    match origin {
        // The upstream answers the preflight, and its response is not changed.
        Some(_) if asks && config.preflight_continue => (State::Done, Step::forward(Vec::new())),
        Some(origin) if asks => {
            (State::Done, Step::reply(preflight(config, &request.head, &origin)))
        }
        None if !config.allow_origin_absent => (State::Silent, Step::forward(Vec::new())),
        origin => (State::Open(origin), Step::forward(Vec::new())),
    }
}

impl Flow for CorsFlow {
    /// Refuses every event, because a request is decided at its headers.
    fn on(&mut self, _event: Event) -> Step {
        self.state = State::Done;
        Step::out_of_order()
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
            (State::Done, ResponseEvent::Head(_)) | (_, ResponseEvent::Answered(_)) => Vec::new(),
        };
        ResponseStep::Forward(edits)
    }
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
