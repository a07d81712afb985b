//! Requests that become tunnels: no filter waits for a body that has no end, on any gateway.

use crate::gateways::Gateway;
use serde_json::{Value, json};
use wasm_tests::{Proxy, Request, Standing, Stream, merged};

/// The handshake of a WebSocket, and a CONNECT. Envoy shows filters an extended CONNECT of HTTP/2
/// as the former.
fn handshakes() -> [Request; 2] {
    let upgrade = Request::get("/chat").header("connection", "keep-alive, Upgrade");
    [upgrade.header("upgrade", "websocket").tunnel(), Request::new("CONNECT", "/").tunnel()]
        .map(|request| request.header("content-type", "application/json").header("apikey", "right"))
}

/// Every filter that can wait for bodies, with settings that make it do so.
fn waiting() -> [(&'static str, Value); 4] {
    [
        ("request_transformer", json!({"add": {"body": ["a:b"]}, "remove": {"body": ["c"]}})),
        (
            "key_auth",
            json!({"key_in_body": true,
                "consumers": [{"username": "ana", "keyauth_credentials": [{"key": "right"}]}]}),
        ),
        (
            "upstream_jwt",
            json!({"body_hash": true, "private_key": include_str!("../../../filters/upstream-jwt/test-keys/rsa.pem")}),
        ),
        ("session", json!({"secret": "a secret of every node", "read_body_for_logout": true})),
    ]
}

fn start(gateway: &Gateway, filter: &str, settings: Value) -> Proxy {
    let holds = gateway.name == Gateway::envoy_holding().name;
    gateway.start(&[(filter, merged(settings, json!({"allow_on_headers_stop_iteration": holds})))])
}

/// Checks that bytes after the handshake go straight on.
fn carries(gateway: &Gateway, stream: &Stream) {
    if !gateway.is_kong() {
        stream.push(b"a frame", false);
        assert_eq!(stream.forwarded().text(), "a frame", "{}", gateway.name);
    }
}

#[test]
fn an_upgrade_or_a_connect_goes_on_at_its_headers() {
    for gateway in Gateway::giving_bodies() {
        for (filter, settings) in waiting() {
            let proxy = start(&gateway, filter, settings);
            for request in handshakes() {
                let told = format!("{} {filter} {request:?}", gateway.name);
                let stream = proxy.open(request);
                assert_eq!(stream.standing(), Standing::Forwarded, "{told}");
                carries(&gateway, &stream);
            }
        }
    }
}

#[test]
fn an_upgrade_is_answered_at_its_headers() {
    for gateway in Gateway::giving_bodies() {
        let proxy =
            start(&gateway, "request_termination", json!({"status_code": 410, "echo": true}));
        for request in handshakes() {
            assert_eq!(proxy.open(request).refused().status, 410, "{}", gateway.name);
        }
    }
}

#[test]
fn a_body_with_a_length_is_a_body_whatever_the_request_says_about_an_upgrade() {
    let settings = json!({"remove": {"body": ["role"]}});
    for gateway in Gateway::giving_bodies() {
        let request = Request::post("/", r#"{"role":"admin","a":1}"#)
            .header("content-type", "application/json")
            .header("connection", "Upgrade")
            .header("upgrade", "websocket");
        let stream = start(&gateway, "request_transformer", settings.clone()).send(request);
        assert_eq!(stream.forwarded().text(), r#"{"a":1}"#, "{}", gateway.name);
    }
}
