//! Signatures: tokens that are used again, and the public keys that are served.

use super::*;

#[test]
fn without_a_signature_nothing_goes_on() {
    let unsigned = Rc::new(Mint::new(crate::config::tests::config(json!({}))));
    unsigned.sign_with(|| None);
    assert_eq!(refused(&filter_of(&unsigned).send(request(&[]))), 500);

    let dry = Tools { random: |_| false, ..TOOLS };
    for settings in [json!({}), json!({"jti": true}), json!({"algorithm": "PS256"})] {
        let mut filter = filter_with(&Rc::new(mint(settings)), dry);
        assert_eq!(refused(&filter.send(request(&[]))), 500);
    }
    let malformed = Request { consumer: Some(b"{".to_vec()), ..request(&[]) };
    assert_eq!(refused(&filter(json!({})).send(malformed)), 500);
}

#[test]
fn equal_tokens_are_signed_once_until_half_of_their_life() {
    let mint = Rc::new(mint(json!({"iat": true, "consumer": ["id"]})));
    let at = |seconds: u64, consumer: Option<Vec<u8>>| {
        let request = Request { now: seconds * 1000, consumer, ..request(&[]) };
        token(&filter_of(&mint).send(request)).0
    };
    let first = at(NOW, None);
    assert_eq!(at(NOW + 30, None), first);
    assert_ne!(at(NOW, Some(ana())), first, "other claims, another token");
    let second = at(NOW + 31, None);
    assert_ne!(second, first, "less than half of its life was left");
    assert_eq!(at(NOW + 60, None), second);
    assert_ne!(at(NOW, None), second, "a clock that was set back");
}

#[test]
fn equal_claims_are_known_by_their_text_or_digest() {
    for length in [1, 600] {
        // PSS has a salt, so that two signatures of equal claims differ.
        let long = json!({"x": "y".repeat(length)});
        let settings = json!({"algorithm": "PS256", "consumer": ["id"], "claims": long});
        let mint = Rc::new(mint(settings));
        let of = |consumer| token(&filter_of(&mint).send(Request { consumer, ..request(&[]) })).0;
        let first = of(None);
        assert_ne!(of(Some(ana())), first);
        assert_eq!(of(None), first);
    }
}

#[test]
fn a_token_without_an_end_grows_old_only_where_it_tells_its_age() {
    for (more, after, same) in [
        (json!({}), 10_000_000, true),
        (json!({"iat": true}), 61, false),
        (json!({"nbf": true}), 60, true),
    ] {
        let mut settings = json!({"exp": 0});
        settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
        let mint = Rc::new(mint(settings));
        let at = |seconds: u64| {
            token(&filter_of(&mint).send(Request { now: seconds * 1000, ..request(&[]) })).0
        };
        assert_eq!(at(NOW) == at(NOW + after), same, "{more}");
    }
}

#[test]
fn a_token_with_claims_of_one_request_is_never_reused() {
    for settings in [
        json!({"jti": true}),
        json!({"algorithm": "PS256", "query_hash": true}),
        json!({"algorithm": "PS256", "body_hash": true}),
    ] {
        let mint = Rc::new(mint(settings.clone()));
        let next = || token(&filter_of(&mint).send(request(&[]))).0;
        // PSS has a salt, so that two signatures of equal claims differ.
        assert_ne!(next(), next(), "{settings}");
    }
}

#[test]
fn two_configurations_have_their_own_keys() {
    let other = include_str!("../../test-keys/other.pem");
    let (a, b) = (Rc::new(mint(json!({}))), Rc::new(mint(json!({"private_key": other}))));
    let of = |mint: &Rc<Mint>| filter_of(mint).send(request(&[]));
    claims_text(&a, &of(&a));
    claims_text(&b, &of(&b));
    assert_ne!(token(&of(&a)).0, token(&of(&b)).0);
}

#[test]
fn the_public_keys_are_served_to_anybody_who_reads() {
    let settings = json!({"jwks_path": "/.well-known/jwks.json", "key_id": "k", "match": {"paths": ["/api", "/.well-known"]}});
    let ask = |method: &str, target: &str| {
        let request = Request { method: method.into(), target: target.into(), ..request(&[]) };
        filter(settings.clone()).send(request)
    };
    for (method, target) in
        [("GET", "/.well-known/jwks.json"), ("HEAD", "/.well-known/jwks.json?x")]
    {
        let Step { then: Then::Reply(reply), .. } = ask(method, target) else { panic!() };
        assert_eq!(reply.status, 200);
        assert_eq!(reply.headers, [("cache-control".into(), b"public, max-age=300".to_vec())]);
        let Body::Raw(Some(kind), body) = reply.body else { panic!() };
        let set: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (kind.as_ref(), &set["keys"][0]["kid"]),
            ("application/jwk-set+json", &json!("k"))
        );
    }
    assert_eq!(refused(&ask("POST", "/.well-known/jwks.json")), 405);
    assert!(matches!(ask("GET", "/.well-known/jwks.json/"), Step { then: Then::Forward, .. }));
    assert!(matches!(ask("GET", "/api"), Step { edits, then: Then::Forward } if edits.len() == 1));
}

#[test]
fn a_path_outside_of_match_serves_no_key_set() {
    let settings =
        json!({"jwks_path": "/keys", "match": {"hosts": ["api.example.com"], "methods": ["GET"]}});
    let ask = |method: &str, host: &str| {
        let fields = [(":authority", host)];
        let request = Request { method: method.into(), target: "/keys".into(), ..request(&fields) };
        filter(settings.clone()).send(request)
    };
    assert!(
        matches!(ask("GET", "api.example.com"), Step { then: Then::Reply(reply), .. } if reply.status == 200)
    );
    for (method, host) in [("GET", "other.example.com"), ("POST", "api.example.com")] {
        assert_eq!(ask(method, host), Step::forward(vec![]), "{method} {host}");
    }
}
