//! The way of one request: it is counted, decided, and its response gets the headers of the limits.
//!
//! ```text
//! start ──counted here──▶ Decided ──response──▶ headers are set
//!    └──policy asks──▶ Asking ──answer or none──▶ Decided
//! ```

use crate::ask;
use crate::caller::{Caller, caller};
use crate::config::{Config, Policy};
use crate::headers::headers;
use crate::table::Failed;
use crate::usage::Limit;
use crate::verdict::Verdict;
use consumer::{Admitted, Identity};
use exchange::{
    Answer, Edit, Event, Flow, Reply, ResponseEvent, ResponseStep, Started, Step, Tally,
    Unavailable,
};
use std::rc::Rc;

/// Returns the present time in milliseconds since 1970.
pub(crate) type Clock = fn() -> u64;

/// The state machine of one request.
pub(crate) struct LimitFlow {
    config: Rc<Config>,
    clock: Clock,
    state: State,
    /// The headers that the response gets.
    headers: Vec<(&'static str, Vec<u8>)>,
    tally: Vec<Tally>,
}

enum State {
    Asking(Box<Asked>),
    Decided,
}

/// The facts that a request needs when the response of gatehouse-admin arrives.
struct Asked {
    identifier: Vec<u8>,
    limits: Vec<Limit>,
    now: u64,
}

impl LimitFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(config: Rc<Config>, request: &Admitted, clock: Clock) -> Started {
        let (headers, tally) = (Vec::new(), Vec::new());
        let mut flow = Self { config, clock, state: State::Decided, headers, tally };
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

    /// Counts the request on this node.
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
            // A request that cannot be counted for want of time or space might exceed the limit.
            Err(Failed::Contended) => {
                self.count("contended");
                if config.dry_run { Step::forward(Vec::new()) } else { self.refuse(1) }
            }
            Err(Failed::Refused) => self.uncounted(),
        }
    }

    /// Counts the request in this worker, which compares its counts with other nodes.
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

    /// Takes the response of gatehouse-admin.
    fn answered(&mut self, asked: Asked, answer: Result<Answer, Unavailable>) -> Step {
        let Asked { identifier, limits, now } = asked;
        let verdict = answer.ok().and_then(|answer| ask::verdict(&answer, &limits, now));
        match verdict {
            Some(verdict) => self.judged(verdict),
            None if self.config.fault_tolerant => {
                self.count("counted_here_instead");
                // Some requests waited longer than others. By the times at which they came, they
                // would go back to windows that have ended, and the present ones would begin anew.
                self.here(&identifier, &limits, (self.clock)())
            }
            None => self.uncounted(),
        }
    }

    fn judged(&mut self, verdict: Verdict) -> Step {
        let config = &self.config;
        let refused = !verdict.admitted && !config.dry_run;
        let headers =
            if config.hide_client_headers { Vec::new() } else { headers(&verdict, refused) };
        if !verdict.admitted {
            self.count(if config.dry_run { "would_be_limited" } else { "limited" });
        }
        if !refused {
            self.headers = headers;
            return Step::forward(Vec::new());
        }
        let mut reply = self.refusal();
        for (name, value) in headers {
            reply = reply.with(name, value);
        }
        Step::reply(reply)
    }

    /// Decides a request that could not be counted.
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
        Reply::error(self.config.error_code, "limit_exceeded", self.config.error_message.clone())
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
        !self.headers.is_empty()
    }

    /// Adds the headers of the limits, no matter if the upstream or a later filter responded. This
    /// filter's own refusal has them already.
    fn on_response(&mut self, event: ResponseEvent) -> ResponseStep {
        let edits = match event {
            ResponseEvent::Head(response) if !response.ours => std::mem::take(&mut self.headers)
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
