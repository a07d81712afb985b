//! The schema beside each filter, with which Kong checks settings, agrees with the filter's own
//! parser.
//!
//! [`BEYOND`] lists the rules that draft-04 cannot express, or that it counts in characters where
//! the filter counts bytes.

use runtime::Filter;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use wasm_tests::{built_filters, filters_directory};

/// Parses a document, and returns the first problem with its path.
type Read = fn(&str) -> Result<(), String>;

struct Subject {
    name: &'static str,
    meta: Value,
    read: Read,
    /// Documents that together hold every setting.
    full: Vec<Value>,
}

fn read<F: Filter>(document: &str) -> Result<(), String> {
    let known = |name: &str| (name == "SET").then(|| "value".to_owned());
    let read = settings::read(document.as_bytes(), &known, F::settings);
    read.map(drop).map_err(|invalid| invalid.to_string())
}

fn subject<F: Filter>(full: Vec<Value>) -> Subject {
    let (name, meta) = runtime::meta::<F>();
    Subject { name, meta, read: read::<F>, full }
}

fn admin() -> Value {
    json!({
        "upstream": "admin.internal:8001", "authority": "admin", "scheme": "https", "path_prefix": "/v1",
        "timeout": 500, "token": "secret", "poll_interval": 7,
    })
}

fn common(more: Value) -> Value {
    let settings = json!({
        "admin": admin(), "shm_zone": "zone_1", "trust_consumer_headers": false, "trust_group_headers": false, "metrics": true,
        "allow_on_headers_stop_iteration": true,
        "cache": {"mode": "full", "ttl": 5, "negative_ttl": 0, "stale_ttl": 9, "max_entries": 16, "max_lookups": 3},
    });
    wasm_tests::merged(settings, more)
}

fn matching() -> Value {
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
        "match": wasm_tests::merged(matching(), consumers), "issuer": "i", "header": "X-Token", "include_bearer": false,
        "exp": 5, "consumer": ["*"], "credentials": ["key"], "route": ["id"], "service": ["name"],
        "route_entity": {"id": 1}, "service_entity": {"name": "s"}, "x5c": true, "x5c_legacy": true, "aud": true,
        "iat": true, "nbf": true, "jti": true, "body_hash": true, "query_hash": true, "claims": {"a": [1]},
        "headers_to_claims": {"X-B": "b"}, "claims_from_token": ["c"], "jwks_path": "/keys", "crypto": "wasm",
    });
    let merged = wasm_tests::merged;
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
        wasm_tests::merged(provider, keys)
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
    let settings = json!({"match": wasm_tests::merged(matching(), consumers)});
    common(wasm_tests::merged(settings, more))
}

fn request_termination() -> Vec<Value> {
    let with = |more| {
        let both = json!({"status_code": 451, "trigger": "X-End"});
        common_of_uses(wasm_tests::merged(both, more))
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
    wasm_tests::merged(settings, logout)
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
        common_of_uses(wasm_tests::merged(all, more))
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
    let with = |more| wasm_tests::merged(all.clone(), more);
    vec![
        with(json!({"collector": target})),
        with(json!({"upstream": "outbound|443||api.moesif.net", "base_uri": "api.moesif.net"})),
        with(json!({"api_endpoint": "http://localhost:9500/collector"})),
    ]
}

fn subjects() -> Vec<Subject> {
    let consumers = json!([
        {"id": "1", "username": "ana", "custom_id": "c", "groups": ["g"], "acls": [{"group": "h"}],
         "keyauth_credentials": [{"id": "k", "key": "secret"}, {"key_env": "SET"}],
         "jwt_secrets": [{"id": "j", "key": "iss", "secret": "s", "algorithm": "HS256"},
                         {"key": "iss2", "rsa_public_key": "pem", "secret_env": "SET"}]},
        {"username": "guest"},
    ]);
    let key_auth = json!({
        "match": matching(), "consumers": consumers, "key_names": ["apikey", "X_Key-2"], "key_in_header": true,
        "key_in_query": false, "key_in_body": true, "hide_credentials": true, "anonymous": "guest",
        "run_on_preflight": false, "realm": "my api", "expose_key": true,
    });
    let consumer_lists = json!({"consumers": ["ana"], "not_consumers": ["bob"]});
    let app_id = json!({
        "match": wasm_tests::merged(matching(), consumer_lists), "header_name": "X-APP-ID",
        "fail_open": true, "hide_app_id": true, "mappings": {"ana": ["a", "b"], "bob": []},
    });
    let bot_detection = common_of_uses(json!({
        "allow": ["x"], "deny": ["(a|b)+"], "rules": "all", "action": "tag", "tag_header": "X-Bot",
    }));
    let ip_restriction = common_of_uses(json!({
        "allow": ["10.0.0.0/8", "::1"], "deny": ["10.1.0.0/16"], "status": 404, "message": "m",
        "trusted_proxies": ["2001:db8::/32"], "real_ip_header": "Forwarded",
    }));
    let lists = |headers: &str, querystring: &str, body: &str| json!({"headers": [headers, "x-z:y"], "querystring": [querystring], "body": [body]});
    let request_transformer = common_of_uses(json!({
        "http_method": "PUT", "unreadable_body": "refuse", "uri_pattern": "/users/(?<user>[a-z]+)",
        "remove": {"headers": ["X-Old"], "querystring": ["q"], "body": ["b"]},
        "rename": lists("X-A:X-B", "a:b", "c:d"),
        "replace": wasm_tests::merged(
            lists("Host:$(headers['x-host'])", "a:b:c", "c:$(claims.sub)"),
            json!({"uri": "/u/$(uri_captures.user)/$(uri_captures[0])"}),
        ),
        "add": lists("X-C:$(consumer.id)", "e:f", "g:h"),
        "append": lists("X-D:$('literal')", "i:$(query_params.a or \"x\")", "j:k"),
    }));
    let cors = common_of_uses(json!({
        "origins": ["https://a.test", "(.*\\.)?b\\.test", "*"], "headers": ["x-a", "*"], "exposed_headers": ["x-b"],
        "methods": ["GET", "POST"], "max_age": 5, "credentials": true, "private_network": true,
        "preflight_continue": true, "allow_origin_absent": false,
    }));
    vec![
        subject::<gatehouse_key_auth::KeyAuth>(vec![common(key_auth)]),
        subject::<gatehouse_jwt_auth::JwtAuth>(jwt_auth(&consumers)),
        subject::<gatehouse_session::Session>(vec![session(&consumers)]),
        subject::<gatehouse_app_id::AppId>(vec![common(app_id)]),
        subject::<gatehouse_moesif::Moesif>(moesif()),
        subject::<gatehouse_upstream_jwt::UpstreamJwt>(upstream_jwt()),
        subject::<gatehouse_rate_limiting::RateLimiting>(rate_limiting()),
        subject::<gatehouse_request_termination::RequestTermination>(request_termination()),
        subject::<gatehouse_bot_detection::BotDetection>(vec![bot_detection]),
        subject::<gatehouse_ip_restriction::IpRestriction>(vec![ip_restriction]),
        subject::<gatehouse_cors::Cors>(vec![cors]),
        subject::<gatehouse_request_transformer::RequestTransformer>(vec![request_transformer]),
    ]
}

fn validator(subject: &Subject) -> jsonschema::Validator {
    let mut schema = subject.meta["config_schema"].clone();
    // Kong sets this version.
    schema["$schema"] = "http://json-schema.org/draft-04/schema#".into();
    jsonschema::draft4::new(&schema).unwrap_or_else(|error| panic!("{}: {error}", subject.name))
}

#[test]
fn every_filter_has_its_schema_beside_it_and_it_is_draft_04() {
    let subjects = subjects();
    let known: Vec<&str> = subjects.iter().map(|subject| subject.name).collect();
    for (name, _) in built_filters() {
        assert!(known.contains(&name.as_str()), "no documents for {name}: add it to `subjects`");
    }
    for subject in &subjects {
        let path = filters_directory().join(format!("gatehouse_{}.meta.json", subject.name));
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let built: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            built,
            subject.meta,
            "{} is not what the filter says; run `make build`",
            path.display()
        );
        let schema = &subject.meta["config_schema"];
        assert!(jsonschema::draft4::meta::is_valid(schema), "{}", subject.name);
        assert_eq!(later_keywords(schema), BTreeSet::new(), "{}", subject.name);
        validator(subject);
    }
}

/// The keywords of a schema that draft-04, or Kong's validator, does not know.
fn later_keywords(schema: &Value) -> BTreeSet<String> {
    let known = [
        "$ref",
        "additionalProperties",
        "allOf",
        "anyOf",
        "enum",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "not",
        "oneOf",
        "pattern",
        "patternProperties",
        "properties",
        "required",
        "type",
        "uniqueItems",
        "description",
        "title",
        "default",
    ];
    let mut unknown = BTreeSet::new();
    let Some(object) = schema.as_object() else { return unknown };
    for (word, value) in object {
        if !known.contains(&word.as_str()) {
            unknown.insert(word.clone());
        }
        match word.as_str() {
            "properties" | "patternProperties" => {
                value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .for_each(|(_, s)| unknown.extend(later_keywords(s)));
            }
            "anyOf" | "allOf" | "oneOf" => {
                value
                    .as_array()
                    .into_iter()
                    .flatten()
                    .for_each(|s| unknown.extend(later_keywords(s)));
            }
            "items" | "additionalProperties" | "not" => unknown.extend(later_keywords(value)),
            _ => {}
        }
    }
    unknown
}

/// Operators write the common settings once and anchor them in YAML, whatever the chain holds.
#[test]
fn every_filter_takes_the_common_keys_whether_or_not_they_have_an_effect_there() {
    let shared = common(json!({"match": matching()}));
    let keys = shared.as_object().unwrap();
    assert_eq!(subjects().len(), 12);
    for subject in subjects() {
        let name = subject.name;
        let own = crate::every_filter::working(name);
        let mut document = wasm_tests::merged(shared.clone(), own);
        // Sessions are looked up one by one, which is a rule about the mode and not about the key.
        document["cache"]["mode"] = json!("lazy");
        assert_eq!((subject.read)(&document.to_string()), Ok(()), "{name}");
        assert!(validator(&subject).is_valid(&document), "{name}");
        for key in keys.keys() {
            let mut document = document.clone();
            document[key] = json!(["of another type"]);
            assert!((subject.read)(&document.to_string()).is_err(), "{name}: {key}");
            assert!(!validator(&subject).is_valid(&document), "{name}: {key}");
        }
    }
}

#[test]
fn a_document_with_every_setting_passes_both() {
    for subject in subjects() {
        let validator = validator(&subject);
        let mut there = BTreeSet::new();
        for document in &subject.full {
            let problems: Vec<String> =
                validator.iter_errors(document).map(|e| e.to_string()).collect();
            assert_eq!(problems, [""; 0], "{}", subject.name);
            assert_eq!((subject.read)(&document.to_string()), Ok(()), "{}", subject.name);
            there.extend(paths_of(document, ""));
        }
        // Every setting is in one of the documents, or its twin is, because some exclude one
        // another.
        let settings = settings_of(&subject.meta["config_schema"], "");
        let has_twin = |path: &str| {
            ["_env", "_location", "_location_env"]
                .iter()
                .filter_map(|twin| path.strip_suffix(twin))
                .any(|twin| there.contains(twin))
        };
        let missing = settings.difference(&there).filter(|path| !has_twin(path));
        let missing: Vec<&String> = missing.collect();
        assert!(missing.is_empty(), "{}: {missing:?}", subject.name);
    }
}

fn settings_of(schema: &Value, at: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        paths.insert(path.clone());
        paths.extend(settings_of(inner, &path));
        for choice in inner["anyOf"].as_array().into_iter().flatten() {
            paths.extend(settings_of(&choice["items"], &format!("{path}[]")));
        }
    }
    paths
}

fn paths_of(document: &Value, at: &str) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    match document {
        Value::Object(members) => {
            for (name, inner) in members {
                let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                paths.insert(path.clone());
                paths.extend(paths_of(inner, &path));
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|item| paths.extend(paths_of(item, &format!("{at}[]"))));
        }
        _ => {}
    }
    paths
}

/// Values that replace every value of a document.
fn intruders() -> Vec<Value> {
    let long = |len: usize| Value::from("x".repeat(len));
    vec![
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(1),
        json!(-1),
        json!(5),
        json!(16),
        json!(1.5),
        json!(5.0),
        json!(1e3),
        json!(60_001),
        json!(86_401),
        json!(1e12),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!(" "),
        json!("x"),
        json!("X-Y_z"),
        json!("a b"),
        json!("a\n"),
        json!("\u{0}"),
        json!("é"),
        json!("\""),
        json!("/"),
        json!("/a//b"),
        json!("/a/../b"),
        json!("/."),
        json!("/a%20b"),
        json!("a/b"),
        json!("*.x"),
        json!("*"),
        json!("*."),
        json!("x.*"),
        json!("[::1]"),
        json!("[x]"),
        json!("[]"),
        json!("host:80"),
        json!("GET"),
        json!("get"),
        json!("lazy"),
        json!("full"),
        json!("http"),
        json!("https"),
        json!("SET"),
        json!("1X"),
        json!("zone_1"),
        json!("Zone"),
        json!("5"),
        json!("true"),
        long(65),
        long(257),
        long(1025),
        long(4097),
        long(65_537),
        json!([]),
        json!([[]]),
        json!([""]),
        json!(["x"]),
        json!(["x", 1]),
        json!([null]),
        json!([{}]),
        json!({}),
        json!({"x": 1}),
        json!({"": []}),
        json!({"x": ["y"]}),
        json!({"group": "g"}),
    ]
}

/// Every document that differs from `document` in one place.
fn mutants(document: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    visit(document, &mut Vec::new(), &mut |path, value| {
        for intruder in intruders() {
            all.push((
                format!("{} = {intruder}", path.join(".")),
                put(document, path, Some(intruder)),
            ));
        }
        all.push((format!("without {}", path.join(".")), put(document, path, None)));
        if value.is_object() {
            let mut extra = path.to_vec();
            for name in ["unknown", "", "Admin", "key_auth"] {
                extra.push(name.to_owned());
                all.push((
                    format!("{} added", extra.join(".")),
                    put(document, &extra, Some(json!(1))),
                ));
                extra.pop();
            }
        }
        if let Some(items) = value.as_array() {
            for more in items.iter().cloned().chain(intruders()) {
                let longer: Vec<Value> = items.iter().cloned().chain([more.clone()]).collect();
                let what = format!("{} with {more} at its end", path.join("."));
                all.push((what, put(document, path, Some(longer.into()))));
            }
        }
    });
    all
}

fn visit(value: &Value, path: &mut Vec<String>, each: &mut dyn FnMut(&[String], &Value)) {
    each(path, value);
    let children: Vec<(String, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(name, v)| (name.clone(), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, v)| (n.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (name, child) in children {
        path.push(name);
        visit(child, path, each);
        path.pop();
    }
}

/// The document with another value at `path`, or without it.
fn put(document: &Value, path: &[String], new: Option<Value>) -> Value {
    let Some((first, rest)) = path.split_first() else { return new.unwrap_or(Value::Null) };
    let mut changed = document.clone();
    match &mut changed {
        Value::Object(members) => {
            let inner = members.get(first).cloned().unwrap_or(Value::Null);
            match (rest.is_empty(), new) {
                (true, None) => drop(members.remove(first)),
                (true, Some(new)) => drop(members.insert(first.clone(), new)),
                (false, new) => drop(members.insert(first.clone(), put(&inner, rest, new))),
            }
        }
        Value::Array(items) => {
            let at: usize = first.parse().expect("an index");
            match (rest.is_empty(), new) {
                (true, None) => drop(items.remove(at)),
                (true, Some(new)) => items[at] = new,
                (false, new) => items[at] = put(&items[at], rest, new),
            }
        }
        _ => panic!("{path:?} leads nowhere"),
    }
    changed
}

/// The errors of the filters that no draft-04 schema can express. For these alone the schema may
/// accept a document that the filter refuses.
const BEYOND: &[&str] = &[
    // Relations between settings.
    "found neither `admin` nor",
    "found no limit",
    "expected at least the limit for",
    "found neither `consumers` nor",
    "found without `algorithm`",
    "found `token_bucket` with",
    "expected the header to count by",
    "expected the path to count",
    "found something between",
    "found with `policy` `local`",
    "found without `admin`",
    "found \"full\" without `admin`",
    "found a name that is not in `consumers`",
    "found the same value in an earlier consumer",
    "found a key (not shown) that an earlier credential has",
    "found a consumer without a name",
    "found nothing, expected the API key",
    "found together with `",
    "found true without `trust_consumer_headers`",
    // Keys, and combinations of settings of jwt_auth.
    "expected the name of a claim",
    "found without `consumer_claim`",
    "JWT credential `",
    "found a limit without `exp`",
    "expected one of `jwks_uri`",
    "found no usable key",
    "found something else (not shown; ",
    "expected where to fetch the keys",
    "found an algorithm with a shared secret",
    "found a header that the gateway",
    "found the header `",
    "found the same value in an earlier provider",
    // Keys and claims of upstream_jwt.
    "found nothing, expected `private_key`",
    "entries with `active: true`",
    "that cannot be used",
    "found the public key of another private key",
    "found no private key in the active entry",
    "found no key, expected `private_key`",
    "expected a name that tells the keys apart",
    "found it twice",
    "found true without `x5c`",
    "found true without a certificate",
    "found no usable environment variable",
    "found a claim that",
    "found a registered claim",
    "found another name, expected a header name",
    "expected a header of the token's own",
    // Combinations of settings of session, and the lists of its service.
    "found nothing to use",
    "without `admin`, expected an admin service",
    "sessions are looked up one by one",
    "found a name that the session's own cookies have",
    "found another value than under the setting's name of today",
    "expected what can be listed",
    "found no usable value in",
    // request_termination: a body excludes a message.
    "found without `body`",
    // Regular expressions of bot_detection and cors, and names that bot_detection refuses.
    "expected a regular expression",
    "found too much in",
    "expected `*`, an origin or a regular expression",
    "found a header that the gateway",
    // Templates of request_transformer, and the places that allow none.
    "expected a template",
    "found CONNECT",
    "found a path that servers read",
    "found a capture that",
    // Addresses, of which a pattern describes only the characters.
    "expected an IP address",
    "found neither `allow` nor",
    // The collector and the application id of moesif.
    "found nothing, expected the application id",
    // The environment of the gateway.
    "found no environment variable",
    "found an unusable value in",
];

/// Returns `true` if a text of the document has more bytes than characters, which draft-04 counts.
fn has_wide_text(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_ascii(),
        Value::Array(items) => items.iter().any(has_wide_text),
        Value::Object(members) => members.values().any(has_wide_text),
        _ => false,
    }
}

/// The document as an operator of Kong would write it. The filter takes `null` for unset, and `5.0`
/// for the whole number that Envoy makes of 5; to a schema both have the wrong type. Kong's Lua
/// cannot tell `[]` from `{}`, so that the filter takes either for an empty object. In these
/// differences the schema is the stricter one.
fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => match number.as_f64() {
            Some(float) if float.fract() == 0.0 && (0.0..1e15).contains(&float) => {
                Value::from(float as u64)
            }
            _ => value.clone(),
        },
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            kept.map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>().into()
        }
        Value::Array(items) if items.is_empty() => json!({}),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().into(),
        other => other.clone(),
    }
}

#[test]
fn schema_and_filter_agree_on_every_document_that_differs_in_one_place() {
    let mut unnamed = Vec::new();
    for subject in subjects() {
        let validator = validator(&subject);
        let (mut both, mut neither, mut stricter) = (0, 0, 0);
        for document in &subject.full {
            for (what, mutant) in mutants(document) {
                let mutant = plain(&mutant);
                let read = (subject.read)(&mutant.to_string());
                match (validator.is_valid(&mutant), &read) {
                    (true, Ok(())) => both += 1,
                    (false, Err(_)) => neither += 1,
                    (true, Err(problem)) => {
                        let named = BEYOND.iter().any(|rule| problem.contains(rule));
                        if !named && !has_wide_text(&mutant) {
                            unnamed.push(format!("{} {what}: {problem}", subject.name));
                        }
                        stricter += 1;
                    }
                    // A text is the form for Kong 3.4, which uses no schema.
                    (false, Ok(())) if !mutant.is_object() => neither += 1,
                    (false, Ok(())) => {
                        let problems: Vec<String> = validator
                            .iter_errors(&mutant)
                            .map(|e| format!("{}: {e}", e.instance_path()))
                            .collect();
                        panic!("{} {what}: only the schema minds: {problems:?}", subject.name);
                    }
                }
            }
        }
        println!(
            "{}: {both} accepted by both, {neither} by neither, {stricter} only by the schema",
            subject.name
        );
        assert!(both > 300 && neither > 1000, "{}: {both} {neither}", subject.name);
        assert!(stricter * 10 < both + neither, "{}: {stricter}", subject.name);
    }
    assert!(unnamed.is_empty(), "only the filter minds: {unnamed:#?}");
}

#[test]
fn an_empty_object_is_an_empty_list_to_both() {
    // Kong's Lua cannot tell the two apart.
    for subject in subjects() {
        let validator = validator(&subject);
        for document in &subject.full {
            visit(document, &mut Vec::new(), &mut |path, value| {
                if value.is_array() {
                    let emptied = put(document, path, Some(json!({})));
                    assert!(validator.is_valid(&emptied), "{} {path:?}", subject.name);
                    if let Err(problem) = (subject.read)(&emptied.to_string()) {
                        assert!(
                            BEYOND.iter().any(|rule| problem.contains(rule)),
                            "{} {path:?}: {problem}",
                            subject.name
                        );
                    }
                }
            });
        }
    }
}
