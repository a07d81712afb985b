//! The families of requests that both protocols carry: bytes, counts, sizes, duplicates,
//! credentials, bodies, trailers, gRPC.

use super::read::{COOKIES, FRAMING, HEADERS, IDENTITY, OWNED, PARAMETERS};
use super::shape::{APP, Body, Credentials, KEY, PLANTED, Shape, Want, token};
use super::targets;

/// Returns every request of every family.
pub fn shapes(credentials: &Credentials) -> Vec<Shape> {
    let mut all = normal(credentials);
    all.extend(bytes());
    all.extend(counts());
    all.extend(sizes());
    all.extend(duplicates());
    all.extend(spoofed());
    all.extend(spellings());
    all.extend(bodies());
    all.extend(grpc());
    all.extend(targets::methods());
    all.extend(targets::targets());
    all.extend(targets::upgrades());
    all
}

/// Requests whose answers are known, between all the others.
pub fn normal(credentials: &Credentials) -> Vec<Shape> {
    let family = "normal";
    let mut all = vec![
        Shape::known(family).want(Want::Passes),
        Shape::nobody(family).want(Want::Status(401)),
        Shape::known(family).first("user-agent", "Googlebot/2.1").want(Want::Status(403)),
        Shape::known(family).target("/retired?case=may").want(Want::Status(410)),
        Shape::somebody(family).header("apikey", KEY).want(Want::Status(403)),
        Shape::somebody(family)
            .header("authorization", format!("Bearer {}", token()))
            .header("x-app-id", "partners")
            .want(Want::Passes),
        Shape::somebody(family)
            .target(format!("/orders?case=may&apikey={KEY}"))
            .header("x-app-id", APP)
            .want(Want::Passes),
        Shape::known(family).header("x-forwarded-for", "198.51.100.7").want(Want::Status(403)),
        Shape::known(family)
            .post("application/json", Body::Whole(b"{\"a\":1}".to_vec()))
            .want(Want::Passes),
        Shape::known(family)
            .method("OPTIONS")
            .header("origin", "https://a.test")
            .header("access-control-request-method", "PUT")
            .want(Want::Status(200)),
    ];
    if !credentials.cookie.is_empty() {
        let session = Shape::somebody(family).header("cookie", &credentials.cookie);
        all.push(session.header("x-app-id", APP).want(Want::Passes));
    }
    all
}

/// Every byte in a header's name, at three places of values, in the path and in the query.
fn bytes() -> Vec<Shape> {
    let family = "bytes";
    let mut all = Vec::new();
    for byte in 0..=u8::MAX {
        let around =
            |before: &str, after: &str| [before.as_bytes(), &[byte], after.as_bytes()].concat();
        for shape in [Shape::known(family), Shape::nobody(family)] {
            let case = if shape.may_pass { "may" } else { "never" };
            let query = format!("?case={case}");
            all.push(shape.clone().header(around("x-a", "b"), "value"));
            all.push(shape.clone().header("x-a", around("", "value")));
            all.push(shape.clone().header("x-a", around("va", "lue")));
            all.push(shape.clone().header("x-a", around("value", "")));
            all.push(shape.clone().target(around("/or", &format!("ders{query}"))));
            all.push(shape.clone().target(around(&format!("/orders{query}&a"), "=1")));
            let escaped = format!("/or%{byte:02x}ders{query}&b=%{byte:02X}");
            all.push(shape.target(escaped));
        }
        // The byte in names and values that filters read.
        all.push(Shape::known(family).first(around("x-consumer", "id"), PLANTED));
        all.push(Shape::nobody(family).header(around("api", "key"), KEY));
        all.push(Shape::nobody(family).header("apikey", around("key-of-", "ana")).unknown());
        all.push(
            Shape::somebody(family).header("apikey", KEY).header("x-app-id", around("por", "tal")),
        );
        all.push(Shape::nobody(family).header("authorization", around("Bearer ", "abc")));
        all.push(Shape::known(family).header("cookie", around("session=A", "B; jwt=C")));
        all.push(Shape::known(family).header("user-agent", around("Googlebot", "/2.1")));
        all.push(Shape::known(family).header("x-forwarded-for", around("198.51.100.7", "")));
        all.push(Shape::known(family).header("origin", around("https://", "a.test")));
        all.push(Shape::known(family).header(
            "traceparent",
            around("00-4bf92f3577b34da6a3ce929d0e0e473", "-00f067aa0ba902b7-01"),
        ));
    }
    all
}

/// 0 to 200 headers besides those that a request needs.
fn counts() -> Vec<Shape> {
    let family = "0 to 200 headers";
    let mut all = Vec::new();
    for count in 0..=200 {
        let many = |shape: Shape, name: &dyn Fn(usize) -> String| {
            (0..count).fold(shape, |shape, n| shape.header(name(n), "v"))
        };
        all.push(many(Shape::known(family), &|n| format!("x-{n}")));
        all.push(many(Shape::nobody(family), &|n| format!("x-{n}")));
        all.push(many(Shape::known(family), &|_| "x-same".to_owned()));
        all.push(many(Shape::known(family), &|_| IDENTITY[0].to_owned()));
    }
    all
}

/// Headers, targets and trailers of a total size up to the bound of the gateways, and beyond it.
fn sizes() -> Vec<Shape> {
    let family = "sizes";
    let mut all = Vec::new();
    for kilobytes in [1, 4, 8, 16, 32, 48, 60, 63, 64, 65, 95, 96, 128, 180, 190, 192, 200] {
        let long = "v".repeat(kilobytes * 1024);
        all.push(Shape::known(family).header("x-long", &long));
        all.push(Shape::nobody(family).header("x-long", &long));
        all.push(Shape::known(family).target(format!("/orders?case=may&a={long}")));
        all.push(Shape::known(family).target(format!("/{long}?case=may")));
        let many = (0..64).fold(Shape::known(family), |shape, n| {
            shape.header(format!("x-{n}"), &long[..long.len() / 64])
        });
        all.push(many);
        for name in
            ["authorization", "cookie", "user-agent", "origin", "x-forwarded-for", "referer"]
        {
            let value = match name {
                "authorization" => format!("Bearer {}", long.replace('v', "A.")),
                "cookie" => format!("session={long}"),
                "x-forwarded-for" => "203.0.113.7, ".repeat(kilobytes * 1024 / 13) + "203.0.113.7",
                _ => long.clone(),
            };
            all.push(Shape::known(family).header(name, &value[..value.len().min(long.len())]));
        }
        all.push(Shape::nobody(family).header("apikey", &long).unknown());
        all.push(Shape::somebody(family).header("apikey", KEY).header("x-app-id", &long));
        all.push(Shape::known(family).header(&long, "v"));
    }
    all
}

/// All that any filter reads, twice and more, in several spellings.
fn duplicates() -> Vec<Shape> {
    let family = "duplicates";
    let mut all = Vec::new();
    for (name, right, other) in HEADERS {
        let spellings = [
            name.to_owned(),
            name.to_uppercase(),
            name.replace('-', "_"),
            name.replacen('-', "_", 1),
        ];
        for spelling in &spellings {
            for (first, second) in [(right, other), (other, right), (right, right), ("", right)] {
                // The request has the right key and App ID besides.
                all.push(Shape::known(family).header(name, first).header(spelling, second));
                all.push(Shape::known(family).first(spelling, second).first(name, first));
                all.push(
                    Shape::nobody(family).header(spelling, second).header(name, other).unknown(),
                );
            }
            all.push(Shape::known(family).header(spelling, format!("{right}, {other}")));
            all.push(Shape::known(family).header(spelling, format!("{other}; {right},, {right}")));
        }
        all.push((0..40).fold(Shape::known(family), |shape, _| shape.header(name, right)));
    }
    for (name, value) in FRAMING {
        all.push(Shape::known(family).header(name, value));
        all.push(Shape::known(family).header(name, value).header(name, value));
        all.push(Shape::nobody(family).header(name, value));
        all.push(Shape::known(family).header(name.to_uppercase(), value));
        all.push(Shape::known(family).header(name.replace('-', "_"), value));
    }
    for (name, other) in PARAMETERS {
        for target in [
            format!("/orders?case=may&{name}={other}&{name}={KEY}"),
            format!("/orders?case=may&{name}={KEY}&{name}={other}"),
            format!("/orders?case=may;{name}={other}"),
            format!("/orders?case=may&{name}"),
            format!("/orders?case=may&{name}[]={other}"),
            format!("/orders?case=may&%{:02x}{}={other}", name.as_bytes()[0], &name[1..]),
            format!("/orders?{}case=may", format!("{name}={other}&").repeat(300)),
        ] {
            all.push(Shape::known(family).target(&target).unknown());
            all.push(
                Shape::nobody(family)
                    .target(target.replace("may", "never").replace(KEY, "no"))
                    .unknown(),
            );
        }
    }
    for (name, other) in COOKIES {
        for cookie in [
            format!("{name}={other}; {name}={other}"),
            format!("{name}=; {name}={other}"),
            format!("{name}; ={other};;;{name}"),
            format!("{name}2={other}; {name}={other}; {name}3={other}"),
            format!("{name}=\"{other}\""),
            format!("{name}={other}; ").repeat(100),
        ] {
            all.push(Shape::known(family).header("cookie", &cookie));
            all.push(
                Shape::known(family)
                    .header("cookie", &cookie)
                    .header("cookie", "a=b")
                    .header("Cookie", &cookie),
            );
            all.push(Shape::nobody(family).header("cookie", &cookie));
        }
    }
    all
}

/// Headers that only the gateway may send, in every spelling, from somebody and from nobody, as
/// headers and as trailers.
pub(super) fn spoofed() -> Vec<Shape> {
    let family = "spoofed identity";
    let mut all = Vec::new();
    for name in IDENTITY.into_iter().chain(OWNED) {
        let camel: String =
            name.split('-').map(|w| w[..1].to_uppercase() + &w[1..] + "-").collect();
        let underscores = name.replace('-', "_");
        for spelling in [
            name.to_owned(),
            name.to_uppercase(),
            camel[..camel.len() - 1].to_owned(),
            underscores.clone(),
            underscores.to_uppercase(),
            name.replacen('-', "_", 1),
            format!("{name} "),
            format!(" {name}"),
            format!("{name}\t"),
        ] {
            for shape in [Shape::known(family), Shape::nobody(family)] {
                all.push(shape.clone().header(&spelling, PLANTED));
                all.push(shape.clone().first(&spelling, PLANTED));
                all.push(shape.clone().header(&spelling, PLANTED).header(name, PLANTED));
                all.push(shape.clone().header(&spelling, "").header(&spelling, PLANTED));
                let body = Body::Pieces(vec![b"a=b".to_vec()]);
                let posted = shape.post("application/x-www-form-urlencoded", body);
                all.push(posted.clone().trailer(&spelling, PLANTED));
                all.push(posted.trailer(name, PLANTED).trailer(&spelling, PLANTED));
            }
            // The client tells the gateway that the header is its own.
            all.push(
                Shape::known(family).header("connection", &spelling).header(&spelling, PLANTED),
            );
        }
    }
    all
}

/// What must be refused, as some servers read it.
fn spellings() -> Vec<Shape> {
    let family = "spellings";
    let mut all = Vec::new();
    for app in ["another-app", "portal,another-app", "portal another-app", "PORTAL"] {
        for name in ["x-app-id", "X-APP-ID", "x_app_id", "X_APP_ID", "x-app_id"] {
            all.push(Shape::known(family).header(name, app));
            all.push(Shape::known(family).first(name, app));
        }
    }
    for name in ["apikey", "APIKEY", "ApiKey"] {
        all.push(
            Shape::somebody(family).header(name, KEY).header("x-app-id", APP).want(Want::Passes),
        );
        all.push(Shape::nobody(family).header(name, "guess").unknown());
    }
    for agent in ["Googlebot/2.1", "Mozilla/5.0 (compatible; GPTBot/1.2)", " Googlebot/2.1 "] {
        all.push(Shape::known(family).header("User-Agent", agent).want(Want::Status(403)));
        all.push(Shape::known(family).header("user-agent", "a").header("user-agent", agent));
        all.push(Shape::known(family).header("user-agent", agent).header("user-agent", "a"));
    }
    for address in
        ["198.51.100.7", "198.51.100.7:80", "::ffff:198.51.100.7", "[::ffff:198.51.100.7]:80"]
    {
        all.push(Shape::known(family).header("X-Forwarded-For", address).want(Want::Status(403)));
        let two = Shape::known(family).header("x-forwarded-for", "203.0.113.7");
        all.push(two.header("x-forwarded-for", address).want(Want::Status(403)));
        all.push(
            Shape::known(family)
                .header("x-forwarded-for", format!("203.0.113.7,{address}"))
                .want(Want::Status(403)),
        );
    }
    all
}

/// Bodies of many kinds, with types that promise something else, in pieces and with trailers.
pub(super) fn bodies() -> Vec<Shape> {
    let family = "bodies and trailers";
    let mut all = Vec::new();
    let form = b"a=1&apikey=another-key&a=2&apikey&=&%=%zz&role=x".to_vec();
    let json = b"{\"a\":1,\"a\":[{}],\"apikey\":\"x\",\"\xff\":\"\\ud800\"}".to_vec();
    let parts =
        b"--b\r\nContent-Disposition: form-data; name=\"apikey\"\r\n\r\nx\r\n--b--\r\n".to_vec();
    let deep = "[".repeat(20_000).into_bytes();
    for kind in [
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "multipart/form-data",
        "application/vnd.api+json; charset=utf-16",
        "text/plain",
        "\"",
        "",
    ] {
        for body in
            [form.clone(), json.clone(), parts.clone(), deep.clone(), vec![0; 3], Vec::new()]
        {
            let pieces: Vec<Vec<u8>> = body.chunks(7).take(3000).map(<[u8]>::to_vec).collect();
            for shape in [Shape::known(family), Shape::nobody(family)] {
                all.push(shape.clone().post(kind, Body::Whole(body.clone())));
                all.push(shape.clone().post(kind, Body::Pieces(pieces.clone())));
                all.push(
                    shape
                        .clone()
                        .post(kind, Body::Pieces(vec![body.clone()]))
                        .trailer("x-trailer", "1"),
                );
                all.push(
                    shape.post(kind, Body::Whole(body.clone())).header("content-encoding", "gzip"),
                );
            }
        }
    }
    for size in [1_usize, 1023, 8191, 8192, 65_535, 65_536, 300_000] {
        let body = vec![b'x'; size];
        all.push(Shape::known(family).post("text/plain", Body::Whole(body.clone())));
        let pieces = body.chunks(16_000).map(<[u8]>::to_vec).collect();
        all.push(Shape::known(family).post("text/plain", Body::Pieces(pieces)));
        all.push(Shape::nobody(family).post("text/plain", Body::Whole(body)));
    }
    for count in [1, 10, 100] {
        let posted = Shape::known(family).post("text/plain", Body::Pieces(vec![b"x".to_vec()]));
        all.push((0..count).fold(posted, |shape, n| shape.trailer(format!("x-{n}"), "v")));
    }
    for (name, _, other) in HEADERS {
        let posted = Shape::known(family).post("text/plain", Body::Pieces(vec![b"x".to_vec()]));
        all.push(posted.trailer(name, other));
    }
    all
}

/// gRPC, unary and as a stream of pieces.
pub(super) fn grpc() -> Vec<Shape> {
    let family = "gRPC";
    let message = [&[0, 0, 0, 0, 5][..], b"hello"].concat();
    let mut all = Vec::new();
    for kind in [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc-web",
        "application/grpc; a=b",
    ] {
        for body in [
            Body::Whole(message.clone()),
            Body::Pieces(vec![message.clone(), message.clone()]),
            Body::Pieces(message.iter().map(|byte| vec![*byte]).collect()),
            Body::Whole(Vec::new()),
        ] {
            for shape in [
                Shape::known(family),
                Shape::nobody(family),
                Shape::somebody(family).header("apikey", KEY).header("x-app-id", "another-app"),
                Shape::known(family).header("user-agent", "Googlebot/2.1"),
            ] {
                all.push(shape.clone().post(kind, body.clone()).header("te", "trailers"));
                let timed = shape.post(kind, body.clone()).header("grpc-timeout", "1S");
                all.push(timed.trailer("grpc-status", "0"));
            }
        }
    }
    all
}
