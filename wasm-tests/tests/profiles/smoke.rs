use crate::probe::{Do, Map, Probe, said};
use wasm_tests::{Callback, KongVersion, Profile, Proxy, Request, Response};

#[test]
fn a_request_goes_through_and_back() {
    for profile in [Profile::envoy(), Profile::kong(KongVersion::V3_9)] {
        let probe = Probe::on(
            Callback::RequestHeaders,
            &[Do::Arguments, Do::Get(Map::Request, "x-a"), Do::Set(Map::Request, "x-b", "2")],
        )
        .and(Callback::ResponseHeaders, &[Do::Add(Map::Response, "x-c", "3")]);
        let proxy = Proxy::new(profile, [probe.filter()]);
        let stream = proxy.send(Request::get("/x?y=1").header("X-A", "1"));
        assert_eq!(said(&proxy, "x-a"), ["1"]);
        let forwarded = stream.forwarded();
        assert_eq!(forwarded.header("x-b").as_deref(), Some("2"));
        assert_eq!(forwarded.path, "/x?y=1");
        stream.respond(Response::json(200, "{}"));
        assert_eq!(stream.reply().header("x-c").as_deref(), Some("3"));
        assert_eq!(stream.reply().text(), "{}");
        println!("{:?}", stream.outcome().callbacks);
    }
}
