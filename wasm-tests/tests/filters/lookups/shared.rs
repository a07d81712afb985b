//! Shared data: entries that others overwrite, and entries that the host drops.

use crate::admin::Admin;
use crate::gateways::{ADMIN, Gateway, asking, identified, refusal, settled};
use serde_json::json;
use std::time::Duration;
use wasm_tests::{INVALID_APP_ID, NO_APP_ID, Proxy, Request, Stream, kept_for_a_day, refused_with};

fn send(gateway: &Gateway, proxy: &Proxy, consumer: &str, app_id: &str) -> Stream {
    proxy.send(identified(gateway, consumer).header("X-APP-ID", app_id))
}

/// A gateway that has looked up `ana` with `portal` and `bob` with `bobs`.
fn fixture(gateway: &Gateway) -> (Admin, Proxy, [String; 2]) {
    let admin = Admin::default();
    let people = ["ana", "bob"].map(|name| admin.consumer(name));
    admin.app_id(&people[0], "portal");
    admin.app_id(&people[1], "bobs");
    let settings = asking(json!({"cache": kept_for_a_day()}));
    let proxy = gateway.serving(&admin, &[("app_id", settings)]);
    settled(&[&proxy]);
    send(gateway, &proxy, &people[0], "portal").forwarded();
    send(gateway, &proxy, &people[1], "bobs").forwarded();
    assert!(proxy.shared_entries() > 2);
    admin.asked();
    (admin, proxy, people)
}

/// Checks that every decision is right, at any number of callouts.
#[track_caller]
fn all_is_well(gateway: &Gateway, proxy: &Proxy, people: &[String; 2], what: &str) {
    let [ana, bob] = people;
    for _ in 0..2 {
        send(gateway, proxy, ana, "portal").forwarded();
        send(gateway, proxy, bob, "bobs").forwarded();
        let swapped = [(ana, "bobs"), (bob, "portal")];
        for (consumer, app_id) in swapped {
            let stream = send(gateway, proxy, consumer, app_id);
            assert_eq!(
                refusal(&stream),
                refused_with(403, INVALID_APP_ID),
                "{}: {what}",
                gateway.name
            );
        }
        let nobody = send(gateway, proxy, "nobody", "portal");
        assert_eq!(refusal(&nobody), refused_with(403, NO_APP_ID), "{}: {what}", gateway.name);
        proxy.advance(Duration::from_secs(3));
    }
    assert!(proxy.faults().is_empty(), "{}: {what}", gateway.name);
}

#[test]
fn workers_serve_what_another_one_has_asked_for() {
    for gateway in Gateway::sharing() {
        let (admin, first, people) = fixture(&gateway);
        let second = first.worker();
        send(&gateway, &second, &people[0], "portal").forwarded();
        send(&gateway, &second, &people[1], "bobs").forwarded();
        assert_eq!(admin.lookups(), [""; 0], "{}", gateway.name);
    }
    // Without shared data the workers do not know each other's answers.
    let gateway = Gateway::kong();
    let admin = Admin::default();
    let ana = admin.consumer("ana");
    admin.app_id(&ana, "portal");
    let first = gateway.serving(&admin, &[("app_id", asking(json!({})))]);
    let second = first.worker();
    for worker in [&first, &second] {
        send(&gateway, worker, &ana, "portal").forwarded();
    }
    assert_eq!(admin.lookups().len(), 2);
}

#[test]
fn whatever_others_write_into_shared_data_is_not_believed() {
    type Change = fn(usize, Vec<u8>) -> Vec<u8>;
    let changes: [(&str, Change); 8] = [
        ("nothing", |_, _| Vec::new()),
        ("one byte", |_, _| vec![0]),
        ("cut short", |_, old| old[..old.len() / 2].to_vec()),
        ("one byte less", |_, old| old[..old.len() - 1].to_vec()),
        ("longer", |_, old| [old, b"more".to_vec()].concat()),
        ("zeros", |_, old| vec![0; old.len()]),
        ("one bit", |n, mut old| {
            let at = (n * 37 + 3) % old.len();
            old[at] ^= 1;
            old
        }),
        ("huge", |_, _| vec![b'{'; 1 << 20]),
    ];
    for gateway in Gateway::sharing() {
        for (what, change) in &changes {
            let (_, proxy, people) = fixture(&gateway);
            let mut n = 0;
            proxy.tamper_shared(|old| {
                n += 1;
                change(n, old.to_vec())
            });
            all_is_well(&gateway, &proxy, &people, what);
            // Entries are evicted between any two requests.
            for _ in 0..20 {
                proxy.tamper_shared(|old| {
                    change(n, if old.is_empty() { vec![0; 2] } else { old.to_vec() })
                });
                send(&gateway, &proxy, &people[0], "portal").forwarded();
                assert_eq!(send(&gateway, &proxy, &people[1], "portal").refused().status, 403);
                proxy.advance(Duration::from_secs(1));
            }
        }
    }
}

#[test]
fn an_entry_counts_only_in_its_own_place_and_generation() {
    for gateway in Gateway::sharing() {
        let (admin, proxy, people) = fixture(&gateway);
        // Every slot gets the content of another slot.
        let mut all = Vec::new();
        proxy.tamper_shared(|old| {
            all.push(old.to_vec());
            old.to_vec()
        });
        for shift in 1..all.len() {
            let mut n = 0;
            proxy.tamper_shared(|_| {
                n += 1;
                all[(n - 1 + shift) % all.len()].clone()
            });
            all_is_well(&gateway, &proxy, &people, &format!("shifted by {shift}"));
        }

        // Entries from before the whole store was dropped are not valid after it.
        let (_, proxy, people) = (admin, proxy, people);
        drop(proxy);
        let (admin, proxy, [ana, bob]) = {
            let _ = people;
            fixture(&gateway)
        };
        let mut before = Vec::new();
        proxy.tamper_shared(|old| {
            before.push(old.to_vec());
            old.to_vec()
        });
        admin.remove_app_id(&ana, "portal");
        admin.restore();
        proxy.advance(Duration::from_secs(5));
        assert_eq!(refusal(&send(&gateway, &proxy, &ana, "portal")), refused_with(403, NO_APP_ID));
        let generation = before.iter().position(|value| value.len() == 8).expect("a generation");
        let mut n = 0;
        let now = proxy.shared_entries();
        proxy.tamper_shared(|new| {
            n += 1;
            let kept =
                n - 1 == generation || before.get(n - 1).is_none_or(|old| old.len() != new.len());
            if kept { new.to_vec() } else { before[n - 1].clone() }
        });
        assert!(now >= before.len());
        assert_eq!(
            refusal(&send(&gateway, &proxy, &ana, "portal")),
            refused_with(403, NO_APP_ID),
            "{}",
            gateway.name
        );
        send(&gateway, &proxy, &bob, "bobs").forwarded();
    }
}

#[test]
fn shared_data_may_go_at_any_time() {
    for gateway in Gateway::sharing() {
        let (admin, proxy, people) = fixture(&gateway);
        proxy.clear_shared();
        all_is_well(&gateway, &proxy, &people, "cleared");
        for _ in 0..10 {
            proxy.clear_shared();
            send(&gateway, &proxy, &people[0], "portal").forwarded();
            proxy.clear_shared();
            proxy.advance(Duration::from_millis(700));
            assert_eq!(send(&gateway, &proxy, &people[1], "portal").refused().status, 403);
        }
        // The entries are dropped during a lookup.
        admin.hold();
        proxy.clear_shared();
        let waiting = send(&gateway, &proxy, &people[0], "portal");
        proxy.clear_shared();
        admin.settle(&proxy.call());
        waiting.forwarded();
        admin.release();

        // The filter does not miss a change that happened meanwhile.
        proxy.advance(Duration::from_secs(5));
        send(&gateway, &proxy, &people[0], "portal").forwarded();
        admin.remove_app_id(&people[0], "portal");
        proxy.clear_shared();
        proxy.advance(Duration::from_secs(5));
        assert_eq!(
            refusal(&send(&gateway, &proxy, &people[0], "portal")),
            refused_with(403, NO_APP_ID),
            "{}",
            gateway.name
        );
    }
}

#[test]
fn another_token_target_or_trust_sees_nothing_of_it() {
    for gateway in Gateway::sharing() {
        let admin = Admin::default();
        let ana = admin.consumer("ana");
        admin.app_id(&ana, "portal");
        let with = |more: serde_json::Value| {
            let mut settings = json!({"admin": {"upstream": ADMIN, "token": "one"}});
            settings["admin"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            gateway.filter("app_id", settings)
        };
        let first = Proxy::new(gateway.profile.clone(), [with(json!({}))]);
        admin.serve(&first);
        settled(&[&first]);
        send(&gateway, &first, &ana, "portal").forwarded();
        first.advance(Duration::from_secs(1));
        send(&gateway, &first, &ana, "portal").forwarded();
        assert_eq!(admin.lookups().len(), 1);
        let same = first.route([with(json!({}))]);
        for other in [
            first.route([with(json!({"token": "two"}))]),
            first.route([with(json!({"authority": "other.example"}))]),
            first.route([with(json!({"path_prefix": "/tenant"}))]),
        ] {
            other.on_call({
                let admin = admin.clone();
                move |call| {
                    Some(if call.path().contains("tenant") {
                        nothing()
                    } else {
                        admin.answer(call)
                    })
                }
            });
            let before = other.callouts_made();
            send(&gateway, &other, &ana, "portal");
            assert!(other.callouts_made() > before, "{}", gateway.name);
        }
        admin.serve(&first);
        admin.asked();
        send(&gateway, &same, &ana, "portal").forwarded();
        assert!(admin.lookups().is_empty(), "{}: the same settings share", gateway.name);
    }
}

fn nothing() -> wasm_tests::Answer {
    wasm_tests::Response::json(200, r#"{"data":[],"total":0}"#).into()
}

#[test]
fn envoys_tenants_with_another_vm_id_see_nothing_of_it() {
    let gateway = Gateway::envoy();
    let admin = Admin::default();
    let ana = admin.consumer("ana");
    admin.app_id(&ana, "portal");
    let filter = |vm_id: &str| gateway.filter("app_id", asking(json!({}))).vm_id(vm_id);
    let first = Proxy::new(gateway.profile.clone(), [filter("one")]);
    admin.serve(&first);
    let second = first.route([filter("two")]);
    for proxy in [&first, &second] {
        send(&gateway, proxy, &ana, "portal").forwarded();
    }
    assert_eq!(admin.lookups().len(), 2);
}

#[test]
fn keys_of_ours_that_differ_never_share_a_checksum() {
    // Kong from 3.8 finds an entry by the CRC-32 of its key alone. The filters' keys differ in four
    // adjacent bytes, so that each has a CRC-32 of its own, for as many consumers as the cache
    // holds.
    let gateway = Gateway::kong_sharing();
    let admin = Admin::default();
    let people: Vec<String> =
        (0..90).map(|n| admin.holder(&format!("c{n}"), &format!("key-{n}"))).collect();
    let proxy = gateway.serving(&admin, &[("key_auth", asking(json!({})))]);
    for _ in 0..2 {
        for (n, id) in people.iter().enumerate() {
            let stream = proxy.send(Request::get("/").header("apikey", format!("key-{n}")));
            assert_eq!(stream.forwarded().header("x-consumer-id").as_ref(), Some(id));
        }
    }
    let asked = admin.lookups().len();
    assert!((90..95).contains(&asked), "{asked}");
}
