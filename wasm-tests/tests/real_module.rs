//! `gatehouse.wasm`, the module that holds all filters, on a real Envoy.

use serde_json::{Value, json};
use wasm_tests::merged;
use wasm_tests::real::{Echo, Envoy, Filter, Gateway, RawRequest, Setup};

/// A chain of five. All of it is in one VM if the filters have one module.
fn chain(admin: &Value, of_all: bool) -> Vec<Filter> {
    let asking = |more: Value| merged(json!({"admin": admin}), more);
    let settings = [
        ("cors", json!({"origins": ["https://shop.test"]})),
        ("key_auth", asking(json!({"hide_credentials": true}))),
        ("app_id", asking(json!({}))),
        ("rate_limiting", json!({"hour": 1000, "hide_client_headers": true})),
        ("request_transformer", json!({"add": {"headers": ["x-chain: five"]}})),
    ];
    let filter = |(name, settings): (&str, Value)| {
        let filter = Filter::new(name, &settings).vm_id("chain");
        if of_all { filter.of_all().root_id(&format!("{name}/of the chain")) } else { filter }
    };
    settings.into_iter().map(filter).collect()
}

/// The status and message for each of a row of requests, and what the upstream got of the last.
fn seen(gateway: &Gateway) -> Vec<String> {
    gateway.consumer("ana", "key-of-ana", &["portal"]);
    let get = |key: &str, app: &str| {
        let request = RawRequest::get("/orders").header("origin", "https://shop.test");
        request.header("apikey", key).header("x-app-id", app)
    };
    let right = get("key-of-ana", "portal");
    gateway.settle(std::slice::from_ref(&right));
    let preflight = RawRequest::new("OPTIONS", "/orders")
        .header("origin", "https://shop.test")
        .header("access-control-request-method", "GET");
    let requests = [
        RawRequest::get("/orders"),
        preflight,
        get("unknown", "portal"),
        get("key-of-ana", "another"),
    ];
    let answer = |request| {
        let answer = gateway.send(request);
        let allowed = answer.header("access-control-allow-origin");
        // The rest of a refusal names the request.
        let message =
            if answer.status() < 400 { Value::Null } else { answer.json()["message"].clone() };
        format!("{} {allowed:?} {message}", answer.status())
    };
    let mut seen: Vec<String> = requests.iter().map(answer).collect();
    let received = gateway.passed(&right);
    for name in ["x-consumer-username", "x-chain", "apikey", "x-app-id", "origin"] {
        seen.push(format!("{name}: {:?}", received.header(name)));
    }
    seen
}

#[test]
fn a_chain_of_five_in_one_vm_does_what_five_modules_do() {
    let files = Gateway::start(|admin| chain(admin, false));
    let module = Gateway::start(|admin| chain(admin, true));
    let vms = |gateway: &Gateway| gateway.envoy.stat("wasm.envoy.wasm.runtime.v8.active");
    assert_eq!((vms(&files) % 5, vms(&module)), (0, vms(&files) / 5), "one VM for each thread");
    let (expected, found) = (seen(&files), seen(&module));
    assert_eq!(found, expected);
    let beginnings = ["401 ", "200 ", "401 ", "403 ", "x-consumer-username: Some(\"ana\")"];
    for (seen, beginning) in found.iter().zip(beginnings) {
        assert!(seen.starts_with(beginning), "{beginning}: {seen}");
    }
}

fn start(root_id: &str, names_host: bool) -> Result<(Echo, Envoy), String> {
    let echo = Echo::start();
    let filter = Filter::new("cors", &json!({})).of_all().root_id(root_id);
    let filter = if names_host { filter } else { filter.without_host_name() };
    let envoy = Envoy::try_start(&Setup::new(echo.address(), vec![filter]))?;
    Ok((echo, envoy))
}

#[test]
fn envoy_does_not_start_with_a_root_id_that_names_no_filter() {
    for root_id in ["", "key_auth_portal"] {
        let log = start(root_id, true).err().unwrap_or_else(|| panic!("{root_id:?} was taken"));
        assert!(log.contains(&format!("root_id: found {root_id:?}")), "{log}");
        assert!(log.contains("app_id, bot_detection, cors"), "{log}");
    }
}

#[test]
fn a_host_that_nobody_has_named_tells_with_the_first_request() {
    let (echo, envoy) = start("gatehouse_cors/a", false).expect("an Envoy");
    let answer = envoy.send(&RawRequest::get("/").header("origin", "https://a.test"));
    assert_eq!((answer.status(), echo.count()), (200, 1));
    assert_eq!(answer.header("access-control-allow-origin").as_deref(), Some("*"));

    let (echo, envoy) = start("nothing", false).expect("an Envoy");
    for _ in 0..2 {
        assert_eq!(envoy.send(&RawRequest::get("/")).status(), 500);
    }
    assert_eq!((echo.count(), envoy.log().matches("root_id: found").count()), (0, 1));
}
