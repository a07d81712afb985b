use super::*;
use crate::config::tests::mint;
use consumer::testing::Driver;
use consumer::{Credential, Identity};
use exchange::{Entities, Entity, Head, Named, Then, testing};
use jose::{InWasm, Token};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

#[path = "flow_tests/signing.rs"]
mod signing;

const NOW: u64 = 1_550_258_274;

fn random(out: &mut [u8]) -> bool {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let seed = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    for (n, byte) in out.iter_mut().enumerate() {
        *byte = seed[n % 8] ^ (n as u8).wrapping_mul(37);
    }
    true
}

const TOOLS: Tools = Tools { random, now: || (NOW + 100) * 1000, report: |_| () };

fn filter_of(mint: &Rc<Mint>) -> Driver {
    filter_with(mint, TOOLS)
}

fn filter_with(mint: &Rc<Mint>, tools: Tools) -> Driver {
    let (common, mint) = (mint.config().common.clone(), Rc::clone(mint));
    Driver::new(&common, move |admitted| UpstreamJwtFlow::start(Rc::clone(&mint), tools, &admitted))
}

fn filter(settings: Value) -> Driver {
    filter_of(&Rc::new(mint(settings)))
}

fn request(headers: &[(&str, &str)]) -> Request {
    Request {
        now: NOW * 1000 + 999,
        can_remove: true,
        upstream_query: Some(b"b".to_vec()),
        ..testing::request("GET", "/a?b", headers)
    }
}

fn ana() -> Vec<u8> {
    let credential = Credential {
        id: "c1".into(),
        kind: "key-auth".into(),
        identifier: Some("c1".into()),
        key: Some("q2QiVe24S6ABaO2L9dEA9y1epX25B9gr".into()),
    };
    let identity = Identity {
        id: "e96dcb71".into(),
        username: Some("Company A".into()),
        credential: Some(credential),
        ..Identity::default()
    };
    identity.to_json()
}

/// Returns the token that a step sets, and the step's other edits.
#[track_caller]
fn token(step: &Step) -> (String, Vec<Edit>) {
    let Step { edits, then: Then::Forward | Then::StreamBody } = step else { panic!("{step:?}") };
    let (last, others) = edits.split_last().unwrap();
    let Edit::Set(name, value) = last else { panic!("{last:?}") };
    assert_eq!(name, "Authorization");
    let value = String::from_utf8(value.clone()).unwrap();
    (value.strip_prefix("Bearer ").unwrap().to_owned(), others.to_vec())
}

#[track_caller]
fn claims_text(mint: &Mint, step: &Step) -> String {
    let token = Token::parse(token(step).0.as_bytes()).unwrap();
    let keys = mint.config().keys.as_ref().unwrap();
    keys.key.verifying().verify(&token, &InWasm).unwrap();
    token.claims_json().to_owned()
}

#[track_caller]
fn claims(settings: Value, request: Request) -> Value {
    let mint = Rc::new(mint(settings));
    let step = filter_of(&mint).send(request);
    serde_json::from_str(&claims_text(&mint, &step)).unwrap()
}

#[track_caller]
fn refused(step: &Step) -> u16 {
    match step {
        Step { then: Then::Reply(reply), .. } => reply.status,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_payload_is_the_originals_in_its_order() {
    let mint = Rc::new(mint(json!({
        "issuer": "issuer", "aud": true, "iat": true, "jti": true, "body_hash": true, "query_hash": true,
        "consumer": ["username", "id"], "credentials": ["key"], "route": ["id", "name"],
        "service": ["id", "name"],
    })));
    let named = |id: &str, name: &str| Named { id: Some(id.into()), name: Some(name.into()) };
    let request = Request {
        consumer: Some(ana()),
        route: named("cc04e82e", "Route-1"),
        service: named("d0395ad5", "Service-1"),
        upstream_query: Some(b"msg=hello%20world&bla=&bar".to_vec()),
        body: BodyAhead::Comes,
        ..request(&[])
    };
    let mut filter = filter_of(&mint);
    assert_eq!(filter.send(request), waits());
    assert_eq!(filter.on(Event::Chunk(b"hel".to_vec())), Step::stream_body());
    assert_eq!(filter.on(Event::Chunk(b"lo".to_vec())), Step::stream_body());
    let text = claims_text(&mint, &filter.on(Event::Body(Ok(vec![]))));
    let id = text.split(r#""jti":""#).nth(1).unwrap().split('"').next().unwrap();
    assert!(uuid::Uuid::parse_str(id).is_ok_and(|id| id.get_version_num() == 4), "{id}");
    let expected = format!(
        concat!(
            r#"{{"aud":"Service-1","iss":"issuer","iat":{},"exp":{},"jti":"{}","kong":{{"#,
            r#""request":{{"bodyhash":"2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824","#,
            r#""queryhash":"e3fb2c82cc290e761881dbb49a38408d8d49c83fbf278fca4aaebbc54ba1de04"}},"#,
            r#""consumer":{{"username":"Company A","id":"e96dcb71"}},"#,
            r#""credentials":{{"key":"q2QiVe24S6ABaO2L9dEA9y1epX25B9gr"}},"#,
            r#""route":{{"name":"Route-1","id":"cc04e82e"}},"#,
            r#""service":{{"name":"Service-1","id":"d0395ad5"}}}}}}"#,
        ),
        // A body may take longer than a token lives, so the clock is read again at its end.
        NOW + 100,
        NOW + 160,
        id
    );
    assert_eq!(text, expected);
}

#[test]
fn every_switch_is_independent() {
    for (settings, expected) in [
        (json!({}), json!({"exp": NOW + 60, "kong": {}})),
        (json!({"exp": 0}), json!({"kong": {}})),
        (json!({"exp": 86_400}), json!({"exp": NOW + 86_400, "kong": {}})),
        (json!({"exp": 0, "issuer": "i"}), json!({"iss": "i", "kong": {}})),
        (json!({"exp": 0, "iat": true}), json!({"iat": NOW, "kong": {}})),
        (json!({"exp": 0, "nbf": true}), json!({"nbf": NOW, "kong": {}})),
        (json!({"exp": 0, "aud": true}), json!({"kong": {}})),
        (json!({"exp": 0, "body_hash": true}), json!({"kong": {"request": {"bodyhash": ""}}})),
        (
            json!({"exp": 0, "consumer": ["*"], "credentials": ["*"], "route": ["id"], "service": ["*"]}),
            json!({"kong": {"consumer": {}, "credentials": {}, "route": {}, "service": {}}}),
        ),
    ] {
        assert_eq!(claims(settings.clone(), request(&[])), expected, "{settings}");
    }
}

#[test]
fn an_audience_is_the_services_name() {
    let of = |settings: Value, name: Option<&str>| {
        let service = Named { id: None, name: name.map(str::to_owned) };
        claims(settings, Request { service, ..request(&[]) })["aud"].clone()
    };
    assert_eq!(of(json!({"aud": true}), Some("orders")), "orders");
    assert_eq!(of(json!({"aud": true}), None), Value::Null);
    let inline = json!({"aud": true, "service_entity": {"name": "Service-1"}});
    assert_eq!(of(inline, Some("outbound|80||orders")), "Service-1");
}

#[test]
fn the_query_is_hashed_as_the_upstream_gets_it() {
    let of = |query: Option<&[u8]>| Request {
        upstream_query: query.map(<[u8]>::to_vec),
        ..request(&[])
    };
    let hash = |query: &[u8]| {
        claims(json!({"query_hash": true}), of(Some(query)))["kong"]["request"]["queryhash"].clone()
    };
    assert_eq!(hash(b""), "");
    let raw = "e3fb2c82cc290e761881dbb49a38408d8d49c83fbf278fca4aaebbc54ba1de04";
    assert_eq!(hash(b"msg=hello%20world&bla=&bar"), raw);
    assert_ne!(hash(b"msg=hello+world&bla=&bar"), raw);
    let step = filter(json!({"query_hash": true})).send(of(None));
    assert_eq!(refused(&step), 500, "a query that is not known is not hashed as empty");
}

#[test]
fn a_body_that_is_not_available_is_refused() {
    for pieces in 0..2 {
        let mut filter = filter(json!({"body_hash": true}));
        filter.send(Request { body: BodyAhead::Comes, ..request(&[]) });
        for _ in 0..pieces {
            filter.on(Event::Chunk(b"x".to_vec()));
        }
        assert_eq!(refused(&filter.on(Event::Body(Err(Unavailable)))), 413);
    }
}

#[test]
fn a_body_of_unknown_length_never_goes_with_the_hash_of_another() {
    // Without a length, Kong does not know if a body comes.
    let unknown = || Request { body_may_follow: true, can_remove: false, ..request(&[]) };
    let hash = |mint: &Mint, step: &Step| -> Value {
        let claims: Value = serde_json::from_str(&claims_text(mint, step)).unwrap();
        claims["kong"]["request"]["bodyhash"].clone()
    };
    let mint = Rc::new(mint(json!({"body_hash": true})));
    let mut filter = filter_of(&mint);
    let first = filter.send(unknown());
    assert!(matches!(first, Step { then: Then::StreamBody, .. }));
    assert_eq!(hash(&mint, &first), "", "right if nothing more happens");
    assert_eq!(filter.on(Event::Chunk(b"hello".to_vec())), Step::stream_body());
    let last = filter.on(Event::Body(Ok(vec![])));
    assert_eq!(hash(&mint, &last), jose::hash::sha256_hex(b"hello"));

    let mut filter = filter_of(&mint);
    filter.send(unknown());
    assert_eq!(refused(&filter.on(Event::Body(Err(Unavailable)))), 413);
}

/// Returns the step that awaits the body and removes the client's header of the token's name.
fn waits() -> Step {
    Step::stream_body().with_edits(vec![Edit::remove("Authorization")])
}

#[test]
fn claims_come_from_settings_headers_and_verified_tokens() {
    let settings = json!({
        "exp": 0,
        "claims": {"environment": "production", "version": 2, "sub": "gateway"},
        "headers_to_claims": {"X-Tenant": "tenant", "X-Absent": "absent", "X-Empty": "empty"},
        "claims_from_token": ["scope", "missing"],
    });
    let fields = [("x-tenant", "a"), ("X-Tenant", "b"), ("x-empty", "")];
    let with = |claims: &str| Request { claims: Some(claims.into()), ..request(&fields) };
    assert_eq!(
        claims(settings.clone(), with(r#"{"scope":["x"],"iss":"someone"}"#)),
        json!({"environment": "production", "version": 2, "sub": "gateway", "tenant": "a, b", "scope": ["x"], "kong": {}})
    );
    let nothing = claims(settings.clone(), request(&[("scope", "forged")]));
    assert_eq!(
        nothing,
        json!({"environment": "production", "version": 2, "sub": "gateway", "kong": {}})
    );
    for odd in ["[]", "{", r#"{"scope":1,"scope":2}"#] {
        assert_eq!(refused(&filter(settings.clone()).send(with(odd))), 500, "{odd}");
    }
    let no_text = Request { head: Head::from_iter([("x-tenant", b"\xff")]), ..request(&[]) };
    assert_eq!(refused(&filter(settings).send(no_text)), 400);
}

#[test]
fn a_client_adds_nothing_to_a_claim_by_another_spelling_of_its_header() {
    let settings = json!({"exp": 0, "headers_to_claims": {"X-Tenant": "tenant"}});
    let tenant =
        |fields: &[(&str, &str)]| claims(settings.clone(), request(fields))["tenant"].clone();
    assert_eq!(tenant(&[("x-tenant", "a"), ("X_Tenant", "b")]), "a");
    assert_eq!(tenant(&[("x_tenant", "b")]), serde_json::Value::Null);
}

#[test]
fn entities_come_from_kong_from_envoy_and_from_the_settings() {
    let lists = |more: Value| {
        crate::config::tests::with_key(json!({"exp": 0, "route": ["*"], "service": ["id", "name"]}))
            .as_object()
            .cloned()
            .unwrap()
            .into_iter()
            .chain(more.as_object().cloned().unwrap())
            .collect::<Value>()
    };
    let kong = Entities {
        route: Entity::Json(br#"{"id":"r","name":"Route-1","paths":["\/a"]}"#.to_vec()),
        service: Entity::Json(br#"{"id":"s","host":"internal"}"#.to_vec()),
    };
    assert_eq!(
        claims(lists(json!({})), Request { entities: kong, ..request(&[]) })["kong"],
        json!({"route": {"name": "Route-1", "id": "r", "paths": ["/a"]}, "service": {"id": "s"}})
    );
    // Metadata { filter_metadata: { "gatehouse": { "id": "r" } } }
    let metadata = b"\x0a\x18\x0a\x09gatehouse\x12\x0b\x0a\x09\x0a\x02id\x12\x03\x1a\x01r".to_vec();
    let envoy = Request {
        entities: Entities { route: Entity::Metadata(metadata), service: Entity::Unknown },
        route: Named { id: None, name: Some("route".into()) },
        service: Named { id: None, name: Some("cluster".into()) },
        ..request(&[])
    };
    let inline = json!({"service_entity": {"id": "s", "name": "Service-1", "more": 1}});
    assert_eq!(
        claims(lists(inline), envoy)["kong"],
        json!({"route": {"name": "route", "id": "r"}, "service": {"name": "Service-1", "id": "s"}})
    );
    let broken = Entities { route: Entity::Json(b"{".to_vec()), service: Entity::Unknown };
    let step = filter(lists(json!({}))).send(Request { entities: broken, ..request(&[]) });
    assert_eq!(refused(&step), 500);
}

#[test]
fn a_request_that_is_not_ours_or_is_over_is_left_alone() {
    let elsewhere = json!({"match": {"paths": ["/other"]}});
    let sent = [("authorization", "the client's own")];
    assert_eq!(filter(elsewhere).send(request(&sent)), Step::forward(vec![]));
    let over = Request { consumer: Some(consumer::refused().to_vec()), ..request(&sent) };
    assert_eq!(filter(json!({})).send(over), Step::forward(vec![]));
}

#[test]
fn events_out_of_order_are_refused() {
    for event in [
        Event::Body(Ok(vec![])),
        Event::Chunk(vec![]),
        Event::Answered(Err(Unavailable)),
        Event::Found(Err(Unavailable)),
    ] {
        let mut hashing = filter(json!({"body_hash": true}));
        hashing.send(Request { body: BodyAhead::Comes, ..request(&[]) });
        let wanted = matches!(event, Event::Body(_) | Event::Chunk(_));
        assert_eq!(matches!(hashing.on(event.clone()).then, Then::Reply(_)), !wanted);
        let mut done = filter(json!({}));
        done.send(request(&[]));
        assert_eq!(refused(&done.on(event)), 500);
    }
}
