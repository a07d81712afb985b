//! `gatehouse.wasm`, the module that holds all filters: what a `root_id` chooses, and that a chain
//! in one VM does what the single files do.

use crate::every_filter::names;
use crate::gateways::{Gateway, refusal};
use serde_json::{Value, json};
use wasm_tests::{Filter, KongVersion, Level, Profile, Proxy, Request, Response, Standing};

const NAMED: &str = r#"{"host":"envoy"}"#;

fn of_all(name: &str, settings: &Value) -> Filter {
    Filter::of_all(name).config(settings.to_string())
}

#[test]
fn a_root_id_chooses_its_filter_whatever_the_operator_adds() {
    for name in names() {
        let wrong = json!({"unknown_setting": 1});
        let says = format!("gatehouse_{name}: invalid configuration: ");
        for root_id in [name.clone(), format!("gatehouse_{name}"), format!("{name}/of the portal")]
        {
            let filter = || of_all(&name, &wrong).root_id(&root_id);
            let known = Proxy::new(Profile::envoy().vm_configuration(NAMED), [filter()]);
            let reason = known.rejected().unwrap_or_else(|| panic!("{root_id} was loaded"));
            assert!(reason.contains(&says), "{root_id}: {reason}");

            // The first request tells that this is Envoy.
            let unknown = Proxy::new(Profile::envoy(), [filter()]);
            assert_eq!(unknown.rejected(), None, "{root_id}");
            let refused = unknown.send(Request::get("/")).refused();
            assert_eq!(refused.status, 500, "{root_id}");
            assert!(unknown.log_text(Level::Error).contains(&says), "{root_id}");
        }
    }
}

#[test]
fn a_root_id_that_names_no_filter_lets_nothing_through_and_the_log_lists_the_names() {
    for root_id in ["", "gatehouse", "no_such_filter", "key_auth_portal"] {
        let filter = || of_all("cors", &json!({})).root_id(root_id);
        let known = Proxy::new(Profile::envoy().vm_configuration(NAMED), [filter()]);
        let reason = known.rejected().unwrap_or_else(|| panic!("{root_id:?} was loaded"));
        assert!(reason.contains(&format!("root_id: found {root_id:?}")), "{reason}");
        assert!(reason.contains(&names().join(", ")), "{reason}");

        let unknown = Proxy::new(Profile::envoy(), [filter()]);
        for _ in 0..3 {
            assert_eq!(unknown.send(Request::post("/", "body")).refused().status, 500);
        }
        let log = unknown.log_text(Level::Error);
        assert_eq!(log.matches("root_id: found").count(), 1, "once, not for each request: {log}");
    }
}

#[test]
fn kong_cannot_choose_so_every_request_is_refused_and_no_property_is_read() {
    for version in KongVersion::ALL {
        for profile in [
            Profile::kong(version),
            Profile::kong(version).environment("GATEHOUSE_HOST", "kong"),
            Gateway::kong_of(version).profile,
        ] {
            let proxy = Proxy::new(profile, [of_all("cors", &json!({}))]);
            // Kong would serve the route without any filter.
            assert_eq!(proxy.rejected(), None, "{version:?}");
            for request in [Request::get("/"), Request::post("/", "body")] {
                assert_eq!(proxy.send(request).refused().status, 500, "{version:?}");
            }
            let log = proxy.log_text(Level::Error);
            assert!(log.contains("found Kong, expected Envoy"), "{version:?}: {log}");
            assert!(log.contains("gatehouse_key_auth.wasm"), "{version:?}: {log}");
            assert_eq!(proxy.faults(), [], "{version:?}");
        }
    }
}

/// A chain of five, of which `filter` makes each.
fn chain(filter: impl Fn(&str, Value) -> Filter) -> Vec<Filter> {
    let consumers = json!([{
        "username": "ana",
        "keyauth_credentials": [{"id": "credential-1", "key": "key-of-ana"}],
    }]);
    vec![
        filter("cors", json!({"origins": ["https://shop.test"]})),
        filter("key_auth", json!({"consumers": consumers, "hide_credentials": true})),
        filter("app_id", json!({"mappings": {"ana": ["portal"]}})),
        filter("rate_limiting", json!({"minute": 3})),
        filter("request_transformer", json!({"add": {"headers": ["x-chain: five"]}})),
    ]
}

/// What the upstream and the client get for each of a row of requests.
fn seen(proxy: &Proxy) -> Vec<String> {
    let get = |key: &str, app: &str| {
        let request = Request::get("/orders").header("origin", "https://shop.test");
        request.header("apikey", key).header("x-app-id", app)
    };
    let preflight = Request::new("OPTIONS", "/orders")
        .header("origin", "https://shop.test")
        .header("access-control-request-method", "GET");
    let requests = [
        Request::get("/orders"),
        preflight,
        get("unknown", "portal"),
        get("key-of-ana", "another"),
        get("key-of-ana", "portal"),
        get("key-of-ana", "portal"),
        get("key-of-ana", "portal"),
        get("key-of-ana", "portal"),
    ];
    let outcome = |request| {
        let stream = proxy.send(request);
        let forwarded = (stream.standing() == Standing::Forwarded).then(|| stream.forwarded());
        if forwarded.is_some() {
            stream.respond(Response::new(200).with_body("hello"));
        }
        format!("{forwarded:?}\n{:?}", stream.reply())
    };
    requests.into_iter().map(outcome).collect()
}

#[test]
fn a_chain_of_five_in_one_vm_does_what_five_modules_do() {
    for profile in [Profile::envoy(), Profile::envoy().vm_configuration(NAMED)] {
        let files = chain(|name, settings| Filter::built(name).config(settings.to_string()));
        let files = Proxy::new(profile.clone(), files);
        let module = Proxy::new(profile, chain(|name, settings| of_all(name, &settings)));
        assert_eq!(module.vms(), 1);
        let (expected, found) = (seen(&files), seen(&module));
        assert_eq!(found, expected);
        let statuses = ["401", "200", "401", "403", "200", "200", "200", "429"];
        for (outcome, status) in found.iter().zip(statuses) {
            assert!(outcome.contains(&format!("status: {status}")), "{status}: {outcome}");
        }
    }
}

#[test]
fn two_configurations_of_one_filter_in_one_vm_keep_apart() {
    let with = |key: &str, path: &str| {
        json!({
            "match": {"paths": [path]},
            "consumers": [{"username": "ana", "keyauth_credentials": [{"key": key}]}],
        })
    };
    let portal = of_all("key_auth", &with("of-the-portal", "/portal")).root_id("key_auth/portal");
    let api = of_all("key_auth", &with("of-the-api", "/api")).root_id("key_auth/api");
    let proxy = Proxy::new(Profile::envoy().vm_configuration(NAMED), [portal, api]);
    assert_eq!(proxy.vms(), 1);
    let send = |path: &str, key: &str| proxy.send(Request::get(path).header("apikey", key));
    for (path, right, wrong) in
        [("/portal", "of-the-portal", "of-the-api"), ("/api", "of-the-api", "of-the-portal")]
    {
        send(path, right).forwarded();
        assert_eq!(refusal(&send(path, wrong)), (401, "Unauthorized".to_owned()), "{path}");
    }
}
