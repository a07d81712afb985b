//! The installation on a real Kong, at its most talkative level.

use crate::installation::{Installation, OF_THE_SERVICE, On, wrong_settings};
use crate::places::Places;
use crate::planted::Planted;
use crate::process::{self, Which};
use std::path::Path;
use wasm_tests::real::{Filter, Kong, KongFiles, RawRequest, Setup};

const PAGE: &str = include_str!("../../../docs/one-request.md");
/// The size of the zone that the filters share, in bytes, by which its mapping is known.
const ZONE: u64 = 7 << 20;

/// Returns the value that the page gives to a line of `kong.conf`.
fn of_the_page(key: &str) -> &'static str {
    let line = PAGE.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(" = "));
    line.unwrap_or_else(|| panic!("the page has no {key}"))
}

/// Returns the messages of our filters in Kong's error log, and all the rest of it: Kong's own
/// lines, and what it appends to the messages.
fn ours_and_kongs(log: &str) -> (String, String) {
    let (mut ours, mut kongs) = (String::new(), String::new());
    for line in log.lines() {
        let (message, rest) = match line.find("[\"gatehouse_") {
            None => ("", line),
            // Kong appends the client and the request line to what a filter says of a request.
            Some(at) => {
                let (head, message) = line.split_at(at);
                let end = message.rfind(", client: ").unwrap_or(message.len());
                kongs.push_str(head);
                message.split_at(end)
            }
        };
        ours.push_str(message);
        if !message.is_empty() {
            ours.push('\n');
        }
        kongs.push_str(rest);
        kongs.push('\n');
    }
    (ours, kongs)
}

/// Returns what Kong and filters say of settings that hold secrets in wrong places. Kong checks them
/// by the filter's schema first.
fn refused_settings(planted: &mut Planted) -> Vec<u8> {
    let nowhere = std::net::SocketAddr::from(([127, 0, 0, 1], 9));
    let mut all = Vec::new();
    for (name, settings) in wrong_settings(planted) {
        let setup = Setup::new(nowhere, vec![Filter::new(name, &settings)])
            .cluster("admin", nowhere)
            .kong_conf("log_level", "debug");
        let said = match Kong::try_run(&KongFiles::of(&setup)) {
            Err(said) => said.into_bytes(),
            Ok(kong) => {
                let answer = kong.send(&RawRequest::get("/"));
                assert_eq!(answer.status(), 500, "{name} accepts {settings}");
                let log = kong.log();
                assert!(log.contains("invalid configuration"), "{name}: {log}");
                [log.into_bytes(), answer.body, kong.output()].concat()
            }
        };
        let shown = planted.search(&said, &[]).secrets;
        let text = String::from_utf8_lossy(&said);
        assert!(shown.is_empty(), "{name}: {shown:?} of {settings} are shown: {text}");
        all.extend(said);
    }
    all
}

/// Returns all that is in the files below `folder`, but the logs and the compiled modules.
fn files(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
        if kind.is_dir() && !path.ends_with("logs") {
            all.extend(files(&path));
        } else if kind.is_file() {
            all.extend(std::fs::read(&path).unwrap_or_default());
        }
    }
    all
}

#[test]
#[ignore = "needs a real Kong"]
fn no_secret_appears_in_what_an_installation_on_kong_writes() {
    let mut installation = Installation::start();
    let zone = format!("{}m", ZONE >> 20);
    let setup = installation
        .setup(On::Kong)
        .kong_conf("log_level", "debug")
        .kong_conf("nginx_wasm_shm_kv_gatehouse", &zone)
        .kong_conf("nginx_http_log_format", of_the_page("nginx_http_log_format"))
        .kong_conf("proxy_access_log", of_the_page("proxy_access_log"))
        // Kong's own form of the access log, beside that of the page.
        .kong_conf("nginx_proxy_access_log", "logs/default.log kong_log_format");
    let mut kong_files = KongFiles::of(&setup);
    kong_files.listeners.push("admin".to_owned());
    kong_files.set("admin_listen", "127.0.0.1:{port:admin}");
    let kong = Kong::run(&kong_files);
    installation.send_requests(|listener| kong.address(listener));
    installation.settle();

    let mut places = Places::default();
    let refused = refused_settings(&mut installation.planted);
    places.add("Kong and filters, of settings that they refuse", refused);
    let planted = &installation.planted;
    let log = kong.log();
    let (ours, kongs) = ours_and_kongs(&log);
    assert!(kongs.contains("[debug]"), "the level is not talkative enough to prove anything");
    // nginx appends the request line, in which a query stands.
    let in_a_query = |name: &str| {
        name == "API key of a query"
            || name == "API key that nobody has"
            || name.starts_with("token of")
    };
    let never: Vec<&str> = planted.names().filter(|name| !in_a_query(name)).collect();
    let why = "the request line, with its query";
    places.add("lines of the filters in Kong's log, level debug", ours);
    places.add_theirs("Kong's own log, level debug", kongs, never.clone(), why);
    places.add("Kong: access log of docs/one-request.md", kong.access_log());
    let default = std::fs::read(kong.prefix().join("logs/default.log")).expect("an access log");
    places.add_theirs("Kong: its own access log", default, never, why);
    let answers = |listener: &str, paths: &[&str]| {
        let address = kong.address(listener);
        let bodies = paths.iter().map(|path| {
            let answer = RawRequest::get(path).send(address);
            assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
            answer.body
        });
        bodies.collect::<Vec<_>>().concat()
    };
    places.add("Kong: status listener", answers("status", &["/status", "/status/ready"]));
    let paths = [
        "/",
        "/config",
        "/filter-chains",
        "/services",
        "/routes",
        "/plugins",
        "/status",
        "/timers",
    ];
    places.add("Kong: Admin API", answers("admin", &paths));
    let written = [files(&kong.prefix()), kong.output()].concat();
    places.add("Kong: files below its prefix, and what `kong start` says", written);
    memories(&kong, &mut places, planted);
    crate::service::searched(&installation, &mut places);
    drop(kong);
    let sizes = places.sizes();
    let empty = sizes.iter().filter(|(_, size)| **size == 0).map(|(name, _)| *name);
    assert_eq!(empty.collect::<Vec<_>>(), Vec::<&str>::new());
    let wrong = places.search(planted);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Adds the zone that the filters share, all shared memory of Kong, and the memory of a worker.
fn memories(kong: &Kong, places: &mut Places, planted: &Planted) {
    let workers = kong.workers();
    match process::read(workers[0], Which::Shared(ZONE)) {
        Err(error) => {
            println!("Kong: memory not searched, since this user may not read it: {error}");
            return;
        }
        Ok(zone) => {
            let known = b"\"username\":\"fiona\"";
            let is_zone = zone.windows(known.len()).any(|part| part == known);
            assert!(is_zone, "nothing is kept in these {} bytes of the zone", zone.len());
            places.add("Kong: the zone that filters share, in memory", zone);
        }
    }
    if let Some(found) = process::searched("Kong", &workers[..1], Which::Shared(0), planted) {
        places.add_memory("Kong: all shared memory", found, planted.names(), "");
    }
    if let Some(found) = process::searched("Kong", &workers, Which::Own, planted) {
        assert!(found.names().contains("gateway token"), "{:?}", found.names());
        let why = "in use, or not overwritten yet";
        places.add_memory("Kong: memory of a worker", found, OF_THE_SERVICE, why);
    }
}
