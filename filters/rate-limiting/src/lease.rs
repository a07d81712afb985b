//! Leases: requests that a worker counts in advance for frequent identifiers.
//!
//! A busy worker need not access shared data for each request. It counts several at once and spends
//! them by itself. It does so only while a limit is far away and it has had many requests of the
//! identifier in this window. Near the limit it counts one by one, so that no lease is left unused
//! elsewhere.

use crate::bucket::Name;
use crate::usage::{Algorithm, Limit, Record, Usage};
use crate::verdict::Verdict;

/// The number of identifiers with a lease. Others have none.
const PLACES: usize = 256;
/// The greatest number of requests in a lease.
const MOST: u64 = 64;
/// A lease takes at most one in so many requests of the room.
const OF_ROOM: u64 = 256;
/// A lease takes at most one for each so many requests that the worker has had.
const OF_HAD: u64 = 4;

/// The leases of one worker.
#[derive(Debug)]
pub(crate) struct Leases {
    places: Vec<Option<Lease>>,
}

#[derive(Debug, Clone)]
struct Lease {
    name: Name,
    limits: Vec<Limit>,
    /// The records after the last access to shared data.
    records: Vec<Record>,
    /// The number of requests that this worker has admitted since the shortest window began.
    had: u64,
    left: u64,
}

impl Leases {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new() }
    }

    /// Spends a request of the lease, if `name` has one for these limits and its windows have not
    /// ended.
    pub(crate) fn spend(&mut self, name: &Name, limits: &[Limit], now: u64) -> Option<Verdict> {
        let lease = self.of(name, limits)?;
        if lease.left == 0 {
            return None;
        }
        let mut usages = lease.usages(now)?;
        let verdict = Verdict::of(&mut usages, 0);
        if !verdict.admitted {
            return None;
        }
        lease.left = lease.left.saturating_sub(1);
        lease.had = lease.had.saturating_add(1);
        Some(verdict)
    }

    /// Returns the number of requests to count for a request of `name`, itself included, given the
    /// room.
    pub(crate) fn size(&mut self, name: &Name, limits: &[Limit], now: u64, room: u64) -> u64 {
        let fixed = limits.iter().all(|limit| limit.algorithm == Algorithm::FixedWindow);
        let had = match self.of(name, limits) {
            Some(lease) if fixed && lease.usages(now).is_some() => lease.had,
            _ => 0,
        };
        (room / OF_ROOM).min(had / OF_HAD).clamp(1, MOST)
    }

    /// Records what was counted.
    pub(crate) fn taken(
        &mut self,
        name: &Name,
        limits: &[Limit],
        now: u64,
        count: u64,
        records: &[Record],
    ) {
        if self.places.is_empty() {
            self.places.resize(PLACES, None);
        }
        if !self.has_place(name, limits, now) {
            return;
        }
        let had = match self.of(name, limits) {
            Some(lease) if lease.usages(now).is_some() => lease.had,
            _ => 0,
        };
        let Some(place) = self.places.get_mut(place_of(name)) else { return };
        *place = Some(Lease {
            name: *name,
            limits: limits.to_vec(),
            records: records.to_vec(),
            had: had.saturating_add(1),
            left: count.saturating_sub(1),
        });
    }

    /// Returns `true` if [`Leases::taken`] would record the lease. Requests that are left in the
    /// lease of another identifier, or of the same one with other limits, are not discarded.
    pub(crate) fn has_place(&self, name: &Name, limits: &[Limit], now: u64) -> bool {
        match self.places.get(place_of(name)) {
            Some(Some(lease)) => {
                lease.is_of(name, limits) || lease.left == 0 || lease.usages(now).is_none()
            }
            Some(None) | None => true,
        }
    }

    fn of(&mut self, name: &Name, limits: &[Limit]) -> Option<&mut Lease> {
        let place = self.places.get_mut(place_of(name))?;
        place.as_mut().filter(|lease| lease.is_of(name, limits))
    }
}

impl Lease {
    fn is_of(&self, name: &Name, limits: &[Limit]) -> bool {
        self.name == *name && self.limits == limits
    }

    /// Returns the usages at `now`, or `None` if one of the windows has ended.
    fn usages(&self, now: u64) -> Option<Vec<(Usage, u64)>> {
        self.limits
            .iter()
            .zip(&self.records)
            .map(|(limit, record)| {
                let usage = Usage::new(*limit, Some(*record), now);
                (usage.record == *record).then_some((usage, self.left))
            })
            .collect()
    }
}

fn place_of(name: &Name) -> usize {
    // The last byte is used, because the first ones choose the bucket.
    usize::from(name.last().copied().unwrap_or(0))
}
