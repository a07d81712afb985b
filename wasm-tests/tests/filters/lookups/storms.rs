//! Many requests at once: one lookup where one is enough, and a bound where more are needed.

use crate::admin::Admin;
use crate::gateways::{ADMIN, Gateway, asking, identified, refusal, with_key};
use serde_json::json;
use std::time::Duration;
use wasm_tests::{Standing, Stream, merged, refused_with};

const CROWD: usize = 200;

/// gatehouse-admin with the consumer `ana`, who has the App ID `portal`, and her id. The test has
/// to answer the callouts.
fn portal_of_ana() -> (Admin, String) {
    let admin = Admin::default();
    let id = admin.consumer("ana");
    admin.app_id(&id, "portal");
    admin.hold();
    (admin, id)
}

/// gatehouse-admin with the consumer `ana` and her key.
fn key_of_ana() -> Admin {
    let admin = Admin::default();
    admin.holder("ana", "key-of-ana");
    admin
}

#[test]
fn a_cold_consumer_under_200_requests_costs_envoy_one_callout_per_vm() {
    for gateway in [Gateway::envoy(), Gateway::envoy_holding()] {
        let (admin, id) = portal_of_ana();
        let first = gateway.serving(&admin, &[("app_id", asking(json!({})))]);
        let second = first.worker();
        let send = |n: usize| {
            let worker = if n.is_multiple_of(2) { &first } else { &second };
            worker.send(identified(&gateway, &id).header("X-APP-ID", "portal"))
        };
        let crowd: Vec<Stream> = (0..CROWD).map(send).collect();
        assert!(crowd.iter().all(|stream| stream.standing() == Standing::Held));
        assert_eq!((first.callouts_made(), second.callouts_made()), (1, 1), "{}", gateway.name);

        // A response wakes the requests of its own VM only.
        admin.settle(&first.call());
        for (n, stream) in crowd.iter().enumerate() {
            let expected = if n % 2 == 0 { Standing::Forwarded } else { Standing::Held };
            assert_eq!(stream.standing(), expected, "{n}");
        }
        admin.settle(&second.call());
        crowd.iter().for_each(|stream| drop(stream.forwarded()));
        assert_eq!(admin.lookups().len(), 2);
    }
}

#[test]
fn a_crowd_with_a_known_and_an_unknown_key_costs_envoy_one_callout_per_key() {
    let gateway = Gateway::envoy();
    let admin = key_of_ana();
    admin.hold();
    let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({})))]);
    let crowd: Vec<Stream> = (0..CROWD)
        .map(|n| with_key(if n % 2 == 0 { "key-of-ana" } else { "nobodys" }))
        .map(|request| proxy.send(request))
        .collect();
    assert_eq!(proxy.callouts_made(), 2);
    proxy.calls().iter().for_each(|call| admin.settle(call));
    for (n, stream) in crowd.iter().enumerate() {
        if n % 2 == 0 {
            stream.forwarded();
        } else {
            assert_eq!(refusal(stream), refused_with(401, "Unauthorized"));
        }
    }
}

#[test]
fn on_kong_where_each_request_asks_for_itself_their_number_is_bounded() {
    for gateway in [Gateway::kong(), Gateway::kong_sharing()] {
        // Four callouts for each key that may be looked up at once.
        for (max, settings) in
            [(CROWD, asking(json!({}))), (20, asking(json!({"cache": {"max_lookups": 5}})))]
        {
            let (admin, id) = portal_of_ana();
            let proxy = gateway.serving(&admin, &[("app_id", settings)]);
            let send = || proxy.send(identified(&gateway, &id).header("X-APP-ID", "portal"));
            let crowd: Vec<Stream> = (0..CROWD).map(|_| send()).collect();
            assert_eq!(proxy.calls().len(), max, "{}", gateway.name);
            let (parked, refused) = crowd.split_at(max);
            for stream in refused {
                assert_eq!(
                    refusal(stream),
                    refused_with(503, "Service unavailable"),
                    "{}",
                    gateway.name
                );
            }
            proxy.calls().iter().for_each(|call| admin.settle(call));
            parked.iter().for_each(|stream| drop(stream.forwarded()));
            send().forwarded();
            assert_eq!(proxy.callouts_made(), max, "{}", gateway.name);
        }
    }
}

#[test]
fn a_request_that_comes_while_one_is_out_fails_and_passes_with_it() {
    let gateway = Gateway::envoy();
    for works in [true, false] {
        let (admin, id) = portal_of_ana();
        let proxy = gateway.serving(&admin, &[("app_id", asking(json!({})))]);
        let crowd: Vec<Stream> = (0..10)
            .map(|_| proxy.send(identified(&gateway, &id).header("X-APP-ID", "portal")))
            .collect();
        // The request that made the callout is gone, and the others still get the answer.
        crowd[0].abort();
        if works {
            admin.settle(&proxy.call());
        } else {
            proxy.advance(Duration::from_millis(1001));
        }
        for stream in &crowd[1..] {
            match works {
                true => drop(stream.forwarded()),
                false => assert_eq!(refusal(stream), refused_with(503, "Service unavailable")),
            }
        }
        assert_eq!(admin.lookups().len(), 1);
    }
}

#[test]
fn guessed_keys_have_a_budget_and_leave_the_known_ones_alone() {
    for gateway in Gateway::all() {
        let admin = key_of_ana();
        let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({})))]);
        proxy.send(with_key("key-of-ana")).forwarded();
        let mut statuses = Vec::new();
        for n in 0..300 {
            let guess = proxy.send(with_key(format!("guess-{n}")));
            statuses.push(guess.refused().status);
            proxy.send(with_key("key-of-ana")).forwarded();
        }
        assert!(admin.lookups().len() <= 100, "{}", gateway.name);
        assert!(statuses[..99].iter().all(|status| *status == 401), "{}", gateway.name);
        assert!(statuses[99..].iter().all(|status| *status == 503), "{}", gateway.name);
        proxy.advance(Duration::from_secs(1));
        let later = proxy.send(with_key("guess-in-the-next-second"));
        assert_eq!(later.refused().status, 401, "{}", gateway.name);
    }
}

#[test]
fn a_small_cache_decides_as_a_large_one_and_stays_small() {
    for gateway in Gateway::all() {
        let admin = Admin::default();
        let consumers: Vec<String> =
            (0..80).map(|n| admin.holder(&format!("c{n}"), &format!("key-{n}"))).collect();
        let settings = asking(json!({"cache": {"max_entries": 16}}));
        let proxy = gateway.serving(&admin, &[("key_auth", settings)]);
        for _ in 0..3 {
            for (n, id) in consumers.iter().enumerate() {
                let stream = proxy.send(with_key(format!("key-{n}")));
                assert_eq!(stream.forwarded().header("x-consumer-id").as_ref(), Some(id));
                let guess = proxy.send(with_key(format!("guess-{n}")));
                assert_eq!(refusal(&guess), refused_with(401, "Unauthorized"), "{}", gateway.name);
                // The pace stays within the budget for lookups.
                proxy.advance(Duration::from_millis(100));
            }
        }
        // Sixteen values, sixteen absences, and the entries for the list of changes.
        assert!(proxy.shared_entries() < 40, "{}: {}", gateway.name, proxy.shared_entries());
    }
}

#[test]
fn the_admin_target_is_one_whatever_filter_asks() {
    for gateway in Gateway::sharing() {
        let admin = Admin::default();
        let id = admin.holder("ana", "key-of-ana");
        admin.app_id(&id, "portal");
        let token = json!({"admin": {"upstream": ADMIN, "token": "t"}});
        let proxy = gateway
            .serving(&admin, &[("key_auth", token.clone()), ("app_id", merged(token, json!({})))]);
        let request = with_key("key-of-ana").header("X-APP-ID", "portal");
        let mut polls = 0;
        for _ in 0..60 {
            proxy.send(request.clone()).forwarded();
            proxy.advance(Duration::from_secs(1));
            polls += admin.polls();
        }
        // One of the two filters polls every 2.5 seconds, at a `poll_interval` of 5.
        assert!((20..=26).contains(&polls), "{}: {polls}", gateway.name);
    }
}

#[test]
fn a_vm_that_gets_a_second_configuration_asks_under_it_as_under_the_first() {
    // Envoy starts the VM again for the second configuration, without its host having been named.
    for gateway in [Gateway::envoy(), Gateway::envoy_holding(), Gateway::kong()] {
        let admin = key_of_ana();
        let first = gateway.serving(&admin, &[("key_auth", asking(json!({})))]);
        first.send(with_key("key-of-ana")).forwarded();
        let second = first.route([gateway.filter("key_auth", asking(json!({"realm": "second"})))]);
        admin.serve(&second);
        second.send(with_key("key-of-ana")).forwarded();
        let stranger = second.send(with_key("nobodys"));
        assert_eq!(stranger.refused().status, 401, "{}", gateway.name);
        first.send(with_key("nobodys-either")).refused();
    }
}

#[test]
fn strangers_with_random_keys_keep_no_known_consumer_out_for_an_hour() {
    for gateway in [Gateway::envoy(), Gateway::kong(), Gateway::kong_sharing()] {
        let admin = Admin::default();
        let known: Vec<String> = (0..5)
            .map(|n| {
                let key = format!("key-{n}");
                admin.holder(&format!("c{n}"), &key);
                key
            })
            .collect();
        let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({})))]);
        let ask = |key: &str| proxy.send(with_key(key));
        known.iter().for_each(|key| drop(ask(key).forwarded()));
        // The hour is many times longer than `ttl` (60 s) and `stale_ttl` (300 s). In most steps
        // the guesses just use up the share of strangers; in the others there are 1800.
        let mut guess = 0;
        for step in 0..360 {
            for _ in 0..if step % 60 == 0 { 1800 } else { 101 } {
                guess += 1;
                let status = ask(&format!("guess-{guess}")).refused().status;
                assert!([401, 503].contains(&status), "{status}");
            }
            if step % 90 == 45 {
                // Restoring a database drops every cached answer.
                admin.restore();
            }
            for (n, key) in known.iter().enumerate() {
                // One key stays away until no cached answer can serve it.
                if n > 0 || step % 50 == 0 {
                    assert_eq!(ask(key).standing(), Standing::Forwarded, "{} {step}", gateway.name);
                }
            }
            proxy.advance(Duration::from_secs(10));
        }
    }
}

#[test]
fn the_memory_of_waiting_requests_is_bounded() {
    let gateway = Gateway::envoy();
    let admin = key_of_ana();
    admin.hold();
    let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({})))]);
    let large = "x".repeat(54 << 10);
    let request = || with_key("key-of-ana").header("x-large", &large);
    let before = proxy.memory();
    let crowd: Vec<Stream> = (0..1000).map(|_| proxy.send(request())).collect();
    let waiting = crowd.iter().filter(|stream| stream.standing() == Standing::Held).count();
    assert!((100..200).contains(&waiting), "{waiting}");
    let refused = crowd.iter().filter(|stream| stream.standing() == Standing::Answered);
    refused.for_each(|stream| assert_eq!(stream.refused().status, 503));
    assert!(proxy.memory() - before < 20 << 20, "{}", proxy.memory() - before);
    // The waiting requests are served, and release their places.
    proxy.calls().iter().for_each(|call| admin.settle(call));
    let served = crowd.iter().filter(|stream| stream.standing() == Standing::Forwarded).count();
    assert_eq!(served, waiting);
    proxy.send(request()).forwarded();
}
