use super::*;
use crate::config::tests::config;
use exchange::{Body, Head};

fn flow(json: &str) -> TransformerFlow {
    TransformerFlow::new(Rc::new(config(json)))
}

fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> Request {
    Request {
        head: fields.iter().copied().collect::<Head>(),
        method: method.as_bytes().to_vec(),
        target: target.as_bytes().to_vec(),
        can_remove: true,
        ..Request::default()
    }
}

fn event(request: Request) -> Event {
    Event::Request(Box::new(request))
}

#[track_caller]
fn forwarded(step: Step) -> Vec<Edit> {
    match step {
        Step::Forward(edits) => edits,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refusal(step: Step) -> (u16, String) {
    match step {
        Step::Reply(Reply { status, body: Body::Error(message), .. }) => (status, message.into()),
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
        assert_eq!(forwarded(flow(json).on(event(untouched.clone()))), [], "{json}");
    }
}

#[test]
fn method_headers_path_and_query_change_at_the_headers() {
    let json = r#"{"http_method":"PUT","replace":{"uri":"/v2/$(uri_captures.id)"},"uri_pattern":"/v1/(?<id>\\d+)",
        "add":{"headers":["X-Old:$(query_params.q1)"],"querystring":["id:$(uri_captures.id)"]},"remove":{"querystring":["q1"]}}"#;
    let edits = forwarded(flow(json).on(event(request("GET", "/v1/7?q1=20&a=%41", &[]))));
    assert_eq!(
        edits,
        [Edit::set("x-old", "20"), Edit::Method(b"PUT".to_vec()), target("/v2/7?a=%41&id=7")]
    );
}

#[test]
fn a_path_alone_keeps_the_query_and_a_query_alone_the_path() {
    let path = r#"{"replace":{"uri":"/new"}}"#;
    assert_eq!(
        forwarded(flow(path).on(event(request("GET", "/a?x=%20&&", &[])))),
        [target("/new?x=%20&&")]
    );
    assert_eq!(forwarded(flow(path).on(event(request("GET", "/a", &[])))), [target("/new")]);
    let only = r#"{"remove":{"querystring":["x"]}}"#;
    assert_eq!(forwarded(flow(only).on(event(request("GET", "/a?x=1", &[])))), [query("")]);
}

#[test]
fn the_query_is_the_one_that_the_upstream_would_get() {
    let json = r#"{"add":{"querystring":["seen:$(query_params.apikey or 'nothing')"]}}"#;
    let hidden = Request {
        upstream_query: Some(b"a=1".to_vec()),
        ..request("GET", "/?apikey=secret&a=1", &[])
    };
    assert_eq!(forwarded(flow(json).on(event(hidden))), [query("a=1&seen=nothing")]);
}

#[test]
fn what_is_removed_or_replaced_is_still_seen_by_templates() {
    let json = r#"{"remove":{"headers":["x-r"]},"replace":{"headers":["x-p:new"],"querystring":["q2:$(headers['x-p'])"]},
        "add":{"headers":["x-t:$(headers['x-r'])"]}}"#;
    let came = request("GET", "/?q2=20", &[("x-r", "its a test"), ("x-p", "old")]);
    assert_eq!(
        forwarded(flow(json).on(event(came))),
        [
            Edit::remove("x-r"),
            Edit::set("x-p", "new"),
            Edit::set("x-t", "its a test"),
            query("q2=old")
        ]
    );
}

#[test]
fn who_is_calling_comes_from_the_gateway_and_not_from_the_client() {
    let json = r#"{"add":{"headers":["X-Caller:$(consumer.username or 'nobody')"]}}"#;
    let forged = request("GET", "/", &[("x-consumer-username", "root")]);
    assert_eq!(forwarded(flow(json).on(event(forged.clone()))), [Edit::set("x-caller", "nobody")]);
    let known = Request { consumer: Some(br#"{"id":"1","username":"ana"}"#.to_vec()), ..forged };
    assert_eq!(forwarded(flow(json).on(event(known))), [Edit::set("x-caller", "ana")]);
}

#[test]
fn a_body_is_awaited_only_where_it_may_be_changed() {
    let json = r#"{"add":{"body":["p1:v1"],"headers":["h:1"],"querystring":["q:1"]}}"#;
    let at_once = [Edit::set("h", "1"), query("q=1")];
    let post = |kind| Request { body: BodyAhead::Comes, ..request("POST", "/", &[kind]) };
    let mut waiting = flow(json);
    assert_eq!(waiting.on(event(post(JSON))), Step::AwaitBody(at_once.to_vec()));
    let changed = forwarded(waiting.on(Event::Body(Ok(br#"{"a":[]}"#.to_vec()))));
    assert_eq!(changed, [body(r#"{"a":[],"p1":"v1"}"#)]);
    for (kind, there) in [(("content-type", "text/plain"), true), (("x", "y"), true), (JSON, false)]
    {
        let came = Request {
            body: if there { BodyAhead::Comes } else { BodyAhead::None },
            ..request("POST", "/", &[kind])
        };
        assert_eq!(forwarded(flow(json).on(event(came))), at_once, "{kind:?}");
    }
}

#[test]
fn a_body_that_is_malformed_goes_on_as_it_is_and_one_that_is_not_had_is_refused() {
    let json = r#"{"remove":{"body":["a"]}}"#;
    let post = || event(Request { body: BodyAhead::Comes, ..request("POST", "/", &[JSON]) });
    let mut malformed = flow(json);
    assert_eq!(malformed.on(post()), Step::AwaitBody(vec![]));
    assert_eq!(forwarded(malformed.on(Event::Body(Ok(b"malformed json body".to_vec())))), []);
    let mut lost = flow(json);
    lost.on(post());
    assert_eq!(refusal(lost.on(Event::Body(Err(Unavailable)))), (413, "Payload too large".into()));
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
    assert_eq!(forwarded(flow(json).on(event(on_kong))), with);
    // Envoy can give no body to a request that has none.
    assert_eq!(forwarded(flow(json).on(event(request("GET", "/request", &[])))), with[..2]);
}

#[test]
fn a_form_becomes_a_part_of_the_query_of_a_method_without_a_body() {
    let json =
        r#"{"http_method":"GET","remove":{"querystring":["secret"]},"replace":{"uri":"/new"}}"#;
    let mut flow = flow(json);
    let post =
        Request { body: BodyAhead::Comes, ..request("POST", "/request?hello=world", &[FORM]) };
    assert_eq!(flow.on(event(post)), Step::AwaitBody(vec![Edit::Method(b"GET".to_vec())]));
    let rest = flow.on(Event::Body(Ok(b"name=marco&secret=1&hello=again".to_vec())));
    assert_eq!(forwarded(rest), [target("/new?hello=world&name=marco&hello=again")]);
    // Without the body at hand, the rest is done all the same.
    let bare = request("POST", "/request?hello=world", &[FORM]);
    let edits = forwarded(super::tests::flow(json).on(event(bare)));
    assert_eq!(edits, [Edit::Method(b"GET".to_vec()), target("/new?hello=world")]);
}

#[test]
fn on_kong_a_body_of_unknown_length_is_collected() {
    let json = r#"{"add":{"body":["p:1"]}}"#;
    let chunked = || Request {
        body_may_follow: true,
        can_make_body: true,
        ..request("POST", "/", &[FORM, ("transfer-encoding", "chunked")])
    };
    let mut collecting = flow(json);
    assert_eq!(collecting.on(event(chunked())), Step::StreamBodyAfter(vec![]));
    assert_eq!(collecting.on(Event::Chunk(b"a=".to_vec())), Step::StreamBody);
    assert_eq!(collecting.on(Event::Chunk(b"b".to_vec())), Step::StreamBody);
    assert_eq!(forwarded(collecting.on(Event::Body(Ok(vec![])))), [body("a=b&p=1")]);
    let mut endless = flow(json);
    endless.on(event(chunked()));
    let piece = vec![b'x'; 1 << 20];
    let last = (0..40)
        .map(|_| endless.on(Event::Chunk(piece.clone())))
        .find(|step| *step != Step::StreamBody);
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
        assert_eq!(refusal(flow(json).on(event(came))), (status, message.to_owned()), "{json}");
    }
    let mut evil = flow(r#"{"add":{"body":["p:$(query_params.p)"]}}"#);
    let kind = [("content-type", "multipart/form-data; boundary=XX")];
    let came = request(
        "POST",
        "/?p=1%0d%0a--XX%0d%0aContent-Disposition:%20form-data;%20name=admin%0d%0a%0d%0a1",
        &kind,
    );
    evil.on(event(Request { body: BodyAhead::Comes, ..came }));
    assert_eq!(
        refusal(evil.on(Event::Body(Ok(b"--XX--\r\n".to_vec())))),
        (400, "Bad request body".into())
    );
}

#[test]
fn an_event_out_of_order_is_refused() {
    for event_ in [Event::Body(Ok(vec![])), Event::Chunk(vec![]), Event::Answered(Err(Unavailable))]
    {
        assert_eq!(refusal(flow("{}").on(event_)).0, 500);
    }
    let mut decided = flow("{}");
    decided.on(event(request("GET", "/", &[])));
    assert_eq!(refusal(decided.on(event(request("GET", "/", &[])))).0, 500);
}
