//! Requests and the answers of Kong's jwt plugin, and the requests that the plugin answers wrongly.

use serde_json::{Value, json};
use wasm_tests::tokens::{
    PUBLIC, SEED, ado, forged, key, public_pem, secret, signed, under, unsigned,
};

/// A request that is refused with 401 and the challenge `invalid_token`.
pub struct Row {
    pub what: &'static str,
    pub target: String,
    pub fields: Vec<(&'static str, Vec<u8>)>,
    pub message: &'static str,
}

impl Row {
    fn at(what: &'static str, target: &str, message: &'static str) -> Self {
        Self { what, target: target.to_owned(), fields: Vec::new(), message }
    }

    fn of(what: &'static str, token: impl AsRef<[u8]>, message: &'static str) -> Self {
        let field = ("authorization", [b"Bearer ", token.as_ref()].concat());
        Self { fields: vec![field], ..Self::at(what, "/", message) }
    }
}

/// The credentials of the consumer `ado`.
pub fn credentials() -> Vec<Value> {
    let mut all = vec![json!({"id": "j", "key": "adokey", "secret": "supersecret"})];
    for algorithm in ["HS384", "HS512"] {
        all.push(json!({"key": algorithm, "algorithm": algorithm, "secret": "supersecret"}));
    }
    for (algorithm, name) in PUBLIC {
        all.push(json!({
            "key": format!("{algorithm} {name}"), "algorithm": algorithm, "rsa_public_key": public_pem(name),
        }));
    }
    all
}

/// The answers of Kong's plugin that need no other settings.
pub fn rows() -> Vec<Row> {
    let good = r#"{"alg":"HS256"}"#;
    let ours = secret("HS256", b"supersecret");
    let other = secret("HS256", b"another secret");
    let token = |what, token: String, message| Row::of(what, token, message);
    vec![
        Row::at("2: two", &format!("/?jwt={SEED}&jwt=a.b.c"), "Multiple tokens provided"),
        Row {
            target: "/?jwt=a.b.c".to_owned(),
            ..Row::of("2: in two places", SEED, "Multiple tokens provided")
        },
        Row::at("3: no value", "/?jwt", "Unrecognizable token"),
        token("4: one part", "abc".into(), "Bad token; invalid JSON"),
        token("4: two parts", "a.b".into(), "Bad token; invalid JSON"),
        token("4: no base64", "!.!.!".into(), "Bad token; invalid JSON"),
        token("4: no JSON", unsigned("{", "{}"), "Bad token; invalid JSON"),
        token("4: claims no JSON", unsigned(good, "{"), "Bad token; invalid JSON"),
        token("5: no alg", unsigned("{}", "{}"), "Bad token; invalid alg"),
        token("5: alg no text", unsigned(r#"{"alg":1}"#, "{}"), "Bad token; invalid alg"),
        token("5: foo", unsigned(r#"{"alg":"foo"}"#, "{}"), "Bad token; invalid alg"),
        token(
            "5: none",
            unsigned(r#"{"alg":"none"}"#, r#"{"iss":"adokey"}"#),
            "Bad token; invalid alg",
        ),
        token("5: None", unsigned(r#"{"alg":"None"}"#, "{}"), "Bad token; invalid alg"),
        token("5: hs256", unsigned(r#"{"alg":"hs256"}"#, "{}"), "Bad token; invalid alg"),
        token("6: claims false", unsigned(good, "false"), "Bad token; invalid claims"),
        token("7: four parts", format!("{SEED}.x"), "Bad token; invalid signature"),
        token("7: five parts, as a JWE", format!("{SEED}.x.y"), "Bad token; invalid signature"),
        token("7: padding", format!("{SEED}="), "Bad token; invalid signature"),
        token(
            "7: no base64",
            format!("{}+/", &SEED[..SEED.len() - 2]),
            "Bad token; invalid signature",
        ),
        token("8: no claim", signed(&ours, &json!({}), &json!({})), "No mandatory 'iss' in claims"),
        token(
            "8: false",
            signed(&ours, &json!({}), &json!({"iss": false})),
            "No mandatory 'iss' in claims",
        ),
        token(
            "9: empty",
            signed(&ours, &json!({}), &json!({"iss": ""})),
            "Invalid 'iss' in claims",
        ),
        token(
            "10: nobody's",
            signed(&ours, &json!({}), &json!({"iss": "nobody"})),
            "No credentials found for given 'iss'",
        ),
        token(
            "11: not the credential's",
            signed(&secret("HS384", b"supersecret"), &json!({}), &json!({"iss": "adokey"})),
            "Invalid algorithm",
        ),
        token(
            "11: the public key as a secret",
            signed(
                &secret("HS256", public_pem("rsa2048").as_bytes()),
                &json!({}),
                &json!({"iss": "RS256 rsa2048"}),
            ),
            "Invalid algorithm",
        ),
        token(
            "11: a public key's token for a secret's credential",
            signed(&key("RS256", "rsa2048"), &json!({}), &json!({"iss": "adokey"})),
            "Invalid algorithm",
        ),
        token(
            "13: another secret",
            signed(&other, &json!({}), &json!({"iss": "adokey"})),
            "Invalid signature",
        ),
        token("13: changed", forged(SEED), "Invalid signature"),
        token("13: none", SEED[..=SEED.rfind('.').expect("a dot")].to_owned(), "Invalid signature"),
        token(
            "13: by another key",
            signed(&key("RS256", "rsa3072"), &json!({}), &json!({"iss": "RS256 rsa2048"})),
            "Invalid signature",
        ),
    ]
}

const GOOD: &str = r#"{"alg":"HS256"}"#;

/// Tokens with signatures of a wrong length.
pub fn wrong_lengths() -> Vec<Row> {
    let mut rows = Vec::new();
    for (algorithm, issuer) in [
        ("ES256", "ES256 es256"),
        ("ES384", "ES384 es384"),
        ("ES512", "ES512 es512"),
        ("PS256", "PS256 rsa3072"),
        ("PS384", "PS384 rsa3072"),
        ("PS512", "PS512 rsa3072"),
        ("PS256", "PS256 rsa2048"),
        ("RS256", "RS256 rsa2048"),
        ("EdDSA", "EdDSA ed25519"),
    ] {
        for signature in ["", "AAAA", &"A".repeat(172), &"A".repeat(342)] {
            let header = json!({"alg": algorithm}).to_string();
            let claims = json!({"iss": issuer}).to_string();
            rows.push(Row::of(algorithm, under(&header, &claims, signature), "Invalid signature"));
        }
    }
    rows
}

/// Tokens whose key claim is not a text.
pub fn no_texts() -> Vec<Row> {
    let issuers = [
        json!(123),
        json!(-0.5),
        json!(true),
        json!(null),
        json!(["adokey"]),
        json!({"adokey": 1}),
    ];
    let row = |issuer| Row::of("iss", ado(json!({ "iss": issuer })), "Invalid 'iss' in claims");
    issuers.into_iter().map(row).collect()
}

/// Tokens whose header or claims are not an object.
pub fn no_objects() -> Vec<Row> {
    let texts = ["null", "1", "-1.5", "true", r#""text""#, "[]", r#"["alg","HS256"]"#];
    let rows = texts.map(|text| {
        [
            Row::of(text, unsigned(text, "{}"), "Bad token; invalid alg"),
            Row::of(text, unsigned(GOOD, text), "Bad token; invalid claims"),
        ]
    });
    rows.into_iter().flatten().collect()
}

/// Tokens that two parsers could read differently.
pub fn ambiguous() -> Vec<Row> {
    let deep = format!("{}{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
    let rows = [
        (r#"{"alg":"HS256","alg":"none"}"#, "{}", "Bad token; invalid JSON"),
        (r#"{"alg":"HS256","\u0061lg":"HS256"}"#, "{}", "Bad token; invalid JSON"),
        (GOOD, r#"{"iss":"adokey","iss":"adokey"}"#, "Bad token; invalid JSON"),
        (GOOD, r#"{"iss":"adokey","a":{"b":1,"b":2}}"#, "Bad token; invalid JSON"),
        (GOOD, r#"{"iss":"adokey"} x"#, "Bad token; invalid JSON"),
        (GOOD, "{\"iss\":\"ado\u{0}key", "Bad token; invalid JSON"),
        (GOOD, deep.as_str(), "Bad token; invalid JSON"),
        (r#"{"alg":"HS256","crit":["b64"],"b64":false}"#, "{}", "Bad token; unsupported crit"),
        (r#"{"alg":"HS256","crit":[]}"#, "{}", "Bad token; unsupported crit"),
        (r#"{"alg":"HS256","kid":1}"#, "{}", "Bad token; invalid kid"),
    ];
    rows.map(|(header, claims, message)| Row::of(header, unsigned(header, claims), message)).into()
}

/// Tokens that bring a key with them.
pub fn embedded() -> Vec<Row> {
    let own = secret("HS256", b"mine");
    let headers = [
        json!({"jwk": {"kty": "oct", "k": "bWluZQ"}}),
        json!({"jku": "https://evil.example/keys", "kid": "mine"}),
        json!({"x5u": "https://evil.example/cert", "x5c": ["bWluZQ=="]}),
        json!({"kid": "../../../dev/null"}),
        json!({"kid": "' OR 1=1 --"}),
    ];
    let claims = json!({"iss": "adokey"});
    headers
        .map(|header| Row::of("header", signed(&own, &header, &claims), "Invalid signature"))
        .into()
}

/// Bytes that are no text, and tokens beyond every limit.
pub fn no_tokens() -> Vec<Row> {
    let message = "Bad token; invalid JSON";
    let larger = ado(json!({"x": "y".repeat(60_000)}));
    vec![
        Row::of("bytes", b"\xff\xfe\xfd", message),
        Row::of("a last byte", b"a.b.\xff", message),
        Row::of("bytes inside", b"eyJ\x80.eyJ.AA", message),
        Row::of("70 KB", "x".repeat(70_000), message),
        Row::of("80 KB that verify", larger, message),
        Row::at("escapes", "/?jwt=%ff%fe", message),
        Row::at("half an escape", "/?jwt=%", message),
        Row::at("no escapes", "/?jwt=%zz.%zz.%zz", message),
    ]
}
