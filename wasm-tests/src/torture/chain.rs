//! All twelve filters in one chain, which leads every request past an authentication.

use crate::tokens::pem;
use crate::values::merged;
use serde_json::{Value, json};

/// The token with which an operator asks for a report.
const DEBUG_TOKEN: &str = "a-token-of-the-operators";

/// The names and settings of the filters, in their order. With `admin` they look consumers up at
/// this gatehouse-admin; otherwise the settings hold the same consumers.
///
/// A session, a key or a token authenticates; who has none of them is the consumer `visitor`, who
/// is refused with 401. Below `/retired` everybody is refused with 410.
pub fn all_filters(admin: Option<&Value>) -> Vec<(&'static str, Value)> {
    let asking = |settings: Value, otherwise: Value| match admin {
        Some(admin) => merged(settings, json!({"admin": admin})),
        None => merged(settings, otherwise),
    };
    let visitor = json!({"username": "visitor"});
    vec![
        (
            "moesif",
            json!({"application_id": "an-application-id", "batch_max_wait": 200,
            "collector": {"upstream": "collector", "scheme": "http"},
            "user_id_header": "X-User", "company_id_header": "X-Company",
            "request_header_masks": ["apikey", "authorization", "cookie"],
            "request_body_masks": ["password"], "request_query_masks": ["apikey"]}),
        ),
        (
            "cors",
            json!({"origins": ["https://a.test", r"https://([^.]+\.)+b\.test"],
            "credentials": true, "private_network": true}),
        ),
        ("bot_detection", json!({"rules": "all"})),
        ("ip_restriction", json!({"deny": ["198.51.100.0/24"], "trusted_proxies": ["127.0.0.1"]})),
        (
            "request_termination",
            json!({"match": {"paths": ["/retired"]}, "status_code": 410, "message": "retired"}),
        ),
        (
            "session",
            json!({"secret": "the secret of all nodes", "hide_cookie": true, "idling_timeout": 0, "rolling_timeout": 86_400,
            "request_headers": ["subject", "id", "audience", "timeout", "idling-timeout",
                "rolling-timeout", "absolute-timeout"]}),
        ),
        (
            "key_auth",
            asking(
                json!({"hide_credentials": true, "anonymous": "visitor", "consumers": [visitor],
                "debug_token": DEBUG_TOKEN}),
                json!({"consumers": [visitor, {"username": "ana",
                "keyauth_credentials": [{"key": super::shape::KEY}]}]}),
            ),
        ),
        (
            "jwt_auth",
            asking(
                json!({"hide_credentials": true, "anonymous": "visitor", "consumers": [visitor],
                "cookie_names": ["jwt"], "claims_to_verify": ["exp"]}),
                json!({"consumers": [visitor, {"username": "ado",
                "jwt_secrets": [{"key": "adokey", "secret": "supersecret"}]}]}),
            ),
        ),
        (
            "request_termination",
            json!({"match": {"consumers": ["visitor"]}, "status_code": 401, "message": "no visitors"}),
        ),
        (
            "app_id",
            asking(
                json!({"debug_token": DEBUG_TOKEN}),
                json!({"mappings": {"ana": [super::shape::APP], "ado": ["partners"]}}),
            ),
        ),
        ("rate_limiting", json!({"hour": 1_000_000_000_000_u64, "limit_by": "consumer"})),
        (
            "request_transformer",
            json!({"remove": {"headers": ["X-Debug"], "querystring": ["secret"]},
            "add": {"headers": ["X-Caller:$(consumer.username or 'nobody')"]}}),
        ),
        (
            "upstream_jwt",
            json!({"private_key": pem("es256"), "algorithm": "ES256", "header": "X-Upstream-JWT",
            "consumer": ["id", "username"], "route": ["name"], "service": ["name"]}),
        ),
    ]
}
