//! What to do with one request, from its headers to an answer.
//!
//! ```text
//! Arrived ──not ours, no trigger, answer──▶ Decided
//!    └──echo of a body──▶ AwaitingBody ───────▲
//! ```

use crate::config::{Config, Content};
use crate::echo::document;
use consumer::gate::{Admission, admit};
use exchange::{
    Body, BodyAhead, Edit, Event, Flow, Query, Reply, Request, ResponseEvent, ResponseStep, Step,
    same_name,
};
use std::rc::Rc;

/// One request's progress.
pub(crate) struct TerminationFlow {
    config: Rc<Config>,
    state: State,
}

enum State {
    Arrived,
    AwaitingBody(Box<Request>),
    Decided,
}

impl TerminationFlow {
    pub(crate) fn new(config: Rc<Config>) -> Self {
        Self { config, state: State::Arrived }
    }

    fn arrive(&self, request: Box<Request>) -> (State, Step) {
        let config = &self.config;
        match admit(&request, &config.common) {
            Admission::Pass => return decided(Step::forward(Vec::new())),
            Admission::Refuse(reply) => return decided(Step::reply(reply)),
            Admission::Admit(_) => {}
        }
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
            // RFC 9110: these never have content.
            _ if matches!(config.status, 100..=199 | 204 | 304) => Body::Empty,
            Content::Raw(body, content_type) => {
                Body::Raw(content_type.clone().map(Into::into), body.clone().into_bytes())
            }
            Content::Echo(_) => Body::Raw(json(), document(request, body, config.message())),
            Content::Message(_) => {
                config.message().map_or(Body::Empty, |message| Body::Message(message.into()))
            }
        };
        Step::reply(Reply { status: config.status, headers: Vec::new(), body })
    }
}

/// Whether a header or a query parameter has this name, whatever its value.
fn is_there(request: &Request, trigger: &str) -> bool {
    request.head.fields().any(|(name, _)| same_name(name, trigger.as_bytes()))
        || Query::of_target(&request.target).pairs().any(|(name, _)| name == trigger.as_bytes())
}

impl Flow for TerminationFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Decided), event) {
            (State::Arrived, Event::Request(request)) => self.arrive(request),
            (State::AwaitingBody(request), Event::Body(body)) => {
                decided(self.answer(&request, body.ok().as_deref()))
            }
            // The host broke the order of events: refuse rather than guess.
            (State::Arrived, Event::Body(_))
            | (State::AwaitingBody(_), Event::Request(_))
            | (_, Event::Found(_) | Event::Chunk(_) | Event::Answered(_))
            | (State::Decided, _) => decided(Step::reply(Reply::unexpected())),
        };
        self.state = next;
        step
    }

    fn wants_response(&self) -> bool {
        matches!(self.config.content, Content::Raw(_, None))
    }

    /// Envoy calls a body without a type `text/plain`; Kong sends none.
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
