//! The chains for Kong in the READMEs of the filters: whom they refuse and whom they let through.

use crate::fixture::{Fixture, filter, header};
use serde_json::{Value, json};
use std::path::Path;
use wasm_tests::real::{Filter, RawRequest, Setup, eventually};
use wasm_tests::tokens;
use wasm_tests::{BLANK_APP_ID, INVALID_APP_ID, refused_with};

const FAR: u64 = 99_999_999_999;

/// The filters of the chain for Kong in a README.
#[track_caller]
fn readme(folder: &str) -> Vec<Filter> {
    let file = format!("../filters/{folder}/README.md");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let read = |block: &str| serde_norway::from_str::<Value>(block).expect("YAML");
    // The block is a chain, or one filter of a chain.
    let chain = blocks.map(read).find_map(|block| match &block {
        Value::Object(members) => members.get("filters").cloned(),
        Value::Array(items) => {
            items.iter().any(|item| item.get("config").is_some()).then_some(block)
        }
        _ => None,
    });
    let chain = chain.unwrap_or_else(|| panic!("no chain for Kong in {}", file.display()));
    let filters = chain.as_array().expect("a list of filters");
    filters.iter().map(of_readme).collect()
}

fn of_readme(entry: &Value) -> Filter {
    let name = entry["name"].as_str().expect("a name");
    let mut config = entry["config"].clone();
    if let Some(admin) = config.get_mut("admin").and_then(Value::as_object_mut) {
        // There is no TLS between the servers of one machine.
        admin.remove("scheme");
        admin.insert("poll_interval".to_owned(), json!(1));
        admin.insert("timeout".to_owned(), json!(5000));
    }
    filter(name.strip_prefix("gatehouse_").expect("one of ours"), &config)
}

#[track_caller]
fn example(folder: &str) -> Fixture {
    Fixture::start(|_| readme(folder))
}

/// A filter that authenticates `ana` by a key, before the example of another filter.
fn ana() -> Filter {
    filter(
        "key_auth",
        &json!({"consumers": [{"id": "1", "username": "ana", "groups": ["gold"],
        "keyauth_credentials": [{"key": "key-of-ana"}]}]}),
    )
}

fn as_ana(path: &str) -> RawRequest {
    RawRequest::get(path).header("apikey", "key-of-ana")
}

#[test]
#[ignore = "needs a real Kong"]
fn key_auth_knows_the_consumers_of_the_admin_service() {
    let fixture = example("key-auth");
    fixture.admin.consumer("fiona", "open_sesame", &[]);
    let missing = refused_with(401, "No API key found in request");
    assert_eq!(fixture.refused(&RawRequest::get("/")), missing);
    assert_eq!(
        fixture.refused(&RawRequest::get("/").header("apikey", "wrong")),
        refused_with(401, "Unauthorized")
    );
    let received = fixture.passed(&RawRequest::get("/a?b=c").header("apikey", "open_sesame"));
    assert_eq!(header(&received, "x-consumer-username").as_deref(), Some("fiona"));
    assert_eq!(header(&received, "apikey"), None);
    let received = fixture.passed(&RawRequest::get("/a?b=c&apikey=open_sesame"));
    assert_eq!(received["path"], "/a?b=c");
}

#[test]
#[ignore = "needs a real Kong"]
fn app_id_lets_through_only_with_one_of_the_consumers_own() {
    let fixture = Fixture::start(|admin| {
        let mut chain = vec![filter("key_auth", &json!({"admin": admin}))];
        chain.extend(readme("app-id"));
        chain
    });
    fixture.admin.consumer("ana", "key-of-ana", &["portal"]);
    fixture.admin.consumer("bob", "key-of-bob", &["bobs"]);
    let with = |app_id: &str| as_ana("/").header("X-APP-ID", app_id);
    eventually("a table of App IDs", || {
        (fixture.send(&with("portal")).status() == 200).then_some(())
    });
    fixture.passed(&with("portal"));
    assert_eq!(fixture.refused(&as_ana("/")), refused_with(403, BLANK_APP_ID));
    assert_eq!(fixture.refused(&with("bobs")), refused_with(403, INVALID_APP_ID));
    assert_eq!(fixture.refused(&RawRequest::get("/").header("X-APP-ID", "portal")).0, 401);
}

#[test]
#[ignore = "needs a real Kong"]
fn jwt_auth_knows_the_credentials_of_the_admin_service() {
    let fixture = example("jwt-auth");
    fixture.admin.create("/consumers", &json!({"username": "ado"}));
    fixture.admin.create("/consumers/ado/jwt", &json!({"key": "adokey", "secret": "supersecret"}));
    let bearing = |token: &str| RawRequest::get("/").bearer(token);
    let received = fixture.passed(&bearing(&tokens::ado(json!({"exp": FAR}))));
    assert_eq!(header(&received, "x-consumer-username").as_deref(), Some("ado"));
    assert_eq!(fixture.refused(&RawRequest::get("/")), refused_with(401, "Unauthorized"));
    assert_eq!(fixture.refused(&bearing(&tokens::ado(json!({"exp": 1})))).0, 401);
    let forged = tokens::forged(&tokens::ado(json!({"exp": FAR})));
    assert_eq!(fixture.refused(&bearing(&forged)), refused_with(401, "Invalid signature"));
}

#[test]
#[ignore = "needs a real Kong"]
fn session_remembers_who_has_logged_in() {
    let fixture = example("session");
    fixture.admin.consumer("ana", "key-of-ana", &[]);
    let farewell = refused_with(403, "So long and thanks for all the fish!");
    assert_eq!(fixture.refused(&RawRequest::get("/")), farewell);
    let entered = fixture.send(&as_ana("/"));
    assert_eq!(entered.status(), 200, "{}\n{}", entered.text(), fixture.kong.log());
    let cookie = entered.header("set-cookie").expect("a cookie");
    let pair = cookie.split(';').next().unwrap_or_default().to_owned();
    let with = |cookie: &str| RawRequest::get("/").header("cookie", cookie);
    let received = fixture.passed(&with(&pair));
    assert_eq!(header(&received, "x-consumer-username").as_deref(), Some("ana"));
    assert_eq!(fixture.refused(&with(&pair.replace("session=", "session=x"))), farewell);
    let out = RawRequest::new("DELETE", "/?session_logout").header("cookie", &pair);
    assert_eq!(fixture.send(&out).status(), 200);
    eventually("the end of the session", || {
        (fixture.send(&with(&pair)).status() == 403).then_some(())
    });
}

#[test]
#[ignore = "needs a real Kong"]
fn cors_answers_preflights_and_tells_every_response() {
    let fixture = Fixture::start(|_| readme("cors").into_iter().chain([ana()]).collect());
    let preflight = RawRequest::new("OPTIONS", "/")
        .header("origin", "https://shop.example.com")
        .header("access-control-request-method", "PUT");
    let answer = fixture.send(&preflight);
    assert_eq!((answer.status(), fixture.upstream.count()), (200, 0), "{}", answer.text());
    let allowed = |answer: &wasm_tests::real::Message| answer.header("access-control-allow-origin");
    assert_eq!(allowed(&answer).as_deref(), Some("https://shop.example.com"));
    assert_eq!(answer.header("access-control-max-age").as_deref(), Some("600"));
    for (request, status) in [(as_ana("/"), 200), (RawRequest::get("/"), 401)] {
        let answer = fixture.send(&request.clone().header("origin", "https://a.example.org"));
        assert_eq!(answer.status(), status);
        assert_eq!(allowed(&answer).as_deref(), Some("https://a.example.org"));
        let stranger = fixture.send(&request.header("origin", "https://example.net"));
        assert_eq!(allowed(&stranger), None);
    }
}

#[test]
#[ignore = "needs a real Kong"]
fn bot_detection_refuses_crawlers_and_lets_its_own_in() {
    let fixture = example("bot-detection");
    let from = |agent: &str| RawRequest::get("/").header("user-agent", agent);
    assert_eq!(fixture.refused(&from("GPTBot/1.2")), refused_with(403, "Forbidden"));
    fixture.passed(&from("curl/8.0"));
    fixture.passed(&from("OurOwnCrawler/1 (like GPTBot/1.2)"));
}

#[test]
#[ignore = "needs a real Kong"]
fn ip_restriction_keeps_out_by_the_clients_address() {
    let believing = |setup: Setup| {
        setup
            .kong_conf("trusted_ips", "127.0.0.1")
            .kong_conf("real_ip_header", "X-Forwarded-For")
            .kong_conf("real_ip_recursive", "on")
    };
    let fixture = Fixture::with(believing, |_| readme("ip-restriction"));
    let from = |address: &str| RawRequest::get("/admin").header("x-forwarded-for", address);
    fixture.passed(&from("203.0.113.9"));
    fixture.passed(&RawRequest::get("/open").header("x-forwarded-for", "192.0.2.1"));
    assert_eq!(fixture.refused(&from("192.0.2.1")).0, 403);
    assert_eq!(fixture.refused(&RawRequest::get("/admin")).0, 403);
}

#[test]
#[ignore = "needs a real Kong"]
fn rate_limiting_gives_a_group_its_own_limit_and_counts_for_two_workers() {
    let other = || {
        filter(
            "key_auth",
            &json!({"consumers": [
                {"id": "1", "username": "ana", "groups": ["gold"], "keyauth_credentials": [{"key": "key-of-ana"}]},
                {"id": "2", "username": "bob", "keyauth_credentials": [{"key": "key-of-bob"}]},
            ]}),
        )
    };
    let two = |setup: Setup| setup.concurrency(2);
    let fixture =
        Fixture::with(two, |_| [other()].into_iter().chain(readme("rate-limiting")).collect());
    let bob = RawRequest::get("/").header("apikey", "key-of-bob");
    let answer = fixture.send(&bob);
    assert_eq!(answer.header("x-ratelimit-limit-minute").as_deref(), Some("100"));
    let gold = fixture.send(&as_ana("/"));
    assert_eq!(gold.header("x-ratelimit-limit-minute").as_deref(), Some("1000"));
    // More than twice the limit does not pass in two minutes, whenever the minutes begin.
    let refused = eventually("a refusal", || {
        let answer = fixture.send(&bob);
        (answer.status() == 429).then_some(answer)
    });
    assert_eq!(refused.json()["message"], "API rate limit exceeded");
    assert!(fixture.upstream.count() <= 202, "{}", fixture.upstream.count());
}

#[test]
#[ignore = "needs a real Kong"]
fn request_termination_turns_the_anonymous_consumer_away() {
    let fixture = example("request-termination");
    let farewell = refused_with(403, "So long and thanks for all the fish!");
    assert_eq!(fixture.refused(&RawRequest::get("/")), farewell);
    assert_eq!(
        fixture.refused(&RawRequest::get("/").header("x-consumer-username", "fiona")),
        farewell
    );
    let received = fixture.passed(&RawRequest::get("/").header("apikey", "open_sesame"));
    assert_eq!(header(&received, "x-consumer-username").as_deref(), Some("fiona"));
}

#[test]
#[ignore = "needs a real Kong"]
fn request_transformer_changes_what_the_upstream_gets() {
    let fixture =
        Fixture::start(|_| [ana()].into_iter().chain(readme("request-transformer")).collect());
    let request = RawRequest::post("/v1/users/7?trace=1&a=b", r#"{"n":1}"#)
        .header("apikey", "key-of-ana")
        .header("content-type", "application/json")
        .header("x-debug", "1");
    let received = fixture.passed(&request);
    assert_eq!(received["path"], "/users/7?a=b");
    assert_eq!(header(&received, "x-debug"), None);
    assert_eq!(header(&received, "x-caller").as_deref(), Some("ana"));
    let body: Value =
        serde_json::from_str(received["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(body, json!({"n": 1, "source": "gateway"}));
}

#[test]
#[ignore = "needs a real Kong"]
fn upstream_jwt_tells_the_upstream_who_calls() {
    let fixture = Fixture::start(|_| [ana()].into_iter().chain(readme("upstream-jwt")).collect());
    let request = RawRequest::post("/orders", "hello").header("apikey", "key-of-ana");
    let received = fixture.passed(&request.header("authorization", "Bearer forged"));
    let token = header(&received, "authorization").expect("a token");
    let token = token.strip_prefix("Bearer ").expect("a bearer token");
    let claims = token.split('.').nth(1).and_then(jose::base64url::decode).expect("claims");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!(claims["iss"], "gatehouse");
    assert_eq!(claims["kong"]["consumer"], json!({"id": "1", "username": "ana"}));
    assert_eq!(claims["kong"]["route"]["name"], "everything");
    assert_eq!(claims["kong"]["request"]["bodyhash"], jose::hash::sha256_hex(b"hello"));
}

#[test]
#[ignore = "needs a real Kong"]
fn moesif_is_told_of_every_request() {
    let fixture = Fixture::start(|_| {
        let config = json!({
            "application_id_env": "GATEHOUSE_MOESIF_APPLICATION_ID",
            "request_header_masks": ["apikey", "authorization", "cookie"],
            "collector": {"upstream": "collector", "scheme": "http"}, "batch_max_wait": 200,
        });
        vec![filter("moesif", &config), ana()]
    });
    fixture.passed(&as_ana("/"));
    assert_eq!(fixture.refused(&RawRequest::get("/")).0, 401);
    eventually("a batch", || (fixture.collector.posts() > 0).then_some(()));
}
