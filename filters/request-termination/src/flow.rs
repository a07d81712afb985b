//! The way of one request: it gets the configured response, unless it lacks the trigger.
//!
//! ```text
//! start ──no trigger, or a reply──▶ Decided
//!    └──echo of a body──▶ AwaitingBody ──▲
//! ```

use crate::config::{Config, Content};
use crate::echo::document;
use exchange::{
    Body, BodyAhead, Edit, Event, Flow, Query, Reply, Request, ResponseEvent, ResponseStep,
    Started, Step, same_name,
};
use std::rc::Rc;

/// The state machine of one request.
pub(crate) struct TerminationFlow {
    config: Rc<Config>,
    state: State,
}

enum State {
    AwaitingBody(Box<Request>),
    Decided,
}

impl TerminationFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(config: Rc<Config>, request: Box<Request>) -> Started {
        let mut flow = Self { config, state: State::Decided };
        let (state, step) = flow.judge(request);
        flow.state = state;
        Started::new(step, flow)
    }

    fn judge(&self, request: Box<Request>) -> (State, Step) {
        let config = &self.config;
        if config.trigger.as_ref().is_some_and(|trigger| !is_there(&request, trigger)) {
            return decided(Step::forward(Vec::new()));
        }
        if matches!(config.content, Content::Echo(_)) && request.body == BodyAhead::Comes {
            return (State::AwaitingBody(request), Step::await_body(Vec::new()));
        }
        decided(self.answer(&request, None))
    }

    fn answer(&self, request: &Request, body: Option<&[u8]>) -> Step {
        let config = &self.config;
        let json = || Some("application/json; charset=utf-8".into());
        let body = match &config.content {
            // Responses with these statuses never have content (RFC 9110, section 6.4.1).
            _ if matches!(config.status, 100..=199 | 204 | 304) => Body::Empty,
            Content::Raw(body, content_type) => {
                Body::Raw(content_type.clone().map(Into::into), body.clone().into_bytes())
            }
            Content::Echo(_) => Body::Raw(json(), document(request, body, config.message())),
            Content::Message(_) => {
                config.message().map_or(Body::Empty, |message| Body::Message(message.into()))
            }
        };
        Step::reply(Reply::new(config.status, "terminated", body))
    }
}

/// Returns `true` if a header or a query parameter has this name. The value does not matter.
fn is_there(request: &Request, trigger: &str) -> bool {
    request.head.fields().any(|(name, _)| same_name(name, trigger.as_bytes()))
        || Query::of_target(&request.target).pairs().any(|(name, _)| name == trigger.as_bytes())
}

impl Flow for TerminationFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Decided), event) {
            (State::AwaitingBody(request), Event::Body(body)) => {
                decided(self.answer(&request, body.ok().as_deref()))
            }
            (_, Event::Found(_) | Event::Chunk(_) | Event::Answered(_)) | (State::Decided, _) => {
                decided(Step::out_of_order())
            }
        };
        self.state = next;
        step
    }

    fn wants_response(&self) -> bool {
        matches!(self.config.content, Content::Raw(_, None))
    }

    /// Removes the type `text/plain` that Envoy gives to a body without a type. Kong gives none.
    fn on_response(&mut self, event: ResponseEvent) -> ResponseStep {
        let edits = match event {
            ResponseEvent::Head(response) if response.ours => vec![Edit::remove("content-type")],
            ResponseEvent::Head(_) | ResponseEvent::Answered(_) => Vec::new(),
        };
        ResponseStep::Forward(edits)
    }
}

fn decided(step: Step) -> (State, Step) {
    (State::Decided, step)
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
