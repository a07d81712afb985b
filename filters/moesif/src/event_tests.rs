use super::*;
use crate::config::tests::config;
use exchange::{Named, Origin};

fn request() -> Request {
    Request {
        head: Head::from_iter([
            (":authority", "a.example"),
            (":path", "/p?key=s"),
            ("X-Two", "1"),
            ("authorization", "Bearer x"),
            ("x-two", "2"),
            ("referer", "https://b/?key=s&q=1"),
            ("x-forwarded-for", "8.8.8.8, 10.0.0.1"),
        ]),
        method: b"POST".to_vec(),
        target: b"/p?key=s".to_vec(),
        now: 1_730_263_542_005,
        peer: Some("10.0.0.9".into()),
        origin: Origin { scheme: Some("https".into()), host: Some("a.example".into()), port: None },
        ..Request::default()
    }
}

fn text(event: Event<'_>) -> String {
    String::from_utf8(event.into_json().unwrap()).unwrap()
}

fn event<'a>(config: &'a Config, request: &'a Request, who: &'a Who) -> Event<'a> {
    Event {
        config,
        request,
        request_body: Body::Json("{\"n\":1.50}".into()),
        request_length: Some(10),
        response: None,
        who,
        session_token: None,
        weight: 1,
        blocked_by: None,
        id: "00000000-0000-4000-8000-000000000000",
        transaction: None,
    }
}

#[test]
fn an_event_says_all_that_the_collector_knows_to_read() {
    let config =
        config(r#"{"request_query_masks":["key"],"request_header_masks":["Authorization"]}"#);
    let request = Request {
        entities: exchange::Entities {
            route: Entity::Json(br#"{"hosts":["a.example"],"name":"r"}"#.to_vec()),
            service: Entity::Json(b"{}".to_vec()),
        },
        route: Named { id: Some("1".into()), name: Some("r".into()) },
        service: Named { id: Some("2".into()), name: Some("s".into()) },
        ..request()
    };
    let who = Who { user: Some("ana".into()), company: Some("acme".into()) };
    let response =
        Head::from_iter([(":status", "201"), ("Set-Cookie", "a=1"), ("set-cookie", "b=2")]);
    let event = Event {
        response: Some(Reply {
            head: &response,
            status: 201,
            time: 1_730_263_542_914,
            body: Body::Bytes(b"\xff".to_vec()),
            length: None,
        }),
        session_token: Some("t".into()),
        weight: 10,
        blocked_by: Some("rule"),
        transaction: Some(b"tx"),
        ..event(&config, &request, &who)
    };
    let expected = concat!(
        r#"{"request":{"time":"2024-10-30T04:45:42.005Z","uri":"https://a.example/p?key=*****","verb":"POST","#,
        r#""ip_address":"8.8.8.8","api_version":"1.0","headers":{"host":"a.example","x-two":"1, 2","#,
        r#""referer":"https://b/?key=*****&q=1","x-forwarded-for":"8.8.8.8, 10.0.0.1","x-moesif-transaction-id":"tx"},"#,
        r#""body":{"n":1.50},"transfer_encoding":"json","content_length":10},"#,
        r#""response":{"time":"2024-10-30T04:45:42.914Z","status":201,"headers":{"set-cookie":"a=1, b=2","#,
        r#""x-moesif-transaction-id":"tx"},"body":"/w==","transfer_encoding":"base64"},"#,
        r#""session_token":"t","user_id":"ana","company_id":"acme","#,
        r#""metadata":{"kong":{"route_hosts":["a.example"],"route_id":"1","route_name":"r","service_id":"2","service_name":"s"}},"#,
        r#""direction":"Incoming","weight":10,"blocked_by":"rule","#,
        r#""transaction_id":"00000000-0000-4000-8000-000000000000"}"#
    );
    assert_eq!(text(event), expected);
}

#[test]
fn an_event_leaves_out_unknown_members() {
    let config = config(r#"{"trust_client_ip_headers":false}"#);
    let request = Request { service: Named { id: None, name: Some("orders".into()) }, ..request() };
    let who = Who::default();
    let event =
        Event { request_body: Body::LeftOut(LeftOut::TooLarge), ..event(&config, &request, &who) };
    let json: Value = serde_json::from_str(&text(event)).unwrap();
    assert_eq!(json["request"]["ip_address"], "10.0.0.9");
    assert_eq!(json["metadata"]["envoy"]["cluster_name"], "orders");
    assert_eq!(json["metadata"]["left_out"]["request_body"], "too_large");
    for absent in ["response", "user_id", "company_id", "session_token", "blocked_by"] {
        assert!(json.get(absent).is_none(), "{absent}");
    }
    assert!(
        json["request"].get("body").is_none() && json["request"].get("transfer_encoding").is_none()
    );
    assert_eq!(json["request"]["content_length"], 10);
}

#[test]
fn a_masked_header_gives_no_address_away() {
    let config = config(r#"{"request_header_masks":["x-forwarded-for","HOST"]}"#);
    let json: Value =
        serde_json::from_str(&text(event(&config, &request(), &Who::default()))).unwrap();
    assert_eq!(json["request"]["ip_address"], "10.0.0.9");
    let headers = json["request"]["headers"].as_object().unwrap();
    assert!(!headers.contains_key("x-forwarded-for") && !headers.contains_key("host"));
}

#[test]
fn a_query_is_masked_in_every_value_of_a_header() {
    let config = config(r#"{"request_query_masks":["key"]}"#);
    let links = [("link", "<https://b/?key=s>; rel=\"next\""), ("Link", "<https://b/?p=1&key=t>")];
    let head: Head =
        [("referer", "https://b/?a=1"), ("referer", "https://b/?key=u")].into_iter().collect();
    let response = links.into_iter().collect();
    let request = Request { head, ..request() };
    let reply = Reply { head: &response, status: 200, time: 0, body: Body::None, length: None };
    let who = Who::default();
    let event = Event { response: Some(reply), ..event(&config, &request, &who) };
    let json: Value = serde_json::from_str(&text(event)).unwrap();
    let referer = &json["request"]["headers"]["referer"];
    assert_eq!(referer, "https://b/?a=1, https://b/?key=*****");
    let link = &json["response"]["headers"]["link"];
    assert_eq!(link, "<https://b/?key=*****>; rel=\"next\", <https://b/?p=1&key=*****>");
}

#[test]
fn bytes_that_are_no_text_do_no_harm() {
    let config = config("{}");
    let head = Head::from_iter([(&b"x-\xff"[..], &b"\xff\"\0"[..])]);
    let request =
        Request { head, target: b"/\xff\"".to_vec(), method: b"G\xff".to_vec(), ..request() };
    let json: Value =
        serde_json::from_str(&text(event(&config, &request, &Who::default()))).unwrap();
    assert_eq!(json["request"]["headers"]["x-\u{fffd}"], "\u{fffd}\"\0");
    assert_eq!(json["request"]["uri"], "https://a.example/\u{fffd}\"");
}

#[test]
fn an_event_is_no_larger_than_the_collector_takes() {
    let config = config("{}");
    let (request, who, head) = (request(), Who::default(), Head::default());
    let sized = |request_body: usize, response_body: usize| {
        let of = |size| Body::Bytes(vec![0; size]);
        let response =
            Reply { head: &head, status: 200, time: 0, body: of(response_body), length: None };
        let event = Event {
            request_body: of(request_body),
            response: Some(response),
            ..event(&config, &request, &who)
        };
        let json: Value = serde_json::from_str(&text(event)).unwrap();
        [json["request"].get("body").is_some(), json["response"].get("body").is_some()]
    };
    assert_eq!(sized(300_000, 300_000), [true, true]);
    assert_eq!(sized(300_000, 600_000), [true, false]);
    assert_eq!(sized(600_000, 300_000), [false, true]);
    assert_eq!(sized(900_000, 900_000), [false, false]);
    let large = Request { target: vec![b'x'; MAX_EVENT], ..request.clone() };
    assert_eq!(event(&config, &large, &who).into_json(), None);
}
