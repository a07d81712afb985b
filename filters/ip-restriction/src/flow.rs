//! What to do with one request, from its headers to a decision.
//!
//! ```text
//! Arrived ──▶ Decided
//! ```

use crate::client::client;
use crate::config::Config;
use crate::prefix::{address, plain};
use consumer::gate::{Admission, admit};
use exchange::{Event, Flow, Reply, Request, Step};
use std::rc::Rc;

/// One request's progress.
pub(crate) struct RestrictionFlow {
    config: Rc<Config>,
    state: State,
}

enum State {
    Arrived,
    Decided,
}

impl RestrictionFlow {
    pub(crate) fn new(config: Rc<Config>) -> Self {
        Self { config, state: State::Arrived }
    }

    fn judge(&self, request: &Request) -> Step {
        let config = &self.config;
        match admit(request, &config.common) {
            Admission::Pass => return Step::forward(Vec::new()),
            Admission::Refuse(reply) => return Step::reply(reply),
            Admission::Admit(_) => {}
        }
        let Some(peer) = request.peer.as_deref().and_then(address) else {
            return refuse(
                403,
                "Cannot identify the client IP address, unix domain sockets are not supported.",
            );
        };
        let (trusted, header) = (&config.trusted_proxies, &config.real_ip_header);
        let found = client(peer, &request.head, trusted, header, request.own_hop);
        let Some(client) = found.map(plain) else {
            return refuse(403, "Cannot identify the client IP address");
        };
        let allowed = config.allow.is_empty() || config.allow.contain(client);
        if config.deny.contain(client) || !allowed {
            let message = config.message.clone();
            return refuse(
                config.status,
                message.unwrap_or_else(|| format!("IP address not allowed: {client}")),
            );
        }
        Step::forward(Vec::new())
    }
}

impl Flow for RestrictionFlow {
    fn on(&mut self, event: Event) -> Step {
        match (std::mem::replace(&mut self.state, State::Decided), event) {
            (State::Arrived, Event::Request(request)) => self.judge(&request),
            // The host broke the order of events: refuse rather than guess.
            (State::Decided, Event::Request(_))
            | (_, Event::Found(_) | Event::Body(_) | Event::Chunk(_) | Event::Answered(_)) => {
                refuse(500, "An unexpected error occurred")
            }
        }
    }
}

fn refuse(status: u16, message: impl Into<std::borrow::Cow<'static, str>>) -> Step {
    Step::reply(Reply::error(status, message))
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
