//! Nodes that count together at gatehouse-admin.

use super::{from, start, status, statuses, told};
use crate::gateways::{ADMIN, Gateway, refusal};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use wasm_tests::{Answer, Callout, KongVersion, Proxy, Response, merged, refused_with};

/// A pretend gatehouse-admin that counts: the part of `/counters` that the filter uses.
#[derive(Clone, Default)]
struct Counters(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    totals: BTreeMap<String, u64>,
    batches: BTreeMap<String, Value>,
    asked: usize,
    away: bool,
}

impl Counters {
    fn serve(&self, proxy: &Proxy) {
        let counters = self.clone();
        proxy.on_call(move |call| Some(counters.answer(call)));
    }

    fn answer(&self, call: &Callout) -> Answer {
        let state = &mut *self.0.borrow_mut();
        state.asked += 1;
        if state.away {
            return Answer::Refused;
        }
        assert_eq!((call.method().as_str(), call.path().as_str()), ("POST", "/counters"));
        let batch = call.document();
        let id = batch["id"].as_str().map(str::to_owned);
        if let Some(answer) = id.as_ref().and_then(|id| state.batches.get(id)) {
            return Response::json(200, answer.to_string()).into();
        }
        let name =
            |of: &Value, key: &Value| format!("{key} {} {}", of["window_start"], of["window"]);
        let mut totals = vec![];
        let mut after = state.totals.clone();
        for increment in batch["increments"].as_array().unwrap() {
            let key = &increment["key"];
            let mut total = json!({});
            let mut held = 0;
            if let Some(previous) = increment.get("previous") {
                let count = after.get(&name(previous, key)).copied().unwrap_or(0);
                held = count * previous["share"].as_u64().unwrap() / 1_000_000;
                total["previous"] = json!(count);
            }
            let count = after.entry(name(increment, key)).or_default();
            let sum = *count + increment["by"].as_u64().unwrap();
            let admitted = increment["limit"].as_u64().map(|limit| sum + held <= limit);
            if admitted != Some(false) {
                *count = sum;
            }
            total["total"] = json!(*count);
            if let Some(admitted) = admitted {
                total["admitted"] = json!(admitted);
            }
            totals.push(total);
        }
        let refused = totals.iter().any(|total| total["admitted"] == false);
        if !(refused && batch["all_or_nothing"] == true) {
            state.totals = after;
        }
        let answer = json!({ "totals": totals });
        if let Some(id) = id {
            state.batches.insert(id, answer.clone());
        }
        Response::json(200, answer.to_string()).into()
    }
}

fn together(more: Value) -> Value {
    let settings = json!({
        "minute": 4, "limit_by": "ip", "policy": "cluster", "metrics": true, "admin": {"upstream": ADMIN},
    });
    merged(settings, more)
}

#[test]
fn nodes_that_ask_admit_exactly_the_limit_together() {
    for gateway in Gateway::all() {
        for more in [json!({}), json!({"policy": "redis"}), json!({"algorithm": "sliding_window"})]
        {
            let counters = Counters::default();
            let nodes = [0, 1].map(|_| start(&gateway, together(more.clone())));
            let mut passed = 0;
            nodes.iter().for_each(|node| counters.serve(node));
            for _ in 0..4 {
                for node in &nodes {
                    passed += usize::from(status(node, from("192.0.2.1")) == 200);
                }
            }
            assert_eq!(passed, 4, "{} {more}", gateway.name);
            assert_eq!(counters.0.borrow().asked, 8);
        }
    }
}

#[test]
fn a_service_that_is_away_is_replaced_by_the_node_or_by_500() {
    for gateway in Gateway::all() {
        let counters = Counters::default();
        counters.0.borrow_mut().away = true;
        let proxy = start(&gateway, together(json!({})));
        counters.serve(&proxy);
        let found = statuses(&proxy, &from("192.0.2.1"), 5);
        assert_eq!(found, [200, 200, 200, 200, 429], "{}", gateway.name);
        assert_eq!(proxy.metric("gatehouse_rate_limiting_counted_here_instead"), Some(5));
        let proxy = start(&gateway, together(json!({"fault_tolerant": false})));
        counters.serve(&proxy);
        let stream = proxy.send(from("192.0.2.1"));
        assert_eq!(
            refusal(&stream),
            refused_with(500, "An unexpected error occurred"),
            "{}",
            gateway.name
        );
    }
}

#[test]
fn a_kong_on_which_no_request_may_wait_counts_for_itself() {
    for version in [KongVersion::V3_4, KongVersion::V3_8] {
        let gateway = Gateway::kong_of(version);
        let proxy = start(&gateway, together(json!({"metrics": false})));
        let found = statuses(&proxy, &from("192.0.2.1"), 5);
        assert_eq!(found, [200, 200, 200, 200, 429], "{}", gateway.name);
        assert_eq!(proxy.callouts_made(), 0);
    }
}

#[test]
fn nodes_that_compare_know_of_each_other_after_a_while() {
    for gateway in Gateway::all() {
        let counters = Counters::default();
        // Two workers of Kong with equal random numbers would give their batches equal names.
        let nodes = [100, 200].map(|pid| {
            let kong = gateway.is_kong();
            let gateway =
                gateway.clone().with(|profile| if kong { profile.pid(pid) } else { profile });
            start(&gateway, together(json!({"sync_rate": 1})))
        });
        nodes.iter().for_each(|node| counters.serve(node));
        let request = from("192.0.2.1");
        // No request waits for a callout.
        let before = counters.0.borrow().asked;
        assert_eq!(statuses(&nodes[0], &request, 3), [200; 3], "{}", gateway.name);
        assert_eq!(counters.0.borrow().asked, before);
        nodes[0].advance(Duration::from_secs(2));
        assert_eq!(status(&nodes[1], request.clone()), 200, "{}", gateway.name);
        nodes[1].advance(Duration::from_secs(2));
        assert_eq!(status(&nodes[1], request.clone()), 429, "{}", gateway.name);
        let told = told(&nodes[1].send(request).refused());
        assert!(told.contains(&"x-ratelimit-remaining-minute: 0".to_owned()), "{told:?}");
    }
}

#[test]
fn counts_that_could_not_be_compared_are_sent_again_and_counted_once() {
    for gateway in Gateway::both() {
        let counters = Counters::default();
        counters.0.borrow_mut().away = true;
        let proxy = start(&gateway, together(json!({"sync_rate": 1, "minute": 50})));
        counters.serve(&proxy);
        statuses(&proxy, &from("192.0.2.1"), 3);
        proxy.advance(Duration::from_secs(3));
        assert!(counters.0.borrow().asked >= 2, "{}", gateway.name);
        assert!(counters.0.borrow().totals.is_empty());
        // The filter keeps deciding meanwhile.
        statuses(&proxy, &from("192.0.2.1"), 2);
        counters.0.borrow_mut().away = false;
        proxy.advance(Duration::from_secs(5));
        let totals: Vec<u64> = counters.0.borrow().totals.values().copied().collect();
        assert_eq!(totals, [5], "{}", gateway.name);
        assert!(proxy.metric("gatehouse_rate_limiting_sync_failed") >= Some(2));
    }
}

#[test]
fn an_intolerant_filter_answers_500_while_it_cannot_compare() {
    for gateway in Gateway::both() {
        let counters = Counters::default();
        let settings = together(json!({"sync_rate": 1, "fault_tolerant": false, "minute": 50}));
        let proxy = start(&gateway, settings);
        counters.serve(&proxy);
        let request = from("192.0.2.1");
        assert_eq!(status(&proxy, request.clone()), 200, "{}", gateway.name);
        // After the longer outages, all batches have been given up.
        for seconds in [3, 120, 600] {
            counters.0.borrow_mut().away = true;
            proxy.advance(Duration::from_secs(seconds));
            assert_eq!(status(&proxy, request.clone()), 500, "{}", gateway.name);
            counters.0.borrow_mut().away = false;
            proxy.advance(Duration::from_secs(3));
            assert_eq!(status(&proxy, request.clone()), 200, "{}: {seconds}", gateway.name);
        }
    }
}

#[test]
fn the_last_counts_are_sent_before_a_configuration_goes() {
    let gateway = Gateway::envoy();
    let counters = Counters::default();
    let proxy = start(&gateway, together(json!({"sync_rate": 60})));
    counters.serve(&proxy);
    // The first comparison is due at once.
    statuses(&proxy, &from("192.0.2.1"), 1);
    proxy.advance(Duration::from_secs(11));
    statuses(&proxy, &from("192.0.2.1"), 2);
    proxy.drain();
    let totals: Vec<u64> = counters.0.borrow().totals.values().copied().collect();
    assert_eq!(totals, [3]);
}
