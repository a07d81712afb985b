//! Header maps: what a filter reads, and what leaves the gateway.

use crate::probe::{Do, Map, Probe, said};
use wasm_tests::{Callback, KongVersion, Profile, Proxy, Request, Response};

fn kong() -> Profile {
    Profile::kong(KongVersion::V3_9)
}

fn request(profile: Profile, doing: &[Do], request: Request) -> (Proxy, wasm_tests::Stream) {
    let proxy = Proxy::new(profile, [Probe::on(Callback::RequestHeaders, doing).filter()]);
    let stream = proxy.send(request);
    (proxy, stream)
}

#[test]
fn a_removed_request_header_still_goes_upstream_from_kong() {
    let doing = [Do::Remove(Map::Request, "x-secret"), Do::Get(Map::Request, "x-secret")];
    let asking = Request::get("/").header("X-Secret", "s");

    let (proxy, stream) = request(Profile::envoy(), &doing, asking.clone());
    assert_eq!(said(&proxy, "x-secret"), ["status 1"]);
    assert_eq!(stream.forwarded().header("x-secret"), None);

    let (proxy, stream) = request(kong(), &doing, asking);
    assert_eq!(said(&proxy, "x-secret"), ["s"]);
    assert_eq!(stream.forwarded().header("x-secret").as_deref(), Some("s"));
}

#[test]
fn overwriting_with_nothing_is_how_a_header_is_taken_away_on_kong() {
    let doing = [Do::Set(Map::Request, "x-secret", "")];
    let (_, stream) = request(kong(), &doing, Request::get("/").header("X-Secret", "s"));
    assert_eq!(stream.forwarded().headers_named("x-secret"), [""]);
}

#[test]
fn later_filters_still_read_a_header_that_was_removed_on_kong() {
    let remove = Probe::on(Callback::RequestHeaders, &[Do::Remove(Map::Request, "x-secret")]);
    let read = Probe::on(Callback::RequestHeaders, &[Do::Get(Map::Request, "x-secret")]);
    for (profile, found) in [(kong(), "s"), (Profile::envoy(), "status 1")] {
        let proxy = Proxy::new(profile, [remove.named("first"), read.named("second")]);
        proxy.send(Request::get("/").header("X-Secret", "s")).forwarded();
        assert_eq!(said(&proxy, "x-secret"), [found]);
    }
}

#[test]
fn setting_a_header_that_was_sent_twice_leaves_the_second_on_kong() {
    let doing =
        [Do::Set(Map::Request, "x-consumer-id", "ours"), Do::Get(Map::Request, "x-consumer-id")];
    let asking = Request::get("/").header("X-Consumer-ID", "a").header("X-Consumer-ID", "b");

    let (_, stream) = request(Profile::envoy(), &doing, asking.clone());
    assert_eq!(stream.forwarded().headers_named("x-consumer-id"), ["ours"]);

    let (proxy, stream) = request(kong(), &doing, asking);
    assert_eq!(stream.forwarded().headers_named("x-consumer-id"), ["ours", "b"]);
    assert_eq!(said(&proxy, "x-consumer-id"), ["ours"]);
}

#[test]
fn taking_content_length_away_sends_two_from_kong() {
    let doing = [Do::Remove(Map::Request, "content-length")];
    let (proxy, stream) = request(kong(), &doing, Request::post("/", "abc"));
    assert_eq!(stream.forwarded().headers_named("content-length").len(), 2);
    assert_eq!(stream.outcome().violations.len(), 1);
    assert_eq!(proxy.faults().len(), 1);
}

#[test]
fn the_first_of_two_values_is_read() {
    for profile in [kong(), Profile::envoy()] {
        let asking = Request::get("/").header("x-a", "1").header("x-a", "2");
        let (proxy, _) = request(profile, &[Do::Get(Map::Request, "X-A")], asking);
        assert_eq!(said(&proxy, "X-A"), ["1"]);
    }
}

#[test]
fn names_are_lower_case_on_envoy_and_as_sent_on_kong() {
    for (profile, name) in [(kong(), "X-Mixed"), (Profile::envoy(), "x-mixed")] {
        let (_, stream) = request(profile, &[], Request::get("/").header("X-Mixed", "1"));
        assert!(stream.forwarded().headers.iter().any(|(n, _)| n == name));
    }
}

#[test]
fn bytes_that_are_no_text_pass() {
    for profile in [kong(), Profile::envoy()] {
        let (_, stream) = request(profile, &[], Request::get("/").header("x-a", b"\xff\xfe"));
        let forwarded = stream.forwarded();
        assert!(forwarded.headers.iter().any(|(_, value)| value == b"\xff\xfe"));
    }
}

#[test]
fn more_than_a_hundred_headers_corrupt_the_filter_on_kong() {
    let many = |n: usize| {
        (0..n).fold(Request::get("/"), |request, n| request.header(&format!("x-{n}"), "v"))
    };
    // One of the headers is `Host`.
    let (proxy, _) = request(kong(), &[Do::Pairs(Map::Request)], many(95));
    assert_eq!(said(&proxy, "pairs"), ["100"]);
    assert_eq!(proxy.faults(), []);

    let (proxy, stream) = request(kong(), &[Do::Pairs(Map::Request)], many(120));
    assert!(!stream.outcome().violations.is_empty());
    assert!(!proxy.faults().is_empty());

    // Reading by name works on Kong, and reading all pairs always works on Envoy.
    let (proxy, stream) = request(kong(), &[Do::Get(Map::Request, "x-119")], many(120));
    assert_eq!(said(&proxy, "x-119"), ["v"]);
    stream.forwarded();
    let (proxy, _) = request(Profile::envoy(), &[Do::Pairs(Map::Request)], many(120));
    assert_eq!(said(&proxy, "pairs"), ["126"]);
}

#[test]
fn a_block_that_was_cut_short_is_what_kong_hands_over() {
    // nginx writes three pseudo-headers where it measured four shorter headers.
    let asking = (0..114).fold(Request::get("/"), |r, n| r.header(&format!("x{n}"), ""));
    let (proxy, stream) = request(kong(), &[Do::Pairs(Map::Request)], asking);
    // The probe checks its header block as the Rust SDK does, which was seen to panic.
    let outcome = stream.outcome();
    assert_eq!((outcome.traps.len(), outcome.violations.len()), (1, 1));
    assert_eq!(outcome.reply.map(|reply| reply.status), Some(500));
    proxy.faults();
}

#[test]
fn authority_is_the_host_on_envoy_and_the_machine_on_kong() {
    let doing = [Do::Get(Map::Request, ":authority"), Do::Get(Map::Request, "host")];
    let (proxy, _) = request(kong(), &doing, Request::get("/").host("shop.test"));
    assert_eq!(
        (said(&proxy, ":authority"), said(&proxy, "host")),
        (vec!["kong".into()], vec!["shop.test".into()])
    );
    let (proxy, _) = request(Profile::envoy(), &doing, Request::get("/").host("shop.test"));
    assert_eq!(said(&proxy, ":authority"), ["shop.test"]);
    assert_eq!(said(&proxy, "host"), ["status 1"]);
}

#[test]
fn the_path_is_raw_on_envoy_and_decoded_on_kong() {
    let doing = [Do::Get(Map::Request, ":path"), Do::Property("request/path")];
    for (profile, path) in [(kong(), "/a b/c?q=%20"), (Profile::envoy(), "/x/../a%20b//c?q=%20")] {
        let (proxy, _) = request(profile, &doing, Request::get("/x/../a%20b//c?q=%20"));
        assert_eq!(said(&proxy, ":path"), [path]);
        assert_eq!(said(&proxy, "request/path"), ["/x/../a%20b//c?q=%20"]);
    }
}

#[test]
fn the_upstream_path_changes_by_header_on_envoy_and_by_variable_on_kong() {
    let by_header = [Do::Set(Map::Request, ":path", "/new?x=1")];
    let by_variable = [Do::SetProperty("ngx/upstream_uri", "/new?x=1")];
    let (_, stream) = request(Profile::envoy(), &by_header, Request::get("/old"));
    assert_eq!(stream.forwarded().path, "/new?x=1");
    let (_, stream) = request(kong(), &by_header, Request::get("/old"));
    assert_eq!(stream.forwarded().path, "/old");
    let (_, stream) = request(kong(), &by_variable, Request::get("/old"));
    assert_eq!(stream.forwarded().path, "/new?x=1");
}

#[test]
fn a_line_break_in_a_value_cannot_make_a_header_on_kong() {
    let (_, stream) =
        request(kong(), &[Do::Set(Map::Request, "x-a", "1\r\nx-b: 2")], Request::get("/"));
    assert_eq!(stream.forwarded().header("x-a").as_deref(), Some("1%0D%0Ax-b: 2"));
}

#[test]
fn the_request_map_is_out_of_reach_on_envoy_once_the_headers_have_gone() {
    let probe = Probe::on(
        Callback::RequestBody,
        &[
            Do::Get(Map::Request, ":path"),
            Do::Set(Map::Request, "x-late", "1"),
            Do::Pairs(Map::Request),
            Do::Property("request/path"),
        ],
    )
    .and(Callback::RequestHeaders, &[])
    .and(Callback::Log, &[Do::Get(Map::Request, ":method")]);
    let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
    let stream = proxy.send(Request::post("/x", "abc"));
    assert_eq!(said(&proxy, ":path")[0], "status 2");
    assert_eq!(said(&proxy, "set x-late")[0], "status 2");
    assert_eq!(said(&proxy, "pairs")[0], "0");
    assert_eq!(said(&proxy, "request/path")[0], "status 1");
    stream.respond(Response::new(200));
    assert_eq!(said(&proxy, ":method"), ["POST"]);

    let proxy = Proxy::new(kong(), [probe.filter()]);
    let stream = proxy.send(Request::post("/x", "abc"));
    assert_eq!(stream.forwarded().header("x-late").as_deref(), Some("1"));
}

#[test]
fn response_headers_can_be_added_next_to_the_upstreams() {
    for profile in [kong(), Profile::envoy()] {
        let add = Probe::on(
            Callback::ResponseHeaders,
            &[Do::Add(Map::Response, "Set-Cookie", "c=3"), Do::Get(Map::Response, ":status")],
        );
        let proxy = Proxy::new(profile, [add.filter()]);
        let stream = proxy.send(Request::get("/"));
        stream.respond(Response::new(201).with("Set-Cookie", "a=1").with("Set-Cookie", "b=2"));
        assert_eq!(stream.reply().headers_named("set-cookie"), ["a=1", "b=2", "c=3"]);
        assert_eq!(said(&proxy, ":status"), ["201"]);
    }
}

#[test]
fn setting_a_response_header_that_came_twice_loses_it_on_kong() {
    let set = Probe::on(Callback::ResponseHeaders, &[Do::Set(Map::Response, "set-cookie", "c=3")]);
    for (profile, sent) in [(kong(), vec![]), (Profile::envoy(), vec!["c=3".to_owned()])] {
        let proxy = Proxy::new(profile, [set.filter()]);
        let stream = proxy.send(Request::get("/"));
        stream.respond(Response::new(200).with("Set-Cookie", "a=1").with("Set-Cookie", "b=2"));
        assert_eq!(stream.reply().headers_named("set-cookie"), sent);
    }
}

#[test]
fn response_headers_may_be_set_before_there_is_a_response_on_kong_only() {
    let early = [Do::Add(Map::Response, "x-early", "1")];
    let (proxy, stream) = request(Profile::envoy(), &early, Request::get("/"));
    assert_eq!(said(&proxy, "add x-early"), ["status 2"]);
    stream.respond(Response::new(200));
    assert_eq!(stream.reply().header("x-early"), None);

    let (_, stream) = request(kong(), &early, Request::get("/"));
    stream.respond(Response::new(200));
    assert_eq!(stream.reply().header("x-early").as_deref(), Some("1"));
}

#[test]
fn kong_traps_a_change_that_comes_too_late() {
    for (callback, doing) in [
        (Callback::ResponseHeaders, Do::Set(Map::Request, "x", "1")),
        (Callback::ResponseBody, Do::Set(Map::Response, "x", "1")),
        (Callback::Log, Do::Set(Map::Response, "x", "1")),
    ] {
        let proxy = Proxy::new(kong(), [Probe::on(callback, &[doing]).filter()]);
        let stream = proxy.send(Request::get("/"));
        stream.respond(Response::new(200).with_body("x"));
        assert_eq!(stream.outcome().traps.len(), 1, "{callback:?}");
        // The response goes out unchanged.
        assert_eq!(stream.outcome().reply.map(|r| r.status), Some(200));
        assert_eq!(proxy.faults().len(), 1);
    }
}
