//! Rules that every filter in `dist/filters` obeys.

mod settings;

use crate::examples::example;
use crate::gateways::{Gateway, asking};
use serde_json::{Value, json};
use std::time::Duration;
use wasm_tests::tokens::SEED;
use wasm_tests::{
    KongVersion, Request, Response, Standing, Stream, built_filters, imports,
    imports_not_everywhere,
};

/// Settings with which a filter works. `name` has no `gatehouse_`.
pub(crate) fn working(name: &str) -> Value {
    example(name).working
}

pub(crate) fn names() -> Vec<String> {
    built_filters().into_iter().map(|(name, _)| name).collect()
}

fn everywhere() -> impl Iterator<Item = (String, Gateway)> {
    let versions = KongVersion::ALL.into_iter().map(Gateway::kong_of);
    let gateways: Vec<Gateway> =
        [Gateway::envoy(), Gateway::envoy_holding()].into_iter().chain(versions).collect();
    names().into_iter().flat_map(move |name| {
        gateways.clone().into_iter().map(move |gateway| (name.clone(), gateway))
    })
}

/// Answers as the upstream, if the request got there.
#[track_caller]
fn to_its_end(stream: &Stream) {
    if stream.standing() == Standing::Forwarded {
        stream.respond(Response::new(200).with("x-answer", "1").with_body("hello"));
        assert_eq!(stream.reply().text(), "hello");
    }
    let outcome = stream.outcome();
    assert!(outcome.standing == Standing::Answered, "{outcome:#?}");
    assert!(outcome.traps.is_empty() && outcome.violations.is_empty(), "{outcome:#?}");
}

#[test]
fn a_filter_imports_only_what_both_gateways_have() {
    for (name, wasm) in built_filters() {
        assert_eq!(imports_not_everywhere(&wasm), [], "{name}");
        // No filter imports functions for files, network or threads, not even those that one host
        // has.
        for (module, import) in imports(&wasm) {
            let harmless =
                ["fd_write", "environ_get", "environ_sizes_get", "random_get", "proc_exit"];
            assert!(
                module == "env" || harmless.contains(&import.as_str()),
                "{name}: {module} {import}"
            );
        }
    }
}

#[test]
fn hostile_headers_are_answered_or_passed_on_and_never_a_trap() {
    let long = vec![b'x'; 64 * 1024];
    let all_bytes: Vec<u8> = (1..=255).filter(|byte| ![b'\r', b'\n'].contains(byte)).collect();
    let values: [&[u8]; 7] =
        [b"", b"\xff", b"\xff\xfe\0\x80", &long, &all_bytes, b" ", b"\xed\xa0\x80"];
    let names = [
        "apikey",
        "X-APP-ID",
        "X-Consumer-ID",
        "x_consumer_id",
        "Authorization",
        "Cookie",
        "Accept",
        "Content-Type",
        "Content-Length-Of",
        "X-Request-ID",
        "X-Forwarded-For",
        "Origin",
        "User-Agent",
    ];
    for (name, gateway) in everywhere() {
        let proxy = gateway.start(&[(&name, working(&name))]);
        for value in values {
            let mut every = Request::get("/");
            for header in names {
                every = every.header(header, value);
                to_its_end(&proxy.send(Request::get("/").header(header, value)));
                to_its_end(
                    &proxy.send(Request::get("/").header(header, value).header(header, b"two")),
                );
                let with_body = Request::post("/", "body").header(header, value);
                to_its_end(&proxy.send(with_body));
            }
            to_its_end(&proxy.send(every));
        }
    }
}

#[test]
fn odd_targets_methods_and_bodies_are_answered_or_passed_on() {
    for (name, gateway) in everywhere() {
        let settings = wasm_tests::merged(working(&name), json!({"match": {"paths": ["/orders"]}}));
        for settings in [working(&name), settings] {
            let proxy = gateway.start(&[(&name, settings)]);
            for path in [
                "/",
                "*",
                "//",
                "/%",
                "/%zz",
                "/%00",
                "/..",
                "/a?",
                "/a?&&=&a",
                "/a??",
                "/?%ff=%fe",
                "/\u{fc}",
            ] {
                for method in ["GET", "OPTIONS", "POST", "PURGE", "get", "HEAD"] {
                    to_its_end(&proxy.send(Request::new(method, path)));
                }
            }
            to_its_end(&proxy.send(Request::get(&format!("/{}", "x".repeat(64 * 1024)))));
            to_its_end(&proxy.send(Request::post("/", vec![0xff; 70_000])));
            to_its_end(
                &proxy
                    .send(Request::post("/", "").header("content-length", "18446744073709551616")),
            );
            to_its_end(&proxy.send(Request::new("POST", "/").chunks(&[b"a", b"b", b"c"])));
            to_its_end(&proxy.send(Request::new("POST", "/").chunks(&[b""])));
        }
    }
}

#[test]
fn one_hundred_and_twenty_headers_pass_on_envoy_and_are_431_on_kong() {
    for (name, gateway) in everywhere() {
        let proxy = gateway.start(&[(&name, working(&name))]);
        for (count, fits) in [(80, true), (120, false), (500, false)] {
            let mut request = Request::get("/");
            for n in 0..count {
                request = request.header(&format!("x-{n}"), "v");
            }
            let stream = proxy.send(request);
            if gateway.is_kong() && example(&name).answers_401 {
                assert_eq!(
                    stream.refused().status == 431,
                    !fits,
                    "{name} {}: {count}",
                    gateway.name
                );
            }
            to_its_end(&stream);
        }
    }
}

#[test]
fn response_callbacks_without_request_callbacks_change_nothing() {
    for (name, gateway) in everywhere() {
        if !gateway.is_kong() {
            continue;
        }
        let proxy = gateway.start(&[(&name, working(&name))]);
        let request =
            Request::get("/").lua_buffered().header("apikey", "right").header("X-APP-ID", "portal");
        let stream = proxy.send(request);
        if stream.standing() == Standing::Forwarded {
            stream.respond(Response::new(200).with("x-answer", "1").with_body("hello"));
            let reply = stream.reply();
            assert_eq!(
                (reply.status, reply.text().as_str()),
                (200, "hello"),
                "{name} {}",
                gateway.name
            );
        }
        assert!(proxy.faults().is_empty());
    }
}

#[test]
fn a_body_for_a_request_that_the_vm_has_forgotten_is_refused() {
    for version in [KongVersion::V3_6, KongVersion::V3_7, KongVersion::V3_8, KongVersion::V3_9] {
        for name in names().into_iter().filter(|name| example(name).answers_401) {
            let gateway = Gateway::kong_of(version);
            // The body comes to an instance that has never seen the headers.
            let passing =
                Request::post("/", "body").header("apikey", "right").header("X-APP-ID", "portal");
            let passing = passing.bearer(SEED);
            let passing = passing.property(gateway.identity(), r#"{"id":"1","username":"ana"}"#);
            let proxy = gateway.start(&[(&name, working(&name))]);
            let stream = proxy.open(passing.clone());
            proxy.lose_instances();
            stream.push("body", true);
            assert_eq!(stream.refused().status, 500, "{name} {}", gateway.name);
            assert!(proxy.faults().is_empty());

            // A new request finds the filter as it was.
            proxy.send(passing.clone()).forwarded();

            // The filter leaves the response of an unknown request alone.
            let proxy = gateway.start(&[(&name, working(&name))]);
            let stream = proxy.send(passing);
            proxy.lose_instances();
            stream.respond(Response::new(200).with_body("hello"));
            assert_eq!(stream.reply().text(), "hello");
            assert!(proxy.faults().is_empty());
        }
    }
}

#[test]
fn the_answer_to_a_forgotten_callout_lets_nobody_through() {
    for version in [KongVersion::V3_6, KongVersion::V3_7, KongVersion::V3_9] {
        let gateway = Gateway::kong_of(version);
        let admin = crate::admin::Admin::default();
        let ana = admin.holder("ana", "key-of-ana");
        admin.app_id(&ana, "portal");
        admin.hold();
        for chain in [
            vec![("key_auth", asking(json!({})))],
            vec![("app_id", asking(json!({})))],
            vec![
                ("app_id", asking(json!({}))),
                ("app_id", asking(json!({"header_name": "X-Other"}))),
            ],
        ] {
            let proxy = gateway.serving(&admin, &chain);
            let mut request =
                Request::get("/").header("apikey", "key-of-ana").header("X-APP-ID", "portal");
            if chain[0].0 == "app_id" {
                request = request.property(gateway.identity(), json!({"id": ana}).to_string());
            }
            let stream = proxy.send(request);
            let call = proxy.call();
            proxy.lose_instances();
            admin.settle(&call);
            assert_eq!(stream.refused().status, 500, "{}", gateway.name);
            assert!(proxy.faults().is_empty(), "{}", gateway.name);
            // In the response to a tick's callout there is no request to refuse.
            proxy.advance(Duration::from_secs(2));
            assert!(proxy.faults().is_empty(), "{}", gateway.name);
        }
    }
}

#[test]
fn the_answer_to_a_forgotten_call_of_a_tick_hurts_nobody() {
    let gateway = Gateway::kong_sharing();
    let proxy = gateway.start(&[("app_id", asking(json!({})))]);
    proxy.advance(Duration::from_millis(1500));
    let call = proxy.call();
    assert!(call.path().starts_with("/changes"));
    proxy.lose_instances();
    call.json(200, r#"{"data":[],"next":0,"epoch":"e"}"#);
    proxy.advance(Duration::from_secs(5));
    assert!(proxy.faults().is_empty());
}

#[test]
fn envoy_counts_and_kong_does_not_unless_asked() {
    for (name, gateway) in everywhere() {
        let guard = example(&name).answers_401;
        for (metrics, counts) in [
            (None, !gateway.is_kong()),
            (Some(false), false),
            (Some(true), !gateway.is_kong() || ["Kong 3.8", "Kong 3.9"].contains(&gateway.name)),
        ] {
            let settings = match metrics {
                Some(metrics) => wasm_tests::merged(working(&name), json!({"metrics": metrics})),
                None => working(&name),
            };
            let proxy = gateway.start(&[(&name, settings)]);
            to_its_end(&proxy.send(Request::get("/")));
            let found = proxy.metrics();
            assert_eq!(!found.is_empty(), counts, "{name} {} {metrics:?}: {found:?}", gateway.name);
            let own = format!("gatehouse_{name}_");
            assert!(found.iter().all(|metric| metric.contains(&own)), "{found:?}");
            if counts && guard {
                let refused = format!("gatehouse_{name}_refused_401");
                let refused = found.iter().find(|metric| metric.ends_with(&refused));
                assert_eq!(refused.and_then(|metric| proxy.metric(metric)), Some(1), "{found:?}");
            }
            assert!(proxy.faults().is_empty());
        }
    }
}

#[test]
fn an_idle_filter_without_an_admin_service_never_ticks() {
    for (name, gateway) in everywhere() {
        // The module that holds all filters begins its work at once only where the host is named.
        let gateway = match gateway.is_kong() {
            true => gateway,
            false => gateway.with(|profile| profile.vm_configuration(r#"{"host":"envoy"}"#)),
        };
        let proxy = gateway.start(&[(&name, working(&name))]);
        let ticks = usize::from(example(&name).ticks);
        assert_eq!(proxy.tick_periods().len(), ticks, "{name} {}", gateway.name);
    }
}
