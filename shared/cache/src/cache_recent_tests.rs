//! Two VMs on one shared data, of which each keeps what it has just read.

use super::tests::*;
use super::*;
use crate::shared_data::LocalData;

/// Two VMs, both of which have read the answer `x` for the key `a` at the time 0.
fn pair() -> (Bench, Bench) {
    let data = Rc::<LocalData>::default();
    let vm = || bench_on(Rc::clone(&data), Box::new(Words), 4);
    let (mut one, mut other) = (vm(), vm());
    one.learn(value("x", 5), 0);
    for vm in [&mut one, &mut other] {
        assert_eq!(vm.find("a", 2, ENVOY(0)), Lookup::Hit(value_of("x")));
    }
    (one, other)
}

#[test]
fn an_answer_is_read_from_shared_data_once_between_two_ticks() {
    let (mut one, _) = pair();
    one.data.0.borrow_mut().clear();
    assert_eq!(one.find("a", 3, ENVOY(1)), Lookup::Hit(value_of("x")));
    one.cache.tick(2);
    assert!(matches!(one.find("a", 4, ENVOY(3)), Lookup::Fetch(..)));
}

#[test]
fn a_vm_sees_what_another_one_has_removed_on_its_tick_or_after_a_ticks_period() {
    for tick in [true, false] {
        let (mut one, mut other) = pair();
        changed(&mut one, 6);
        assert!(matches!(one.find("a", 3, ENVOY(1)), Lookup::Fetch(..)));
        assert_eq!(other.find("a", 3, ENVOY(999)), Lookup::Hit(value_of("x")));
        if tick {
            other.cache.tick(999);
        }
        let later = if tick { 999 } else { 1000 };
        assert!(matches!(other.find("a", 4, ENVOY(later)), Lookup::Fetch(..)));
    }
}

#[test]
fn where_a_vms_own_copy_is_too_old_another_vms_newer_one_serves() {
    let (mut one, mut other) = pair();
    let newer =
        |vm: &mut Bench, at| vm.cache.find(&key("a"), 9, Conditions { not_before: 2, ..ENVOY(at) });
    assert!(matches!(newer(&mut one, 3), Lookup::Fetch(..)));
    one.answered("a", Some(value("y", 6)), 4);
    assert_eq!(newer(&mut other, 5), Lookup::Hit(value_of("y")));
}

#[test]
fn a_new_answer_is_seen_at_once_by_the_vm_that_fetched_it() {
    let (mut one, _) = pair();
    let newer = Conditions { not_before: 2, ..ENVOY(3) };
    assert!(matches!(one.cache.find(&key("a"), 9, newer), Lookup::Fetch(..)));
    one.answered("a", Some(nothing(6)), 4);
    assert_eq!(one.find("a", 10, ENVOY(5)), Lookup::Hit(Finding::Nothing));
}

#[test]
fn a_gateway_whose_clock_is_set_back_caches_again_after_moments() {
    let hour = 3_600_000;
    let mut bench = bench();
    // Changes may have been missed in an hour without requests.
    bench.cache.revalidate_before = 2 * hour;
    let back = hour;
    bench.cache.request_seen(back);
    bench.learn(value("x", 5), back + 6000);
    bench.cache.request_seen(back + 6001);
    assert_eq!(bench.find("a", 3, ENVOY(back + 6001)), Lookup::Hit(value_of("x")));
}

#[test]
fn a_lost_call_is_given_up_in_time_where_the_clock_is_set_back() {
    let hour = 3_600_000;
    let mut bench = bench();
    assert!(matches!(bench.find("a", 3, ENVOY(2 * hour)), Lookup::Fetch(..)));
    assert!(bench.cache.tick(hour).woken.is_empty());
    let late = bench.cache.tick(hour + 300_000);
    assert_eq!(late.woken, [(3, Err(Unavailable))]);
}
