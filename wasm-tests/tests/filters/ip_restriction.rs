//! ip_restriction on the pretend gateways.

use crate::gateways::{Gateway, refusal};
use serde_json::{Value, json};
use wasm_tests::{Proxy, Request, refused_with};

fn start(gateway: &Gateway, settings: Value) -> Proxy {
    gateway.start(&[("ip_restriction", settings)])
}

fn from(address: &str) -> Request {
    Request::get("/request").client(address, 41_000)
}

#[track_caller]
fn assert_passes(gateway: &Gateway, proxy: &Proxy, request: Request, passes: bool) {
    let stream = proxy.send(request.clone());
    if passes {
        stream.forwarded();
    } else {
        let (status, message) = refusal(&stream);
        assert_eq!(status, 403, "{}: {request:?}", gateway.name);
        assert!(message.starts_with("IP address not allowed: "), "{message}");
    }
}

/// The lists in the specification of Kong's plugin.
#[test]
fn lists_of_addresses_and_networks_decide_as_in_kong() {
    for gateway in Gateway::all() {
        for (settings, address, passes) in [
            (json!({"deny": ["127.0.0.1", "127.0.0.2"]}), "127.0.0.1", false),
            (json!({"deny": ["127.0.0.2"]}), "127.0.0.1", true),
            (json!({"allow": ["127.0.0.2"]}), "127.0.0.1", false),
            (json!({"allow": ["127.0.0.1"]}), "127.0.0.1", true),
            (json!({"deny": ["127.0.0.0/24"]}), "127.0.0.1", false),
            (json!({"allow": ["0.0.0.0/0"]}), "127.0.0.1", true),
            (json!({"allow": ["127.0.0.0/24"], "deny": ["127.0.0.1"]}), "127.0.0.1", false),
            (json!({"allow": ["127.0.0.0/24"], "deny": ["127.0.0.0/24"]}), "127.0.0.1", false),
            (json!({"deny": ["::1", "::2"]}), "::1", false),
            (json!({"deny": ["::2"]}), "::1", true),
            (json!({"deny": ["fe80::/8"]}), "fe80::1", false),
            (json!({"allow": ["::/0"]}), "::1", true),
            (json!({"allow": ["::1/128"], "deny": ["::1"]}), "::1", false),
            (json!({"deny": ["10.0.0.0/8"]}), "::ffff:10.0.0.1", false),
        ] {
            assert_passes(&gateway, &start(&gateway, settings), from(address), passes);
        }
    }
}

#[test]
fn a_refusal_has_kongs_words_or_the_operators() {
    for gateway in Gateway::both() {
        let stream = start(&gateway, json!({"deny": ["127.0.0.1"]})).send(from("127.0.0.1"));
        assert_eq!(refusal(&stream), refused_with(403, "IP address not allowed: 127.0.0.1"));
        let own = json!({"deny": ["127.0.0.1"], "status": 401, "message": "Forbidden"});
        assert_eq!(
            refusal(&start(&gateway, own).send(from("127.0.0.1"))),
            refused_with(401, "Forbidden")
        );
    }
}

#[test]
fn behind_trusted_proxies_their_header_says_who_it_is() {
    for gateway in Gateway::both() {
        let settings = |header: &str| {
            json!({"allow": ["127.0.0.4", "::4"], "real_ip_header": header,
            "trusted_proxies": ["127.0.0.1", "127.0.0.3", "::3"]})
        };
        for (address, header, value, passes) in [
            ("127.0.0.1", "X-Forwarded-For", "127.0.0.4", true),
            ("127.0.0.1", "X-Forwarded-For", "127.0.0.3", false),
            ("127.0.0.1", "X-Forwarded-For", "127.0.0.4, 127.0.0.3", true),
            ("127.0.0.1", "X-Forwarded-For", "127.0.0.4, 127.0.0.5", false),
            ("127.0.0.1", "X-Forwarded-For", "::4, ::3", true),
            ("127.0.0.5", "X-Forwarded-For", "127.0.0.4", false),
            ("127.0.0.1", "Forwarded", "for=127.0.0.4;proto=http, for=\"[::3]:80\"", true),
            ("127.0.0.1", "X-Real-IP", "127.0.0.4", true),
        ] {
            let proxy = start(&gateway, settings(header));
            assert_passes(&gateway, &proxy, from(address).header(header, value), passes);
        }
        let proxy = start(&gateway, settings("X-Forwarded-For"));
        let hidden = proxy.send(from("127.0.0.1").header("X-Forwarded-For", "unknown"));
        assert_eq!(refusal(&hidden), refused_with(403, "Cannot identify the client IP address"));
    }
}

/// envoyproxy/envoy#9127: Envoy appends its own address to the header, nginx appends nothing.
#[test]
fn behind_a_proxy_on_the_same_machine_the_client_is_who_came_to_that_proxy() {
    for gateway in Gateway::both() {
        let settings = json!({"deny": ["203.0.113.0/24"], "trusted_proxies": ["127.0.0.1"]});
        let proxy = start(&gateway, settings);
        let own = if gateway.is_kong() { "" } else { ", 192.0.2.15" };
        for (value, passes) in [
            ("203.0.113.9", false),
            ("198.51.100.1, 203.0.113.9", false),
            ("203.0.113.9, 198.51.100.1", true),
        ] {
            let request = from("127.0.0.1").header("X-Forwarded-For", format!("{value}{own}"));
            assert_passes(&gateway, &proxy, request, passes);
        }
    }
}

#[test]
fn a_clients_word_about_its_own_address_is_not_believed() {
    for gateway in Gateway::both() {
        let proxy = start(&gateway, json!({"allow": ["127.0.0.4"]}));
        for header in ["X-Forwarded-For", "X-Real-IP", "Forwarded"] {
            assert_passes(&gateway, &proxy, from("127.0.0.1").header(header, "127.0.0.4"), false);
        }
    }
}

#[test]
fn a_request_without_an_address_is_refused() {
    let kong = Gateway::kong();
    let stream = start(&kong, json!({"deny": ["10.0.0.0/8"]})).send(from("unix:"));
    let message = "Cannot identify the client IP address, unix domain sockets are not supported.";
    assert_eq!(refusal(&stream), refused_with(403, message));
}

#[test]
fn ten_thousand_networks_are_a_configuration_like_any_other() {
    let deny: Vec<String> = (0..10_000_u32)
        .map(|n| format!("{}.{}.{}.0/24", 11 + n / 4096, n / 16 % 256, n % 16))
        .collect();
    for gateway in Gateway::both() {
        let proxy = start(&gateway, json!({"deny": deny}));
        assert_passes(&gateway, &proxy, from("11.5.3.77"), false);
        assert_passes(&gateway, &proxy, from("10.5.3.77"), true);
    }
}
