//! The counters of all identifiers: buckets in numbered slots, shared by all workers of a node.
//!
//! The first worker that needs a slot creates it. From then on, workers change it by
//! compare-and-swap only.

use crate::bucket::{Bucket, Key, Who};
use crate::lease::Leases;
use crate::usage::Limit;
use crate::verdict::Verdict;
use runtime::{Put, SharedData};
use std::cell::{Cell, RefCell};

/// Fills a slice with unpredictable bytes. Returns `false` if the gateway gave none.
pub(crate) type Random = fn(&mut [u8]) -> bool;

/// The slot of the secret key, beyond all buckets.
const MARK: u32 = 1 << 19;
/// The slot of the first bucket. A build whose buckets have another format has its own slots: while
/// both serve, each would otherwise empty the buckets of the other.
const FIRST: u32 = 1 << 18;
/// The number of identifiers for each bucket, on average. At this load one bucket of some thousands
/// is full.
const LOAD: u64 = 8;
const MAX_BUCKETS: u64 = 1 << 17;
/// The greatest number of conflicts before a request gives up. Each conflict is another worker's
/// success. Workers in lock step have been seen to lose some dozen times in a row.
const RETRIES: usize = 1000;
/// The time after which a worker reads the secret key again, in milliseconds.
const KEY_AGE: u64 = 1000;

/// The counters of all identifiers.
pub(crate) struct Table {
    slots: Box<dyn SharedData>,
    buckets: u64,
    random: Random,
    key: Cell<Option<(Key, u64)>>,
    leases: RefCell<Leases>,
}

/// The result of counting a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) verdict: Verdict,
    /// `true` if the identifier had to share a counter with others.
    pub(crate) shared: bool,
}

/// The reason why a request was not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failed {
    /// Other workers changed the slot first each time, or the bucket is full.
    Contended,
    /// The gateway refused the write.
    Refused,
}

impl Table {
    /// Makes a table for about this number of identifiers at once.
    pub(crate) fn new(slots: Box<dyn SharedData>, identifiers: u64, random: Random) -> Self {
        let buckets = identifiers.div_ceil(LOAD).next_power_of_two().clamp(2, MAX_BUCKETS);
        Self { slots, buckets, random, key: Cell::new(None), leases: RefCell::new(Leases::new()) }
    }

    /// Judges a request of `identifier`, and counts it if it is admitted, in one compare-and-swap.
    ///
    /// # Errors
    /// Nothing was counted. The error says why.
    pub(crate) fn count(
        &self,
        namespace: &[u8],
        identifier: &[u8],
        limits: &[Limit],
        now: u64,
    ) -> Result<Counted, Failed> {
        let key = self.key(now);
        let who = Who { own: key.hash(&[namespace, identifier]), spare: key.hash(&[namespace]) };
        if let Some(verdict) = self.leased(|leases| leases.spend(&who.own, limits, now)).flatten() {
            return Ok(Counted { verdict, shared: false });
        }
        let index = index(self.bucket_of(&who));
        for _ in 0..RETRIES {
            let found = self.slots.get(index);
            let seen = found.as_ref().map(|(_, seen)| *seen);
            let mut bucket =
                found.map_or_else(Bucket::default, |(bytes, _)| Bucket::read(&bytes, key));
            let size = |room| self.lease_size(&who, limits, now, room);
            let Some(taken) = bucket.take(&who, limits, now, size) else {
                return Err(Failed::Contended);
            };
            let counted = Counted { verdict: taken.verdict, shared: taken.shared };
            if taken.count == 0 {
                return Ok(counted);
            }
            match self.slots.put(index, &bucket.write(key), seen) {
                Put::Done => {
                    if !taken.shared && self.slots.is_shared() {
                        let (count, records) = (taken.count, &taken.records);
                        self.leased(|leases| leases.taken(&who.own, limits, now, count, records));
                    }
                    return Ok(counted);
                }
                Put::Conflict => {}
                Put::Failed => return Err(Failed::Refused),
            }
        }
        Err(Failed::Contended)
    }

    fn lease_size(&self, who: &Who, limits: &[Limit], now: u64, room: u64) -> u64 {
        if !self.slots.is_shared() {
            return 1;
        }
        let size = |leases: &mut Leases| match leases.has_place(&who.own, limits, now) {
            true => leases.size(&who.own, limits, now, room),
            false => 1,
        };
        self.leased(size).unwrap_or(1)
    }

    fn leased<R>(&self, work: impl FnOnce(&mut Leases) -> R) -> Option<R> {
        self.leases.try_borrow_mut().ok().map(|mut leases| work(&mut leases))
    }

    fn bucket_of(&self, who: &Who) -> u64 {
        let (first, _) = who.own.split_at(8);
        let number = first.try_into().map_or(0, u64::from_le_bytes);
        number.checked_rem(self.buckets).unwrap_or(0)
    }

    // === The key ===

    /// Returns the node's secret key. It is read again every second, because Kong may have evicted
    /// it, and a new worker makes another one then.
    fn key(&self, now: u64) -> Key {
        let known = match self.key.get() {
            Some((key, at)) if now.checked_sub(at).is_some_and(|age| age < KEY_AGE) => return key,
            known => known.map(|(key, _)| key),
        };
        let found = self.slots.get(MARK);
        let key = match found.as_ref().and_then(|(bytes, _)| read_mark(bytes)) {
            Some(key) => key,
            None => {
                let key = known.unwrap_or_else(|| self.new_key());
                // The write replaces only what was just read. A mark that another worker wrote
                // meanwhile stays.
                self.slots.put(MARK, &mark(key), found.map(|(_, seen)| seen));
                let found = self.slots.get(MARK).and_then(|(bytes, _)| read_mark(&bytes));
                found.unwrap_or(key)
            }
        };
        self.key.set(Some((key, now)));
        key
    }

    fn new_key(&self) -> Key {
        let mut bytes = [0; 16];
        (self.random)(&mut bytes);
        Key::new(bytes)
    }
}

fn index(bucket: u64) -> u32 {
    FIRST.saturating_add(u32::try_from(bucket).unwrap_or(0))
}

/// The key of the seal that tells this filter's mark from anything else in its slot.
const MARKED: Key = Key::new(*b"gatehouse limits");

/// Returns the content of the mark: the secret key and its seal.
fn mark(key: Key) -> Vec<u8> {
    let bytes = key.bytes();
    [bytes, MARKED.hash(&[&bytes])].concat()
}

fn read_mark(bytes: &[u8]) -> Option<Key> {
    let (key, seal) = bytes.split_first_chunk::<16>()?;
    (MARKED.hash(&[key]) == seal).then(|| Key::new(*key))
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("buckets", &self.buckets).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
pub(crate) mod tests;
