//! Browser sessions on a real Envoy, in cookies and in a real gatehouse-admin.

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use wasm_tests::real::{
    Answer, Echo, Filter, Gateway, Message, Mode, Proxy, RawRequest, Server, Setup, eventually,
};
use wasm_tests::{merged, python};

const KEY: &str = "the-key-of-ana";
const SECRET: &str = "ultra top secret session";

/// A browser with its cookies.
#[derive(Clone, Default)]
struct Browser {
    cookies: BTreeMap<String, String>,
}

impl Browser {
    #[track_caller]
    fn send(&mut self, envoy: &Proxy, request: RawRequest) -> Message {
        let pairs: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = match pairs.is_empty() {
            true => request,
            false => request.header("cookie", pairs.join("; ")),
        };
        let answer = envoy.send(&request);
        for field in answer.all("set-cookie") {
            let (pair, attributes) = field.split_once(';').unwrap_or((&field, ""));
            let (name, value) = pair.split_once('=').expect("a cookie");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }
}

fn login() -> RawRequest {
    RawRequest::get("/").header("apikey", KEY)
}

fn browse() -> RawRequest {
    RawRequest::get("/")
}

fn log_out() -> RawRequest {
    RawRequest::new("DELETE", "/?session_logout")
}

/// The filters session and key_auth, and a request_termination that refuses callers without
/// identity.
fn chain(session: Value, keys: &Value) -> Vec<Filter> {
    let session = merged(json!({"secret": SECRET}), session);
    let holds = session.get("read_body_for_logout").is_some();
    let strangers =
        json!({"match": {"consumers": ["nobody"]}, "status_code": 401, "message": "Who are you?"});
    vec![
        Filter::new("session", &session).holding_headers(holds),
        Filter::new("key_auth", &merged(json!({"anonymous": "nobody"}), keys.clone())),
        Filter::new("request_termination", &strangers),
    ]
}

fn known() -> Value {
    json!({"consumers": [
        {"id": "1", "username": "ana", "keyauth_credentials": [{"id": "credential-1", "key": KEY}]},
        {"id": "9", "username": "nobody"},
    ]})
}

/// An Envoy with inline keys.
struct Inline {
    envoy: Proxy,
    echo: Echo,
}

impl Inline {
    #[track_caller]
    fn start(session: Value) -> Self {
        let echo = Echo::start();
        let envoy = Proxy::start(&Setup::new(echo.address(), chain(session, &known())));
        Self { envoy, echo }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

/// Logs in, uses the cookie alone, logs out, and is a stranger again.
#[track_caller]
fn all_the_way(envoy: &Proxy, echo: &Echo) -> Browser {
    let mut browser = Browser::default();
    assert_eq!(browser.send(envoy, browse()).status(), 401);
    let entered = browser.send(envoy, login());
    assert_eq!(entered.status(), 200, "{}", envoy.log());
    let cookies = entered.all("set-cookie");
    assert_eq!(cookies.len(), 1, "{cookies:?}\n{}", envoy.log());
    assert!(cookies[0].ends_with("; Path=/; SameSite=Strict; Secure; HttpOnly"), "{cookies:?}");
    let forged = browse().header("x-consumer-username", "root").header("x-consumer-custom-id", "7");
    let answer = browser.send(envoy, forged);
    assert_eq!((answer.status(), answer.all("set-cookie").len()), (200, 0), "{}", answer.text());
    let received = echo.last();
    assert_eq!(received.header("x-consumer-username").as_deref(), Some("ana"));
    assert_eq!(received.all("x-consumer-username").len(), 1);
    assert_eq!(received.header("x-consumer-custom-id"), None);
    let stolen = browser.clone();
    let count = echo.count();
    let out = browser.send(envoy, log_out());
    assert_eq!((out.status(), out.text()), (200, String::new()));
    assert_eq!(out.header("content-length").as_deref(), Some("0"));
    assert_eq!(echo.count(), count, "the upstream is not asked");
    assert!(browser.cookies.is_empty());
    assert_eq!(browser.send(envoy, browse()).status(), 401);
    stolen
}

#[test]
fn a_cookie_session_goes_all_the_way() {
    let gateway = Inline::start(json!({}));
    all_the_way(&gateway.envoy, &gateway.echo);
}

#[test]
fn a_stored_session_goes_all_the_way_and_ends_at_the_service() {
    let gateway = Gateway::with(
        2,
        |admin| {
            admin.consumer("ana", KEY, &[]);
            admin.create("/consumers", &json!({"username": "nobody"}));
        },
        |admin| chain(json!({"admin": admin, "storage": "kong"}), &json!({"admin": admin})),
    );
    let mut stolen = all_the_way(&gateway.envoy, &gateway.echo);
    assert_eq!(stolen.cookies["session"].len(), 110, "the cookie holds the header alone");
    eventually("stolen cookie that no worker accepts", || {
        let all = (0..8).all(|_| stolen.clone().send(&gateway.envoy, browse()).status() == 401);
        all.then_some(())
    });
    // A cookie is sent only after its row is written, so that every worker accepts it at once.
    for _ in 0..20 {
        let mut browser = Browser::default();
        browser.send(&gateway.envoy, login());
        for _ in 0..4 {
            let answer = browser.send(&gateway.envoy, browse());
            assert_eq!(answer.status(), 200, "{}", gateway.envoy.log());
        }
    }
    let asked = gateway.faulty_admin.requests();
    let rows: Vec<&Message> = asked.iter().filter(|r| r.path().starts_with("/sessions/")).collect();
    assert!(
        rows.iter().any(|row| row.method() == "PUT")
            && rows.iter().any(|row| row.method() == "DELETE")
    );
    let id = stolen.cookies.remove("session").expect("a cookie")[4..47].to_owned();
    for row in rows {
        let all = format!("{} {}", row.path(), row.text());
        assert!(!all.contains(&id) && !all.contains("ana"), "{all}");
    }
    let log = gateway.envoy.log();
    assert!(!log.contains(SECRET) && !log.contains(&id), "{log}");
}

#[test]
fn a_session_from_elsewhere_is_kept_renewed_and_read_there_again() {
    let gateway = Inline::start(json!({"remember": true, "response_headers": ["id"]}));
    let seal = |more: Value| {
        let contents = r#"[[["1","credential-1",["readers"]],"default","ana"]]"#;
        let question =
            json!({"do": "seal", "secret": SECRET, "name": "session", "contents": contents});
        let sealed = python("session_cookie.py", &merged(question, more.clone()));
        Browser { cookies: serde_json::from_value(sealed["cookies"].clone()).expect("cookies") }
    };
    let mut kept = seal(json!({"created": now() - 30}));
    let answer = kept.send(&gateway.envoy, browse());
    assert_eq!(
        (answer.status(), answer.all("set-cookie").len()),
        (200, 0),
        "{}",
        gateway.envoy.log()
    );
    assert_eq!(gateway.echo.last().header("x-authenticated-groups").as_deref(), Some("readers"));
    let created = now() - 2800;
    let mut old = seal(json!({"created": created, "idling": 2700}));
    let before = old.cookies.clone();
    let answer = old.send(&gateway.envoy, browse());
    assert_eq!((answer.status(), answer.all("set-cookie").len()), (200, 1));
    assert_ne!(old.cookies, before);
    let question =
        json!({"do": "open", "secret": SECRET, "name": "session", "cookies": old.cookies});
    let renewed = python("session_cookie.py", &question);
    assert_eq!(renewed["created"], created, "{renewed}");
    assert!(renewed["rolling"].as_u64().is_some_and(|rolling| rolling >= 2800));
    assert_eq!(answer.header("session-id"), renewed["id"].as_str().map(str::to_owned));
    let mut gone = seal(json!({"created": now() - 3700}));
    assert_eq!(gone.send(&gateway.envoy, browse()).status(), 401);
    let remembered = json!({"created": now() - 100_000, "remember": true, "name": "remember"});
    let answer = seal(remembered).send(&gateway.envoy, browse());
    assert_eq!((answer.status(), answer.all("set-cookie").len()), (200, 2));
}

#[test]
fn the_upstreams_cookies_and_its_body_survive_a_response_that_waits() {
    let body = "x".repeat(300_000);
    let sent = body.clone();
    let upstream = Server::start(move |_| Answer::Reply {
        status: 200,
        headers: vec![
            ("set-cookie".into(), "theme=dark".into()),
            ("set-cookie".into(), "lang=en; Path=/".into()),
        ],
        body: sent.clone().into_bytes(),
    });
    let admin = wasm_tests::real::Admin::start();
    let target = json!({"upstream": "admin", "authority": admin.address().to_string()});
    let session =
        json!({"admin": target, "storage": "kong", "check_consumer": false, "remember": true});
    let setup =
        Setup::new(upstream.address(), chain(session, &known())).cluster("admin", admin.address());
    let envoy = Proxy::start(&setup);
    let mut browser = Browser::default();
    let entered = browser.send(&envoy, login());
    assert_eq!((entered.status(), entered.text() == body), (200, true), "{}", envoy.log());
    assert_eq!(entered.all("set-cookie")[..2], ["theme=dark", "lang=en; Path=/"]);
    assert_eq!(
        browser.cookies.keys().collect::<Vec<_>>(),
        ["lang", "remember", "session", "theme"]
    );
    assert_eq!(browser.send(&envoy, browse()).status(), 200);
    // The session is over, and the remembered login brings another one.
    browser.cookies.remove("session");
    assert_eq!(browser.send(&envoy, browse()).status(), 200);
    let out = browser.send(&envoy, log_out());
    assert_eq!((out.status(), out.all("set-cookie").len()), (200, 2));
    assert_eq!(browser.cookies.keys().collect::<Vec<_>>(), ["lang", "theme"]);
}

#[test]
fn while_the_service_is_away_nobody_is_called_a_stranger_and_no_session_begins() {
    let gateway = Gateway::start(|admin| {
        let cache = json!({"ttl": 1, "negative_ttl": 0, "stale_ttl": 1});
        let session =
            json!({"admin": admin, "storage": "admin", "check_consumer": false, "cache": cache});
        chain(session, &known())
    });
    let mut browser = Browser::default();
    assert_eq!(browser.send(&gateway.envoy, login()).all("set-cookie").len(), 1);
    assert_eq!(browser.send(&gateway.envoy, browse()).status(), 200);
    gateway.faulty_admin.set(Mode::HangUp);
    eventually("session that cannot be asked for", || {
        (browser.send(&gateway.envoy, browse()).status() == 503).then_some(())
    });
    assert_eq!(browser.send(&gateway.envoy, log_out()).status(), 503);
    assert_eq!(Browser::default().send(&gateway.envoy, browse()).status(), 401);
    let entered = Browser::default().send(&gateway.envoy, login());
    assert_eq!((entered.status(), entered.all("set-cookie").len()), (200, 0));
    gateway.faulty_admin.set(Mode::Pass);
    eventually("session that is back", || {
        (browser.send(&gateway.envoy, browse()).status() == 200).then_some(())
    });
}

#[test]
fn a_deleted_consumer_has_no_session_any_more() {
    let gateway = Gateway::with(
        2,
        |_| (),
        |admin| chain(json!({"admin": admin, "idling_timeout": 0}), &json!({"admin": admin})),
    );
    gateway.consumer("ana", KEY, &[]);
    gateway.admin.create("/consumers", &json!({"username": "nobody"}));
    let mut browser = Browser::default();
    assert_eq!(
        browser.send(&gateway.envoy, login()).all("set-cookie").len(),
        1,
        "{}",
        gateway.envoy.log()
    );
    assert_eq!(browser.send(&gateway.envoy, browse()).status(), 200);
    gateway.admin.delete("/consumers/ana");
    let all = browser.clone();
    eventually("session that has ended in every worker", || {
        (0..8).all(|_| all.clone().send(&gateway.envoy, browse()).status() == 401).then_some(())
    });
    browser.send(&gateway.envoy, browse());
    assert!(browser.cookies.is_empty());
}

#[test]
fn a_logout_that_revokes_ends_every_copy_of_a_cookie() {
    let gateway = Gateway::with(
        2,
        |_| (),
        |admin| {
            let session = json!({
                "admin": admin, "logout_revokes": true, "check_consumer": false, "read_body_for_logout": true,
                "allow_on_headers_stop_iteration": true, "logout_redirect_uri": "/bye",
            });
            chain(session, &known())
        },
    );
    let mut browser = Browser::default();
    browser.send(&gateway.envoy, login());
    let stolen = browser.clone();
    let form = |body: &str| {
        RawRequest::post("/", body).header("content-type", "application/x-www-form-urlencoded")
    };
    assert_eq!(browser.send(&gateway.envoy, form("a=b")).status(), 200);
    assert_eq!(gateway.echo.last().text(), "a=b");
    let out = browser.send(&gateway.envoy, form("session_logout=1"));
    assert_eq!((out.status(), out.header("location").as_deref()), (302, Some("/bye")));
    eventually("stolen cookie that no worker accepts", || {
        (0..8).all(|_| stolen.clone().send(&gateway.envoy, browse()).status() == 401).then_some(())
    });
}

#[test]
fn without_a_secret_envoy_refuses_the_configuration() {
    let echo = Echo::start();
    let filter = Filter::new("session", &json!({"cookie_name": "a b", "storage": "kong"}));
    let refused = Proxy::try_start(&Setup::new(echo.address(), vec![filter])).err();
    let log = refused.expect("Envoy refuses the configuration");
    for path in ["secret:", "cookie_name:", "storage:"] {
        assert!(log.contains(path), "{path} is not in:\n{log}");
    }
}

/// A client's values for headers that a filter owns do not reach the upstream, whichever filter has
/// authenticated the client.
#[test]
fn a_client_that_another_filter_has_authenticated_cannot_write_the_sessions_headers() {
    let keys =
        json!({"consumers": [{"username": "ana", "keyauth_credentials": [{"key": "right"}]}]});
    let told = json!({"secret": "of all nodes", "request_headers": ["subject", "id"]});
    let echo = Echo::start();
    let filters = vec![Filter::new("key_auth", &keys), Filter::new("session", &told)];
    let envoy = Proxy::start(&Setup::new(echo.address(), filters));
    let request = RawRequest::get("/")
        .header("apikey", "right")
        .header("session-subject", "root")
        .header("session_id", "7")
        .header("x-authenticated-groups", "admin")
        .header("x_consumer_username", "root");
    assert_eq!(envoy.send(&request).status(), 200);
    let received = echo.last();
    for name in [
        "session-subject",
        "session_id",
        "session-id",
        "x-authenticated-groups",
        "x_consumer_username",
    ] {
        assert_eq!(received.header(name), None, "{name}");
    }
    assert_eq!(received.header("x-consumer-username").as_deref(), Some("ana"));
}
