#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::usage::Algorithm;

const NOW: u64 = 1_795_305_600_000;

fn limits(algorithm: Algorithm) -> Vec<Limit> {
    vec![Limit { period: Period::Minute, most: 10, algorithm, burst: 10 }]
}

fn take(ledger: &mut Ledger, name: u8, now: u64) -> (bool, u64) {
    let limits = limits(Algorithm::FixedWindow);
    let (verdict, _) = ledger.count(&[name; 16], &[255; 16], &limits, now, 100);
    (verdict.admitted, verdict.statuses[0].remaining)
}

fn total(total: u64) -> Totals {
    Totals { totals: vec![Total { total, ..Total::default() }] }
}

fn by(ledger: &Ledger, number: u64) -> Vec<u64> {
    ledger.batch(number).unwrap().iter().map(|increment| increment.by).collect()
}

#[test]
fn the_counts_of_others_are_known_after_a_comparison() {
    let mut ledger = Ledger::default();
    (0..3).for_each(|_| assert!(take(&mut ledger, 1, NOW).0));
    let due = ledger.due(NOW, 1000, false);
    assert_eq!(by(&ledger, due[0]), [3]);
    // One more request is admitted while the response is under way.
    assert_eq!(take(&mut ledger, 1, NOW), (true, 6));
    ledger.answered(due[0], Some(&total(8)), NOW);
    assert_eq!(take(&mut ledger, 1, NOW), (true, 0));
    assert!(!take(&mut ledger, 1, NOW).0);
    // Refused requests are not counted.
    let due = ledger.due(NOW + 1000, 1000, false);
    assert_eq!(by(&ledger, due[0]), [2]);
}

#[test]
fn comparisons_keep_their_distance() {
    let mut ledger = Ledger::default();
    take(&mut ledger, 1, NOW);
    assert_eq!(ledger.due(NOW, 1000, false).len(), 1);
    take(&mut ledger, 2, NOW);
    assert_eq!(ledger.due(NOW + 800, 1000, false).len(), 0);
    assert_eq!(ledger.due(NOW + 950, 1000, false).len(), 1);
    take(&mut ledger, 3, NOW);
    assert_eq!(ledger.due(NOW + 951, 1000, true).len(), 1, "the last chance");
}

#[test]
fn a_batch_that_failed_is_sent_again_unchanged() {
    let mut ledger = Ledger::default();
    take(&mut ledger, 1, NOW);
    let first = ledger.due(NOW, 1000, false);
    let sent = ledger.batch(first[0]).unwrap().to_vec();
    ledger.answered(first[0], None, NOW + 100);
    assert!(ledger.is_away());
    // The ledger goes on counting, apart from the batch under way.
    (0..2).for_each(|_| assert!(take(&mut ledger, 1, NOW + 500).0));
    let again = ledger.due(NOW + 1000, 1000, false);
    assert_eq!((again.clone(), ledger.batch(again[0]).unwrap()), (first, &sent[..]));
    ledger.answered(again[0], Some(&total(4)), NOW + 1100);
    assert!(!ledger.is_away());
    assert_eq!(take(&mut ledger, 1, NOW + 1200), (true, 3), "four, two of ours, and this one");
    let next = ledger.due(NOW + 2000, 1000, false);
    assert_eq!(by(&ledger, next[0]), [3]);
}

#[test]
fn a_batch_that_the_service_may_have_forgotten_is_not_sent_again() {
    let mut ledger = Ledger::default();
    let hour = vec![Limit { period: Period::Hour, ..limits(Algorithm::FixedWindow)[0] }];
    ledger.count(&[1; 16], &[255; 16], &hour, NOW, 100);
    let number = ledger.due(NOW, 1000, false)[0];
    for second in 1..60 {
        ledger.answered(number, None, NOW + second * 1000);
        let due = ledger.due(NOW + second * 1000, 1000, false);
        assert_eq!(due.contains(&number), second < 50, "{second}");
    }
    // The counter itself goes on.
    ledger.count(&[1; 16], &[255; 16], &hour, NOW + 60_000, 100);
    assert_eq!(ledger.due(NOW + 61_000, 1000, false).len(), 1);
}

#[test]
fn a_window_that_is_over_is_not_sent_unless_the_next_looks_back_at_it() {
    for (algorithm, sent) in [(Algorithm::FixedWindow, 0), (Algorithm::SlidingWindow, 1)] {
        let mut ledger = Ledger::default();
        ledger.count(&[1; 16], &[255; 16], &limits(algorithm), NOW, 100);
        assert_eq!(ledger.due(NOW + 60_000, 1000, false).len(), sent);
    }
}

#[test]
fn a_batch_has_a_bound_and_so_have_batches() {
    let mut ledger = Ledger::default();
    for n in 0..10_000_u128 {
        let limits = limits(Algorithm::FixedWindow);
        ledger.count(&n.to_le_bytes(), &[255; 16], &limits, NOW, 100_000);
    }
    let due = ledger.due(NOW, 1000, false);
    let sizes: Vec<usize> = due.iter().map(|n| ledger.batch(*n).unwrap().len()).collect();
    assert_eq!(sizes, [1000; 8]);
    assert!(ledger.due(NOW + 1000, 1000, false).is_empty());
    let totals = Totals { totals: vec![Total::default(); 1000] };
    ledger.answered(due[0], Some(&totals), NOW);
    assert_eq!(ledger.due(NOW + 2000, 1000, false).len(), 1);
}

#[test]
fn identifiers_have_a_bound_and_the_others_share_a_counter() {
    let mut ledger = Ledger::default();
    let mut take = |name: u8, now: u64| {
        let limits = limits(Algorithm::FixedWindow);
        let (verdict, shared) = ledger.count(&[name; 16], &[255; 16], &limits, now, 3);
        (verdict.admitted, shared)
    };
    (0..3).for_each(|n| assert_eq!(take(n, NOW), (true, false)));
    let shared = (10..30).filter(|n| take(*n, NOW) == (true, true)).count();
    assert_eq!(shared, 10);
    assert_eq!(take(1, NOW), (true, false));
    assert_eq!(take(30, NOW + 60_000), (true, false), "those of the minute before are forgotten");
}

#[test]
fn a_clock_that_is_set_back_does_not_stop_the_comparisons() {
    let mut ledger = Ledger::default();
    take(&mut ledger, 1, NOW);
    assert_eq!(ledger.due(NOW, 1000, false).len(), 1);
    let back = NOW - 3_600_000;
    take(&mut ledger, 2, back);
    assert_eq!(ledger.due(back, 1000, false).len(), 1);
    take(&mut ledger, 3, back);
    assert_eq!(ledger.due(back + 800, 1000, false).len(), 0, "and they keep their distance");
}

#[test]
fn requests_with_other_limits_leave_the_counts_of_an_identifier_alone() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow] {
        let of = |period, most| [Limit { period, most, ..limits(algorithm)[0] }];
        let sets = [of(Period::Minute, 5), of(Period::Hour, 20)];
        let (mut ledger, mut admitted) = (Ledger::default(), [0, 0]);
        for _ in 0..40 {
            for (limits, admitted) in sets.iter().zip(&mut admitted) {
                let (verdict, _) = ledger.count(&[1; 16], &[255; 16], limits, NOW, 100);
                *admitted += u64::from(verdict.admitted);
            }
        }
        assert_eq!(admitted, [5, 20], "{algorithm:?}");
        // The service hears of both, and its totals reach both.
        let due = ledger.due(NOW, 1000, false);
        assert_eq!(by(&ledger, due[0]), [5, 20]);
    }
}

#[test]
fn a_comparison_never_takes_back_what_this_worker_has_admitted() {
    let mut ledger = Ledger::default();
    (0..10).for_each(|_| assert!(take(&mut ledger, 1, NOW).0));
    let due = ledger.due(NOW, 1000, false);
    // The service was started again empty, or an earlier batch was given up.
    ledger.answered(due[0], Some(&total(2)), NOW);
    assert!(!take(&mut ledger, 1, NOW).0);
}

#[test]
fn a_service_that_comes_back_after_minutes_is_found_again() {
    for outage in [51, 120, 1800] {
        let mut ledger = Ledger::default();
        take(&mut ledger, 1, NOW);
        // Nothing is counted while the service is away.
        for second in 0..outage {
            let now = NOW + second * 1000;
            let due = ledger.due(now, 1000, false);
            assert_eq!(due.len(), 1, "one call goes out in second {second}");
            ledger.answered(due[0], None, now);
            assert!(ledger.is_away());
        }
        let now = NOW + outage * 1000;
        let due = ledger.due(now, 1000, false);
        assert_eq!(by(&ledger, due[0]), [0], "the call after {outage} seconds counts nothing");
        ledger.answered(due[0], Some(&total(0)), now);
        assert!(!ledger.is_away());
        assert!(ledger.due(now + 1000, 1000, false).is_empty());
    }
}

#[test]
fn a_configuration_that_goes_does_not_ask_whether_the_service_is_back() {
    let mut ledger = Ledger::default();
    take(&mut ledger, 1, NOW);
    let due = ledger.due(NOW, 1000, false);
    ledger.answered(due[0], None, NOW + 50_000);
    assert!(ledger.due(NOW + 51_000, 1000, true).is_empty());
}

#[test]
fn what_is_not_sent_does_not_grow_with_time() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow] {
        let mut ledger = Ledger::default();
        let second = [Limit { period: Period::Second, ..limits(algorithm)[0] }];
        for n in 0..100_u64 {
            for name in 0..8 {
                ledger.count(&[name; 16], &[255; 16], &second, NOW + n * 1000, 8);
            }
        }
        let unsent = ledger.entries.values().map(|entry| entry.unsent.len());
        assert!(unsent.sum::<usize>() <= 8 * 3, "{algorithm:?}");
        // The last window of each identifier, and the one before if the window slides.
        let due = ledger.due(NOW + 99_000, 1000, false);
        let windows = if algorithm == Algorithm::SlidingWindow { 2 } else { 1 };
        assert_eq!(by(&ledger, due[0]), vec![1; 8 * windows], "{algorithm:?}");
    }
}

#[test]
fn identifiers_that_come_once_leave_nothing_behind() {
    let mut ledger = Ledger::default();
    let second = [Limit { period: Period::Second, ..limits(Algorithm::SlidingWindow)[0] }];
    for n in 0..10_000_u128 {
        let now = NOW + u64::try_from(n).unwrap() * 300;
        ledger.count(&n.to_be_bytes(), &[255; 16], &second, now, 16);
    }
    assert!(ledger.entries.len() <= 17 && ledger.queue.len() <= 17);
}

#[test]
fn every_identifier_gets_its_turn() {
    let mut ledger = Ledger::default();
    let limits = limits(Algorithm::FixedWindow);
    let zero = Totals { totals: vec![Total::default(); 1000] };
    let mut sent = std::collections::HashSet::new();
    for round in 0..3 {
        let now = NOW + round * 1000;
        // More identifiers than fit come again and again.
        for n in 0..20_000_u128 {
            ledger.count(&n.to_be_bytes(), &[255; 16], &limits, now, 100_000);
        }
        for number in ledger.due(now, 1000, false) {
            sent.extend(ledger.batch(number).unwrap().iter().map(|one| one.key.clone()));
            ledger.answered(number, Some(&zero), now);
        }
    }
    assert_eq!(sent.len(), 20_000);
}

#[test]
fn an_identifier_whose_batch_is_under_way_waits_behind_the_others() {
    let mut ledger = Ledger::default();
    take(&mut ledger, 1, NOW);
    let first = ledger.due(NOW, 1000, false);
    take(&mut ledger, 1, NOW);
    take(&mut ledger, 2, NOW);
    let second = ledger.due(NOW + 1000, 1000, false);
    assert_eq!(by(&ledger, second[0]), [1]);
    ledger.answered(first[0], Some(&total(1)), NOW);
    let third = ledger.due(NOW + 2000, 1000, false);
    assert_ne!(ledger.batch(third[0]), ledger.batch(second[0]));
    assert_eq!(by(&ledger, third[0]), [1]);
}
