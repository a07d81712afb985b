//! Host calls that a request makes, and entries into the VM, counted on the pretend Envoy.

use crate::case::{Case, Kind};
use crate::fixture::Fixture;
use serde_json::{Map, Value, json};
use wasm_tests::real::RawRequest;
use wasm_tests::{Answer, Callout, Profile, Proxy, Request, Response};

/// The number of requests before the one that counts. Caches are filled by then.
const WARM_UP: usize = 3;

/// Returns the numbers of host calls and of entries into the VM for one request, and the host calls
/// by name. Returns `None` for a case with a filter of Envoy, for one without filters,
/// for the costliest and the further cases, whose bodies and own responses are not pretended.
pub(crate) fn count(fixture: &Fixture, case: &mut Case) -> Option<Value> {
    let filters: Option<Vec<_>> = case.links.iter().map(|link| link.pretend()).collect();
    let wanted = !matches!(case.kind, Kind::Worst | Kind::Detail);
    let filters = filters.filter(|all| !all.is_empty() && wanted)?;
    let profile = Profile::envoy().vm_configuration(r#"{"host":"envoy"}"#);
    let profile = profile.clusters(&["admin", "sink"]);
    let proxy = Proxy::new(profile, filters);
    let clusters = fixture.clusters();
    proxy.on_call(move |call| {
        let (_, address) = clusters.iter().find(|(name, _)| *name == call.upstream)?;
        Some(forward(call, *address))
    });
    let mut outcome = None;
    for _ in 0..=WARM_UP {
        let stream = proxy.send(pretend(&case.request()));
        if case.status == 200 {
            stream.respond(Response::json(200, "{}"));
        }
        assert_eq!(stream.reply().status, case.status, "{}", case.name);
        outcome = Some(stream.outcome());
        proxy.tick();
    }
    let outcome = outcome?;
    let mut names = Map::new();
    for (name, calls) in outcome.host_calls.by_name() {
        names.insert(name.to_owned(), json!(calls));
    }
    Some(json!({
        "host_calls": outcome.host_calls.total(), "entries": outcome.callbacks.len(), "by_name": names,
    }))
}

/// The answer of the real service.
fn forward(call: &Callout, address: std::net::SocketAddr) -> Answer {
    let mut request = RawRequest::new(&call.method(), call.path());
    for (name, value) in call.headers.iter().filter(|(name, _)| !name.starts_with(':')) {
        request = request.header(name, value);
    }
    let authority = call.header(":authority").unwrap_or_default();
    let answer = request.header("host", authority).body(&call.body).send(address);
    let mut response = Response::new(answer.status()).with_body(&answer.body);
    for (name, value) in &answer.headers {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        response = response.with(&text(name), text(value));
    }
    response.into()
}

/// The request, as the pretend gateway takes it.
fn pretend(request: &RawRequest) -> Request {
    let head = String::from_utf8(request.head()).expect("text");
    let mut lines = head.lines();
    let mut first = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (first.next().unwrap_or("GET"), first.next().unwrap_or("/"));
    let headers = lines.filter_map(|line| line.split_once(": "));
    headers.fold(Request::new(method, path), |request, (name, value)| match name {
        "host" => request.host(value),
        _ => request.header(name, value),
    })
}
