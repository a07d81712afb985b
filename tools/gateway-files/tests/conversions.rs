//! Realistic files for Kong's own plugins, below `tests/kong`, and what becomes of them.
//!
//! `tests/converted` has for each of them the file for Kong and what the conversion told. With
//! `UPDATE=1` in the environment, the test writes them anew.

mod istio;

use gateway_files::check::{Environment, Level, check};
use gateway_files::convert::{Admin, Converted, Kind, Options, Source, Target, convert};
use serde_norway::Value;
use std::path::{Path, PathBuf};

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// Returns the name and the text of each file.
fn files() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder("kong")).unwrap();
    let mut all: Vec<(String, String)> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect();
    all.sort();
    all
}

fn options(to: Target) -> Options {
    Options { to, inline_secrets: false, admin: None }
}

fn ways() -> Vec<(String, Options)> {
    let mut all = Vec::new();
    for to in [Target::Kong, Target::Envoy, Target::Istio] {
        for inline_secrets in [false, true] {
            for url in
                [None, Some("http://127.0.0.1:8001"), Some("https://gatehouse-admin.internal:8001")]
            {
                let admin = url.map(|url| Admin::read(url).unwrap());
                let name = format!("{to:?}, inline {inline_secrets}, admin {url:?}");
                all.push((name, Options { to, inline_secrets, admin }));
            }
        }
    }
    all
}

fn converted(name: &str, text: &str, options: &Options) -> Converted {
    convert(text, options).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn there_are_enough_files_and_the_documents_set_ups_are_among_them() {
    let names: Vec<String> = files().into_iter().map(|(name, _)| name).collect();
    assert!(names.len() >= 15, "{names:?}");
    for document in [
        "session-document",
        "auth0-blog",
        "app-id-document",
        "upstream-jwt-document",
        "moesif-konnect",
    ] {
        assert!(names.iter().any(|name| name == document), "{document}");
    }
}

#[test]
fn whatever_is_written_passes_the_check_in_its_environment() {
    for (name, text) in files() {
        for (way, options) in ways() {
            let converted = converted(&name, &text, &options);
            let get = |variable: &str| match converted.variables.get(variable)? {
                Source::Value(value) => Some(value.clone()),
                Source::File(_) | Source::Operator(_) => None,
            };
            let report =
                check(&converted.text, Environment { get: &get, complete: false }).unwrap();
            let errors: Vec<String> = report
                .findings
                .iter()
                .filter(|finding| finding.level == Level::Error)
                .map(ToString::to_string)
                .collect();
            assert!(errors.is_empty(), "{name} ({way}): {errors:#?}\n{}", converted.text);
            assert_eq!(report.filters, converted.filters, "{name} ({way})");
        }
    }
}

#[test]
fn no_secret_is_in_the_file_or_in_what_is_told_unless_it_is_asked_for() {
    let secrets = [
        "open_sesame",
        "supersecret",
        "aFGFzo9dRvT_jkw5ghisfnP",
        "a-secret-of-32",
        "q2QiVe24S6ABaO2L9dEA9y1epX25B9gr",
        "not-a-real-one",
        "acme-key-1",
        "an-old-secret",
        "anas-key",
        "redis-password",
        "a-secret-for-the-portal",
    ];
    for (name, text) in files() {
        for (way, options) in ways().into_iter().filter(|(_, options)| !options.inline_secrets) {
            let converted = converted(&name, &text, &options);
            for secret in secrets {
                assert!(
                    !converted.text.contains(secret),
                    "{name} ({way}): {secret} is in the file"
                );
                let told = converted.notes.iter().any(|note| note.to_string().contains(secret));
                assert!(!told, "{name} ({way}): {secret} is told");
            }
        }
    }
}

#[test]
fn every_plugin_is_a_filter_stays_or_is_told() {
    for (name, text) in files() {
        let file = gateway_files::documents::read(&text).unwrap().remove(0);
        for (way, options) in ways() {
            let converted = converted(&name, &text, &options);
            let written = gateway_files::documents::read(&converted.text).unwrap();
            let mut plugins = Vec::new();
            gateway_files::documents::walk(&file, &Default::default(), &mut |value, place| {
                let last = place.as_str().rsplit('.').next().unwrap_or_default();
                if last.starts_with("plugins[") {
                    plugins.push((
                        place.as_str().to_owned(),
                        value["name"].as_str().unwrap().to_owned(),
                    ));
                }
                place.as_str() != "_ignore"
            });
            assert!(!plugins.is_empty(), "{name}");
            let all = serde_json::to_string(&written).unwrap();
            for (place, plugin) in plugins {
                let told = converted.notes.iter().any(|note| note.place.starts_with(&place));
                let filter = match plugin.as_str() {
                    "jwt" => "jwt_auth".to_owned(),
                    "acl" => "request_termination".to_owned(),
                    "appid" => "app_id".to_owned(),
                    "kong-upstream-jwt" | "kong-upstream-jwt-extended" => "upstream_jwt".to_owned(),
                    other => other.replace('-', "_"),
                };
                let is_there = all.contains(&format!("\"gatehouse_{filter}\""))
                    || all.contains(&format!("\"pluginName\":\"{filter}\""))
                    || all.contains(&format!("\"name\":\"{plugin}\""));
                assert!(told || is_there, "{name} ({way}): {place} {plugin}");
            }
        }
    }
}

#[test]
fn each_file_becomes_what_is_written_beside_it() {
    let update = std::env::var_os("UPDATE").is_some();
    for (name, text) in files() {
        let converted = converted(&name, &text, &options(Target::Kong));
        let notes: String = converted.notes.iter().map(|note| format!("{note}\n")).collect();
        for (ending, text) in [("yml", &converted.text), ("txt", &notes)] {
            let path = folder("converted").join(format!("{name}.{ending}"));
            if update {
                std::fs::create_dir_all(folder("converted")).unwrap();
                std::fs::write(&path, text).unwrap();
            }
            let expected = std::fs::read_to_string(&path).unwrap_or_default();
            assert_eq!(
                *text,
                expected,
                "{}: if the change is right, UPDATE=1 writes it",
                path.display()
            );
        }
    }
}

#[test]
fn what_is_not_carried_over_is_told_where_it_is() {
    let lost = |name: &str| -> Vec<String> {
        let (_, text) = files().into_iter().find(|(known, _)| known == name).unwrap();
        let notes = converted(name, &text, &options(Target::Kong)).notes;
        notes
            .into_iter()
            .filter(|note| note.kind == Kind::NotCarriedOver)
            .map(|note| note.to_string())
            .collect()
    };
    let others = lost("other-plugins").join("\n");
    for part in [
        "services[0].plugins[0]: no filter does what basic-auth does",
        "services[0].plugins[2].config.deny[0]: gatehouse_bot_detection: found",
        "services[1].plugins[0]: proxy-cache would answer before",
        "services[1].plugins[2].ordering: ",
        "services[1].plugins[2].config.minute: found 0.5",
        "services[1].plugins[3].config.add.headers[0]: gatehouse_request_transformer: found",
        "services[1].plugins[4]: ai-proxy may buffer responses",
    ] {
        assert!(others.contains(part), "{part} is not told:\n{others}");
    }
    for whole in
        ["auth0-blog", "upstream-jwt-document", "moesif-konnect", "scopes", "either-or", "groups"]
    {
        assert_eq!(lost(whole), [""; 0], "{whole}");
    }
}

/// Routes, each with its filters and their settings.
type Routes = Vec<(Value, Vec<Value>)>;

/// Returns what an Envoy does with the requests of each route: for each virtual host its routes in
/// order. The names of clusters are left out.
fn treatment(bootstrap: &Value) -> Vec<(String, Routes)> {
    let resources = &bootstrap["static_resources"];
    let manager = &resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let list = |value: &Value| value.as_sequence().cloned().unwrap_or_default();
    let filters = list(&manager["http_filters"]);
    let mut all = Vec::new();
    for host in list(&manager["route_config"]["virtual_hosts"]) {
        let mut routes = Vec::new();
        for mut route in list(&host["routes"]) {
            for header in route["match"]["headers"].as_sequence_mut().into_iter().flatten() {
                header["name"] = header["name"].as_str().unwrap().to_ascii_lowercase().into();
            }
            let own = route["typed_per_filter_config"].clone();
            let is_on = |filter: &&Value| {
                filter["disabled"] != true || !own[filter["name"].as_str().unwrap()].is_null()
            };
            let settings = |filter: &Value| {
                let config = &filter["typed_config"]["config"];
                let mut settings = config["configuration"]["value"].clone();
                if let Some(settings) = settings.as_mapping_mut() {
                    settings.shift_remove("upstream");
                }
                if let Some(admin) = settings.get_mut("admin").and_then(Value::as_mapping_mut) {
                    admin.shift_remove("upstream");
                }
                let root = config["root_id"].clone();
                (!root.is_null()).then(|| Value::Sequence(vec![root, settings]))
            };
            // The answer to a request without a route is not the same: WasmPlugins stand before it.
            let chain = match route["name"] == "no-route" {
                true => Vec::new(),
                false => filters.iter().filter(is_on).filter_map(settings).collect(),
            };
            route.as_mapping_mut().unwrap().shift_remove("typed_per_filter_config");
            if let Some(action) = route.get_mut("route").and_then(Value::as_mapping_mut) {
                action.shift_remove("cluster");
            }
            routes.push((route, chain));
        }
        all.push((host["domains"][0].as_str().unwrap().to_owned(), routes));
    }
    all
}

#[test]
fn a_gateway_of_istio_treats_the_requests_of_each_route_as_envoy_does() {
    for (name, text) in files() {
        for (way, for_istio) in ways().into_iter().filter(|(_, way)| way.to == Target::Istio) {
            let for_envoy = Options { to: Target::Envoy, ..for_istio.clone() };
            let envoy = converted(&name, &text, &for_envoy).text;
            let envoy = gateway_files::documents::read(&envoy).unwrap().remove(0);
            let istio = istio::rendered(&converted(&name, &text, &for_istio).text);
            let (expected, found) = (treatment(&envoy), treatment(&istio));
            assert!(!expected.is_empty(), "{name}");
            // A host that Istio does not take is told.
            let expected =
                expected.into_iter().filter(|(host, _)| host == "*" || host.contains('.'));
            for expected in expected {
                let found = found.iter().find(|(host, _)| *host == expected.0);
                assert_eq!(found, Some(&expected), "{name} ({way})");
            }
            let endpoints = |bootstrap: &Value| {
                let clusters = bootstrap["static_resources"]["clusters"].as_sequence().unwrap();
                let each =
                    clusters.iter().map(|cluster| cluster["load_assignment"]["endpoints"].clone());
                each.map(|value| serde_json::to_string(&value).unwrap()).collect::<Vec<_>>()
            };
            let (envoy, istio) = (endpoints(&envoy), endpoints(&istio));
            for endpoint in &envoy {
                assert!(
                    istio.contains(endpoint),
                    "{name} ({way}): {endpoint} is not among {istio:#?}"
                );
            }
        }
    }
}
