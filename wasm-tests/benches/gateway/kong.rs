//! Filters beside Kong's Lua plugins, in one Kong with one worker and no database.
//!
//! Every case is a route with a port of its own. A filter and the plugin that it mirrors have the
//! same settings and get the same requests.

use crate::case::{Case, EMPTY, Kind, NONE, ONE_HEADER, case, plain, varied};
use crate::cases::kilobyte;
use crate::fixture::{API_KEY, APP_ID, Fixture};
use crate::link::Link;
use crate::run::{listeners, name};
use crate::standard::{self, BOTS, CORS, JWT_RS256, KEY_CACHED, KEY_IN_SETTINGS, LIMIT, NETWORKS};
use crate::standard::{KEPT_TOKEN, MOESIF, SESSION_LIVE, TERMINATION, TRANSFORMER};
use crate::tokens::{self, bearing};
use crate::traffic::networks;
use crate::{time, worst};
use jose::Algorithm;
use serde_json::{Value, json};
use std::path::PathBuf;
use wasm_tests::real::{Kong, KongFiles, Proxy, RawRequest, Setup};

/// The plugins that are measured. A Kong may lack others.
const PLUGINS: &str = "key-auth,jwt,session,rate-limiting,bot-detection,request-termination,ip-restriction,\
                       cors,request-transformer";
/// The id of the consumer `ana`, whom the filters' settings and Kong's own entities hold.
const ANA: &str = "77b6a242-c73a-4c04-b2e2-a431046012aa";
const SECRET: &str = "ultra top secret session";

/// Returns the cases and, for each, the figures of [`time::in_turn`].
pub(crate) fn measure(
    fixture: &Fixture,
    rounds: usize,
    wanted: impl Fn(&Case) -> bool,
) -> (Vec<Case>, Vec<Value>) {
    let (mut cases, _) = wanted_cases(fixture, wanted);
    let gateway = Proxy::Kong(Box::new(Kong::run(&files(fixture, &cases))));
    let rows = time::in_turn(&gateway, &mut cases, rounds);
    (cases, rows)
}

/// Returns the cases that are wanted, and the path of Kong's `nginx`.
pub(crate) fn wanted_cases(
    fixture: &Fixture,
    wanted: impl Fn(&Case) -> bool,
) -> (Vec<Case>, PathBuf) {
    let (cookie, nginx) = session_cookie(fixture);
    let mut cases = cases(fixture, &cookie);
    cases.retain(|case| case.name == NONE || wanted(case));
    (cases, nginx)
}

/// The files of a Kong with a route for each case.
pub(crate) fn files(fixture: &Fixture, cases: &[Case]) -> KongFiles {
    let setup = Setup::new(fixture.upstream(), Vec::new());
    let mut setup = listeners(setup, fixture, cases)
        .kong_entities(json!({"consumers": [consumer(&all_secrets())]}))
        // The connections of the benchmark stay open.
        .kong_conf("nginx_http_keepalive_requests", "1000000000")
        .kong_conf("nginx_http_keepalive_timeout", "1h")
        .kong_conf("plugins", PLUGINS);
    for (number, case) in cases.iter().enumerate() {
        for link in &case.links {
            if let Link::Plugin(plugin, config) = link {
                let route = format!("everything-{}", name(number));
                setup =
                    setup.kong_plugin(json!({"name": plugin, "route": route, "config": config}));
            }
        }
    }
    let mut files = KongFiles::of(&setup);
    // The variable of the environment outdoes the line of kong.conf.
    files.environment.push(("KONG_PLUGINS".to_owned(), PLUGINS.to_owned()));
    files
}

/// The cookie of a session that Kong's own plugin has begun, and the path of this Kong's `nginx`.
/// Panics unless both the plugin and the filter take the caller for `ana`.
fn session_cookie(fixture: &Fixture) -> (String, PathBuf) {
    let login = [Link::Plugin("session", session()), Link::Plugin("key-auth", json!({}))];
    let cases = [
        case("login", login, plain()),
        case("plugin", [Link::Plugin("session", session())], plain()),
        case("filter", [filter_session()], plain()),
    ];
    let kong = Kong::run(&files(fixture, &cases));
    let answer = plain().header("apikey", API_KEY).send(kong.address(name(0)));
    let set = answer.all("set-cookie");
    let cookie = set.iter().find_map(|line| line.split(';').next()).expect("a session");
    for number in 1..cases.len() {
        let request = RawRequest::get("/who").header("cookie", cookie);
        let who = request.send(kong.address(name(number)));
        assert_eq!(who.text(), "ana", "{number}: {}", kong.log());
    }
    (cookie.to_owned(), kong.nginx())
}

fn cases(fixture: &Fixture, cookie: &str) -> Vec<Case> {
    let mut all = vec![
        case(NONE, [], plain()).kind(Kind::Floor),
        case(EMPTY, [Link::Sdk("sdk_empty")], plain()).kind(Kind::Floor),
        case(ONE_HEADER, [Link::Sdk("sdk_header")], plain()).kind(Kind::Floor),
    ];
    all.extend(typical(cookie).into_iter().flat_map(|pair| pair.cases(Kind::Filter)));
    let ours = [
        (KEY_CACHED, vec![Link::ours("key_auth", json!({"admin": fixture.admin()}))], keyed()),
        (KEPT_TOKEN, vec![standard::upstream_jwt("RS256", "auto", false)], plain()),
        (MOESIF, vec![standard::moesif(json!({}))], plain()),
    ];
    let ours = ours.map(|(name, links, request)| case(name, links, request).kind(Kind::Filter));
    all.extend(ours);
    let admin = || json!({"admin": fixture.admin()});
    let app_id = [Link::ours("key_auth", admin()), Link::ours("app_id", admin())];
    let app_id = case("app_id, cached, after key_auth", app_id, keyed().header("x-app-id", APP_ID));
    all.push(app_id.over(KEY_CACHED).kind(Kind::Filter));
    all.extend(chain().cases(Kind::Chain));
    all.extend(worst_pairs().into_iter().flat_map(|pair| pair.cases(Kind::Worst)));
    all
}

/// A filter, and the plugin that it mirrors.
struct Pair {
    name: &'static str,
    filters: Vec<Link>,
    plugins: Vec<Link>,
    status: u16,
    requests: [Box<dyn FnMut() -> RawRequest>; 2],
}

impl Pair {
    fn new(
        name: &'static str,
        filter: (&'static str, Value),
        plugin: (&'static str, Value),
        request: RawRequest,
    ) -> Self {
        Self::varied(name, filter, plugin, || {
            let request = request.clone();
            move || request.clone()
        })
    }

    /// A pair with a new request each time. Each of the two gets requests of its own.
    fn varied<F: FnMut() -> RawRequest + 'static>(
        name: &'static str,
        (filter, settings): (&'static str, Value),
        (plugin, config): (&'static str, Value),
        requests: impl Fn() -> F,
    ) -> Self {
        Self {
            name,
            filters: vec![Link::ours(filter, settings)],
            plugins: vec![Link::Plugin(plugin, config)],
            status: 200,
            requests: [Box::new(requests()), Box::new(requests())],
        }
    }

    fn refused(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    fn cases(self, kind: Kind) -> [Case; 2] {
        let [ours, theirs] = self.requests;
        let setting = self.name.split_once(", ").map(|(_, setting)| format!(", {setting}"));
        let plugins = match &self.plugins[..] {
            [Link::Plugin(name, _)] => format!("Kong's {name}{}", setting.unwrap_or_default()),
            _ => "Kong's five plugins".to_owned(),
        };
        [
            varied(self.name, self.filters, ours).refused(self.status).kind(kind),
            varied(plugins, self.plugins, theirs)
                .refused(self.status)
                .kind(if kind == Kind::Worst { kind } else { Kind::Native })
                .instead_of([self.name]),
        ]
    }
}

fn typical(cookie: &str) -> Vec<Pair> {
    let hs256 = || bearing(&tokens::token(Algorithm::Hs256));
    let rs256 = || bearing(&tokens::token(Algorithm::Rs256));
    let jwt = |algorithm| json!({"consumers": [consumer(&[secret(algorithm)])]});
    let same = |name, filter, plugin, config: Value, request| {
        Pair::new(name, (filter, config.clone()), (plugin, config), request)
    };
    let with_cookie = plain().header("cookie", cookie);
    let ip = json!({"second": 1_000_000_000, "limit_by": "ip", "policy": "local"});
    let header = json!({"add": {"headers": ["x-source:gateway"]}});
    let trigger = json!({"trigger": "x-maintenance"});
    vec![
        Pair::new(KEY_IN_SETTINGS, ("key_auth", in_settings()), ("key-auth", json!({})), keyed()),
        Pair::new(
            "jwt_auth, HS256",
            ("jwt_auth", jwt(Algorithm::Hs256)),
            ("jwt", json!({})),
            hs256(),
        ),
        Pair::new(JWT_RS256, ("jwt_auth", jwt(Algorithm::Rs256)), ("jwt", json!({})), rs256()),
        Pair::new(SESSION_LIVE, ("session", session_of_ana()), ("session", session()), with_cookie),
        same(LIMIT, "rate_limiting", "rate-limiting", ip, plain()),
        same(BOTS, "bot_detection", "bot-detection", json!({}), standard::browser()),
        same(NETWORKS, "ip_restriction", "ip-restriction", json!({"deny": networks()}), plain()),
        same(CORS, "cors", "cors", standard::cors_settings(), standard::from_an_origin()),
        same(TRANSFORMER, "request_transformer", "request-transformer", header, plain()),
        same(TERMINATION, "request_termination", "request-termination", trigger, plain()),
    ]
}

fn worst_pairs() -> Vec<Pair> {
    let jwt = |algorithm| json!({"consumers": [consumer(&[secret(algorithm)])]});
    let fresh = |name, algorithm| {
        Pair::varied(name, ("jwt_auth", jwt(algorithm)), ("jwt", json!({})), move || {
            tokens::fresh(algorithm)
        })
    };
    let mut windows = json!({"limit_by": "header", "header_name": "x-caller", "policy": "local"});
    for window in ["second", "minute", "hour", "day", "month", "year"] {
        windows[window] = json!(1_000_000);
    }
    let origins = json!({"origins": worst::origins(), "credentials": true});
    let same = |name, filter, plugin, config: Value, request| {
        Pair::new(name, (filter, config.clone()), (plugin, config), request)
    };
    // The Lua plugin keeps what it has found for a name.
    let names = || {
        let mut number = 0_u64;
        move || {
            number += 1;
            RawRequest::get("/orders/1")
                .header("user-agent", format!("{} run/{number}", crate::traffic::BROWSER))
        }
    };
    vec![
        Pair::new(
            "key_auth, unknown key, refused",
            ("key_auth", in_settings()),
            ("key-auth", json!({})),
            plain().header("apikey", "nobody's"),
        )
        .refused(401),
        fresh("jwt_auth, RS256, a new token each time", Algorithm::Rs256),
        fresh("jwt_auth, ES512, a new token each time", Algorithm::Es512),
        Pair::varied(
            "rate_limiting, six windows, 10,000 callers",
            ("rate_limiting", windows.clone()),
            ("rate-limiting", windows),
            worst::callers,
        ),
        Pair::varied(
            "bot_detection, a new name each time",
            ("bot_detection", json!({})),
            ("bot-detection", json!({})),
            names,
        ),
        same("cors, 50 expressions", "cors", "cors", origins.clone(), worst::asks()),
        same(worst::CORS_LONG, "cors", "cors", origins, worst::asks_at_length()),
        same(
            "request_termination, echo",
            "request_termination",
            "request-termination",
            json!({"echo": true}),
            kilobyte(),
        )
        .refused(503),
        same(
            "request_transformer, templates, 1 KB of JSON",
            "request_transformer",
            "request-transformer",
            templates(),
            worst::transformed(),
        ),
    ]
}

/// Five filters, and the plugins that they mirror.
fn chain() -> Pair {
    let plugins = [
        ("cors", standard::cors_settings()),
        ("ip-restriction", json!({"deny": networks()})),
        ("bot-detection", json!({})),
        ("key-auth", json!({})),
        ("rate-limiting", json!({"second": 1_000_000_000, "limit_by": "ip", "policy": "local"})),
    ];
    Pair {
        name: "five filters, a file each",
        filters: standard::five().into(),
        plugins: plugins.map(|(name, config)| Link::Plugin(name, config)).into(),
        status: 200,
        requests: [Box::new(standard::all_at_once), Box::new(standard::all_at_once)],
    }
}

fn keyed() -> RawRequest {
    plain().header("apikey", API_KEY)
}

fn in_settings() -> Value {
    json!({"consumers": [consumer(&[])]})
}

/// The consumer `ana` with an API key and these JWT credentials, in the shape of Kong's declarative
/// configuration, which is that of the filters' settings.
fn consumer(secrets: &[Value]) -> Value {
    let mut ana = json!({"id": ANA, "username": "ana", "keyauth_credentials": [{"key": API_KEY}]});
    if !secrets.is_empty() {
        ana["jwt_secrets"] = json!(secrets);
    }
    ana
}

fn all_secrets() -> Vec<Value> {
    [Algorithm::Hs256, Algorithm::Rs256, Algorithm::Es512].map(secret).into()
}

fn secret(algorithm: Algorithm) -> Value {
    let (key, name) = (tokens::issuer(algorithm), algorithm.to_string());
    match tokens::public_pem(algorithm) {
        Some(pem) => json!({"key": key, "algorithm": name, "rsa_public_key": pem}),
        None => json!({"key": key, "algorithm": name, "secret": tokens::SECRET}),
    }
}

/// Settings of the session plugin, under which a session never ends.
fn session() -> Value {
    json!({
        "secret": SECRET, "idling_timeout": 0, "rolling_timeout": 0, "absolute_timeout": 0,
    })
}

/// The same settings for the filter, which looks the consumer up, as the plugin does.
fn session_of_ana() -> Value {
    let mut settings = session();
    settings["consumers"] = json!([consumer(&[])]);
    settings
}

fn filter_session() -> Link {
    Link::ours("session", session_of_ana())
}

/// Every kind of change but the path's, with values that the request fills, in a language that is
/// both Lua and the filter's own.
fn templates() -> Value {
    json!({
        "remove": {"headers": ["x-debug"], "querystring": ["trace"], "body": ["card"]},
        "rename": {"headers": ["x-old:x-new"], "querystring": ["p:page"], "body": ["user:customer"]},
        "replace": {"body": ["comment:$(headers[\"x-note\"] or 'none')"]},
        "add": {
            "headers": ["x-page:$(query_params.p or '1')"],
            "querystring": ["source:$(headers[\"user-agent\"])"],
            "body": ["page:$(query_params.p or '1')"],
        },
        "append": {"headers": ["x-trail:gateway"], "body": ["trail:gateway"]},
    })
}
