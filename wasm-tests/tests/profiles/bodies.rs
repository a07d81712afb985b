//! Bodies in both directions: when filters see them, how much of them, and how filters change them.

use crate::probe::{Buffer, Do, Map, Probe, said};
use wasm_tests::{Callback, KongVersion, Profile, Proxy, Request, Response, Standing, Stream};

fn kong() -> Profile {
    Profile::kong(KongVersion::V3_9)
}

fn holding() -> Profile {
    Profile::envoy().allow_on_headers_stop_iteration(true)
}

fn watching() -> Probe {
    let look = [Do::Arguments, Do::Read(Buffer::RequestBody, 0, -1)];
    Probe::on(Callback::RequestBody, &look)
}

fn send(profile: Profile, probe: &Probe, request: Request) -> (Proxy, Stream) {
    let proxy = Proxy::new(profile, [probe.filter()]);
    let stream = proxy.send(request);
    (proxy, stream)
}

#[test]
fn the_headers_say_whether_a_body_follows_on_envoy_only() {
    let probe = Probe::on(Callback::RequestHeaders, &[Do::Arguments]);
    for (profile, without, with) in [(Profile::envoy(), "1", "0"), (kong(), "0", "0")] {
        let (proxy, _) = send(profile.clone(), &probe, Request::get("/"));
        assert_eq!(said(&proxy, "argument 2"), [without]);
        let (proxy, _) = send(profile, &probe, Request::post("/", "abc"));
        assert_eq!(said(&proxy, "argument 2"), [with]);
    }
}

#[test]
fn envoy_hands_over_piece_by_piece() {
    let request = Request::new("POST", "/").chunks(&[b"abc", b"def"]);
    let (proxy, stream) = send(Profile::envoy(), &watching(), request);
    assert_eq!(said(&proxy, "read"), ["abc", "def", ""]);
    assert_eq!(said(&proxy, "argument 2"), ["0", "0", "1"]);
    assert_eq!(stream.forwarded().text(), "abcdef");
}

#[test]
fn kong_hands_over_the_whole_body_once_and_never_an_empty_one() {
    let request = Request::new("POST", "/").chunks(&[b"abc", b"def"]);
    let (proxy, stream) = send(kong(), &watching(), request);
    assert_eq!(said(&proxy, "read"), ["abcdef"]);
    assert_eq!(said(&proxy, "argument 1"), ["6"]);
    assert_eq!(said(&proxy, "argument 2"), ["1"]);
    assert_eq!(stream.forwarded().text(), "abcdef");

    let (_, stream) = send(kong(), &watching(), Request::post("/", ""));
    assert_eq!(stream.outcome().times(Callback::RequestBody), 0);
    stream.forwarded();
}

#[test]
fn a_body_that_kong_put_into_a_file_has_a_size_and_no_content() {
    for (length, chunked, read) in
        [(10_240, false, true), (10_241, false, false), (8_192, true, true), (8_193, true, false)]
    {
        let body = vec![b'x'; length];
        let request = if chunked {
            Request::new("POST", "/").chunks(&[&body])
        } else {
            Request::post("/", &body)
        };
        let (proxy, stream) = send(kong(), &watching(), request);
        assert_eq!(said(&proxy, "argument 1"), [length.to_string()]);
        let expected = if read { "x".repeat(length) } else { "status 1".to_owned() };
        let found = said(&proxy, "read");
        // The log cuts the line.
        assert!(expected.starts_with(&found[0]), "{length}: {}", &found[0][..20]);
        assert_eq!(stream.forwarded().body.len(), length);
    }
    let larger = kong().body_buffer(64 << 10);
    let (proxy, _) = send(larger, &watching(), Request::post("/", "x".repeat(60_000)));
    assert!(said(&proxy, "read")[0].starts_with("xxx"));
}

#[test]
fn kong_ignores_the_offset_and_envoy_does_not() {
    let probe = Probe::on(Callback::RequestBody, &[Do::Read(Buffer::RequestBody, 2, 100)]);
    let (proxy, _) = send(kong(), &probe, Request::post("/", "abcdef"));
    assert_eq!(said(&proxy, "read"), ["abcdef"]);
    let (proxy, _) = send(Profile::envoy(), &probe, Request::post("/", "abcdef"));
    assert_eq!(said(&proxy, "read"), ["cdef", ""]);
}

#[test]
fn asking_for_less_than_the_whole_body_corrupts_the_filter_on_kong() {
    let probe = Probe::on(Callback::RequestBody, &[Do::Read(Buffer::RequestBody, 0, 3)]);
    let (proxy, stream) = send(kong(), &probe, Request::post("/", "abcdef"));
    assert_eq!(stream.outcome().traps.len(), 1);
    assert_eq!(proxy.faults().len(), 2);
    let (proxy, _) = send(Profile::envoy(), &probe, Request::post("/", "abcdef"));
    assert_eq!(said(&proxy, "read")[0], "abc");
}

#[test]
fn a_header_that_depends_on_the_body_needs_the_headers_held_on_envoy() {
    let probe = Probe::on(Callback::RequestHeaders, &[Do::Pause]).and(
        Callback::RequestBody,
        &[
            Do::Arguments,
            Do::Read(Buffer::RequestBody, 0, -1),
            Do::Pause,
            Do::UnlessEnd,
            Do::Set(Map::Request, "x-hash", "h"),
            Do::Return(0),
        ],
    );
    let request = || Request::new("POST", "/").chunks(&[b"abc", b"def"]);
    let (proxy, stream) = send(holding(), &probe, request());
    // Each callback reads all of the data that Envoy has kept.
    assert_eq!(said(&proxy, "argument 1"), ["3", "6", "6"]);
    assert_eq!(said(&proxy, "read"), ["abc", "abcdef", "abcdef"]);
    let forwarded = stream.forwarded();
    assert_eq!(forwarded.header("x-hash").as_deref(), Some("h"));
    assert_eq!((forwarded.text().as_str(), forwarded.complete), ("abcdef", true));

    // By default, everything stops at the headers.
    let (proxy, stream) = send(Profile::envoy(), &probe, request());
    assert_eq!(stream.standing(), Standing::Held);
    assert!(said(&proxy, "read").is_empty());

    // On Kong the body reaches the filter only if the headers go on; then buffering works there,
    // too.
    let (_, stream) = send(kong(), &probe, request());
    assert_eq!(stream.standing(), Standing::Hung);
    let probe = Probe::on(Callback::RequestBody, &[Do::Set(Map::Request, "x-hash", "h")]);
    let (_, stream) = send(kong(), &probe, request());
    assert_eq!(stream.forwarded().header("x-hash").as_deref(), Some("h"));
}

#[test]
fn a_body_can_be_replaced_and_its_length_follows_on_kong() {
    let probe = Probe::on(Callback::RequestBody, &[Do::Write(Buffer::RequestBody, 0, 1000, "new")]);
    let (_, stream) = send(kong(), &probe, Request::post("/", "something long"));
    assert_eq!(stream.forwarded().text(), "new");
    assert_eq!(stream.forwarded().headers_named("content-length"), ["3"]);
}

#[test]
fn a_body_that_outgrows_envoys_buffer_is_a_413() {
    let probe = Probe::on(Callback::RequestBody, &[Do::Pause]);
    let profile = Profile::envoy().buffer_limit(10);
    let (_, stream) = send(profile, &probe, Request::post("/", "more than ten bytes"));
    assert_eq!(stream.reply().status, 413);
}

#[test]
fn the_request_body_is_readable_in_few_places_on_kong() {
    let read = [Do::Read(Buffer::RequestBody, 0, -1)];
    let probe = Probe::on(Callback::Log, &read);
    let (proxy, stream) = send(kong(), &probe, Request::post("/", "abc"));
    stream.respond(Response::new(200));
    assert_eq!(said(&proxy, "read"), ["abc"]);

    let probe = Probe::on(Callback::ResponseHeaders, &read);
    let (proxy, stream) = send(kong(), &probe, Request::post("/", "abc"));
    stream.respond(Response::new(200));
    assert_eq!(proxy.faults().len(), 1);
}

#[test]
fn the_end_of_a_response_shows_by_different_rules() {
    let probe = Probe::on(Callback::ResponseBody, &[Do::Arguments]);
    let ends = |profile: Profile, head: Response, chunks: &[&str]| {
        let proxy = Proxy::new(profile, [probe.filter()]);
        let stream = proxy.send(Request::get("/"));
        stream.respond_head(head);
        for (n, chunk) in chunks.iter().enumerate() {
            stream.respond_body(chunk, n + 1 == chunks.len());
        }
        assert_eq!(stream.reply().text(), chunks.concat());
        said(&proxy, "argument 2")
    };
    let known = |n: &str| Response::new(200).with("Content-Length", n);
    let unknown = || Response::new(200).with("Transfer-Encoding", "chunked");
    assert_eq!(ends(Profile::envoy(), known("6"), &["abc", "def"]), ["0", "1"]);
    // Kong compares each chunk with the complete length.
    assert_eq!(ends(kong(), known("6"), &["abc", "def"]), ["0", "0"]);
    assert_eq!(ends(kong(), known("3"), &["abc"]), ["1"]);
    assert_eq!(ends(kong(), unknown(), &["abc", "def"]), ["0", "0", "1"]);
}

#[test]
fn a_response_body_can_be_kept_and_changed() {
    let probe = Probe::on(
        Callback::ResponseBody,
        &[
            Do::Arguments,
            Do::Read(Buffer::ResponseBody, 0, -1),
            Do::Pause,
            Do::UnlessEnd,
            Do::Write(Buffer::ResponseBody, 0, 1000, "new"),
            Do::Return(0),
        ],
    );
    for profile in [kong(), Profile::envoy()] {
        let proxy = Proxy::new(profile, [probe.filter()]);
        let stream = proxy.send(Request::get("/"));
        stream.respond_head(Response::new(200).with("Transfer-Encoding", "chunked"));
        stream.respond_body("abc", false);
        stream.respond_body("def", true);
        assert_eq!(said(&proxy, "read").last().map(String::as_str), Some("abcdef"));
        assert_eq!(stream.reply().text(), "new");
    }
}

#[test]
fn held_response_headers_keep_the_body_away_by_default_on_envoy() {
    let probe = Probe::on(Callback::ResponseHeaders, &[Do::Pause])
        .and(Callback::ResponseBody, &[Do::Set(Map::Response, "x-late", "1")]);
    let proxy = Proxy::new(Profile::envoy(), [probe.filter()]);
    let stream = proxy.send(Request::get("/"));
    stream.respond(Response::new(200).with_body("x"));
    assert_eq!(stream.outcome().reply, None);

    let proxy = Proxy::new(holding(), [probe.filter()]);
    let stream = proxy.send(Request::get("/"));
    stream.respond(Response::new(200).with_body("x"));
    assert_eq!(stream.reply().header("x-late").as_deref(), Some("1"));
}
