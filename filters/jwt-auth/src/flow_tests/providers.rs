//! Tokens of OpenID providers.

use super::*;

// === Providers ===

const KID: &str = "key-1";

fn jwks(names: &[(&str, &str)]) -> String {
    let keys: Vec<Value> = names
        .iter()
        .map(|(name, kid)| {
            let algorithm = algorithm_of(name);
            let key = pem(name, algorithm).with_key_id(Some((*kid).to_owned()));
            Value::Object(key.verifying().to_jwk().unwrap())
        })
        .collect();
    json!({ "keys": keys }).to_string()
}

fn algorithm_of(name: &str) -> Algorithm {
    match name {
        "es256" => Algorithm::Es256,
        "ed25519" => Algorithm::EdDsa,
        _ => Algorithm::Rs256,
    }
}

fn issued(name: &str, kid: Option<&str>, claims: Value) -> String {
    let algorithm = algorithm_of(name);
    let mut all = json!({"iss": "https://idp/", "sub": "user|1", "exp": NOW + 60});
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    let mut header = json!({"alg": algorithm.name()});
    if let Some(kid) = kid {
        header["kid"] = json!(kid);
    }
    signed(&pem(name, algorithm), &header, &all)
}

fn set_key(flow: &Filter) -> Key {
    key_set(flow.place(), "/jwks")
}

#[test]
fn a_providers_token_makes_a_virtual_consumer() {
    let mut flow = provided("");
    let step = bearing(&mut flow, &issued("es256", Some(KID), json!({})));
    assert_eq!(step, Step::find(set_key(&flow)));
    let step = found(&mut flow, jwks(&[("rsa2048", "other"), ("es256", KID)]));
    assert_eq!(header(&step, "x-consumer-username"), Some("idp:user|1"));
    let id = header(&step, "x-consumer-id").unwrap();
    let issuer = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"https://idp/");
    assert_eq!(id, Uuid::new_v5(&issuer, b"user|1").to_string());
    assert_eq!(published(&step, CLAIMS).unwrap()["sub"], "user|1");
    // A moment later nothing is looked up, and no signature computed.
    forwarded(&bearing(&mut flow.again(), &issued("es256", Some(KID), json!({}))));
}

#[test]
fn an_unknown_key_is_looked_for_once_in_a_newer_set() {
    let token = issued("es256", Some("new"), json!({}));
    let mut flow = provided("");
    bearing(&mut flow, &token);
    let step = found(&mut flow, jwks(&[("es256", KID)]));
    assert_eq!(step, Step::find_newer(set_key(&flow), (NOW - 10) * 1000));
    forwarded(&found(&mut flow, jwks(&[("es256", "new")])));
    let mut flow = provided("");
    bearing(&mut flow, &token);
    found(&mut flow, jwks(&[("es256", KID)]));
    let step = found(&mut flow, jwks(&[("es256", KID)]));
    refused(&step, "No key found for the token");
}

#[test]
fn a_wrong_signature_under_a_known_key_is_not_looked_for_elsewhere() {
    let mut flow = provided("");
    let token = issued("es256", Some(KID), json!({}));
    let forged = token.replace(token.rsplit_once('.').unwrap().1, &"A".repeat(86));
    bearing(&mut flow, &forged);
    refused(&found(&mut flow, jwks(&[("es256", KID)])), "Invalid signature");
    // Without a name any key may be a new one.
    let mut flow = provided("");
    bearing(&mut flow, &issued("rsa3072", None, json!({})));
    let step = found(&mut flow, jwks(&[("rsa2048", KID)]));
    assert!(matches!(step, Step { then: Then::Find { not_before: 1.., .. }, .. }), "{step:?}");
}

#[test]
fn a_set_that_cannot_be_fetched_is_no_verdict_on_the_token() {
    let mut flow = provided("");
    bearing(&mut flow, &issued("es256", Some(KID), json!({})));
    assert_eq!(refusal(&flow.on(Event::Found(Err(Unavailable)))).status, 503);
}

#[test]
fn the_set_is_at_the_path_that_discovery_names() {
    let mut flow = flow(
        r#""providers":[{"name":"idp","issuer":"https://idp/","oidc_discovery_uri":"https://idp/.well-known/openid-configuration","upstream":{"upstream":"idp"}}]"#,
    );
    let step = bearing(&mut flow, &issued("es256", Some(KID), json!({})));
    assert_eq!(step, Step::find(discovery(flow.place())));
    let step = found(&mut flow, *b"/keys");
    assert_eq!(step, Step::find(key_set(flow.place(), "/keys")));
    forwarded(&found(&mut flow, jwks(&[("es256", KID)])));
}

#[test]
fn a_providers_claims_are_checked_with_its_clock() {
    let required = r#","audiences":["api","other"]"#;
    for (claims, expected) in [
        (json!({"exp": NOW - 59, "aud": "api"}), None),
        (json!({"exp": NOW - 60, "aud": "api"}), Some(r#"{"exp":"token expired"}"#)),
        (json!({"exp": null, "aud": "api"}), Some(r#"{"exp":"must be a number"}"#)),
        (json!({"nbf": NOW + 61, "aud": "api"}), Some(r#"{"nbf":"token not valid yet"}"#)),
        (json!({"aud": ["x", "other"]}), None),
        (json!({"aud": "x"}), Some(r#"{"message":"Invalid 'aud' in claims"}"#)),
        (json!({}), Some(r#"{"message":"Invalid 'aud' in claims"}"#)),
        (json!({"aud": "api", "sub": 5}), Some(r#"{"message":"Invalid 'sub' in claims"}"#)),
        (json!({"aud": "api", "sub": ""}), Some(r#"{"message":"Invalid 'sub' in claims"}"#)),
    ] {
        let mut flow = provided(required);
        bearing(&mut flow, &issued("es256", Some(KID), claims.clone()));
        let step = found(&mut flow, jwks(&[("es256", KID)]));
        match expected {
            None => {
                forwarded(&step);
            }
            Some(body) => assert_eq!(refusal(&step).body, body, "{claims}"),
        }
    }
}

#[test]
fn only_the_providers_algorithms_will_do() {
    let mut flow = provided(r#","algorithms":["RS256"]"#);
    refused(&bearing(&mut flow, &issued("es256", Some(KID), json!({}))), "Invalid algorithm");
    let mut flow = provided("");
    let hs256 = hs256(&json!({"iss": "https://idp/", "sub": "x", "exp": NOW + 5}));
    refused(&bearing(&mut flow, &hs256), "Invalid algorithm");
}

/// A provider whose tokens name a consumer, with consumers in the settings or at the admin service.
fn naming(consumers: &str, by: &str) -> Filter {
    flow(&format!(
        r#"{consumers},"providers":[{{"name":"idp","issuer":"https://idp/","jwks_uri":"https://idp/jwks",
            "upstream":{{"upstream":"idp"}},"consumer_claim":"azp"{by}}}]"#
    ))
}

/// Returns the step after a good token whose `azp` is `name`.
fn named(flow: &mut Filter, name: &str) -> Step {
    bearing(flow, &issued("es256", Some(KID), json!({ "azp": name })));
    found(flow, jwks(&[("es256", KID)]))
}

const BY: [(&str, By); 3] = [
    (r#","consumer_by":"id""#, By::Id),
    (r#","consumer_by":"username""#, By::Username),
    ("", By::CustomId),
];

#[test]
fn a_claim_names_a_consumer_by_one_kind_of_name_only_and_by_its_custom_id_unless_said_otherwise() {
    const ANA: &str = "0aa00000-0000-4000-8000-00000000000f";
    let consumers = format!(
        r#""consumers":[{{"id":"{ANA}","username":"ana","custom_id":"c9"}},
            {{"id":"2","username":"c9","custom_id":"{ANA}"}},{{"id":"3","username":"{ANA}","custom_id":"ana"}}]"#
    );
    let upper = ANA.to_uppercase();
    for (by, name, expected) in [
        (BY[0].0, ANA, Some(ANA)),
        (BY[0].0, &upper, Some(ANA)),
        (BY[0].0, "ana", None),
        (BY[0].0, "c9", None),
        (BY[1].0, "ana", Some(ANA)),
        (BY[1].0, "c9", Some("2")),
        (BY[1].0, ANA, Some("3")),
        (BY[1].0, "2", None),
        ("", "c9", Some(ANA)),
        ("", ANA, Some("2")),
        ("", "ana", Some("3")),
        ("", "3", None),
    ] {
        let step = named(&mut naming(&consumers, by), name);
        match expected {
            Some(id) => assert_eq!(header(&step, "x-consumer-id"), Some(id), "{by} {name}"),
            None => assert_eq!(refusal(&step).status, 401, "{by} {name}"),
        }
    }
}

#[test]
fn a_consumer_at_the_admin_service_is_kept_by_id_whatever_the_token_calls_it() {
    let admin = r#""admin":{"upstream":"admin"}"#;
    let ado = Identity {
        id: "1".into(),
        username: Some("ado".into()),
        custom_id: Some("ado".into()),
        ..Identity::default()
    };
    for (by, kind) in BY {
        let mut flow = naming(admin, by);
        let name = if kind == By::Id { "1" } else { "ado" };
        let mut step = named(&mut flow, name);
        if kind != By::Id {
            assert_eq!(step, Step::find(lookup::key(kind, "ado")));
            step = found(&mut flow, "1");
        }
        assert_eq!(step, Step::find(lookup::key(By::Id, "1")));
        let step = found(&mut flow, ado.to_json());
        assert_eq!(header(&step, "x-consumer-id"), Some("1"));
        assert_eq!(header(&step, "x-credential-identifier"), Some(&*format!("idp:{name}")));
    }
    // Meanwhile the consumer has another name.
    let mut flow = naming(admin, "");
    named(&mut flow, "old");
    found(&mut flow, "1");
    let step = found(&mut flow, ado.to_json());
    assert_eq!(step, Step::find_newer(lookup::key(By::Id, "1"), NOW * 1000));
    assert_eq!(refusal(&found(&mut flow, ado.to_json())).status, 401);
    let mut flow = naming(admin, "");
    named(&mut flow, "ado");
    assert_eq!(refusal(&flow.on(Event::Found(Err(Unavailable)))).status, 503);
}

#[test]
fn a_claim_that_names_nobody_is_refused_with_a_challenge() {
    let mut flow = provided(r#","consumer_claim":"azp""#);
    bearing(&mut flow, &issued("es256", Some(KID), json!({"azp": "ado"})));
    let step = found(&mut flow, jwks(&[("es256", KID)]));
    refused(&step, "Could not find consumer for 'azp=ado'");
}

#[test]
fn claims_to_verify_must_be_in_a_providers_token_too() {
    let (exp, nbf) = (json!({"exp": NOW + 60}), json!({"exp": NOW + 60, "nbf": NOW}));
    let none = json!({"exp": null});
    for (to_verify, provider, claims, passes) in [
        ("", "", &exp, true),
        (r#""nbf""#, "", &exp, false),
        (r#""nbf""#, "", &nbf, true),
        ("", r#","require_exp":false"#, &none, true),
        (r#""exp""#, r#","require_exp":false"#, &none, false),
        (r#""exp""#, r#","require_exp":false"#, &exp, true),
    ] {
        let mut flow = flow(&format!(
            r#""claims_to_verify":[{to_verify}],"providers":[{{"name":"idp","issuer":"https://idp/","jwks_uri":"https://idp/jwks","upstream":{{"upstream":"idp"}}{provider}}}]"#
        ));
        let mut all = json!({"iss": "https://idp/", "sub": "u"});
        let given = claims.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
        all.as_object_mut()
            .unwrap()
            .extend(given.map(|(name, value)| (name.clone(), value.clone())));
        let token =
            signed(&pem("es256", Algorithm::Es256), &json!({"alg": "ES256", "kid": KID}), &all);
        bearing(&mut flow, &token);
        let step = found(&mut flow, jwks(&[("es256", KID)]));
        match passes {
            true => drop(forwarded(&step)),
            false => assert_eq!(refusal(&step).status, 401, "{to_verify} {claims}"),
        }
    }
}

#[test]
fn claims_go_into_headers_that_no_client_can_forge() {
    let more = r#","claims_to_headers":[{"claim":"realm.roles","header":"X-Roles"},{"claim":"name","header":"X-Name"}],"forward_payload_header":"X-Payload""#;
    let forged = |token: &str| {
        request(
            "/",
            &[
                ("authorization", &format!("Bearer {token}")),
                ("x-roles", "admin"),
                ("X_Name", "root"),
                ("x-payload", "e30"),
            ],
        )
    };
    let token = issued("es256", Some(KID), json!({"realm": {"roles": ["a", "b"]}}));
    let mut flow = provided(more);
    flow.send(forged(&token));
    let step = found(&mut flow, jwks(&[("es256", KID)]));
    assert_eq!(header(&step, "x-roles"), Some("a,b"));
    assert_eq!(header(&step, "x-name"), None);
    let payload = token.split('.').nth(1);
    assert_eq!(header(&step, "x-payload"), payload);
}

#[test]
fn an_inline_set_needs_no_lookup() {
    let set = jwks(&[("es256", KID)]).replace('"', r#"\""#);
    let json = format!(r#""providers":[{{"name":"idp","issuer":"https://idp/","jwks":"{set}"}}]"#);
    let mut known = flow(&json);
    forwarded(&bearing(&mut known, &issued("es256", Some(KID), json!({}))));
    let step = bearing(&mut flow(&json), &issued("es256", Some("other"), json!({})));
    refused(&step, "No key found for the token");
}

/// RFC 9864 names what RFC 8037 left to the key.
#[test]
fn both_names_of_ed25519_are_one_algorithm_in_tokens_credentials_and_providers() {
    let key = pem("ed25519", Algorithm::EdDsa);
    for in_token in ["EdDSA", "Ed25519"] {
        let token = signed(&key, &json!({"alg": in_token}), &json!({"iss": "k"}));
        for in_credential in ["EdDSA", "Ed25519"] {
            forwarded(&bearing(&mut credentialed("ed25519", in_credential), &token));
        }
        let claims = json!({"iss": "https://idp/", "sub": "u", "exp": NOW + 60});
        let token = signed(&key, &json!({"alg": in_token, "kid": KID}), &claims);
        for listed in ["", r#","algorithms":["Ed25519"]"#, r#","algorithms":["EdDSA"]"#] {
            let mut flow = provided(listed);
            bearing(&mut flow, &token);
            forwarded(&found(&mut flow, jwks(&[("ed25519", KID)])));
        }
    }
}
