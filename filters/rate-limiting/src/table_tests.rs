#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::period::Period;
use crate::usage::Algorithm;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};

/// 2026-11-22T00:00:00Z.
pub(crate) const NOW: u64 = 1_795_305_600_000;

type Memory = Arc<Mutex<(HashMap<u32, (Vec<u8>, u32)>, u32)>>;

/// Shared data of several workers, behind one lock.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    memory: Memory,
    /// Runs between a read and a write, as another worker would.
    meanwhile: Option<std::rc::Rc<dyn Fn()>>,
}

impl SharedData for Shared {
    fn get(&self, index: u32) -> Option<(Vec<u8>, u32)> {
        self.memory.lock().unwrap().0.get(&index).cloned()
    }

    fn put(&self, index: u32, value: &[u8], seen: Option<u32>) -> Put {
        if let Some(meanwhile) = &self.meanwhile {
            meanwhile();
        }
        let mut memory = self.memory.lock().unwrap();
        let (slots, version) = &mut *memory;
        let now = slots.get(&index).map(|(_, version)| *version);
        let allowed = match seen {
            None => now.is_none(),
            // Envoy creates a missing entry, whatever number the writer expects.
            Some(seen) => now.is_none_or(|now| now == seen),
        };
        if !allowed {
            return Put::Conflict;
        }
        *version += 1;
        slots.insert(index, (value.to_vec(), *version));
        Put::Done
    }

    fn is_shared(&self) -> bool {
        true
    }
}

/// Fills `out` with bytes that differ from call to call.
pub(crate) fn distinct(out: &mut [u8]) -> bool {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let next = NEXT.fetch_add(1, Ordering::Relaxed).to_le_bytes();
    out.iter_mut().zip(next.iter().cycle()).for_each(|(byte, next)| *byte = *next);
    true
}

pub(crate) fn table(shared: &Shared, identifiers: u64) -> Table {
    Table::new(Box::new(shared.clone()), identifiers, distinct)
}

fn limits(all: &[(Period, u64)]) -> Vec<Limit> {
    let limit = |(period, most): &(Period, u64)| Limit {
        period: *period,
        most: *most,
        algorithm: Algorithm::FixedWindow,
        burst: *most,
    };
    all.iter().map(limit).collect()
}

fn admits(table: &Table, identifier: &str, limits: &[Limit], now: u64) -> bool {
    table.count(b"n", identifier.as_bytes(), limits, now).unwrap().verdict.admitted
}

/// Returns the number of requests that four workers admit. They count as fast as they can, each
/// with its own table.
fn admitted_by_four(shared: &Shared, most: u64, each: usize, now: u64) -> u64 {
    let (start, admitted) = (Barrier::new(4), AtomicU64::new(0));
    let memory = &shared.memory;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let (start, admitted) = (&start, &admitted);
            scope.spawn(move || {
                let shared = Shared { memory: Arc::clone(memory), meanwhile: None };
                let (table, limits) = (table(&shared, 1000), limits(&[(Period::Second, most)]));
                start.wait();
                for _ in 0..each {
                    if admits(&table, "ana", &limits, now) {
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    admitted.into_inner()
}

#[test]
fn four_workers_admit_exactly_the_limit() {
    let shared = Shared::default();
    for second in 0..20 {
        assert_eq!(admitted_by_four(&shared, 100, 200, NOW + second * 1000), 100);
    }
}

#[test]
fn nothing_is_lost_while_slots_and_key_are_being_created() {
    for _ in 0..50 {
        let shared = Shared::default();
        assert_eq!(admitted_by_four(&shared, 100, 50, NOW), 100);
    }
}

#[test]
fn leases_save_most_writes_and_never_admit_one_too_many() {
    let shared = Shared::default();
    let before = shared.memory.lock().unwrap().1;
    let admitted = admitted_by_four(&shared, 40_000, 20_000, NOW);
    let writes = shared.memory.lock().unwrap().1 - before;
    // The lease of a worker that gets no more requests is not used up.
    assert!((40_000 - 4 * 64..=40_000).contains(&admitted), "{admitted}");
    assert!(u64::from(writes) < 40_000 / 4, "{writes}");
}

#[test]
fn a_lease_ends_with_its_window() {
    let shared = Shared::default();
    let (one, other) = (table(&shared, 1000), table(&shared, 1000));
    let limits = limits(&[(Period::Second, 10_000)]);
    (0..500).for_each(|_| assert!(admits(&one, "ana", &limits, NOW)));
    // A new window has all of its room, and the lease of the first worker does not reduce it.
    let mut admitted = 0;
    for n in 0..12_000 {
        let worker = if n % 2 == 0 { &one } else { &other };
        admitted += u64::from(admits(worker, "ana", &limits, NOW + 1000));
    }
    assert_eq!(admitted, 10_000);
}

#[test]
fn the_remaining_number_falls_by_one_with_each_request_of_a_worker() {
    let shared = Shared::default();
    let table = table(&shared, 1000);
    let limits = limits(&[(Period::Minute, 20_000), (Period::Hour, 30_000)]);
    for n in 1..=20_000 {
        let verdict = table.count(b"n", b"ana", &limits, NOW).unwrap().verdict;
        let remaining: Vec<u64> = verdict.statuses.iter().map(|status| status.remaining).collect();
        assert_eq!((verdict.admitted, remaining), (true, vec![20_000 - n, 30_000 - n]));
    }
    let verdict = table.count(b"n", b"ana", &limits, NOW).unwrap().verdict;
    assert!(!verdict.admitted && verdict.statuses[1].remaining == 10_000);
}

#[test]
fn an_identifier_with_two_sets_of_limits_loses_no_leases() {
    let shared = Shared::default();
    let table = table(&shared, 1000);
    let (some, more) = (limits(&[(Period::Minute, 20_000)]), limits(&[(Period::Minute, 40_000)]));
    let mut admitted = 0;
    for n in 0..60_000 {
        // The one set comes a hundred times, and then the other one.
        let limits = if n / 100 % 2 == 0 { &some } else { &more };
        admitted += u64::from(admits(&table, "ana", limits, NOW));
    }
    assert!((40_000 - 64..=40_000).contains(&admitted), "{admitted}");
}

/// An interleaving that a test with threads hardly ever meets: between the read and the write of
/// one worker, another worker counts a request.
#[test]
fn a_worker_that_was_overtaken_reads_again() {
    let quiet = Shared::default();
    let limits = limits(&[(Period::Second, 3)]);
    let admitted = std::rc::Rc::new(std::cell::Cell::new(0));
    let busy = std::rc::Rc::new(std::cell::Cell::new(0));
    let meanwhile = {
        let (admitted, busy, limits) = (admitted.clone(), busy.clone(), limits.clone());
        let other = table(&quiet, 1000);
        move || {
            // The other worker gets in between twice.
            if busy.get() < 2 {
                busy.set(busy.get() + 1);
                let one = u64::from(admits(&other, "ana", &limits, NOW));
                admitted.set(admitted.get() + one);
            }
        }
    };
    let shared = Shared { meanwhile: Some(std::rc::Rc::new(meanwhile)), ..quiet };
    let table = table(&shared, 1000);
    for _ in 0..4 {
        let one = u64::from(admits(&table, "ana", &limits, NOW));
        admitted.set(admitted.get() + one);
    }
    assert_eq!((busy.get(), admitted.get()), (2, 3));
}

#[test]
fn a_worker_that_has_another_key_learns_the_right_one() {
    let shared = Shared::default();
    let limits = limits(&[(Period::Hour, 3)]);
    let one = table(&shared, 1000);
    assert!(admits(&one, "ana", &limits, NOW));
    // The key was evicted, and another worker made a new one.
    shared.memory.lock().unwrap().0.remove(&MARK);
    shared.put(MARK, &mark(Key::new([9; 16])), None);
    let two = table(&shared, 1000);
    assert!(admits(&two, "ana", &limits, NOW));
    // From the next second on, both count in one slot.
    let later = NOW + KEY_AGE;
    let admitted =
        (0..6).filter(|n| admits(if n % 2 == 0 { &one } else { &two }, "ana", &limits, later));
    assert_eq!(admitted.count(), 2);
}

#[test]
fn a_key_that_was_evicted_is_put_back_and_not_made_anew() {
    let shared = Shared::default();
    let table = table(&shared, 1000);
    let limits = limits(&[(Period::Hour, 3)]);
    assert!(admits(&table, "ana", &limits, NOW));
    shared.memory.lock().unwrap().0.remove(&MARK);
    assert_eq!((0..4).filter(|_| admits(&table, "ana", &limits, NOW + 5000)).count(), 2);
}

#[test]
fn a_hundred_thousand_identifiers_have_a_place_and_a_bound() {
    let shared = Shared::default();
    let table = table(&shared, 100_000);
    let limits = limits(&[(Period::Minute, 5), (Period::Hour, 100)]);
    let mut had_to_share = 0;
    for n in 0..100_000_u32 {
        let counted = table.count(b"n", &n.to_le_bytes(), &limits, NOW).unwrap();
        had_to_share += u32::from(counted.shared);
        assert!(counted.verdict.admitted || counted.shared);
    }
    assert!(had_to_share < 500, "{had_to_share}");
    let size = || -> usize {
        shared.memory.lock().unwrap().0.values().map(|(value, _)| value.len()).sum()
    };
    assert!(size() < 9 << 20, "{}", size());
    // An hour later all of them are forgotten, and others take their places.
    let before = size();
    for n in 100_000..200_000_u32 {
        table.count(b"n", &n.to_le_bytes(), &limits, NOW + 3_600_000).unwrap();
    }
    assert!(size() < before * 2, "{} {before}", size());
    // The number of slots does not grow with the number of identifiers.
    assert_eq!(shared.memory.lock().unwrap().0.len(), 16_384 + 1);
}

#[test]
fn a_flood_of_identifiers_does_not_lift_a_limit() {
    let shared = Shared::default();
    let table = table(&shared, 16);
    let limits = limits(&[(Period::Hour, 5)]);
    assert!((0..5).all(|_| admits(&table, "ana", &limits, NOW)));
    for n in 0..10_000_u32 {
        let _ = table.count(b"n", &n.to_le_bytes(), &limits, NOW);
    }
    assert!(!admits(&table, "ana", &limits, NOW));
    // Identifiers without a place of their own share one limit.
    let admitted = (0..1000_u32).filter(|n| {
        table.count(b"n", &(n + 50_000).to_le_bytes(), &limits, NOW).unwrap().verdict.admitted
    });
    assert_eq!(admitted.count(), 0);
}

/// Shared data that refuses each write, or reports a conflict each time.
struct Stubborn(Put);

impl SharedData for Stubborn {
    fn get(&self, index: u32) -> Option<(Vec<u8>, u32)> {
        (index != MARK).then(|| (vec![], 1))
    }

    fn put(&self, _: u32, _: &[u8], _: Option<u32>) -> Put {
        self.0
    }

    fn is_shared(&self) -> bool {
        true
    }
}

#[test]
fn a_count_that_cannot_be_written_fails_after_a_bounded_number_of_tries() {
    let limits = limits(&[(Period::Second, 3)]);
    for (put, failed) in [(Put::Failed, Failed::Refused), (Put::Conflict, Failed::Contended)] {
        let table = Table::new(Box::new(Stubborn(put)), 100, distinct);
        assert_eq!(table.count(b"n", b"ana", &limits, NOW), Err(failed));
    }
}
