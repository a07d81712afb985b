//! The places of a token in a request, and the removal of a token on its way to the upstream.

use super::answers::{From, start, unauthorized};
use super::bearing;
use crate::gateways::{Gateway, refusal, taken_out};
use serde_json::{Value, json};
use wasm_tests::tokens::{SEED, ado};
use wasm_tests::{Request, refused_with};

fn everywhere(more: Value) -> Value {
    let places = json!({
        "uri_param_names": ["jwt", "t"], "cookie_names": ["crumble", "silly"],
        "header_names": ["authorization", "X-Token"],
    });
    wasm_tests::merged(places, more)
}

#[test]
fn query_cookie_and_header_carry_tokens_as_kong_reads_them() {
    for gateway in Gateway::all() {
        let (proxy, _) = start(&gateway, From::Settings, everywhere(json!({})));
        let escaped = wasm_tests::percent_encoded(SEED);
        for request in [
            Request::get(&format!("/?jwt={SEED}")),
            Request::get(&format!("/?a=b&t={SEED}&jwt=")),
            Request::get(&format!("/?j%77t={escaped}")),
            Request::get("/").header("cookie", format!("silly={SEED}")),
            Request::get("/").header("cookie", format!("a=b; Crumble={SEED}; c=d")),
            Request::get("/").header("Authorization", format!("bearer {SEED}")),
            Request::get("/").header("authorization", format!("Basic x, Bearer  {SEED}")),
            Request::get("/").header("x-token", format!("Bearer {SEED}")),
            Request::get("/").header("X_Token", format!("Bearer {SEED}")),
            // One token in several places is one token.
            Request::get(&format!("/?jwt={SEED}&t={SEED}"))
                .header("cookie", format!("crumble={SEED}; silly={SEED}"))
                .bearer(SEED)
                .header("x-token", format!("Bearer {SEED}")),
            // RFC 9110, section 11.1: the scheme is not case-sensitive.
            Request::get("/").header("authorization", format!("BEARER {SEED}")),
        ] {
            let stream = proxy.send(request);
            let found = stream.forwarded().header("x-credential-identifier");
            assert_eq!(found.as_deref(), Some("adokey"), "{}", gateway.name);
        }
    }
}

/// Kong/kong#5713, #11796. Envoy joins the values of a header with commas; Kong shows them one by
/// one.
#[test]
fn each_value_of_a_header_is_judged_in_any_order_on_both_hosts() {
    let token = format!("Bearer {SEED}");
    let other = format!("Bearer {}", ado(json!({"n": 1})));
    let basic = "Basic YTpi".to_owned();
    for gateway in Gateway::all() {
        let (proxy, _) = start(&gateway, From::Settings, json!({}));
        for (values, passes) in [
            ([&token, &token], true),
            ([&token, &basic], true),
            ([&basic, &token], true),
            ([&token, &other], false),
            ([&other, &token], false),
        ] {
            let apart = values.iter().fold(Request::get("/"), |request, value| {
                request.header("authorization", value.as_str())
            });
            let joined = values.map(String::as_str).join(",");
            let joined = Request::get("/").header("authorization", joined);
            for request in [apart, joined] {
                let stream = proxy.send(request);
                if passes {
                    let found = stream.forwarded().header("x-credential-identifier");
                    assert_eq!(found.as_deref(), Some("adokey"), "{}", gateway.name);
                } else {
                    unauthorized(&stream, "Multiple tokens provided", gateway.name);
                }
            }
        }
    }
}

#[test]
fn two_different_tokens_are_refused_wherever_they_are() {
    let other = ado(json!({"n": 1}));
    type Place<'a> = &'a dyn Fn(Request, &str) -> Request;
    let places: [Place<'_>; 3] = [
        &|request, token| request.header("cookie", format!("silly={token}")),
        &|request, token| request.bearer(token),
        &|request, token| request.header("x-token", format!("Bearer {token}")),
    ];
    for gateway in Gateway::both() {
        let (proxy, _) = start(&gateway, From::Settings, everywhere(json!({})));
        for (n, first) in places.iter().enumerate() {
            let query = Request::get(&format!("/?jwt={other}"));
            let stream = proxy.send(first(query, SEED));
            unauthorized(&stream, "Multiple tokens provided", gateway.name);
            for second in &places[n + 1..] {
                let stream = proxy.send(second(first(Request::get("/"), SEED), &other));
                unauthorized(&stream, "Multiple tokens provided", gateway.name);
            }
        }
    }
}

#[test]
fn a_token_stays_where_it_is_unless_it_is_to_be_hidden() {
    for gateway in Gateway::all() {
        let (proxy, _) = start(&gateway, From::Settings, everywhere(json!({})));
        let request = Request::get(&format!("/?jwt={SEED}"))
            .header("cookie", format!("silly={SEED}"))
            .bearer(SEED);
        let forwarded = proxy.send(request).forwarded();
        assert_eq!(forwarded.path, format!("/?jwt={SEED}"));
        assert_eq!(forwarded.header("cookie"), Some(format!("silly={SEED}")));
        assert_eq!(forwarded.header("authorization"), Some(format!("Bearer {SEED}")));
    }
}

#[test]
fn a_hidden_token_leaves_every_place_and_nothing_else_does() {
    for gateway in Gateway::all() {
        let hidden = everywhere(json!({"hide_credentials": true}));
        let (proxy, _) = start(&gateway, From::Settings, hidden);
        for (path, left) in [
            (format!("/a%20b?z=%7e&jwt={SEED}&a=1"), "/a%20b?z=%7e&a=1"),
            (format!("/a%20b?jwt={SEED}"), "/a%20b"),
            (format!("/?b&j%77t={SEED}&t={SEED}&c=%zz"), "/?b&c=%zz"),
        ] {
            assert_eq!(proxy.send(Request::get(&path)).forwarded().path, left, "{}", gateway.name);
        }

        let cookies = format!("a=b; SILLY={SEED}; c=\"d\"");
        let stream = proxy.send(Request::get("/").header("cookie", cookies));
        assert_eq!(
            stream.forwarded().headers_named("cookie"),
            ["a=b; c=\"d\""],
            "{}",
            gateway.name
        );
        let stream = proxy.send(Request::get("/").header("cookie", format!("silly={SEED}")));
        taken_out(&gateway, &stream, "cookie");

        let stream = proxy.send(bearing(SEED).header("x-token", "Basic x"));
        taken_out(&gateway, &stream, "authorization");
        assert_eq!(stream.forwarded().header("x-token").as_deref(), Some("Basic x"));

        // The token is in every place at once.
        let request = Request::get(&format!("/?jwt={SEED}&k=1"))
            .header("cookie", format!("crumble={SEED}"))
            .header("X-Token", format!("Bearer {SEED}"));
        let stream = proxy.send(request);
        assert_eq!(stream.forwarded().path, "/?k=1");
        taken_out(&gateway, &stream, "cookie");
        taken_out(&gateway, &stream, "x-token");
    }
}

#[test]
fn a_second_header_that_kong_cannot_take_out_is_refused_there() {
    let twice = || bearing(SEED).bearer(SEED);
    let hidden = || json!({"hide_credentials": true});
    for gateway in [Gateway::envoy(), Gateway::envoy_holding()] {
        let (proxy, _) = start(&gateway, From::Settings, hidden());
        taken_out(&gateway, &proxy.send(twice()), "authorization");
    }
    for gateway in [Gateway::kong(), Gateway::kong_sharing()] {
        let (proxy, _) = start(&gateway, From::Settings, hidden());
        let expected = refused_with(400, "Header authorization must not be sent more than once");
        assert_eq!(refusal(&proxy.send(twice())), expected, "{}", gateway.name);
        let (proxy, _) = start(&gateway, From::Settings, json!({}));
        proxy.send(twice()).forwarded();
    }
}

#[test]
fn a_forged_identity_never_reaches_the_upstream() {
    for gateway in Gateway::all() {
        let (proxy, _) = start(&gateway, From::Settings, json!({}));
        let request = bearing(SEED)
            .header("X-Consumer-ID", "root")
            .header("x_consumer_username", "root")
            .header("X-Consumer-Custom-ID", "root")
            .header("X-Anonymous-Consumer", "true");
        let stream = proxy.send(request);
        let forwarded = stream.forwarded();
        assert_eq!(forwarded.headers_named("x-consumer-id"), ["1"], "{}", gateway.name);
        assert_eq!(forwarded.headers_named("x-consumer-username"), ["ado"]);
        taken_out(&gateway, &stream, "x_consumer_username");
        taken_out(&gateway, &stream, "x-consumer-custom-id");
        taken_out(&gateway, &stream, "x-anonymous-consumer");
    }
}
