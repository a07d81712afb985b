//! A whole installation on a real Envoy at its most talkative level.

use crate::places::Places;
use crate::planted::Planted;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use wasm_tests::real::{
    Admin, Answer, Echo, Envoy, Filter, Message, RawRequest, Server, Setup, eventually,
};
use wasm_tests::tokens::{secret, signed};

/// A server that keeps all that it is sent.
fn recorder(reply: fn(&Message) -> Answer) -> (Server, Arc<Mutex<Vec<u8>>>) {
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

/// Appends a message as it came over the wire.
fn append(text: &mut Vec<u8>, message: &Message) {
    text.extend(message.start.as_bytes());
    for (name, value) in &message.headers {
        text.extend([name, b": ".as_slice(), value, b"\n"].concat());
    }
    text.extend(&message.body);
    text.push(b'\n');
}

/// The access log that docs/one-request.md gives.
fn access_log(path: &str) -> Value {
    json!([{"name": "log", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
        "path": path,
        "log_format": {"json_format": {
            "status": "%RESPONSE_CODE%",
            "cause": "%RESPONSE_CODE_DETAILS%",
            "caller": "%FILTER_STATE(wasm.gatehouse_consumer:PLAIN)%",
        }},
    }}])
}

/// Returns the lines that our filters wrote, and those that Envoy wrote.
fn ours_and_envoys(log: &str) -> (String, String) {
    let (mut ours, mut envoys) = (String::new(), String::new());
    let mut in_ours = false;
    for line in log.lines() {
        // A line of Envoy begins with the time; what does not goes on with the line before.
        if line.starts_with("[20") {
            in_ours = line.contains("wasm log");
        }
        let text = if in_ours { &mut ours } else { &mut envoys };
        text.push_str(line);
        text.push('\n');
    }
    (ours, envoys)
}

/// Returns what filters say of settings that hold secrets in wrong places.
fn refused_settings(planted: &mut Planted) -> String {
    let secret = planted.plant("secret in the wrong place");
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let mut all = String::new();
    for (name, settings) in [
        (
            "key_auth",
            json!({"consumers": [{"username": "fiona", "keyauth_credentials": [{"key": secret, "key_env": secret}]}]}),
        ),
        (
            "key_auth",
            json!({"consumers": secret, "admin": {"upstream": "admin", "token": [secret]}}),
        ),
        (
            "jwt_auth",
            json!({"consumers": [{"username": "fiona", "jwt_secrets": [{"key": "k", "secret": secret, "algorithm": "RS256"}]}]}),
        ),
        (
            "jwt_auth",
            json!({"consumers": [{"username": "fiona", "jwt_secrets": [{"key": "k", "rsa_public_key": secret, "algorithm": "RS256"}]}]}),
        ),
        ("session", json!({"secret": [secret], "secret_fallbacks": secret})),
        ("session", json!({"secret": secret, "secret_env": secret})),
        (
            "upstream_jwt",
            json!({"private_key": format!("-----BEGIN PRIVATE KEY-----\n{secret}\n-----END PRIVATE KEY-----")}),
        ),
        (
            "moesif",
            json!({"application_id": format!("{secret}\n"), "debug_token": format!("{secret}\u{e4}")}),
        ),
        (
            "rate_limiting",
            json!({"minute": 1, "policy": "redis", "redis": {"password": secret, "host": "redis"}}),
        ),
    ] {
        let setup = Setup::new(nowhere, vec![Filter::new(name, &settings)])
            .cluster("admin", nowhere)
            .talkative();
        let Err(log) = Envoy::try_start(&setup) else { panic!("{name} accepts {settings}") };
        let (ours, _) = ours_and_envoys(&log);
        assert!(ours.contains("invalid configuration"), "{name}: {ours}");
        // Which filter and which setting it was, is told at once.
        assert!(!ours.contains(&secret), "{name} shows what {settings} holds: {ours}");
        all.push_str(&ours);
    }
    all
}

const KEYS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../filters/upstream-jwt/test-keys/");

#[test]
fn no_secret_appears_in_what_an_installation_on_envoy_writes() {
    let mut planted = Planted::default();
    let admin_token = planted.plant("admin token");
    let gateway_token = planted.plant("gateway token");
    let encryption =
        planted.known("encryption key", &jose::hash::sha256_hex(b"the encryption key"));
    let api_key = planted.plant("API key");
    let second_key = planted.plant("API key of a query");
    let inline_key = planted.plant("API key in the settings");
    let wrong_key = planted.plant("API key that nobody has");
    let jwt_secret = planted.plant("JWT secret");
    let inline_secret = planted.plant("JWT secret in the settings");
    let session_secret = planted.plant("session secret");
    let application = planted.plant("Moesif application id");
    let debug_token = planted.plant("debug token");
    let password = planted.plant("password of basic authentication");
    let bearer = planted.plant("bearer token of a client");
    let cookie = planted.plant("cookie of a client");
    let body = planted.plant("body of a client");
    let private_key = std::fs::read_to_string(format!("{KEYS}rsa.pem")).expect("a key");
    let heart: String = private_key.lines().skip(2).take(1).collect();
    planted.known("private key for the upstream", &heart);

    let scratch = wasm_tests::real::Scratch::new("secrets");
    let key_file = scratch.file("encryption-key", &encryption).display().to_string();
    let (traces, spans) =
        recorder(|_| Answer::Reply { status: 200, headers: Vec::new(), body: Vec::new() });
    let traces_url = format!("http://{}", traces.address());
    let mut admin = Admin::with_flags(
        &admin_token,
        &gateway_token,
        &[
            "--log-level",
            "debug",
            "--encryption-key-file",
            &key_file,
            "--otlp-endpoint",
            &traces_url,
        ],
    );
    admin.create("/consumers", &json!({"username": "fiona"}));
    admin.create("/consumers/fiona/key-auth", &json!({"key": api_key}));
    admin.create("/consumers/fiona/key-auth", &json!({"key": second_key}));
    admin.create("/consumers/fiona/jwt", &json!({"key": "fiona", "secret": jwt_secret}));

    let echo = Echo::start();
    let (collector, events) = recorder(|request| match request.path() {
        "/v1/config" => Answer::json(200, json!({"sample_rate": 100})),
        _ => Answer::json(201, "{}"),
    });
    let asks = json!({"upstream": "admin", "token_env": "PLANTED_TOKEN", "poll_interval": 1, "timeout": 60_000});
    let filter = |name: &str, settings: &Value| {
        let mut settings = settings.clone();
        settings["debug_token_env"] = json!("PLANTED_DEBUG_TOKEN");
        let names = [
            "TOKEN",
            "DEBUG_TOKEN",
            "SESSION_SECRET",
            "APPLICATION",
            "KEY",
            "SECRET",
            "PRIVATE_KEY",
        ];
        let filter = Filter::new(name, &settings);
        names.iter().fold(filter, |filter, name| filter.of_the_host(&format!("PLANTED_{name}")))
    };
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
    let or_session = json!({"anonymous": "nobody", "admin": asks});
    let access = scratch.path().join("access.log").display().to_string();
    let setup = Setup::new(
        echo.address(),
        vec![
            moesif,
            keys,
            filter("rate_limiting", &json!({"hour": 1000, "policy": "cluster", "admin": asks})),
            filter("upstream_jwt", &json!({"private_key_env": "PLANTED_PRIVATE_KEY"})),
        ],
    )
    .listener("tokens", vec![tokens])
    .listener(
        "sessions",
        vec![
            filter(
                "session",
                &json!({"secret_env": "PLANTED_SESSION_SECRET", "storage": "kong", "admin": asks}),
            ),
            filter("key_auth", &or_session),
        ],
    )
    .cluster("admin", admin.address())
    .cluster("collector", collector.address())
    .access_log(access_log(&access))
    .talkative()
    .environment("PLANTED_TOKEN", &gateway_token)
    .environment("PLANTED_DEBUG_TOKEN", &debug_token)
    .environment("PLANTED_SESSION_SECRET", &session_secret)
    .environment("PLANTED_APPLICATION", &application)
    .environment("PLANTED_KEY", &inline_key)
    .environment("PLANTED_SECRET", &inline_secret)
    .environment("PLANTED_PRIVATE_KEY", &private_key);
    let envoy = Envoy::start(&setup);

    let mut refusals = Vec::new();
    let mut statuses = Vec::new();
    let mut ask = |listener: &str, request: RawRequest| {
        let answer = request.send(envoy.address(listener));
        statuses.push(answer.status());
        if answer.status() != 200 {
            append(&mut refusals, &answer);
        }
        answer
    };
    let told = |request: RawRequest| request.header("x-gatehouse-debug", &debug_token);
    let client = |path: &str| {
        use base64::Engine;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("user:{password}"));
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
        let token = signed(&secret("HS256", key.as_bytes()), &json!({}), &json!({"iss": issuer}));
        planted.known(&format!("token of {issuer} by {}", &key[8..16]), &token);
        ask("tokens", told(client("/").bearer(&token)));
        ask("tokens", client(&format!("/?jwt={token}")));
    }
    ask("tokens", client("/").bearer(&bearer));
    let first = ask("sessions", client("/").header("apikey", &api_key));
    let set = first.all("set-cookie").concat();
    let (pair, _) = set.split_once(';').expect("a cookie");
    let (_, value) = pair.split_once('=').expect("a cookie");
    planted.known("cookie of a session", value);
    let again = ask("sessions", RawRequest::get("/").header("cookie", pair));
    assert_eq!(again.status(), 200, "{}", again.text());
    ask("sessions", RawRequest::get("/").header("cookie", format!("session={cookie}")));
    // What a filter says when nobody answers it.
    admin.stop();
    assert_eq!(
        ask("main", client("/").header("apikey", &second_key).header("x-late", "1")).status(),
        200
    );
    assert_eq!(ask("main", client("/").header("apikey", format!("{wrong_key}-2"))).status(), 503);
    eventually("a word about the service that is away", || {
        let (ours, _) = ours_and_envoys(&envoy.log());
        (!ours.is_empty()).then_some(())
    });
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 11, "{statuses:?}");
    admin.resume();
    eventually("events", || (events.lock().expect("a lock").len() > 1000).then_some(()));
    eventually("spans", || (spans.lock().expect("a lock").len() > 1000).then_some(()));

    let mut places = Places::default();
    let refused = refused_settings(&mut planted);
    places.add("lines of filters that refuse their settings", refused);
    let (ours, envoys) = ours_and_envoys(&envoy.log());
    let theirs = planted.search(envoys.as_bytes(), &[]);
    println!(
        "Envoy's own lines at level trace: {} bytes, which show {} forms of secrets: it logs each header.",
        theirs.bytes,
        theirs.secrets.len()
    );
    assert!(!theirs.secrets.is_empty(), "the level is not talkative enough to prove anything");
    places.add("lines of the filters in Envoy's log, level trace", ours);
    places.add("access log", std::fs::read(&access).expect("an access log"));
    for (name, path) in [
        ("Envoy: /config_dump", "/config_dump?include_eds"),
        ("Envoy: /stats", "/stats"),
        ("Envoy: /stats/prometheus", "/stats/prometheus"),
        ("Envoy: /clusters", "/clusters"),
        ("Envoy: /listeners", "/listeners?format=json"),
        ("Envoy: /server_info", "/server_info"),
    ] {
        places.add(name, envoy.administration(path).body);
    }
    places.add("refusals, as clients got them", refusals);
    places.add_but("events of Moesif, with masks", events.lock().expect("a lock").clone(), &[], "");
    crate::service::searched(&admin, &mut places, &spans.lock().expect("a lock"), &admin_token);
    drop(envoy);
    let sizes = places.sizes();
    assert!(sizes.values().all(|&size| size > 0), "a place is empty: {sizes:?}");
    let wrong = places.search(&planted);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
