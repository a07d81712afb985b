//! The delivery of events to the collector: batches, outages, bounds, metrics.

use super::{Fixture, everywhere, posted, settings};
use crate::gateways::Gateway;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use wasm_tests::{Answer, KongVersion, Level, Request, Response, Standing};

#[test]
fn on_kong_only_the_tick_sends_events() {
    for version in KongVersion::ALL {
        let fixture = Fixture::start(&Gateway::kong_of(version), json!({"batch_size": 1}));
        let stream = fixture.proxy.send(posted());
        stream.respond(Response::new(200).with_body("hello"));
        assert_eq!(stream.outcome().callouts, 0, "{version:?}");
        assert_eq!(fixture.proxy.callouts_made(), 0, "{version:?}");
        assert_eq!(fixture.events().len(), 1, "{version:?}");
        assert_eq!(fixture.proxy.tick_periods().len(), 1);
    }
}

#[test]
fn on_envoy_a_full_batch_does_not_wait_for_the_tick() {
    let fixture = Fixture::start(&Gateway::envoy(), json!({"batch_size": 2}));
    for _ in 0..2 {
        fixture.proxy.send(Request::get("/")).respond(Response::new(200));
    }
    assert_eq!(fixture.batches.borrow().iter().map(Vec::len).collect::<Vec<_>>(), [2]);
}

#[test]
fn an_unreachable_collector_costs_no_request_anything_and_no_log_much() {
    for gateway in everywhere() {
        let proxy = gateway.start(&[("moesif", settings(json!({"batch_size": 1})))]);
        proxy.on_call(|_| Some(Answer::Refused));
        for _ in 0..50 {
            let stream = proxy.send(posted());
            stream.respond(Response::new(200).with_body("hello"));
            assert_eq!(stream.reply().text(), "hello", "{}", gateway.name);
            proxy.advance(Duration::from_secs(1));
        }
        let log = proxy.log_text(Level::Trace);
        let lines = log.lines().filter(|line| line.contains("gatehouse_moesif")).count();
        assert!(lines <= 3, "{}: {log}", gateway.name);
        assert!(!log.contains("app-secret"), "{log}");
        // All events arrive in the end.
        let count = Rc::new(RefCell::new(0));
        let seen = count.clone();
        proxy.on_call(move |call| {
            if call.method() == "POST" {
                let batch: Vec<Value> = serde_json::from_slice(&call.body).expect("a batch");
                *seen.borrow_mut() += batch.len();
            }
            Some(Response::json(201, "{}").into())
        });
        proxy.advance(Duration::from_secs(300));
        assert_eq!(*count.borrow(), 50, "{}", gateway.name);
    }
}

#[test]
fn waiting_events_are_sent_when_envoy_removes_the_configuration() {
    let fixture = Fixture::start(&Gateway::envoy(), json!({"batch_max_wait": 60_000}));
    for _ in 0..3 {
        fixture.proxy.send(posted()).respond(Response::new(200));
    }
    assert!(fixture.batches.borrow().is_empty());
    fixture.proxy.drain();
    assert_eq!(fixture.batches.borrow().iter().map(Vec::len).collect::<Vec<_>>(), [3]);
}

#[test]
fn memory_stays_bounded_whatever_comes() {
    let masks: Vec<String> = (0..100).map(|n| format!("secret_{n}")).collect();
    for gateway in [Gateway::envoy(), Gateway::kong().with(|profile| profile.body_buffer(2 << 20))]
    {
        let limits = json!({"request_max_body_size_limit": 1_000_000, "response_max_body_size_limit": 1_000_000,
            "request_body_masks": masks, "batch_size": 20});
        let proxy = gateway.start(&[("moesif", settings(limits))]);
        // The collector is away, so that as many events as possible wait.
        proxy.on_call(|_| Some(Answer::Refused));
        let json = format!("[{}0]", "{\"secret_1\":1,\"x\":[1,2,3]},".repeat(30_000));
        let zeros = vec![0_u8; 20 << 20];
        let mut bomb = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
        bomb.extend(miniz_oxide::deflate::compress_to_vec(&zeros, 6));
        bomb.extend([0; 8]);
        for round in 0..60 {
            let packed = Request::post("/", &bomb).header("content-encoding", "gzip");
            for request in
                [Request::post("/", &json), packed, Request::post("/", vec![b'x'; 999_999])]
            {
                let stream = proxy.send(request.header("content-type", "application/json"));
                stream.respond_head(Response::new(200));
                for _ in 0..10 {
                    stream.respond_body(vec![b'y'; 90_000], false);
                }
                stream.respond_body("", true);
            }
            if round % 10 == 0 {
                proxy.advance(Duration::from_secs(1));
            }
        }
        let memory = proxy.memory() >> 20;
        println!("{}: {memory} MiB", gateway.name);
        assert!(memory < 32, "{}: {memory} MiB", gateway.name);
        assert!(proxy.faults().is_empty());
    }
}

#[test]
fn metrics_say_what_became_of_events() {
    for gateway in [Gateway::envoy(), Gateway::kong()] {
        let fixture = Fixture::start(
            &gateway,
            json!({"metrics": true, "event_queue_size": 2, "batch_size": 10}),
        );
        for _ in 0..5 {
            fixture.proxy.send(posted()).respond(Response::new(200));
        }
        assert_eq!(fixture.events().len(), 2, "{}", gateway.name);
        fixture.proxy.advance(Duration::from_secs(2));
        let metric = |name: &str| fixture.proxy.metric(&format!("gatehouse_moesif_{name}"));
        assert_eq!(metric("queued"), Some(5), "{}", gateway.name);
        assert_eq!(
            (metric("sent"), metric("dropped_queue_full")),
            (Some(2), Some(3)),
            "{}",
            gateway.name
        );
        assert_eq!(
            (metric("queue_events"), metric("queue_bytes")),
            (Some(0), Some(0)),
            "{}",
            gateway.name
        );
        assert!(
            !fixture.proxy.histogram("gatehouse_moesif_batch_latency_ms").is_empty(),
            "{}",
            gateway.name
        );
    }
}

#[test]
fn an_instance_that_was_lost_loses_its_events_and_nothing_else() {
    let fixture = Fixture::start(&Gateway::kong(), json!({}));
    let stream = fixture.proxy.send(posted());
    fixture.proxy.lose_instances();
    stream.respond(Response::new(200).with_body("hello"));
    assert_eq!(stream.standing(), Standing::Answered);
    fixture.event(posted(), Response::new(200));
    assert!(fixture.proxy.faults().is_empty());
}

#[test]
fn a_request_costs_a_bounded_number_of_host_calls() {
    for (gateway, most) in [(Gateway::envoy(), 40), (Gateway::kong(), 50)] {
        let fixture = Fixture::start(&gateway, json!({}));
        fixture.event(posted(), Response::new(200).with_body("hello"));
        let stream = fixture.proxy.send(posted());
        stream.respond(Response::new(200).with_body("hello"));
        let calls = stream.outcome().host_calls;
        println!("{}: {} host calls: {calls:?}", gateway.name, calls.total());
        assert!(calls.total() <= most, "{}: {calls:?}", gateway.name);
    }
}
