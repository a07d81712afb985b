//! The filters' behaviour if kong.conf declares less than they need, and protection of the
//! variables against clients.

use crate::fixture::{Fixture, filter, header};
use serde_json::json;
use wasm_tests::real::{Filter, RawRequest, Setup};

fn keys() -> Filter {
    let ana = json!({"id": "1", "username": "ana", "keyauth_credentials": [{"key": "key-of-ana"}]});
    filter("key_auth", &json!({"consumers": [ana]}))
}

#[test]
#[ignore = "needs a real Kong"]
fn a_filter_whose_variable_is_not_declared_refuses_from_the_first_request_and_names_the_line() {
    for chain in [
        vec![keys()],
        vec![filter(
            "jwt_auth",
            &json!({"consumers": [{"id": "1", "username": "ana",
            "jwt_secrets": [{"key": "k", "secret": "s"}]}]}),
        )],
        vec![filter("session", &json!({"secret": "of all nodes"})), keys()],
    ] {
        let fixture =
            Fixture::with(|setup: Setup| setup.kong_conf("nginx_proxy_set", ""), |_| chain);
        for request in [RawRequest::get("/"), RawRequest::get("/").header("apikey", "key-of-ana")] {
            let (status, message) = fixture.refused(&request);
            assert_eq!(status, 500, "{message}\n{}", fixture.kong.log());
            assert!(!message.is_empty());
        }
        let log = fixture.kong.log();
        assert!(log.contains("nginx_proxy_set = $gatehouse_consumer"), "{log}");
    }
}

#[test]
#[ignore = "needs a real Kong"]
fn a_zone_that_is_not_declared_lets_nothing_through_and_ends_no_worker() {
    let keys = |admin: &serde_json::Value| {
        vec![filter("key_auth", &json!({"admin": admin, "shm_zone": "nowhere"}))]
    };
    let mut fixture = Fixture::start(keys);
    // The trap is expected: a filter cannot find out whether a zone exists.
    fixture.kong.forgive("wasm trap");
    fixture.admin.consumer("ana", "key-of-ana", &[]);
    for request in [RawRequest::get("/"), RawRequest::get("/").header("apikey", "key-of-ana")] {
        let before = fixture.upstream.count();
        let answer = fixture.send(&request);
        assert!([401, 500].contains(&answer.status()), "{}", answer.text());
        assert_eq!(fixture.upstream.count(), before);
    }
}

#[test]
#[ignore = "needs a real Kong"]
fn a_client_cannot_say_who_it_is_in_a_header_or_a_query_of_the_variables_name() {
    let fixture = Fixture::start(|_| {
        let transformer =
            json!({"add": {"headers": ["X-Caller:$(consumer.username or 'nobody')"]}});
        vec![filter("request_transformer", &transformer)]
    });
    let root = r#"{"id":"0","username":"root"}"#;
    let mut forged = RawRequest::get("/?gatehouse_consumer=%7B%22username%22%3A%22root%22%7D");
    for name in ["gatehouse_consumer", "gatehouse-consumer", "X-Gatehouse-Consumer"] {
        forged = forged.header(name, root);
    }
    let received = fixture.passed(&forged);
    assert_eq!(header(&received, "x-caller").as_deref(), Some("nobody"));
}
