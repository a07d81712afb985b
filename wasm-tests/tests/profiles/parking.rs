//! Parked requests, and how they go on.

use crate::probe::{Buffer, Do, Map, Probe, lines, said};
use wasm_tests::{
    Callback, Filter, KongVersion, Profile, Proxy, Request, Response, Standing, Stream,
};

fn kong() -> Profile {
    Profile::kong(KongVersion::V3_9)
}

fn upstream(profile: &Profile) -> &'static str {
    if profile.is_kong() { "127.0.0.1:80" } else { "peer" }
}

fn ok() -> Response {
    Response::new(200)
}

#[test]
fn a_root_context_wakes_a_request_on_envoy_and_not_on_kong() {
    // The request waits for a callout of a tick, and makes none itself.
    let probe = |upstream| {
        Probe::on(Callback::Configure, &[Do::TickPeriod(1000)])
            .and(Callback::RequestHeaders, &[Do::Pause])
            .and(Callback::Tick, &[Do::Call(upstream, "/feed", 500)])
            .and(
                Callback::CallResponse,
                &[Do::Effective, Do::Set(Map::Request, "x-late", "1"), Do::Continue(0)],
            )
    };
    let proxy = Proxy::new(Profile::envoy(), [probe("peer").filter()]);
    let stream = proxy.send(Request::get("/"));
    assert_eq!(stream.standing(), Standing::Held);
    proxy.tick();
    proxy.call().answer(ok());
    assert_eq!(said(&proxy, "effective"), ["status 0"]);
    assert_eq!(stream.forwarded().header("x-late").as_deref(), Some("1"));

    let proxy = Proxy::new(kong(), [probe("127.0.0.1:80").filter()]);
    let stream = proxy.send(Request::get("/"));
    assert_eq!(stream.standing(), Standing::Hung);
    proxy.tick();
    proxy.call().answer(ok());
    // The host function returns Ok, but the change hits the root context, where there is no
    // request.
    assert_eq!(said(&proxy, "effective"), ["status 0"]);
    assert_eq!(stream.standing(), Standing::Hung);
    assert!(proxy.faults().iter().any(|fault| fault.trap));
}

#[test]
fn an_unknown_context_cannot_be_made_effective_on_envoy_and_kong_does_not_look() {
    let probe = Probe::on(Callback::Configure, &[Do::TickPeriod(1000)])
        .and(Callback::RequestHeaders, &[])
        .and(Callback::Tick, &[Do::Effective]);
    for (profile, status) in [(Profile::envoy(), "status 2"), (kong(), "status 0")] {
        let proxy = Proxy::new(profile, [probe.filter()]);
        proxy.send(Request::get("/")).abort();
        proxy.tick();
        assert_eq!(said(&proxy, "effective"), [status]);
    }
}

#[test]
fn resuming_does_no_harm_in_a_request_on_kong_and_kills_in_a_root_context() {
    let probe = Probe::on(Callback::RequestHeaders, &[Do::Continue(0)]);
    let proxy = Proxy::new(kong(), [probe.filter()]);
    proxy.send(Request::get("/")).forwarded();

    let probe = Probe::on(Callback::Configure, &[Do::TickPeriod(1000)])
        .and(Callback::Tick, &[Do::Continue(0)]);
    let proxy = Proxy::new(kong(), [probe.filter()]);
    proxy.tick();
    assert_eq!(proxy.faults().len(), 2);
}

/// Parks a request in the headers callback. `body` is done in the body callback.
fn parked(profile: Profile, body: &[Do]) -> (Proxy, Stream) {
    let probe = Probe::on(
        Callback::RequestHeaders,
        &[Do::Call(upstream(&profile), "/who", 500), Do::Pause],
    )
    .and(Callback::RequestBody, body)
    .and(Callback::CallResponse, &[Do::Effective, Do::Continue(0)]);
    let proxy = Proxy::new(profile, [probe.filter()]);
    let stream = proxy.send(Request::post("/", "abc"));
    (proxy, stream)
}

#[test]
fn a_body_that_arrives_while_parked_is_not_delivered_by_default() {
    for profile in [Profile::envoy(), kong()] {
        let (proxy, stream) = parked(profile, &[Do::Read(Buffer::RequestBody, 0, -1)]);
        assert_eq!(stream.standing(), Standing::Waiting);
        assert!(said(&proxy, "read").is_empty());
        proxy.call().answer(ok());
        // The body is readable now.
        assert_eq!(said(&proxy, "read")[0], "abc");
        assert_eq!(stream.forwarded().text(), "abc");
    }
}

#[test]
fn answering_continue_in_the_body_callback_lets_a_parked_request_go() {
    let profile = || Profile::envoy().allow_on_headers_stop_iteration(true);
    let (_, stream) = parked(profile(), &[]);
    // The request goes on unchecked, while the callout is pending.
    stream.forwarded();
    assert_eq!(stream.calls().len(), 1);

    let (_, stream) = parked(profile(), &[Do::Pause]);
    assert_eq!(stream.standing(), Standing::Waiting);
    stream.call().answer(ok());
    assert_eq!(stream.forwarded().text(), "abc");
    assert!(stream.forwarded().complete);
}

#[test]
fn a_filter_without_a_body_callback_lets_a_parked_request_go() {
    let probe = Probe::on(Callback::RequestHeaders, &[Do::Pause]);
    let profile = Profile::envoy().allow_on_headers_stop_iteration(true);
    let proxy = Proxy::new(profile, [probe.filter()]);
    proxy.send(Request::post("/", "abc")).forwarded();
}

#[test]
fn the_next_filter_waits_for_the_one_before() {
    for profile in [Profile::envoy(), kong()] {
        let park = [Do::Log("first"), Do::Call(upstream(&profile), "/", 500), Do::Pause];
        let first = Probe::on(Callback::RequestHeaders, &park)
            .and(Callback::CallResponse, &[Do::Log("answer"), Do::Effective, Do::Continue(0)]);
        let second = Probe::on(Callback::RequestHeaders, &[Do::Log("second")]);
        let proxy = Proxy::new(profile, [first.named("first"), second.named("second")]);
        let stream = proxy.send(Request::get("/"));
        assert_eq!(lines(&proxy).last().map(String::as_str), Some("call: status 0"));
        stream.call().answer(ok());
        let order: Vec<_> = lines(&proxy).into_iter().filter(|line| !line.contains(':')).collect();
        assert_eq!(order, ["first", "answer", "second"]);
    }
}

#[test]
fn several_requests_park_side_by_side_and_each_wakes_on_its_own_answer() {
    for profile in [Profile::envoy(), kong()] {
        // Kong wakes the requests by itself. The probe remembers one context, which is too few for
        // two.
        let probe = Probe::on(
            Callback::RequestHeaders,
            &[Do::Call(upstream(&profile), "/", 500), Do::Pause],
        );
        let proxy = Proxy::new(profile.clone(), [probe.filter()]);
        let (one, two) = (proxy.send(Request::get("/1")), proxy.send(Request::get("/2")));
        assert_eq!(proxy.calls().len(), 2);
        two.call().answer(ok());
        assert_eq!(one.standing(), Standing::Waiting);
        let woken = if profile.is_kong() { Standing::Forwarded } else { Standing::Held };
        assert_eq!(two.standing(), woken);
    }
}

#[test]
fn kong_cannot_hold_a_response() {
    let probe = Probe::on(Callback::ResponseHeaders, &[Do::Pause]);
    let proxy = Proxy::new(kong(), [probe.filter()]);
    let stream = proxy.send(Request::get("/"));
    stream.respond(ok());
    assert_eq!(stream.standing(), Standing::Hung);
}

#[test]
fn envoy_holds_a_response_for_a_callout() {
    let probe = Probe::on(Callback::RequestHeaders, &[])
        .and(Callback::ResponseHeaders, &[Do::Call("peer", "/store", 500), Do::Pause])
        .and(
            Callback::CallResponse,
            &[Do::Effective, Do::Add(Map::Response, "set-cookie", "a=1"), Do::Continue(1)],
        );
    let filter: Filter = probe.filter();
    let proxy = Proxy::new(Profile::envoy(), [filter]);
    let stream = proxy.send(Request::get("/"));
    stream.respond(Response::new(200).with_body("hello"));
    assert_eq!(stream.outcome().reply, None);
    proxy.call().answer(ok());
    assert_eq!(stream.reply().header("set-cookie").as_deref(), Some("a=1"));
    assert_eq!(stream.reply().text(), "hello");
}
