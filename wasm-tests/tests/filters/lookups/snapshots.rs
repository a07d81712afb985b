//! `cache.mode: full`: all entities are fetched in advance.

use crate::admin::{Admin, Kind};
use crate::gateways::{Gateway, asking, identified, refusal};
use serde_json::{Value, json};
use std::time::Duration;
use wasm_tests::{KongVersion, Level, NO_APP_ID, Proxy, Request, kept_for_a_day, refused_with};

fn full(more: Value) -> Value {
    let mut cache = json!({"mode": "full"});
    if let (Some(cache), Value::Object(more)) = (cache.as_object_mut(), more) {
        cache.extend(more);
    }
    asking(json!({"cache": cache}))
}

fn app_id(gateway: &Gateway, proxy: &Proxy, consumer: &str, app_id: &str) -> wasm_tests::Stream {
    proxy.send(identified(gateway, consumer).header("X-APP-ID", app_id))
}

#[test]
fn once_everything_is_here_no_request_waits() {
    for gateway in Gateway::sharing() {
        let admin = Admin::default();
        let people: Vec<String> =
            (0..50).map(|n| admin.holder(&format!("c{n}"), &format!("key-{n}"))).collect();
        for (n, id) in people.iter().enumerate() {
            admin.app_id(id, &format!("app-{n}"));
        }
        let proxy =
            gateway.serving(&admin, &[("key_auth", full(json!({}))), ("app_id", full(json!({})))]);
        let send = |n: usize, app: usize| {
            let request = Request::get("/").header("apikey", format!("key-{n}"));
            proxy.send(request.header("X-APP-ID", format!("app-{app}")))
        };
        // Before the snapshot is there, the filter looks up one by one, as in the mode `lazy`.
        send(0, 0).forwarded();
        proxy.advance(Duration::from_secs(4));
        let asked = admin.lookups();
        assert!(asked.iter().any(|path| path == "/appids?size=1000"), "{asked:?}");
        assert!(asked.iter().any(|path| path == "/identities/key-auth?size=1000"), "{asked:?}");
        for n in 0..50 {
            send(n, n).forwarded();
            assert_eq!(send(n, n + 1).refused().status, 403);
        }
        assert!(admin.lookups().is_empty(), "{}", gateway.name);
    }
}

#[test]
fn a_change_takes_effect_as_soon_as_in_lazy_mode() {
    for gateway in Gateway::sharing() {
        let admin = Admin::default();
        let ana = admin.consumer("ana");
        admin.app_id(&ana, "portal");
        let proxy = gateway.serving(&admin, &[("app_id", full(kept_for_a_day()))]);
        app_id(&gateway, &proxy, "nobody", "x");
        proxy.advance(Duration::from_secs(6));
        app_id(&gateway, &proxy, &ana, "portal").forwarded();
        admin.remove_app_id(&ana, "portal");
        let bob = admin.consumer("bob");
        admin.app_id(&bob, "bobs");
        proxy.advance(Duration::from_secs(5));
        assert_eq!(
            refusal(&app_id(&gateway, &proxy, &ana, "portal")),
            refused_with(403, NO_APP_ID),
            "{}",
            gateway.name
        );
        app_id(&gateway, &proxy, &bob, "bobs").forwarded();
        admin.restore();
        admin.remove_app_id(&bob, "bobs");
        proxy.advance(Duration::from_secs(5));
        assert_eq!(
            refusal(&app_id(&gateway, &proxy, &bob, "bobs")),
            refused_with(403, NO_APP_ID),
            "{}",
            gateway.name
        );
    }
}

#[test]
fn more_than_the_cache_holds_is_looked_up_one_by_one() {
    let gateway = Gateway::envoy();
    let admin = Admin::default();
    let people: Vec<String> = (0..40).map(|n| admin.consumer(&format!("c{n}"))).collect();
    people.iter().for_each(|id| admin.app_id(id, "portal"));
    let proxy = gateway.serving(&admin, &[("app_id", full(json!({"max_entries": 16})))]);
    app_id(&gateway, &proxy, "nobody", "x");
    proxy.advance(Duration::from_secs(6));
    assert!(proxy.log_text(Level::Warn).contains("more than `cache.max_entries`"));
    admin.lookups();
    for id in &people {
        app_id(&gateway, &proxy, id, "portal").forwarded();
    }
    assert_eq!(admin.lookups().len(), 40 - 16);
}

#[test]
fn a_document_page_by_page_is_read_to_its_end() {
    for gateway in Gateway::sharing() {
        let proxy = gateway.start(&[("app_id", full(json!({})))]);
        let entry = |n: usize| json!({"id": "i", "consumer_id": format!("c{}", n % 7), "appid": format!("app-{n}")});
        proxy.on_call(move |call| {
            let path = call.path();
            let offset: usize = path.split("offset=").nth(1).map_or(0, |n| n.parse().unwrap());
            let document = match path.starts_with("/appids") {
                true if offset < 40 => json!({
                    "data": (offset..offset + 20).map(entry).collect::<Vec<_>>(), "total": 60,
                    "offset": (offset + 20).to_string(), "next": "/elsewhere",
                }),
                true => json!({"data": (40..60).map(entry).collect::<Vec<_>>(), "total": 60}),
                false if path.starts_with("/changes") => {
                    json!({"data": [], "next": 0, "epoch": "e"})
                }
                false => json!({"data": [], "total": 0}),
            };
            Some(wasm_tests::Response::json(200, document.to_string()).into())
        });
        app_id(&gateway, &proxy, "nobody", "x");
        proxy.advance(Duration::from_secs(6));
        let made = proxy.callouts_made();
        for n in 0..60 {
            app_id(&gateway, &proxy, &format!("c{}", n % 7), &format!("app-{n}")).forwarded();
        }
        assert_eq!(proxy.callouts_made(), made, "{}", gateway.name);
    }
}

#[test]
fn a_snapshot_that_breaks_off_is_none() {
    for gateway in Gateway::sharing() {
        for (what, answer) in crate::key_auth::failures() {
            let admin = Admin::default();
            let ana = admin.consumer("ana");
            admin.app_id(&ana, "portal");
            let proxy = gateway.start(&[("app_id", full(json!({})))]);
            let served = admin.clone();
            proxy.on_call(move |call| match call.path().starts_with("/appids") {
                // An empty page is a valid page.
                true if what != "a cut page" || call.path().contains("size") => {
                    Some(answer.clone())
                }
                _ => Some(served.answer(call)),
            });
            app_id(&gateway, &proxy, "nobody", "x");
            proxy.advance(Duration::from_secs(6));
            app_id(&gateway, &proxy, &ana, "portal").forwarded();
            let other = app_id(&gateway, &proxy, &ana, "other");
            assert_eq!(other.refused().status, 403, "{}: {what}", gateway.name);
        }
    }
}

#[test]
fn a_server_without_a_list_of_changes_is_read_again_before_the_time_is_over() {
    for gateway in Gateway::sharing() {
        let admin = Admin::of_kind(Kind::Plain);
        let ana = admin.consumer("ana");
        admin.app_id(&ana, "portal");
        let proxy = gateway.serving(&admin, &[("app_id", full(json!({"ttl": 20})))]);
        let send = |name: &str| app_id(&gateway, &proxy, &ana, name);
        send("portal").forwarded();
        proxy.advance(Duration::from_secs(4));
        admin.update_app_id(&ana, "portal", "renamed");
        for _ in 0..22 {
            proxy.advance(Duration::from_secs(1));
            send("portal");
        }
        assert_eq!(send("portal").refused().status, 403, "{}", gateway.name);
        send("renamed").forwarded();
    }
}

#[test]
fn kong_needs_shared_data_for_it_unless_it_is_too_old_for_anything_else() {
    for version in KongVersion::ALL {
        let gateway = Gateway::kong_of(version);
        let proxy = gateway.start(&[("app_id", full(json!({})))]);
        let stream = app_id(&gateway, &proxy, "ana", "portal");
        if version >= KongVersion::V3_6 {
            assert_eq!(
                refusal(&stream),
                refused_with(500, "app_id is misconfigured"),
                "{}",
                gateway.name
            );
            assert!(
                proxy
                    .log_text(Level::Error)
                    .contains("cache.mode: found \"full\" without `shm_zone`")
            );
        } else {
            // The filter is loaded and has no entries yet: no request waits on such a Kong.
            assert_eq!(
                refusal(&stream),
                refused_with(503, "Service unavailable"),
                "{}",
                gateway.name
            );
        }
    }
}

/// A server with two pages, the second of which the test answers.
fn two_pages(proxy: &Proxy, admin: &Admin, ana: &str) {
    let (admin, ana) = (admin.clone(), ana.to_owned());
    proxy.on_call(move |call| match call.path() {
        path if path.contains("offset=") => None,
        path if path.starts_with("/appids?size") => {
            let first = json!({"id": "i", "consumer_id": ana, "appid": "portal"});
            let page = json!({"data": [first], "total": 2, "offset": "more"});
            Some(wasm_tests::Response::json(200, page.to_string()).into())
        }
        _ => Some(admin.answer(call)),
    });
}

#[test]
fn a_change_while_the_pages_come_in_is_not_undone_by_them() {
    for how in ["one change", "another database"] {
        for gateway in Gateway::sharing() {
            let admin = Admin::default();
            let ana = admin.consumer("ana");
            admin.app_id(&ana, "portal");
            let mut settings = full(kept_for_a_day());
            settings["admin"]["timeout"] = 60_000.into();
            let proxy = gateway.start(&[("app_id", settings)]);
            two_pages(&proxy, &admin, &ana);
            app_id(&gateway, &proxy, "nobody", "x");
            proxy.advance(Duration::from_secs(4));
            let second_page = proxy.call();
            admin.remove_app_id(&ana, "portal");
            if how == "another database" {
                admin.restore();
            }
            proxy.advance(Duration::from_secs(5));
            second_page.json(200, r#"{"data":[],"total":2}"#);
            let stream = app_id(&gateway, &proxy, &ana, "portal");
            assert_eq!(refusal(&stream), refused_with(403, NO_APP_ID), "{}: {how}", gateway.name);
        }
    }
}

#[test]
fn a_service_that_cannot_give_everything_is_not_asked_for_it_on_every_tick() {
    for gateway in Gateway::sharing() {
        let admin = Admin::default();
        let ana = admin.consumer("ana");
        admin.app_id(&ana, "portal");
        let proxy = gateway.start(&[("app_id", full(json!({})))]);
        let served = admin.clone();
        proxy.on_call(move |call| match call.path().starts_with("/appids?size") {
            true => Some(wasm_tests::Response::new(500).into()),
            false => Some(served.answer(call)),
        });
        let before = proxy.callouts_made();
        for _ in 0..30 {
            proxy.advance(Duration::from_secs(1));
            app_id(&gateway, &proxy, &ana, "portal").forwarded();
        }
        // About twelve callouts poll for changes, and one looks the consumer up.
        let made = proxy.callouts_made() - before;
        assert!((10..=24).contains(&made), "{}: {made}", gateway.name);
    }
}
