//! The gateway itself is restarted, is given new listeners, and has one, two or four workers.

use crate::bed::{AFTER_A_FAILURE, Bed, cases, chain, on, remembering, request};
use crate::collector::Collector;
use crate::events::{events_of, moesif};
use crate::load::{Case, under_load};
use crate::service::until_refused;
use crate::table::{Late, Row, length};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use wasm_tests::real::{Admin, Filter, Proxy, Setup, on_kong};

const PART: &str = "Gateway";

/// moesif, key_auth and app_id. `number` is in the settings of each, so that a later number is
/// another configuration.
fn numbered(admin: &Value, number: usize) -> Vec<Filter> {
    let settings = changed(admin, number);
    let mut filters = vec![moesif(json!({"api_version": number.to_string()}))];
    filters.extend(chain(&settings));
    filters
}

/// The settings of [`remembering`], and another number in them.
fn changed(admin: &Value, number: usize) -> Value {
    let mut settings = remembering(admin);
    settings["cache"]["max_lookups"] = json!(64 + number);
    settings
}

/// The setting `admin` of a bed.
fn target(bed: &Bed) -> Value {
    json!({"upstream": "admin", "authority": bed.admin.address().to_string(), "timeout": 2000,
        "poll_interval": 1})
}

/// The requests that moesif has seen: all of them.
fn recorded(bed: &Bed) -> usize {
    bed.gateway.stat("http.main.downstream_rq_total") as usize
}

#[test]
fn listeners_that_are_replaced_every_second_hold_up_nobody() {
    if on_kong() {
        return println!("left out: this row is about Envoy");
    }
    let collector = Collector::start();
    let change = |setup: Setup| setup.reloadable().cluster("collector", collector.address());
    let bed = Bed::with(Admin::start(), change, |target| numbered(target, 0));
    bed.settle();
    let target = target(&bed);
    let updates = length(5, 60);
    let mut late = None;
    let answers = under_load(bed.address(), cases(), |load| {
        for number in 1..=updates {
            let next = Instant::now() + Duration::from_secs(1);
            let mut setup = bed.setup.clone();
            setup.listeners[0].filters = numbered(&target, number);
            bed.gateway.reload(&setup);
            load.more(20);
            if number == updates / 2 {
                late = Some(bed.revoke("/consumers/cara", &request("key-of-cara", "portal"), 401));
            }
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    });
    let recorded = recorded(&bed);
    let events = events_of(&bed.gateway, &collector, recorded);
    let done = format!(
        "new listeners (LDS) with other settings every second, {updates} times, under load"
    );
    let row = Row::new(PART, done, on("SQLite")).answers(answers).events(events);
    row.late(late.expect("a measurement")).report();
}

#[test]
fn a_limit_holds_while_listeners_are_replaced() {
    if on_kong() {
        return println!("left out: this row is about Envoy");
    }
    let limit = |number: usize| {
        let settings = json!({"year": 200, "limit_by": "ip", "namespace": "orders",
            "error_message": number.to_string()});
        vec![Filter::new("rate_limiting", &settings)]
    };
    let bed = Bed::with(Admin::start(), Setup::reloadable, |_| limit(0));
    let ask = |to| wasm_tests::real::RawRequest::get("/").send(to).status();
    let (mut passed, mut limited, updates) = (0, 0, length(5, 60));
    for number in 1..=updates {
        for _ in 0..400 / updates {
            match ask(bed.address()) {
                200 => passed += 1,
                429 => limited += 1,
                other => panic!("{other}"),
            }
        }
        let mut setup = bed.setup.clone();
        setup.listeners[0].filters = limit(number);
        bed.gateway.reload(&setup);
    }
    assert_eq!(passed, 200, "{limited} were limited");
    let answers = crate::table::Answers {
        sent: passed + limited,
        right: passed,
        refused: limited,
        asked: passed + limited,
        wrong: Vec::new(),
    };
    let done = format!(
        "new listeners {updates} times while a limit of 200 a year is used up: exactly 200 pass"
    );
    Row::new(PART, done, "").on("rate_limiting").answers(answers).report();
}

#[test]
fn a_hot_restart_of_envoy_loses_no_request_and_no_event() {
    if on_kong() {
        return println!("left out: this row is about Envoy");
    }
    let collector = Collector::start();
    let change = |setup: Setup| setup.restartable().cluster("collector", collector.address());
    let mut bed = Bed::with(Admin::start(), change, |target| numbered(target, 0));
    bed.settle();
    let setup = bed.setup.clone();
    let times = length(1, 5);
    let before = recorded(&bed);
    let answers = under_load(bed.address(), cases(), |load| {
        for _ in 0..times {
            load.more(100);
            let Proxy::Envoy(envoy) = &mut bed.gateway else { unreachable!("on Envoy") };
            envoy.hot_restart(&setup);
            load.more(100);
        }
    });
    // What the first Envoy counted as dropped is gone with it, so nothing may have been.
    let events = events_of(&bed.gateway, &collector, before + answers.asked);
    let late = bed.revoke("/consumers/cara", &request("key-of-cara", "portal"), 401);
    let done = format!(
        "hot restart (`--restart-epoch`) under load, {times} times: the first Envoy drains and ends"
    );
    let row = Row::new(PART, done, on("SQLite")).answers(answers).events(events);
    row.late(late).report();
}

#[test]
fn one_two_and_four_workers_agree() {
    for workers in length(vec![1, 4], vec![1, 2, 4]) {
        let with = |setup: Setup| setup.concurrency(workers);
        let bed = Bed::with(Admin::start(), with, |target| chain(&remembering(target)));
        bed.settle();
        let answers = under_load(bed.address(), cases(), |load| {
            bed.link.cut();
            until_refused(load);
            load.more(length(100, 1000));
            bed.link.mend();
        });
        let late = bed.revoke("/consumers/cara", &request("key-of-cara", "portal"), 401);
        let late = Late { promised: AFTER_A_FAILURE, ..late };
        let done = format!("{workers} workers: the service is cut off, and then a key is deleted");
        Row::new(PART, done, on("SQLite")).answers(answers).late(late).report();
    }
}

#[test]
fn kong_reloads_under_load_and_misleads_nobody() {
    if !on_kong() {
        return println!("left out: this row is about Kong");
    }
    let bed = Bed::start(Admin::start(), remembering);
    // A new worker knows nobody, and may need more lookups than it is allowed at once.
    let cases: Vec<Case> = cases().into_iter().map(|case| case.or_else(&[503])).collect();
    let times = length(2, 10);
    let mut setup = bed.setup.clone();
    let target = target(&bed);
    let answers = under_load(bed.address(), cases, |load| {
        for number in 1..=times {
            load.more(100);
            setup.listeners[0].filters = chain(&changed(&target, number));
            bed.gateway.reload(&setup);
            load.until_right();
        }
    });
    let late = bed.revoke("/consumers/cara", &request("key-of-cara", "portal"), 401);
    let done = format!("`kong reload` with other settings under load, {times} times");
    Row::new(PART, done, on("SQLite")).answers(answers).late(late).report();
}
