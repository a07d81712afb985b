//! The memory that filters share, on the pretend gateways.

use crate::places::Places;
use crate::planted::Planted;
use serde_json::json;
use std::cell::RefCell;
use std::rc::Rc;
use wasm_tests::tokens::{secret, signed};
use wasm_tests::{Filter, KongVersion, Profile, Proxy, Request, Response};

#[test]
fn no_secret_lies_in_the_memory_that_filters_share() {
    let mut planted = Planted::default();
    let token = planted.plant("gateway token");
    let api_key = planted.plant("API key");
    let jwt_secret = planted.plant("JWT secret");
    let variables = ["consumer", "claims", "session", "moesif", "kong", "refusal", "debug"]
        .map(|name| format!("gatehouse_{name}"));
    let variables: Vec<&str> = variables.iter().map(String::as_str).collect();
    let mut places = Places::default();
    for (name, profile, zone) in [
        ("shared data of Envoy", Profile::envoy(), None),
        (
            "shared data of Kong",
            Profile::kong(KongVersion::V3_9).zone("gatehouse").variables(&variables),
            Some("gatehouse"),
        ),
    ] {
        let mut settings =
            json!({"admin": {"upstream": "admin.test:8001", "token_env": "PLANTED_TOKEN"}});
        if let Some(zone) = zone {
            settings["shm_zone"] = json!(zone);
        }
        let chain = |filter: &str| Filter::built(filter).config(settings.to_string());
        let profile = profile.environment("PLANTED_TOKEN", &token);
        let kept = Rc::new(RefCell::new(Vec::new()));
        for (filter, request) in [
            ("key_auth", Request::get("/").header("apikey", &api_key)),
            (
                "jwt_auth",
                Request::get("/").bearer(signed(
                    &secret("HS256", jwt_secret.as_bytes()),
                    &json!({}),
                    &json!({"iss": "fiona"}),
                )),
            ),
        ] {
            let proxy = Proxy::new(profile.clone(), [chain(filter)]);
            let (secret, digest) = (jwt_secret.clone(), jose::hash::sha256_hex(api_key.as_bytes()));
            proxy.on_call(move |call| {
                let path = call.path();
                let known = |kind: &str, more: (&str, serde_json::Value)| {
                    let mut body = json!({
                        "consumer": {"id": "7", "username": "fiona", "custom_id": null}, "groups": [],
                        "credential": {"id": "c", "type": kind, "identifier": "fiona"}, "seq": 1,
                    });
                    body[more.0] = more.1;
                    body
                };
                let body = if path.starts_with("/identities/jwt/") {
                    let material = json!({"algorithm": "HS256", "secret": secret});
                    known("jwt", ("jwt", material))
                } else if path.starts_with("/identities/key-auth/") {
                    known("key-auth", ("digest", json!(digest)))
                } else {
                    json!({"data": [], "next": 1, "epoch": "e", "reset": false})
                };
                Some(Response::json(200, body.to_string()).into())
            });
            let stream = proxy.send(request.clone());
            assert!(
                stream.outcome().forwarded.is_some(),
                "{name}, {filter}: {}",
                stream.reply().text()
            );
            proxy.send(request).forwarded();
            assert!(proxy.shared_entries() > 0, "{name}: nothing is kept");
            let keep = Rc::clone(&kept);
            proxy.tamper_shared(move |value| {
                keep.borrow_mut().extend(value);
                value.to_vec()
            });
        }
        let text = kept.borrow().clone();
        places.add(name, text);
    }
    let wrong = places.search(&planted);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
