use super::*;
use base64::Engine as _;

fn sources() -> Sources {
    Sources {
        user_header: Some("X-User".into()),
        company_header: Some("X-Company".into()),
        credential_headers: vec!["x-api-key".into(), "authorization".into()],
        user_claim: Some("sub".into()),
        company_claim: Some("org".into()),
    }
}

fn token(payload: &str) -> String {
    format!("e30.{}.x", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(payload))
}

fn identity(username: Option<&str>, custom_id: Option<&str>) -> Identity {
    let text = |text: Option<&str>| text.map(str::to_owned);
    Identity {
        id: "id".into(),
        username: text(username),
        custom_id: text(custom_id),
        ..Identity::default()
    }
}

fn who(known: &Known<'_>) -> (Option<String>, Option<String>) {
    let Who { user, company } = sources().who(known);
    (user, company)
}

fn both(user: &str, company: &str) -> (Option<String>, Option<String>) {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    (text(user), text(company))
}

#[test]
fn the_places_are_looked_in_one_after_the_other() {
    let bearer = format!("Bearer {}", token(r#"{"sub":"t","org":"to"}"#));
    let all = [("x-user", "h"), ("x-company", "hc"), ("authorization", &bearer)];
    let identity = identity(Some("name"), Some("custom"));
    let claims = br#"{"sub":"v","org":"vo"}"#;
    let response = Head::from_iter([("X-User", "r"), ("X-Company", "rc")]);
    let of = |from: usize, identity, claims, response| {
        let head: Head = all.iter().skip(from).copied().collect();
        who(&Known { identity, claims, request: Some(&head), response })
    };
    assert_eq!(of(0, Some(&identity), Some(claims), Some(&response)), both("h", "hc"));
    assert_eq!(of(1, Some(&identity), Some(claims), Some(&response)), both("custom", "hc"));
    // The company of the token counts even if the user is known already.
    assert_eq!(of(2, Some(&identity), Some(claims), Some(&response)), both("custom", "vo"));
    assert_eq!(of(2, None, Some(claims), Some(&response)), both("v", "vo"));
    assert_eq!(of(2, None, None, Some(&response)), both("t", "to"));
    assert_eq!(of(3, None, None, Some(&response)), both("r", "rc"));
    assert_eq!(of(3, None, None, None), both("", ""));
}

#[test]
fn a_consumer_is_named_by_custom_id_username_and_id_in_this_order() {
    let named = |username, custom_id| consumer(Some(&identity(username, custom_id)));
    assert_eq!(named(Some("n"), Some("c")).as_deref(), Some("c"));
    assert_eq!(named(Some("n"), Some("")).as_deref(), Some("n"));
    assert_eq!(named(None, None).as_deref(), Some("id"));
}

#[test]
fn a_header_that_says_nothing_lets_the_next_one_speak() {
    let bearer = format!("Bearer {}", token(r#"{"sub":"t"}"#));
    let headers = [
        ("x-user", " "),
        ("x-api-key", "raw"),
        ("authorization", "Basic !"),
        ("authorization", &bearer),
    ];
    let head: Head = headers.into_iter().collect();
    assert_eq!(who(&Known { request: Some(&head), ..Known::default() }), both("t", ""));
}

#[test]
fn a_token_beside_a_verified_one_is_not_believed() {
    let bearer = format!("Bearer {}", token(r#"{"sub":"forged","org":"forged"}"#));
    let head = Head::from_iter([("x-api-key", &bearer)]);
    let known = Known { claims: Some(br#"{"sub":"v"}"#), request: Some(&head), ..Known::default() };
    assert_eq!(who(&known), both("v", ""));
}

#[test]
fn a_session_token_is_a_digest_that_needs_the_secret() {
    let with = |kind: &str, id: &str, identifier: Option<&str>| Identity {
        credential: Some(consumer::Credential {
            id: id.into(),
            kind: kind.into(),
            identifier: identifier.map(str::to_owned),
            key: Some("open_sesame".into()),
        }),
        ..identity(None, None)
    };
    let of = |secret: &str, identity: &Identity| session_token(secret, Some(identity)).unwrap();
    let token = of("app", &with("key-auth", "c", None));
    assert_eq!(token.len(), 32);
    assert_eq!(token, of("app", &with("key-auth", "x", Some("c"))));
    for other in [
        of("app2", &with("key-auth", "c", None)),
        of("app", &with("jwt", "c", None)),
        of("app", &with("key-auth", "d", None)),
    ] {
        assert_ne!(token, other);
    }
    assert_eq!(session_token("app", Some(&identity(None, None))), None);
    assert_eq!(session_token("app", None), None);
}
