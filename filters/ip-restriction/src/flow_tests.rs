use super::*;
use crate::config::tests::config;
use consumer::testing::Driver;
use exchange::testing::request;
use exchange::{Body, Then};

fn step(json: &str, peer: Option<&str>, headers: &[(&str, &str)]) -> Step {
    let config = config(json);
    let common = config.common.clone();
    let mut filter = Driver::new(&common, move |admitted| judge(&config, &admitted.request).into());
    let peer = peer.map(str::to_owned);
    filter.send(Request { peer, ..request("", "/", headers) })
}

#[track_caller]
fn refusal(step: &Step) -> (u16, &str) {
    match step {
        Step { then: Then::Reply(Reply { status, body: Body::Error(message), .. }), .. } => {
            (*status, message)
        }
        other => panic!("{other:?}"),
    }
}

/// The cases come from Kong's own specification: a list, an address, and `true` if it passes.
#[test]
fn denied_addresses_are_refused_and_so_are_all_that_a_list_does_not_allow() {
    for (json, peer, passes) in [
        (r#"{"deny":["127.0.0.1","127.0.0.2"]}"#, "127.0.0.1", false),
        (r#"{"deny":["127.0.0.2"]}"#, "127.0.0.1", true),
        (r#"{"allow":["127.0.0.2"]}"#, "127.0.0.1", false),
        (r#"{"allow":["127.0.0.1"]}"#, "127.0.0.1", true),
        (r#"{"deny":["127.0.0.0/24"]}"#, "127.0.0.1", false),
        (r#"{"allow":["0.0.0.0/0"]}"#, "127.0.0.1", true),
        (r#"{"allow":["127.0.0.1"],"deny":["127.0.0.1"]}"#, "127.0.0.1", false),
        (r#"{"allow":["127.0.0.0/24"],"deny":["127.0.0.1"]}"#, "127.0.0.1", false),
        (r#"{"allow":["127.0.0.0/24"],"deny":["127.0.0.0/24"]}"#, "127.0.0.1", false),
        (r#"{"deny":["::1","::2"]}"#, "::1", false),
        (r#"{"deny":["::2"]}"#, "::1", true),
        (r#"{"deny":["fe80::/8"]}"#, "fe12::1", false),
        (r#"{"allow":["::/0"]}"#, "::1", true),
        (r#"{"allow":["::1/128"],"deny":["::1"]}"#, "::1", false),
        // An IPv4 address is equal to its notation in IPv6.
        (r#"{"deny":["10.0.0.0/8"]}"#, "::ffff:10.1.1.1", false),
        (r#"{"deny":["::ffff:10.0.0.0/104"]}"#, "10.1.1.1", false),
    ] {
        let step = step(json, Some(peer), &[]);
        assert_eq!(step == Step::forward(vec![]), passes, "{json} {peer}: {step:?}");
    }
}

#[test]
fn a_refusal_has_kongs_words_or_the_operators() {
    let refused = step(r#"{"deny":["::/0","0.0.0.0/0"]}"#, Some("::ffff:10.1.1.1"), &[]);
    assert_eq!(refusal(&refused), (403, "IP address not allowed: 10.1.1.1"));
    let refused = step(r#"{"deny":["::/0"],"status":401,"message":"Forbidden"}"#, Some("::1"), &[]);
    assert_eq!(refusal(&refused), (401, "Forbidden"));
}

#[test]
fn a_client_that_cannot_be_identified_is_refused() {
    for list in ["allow", "deny"] {
        let json = format!(r#"{{"{list}":["10.0.0.0/8"],"trusted_proxies":["1.1.1.1"]}}"#);
        for peer in [None, Some(""), Some("@unix"), Some("fe80::1%eth0")] {
            let step = step(&json, peer, &[]);
            let expected =
                "Cannot identify the client IP address, unix domain sockets are not supported.";
            assert_eq!(refusal(&step), (403, expected), "{peer:?}");
        }
        let hidden = [("x-forwarded-for", "unknown")];
        let expected = (403, "Cannot identify the client IP address");
        assert_eq!(refusal(&step(&json, Some("1.1.1.1"), &hidden)), expected);
    }
}

#[test]
fn behind_trusted_proxies_the_header_names_the_client() {
    let json = r#"{"allow":["127.0.0.4"],"trusted_proxies":["127.0.0.1","127.0.0.3"]}"#;
    for (peer, value, passes) in [
        ("127.0.0.1", "127.0.0.4", true),
        ("127.0.0.1", "127.0.0.4, 127.0.0.3", true),
        ("127.0.0.1", "127.0.0.3", false),
        ("127.0.0.1", "127.0.0.4, 9.9.9.9", false),
        ("127.0.0.9", "127.0.0.4", false),
    ] {
        let step = step(json, Some(peer), &[("X-Forwarded-For", value)]);
        assert_eq!(step == Step::forward(vec![]), passes, "{peer} {value}: {step:?}");
    }
    // Without trusted proxies the header is ignored.
    let forged =
        step(r#"{"allow":["127.0.0.4"]}"#, Some("127.0.0.1"), &[("X-Forwarded-For", "127.0.0.4")]);
    assert_eq!(refusal(&forged), (403, "IP address not allowed: 127.0.0.1"));
}

#[test]
fn requests_outside_of_match_pass() {
    let json = r#"{"deny":["::/0"],"match":{"paths":["/admin"]}}"#;
    assert_eq!(step(json, Some("::1"), &[]), Step::forward(vec![]));
}
