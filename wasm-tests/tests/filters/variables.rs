//! Kong: filters pass values to later filters in variables of nginx, which the operator declares.

use crate::every_filter::{names, working};
use crate::examples::example;
use crate::gateways::{Gateway, refusal};
use serde_json::{Value, json};
use wasm_tests::{Filter, KongVersion, Level, Profile, Proxy, Request, Standing, refused_with};

fn start(version: KongVersion, declared: &[&str], name: &str, settings: &Value) -> Proxy {
    let filter = Filter::built(name).config(settings.to_string());
    Proxy::new(Profile::kong(version).variables(declared), [filter])
}

#[test]
fn the_first_request_is_refused_while_a_variable_that_the_filter_needs_is_not_declared() {
    for name in names() {
        for version in KongVersion::ALL {
            let needed = example(&name).variables;
            for missing in needed {
                let others: Vec<&str> = needed.iter().filter(|v| *v != missing).copied().collect();
                let proxy = start(version, &others, &name, &working(&name));
                for request in [Request::get("/"), Request::new("OPTIONS", "/")] {
                    let refused = refusal(&proxy.send(request));
                    assert_eq!(
                        refused,
                        refused_with(500, &format!("{name} is misconfigured")),
                        "{version:?}"
                    );
                }
                let log = proxy.log_text(Level::Error);
                assert!(
                    log.contains(&format!("gatehouse_{name}: nginx has no variable ${missing}"))
                );
                assert!(log.contains("nginx_proxy_set = $gatehouse_consumer"), "{log}");
            }
            let proxy = start(version, needed, &name, &working(&name));
            let outcome = proxy.send(Request::get("/")).outcome();
            assert_ne!(outcome.reply.map(|reply| reply.status), Some(500), "{name} {version:?}");
            assert_eq!(proxy.log_text(Level::Error), "", "{name} {version:?}");
        }
    }
}

#[test]
fn a_list_of_consumers_needs_the_variable_that_says_who_is_calling() {
    let settings = json!({"status_code": 410, "match": {"consumers": ["ana"]}});
    let proxy = start(KongVersion::V3_9, &[], "request_termination", &settings);
    assert_eq!(
        refusal(&proxy.send(Request::get("/"))),
        refused_with(500, "request_termination is misconfigured")
    );
}

#[test]
fn an_identity_reaches_later_filters_on_every_kong() {
    for version in KongVersion::ALL {
        let gateway = Gateway::kong_of(version);
        let proxy = gateway.start(&[
            ("key_auth", working("key_auth")),
            ("app_id", working("app_id")),
            ("request_termination", json!({"match": {"consumers": ["ana"]}, "status_code": 418})),
        ]);
        let request = Request::get("/").header("apikey", "right");
        let stream = proxy.send(request.clone().header("X-APP-ID", "portal"));
        assert_eq!(stream.refused().status, 418, "{version:?}");
        assert_eq!(proxy.send(request).refused().status, 403, "{version:?}");
        assert_eq!(proxy.send(Request::get("/")).standing(), Standing::Answered, "{version:?}");
    }
}
