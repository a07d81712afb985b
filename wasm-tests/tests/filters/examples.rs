//! The facts about each filter that the rules for all filters need: settings with which it works,
//! documents with every setting, and how far the filter deviates from the others.

use crate::gateways::asking;
use serde_json::{Value, json};
use wasm_tests::merged;

/// The facts about one filter.
pub(crate) struct Example {
    /// Settings with which the filter works on every gateway.
    pub(crate) working: Value,
    /// Documents that together hold every setting.
    pub(crate) every_setting: Vec<Value>,
    /// `true` for a filter that answers 401 to a request without a credential or identity.
    pub(crate) answers_401: bool,
    /// The variables of nginx that the filter needs on Kong.
    pub(crate) variables: &'static [&'static str],
    /// The path of a setting that must not be logged, if the filter has one, and settings that hold
    /// [`SECRET`] there and at a number.
    pub(crate) secret: Option<(&'static str, Value)>,
    /// `true` for a filter that has calls to make although no request came and no admin service is
    /// configured.
    pub(crate) ticks: bool,
}

impl Example {
    /// The facts about a filter that uses the identity at most, and has no secrets.
    fn of(working: Value, every_setting: Vec<Value>) -> Self {
        Self {
            working,
            every_setting,
            answers_401: false,
            variables: &[],
            secret: None,
            ticks: false,
        }
    }

    /// The facts about a filter that asks gatehouse-admin.
    fn asking(working: Value, every_setting: Vec<Value>) -> Self {
        let admin = json!({"upstream": "a:1", "token": SECRET, "timeout": SECRET});
        let secret = Some(("admin.token", asking(json!({"admin": admin}))));
        Self { secret, ..Self::of(working, every_setting) }
    }
}

/// A text that is no token, no key and no number.
pub(crate) const SECRET: &str = "s3cr3t with a space";

/// Finds the facts about the filter of this name, without `gatehouse_`.
pub(crate) fn example(name: &str) -> Example {
    match name {
        "app_id" => Example {
            answers_401: true,
            variables: &["gatehouse_consumer"],
            ..Example::asking(json!({"mappings": {"ana": ["portal"]}}), app_id())
        },
        "bot_detection" => Example::of(json!({"action": "tag", "rules": "all"}), bot_detection()),
        "cors" => Example::of(
            json!({"origins": ["https://a.test", "https://b.test"], "credentials": true}),
            cors(),
        ),
        "ip_restriction" => Example::of(
            json!({"deny": ["192.0.2.0/24"], "trusted_proxies": ["203.0.113.0/24"],
                "real_ip_header": "X-Real-IP"}),
            ip_restriction(),
        ),
        "jwt_auth" => Example {
            answers_401: true,
            variables: &["gatehouse_consumer", "gatehouse_claims"],
            ..Example::asking(
                json!({"consumers": [{"username": "ado",
                    "jwt_secrets": [{"key": "adokey", "secret": "supersecret"}]}]}),
                jwt_auth(&consumers()),
            )
        },
        "key_auth" => Example {
            answers_401: true,
            variables: &["gatehouse_consumer"],
            ..Example::asking(
                json!({"consumers": [{"username": "ana",
                    "keyauth_credentials": [{"key": "right"}]}]}),
                key_auth(),
            )
        },
        "moesif" => Example {
            secret: Some((
                "application_id",
                json!({"application_id": SECRET, "batch_size": SECRET}),
            )),
            ticks: true,
            ..Example::of(
                json!({"application_id": "app", "collector": {"upstream": "collector.test:9500"}}),
                moesif(),
            )
        },
        "rate_limiting" => {
            Example::asking(json!({"minute": 1_000_000, "limit_by": "ip"}), rate_limiting())
        }
        "request_termination" => {
            Example::of(json!({"status_code": 410, "trigger": "x-end"}), request_termination())
        }
        "request_transformer" => Example::of(
            json!({"remove": {"headers": ["x-app-id"]}, "add": {"headers": ["X-Host:$(headers.host)"]},
                "append": {"querystring": ["q:$(query_params.a or 'none')"]}}),
            request_transformer(),
        ),
        "session" => Example {
            variables: &["gatehouse_consumer"],
            ..Example::asking(
                json!({"secret": "a secret of every node"}),
                vec![session(&consumers())],
            )
        },
        "upstream_jwt" => Example {
            secret: Some(("private_key", json!({"private_key": SECRET, "exp": SECRET}))),
            ..Example::of(
                json!({"private_key":
                    include_str!("../../../filters/upstream-jwt/test-keys/rsa.pem")}),
                upstream_jwt(),
            )
        },
        other => panic!("no facts about {other}: add them here"),
    }
}

fn admin() -> Value {
    json!({
        "upstream": "admin.internal:8001", "authority": "admin", "scheme": "https", "path_prefix": "/v1",
        "timeout": 500, "token": "secret", "poll_interval": 7,
    })
}

/// The settings of every filter that asks gatehouse-admin, and these settings.
pub(crate) fn common(more: Value) -> Value {
    let settings = json!({
        "admin": admin(), "shm_zone": "zone_1", "trust_consumer_headers": false, "trust_group_headers": false, "metrics": true,
        "debug_token": "a-token-for-operators", "allow_on_headers_stop_iteration": true,
        "cache": {"mode": "full", "ttl": 5, "negative_ttl": 0, "stale_ttl": 9, "max_entries": 16, "max_lookups": 3},
    });
    merged(settings, more)
}

/// The object `match` with every setting that does not need an identity.
pub(crate) fn matching() -> Value {
    json!({
        "hosts": ["api.example.com", "*.example.org", "[::1]"], "paths": ["/", "/a/b", "/c/"],
        "methods": ["GET", "POST"], "routes": ["r"], "services": ["s"],
    })
}

fn upstream_jwt() -> Vec<Value> {
    let keys =
        |file| format!("{}/../filters/upstream-jwt/test-keys/{file}", env!("CARGO_MANIFEST_DIR"));
    let pem = |file| std::fs::read_to_string(keys(file)).unwrap();
    let consumers = json!({"consumers": ["ana"], "not_consumers": ["bob"]});
    let more = json!({
        "match": merged(matching(), consumers), "issuer": "i", "header": "X-Token", "include_bearer": false,
        "exp": 5, "consumer": ["*"], "credentials": ["key"], "route": ["id"], "service": ["name"],
        "route_entity": {"id": 1}, "service_entity": {"name": "s"}, "x5c": true, "x5c_legacy": true, "aud": true,
        "iat": true, "nbf": true, "jti": true, "body_hash": true, "query_hash": true, "claims": {"a": [1]},
        "headers_to_claims": {"X-B": "b"}, "claims_from_token": ["c"], "jwks_path": "/keys", "crypto": "wasm",
    });

    let one = json!({"algorithm": "ES256", "key_id": "k", "private_key": pem("ec.pem"), "public_key": pem("ec.crt")});
    let list = json!({"private_keys": [
        {"key_id": "k", "algorithm": "ES256", "active": true, "private_key": pem("ec.pem"), "public_key": pem("ec.crt")},
        {"key_id": "old", "algorithm": "EdDSA", "private_key": pem("ed25519.pem")},
    ]});
    let more = common(more);
    vec![merged(more.clone(), one), merged(more, list)]
}

fn jwt_auth(consumers: &Value) -> Vec<Value> {
    let provider = |keys: Value| {
        let provider = json!({
            "name": "p", "issuer": "https://p/", "audiences": ["a"], "algorithms": ["RS256", "EdDSA"],
            "clock_skew": 5, "require_exp": false, "jwks_ttl": 10, "consumer_claim": "azp", "consumer_by": "username",
            "claims_to_headers": [{"claim": "a.b", "header": "X-B"}], "forward_payload_header": "X-Payload",
        });
        merged(provider, keys)
    };
    let more = |providers: Value| {
        common(json!({
            "match": matching(), "consumers": consumers, "uri_param_names": ["jwt"], "cookie_names": ["c"],
            "header_names": ["authorization"], "key_claim_name": "iss", "secret_is_base64": false, "require_strong_secrets": false, "accept_padding": true,
            "claims_to_verify": ["exp", "nbf"], "anonymous": "ana", "run_on_preflight": false,
            "maximum_expiration": 300, "realm": "r", "hide_credentials": true, "crypto": "wasm",
            "jwks_min_refresh": 5, "providers": [providers],
        }))
    };
    let set = r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    let upstream = json!({
        "upstream": "idp:443", "authority": "p", "scheme": "https", "path_prefix": "/", "timeout": 500, "token": "t",
    });
    let more = |keys| more(provider(keys));
    vec![
        more(json!({"jwks": set})),
        more(json!({"jwks_uri": "https://p/jwks", "upstream": upstream})),
        more(json!({"oidc_discovery_uri": "https://p/.well-known/x", "upstream": upstream})),
    ]
}

/// The settings of every filter that uses the identity.
fn common_of_uses(more: Value) -> Value {
    let consumers = json!({"consumers": ["ana"], "not_consumers": ["bob"]});
    let settings = json!({"match": merged(matching(), consumers)});
    common(merged(settings, more))
}

fn request_termination() -> Vec<Value> {
    let with = |more| {
        let both = json!({"status_code": 451, "trigger": "X-End"});
        common_of_uses(merged(both, more))
    };
    vec![
        with(json!({"body": "<b>", "content_type": "text/html; charset=\"utf-8\""})),
        with(json!({"echo": true, "message": "m"})),
    ]
}

fn session(consumers: &Value) -> Value {
    let told = json!([
        "id",
        "audience",
        "subject",
        "timeout",
        "idling-timeout",
        "rolling-timeout",
        "absolute-timeout"
    ]);
    let settings = common(json!({
        "match": matching(), "consumers": consumers, "check_consumer": false, "secret": "s",
        "secret_fallbacks": ["older", "oldest"], "secret_fallbacks_env": ["SET"], "phase": "open", "storage": "kong",
        "audience": "a", "idling_timeout": 60, "cookie_idletime": 60, "rolling_timeout": 70, "cookie_lifetime": 70,
        "absolute_timeout": 80, "stale_ttl": 5, "cookie_discard": 5, "cookie_renew": 600, "cookie_name": "s",
        "cookie_path": "/a", "cookie_domain": "example.com", "cookie_same_site": "Lax", "cookie_samesite": "off",
        "cookie_http_only": true, "cookie_httponly": true, "cookie_secure": false, "remember": true,
        "cookie_persistent": true, "remember_cookie_name": "r", "remember_rolling_timeout": 9,
        "remember_absolute_timeout": 10, "response_headers": told, "request_headers": told, "hash_subject": true,
        "store_metadata": true, "bind": ["ip", "scheme", "user-agent"], "hide_cookie": true, "expire_invalid": true,
    }));
    let logout = json!({
        "logout_methods": ["GET", "POST", "DELETE"], "logout_query_arg": "q", "logout_post_arg": "p",
        "read_body_for_logout": true, "logout_redirect_uri": "/bye", "logout_revokes": true,
        "cache": {"mode": "lazy", "ttl": 5, "negative_ttl": 0, "stale_ttl": 9, "max_entries": 16, "max_lookups": 3},
    });
    merged(settings, logout)
}

fn rate_limiting() -> Vec<Value> {
    let limits = json!([
        {"consumers": ["ana"], "second": 2, "year": 9}, {"groups": ["g"], "minute": 5, "hour": 6, "day": 7, "month": 8},
    ]);
    let with = |more| {
        let all = json!({
            "second": 1, "minute": 2, "hour": 3, "day": 4, "month": 5, "year": 6, "limits": limits, "fault_tolerant": false,
            "hide_client_headers": true, "error_code": 430, "error_message": "m", "dry_run": true, "max_identifiers": 16,
            "namespace": "n", "shm_zone": "z", "redis": {"host": "r"}, "redis_host": "r", "redis_port": 6379,
            "redis_timeout": 2000, "redis_username": "u", "redis_password": "p", "redis_database": 0,
            "redis_ssl": false, "redis_ssl_verify": false, "redis_server_name": "n",
        });
        common_of_uses(merged(all, more))
    };
    let admin = common(json!({}))["admin"].clone();
    vec![
        with(json!({
            "algorithm": "sliding_window", "limit_by": "header", "header_name": "X-A", "policy": "redis",
            "sync_rate": 0.5, "admin": admin,
        })),
        with(json!({
            "algorithm": "token_bucket", "burst": 7, "limit_by": "path", "path": "/a", "policy": "local", "sync_rate": -1,
            "limits": [{"consumers": ["ana"], "second": 2, "burst": 9}],
        })),
    ]
}

fn moesif() -> Vec<Value> {
    let target = json!({
        "upstream": "collector:443", "authority": "c", "scheme": "https", "path_prefix": "/c", "timeout": 500, "token": "t",
    });
    let all = common_of_uses(json!({
        "application_id": "app", "connect_timeout": 1000, "send_timeout": 5000, "api_version": "1.0",
        "disable_capture_request_body": true, "disable_capture_response_body": true, "request_header_masks": ["a"],
        "request_body_masks": ["b.$ c"], "response_header_masks": ["c"], "response_body_masks": ["d"],
        "request_masks": ["e"], "response_masks": ["f"], "request_query_masks": ["g"], "batch_size": 50,
        "batch_max_wait": 2000, "user_id_header": "X-User", "company_id_header": "X-Company",
        "authorization_header_name": "X-Api-Key, authorization", "authorization_user_id_field": "sub",
        "authorization_company_id_field": "org.id", "disable_gzip_payload_decompression": true,
        "request_max_body_size_limit": 100_000, "response_max_body_size_limit": 0, "event_queue_size": 100_000,
        "max_queue_bytes": 65_536, "debug": true, "enable_compression": true, "disable_transaction_id": true,
        "trust_client_ip_headers": false, "timeout": 1000, "keepalive": 5000, "max_callback_time_spent": 750,
        "max_events_sent_per_callback": 1, "sampling_percentage": 1.5, "max_body_size_limit": 1,
        "unreadable_requests": "pass", "enable_reading_send_event_response": true, "disable_moesif_payload_compression": false,
    }));
    let with = |more| merged(all.clone(), more);
    vec![
        with(json!({"collector": target})),
        with(json!({"upstream": "outbound|443||api.moesif.net", "base_uri": "api.moesif.net"})),
        with(json!({"api_endpoint": "http://localhost:9500/collector"})),
    ]
}

fn consumers() -> Value {
    json!([
        {"id": "1", "username": "ana", "custom_id": "c", "groups": ["g"], "acls": [{"group": "h"}],
         "keyauth_credentials": [{"id": "k", "key": "secret"}, {"key_env": "SET"}],
         "jwt_secrets": [{"id": "j", "key": "iss", "secret": "s", "algorithm": "HS256"},
                         {"key": "iss2", "rsa_public_key": "pem", "secret_env": "SET"}]},
        {"username": "guest"},
    ])
}

fn key_auth() -> Vec<Value> {
    let consumers = consumers();
    vec![common(json!({
        "match": matching(), "consumers": consumers, "key_names": ["apikey", "X_Key-2"], "key_in_header": true,
        "key_in_query": false, "key_in_body": true, "hide_credentials": true, "anonymous": "guest",
        "run_on_preflight": false, "realm": "my api", "expose_key": true,
    }))]
}

fn app_id() -> Vec<Value> {
    let consumer_lists = json!({"consumers": ["ana"], "not_consumers": ["bob"]});
    vec![common(json!({
        "match": merged(matching(), consumer_lists), "header_name": "X-APP-ID",
        "fail_open": true, "hide_app_id": true, "mappings": {"ana": ["a", "b"], "bob": []},
    }))]
}

fn bot_detection() -> Vec<Value> {
    vec![common_of_uses(json!({
        "allow": ["x"], "deny": ["(a|b)+"], "rules": "all", "action": "tag", "tag_header": "X-Bot",
    }))]
}

fn ip_restriction() -> Vec<Value> {
    vec![common_of_uses(json!({
        "allow": ["10.0.0.0/8", "::1"], "deny": ["10.1.0.0/16"], "status": 404, "message": "m",
        "trusted_proxies": ["2001:db8::/32"], "real_ip_header": "Forwarded",
    }))]
}

fn request_transformer() -> Vec<Value> {
    let lists = |headers: &str, querystring: &str, body: &str| json!({"headers": [headers, "x-z:y"], "querystring": [querystring], "body": [body]});
    vec![common_of_uses(json!({
        "http_method": "PUT", "unreadable_body": "refuse", "uri_pattern": "/users/(?<user>[a-z]+)",
        "remove": {"headers": ["X-Old"], "querystring": ["q"], "body": ["b"]},
        "rename": lists("X-A:X-B", "a:b", "c:d"),
        "replace": merged(
            lists("Host:$(headers['x-host'])", "a:b:c", "c:$(claims.sub)"),
            json!({"uri": "/u/$(uri_captures.user)/$(uri_captures[0])"}),
        ),
        "add": lists("X-C:$(consumer.id)", "e:f", "g:h"),
        "append": lists("X-D:$('literal')", "i:$(query_params.a or \"x\")", "j:k"),
    }))]
}

fn cors() -> Vec<Value> {
    vec![common_of_uses(json!({
        "origins": ["https://a.test", "(.*\\.)?b\\.test", "*"], "headers": ["x-a", "*"], "exposed_headers": ["x-b"],
        "methods": ["GET", "POST"], "max_age": 5, "credentials": true, "private_network": true,
        "preflight_continue": true, "allow_origin_absent": false,
    }))]
}
