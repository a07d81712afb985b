//! The files in `kong-config/`, with the servers of this test in place of those that they name.

use crate::fixture::{Collector, ENVIRONMENT, Upstream, header};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use wasm_tests::real::{Admin, Answer, Kong, KongFiles, RawRequest, Server, eventually};
use wasm_tests::{BLANK_APP_ID, refused_with};

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../kong-config")
}

/// Every declarative configuration below a directory.
fn declaratives(below: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(below).unwrap_or_else(|e| panic!("{}: {e}", below.display()));
    let mut found = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(declaratives(&path));
        } else if path.extension().is_some_and(|suffix| suffix == "yml" || suffix == "yaml") {
            let text = std::fs::read_to_string(&path).expect("a text");
            if text.contains("_format_version") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

struct Shipped {
    kong: Kong,
    admin: Admin,
    upstream: Upstream,
    collector: Collector,
    _provider: Server,
}

/// The servers that replace those of the files.
struct Servers<'a> {
    admin: &'a Admin,
    upstream: &'a Upstream,
    collector: &'a Collector,
    provider: &'a Server,
}

impl Servers<'_> {
    /// Replaces the servers in a part of a configuration.
    fn stand_in(&self, value: &mut Value) {
        if let Some(members) = value.as_object_mut() {
            if members.get("name").is_some_and(|name| name == "gatehouse_moesif") {
                members["config"]["collector"] = json!({"upstream": "127.0.0.1:1"});
                members["config"]["batch_max_wait"] = json!(200);
            }
            if members.contains_key("url") && members.contains_key("routes") {
                members["url"] = json!(format!("http://{}", self.upstream.server.address()));
            }
            for (key, address) in [
                ("admin", self.admin.address()),
                ("collector", self.collector.server.address()),
                ("upstream", self.provider.address()),
            ] {
                let target = members.get_mut(key).and_then(Value::as_object_mut);
                if let Some(target) = target.filter(|target| target.contains_key("upstream")) {
                    // There is no TLS on one machine. Without tokens gatehouse-admin answers only
                    // to its own name.
                    target.insert("scheme".to_owned(), json!("http"));
                    target.insert("upstream".to_owned(), json!(address.to_string()));
                    if key == "admin" {
                        target.insert("authority".to_owned(), json!(address.to_string()));
                        target.insert("timeout".to_owned(), json!(5000));
                    }
                }
            }
            members.values_mut().for_each(|member| self.stand_in(member));
        } else if let Some(items) = value.as_array_mut() {
            items.iter_mut().for_each(|item| self.stand_in(item));
        }
    }
}

impl Shipped {
    #[track_caller]
    fn start(declarative: &Path) -> Self {
        let (admin, upstream, collector) = (Admin::start(), Upstream::start(), Collector::start());
        let provider = Server::start(|_| Answer::json(404, "{}"));
        let servers = Servers {
            admin: &admin,
            upstream: &upstream,
            collector: &collector,
            provider: &provider,
        };
        let text = std::fs::read_to_string(declarative).expect("a configuration");
        let mut document: Value = serde_norway::from_str(&text).expect("YAML");
        servers.stand_in(&mut document);
        let mut files = KongFiles { listeners: vec!["main".to_owned()], ..KongFiles::default() };
        let beside = declarative.with_file_name("kong.conf");
        let conf = if beside.exists() { beside } else { directory().join("kong.conf") };
        for line in std::fs::read_to_string(&conf).expect("kong.conf").lines() {
            if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
                files.set(key.trim(), value.trim());
            }
        }
        files.on_one_machine(1);
        files.environment =
            ENVIRONMENT.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        files.use_built_filters(&document.to_string());
        files.declarative = document.to_string();
        let kong = Kong::run(&files);
        Self { kong, admin, upstream, collector, _provider: provider }
    }

    #[track_caller]
    fn status(&self, request: &RawRequest) -> u16 {
        self.kong.send(request).status()
    }
}

#[test]
#[ignore = "needs a real Kong"]
fn every_shipped_configuration_is_accepted_and_serves() {
    let all = declaratives(&directory());
    assert!(!all.is_empty());
    for file in all {
        let shipped = Shipped::start(&file);
        for path in ["/", "/orders", "/partners", "/portal", "/retired"] {
            let answer = shipped.kong.send(&RawRequest::get(path));
            let status = answer.status();
            assert!(
                (200..500).contains(&status),
                "{}: {path}: {status} {}",
                file.display(),
                answer.text()
            );
        }
        shipped.kong.assert_sound();
    }
}

#[test]
#[ignore = "needs a real Kong"]
fn the_shipped_chain_answers_every_kind_of_request() {
    let shipped = Shipped::start(&directory().join("kong.yml"));
    shipped.admin.consumer("ana", "key-of-ana", &["portal"]);
    let orders = |path: &str| RawRequest::get(path).header("apikey", "key-of-ana");
    let refusal = |request: &RawRequest| {
        let answer = shipped.kong.send(request);
        (answer.status(), answer.json()["message"].as_str().unwrap_or_default().to_owned())
    };
    eventually("a known consumer", || {
        let request = orders("/orders").header("x-app-id", "portal");
        (shipped.status(&request) == 200).then_some(())
    });
    let received = shipped.kong.send(&orders("/orders").header("x-app-id", "portal")).json();
    assert_eq!(header(&received, "x-caller").as_deref(), Some("ana"));
    assert!(header(&received, "authorization").is_some_and(|token| token.starts_with("Bearer ey")));
    assert_eq!(shipped.status(&RawRequest::get("/retired")), 410);
    assert_eq!(shipped.status(&RawRequest::get("/orders")), 401);
    assert_eq!(refusal(&orders("/orders")), refused_with(403, BLANK_APP_ID));
    let bot = orders("/orders").header("x-app-id", "portal").header("user-agent", "Googlebot/2.1");
    assert_eq!(shipped.status(&bot), 403);
    assert_eq!(shipped.status(&RawRequest::get("/portal")), 403);

    let portal = |request: RawRequest| request.header("x-app-id", "portal");
    let entered = shipped.kong.send(&portal(orders("/portal")));
    assert_eq!(entered.status(), 200, "{}\n{}", entered.text(), shipped.kong.log());
    let cookie = entered.header("set-cookie").expect("a cookie");
    let pair = cookie.split(';').next().unwrap_or_default();
    let again = portal(RawRequest::get("/portal").header("cookie", pair));
    assert_eq!(shipped.status(&again), 200, "{}", shipped.kong.log());

    let report = || shipped.status(&orders("/orders/reports").header("x-app-id", "portal"));
    eventually("the end of the reports", || (report() == 429).then_some(()));
    eventually("a batch", || (shipped.collector.posts() > 0).then_some(()));
    assert!(shipped.upstream.count() > 0);
}
