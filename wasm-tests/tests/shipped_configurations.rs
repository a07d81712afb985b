//! The configurations that operators copy: each holds every filter, and each filter accepts its
//! part.

use serde::Deserialize;
use serde_json::Value;
use std::path::Path;
use wasm_tests::{Filter, KongVersion, Level, Profile, Proxy, Request, built_filters};

/// The image of the module that holds all filters.
const MODULE: &str = "oci://registry.example.com/gatehouse/gatehouse:0.1.0";

const KEY: &str = include_str!("../../filters/upstream-jwt/test-keys/rsa.pem");

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn documents(path: &str) -> Vec<Value> {
    let text = text(path);
    let documents = serde_norway::Deserializer::from_str(&text);
    let read = |document| {
        let mut yaml = serde_norway::Value::deserialize(document)
            .unwrap_or_else(|error| panic!("{path}: {error}"));
        yaml.apply_merge().unwrap_or_else(|error| panic!("{path}: {error}"));
        serde_json::to_value(yaml).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    documents.map(read).collect()
}

/// The results of `of` for every object at any depth.
fn find<T>(value: &Value, of: &dyn Fn(&Value) -> Option<T>) -> Vec<T> {
    let inner: Vec<T> = match value {
        Value::Object(members) => members.values().flat_map(|v| find(v, of)).collect(),
        Value::Array(items) => items.iter().flat_map(|v| find(v, of)).collect(),
        _ => Vec::new(),
    };
    of(value).into_iter().chain(inner).collect()
}

/// The name of a filter in the `root_id` that chooses it, or in the name of its file.
fn feature(root_id: &str) -> String {
    let name = root_id.split('/').next().unwrap_or(root_id);
    name.strip_prefix("gatehouse_").unwrap_or(name).to_owned()
}

/// The `root_id` and settings of every Wasm filter in a part of an Envoy configuration, all of
/// which come out of the module that holds all filters.
fn envoy_filters(document: &Value) -> Vec<(String, Value)> {
    find(document, &|part| {
        let settings = part["configuration"]["value"].clone();
        let code = &part["vm_config"]["code"];
        let file = code["local"]["filename"].as_str();
        let file = file.or(code["remote"]["http_uri"]["uri"].as_str())?;
        assert!(["gatehouse.wasm", MODULE].contains(&file), "{file}");
        let root_id = part["root_id"].as_str()?.to_owned();
        settings.is_object().then_some((root_id, settings))
    })
}

/// Fails unless a chain has one VM in each worker. Envoy makes another one where anything differs.
#[track_caller]
fn assert_one_vm(of_the_filters: &[Value]) {
    let (first, rest) = of_the_filters.split_first().expect("a chain");
    rest.iter().for_each(|other| assert_eq!(other, first));
}

#[track_caller]
fn accepted_on_envoy((root_id, settings): &(String, Value)) {
    for holds_headers in [false, true] {
        if settings["allow_on_headers_stop_iteration"] == true && !holds_headers {
            continue;
        }
        let profile = Profile::envoy()
            .allow_on_headers_stop_iteration(holds_headers)
            .environment("GATEHOUSE_TOKEN", "a-token")
            .environment("GATEHOUSE_UPSTREAM_KEY", KEY)
            .environment("GATEHOUSE_SESSION_SECRET", "a-secret")
            .environment("GATEHOUSE_MOESIF_APPLICATION_ID", "an-id")
            .vm_configuration(r#"{"host":"envoy"}"#);
        let proxy = Proxy::new(profile, [Filter::of_all(root_id).config(settings.to_string())]);
        assert_eq!(proxy.rejected(), None, "{root_id} {settings}");
    }
}

#[track_caller]
fn assert_all_features(found: &[(String, Value)], path: &str) {
    for (feature, _) in built_filters() {
        assert!(
            found.iter().any(|(name, _)| self::feature(name) == feature),
            "{feature} is not in {path}"
        );
    }
}

#[test]
fn envoys() {
    let path = "envoy-config/envoy.yaml";
    let documents = documents(path);
    let found: Vec<_> = documents.iter().flat_map(envoy_filters).collect();
    found.iter().for_each(accepted_on_envoy);
    assert_all_features(&found, path);
    let vms = |document| find(document, &|part| part.get("vm_config").cloned());
    assert_one_vm(&documents.iter().flat_map(vms).collect::<Vec<_>>());
}

#[test]
fn istios_plugins() {
    let path = "envoy-config/istio-wasmplugin.yaml";
    let plugins = documents(path);
    let found: Vec<_> = plugins
        .iter()
        .map(|plugin| {
            let spec = &plugin["spec"];
            assert_eq!(spec["url"], MODULE);
            let root_id = spec["pluginName"].as_str().expect("a name");
            (root_id.to_owned(), spec["pluginConfig"].clone())
        })
        .collect();
    found.iter().for_each(accepted_on_envoy);
    assert_all_features(&found, path);
    let vms = plugins.iter().map(|plugin| plugin["spec"]["vmConfig"].clone());
    assert_one_vm(&vms.collect::<Vec<_>>());
}

#[test]
fn istios_patches() {
    let found: Vec<_> =
        documents("envoy-config/istio-envoyfilter.yaml").iter().flat_map(envoy_filters).collect();
    found.iter().for_each(accepted_on_envoy);
    assert!(!found.is_empty());
}

#[test]
fn kongs() {
    let path = "kong-config/kong.yml";
    let found: Vec<(String, Value)> = documents(path)
        .iter()
        .flat_map(|document| {
            find(document, &|part| {
                let name = part["name"].as_str()?.strip_prefix("gatehouse_")?;
                let settings = part["config"].clone();
                settings.is_object().then(|| (name.to_owned(), settings))
            })
        })
        .collect();
    let conf = text("kong-config/kong.conf");
    let declared = declared_variables(&conf);
    for version in KongVersion::ALL {
        for (feature, settings) in &found {
            let profile = Profile::kong(version).zone("gatehouse").variables(&declared);
            let profile = profile.environment("GATEHOUSE_TOKEN", "a-token");
            let profile = profile.environment("GATEHOUSE_UPSTREAM_KEY", KEY);
            let profile = profile.environment("GATEHOUSE_SESSION_SECRET", "a-secret");
            let profile = profile.environment("GATEHOUSE_MOESIF_APPLICATION_ID", "an-id");
            let proxy = Proxy::new(profile, [Filter::built(feature).config(settings.to_string())]);
            // Kong would load any configuration: the filter answers 500 and logs the reason.
            let outcome = proxy.send(Request::get("/")).outcome();
            let log = proxy.log_text(Level::Error);
            assert_eq!((log.as_str(), outcome.traps.len()), ("", 0), "{feature} on {version:?}");
            let status = outcome.reply.map(|reply| reply.status);
            assert_ne!(status, Some(500), "{feature} on {version:?}");
        }
    }
    assert_all_features(&found, path);
}

/// The variables of nginx that `nginx_proxy_set` in kong.conf declares.
fn declared_variables(conf: &str) -> Vec<&str> {
    let line = conf.lines().find_map(|line| line.strip_prefix("nginx_proxy_set = "));
    let line = line.expect("kong.conf declares variables with nginx_proxy_set");
    line.split(';')
        .map(|item| {
            let item = item.trim();
            let item = item.strip_prefix("set ").unwrap_or(item);
            let name = item.strip_prefix('$').and_then(|item| item.strip_suffix(" \"\""));
            name.unwrap_or_else(|| panic!("expected `$name \"\"`, found `{item}`"))
        })
        .collect()
}

#[test]
fn the_log_names_the_line_that_kong_conf_has() {
    let conf = text("kong-config/kong.conf");
    let line = conf.lines().find(|line| line.starts_with("nginx_proxy_set = ")).unwrap_or("none");
    let settings = r#"{"consumers":[{"username":"ana","keyauth_credentials":[{"key":"k"}]}]}"#;
    let filter = Filter::built("key_auth").config(settings);
    let proxy = Proxy::new(Profile::kong(KongVersion::V3_9), [filter]);
    assert_eq!(proxy.send(Request::get("/")).refused().status, 500);
    let log = proxy.log_text(Level::Error);
    assert!(log.contains(&format!("`{line}`")), "{log}");
}

#[test]
fn the_variant_for_one_machine_differs_from_kong_yml_in_its_addresses_only() {
    let addresses = ["upstream:", "authority:", "scheme:", "token_env:", "collector:", "url:"];
    let rest = |path: &str| {
        let text = text(path);
        let lines = text.lines().skip_while(|line| line.starts_with('#'));
        let other = |line: &&str| !addresses.iter().any(|key| line.trim_start().starts_with(key));
        lines.filter(other).map(str::to_owned).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(rest("kong-config/kong-local.yml"), rest("kong-config/kong.yml"));
    let local = text("kong-config/kong-local.yml");
    assert!(!local.contains(".internal"), "a name that one machine does not have");
}

#[test]
fn every_variable_that_kongs_filters_name_is_declared() {
    let conf = text("kong-config/kong.conf");
    let set = |key: &str| conf.lines().any(|line| line.trim_start().starts_with(key));
    let declares = |key: &str, value: &str| {
        let line = conf.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_prefix('='));
        line.is_some_and(|list| list.split([';', ',', ' ']).any(|item| item.trim() == value))
    };
    for document in documents("kong-config/kong.yml") {
        for zone in find(&document, &|part| part["shm_zone"].as_str().map(str::to_owned)) {
            assert!(set(&format!("nginx_wasm_shm_kv_{zone} =")), "the zone {zone}");
        }
        for name in ["token_env", "secret_env", "application_id_env"] {
            for variable in find(&document, &|part| part[name].as_str().map(str::to_owned)) {
                assert!(declares("nginx_main_env", &variable), "the variable {variable}");
            }
        }
        let location = |part: &Value| {
            Some(part["private_key_location"].as_str()?.strip_prefix("env://")?.to_owned())
        };
        for variable in find(&document, &location) {
            assert!(declares("nginx_main_env", &variable), "the variable {variable}");
        }
        for source in find(&document, &|part| part["access"][0].as_str().map(str::to_owned)) {
            let variables = declared_variables(&conf);
            for name in source.split("ngx.var.").skip(1).filter_map(|s| s.split([' ', '=']).next())
            {
                assert!(variables.contains(&name), "the variable {name}");
            }
            for module in source.split("require \"").skip(1).filter_map(|s| s.split('"').next()) {
                assert!(declares("untrusted_lua_sandbox_requires", module), "the module {module}");
            }
        }
    }
}
