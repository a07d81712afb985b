//! The delivery of events: faults of the collector, storms, replaced listeners.

use super::{Fixture, filter, header};
use crate::collector::{APPLICATION, Mood};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use wasm_tests::real::{RawRequest, Setup, eventually};

/// Every fault of a collector, one after the other, during 224 requests over 32 connections each.
#[test]
fn every_request_is_one_event_through_every_trouble_of_the_collectors() {
    let mut fixture = Fixture::start(json!({"batch_size": 20, "enable_compression": true}));
    let (connections, each) = (32, 7);
    // The filter's counter by which a test sees that a batch has met the mood.
    let moods = [
        (Mood::Well, "sent"),
        (Mood::Refuses(500), "retries"),
        (Mood::Slow(Duration::from_millis(300)), "sent"),
        (Mood::TakesAndBreaksOff, "retries"),
        (Mood::Refuses(429), "retries"),
        (Mood::Closes, "retries"),
        (Mood::TakesAtMost(3), "splits"),
        (Mood::Silent, "retries"),
        (Mood::Refuses(503), "retries"),
    ];
    let meet = |mood: Mood, count: &str, storm: &dyn Fn()| {
        fixture.collector.is(mood);
        let before = fixture.metric(count);
        storm();
        eventually(&format!("batch that meets {mood:?}"), || {
            (fixture.metric(count) > before).then_some(())
        });
    };
    let mut total = 0;
    for (number, (mood, count)) in moods.into_iter().enumerate() {
        meet(mood, count, &|| fixture.storm(&format!("{number}."), connections, each));
        total += connections * each;
        // The collector recovers between two faults, because the filter would wait longer and
        // longer.
        meet(Mood::Well, "sent", &|| fixture.storm(&format!("{number}.well."), 1, 1));
        total += 1;
    }
    // The collector is away while events wait.
    fixture.collector.stop();
    let before = fixture.metric("retries");
    for n in 0..10 {
        let request = RawRequest::get("/").header("x-mark", format!("later-{n}"));
        assert_eq!(fixture.send(request).status(), 200);
        total += 1;
    }
    eventually("collector that cannot be reached, twice", || {
        (fixture.metric("retries") >= before + 2).then_some(())
    });
    fixture.collector.resume();
    let events = fixture.collector.gets(total);
    let distinct: std::collections::BTreeSet<_> =
        events.iter().map(|event| header(event, "request", "x-mark")).collect();
    assert_eq!(distinct.len(), total, "each request once");
    eventually("an empty queue", || (fixture.metric("queue_events") == 0).then_some(()));
    for dropped in ["queue_full", "rejected", "too_large", "at_end"] {
        assert_eq!(fixture.metric(&format!("dropped_{dropped}")), 0, "{dropped}");
    }
    assert!(!fixture.envoy.log().contains(APPLICATION));
}

#[test]
fn two_thousand_requests_at_once_are_two_thousand_events_in_order() {
    let fixture = Fixture::start(json!({}));
    fixture.storm("", 32, 63);
    fixture.assert_all_once(32, 63);
    assert!(fixture.collector.batches().iter().all(|batch| batch.len() <= 50));
}

#[test]
fn a_poison_event_is_dropped_and_all_others_arrive() {
    let fixture = Fixture::start(json!({"batch_size": 16, "batch_max_wait": 1000}));
    for n in 0..40 {
        let mut request = RawRequest::get("/").header("x-mark", n.to_string());
        if [3, 17, 18].contains(&n) {
            request = request.header("x-poison", "1");
        }
        assert_eq!(fixture.send(request).status(), 200);
    }
    let events = fixture.collector.gets(37);
    assert!(events.iter().all(|event| header(event, "request", "x-poison").is_none()));
    eventually("dropped events", || (fixture.metric("dropped_rejected") == 3).then_some(()));
}

#[test]
fn waiting_events_arrive_when_the_listener_is_replaced() {
    let settings = |version: &str| json!({"batch_max_wait": 60_000, "batch_size": 1000, "api_version": version});
    let fixture = Fixture::with(Setup::reloadable, vec![filter(settings("old"))]);
    for n in 0..20 {
        fixture.send(RawRequest::get("/").header("x-mark", format!("old-{n}")));
    }
    assert_eq!(fixture.collector.posts(), 0, "they wait");
    let new = Setup::new(fixture.upstream.address(), vec![filter(settings("new"))])
        .cluster("collector", fixture.collector.address());
    fixture.envoy.reload(&new);
    let events = fixture.collector.gets(20);
    assert!(events.iter().all(|event| event["request"]["api_version"] == "old"));
    eventually("the new configuration", || {
        fixture.send(RawRequest::get("/"));
        fixture.envoy.reload(&new);
        let events = fixture.collector.events();
        events.iter().any(|event| event["request"]["api_version"] == "new").then_some(())
    });
}

#[test]
fn requests_under_way_while_listeners_are_replaced_are_all_events() {
    let settings = |version: usize| json!({"api_version": version.to_string()});
    let fixture = Fixture::with(Setup::reloadable, vec![filter(settings(0))]);
    let sent = AtomicUsize::new(0);
    let to = fixture.envoy.address("main");
    std::thread::scope(|scope| {
        for connection in 0..8 {
            let sent = &sent;
            scope.spawn(move || {
                for n in 0..50 {
                    // Envoy closes connections of listeners that it replaces.
                    let request =
                        RawRequest::get("/").header("x-mark", format!("{connection}-{n}"));
                    assert_eq!(request.send(to).status(), 200);
                    sent.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for version in 1..4 {
            eventually("some more requests", || {
                (sent.load(Ordering::Relaxed) >= version * 80).then_some(())
            });
            let setup = Setup::new(fixture.upstream.address(), vec![filter(settings(version))])
                .cluster("collector", fixture.collector.address());
            fixture.envoy.reload(&setup);
        }
    });
    fixture.assert_all_once(8, 50);
}
