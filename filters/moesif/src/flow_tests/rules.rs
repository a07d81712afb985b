//! Governance rules: blocked requests, and the bodies that rules read.

use super::*;

#[test]
fn a_rule_answers_in_place_of_the_upstream_and_the_event_says_so() {
    let shared = shared("{}");
    rules(
        &shared,
        json!([{"_id": "r1", "type": "regex", "block": true,
        "regex_config": [{"conditions": [{"path": "request.verb", "value": "POST"}]}],
        "response": {"status": 403, "headers": {"X-Why": "rule"}, "body": {"no": true}}}]),
    );
    let mut flow = flow(&shared);
    let Step { then: Then::Reply(reply), .. } = flow.send(request(&[])) else { panic!() };
    assert_eq!(reply.status, 403);
    assert_eq!(reply.headers, [("X-Why".into(), b"rule".to_vec())]);
    assert_eq!(
        reply.body,
        ReplyBody::Raw(Some("application/json".into()), br#"{"no":true}"#.to_vec())
    );
    assert!(flow.wants_response() && !flow.watches().request_body);
    assert_eq!(respond(&mut flow, 403, &[("x-why", "rule")]), [set(TRANSACTION, ID)]);
    assert!(!flow.watches().response_body, "the answer is known");
    done(&mut flow);
    let event = event(&shared);
    assert_eq!((&event["blocked_by"], &event["response"]["status"]), (&json!("r1"), &json!(403)));
    assert_eq!(event["response"]["body"], json!({"no": true}));
}

#[test]
fn a_rule_that_does_not_block_adds_to_the_upstreams_response() {
    let shared = shared("{}");
    rules(
        &shared,
        json!([{"_id": "r1", "type": "user", "block": false, "applied_to_unidentified": true,
        "response": {"headers": {"Deprecation": "true"}}}]),
    );
    let mut flow = flow(&shared);
    assert!(matches!(flow.send(request(&[])), Step { then: Then::Forward, .. }));
    assert_eq!(
        respond(&mut flow, 200, &[]),
        [set(TRANSACTION, ID), Edit::set("Deprecation", "true")]
    );
    done(&mut flow);
    assert!(event(&shared).get("blocked_by").is_none());
}

fn graphql_rule(shared: &Shared) {
    rules(
        shared,
        json!([{"_id": "g", "type": "regex", "block": true,
        "regex_config": [{"conditions": [{"path": "request.body.query", "value": "mutation"}]}],
        "response": {"status": 400}}]),
    );
}

/// Returns the status of the rules' response to a request, or 0 if the request goes on. The filter
/// gets `body` if it waits for it.
fn status_of(shared: &Rc<Shared>, request: Request, body: Result<&[u8], Unavailable>) -> u16 {
    let mut flow = flow(shared);
    let mut step = flow.send(request);
    if matches!(step, Step { then: Then::AwaitBody, .. }) {
        step = flow.on(Event::Body(body.map(<[u8]>::to_vec)));
    }
    let status = match step {
        Step { then: Then::Forward, .. } => 0,
        Step { then: Then::Reply(reply), .. } => reply.status,
        other => panic!("{other:?}"),
    };
    respond(&mut flow, 200, &[]);
    done(&mut flow);
    let event = event(shared);
    assert_eq!(event.get("blocked_by").is_some(), status > 0, "the event says so");
    status
}

const JSON: (&str, &str) = ("content-type", "application/json");
const FORM: &[u8] = b"a=1&query=mutation";

/// Returns a request on Kong that has no length.
fn unknown(method: &str, headers: &[(&str, &str)]) -> Request {
    Request {
        body: BodyAhead::None,
        body_may_follow: true,
        method: method.into(),
        ..request(headers)
    }
}

#[test]
fn a_body_is_waited_for_where_a_rule_asks_for_it() {
    let shared = shared("{}");
    graphql_rule(&shared);
    for (body, status) in [
        (&b"{\"query\":\"mutation {x}\"}"[..], 400),
        (b"{\"query\":\"ok\",\"query\":\"mutation {x}\"}", 400),
        (b"\xef\xbb\xbf{\"query\":[\"mutation {x}\"]}", 400),
        (b"{\"query\":\"query {x}\"}   ", 0),
        (b"", 0),
    ] {
        assert_eq!(status_of(&shared, request(&[JSON]), Ok(body)), status, "{body:?}");
    }
    let text = [("content-type", "text/plain")];
    assert_eq!(status_of(&shared, request(&text), Ok(b"{\"query\":\"mutation\"}")), 400);
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(status_of(&shared, request(&form), Ok(b"a=1;+query=mutation")), 400);
    assert_eq!(status_of(&shared, request(&text), Ok(b"mutation")), 0);
    let none = Request { body: BodyAhead::None, ..request(&[JSON]) };
    assert_eq!(status_of(&shared, none, Ok(b"")), 0);
}

#[test]
fn a_request_is_refused_if_a_blocking_rule_needs_an_unreadable_part() {
    for (setting, refused) in [("{}", true), (r#"{"unreadable_requests":"pass"}"#, false)] {
        let shared = shared(setting);
        rules(
            &shared,
            json!([{"_id": "g", "type": "regex", "block": true, "regex_config": [
                {"conditions": [{"path": "request.body.query", "value": "mutation"},
                    {"path": "request.verb", "value": "POST"}]},
                {"conditions": [{"path": "request.route", "value": "^/admin"}]}],
            "response": {"status": 403}}]),
        );
        let gzip = ("content-encoding", "br");
        let long = ("content-length", "100001");
        for (request, body, status) in [
            (request(&[JSON]), Ok(&b"{\"query\":1,}"[..]), 400),
            (request(&[JSON]), Err(Unavailable), 413),
            (request(&[JSON, gzip]), Ok(b"x"), 415),
            (request(&[JSON, long]), Ok(b""), 413),
            (request(&[JSON]), Ok(&[b' '; 100_001]), 413),
            (
                Request { body: BodyAhead::None, body_hidden: true, ..request(&[JSON]) },
                Ok(b""),
                500,
            ),
            (
                Request { target: b"/%2561dmin".to_vec(), body: BodyAhead::None, ..request(&[]) },
                Ok(b""),
                400,
            ),
        ] {
            let expected = if refused { status } else { 0 };
            assert_eq!(status_of(&shared, request.clone(), body), expected, "{request:?}");
        }
        let certain = Request { method: b"PUT".to_vec(), ..request(&[JSON, gzip]) };
        assert_eq!(status_of(&shared, certain, Ok(b"x")), 0, "the rule does not concern it");
        let admin = Request { target: b"/%61dmin;v=1/x".to_vec(), ..request(&[]) };
        assert_eq!(status_of(&shared, admin, Ok(b"")), 403);
    }
}

#[test]
fn a_rule_that_adds_headers_holds_nobodys_upload() {
    let shared = shared("{}");
    rules(
        &shared,
        json!([{"_id": "h", "type": "regex", "regex_config": [{"conditions": [
            {"path": "request.body.query", "value": "mutation"}]}], "response": {"headers": {"X-M": "1"}}}]),
    );
    let length = ("content-length", "24");
    for (headers, waits) in [
        (&[JSON, length][..], true),
        (&[JSON], false),
        (&[("content-type", "text/plain"), length], false),
        (&[JSON, ("content-length", "100001")], false),
    ] {
        let step = flow(&shared).send(request(headers));
        assert_eq!(matches!(step, Step { then: Then::AwaitBody, .. }), waits, "{headers:?}");
        assert!(waits || matches!(step, Step { then: Then::Forward, .. }));
    }
}

#[test]
fn on_kong_a_body_of_unknown_length_is_judged_too() {
    let shared = shared("{}");
    graphql_rule(&shared);
    let mut first = flow(&shared);
    assert!(matches!(first.send(unknown("POST", &[JSON])), Step { then: Then::StreamBody, .. }));
    assert_eq!(first.on(Event::Chunk(b"{\"query\":\"muta".to_vec())), Step::stream_body());
    first.on(Event::Chunk(b"tion\"}".to_vec()));
    assert!(matches!(first.on(Event::Body(Ok(vec![]))), Step { then: Then::Reply(_), .. }));
    let mut endless = flow(&shared);
    endless.send(unknown("POST", &[JSON]));
    let Step { then: Then::Reply(reply), .. } = endless.on(Event::Chunk(vec![b' '; 100_001]))
    else {
        panic!()
    };
    assert_eq!(reply.status, 413);
}

#[test]
fn on_kong_a_body_that_nothing_announces_is_judged_whatever_the_method() {
    let shared = shared("{}");
    graphql_rule(&shared);
    for method in ["GET", "HEAD", "OPTIONS", "TRACE", "DELETE", "POST", "PURGE"] {
        for (body, status) in [(&b"{\"query\":\"mutation\"}"[..], 400), (b"query=x", 0)] {
            let mut flow = flow(&shared);
            let step = flow.send(unknown(method, &[]));
            assert!(matches!(step, Step { then: Then::StreamBody, .. }), "{method}");
            assert_eq!(flow.on(Event::Chunk(body.to_vec())), Step::stream_body());
            let answer = match flow.on(Event::Body(Ok(vec![]))) {
                Step { then: Then::Reply(reply), .. } => reply.status,
                Step { then: Then::Forward, .. } => 0,
                other => panic!("{other:?}"),
            };
            assert_eq!(answer, status, "{method}");
        }
    }
}

#[test]
fn on_kong_a_request_without_a_body_is_judged_at_its_headers() {
    let shared = shared("{}");
    let header = json!({"_id": "h", "type": "regex", "response": {"headers": {"X-M": "1"}}});
    let rule = |id: &str, path: &str, value: &str| {
        json!({"_id": id, "type": "regex", "block": true, "response": {"status": 403},
            "regex_config": [{"conditions": [{"path": path, "value": value}]}]})
    };
    let body = rule("b", "request.body.query", "mutation");
    rules(&shared, json!([body, rule("r", "request.route", "^/admin"), header]));
    for method in ["GET", "POST"] {
        let mut flow = flow(&shared);
        let step = flow.send(unknown(method, &[]));
        let edits = vec![published(), set(TRANSACTION, ID)];
        assert_eq!(step, Step::stream_body().with_edits(edits), "the headers wait for nothing");
        assert!(flow.wants_response() && flow.watches().done, "no body came");
        let added = [set(TRANSACTION, ID), set("X-M", "1")];
        assert_eq!(respond(&mut flow, 200, &[]), added, "a rule's headers need no body");
        done(&mut flow);
        assert!(event(&shared)["metadata"].get("left_out").is_none());
        for (target, status) in [("/admin", 403), ("/%2561dmin", 400)] {
            let hidden = Request { target: target.into(), ..unknown(method, &[]) };
            let Step { then: Then::Reply(reply), .. } = self::flow(&shared).send(hidden) else {
                panic!("a request that another rule refuses does not wait for a body")
            };
            assert_eq!(reply.status, status, "{method} {target}");
        }
    }
}

#[test]
fn a_form_is_judged_whatever_its_content_type() {
    let shared = shared("{}");
    graphql_rule(&shared);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let parts = b"--X\r\nContent-Disposition: form-data; name=query\r\n\r\nmutation\r\n--X--\r\n";
    for (headers, body, status) in [
        (&[("content-type", "application/x-www-form-urlencoded; charset")][..], FORM, 400),
        (&[("content-type", "text/plain"), form], FORM, 400),
        (&[form, ("content-type", "text/plain")], FORM, 400),
        (&[("content-type", "APPLICATION/X-WWW-FORM-URLENCODED")], FORM, 400),
        (&[("content-type", "text/plain")], FORM, 400),
        (&[("content-type", "")], FORM, 400),
        (&[JSON], FORM, 400),
        (&[], FORM, 400),
        (&[("content-type", "multipart/form-data; boundary=X; y")], parts, 400),
        (&[("content-type", "multipart/mixed; boundary=X")], parts, 400),
        (&[("content-type", "text/plain")], b"a=1", 0),
        (&[], b"a=1", 0),
    ] {
        assert_eq!(status_of(&shared, request(headers), Ok(body)), status, "{headers:?}");
    }
    let pass = self::shared(r#"{"unreadable_requests":"pass"}"#);
    graphql_rule(&pass);
    let both = [("content-type", "text/plain"), form];
    assert_eq!(status_of(&pass, request(&both), Ok(FORM)), 400, "what is found still counts");
}
