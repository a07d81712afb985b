//! All that a filter reads of a request, with a value that changes nothing and one that is planted.

use super::shape::{APP, KEY, PLANTED};

/// The headers that describe the identity to the upstream.
pub const IDENTITY: [&str; 7] = [
    "x-consumer-id",
    "x-consumer-username",
    "x-consumer-custom-id",
    "x-credential-identifier",
    "x-authenticated-groups",
    "x-consumer-groups",
    "x-anonymous-consumer",
];

/// Headers that a filter of the chain owns besides those of the identity.
pub const OWNED: [&str; 8] = [
    "x-upstream-jwt",
    "session-subject",
    "session-id",
    "session-audience",
    "session-timeout",
    "session-idling-timeout",
    "session-rolling-timeout",
    "session-absolute-timeout",
];

/// The request headers that any filter reads: the name, a value with which a request of a known
/// consumer passes, and another value.
pub const HEADERS: [(&str, &str, &str); 54] = [
    ("apikey", KEY, "another-key"),
    ("x-app-id", APP, "another-app"),
    ("authorization", "Basic YW5hOmFuYQ==", "Bearer abc"),
    ("cookie", "a=b", "session=AQAAAAAAAAAAAAAAAAAA; jwt=abc"),
    ("origin", "https://a.test", "null"),
    ("access-control-request-method", "PUT", "\u{7f}"),
    ("access-control-request-headers", "x-a, x-b", ","),
    ("access-control-request-private-network", "true", "maybe"),
    ("user-agent", "Mozilla/5.0", "Googlebot/2.1"),
    ("x-forwarded-for", "203.0.113.7", "198.51.100.7"),
    ("x-forwarded-proto", "http", "https"),
    ("x-forwarded-host", "gateway.test", "other.test"),
    ("forwarded", "for=203.0.113.7", "for=\"[::\""),
    ("x-real-ip", "203.0.113.7", "300.1.1.1"),
    ("x-client-ip", "203.0.113.7", "::"),
    ("x-cluster-client-ip", "203.0.113.7", "x"),
    ("x-appengine-user-ip", "203.0.113.7", "x"),
    ("true-client-ip", "203.0.113.7", "x"),
    ("cf-connecting-ip", "203.0.113.7", "x"),
    ("cf-pseudo-ipv4", "203.0.113.7", "x"),
    ("fastly-client-ip", "203.0.113.7", "x"),
    ("forwarded-for", "203.0.113.7", "x"),
    ("x-forwarded", "for=203.0.113.7", "x"),
    ("content-type", "text/plain", "multipart/form-data; boundary=\"\\"),
    ("content-encoding", "identity", "gzip"),
    ("accept", "*/*", "text/html;q=x, application/xml;;"),
    ("accept-encoding", "identity", "gzip;q=9999999999999999999999"),
    ("referer", "https://a.test/?apikey=1", "\u{7f}"),
    ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-0-0-0"),
    ("tracestate", "a=b", ",,,="),
    ("x-request-id", "77b6a242-c73a-4c04-b2e2-a431046012aa", "{"),
    ("x-gatehouse-debug", "a-token-of-the-operators", "another-token-of-nobody"),
    ("x-moesif-transaction-id", "77b6a242-c73a-4c04-b2e2-a431046012aa", "\""),
    ("x-moesif-application-id", "another-application", ""),
    ("x-user", "ana", "\"}"),
    ("x-company", "acme", "\u{1}"),
    ("x-plan", "gold", "\u{ff}"),
    ("x-debug", "1", ""),
    ("x-caller", "nobody", PLANTED),
    ("x-upstream-jwt", "Bearer abc", PLANTED),
    ("session-subject", "root", PLANTED),
    ("session-id", "1", PLANTED),
    ("session-audience", "default", PLANTED),
    ("session-timeout", "1", PLANTED),
    ("session-idling-timeout", "1", PLANTED),
    ("session-rolling-timeout", "1", PLANTED),
    ("session-absolute-timeout", "1", PLANTED),
    ("x-bot-detected", "a-rule", PLANTED),
    ("x-consumer-id", "1", PLANTED),
    ("x-consumer-username", "ana", PLANTED),
    ("x-consumer-custom-id", "1", PLANTED),
    ("x-credential-identifier", "1", PLANTED),
    ("x-consumer-groups", "admin", PLANTED),
    ("x-authenticated-groups", "admin", PLANTED),
];

/// Headers of HTTP itself and of connections, whose duplicates concern the gateway first.
pub const FRAMING: [(&str, &str); 12] = [
    ("host", "other.test"),
    ("content-length", "0"),
    ("content-length", "5"),
    ("transfer-encoding", "chunked"),
    ("transfer-encoding", "identity"),
    ("te", "trailers"),
    ("trailer", "x-consumer-id"),
    ("connection", "x-app-id, apikey, x-consumer-id"),
    ("upgrade", "h2c"),
    ("expect", "100-continue"),
    ("x-original-url", "/retired"),
    ("x-envoy-original-path", "/retired"),
];

/// The query parameters that any filter reads, with another value than the right one.
pub const PARAMETERS: [(&str, &str); 6] = [
    ("apikey", "another-key"),
    ("jwt", "abc"),
    ("session_logout", "1"),
    ("secret", "1"),
    ("x-stop", "1"),
    ("case", "may"),
];

/// The cookies that any filter reads, with another value than a right one.
pub const COOKIES: [(&str, &str); 3] =
    [("session", "AQAAAAAAAAAAAAAAAAAA"), ("jwt", "abc"), ("remember", "AQAA")];
