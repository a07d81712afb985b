//! The cases of the first table: the floor, Envoy's own filters, each filter, and chains.

use crate::case::{Case, EMPTY, Kind, NONE, ONE_HEADER, case, plain};
use crate::fixture::{API_KEY, APP_ID, Fixture};
use crate::link::{Link, module_of_all};
use crate::tokens::{self, RSA_KEY, bearing};
use crate::traffic::{BROWSER, networks};
use crate::{native, native_worst};
use jose::Algorithm;
use serde_json::{Value, json};
use wasm_tests::real::RawRequest;

/// A session cookie that lua-resty-session wrote.
const SESSION: &str = concat!(
    "AQAAAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8A8VNlAAAAAACGAACKe5hawcoeJ6S9CMIfRx4xAAAAH0qNvuyd6HZd",
    "KpYon7xcVAtUkU-xBfPlC3EBOSDMURuwkGQitvo0AGPcDh2O9qOtQQ7ydcruxKFGj9wtG8xfvQUqJXunHw_9Nx7_iQxPuMqwMcsV",
    "C8NHvPkHT7tjhWjStXMwO07KGu3pRiULSY32JZxBba2w",
);

pub(crate) const KEY_IN_SETTINGS: &str = "key_auth, key in the settings";
pub(crate) const KEY_CACHED: &str = "key_auth, key cached";
pub(crate) const JWT_RS256: &str = "jwt_auth, RS256, verified before";
pub(crate) const BOTS: &str = "bot_detection";
pub(crate) const NETWORKS: &str = "ip_restriction, 10,000 networks";
pub(crate) const LIMIT: &str = "rate_limiting, local";
pub(crate) const CORS: &str = "cors";
pub(crate) const TRANSFORMER: &str = "request_transformer, one header";
pub(crate) const SESSION_LIVE: &str = "session, live cookie";
pub(crate) const MOESIF: &str = "moesif";
pub(crate) const KEPT_TOKEN: &str = "upstream_jwt, RS256, kept token";
pub(crate) const TERMINATION: &str = "request_termination, not matching";

pub(crate) fn cases(fixture: &Fixture) -> Vec<Case> {
    let mut all = floor();
    all.extend(native_filters());
    all.extend(filters(fixture));
    all.extend(chains(fixture));
    all
}

fn floor() -> Vec<Case> {
    [
        (NONE, vec![]),
        (EMPTY, vec![Link::Sdk("sdk_empty")]),
        (ONE_HEADER, vec![Link::Sdk("sdk_header")]),
    ]
    .into_iter()
    .map(|(name, links)| case(name, links, plain()).kind(Kind::Floor))
    .collect()
}

fn native_filters() -> Vec<Case> {
    let rs256 = || bearing(&tokens::token(Algorithm::Rs256));
    let jwt_authn = |remembers| native::jwt_authn(Algorithm::Rs256, remembers);
    let all = [
        ("Envoy's api_key_auth", native::api_key_auth(), keyed(), &[KEY_IN_SETTINGS][..]),
        ("Envoy's jwt_authn, RS256", jwt_authn(false), rs256(), &[]),
        ("Envoy's jwt_authn, RS256, verified before", jwt_authn(true), rs256(), &[JWT_RS256]),
        ("Envoy's local_ratelimit", native::local_ratelimit(), plain(), &[LIMIT]),
        ("Envoy's rbac, 10,000 networks", native::rbac(&networks()), plain(), &[NETWORKS]),
        ("Envoy's rbac, seven expressions", native_worst::rbac_bots(), browser(), &[BOTS]),
        ("Envoy's lua, 35 names", native_worst::lua_bots(), browser(), &[BOTS]),
        ("Envoy's cors", native::cors(), from_an_origin(), &[CORS]),
        ("Envoy's header_mutation", native::header_mutation(), plain(), &[TRANSFORMER]),
        ("Envoy's lua, not matching", native_worst::lua_termination(), plain(), &[TERMINATION]),
        ("Envoy's lua, one header read and one set", native::lua(), plain(), &[ONE_HEADER]),
    ];
    let native = |(name, link, request, places): (&str, Link, RawRequest, &[&'static str])| {
        case(name, [link], request).kind(Kind::Native).instead_of(places.iter().copied())
    };
    all.into_iter().map(native).collect()
}

fn filters(fixture: &Fixture) -> Vec<Case> {
    let admin = || json!({"admin": fixture.admin()});
    let hs256 = json!({"consumers": [
        {"username": "ana", "jwt_secrets": [{"key": "bench", "secret": tokens::SECRET}]},
    ]});
    let token = |algorithm| bearing(&tokens::token(algorithm));
    let all = vec![
        case(KEY_IN_SETTINGS, [key_auth()], keyed()),
        case(KEY_CACHED, [Link::ours("key_auth", admin())], keyed()),
        case(
            "app_id, cached, after key_auth",
            [Link::ours("key_auth", admin()), Link::ours("app_id", admin())],
            keyed().header("x-app-id", APP_ID),
        )
        .over(KEY_CACHED),
        case("jwt_auth, HS256", [Link::ours("jwt_auth", hs256)], token(Algorithm::Hs256)),
        case(JWT_RS256, [jwt_auth(Algorithm::Rs256, "auto")], token(Algorithm::Rs256)),
        case(BOTS, [bot_detection()], browser()),
        case(NETWORKS, [ip_restriction()], plain()),
        case(LIMIT, [rate_limiting()], plain()),
        case(CORS, [cors()], from_an_origin()),
        case(TRANSFORMER, [request_transformer()], plain()),
        case(SESSION_LIVE, [session()], with_a_session()),
        // So many make a batch, which is sent.
        case(MOESIF, [moesif(json!({}))], plain()).counting(50),
        case(KEPT_TOKEN, [upstream_jwt("RS256", "auto", false)], plain()),
        case(TERMINATION, [request_termination()], plain()),
    ];
    all.into_iter().map(|case| case.kind(Kind::Filter)).collect()
}

/// The links of the chain of all.
pub(crate) fn twelve(fixture: &Fixture) -> [Link; 12] {
    let admin = || json!({"admin": fixture.admin()});
    [
        cors(),
        request_termination(),
        ip_restriction(),
        bot_detection(),
        session(),
        jwt_auth(Algorithm::Rs256, "auto"),
        Link::ours("key_auth", admin()),
        Link::ours("app_id", admin()),
        rate_limiting(),
        request_transformer(),
        upstream_jwt("RS256", "auto", false),
        moesif(json!({})),
    ]
}

/// A request with all that the chain of all looks at.
pub(crate) fn everything() -> RawRequest {
    all_at_once()
        .bearer(tokens::token(Algorithm::Rs256))
        .header("x-app-id", APP_ID)
        .header("cookie", format!("theme=dark; session={SESSION}"))
}

/// The links of the chain of five.
pub(crate) fn five() -> [Link; 5] {
    [cors(), ip_restriction(), bot_detection(), key_auth(), rate_limiting()]
}

/// A request with all that the chain of five looks at.
pub(crate) fn all_at_once() -> RawRequest {
    browser().header("origin", "https://shop.b.test").header("apikey", API_KEY)
}

fn chains(fixture: &Fixture) -> Vec<Case> {
    let parts = || [CORS, NETWORKS, BOTS, KEY_IN_SETTINGS, LIMIT].map(str::to_owned);
    let mut chains = vec![
        case("five filters, a file each", five(), all_at_once()).beside(parts()),
        case("all twelve, a file each", twelve(fixture), everything()),
    ];
    if module_of_all().is_file() {
        chains.extend([
            case("key_auth, from the module of all", [key_auth().in_one_module()], keyed()),
            case("five filters, one module", five().map(Link::in_one_module), all_at_once())
                .beside(parts()),
            case("all twelve, one module", twelve(fixture).map(Link::in_one_module), everything()),
        ]);
    }
    chains.into_iter().map(|case| case.kind(Kind::Chain)).collect()
}

fn keyed() -> RawRequest {
    plain().header("apikey", API_KEY)
}

pub(crate) fn from_an_origin() -> RawRequest {
    plain().header("origin", "https://shop.b.test")
}

pub(crate) fn browser() -> RawRequest {
    RawRequest::get("/orders/1").header("accept", "*/*").header("user-agent", BROWSER)
}

pub(crate) fn with_a_session() -> RawRequest {
    plain().header("cookie", format!("theme=dark; session={SESSION}"))
}

/// Settings with one consumer, who has one key.
pub(crate) fn key_auth() -> Link {
    let consumer = json!({"username": "ana", "keyauth_credentials": [{"key": API_KEY}]});
    Link::ours("key_auth", json!({"consumers": [consumer]}))
}

/// Settings with a provider that has one key.
pub(crate) fn jwt_auth(algorithm: Algorithm, crypto: &str) -> Link {
    let provider = json!({
        "name": "bench", "issuer": tokens::issuer(algorithm), "jwks": tokens::jwks(algorithm).to_string(),
    });
    Link::ours("jwt_auth", json!({"providers": [provider], "crypto": crypto}))
}

fn bot_detection() -> Link {
    Link::ours("bot_detection", json!({}))
}

fn ip_restriction() -> Link {
    Link::ours("ip_restriction", json!({"deny": networks()}))
}

/// A limit that no client reaches.
fn rate_limiting() -> Link {
    Link::ours("rate_limiting", json!({"second": 1_000_000_000, "limit_by": "ip"}))
}

pub(crate) fn cors() -> Link {
    Link::ours("cors", cors_settings())
}

/// Two origins, one of them an expression.
pub(crate) fn cors_settings() -> Value {
    let origins = json!(["https://a.test", r"https://([^.]+\.)+b\.test"]);
    json!({"origins": origins, "credentials": true})
}

fn request_transformer() -> Link {
    Link::ours("request_transformer", json!({"add": {"headers": ["x-source:gateway"]}}))
}

fn request_termination() -> Link {
    Link::ours("request_termination", json!({"trigger": "x-maintenance"}))
}

/// A session that never ends. The filter keeps its keys from one request to the next.
pub(crate) fn session() -> Link {
    Link::ours(
        "session",
        json!({
            "secret": "ultra top secret session",
            "idling_timeout": 0, "rolling_timeout": 0, "absolute_timeout": 0,
        }),
    )
}

/// Analytics of all requests, sent in batches of 50.
pub(crate) fn moesif(more: Value) -> Link {
    let mut settings = json!({"application_id": "bench", "collector": {"upstream": "sink"}});
    if let (Value::Object(all), Value::Object(more)) = (&mut settings, more) {
        all.extend(more);
    }
    Link::ours("moesif", settings)
}

/// With the claim `jti`, every request gets a token of its own.
pub(crate) fn upstream_jwt(algorithm: &str, crypto: &str, jti: bool) -> Link {
    let key = match algorithm {
        "ES256" => tokens::ES256_KEY,
        "EdDSA" => tokens::ED25519_KEY,
        _ => RSA_KEY,
    };
    Link::ours(
        "upstream_jwt",
        json!({
            "private_key": key, "algorithm": algorithm, "crypto": crypto, "jti": jti, "issuer": "bench",
        }),
    )
}
