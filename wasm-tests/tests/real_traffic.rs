//! The traffic filters on a real Envoy: bot_detection, cors, ip_restriction, request_termination
//! and request_transformer.

use serde_json::{Value, json};
use wasm_tests::real::{Admin, Echo, Filter, Message, Proxy, Request, Setup};
use wasm_tests::refused_with;

struct Gateway {
    envoy: Proxy,
    echo: Echo,
}

impl Gateway {
    #[track_caller]
    fn start(feature: &str, settings: Value) -> Self {
        Self::with(vec![Filter::new(feature, &settings)])
    }

    #[track_caller]
    fn with(filters: Vec<Filter>) -> Self {
        let echo = Echo::start();
        let envoy = Proxy::start(&Setup::new(echo.address(), filters));
        Self { envoy, echo }
    }

    fn send(&self, request: &Request) -> Message {
        self.envoy.send(request)
    }

    /// The request as the upstream received it.
    #[track_caller]
    fn passed(&self, request: &Request) -> Message {
        let answer = self.send(request);
        assert_eq!(answer.status(), 200, "{}\n{}", answer.text(), self.envoy.log());
        self.echo.last()
    }

    /// The status and message of a refusal. Panics if the request reached the upstream.
    #[track_caller]
    fn refused(&self, request: &Request) -> (u16, String) {
        let before = self.echo.count();
        let answer = self.send(request);
        assert_eq!(self.echo.count(), before, "it reached the upstream");
        (answer.status(), answer.json()["message"].as_str().unwrap_or_default().to_owned())
    }
}

// === request_termination ===

#[test]
fn each_status_ends_the_request_with_its_message() {
    let echo = Echo::start();
    let cases = [
        ("default", json!({}), 503, r#"{"message":"Service unavailable"}"#),
        (
            "message",
            json!({"status_code": 406, "message": "Invalid"}),
            406,
            r#"{"message":"Invalid"}"#,
        ),
        ("empty", json!({"status_code": 418}), 418, ""),
        ("nothing", json!({"status_code": 204}), 204, ""),
        ("body", json!({"body": "<h1>down</h1>"}), 503, "<h1>down</h1>"),
        (
            "typed",
            json!({"status_code": 451, "body": "<h1>no</h1>", "content_type": "text/html"}),
            451,
            "<h1>no</h1>",
        ),
    ];
    let mut setup = Setup::new(echo.address(), Vec::new());
    for (name, settings, _, _) in &cases {
        setup = setup.listener(name, vec![Filter::new("request_termination", settings)]);
    }
    let envoy = Proxy::start(&setup);
    for (name, _, status, body) in cases {
        let answer = Request::get("/status/200").send(envoy.address(name));
        assert_eq!((answer.status(), answer.text().as_str()), (status, body), "{name}");
        let kind = match name {
            "default" | "message" => Some("application/json; charset=utf-8"),
            "typed" => Some("text/html"),
            _ => None,
        };
        assert_eq!(answer.header("content-type").as_deref(), kind, "{name}");
        let length = answer.header("content-length");
        assert_eq!(length.is_none(), status == 204, "{name}: {length:?}");
    }
    assert_eq!(echo.count(), 0);
}

#[test]
fn an_echo_shows_the_request_behind_its_trigger() {
    let settings = json!({"status_code": 404, "echo": true, "trigger": "Gimme-An-Echo", "allow_on_headers_stop_iteration": true});
    let gateway =
        Gateway::with(vec![Filter::new("request_termination", &settings).holding_headers(true)]);
    assert_eq!(gateway.passed(&Request::get("/status/200")).path(), "/status/200");
    for request in [
        Request::post("/status/200?hello=there", "cool body")
            .header("Gimme-An-Echo", "anything will do"),
        Request::post("/status/200?hello=there&Gimme-An-Echo=anything%20will%20do", "cool body"),
    ] {
        let answer = gateway.send(&request);
        let echo = answer.json();
        assert_eq!((answer.status(), &echo["message"]), (404, &json!("Not found")));
        let shown = &echo["request"];
        assert_eq!(shown["query"]["hello"], "there", "{echo}");
        assert_eq!((&shown["method"], &shown["path"]), (&json!("POST"), &json!("/status/200")));
        assert_eq!(
            (&shown["raw_body"], &shown["headers"]["content-length"]),
            (&json!("cool body"), &json!("9"))
        );
        assert_eq!(shown["headers"]["host"], "gateway.test");
        assert_eq!(echo["matched_route"], json!({"name": "everything"}));
    }
}

#[test]
fn a_client_that_speaks_grpc_gets_a_grpc_status() {
    let gateway = Gateway::start("request_termination", json!({}));
    let answer = gateway.send(
        &Request::post("/hello.HelloService/SayHello", "")
            .header("content-type", "application/grpc"),
    );
    assert_eq!(
        (answer.status(), answer.header("grpc-status").as_deref()),
        (200, Some("14")),
        "UNAVAILABLE"
    );
    assert_eq!(answer.header("content-type").as_deref(), Some("application/grpc"));
    assert_eq!(answer.header("grpc-message").as_deref(), Some("Service unavailable"));
    assert_eq!(answer.text(), "");
}

#[test]
fn the_anonymous_consumer_is_turned_away_and_fiona_comes_in() {
    let key_auth = json!({"anonymous": "anonymous_users", "consumers": [
        {"username": "anonymous_users"},
        {"username": "fiona", "keyauth_credentials": [{"key": "open_sesame"}]},
    ]});
    let termination = json!({"match": {"consumers": ["anonymous_users"]}, "status_code": 403,
        "message": "So long and thanks for all the fish!"});
    let gateway = Gateway::with(vec![
        Filter::new("key_auth", &key_auth),
        Filter::new("request_termination", &termination),
    ]);
    let farewell = refused_with(403, "So long and thanks for all the fish!");
    assert_eq!(gateway.refused(&Request::get("/sessions-test")), farewell);
    let forged = Request::get("/sessions-test").header("X-Consumer-Username", "fiona");
    assert_eq!(gateway.refused(&forged), farewell);
    let known = gateway.passed(&Request::get("/sessions-test?apikey=open_sesame"));
    assert_eq!(known.header("x-consumer-username").as_deref(), Some("fiona"));
}

/// The walk through the document of Kong's session plugin, with the names that the document uses.
#[test]
fn the_session_document_is_walked_through() {
    let (echo, admin) = (Echo::start(), Admin::start());
    let form = |path: &str, data: &str| {
        let kind = "application/x-www-form-urlencoded";
        let answer = admin.send(Request::post(path, data).header("content-type", kind));
        assert_eq!(answer.status(), 201, "{path}: {}", answer.text());
    };
    form("/consumers/", "username=anonymous_users");
    form("/consumers/", "username=fiona");
    form("/consumers/fiona/key-auth/", "key=open_sesame");

    let service = json!({"upstream": "admin", "authority": admin.address().to_string()});
    let key_auth = |more: Value| {
        let mut settings = json!({"admin": service});
        settings.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
        Filter::new("key_auth", &settings)
    };
    let session = json!({"admin": service, "storage": "kong", "cookie_secure": false, "secret": "of all nodes"});
    let termination = json!({"status_code": 403, "message": "So long and thanks for all the fish!",
        "match": {"consumers": ["anonymous_users"]}});
    let all = vec![
        Filter::new("session", &session),
        key_auth(json!({"anonymous": "anonymous_users"})),
        Filter::new("request_termination", &termination),
    ];
    let setup = Setup::new(echo.address(), all)
        .listener("only_keys", vec![key_auth(json!({}))])
        .cluster("admin", admin.address());
    let envoy = Proxy::start(&setup);

    // "Verify that the key-auth plugin is properly configured"
    let stranger = Request::get("/sessions-test");
    assert_eq!(stranger.send(envoy.address("only_keys")).status(), 401);

    // "Anonymous requests now will return status 403."
    let refused = envoy.send(&stranger);
    let farewell = refused_with(403, "So long and thanks for all the fish!");
    let message = refused.json()["message"].as_str().unwrap_or_default().to_owned();
    assert_eq!((refused.status(), message), farewell, "{}", envoy.log());
    assert!(refused.all("set-cookie").is_empty(), "nobody has no session");

    // "The response should now have the Set-Cookie header."
    let entered = envoy.send(&Request::get("/sessions-test?apikey=open_sesame"));
    assert_eq!(entered.status(), 200, "{}\n{}", entered.text(), envoy.log());
    let cookie = entered.header("set-cookie").expect("a cookie");
    assert!(cookie.starts_with("session=") && !cookie.contains("Secure"), "{cookie}");

    // "This request should succeed, and Set-Cookie response header will not appear"
    let pair = cookie.split(';').next().unwrap_or_default();
    let again = envoy.send(&Request::get("/sessions-test").header("cookie", pair));
    assert_eq!((again.status(), again.all("set-cookie").len()), (200, 0), "{}", envoy.log());
    assert_eq!(echo.last().header("x-consumer-username").as_deref(), Some("fiona"));

    let forged = pair.replace("session=", "session=x");
    assert_eq!(envoy.send(&Request::get("/sessions-test").header("cookie", forged)).status(), 403);
}

// === bot_detection ===

#[test]
fn bots_are_refused_and_others_go_on() {
    let chrome = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_11_5) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/50.0.2661.102 Safari/537.36";
    let settings =
        json!({"rules": "all", "deny": ["HELLOWORLD"], "allow": ["facebookexternalhit"]});
    let gateway = Gateway::start("bot_detection", settings);
    gateway.passed(&Request::get("/request"));
    for user_agent in [chrome, "curl/7.43.0", "facebookexternalhit/1.1 (+http://www.facebook.com/)"]
    {
        gateway.passed(&Request::get("/request").header("user-agent", user_agent));
    }
    for user_agent in
        ["Googlebot/2.1 (+http://www.google.com/bot.html)", "HELLOWORLD", "GPTBot/1.2"]
    {
        let refused = gateway.refused(&Request::get("/request").header("user-agent", user_agent));
        assert_eq!(refused, refused_with(403, "Forbidden"), "{user_agent}");
    }
    for (rule, count) in [("known_bot", 1), ("deny_0", 1), ("ai_openai", 1), ("allow_0", 1)] {
        let name = format!("wasmcustom.gatehouse_bot_detection_matched_{rule}");
        assert_eq!(gateway.envoy.stat(&name), count, "{name}");
    }
}

#[test]
fn a_bot_that_speaks_grpc_is_denied_permission() {
    let gateway = Gateway::start("bot_detection", json!({}));
    let call = Request::post("/hello.HelloService/SayHello", "")
        .header("content-type", "application/grpc");
    let answer = gateway.send(&call.header("user-agent", "Googlebot/2.1"));
    assert_eq!((answer.status(), answer.header("grpc-status").as_deref()), (200, Some("7")));
}

#[test]
fn a_tag_is_the_gateways_and_a_log_has_the_rule_only() {
    let gateway = Gateway::start("bot_detection", json!({"action": "tag", "tag_header": "X-Bot"}));
    let googlebot = Request::get("/").header("user-agent", "Googlebot/2.1");
    let tagged = gateway.passed(&googlebot.clone().header("x-bot", "no").header("X_Bot", "no"));
    assert_eq!(
        (tagged.header("x-bot").as_deref(), tagged.header("x_bot")),
        (Some("known_bot"), None)
    );
    let plain = gateway
        .passed(&Request::get("/").header("user-agent", "curl/8").header("x-bot", "known_bot"));
    assert_eq!(plain.header("x-bot"), None);

    let gateway = Gateway::start("bot_detection", json!({"action": "log"}));
    gateway.passed(&googlebot);
    let log = gateway.envoy.log();
    assert!(log.contains("a bot by the rule known_bot") && !log.contains("Googlebot/2.1"), "{log}");
}

#[test]
fn a_bad_expression_is_rejected_with_its_path() {
    let setup = Setup::new(
        Echo::start().address(),
        vec![Filter::new("bot_detection", &json!({"allow": ["a", "[["]}))],
    );
    let log = Proxy::try_start(&setup).err().expect("a refusal");
    assert!(
        log.contains("allow[1]: found") && log.contains("expected a regular expression"),
        "{log}"
    );
}

// === ip_restriction ===

#[test]
fn the_address_of_the_connection_decides() {
    let echo = Echo::start();
    let cases = [
        ("denied", json!({"deny": ["127.0.0.1"]}), Err("IP address not allowed: 127.0.0.1")),
        (
            "network",
            json!({"deny": ["127.0.0.0/8"], "allow": ["127.0.0.1"]}),
            Err("IP address not allowed: 127.0.0.1"),
        ),
        (
            "elsewhere",
            json!({"allow": ["10.0.0.0/8", "::1"]}),
            Err("IP address not allowed: 127.0.0.1"),
        ),
        ("words", json!({"deny": ["0.0.0.0/0"], "message": "Forbidden"}), Err("Forbidden")),
        ("allowed", json!({"allow": ["127.0.0.0/24"]}), Ok(())),
        ("other", json!({"deny": ["127.0.0.2", "::/0"]}), Ok(())),
    ];
    let mut setup = Setup::new(echo.address(), Vec::new()).at_the_edge();
    for (name, settings, _) in &cases {
        setup = setup.listener(name, vec![Filter::new("ip_restriction", settings)]);
    }
    let envoy = Proxy::start(&setup);
    for (name, _, expected) in cases {
        let answer =
            Request::get("/").header("x-forwarded-for", "10.1.1.1").send(envoy.address(name));
        let message = answer.json()["message"].as_str().unwrap_or_default().to_owned();
        match expected {
            Ok(()) => assert_eq!(answer.status(), 200, "{name}"),
            Err(text) => assert_eq!((answer.status(), message.as_str()), (403, text), "{name}"),
        }
    }
}

#[test]
fn behind_trusted_proxies_their_header_says_who_it_is() {
    let echo = Echo::start();
    // For a connection over loopback Envoy writes the machine's own address into the header. It is
    // an IPv4 address, and the clients here have IPv6 addresses.
    let settings = |header: &str| json!({"allow": ["2001:db8::4"], "real_ip_header": header, "trusted_proxies": ["0.0.0.0/0"]});
    let listed = vec![Filter::new("ip_restriction", &settings("X-Forwarded-For"))];
    let standard = vec![Filter::new("ip_restriction", &settings("Forwarded"))];
    let setup = Setup::new(echo.address(), listed).listener("standard", standard).at_the_edge();
    let envoy = Proxy::start(&setup);
    for (listener, header, value, status) in [
        ("main", "x-forwarded-for", "2001:db8::4", 200),
        ("main", "x-forwarded-for", "2001:db8::4, 10.0.0.1", 200),
        ("main", "x-forwarded-for", "[2001:db8::4]:80, ::ffff:10.0.0.1", 200),
        ("main", "x-forwarded-for", "2001:db8::4, 2001:db8::5, 10.0.0.1", 403),
        ("main", "x-forwarded-for", "nobody", 403),
        ("main", "forwarded", "for=\"[2001:db8::4]\"", 403),
        ("standard", "forwarded", "for=\"[2001:db8::4]\";proto=https, for=\"10.0.0.1:80\"", 200),
        ("standard", "forwarded", "for=\"[2001:db8::4]:80\"", 200),
        ("standard", "forwarded", "for=_hidden", 403),
        ("standard", "x-forwarded-for", "2001:db8::4", 403),
    ] {
        let answer = Request::get("/").header(header, value).send(envoy.address(listener));
        assert_eq!(answer.status(), status, "{listener} {header}: {value}: {}", answer.text());
    }
}

/// envoyproxy/envoy#9127: for a connection over loopback Envoy writes its own address into the
/// header.
#[test]
fn behind_a_proxy_on_the_same_machine_the_client_is_who_came_to_that_proxy() {
    let echo = Echo::start();
    let settings = json!({"deny": ["203.0.113.0/24"], "trusted_proxies": ["127.0.0.1"]});
    let filters = vec![Filter::new("ip_restriction", &settings)];
    let envoy = Proxy::start(&Setup::new(echo.address(), filters).at_the_edge());
    for (value, status) in [
        ("203.0.113.9", 403),
        ("198.51.100.1, 203.0.113.9", 403),
        ("203.0.113.9, 198.51.100.1", 200),
        ("nobody", 403),
    ] {
        let answer = envoy.send(&Request::get("/").header("x-forwarded-for", value));
        assert_eq!(answer.status(), status, "{value}: {}", answer.text());
    }
    assert_eq!(envoy.send(&Request::get("/")).status(), 200);
}

/// Operators should not run Envoy like this: the README tells them to set `use_remote_address`.
#[test]
fn an_envoy_that_is_not_told_to_be_the_edge_believes_the_header_itself() {
    let gateway = Gateway::start("ip_restriction", json!({"deny": ["192.0.2.7"]}));
    let refused = gateway.refused(&Request::get("/").header("x-forwarded-for", "192.0.2.7"));
    assert_eq!(refused, refused_with(403, "IP address not allowed: 192.0.2.7"));
}

// === cors ===

fn cors(answer: &Message) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = answer
        .headers
        .iter()
        .filter_map(|(name, value)| {
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            let ours = name.strip_prefix("access-control-").map(str::to_owned);
            let value = String::from_utf8_lossy(value).into_owned();
            Some((ours.or((name == "vary").then_some(name))?, value))
        })
        .collect();
    all.sort();
    all
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_preflight_is_answered_by_the_gateway() {
    let settings = json!({"origins": ["http://a.test", r"https://([^.]+\.)+b\.test"], "methods": ["GET", "PUT"],
        "headers": ["x-a"], "max_age": 23, "credentials": true, "private_network": true});
    let gateway = Gateway::start("cors", settings);
    let preflight = |origin: &str| {
        Request::new("OPTIONS", "/")
            .header("origin", origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-private-network", "true")
    };
    let answer = gateway.send(&preflight("https://shop.b.test:443"));
    assert_eq!((answer.status(), answer.text().as_str()), (200, ""));
    assert_eq!(
        cors(&answer),
        pairs(&[
            ("allow-credentials", "true"),
            ("allow-headers", "x-a"),
            ("allow-methods", "GET,PUT"),
            ("allow-origin", "https://shop.b.test"),
            ("allow-private-network", "true"),
            ("max-age", "23"),
            ("vary", "Origin"),
        ])
    );
    let stranger = gateway.send(&preflight("https://b.test.evil.test"));
    assert_eq!((stranger.status(), stranger.header("access-control-allow-origin")), (200, None));
    assert_eq!(gateway.echo.count(), 0);
}

#[test]
fn every_response_says_which_origins_may_read_it_refusals_and_outages_too() {
    let key_auth =
        json!({"consumers": [{"username": "ana", "keyauth_credentials": [{"key": "right"}]}]});
    let listed = json!({"origins": ["http://a.test", "http://b.test"], "exposed_headers": ["x-b"]});
    let filters = || vec![Filter::new("cors", &listed), Filter::new("key_auth", &key_auth)];
    let echo = Echo::start();
    let gone = std::net::TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address");
    let mut setup = Setup::new(echo.address(), filters()).cluster("gone", gone);
    setup.listeners.push(wasm_tests::real::Listener {
        name: "gone",
        filters: filters(),
        cluster: "gone",
    });
    let envoy = Proxy::start(&setup);
    let told =
        pairs(&[("allow-origin", "http://a.test"), ("expose-headers", "x-b"), ("vary", "Origin")]);
    for (listener, key, status) in
        [("main", "right", 200), ("main", "wrong", 401), ("gone", "right", 503)]
    {
        let request = Request::get("/").header("origin", "http://a.test").header("apikey", key);
        let answer = request.send(envoy.address(listener));
        assert_eq!((answer.status(), cors(&answer)), (status, told.clone()), "{listener} {key}");
    }
    let stranger = Request::get("/").header("origin", "http://c.test").header("apikey", "right");
    assert_eq!(
        cors(&envoy.send(&stranger)),
        pairs(&[("expose-headers", "x-b"), ("vary", "Origin")])
    );
}

// === request_transformer ===

#[test]
fn headers_query_path_and_method_change() {
    let gateway = Gateway::start(
        "request_transformer",
        json!({
            "http_method": "PUT",
            "uri_pattern": r"/requests/user1/(?<user1>\w+)/user2/(?<user2>\S+)",
            "remove": {"headers": ["x-to-remove"], "querystring": ["q1"]},
            "rename": {"headers": ["x-to-rename:x-is-renamed"], "querystring": ["old:new"]},
            "replace": {"headers": ["Host:other.test", "h1:v1"], "uri": "/user2/$(uri_captures.user2)/user1/$(uri_captures.user1)"},
            "add": {"headers": ["x-q1:$(query_params.q1)"], "querystring": ["host:$(headers.host)"]},
            "append": {"headers": ["x-added:a1", "X-aDDed:a2"]},
        }),
    );
    let request = Request::get("/requests/user1/foo/user2/bar?q1=20&old=%7e&x=$&+,")
        .header("x-to-remove", "1")
        .header("X-To-Remove", "2")
        .header("x-to-rename", "new-result")
        .header("x-is-renamed", "old-result")
        .header("h1", "V");
    let got = gateway.passed(&request);
    assert_eq!(got.method(), "PUT");
    assert_eq!(got.path(), "/user2/bar/user1/foo?new=%7e&x=$&+,&host=gateway.test");
    for (name, values) in [
        ("x-to-remove", &[][..]),
        ("x-to-rename", &[]),
        ("x-is-renamed", &["new-result"]),
        ("h1", &["v1"]),
        ("host", &["other.test"]),
        ("x-q1", &["20"]),
        ("x-added", &["a1", "a2"]),
    ] {
        assert_eq!(got.all(name), values, "{name}");
    }
}

#[test]
fn a_value_stays_in_its_place() {
    let gateway = Gateway::start(
        "request_transformer",
        json!({
            "add": {"headers": ["x-a:$(query_params.v)"], "querystring": ["b:$(query_params.v)"]},
            "replace": {"uri": "/tenants/$(headers.tenant or 'none')"},
        }),
    );
    let got = gateway
        .passed(&Request::get("/?v=1%0d%0aX-Admin:%20true%26admin=1%23").header("tenant", "a?b"));
    assert_eq!(
        (got.header("x-admin"), got.header("x-a").as_deref()),
        (None, Some("1%0D%0AX-Admin: true&admin=1#"))
    );
    assert_eq!(
        got.path(),
        "/tenants/a%3Fb?v=1%0d%0aX-Admin:%20true%26admin=1%23&b=1%0D%0AX-Admin%3A%20true%26admin%3D1%23"
    );
    let climbing = Request::get("/").header("tenant", "../admin");
    assert_eq!(gateway.refused(&climbing), refused_with(400, "Bad request path"));
}

#[test]
fn bodies_change_where_envoy_holds_the_headers() {
    let settings = json!({"allow_on_headers_stop_iteration": true, "remove": {"body": ["secret"]},
        "rename": {"body": ["old:new"]}, "add": {"body": ["p1:v1"], "headers": ["x-early:1"]}, "append": {"body": ["p1:v2"]}});
    let gateway =
        Gateway::with(vec![Filter::new("request_transformer", &settings).holding_headers(true)]);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let json_type = ("content-type", "application/json");
    let large = format!("{{\"old\":\"{}\"}}", "x".repeat(200_000));
    for ((name, value), sent, arrives) in [
        (form, "secret=1&old=%7e&a=b", "new=%7e&a=b&p1=v1&p1=v2".to_owned()),
        (
            json_type,
            r#"{"secret":1,"old":[],"n":1.10}"#,
            r#"{"new":[],"n":1.10,"p1":["v1","v2"]}"#.into(),
        ),
        (
            json_type,
            &large,
            large.replace("old", "new").replace("\"}", "\",\"p1\":[\"v1\",\"v2\"]}"),
        ),
    ] {
        for chunked in [false, true] {
            let request = Request::post("/", sent).header(name, value);
            let got = gateway.passed(&if chunked { request.chunked() } else { request });
            assert_eq!(got.text(), arrives, "{value}");
            assert_eq!(got.header("x-early").as_deref(), Some("1"));
        }
    }
    // A value to be removed from a body that cannot be read does not pass.
    for ((name, value), sent, status) in
        [(json_type, "malformed", 400), (("content-type", "text/plain"), "old=1", 415)]
    {
        let answer = gateway.send(&Request::post("/", sent).header(name, value));
        assert_eq!(answer.status(), status, "{value}: {}", answer.text());
    }
    let multipart =
        "--XX\r\nContent-Disposition: form-data; name=\"secret\"\r\n\r\n1\r\n--XX--\r\n";
    let got = gateway.passed(
        &Request::post("/", multipart).header("content-type", "multipart/form-data; boundary=XX"),
    );
    assert_eq!(
        got.text(),
        "--XX\r\nContent-Disposition: form-data; name=\"p1\"\r\n\r\nv1\r\n--XX--\r\n"
    );

    let too_much = Request::post("/", format!("a={}", "x".repeat(3 << 20))).header(form.0, form.1);
    let before = gateway.echo.count();
    assert_eq!((gateway.send(&too_much).status(), gateway.echo.count()), (413, before));
    // There is no body, and none can be made.
    assert_eq!(gateway.passed(&Request::get("/").header(form.0, form.1)).text(), "");
}

#[test]
fn a_form_becomes_a_part_of_the_query() {
    let settings = json!({"allow_on_headers_stop_iteration": true, "http_method": "GET"});
    let gateway =
        Gateway::with(vec![Filter::new("request_transformer", &settings).holding_headers(true)]);
    let got = gateway.passed(
        &Request::post("/request?hello=world", "name=marco")
            .header("content-type", "application/x-www-form-urlencoded"),
    );
    assert_eq!((got.method(), got.path()), ("GET", "/request?hello=world&name=marco"));
}

#[test]
fn without_the_option_changes_to_bodies_are_rejected() {
    let filter = Filter::new("request_transformer", &json!({"add": {"body": ["a:b"]}}));
    let log = Proxy::try_start(&Setup::new(Echo::start().address(), vec![filter]))
        .err()
        .expect("a refusal");
    assert!(log.contains("add.body: found without `allow_on_headers_stop_iteration`"), "{log}");
}
