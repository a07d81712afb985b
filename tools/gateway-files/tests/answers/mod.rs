//! The requests that tests send to a gateway with a converted file, and the answers that every
//! gateway has to give, among them the `curl` lines of the plugins' documents. The suite of a real Kong sends them too.

use base64::Engine as _;
use gateway_files::convert::Source;
use serde_json::Value as Json;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};

/// A file for Kong's own plugins, and the requests in their order.
pub struct Case {
    pub name: &'static str,
    file: &'static str,
    exchanges: &'static [Exchange],
}

/// A request, and what is in its answer.
struct Exchange {
    path: &'static str,
    /// Lines of a header, each with its end.
    headers: &'static str,
    status: u16,
    /// A part of the body. The upstream answers with the head of the request that it got.
    body: &'static str,
    /// A part of the answer's header, in lower case.
    head: &'static str,
    /// Values of the token that the upstream got: pointers into its header (`/0`) and claims (`/1`).
    token: &'static [(&'static str, &'static str)],
    /// No route fits, and Kong answers before any plugin. A WasmPlugin of Istio comes first.
    without_route: bool,
}

const fn get(path: &'static str, headers: &'static str, status: u16) -> Exchange {
    Exchange { path, headers, status, body: "", head: "", token: &[], without_route: false }
}

impl Exchange {
    const fn body(self, body: &'static str) -> Self {
        Self { body, ..self }
    }

    const fn head(self, head: &'static str) -> Self {
        Self { head, ..self }
    }

    const fn without_route(self) -> Self {
        Self { without_route: true, ..self }
    }

    const fn token(self, token: &'static [(&'static str, &'static str)]) -> Self {
        Self { token, ..self }
    }
}

pub const SESSION: Case = Case {
    name: "session-document",
    file: include_str!("../kong/session-document.yml"),
    exchanges: &[
        get("/sessions-test", "", 403)
            .body(r#"{"message":"So long and thanks for all the fish!"}"#),
        // The route's path is stripped, and the service's comes first.
        get("/sessions-test?apikey=open_sesame", "", 200)
            .body("GET /request?apikey=open_sesame HTTP/1.1")
            .head("set-cookie: "),
        get("/nowhere", "", 404).body("no Route matched").without_route(),
    ],
};

/// `{"iss":"adokey","name":"ado"}`, signed with `supersecret`.
const LEADS: &str = "/api/leads?jwt=eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJpc3MiOiJhZG9rZXkiLCJuYW1lIjoiYWRvIn0.\
                     lEzPj2hbGAeHXCCB7rnS-LKgCZZBp2ykEIOkNtczFcU";

pub const AUTH0: Case = Case {
    name: "auth0-blog",
    file: include_str!("../kong/auth0-blog.yml"),
    exchanges: &[
        get("/", "", 401),
        get("/", "User-Agent: Googlebot/2.1\r\n", 403),
        get(LEADS, "", 200).head("x-ratelimit-remaining-hour: 4"),
        get(LEADS, "", 200),
        get(LEADS, "", 200),
        get(LEADS, "", 200),
        get(LEADS, "", 200).head("x-ratelimit-remaining-hour: 0"),
        get(LEADS, "", 429),
    ],
};

/// `{"iss":"foo","exp":4102444800}`, signed with the secret of `foo`.
macro_rules! foo {
    ($app_id:literal) => {
        concat!(
            "Authorization: Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.",
            "eyJpc3MiOiJmb28iLCJleHAiOjQxMDI0NDQ4MDB9.",
            "cXoj-XF5HgYwpYuyNFkCjKdJ1c9DyxtDAJpy4qfoNzM\r\n",
            $app_id
        )
    };
}

pub const APP_ID: Case = Case {
    name: "app-id-document",
    file: include_str!("../kong/app-id-document.yml"),
    exchanges: &[
        get("/content", "X-APP-ID: Portal\r\n", 401),
        get("/content/x", foo!(""), 403).body("X-APP-ID can't be blank"),
        get("/content/x", foo!("X-APP-ID: NTP\r\n"), 403).body("Invalid X-APP-ID"),
        get("/content/x", foo!("X-APP-ID: Portal\r\n"), 200).body("GET /content/x HTTP/1.1"),
    ],
};

pub const UPSTREAM_JWT: Case = Case {
    name: "upstream-jwt-document",
    file: include_str!("../kong/upstream-jwt-document.yml"),
    exchanges: &[
        get("/one", "", 401),
        get("/one?msg=hello%20world&bla=&bar", "apikey: q2QiVe24S6ABaO2L9dEA9y1epX25B9gr\r\n", 200)
            .token(&[
                ("/0/alg", "RS256"),
                ("/0/kid", "keyId"),
                ("/1/kong/consumer/id", "e96dcb71-4322-490d-b6c6-b9ba1a24b6e3"),
                ("/1/kong/credentials/key", "q2QiVe24S6ABaO2L9dEA9y1epX25B9gr"),
                (
                    "/1/kong/request/queryhash",
                    "e3fb2c82cc290e761881dbb49a38408d8d49c83fbf278fca4aaebbc54ba1de04",
                ),
                ("/1/kong/request/bodyhash", ""),
            ]),
    ],
};

pub const SCOPES: Case = Case {
    name: "scopes",
    file: include_str!("../kong/scopes.yml"),
    exchanges: &[
        limited("/orders", "apikey: gold-key\r\n", "x-ratelimit-limit-minute: 1000\r\n"),
        limited("/orders", "apikey: silver-key\r\n", "x-ratelimit-limit-minute: 20\r\n"),
        limited("/exports", "apikey: gold-key\r\n", "x-ratelimit-limit-minute: 50\r\n"),
        limited("/exports", "apikey: silver-key\r\n", "x-ratelimit-limit-minute: 2\r\n"),
        limited("/catalogue", "apikey: gold-key\r\n", "x-ratelimit-limit-minute: 1000\r\n"),
        limited("/catalogue", "apikey: silver-key\r\n", "x-ratelimit-limit-minute: 10\r\n"),
        get("/orders", "", 401),
    ],
};

const fn limited(path: &'static str, headers: &'static str, head: &'static str) -> Exchange {
    get(path, headers, 200).head(head)
}

pub const GROUPS: Case = Case {
    name: "groups",
    file: include_str!("../kong/groups.yml"),
    exchanges: &[
        get("/reports", "apikey: anas-key\r\n", 200),
        get("/reports", "apikey: bobs-key\r\n", 200),
        get("/reports", "apikey: eves-key\r\n", 403),
        get("/forum", "apikey: anas-key\r\n", 200),
        get("/forum", "apikey: bobs-key\r\n", 403),
        get("/empty", "apikey: anas-key\r\n", 403),
        get("/empty", "apikey: no-key\r\n", 401),
    ],
};

const VERSIONED: &str = "Host: api.example.com\r\nX-Version: 2\r\n";

pub const UPSTREAMS: Case = Case {
    name: "upstreams",
    file: include_str!("../kong/upstreams.yml"),
    exchanges: &[
        get("/v1/a?b", VERSIONED, 200).body("GET /a?b HTTP/1.1"),
        get("/v1", VERSIONED, 200).body("GET / HTTP/1.1"),
        // Without the header, the route for the whole host serves, and strips nothing.
        get("/v1/a", "Host: api.example.com:8000\r\n", 200).body("GET /v1/a HTTP/1.1"),
        get("/v1/a", "Host: shop.example.org\r\nX-Version: 1\r\n", 200).body("GET /a HTTP/1.1"),
        get("/write", "", 404),
    ],
};

pub const WEB_SHOP: Case = Case {
    name: "web-shop",
    file: include_str!("../kong/web-shop.yml"),
    exchanges: &[get("/images/x", "", 410), get("/users/x", "", 404)],
};

impl Case {
    /// Returns the file, with all services at `upstreams`.
    pub fn file(&self, upstreams: [SocketAddr; 3]) -> String {
        served_at(self.file, upstreams)
    }

    /// Sends the requests, and compares the answers. `log` tells more if one is wrong. Requests
    /// without a route are left out where filters judge these too.
    pub fn send(&self, gateway: SocketAddr, routes_first: bool, log: impl Fn() -> String) {
        for exchange in self.exchanges.iter().filter(|one| routes_first || !one.without_route) {
            let Exchange { path, headers, status, body, head, token, .. } = exchange;
            let answer = patience::eventually("an answer", || ask(gateway, path, headers));
            let is_right = answer.status == *status
                && answer.body.contains(body)
                && answer.head.contains(head)
                && (token.is_empty() || carries(&answer.body, token));
            let Answer { status, head, body } = &answer;
            assert!(
                is_right,
                "{}: {path} {headers}: {status}\n{head}\n{body}\n{}",
                self.name,
                log()
            );
        }
    }
}

/// Returns `text` with all services at `upstreams`. They are several, because Kong takes no address
/// twice.
pub fn served_at(text: &str, upstreams: [SocketAddr; 3]) -> String {
    let [first, second, third] = upstreams;
    let mut text = text.replace("port: 8002", &format!("port: {}", first.port()));
    for (port, upstream) in
        [("3000", first), ("8002", first), ("8003", second), ("8004", third), ("9000", first)]
    {
        text = text.replace(&format!("127.0.0.1:{port}"), &upstream.to_string());
    }
    text
}

/// Returns addresses where nobody listens.
pub fn nowhere() -> [SocketAddr; 3] {
    [9, 10, 11].map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
}

/// Returns the value of a variable in the gateway's environment.
pub fn variable(name: &str, source: &Source) -> String {
    match source {
        Source::Value(value) => value.clone(),
        Source::File(_) | Source::Operator(_) if name.contains("UPSTREAM_KEY") => {
            include_str!("../../../../filters/upstream-jwt/test-keys/rsa.pem").to_owned()
        }
        Source::File(_) | Source::Operator(_) if name.contains("CERTIFICATE") => {
            include_str!("../../../../filters/upstream-jwt/test-keys/rsa.crt").to_owned()
        }
        Source::File(_) | Source::Operator(_) => "a-value-for-this-test".to_owned(),
    }
}

/// Returns `true` if the token in the request's head has these values.
fn carries(head: &str, values: &[(&str, &str)]) -> bool {
    let token = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": Bearer ")?;
        name.eq_ignore_ascii_case("authorization").then_some(value)
    });
    let decode = |part: &str| -> Json {
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    };
    token.is_some_and(|token| {
        let parts = Json::Array(token.trim().split('.').take(2).map(decode).collect());
        values.iter().all(|(place, value)| parts.pointer(place) == Some(&Json::from(*value)))
    })
}

/// An answer: its status, its header as text in lower case, and its body.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// Sends a request, and returns the answer if there is one.
pub fn ask(address: SocketAddr, path: &str, headers: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).ok()?;
    let host =
        if headers.to_ascii_lowercase().contains("host:") { "" } else { "Host: localhost\r\n" };
    write!(stream, "GET {path} HTTP/1.1\r\n{host}Connection: close\r\n{headers}\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        head: format!("{}\r\n", head.to_ascii_lowercase()),
        body: body.to_owned(),
    })
}

/// Returns the addresses of upstreams that answer every request with its own head.
pub fn echo() -> [SocketAddr; 3] {
    std::array::from_fn(|_| one_echo())
}

fn one_echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                loop {
                    let mut head = String::new();
                    while !head.ends_with("\r\n\r\n") {
                        if reader.read_line(&mut head).unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    let mut stream = &stream;
                    let length = head.len();
                    if write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{head}")
                        .is_err()
                    {
                        return;
                    }
                }
            });
        }
    });
    address
}
