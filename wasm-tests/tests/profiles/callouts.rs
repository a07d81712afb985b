//! Callouts: where a filter may make them, and every way in which they end.

use crate::probe::{Buffer, Do, Map, Probe, said};
use wasm_tests::{
    Answer, Callback, Callout, KongVersion, Profile, Proxy, Request, Response, Standing, Stream,
};

const LOOK: [Do; 4] = [
    Do::Arguments,
    Do::Get(Map::Call, ":status"),
    Do::Get(Map::Call, ":dispatch_status"),
    Do::Read(Buffer::CallBody, 0, -1),
];

/// Parks each request on one callout, logs the response, and never refuses.
fn parking(upstream: &'static str) -> Probe {
    let after = [&LOOK[..], &[Do::Effective, Do::Continue(0)]].concat();
    Probe::on(Callback::RequestHeaders, &[Do::Call(upstream, "/who", 500), Do::Pause])
        .and(Callback::CallResponse, &after)
}

fn parked(profile: Profile) -> (Proxy, Stream, Callout) {
    let upstream = if profile.is_kong() { "127.0.0.1:8001" } else { "peer" };
    let proxy = Proxy::new(profile, [parking(upstream).filter()]);
    let stream = proxy.send(Request::get("/"));
    let call = stream.call();
    (proxy, stream, call)
}

fn hello() -> Response {
    Response::new(200).with("X-Peer", "1").with_body("hello")
}

fn look(proxy: &Proxy) -> [Option<String>; 5] {
    ["argument 2", "argument 3", ":status", ":dispatch_status", "read"]
        .map(|label| said(proxy, label).first().cloned())
}

fn seen(expected: [&str; 5]) -> [Option<String>; 5] {
    expected.map(|text| Some(text.to_owned()))
}

#[test]
fn a_whole_answer_arrives_and_the_request_goes_on() {
    let (proxy, stream, call) = parked(Profile::envoy());
    assert_eq!((call.method().as_str(), call.path().as_str()), ("GET", "/who"));
    assert_eq!(call.header("connection"), None);
    call.answer(hello());
    // Envoy counts `:status` as a header.
    assert_eq!(look(&proxy), seen(["2", "5", "200", "status 1", "hello"]));
    stream.forwarded();

    let (proxy, stream, call) = parked(Profile::kong(KongVersion::V3_9));
    assert_eq!(call.header("connection").as_deref(), Some("close"));
    assert_eq!(call.header("content-length").as_deref(), Some("0"));
    call.answer(hello());
    assert_eq!(look(&proxy), seen(["1", "5", "200", "ok", "hello"]));
    stream.forwarded();
}

#[test]
fn envoy_answers_for_a_peer_that_is_away() {
    for (answer, status) in [
        (Answer::Refused, "503"),
        (Answer::UnknownHost, "503"),
        (Answer::EndBeforeStatus, "503"),
        (Answer::EndInHeaders(hello()), "502"),
        (Answer::Garbage, "502"),
        (Answer::Timeout, "504"),
    ] {
        let (proxy, _, call) = parked(Profile::envoy());
        call.answer(answer.clone());
        assert_eq!(said(&proxy, "argument 2"), ["3"], "{answer:?}");
        assert_eq!(said(&proxy, ":status"), [status], "{answer:?}");
    }
}

#[test]
fn envoy_has_nothing_to_show_of_an_answer_that_broke_off() {
    let (proxy, _, call) = parked(Profile::envoy());
    call.answer(Answer::EndInBody(hello(), 100));
    assert_eq!(look(&proxy), seen(["0", "0", "status 2", "status 2", "status 1"]));
}

#[test]
fn kong_takes_the_end_of_the_connection_for_success() {
    let (proxy, stream, call) = parked(Profile::kong(KongVersion::V3_9));
    call.answer(Answer::EndBeforeStatus);
    assert_eq!(look(&proxy), seen(["0", "0", "status 1", "ok", "status 1"]));
    stream.forwarded();

    let (proxy, _, call) = parked(Profile::kong(KongVersion::V3_9));
    call.answer(Answer::EndInHeaders(hello()));
    assert_eq!(look(&proxy), seen(["1", "0", "200", "ok", "status 1"]));

    // The body was announced, and reading it is an error.
    let (proxy, _, call) = parked(Profile::kong(KongVersion::V3_9));
    call.answer(Answer::EndInBody(hello(), 100));
    assert_eq!(look(&proxy), seen(["1", "100", "200", "ok", "status 2"]));

    let (proxy, _, call) = parked(Profile::kong(KongVersion::V3_9));
    call.answer(Answer::CloseDelimited(hello()));
    assert_eq!(look(&proxy), seen(["1", "0", "200", "ok", "status 1"]));
}

#[test]
fn a_failed_callout_is_an_event_from_kong_3_9_on() {
    for (answer, why) in [
        (Answer::Refused, "broken connection"),
        (Answer::UnknownHost, "resolver failure"),
        (Answer::Timeout, "timeout"),
        (Answer::Garbage, "reader failure"),
    ] {
        let (proxy, stream, call) = parked(Profile::kong(KongVersion::V3_9));
        call.answer(answer);
        assert_eq!(look(&proxy), seen(["0", "0", "status 1", why, "status 1"]));
        // The request goes on unless the filter answers.
        stream.forwarded();
    }
}

#[test]
fn a_failed_callout_lets_the_request_through_on_kong_3_8() {
    let (proxy, stream, call) = parked(Profile::kong(KongVersion::V3_8));
    call.answer(Answer::Refused);
    stream.forwarded();
    assert_eq!(stream.outcome().times(Callback::CallResponse), 0);
    assert_eq!(look(&proxy), [None, None, None, None, None]);
}

#[test]
fn a_failed_callout_is_a_500_before_kong_3_8() {
    let old = KongVersion::ALL.into_iter().filter(|version| *version < KongVersion::V3_8);
    for version in old {
        let (_, stream, call) = parked(Profile::kong(version));
        call.answer(Answer::Refused);
        assert_eq!(stream.reply().status, 500, "{version:?}");
        assert_eq!(stream.outcome().forwarded, None);
        assert_eq!(stream.outcome().times(Callback::CallResponse), 0);
    }
}

#[test]
fn an_unknown_cluster_is_refused_at_once() {
    let profile = Profile::envoy().clusters(&["other"]);
    let doing = [Do::Call("peer", "/", 500)];
    let proxy = Proxy::new(profile, [Probe::on(Callback::RequestHeaders, &doing).filter()]);
    proxy.send(Request::get("/")).forwarded();
    assert_eq!(said(&proxy, "call"), ["status 2"]);
}

#[test]
fn a_call_that_cannot_be_made_traps_in_a_kong_request_and_fails_in_its_tick() {
    for bad in [
        Do::Call("", "/", 500),
        Do::Call("host:port", "/", 500),
        Do::Call("127.0.0.1:80", "", 500),
        Do::CallWith("127.0.0.1:80", &[(":path", "/")]),
    ] {
        let probe = Probe::on(Callback::RequestHeaders, std::slice::from_ref(&bad))
            .and(Callback::Configure, &[Do::TickPeriod(1000)])
            .and(Callback::Tick, &[bad]);
        let proxy = Proxy::new(Profile::kong(KongVersion::V3_9), [probe.filter()]);
        proxy.tick();
        assert_eq!(said(&proxy, "call"), ["status 10"]);
        let stream = proxy.send(Request::get("/"));
        assert_eq!(stream.outcome().traps.len(), 1);
        assert_eq!(stream.outcome().reply.map(|r| r.status), Some(500));
        assert_eq!(proxy.faults().len(), 1);
    }
}

#[test]
fn kong_needs_no_authority_and_envoy_does() {
    let bare: &[(&str, &str)] = &[(":method", "GET"), (":path", "/")];
    for (profile, status) in
        [(Profile::kong(KongVersion::V3_9), "status 0"), (Profile::envoy(), "status 2")]
    {
        let probe = Probe::on(Callback::RequestHeaders, &[Do::CallWith("peer", bare)]);
        let proxy = Proxy::new(profile, [probe.filter()]);
        proxy.send(Request::get("/"));
        assert_eq!(said(&proxy, "call"), [status]);
    }
}

#[test]
fn a_line_break_in_a_path_is_refused_by_envoy_and_sent_by_kong() {
    let path = "/a HTTP/1.1\r\nx: y";
    let probe = Probe::on(Callback::RequestHeaders, &[Do::Call("peer", path, 500), Do::Pause])
        .and(Callback::CallResponse, &LOOK);
    let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
    proxy.send(Request::get("/"));
    assert_eq!(proxy.calls().len(), 0);
    assert_eq!(said(&proxy, ":status"), ["503"]);
    assert_eq!(said(&proxy, "read"), ["invalid header value for: :path"]);

    let proxy = Proxy::new(Profile::kong(KongVersion::V3_9), [probe.filter()]);
    assert_eq!(proxy.send(Request::get("/")).call().path(), path);
}

#[test]
fn kong_traps_a_callout_from_any_other_callback() {
    let call = [Do::Call("127.0.0.1:80", "/", 500)];
    for callback in [
        Callback::ResponseHeaders,
        Callback::ResponseBody,
        Callback::Log,
        Callback::Configure,
        Callback::VmStart,
    ] {
        let filter = Probe::on(callback, &call).filter();
        let proxy = Proxy::new(Profile::kong(KongVersion::V3_9), [filter.clone()]);
        let stream = proxy.send(Request::get("/"));
        stream.respond(hello());
        let faults = proxy.faults();
        assert!(faults.iter().any(|f| f.trap && f.callback == callback), "{callback:?}");

        let proxy = Proxy::new(Profile::envoy(), [filter]);
        let stream = proxy.send(Request::get("/"));
        stream.respond(hello());
        assert_eq!(said(&proxy, "call")[0], "status 0", "{callback:?}");
    }
}

#[test]
fn a_callout_outlives_its_request_on_envoy_only() {
    let (proxy, stream, call) = parked(Profile::envoy());
    stream.abort();
    call.answer(hello());
    assert_eq!(said(&proxy, ":status"), ["200"]);
    // The request's context is gone.
    assert_eq!(said(&proxy, "effective"), ["status 2"]);
    assert_eq!(stream.standing(), Standing::Closed);

    let (proxy, stream, _) = parked(Profile::kong(KongVersion::V3_9));
    stream.abort();
    assert_eq!(proxy.calls().len(), 0);
}

#[test]
fn the_clock_ends_a_callout_that_nobody_answers() {
    let (proxy, stream, _) = parked(Profile::kong(KongVersion::V3_9));
    proxy.advance(std::time::Duration::from_millis(499));
    assert_eq!(stream.standing(), Standing::Waiting);
    proxy.advance(std::time::Duration::from_millis(1));
    assert_eq!(said(&proxy, ":dispatch_status"), ["timeout"]);
}

#[test]
fn kong_wakes_the_request_after_its_last_callout_whatever_the_filter_says() {
    let twice =
        [Do::Call("127.0.0.1:80", "/1", 500), Do::Call("127.0.0.1:80", "/2", 500), Do::Pause];
    let probe = Probe::on(Callback::RequestHeaders, &twice);
    let proxy = Proxy::new(Profile::kong(KongVersion::V3_9), [probe.filter()]);
    let stream = proxy.send(Request::get("/"));
    let calls = stream.calls();
    calls[0].answer(hello());
    assert_eq!(stream.standing(), Standing::Waiting);
    calls[1].answer(hello());
    stream.forwarded();

    // On Envoy a filter has to continue the request.
    let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
    let stream = proxy.send(Request::get("/"));
    stream.calls().iter().for_each(|call| call.answer(hello()));
    assert_eq!(stream.standing(), Standing::Held);
}

#[test]
fn two_callouts_at_once_are_noted_before_kong_3_7() {
    let twice = [Do::Call("127.0.0.1:80", "/1", 500), Do::Call("127.0.0.1:80", "/2", 500)];
    for (version, noted) in [(KongVersion::V3_6, 1), (KongVersion::V3_7, 0)] {
        let probe = Probe::on(Callback::RequestHeaders, &twice);
        let proxy = Proxy::new(Profile::kong(version), [probe.filter()]);
        proxy.send(Request::get("/"));
        assert_eq!(proxy.faults().len(), noted, "{version:?}");
    }
}

#[test]
fn a_failed_callout_of_a_tick_is_an_event_too() {
    let probe = Probe::on(Callback::Configure, &[Do::TickPeriod(1000)])
        .and(Callback::Tick, &[Do::Call("127.0.0.1:80", "/feed", 500)])
        .and(Callback::CallResponse, &LOOK);
    let proxy = Proxy::new(Profile::kong(KongVersion::V3_9), [probe.filter()]);
    proxy.advance(std::time::Duration::from_secs(1));
    proxy.call().answer(Answer::Refused);
    assert_eq!(said(&proxy, "argument 2"), ["0"]);
}

#[test]
fn a_root_context_that_calls_from_an_answer_ends_kongs_worker() {
    let call = Do::Call("127.0.0.1:80", "/", 500);
    let probe = Probe::on(Callback::Configure, &[Do::TickPeriod(100), Do::Return(1)])
        .and(Callback::Tick, &[Do::Once, call.clone()])
        .and(Callback::CallResponse, &[Do::Once, call]);
    for (profile, faults) in [(Profile::envoy(), 0), (Profile::kong(KongVersion::V3_9), 1)] {
        let proxy = Proxy::new(profile, [probe.filter()]);
        proxy.advance(std::time::Duration::from_millis(150));
        proxy.calls().remove(0).answer(Response::new(200));
        assert_eq!(proxy.faults().len(), faults);
    }
}
