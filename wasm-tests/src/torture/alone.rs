//! Each filter by itself, with settings under which it reads bodies, cookies, queries and headers.

use super::alone_rules as rules;
use super::alone_shapes;
use super::answer::{AnswerRule, Reading};
use super::pretend::Pretend;
use super::shape::{APP, KEY, PLANTED, Shape, token};
use super::tally::Tally;
use super::upstream::Rule;
use crate::tokens::pem;
use serde_json::{Value, json};

/// One filter with one document of settings.
pub struct Alone {
    /// The name of the document, which is also that of a listener and a cluster.
    pub name: &'static str,
    /// The filter.
    pub filter: &'static str,
    /// The settings.
    pub settings: Value,
    /// `true` if the settings read a body, so that Envoy has to hold the headers for it.
    pub holds: bool,
    /// Adds to a request what lets it pass; `None` where the filter lets everybody pass.
    pub prove: Option<fn(Shape) -> Shape>,
    /// The headers that the filter reads, each with a value.
    pub headers: &'static [(&'static str, &'static str)],
    /// The parameters of the query that it reads, each with a value.
    pub parameters: &'static [(&'static str, &'static str)],
    /// The cookies that it reads, each with a value.
    pub cookies: &'static [(&'static str, &'static str)],
    /// The fields of a body that it reads, each with a value.
    pub fields: &'static [(&'static str, &'static str)],
    /// The rule for what reaches the upstream.
    pub rule: Rule,
    /// The rule for the headers of every answer.
    pub answers: AnswerRule,
}

impl Alone {
    fn new(name: &'static str, filter: &'static str, settings: Value) -> Self {
        let holds = settings["allow_on_headers_stop_iteration"] == json!(true);
        let nothing: &[(&str, &str)] = &[];
        Self {
            name,
            filter,
            settings,
            holds,
            prove: None,
            headers: nothing,
            parameters: nothing,
            cookies: nothing,
            fields: nothing,
            rule: |_| Vec::new(),
            answers: |_| None,
        }
    }

    /// Returns the rules by which the answers of a gateway with this filter are read.
    pub fn reading(&self) -> Reading {
        Reading { marked: false, rule: self.answers }
    }

    /// The requests for this filter.
    pub fn shapes(&self) -> Vec<Shape> {
        alone_shapes::of(self)
    }

    /// Sends the requests through the filter on a pretend Envoy or Kong, and returns the findings.
    pub fn on_pretend(&self, kong: bool) -> Vec<String> {
        let (mut pretend, mut tally) = (Pretend::alone(kong, self), Tally::default());
        pretend.count(self.shapes(), &mut tally);
        // app_id lets nobody pass whom no other filter has named.
        let least = if self.filter == "app_id" { 0 } else { 10 };
        pretend.report(self.name, &tally, &[], least)
    }
}

fn key(shape: Shape) -> Shape {
    shape.header("apikey", KEY)
}

fn bearer(shape: Shape) -> Shape {
    shape.header("authorization", format!("Bearer {}", token()))
}

fn nothing(shape: Shape) -> Shape {
    shape
}

/// The filters, each with the settings that make it read the most.
pub fn alone() -> Vec<Alone> {
    let ana = json!({"username": "ana", "keyauth_credentials": [{"key": KEY}]});
    let ado =
        json!({"username": "ado", "jwt_secrets": [{"key": "adokey", "secret": "supersecret"}]});
    let mut all = authenticating(&ana, &ado);
    all.extend(reading_bodies());
    all.extend(reading_heads());
    all
}

fn authenticating(ana: &Value, ado: &Value) -> Vec<Alone> {
    vec![
        Alone {
            prove: Some(key),
            headers: &[("apikey", KEY), ("x-key", "another")],
            parameters: &[("apikey", KEY)],
            fields: &[("apikey", KEY), ("x-key", "another")],
            rule: rules::key_in_body,
            ..Alone::new(
                "key_in_body",
                "key_auth",
                json!({"key_names": ["apikey", "x-key"], "key_in_body": true, "hide_credentials": true,
                    "allow_on_headers_stop_iteration": true, "consumers": [ana]}),
            )
        },
        Alone {
            prove: Some(bearer),
            headers: &[("authorization", "Bearer abc"), ("x-token", "Bearer abc")],
            parameters: &[("jwt", "abc"), ("access_token", "abc")],
            cookies: &[("jwt", "abc"), ("token", "abc")],
            rule: rules::jwt_anywhere,
            ..Alone::new(
                "jwt_anywhere",
                "jwt_auth",
                json!({"cookie_names": ["jwt", "token"], "uri_param_names": ["jwt", "access_token"],
                    "header_names": ["authorization", "x-token"], "claims_to_verify": ["exp"],
                    "hide_credentials": true, "consumers": [ado]}),
            )
        },
        Alone {
            // Without an earlier filter nobody has an identity.
            prove: Some(nothing),
            headers: &[("x-app", APP), ("x-consumer-username", "ana")],
            rule: |_| vec!["a request without a consumer"],
            ..Alone::new(
                "app_id_alone",
                "app_id",
                json!({"mappings": {"ana": [APP]}, "header_name": "X-App", "hide_app_id": true}),
            )
        },
        Alone {
            headers: &[("cookie", "session=AQAAAAAAAAAAAAAAAAAA"), ("session-subject", PLANTED)],
            parameters: &[("session_logout", "1")],
            cookies: &[("session", "AQAAAAAAAAAAAAAAAAAA"), ("remember", "AQAA")],
            fields: &[("session_logout", "1")],
            rule: rules::session,
            ..Alone::new(
                "session_logout",
                "session",
                json!({"secret": "the secret of all nodes", "read_body_for_logout": true,
                    "logout_methods": ["GET", "POST", "DELETE"], "logout_query_arg": "session_logout",
                    "cookie_name": "session", "remember_cookie_name": "remember", "hide_cookie": true, "remember": true,
                    "expire_invalid": true, "request_headers": ["subject", "id", "audience", "timeout", "idling-timeout",
                        "rolling-timeout", "absolute-timeout"],
                    "bind": ["user-agent", "ip"], "allow_on_headers_stop_iteration": true}),
            )
        },
    ]
}

fn reading_bodies() -> Vec<Alone> {
    vec![
        Alone {
            headers: &[
                ("x-drop", "1"),
                ("x-old", "1"),
                ("x-set", "1"),
                ("x-v", "1"),
                ("x-add", "1"),
                ("x-more", "1"),
            ],
            parameters: &[
                ("drop", "1"),
                ("old", "1"),
                ("set", "2"),
                ("v", "1"),
                ("add", "2"),
                ("more", "1"),
            ],
            fields: &[("drop", "1"), ("old", "1"), ("set", "2")],
            rule: rules::transformed,
            ..Alone::new(
                "transformed",
                "request_transformer",
                json!({
                    "remove": {"headers": ["X-Drop"], "querystring": ["drop"], "body": ["drop"]},
                    "rename": {"headers": ["X-Old:X-New"], "querystring": ["old:new"], "body": ["old:new"]},
                    "replace": {"headers": ["X-Set:set"], "querystring": ["set:1"], "body": ["set:1"]},
                    "add": {"headers": ["X-Add:$(headers['x-v'] or 'none')"],
                        "querystring": ["add:$(query_params.v or 'none')"], "body": ["add:$(headers['x-v'])"]},
                    "append": {"headers": ["X-More:$(query_params.v)"], "querystring": ["more:2"]},
                    "allow_on_headers_stop_iteration": true,
                }),
            )
        },
        Alone {
            headers: &[("x-v", "1")],
            parameters: &[("v", "1")],
            fields: &[("a", "1"), ("b", "2")],
            rule: rules::form_to_query,
            ..Alone::new(
                "form_to_query",
                "request_transformer",
                json!({
                    "http_method": "GET", "uri_pattern": "/(?<first>[^/]*)(.*)",
                    "replace": {"uri": "/x/$(uri_captures.first)"}, "unreadable_body": "pass",
                    "append": {"body": ["l:$(headers['x-v'])"]}, "allow_on_headers_stop_iteration": true,
                }),
            )
        },
        Alone {
            headers: &[
                ("x-user", "ana"),
                ("x-token", "Bearer abc"),
                ("content-encoding", "gzip"),
                ("referer", "https://a.test/?apikey=1"),
            ],
            parameters: &[("apikey", KEY)],
            fields: &[("drop", rules::HIDDEN), ("kept", "1")],
            ..Alone::new(
                "moesif_bodies",
                "moesif",
                json!({"application_id": "an-application-id", "batch_max_wait": 200,
                    "collector": {"upstream": "collector", "scheme": "http"},
                    "user_id_header": "X-User", "company_id_header": "X-Company",
                    "authorization_header_name": "authorization,x-token",
                    "request_header_masks": ["apikey", "cookie"], "request_body_masks": ["drop"],
                    "response_body_masks": ["upstream"], "request_query_masks": ["apikey"]}),
            )
        },
        Alone {
            headers: &[("x-claimed", "1"), ("x-upstream-jwt", PLANTED)],
            parameters: &[("a", "1")],
            fields: &[("a", "1")],
            rule: rules::hashed,
            ..Alone::new(
                "hashed",
                "upstream_jwt",
                json!({"private_key": pem("es256"), "algorithm": "ES256", "header": "X-Upstream-JWT",
                    "body_hash": true, "query_hash": true, "headers_to_claims": {"x-claimed": "claimed"},
                    "allow_on_headers_stop_iteration": true}),
            )
        },
        Alone {
            headers: &[("x-echo", "1")],
            parameters: &[("x-echo", "1"), ("a", "1")],
            fields: &[("a", "1")],
            rule: rules::never_echoed,
            ..Alone::new(
                "echoed",
                "request_termination",
                json!({"status_code": 200, "echo": true, "trigger": "x-echo",
                    "allow_on_headers_stop_iteration": true}),
            )
        },
    ]
}

fn reading_heads() -> Vec<Alone> {
    vec![
        Alone {
            headers: &[("x-plan", "gold")],
            ..Alone::new(
                "limited_by_header",
                "rate_limiting",
                json!({"hour": 100_000, "second": 90_000, "limit_by": "header", "header_name": "x-plan",
                    "max_identifiers": 64}),
            )
        },
        Alone {
            parameters: &[("a", "1")],
            ..Alone::new(
                "limited_by_path",
                "rate_limiting",
                json!({"hour": 50, "limit_by": "path", "path": "/orders", "algorithm": "sliding_window"}),
            )
        },
        Alone {
            headers: &[
                ("origin", "https://a.b.test"),
                ("access-control-request-method", "PUT"),
                ("access-control-request-headers", "x-a"),
            ],
            answers: rules::allowed_origin,
            ..Alone::new(
                "cors_expressions",
                "cors",
                json!({"origins": ["https://a.test", r"https://([^./]+\.)+b\.test"], "credentials": true,
                    "private_network": true, "exposed_headers": ["x-a"], "max_age": 5}),
            )
        },
        Alone {
            headers: &[
                ("forwarded", "for=198.51.100.7"),
                ("forwarded", "for=203.0.113.7"),
                ("forwarded", "for=\"[2001:db8::1]:80\""),
            ],
            rule: rules::not_denied,
            ..Alone::new(
                "forwarded",
                "ip_restriction",
                json!({"deny": ["198.51.100.0/24"], "trusted_proxies": ["127.0.0.1"],
                    "real_ip_header": "Forwarded"}),
            )
        },
        Alone {
            headers: &[("user-agent", "Googlebot/2.1"), ("x-bot", PLANTED)],
            rule: rules::tagged,
            ..Alone::new(
                "tagged",
                "bot_detection",
                json!({"rules": "all", "action": "tag", "tag_header": "X-Bot", "allow": ["good(bot)?/[0-9]+"]}),
            )
        },
    ]
}
