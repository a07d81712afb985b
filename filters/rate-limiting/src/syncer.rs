//! The worker that compares counts with those of all nodes, at the configured interval.

use crate::ask::{send, totals};
use crate::config::{Config, Policy};
use crate::table::Random;
use admin_api::Increments;
use exchange::{BackgroundCall, CallResult, Tally, Target, Worker};
use std::rc::Rc;

/// The background work of one configuration.
pub(crate) struct Syncer {
    config: Rc<Config>,
    target: Rc<Target>,
    every: u64,
    random: Random,
    /// The prefix of batch names, which no two workers share. It is made for the first batch:
    /// before the first request, two workers of Kong may draw equal random numbers.
    prefix: Option<String>,
    /// The name of each batch under way, by its number in the ledger.
    names: std::collections::HashMap<u64, String>,
    sent: u64,
    tally: Vec<Tally>,
    log: fn(&str),
}

impl Syncer {
    /// Returns `None` if the configuration compares nothing.
    pub(crate) fn new(config: &Rc<Config>, random: Random, log: fn(&str)) -> Option<Self> {
        let Policy::Syncing(every) = config.policy else { return None };
        let target = Rc::clone(config.admin.as_ref()?);
        Some(Self {
            config: Rc::clone(config),
            target,
            every: u64::try_from(every.as_millis()).unwrap_or(u64::MAX),
            random,
            prefix: None,
            names: std::collections::HashMap::new(),
            sent: 0,
            tally: Vec::new(),
            log,
        })
    }

    fn send(&mut self, now: u64, all: bool) -> Vec<BackgroundCall> {
        let every = self.every;
        let due = self.config.limiter.ledger(|ledger| ledger.due(now, every, all));
        let mut calls = Vec::new();
        for number in due.unwrap_or_default() {
            let increments = self
                .config
                .limiter
                .ledger(|ledger| ledger.batch(number).map(<[_]>::to_vec))
                .flatten();
            let Some(increments) = increments else { continue };
            if !self.names.contains_key(&number) {
                self.sent = self.sent.wrapping_add(1);
                let random = self.random;
                let prefix = self.prefix.get_or_insert_with(|| {
                    let mut bytes = [0; 16];
                    random(&mut bytes);
                    format!("{:032x}", u128::from_be_bytes(bytes))
                });
                self.names.insert(number, format!("{prefix}-{}", self.sent));
            }
            let id = self.names.get(&number).cloned();
            let call = send(&Increments { increments, all_or_nothing: false, id });
            calls.push(BackgroundCall { id: number, target: Rc::clone(&self.target), call });
        }
        calls
    }
}

impl Worker for Syncer {
    fn due(&mut self, now: u64) -> Vec<BackgroundCall> {
        self.send(now, false)
    }

    fn answered(&mut self, id: u64, result: CallResult, now: u64) -> Vec<BackgroundCall> {
        let count = self
            .config
            .limiter
            .ledger(|ledger| ledger.batch(id).map_or(0, <[_]>::len))
            .unwrap_or(0);
        let answer = result.ok().and_then(|answer| totals(&answer, count));
        let was_away = self.config.limiter.ledger(|ledger| {
            let was_away = ledger.is_away();
            ledger.answered(id, answer.as_ref(), now);
            was_away
        });
        let gone = self.config.limiter.ledger(|ledger| ledger.batch(id).is_none());
        if gone == Some(true) {
            self.names.remove(&id);
        }
        let what = if answer.is_some() { "synced" } else { "sync_failed" };
        self.tally.push(Tally::Count(what.into(), 1));
        match (was_away, answer.is_some()) {
            (Some(false), false) => (self.log)(
                "rate_limiting: gatehouse-admin does not take the counts; they are kept and sent again",
            ),
            (Some(true), true) => {
                (self.log)("rate_limiting: gatehouse-admin takes the counts again")
            }
            _ => {}
        }
        Vec::new()
    }

    fn leave(&mut self, now: u64) -> Vec<BackgroundCall> {
        self.send(now, true)
    }

    fn tally(&mut self) -> Vec<Tally> {
        std::mem::take(&mut self.tally)
    }
}

#[cfg(test)]
#[path = "syncer_tests.rs"]
mod tests;
