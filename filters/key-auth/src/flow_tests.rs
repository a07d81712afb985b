use super::*;
use crate::config::tests::config;
use crate::entry::encode;
use consumer::Credential;
use consumer::lookup::{self, By};
use consumer::testing::Driver;
use exchange::{Body, Then, testing};

const INLINE: &str = r#""consumers":[{"id":"1","username":"fiona","keyauth_credentials":[{"id":"k","key":"open_sesame"}]},{"id":"9","username":"guests"}]"#;

/// The time at which a flow decides, in milliseconds since 1970. A request comes at 500.
const LATER: u64 = 60_000;

fn filter(json: &str) -> Driver {
    let config = Rc::new(config(&format!("{{{json}}}")));
    let common = config.common.clone();
    Driver::new(&common, move |admitted| KeyAuthFlow::start(Rc::clone(&config), || LATER, admitted))
}

fn inline(more: &str) -> Driver {
    filter(&format!("{INLINE}{more}"))
}

fn asking(more: &str) -> Driver {
    filter(&format!(r#""admin":{{"upstream":"admin"}}{more}"#))
}

fn request(target: &str, headers: &[(&str, &str)]) -> Request {
    Request { now: 500, ..testing::request("GET", target, headers) }
}

fn fiona() -> Identity {
    let credential = Credential {
        id: "k".into(),
        kind: "key-auth".into(),
        identifier: Some("k".into()),
        key: None,
    };
    Identity {
        id: "1".into(),
        username: Some("fiona".into()),
        credential: Some(credential),
        ..Identity::default()
    }
}

fn admitted(identity: &Identity) -> Step {
    Step::forward(vec![Edit::publish(PROPERTY, identity.to_json())])
}

fn refusal(step: &Step) -> (u16, &str, Option<&str>) {
    match step {
        Step {
            then: Then::Reply(Reply { status, body: Body::Error(message), headers, .. }),
            ..
        } => {
            let challenge = headers.iter().find(|(name, _)| name == "www-authenticate");
            (*status, message, challenge.map(|(_, value)| std::str::from_utf8(value).unwrap()))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_known_key_admits_its_consumer() {
    for request in
        [request("/", &[("apikey", "open_sesame")]), request("/?apikey=open_sesame", &[])]
    {
        assert_eq!(inline("").send(request), admitted(&fiona()));
    }
}

#[test]
fn each_refusal_has_its_words_and_its_challenge() {
    for (target, fields, expected) in [
        ("/", &[][..], "No API key found in request"),
        ("/?apikey=", &[], "No API key found in request"),
        ("/", &[("apikey", "open_sesame"), ("apikey", "open_sesame")], "Duplicate API key found"),
        ("/", &[("apikey", "wrong")], "Unauthorized"),
        ("/?apikey=open_sesame", &[("apikey", "wrong")], "Unauthorized"),
    ] {
        assert_eq!(
            refusal(&inline("").send(request(target, fields))),
            (401, expected, Some("Key"))
        );
        let realm = inline(r#","realm":"r""#).send(request(target, fields));
        assert_eq!(refusal(&realm).2, Some(r#"Key realm="r""#));
    }
}

#[test]
fn a_key_that_is_not_in_the_settings_is_asked_for() {
    let mut filter = asking("");
    let step = filter.send(request("/", &[("apikey", "open_sesame")]));
    assert_eq!(step, Step::find(by_key(&key_digest(b"open_sesame"))));
    assert_eq!(
        filter.on(Event::Found(Ok(Finding::Value(encode(&fiona(), None))))),
        admitted(&fiona())
    );
}

#[test]
fn a_failed_lookup_is_refused_even_with_an_anonymous_consumer() {
    for more in ["", r#","anonymous":"guests""#] {
        let mut filter = asking(more);
        filter.send(request("/", &[("apikey", "x")]));
        assert_eq!(
            refusal(&filter.on(Event::Found(Err(Unavailable)))),
            (503, "Service unavailable", None)
        );
    }
}

#[test]
fn an_unknown_or_ended_key_is_unauthorized() {
    for found in [
        Finding::Nothing,
        Finding::Value(encode(&fiona(), Some(LATER))),
        Finding::Value(b"odd".to_vec()),
    ] {
        let mut filter = asking("");
        filter.send(request("/", &[("apikey", "x")]));
        assert_eq!(refusal(&filter.on(Event::Found(Ok(found)))).1, "Unauthorized");
    }
}

#[test]
fn the_anonymous_consumer_stands_in_for_every_failure() {
    let guests =
        Identity { id: "9".into(), username: Some("guests".into()), ..Identity::default() }
            .into_anonymous();
    for anonymous in ["guests", "9"] {
        let more = format!(r#","anonymous":"{anonymous}""#);
        for request in
            [request("/", &[]), request("/?apikey=a&apikey=b", &[]), request("/?apikey=x", &[])]
        {
            assert_eq!(inline(&more).send(request), admitted(&guests));
        }
    }
    let mut filter = asking(r#","anonymous":"guests""#);
    let username = lookup::key(By::Username, "guests");
    assert_eq!(filter.send(request("/", &[])), Step::find(username));
    let step = filter.on(Event::Found(Ok(Finding::Value(b"9".to_vec()))));
    assert_eq!(step, Step::find(lookup::key(By::Id, "9")));
    let found = Finding::Value(Identity { anonymous: false, ..guests.clone() }.to_json());
    assert_eq!(filter.on(Event::Found(Ok(found))), admitted(&guests));
}

#[test]
fn an_anonymous_consumer_that_does_not_exist_is_an_error() {
    let mut filter = asking(r#","anonymous":"nobody""#);
    filter.send(request("/", &[]));
    let step = filter.on(Event::Found(Ok(Finding::Nothing)));
    assert_eq!(
        refusal(&step),
        (500, "anonymous consumer nobody is configured but doesn't exist", None)
    );
}

#[test]
fn a_key_that_ends_while_its_body_or_its_owner_is_waited_for_has_ended() {
    for (ends, admits) in [(LATER, false), (LATER + 1, true)] {
        let mut filter = asking(r#","key_in_body":true"#);
        filter.send(post("application/x-www-form-urlencoded"));
        filter.on(Event::Body(Ok(b"apikey=open_sesame".to_vec())));
        let found = Finding::Value(encode(&fiona(), Some(ends)));
        let step = filter.on(Event::Found(Ok(found)));
        assert_eq!(step == admitted(&fiona()), admits, "{step:?}");
    }
}

#[test]
fn a_flag_in_the_query_ends_the_search_for_its_name() {
    let flagged = |names: &str| {
        let mut filter = inline(&format!(r#","key_in_body":true,"key_names":[{names}]"#));
        let request = post("application/x-www-form-urlencoded");
        filter.send(Request { target: b"/?apikey".to_vec(), ..request });
        filter.on(Event::Body(Ok(b"apikey=open_sesame&other=open_sesame".to_vec())))
    };
    assert_eq!(refusal(&flagged(r#""apikey""#)), (401, "No API key found in request", Some("Key")));
    assert_eq!(flagged(r#""apikey","other""#), admitted(&fiona()), "another name is searched for");
}

#[test]
fn a_list_or_an_object_is_more_than_one_key() {
    for value in [r#"{"a":1}"#, "{}", "[]", r#"["open_sesame"]"#] {
        let mut filter = inline(r#","key_in_body":true,"key_names":["apikey","other"]"#);
        filter.send(post("application/json"));
        let body = format!(r#"{{"other":"open_sesame","apikey":{value}}}"#);
        let step = filter.on(Event::Body(Ok(body.into_bytes())));
        assert_eq!(refusal(&step), (401, "Duplicate API key found", Some("Key")), "{value}");
    }
}

fn authenticated(mut request: Request) -> Request {
    request.consumer = Some(br#"{"id":"7","credential":{"id":"c"}}"#.to_vec());
    request
}

#[test]
fn an_earlier_authentication_is_enough_with_anonymous_and_not_without() {
    let or = r#","anonymous":"guests""#;
    assert_eq!(inline(or).send(authenticated(request("/", &[]))), Step::forward(vec![]));
    assert_eq!(refusal(&inline("").send(authenticated(request("/", &[])))).0, 401);
    let mut anonymous = request("/?apikey=open_sesame", &[]);
    anonymous.consumer = Some(br#"{"id":"9","anonymous":true}"#.to_vec());
    assert_eq!(inline(or).send(anonymous), admitted(&fiona()));
}

#[test]
fn a_preflight_passes_unauthenticated_where_wanted() {
    let options = || Request { method: b"OPTIONS".to_vec(), ..request("/", &[]) };
    assert_eq!(refusal(&inline("").send(options())).0, 401);
    let step = inline(r#","run_on_preflight":false"#).send(options());
    assert_eq!(step, Step::forward(vec![]));
}

#[test]
fn a_hidden_key_is_taken_out_wherever_the_filter_looks_and_nowhere_else() {
    let hidden = |more: &str| {
        let mut filter = inline(&format!(r#","hide_credentials":true{more}"#));
        let request = request("/?a=1&apikey=open_sesame&b", &[("apikey", "open_sesame")]);
        let Step { mut edits, then: Then::Forward } = filter.send(request) else { panic!() };
        edits.pop();
        edits
    };
    let query = || Edit::DropParameters(vec!["apikey".into()]);
    assert_eq!(hidden(""), [Edit::remove("apikey"), query()]);
    // Kong/kong#14656
    assert_eq!(hidden(r#","key_in_query":false"#), [Edit::remove("apikey")]);
    assert_eq!(hidden(r#","key_in_header":false"#), [query()]);
}

fn post(content_type: &str) -> Request {
    Request {
        method: b"POST".to_vec(),
        body: BodyAhead::Comes,
        ..request("/", &[("content-type", content_type)])
    }
}

#[test]
fn a_key_in_the_body_is_waited_for_and_taken_out_before_anything_else_happens() {
    let mut filter = asking(r#","key_in_body":true,"hide_credentials":true"#);
    assert_eq!(filter.send(post("application/x-www-form-urlencoded")), Step::await_body(vec![]));
    let step = filter.on(Event::Body(Ok(b"a=1&apikey=open_sesame".to_vec())));
    assert_eq!(
        step,
        Step::find(by_key(&key_digest(b"open_sesame")))
            .with_edits(vec![Edit::Body(b"a=1".to_vec())])
    );
}

#[test]
fn a_body_that_is_not_available_holds_no_key() {
    let more = r#","key_in_body":true"#;
    let none = Request { body: BodyAhead::None, ..post("application/json") };
    assert_eq!(refusal(&inline(more).send(none)).1, "No API key found in request");
    assert_eq!(refusal(&inline(more).send(post("text/plain"))).1, "No API key found in request");
    let mut filter = inline(more);
    filter.send(post("application/json"));
    assert_eq!(refusal(&filter.on(Event::Body(Err(Unavailable)))).1, "No API key found in request");
    let mut filter = inline(more);
    filter.send(post("application/json"));
    assert_eq!(
        filter.on(Event::Body(Ok(br#"{"apikey":"open_sesame"}"#.to_vec()))),
        admitted(&fiona())
    );
}

#[test]
fn an_exposed_key_is_in_the_property_and_nowhere_else() {
    let Step { edits, then: Then::Forward } =
        inline(r#","expose_key":true"#).send(request("/?apikey=open_sesame", &[]))
    else {
        panic!()
    };
    for edit in &edits {
        let value: &[u8] = match edit {
            Edit::Set(_, value) => value,
            Edit::Publish(_, value) => value,
            _ => continue,
        };
        let has = String::from_utf8_lossy(value).contains("open_sesame");
        assert_eq!(has, matches!(edit, Edit::Publish(..)), "{edit:?}");
    }
}

#[test]
fn an_event_out_of_order_is_refused() {
    let body = || Event::Body(Ok(vec![]));
    let found = || Event::Found(Ok(Finding::Value(encode(&fiona(), None))));
    let mut late = inline("");
    late.send(request("/?apikey=open_sesame", &[]));
    assert_eq!(refusal(&late.on(found())).0, 500);
    let mut asked = asking("");
    asked.send(request("/?apikey=x", &[]));
    assert_eq!(refusal(&asked.on(body())).0, 500);
}
