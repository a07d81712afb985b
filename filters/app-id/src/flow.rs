//! The decision about a request: does its App ID belong to its consumer?
//!
//! ```text
//! start ──mapped, blank, no App ID, unknown caller─────▶ Decided
//!    └──▶ AskedForAll ──list, none, unavailable────────▶ Decided
//!              └──too many to cache─▶ AskedForOne ─────▶ Decided
//! ```

use crate::app_ids::{AppIds, contains};
use crate::config::Config;
use crate::source::{of_consumer, one};
use admin_api::is_app_id;
use consumer::Admitted;
use exchange::{Edit, Event, Finding, Flow, Reply, Started, Step, Unasked, Unavailable};
use std::rc::Rc;

/// The flow of one request.
pub(crate) struct AppIdFlow {
    config: Rc<Config>,
    state: State,
}

enum State {
    AskedForAll(Claim),
    AskedForOne(Claim),
    Decided,
}

/// The claim of a consumer to be an application.
#[derive(Clone)]
struct Claim {
    consumer: String,
    app_id: Vec<u8>,
    /// `true` if the settings map at least one App ID to the consumer.
    is_mapped: bool,
    edits: Vec<Edit>,
}

impl AppIdFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(config: Rc<Config>, request: &Admitted) -> Started {
        let mut flow = Self { config, state: State::Decided };
        let (state, step) = flow.judge(request);
        flow.state = state;
        Started::new(step, flow)
    }

    fn judge(&self, Admitted { request, identity }: &Admitted) -> (State, Step) {
        let config = &self.config;
        let Some(identity) = identity else {
            return decided(refuse(401, "no_identity", "Unauthorized"));
        };
        // Every spelling of the name counts, because the upstream may read any of them.
        let mut values = request.head.spellings(&config.header_name).map(|(_, value)| value);
        let app_id = values.next().unwrap_or_default().trim_ascii();
        if values.any(|other| other.trim_ascii() != app_id) {
            return decided(self.invalid());
        }
        if app_id.is_empty() {
            return decided(refuse(
                403,
                "no_app_id",
                format!("{} can't be blank", config.header_name),
            ));
        }
        let hidden = config.hide_app_id.then(|| Edit::remove(config.header_name.clone()));
        let edits: Vec<Edit> = hidden.into_iter().collect();
        let mut mapped = config.mapped(&identity.id, identity.username.as_deref()).peekable();
        let is_mapped = mapped.peek().is_some();
        if mapped.any(|id| id.as_bytes() == app_id) {
            return decided(Step::forward(edits));
        }
        let claim =
            Claim { consumer: identity.id.clone(), app_id: app_id.to_vec(), is_mapped, edits };
        if config.common.admin.is_none() {
            return decided(self.nothing(&claim));
        }
        // The service has no such App ID, so that there is nothing to look up.
        if !std::str::from_utf8(&claim.app_id).is_ok_and(is_app_id) {
            return decided(self.invalid());
        }
        let key = of_consumer(&claim.consumer);
        (State::AskedForAll(claim), Step::find(key))
    }

    /// Judges the claim by all App IDs of the consumer, if the lookup found them.
    fn judge_all(&self, claim: Claim, found: Result<Finding, Unavailable>) -> (State, Step) {
        let value = match found {
            Err(Unavailable) => return decided(self.unavailable(claim)),
            Ok(Finding::Nothing) => return decided(self.nothing(&claim)),
            Ok(Finding::Value(value)) => value,
        };
        match AppIds::decode(&value) {
            Some(AppIds::List(list)) if contains(list, &claim.app_id) => {
                decided(Step::forward(claim.edits))
            }
            Some(AppIds::List(_)) => decided(self.invalid()),
            Some(AppIds::Many) => {
                let key = one(&claim.consumer, &claim.app_id);
                (State::AskedForOne(claim), Step::find(key))
            }
            None => decided(self.unavailable(claim)),
        }
    }

    /// Judges the claim by the lookup of this one App ID.
    fn judge_one(&self, claim: Claim, found: Result<Finding, Unavailable>) -> Step {
        match found {
            Ok(Finding::Value(_)) => Step::forward(claim.edits),
            Ok(Finding::Nothing) => self.invalid(),
            Err(Unavailable) => self.unavailable(claim),
        }
    }

    fn nothing(&self, claim: &Claim) -> Step {
        if claim.is_mapped {
            return self.invalid();
        }
        let message = format!("Consumer and {} mapping doesn't exist", self.config.header_name);
        refuse(403, "no_mapping", message)
    }

    fn invalid(&self) -> Step {
        refuse(403, "wrong_app_id", format!("Invalid {}", self.config.header_name))
    }

    fn unavailable(&self, claim: Claim) -> Step {
        if self.config.fail_open { Step::forward(claim.edits) } else { busy() }
    }
}

impl Flow for AppIdFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Decided), event) {
            (State::AskedForAll(claim), Event::Found(found)) => self.judge_all(claim, found),
            (State::AskedForOne(claim), Event::Found(found)) => {
                decided(self.judge_one(claim, found))
            }
            (_, Event::Body(_) | Event::Chunk(_) | Event::Answered(_)) | (State::Decided, _) => {
                decided(Step::out_of_order())
            }
        };
        self.state = next;
        step
    }

    fn on_unasked(&mut self, why: Unasked) -> Step {
        match (std::mem::replace(&mut self.state, State::Decided), why) {
            // This is the first request of a consumer, and no client can make consumers up.
            (State::AskedForAll(claim), Unasked::CannotWait) => self.unavailable(claim),
            // Clients cause this, by their number or by their choice of App IDs. If it opened the
            // door, any App ID would pass in a crowd.
            (State::AskedForAll(_), Unasked::TooMany) | (State::AskedForOne(_), _) => busy(),
            (State::Decided, _) => Step::out_of_order(),
        }
    }
}

fn decided(step: Step) -> (State, Step) {
    (State::Decided, step)
}

fn busy() -> Step {
    refuse(503, "unavailable", "Service unavailable")
}

fn refuse(
    status: u16,
    cause: &'static str,
    message: impl Into<std::borrow::Cow<'static, str>>,
) -> Step {
    Step::reply(Reply::message(status, cause, message))
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
