//! A converted file lets nobody in whom Kong keeps out, whatever the conversion cannot carry over.

use super::*;

fn to(target: Target, text: &str) -> (Value, Vec<String>) {
    let options = Options { to: target, inline_secrets: true, admin: None };
    let converted = convert(text, &options).unwrap();
    let written = documents::read(&converted.text).unwrap().remove(0);
    (written, converted.notes.iter().map(ToString::to_string).collect())
}

/// Returns the first filter of the one service in a file with this plugin, and what was told.
fn filter(plugin: &str) -> (Value, Vec<String>) {
    let text = "_format_version: '3.0'
services: [{ name: s, url: 'http://h', routes: [{ name: r, paths: [/] }], plugins: [{ PLUGIN }] }]
";
    let (written, notes) = to(Target::Kong, &text.replace("PLUGIN", plugin));
    (written["services"][0]["filter_chains"][0]["filters"][0].clone(), notes)
}

#[test]
fn origins_of_which_none_is_left_are_not_all_origins() {
    for origins in ["'https://*.example.com'", "'^https://(?!evil)'", "'(', '(?=a)'"] {
        let (cors, notes) =
            filter(&format!("name: cors, config: {{ credentials: true, origins: [{origins}] }}"));
        let expected = ["https://not-carried-over.invalid"];
        assert_eq!(cors["config"]["origins"], Value::from(&expected[..]), "{origins}");
        let told = notes.iter().any(|note| note.contains("nothing is left of `origins`"));
        assert!(told, "{notes:#?}");
    }
    let (cors, _) = filter("name: cors, config: { origins: ['https://a.test', '('] }");
    assert_eq!(cors["config"]["origins"], Value::from(&["https://a.test"][..]));
    let (cors, _) = filter("name: cors, config: { headers: ['a b'] }");
    assert_eq!(cors["config"]["headers"], Value::from(&["x-gatehouse-not-carried-over"][..]));
    let (cors, notes) = filter("name: cors, config: { headers: ['Accept, X-Own', Range] }");
    assert_eq!(cors["config"]["headers"], Value::from(&["Accept", "X-Own", "Range"][..]));
    assert!(notes.is_empty(), "{notes:#?}");
}

#[test]
fn a_list_of_allowed_addresses_of_which_none_is_left_lets_nobody_in() {
    let (guard, _) =
        filter("name: ip-restriction, config: { allow: [nonsense], deny: [192.0.2.1] }");
    assert_eq!(guard["name"], "gatehouse_request_termination");
    assert_eq!(guard["config"]["status_code"], 503);
}

/// Returns the names of the routes and their conditions in the virtual host of this domain.
fn routes(written: &Value, domain: &str) -> Vec<(String, String)> {
    let manager = &written["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let hosts = manager["route_config"]["virtual_hosts"].as_sequence().unwrap();
    let host = hosts.iter().find(|host| host["domains"][0] == domain).unwrap();
    let routes = host["routes"].as_sequence().unwrap().iter();
    let condition = |route: &Value| {
        let header = &route["match"]["headers"][0];
        let regex = header["string_match"]["safe_regex"]["regex"].as_str().unwrap_or_default();
        format!("{} {regex}", header["name"].as_str().unwrap_or_default())
    };
    routes.map(|one| (one["name"].as_str().unwrap().to_owned(), condition(one))).collect()
}

#[test]
fn no_spelling_of_a_method_leads_to_another_route() {
    let text = "_format_version: '3.0'
services: [{ name: s, url: 'http://h', routes: [{ name: r, paths: [/], methods: [POST, PUT] }] }]
";
    let (written, _) = to(Target::Envoy, text);
    assert_eq!(routes(&written, "*")[0], ("r".into(), ":method (?i:POST|PUT)".into()));
}

#[test]
fn a_host_that_fits_two_wildcards_gets_the_routes_of_both() {
    let text = "_format_version: '3.0'
services:
- name: s
  url: http://h
  routes:
  - { name: all, hosts: ['*.example.com'], paths: [/] }
  - { name: guarded, hosts: ['api.*'], paths: [/admin], plugins: [{ name: key-auth }] }
  - { name: other, hosts: [api.test], paths: [/other] }
";
    let (written, _) = to(Target::Envoy, text);
    let found = routes(&written, "*.example.com");
    let expected = [("guarded", r":authority (?i:api\..*)"), ("all", " "), ("no-route", " ")];
    assert_eq!(found, expected.map(|(name, when)| (name.to_owned(), when.to_owned())));
    assert_eq!(routes(&written, "api.*")[0], ("guarded".into(), " ".into()));
}

#[test]
fn a_port_behind_a_host_does_not_lead_to_the_routes_of_other_hosts() {
    let file = |hosts: &str| {
        format!(
            "_format_version: '3.0'
services: [{{ name: s, url: 'http://h', routes: [{{ name: r, hosts: [{hosts}], paths: [/] }}] }}]
"
        )
    };
    let ignores = |written: &Value| {
        let manager = &written["static_resources"]["listeners"][0]["filter_chains"][0]["filters"]
            [0]["typed_config"];
        manager["route_config"]["ignore_port_in_host_matching"] == true
    };
    let (written, notes) = to(Target::Envoy, &file("'*.example.com'"));
    let told = |notes: &[String]| notes.iter().any(|note| note.contains("a host with a port"));
    assert!(ignores(&written) && !told(&notes), "{notes:#?}");
    let (written, notes) = to(Target::Envoy, &file("'*.example.com', 'a.test:8443'"));
    assert!(!ignores(&written) && told(&notes), "{notes:#?}");
}

#[test]
fn a_service_that_is_not_enabled_is_not_served() {
    let text = "_format_version: '3.0'
services:
- { name: off, url: 'http://h', enabled: false, routes: [{ name: off, paths: [/off] }] }
- { name: on, url: 'http://h', routes: [{ name: on, paths: [/] }] }
";
    let (written, notes) = to(Target::Envoy, text);
    let names: Vec<String> = routes(&written, "*").into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["on", "no-route"]);
    assert!(notes.iter().any(|note| note.contains("its routes are left out")), "{notes:#?}");
}

#[test]
fn the_name_of_a_variable_adds_no_line_to_what_a_shell_reads() {
    let text = r#"_format_version: '3.0'
services: [{ name: s, url: 'http://h', routes: [{ name: r, paths: [/] }] }]
plugins: [{ name: session, config: { secret: "${{ env \"A\ntouch owned #\" }}" } }]
"#;
    let options = Options { to: Target::Kong, inline_secrets: false, admin: None };
    let converted = convert(text, &options).unwrap();
    assert_eq!(converted.variables.keys().collect::<Vec<_>>(), ["A_TOUCH_OWNED__"]);
    let lines = as_shell(&converted.variables);
    assert!(lines.lines().all(|line| line.starts_with('#')), "{lines}");
}
