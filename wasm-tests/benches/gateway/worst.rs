//! The costliest case of each filter that a setting or a client can bring about, each with what
//! Envoy has in its place.

use crate::case::{Case, Kind, case, plain, varied};
use crate::cases::kilobyte;
use crate::fixture::{API_KEY, Fixture, MANY_APP_IDS, MANY_KEY};
use crate::link::Link;
use crate::native_worst as native;
use crate::standard::{KEY_CACHED, jwt_auth, moesif, upstream_jwt, with_a_session};
use crate::tokens;
use crate::traffic::{BROWSER, addresses};
use jose::Algorithm;
use serde_json::{Value, json};
use wasm_tests::real::RawRequest;

const KEY_IN_BODY: &str = "key_auth, key in 1 KB of JSON";
const KEY_UNKNOWN: &str = "key_auth, unknown key, refused";
const JWT_RS256: &str = "jwt_auth, RS256, a new token each time";
const JWT_ES512: &str = "jwt_auth, ES512, a new token each time";
const BOTS: &str = "bot_detection, all rules, 2 KB of User-Agent";
const NETWORKS: &str = "ip_restriction, 10,000 networks, IPv6, ten proxies";
const LIMITS: &str = "rate_limiting, six sliding windows, 10,000 callers";
const CORS: &str = "cors, 50 expressions";
pub(crate) const CORS_LONG: &str = "cors, 50 expressions, 1 KB of Origin";
const ECHO: &str = "request_termination, echo";
const TEMPLATES: &str = "request_transformer, templates, 1 KB of JSON";
/// The name of a proxy's address list.
const FORWARDED: &str = "x-forwarded-for";

pub(crate) fn cases(fixture: &Fixture) -> Vec<Case> {
    let mut all = ours(fixture);
    all.extend(envoys());
    all.into_iter().map(|case| case.kind(Kind::Worst)).collect()
}

fn ours(fixture: &Fixture) -> Vec<Case> {
    let admin = || json!({"admin": fixture.admin()});
    let cached = || Link::ours("key_auth", admin());
    let mut in_body = admin();
    in_body["key_in_body"] = json!(true);
    in_body["key_names"] = json!(["x-key", "apikey"]);
    let keyed_body = || {
        let body = json!({"apikey": API_KEY, "comment": "x".repeat(990)}).to_string();
        RawRequest::post("/orders", body).header("content-type", "application/json")
    };
    let mut stored = json!({"storage": "admin", "secret": "ultra top secret session"});
    stored["admin"] = fixture.admin();
    let many = || plain().header("apikey", MANY_KEY);
    vec![
        case(KEY_IN_BODY, [holding("key_auth", in_body)], keyed_body()),
        case(KEY_UNKNOWN, [cached()], plain().header("apikey", "nobody's")).refused(401),
        case(
            "app_id, 25 App IDs of one consumer, refused",
            [cached(), Link::ours("app_id", admin())],
            many().header("x-app-id", format!("{MANY_APP_IDS}-unknown")),
        )
        .refused(403)
        .over(KEY_CACHED),
        varied(JWT_RS256, [jwt_auth(Algorithm::Rs256, "auto")], tokens::fresh(Algorithm::Rs256)),
        varied(JWT_ES512, [jwt_auth(Algorithm::Es512, "auto")], tokens::fresh(Algorithm::Es512))
            .costly(),
        case("session, renewed by each request", [session_of_an_older_secret()], with_a_session()),
        case(
            "session, a login stored at gatehouse-admin",
            [Link::ours("session", stored), cached()],
            plain().header("apikey", API_KEY),
        )
        .over(KEY_CACHED),
        case(BOTS, [Link::ours("bot_detection", json!({"rules": "all"}))], long_user_agent()),
        case(
            NETWORKS,
            [Link::ours(
                "ip_restriction",
                json!({"deny": addresses(), "trusted_proxies": ["10.0.0.0/8"]}),
            )],
            behind_proxies(),
        ),
        varied(LIMITS, [Link::ours("rate_limiting", six_windows())], callers()),
        case(
            CORS,
            [Link::ours("cors", json!({"origins": origins(), "credentials": true}))],
            asks(),
        ),
        case(
            CORS_LONG,
            [Link::ours("cors", json!({"origins": origins(), "credentials": true}))],
            asks_at_length(),
        )
        .costly(),
        case(ECHO, [holding("request_termination", json!({"echo": true}))], kilobyte())
            .refused(503),
        case(TEMPLATES, [holding("request_transformer", templates())], transformed()),
        case(
            "upstream_jwt, PS256, a new token each time",
            [upstream_jwt("PS256", "auto", true)],
            plain(),
        )
        .costly(),
        case("moesif, 1 KB each way, 100 masks, compressed", [moesif(masks(100))], kilobyte())
            .counting(50),
    ]
}

/// What Envoy has in the place of these cases. It has nothing for app_id, session, upstream_jwt,
/// moesif, a key in a body and templates over a body.
fn envoys() -> Vec<Case> {
    let es512 = tokens::fresh(Algorithm::Es512);
    let rs256 = tokens::fresh(Algorithm::Rs256);
    vec![
        case("Envoy's api_key_auth, unknown key, refused", [crate::native::api_key_auth()], {
            plain().header("apikey", "nobody's")
        })
        .refused(401)
        .instead_of([KEY_UNKNOWN]),
        varied(
            "Envoy's jwt_authn, RS256, a new token each time",
            [crate::native::jwt_authn(Algorithm::Rs256, true)],
            rs256,
        )
        .instead_of([JWT_RS256]),
        varied(
            "Envoy's jwt_authn, ES512, a new token each time",
            [crate::native::jwt_authn(Algorithm::Es512, true)],
            es512,
        )
        .costly()
        .instead_of([JWT_ES512]),
        case("Envoy's rbac, seven expressions, 2 KB of User-Agent", [native::rbac_bots()], {
            long_user_agent()
        })
        .instead_of([BOTS]),
        case("Envoy's lua, 35 names, 2 KB of User-Agent", [native::lua_bots()], long_user_agent())
            .instead_of([BOTS]),
        case("Envoy's rbac, 10,000 networks, IPv6", [crate::native::rbac(&addresses())], {
            plain().header(FORWARDED, "203.0.113.9")
        })
        .instead_of([NETWORKS]),
        varied("Envoy's local_ratelimit, 10,000 callers", [native::local_ratelimit()], callers())
            .instead_of([LIMITS]),
        case("Envoy's cors, 50 expressions", [native::cors(&origins())], asks()).instead_of([CORS]),
        case("Envoy's cors, 50 expressions, 1 KB of Origin", [native::cors(&origins())], {
            asks_at_length()
        })
        .costly()
        .instead_of([CORS_LONG]),
        case("Envoy's direct_response", [], RawRequest::get("/elsewhere"))
            .refused(418)
            .instead_of([ECHO]),
        case("Envoy's header_mutation, five with values of the request", [native::mutations()], {
            transformed()
        })
        .instead_of([TEMPLATES]),
    ]
}

/// A filter of this repository that holds a request until its body is here.
fn holding(name: &'static str, mut settings: Value) -> Link {
    settings["allow_on_headers_stop_iteration"] = json!(true);
    Link::ours(name, settings).holding_headers()
}

/// Settings under which the session of the benchmark is of an older secret, so that each request
/// gets a new cookie.
fn session_of_an_older_secret() -> Link {
    let settings = json!({
        "secret": "the next top secret session", "secret_fallbacks": ["ultra top secret session"],
        "idling_timeout": 0, "rolling_timeout": 0, "absolute_timeout": 0,
    });
    Link::ours("session", settings)
}

/// A client's name of 2 KB in which no rule finds a bot.
pub(crate) fn long_user_agent() -> RawRequest {
    let name = BROWSER.repeat(2048 / BROWSER.len() + 1);
    RawRequest::get("/orders/1").header("user-agent", name.get(..2048).unwrap_or_default())
}

/// A request that came through ten proxies, all but the first of which are trusted.
fn behind_proxies() -> RawRequest {
    let proxies: Vec<String> = (1..=9).map(|n| format!("10.0.0.{n}")).collect();
    plain().header(FORWARDED, format!("203.0.113.9, {}", proxies.join(", ")))
}

/// Six limits that no caller reaches.
fn six_windows() -> Value {
    let mut settings = json!({
        "limit_by": "header", "header_name": "x-caller", "algorithm": "sliding_window",
    });
    for window in ["second", "minute", "hour", "day", "month", "year"] {
        settings[window] = json!(1_000_000);
    }
    settings
}

/// A new caller each time, of 10,000.
pub(crate) fn callers() -> impl FnMut() -> RawRequest {
    let mut callers = (0..10_000).cycle();
    move || plain().header("x-caller", callers.next().unwrap_or(0).to_string())
}

/// 50 expressions, the last of which fits the origin of [`asks`].
pub(crate) fn origins() -> Vec<String> {
    (0..50).map(|n| format!(r"https://([^.]+\.)+shop{n}\.test")).collect()
}

pub(crate) fn asks() -> RawRequest {
    plain().header("origin", "https://www.eu.shop49.test")
}

/// A request from the longest origin that cors takes for one.
pub(crate) fn asks_at_length() -> RawRequest {
    plain().header("origin", format!("https://{}shop49.test", "www.".repeat(75)))
}

/// Every kind of change, with values that the request fills.
fn templates() -> Value {
    json!({
        "uri_pattern": "/orders/(?<order>[0-9]+)",
        "remove": {"headers": ["x-debug"], "querystring": ["trace"], "body": ["card"]},
        "rename": {"headers": ["x-old:x-new"], "querystring": ["p:page"], "body": ["user:customer"]},
        "replace": {"uri": "/v2/orders/$(uri_captures.order)", "body": ["comment:$(headers[\"x-note\"] or 'none')"]},
        "add": {
            "headers": ["x-caller:$(consumer.username or 'nobody')", "x-order:$(uri_captures.order)"],
            "querystring": ["source:$(headers[\"user-agent\"])"],
            "body": ["page:$(query_params.p)"],
        },
        "append": {"headers": ["x-trail:gateway"], "body": ["trail:gateway"]},
    })
}

/// A request on which every change of [`templates`] has an effect.
pub(crate) fn transformed() -> RawRequest {
    let body = json!({
        "card": "1", "user": "ana", "comment": "x", "items": vec!["some thing of a kilobyte"; 34],
    });
    RawRequest::post("/orders/17?trace=1&p=2", body.to_string())
        .header("content-type", "application/json")
        .header("user-agent", "bench")
        .header("x-debug", "1")
        .header("x-old", "1")
        .header("x-note", "as usual")
}

/// This number of names to take out of requests, and as many of responses.
pub(crate) fn masks(count: usize) -> Value {
    let mut names: Vec<String> = (1..count).map(|n| format!("secret_{n}")).collect();
    names.push("password".to_owned());
    json!({"request_body_masks": names, "response_body_masks": names, "enable_compression": true})
}
