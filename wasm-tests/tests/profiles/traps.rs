//! The effects of a trap on its request, on other requests and on the filter's memory.

use crate::probe::{Do, Probe, lines};
use std::time::Duration;
use wasm_tests::{Callback, KongVersion, Profile, Proxy, Request, Response, Standing};

fn kong() -> Profile {
    Profile::kong(KongVersion::V3_9)
}

fn trapping(callback: Callback) -> Probe {
    Probe::on(callback, &[Do::Trap])
}

fn status(stream: &wasm_tests::Stream) -> Option<u16> {
    stream.outcome().reply.map(|reply| reply.status)
}

#[test]
fn a_trap_in_a_request_is_a_503_on_envoy_for_good_and_a_500_on_kong_for_once() {
    for callback in [Callback::RequestHeaders, Callback::RequestBody] {
        for (profile, refused) in [(Profile::envoy(), 503), (kong(), 500)] {
            let kong = profile.is_kong();
            let proxy = Proxy::new(profile, [trapping(callback).filter()]);
            let stream = proxy.send(Request::post("/", "abc"));
            assert_eq!(status(&stream), Some(refused), "{callback:?}");
            assert_eq!(stream.outcome().traps.len(), 1);
            // The next request has no body. On Kong a fresh instance serves it.
            let next = proxy.send(Request::get("/"));
            let through = kong && callback == Callback::RequestBody;
            assert_eq!(status(&next), (!through).then_some(refused), "{callback:?}");
            proxy.faults();
        }
    }
}

#[test]
fn a_trap_in_a_response_is_a_503_on_envoy_and_goes_unnoticed_on_kong() {
    for (profile, expected) in [(Profile::envoy(), 503), (kong(), 200)] {
        let probe = trapping(Callback::ResponseHeaders).and(Callback::RequestHeaders, &[]);
        let proxy = Proxy::new(profile, [probe.filter()]);
        let stream = proxy.send(Request::get("/"));
        stream.respond(Response::new(200));
        assert_eq!(status(&stream), Some(expected));
        assert_eq!(stream.outcome().traps.len(), 1);
        proxy.faults();
    }
}

fn parked_then_trapping(upstream: &'static str) -> Probe {
    Probe::on(Callback::RequestHeaders, &[Do::Call(upstream, "/", 500), Do::Pause])
        .and(Callback::CallResponse, &[Do::Trap])
        .and(Callback::ResponseHeaders, &[Do::Log("response")])
        .and(Callback::Log, &[Do::Log("log")])
        .and(Callback::Delete, &[])
}

#[test]
fn a_trap_in_a_callout_response_lets_the_request_through_unseen_from_kong_3_8_on() {
    for version in [KongVersion::V3_8, KongVersion::V3_9] {
        let bystander = Probe::on(Callback::ResponseHeaders, &[Do::Log("bystander's response")])
            .and(Callback::Log, &[Do::Log("bystander's log")]);
        let chain =
            [bystander.named("bystander"), parked_then_trapping("127.0.0.1:80").named("trapping")];
        let proxy = Proxy::new(Profile::kong(version), chain);
        let stream = proxy.send(Request::get("/"));
        stream.call().answer(Response::new(200));
        assert_eq!(stream.standing(), Standing::Forwarded);
        stream.respond(Response::new(200));
        assert_eq!(status(&stream), Some(200));
        // Neither response callbacks nor log run, in any filter.
        assert_eq!(lines(&proxy), ["call: status 0"]);
        assert_eq!(proxy.faults().len(), 1);
    }
}

#[test]
fn a_trap_in_a_callout_response_is_a_500_before_kong_3_8() {
    let proxy = Proxy::new(
        Profile::kong(KongVersion::V3_7),
        [parked_then_trapping("127.0.0.1:80").filter()],
    );
    let stream = proxy.send(Request::get("/"));
    stream.call().answer(Response::new(200));
    assert_eq!((status(&stream), stream.outcome().forwarded), (Some(500), None));
    proxy.faults();
}

#[test]
fn a_trap_in_a_callout_response_leaves_the_request_hanging_on_envoy() {
    let proxy = Proxy::new(Profile::envoy(), [parked_then_trapping("peer").filter()]);
    let stream = proxy.send(Request::get("/"));
    stream.call().answer(Response::new(200));
    assert_eq!(stream.standing(), Standing::Held);
    assert_eq!(status(&proxy.send(Request::get("/"))), Some(503));
    proxy.faults();
}

#[test]
fn a_trap_makes_strangers_of_the_other_requests_on_kong() {
    // The request with a body traps, while the other one waits for its callout.
    let probe = Probe::on(Callback::Start, &[Do::Log("start")])
        .and(Callback::VmStart, &[Do::Log("vm start")])
        .and(Callback::Configure, &[Do::Log("configure")])
        .and(Callback::ContextCreate, &[Do::Log("context")])
        .and(Callback::RequestHeaders, &[Do::Once, Do::Call("127.0.0.1:80", "/", 500), Do::Pause])
        .and(Callback::RequestBody, &[Do::Trap])
        .and(Callback::CallResponse, &[Do::Log("an answer to nothing that this instance asked")]);
    let proxy = Proxy::new(kong(), [probe.filter()]);
    let waiting = proxy.send(Request::get("/"));
    proxy.send(Request::post("/", "abc"));
    assert_eq!(proxy.faults().len(), 1);
    let before = lines(&proxy).len();
    waiting.call().answer(Response::new(200));
    // The fresh instance runs configuration, root and stream context, but no VM start.
    assert_eq!(
        lines(&proxy)[before..],
        [
            "start",
            "context",
            "configure",
            "context",
            "an answer to nothing that this instance asked"
        ]
    );
    assert_eq!(waiting.standing(), Standing::Forwarded);
}

#[test]
fn a_trap_on_a_tick_is_never_overlooked() {
    let probe =
        Probe::on(Callback::Configure, &[Do::TickPeriod(1000)]).and(Callback::Tick, &[Do::Trap]);
    let outcome = std::panic::catch_unwind(|| {
        let proxy = Proxy::new(kong(), [probe.filter()]);
        proxy.advance(Duration::from_secs(1));
    });
    assert!(outcome.is_err());
}

#[test]
fn an_answer_to_a_trapped_request_fails_the_test() {
    for profile in [Profile::envoy(), kong()] {
        let proxy = Proxy::new(profile, [trapping(Callback::RequestHeaders).filter()]);
        let stream = proxy.send(Request::get("/"));
        let look = std::panic::AssertUnwindSafe(|| stream.reply());
        assert!(std::panic::catch_unwind(look).is_err());
        proxy.faults();
    }
}

#[test]
fn a_callback_that_is_not_exported_ends_the_worker_on_kong_and_is_skipped_on_envoy() {
    for callback in [
        Callback::RequestHeaders,
        Callback::RequestBody,
        Callback::ResponseHeaders,
        Callback::ResponseBody,
        Callback::Log,
    ] {
        let probe = Probe::default().without(callback);
        let answered = |profile| {
            let proxy = Proxy::new(profile, [probe.filter()]);
            let stream = proxy.send(Request::post("/", "abc"));
            if stream.outcome().forwarded.is_some() {
                stream.respond(Response::new(200).with_body("x"));
            }
            let next = proxy.send(Request::get("/")).outcome();
            (next.standing, proxy.faults().len())
        };
        assert_eq!(answered(Profile::envoy()), (Standing::Forwarded, 0), "{callback:?}");
        assert_eq!(answered(kong()), (Standing::Closed, 1), "{callback:?}");
    }
}
