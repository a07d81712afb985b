//! `match` on the gateways: no spelling of a path or of a method leads past a filter.

use crate::gateways::{Gateway, refusal};
use serde_json::json;
use wasm_tests::{Request, refused_with};

#[test]
fn no_spelling_of_a_path_leads_past_a_filter() {
    let settings = json!({"status_code": 410, "match": {"paths": ["/admin"]}});
    for gateway in Gateway::both() {
        let proxy = gateway.start(&[("request_termination", settings.clone())]);
        for path in [
            "/admin",
            "/%61dmin/users",
            "/admin;v=1/users",
            "/admin%3Bv=1/users",
            "/;x/admin;/users",
            "//admin",
            "/x/%2e%2e/admin",
            "/admin/../x",
        ] {
            let stream = proxy.send(Request::get(path));
            assert_eq!(stream.refused().status, 410, "{} {path}", gateway.name);
        }
        for path in [
            "/%2561dmin",
            "/x%252f..%252fadmin",
            "/x%2f..%2fadmin",
            "/x\\..\\admin",
            "/x/..;/admin",
            "/%c1%a1dmin",
            "/admin%00",
        ] {
            let told = refusal(&proxy.send(Request::get(path)));
            assert_eq!(told, refused_with(400, "Bad request path"), "{} {path}", gateway.name);
        }
        for path in ["/", "/administrator", "/ADMIN", "/admin.json", "/x/admin"] {
            let stream = proxy.send(Request::get(path));
            assert_eq!(stream.forwarded().path, path, "{}: case and suffix count", gateway.name);
        }
    }
}

/// Envoy lets such methods in over HTTP/2; Kong's nginx refuses them.
#[test]
fn no_spelling_of_a_method_leads_past_a_filter() {
    let settings = json!({"status_code": 410, "match": {"methods": ["POST"]}});
    let proxy = Gateway::envoy().start(&[("request_termination", settings)]);
    for method in ["POST", "post", "pOST"] {
        assert_eq!(proxy.send(Request::new(method, "/")).refused().status, 410, "{method}");
    }
    assert_eq!(proxy.send(Request::get("/")).forwarded().path, "/");
}
