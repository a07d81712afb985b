//! ip_restriction on a real Envoy.

use super::Gateway;
use serde_json::json;
use wasm_tests::real::{Echo, Filter, Proxy, RawRequest, Setup};
use wasm_tests::refused_with;

#[test]
fn the_address_of_the_connection_decides() {
    let echo = Echo::start();
    let cases = [
        ("denied", json!({"deny": ["127.0.0.1"]}), Err("IP address not allowed: 127.0.0.1")),
        (
            "network",
            json!({"deny": ["127.0.0.0/8"], "allow": ["127.0.0.1"]}),
            Err("IP address not allowed: 127.0.0.1"),
        ),
        (
            "elsewhere",
            json!({"allow": ["10.0.0.0/8", "::1"]}),
            Err("IP address not allowed: 127.0.0.1"),
        ),
        ("words", json!({"deny": ["0.0.0.0/0"], "message": "Forbidden"}), Err("Forbidden")),
        ("allowed", json!({"allow": ["127.0.0.0/24"]}), Ok(())),
        ("other", json!({"deny": ["127.0.0.2", "::/0"]}), Ok(())),
    ];
    let mut setup = Setup::new(echo.address(), Vec::new()).at_the_edge();
    for (name, settings, _) in &cases {
        setup = setup.listener(name, vec![Filter::new("ip_restriction", settings)]);
    }
    let envoy = Proxy::start(&setup);
    for (name, _, expected) in cases {
        let answer =
            RawRequest::get("/").header("x-forwarded-for", "10.1.1.1").send(envoy.address(name));
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        match expected {
            Ok(()) => assert_eq!(answer.status(), 200, "{name}"),
            Err(text) => assert_eq!((answer.status(), message.as_str()), (403, text), "{name}"),
        }
    }
}

#[test]
fn behind_trusted_proxies_their_header_says_who_it_is() {
    let echo = Echo::start();
    // For a connection over loopback Envoy writes the machine's own address into the header. It is
    // an IPv4 address, and the clients here have IPv6 addresses.
    let settings = |header: &str| json!({"allow": ["2001:db8::4"], "real_ip_header": header, "trusted_proxies": ["0.0.0.0/0"]});
    let listed = vec![Filter::new("ip_restriction", &settings("X-Forwarded-For"))];
    let standard = vec![Filter::new("ip_restriction", &settings("Forwarded"))];
    let setup = Setup::new(echo.address(), listed).listener("standard", standard).at_the_edge();
    let envoy = Proxy::start(&setup);
    for (listener, header, value, status) in [
        ("main", "x-forwarded-for", "2001:db8::4", 200),
        ("main", "x-forwarded-for", "2001:db8::4, 10.0.0.1", 200),
        ("main", "x-forwarded-for", "[2001:db8::4]:80, ::ffff:10.0.0.1", 200),
        ("main", "x-forwarded-for", "2001:db8::4, 2001:db8::5, 10.0.0.1", 403),
        ("main", "x-forwarded-for", "nobody", 403),
        ("main", "forwarded", "for=\"[2001:db8::4]\"", 403),
        ("standard", "forwarded", "for=\"[2001:db8::4]\";proto=https, for=\"10.0.0.1:80\"", 200),
        ("standard", "forwarded", "for=\"[2001:db8::4]:80\"", 200),
        ("standard", "forwarded", "for=_hidden", 403),
        ("standard", "x-forwarded-for", "2001:db8::4", 403),
    ] {
        let answer = RawRequest::get("/").header(header, value).send(envoy.address(listener));
        assert_eq!(answer.status(), status, "{listener} {header}: {value}: {}", answer.text());
    }
}

/// envoyproxy/envoy#9127: for a connection over loopback Envoy writes its own address into the
/// header.
#[test]
fn behind_a_proxy_on_the_same_machine_the_client_is_who_came_to_that_proxy() {
    let echo = Echo::start();
    let settings = json!({"deny": ["203.0.113.0/24"], "trusted_proxies": ["127.0.0.1"]});
    let filters = vec![Filter::new("ip_restriction", &settings)];
    let envoy = Proxy::start(&Setup::new(echo.address(), filters).at_the_edge());
    for (value, status) in [
        ("203.0.113.9", 403),
        ("198.51.100.1, 203.0.113.9", 403),
        ("203.0.113.9, 198.51.100.1", 200),
        ("nobody", 403),
    ] {
        let answer = envoy.send(&RawRequest::get("/").header("x-forwarded-for", value));
        assert_eq!(answer.status(), status, "{value}: {}", answer.text());
    }
    assert_eq!(envoy.send(&RawRequest::get("/")).status(), 200);
}

/// Operators should not run Envoy like this: the README tells them to set `use_remote_address`.
#[test]
fn an_envoy_that_is_not_told_to_be_the_edge_believes_the_header_itself() {
    let gateway = Gateway::start("ip_restriction", json!({"deny": ["192.0.2.7"]}));
    let refused = gateway.refused(&RawRequest::get("/").header("x-forwarded-for", "192.0.2.7"));
    assert_eq!(refused, refused_with(403, "IP address not allowed: 192.0.2.7"));
}
