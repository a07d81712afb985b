//! The families about methods, targets and upgrades.

use super::shape::{APP, Body, KEY, Shape, Want};

/// Known methods, unknown ones, and such as are none.
pub(super) fn methods() -> Vec<Shape> {
    let family = "methods";
    let mut all = Vec::new();
    for method in [
        "HEAD",
        "OPTIONS",
        "TRACE",
        "PUT",
        "PATCH",
        "DELETE",
        "PROPFIND",
        "PURGE",
        "get",
        "Get",
        "X",
        "GET!",
        "M-SEARCH",
        "PRI",
        "G_T",
        "A23456789012345678901234567890123456789012345678901234567890",
        "GE\u{e9}",
        "",
    ] {
        all.push(Shape::known(family).method(method));
        all.push(Shape::nobody(family).method(method));
        let body = Body::Whole(b"{}".to_vec());
        all.push(Shape::known(family).post("application/json", body.clone()).method(method));
        all.push(Shape::nobody(family).post("application/json", body).method(method));
        all.push(Shape::known(family).target("/retired?case=may").method(method));
        all.push(Shape::known(family).target("*").method(method));
        let overridden = Shape::nobody(family).method(method);
        all.push(
            overridden
                .header("x-http-method-override", "OPTIONS")
                .header("origin", "https://a.test"),
        );
        let preflight = Shape::nobody(family).method(method).header("origin", "https://b.test");
        all.push(preflight.header("access-control-request-method", "GET"));
    }
    for authority in ["gateway.test:443", "gateway.test", "/orders", "", "[::1]:80", "a:b"] {
        for shape in [Shape::known(family), Shape::nobody(family)] {
            all.push(
                Shape { authority: authority.into(), ..shape }.method("CONNECT").target(authority),
            );
        }
    }
    all
}

/// Paths that lead to the refused one for some server, and forms of targets.
pub(super) fn targets() -> Vec<Shape> {
    let family = "targets";
    let mut all = Vec::new();
    for path in [
        "/retired",
        "//retired",
        "///retired//x",
        "/./retired",
        "/x/../retired",
        "/x/..;/retired",
        "/retired;a=b",
        "/retired%3Ba",
        "/%72etired",
        "/%2572etired",
        "/r%65tired/",
        "/retired/.",
        "/retired/..",
        "/retired/../retired",
        "/retired%00",
        "/retired%00.html",
        "/%00/retired",
        "/x/%2e%2e/retired",
        "/x/%252e%252e/retired",
        "/x/.%2e/retired",
        "/x%2f..%2fretired",
        "/x%5c..%5cretired",
        "/x\\..\\retired",
        "\\retired",
        "/\\retired",
        "/%c0%afretired",
        "/x/%c0%ae%c0%ae/retired",
        "/%e0%80%afretired",
        "/%ef%bc%8fretired",
        "/retired?",
        "/retired#",
        "/retired%23",
        "/retired%3f",
        "/#/retired",
        "/?/../retired",
        "/retired%20",
        "/retired%09",
        "/retired ",
        "/ retired",
        "/%",
        "/%2",
        "/%zz/retired",
        "/re%tired",
        "/..",
        "/../retired",
        "/../../..",
        "/%2e%2e/%2e%2e/retired",
        "/RETIRED",
        "/Retired",
        "/retired.json",
        "/retired/x",
        "/retiree",
        "/.",
        "//",
        "/;",
        "/;/retired",
        "/;a=b/retired",
        "/.;/retired",
        "/x/.;/../retired",
        "/orders/..%00/retired",
        "/\u{ff}",
        "/%ff%fe",
        "/orders/%E2%80%AE",
    ] {
        for (suffix, base) in
            [("?case=may", Shape::known(family)), ("?case=never", Shape::nobody(family))]
        {
            all.push(base.clone().target(format!("{path}{suffix}")));
            all.push(base.clone().target(format!("http://gateway.test{path}{suffix}")));
            all.push(base.clone().target(format!("https://user:pw@other.test:1{path}{suffix}")));
            all.push(base.method("POST").target(format!("{path}{suffix}")));
        }
    }
    for target in [
        "*",
        "",
        "?",
        "#",
        "?case=may",
        "orders",
        "http://",
        "http:///",
        "http://gateway.test",
        "http://gateway.test?case=may",
        "HTTP://GATEWAY.TEST/orders",
        "ftp://gateway.test/orders",
        "/http://gateway.test/retired",
        "//gateway.test/retired",
        "/orders?case=may&a=%00%0d%0a",
        "/orders?case=may#fragment",
        "/orders??case=may",
        "/orders?case=may&&&&",
        "/orders?&=&=&case=may",
    ] {
        all.push(Shape::known(family).target(target));
        all.push(Shape::nobody(family).target(target.replace("may", "never")));
    }
    for authority in [
        "",
        "gateway.test:80",
        "GATEWAY.TEST",
        "gateway.test.",
        "a b",
        "a@b",
        "[::1]",
        "[::1",
        "\u{e9}",
        "gateway.test/retired",
        "gateway.test?x",
        "gateway.test\\x",
        "127.0.0.1",
        "a:99999",
        "a:b:c",
        ":80",
    ] {
        all.push(Shape { authority: authority.into(), ..Shape::known(family) });
        all.push(Shape { authority: authority.into(), ..Shape::nobody(family) });
    }
    let key = Shape::somebody(family).header("x-app-id", APP);
    for (query, passes) in [
        (format!("apikey={KEY}"), true),
        (format!("%61pikey={KEY}"), true),
        (format!("apikey=%6bey-of-ana&apikey2={KEY}"), true),
        (format!("APIKEY={KEY}"), false),
        (format!("apikey={KEY}%00"), false),
        (format!("apikey={KEY}&apikey="), false),
        (format!("apikey[]={KEY}"), false),
        (format!("apikey%00={KEY}"), false),
    ] {
        let want = if passes { Want::Passes } else { Want::Any };
        all.push(key.clone().target(format!("/orders?case=may&{query}")).want(want).unknown());
    }
    all
}

/// Handshakes of WebSockets over HTTP/1.1, and upgrades to nothing.
pub(super) fn upgrades() -> Vec<Shape> {
    let family = "upgrades";
    let mut all = Vec::new();
    for shape in [Shape::known(family), Shape::nobody(family)] {
        for upgrade in
            ["websocket", "WebSocket", "websocket, h2c", "h2c", "TLS/1.0", "connect-udp", ""]
        {
            let shake = shape.clone().header("connection", "Upgrade").header("upgrade", upgrade);
            let shake = shake.header("sec-websocket-version", "13");
            let shake = shake.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
            all.push(shake.clone());
            all.push(shake.clone().header("content-length", "0"));
            all.push(shake.clone().method("POST"));
            all.push(shake.clone().header("http2-settings", "AAMAAABkAAQAAP__"));
            all.push(shake.header("content-type", "application/json").target("/retired?case=may"));
        }
        // Extended CONNECT (RFC 8441), which only HTTP/2 has.
        for protocol in ["websocket", "WEBSOCKET", "connect-udp", "h2c", ""] {
            let extended = Shape { protocol: Some(protocol), ..shape.clone().method("CONNECT") };
            all.push(extended.clone());
            all.push(extended.clone().header("content-type", "application/json"));
            all.push(extended.clone().header("x-consumer-id", super::shape::PLANTED));
            all.push(extended.clone().target("/retired?case=may"));
            all.push(Shape { body: Body::Pieces(vec![b"frame".to_vec()]), ..extended });
        }
    }
    all
}
