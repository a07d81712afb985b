use super::*;

fn options(to: Target) -> Options {
    Options { to, inline_secrets: true, admin: None }
}

fn to(target: Target, text: &str) -> (Value, Vec<String>) {
    let converted = convert(text, &options(target)).unwrap();
    let written = documents::read(&converted.text).unwrap().remove(0);
    (written, converted.notes.iter().map(ToString::to_string).collect())
}

/// Returns the filters of a chain with the settings that tell them apart.
fn chain(value: &Value) -> Vec<(String, Value)> {
    let filters = value["filter_chains"][0]["filters"].as_sequence().unwrap();
    filters
        .iter()
        .map(|filter| (filter["name"].as_str().unwrap().to_owned(), filter["config"].clone()))
        .collect()
}

const HEAD: &str = "_format_version: '3.0'
consumers: [{ username: ana, keyauth_credentials: [{ key: a }] }, { username: bob, keyauth_credentials: [{ key: b }] }]
services: [{ name: s, url: 'http://h', routes: [{ name: r, paths: [/] }] }]
plugins:
- { name: key-auth }
";

#[test]
fn the_most_specific_instance_wins_in_kongs_order() {
    let scopes = [
        "route: r, service: s, consumer: ana",
        "route: r, consumer: ana",
        "service: s, consumer: ana",
        "route: r, service: s",
        "consumer: ana",
        "route: r",
        "service: s",
        "tags: []",
    ];
    for first in 0..scopes.len() {
        let mut text = HEAD.to_owned();
        for (number, scope) in scopes.iter().enumerate().skip(first).rev() {
            text += &format!(
                "- {{ name: rate-limiting, {scope}, config: {{ minute: {}, policy: local }} }}\n",
                number + 1
            );
        }
        let (written, _) = to(Target::Kong, &text);
        let chain = chain(&written["services"][0]);
        let limits: Vec<&Value> = chain
            .iter()
            .filter(|(name, _)| name == "gatehouse_rate_limiting")
            .map(|(_, config)| config)
            .collect();
        let for_ana = limits
            .iter()
            .find(|config| {
                config["match"]["consumers"][0] == "ana"
                    || config["match"]["not_consumers"].is_null()
            })
            .unwrap();
        assert_eq!(for_ana["minute"].as_u64().unwrap() as usize, first + 1, "{chain:#?}");
        let is_for_others = |config: &&&Value| config["match"]["consumers"].is_null();
        let for_bob =
            limits.iter().find(is_for_others).unwrap()["minute"].as_u64().unwrap() as usize;
        let expected = (first..8).find(|n| !scopes[*n].contains("consumer")).unwrap() + 1;
        assert_eq!(for_bob, expected, "{chain:#?}");
    }
}

#[test]
fn an_instance_that_is_not_enabled_hides_none() {
    let text = format!(
        "{HEAD}- {{ name: cors, config: {{ max_age: 1 }} }}\n- {{ name: cors, route: r, enabled: false, config: {{ max_age: 2 }} }}\n"
    );
    let (written, notes) = to(Target::Kong, &text);
    assert_eq!(chain(&written["services"][0])[0].1["max_age"], Value::from(1));
    assert!(
        notes.iter().any(|note| note == "differs: plugins[2]: is not enabled, and is left out"),
        "{notes:#?}"
    );
}

#[test]
fn a_chain_is_in_kongs_order_of_plugins_and_moesif_comes_first() {
    let mut text = HEAD.to_owned();
    for name in [
        "request-termination",
        "rate-limiting",
        "ip-restriction",
        "jwt",
        "session",
        "cors",
        "bot-detection",
        "moesif",
    ] {
        let config = match name {
            "rate-limiting" => "minute: 1, policy: local",
            "ip-restriction" => "deny: [192.0.2.1]",
            "session" => "secret: x",
            "moesif" => "application_id: x",
            _ => "",
        };
        text += &format!("- {{ name: {name}, config: {{ {config} }} }}\n");
    }
    let (written, _) = to(Target::Kong, &text);
    let names: Vec<String> =
        chain(&written["services"][0]).into_iter().map(|(name, _)| name).collect();
    let expected = [
        "moesif",
        "bot_detection",
        "cors",
        "session",
        "jwt_auth",
        "key_auth",
        "ip_restriction",
        "rate_limiting",
        "request_termination",
    ];
    assert_eq!(names, expected.map(|name| format!("gatehouse_{name}")));
}

#[test]
fn what_is_for_a_consumer_needs_a_filter_that_knows_who_is_calling() {
    let text = "_format_version: '3.0'
consumers: [{ username: ana }]
services: [{ name: s, url: 'http://h', routes: [{ name: r, paths: [/] }] }]
plugins:
- { name: rate-limiting, consumer: ana, config: { minute: 1, policy: local } }
- { name: rate-limiting, config: { minute: 2, policy: local } }
";
    let (written, _) = to(Target::Kong, text);
    let chain = chain(&written["services"][0]);
    assert!(
        chain.len() == 1 && chain[0].1["match"].is_null() && chain[0].1["minute"] == 2,
        "{chain:#?}"
    );
}

#[test]
fn where_a_guard_cannot_be_made_nobody_passes() {
    let text = format!("{HEAD}- {{ name: ip-restriction, config: {{ allow: [nonsense] }} }}\n");
    for target in [Target::Kong, Target::Envoy, Target::Istio] {
        let converted = convert(&text, &options(target)).unwrap();
        assert!(converted.text.contains("status_code: 503"), "{}", converted.text);
        let told = converted.notes.iter().any(|note| note.message.contains("answers 503 until"));
        assert!(told, "{:#?}", converted.notes);
    }
}

#[test]
fn a_chain_that_is_there_already_comes_after_the_converted_filters() {
    let text = HEAD.replace(
        "name: s, ",
        "name: s, filter_chains: [{ filters: [{ name: gatehouse_cors, config: {} }] }], ",
    );
    let (written, _) = to(Target::Kong, &text);
    let names: Vec<String> =
        chain(&written["services"][0]).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["gatehouse_key_auth", "gatehouse_cors"]);
}

#[test]
fn an_expression_gets_its_mark_from_format_3_on() {
    for (version, path, expected) in [
        ("1.1", "/a/(b)", "~/a/(b)"),
        ("2.1", "/plain", "/plain"),
        ("3.0", "~/a/(b)", "~/a/(b)"),
        ("3.0", "/a/(b)", "/a/(b)"),
    ] {
        let text =
            format!("_format_version: '{version}'\nroutes: [{{ name: r, paths: ['{path}'] }}]\n");
        let (written, _) = to(Target::Kong, &text);
        assert_eq!(written["routes"][0]["paths"][0], Value::from(expected), "{version} {path}");
    }
}

#[test]
fn two_secrets_have_two_variables_and_one_secret_has_one() {
    let text = "_format_version: '3.0'
services:
- { name: a, url: 'http://h', routes: [{ paths: [/a] }], plugins: [{ name: session, config: { secret: one } }] }
- { name: b, url: 'http://h', routes: [{ paths: [/b] }], plugins: [{ name: session, config: { secret: two } }] }
- { name: c, url: 'http://h', routes: [{ paths: [/c] }], plugins: [{ name: session, config: { secret: one } }] }
";
    let converted =
        convert(text, &Options { to: Target::Kong, inline_secrets: false, admin: None }).unwrap();
    let variables: Vec<(&str, &Source)> =
        converted.variables.iter().map(|(name, source)| (name.as_str(), source)).collect();
    let value = |text: &str| Source::Value(text.to_owned());
    assert_eq!(
        variables,
        [
            ("GATEHOUSE_SESSION_SECRET", &value("one")),
            ("GATEHOUSE_SESSION_SECRET_2", &value("two"))
        ]
    );
}

#[test]
fn an_admin_service_keeps_the_consumers_and_is_reached_as_each_gateway_does() {
    let admin = Some(Admin::read("https://admin.internal:8001").unwrap());
    for (target, upstream) in [
        (Target::Kong, "admin.internal:8001"),
        (Target::Envoy, "gatehouse-admin"),
        (Target::Istio, "outbound|8001||admin.internal"),
    ] {
        let converted =
            convert(HEAD, &Options { to: target, inline_secrets: false, admin: admin.clone() })
                .unwrap();
        assert!(converted.text.contains(&format!("upstream: {upstream}")), "{}", converted.text);
        assert!(!converted.text.contains("keyauth_credentials"), "{}", converted.text);
        assert!(converted.notes.iter().any(|note| note.message.contains("gatehouse-admin import")));
    }
    for wrong in ["admin:8001", "ftp://a", "http://", "http://a b", "http://a:port"] {
        assert!(Admin::read(wrong).is_err(), "{wrong}");
    }
    let read = Admin::read("https://[::1]").unwrap();
    assert_eq!((read.host.as_str(), read.port), ("[::1]", 443));
}

#[test]
fn envoy_has_each_filter_once_and_turns_it_on_where_it_belongs() {
    let text = "_format_version: '3.0'
services:
- name: s
  url: http://h
  routes: [{ name: a, paths: [/a], plugins: [{ name: cors }] }, { name: b, paths: [/b], plugins: [{ name: cors }] }, { name: c, paths: [/c] }]
plugins: [{ name: bot-detection }]
";
    let (written, _) = to(Target::Envoy, text);
    let manager = &written["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let filters = manager["http_filters"].as_sequence().unwrap();
    let names: Vec<&str> = filters.iter().map(|filter| filter["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["gatehouse_bot_detection", "gatehouse_cors", "envoy.filters.http.router"]);
    // A request without a route is answered before any filter.
    assert!(filters[0]["disabled"] == true && filters[1]["disabled"] == true);
    let routes = manager["route_config"]["virtual_hosts"][0]["routes"].as_sequence().unwrap();
    for route in routes {
        let on = |filter: &str| !route["typed_per_filter_config"][filter].is_null();
        let name = route["name"].as_str().unwrap();
        assert_eq!(on("gatehouse_cors"), name == "a" || name == "b", "{name}");
        assert_eq!(on("gatehouse_bot_detection"), name != "no-route", "{name}");
    }
}

#[test]
fn envoy_tries_routes_in_the_order_of_kongs_router() {
    let text = "_format_version: '3.0'
services:
- name: s
  url: http://h
  routes:
  - { name: short, paths: [/a] }
  - { name: long, paths: [/a/b] }
  - { name: expression, paths: ['~/a/b$'] }
  - { name: method, paths: [/a], methods: [POST] }
  - { name: host, hosts: [example.com], paths: [/a] }
  - { name: host-only, hosts: ['*.example.com'] }
";
    let (written, _) = to(Target::Envoy, text);
    let manager = &written["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let hosts = manager["route_config"]["virtual_hosts"].as_sequence().unwrap();
    let names = |domain: &str| -> Vec<&str> {
        let host = hosts.iter().find(|host| host["domains"][0] == domain).unwrap();
        host["routes"]
            .as_sequence()
            .unwrap()
            .iter()
            .map(|route| route["name"].as_str().unwrap())
            .collect()
    };
    assert_eq!(names("*"), ["method", "expression", "long", "short", "no-route"]);
    assert_eq!(names("example.com")[..2], ["host", "method"]);
    assert_eq!(
        names("*.example.com"),
        ["method", "expression", "long", "short", "host-only", "no-route"]
    );
}

#[test]
fn routes_that_kong_3_tries_in_another_order_are_told() {
    let file = |routes: &str| {
        format!(
            "_format_version: '3.0'\nservices:\n- {{ name: s, url: 'http://h', routes: [{routes}] }}\n"
        )
    };
    let told = |target: Target, text: &str| -> Vec<String> {
        let (_, notes) = to(target, text);
        notes.into_iter().filter(|note| note.contains("traditional_compatible")).collect()
    };
    // Expressions and exact hosts count more there than the number of conditions.
    for routes in [
        "{ name: first, paths: [/a], methods: [GET], headers: { X-A: ['1'] } }, { name: b, paths: ['~/a'] }",
        "{ name: first, hosts: [h.org, '*.h.org'], paths: [/a] }, { name: b, hosts: [h.org] }",
    ] {
        for target in [Target::Envoy, Target::Istio] {
            let told = told(target, &file(routes));
            let place = "differs: services[0].routes[1]: Kong 3's default router (traditional_compatible) tries this \
                         route before first.";
            assert!(told.len() == 1 && told[0].starts_with(place), "{told:#?}");
        }
        assert!(told(Target::Kong, &file(routes)).is_empty());
        // Kong 2 has one order only.
        assert!(told(Target::Envoy, &file(routes).replace("'3.0'", "'2.1'")).is_empty());
    }
    for apart in [
        "{ name: first, paths: [/a], methods: [GET] }, { name: b, paths: ['~/a'], methods: [POST] }",
        "{ name: first, hosts: ['*.h.org'], paths: [/a] }, { name: b, hosts: [other.org] }",
        "{ name: first, paths: [/a/b] }, { name: b, paths: [/a] }",
    ] {
        assert!(told(Target::Envoy, &file(apart)).is_empty(), "{apart}");
    }
}

#[test]
fn limits_of_a_service_that_envoy_lacks_are_told() {
    let text = "_format_version: '3.0'
services:
- { name: a, url: 'https://h', read_timeout: 1000, write_timeout: 2000, tls_verify_depth: 1, routes: [{ name: a, paths: [/a] }] }
- { name: b, url: 'https://h', read_timeout: 1000, write_timeout: 1000, routes: [{ name: b, paths: [/b] }] }
";
    for target in [Target::Envoy, Target::Istio] {
        let (_, notes) = to(target, text);
        let told = |part: &str| notes.iter().filter(|note| note.contains(part)).count();
        assert_eq!(
            (told("services[0].write_timeout"), told("write_timeout")),
            (1, 1),
            "{notes:#?}"
        );
        assert_eq!(told("not carried over: services[0].tls_verify_depth"), 1, "{notes:#?}");
    }
}

#[test]
fn a_file_of_another_kind_is_refused() {
    for text in
        ["name: value", "_format_version: '9.0'", "- a", "_format_version: '3.0'\n---\na: 1\n"]
    {
        assert!(convert(text, &options(Target::Kong)).is_err(), "{text}");
    }
}

#[test]
fn a_path_that_leads_envoy_to_another_route_is_told() {
    let text = format!(
        "{HEAD}- {{ name: request-transformer, config: {{ replace: {{ uri: /new }} }} }}\n"
    );
    let (_, notes) = to(Target::Envoy, &text);
    assert!(
        notes.iter().any(|note| note.contains("config.replace.uri: Envoy chooses the route anew")),
        "{notes:#?}"
    );
    let (_, notes) = to(Target::Kong, &text);
    assert!(!notes.iter().any(|note| note.contains("chooses the route anew")), "{notes:#?}");
}

#[test]
fn consumer_groups_and_their_plugins_are_told() {
    let text = format!(
        "{HEAD}consumer_groups: [{{ name: gold, plugins: [{{ name: rate-limiting-advanced, config: {{ limit: [1] }} }}] }}]\n"
    );
    for target in [Target::Kong, Target::Envoy, Target::Istio] {
        let (_, notes) = to(target, &text);
        let told = notes
            .iter()
            .filter(|note| note.starts_with("not carried over: consumer_groups: "))
            .count();
        assert_eq!(told, 1, "{notes:#?}");
    }
}

#[test]
fn a_route_whose_guard_envoy_lacks_is_closed() {
    let text = "_format_version: '3.0'
services:
- { name: a, url: 'http://h', routes: [{ name: a, paths: [/a] }], plugins: [{ name: basic-auth }] }
- { name: b, url: 'http://h', routes: [{ name: b, paths: [/b] }], plugins: [{ name: acl, config: { allow: [x] } }] }
- { name: c, url: 'http://h', routes: [{ name: c, paths: [/c] }], plugins: [{ name: prometheus }] }
";
    let (written, notes) = to(Target::Envoy, text);
    let manager = &written["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let filters = manager["http_filters"].as_sequence().unwrap();
    let config = &filters[0]["typed_config"]["config"]["configuration"]["value"];
    assert!(filters.len() == 2 && config["status_code"] == 503, "{filters:#?}");
    for route in manager["route_config"]["virtual_hosts"][0]["routes"].as_sequence().unwrap() {
        let closed = !route["typed_per_filter_config"]["gatehouse_request_termination"].is_null();
        let name = route["name"].as_str().unwrap();
        assert_eq!(closed, name == "a" || name == "b", "{name}");
    }
    let told =
        notes.iter().filter(|note| note.ends_with("answer 503 until this is done by hand")).count();
    assert_eq!(told, 2, "{notes:#?}");
}
