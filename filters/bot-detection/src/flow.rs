//! What to do with one request, from its headers to a decision.
//!
//! ```text
//! Arrived ──▶ Decided
//! ```

use crate::agents::Verdict;
use crate::config::{Action, Config};
use consumer::gate::{Admission, admit};
use exchange::{Edit, Event, Flow, Occurrence, Reply, Request, Step, Tally};
use std::borrow::Cow;
use std::rc::Rc;

/// One request's progress.
pub(crate) struct BotFlow {
    config: Rc<Config>,
    /// Tells the operator.
    note: fn(&str),
    state: State,
    counted: Option<Cow<'static, str>>,
}

enum State {
    Arrived,
    Decided,
}

impl BotFlow {
    pub(crate) fn new(config: Rc<Config>, note: fn(&str)) -> Self {
        Self { config, note, state: State::Arrived, counted: None }
    }

    fn judge(&mut self, request: &Request) -> Step {
        let config = Rc::clone(&self.config);
        match admit(request, &config.common) {
            Admission::Pass => return Step::forward(Vec::new()),
            Admission::Refuse(reply) => return Step::reply(reply),
            Admission::Admit(_) => {}
        }
        let Some(agents) = &config.agents else { return unexpected() };
        let verdict = match request.head.occurrence("user-agent") {
            Occurrence::None => Verdict::Unknown,
            Occurrence::One(user_agent) => agents.verdict(user_agent),
            Occurrence::Many(_) => {
                self.counted = Some("duplicate".into());
                if config.action == Action::Deny {
                    return Step::reply(Reply::error(400, "Only one User-Agent header allowed"));
                }
                Verdict::Bot("duplicate".into())
            }
        };
        match verdict {
            Verdict::Unknown => Step::forward(Vec::new()),
            Verdict::Allowed(rule) => {
                self.counted = Some(rule);
                Step::forward(Vec::new())
            }
            Verdict::Bot(rule) => {
                self.counted = Some(rule.clone());
                self.act(&rule)
            }
        }
    }

    fn act(&self, rule: &str) -> Step {
        Step::forward(match self.config.action {
            Action::Deny => return Step::reply(Reply::error(403, "Forbidden")),
            Action::Tag => {
                vec![Edit::set(self.config.tag_header.to_ascii_lowercase(), rule)]
            }
            // The rule only: what a client sent is in no log.
            Action::Log => {
                (self.note)(&format!("gatehouse_bot_detection: a bot by the rule {rule}"));
                Vec::new()
            }
        })
    }
}

impl Flow for BotFlow {
    fn on(&mut self, event: Event) -> Step {
        match (std::mem::replace(&mut self.state, State::Decided), event) {
            (State::Arrived, Event::Request(request)) => self.judge(&request),
            // The host broke the order of events: refuse rather than guess.
            (State::Decided, Event::Request(_))
            | (_, Event::Found(_) | Event::Body(_) | Event::Chunk(_) | Event::Answered(_)) => {
                unexpected()
            }
        }
    }

    fn tally(&mut self) -> Vec<Tally> {
        let name = self.counted.take().map(|rule| format!("matched_{rule}"));
        name.map(|name| Tally::Count(name.into(), 1)).into_iter().collect()
    }
}

fn unexpected() -> Step {
    Step::reply(Reply::unexpected())
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
