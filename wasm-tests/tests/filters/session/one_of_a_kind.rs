//! Session ids stay unique on a Kong whose random bytes are predictable.

use super::browser::session;
use crate::gateways::Gateway;
use serde_json::json;
use std::collections::BTreeSet;
use wasm_tests::{Proxy, Request, Response};

const START: u64 = 1_700_000_000_000;

/// The id of the session that this request begins.
fn id(gateway: &Gateway, proxy: &Proxy, n: u16) -> String {
    // The consumer is equal each time, so that the id alone can tell the sessions apart.
    let identity = json!({"id": "1", "username": "ana", "credential": {"id": "c"}}).to_string();
    let request =
        Request::get("/").client("203.0.113.7", 40_000 + n).property(gateway.identity(), identity);
    let stream = proxy.send(request);
    stream.respond(Response::new(200));
    let cookie = stream.reply().header("set-cookie").expect("a session");
    cookie.strip_prefix("session=").expect("ours")[4..47].to_owned()
}

#[test]
fn two_workers_that_start_in_the_same_millisecond_never_share_a_session() {
    let gateway = Gateway::kong().with(|profile| profile.start_ms(START));
    // Two workers of one node, and one worker of another node whose container has equal process
    // ids. That worker gets the random bytes of the first one.
    let first = gateway.start(&[("session", session(json!({})))]);
    let second = first.worker();
    let elsewhere = gateway.start(&[("session", session(json!({})))]);
    let mut seen = BTreeSet::new();
    let mut count = 0;
    for n in 0..200 {
        for (proxy, port) in [(&first, n), (&second, n + 1000), (&elsewhere, n + 2000)] {
            let id = id(&gateway, proxy, port);
            assert!(seen.insert(id), "request {n}");
            count += 1;
        }
    }
    assert_eq!(seen.len(), count);
}
