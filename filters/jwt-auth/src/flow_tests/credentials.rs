//! Keys of consumers' credentials, anonymous consumers and hidden tokens.

use super::*;

// === Requests that Kong's plugin answers with 500 ===

#[test]
fn tokens_that_kongs_plugin_answers_with_500_are_unauthorized() {
    for (token, message) in [
        (hs256(&json!({"iss": 123})), "Invalid 'iss' in claims"),
        (hs256(&json!({"iss": true})), "Invalid 'iss' in claims"),
        (hs256(&json!({"iss": ["adokey"]})), "Invalid 'iss' in claims"),
        (hs256(&json!({"iss": null})), "Invalid 'iss' in claims"),
        (unsigned("null", "{}"), "Bad token; invalid alg"),
        (unsigned("1", "{}"), "Bad token; invalid alg"),
        (unsigned(r#""text""#, "{}"), "Bad token; invalid alg"),
        (unsigned(r#"{"alg":"HS256"}"#, "null"), "Bad token; invalid claims"),
        (unsigned(r#"{"alg":"HS256"}"#, "1"), "Bad token; invalid claims"),
        (unsigned(r#"{"alg":"HS256"}"#, "[]"), "Bad token; invalid claims"),
    ] {
        refused(&bearing(&mut inline(""), &token), message);
    }
}

#[test]
fn a_signature_of_the_wrong_length_is_a_wrong_signature() {
    for (name, algorithm) in
        [("es256", "ES256"), ("es384", "ES384"), ("es512", "ES512"), ("rsa3072", "PS256")]
    {
        for signature in ["", "AAAA", &"A".repeat(172)] {
            let header = format!(r#"{{"alg":"{algorithm}"}}"#);
            let encode = |text: &str| jose::base64url::encode(text);
            let token = format!("{}.{}.{signature}", encode(&header), encode(r#"{"iss":"k"}"#));
            refused(&bearing(&mut credentialed(name, algorithm), &token), "Invalid signature");
        }
    }
}

// === Keys of credentials ===

#[test]
fn every_algorithm_verifies_with_its_key_and_with_no_other_message() {
    for (name, algorithm) in [
        ("rsa2048", "RS256"),
        ("rsa2048", "RS384"),
        ("rsa2048", "RS512"),
        ("rsa2048", "PS256"),
        ("rsa3072", "PS384"),
        ("rsa3072", "PS512"),
        ("es256", "ES256"),
        ("es384", "ES384"),
        ("es512", "ES512"),
        ("ed25519", "EdDSA"),
    ] {
        let key = pem(name, Algorithm::parse(algorithm).unwrap());
        let token = signed(&key, &json!({"alg": algorithm}), &json!({"iss": "k"}));
        let mut first = credentialed(name, algorithm);
        let step = bearing(&mut first, &token);
        assert_eq!(header(&step, "x-credential-identifier"), Some("k"), "{algorithm}");
        // The second time it comes from the memory. Any other token does not.
        let again = |token: &str| bearing(&mut first.again(), token);
        forwarded(&again(&token));
        let (input, signature) = token.rsplit_once('.').unwrap();
        let other = jose::base64url::encode(json!({"iss": "k", "admin": true}).to_string());
        let head = input.split('.').next().unwrap();
        refused(&again(&format!("{head}.{other}.{signature}")), "Invalid signature");
    }
}

#[test]
fn a_public_key_is_never_a_secret() {
    // The attack: HS256 with the text of the public key for a secret.
    let text = std::fs::read_to_string("src/keys/rsa2048.pub.pem").unwrap();
    let key = SigningKey::from_secret(text.as_bytes(), Algorithm::Hs256).unwrap();
    let token = signed(&key, &json!({"alg": "HS256"}), &json!({"iss": "k"}));
    refused(&bearing(&mut credentialed("rsa2048", "RS256"), &token), "Invalid algorithm");
}

#[test]
fn keys_in_the_header_of_a_token_are_not_looked_at() {
    let key = SigningKey::from_secret(b"mine", Algorithm::Hs256).unwrap();
    let header = json!({"alg": "HS256", "jku": "https://evil/", "x5u": "https://evil/",
        "jwk": {"kty": "oct", "k": "bWluZQ"}});
    let token = signed(&key, &header, &json!({"iss": "adokey"}));
    refused(&bearing(&mut inline(""), &token), "Invalid signature");
}

#[test]
fn a_secret_in_base64_is_decoded_first() {
    let auth0 = "aFGFzo9dRvT_jkw5ghisfnP_48NaBrovcJsq0M550eJnzujeb8Jr2tREoNePO1yQ";
    let bytes = jose::base64url::decode(auth0).unwrap();
    let key = SigningKey::from_secret(&bytes, Algorithm::Hs256).unwrap();
    let token = signed(&key, &json!({"alg": "HS256"}), &json!({"iss": "https://ado.auth0.com/"}));
    let json = |base64| {
        format!(
            r#""secret_is_base64":{base64},"consumers":[{{"username":"auth0","jwt_secrets":[{{"key":"https://ado.auth0.com/","secret":"{auth0}"}}]}}]"#
        )
    };
    forwarded(&bearing(&mut flow(&json(true)), &token));
    refused(&bearing(&mut flow(&json(false)), &token), "Invalid signature");
    let mut asked = asking(r#","secret_is_base64":true"#);
    let step = bearing(&mut asked, &token);
    assert_eq!(step, Step::find(by_key("https://ado.auth0.com/")));
    forwarded(&found(&mut asked, holder("HS256", Some(auth0), None)));
}

#[test]
fn a_failed_lookup_is_not_a_failed_authentication() {
    for more in ["", r#","anonymous":"guests""#] {
        let mut flow = asking(more);
        bearing(&mut flow, TOKEN);
        assert_eq!(refusal(&flow.on(Event::Found(Err(Unavailable)))).status, 503);
        let mut flow = asking(more);
        bearing(&mut flow, TOKEN);
        assert_eq!(refusal(&found(&mut flow, *b"odd")).status, 503);
    }
    let mut flow = asking("");
    bearing(&mut flow, TOKEN);
    let nothing = flow.on(Event::Found(Ok(Finding::Nothing)));
    refused(&nothing, "No credentials found for given 'iss'");
}

/// Kong/kong#13356: Kong 3.9 takes them.
#[test]
fn a_token_with_padding_passes_only_where_that_is_asked_for() {
    let header = jose::base64url::encode(r#"{"alg":"HS256"}"#);
    let claims = jose::base64url::encode(r#"{"iss":"adokey","a":11}"#);
    let padding = "=".repeat((4 - claims.len() % 4) % 4);
    assert_ne!(padding, "");
    let input = format!("{header}.{claims}{padding}");
    // Signed as it is sent, padding and all.
    let parts: Vec<u8> = input.clone().into_bytes();
    let tag = hmac_sha256(b"supersecret", &parts);
    let signature = jose::base64url::encode(tag);
    let lenient = r#","accept_padding":true"#;
    for end in ["", "="] {
        let token = format!("{input}.{signature}{end}");
        refused(&bearing(&mut inline(""), &token), "Bad token; invalid JSON");
        forwarded(&bearing(&mut inline(lenient), &token));
    }
    let without = format!("{header}.{claims}.{signature}");
    refused(&bearing(&mut inline(lenient), &without), "Invalid signature");
    forwarded(&bearing(&mut inline(lenient), TOKEN));
    refused(
        &bearing(&mut inline(lenient), &format!("{input}=.{signature}")),
        "Bad token; invalid JSON",
    );
}

fn hmac_sha256(secret: &[u8], message: &[u8]) -> [u8; 32] {
    let block = |byte: u8| {
        let mut block = [byte; 64];
        block.iter_mut().zip(secret).for_each(|(out, byte)| *out ^= byte);
        block.to_vec()
    };
    let inner = jose::hash::sha256(&[block(0x36), message.to_vec()].concat());
    jose::hash::sha256(&[block(0x5c), inner.to_vec()].concat())
}

#[test]
fn a_short_secret_of_the_admin_service_is_no_key_where_strong_ones_are_asked_for() {
    let strict = r#","require_strong_secrets":true"#;
    for (more, passes) in [("", true), (strict, false)] {
        let mut flow = asking(more);
        bearing(&mut flow, TOKEN);
        let step = found(&mut flow, holder("HS256", Some("supersecret"), None));
        match passes {
            true => drop(forwarded(&step)),
            false => refused(&step, "Invalid key/secret"),
        }
    }
}

#[test]
fn a_token_that_has_ended_is_not_taken_from_memory() {
    let key = pem("es256", Algorithm::Es256);
    let claims = json!({"iss": "k", "exp": NOW + 1});
    let token = signed(&key, &json!({"alg": "ES256"}), &claims);
    let first = &mut credentialed("es256", "ES256");
    forwarded(&bearing(first, &token));
    let parsed = Token::parse(token.as_bytes()).unwrap();
    let bearer = Rc::new(Bearer::new(token.into_bytes(), parsed));
    let print = first.config.holders["k"].key.print;
    let config = Rc::clone(&first.config);
    let first = JwtFlow { config, backend: None, state: State::Decided };
    assert!(first.remembers(&bearer, &print, NOW));
    assert!(!first.remembers(&bearer, &print, NOW + 1));
    assert!(!first.remembers(&bearer, &[0; 32], NOW), "another key");
}

#[test]
fn a_token_of_a_former_secret_is_not_taken_from_memory() {
    let mut first = asking("");
    bearing(&mut first, TOKEN);
    forwarded(&found(&mut first, holder("HS256", Some("supersecret"), None)));
    for (secret, passes) in [("supersecret", true), ("other", false), ("supersecret", true)] {
        let mut again = first.again();
        bearing(&mut again, TOKEN);
        let step = found(&mut again, holder("HS256", Some(secret), None));
        match passes {
            true => drop(forwarded(&step)),
            false => refused(&step, "Invalid signature"),
        }
    }
}

#[test]
fn a_token_with_another_signature_or_claim_is_not_that_in_the_memory() {
    let mut first = inline("");
    forwarded(&bearing(&mut first, TOKEN));
    let (input, signature) = TOKEN.rsplit_once('.').unwrap();
    let (head, _) = input.split_once('.').unwrap();
    let other = jose::base64url::encode(r#"{"iss":"adokey","name":"eve"}"#);
    for token in [format!("{head}.{other}.{signature}"), TOKEN.replacen(".lEzP", ".lEzQ", 1)] {
        refused(&bearing(&mut first.again(), &token), "Invalid signature");
    }
    forwarded(&bearing(&mut first.again(), TOKEN));
}

#[test]
fn without_the_demanded_backend_nothing_passes() {
    let config = Rc::new(config(&format!("{{{INLINE}}}")));
    let step = bearing(&mut Filter::new(config, None), TOKEN);
    assert_eq!(refusal(&step).status, 500);
}

// === Anonymous, and, or ===

#[test]
fn the_anonymous_consumer_stands_in_for_every_failure() {
    for anonymous in ["guests", "9"] {
        let more = format!(r#","anonymous":"{anonymous}""#);
        for target in ["/", "/?jwt=x", "/?jwt", "/?jwt=a&jwt=b"] {
            let step = inline(&more).send(request(target, &[]));
            assert_eq!(header(&step, "x-anonymous-consumer"), Some("true"), "{target}");
            assert_eq!(published(&step, PROPERTY).unwrap()["anonymous"], json!(true));
            assert_eq!(published(&step, CLAIMS), None);
        }
        forwarded(&bearing(&mut inline(&more), TOKEN));
    }
}

#[test]
fn an_earlier_authentication_counts_with_an_anonymous_consumer_only() {
    let known = || Request {
        consumer: Some(br#"{"id":"7","credential":{"id":"c"}}"#.to_vec()),
        ..request("/", &[])
    };
    let step = inline(r#","anonymous":"guests""#).send(known());
    assert_eq!(step, Step::forward(vec![]));
    assert_eq!(refusal(&inline("").send(known())).status, 401);
}

#[test]
fn preflights_pass_where_they_are_not_to_be_authenticated() {
    let options = || Request { method: b"OPTIONS".to_vec(), ..request("/", &[]) };
    let step = inline(r#","run_on_preflight":false"#).send(options());
    assert_eq!(step, Step::forward(vec![]));
    assert_eq!(refusal(&inline("").send(options())).status, 401);
}

#[test]
fn hidden_tokens_go_no_further() {
    let fields = [("authorization", &*format!("Bearer {TOKEN}"))];
    let target = format!("/?a=1&jwt={TOKEN}");
    let step = inline(r#","hide_credentials":true"#).send(request(&target, &fields));
    let edits = forwarded(&step);
    assert!(edits.contains(&Edit::DropParameters(vec!["jwt".into()])));
    assert!(edits.contains(&Edit::remove("authorization")));
    let step = inline("").send(request(&target, &fields));
    assert!(!forwarded(&step).iter().any(|edit| matches!(edit, Edit::DropParameters(_))));
    // A request is refused if the second copy cannot be removed.
    let twice = [fields[0], ("authorization", "x")];
    let kong = Request { can_remove: false, ..request("/", &twice) };
    assert_eq!(refusal(&inline(r#","hide_credentials":true"#).send(kong)).status, 400);
}

#[test]
fn no_token_goes_on_with_the_anonymous_consumer_where_tokens_are_hidden() {
    let more = r#","hide_credentials":true,"anonymous":"guests","cookie_names":["silly"]"#;
    let fields = [("authorization", "Bearer x"), ("cookie", "a=1,silly=y")];
    for (target, fields) in [("/?jwt=z", &fields[..]), ("/?jwt", &fields[..0]), ("/?jwt=z", &[])] {
        let step = inline(more).send(request(target, fields));
        let edits = forwarded(&step);
        assert!(edits.contains(&Edit::DropParameters(vec!["jwt".into()])), "{target}");
        assert_eq!(edits.contains(&Edit::remove("authorization")), !fields.is_empty());
        assert_eq!(edits.contains(&Edit::set("cookie", "a=1")), !fields.is_empty());
    }
    // A request whose tokens cannot be removed is refused. One that is refused for its tokens anyway
    // gets that answer: nothing has to be removed from it.
    let twice = [("authorization", "Bearer x"), ("authorization", "Bearer y")];
    let kong = || Request { can_remove: false, ..request("/", &twice) };
    assert_eq!(refusal(&inline(more).send(kong())).status, 400);
    refused(&inline(r#","hide_credentials":true"#).send(kong()), "Multiple tokens provided");
}
