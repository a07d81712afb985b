//! The settings under which whole filters are fuzzed.

use super::filters::Passing::{Identified, None, Some};
use super::filters::{Settings, run};

macro_rules! filter {
    ($function:ident, $name:literal, [$($document:expr => $passing:expr),* $(,)?]) => {
        pub fn $function(data: &[u8]) {
            const ALL: Settings =
                Settings { filter: $name, documents: &[$(($document, $passing)),*] };
            run(&ALL, data);
        }
    };
}

filter!(key_auth, "key_auth", [
    r#"{"key_names":["apikey","x-key"],"key_in_body":true,"hide_credentials":true,
        "allow_on_headers_stop_iteration":true,"shm_zone":"z",
        "admin":{"upstream":"admin:8001","token":"0123456789abcdef0123456789abcdef"}}"# => Some,
    r#"{"consumers":[{"id":"1","username":"ana","keyauth_credentials":[{"key":"4cb7b1d2a1f34e0f9f42"}]}],
        "key_in_body":true,"allow_on_headers_stop_iteration":true}"# => None,
    r#"{"anonymous":"nobody","consumers":[{"username":"nobody"}],"expose_key":true,"match":{"paths":["/a"]},
        "admin":{"upstream":"admin:8001"},"debug_token":"0123456789abcdef0123456789abcdef"}"# => Some,
    r#"{"shm_zone":"z","cache":{"mode":"full","max_entries":16},
        "admin":{"upstream":"admin:8001","token":"0123456789abcdef0123456789abcdef"}}"# => Identified,
]);

filter!(jwt_auth, "jwt_auth", [
    r#"{"cookie_names":["jwt"],"header_names":["authorization","x-token"],"claims_to_verify":["exp","nbf"],
        "hide_credentials":true,"accept_padding":true,"maximum_expiration":31536000,
        "consumers":[{"id":"1","username":"ana","jwt_secrets":[{"key":"k","secret":"secret"}]}]}"# => Identified,
    r#"{"cookie_names":["jwt"],"header_names":["authorization","x-token"],
        "consumers":[{"id":"1","username":"ana","jwt_secrets":[{"key":"k","secret":"4cb7b1d2a1f34e0f9f42"}]}]}"# => None,
    r#"{"shm_zone":"z","admin":{"upstream":"admin:8001","token":"0123456789abcdef0123456789abcdef"},
        "providers":[{"name":"p","issuer":"https://p.example.com/","audiences":["a"],"consumer_by":"username",
        "consumer_claim":"/a~1b","claims_to_headers":[{"claim":"realm.roles","header":"x-roles"}],
        "forward_payload_header":"x-payload",
        "oidc_discovery_uri":"https://p.example.com/.well-known/openid-configuration",
        "upstream":{"upstream":"p.example.com:443"}}]}"# => Some,
    r#"{"anonymous":"nobody","consumers":[{"username":"nobody"}],
        "admin":{"upstream":"admin:8001","token":"0123456789abcdef0123456789abcdef"}}"# => Some,
]);

filter!(sessions, "session", [
    r#"{"phase":"open","secret":"s","remember":true,"read_body_for_logout":true,"hide_cookie":true,
        "expire_invalid":true,"response_headers":["id","audience","subject","timeout"],"check_consumer":false,
        "allow_on_headers_stop_iteration":true,"logout_redirect_uri":"https://a.example.com/","bind":["ip"]}"# => Some,
    r#"{"phase":"open","storage":"admin","secret":"s","shm_zone":"z","logout_revokes":true,
        "admin":{"upstream":"admin:8001","token":"0123456789abcdef0123456789abcdef"}}"# => Some,
    r#"{"phase":"save","storage":"admin","secret":"s","store_metadata":true,"shm_zone":"z",
        "admin":{"upstream":"admin:8001","token":"0123456789abcdef0123456789abcdef"}}"# => Some,
    r#"{"phase":"save","secret":"s","remember":true,"cookie_same_site":"None","cookie_domain":"example.com"}"# => Some,
]);

filter!(app_id, "app_id", [
    r#"{"hide_app_id":true,"shm_zone":"z","admin":{"upstream":"admin:8001","token":"0123456789abcdef0123456789abcdef"}}"#
        => Identified,
    r#"{"mappings":{"ana":["a.b","c"]},"header_name":"X-App"}"# => Identified,
    r#"{"trust_consumer_headers":true,"shm_zone":"z","cache":{"mode":"full","max_entries":16},
        "admin":{"upstream":"admin:8001","token":"0123456789abcdef0123456789abcdef"}}"# => Some,
]);

filter!(rate_limiting, "rate_limiting", [
    r#"{"second":2,"minute":3,"year":9,"limit_by":"ip","shm_zone":"z","max_identifiers":16}"# => Some,
    r#"{"minute":5,"limit_by":"consumer","policy":"cluster","sync_rate":1,"namespace":"n","shm_zone":"z",
        "algorithm":"sliding_window",
        "admin":{"upstream":"admin:8001","token":"0123456789abcdef0123456789abcdef"}}"# => Some,
    r#"{"minute":5,"limit_by":"header","header_name":"x-k","policy":"cluster","sync_rate":-1,"shm_zone":"z",
        "fault_tolerant":false,"admin":{"upstream":"admin:8001","token":"0123456789abcdef0123456789abcdef"}}"# => Some,
    r#"{"second":3,"burst":5,"algorithm":"token_bucket","limit_by":"path","path":"/a","shm_zone":"z",
        "limits":[{"consumers":["ana"],"groups":["g"],"minute":9}]}"# => Some,
]);

filter!(ip_restriction, "ip_restriction", [
    r#"{"allow":["192.0.2.0/24","2001:db8::/32"],"deny":["192.0.2.7"]}"# => Some,
    r#"{"allow":["198.51.100.0/24"],"trusted_proxies":["192.0.2.0/24"],"real_ip_header":"X-Forwarded-For"}"# => Some,
    r#"{"deny":["203.0.113.0/24"],"trusted_proxies":["192.0.2.1"],"real_ip_header":"Forwarded"}"# => Some,
    r#"{"deny":["0.0.0.0/0","::/0"],"status":410,"message":"gone"}"# => None,
]);

filter!(cors, "cors", [
    r#"{"origins":["https://a.example.com","(.*\\.)?b\\.example\\.com","http://localhost:8080"],"credentials":true,
        "exposed_headers":["x-a"],"max_age":5,"private_network":true}"# => Some,
    r#"{"origins":["*"],"headers":["x-b"],"preflight_continue":true,"allow_origin_absent":false}"# => Some,
]);

filter!(bot_detection, "bot_detection", [
    r#"{"allow":["good(bot)?/[0-9]+"],"deny":["^curl","a{1,20}b"]}"# => Some,
    r#"{"rules":"all","action":"tag","tag_header":"x-bot"}"# => Some,
]);

filter!(request_termination, "request_termination", [
    r#"{"status_code":200,"echo":true,"trigger":"x-echo","allow_on_headers_stop_iteration":true}"# => Some,
    r#"{"status_code":403,"message":"no"}"# => None,
    r#"{"status_code":200,"body":"<p>","content_type":"text/html"}"# => None,
]);

filter!(request_transformer, "request_transformer", [
    r#"{"remove":{"headers":["x-r"],"querystring":["a"],"body":["a"]},"rename":{"headers":["x-o:x-n"],
        "querystring":["b:c"],"body":["b:c"]},"replace":{"headers":["host:h","x-p:$(headers.host)"],
        "querystring":["d:$(query_params.e or 'none')"],"body":["d:$(headers['x-v'])"]},
        "add":{"headers":["x-q:$(query_params.q)"],"querystring":["f:$(consumer.username or 'nobody')"],"body":["f:1"]},
        "append":{"headers":["x-l:$(headers.y)"],"querystring":["g:2"]},
        "allow_on_headers_stop_iteration":true}"# => Some,
    r#"{"uri_pattern":"/v1/(?<id>[^/]*)/(.*)","replace":{"uri":"/v2/$(uri_captures.id)/$(uri_captures[2])"},
        "http_method":"GET","append":{"body":["l:$(uri_captures.id)"]},"allow_on_headers_stop_iteration":true,
        "unreadable_body":"pass"}"# => Some,
    r#"{"replace":{"uri":"/x/$(headers.u)/$(query_params.v)"},"append":{"querystring":["h:$(headers.w)"]}}"# => Some,
]);

filter!(upstream_jwt, "upstream_jwt", [
    r#"{"private_key":"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA8yVLCyp9L+C/4zUVDAhAjWw9pUZxJypKjzGmUc1N4x\n-----END PRIVATE KEY-----\n",
        "algorithm":"EdDSA","issuer":"gatehouse","consumer":["id","username"],"route":["id","name"],"service":["name"],
        "body_hash":true,"query_hash":true,"iat":true,"nbf":true,"aud":true,"headers_to_claims":{"x-h":"h"},
        "claims_from_token":["scope"],"jwks_path":"/keys","allow_on_headers_stop_iteration":true}"# => Some,
]);

filter!(moesif, "moesif", [
    r#"{"application_id":"a","upstream":"moesif:443","request_header_masks":["authorization"],
        "request_body_masks":["password"],"response_body_masks":["token"],"batch_size":2,"batch_max_wait":1,
        "enable_compression":true,"request_query_masks":["secret"],"debug":true}"# => Some,
    r#"{"application_id":"a","upstream":"moesif:443","user_id_header":"x-user","company_id_header":"x-company",
        "authorization_header_name":"authorization","authorization_user_id_field":"sub",
        "authorization_company_id_field":"org.id","request_max_body_size_limit":64,
        "disable_gzip_payload_decompression":false}"# => Some,
]);
