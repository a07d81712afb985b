//! What to do with one request, from its headers to a decision, and what its response says.
//!
//! ```text
//! start ──counted here──▶ Decided ──response──▶ its fields
//!    └──policy asks──▶ Asking ──answer, none──▶ Decided
//! ```

use crate::ask;
use crate::caller::{Caller, caller};
use crate::config::{Config, Policy};
use crate::gauge::Limit;
use crate::headers::headers;
use crate::table::Failed;
use crate::verdict::Verdict;
use consumer::{Admitted, Identity};
use exchange::{
    Answer, Edit, Event, Flow, Reply, ResponseEvent, ResponseStep, Started, Step, Tally,
    Unavailable,
};
use std::rc::Rc;

/// One request's progress.
pub(crate) struct LimitFlow {
    config: Rc<Config>,
    state: State,
    /// For the response.
    fields: Vec<(&'static str, Vec<u8>)>,
    tally: Vec<Tally>,
}

enum State {
    Asking(Box<Asked>),
    Decided,
}

/// What a request waits with.
struct Asked {
    identifier: Vec<u8>,
    limits: Vec<Limit>,
    now: u64,
}

impl LimitFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(config: Rc<Config>, request: &Admitted) -> Started {
        let (fields, tally) = (Vec::new(), Vec::new());
        let mut flow = Self { config, state: State::Decided, fields, tally };
        let (state, step) = flow.judge(request);
        flow.state = state;
        Started::new(step, flow)
    }

    fn judge(&mut self, Admitted { request, identity }: &Admitted) -> (State, Step) {
        let config = Rc::clone(&self.config);
        let identity: Option<&Identity> = identity.as_deref();
        let Caller { identifier, fallback } = caller(&config, request, identity);
        if fallback {
            self.count("by_ip_instead");
        }
        let (limits, now) = (config.limits_of(identity), request.now);
        match config.policy {
            Policy::Local => decided(self.here(&identifier, limits, now)),
            Policy::Syncing(_) => decided(self.compared(&identifier, limits, now)),
            Policy::Asking => {
                let Some(admin) = &config.admin else { return decided(unexpected()) };
                let namespace = config.namespace.as_bytes();
                let name = ask::shared_name(admin.token.as_deref(), namespace, &identifier);
                let call = ask::question(&name, limits, now);
                let asked = Asked { identifier, limits: limits.to_vec(), now };
                (State::Asking(Box::new(asked)), Step::ask(Rc::clone(admin), call))
            }
        }
    }

    /// Counted on this node.
    fn here(&mut self, identifier: &[u8], limits: &[Limit], now: u64) -> Step {
        let config = Rc::clone(&self.config);
        let Some(table) = config.limiter.table() else { return self.uncounted() };
        match table.count(config.namespace.as_bytes(), identifier, limits, now) {
            Ok(counted) => {
                if counted.shared {
                    self.count("shared_counters");
                }
                self.judged(counted.verdict)
            }
            // Whoever cannot be counted for want of time or room might be one too many.
            Err(Failed::Contended) => {
                self.count("contended");
                if config.dry_run { Step::forward(Vec::new()) } else { self.refuse(1) }
            }
            Err(Failed::Refused) => self.uncounted(),
        }
    }

    /// Counted by this worker, which compares itself with the others.
    fn compared(&mut self, identifier: &[u8], limits: &[Limit], now: u64) -> Step {
        let config = Rc::clone(&self.config);
        let token = config.admin.as_ref().and_then(|admin| admin.token.as_deref());
        let namespace = config.namespace.as_bytes();
        let name = ask::shared_name(token, namespace, identifier);
        let spare = ask::shared_name(token, namespace, b"");
        let most = usize::try_from(config.max_identifiers).unwrap_or(usize::MAX);
        let counted = config.limiter.ledger(|ledger| {
            let away = ledger.is_away() && !config.fault_tolerant;
            (!away).then(|| ledger.count(&name, &spare, limits, now, most))
        });
        match counted.flatten() {
            Some((verdict, shared)) => {
                if shared {
                    self.count("shared_counters");
                }
                self.judged(verdict)
            }
            None => self.uncounted(),
        }
    }

    /// The service has counted, or has not.
    fn answered(&mut self, asked: Asked, answer: Result<Answer, Unavailable>) -> Step {
        let Asked { identifier, limits, now } = asked;
        let verdict = answer.ok().and_then(|answer| ask::verdict(&answer, &limits, now));
        match verdict {
            Some(verdict) => self.judged(verdict),
            None if self.config.fault_tolerant => {
                self.count("counted_here_instead");
                self.here(&identifier, &limits, now)
            }
            None => self.uncounted(),
        }
    }

    fn judged(&mut self, verdict: Verdict) -> Step {
        let config = &self.config;
        let refused = !verdict.admitted && !config.dry_run;
        let fields =
            if config.hide_client_headers { Vec::new() } else { headers(&verdict, refused) };
        if !verdict.admitted {
            self.count(if config.dry_run { "would_be_limited" } else { "limited" });
        }
        if !refused {
            self.fields = fields;
            return Step::forward(Vec::new());
        }
        let mut reply = self.refusal();
        for (name, value) in fields {
            reply = reply.with(name, value);
        }
        Step::reply(reply)
    }

    /// There are no counts to go by.
    fn uncounted(&mut self) -> Step {
        self.count("uncounted");
        if self.config.fault_tolerant { Step::forward(Vec::new()) } else { unexpected() }
    }

    fn refuse(&self, wait: u64) -> Step {
        let reply = self.refusal();
        if self.config.hide_client_headers {
            return Step::reply(reply);
        }
        Step::reply(reply.with("Retry-After", wait.to_string()))
    }

    fn refusal(&self) -> Reply {
        Reply::error(self.config.error_code, self.config.error_message.clone())
    }

    fn count(&mut self, what: &'static str) {
        self.tally.push(Tally::Count(what.into(), 1));
    }
}

impl Flow for LimitFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Decided), event) {
            (State::Asking(asked), Event::Answered(answer)) => {
                decided(self.answered(*asked, answer))
            }
            (_, Event::Found(_) | Event::Body(_) | Event::Chunk(_)) | (State::Decided, _) => {
                decided(Step::out_of_order())
            }
        };
        self.state = next;
        step
    }

    fn wants_response(&self) -> bool {
        !self.fields.is_empty()
    }

    /// Whoever answers, the upstream or a later filter: the client is told. Our own refusal says it already.
    fn on_response(&mut self, event: ResponseEvent) -> ResponseStep {
        let edits = match event {
            ResponseEvent::Head(response) if !response.ours => std::mem::take(&mut self.fields)
                .into_iter()
                .map(|(name, value)| Edit::set(name, value))
                .collect(),
            ResponseEvent::Head(_) | ResponseEvent::Answered(_) => Vec::new(),
        };
        ResponseStep::Forward(edits)
    }

    fn tally(&mut self) -> Vec<Tally> {
        std::mem::take(&mut self.tally)
    }
}

fn decided(step: Step) -> (State, Step) {
    (State::Decided, step)
}

fn unexpected() -> Step {
    Step::reply(Reply::unexpected())
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
