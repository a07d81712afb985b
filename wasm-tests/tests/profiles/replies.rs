//! Replies that a filter makes, and the filters that see them.

use crate::probe::{Do, Map, Probe, lines, said};
use wasm_tests::{Callback, KongVersion, Profile, Proxy, Request, Response, Standing};

fn kong() -> Profile {
    Profile::kong(KongVersion::V3_9)
}

fn upstream(profile: &Profile) -> &'static str {
    if profile.is_kong() { "127.0.0.1:80" } else { "peer" }
}

const REFUSE: Do = Do::Reply(403, "denied", &[("x-a", "1"), ("x-a", "2")]);

/// Logs every callback under its own name.
fn watching(name: &'static str) -> Probe {
    let say = |what| [Do::Log(Box::leak(format!("{name} {what}").into_boxed_str()))];
    Probe::on(Callback::RequestHeaders, &say("request"))
        .and(Callback::ResponseHeaders, &say("response"))
        .and(Callback::Log, &say("log"))
        .and(Callback::Delete, &say("delete"))
}

#[test]
fn kong_ends_the_body_with_a_line_and_keeps_the_last_of_a_name() {
    let probe = Probe::on(Callback::RequestHeaders, &[REFUSE, Do::Pause]);
    let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
    let stream = proxy.send(Request::get("/"));
    assert_eq!(stream.refused().text(), "denied");
    assert_eq!(stream.refused().headers_named("x-a"), ["1", "2"]);
    assert_eq!(stream.refused().header("content-type").as_deref(), Some("text/plain"));
    assert_eq!(stream.outcome().details, "probe");

    let proxy = Proxy::new(kong(), [probe.filter()]);
    let stream = proxy.send(Request::get("/"));
    assert_eq!(stream.refused().text(), "denied\n");
    assert_eq!(stream.refused().headers_named("x-a"), ["2"]);
    assert_eq!(stream.refused().header("content-length").as_deref(), Some("7"));
    assert_eq!(stream.outcome().forwarded, None);
}

#[test]
fn the_response_callbacks_run_for_an_answer_of_our_own() {
    for profile in [Profile::envoy(), kong()] {
        let probe = Probe::on(Callback::RequestHeaders, &[REFUSE, Do::Pause]).and(
            Callback::ResponseHeaders,
            &[
                Do::Add(Map::Response, "Set-Cookie", "a=1"),
                Do::Add(Map::Response, "Set-Cookie", "b=2"),
            ],
        );
        let proxy = Proxy::new(profile, [probe.filter()]);
        let stream = proxy.send(Request::get("/"));
        assert_eq!(stream.refused().headers_named("set-cookie"), ["a=1", "b=2"]);
    }
}

#[test]
fn a_refusal_skips_later_filters_but_on_kong_not_their_response_callbacks() {
    let refuse = Probe::on(Callback::RequestHeaders, &[REFUSE, Do::Pause]);
    let chain = || [watching("a").named("a"), refuse.named("r"), watching("b").named("b")];
    let said = |profile| {
        let proxy = Proxy::new(profile, chain());
        proxy.send(Request::get("/")).refused();
        lines(&proxy).into_iter().filter(|line| !line.contains(':')).collect::<Vec<_>>()
    };
    assert_eq!(
        said(Profile::envoy()),
        ["a request", "a response", "a log", "b log", "a delete", "b delete"]
    );
    assert_eq!(
        said(kong()),
        ["a request", "a response", "b response", "a log", "b log", "a delete", "b delete"]
    );
}

/// Refuses when its callout ends.
fn late(upstream: &'static str) -> Probe {
    Probe::on(Callback::RequestHeaders, &[Do::Call(upstream, "/", 500), Do::Pause])
        .and(Callback::CallResponse, &[Do::Effective, REFUSE])
}

#[test]
fn after_a_refusal_from_a_callout_the_next_filter_still_runs_on_kong() {
    for profile in [Profile::envoy(), kong()] {
        let ran = profile.is_kong();
        let chain = [late(upstream(&profile)).named("late"), watching("b").named("b")];
        let proxy = Proxy::new(profile, chain);
        let stream = proxy.send(Request::get("/"));
        stream.call().answer(Response::new(200));
        assert_eq!(stream.refused().status, 403);
        assert_eq!(lines(&proxy).contains(&"b request".to_owned()), ran);
    }
}

#[test]
fn a_second_refusal_traps_on_kong_and_the_client_gets_the_first() {
    let second =
        Probe::on(Callback::RequestHeaders, &[Do::Reply(429, "slow down", &[]), Do::Pause]);
    let proxy = Proxy::new(kong(), [late("127.0.0.1:80").named("late"), second.named("second")]);
    let stream = proxy.send(Request::get("/"));
    stream.call().answer(Response::new(200));
    let outcome = stream.outcome();
    assert_eq!(outcome.reply.map(|reply| reply.status), Some(403));
    assert!(outcome.traps[0].text.contains("already stashed"), "{:?}", outcome.traps);
    assert_eq!(proxy.faults().len(), 1);
}

#[test]
fn a_property_set_before_the_refusal_tells_the_next_filter() {
    let late =
        Probe::on(Callback::RequestHeaders, &[Do::Call("127.0.0.1:80", "/", 500), Do::Pause])
            .and(Callback::CallResponse, &[Do::SetProperty("ngx/refused", "refused"), REFUSE]);
    let next = Probe::on(Callback::RequestHeaders, &[Do::Property("ngx/refused")]);
    let profile = kong().variables(&["refused"]);
    let proxy = Proxy::new(profile, [late.named("late"), next.named("next")]);
    let stream = proxy.send(Request::get("/"));
    stream.call().answer(Response::new(200));
    assert_eq!(said(&proxy, "ngx/refused"), ["refused"]);
    assert_eq!(stream.refused().status, 403);
}

#[test]
fn an_answer_that_comes_too_late_traps_on_kong() {
    for callback in [Callback::ResponseBody, Callback::Log] {
        let proxy = Proxy::new(kong(), [Probe::on(callback, &[REFUSE]).filter()]);
        let stream = proxy.send(Request::get("/"));
        stream.respond(Response::new(200).with_body("x"));
        assert_eq!(proxy.faults().len(), 1, "{callback:?}");
        assert_eq!(stream.reply_status(), Some(200));
    }
}

#[test]
fn answering_over_an_upstreams_response_works_on_envoy_and_hangs_the_client_on_kong() {
    let probe = Probe::on(Callback::RequestHeaders, &[]).and(Callback::ResponseHeaders, &[REFUSE]);
    let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
    let stream = proxy.send(Request::get("/"));
    stream.respond(Response::new(200).with_body("x"));
    assert_eq!((stream.reply().status, stream.reply().text()), (403, "denied".to_owned()));

    let proxy = Proxy::new(kong(), [probe.filter()]);
    let stream = proxy.send(Request::get("/"));
    stream.respond(Response::new(200).with_body("much longer than the refusal"));
    assert_eq!(stream.reply_status(), Some(403));
    assert_eq!(proxy.faults().len(), 1);
}

#[test]
fn an_upstream_that_cannot_be_reached_shows_in_callbacks_on_envoy_only() {
    let proxy = Proxy::new(Profile::envoy(), [watching("a").filter()]);
    let stream = proxy.send(Request::get("/"));
    stream.upstream_fails();
    assert_eq!(stream.reply().status, 503);
    assert_eq!(lines(&proxy), ["a request", "a response", "a log", "a delete"]);

    let proxy = Proxy::new(kong(), [watching("a").filter()]);
    let stream = proxy.send(Request::get("/"));
    stream.upstream_fails();
    assert_eq!(stream.reply().status, 502);
    assert_eq!(lines(&proxy), ["a request", "a delete"]);
}

#[test]
fn a_client_that_goes_away_is_logged_without_a_response() {
    for profile in [Profile::envoy(), kong()] {
        let proxy = Proxy::new(profile, [watching("a").filter()]);
        let stream = proxy.send(Request::get("/"));
        stream.abort();
        assert_eq!(stream.standing(), Standing::Closed);
        assert_eq!(lines(&proxy), ["a request", "a log", "a delete"]);
    }
}

#[test]
fn lua_buffering_takes_the_request_callbacks_away_from_kong_3_8_on() {
    let refuse = Probe::on(Callback::RequestHeaders, &[REFUSE, Do::Pause])
        .and(Callback::ResponseHeaders, &[Do::Log("response")]);
    for (version, through) in [(KongVersion::V3_7, false), (KongVersion::V3_8, true)] {
        let proxy = Proxy::new(Profile::kong(version).lua_buffering(), [refuse.filter()]);
        let stream = proxy.send(Request::get("/"));
        assert_eq!(stream.standing() == Standing::Forwarded, through, "{version:?}");
        if through {
            stream.respond(Response::new(200));
            assert_eq!(lines(&proxy), ["response"]);
        }
    }
}

trait ReplyStatus {
    fn reply_status(&self) -> Option<u16>;
}

impl ReplyStatus for wasm_tests::Stream {
    /// The status of the reply, even if a filter trapped.
    fn reply_status(&self) -> Option<u16> {
        self.outcome().reply.map(|reply| reply.status)
    }
}
