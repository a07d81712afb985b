//! API keys on a real Envoy: their places, the answers, and that no key leaves the gateway.

use serde_json::{Value, json};
use wasm_tests::real::{
    Admin, Echo, FaultyServer, Filter, Gateway, Message, Mode, Proxy, RawRequest, Setup, eventually,
};
use wasm_tests::{kept_for_a_day, merged};

const KEY: &str = "the-key-of-ana";

/// key_auth with one inline consumer, and with these settings.
fn inline(more: Value) -> Filter {
    let settings = json!({"consumers": [{
        "username": "ana",
        "custom_id": "ana-1",
        "groups": ["readers", "writers"],
        "keyauth_credentials": [{"id": "credential-1", "key": KEY}],
    }]});
    Filter::new("key_auth", &merged(settings, more))
}

struct Inline {
    envoy: Proxy,
    echo: Echo,
}

impl Inline {
    #[track_caller]
    fn start(filter: Filter) -> Self {
        let echo = Echo::start();
        let envoy = Proxy::start(&Setup::new(echo.address(), vec![filter]));
        Self { envoy, echo }
    }

    #[track_caller]
    fn refused(&self, request: &RawRequest, message: &str) -> Message {
        let before = self.echo.count();
        let answer = self.envoy.send(request);
        assert_eq!((answer.status(), self.echo.count()), (401, before), "{}", answer.text());
        assert_eq!(answer.json()["message"], message);
        answer
    }

    #[track_caller]
    fn passed(&self, request: &RawRequest) -> Message {
        let before = self.echo.count();
        let answer = self.envoy.send(request);
        assert_eq!((answer.status(), self.echo.count()), (200, before + 1), "{}", answer.text());
        self.echo.last()
    }
}

#[test]
fn without_exactly_one_known_key_a_request_is_refused() {
    let gateway = Inline::start(inline(json!({})));
    let none = "No API key found in request";
    let duplicate = "Duplicate API key found";
    let unknown = "Unauthorized";
    let get = |path: &str| RawRequest::get(path);

    for (request, message) in [
        (get("/"), none),
        (get("/").header("apikey", ""), none),
        (get("/?apikey="), none),
        (get("/?apikey"), none),
        (get("/").header("apikey", "wrong"), unknown),
        (get("/").header("apikey", KEY.to_uppercase()), unknown),
        (get("/").header("apikey", b"\xff\xfe"), unknown),
        (get("/").header("apikey", "k".repeat(64 * 1024)), unknown),
        (get("/?apikey=wrong"), unknown),
        (get("/?apikey=%FF%00"), unknown),
        (get(&format!("/?apikey={KEY}")).header("apikey", "wrong"), unknown),
        (get("/").header("apikey", KEY).header("apikey", KEY), duplicate),
        (get(&format!("/?apikey={KEY}&apikey={KEY}")), duplicate),
    ] {
        let answer = gateway.refused(&request, message);
        assert_eq!(answer.header("www-authenticate").as_deref(), Some("Key"));
        assert_eq!(
            answer.header("content-type").as_deref(),
            Some("application/json; charset=utf-8")
        );
    }
}

#[test]
fn a_realm_is_named_in_the_challenge() {
    let gateway = Inline::start(inline(json!({"realm": "orders"})));
    let answer = gateway.refused(&RawRequest::get("/"), "No API key found in request");
    assert_eq!(answer.header("www-authenticate").as_deref(), Some("Key realm=\"orders\""));
}

#[test]
fn the_upstream_learns_the_consumer_and_nothing_that_the_client_says_about_it() {
    let gateway = Inline::start(inline(json!({})));
    let mut request = RawRequest::get("/a?b=c").header("apikey", KEY);
    let forged = [
        "X-Consumer-ID",
        "X-Consumer-Username",
        "x_consumer_custom_id",
        "X-Consumer-Custom-ID",
        "X-Credential-Identifier",
        "X-Anonymous-Consumer",
        "X-Authenticated-Groups",
        "X_Consumer_Groups",
    ];
    for name in forged {
        request = request.header(name, "forged").header(name, "twice");
    }

    let received = gateway.passed(&request);

    assert_eq!(received.path(), "/a?b=c");
    assert_eq!(received.header("x-consumer-username").as_deref(), Some("ana"));
    assert_eq!(received.header("x-consumer-custom-id").as_deref(), Some("ana-1"));
    assert_eq!(received.header("x-credential-identifier").as_deref(), Some("credential-1"));
    assert_eq!(received.header("x-consumer-id").map(|id| id.len()), Some(36));
    for (name, value) in &received.headers {
        let text = String::from_utf8_lossy(value);
        assert!(!text.contains("forged") && !text.contains("twice"), "{name:?}: {text}");
    }
}

#[test]
fn a_key_is_taken_from_where_the_settings_say() {
    let everywhere = Inline::start(inline(json!({"key_names": ["x-key", "apikey"]})));
    for request in [
        RawRequest::get("/").header("X-Key", KEY),
        RawRequest::get("/").header("x_key", KEY),
        RawRequest::get("/").header("apikey", KEY),
        RawRequest::get(format!("/?apikey={KEY}")),
        RawRequest::get(format!("/?a=b&x-key={}&c", KEY.replace('-', "%2D"))),
    ] {
        everywhere.passed(&request);
    }
    let nowhere = Inline::start(inline(json!({"key_in_header": false, "key_in_query": true})));
    nowhere.refused(&RawRequest::get("/").header("apikey", KEY), "No API key found in request");
    let header_only = Inline::start(inline(json!({"key_in_query": false})));
    header_only.refused(&RawRequest::get(format!("/?apikey={KEY}")), "No API key found in request");
}

#[test]
fn a_hidden_key_does_not_reach_the_upstream() {
    let gateway = Inline::start(inline(json!({"hide_credentials": true})));

    let received = gateway.passed(&RawRequest::get("/a?x=1").header("apikey", KEY));
    assert_eq!((received.header("apikey"), received.path()), (None, "/a?x=1"));

    let path = format!("/a?x=%20&apikey={KEY}&y=2&%61pikey=");
    // A query name in another spelling is that name, and is hidden, too.
    let twice = gateway.envoy.send(&RawRequest::get(&path));
    assert_eq!(twice.status(), 401, "{}", twice.text());
    let received = gateway.passed(&RawRequest::get(format!("/a?x=%20&apikey={KEY}&y=2")));
    assert_eq!(received.path(), "/a?x=%20&y=2");
}

#[test]
fn a_key_in_the_body_is_found_where_the_headers_can_wait() {
    let settings = json!({
        "key_in_body": true, "hide_credentials": true, "allow_on_headers_stop_iteration": true,
    });
    let gateway = Inline::start(inline(settings).holding_headers(true));
    let post = |kind: &str, body: &str| RawRequest::post("/", body).header("content-type", kind);

    let form = gateway
        .passed(&post("application/x-www-form-urlencoded", &format!("a=b&apikey={KEY}&c=d")));
    assert_eq!(form.text(), "a=b&c=d");
    assert_eq!(form.header("content-length").as_deref(), Some("7"));
    let document = json!({"apikey": KEY, "n": 1}).to_string();
    assert_eq!(gateway.passed(&post("application/json", &document)).json(), json!({"n": 1}));
    let multipart = format!(
        "--x\r\nContent-Disposition: form-data; name=\"apikey\"\r\n\r\n{KEY}\r\n--x\r\n\
         Content-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n"
    );
    let received = gateway.passed(&post("multipart/form-data; boundary=x", &multipart));
    assert!(!received.text().contains(KEY) && received.text().contains("\r\n\r\nb\r\n--x--"));
    gateway.passed(&post("application/x-www-form-urlencoded", &format!("apikey={KEY}")).chunked());

    for (kind, body) in [
        ("application/x-www-form-urlencoded", "a=b"),
        ("application/json", "{"),
        ("application/json", "{\"apikey\": 7}"),
        ("text/plain", KEY),
        ("application/json", ""),
    ] {
        gateway.refused(&post(kind, body), "No API key found in request");
    }
    gateway.refused(&post("application/json", "{\"apikey\": \"wrong\"}"), "Unauthorized");
    gateway.refused(&RawRequest::get("/"), "No API key found in request");
}

#[test]
fn a_preflight_request_passes_only_where_the_settings_say_so() {
    let options = RawRequest::new("OPTIONS", "/").header("x-consumer-id", "forged");
    let strict = Inline::start(inline(json!({})));
    strict.refused(&options, "No API key found in request");
    let lenient = Inline::start(inline(json!({"run_on_preflight": false})));
    assert_eq!(lenient.passed(&options).header("x-consumer-id"), None);
    lenient.refused(&RawRequest::get("/"), "No API key found in request");
}

#[test]
fn a_request_without_valid_key_can_be_the_anonymous_consumer() {
    let settings = json!({"anonymous": "nobody", "consumers": [
        {"username": "nobody"},
        {"username": "ana", "keyauth_credentials": [{"key": KEY}]},
    ]});
    let gateway = Inline::start(Filter::new("key_auth", &settings));

    for request in [RawRequest::get("/"), RawRequest::get("/").header("apikey", "wrong")] {
        let received = gateway.passed(&request);
        assert_eq!(received.header("x-consumer-username").as_deref(), Some("nobody"));
        assert_eq!(received.header("x-anonymous-consumer").as_deref(), Some("true"));
        assert_eq!(received.header("x-credential-identifier"), None);
    }
    let received = gateway.passed(&RawRequest::get("/").header("apikey", KEY));
    assert_eq!(received.header("x-consumer-username").as_deref(), Some("ana"));
    assert_eq!(received.header("x-anonymous-consumer"), None);
}

#[test]
fn no_key_leaves_the_gateway_and_none_is_logged() {
    let gateway = Gateway::start(|admin| vec![Filter::new("key_auth", &json!({"admin": admin}))]);
    gateway.consumer("ana", KEY, &[]);
    let smuggled = "/?apikey=secret%20HTTP/1.1%0d%0aHost:%20evil%0d%0a%0d%0aGET%20/../consumers%3F";

    gateway.passed(&RawRequest::get("/").header("apikey", KEY));
    gateway.refused(&RawRequest::get("/").header("apikey", "secret ../?#%00"));
    gateway.refused(&RawRequest::get(smuggled));

    let asked = gateway.faulty_admin.requests();
    assert!(asked.iter().any(|request| request.path().starts_with("/identities/key-auth/")));
    for request in &asked {
        let all = format!("{request:?} {}", String::from_utf8_lossy(&request.body));
        assert!(!all.contains(KEY) && !all.contains("secret") && !all.contains("evil"), "{all}");
        let digest = request.path().strip_prefix("/identities/key-auth/").unwrap_or_default();
        let plain = digest.bytes().all(|b| b.is_ascii_hexdigit());
        assert!(plain && (digest.is_empty() || digest.len() == 64), "{}", request.path());
    }
    let log = gateway.envoy.log();
    assert!(!log.contains(KEY) && !log.contains("secret"), "{log}");
}

#[test]
fn a_revoked_key_is_refused_and_an_unknown_one_can_become_known() {
    let settings = kept_for_a_day();
    let gateway = Gateway::with(
        2,
        |_| (),
        |admin| vec![Filter::new("key_auth", &json!({"admin": admin, "cache": settings}))],
    );
    gateway.consumer("ana", KEY, &[]);
    let request = RawRequest::get("/").header("apikey", KEY);
    let new = RawRequest::get("/").header("apikey", "new-key");
    let until = |what: &str, request: &RawRequest, status: u16| {
        eventually(what, || (0..8).all(|_| gateway.send(request).status() == status).then_some(()));
    };
    assert_eq!(gateway.passed(&request).header("x-consumer-username").as_deref(), Some("ana"));
    assert_eq!(gateway.refused(&new), (401, "Unauthorized".to_owned()));

    let created = gateway.admin.create("/consumers/ana/key-auth", &json!({"key": "new-key"}));
    until("new key that is accepted", &new, 200);

    let renamed = RawRequest::new("PATCH", "/consumers/ana")
        .header("content-type", "application/json")
        .body(r#"{"username":"anna"}"#);
    assert_eq!(gateway.admin.send(renamed).status(), 200);
    eventually("new name of the consumer", || {
        let name = gateway.passed(&request).header("x-consumer-username");
        (name.as_deref() == Some("anna")).then_some(())
    });

    let id = created["id"].as_str().expect("an id");
    gateway.admin.delete(&format!("/consumers/anna/key-auth/{id}"));
    until("revoked key that is refused", &new, 401);

    gateway.admin.delete("/consumers/anna");
    until("key of a deleted consumer that is refused", &request, 401);
}

#[test]
fn a_key_that_cannot_be_looked_up_is_neither_accepted_nor_called_wrong() {
    let gateway = Gateway::start(|admin| {
        let mut admin = admin.clone();
        admin["timeout"] = json!(300);
        let anonymous = json!([{"username": "nobody"}]);
        vec![Filter::new(
            "key_auth",
            &json!({"admin": admin, "anonymous": "nobody", "consumers": anonymous}),
        )]
    });
    gateway.consumer("ana", KEY, &[]);
    for broken in [
        Mode::Hold,
        Mode::HangUp,
        Mode::Truncate,
        Mode::Garbage,
        Mode::Stranger,
        Mode::Status(500),
        Mode::Status(404),
    ] {
        gateway.faulty_admin.set(broken);
        let answer = gateway.refused(&RawRequest::get("/").header("apikey", KEY));
        assert_eq!(answer.0, 503, "{broken:?}: {answer:?}");
    }
    gateway.faulty_admin.set(Mode::Pass);
    eventually("key that is accepted once the service is back", || {
        let answer = gateway.send(&RawRequest::get("/").header("apikey", KEY));
        (answer.status() == 200).then_some(())
    });
}

#[test]
fn the_admin_service_is_asked_with_the_gateways_token_from_the_environment() {
    let token = "gateway-token-of-forty-characters-length";
    let admin = Admin::with_tokens(&"a".repeat(40), token);
    let faulty_admin = FaultyServer::before(admin.address());
    let echo = Echo::start();
    let settings = |token: Value| {
        let mut admin = json!({"upstream": "admin", "authority": "gatehouse.test"});
        admin
            .as_object_mut()
            .expect("an object")
            .extend(token.as_object().cloned().unwrap_or_default());
        Filter::new("key_auth", &json!({"admin": admin}))
    };
    let setup = Setup::new(
        echo.address(),
        vec![settings(json!({"token_env": "TOKEN"})).environment("TOKEN", token)],
    )
    .listener("without", vec![settings(json!({})).vm_id("without")])
    .cluster("admin", faulty_admin.address());
    let envoy = Proxy::start(&setup);
    admin.create("/consumers", &json!({"username": "ana"}));
    admin.create("/consumers/ana/key-auth", &json!({"key": KEY}));
    let request = RawRequest::get("/").header("apikey", KEY);

    assert_eq!(envoy.send(&request).status(), 200);
    assert_eq!(request.send(envoy.address("without")).status(), 503, "the service refuses to tell");
    let bearer = format!("Bearer {token}");
    let asked = faulty_admin.requests();
    assert!(asked.iter().any(|r| r.header("authorization").as_deref() == Some(&bearer)));
    assert!(!envoy.log().contains(token));
}

#[test]
fn a_wrong_configuration_is_refused_with_the_path_of_every_error_and_without_its_secrets() {
    let echo = Echo::start();
    let wrong = json!({
        "key_names": ["a b"],
        "consumers": [{"username": "ana", "keyauth_credentials": [{"key": 12_345_678}]}],
        "admin": {"upstream": "admin", "token": "secret token with spaces", "timeout": "soon"},
        "colour": "red",
    });
    let log = Proxy::try_start(&Setup::new(echo.address(), vec![Filter::new("key_auth", &wrong)]))
        .err()
        .expect("Envoy refuses the configuration");

    for path in [
        "key_names[0]",
        "consumers[0].keyauth_credentials[0].key",
        "admin.token",
        "admin.timeout",
        "colour",
    ] {
        assert!(log.contains(path), "{path} is not in:\n{log}");
    }
    assert!(!log.contains("12345678") && !log.contains("secret token"), "{log}");
}

#[test]
fn a_setting_that_needs_held_headers_is_refused_where_nobody_asserts_them() {
    let echo = Echo::start();
    let filter = inline(json!({"key_in_body": true}));
    let log = Proxy::try_start(&Setup::new(echo.address(), vec![filter]))
        .err()
        .expect("Envoy refuses the configuration");
    assert!(
        log.contains("key_in_body") && log.contains("allow_on_headers_stop_iteration"),
        "{log}"
    );
}
