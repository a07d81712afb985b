//! The table of measurements. To add a line, add an entry.

use crate::case::{Case, EMPTY, NONE, case, plain, varied};
use crate::fixture::{API_KEY, APP_ID, Fixture};
use crate::tokens::{self, ES256_KEY, RSA_KEY, bearing};
use jose::Algorithm;
use serde_json::{Value, json};
use wasm_tests::real::{Filter, RawRequest};

/// A session cookie that lua-resty-session wrote.
const SESSION: &str = concat!(
    "AQAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A8VNlAAAAAACGAACKe5hawcoeJ6S9CMIfRx4xAAAAH0qNvuyd6HZd",
    "KpYon7xcVAtUkU-xBfPlC3EBOSDMURuwkGQitvo0AGPcDh2O9qOtQQ7ydcruxKFGj9wtG8xfvQUqJXunHw_9Nx7_iQxPuMqwMcsV",
    "C8NHvPkHT7tjhWjStXMwO07KGu3pRiULSY32JZxBba2w",
);

pub(crate) fn cases(fixture: &Fixture) -> Vec<Case> {
    let keyed = || plain().header("apikey", API_KEY);
    let admin = json!({"admin": fixture.admin()});
    let key_inline =
        json!({"consumers": [{"username": "ana", "keyauth_credentials": [{"key": API_KEY}]}]});
    let hs256 = json!({"consumers": [{"username": "ana", "jwt_secrets": [{"key": "bench", "secret": tokens::SECRET}]}]});
    let rs256 = Algorithm::Rs256;
    let mut all = vec![
        case(NONE, [], plain()),
        case(EMPTY, [Filter::module("empty", &fixture.empty_filter())], plain()),
        // API keys
        case("Envoy's api_key_auth", [native_key()], keyed()),
        case("key_auth, key in the settings", [Filter::new("key_auth", &key_inline)], keyed()),
        case("key_auth, key cached", [Filter::new("key_auth", &admin)], keyed()),
        case(
            "key_auth, wrong key",
            [Filter::new("key_auth", &key_inline)],
            plain().header("apikey", "x"),
        )
        .refused(401),
        // App IDs
        case(
            "key_auth + app_id, both cached",
            [Filter::new("key_auth", &admin), Filter::new("app_id", &admin)],
            keyed().header("x-app-id", APP_ID),
        ),
        // Tokens
        case("Envoy's jwt_authn, RS256", [native_jwt()], bearing(&tokens::token(rs256))),
        case(
            "jwt_auth, HS256",
            [Filter::new("jwt_auth", &hs256)],
            bearing(&tokens::token(Algorithm::Hs256)),
        ),
        case(
            "jwt_auth, RS256, verified before",
            [jwt_auth(rs256, "auto")],
            bearing(&tokens::token(rs256)),
        ),
    ];
    // A session that never ends. The filter keeps its keys from one request to the next.
    let session = json!({
        "secret": "ultra top secret session", "idling_timeout": 0, "rolling_timeout": 0, "absolute_timeout": 0,
    });
    let browser = || plain().header("cookie", format!("theme=dark; session={SESSION}"));
    all.extend([
        case("session, no cookie", [Filter::new("session", &session)], plain()),
        case("session, a cookie", [Filter::new("session", &session)], browser()),
    ]);
    // Limits that no client reaches: with one identifier, and with a new one each time.
    let limit = json!({"second": 1_000_000_000, "limit_by": "ip"});
    let mut callers = (0..10_000).cycle();
    let mut caller = move || plain().header("x-caller", callers.next().unwrap_or(0).to_string());
    let each = json!({"minute": 1_000_000, "limit_by": "header", "header_name": "x-caller"});
    all.extend([
        case("Envoy's local_ratelimit", [native_limit()], plain()),
        case("rate_limiting, one address", [Filter::new("rate_limiting", &limit)], plain()),
        varied("rate_limiting, 10,000 callers", [Filter::new("rate_limiting", &each)], move || {
            caller()
        }),
    ]);
    // Analytics of all requests, sent in batches of 50.
    let masked =
        json!({"request_body_masks": ["password", "card"], "response_body_masks": ["card"]});
    all.extend([
        case(
            "empty filter, 1 KB each way",
            [Filter::module("empty", &fixture.empty_filter())],
            kilobyte(),
        ),
        case("moesif, no bodies", [moesif(json!({}))], plain()),
        case("moesif, 1 KB each way", [moesif(json!({}))], kilobyte()),
        case("moesif, 1 KB each way, masks", [moesif(masked)], kilobyte()),
        case(
            "moesif, 1 KB each way, compressed batches",
            [moesif(json!({"enable_compression": true}))],
            kilobyte(),
        ),
    ]);
    for (algorithm, crypto) in [
        (Algorithm::Rs256, "wasm"),
        (Algorithm::Rs256, "host"),
        (Algorithm::Rs384, "wasm"),
        (Algorithm::Rs384, "host"),
        (Algorithm::Rs512, "wasm"),
        (Algorithm::Rs512, "host"),
        // Envoy's filter has neither PSS nor Edwards curves.
        (Algorithm::Ps256, "wasm"),
        (Algorithm::Ps384, "wasm"),
        (Algorithm::Ps512, "wasm"),
        (Algorithm::Es256, "wasm"),
        (Algorithm::Es256, "host"),
        (Algorithm::Es384, "wasm"),
        (Algorithm::Es384, "host"),
        (Algorithm::Es512, "wasm"),
        (Algorithm::Es512, "host"),
        (Algorithm::EdDsa, "wasm"),
    ] {
        let name = format!("jwt_auth, {algorithm}, new token, {crypto}");
        all.push(varied(name, [jwt_auth(algorithm, crypto)], tokens::fresh(algorithm)));
    }
    all.push(case(
        "upstream_jwt, RS256, kept token",
        [upstream_jwt("RS256", "auto", false)],
        plain(),
    ));
    for (algorithm, crypto) in [
        ("RS256", "wasm"),
        ("RS256", "host"),
        ("RS384", "wasm"),
        ("RS384", "host"),
        ("RS512", "wasm"),
        ("RS512", "host"),
        ("PS256", "wasm"),
        ("ES256", "wasm"),
        ("ES256", "host"),
        ("EdDSA", "wasm"),
    ] {
        let name = format!("upstream_jwt, {algorithm}, new token, {crypto}");
        all.push(case(name, [upstream_jwt(algorithm, crypto, true)], plain()));
    }
    all.extend(crate::traffic::cases());
    all
}

/// A request with a JSON body of 1 KB, which the upstream sends back.
fn kilobyte() -> RawRequest {
    let item = json!({"id": 12_345, "name": "A thing of some kind", "price": 19.99, "tags": ["new", "blue"]});
    let body = json!({"user": "ana", "password": "s3cret", "items": vec![item; 11], "comment": "as usual"});
    let mut body = body.to_string();
    body.push_str(&" ".repeat(1024_usize.saturating_sub(body.len())));
    RawRequest::post("/orders?source=bench", body)
        .header("content-type", "application/json")
        .header("accept", "*/*")
        .header("user-agent", "bench")
}

fn moesif(more: Value) -> Filter {
    let mut settings = json!({"application_id": "bench", "collector": {"upstream": "sink"}});
    if let (Value::Object(all), Value::Object(more)) = (&mut settings, more) {
        all.extend(more);
    }
    Filter::new("moesif", &settings)
}

fn native_key() -> Filter {
    Filter::native(json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
        "credentials": [{"key": API_KEY, "client": "ana"}],
        "key_sources": [{"header": "apikey"}],
    }))
}

fn native_limit() -> Filter {
    Filter::native(json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        "stat_prefix": "bench",
        "token_bucket": {"max_tokens": 1_000_000_000, "tokens_per_fill": 1_000_000_000, "fill_interval": "1s"},
        "filter_enabled": {"default_value": {"numerator": 100}},
        "filter_enforced": {"default_value": {"numerator": 100}},
        "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
    }))
}

fn native_jwt() -> Filter {
    Filter::native(json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        "providers": {"bench": {
            "issuer": tokens::ISSUER,
            "local_jwks": {"inline_string": tokens::jwks(Algorithm::Rs256).to_string()},
        }},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "bench"}}],
    }))
}

/// Settings with a provider that has one key.
fn jwt_auth(algorithm: Algorithm, crypto: &str) -> Filter {
    let provider = json!({
        "name": "bench", "issuer": tokens::ISSUER, "jwks": tokens::jwks(algorithm).to_string(),
    });
    Filter::new("jwt_auth", &json!({"providers": [provider], "crypto": crypto}))
}

/// With the claim `jti`, every request gets a token of its own.
fn upstream_jwt(algorithm: &str, crypto: &str, jti: bool) -> Filter {
    let key = match algorithm {
        "ES256" => ES256_KEY,
        "EdDSA" => tokens::ED25519_KEY,
        _ => RSA_KEY,
    };
    let settings: Value = json!({
        "private_key": key, "algorithm": algorithm, "crypto": crypto, "jti": jti, "issuer": "bench",
    });
    Filter::new("upstream_jwt", &settings)
}
