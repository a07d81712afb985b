#![allow(clippy::arithmetic_side_effects)]

use super::*;
use crate::usage::Algorithm;
use proptest::prelude::*;

const KEY: Key = Key::new([7; 16]);
const NOW: u64 = 1_795_305_600_000;

fn limit(period: Period, most: u64) -> Limit {
    Limit { period, most, algorithm: Algorithm::FixedWindow, burst: most }
}

fn who(n: u8) -> Who {
    Who { own: [n; 16], spare: [255; 16] }
}

fn take(bucket: &mut Bucket, n: u8, now: u64) -> Taken {
    bucket.take(&who(n), &[limit(Period::Second, 2), limit(Period::Minute, 3)], now, |_| 1).unwrap()
}

#[test]
fn identifiers_in_one_bucket_do_not_touch_each_other() {
    let mut bucket = Bucket::default();
    for n in 0..16 {
        assert!(
            take(&mut bucket, n, NOW).verdict.admitted
                && take(&mut bucket, n, NOW).verdict.admitted
        );
    }
    for n in 0..16 {
        let taken = take(&mut bucket, n, NOW);
        assert_eq!((taken.verdict.admitted, taken.count, taken.shared), (false, 0, false));
    }
}

#[test]
fn in_a_full_bucket_new_identifiers_share_a_counter() {
    let mut bucket = Bucket::default();
    (0..16).for_each(|n| assert!(!take(&mut bucket, n, NOW).shared));
    let outcomes: Vec<_> = (100..103)
        .map(|n| take(&mut bucket, n, NOW))
        .map(|t| (t.shared, t.verdict.admitted))
        .collect();
    assert_eq!(outcomes, [(true, true), (true, true), (true, false)]);
    // Identifiers with a place keep it.
    assert!(take(&mut bucket, 3, NOW).verdict.admitted);
    // Every namespace has its own counter to share, up to a bound.
    let other = |spare: u8| Who { own: [200; 16], spare: [spare; 16] };
    let limits = [limit(Period::Minute, 3)];
    for spare in 250..253 {
        assert!(bucket.take(&other(spare), &limits, NOW, |_| 1).unwrap().shared);
    }
    assert_eq!(bucket.take(&other(249), &limits, NOW, |_| 1), None);
}

#[test]
fn only_what_has_expired_makes_place() {
    let mut bucket = Bucket::default();
    (0..16).for_each(|n| drop(take(&mut bucket, n, NOW)));
    assert!(take(&mut bucket, 100, NOW + 59_999).shared);
    assert!(!take(&mut bucket, 100, NOW + 60_000).shared);
    assert_eq!(bucket.entries.len(), 1);
}

#[test]
fn an_identifier_that_gets_a_place_later_keeps_its_shared_count() {
    let mut bucket = Bucket::default();
    // Fourteen identifiers stay, and two expire with their second.
    let brief = [limit(Period::Second, 3)];
    (98..100).for_each(|n| drop(bucket.take(&who(n), &brief, NOW, |_| 1)));
    (0..14).for_each(|n| drop(take(&mut bucket, n, NOW)));
    assert!(take(&mut bucket, 100, NOW).shared && take(&mut bucket, 101, NOW).shared);
    let taken = take(&mut bucket, 100, NOW + 1000);
    assert_eq!((taken.shared, taken.verdict.statuses[1].remaining), (false, 0));
    assert!(!take(&mut bucket, 100, NOW + 1000).verdict.admitted);
}

#[test]
fn requests_taken_in_advance_are_counted_up_to_the_room() {
    let mut bucket = Bucket::default();
    let limits = [limit(Period::Minute, 10)];
    let mut take = |want: u64| bucket.take(&who(1), &limits, NOW, |_| want).unwrap().count;
    assert_eq!([take(0), take(4), take(100), take(1)], [1, 4, 5, 0]);
}

#[test]
fn a_bucket_that_was_tampered_with_is_empty() {
    let mut bucket = Bucket::default();
    take(&mut bucket, 1, NOW);
    let bytes = bucket.write(KEY);
    assert_eq!(Bucket::read(&bytes, KEY), bucket);
    assert_eq!(Bucket::read(&bytes, Key::new([8; 16])), Bucket::default());
    for at in 0..bytes.len() {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        assert_eq!(Bucket::read(&bytes, KEY), Bucket::default(), "{at}");
        assert_eq!(Bucket::read(&bytes[..at], KEY), Bucket::default(), "{at}");
    }
}

#[test]
fn a_full_bucket_stays_small() {
    let mut bucket = Bucket::default();
    let limits = Period::ALL.map(|period| limit(period, 10));
    for n in 0..40 {
        bucket.take(&Who { own: [n; 16], spare: [n | 128; 16] }, &limits, NOW, |_| 1);
    }
    assert!(bucket.write(KEY).len() <= 17 + 20 * (25 + 6 * RECORD));
}

/// Returns the number of requests that each of two sets of limits admits to one identifier, when
/// its requests have the one and the other in turn.
fn admitted_in_turn(sets: [&[Limit]; 2]) -> [u64; 2] {
    let mut bucket = Bucket::default();
    let mut admitted = [0, 0];
    for _ in 0..40 {
        for (limits, admitted) in sets.iter().zip(&mut admitted) {
            *admitted += bucket.take(&who(1), limits, NOW, |_| 1).unwrap().count;
            bucket = Bucket::read(&bucket.write(KEY), KEY);
        }
    }
    admitted
}

#[test]
fn requests_with_other_limits_leave_the_counts_of_an_identifier_alone() {
    for algorithm in Algorithm::ALL {
        let of = |period, most| [Limit { algorithm, ..limit(period, most) }];
        // A group with a limit of its own, and two filters with one namespace.
        for shorter in [Period::Minute, Period::Second] {
            let admitted = admitted_in_turn([&of(shorter, 5), &of(Period::Hour, 20)]);
            assert_eq!(admitted, [5, 20], "{algorithm:?}");
        }
        let both = [of(Period::Minute, 5)[0], of(Period::Hour, 20)[0]];
        let admitted = admitted_in_turn([&both, &of(Period::Day, 30)]);
        assert_eq!(admitted, [5, 30], "{algorithm:?}");
    }
}

#[test]
fn windows_of_one_period_are_one_count_and_token_buckets_are_another() {
    let of = |algorithm| [Limit { algorithm, ..limit(Period::Minute, 5) }];
    let [fixed, sliding, tokens] = Algorithm::ALL.map(of);
    let [one, other] = admitted_in_turn([&fixed, &sliding]);
    assert_eq!(one + other, 5);
    for window in [&fixed, &sliding] {
        assert_eq!(admitted_in_turn([window, &tokens]), [5, 5]);
    }
}

#[test]
fn an_identifier_has_a_bounded_number_of_records_and_keeps_none_that_has_expired() {
    let mut bucket = Bucket::default();
    for algorithm in Algorithm::ALL {
        for period in Period::ALL {
            let limits = [Limit { algorithm, ..limit(period, 10) }];
            bucket.take(&who(1), &limits, NOW, |_| 1);
        }
    }
    let records = |bucket: &Bucket| (bucket.write(KEY).len() - 17 - 25) / RECORD;
    assert_eq!(records(&bucket), 12);
    let next_year = NOW + 400 * 86_400_000;
    bucket.take(&who(1), &[limit(Period::Second, 10)], next_year, |_| 1);
    assert_eq!(records(&bucket), 2, "the year before has an effect on a sliding window");
    bucket.take(&who(1), &[limit(Period::Minute, 10)], next_year + 400 * 86_400_000, |_| 1);
    assert_eq!(records(&bucket), 1);
}

#[test]
fn an_identifier_keeps_its_place_for_the_longest_of_all_its_limits() {
    let mut bucket = Bucket::default();
    let (second, hour) = ([limit(Period::Second, 9)], [limit(Period::Hour, 1)]);
    for n in 0..16 {
        bucket.take(&who(n), &hour, NOW, |_| 1);
        bucket.take(&who(n), &second, NOW, |_| 1);
    }
    // Sixteen identifiers are in the bucket, and this one finds no place.
    let later = NOW + 60_000;
    assert!(bucket.take(&who(100), &second, later, |_| 1).unwrap().shared);
    assert!((0..16).all(|n| bucket.take(&who(n), &hour, later, |_| 1).unwrap().count == 0));
}

#[test]
fn an_identifier_that_gets_a_place_later_keeps_the_shared_counts_of_all_its_limits() {
    let mut bucket = Bucket::default();
    let (second, minute) = ([limit(Period::Second, 9)], [limit(Period::Minute, 1)]);
    (0..16).for_each(|n| drop(bucket.take(&who(n), &second, NOW, |_| 1)));
    assert!(bucket.take(&who(100), &minute, NOW, |_| 1).unwrap().shared);
    let taken = bucket.take(&who(100), &second, NOW + 1000, |_| 1).unwrap();
    assert_eq!((taken.shared, taken.count), (false, 1));
    assert_eq!(bucket.take(&who(100), &minute, NOW + 1000, |_| 1).unwrap().count, 0);
}

proptest! {
    #[test]
    fn bytes_of_any_kind_are_read_without_a_trap(body: Vec<u8>) {
        let mut bytes = [&[FORMAT], &body[..]].concat();
        let seal = KEY.hash(&[&bytes]);
        bytes.extend_from_slice(&seal);
        let mut bucket = Bucket::read(&bytes, KEY);
        let _ = bucket.take(&who(1), &[limit(Period::Hour, 3)], NOW, |room| room);
        prop_assert_eq!(Bucket::read(&bucket.write(KEY), KEY), bucket);
    }
}
