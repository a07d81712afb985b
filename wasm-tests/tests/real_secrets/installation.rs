//! A whole installation with planted secrets: what stands around a gateway, the chains of filters,
//! and requests of clients that are let in and refused for each reason.

use crate::planted::Planted;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use wasm_tests::real::{
    Admin, Answer, Echo, Filter, Message, RawRequest, Scratch, Server, Setup, eventually,
};
use wasm_tests::tokens::{secret, signed};

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../filters/upstream-jwt/test-keys/");

/// The secrets of a gateway's environment: the variable, and the name of the secret. The private
/// key is more than its secret.
const VARIABLES: [(&str, &str); 6] = [
    ("PLANTED_TOKEN", "gateway token"),
    ("PLANTED_DEBUG_TOKEN", "debug token"),
    ("PLANTED_SESSION_SECRET", "session secret"),
    ("PLANTED_APPLICATION", "Moesif application id"),
    ("PLANTED_KEY", "API key in the settings"),
    ("PLANTED_SECRET", "JWT secret in the settings"),
];

/// The secrets that gatehouse-admin is given, and with which no gateway has to do.
pub const OF_THE_SERVICE: [&str; 4] = [
    "admin token",
    "encryption key",
    "API key of a consumer who never comes",
    "JWT secret of a consumer who never comes",
];

/// The secrets that gateways and gatehouse-admin know: it was given them, or an operator has stored
/// them there.
pub const KNOWN_TO_THE_SERVICE: [&str; 4] =
    ["gateway token", "API key", "API key of a query", "JWT secret"];

/// The gateway that an installation is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum On {
    Envoy,
    Kong,
}

/// All but the gateway.
pub struct Installation {
    pub planted: Planted,
    pub admin: Admin,
    /// What Moesif's collector got.
    pub events: Arc<Mutex<Vec<u8>>>,
    /// What the collector of traces got.
    pub spans: Arc<Mutex<Vec<u8>>>,
    /// The refusals, as clients got them.
    pub refusals: Vec<u8>,
    private_key: String,
    echo: Echo,
    collector: Server,
    _traces: Server,
    _scratch: Scratch,
}

/// A server that keeps all that it is sent.
pub fn recorder(reply: fn(&Message) -> Answer) -> (Server, Arc<Mutex<Vec<u8>>>) {
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    let server = Server::start(move |request: &Message| {
        let mut all = keep.lock().expect("a lock");
        all.extend(request.start.as_bytes());
        all.extend(&request.body);
        reply(request)
    });
    (server, kept)
}

/// A collector of traces that keeps all that it is sent.
pub fn span_recorder() -> (Server, Arc<Mutex<Vec<u8>>>) {
    recorder(|_| Answer::Reply { status: 200, headers: Vec::new(), body: Vec::new() })
}

/// Appends a message as it came over the wire.
fn append(text: &mut Vec<u8>, message: &Message) {
    text.extend(message.start.as_bytes());
    for (name, value) in &message.headers {
        text.extend([name, b": ".as_slice(), value, b"\n"].concat());
    }
    text.extend(&message.body);
    text.push(b'\n');
}

/// Stores the consumers of an installation.
pub fn fill(admin: &Admin, planted: &Planted) {
    let key = |of: &str| json!({"key": planted.secret(of)});
    admin.create("/consumers", &json!({"username": "fiona"}));
    admin.create("/consumers/fiona/key-auth", &key("API key"));
    admin.create("/consumers/fiona/key-auth", &key("API key of a query"));
    let jwt = |name: &str, of: &str| json!({"key": name, "secret": planted.secret(of)});
    admin.create("/consumers/fiona/jwt", &jwt("fiona", "JWT secret"));
    admin.create("/consumers", &json!({"username": "absent"}));
    admin.create("/consumers/absent/key-auth", &key("API key of a consumer who never comes"));
    let absent = jwt("absent", "JWT secret of a consumer who never comes");
    admin.create("/consumers/absent/jwt", &absent);
}

impl Installation {
    /// Plants the secrets and starts the services.
    pub fn start() -> Self {
        let mut planted = Planted::default();
        for name in [
            "admin token",
            "API key",
            "API key of a query",
            "API key that nobody has",
            "API key of a consumer who never comes",
            "JWT secret",
            "JWT secret of a consumer who never comes",
            "password of basic authentication",
            "bearer token of a client",
            "cookie of a client",
            "body of a client",
        ] {
            planted.plant(name);
        }
        for (_, name) in VARIABLES {
            planted.plant(name);
        }
        planted.known("encryption key", &jose::hash::sha256_hex(b"the encryption key"));
        let private_key = std::fs::read_to_string(format!("{KEYS}rsa.pem")).expect("a key");
        let heart: String = private_key.lines().skip(2).take(1).collect();
        planted.known("private key for the upstream", &heart);

        let scratch = Scratch::new("secrets");
        let key_file = scratch.file("encryption-key", planted.secret("encryption key"));
        let (traces, spans) = span_recorder();
        let admin = Admin::with_flags(
            planted.secret("admin token"),
            planted.secret("gateway token"),
            &[
                "--log-level",
                "debug",
                "--encryption-key-file",
                &key_file.display().to_string(),
                "--otlp-endpoint",
                &format!("http://{}", traces.address()),
            ],
        );
        fill(&admin, &planted);
        let (collector, events) = recorder(|request| match request.path() {
            "/v1/config" => Answer::json(200, json!({"sample_rate": 100})),
            _ => Answer::json(201, "{}"),
        });
        Self {
            planted,
            admin,
            events,
            spans,
            refusals: Vec::new(),
            private_key,
            echo: Echo::start(),
            collector,
            _traces: traces,
            _scratch: scratch,
        }
    }

    /// Returns the variables of the gateway's environment, each with its value.
    fn environment(&self) -> Vec<(&'static str, &str)> {
        let value =
            |(variable, name): &(&'static str, &str)| (*variable, self.planted.secret(name));
        let mut all: Vec<_> = VARIABLES.iter().map(value).collect();
        all.push(("PLANTED_PRIVATE_KEY", self.private_key.as_str()));
        all
    }

    /// Returns a filter that takes its secrets from the environment.
    fn filter(&self, on: On, name: &str, settings: &Value) -> Filter {
        let mut settings = settings.clone();
        settings["debug_token_env"] = json!("PLANTED_DEBUG_TOKEN");
        let filter = Filter::new(name, &settings);
        self.environment().into_iter().fold(filter, |filter, (name, value)| match on {
            On::Envoy => filter.of_the_host(name),
            On::Kong => filter.environment(name, value),
        })
    }

    /// Returns the gateway: three listeners, with seven of the filters.
    pub fn setup(&self, on: On) -> Setup {
        let filter = |name: &str, settings: &Value| self.filter(on, name, settings);
        let asks = json!({"upstream": "admin", "token_env": "PLANTED_TOKEN", "poll_interval": 1, "timeout": 60_000});
        let masks = ["apikey", "authorization", "cookie", "set-cookie", "proxy-authorization"];
        let moesif = filter(
            "moesif",
            &json!({
                "application_id_env": "PLANTED_APPLICATION", "collector": {"upstream": "collector"}, "batch_max_wait": 200,
                "request_header_masks": masks, "response_header_masks": masks,
                "request_query_masks": ["apikey", "jwt"], "request_body_masks": ["password"], "disable_capture_response_body": true,
            }),
        );
        let keys = filter(
            "key_auth",
            &json!({"hide_credentials": true, "admin": asks, "consumers": [
                {"username": "inline", "keyauth_credentials": [{"key_env": "PLANTED_KEY"}]},
            ]}),
        );
        let tokens = filter(
            "jwt_auth",
            &json!({"admin": asks, "consumers": [
                {"username": "inline", "jwt_secrets": [{"key": "inline", "secret_env": "PLANTED_SECRET"}]},
            ]}),
        );
        let session = |phase: Value| {
            let settings = json!({"secret_env": "PLANTED_SESSION_SECRET", "storage": "kong", "admin": asks, "phase": phase});
            filter("session", &settings)
        };
        let or_session = filter("key_auth", &json!({"anonymous": "nobody", "admin": asks}));
        // Kong cannot save a session when the response comes.
        let sessions = match on {
            On::Envoy => vec![session(Value::Null), or_session],
            On::Kong => vec![session(json!("open")), or_session, session(json!("save"))],
        };
        let setup = Setup::new(
            self.echo.address(),
            vec![
                moesif,
                keys,
                filter("rate_limiting", &json!({"hour": 1000, "policy": "cluster", "admin": asks})),
                filter("upstream_jwt", &json!({"private_key_env": "PLANTED_PRIVATE_KEY"})),
            ],
        )
        .listener("tokens", vec![tokens])
        .listener("sessions", sessions)
        .cluster("admin", self.admin.address())
        .cluster("collector", self.collector.address());
        match on {
            On::Kong => setup,
            On::Envoy => self
                .environment()
                .into_iter()
                .fold(setup, |setup, (name, value)| setup.environment(name, value)),
        }
    }

    /// Sends the requests: in good order, wrong in each way, and while the service is away. The
    /// service runs again when this returns.
    pub fn send_requests(&mut self, address: impl Fn(&str) -> SocketAddr) {
        let of = |name: &str| self.planted.secret(name).to_owned();
        let (api_key, second_key) = (of("API key"), of("API key of a query"));
        let (inline_key, wrong_key) =
            (of("API key in the settings"), of("API key that nobody has"));
        let (body, cookie) = (of("body of a client"), of("cookie of a client"));
        let (bearer, debug_token) = (of("bearer token of a client"), of("debug token"));
        let (jwt_secret, inline_secret) = (of("JWT secret"), of("JWT secret in the settings"));
        let password = of("password of basic authentication");
        let mut statuses = Vec::new();
        let refusals = &mut self.refusals;
        let mut ask = |listener: &str, request: RawRequest| {
            let answer = request.send(address(listener));
            statuses.push(answer.status());
            if answer.status() != 200 {
                append(refusals, &answer);
            }
            answer
        };
        let told = |request: RawRequest| request.header("x-gatehouse-debug", &debug_token);
        let client = |path: &str| {
            use base64::Engine;
            let basic =
                base64::engine::general_purpose::STANDARD.encode(format!("user:{password}"));
            RawRequest::post(path, json!({"password": body}).to_string())
                .header("content-type", "application/json")
                .header("cookie", format!("theirs={cookie}"))
                .header("proxy-authorization", format!("Basic {basic}"))
        };
        for key in [&api_key, &inline_key, &wrong_key, &api_key] {
            ask("main", told(client("/orders").header("apikey", key)));
        }
        ask("main", client(&format!("/orders?apikey={second_key}")));
        ask("main", client(&format!("/orders?apikey={wrong_key}")));
        ask("main", client("/orders").header("apikey", &api_key).header("apikey", &wrong_key));
        ask("main", client("/orders").header("authorization", format!("Bearer {bearer}")));
        for (issuer, key) in [
            ("fiona", &jwt_secret),
            ("inline", &inline_secret),
            ("fiona", &wrong_key),
            ("nobody", &wrong_key),
        ] {
            let token =
                signed(&secret("HS256", key.as_bytes()), &json!({}), &json!({"iss": issuer}));
            self.planted.known(&format!("token of {issuer} by {}", &key[8..16]), &token);
            ask("tokens", told(client("/").bearer(&token)));
            ask("tokens", client(&format!("/?jwt={token}")));
        }
        ask("tokens", client("/").bearer(&bearer));
        let first = ask("sessions", client("/").header("apikey", &api_key));
        let set = first.all("set-cookie").concat();
        let (pair, _) = set.split_once(';').expect("a cookie");
        let (_, value) = pair.split_once('=').expect("a cookie");
        self.planted.known("cookie of a session", value);
        let again = ask("sessions", RawRequest::get("/").header("cookie", pair));
        assert_eq!(again.status(), 200, "{}", again.text());
        ask("sessions", RawRequest::get("/").header("cookie", format!("session={cookie}")));
        // A filter that starts drops the answers from before its first look at the list of changes.
        let looks = || self.admin.log().matches("\"route\":\"/changes\"").count();
        let before = looks();
        eventually("looks at the list of changes", || (looks() > before + 8).then_some(()));
        let known = client("/").header("apikey", &second_key);
        assert_eq!(ask("main", known.clone()).status(), 200);
        // What a filter says when nobody answers it.
        self.admin.stop();
        assert_eq!(ask("main", known).status(), 200);
        let unknown = client("/").header("apikey", format!("{wrong_key}-2"));
        assert_eq!(ask("main", unknown).status(), 503);
        assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 12, "{statuses:?}");
    }

    /// Starts the service again, and waits until the collectors have something to search.
    pub fn settle(&mut self) {
        self.admin.resume();
        let is_full = |kept: &Mutex<Vec<u8>>| kept.lock().expect("a lock").len() > 1000;
        eventually("events", || is_full(&self.events).then_some(()));
        eventually("spans", || is_full(&self.spans).then_some(()));
    }
}

/// Plants two secrets, one of which could be the name of a variable, and returns settings that hold
/// them in wrong places, each with the name of its filter.
pub fn wrong_settings(planted: &mut Planted) -> Vec<(&'static str, Value)> {
    let secret = &planted.plant("secret in the wrong place");
    let name = &secret.replace('-', "_");
    planted.known("secret that could be a name", name);
    let jwt = |credential: Value| json!({"consumers": [{"username": "fiona", "jwt_secrets": [credential]}]});
    vec![
        (
            "key_auth",
            json!({"consumers": [{"username": "fiona", "keyauth_credentials": [{"key": secret, "key_env": secret}]}]}),
        ),
        (
            "key_auth",
            json!({"consumers": secret, "admin": {"upstream": "admin", "token": [secret]}}),
        ),
        ("jwt_auth", jwt(json!({"key": "k", "secret": secret, "algorithm": "RS256"}))),
        ("jwt_auth", jwt(json!({"key": "k", "rsa_public_key": secret, "algorithm": "RS256"}))),
        ("session", json!({"secret": [secret], "secret_fallbacks": secret})),
        ("session", json!({"secret": secret, "secret_env": secret})),
        (
            "upstream_jwt",
            json!({"private_key": format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----")}),
        ),
        // A key without its armour, and one where its place is expected.
        ("upstream_jwt", json!({"private_key": secret})),
        ("upstream_jwt", json!({"private_key_location": secret})),
        ("upstream_jwt", json!({"private_key_location": format!("env://{name}")})),
        ("session", json!({"secret_env": name})),
        (
            "jwt_auth",
            json!({"providers": [{"name": "p", "issuer": "i", "jwks_uri": format!("https://me:{secret}@idp/keys")}]}),
        ),
        (
            "moesif",
            json!({"application_id": "A", "base_uri": format!("https://me:{secret}@moesif")}),
        ),
        (
            "moesif",
            json!({"application_id": format!("{secret}\n"), "debug_token": format!("{secret}\u{e4}")}),
        ),
        (
            "rate_limiting",
            json!({"minute": 1, "policy": "redis", "redis": {"password": secret, "host": "redis"}}),
        ),
    ]
}
