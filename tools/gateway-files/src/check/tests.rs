use super::*;

fn environment<'a>(get: &'a dyn Fn(&str) -> Option<String>) -> Environment<'a> {
    Environment { get, complete: false }
}

fn findings(text: &str) -> Vec<String> {
    let report = check(text, environment(&|_| None)).unwrap();
    report.findings.iter().map(ToString::to_string).collect()
}

/// Asserts that the only finding begins with `place` and holds `says`.
#[track_caller]
fn assert_only(text: &str, place: &str, says: &str) {
    let found = findings(text);
    let one = matches!(&found[..], [one] if one.starts_with(place) && one.contains(says));
    assert!(one, "expected {place} … {says}, found {found:#?}");
}

fn envoy(plugin: &str) -> String {
    format!(
        r#"
static_resources:
  listeners:
  - filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          http_filters:
          - name: gatehouse_key_auth
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm
              config:
                root_id: key_auth
                vm_config:
                  configuration: {{ "@type": x/google.protobuf.StringValue, value: '{{"host":"envoy"}}' }}
                  environment_variables: {{ host_env_keys: [HANDED] }}
                  code: {{ local: {{ filename: filters/gatehouse_key_auth.wasm }} }}
                {plugin}
"#
    )
}

const HTTP_FILTER: &str = "static_resources.listeners[0].filter_chains[0].filters[0].typed_config.http_filters[0].typed_config.config";

#[test]
fn kong_chains_are_judged_wherever_they_stand() {
    let filter = "{ filters: [{ name: gatehouse_cors, config: { max_age: x } }] }";
    for (text, place) in [
        (format!("filter_chains: [{filter}]"), "filter_chains[0]"),
        (format!("services: [{{ filter_chains: [{filter}] }}]"), "services[0].filter_chains[0]"),
        (
            format!("services: [{{ routes: [{{ filter_chains: [{filter}] }}] }}]"),
            "services[0].routes[0].filter_chains[0]",
        ),
    ] {
        let place = format!("error: {place}.filters[0].config.max_age: cors: ");
        assert_only(&text, &place, "found \"x\", expected a whole number");
    }
    let plugin = "plugins: [{ name: gatehouse_cors, config: { max_age: x } }]";
    assert_only(plugin, "error: plugins[0].config.max_age: cors: ", "found \"x\"");
}

#[test]
fn kongs_own_plugins_are_left_alone() {
    let text = "plugins: [{ name: key-auth, config: { key_names: 1 } }]\nservices: [{ plugins: [{ name: cors }] }]";
    let report = check(text, environment(&|_| None)).unwrap();
    assert_eq!((report.filters, report.findings.len()), (0, 0));
}

#[test]
fn a_misspelt_setting_or_filter_is_told_its_name() {
    let text =
        "filter_chains: [{ filters: [{ name: gatehouse_bot_detection, config: { denny: [] } }] }]";
    assert_only(text, "error: filter_chains[0].filters[0].config.denny: ", "Did you mean `deny`?");
    let text = "filter_chains: [{ filters: [{ name: gatehouse_key_aut }] }]";
    assert_only(
        text,
        "error: filter_chains[0].filters[0].name: ",
        "Did you mean `gatehouse_key_auth`?",
    );
}

#[test]
fn kong_3_4_has_settings_as_text() {
    let text =
        r#"filter_chains: [{ filters: [{ name: gatehouse_cors, config: '{"max_age":"x"}' }] }]"#;
    assert_only(text, "error: filter_chains[0].filters[0].config.max_age: ", "found \"x\"");
}

#[test]
fn kong_refuses_null() {
    let text =
        "filter_chains: [{ filters: [{ name: gatehouse_cors, config: { max_age: null } }] }]";
    assert_only(text, "error: filter_chains[0].filters[0].config.max_age: ", "found null");
}

#[test]
fn what_works_on_one_gateway_only_is_known() {
    let text = "filter_chains: [{ filters: [{ name: gatehouse_key_auth, config: { admin: { upstream: 'a b' } } }] }]";
    assert_only(text, "error: filter_chains[0].filters[0].config.admin.upstream: ", "spaces");
    let text = "filter_chains: [{ filters: [{ name: gatehouse_session, config: \
                { secret: x, storage: admin, admin: { upstream: 'a:1' } } }] }]";
    assert_only(
        text,
        "error: filter_chains[0].filters[0].config.phase: ",
        "expected \"open\" here",
    );
    let settings = "configuration: { \"@type\": x/google.protobuf.Struct, value: { key_in_body: true, consumers: [{ id: a }] } }";
    assert_only(
        &envoy(settings),
        &format!("error: {HTTP_FILTER}.configuration.value.key_in_body: key_auth: "),
        "allow_on_headers_stop_iteration",
    );
}

#[test]
fn envoys_filters_are_found_by_their_place() {
    let settings =
        "configuration: { \"@type\": x/google.protobuf.Struct, value: { consumers: [{}] } }";
    let place = format!("error: {HTTP_FILTER}.configuration.value.consumers[0]: key_auth: ");
    assert_only(&envoy(settings), &place, "expected `username`");
    let settings =
        r#"configuration: { "@type": x/google.protobuf.StringValue, value: '{"consumers":[{}]}' }"#;
    assert_only(&envoy(settings), &place, "expected `username`");
    let settings = "configuration: { value: {} }";
    assert_only(
        &envoy(settings),
        &format!("error: {HTTP_FILTER}.configuration: "),
        "found no `@type`",
    );
}

#[test]
fn filters_are_found_in_per_route_settings_and_in_a_typed_struct() {
    let wasm = r#"{ "@type": x/envoy.extensions.filters.http.wasm.v3.Wasm, config: { root_id: cors, vm_config: {
        configuration: {}, code: { local: { filename: /gatehouse.wasm } } },
        configuration: { "@type": x/google.protobuf.Struct, value: { max_age: x } } } }"#;
    let per_route = format!("resources: [{{ typed_per_filter_config: {{ a.b: {wasm} }} }}]");
    let place = r#"error: resources[0].typed_per_filter_config["a.b"].config.configuration.value.max_age: cors: "#;
    assert_only(&per_route, place, "found \"x\"");
    let patch = "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nspec:\n  configPatches:\n  - patch:\n      value:\n        \
                 typed_config:\n          \"@type\": type.googleapis.com/udpa.type.v1.TypedStruct\n          type_url: \
                 x/envoy.extensions.filters.http.wasm.v3.Wasm\n          value: { config: { root_id: cors, vm_config: { configuration: {}, \
                 code: { remote: { http_uri: { uri: 'https://x/gatehouse_cors.wasm' } } } }, \
                 configuration: { \"@type\": x/google.protobuf.Struct, value: { max_age: x } } } }\n";
    let place = "error: spec.configPatches[0].patch.value.typed_config.value.config.configuration.value.max_age: cors: ";
    assert_only(patch, place, "found \"x\"");
}

#[test]
fn the_option_for_bodies_stands_in_both_places() {
    let settings = "configuration: { \"@type\": x/google.protobuf.Struct, value: { allow_on_headers_stop_iteration: true, consumers: [{ id: a }] } }";
    assert_only(
        &envoy(settings),
        &format!("error: {HTTP_FILTER}.configuration.value.allow_on_headers_stop_iteration: "),
        "beside `configuration`",
    );
    let both = format!("allow_on_headers_stop_iteration: true\n                {settings}");
    assert_eq!(findings(&envoy(&both)), [""; 0]);
}

#[test]
fn a_variable_that_is_not_set_here_is_a_warning_or_with_env_an_error() {
    let text = "filter_chains: [{ filters: [{ name: gatehouse_session, config: { secret_env: SECRET, phas: open } }] }]";
    let found = findings(text);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("error: filter_chains[0].filters[0].config.phas: "), "{found:#?}");
    assert!(found[1].starts_with("warning: ") && found[1].contains("`SECRET`"), "{found:#?}");
    let report = check(text, Environment { get: &|_| None, complete: true }).unwrap();
    assert!(
        report.findings.iter().any(|f| f.level == Level::Error && f.message.contains("`SECRET`"))
    );
    let report =
        check(text, Environment { get: &|_| Some("x".to_owned()), complete: true }).unwrap();
    assert_eq!(report.findings.len(), 1);
}

#[test]
fn a_variable_of_several_filters_is_one_warning() {
    let filter = "{ name: gatehouse_session, config: { secret_env: SECRET } }";
    let text = format!("filter_chains: [{{ filters: [{filter}, {filter}] }}]");
    assert_only(
        &text,
        "warning: filter_chains[0].filters[0].config: session: ",
        "`SECRET` here and in 1 more",
    );
}

#[test]
fn a_key_in_a_variable_that_is_not_set_is_one_warning() {
    let text = "filter_chains: [{ filters: [{ name: gatehouse_upstream_jwt, config: \
                { private_key_location: 'env://KEY', public_key_env: CERT, x5c: true } }] }]";
    let found = findings(text);
    assert!(
        found.iter().all(|finding| finding.starts_with("warning: ")) && found.len() == 2,
        "{found:#?}"
    );
}

#[test]
fn envoy_hands_over_only_the_variables_that_the_file_names() {
    let settings = |variable| {
        format!(
            "configuration: {{ \"@type\": x/google.protobuf.Struct, value: {{ consumers: [{{ id: a, keyauth_credentials: [{{ key_env: {variable} }}] }}] }} }}"
        )
    };
    assert_only(&envoy(&settings("HANDED")), "warning: ", "`HANDED`");
    assert_only(
        &envoy(&settings("OTHER")),
        "error: ",
        "add `OTHER` to `vm_config.environment_variables.host_env_keys`",
    );
}

#[test]
fn istio_and_envoy_gateway_are_known() {
    let plugin = "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: { name: gatehouse-cors }\nspec:\n  \
                  url: oci://registry.example.com/gatehouse/cors:0.1.0\n  vmConfig: { env: [{ name: GATEHOUSE_HOST, value: envoy }] }\n  \
                  pluginConfig: { max_age: x }\n";
    assert_only(plugin, "error: spec.pluginConfig.max_age: cors: ", "found \"x\"");
    let two = format!("{plugin}---\n{plugin}");
    assert!(
        findings(&two)[1].starts_with(
            "error: document 2 (WasmPlugin gatehouse-cors): spec.pluginConfig.max_age: "
        )
    );
    let of_all = plugin.replace("/cors:0.1.0\n", "/gatehouse:0.1.0\n  pluginName: cors/session\n");
    assert_only(&of_all, "error: spec.pluginConfig.max_age: cors: ", "found \"x\"");
    let policy = "apiVersion: gateway.envoyproxy.io/v1alpha1\nkind: EnvoyExtensionPolicy\nspec:\n  wasm:\n  - name: cors\n    rootID: cors\n    \
                  code: { type: Image, image: { url: 'registry.example.com/gatehouse:0.1.0' } }\n    config: { max_age: x }\n";
    assert_only(policy, "error: spec.wasm[0].config.max_age: cors: ", "found \"x\"");
}

#[test]
fn a_secret_is_never_quoted() {
    let text = "filter_chains: [{ filters: [{ name: gatehouse_session, config: { secret: 's3cr3t', secret_env: A } }] }]";
    let found = findings(text).join("\n");
    assert!(found.contains("config.secret") && !found.contains("s3cr3t"), "{found}");
}

#[test]
fn a_file_that_is_for_no_gateway_is_refused() {
    assert!(
        check("name: value", environment(&|_| None))
            .unwrap_err()
            .contains("expected `_format_version`")
    );
    assert!(check("a: [", environment(&|_| None)).is_err());
}

#[test]
fn the_shipped_files_have_no_error() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut filters = 0;
    for folder in ["kong-config", "envoy-config"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if !path.extension().is_some_and(|end| end == "yml" || end == "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let report = check(&text, environment(&|_| None)).unwrap();
            assert!(report.filters > 0, "{}", path.display());
            assert_eq!(report.count(Level::Error), 0, "{}: {:#?}", path.display(), report.findings);
            filters += report.filters;
        }
    }
    assert!(filters > 40, "{filters}");
    for folder in ["deploy/istio", "deploy/envoy-gateway"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let is_yaml = path.extension().is_some_and(|end| end == "yml" || end == "yaml");
            let text = if is_yaml { std::fs::read_to_string(&path).unwrap() } else { continue };
            let report = check(&text, environment(&|_| None)).unwrap();
            assert_eq!(report.count(Level::Error), 0, "{}: {:#?}", path.display(), report.findings);
        }
    }
}

#[test]
fn the_root_context_chooses_the_filter_in_the_module_of_all_and_only_there() {
    let with = |file: &str, root: &str| {
        let wasm = format!(
            r#"{{ "@type": x/envoy.extensions.filters.http.wasm.v3.Wasm, config: {{ name: gatehouse_cors, root_id: {root},
            vm_config: {{ configuration: {{}}, code: {{ local: {{ filename: {file} }} }} }},
            configuration: {{ "@type": x/google.protobuf.Struct, value: {{ max_age: x }} }} }} }}"#
        );
        findings(&format!("resources: [{wasm}]"))
    };
    for (file, root, says) in [
        ("gatehouse.wasm", "cors", "cors: found \"x\""),
        ("/opt/gatehouse.wasm", "gatehouse_cors/portal", "cors: found \"x\""),
        ("gatehouse.wasm", "cros", "found \"cros\", expected one of Gatehouse's filters"),
        (
            "gatehouse.wasm",
            "cors_portal",
            "found \"cors_portal\", expected one of Gatehouse's filters",
        ),
        ("gatehouse_cors.wasm", "anything/else", "cors: found \"x\""),
    ] {
        let found = with(file, root);
        assert!(found.len() == 1 && found[0].contains(says), "{file} {root}: {found:#?}");
    }
}

#[test]
fn modules_of_others_are_left_alone() {
    let wasm = r#"{ "@type": x/envoy.extensions.filters.http.wasm.v3.Wasm, config: { name: cors, root_id: cors,
        vm_config: { code: { local: { filename: /other/cors.wasm } } } } }"#;
    let report = check(&format!("resources: [{wasm}]"), environment(&|_| None)).unwrap();
    assert_eq!((report.filters, report.findings.len()), (0, 0));
}
