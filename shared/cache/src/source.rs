//! The traits by which a filter says where its entities come from.

use admin_api::Change;
use exchange::{Answer, Call, Finding, Key, Target};
use std::rc::Rc;
use std::time::Duration;

/// The source of a filter's entities: the call for a key, and the meaning of its answer.
pub trait Source {
    /// Returns the call that fetches `key`.
    fn call(&self, key: &Key) -> Call;

    /// Reads a complete answer about `key`: the finding, and the change number that it was read at.
    /// Returns `None` if the answer does not belong to the call (another status, another document):
    /// that is a failure of the fetch, and not [`Finding::Nothing`].
    fn read(&self, key: &Key, answer: &Answer) -> Option<(Finding, Option<u64>)>;

    /// Returns the service that is asked for `key`. `None` stands for the admin service.
    fn target(&self, _key: &Key) -> Option<Rc<Target>> {
        None
    }

    /// Returns `true` if others who share memory with this filter must not read the values of
    /// `key`. Such a value is encrypted there; without a token to derive a key from, it stays in
    /// the VM.
    fn is_secret(&self, _key: &Key) -> bool {
        true
    }

    /// Returns how long an answer for `key` is fresh. `None` stands for the setting `cache.ttl`.
    fn ttl(&self, _key: &Key) -> Option<Duration> {
        None
    }

    /// Returns the keys that are fetched on the tick, before a request needs them.
    fn wanted(&self) -> Vec<Key> {
        Vec::new()
    }

    /// Returns the keys whose answers are outdated by a change at the admin service.
    fn touched(&self, _change: &Change) -> Vec<Key> {
        Vec::new()
    }

    /// Returns a reader of everything that the admin service has, or `None` if this source has no
    /// such reader. `changes` is `true` if the server keeps a list of changes (a Kong Admin API
    /// does not).
    fn snapshot(&self, _changes: bool) -> Option<Box<dyn Snapshot>> {
        None
    }

    /// Returns `true` if a server without a list of changes can be asked for single keys. If it
    /// cannot, the snapshot is the only source, and a key that is not in it does not exist.
    fn asks_any_server(&self) -> bool {
        true
    }
}

/// Reads everything that a server has, page by page.
pub trait Snapshot {
    /// Returns the call for the next page; `None` when all pages are here.
    fn next(&mut self) -> Option<Call>;

    /// Takes a page in. Returns `false` if the answer is not a page. Of more than `most` findings
    /// in all, one more than `most` is kept, so that a service with any number of entities does not
    /// fill the memory.
    fn absorb(&mut self, answer: &Answer, most: usize) -> bool;

    /// Returns the findings of all pages, and the lowest change number that they were read at.
    fn finish(self: Box<Self>) -> (Vec<(Key, Finding)>, Option<u64>);
}
