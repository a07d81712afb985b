use super::*;
use crate::config::tests::config;
use consumer::testing::Driver;
use exchange::{Body, Then, testing};

fn filter(json: &str) -> Driver {
    let config = Rc::new(config(json));
    let common = config.common.clone();
    Driver::new(&common, move |admitted| TransformerFlow::start(Rc::clone(&config), &admitted))
}

fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request {
    Request { can_remove: true, ..testing::request(method, target, headers) }
}

#[track_caller]
fn forwarded(step: Step) -> Vec<Edit> {
    match step {
        Step { edits, then: Then::Forward } => edits,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refusal(step: Step) -> (u16, String) {
    match step {
        Step { then: Then::Reply(Reply { status, body: Body::Error(message), .. }), .. } => {
            (status, message.into())
        }
        other => panic!("{other:?}"),
    }
}

fn query(text: &str) -> Edit {
    Edit::Query(text.as_bytes().to_vec())
}

fn target(text: &str) -> Edit {
    Edit::Target(text.as_bytes().to_vec())
}

fn body(text: &str) -> Edit {
    Edit::Body(text.as_bytes().to_vec())
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn nothing_to_do_is_nothing_done() {
    let untouched = request("POST", "/a?b=%7e&", &[JSON, ("x-a", "1")]);
    let untouched = Request { body: BodyAhead::Comes, ..untouched };
    for json in [
        "{}",
        r#"{"remove":{"headers":["x-b"],"querystring":["c"]}}"#,
        r#"{"match":{"paths":["/z"]},"http_method":"GET"}"#,
    ] {
        assert_eq!(forwarded(filter(json).send(untouched.clone())), [], "{json}");
    }
}

#[test]
fn method_headers_path_and_query_change_at_the_headers() {
    let json = r#"{"http_method":"PUT","replace":{"uri":"/v2/$(uri_captures.id)"},"uri_pattern":"/v1/(?<id>\\d+)",
        "add":{"headers":["X-Old:$(query_params.q1)"],"querystring":["id:$(uri_captures.id)"]},"remove":{"querystring":["q1"]}}"#;
    let edits = forwarded(filter(json).send(request("GET", "/v1/7?q1=20&a=%41", &[])));
    assert_eq!(
        edits,
        [Edit::set("x-old", "20"), Edit::Method(b"PUT".to_vec()), target("/v2/7?a=%41&id=7")]
    );
}

#[test]
fn a_path_alone_keeps_the_query_and_a_query_alone_the_path() {
    let path = r#"{"replace":{"uri":"/new"}}"#;
    assert_eq!(
        forwarded(filter(path).send(request("GET", "/a?x=%20&&", &[]))),
        [target("/new?x=%20&&")]
    );
    assert_eq!(forwarded(filter(path).send(request("GET", "/a", &[]))), [target("/new")]);
    let only = r#"{"remove":{"querystring":["x"]}}"#;
    assert_eq!(forwarded(filter(only).send(request("GET", "/a?x=1", &[]))), [query("")]);
}

#[test]
fn the_query_is_the_one_that_the_upstream_would_get() {
    let json = r#"{"add":{"querystring":["seen:$(query_params.apikey or 'nothing')"]}}"#;
    let hidden = Request {
        upstream_query: Some(b"a=1".to_vec()),
        ..request("GET", "/?apikey=secret&a=1", &[])
    };
    assert_eq!(forwarded(filter(json).send(hidden)), [query("a=1&seen=nothing")]);
}

#[test]
fn what_is_removed_or_replaced_is_still_seen_by_templates() {
    let json = r#"{"remove":{"headers":["x-r"]},"replace":{"headers":["x-p:new"],"querystring":["q2:$(headers['x-p'])"]},
        "add":{"headers":["x-t:$(headers['x-r'])"]}}"#;
    let came = request("GET", "/?q2=20", &[("x-r", "its a test"), ("x-p", "old")]);
    assert_eq!(
        forwarded(filter(json).send(came)),
        [
            Edit::remove("x-r"),
            Edit::set("x-p", "new"),
            Edit::set("x-t", "its a test"),
            query("q2=old")
        ]
    );
}

#[test]
fn identities_in_templates_come_from_the_gateway_and_not_from_the_client() {
    let json = r#"{"add":{"headers":["X-Caller:$(consumer.username or 'nobody')"]}}"#;
    let forged = request("GET", "/", &[("x-consumer-username", "root")]);
    assert_eq!(forwarded(filter(json).send(forged.clone())), [Edit::set("x-caller", "nobody")]);
    let known = Request { consumer: Some(br#"{"id":"1","username":"ana"}"#.to_vec()), ..forged };
    assert_eq!(forwarded(filter(json).send(known)), [Edit::set("x-caller", "ana")]);
}

#[test]
fn a_body_is_awaited_only_where_it_may_be_changed() {
    let json = r#"{"add":{"body":["p1:v1"],"headers":["h:1"],"querystring":["q:1"]}}"#;
    let at_once = [Edit::set("h", "1"), query("q=1")];
    let post = |kind| Request { body: BodyAhead::Comes, ..request("POST", "/", &[kind]) };
    let mut waiting = filter(json);
    assert_eq!(waiting.send(post(JSON)), Step::await_body(at_once.to_vec()));
    let changed = forwarded(waiting.on(Event::Body(Ok(br#"{"a":[]}"#.to_vec()))));
    assert_eq!(changed, [body(r#"{"a":[],"p1":"v1"}"#)]);
    for (kind, there) in [(("content-type", "text/plain"), true), (("x", "y"), true), (JSON, false)]
    {
        let came = Request {
            body: if there { BodyAhead::Comes } else { BodyAhead::None },
            ..request("POST", "/", &[kind])
        };
        assert_eq!(forwarded(filter(json).send(came)), at_once, "{kind:?}");
    }
}

/// Returns the step after a body of a request without a length. `headers` are those of the request.
fn given(json: &str, headers: &[(&str, &str)], body: &[u8]) -> Step {
    let mut filter = filter(json);
    let post = Request { body: BodyAhead::Comes, ..request("POST", "/", headers) };
    match filter.send(post) {
        Step { then: Then::AwaitBody, .. } => filter.on(Event::Body(Ok(body.to_vec()))),
        other => other,
    }
}

#[test]
fn a_body_that_cannot_be_changed_is_refused_where_the_settings_take_something_away() {
    let [remove, rename, replace] = [
        r#"{"remove":{"body":["a"]}}"#,
        r#"{"rename":{"body":["a:b"]}}"#,
        r#"{"replace":{"body":["a:1"]}}"#,
    ];
    let gzip = ("content-encoding", "gzip");
    let malformed = (400, "Bad request body".to_owned());
    let unsupported = (415, "Unsupported media type".to_owned());
    for (headers, body, expected) in [
        (&[JSON][..], &b"malformed json body"[..], &malformed),
        (&[JSON], b"[1]", &malformed),
        (&[FORM], b"b=1;a=2", &malformed),
        (&[("content-type", "application/json;")], b"{,}", &malformed),
        (&[("content-type", "a/b"), JSON], b"{}", &malformed),
        (&[JSON, gzip], b"\x1f\x8b", &unsupported),
        (&[JSON, gzip, ("content-length", "2")], b"\x1f\x8b", &unsupported),
        (&[("content-type", "text/plain")], b"a=1", &unsupported),
        (&[("content-type", "application/json; charset=utf-16")], b"{}", &unsupported),
        (&[], b"a=1", &unsupported),
    ] {
        for json in [remove, rename, replace] {
            assert_eq!(&refusal(given(json, headers, body)), expected, "{headers:?} {json}");
            let open = json.replacen('{', r#"{"unreadable_body":"pass","#, 1);
            assert_eq!(forwarded(given(&open, headers, body)), [], "{headers:?} {open}");
        }
        let add = r#"{"add":{"body":["c:1"]}}"#;
        if body != b"b=1;a=2" {
            assert_eq!(forwarded(given(add, headers, body)), [], "{headers:?}: nothing is hidden");
            let closed = add.replacen('{', r#"{"unreadable_body":"refuse","#, 1);
            assert_eq!(&refusal(given(&closed, headers, body)), expected, "{headers:?}");
        }
        assert_eq!(forwarded(given(remove, &[("content-type", "text/plain")], b"")), []);
    }
    let json_api = [("content-type", "application/vnd.api+json")];
    assert_eq!(forwarded(given(remove, &json_api, br#"{"a":1}"#)), [body("{}")]);
    let mut lost = filter(remove);
    lost.send(Request { body: BodyAhead::Comes, ..request("POST", "/", &[JSON]) });
    assert_eq!(refusal(lost.on(Event::Body(Err(Unavailable)))), (413, "Payload too large".into()));
}

#[test]
fn a_query_in_which_servers_find_other_parameters_is_refused() {
    let json = r#"{"remove":{"querystring":["role"]}}"#;
    for target in ["/?a=1;role=admin", "/?+role=1", "/?role%00=1"] {
        let step = filter(json).send(request("GET", target, &[]));
        assert_eq!(refusal(step), (400, "Bad request query".into()), "{target}");
    }
    let other = filter(json).send(request("GET", "/?a=1;b=2", &[]));
    assert_eq!(forwarded(other), []);
}

#[test]
fn where_no_body_can_be_made_an_empty_one_stays_empty() {
    let json = r#"{"add":{"body":["a:1"]},"remove":{"body":["b"]}}"#;
    for headers in [&[JSON][..], &[FORM], &[]] {
        assert_eq!(forwarded(given(json, headers, b"")), [], "{headers:?}");
    }
}

#[test]
fn on_kong_a_get_that_becomes_a_post_gets_a_form() {
    let json = r#"{"http_method":"POST","add":{"body":["a:1"]}}"#;
    let on_kong = Request {
        can_make_body: true,
        body_may_follow: true,
        can_remove: false,
        ..request("GET", "/", &[])
    };
    let expected = [Edit::set(FORM.0, FORM.1), Edit::Method(b"POST".to_vec()), body("a=1")];
    assert_eq!(forwarded(filter(json).send(on_kong.clone())), expected);
    let typed = Request { head: [JSON].into_iter().collect(), ..on_kong };
    let expected = [Edit::Method(b"POST".to_vec()), body(r#"{"a":"1"}"#)];
    assert_eq!(forwarded(filter(json).send(typed)), expected);
}

#[test]
fn on_kong_a_body_behind_a_get_of_http_2_is_not_overlooked() {
    let json = r#"{"remove":{"body":["a"]}}"#;
    let on_kong = |headers| Request { body_may_follow: true, ..request("GET", "/", headers) };
    let mut hidden = filter(json);
    assert_eq!(hidden.send(on_kong(&[JSON])), Step::stream_body());
    hidden.on(Event::Chunk(br#"{"a":1}"#.to_vec()));
    assert_eq!(forwarded(hidden.on(Event::Body(Ok(vec![])))), [body("{}")]);
    let mut other = filter(json);
    other.send(on_kong(&[]));
    assert_eq!(refusal(other.on(Event::Chunk(b"x".to_vec()))).0, 415);
    // Settings that also add cannot change a body of this type either.
    let both = r#"{"remove":{"body":["a"]},"add":{"body":["b:1"]}}"#;
    let (text, packed) = ([("content-type", "text/plain")], [JSON, ("content-encoding", "gzip")]);
    for headers in [&text[..], &packed] {
        let request = || Request { can_make_body: true, ..on_kong(headers) };
        let mut with_body = filter(both);
        assert_eq!(with_body.send(request()), Step::stream_body(), "{headers:?}");
        assert_eq!(refusal(with_body.on(Event::Chunk(b"a=1".to_vec()))).0, 415, "{headers:?}");
        let mut without = filter(both);
        without.send(request());
        assert_eq!(forwarded(without.on(Event::Body(Ok(vec![])))), [], "{headers:?}");
    }
    // A body that the filter makes takes the place of the hidden one.
    let request = Request { can_make_body: true, ..on_kong(&[JSON]) };
    assert_eq!(forwarded(filter(both).send(request)), [body(r#"{"b":"1"}"#)]);
}

#[test]
fn a_type_that_the_filter_sets_decides_what_the_body_is() {
    let json = r#"{"http_method":"POST","add":{"headers":["Content-Type:application/json"],"body":["body:somecontent"]}}"#;
    let on_kong = Request {
        can_make_body: true,
        body_may_follow: true,
        can_remove: false,
        ..request("GET", "/request", &[])
    };
    let with = [
        Edit::set("content-type", "application/json"),
        Edit::Method(b"POST".to_vec()),
        body(r#"{"body":"somecontent"}"#),
    ];
    assert_eq!(forwarded(filter(json).send(on_kong)), with);
    // Envoy cannot give a body to a request without one.
    assert_eq!(forwarded(filter(json).send(request("GET", "/request", &[]))), with[..2]);
}

#[test]
fn a_form_becomes_a_part_of_the_query_of_a_method_without_a_body() {
    let json =
        r#"{"http_method":"GET","remove":{"querystring":["secret"]},"replace":{"uri":"/new"}}"#;
    let mut filter = filter(json);
    let post =
        Request { body: BodyAhead::Comes, ..request("POST", "/request?hello=world", &[FORM]) };
    assert_eq!(filter.send(post), Step::await_body(vec![Edit::Method(b"GET".to_vec())]));
    let rest = filter.on(Event::Body(Ok(b"name=marco&secret=1&hello=again".to_vec())));
    assert_eq!(forwarded(rest), [target("/new?hello=world&name=marco&hello=again")]);
    // Without a body, the other changes are made.
    let bare = request("POST", "/request?hello=world", &[FORM]);
    let edits = forwarded(super::tests::filter(json).send(bare));
    assert_eq!(edits, [Edit::Method(b"GET".to_vec()), target("/new?hello=world")]);
}

#[test]
fn a_form_in_which_servers_find_other_parameters_does_not_become_a_part_of_the_query() {
    for form in ["a=1;role=admin", "+role=admin", " role=admin", "role%00=admin"] {
        let json = r#"{"http_method":"GET","remove":{"querystring":["role"]}}"#;
        let mut filter = filter(json);
        filter.send(Request { body: BodyAhead::Comes, ..request("POST", "/", &[FORM]) });
        let step = filter.on(Event::Body(Ok(form.into())));
        assert_eq!(refusal(step), (400, "Bad request query".into()), "{form}");
    }
}

/// Kong runs later filters before the body is there: what they change of the query stays.
#[test]
fn on_kong_a_form_joins_the_query_that_later_filters_have_left() {
    let json = r#"{"http_method":"GET","remove":{"querystring":["r"]}}"#;
    for (body, body_may_follow) in [(BodyAhead::Comes, false), (BodyAhead::None, true)] {
        let mut filter = filter(json);
        let came = request("POST", "/?r=1&b=2", &[FORM]);
        let step = filter.send(Request { body, body_may_follow, can_make_body: true, ..came });
        assert_eq!(step.edits, [Edit::Method(b"GET".to_vec()), query("b=2")]);
        let (from, to) = (b"b=2".to_vec(), b"b=2&a=3".to_vec());
        let rest = filter.on(Event::Body(Ok(b"a=3&r=4".to_vec())));
        assert_eq!(forwarded(rest), [Edit::Requery { from, to }]);
    }
}

#[test]
fn on_kong_a_body_of_unknown_length_is_collected() {
    let json = r#"{"add":{"body":["p:1"]}}"#;
    let chunked = || Request {
        body_may_follow: true,
        can_make_body: true,
        ..request("POST", "/", &[FORM, ("transfer-encoding", "chunked")])
    };
    let mut collecting = filter(json);
    assert_eq!(collecting.send(chunked()), Step::stream_body());
    assert_eq!(collecting.on(Event::Chunk(b"a=".to_vec())), Step::stream_body());
    assert_eq!(collecting.on(Event::Chunk(b"b".to_vec())), Step::stream_body());
    assert_eq!(forwarded(collecting.on(Event::Body(Ok(vec![])))), [body("a=b&p=1")]);
    let mut endless = filter(json);
    endless.send(chunked());
    let piece = vec![b'x'; 1 << 20];
    let last = (0..40)
        .map(|_| endless.on(Event::Chunk(piece.clone())))
        .find(|step| *step != Step::stream_body());
    assert_eq!(refusal(last.unwrap()).0, 413);
}

#[test]
fn what_cannot_be_done_safely_is_refused() {
    for (json, came, expected) in [
        (
            r#"{"replace":{"uri":"/t/$(headers.t)"}}"#,
            request("GET", "/", &[("t", "../admin")]),
            (400, "Bad request path"),
        ),
        (
            r#"{"uri_pattern":"/","add":{"headers":["x:$(uri_captures[0])"]}}"#,
            request("GET", "/%2f", &[]),
            (400, "Bad request path"),
        ),
        (
            r#"{"remove":{"headers":["x-a"]}}"#,
            Request { can_remove: false, ..request("GET", "/", &[("x-a", "1"), ("X-A", "2")]) },
            (400, "Header x-a must not be sent more than once"),
        ),
    ] {
        let (status, message) = expected;
        assert_eq!(refusal(filter(json).send(came)), (status, message.to_owned()), "{json}");
    }
    let mut evil = filter(r#"{"add":{"body":["p:$(query_params.p)"]}}"#);
    let kind = [("content-type", "multipart/form-data; boundary=XX")];
    let came = request(
        "POST",
        "/?p=1%0d%0a--XX%0d%0aContent-Disposition:%20form-data;%20name=admin%0d%0a%0d%0a1",
        &kind,
    );
    evil.send(Request { body: BodyAhead::Comes, ..came });
    assert_eq!(
        refusal(evil.on(Event::Body(Ok(b"--XX--\r\n".to_vec())))),
        (400, "Bad request body".into())
    );
}

#[test]
fn an_event_out_of_order_is_refused() {
    for event in [Event::Body(Ok(vec![])), Event::Chunk(vec![]), Event::Answered(Err(Unavailable))]
    {
        let mut decided = filter("{}");
        decided.send(request("GET", "/", &[]));
        assert_eq!(refusal(decided.on(event)).0, 500);
    }
}

#[test]
fn a_form_that_becomes_a_query_cannot_end_the_line_of_the_request() {
    for json in [r#"{"http_method":"GET"}"#, r#"{"http_method":"GET","replace":{"uri":"/new"}}"#] {
        let raw = b"a=1 HTTP/1.1\r\nx: y&b=\0#\xff%20+c".to_vec();
        let mut waiting = filter(json);
        let mut request = request("POST", "/p", &[FORM]);
        request.body = BodyAhead::Comes;
        waiting.send(request);
        let edits = forwarded(waiting.on(Event::Body(Ok(raw))));
        let written = edits.iter().find_map(|edit| match edit {
            Edit::Query(text) => Some(text.clone()),
            Edit::Target(text) => text.strip_prefix(b"/new?").map(<[u8]>::to_vec),
            _ => None,
        });
        let expected = b"a=1%20HTTP/1.1%0D%0Ax:%20y&b=%00%23%FF%20+c";
        assert_eq!(written.as_deref(), Some(&expected[..]), "{json}");
    }
}
