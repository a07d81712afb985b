//! Headers that filters own, identity headers included: the upstream gets the values of the last
//! filter in charge, whatever a client sends and earlier filters set.

use crate::gateways::{Gateway, taken_out};
use crate::jwt_auth::idp::{Idp, issued, named, provider};
use crate::session::browser::{Browser, keys, session};
use serde_json::{Value, json};
use wasm_tests::tokens::SEED;
use wasm_tests::{Filter, Forwarded, KongVersion, Proxy, Request, Response, merged};

fn ado() -> Value {
    json!([{"id": "1", "username": "ado", "jwt_secrets": [{"key": "adokey", "secret": "supersecret"}]},
        {"id": "9", "username": "guest"}])
}

/// The non-empty values that the upstream gets under this name and its other spellings.
fn said(forwarded: &Forwarded, name: &str) -> Vec<String> {
    let mut all = forwarded.headers_named(name);
    all.extend(forwarded.headers_named(&name.replace('-', "_")));
    all.retain(|value| !value.is_empty());
    all
}

fn forged(request: Request, names: &[&str]) -> Request {
    names.iter().fold(request, |request, name| {
        request.header(name, "forged").header(&name.replace('-', "_"), "forged")
    })
}

const IDENTITY: [&str; 7] = [
    "x-consumer-id",
    "x-consumer-username",
    "x-consumer-custom-id",
    "x-credential-identifier",
    "x-authenticated-groups",
    "x-consumer-groups",
    "x-anonymous-consumer",
];

#[test]
fn a_claims_header_is_the_filters_own_also_where_another_has_verified_a_token() {
    for gateway in Gateway::all() {
        let provided =
            provider(json!({"claims_to_headers": [{"claim": "role", "header": "x-role"}]}));
        let second = merged(provided, json!({"anonymous": "guest", "consumers": ado()}));
        let proxy = gateway.start(&[
            ("jwt_auth", json!({"consumers": ado(), "anonymous": "guest"})),
            ("jwt_auth", second),
        ]);
        let signer = named("es256", "one");
        Idp::with(&[&signer]).serve(&proxy);
        let partner = Request::get("/").bearer(SEED);
        let stream = proxy.send(forged(partner, &["x-role"]));
        assert_eq!(stream.forwarded().header("x-consumer-username").as_deref(), Some("ado"));
        assert_eq!(said(&stream.forwarded(), "x-role"), [""; 0], "{}", gateway.name);
        let own = issued(&signer, json!({"role": "user"}));
        let own = Request::get("/").bearer(own);
        let forwarded = proxy.send(forged(own, &["x-role"])).forwarded();
        assert_eq!(said(&forwarded, "x-role"), ["user"], "{}", gateway.name);
    }
}

#[test]
fn a_session_header_is_the_filters_own_also_behind_another_authentication() {
    for gateway in Gateway::all() {
        let told = session(json!({"request_headers": ["subject", "id"]}));
        let proxy = gateway.start(&[("key_auth", keys()), ("session", told)]);
        let ana = Request::get("/").header("apikey", "open_sesame");
        let forwarded = proxy.send(forged(ana, &["session-subject", "session-id"])).forwarded();
        assert_eq!(forwarded.headers_named("x-consumer-username"), ["ana"]);
        for name in ["session-subject", "session-id"] {
            assert_eq!(said(&forwarded, name), [""; 0], "{} {name}", gateway.name);
        }
    }
}

/// The consumer `root` is in the group `admin`, and `ana` is in no group.
fn root_and_ana() -> Value {
    json!({"consumers": [
        {"id": "1", "username": "ana", "custom_id": "c1", "keyauth_credentials": [{"id": "ka", "key": "key-of-ana"}]},
        {"id": "0", "username": "root", "groups": ["admin"], "keyauth_credentials": [{"id": "kr", "key": "key-of-root"}]},
    ]})
}

#[test]
fn a_filter_that_replaces_an_identity_replaces_all_of_its_headers() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("session", session(json!({}))), ("key_auth", root_and_ana())]);
        let with = |key: &str| Request::get("/").header("apikey", key);
        let mut browser = Browser::default();
        browser.send(&proxy, with("key-of-root"));
        let root = browser.clone().send(&proxy, with("key-of-root")).forwarded.expect("admitted");
        assert_eq!(root.headers_named("x-consumer-username"), ["root"]);
        let ana = browser.send(&proxy, with("key-of-ana")).forwarded.expect("admitted");
        for (name, expected) in [
            ("x-consumer-id", &["1"][..]),
            ("x-consumer-username", &["ana"]),
            ("x-consumer-custom-id", &["c1"]),
            ("x-credential-identifier", &["ka"]),
            ("x-authenticated-groups", &[]),
            ("x-consumer-groups", &[]),
            ("x-anonymous-consumer", &[]),
        ] {
            assert_eq!(said(&ana, name), expected, "{} {name}", gateway.name);
        }
    }
}

#[test]
fn an_identity_from_lua_is_all_that_the_upstream_is_told() {
    let gateway = Gateway::kong();
    for settings in [
        merged(root_and_ana(), json!({"anonymous": "ana"})),
        merged(root_and_ana(), json!({"match": {"paths": ["/elsewhere"]}})),
        merged(root_and_ana(), json!({"run_on_preflight": false})),
    ] {
        let proxy = gateway.start(&[("key_auth", settings.clone())]);
        let known = json!({"id": "42", "username": "lua", "groups": ["a", "b"],
            "credential": {"id": "c", "type": "oauth2", "identifier": "c"}});
        let request = Request::new("OPTIONS", "/")
            .property(gateway.identity(), known.to_string())
            .header("X-Consumer-ID", "42")
            .header("X-Consumer-Groups", "b, a")
            .header("X-Authenticated-Groups", "admin")
            .header("X_Consumer_Username", "root")
            .header("X-Anonymous-Consumer", "true");
        let stream = proxy.send(request);
        let forwarded = stream.forwarded();
        for (name, expected) in [
            ("x-consumer-id", &["42"][..]),
            ("x-consumer-username", &["lua"]),
            ("x-credential-identifier", &["c"]),
            ("x-consumer-groups", &["b, a"]),
            ("x-authenticated-groups", &[]),
            ("x-anonymous-consumer", &[]),
        ] {
            assert_eq!(said(&forwarded, name), expected, "{settings} {name}");
        }
        taken_out(&gateway, &stream, "x_consumer_username");
    }
}

/// Each filter that owns headers, with settings and the headers.
fn owners() -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let mint = include_str!("../../../filters/upstream-jwt/test-keys/rsa.pem");
    let claims = provider(json!({
        "claims_to_headers": [{"claim": "role", "header": "X-Role"}], "forward_payload_header": "X-Payload",
    }));
    let consumers = json!({"consumers": ado(), "anonymous": "guest"});
    let told = session(json!({"request_headers": ["subject", "timeout"]}));
    vec![
        ("key_auth", merged(root_and_ana(), json!({"anonymous": "ana"})), IDENTITY.to_vec()),
        ("jwt_auth", merged(claims, consumers), [&IDENTITY[..], &["x-role", "x-payload"]].concat()),
        ("session", told, [&IDENTITY[..], &["session-subject", "session-timeout"]].concat()),
        ("bot_detection", json!({"action": "tag", "tag_header": "X-Bot"}), vec!["x-bot"]),
        ("upstream_jwt", json!({"private_key": mint, "header": "X-Token"}), vec!["x-token"]),
    ]
}

#[test]
fn no_request_brings_a_header_of_a_filters_own_past_it() {
    for gateway in Gateway::all() {
        for (feature, settings, names) in owners() {
            let elsewhere = json!({"match": {"paths": ["/elsewhere"]}});
            let others = json!({"match": {"methods": ["DELETE"]}});
            for more in [json!({}), elsewhere, others] {
                let skipped = more.get("match").is_some();
                let proxy = gateway.start(&[(feature, merged(settings.clone(), more))]);
                for method in ["GET", "OPTIONS"] {
                    let stream = proxy.send(forged(Request::new(method, "/"), &names));
                    let forwarded = stream.forwarded();
                    for name in &names {
                        let context = format!("{} {feature} {method} {name}", gateway.name);
                        let values = said(&forwarded, name);
                        assert!(!values.iter().any(|value| value == "forged"), "{context}");
                        assert!(values.is_empty() || !skipped, "{context}");
                        taken_out(&gateway, &stream, &name.replace('-', "_"));
                    }
                }
            }
        }
    }
}

#[test]
fn a_header_of_a_filters_own_that_came_twice_is_refused_where_it_cannot_be_removed() {
    for gateway in Gateway::both() {
        for (feature, settings, names) in owners() {
            let elsewhere = merged(settings, json!({"match": {"paths": ["/elsewhere"]}}));
            let proxy = gateway.start(&[(feature, elsewhere)]);
            for name in names {
                let request = Request::get("/").header(name, "one").header(name, "two");
                let stream = proxy.send(request);
                if gateway.is_kong() {
                    assert_eq!(stream.refused().status, 400, "{feature} {name}");
                } else {
                    assert_eq!(said(&stream.forwarded(), name), [""; 0], "{feature} {name}");
                }
            }
        }
    }
}

#[test]
fn the_authorization_of_a_client_goes_on_where_no_token_takes_its_place() {
    for gateway in Gateway::both() {
        let mint = include_str!("../../../filters/upstream-jwt/test-keys/rsa.pem");
        let settings = json!({"private_key": mint, "match": {"paths": ["/elsewhere"]}});
        let proxy = gateway.start(&[("upstream_jwt", settings)]);
        let request = Request::get("/").header("authorization", "Basic eDp5");
        assert_eq!(proxy.send(request).forwarded().headers_named("authorization"), ["Basic eDp5"]);
    }
}

#[test]
fn a_request_on_which_everything_is_right_is_not_edited() {
    for gateway in Gateway::both() {
        let anonymous = merged(root_and_ana(), json!({"anonymous": "ana"}));
        let edits = |filters: &[(&str, Value)]| {
            let proxy = gateway.start(filters);
            let stream = proxy.send(Request::get("/").header("apikey", "key-of-root"));
            let calls = stream.outcome().host_calls;
            calls.named("proxy_replace_header_map_value")
                + calls.named("proxy_remove_header_map_value")
                + calls.named("proxy_add_header_map_value")
        };
        let one = edits(&[("key_auth", root_and_ana())]);
        assert_eq!(one, 3, "{}: id, username, credential", gateway.name);
        let two = edits(&[("key_auth", root_and_ana()), ("key_auth", anonymous)]);
        assert_eq!(two, one, "{}", gateway.name);
    }
}

// === Groups ===

#[test]
fn groups_in_headers_are_believed_only_where_the_operator_says_so() {
    for version in [KongVersion::V3_4, KongVersion::V3_9] {
        let gateway = Gateway::kong_of(version);
        let limits = json!({"hour": 2, "limit_by": "ip", "limits": [{"groups": ["gold"], "hour": 4}],
            "trust_consumer_headers": true});
        let limit = |more: Value, header: &str| {
            let proxy = gateway.start(&[("rate_limiting", merged(limits.clone(), more))]);
            let request = Request::get("/").header("X-Consumer-ID", "1").header(header, "gold");
            let stream = proxy.send(request);
            stream.respond(Response::new(200));
            stream.reply().header("x-ratelimit-limit-hour")
        };
        for header in ["X-Authenticated-Groups", "X-Consumer-Groups"] {
            assert_eq!(limit(json!({}), header).as_deref(), Some("2"), "{header}");
            let trusting = json!({"trust_group_headers": true});
            assert_eq!(limit(trusting, header).as_deref(), Some("4"), "{header}");
        }
    }
}

// === Spellings ===

#[test]
fn a_header_that_is_judged_or_removed_is_so_in_every_spelling() {
    for gateway in Gateway::both() {
        let app = json!({"mappings": {"1": ["portal"]}});
        let proxy = gateway.start(&[("key_auth", root_and_ana()), ("app_id", app.clone())]);
        let ana = || Request::get("/").header("apikey", "key-of-ana");
        let two = ana().header("X-APP-ID", "portal").header("X_APP_ID", "root");
        assert_eq!(proxy.send(two).refused().status, 403, "{}", gateway.name);
        let other = ana().header("X_App-Id", "portal");
        assert_eq!(proxy.send(other).forwarded().headers_named("x_app-id"), ["portal"]);

        let hiding = merged(app, json!({"hide_app_id": true}));
        let proxy = gateway.start(&[("key_auth", root_and_ana()), ("app_id", hiding)]);
        let both = ana().header("X-APP-ID", "portal").header("X_APP_ID", "portal");
        assert_eq!(said(&proxy.send(both).forwarded(), "x-app-id"), [""; 0], "{}", gateway.name);

        let removing = json!({"remove": {"headers": ["x-internal-user"]}});
        let proxy = gateway.start(&[("request_transformer", removing)]);
        let forwarded = proxy.send(forged(Request::get("/"), &["x-internal-user"])).forwarded();
        assert_eq!(said(&forwarded, "x-internal-user"), [""; 0], "{}", gateway.name);

        let hiding =
            merged(root_and_ana(), json!({"key_names": ["api-key"], "hide_credentials": true}));
        let proxy = gateway.start(&[("key_auth", hiding)]);
        let key = Request::get("/").header("API_KEY", "key-of-ana");
        assert_eq!(said(&proxy.send(key).forwarded(), "api-key"), [""; 0], "{}", gateway.name);
    }
}

// === Trailers ===

#[test]
fn a_trailer_never_passes_for_a_header_of_a_filters_own() {
    for gateway in [Gateway::envoy(), Gateway::envoy_holding(), Gateway::kong()] {
        for (feature, settings, names) in owners() {
            let elsewhere = merged(settings.clone(), json!({"match": {"paths": ["/elsewhere"]}}));
            for settings in [settings, elsewhere] {
                let proxy = gateway.start(&[(feature, settings)]);
                let body = Request::new("POST", "/").chunks(&[b"body"]);
                let request = names.iter().fold(body, |request, name| {
                    request.trailer(name, "forged").trailer(&name.replace('-', "_"), "forged")
                });
                let forwarded = proxy.send(request.trailer("x-sum", "1")).forwarded();
                let names: Vec<&str> = forwarded.trailers.iter().map(|(name, _)| &**name).collect();
                let expected: &[&str] = if gateway.is_kong() { &[] } else { &["x-sum"] };
                assert_eq!(names, expected, "{} {feature}", gateway.name);
                assert_eq!((forwarded.text().as_str(), forwarded.complete), ("body", true));
            }
        }
    }
}

#[test]
fn trailers_of_a_request_that_waits_are_cleaned_before_it_goes_on() {
    for gateway in [Gateway::envoy(), Gateway::envoy_holding()] {
        let asks = json!({"admin": {"upstream": crate::gateways::ADMIN}, "key_in_body": gateway.name != "Envoy",
            "allow_on_headers_stop_iteration": gateway.name != "Envoy"});
        let admin = crate::admin::Admin::default();
        let id = admin.holder("ana", "key-of-ana");
        let filters: [Filter; 1] = [gateway.filter("key_auth", asks)];
        let proxy = Proxy::new(gateway.profile.clone(), filters);
        let waiting = |request: Request| {
            let stream = proxy.send(request.trailer("X_Consumer-Id", "0").trailer("x-sum", "1"));
            let call = proxy.call();
            call.answer(admin.answer(&call));
            let forwarded = stream.forwarded();
            assert_eq!(
                forwarded.headers_named("x-consumer-id"),
                std::slice::from_ref(&id),
                "{}",
                gateway.name
            );
            assert_eq!(forwarded.trailers, [("x-sum".to_owned(), b"1".to_vec())]);
            assert!(forwarded.complete);
            forwarded.text()
        };
        let key = Request::new("POST", "/").header("apikey", "key-of-ana");
        assert_eq!(waiting(key.chunks(&[b"bo", b"dy"])), "body");
        if gateway.name != "Envoy" {
            proxy.advance(std::time::Duration::from_secs(120));
            let form = Request::new("POST", "/")
                .header("content-type", "application/x-www-form-urlencoded");
            assert_eq!(waiting(form.chunks(&[b"apikey=", b"key-of-ana"])), "apikey=key-of-ana");
        }
    }
}
