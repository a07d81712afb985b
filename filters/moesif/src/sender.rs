//! The worker of the filter: it sends batches to the collector and fetches the collector's
//! documents.

use crate::allowance::Refused;
use crate::breaker::Breaker;
use crate::collector::{CONFIG_TAG, Collector, RETRY_AFTER, RULES_TAG};
use crate::queue::Batch;
use crate::rules::Rules;
use crate::sampling::AppConfig;
use crate::shared::{Shared, Tools};
use crate::watch::Watch;
use exchange::{Answer, BackgroundCall, CallResult, Tally, Worker};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// The time without requests after which documents are no longer fetched, in milliseconds.
const IDLE: u64 = 60_000;

/// The greatest size of a document in bytes, because all filters share the VM's memory.
const MAX_DOCUMENT: usize = 4 << 20;

/// The number of attempts for a batch when the configuration goes away.
const LAST_TRIES: u32 = 3;

/// The background work of one configuration in one VM.
pub(crate) struct Sender {
    shared: Rc<Shared>,
    tools: Tools,
    breaker: Breaker,
    out: HashMap<u64, Out>,
    next: u64,
    config: Watch,
    rules: Watch,
    /// The documents beyond the bounds that the log names already.
    too_large: HashSet<&'static str>,
    /// The number of batches that failed since the configuration began to go away. `None` before
    /// that.
    leaving: Option<u32>,
}

/// The purpose of a call.
enum Out {
    Batch(Batch, u64),
    Config,
    Rules,
}

impl Sender {
    pub(crate) fn new(shared: Rc<Shared>, tools: Tools) -> Self {
        Self {
            shared,
            tools,
            breaker: Breaker::default(),
            out: HashMap::new(),
            next: 0,
            config: Watch::default(),
            rules: Watch::default(),
            too_large: HashSet::new(),
            leaving: None,
        }
    }

    /// Returns as many batches as may be sent now.
    fn batches(&mut self, now: u64) -> Vec<BackgroundCall> {
        let Some(collector) = self.shared.collector() else { return Vec::new() };
        let wait = self.shared.config.batch_max_wait;
        let since = if self.leaving.is_some() { u64::MAX } else { now.saturating_sub(wait) };
        let mut calls = Vec::new();
        while self.may_send(now) > 0 {
            let Some(batch) = self.shared.with_queue(|queue| queue.next(since, now)) else { break };
            let (target, call) = collector.post(batch.json());
            self.breaker.sent();
            calls.push(BackgroundCall { id: self.number(Out::Batch(batch, now)), target, call });
        }
        self.shared.may_send.set(self.may_send(now) > 0);
        calls
    }

    fn may_send(&self, now: u64) -> usize {
        let batches = self.out.values().filter(|out| matches!(out, Out::Batch(..))).count();
        match self.leaving {
            None => self.breaker.may_send(self.shared.at_once(), batches, now),
            Some(failed) if failed < LAST_TRIES => usize::MAX,
            Some(_) => 0,
        }
    }

    fn number(&mut self, out: Out) -> u64 {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.out.insert(id, out);
        id
    }

    /// Returns the calls that fetch documents which may have changed.
    fn questions(&mut self, now: u64) -> Vec<BackgroundCall> {
        let Some(collector) = self.shared.collector() else { return Vec::new() };
        let active = now.saturating_sub(self.shared.last_request.get()) < IDLE;
        let mut calls = Vec::new();
        if self.config.is_due(now, active) {
            let (target, call) = collector.config();
            calls.push(BackgroundCall { id: self.number(Out::Config), target, call });
        }
        if self.rules.is_due(now, active) {
            let (target, call) = Collector::rules(&collector);
            calls.push(BackgroundCall { id: self.number(Out::Rules), target, call });
        }
        calls
    }

    fn batch_answered(&mut self, batch: Batch, sent: u64, result: &CallResult, now: u64) {
        let events = u64::try_from(batch.len()).unwrap_or(u64::MAX);
        let shared = Rc::clone(&self.shared);
        if let Ok(answer) = result {
            self.config.heard(answer.header(CONFIG_TAG));
            self.rules.heard(answer.header(RULES_TAG));
            shared.tallies.record("batch_latency_ms", now.saturating_sub(sent));
        }
        match result.as_ref().map(|answer| answer.status) {
            Ok(200..=299) => {
                shared.with_queue(|queue| queue.done(&batch));
                shared.tallies.count("sent", events);
                if self.breaker.works() {
                    (self.tools.note)("gatehouse_moesif: the collector takes events again");
                }
                self.debug(|| format!("{events} events sent in {} ms", now.saturating_sub(sent)));
            }
            // The batch is malformed or too large, and the collector itself works.
            Ok(status @ (400 | 413)) => {
                self.breaker.works();
                if shared.with_queue(|queue| queue.split(batch)) {
                    shared.tallies.count("splits", 1);
                } else {
                    shared.tallies.count("dropped_rejected", 1);
                    self.debug(|| format!("the collector does not take an event ({status})"));
                }
            }
            Ok(status @ (401..=406 | 410)) => {
                self.back(batch);
                let pause = self.breaker.refuses(now);
                self.complain(pause, &format!("the collector answers {status}: application id, subscription or address are not right"));
            }
            failed => {
                let said = match failed {
                    Ok(status) => format!("the collector answers {status}"),
                    Err(error) => format!("the collector cannot be reached: {error}"),
                };
                let wish = result.as_ref().ok().and_then(retry_after);
                self.back(batch);
                shared.tallies.count("retries", 1);
                let first = !self.breaker.is_open();
                let pause = self.breaker.fails(now, wish, random(&self.tools));
                self.complain(pause.filter(|_| first), &said);
            }
        }
    }

    /// Puts back a batch to be sent again, unless this was the last attempt.
    fn back(&mut self, batch: Batch) {
        if let Some(failed) = &mut self.leaving {
            *failed = failed.saturating_add(1);
            if *failed >= LAST_TRIES {
                let events = u64::try_from(batch.len()).unwrap_or(u64::MAX);
                self.shared.tallies.count("dropped_at_end", events);
            }
        }
        self.shared.with_queue(|queue| queue.again(batch));
    }

    /// Logs once for each row of failures, so that a long outage does not fill the log.
    fn complain(&self, pause: Option<u64>, what: &str) {
        if let Some(pause) = pause {
            let queue = self.shared.with_queue(|queue| (queue.count(), queue.bytes()));
            let (events, bytes) = queue;
            (self.tools.report)(&format!(
                "gatehouse_moesif: {what}; {events} events ({bytes} bytes) wait, next try in {pause} ms"
            ));
        }
    }

    /// Logs that a document was read, or why not. A document beyond the bounds is logged once, until
    /// one within them comes.
    fn tell_of(&mut self, document: &'static str, refused: Option<&Refused>) {
        match refused {
            None => {
                self.too_large.remove(document);
                self.debug(|| format!("{document} read"));
            }
            Some(Refused::TooLarge) if self.too_large.insert(document) => {
                (self.tools.report)(&format!(
                    "gatehouse_moesif: the collector's document of {document} exceeds the bounds and \
                     is not used; the one before it stays in effect"
                ));
            }
            Some(_) => self.debug(|| format!("{document} not to be had")),
        }
    }

    fn debug(&self, message: impl FnOnce() -> String) {
        if self.shared.config.debug {
            (self.tools.note)(&format!("gatehouse_moesif: {}", message()));
        }
    }
}

impl Worker for Sender {
    fn due(&mut self, now: u64) -> Vec<BackgroundCall> {
        let mut calls = self.questions(now);
        calls.extend(self.batches(now));
        calls
    }

    fn answered(&mut self, id: u64, result: CallResult, now: u64) -> Vec<BackgroundCall> {
        let tag = |name| result.as_ref().ok().and_then(|answer| answer.header(name));
        let jitter = random(&self.tools);
        match self.out.remove(&id) {
            Some(Out::Batch(batch, sent)) => self.batch_answered(batch, sent, &result, now),
            Some(Out::Config) => {
                let app = document(&result).and_then(AppConfig::read);
                self.config.answered(app.is_ok(), tag(CONFIG_TAG), now, jitter);
                self.tell_of("configuration", app.as_ref().err());
                app.into_iter().for_each(|app| self.shared.set_app(app));
            }
            Some(Out::Rules) => {
                let rules = document(&result).and_then(Rules::read);
                self.rules.answered(rules.is_ok(), tag(RULES_TAG), now, jitter);
                self.tell_of("rules", rules.as_ref().err());
                rules.into_iter().for_each(|rules| self.shared.set_rules(rules));
            }
            None => {}
        }
        let mut calls = self.batches(now);
        if self.leaving.is_none() {
            calls.extend(self.questions(now));
        }
        calls
    }

    fn leave(&mut self, now: u64) -> Vec<BackgroundCall> {
        self.leaving = Some(0);
        self.batches(now)
    }

    fn tally(&mut self) -> Vec<Tally> {
        let mut tallies = self.shared.tallies.take();
        let (count, bytes) = self.shared.with_queue(|queue| (queue.count(), queue.bytes()));
        for (name, value) in [("queue_events", count), ("queue_bytes", bytes)] {
            tallies.push(Tally::Gauge(name, u64::try_from(value).unwrap_or(u64::MAX)));
        }
        tallies
    }
}

/// Returns the document that the collector has sent.
fn document(result: &CallResult) -> Result<&[u8], Refused> {
    match result {
        Ok(answer) if answer.status == 200 && answer.body.len() <= MAX_DOCUMENT => Ok(&answer.body),
        Ok(answer) if answer.status == 200 => Err(Refused::TooLarge),
        Ok(_) | Err(_) => Err(Refused::Malformed),
    }
}

/// Returns the pause that the collector asks for, in milliseconds.
fn retry_after(answer: &Answer) -> Option<u64> {
    let seconds: u64 =
        std::str::from_utf8(answer.header(RETRY_AFTER)?).ok()?.trim().parse().ok()?;
    Some(seconds.saturating_mul(1000))
}

fn random(tools: &Tools) -> u32 {
    let mut bytes = [0; 4];
    // Without randomness there is no jitter, which is harmless.
    let _ = (tools.random)(&mut bytes);
    u32::from_be_bytes(bytes)
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
