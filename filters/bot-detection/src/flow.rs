//! What to do with one request, from its headers to a decision.
//!
//! ```text
//! Arrived ──▶ Decided
//! ```

use crate::agents::Verdict;
use crate::config::{Action, Config};
use consumer::{Arrival, Duplicate, at_use, refuse_duplicate, single_owned};
use exchange::{Edit, Event, Flow, Head, Occurrence, Reply, Request, Step, Tally, same_name};
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
        let mut edits = match at_use(request, &config.common) {
            Arrival::Pass(edits) => return Step::Forward(edits),
            Arrival::Refuse(reply) => return Step::Reply(reply),
            Arrival::Judge(_, edits) => edits,
        };
        let Some(agents) = &config.agents else { return unexpected() };
        if config.action == Action::Tag {
            // What the upstream is to believe is never the client's.
            match claimed(&request.head, &config.tag_header, request.can_remove) {
                Ok(removed) => edits.extend(removed),
                Err(duplicate) => return Step::Reply(refuse_duplicate(&duplicate)),
            }
        }
        let verdict = match request.head.occurrence("user-agent") {
            Occurrence::None => Verdict::Unknown,
            Occurrence::One(user_agent) => agents.verdict(user_agent),
            Occurrence::Many(_) => {
                self.counted = Some("duplicate".into());
                if config.action == Action::Deny {
                    return Step::Reply(Reply::error(400, "Only one User-Agent header allowed"));
                }
                Verdict::Bot("duplicate".into())
            }
        };
        match verdict {
            Verdict::Unknown => Step::Forward(edits),
            Verdict::Allowed(rule) => {
                self.counted = Some(rule);
                Step::Forward(edits)
            }
            Verdict::Bot(rule) => {
                self.counted = Some(rule.clone());
                self.act(&rule, edits)
            }
        }
    }

    fn act(&self, rule: &str, mut edits: Vec<Edit>) -> Step {
        match self.config.action {
            Action::Deny => return Step::Reply(Reply::error(403, "Forbidden")),
            Action::Tag => {
                let name = self.config.tag_header.to_ascii_lowercase();
                edits.retain(|edit| *edit != Edit::remove(name.clone()));
                edits.push(Edit::set(name, rule));
            }
            // The rule only: what a client sent is in no log.
            Action::Log => {
                (self.note)(&format!("gatehouse_bot_detection: a bot by the rule {rule}"))
            }
        }
        Step::Forward(edits)
    }
}

/// Takes out what a client sent under the tag's name, in every spelling that an upstream may fold together.
fn claimed(head: &Head, tag: &str, can_remove: bool) -> Result<Vec<Edit>, Duplicate> {
    let mut edits = Vec::new();
    for (name, _) in head.fields().filter(|(name, _)| same_name(name, tag.as_bytes())) {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        single_owned(head, &name, can_remove)?;
        let edit = Edit::remove(name);
        if !edits.contains(&edit) {
            edits.push(edit);
        }
    }
    Ok(edits)
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
    Step::Reply(Reply::error(500, "An unexpected error occurred"))
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
