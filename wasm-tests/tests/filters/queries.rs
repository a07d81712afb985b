//! Filters that change the query one after the other. On Kong each is shown the query that the
//! client has sent, and none of them may bring back what an earlier one has taken out.

use crate::gateways::Gateway;
use serde_json::{Value, json};
use wasm_tests::{KongVersion, Request};

const FORM: &str = "application/x-www-form-urlencoded";

/// Settings of key_auth that look for ana's key under this name, and hide it.
fn hiding(name: &str) -> Value {
    json!({
        "key_names": [name], "hide_credentials": true,
        "consumers": [{"username": "ana", "keyauth_credentials": [{"key": "right"}]}],
    })
}

fn gateways() -> impl Iterator<Item = Gateway> {
    Gateway::both().into_iter().chain(KongVersion::ALL.map(Gateway::kong_of))
}

#[test]
fn a_hidden_key_stays_hidden_behind_a_filter_that_hides_another() {
    for gateway in gateways() {
        let chain = [("key_auth", hiding("first")), ("key_auth", hiding("second"))];
        let stream = gateway.start(&chain).send(Request::get("/?first=right&b=1&second=right"));
        assert_eq!(stream.forwarded().path, "/?b=1", "{}", gateway.name);
    }
}

#[test]
fn a_removed_parameter_stays_away_behind_a_filter_that_hides_a_key() {
    let removing = json!({"remove": {"querystring": ["role"]}, "add": {"querystring": ["c:2"]}});
    for gateway in gateways() {
        let chain = [("request_transformer", removing.clone()), ("key_auth", hiding("apikey"))];
        let stream = gateway.start(&chain).send(Request::get("/?role=admin&b=1&apikey=right"));
        assert_eq!(stream.forwarded().path, "/?b=1&c=2", "{}", gateway.name);
    }
}

/// Kong runs the later filters while key_auth waits for the body, and only then is the key hidden.
#[test]
fn a_parameter_that_is_removed_while_a_body_is_awaited_stays_away() {
    let removing = json!({"remove": {"querystring": ["role"]}});
    for gateway in Gateway::giving_bodies() {
        let mut first = hiding("apikey");
        first["key_in_body"] = true.into();
        first["allow_on_headers_stop_iteration"] = (!gateway.is_kong()).into();
        let chain = [("key_auth", first), ("request_transformer", removing.clone())];
        let request = Request::post("/?role=admin&b=1&apikey=right", "a=1");
        let stream = gateway.start(&chain).send(request.header("content-type", FORM));
        assert_eq!(stream.forwarded().path, "/?b=1", "{}", gateway.name);
    }
}

/// A form becomes part of the query only when the body is there, and on Kong later filters have
/// changed the query by then.
#[test]
fn a_form_that_joins_the_query_undoes_nothing_that_later_filters_have_changed() {
    let mut later = hiding("apikey");
    for gateway in Gateway::giving_bodies() {
        let stop = json!(!gateway.is_kong());
        later["allow_on_headers_stop_iteration"] = stop.clone();
        let moving = json!({
            "http_method": "GET", "remove": {"querystring": ["role"]},
            "allow_on_headers_stop_iteration": stop,
        });
        let changing =
            json!({"replace": {"querystring": ["b:2"]}, "add": {"querystring": ["c:3"]}});
        let chain = [
            ("request_transformer", moving),
            ("key_auth", later.clone()),
            ("request_transformer", changing),
        ];
        for length in [true, false] {
            let request = Request::post("/?role=admin&b=1&d=4&apikey=right", "a=1&role=admin");
            let request = request.header("content-type", FORM);
            let request = if length { request } else { request.chunks(&[b"a=1&ro", b"le=admin"]) };
            let stream = gateway.start(&chain).send(request);
            let path = stream.forwarded().path;
            let mut pieces: Vec<&str> = path.trim_start_matches("/?").split('&').collect();
            pieces.sort_unstable();
            assert_eq!(pieces, ["a=1", "b=2", "c=3", "d=4"], "{}: {path}", gateway.name);
        }
    }
}
