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
