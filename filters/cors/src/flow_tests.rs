use super::*;
use crate::config::tests::config;
use consumer::testing::Driver;
use exchange::testing::request;
use exchange::{Body, Edit, Head, Reply, Response, Then};

const ALL_METHODS: &str = "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT";

fn filter(json: &str) -> Driver {
    let config = Rc::new(config(json));
    let common = config.common.clone();
    Driver::new(&common, move |admitted| CorsFlow::start(Rc::clone(&config), &admitted.request))
}

/// Returns the headers of the response to a preflight, without `access-control-`.
#[track_caller]
fn preflight(json: &str, headers: &[(&str, &str)]) -> Vec<(String, String)> {
    let asked = [headers, &[("Access-Control-Request-Method", "GET")]].concat();
    let mut filter = filter(json);
    let reply = match filter.send(request("OPTIONS", "/", &asked)) {
        Step { then: Then::Reply(reply), .. } => reply,
        other => panic!("{other:?}"),
    };
    assert_eq!((reply.status, reply.body), (200, Body::Empty));
    assert!(!filter.wants_response(), "it is complete");
    let text = |value: Vec<u8>| String::from_utf8(value).unwrap();
    let short = |name: &str| name.strip_prefix("access-control-").unwrap_or(name).to_owned();
    reply.headers.into_iter().map(|(name, value)| (short(&name), text(value))).collect()
}

/// Returns the edits of the response to a request. `upstream` is its headers.
#[track_caller]
fn changes(json: &str, headers: &[(&str, &str)], upstream: &[(&str, &str)]) -> Vec<Edit> {
    let mut filter = filter(json);
    assert_eq!(filter.send(request("GET", "/", headers)), Step::forward(vec![]));
    assert!(filter.wants_response());
    let head = upstream.iter().copied().collect::<Head>();
    let response = Response { head, status: 200, ..Response::default() };
    match filter.on_response(ResponseEvent::Head(Box::new(response))) {
        ResponseStep::Forward(edits) => edits,
        other => panic!("{other:?}"),
    }
}

fn own(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn set(name: &str, value: &str) -> Edit {
    Edit::set(format!("access-control-{name}"), value)
}

fn vary() -> Edit {
    Edit::Add("vary".into(), b"Origin".to_vec())
}

#[test]
fn a_preflight_is_answered_with_what_the_settings_allow() {
    let full = r#"{"origins":["example.test"],"methods":["GET"],"headers":["origin","type","accepts"],
        "exposed_headers":["x-auth-token"],"max_age":23,"credentials":true}"#;
    for (json, origin, expected) in [
        ("{}", "origin1.test", &[("allow-origin", "*"), ("allow-methods", ALL_METHODS)][..]),
        (r#"{"origins":[]}"#, "a", &[("allow-origin", "*"), ("allow-methods", ALL_METHODS)]),
        (
            r#"{"origins":["*"],"credentials":true}"#,
            "origin5.test",
            &[
                ("allow-origin", "origin5.test"),
                ("allow-credentials", "true"),
                ("vary", "Origin"),
                ("allow-methods", ALL_METHODS),
            ],
        ),
        (
            full,
            "origin5.test",
            &[
                ("allow-origin", "example.test"),
                ("allow-credentials", "true"),
                ("vary", "Origin"),
                ("allow-headers", "origin,type,accepts"),
                ("allow-methods", "GET"),
                ("max-age", "23"),
            ],
        ),
        (
            r#"{"origins":["http://a.test","http://b.test"],"methods":[]}"#,
            "http://c.test",
            &[("vary", "Origin")],
        ),
    ] {
        assert_eq!(preflight(json, &[("Origin", origin)]), own(expected), "{json}");
    }
}

#[test]
fn headers_that_a_browser_asks_for_are_allowed_where_the_settings_name_none() {
    let asked = [("origin", "http://a"), ("Access-Control-Request-Headers", "origin,accepts")];
    let told = |json: &str| {
        preflight(json, &asked).into_iter().find(|(name, _)| name == "allow-headers").unwrap().1
    };
    assert_eq!(told("{}"), "origin,accepts");
    assert_eq!(told(r#"{"headers":["x"]}"#), "x");
    let hostile = [("origin", "http://a"), ("access-control-request-headers", "a\u{7f}")];
    assert!(!preflight("{}", &hostile).iter().any(|(name, _)| name == "allow-headers"));
}

#[test]
fn a_private_network_is_open_to_who_asks_for_it_if_the_settings_say_so() {
    let said = |json: &str, value: &str| {
        let headers = [("origin", "http://a"), ("Access-Control-Request-Private-Network", value)];
        preflight(json, &headers).iter().any(|(name, _)| name == "allow-private-network")
    };
    assert!(said(r#"{"private_network":true}"#, "true"));
    assert!(!said(r#"{"private_network":true}"#, "false"));
    assert!(!said("{}", "true"));
}

#[test]
fn only_a_preflight_is_answered_by_the_gateway() {
    let method = ("access-control-request-method", "PUT");
    for (verb, headers) in [
        ("OPTIONS", &[][..]),
        ("OPTIONS", &[("origin", "http://a")]),
        ("OPTIONS", &[method]),
        ("OPTIONS", &[("origin", ""), method]),
        ("GET", &[("origin", "http://a"), method]),
    ] {
        let mut filter = filter("{}");
        assert_eq!(
            filter.send(request(verb, "/", headers)),
            Step::forward(vec![]),
            "{verb} {headers:?}"
        );
        assert!(filter.wants_response());
    }
    let mut filter = filter(r#"{"preflight_continue":true}"#);
    let asked = request("OPTIONS", "/", &[("origin", "http://a"), method]);
    assert_eq!(filter.send(asked), Step::forward(vec![]));
    assert!(!filter.wants_response(), "the upstream's answer stays as it is");
}

#[test]
fn every_other_response_says_which_origins_may_read_it() {
    let two = r#"{"origins":["http://a.test","http://b.test"]}"#;
    let one = r#"{"origins":["example.test"],"exposed_headers":["x-auth-token","x-b"],"credentials":true}"#;
    let a = [("origin", "http://a.test:80")];
    for (json, headers, expected) in [
        ("{}", &[][..], vec![set("allow-origin", "*")]),
        ("{}", &a, vec![set("allow-origin", "*")]),
        (
            one,
            &[],
            vec![
                set("allow-origin", "example.test"),
                set("allow-credentials", "true"),
                vary(),
                set("expose-headers", "x-auth-token,x-b"),
            ],
        ),
        (two, &a, vec![set("allow-origin", "http://a.test"), vary()]),
        (two, &[("origin", "http://c")], vec![Edit::remove("access-control-allow-origin"), vary()]),
        (two, &[], vec![Edit::remove("access-control-allow-origin"), vary()]),
        (r#"{"credentials":true}"#, &[], vec![set("allow-origin", "*"), vary()]),
        (
            r#"{"credentials":true}"#,
            &[("origin", "http://www.example.net:3000")],
            vec![
                set("allow-origin", "http://www.example.net:3000"),
                set("allow-credentials", "true"),
                vary(),
            ],
        ),
    ] {
        assert_eq!(changes(json, headers, &[]), expected, "{json} {headers:?}");
    }
}

/// Kong/kong#3765: a cache kept the response to a request without an origin, and served it to an
/// origin that needs its own name in the response.
#[test]
fn a_cache_is_told_that_origins_matter_of_every_answer_that_another_origin_would_not_get() {
    let told = |json: &str, headers: &[(&str, &str)]| changes(json, headers, &[]).contains(&vary());
    let a = [("origin", "http://a.test")];
    for json in [
        r#"{"credentials":true}"#,
        r#"{"credentials":true,"origins":["*"]}"#,
        r#"{"origins":["http://a.test","*"]}"#,
        r#"{"origins":["http://a.test","http://b.test"]}"#,
        r#"{"allow_origin_absent":false}"#,
        r#"{"allow_origin_absent":false,"credentials":true}"#,
    ] {
        assert!(told(json, &[]) && told(json, &a), "{json}");
    }
    // All origins get one response.
    assert!(!told("{}", &[]) && !told("{}", &a));
    let silent = changes(r#"{"allow_origin_absent":false}"#, &[], &[]);
    assert_eq!(silent, [vary()], "and nothing else is said");
}

#[test]
fn a_cache_is_told_once_that_origins_matter() {
    let json = r#"{"origins":["example.test"]}"#;
    let added = |value: &str| changes(json, &[], &[("Vary", value)]).contains(&vary());
    assert!(added("Accept-Encoding") && added("X-Origin"));
    assert!(!added("Accept-Encoding, origin") && !added("Origin") && !added("*"));
}

#[test]
fn without_an_origin_nothing_is_said_if_the_settings_say_so() {
    let mut filter = filter(r#"{"allow_origin_absent":false}"#);
    assert_eq!(filter.send(request("GET", "/", &[])), Step::forward(vec![]));
    assert!(filter.wants_response());
    assert!(
        !changes(r#"{"allow_origin_absent":false}"#, &[("origin", "http://a")], &[]).is_empty()
    );
}

#[test]
fn requests_outside_of_match_and_refused_requests_are_not_changed() {
    for (json, forwarded) in
        [(r#"{"match":{"paths":["/api"]}}"#, true), (r#"{"match":{"routes":["r"]}}"#, false)]
    {
        let mut filter = filter(json);
        let step = filter.send(request("GET", "/", &[]));
        assert_eq!(matches!(step, Step { then: Then::Forward, .. }), forwarded);
        assert!(!filter.wants_response());
    }
}

#[test]
fn an_event_out_of_order_is_refused_and_a_second_response_is_left_alone() {
    let mut filter = filter("{}");
    filter.send(request("GET", "/", &[]));
    let head = || ResponseEvent::Head(Box::default());
    assert_ne!(filter.on_response(head()), ResponseStep::Forward(vec![]));
    assert_eq!(filter.on_response(head()), ResponseStep::Forward(vec![]));
    let step = filter.on(Event::Body(Ok(vec![])));
    assert!(matches!(step, Step { then: Then::Reply(Reply { status: 500, .. }), .. }));
}
