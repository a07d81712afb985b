//! The cache, as who does not name its type sees it.

use crate::cache::Cache;
use crate::effects::{Conditions, Effects, Lookup, Purpose};
use exchange::{CallResult, Finding, Key, Unavailable};

/// The functions of a [`Cache`] behind a table. A program that holds only this trait, and makes no
/// cache, is linked without the code of the cache: it is most of a small filter's module.
pub trait Answers {
    /// See [`Cache::request_seen`].
    fn request_seen(&mut self, now: u64);

    /// See [`Cache::find`].
    fn find(&mut self, key: &Key, waiter: u32, conditions: Conditions) -> Lookup;

    /// See [`Cache::left`].
    fn left(&mut self, key: &Key, waiter: u32, own_call: bool);

    /// See [`Cache::tick`].
    fn tick(&mut self, now: u64) -> Effects;

    /// See [`Cache::answered`].
    fn answered(
        &mut self,
        purpose: &Purpose,
        result: &CallResult,
        can_send: bool,
        now: u64,
    ) -> Effects;

    /// See [`Cache::answered_own`].
    fn answered_own(
        &mut self,
        key: &Key,
        result: &CallResult,
        now: u64,
    ) -> (Result<Finding, Unavailable>, Effects);
}

impl Answers for Cache {
    fn request_seen(&mut self, now: u64) {
        self.request_seen(now);
    }

    fn find(&mut self, key: &Key, waiter: u32, conditions: Conditions) -> Lookup {
        self.find(key, waiter, conditions)
    }

    fn left(&mut self, key: &Key, waiter: u32, own_call: bool) {
        self.left(key, waiter, own_call);
    }

    fn tick(&mut self, now: u64) -> Effects {
        self.tick(now)
    }

    fn answered(
        &mut self,
        purpose: &Purpose,
        result: &CallResult,
        can_send: bool,
        now: u64,
    ) -> Effects {
        self.answered(purpose, result, can_send, now)
    }

    fn answered_own(
        &mut self,
        key: &Key,
        result: &CallResult,
        now: u64,
    ) -> (Result<Finding, Unavailable>, Effects) {
        self.answered_own(key, result, now)
    }
}
