//! Rules for the settings of every filter.

use super::{everywhere, names, to_its_end, working};
use crate::examples::{SECRET, example};
use crate::gateways::{Gateway, refusal};
use serde_json::{Value, json};
use std::time::Duration;
use wasm_tests::{Filter, Level, Profile, Proxy, Request, refused_with};

/// Settings that are wrong for every filter, and the texts that the log must hold for each.
fn mistakes(name: &str) -> Vec<(Vec<u8>, Vec<&'static str>)> {
    let with = |more: Value| wasm_tests::merged(working(name), more).to_string().into_bytes();
    vec![
        (with(json!({"unknown_setting": 1})), vec!["unknown_setting: found an unknown setting"]),
        (with(json!({"metrics": "yes"})), vec!["metrics: found \"yes\", expected true or false"]),
        (
            with(
                json!({"match": {"methods": ["GET", "get"], "paths": ["orders"], "host": []}, "metrics": 1}),
            ),
            vec![
                "match.methods[1]: found",
                "match.paths[0]: found",
                "match.host: found an unknown",
                "metrics: found 1",
            ],
        ),
        (b"{".to_vec(), vec!["found malformed JSON at line 1"]),
        (b"[1]".to_vec(), vec!["found a list, expected an object"]),
        (b"\"{\\\"metrics\\\":1}\"".to_vec(), vec!["metrics: found 1"]),
        (b"\xff\xfe".to_vec(), vec!["found malformed JSON"]),
    ]
}

#[test]
fn envoy_rejects_wrong_settings_if_it_is_known_to_be_envoy() {
    for name in names() {
        for (settings, says) in mistakes(&name) {
            for profile in [
                Profile::envoy().vm_configuration(r#"{"host":"envoy"}"#),
                Profile::envoy().environment("GATEHOUSE_HOST", "envoy"),
            ] {
                let filter = Filter::built(&name).config(&settings);
                let proxy = Proxy::new(profile, [filter]);
                let reason =
                    proxy.rejected().unwrap_or_else(|| panic!("{name} was loaded: {says:?}"));
                for part in &says {
                    assert!(reason.contains(part), "{name}: {reason:?} says nothing of {part:?}");
                }
                assert!(
                    reason.contains(&format!("gatehouse_{name}: invalid configuration: ")),
                    "{reason}"
                );
            }
        }
    }
}

#[test]
fn elsewhere_wrong_settings_are_loaded_and_let_nothing_through() {
    for (name, gateway) in everywhere() {
        let expected = refused_with(500, &format!("{name} is misconfigured"));
        for (settings, says) in mistakes(&name) {
            let profiles = match gateway.is_kong() {
                true => vec![
                    gateway.profile.clone(),
                    gateway.profile.clone().environment("GATEHOUSE_HOST", "kong"),
                ],
                false => vec![gateway.profile.clone()],
            };
            for profile in profiles {
                let filter = Filter::built(&name).config(&settings);
                let proxy = Proxy::new(profile, [filter]);
                // Kong would otherwise serve the route without any filter.
                assert_eq!(proxy.rejected(), None, "{name} {}", gateway.name);
                for request in [
                    Request::get("/"),
                    Request::get("/").header("apikey", "right").header("X-APP-ID", "portal"),
                    Request::new("OPTIONS", "/"),
                    Request::post("/", "body"),
                    Request::new("POST", "/").chunks(&[b"a", b"b"]),
                ] {
                    let stream = proxy.send(request);
                    assert_eq!(refusal(&stream), expected, "{}", gateway.name);
                    assert!(stream.refused().text().starts_with(r#"{"message":"#));
                    to_its_end(&stream);
                }
                proxy.advance(Duration::from_secs(60));
                let log = proxy.log_text(Level::Error);
                for part in &says {
                    assert!(
                        log.contains(part),
                        "{name} {}: {log:?} says nothing of {part:?}",
                        gateway.name
                    );
                }
            }
        }
    }
}

#[test]
fn a_secret_in_wrong_settings_is_not_in_the_log() {
    for name in names() {
        for gateway in Gateway::both() {
            let Some((path, settings)) = example(&name).secret else { continue };
            let settings = wasm_tests::merged(working(&name), settings);
            let proxy = gateway.start(&[(&name, settings)]);
            assert_eq!(proxy.send(Request::get("/")).refused().status, 500);
            let log = proxy.log_text(Level::Trace);
            let said = format!("{path}: found something else (not shown)");
            assert!(log.contains(&said), "{log}");
            let quoted = log.matches(SECRET).count();
            assert_eq!(quoted, 1, "only as the wrong number that it is: {log}");
        }
    }
}

#[test]
fn no_settings_at_all_are_settings_too() {
    for (name, gateway) in everywhere() {
        for nothing in ["", " ", "{}", "\"\"", "[]"] {
            let proxy = Proxy::new(gateway.profile.clone(), [Filter::built(&name).config(nothing)]);
            assert_eq!(proxy.rejected(), None);
            to_its_end(&proxy.send(Request::get("/")));
        }
    }
}
