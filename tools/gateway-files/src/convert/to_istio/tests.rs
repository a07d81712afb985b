use crate::convert::{Admin, Options, Target, convert};
use crate::documents;
use serde_norway::Value;

fn resources(text: &str, admin: Option<&str>) -> (Vec<Value>, Vec<String>) {
    let admin = admin.map(|url| Admin::read(url).unwrap());
    let converted =
        convert(text, &Options { to: Target::Istio, inline_secrets: true, admin }).unwrap();
    let notes = converted.notes.iter().map(ToString::to_string).collect();
    (documents::read(&converted.text).unwrap(), notes)
}

fn of<'a>(resources: &'a [Value], kind: &str) -> Vec<&'a Value> {
    resources.iter().filter(|one| one["kind"] == kind).collect()
}

#[test]
fn a_service_of_kubernetes_is_called_by_its_name_and_others_have_a_service_entry() {
    let text = "_format_version: '3.0'
services:
- { name: own, url: 'http://orders.shop.svc:8080', routes: [{ name: a, paths: [/a] }] }
- { name: beside, url: 'https://orders.shop.svc.cluster.local:8443', routes: [{ name: b, paths: [/b] }] }
- { name: again, url: 'http://orders.shop.svc:8080', connect_timeout: 1, routes: [{ name: c, paths: [/c] }] }
- { name: 'The Others', url: 'https://orders.example.com/v1', routes: [{ name: d, paths: [/d] }] }
- { name: short, url: 'http://orders', routes: [{ name: e, paths: [/e] }] }
";
    let (all, notes) = resources(text, None);
    let hosts: Vec<&str> = of(&all, "DestinationRule")
        .iter()
        .map(|rule| rule["spec"]["host"].as_str().unwrap())
        .collect();
    let own = "orders.shop.svc.cluster.local";
    assert_eq!(hosts, [own, "the-others.kong.internal", "orders.default.svc.cluster.local"]);
    let ports = &of(&all, "DestinationRule")[0]["spec"]["trafficPolicy"]["portLevelSettings"];
    assert_eq!(
        (&ports[0]["port"]["number"], &ports[1]["port"]["number"]),
        (&8080.into(), &8443.into())
    );
    assert!(ports[0]["tls"].is_null() && ports[1]["tls"]["insecureSkipVerify"] == true);
    let entries = of(&all, "ServiceEntry");
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["spec"]["endpoints"][0]["address"], "orders.example.com");
    assert_eq!(entries[0]["spec"]["ports"][0]["number"], 443);
    let told = |part: &str| notes.iter().any(|note| note.contains(part));
    assert!(told("not carried over: services[2]: another service of this file"), "{notes:#?}");
    assert!(
        told("differs: services[4]: orders is taken for the service orders.default"),
        "{notes:#?}"
    );
}

#[test]
fn a_host_that_a_virtual_service_does_not_take_is_told() {
    let text = "_format_version: '3.0'
services:
- name: s
  url: http://orders.shop.svc
  routes:
  - { name: a, hosts: ['*.example.com', 'example.*', localhost, 'example.com:8443'] }
  - { name: b, paths: [/b] }
";
    let (all, notes) = resources(text, None);
    let hosts: Vec<&str> = of(&all, "VirtualService")
        .iter()
        .map(|service| service["spec"]["hosts"][0].as_str().unwrap())
        .collect();
    assert_eq!(hosts, ["*.example.com", "*"]);
    for number in 1..4 {
        let place = format!("not carried over: services[0].routes[0].hosts[{number}]: ");
        assert!(notes.iter().any(|note| note.starts_with(&place)), "{notes:#?}");
    }
}

#[test]
fn filters_that_every_route_has_become_wasm_plugins_unless_they_read_bodies() {
    let text = "_format_version: '3.0'
services:
- name: s
  url: http://orders.shop.svc
  routes:
  - { name: a, paths: [/a], plugins: [{ name: cors }, { name: request-termination, config: { status_code: 410 } }] }
  - { name: b, paths: [/b] }
plugins:
- { name: bot-detection }
- { name: key-auth, config: { key_in_body: true } }
- { name: ip-restriction, config: { deny: [203.0.113.0/24] } }
- { name: rate-limiting, config: { minute: 5, policy: local } }
consumers: [{ username: ana, keyauth_credentials: [{ key: a }] }]
";
    let (all, notes) = resources(text, None);
    let plugins: Vec<(&str, u64)> = of(&all, "WasmPlugin")
        .iter()
        .map(|one| &one["spec"])
        .map(|spec| (spec["pluginName"].as_str().unwrap(), spec["priority"].as_u64().unwrap()))
        .collect();
    // The longest run in the order of the chain.
    assert_eq!(plugins, [("ip_restriction", 20), ("rate_limiting", 10)]);
    let patches = of(&all, "EnvoyFilter")[0]["spec"]["configPatches"].as_sequence().unwrap();
    let inserted: Vec<(&str, &str)> = patches
        .iter()
        .filter(|patch| patch["applyTo"] == "HTTP_FILTER")
        .map(|patch| &patch["patch"])
        .map(|patch| {
            assert_eq!(patch["value"]["disabled"], true);
            (patch["operation"].as_str().unwrap(), patch["value"]["name"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        inserted,
        [
            ("INSERT_FIRST", "gatehouse_key_auth"),
            ("INSERT_FIRST", "gatehouse_cors"),
            ("INSERT_FIRST", "gatehouse_bot_detection"),
            ("INSERT_BEFORE", "gatehouse_request_termination"),
        ]
    );
    let told = notes.iter().filter(|note| note.contains("WasmPlugins stand before all routes"));
    assert_eq!(told.count(), 1, "{notes:#?}");
}

#[test]
fn gatehouse_admin_and_moesif_are_called_through_resources_of_the_file() {
    let text = "_format_version: '3.0'
services: [{ name: s, url: 'http://orders.shop.svc', routes: [{ name: r, paths: [/] }] }]
plugins:
- { name: key-auth }
- { name: moesif, config: { application_id: an-id } }
";
    for (url, host, authority) in [
        (
            "https://gatehouse-admin.gatehouse.svc:8001",
            "gatehouse-admin.gatehouse.svc.cluster.local",
            true,
        ),
        ("https://admin.example.com:8001", "admin.example.com", false),
        ("http://10.0.0.1:8001", "gatehouse-admin.kong.internal", false),
    ] {
        let (all, _) = resources(text, Some(url));
        let plugins = of(&all, "WasmPlugin");
        let settings = |name: &str| {
            &plugins.iter().find(|one| one["spec"]["pluginName"] == name).unwrap()["spec"]["pluginConfig"]
        };
        assert_eq!(settings("key_auth")["admin"]["upstream"], format!("outbound|8001||{host}"));
        assert_eq!(settings("moesif")["upstream"], "outbound|443||api.moesif.net");
        let rules = of(&all, "DestinationRule");
        let rule = |host: &str| {
            let found = rules.iter().find(|rule| rule["spec"]["host"] == host);
            let policy = &found.unwrap()["spec"]["trafficPolicy"];
            if policy["portLevelSettings"].is_null() {
                policy
            } else {
                &policy["portLevelSettings"][0]
            }
        };
        assert_eq!(rule("api.moesif.net")["tls"]["subjectAltNames"][0], "api.moesif.net");
        assert_eq!(rule(host)["tls"]["credentialName"] == "gatehouse-admin-ca", authority, "{url}");
    }
}

#[test]
fn no_two_routes_share_a_name_and_so_each_has_its_own_filters() {
    let text = "_format_version: '3.0'
services:
- name: s
  url: http://orders.shop.svc
  routes:
  - { paths: [/a], plugins: [{ name: key-auth }] }
  - { name: route-1, paths: [/b] }
  - { name: same, paths: [/c] }
  - { name: same, paths: [/d], plugins: [{ name: key-auth }] }
  - { name: no-route, paths: [/e], plugins: [{ name: key-auth }] }
  - { name: same-4, paths: [/f] }
  - { name: own, paths: [/g] }
";
    let (all, _) = resources(text, None);
    let routes = of(&all, "VirtualService")[0]["spec"]["http"].as_sequence().unwrap();
    let mut names: Vec<&str> = routes.iter().map(|route| route["name"].as_str().unwrap()).collect();
    let patches = of(&all, "EnvoyFilter")[0]["spec"]["configPatches"].as_sequence().unwrap();
    for route in routes {
        let name = &route["match"][0]["uri"]["prefix"];
        let patch = patches.iter().find(|patch| {
            patch["match"]["routeConfiguration"]["vhost"]["route"]["name"] == route["name"]
        });
        let filters = patch.map(|patch| &patch["patch"]["value"]["typed_per_filter_config"]);
        let has_keys = filters.is_some_and(|filters| !filters["gatehouse_key_auth"].is_null());
        assert_eq!(has_keys, ["/a", "/d", "/e"].iter().any(|path| name == *path), "{name:?}");
    }
    assert!(names.contains(&"own") && names.contains(&"route-1"), "{names:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), routes.len());
}
