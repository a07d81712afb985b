//! What a worker has taken in advance for identifiers that come often.
//!
//! A busy worker need not go to shared data for each request: it takes several at once and spends them by
//! itself. It takes more than one only while a limit is far away and it has had many requests of the same
//! identifier in this window; near the limit it takes one by one, so that none is left over elsewhere.

use crate::bucket::Name;
use crate::gauge::{Algorithm, Gauge, Limit, Record};
use crate::verdict::Verdict;

/// So many identifiers at once; others go without.
const PLACES: usize = 256;
/// At most so many are taken at once,
const MOST: u64 = 64;
/// and at most this part of the room,
const OF_ROOM: u64 = 256;
/// and this part of what the worker has had so far.
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
    /// As they were after the last time that something was taken.
    records: Vec<Record>,
    /// Requests that this worker admitted since the shortest window began.
    had: u64,
    left: u64,
}

impl Leases {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new() }
    }

    /// Spends what was taken in advance, if there is any for `name` and its windows go on.
    pub(crate) fn spend(&mut self, name: &Name, limits: &[Limit], now: u64) -> Option<Verdict> {
        let lease = self.of(name)?;
        if lease.left == 0 || lease.limits != limits {
            return None;
        }
        let mut gauges = lease.gauges(now)?;
        let verdict = Verdict::of(&mut gauges, 0);
        if !verdict.admitted {
            return None;
        }
        lease.left = lease.left.saturating_sub(1);
        lease.had = lease.had.saturating_add(1);
        Some(verdict)
    }

    /// How many to take for a request of `name`, this one included, where there is room for so many.
    pub(crate) fn size(&mut self, name: &Name, limits: &[Limit], now: u64, room: u64) -> u64 {
        let fixed = limits.iter().all(|limit| limit.algorithm == Algorithm::FixedWindow);
        let had = match self.of(name) {
            Some(lease) if fixed && lease.gauges(now).is_some() => lease.had,
            _ => 0,
        };
        (room / OF_ROOM).min(had / OF_HAD).clamp(1, MOST)
    }

    /// Remembers what was taken.
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
        let had = match self.of(name) {
            Some(lease) if lease.gauges(now).is_some() => lease.had,
            _ => 0,
        };
        let Some(place) = self.places.get_mut(place_of(name)) else { return };
        // Somebody else's requests that are left are not thrown away.
        let taken = place.as_ref().is_some_and(|lease| {
            lease.name != *name && lease.left > 0 && lease.gauges(now).is_some()
        });
        if taken {
            return;
        }
        *place = Some(Lease {
            name: *name,
            limits: limits.to_vec(),
            records: records.to_vec(),
            had: had.saturating_add(1),
            left: count.saturating_sub(1),
        });
    }

    /// Whether [`Leases::taken`] would remember it.
    pub(crate) fn has_place(&self, name: &Name, now: u64) -> bool {
        match self.places.get(place_of(name)) {
            Some(Some(lease)) => {
                lease.name == *name || lease.left == 0 || lease.gauges(now).is_none()
            }
            Some(None) | None => true,
        }
    }

    fn of(&mut self, name: &Name) -> Option<&mut Lease> {
        let place = self.places.get_mut(place_of(name))?;
        place.as_mut().filter(|lease| lease.name == *name)
    }
}

impl Lease {
    /// The gauges at `now`; `None` when one of the windows is over.
    fn gauges(&self, now: u64) -> Option<Vec<(Gauge, u64)>> {
        self.limits
            .iter()
            .zip(&self.records)
            .map(|(limit, record)| {
                let gauge = Gauge::new(*limit, Some(*record), now);
                (gauge.record == *record).then_some((gauge, self.left))
            })
            .collect()
    }
}

fn place_of(name: &Name) -> usize {
    // Not the bytes that say which bucket it is.
    usize::from(name.last().copied().unwrap_or(0))
}
