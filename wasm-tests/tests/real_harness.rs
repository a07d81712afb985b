//! The fixtures for real gateways do what the tests rely on.

use serde_json::json;
use std::net::SocketAddr;
use wasm_tests::real::{
    Admin, Answer, Connection, Echo, FaultyServer, Link, Mode, Proxy, RawRequest, Server, Setup,
    eventually,
};

#[test]
fn the_upstream_sees_every_byte_that_the_client_sent() {
    let echo = Echo::start();
    let envoy = Proxy::start(&Setup::new(echo.address(), Vec::new()).concurrency(2));
    let request = RawRequest::post("/a%2Fb?q=1", "body")
        .header("x-twice", "one")
        .header("x-twice", "two")
        .header("x-bytes", b"\xff\xfe")
        .header("x-long", "l".repeat(64 * 1024));

    let answer = envoy.send(&request);

    let description = answer.json();
    assert_eq!(answer.status(), 200, "{}", answer.text());
    assert_eq!(description["method"], "POST");
    assert_eq!(description["path"], "/a%2Fb?q=1");
    assert_eq!(description["body"], "body");
    let received = echo.last();
    assert_eq!(received.all("x-twice"), ["one", "two"]);
    let bytes = received.headers.iter().find(|(name, _)| name == b"x-bytes").expect("x-bytes");
    assert_eq!(bytes.1, b"\xff\xfe");
    assert_eq!(received.header("x-long").map(|long| long.len()), Some(64 * 1024));
    assert_eq!(echo.count(), 1);
}

#[test]
fn a_connection_is_kept_and_a_body_may_come_in_pieces() {
    let echo = Echo::start();
    let envoy = Proxy::start(&Setup::new(echo.address(), Vec::new()));
    let mut connection = Connection::open(envoy.address("main")).expect("a connection");

    let chunked = RawRequest::post("/chunked", "c".repeat(2500)).chunked();
    let answer = connection.exchange(&chunked).expect("an answer");
    assert_eq!(answer.json()["body"], "c".repeat(2500));

    let pieces = RawRequest::post("/pieces", "").header("content-length", "6");
    connection.write(&pieces.head()).expect("the head");
    connection.write(b"one").expect("a piece");
    connection.write(b"two").expect("another");
    assert_eq!(connection.answer().expect("an answer").json()["body"], "onetwo");
    assert_eq!(echo.count(), 2);
}

#[test]
fn a_front_counts_holds_and_breaks_answers() {
    let mut faulty =
        FaultyServer::scripted(|request| Answer::json(200, json!({"path": request.path()})));
    let address = faulty.address();
    assert_eq!(RawRequest::get("/a").send(address).json()["path"], "/a");

    faulty.set(Mode::Hold);
    let held = std::thread::spawn(move || RawRequest::get("/held").send(address).json());
    wasm_tests::real::eventually("request on hold", || (faulty.count("/held") == 1).then_some(()));
    assert!(!held.is_finished());
    faulty.set(Mode::Pass);
    assert_eq!(held.join().expect("an answer")["path"], "/held");

    faulty.set(Mode::Status(500));
    assert_eq!(RawRequest::get("/b").send(address).status(), 500);
    faulty.set(Mode::Garbage);
    assert_eq!(RawRequest::get("/b").send(address).json(), json!(null));
    for broken in [Mode::Truncate, Mode::HangUp] {
        faulty.set(broken);
        assert!(RawRequest::get("/b").try_send(address).is_err(), "{broken:?}");
    }
    faulty.stop();
    assert!(RawRequest::get("/b").try_send(address).is_err());
    faulty.resume();
    assert_eq!(RawRequest::get("/a").send(address).json()["path"], "/a");
    assert_eq!((faulty.count("/a"), faulty.count("/b"), faulty.count("/")), (2, 4, 7));
}

#[test]
fn a_front_passes_a_request_on_unchanged() {
    let echo = Echo::start();
    let faulty = FaultyServer::before(echo.address());
    let request = RawRequest::post("/x?y=z", "body").header("authorization", "Bearer t");

    let answer = request.send(faulty.address());

    assert_eq!((answer.status(), answer.json()["path"].as_str()), (200, Some("/x?y=z")));
    assert_eq!(answer.header("content-type").as_deref(), Some("application/json"));
    assert_eq!(echo.last().header("authorization").as_deref(), Some("Bearer t"));
    assert_eq!(echo.last().body, b"body");
    assert_eq!(echo.last().header("host").as_deref(), Some("gateway.test"));
}

#[test]
fn a_refused_configuration_comes_with_the_log() {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    let setup = Setup::new(nowhere, Vec::new()).cluster("upstream", nowhere);

    let log = Proxy::try_start(&setup).err().expect("two clusters of one name are refused");

    assert!(log.contains("duplicate cluster 'upstream'"), "{log}");
}

#[test]
fn the_admin_service_keeps_its_address_and_its_data_when_it_is_killed_and_started_again() {
    let mut admin = Admin::start();
    let address = admin.address();
    let ana = admin.create("/consumers", &json!({"username": "ana"}));

    admin.kill();
    assert!(RawRequest::get("/status").try_send(address).is_err());
    admin.resume();

    assert_eq!(admin.address(), address);
    assert_eq!(admin.send(RawRequest::get("/consumers/ana")).json()["id"], ana["id"]);
}

#[test]
fn an_older_database_can_be_put_back() {
    let mut admin = Admin::start();
    admin.create("/consumers", &json!({"username": "before"}));
    admin.backup();
    admin.create("/consumers", &json!({"username": "after"}));

    admin.put_back();

    assert_eq!(admin.send(RawRequest::get("/consumers/before")).status(), 200);
    assert_eq!(admin.send(RawRequest::get("/consumers/after")).status(), 404);
}

#[test]
fn with_tokens_the_admin_service_answers_nobody_without_one() {
    let admin = Admin::with_tokens(&"a".repeat(40), &"g".repeat(40));

    assert_eq!(admin.send(RawRequest::get("/consumers")).status(), 200);
    assert_eq!(RawRequest::get("/consumers").send(admin.address()).status(), 401);
}

#[test]
fn a_network_keeps_no_handle_of_a_connection_that_has_ended() {
    let server = Server::start(|_| Answer::json(200, "{}"));
    let link = Link::to(server.address());
    let mut open = Connection::open(link.address()).expect("a connection");
    let is_served = |open: &mut Connection| open.exchange(&RawRequest::get("/")).is_ok();
    assert!(is_served(&mut open));
    for _ in 0..20 {
        assert_eq!(RawRequest::get("/").send(link.address()).status(), 200);
    }
    eventually("one open connection", || (link.connections() == 1).then_some(()));
    assert!(is_served(&mut open));

    // One that has lost bytes ends when the network is whole again.
    link.cut();
    open.write(&RawRequest::get("/").head()).expect("bytes that vanish");
    eventually("a connection that has lost bytes", || {
        link.mend();
        let ended = link.connections() == 0;
        link.cut();
        ended.then_some(())
    });
}
