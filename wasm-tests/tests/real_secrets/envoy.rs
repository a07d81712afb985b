//! A whole installation on a real Envoy at its most talkative level.

use crate::installation::{Installation, OF_THE_SERVICE, On, wrong_settings};
use crate::places::Places;
use crate::planted::Planted;
use crate::process::{self, Which};
use serde_json::{Value, json};
use wasm_tests::real::{Envoy, Filter, Setup, eventually};

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
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let mut all = String::new();
    for (name, settings) in wrong_settings(planted) {
        let setup = Setup::new(nowhere, vec![Filter::new(name, &settings)])
            .cluster("admin", nowhere)
            .talkative();
        let Err(log) = Envoy::try_start(&setup) else { panic!("{name} accepts {settings}") };
        let (ours, _) = ours_and_envoys(&log);
        assert!(ours.contains("invalid configuration"), "{name}: {ours}");
        // Which filter and which setting it was, is told at once.
        let shown = planted.search(ours.as_bytes(), &[]).secrets;
        assert!(shown.is_empty(), "{name} shows what {settings} holds: {ours}");
        all.push_str(&ours);
    }
    all
}

#[test]
fn no_secret_appears_in_what_an_installation_on_envoy_writes() {
    let mut installation = Installation::start();
    let scratch = wasm_tests::real::Scratch::new("secrets");
    let access = scratch.path().join("access.log").display().to_string();
    let setup = installation.setup(On::Envoy).access_log(access_log(&access)).talkative();
    let envoy = Envoy::start(&setup);
    installation.send_requests(|listener| envoy.address(listener));
    eventually("a word about the service that is away", || {
        let (ours, _) = ours_and_envoys(&envoy.log());
        (!ours.is_empty()).then_some(())
    });
    installation.settle();

    let mut places = Places::default();
    let refused = refused_settings(&mut installation.planted);
    places.add("lines of filters that refuse their settings", refused);
    let planted = &installation.planted;
    let (ours, envoys) = ours_and_envoys(&envoy.log());
    let level = planted.search(envoys.as_bytes(), &[]);
    assert!(!level.secrets.is_empty(), "the level is not talkative enough to prove anything");
    places.add_theirs("Envoy's own log, level trace", envoys, OF_THE_SERVICE, "each header");
    places.add("lines of the filters in Envoy's log, level trace", ours);
    places.add("Envoy: access log", std::fs::read(&access).expect("an access log"));
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
    if let Some(found) = process::searched("Envoy", &[envoy.id()], Which::Own, planted) {
        let environment = ["gateway token", "session secret", "private key for the upstream"];
        assert!(environment.iter().all(|name| found.names().contains(name)), "{:?}", found.names());
        places.add_memory("Envoy: memory", found, OF_THE_SERVICE, "in use, or not overwritten yet");
    }
    crate::service::searched(&installation, &mut places);
    drop(envoy);
    let sizes = places.sizes();
    assert!(sizes.values().all(|&size| size > 0), "a place is empty: {sizes:?}");
    let wrong = places.search(planted);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
