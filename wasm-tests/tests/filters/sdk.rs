//! A filter that is written with the crate `proxy-wasm` (`wasm-tests/sdk-filter`), in one chain
//! with ours: it learns the identity, and changes nothing of what ours decide.

use crate::admin::Admin;
use crate::gateways::{Gateway, asking, refusal, settled};
use serde_json::json;
use std::time::Duration;
use wasm_tests::{
    Answer, Callback, Filter, KongVersion, Proxy, Request, Response, Standing, Stream, exports,
    imports_not_everywhere, sdk_module,
};

/// The request header that the filter sets to the consumer's name.
const HEADER: &str = "x-sdk-consumer";

fn gateways() -> Vec<Gateway> {
    let mut all = vec![Gateway::envoy(), Gateway::envoy_holding(), Gateway::kong_sharing()];
    all.extend(KongVersion::ALL.map(Gateway::kong_of));
    all
}

fn ours(gateway: &Gateway) -> [Filter; 2] {
    let app_ids = json!({"mappings": {"ana": ["portal"]}});
    [gateway.filter("key_auth", asking(json!({}))), gateway.filter("app_id", app_ids)]
}

/// key_auth, which asks an admin service that knows `ana`, then the SDK's filter, then app_id.
fn start(gateway: &Gateway) -> Proxy {
    let [key_auth, app_id] = ours(gateway);
    serving(gateway, vec![key_auth, Filter::sdk("sdk_filter"), app_id])
}

fn serving(gateway: &Gateway, chain: Vec<Filter>) -> Proxy {
    let proxy = Proxy::new(gateway.profile.clone(), chain);
    let admin = Admin::default();
    admin.holder("ana", "open_sesame");
    admin.serve(&proxy);
    proxy
}

fn with_key(key: &str) -> Request {
    Request::get("/orders").header("apikey", key).header("x-app-id", "portal")
}

/// Sends a request twice: Kong 3.8 and older, where no request waits for a callout, look the key up
/// in between.
fn twice(proxy: &Proxy, request: &Request) -> Stream {
    settled(&[proxy]);
    proxy.send(request.clone());
    proxy.advance(Duration::from_secs(5));
    proxy.send(request.clone())
}

#[test]
fn a_filter_of_the_sdk_between_two_of_ours_learns_whom_key_auth_has_found() {
    for gateway in gateways() {
        let proxy = start(&gateway);
        let stream = twice(&proxy, &with_key("open_sesame").header(HEADER, "forged"));
        let forwarded = stream.forwarded();
        for name in [HEADER, "x-consumer-username"] {
            assert_eq!(forwarded.headers_named(name), ["ana"], "{}: {name}", gateway.name);
        }
        stream.respond(Response::new(200).with_body("hello"));
        assert_eq!(stream.reply().text(), "hello", "{}", gateway.name);
    }
}

#[test]
fn a_filter_of_the_sdk_learns_the_identity_also_where_the_request_waits_for_it() {
    for gateway in Gateway::all() {
        let forwarded = start(&gateway).send(with_key("open_sesame")).forwarded();
        assert_eq!(forwarded.headers_named(HEADER), ["ana"], "{}", gateway.name);
    }
}

#[test]
fn a_filter_of_the_sdk_changes_no_refusal_of_a_filter_before_or_after_it() {
    for gateway in gateways() {
        let without = serving(&gateway, ours(&gateway).to_vec());
        let with = start(&gateway);
        for (request, status) in [
            (Request::get("/"), 401),
            (with_key("unknown"), 401),
            (with_key("open_sesame").header("x-app-id", "stranger"), 403),
        ] {
            let expected = refusal(&twice(&without, &request));
            let found = refusal(&twice(&with, &request));
            assert_eq!(found, expected, "{}", gateway.name);
            assert_eq!(found.0, status, "{}", gateway.name);
        }
    }
}

#[test]
fn after_a_refusal_from_a_callouts_answer_kong_runs_the_sdks_filter_which_leaves_the_request_alone()
{
    for (gateway, runs) in [(Gateway::envoy(), 0), (Gateway::kong(), 1)] {
        let key_auth = ours(&gateway)[0].clone();
        let proxy = serving(&gateway, vec![key_auth, Filter::sdk("sdk_filter")]);
        let stream = proxy.send(with_key("unknown").header(HEADER, "forged"));
        assert_eq!(stream.refused().status, 401, "{}", gateway.name);
        let outcome = stream.outcome();
        // key_auth ran once itself.
        assert_eq!(outcome.times(Callback::RequestHeaders), 1 + runs, "{}", gateway.name);
        let sets = outcome.host_calls.named("proxy_replace_header_map_value");
        assert_eq!(sets, 0, "{}", gateway.name);
    }
}

#[test]
fn a_client_that_nobody_has_authenticated_cannot_set_the_header_of_the_sdks_filter() {
    for gateway in gateways() {
        let elsewhere = asking(json!({"match": {"paths": ["/elsewhere"]}}));
        let key_auth = gateway.filter("key_auth", elsewhere);
        let proxy = serving(&gateway, vec![key_auth, Filter::sdk("sdk_filter")]);
        let stream = proxy.send(Request::get("/").header(HEADER, "forged"));
        assert_eq!(stream.forwarded().headers_named(HEADER), [""], "{}", gateway.name);
    }
}

/// Kong's worker ends at the first event for which a module has no callback.
#[test]
fn the_sdk_exports_every_callback_that_our_filters_export_and_needs_nothing_that_a_gateway_lacks() {
    let ours = std::fs::read(wasm_tests::filters_directory().join("gatehouse_key_auth.wasm"));
    let ours = exports(&ours.expect("key_auth"));
    for name in ["sdk_filter", "sdk_empty"] {
        let wasm = std::fs::read(sdk_module(name)).expect("a module");
        let theirs = exports(&wasm);
        let missing: Vec<&String> = ours
            .iter()
            .filter(|export| export.starts_with("proxy_on_") && !theirs.contains(export))
            .collect();
        assert_eq!(missing, [""; 0], "{name}");
        assert_eq!(imports_not_everywhere(&wasm), [], "{name}");
    }
}

/// A filter that asks a service about each request, with the SDK's own getters and dispatcher. What
/// the following tests state of it is what `docs/adr/0001-own-abi-layer.md` says of the SDK.
fn asking_with_the_sdk(gateway: &Gateway) -> Proxy {
    let service = if gateway.is_kong() { "127.0.0.1:8001" } else { "service" };
    Proxy::new(gateway.profile.clone(), [Filter::sdk("sdk_asking").config(service)])
}

#[test]
fn one_byte_that_is_not_utf_8_traps_in_the_getters_of_the_sdk() {
    for (gateway, status) in [(Gateway::envoy(), 503), (Gateway::kong(), 500)] {
        let proxy = asking_with_the_sdk(&gateway);
        let stream = proxy.send(Request::get("/").header("x-key", b"\xff"));
        let outcome = stream.outcome();
        assert_eq!(outcome.traps.len(), 1, "{}", gateway.name);
        assert_eq!(outcome.reply.map(|reply| reply.status), Some(status), "{}", gateway.name);
        proxy.faults();
    }
}

#[test]
fn a_callouts_answer_that_was_cut_short_traps_in_the_getters_of_the_sdk_on_envoy() {
    let proxy = asking_with_the_sdk(&Gateway::envoy());
    let stream = proxy.send(Request::get("/"));
    stream.call().answer(Answer::EndInBody(Response::new(403), 100));
    assert_eq!((stream.outcome().traps.len(), stream.standing()), (1, Standing::Held));
    proxy.faults();
}

#[test]
fn after_a_trap_the_dispatcher_of_the_sdk_lets_kong_forward_what_its_filter_would_refuse() {
    let proxy = asking_with_the_sdk(&Gateway::kong());
    let waiting = proxy.send(Request::get("/"));
    proxy.send(Request::get("/").header("x-key", b"\xff"));
    // A fresh instance takes the answer, and its dispatcher does not know the token.
    waiting.call().answer(Response::new(403));
    assert_eq!(waiting.standing(), Standing::Forwarded);
    assert_eq!(proxy.faults().len(), 2);
}
