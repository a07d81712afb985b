//! `docs/metrics.md` lists every metric that the code defines, and no other one.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The calls that count something under the name that follows.
const CALLS: [&str; 9] = [
    "Tally::Count(",
    "Tally::Gauge(",
    "Tally::Record(",
    "self.count(",
    "instance.count(",
    "metrics.count(",
    "tallies.count(",
    "tallies.record(",
    "counts.push(",
];

/// The calls whose name is not written in them: the file, the argument, and the names that it has.
const INDIRECT: [(&str, &str, &[&str]); 15] = [
    ("shared/runtime/src/instance.rs", "what", &[]),
    ("shared/runtime/src/metrics.rs", "what, by", &[]),
    ("shared/runtime/src/metrics.rs", "what, value", &[]),
    ("shared/runtime/src/instance/lookups.rs", "found.metric()", &LOOKUPS),
    ("shared/runtime/src/instance/lookups.rs", "count", &[]),
    ("shared/runtime/src/stream/steps.rs", "&format!(\"refused_{}\", reply.status)", &["refused"]),
    ("filters/bot-detection/src/flow.rs", "format!(\"matched_{rule}\").into(), 1", &["matched"]),
    ("filters/moesif/src/sender.rs", "name, u64::try_from(value).unwrap_or(u64::MAX)", &QUEUE),
    ("filters/moesif/src/tallies.rs", "name.into(), by", &[]),
    ("filters/moesif/src/tallies.rs", "name, value", &[]),
    (
        "filters/rate-limiting/src/flow.rs",
        "if config.dry_run { \"would_be_limited\" } else { \"limited\" }",
        &["would_be_limited", "limited"],
    ),
    ("filters/rate-limiting/src/flow.rs", "what.into(), 1", &[]),
    ("filters/rate-limiting/src/syncer.rs", "what.into(), 1", &["synced", "sync_failed"]),
    ("filters/session/src/flow.rs", "what.into(), 1", &[]),
    ("filters/session/src/save_flow.rs", "what.into(), 1", &[]),
];

const LOOKUPS: [&str; 5] =
    ["cache_hits", "cache_stale_hits", "lookups_refused", "lookups", "lookups_joined"];
const QUEUE: [&str; 2] = ["queue_events", "queue_bytes"];

/// Names whose end is a label in Prometheus: the beginning, and the name without the label.
const LABELS: [(&str, &str); 2] = [("refused_", "refused"), ("dropped_", "dropped")];

#[test]
fn the_document_has_every_metric_of_the_filters_and_no_other_one() {
    let mut in_code = BTreeSet::new();
    let mut used = BTreeSet::new();
    for file in sources() {
        let path = file.strip_prefix(ROOT).unwrap().display().to_string();
        let path = path.trim_start_matches('/');
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let prefix = match path.strip_prefix("filters/") {
            Some(rest) => format!("{}_", rest.split('/').next().unwrap().replace('-', "_")),
            None => String::new(),
        };
        for argument in arguments(code) {
            let names = match literal(argument) {
                Some(name) => vec![name],
                None => {
                    let known = |(file, known, _): &&(_, _, _)| (*file, *known) == (path, argument);
                    let indirect = INDIRECT.iter().find(known).unwrap_or_else(|| {
                        panic!("{path} counts `{argument}`: which names are these? See INDIRECT")
                    });
                    used.insert(indirect);
                    indirect.2.to_vec()
                }
            };
            for name in names {
                let stem = |(start, whole): &(&str, &'static str)| {
                    name.starts_with(start).then_some(*whole)
                };
                let name = LABELS.iter().find_map(stem).unwrap_or(name);
                in_code.insert(format!("gatehouse_{prefix}{name}"));
            }
        }
    }
    let unused: Vec<_> = INDIRECT.iter().filter(|entry| !used.contains(entry)).collect();
    assert!(unused.is_empty(), "INDIRECT names what is not in the code: {unused:?}");
    assert!(in_code.len() > 30, "{in_code:?}");
    assert_same(&documented("filters", "gatehouse-admin"), &in_code);
}

#[test]
fn the_document_has_every_metric_of_the_service_and_no_other_one() {
    let text = fs::read_to_string(Path::new(ROOT).join("admin/src/metrics.rs")).unwrap();
    let code = text.split("#[cfg(test)]").next().unwrap();
    let is_of_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let in_code: BTreeSet<String> = code
        .match_indices("gatehouse_admin_")
        .map(|(at, _)| code[at..].split(|c| !is_of_name(c)).next().unwrap_or_default().to_owned())
        .collect();
    assert_same(&documented("gatehouse-admin", "end"), &in_code);
}

/// The two places of `envoy-config/` and `deploy/` that make labels do it alike, for every metric
/// that more than one filter has.
#[test]
fn the_configurations_make_the_labels_that_the_document_tells() {
    let block = |path: &str| {
        let text = fs::read_to_string(Path::new(ROOT).join(path)).unwrap();
        let (_, rest) = text.split_once("stats_config:\n").unwrap_or_else(|| panic!("{path}"));
        rest.split("\n\n").next().unwrap().to_owned()
    };
    let envoy = block("envoy-config/envoy.yaml");
    assert_eq!(envoy, block("deploy/envoy/bootstrap.yaml"));
    let common = documented("filters", "gatehouse-admin").into_iter();
    let common = common.filter_map(|name| {
        let name = name.strip_prefix("gatehouse_")?.to_owned();
        let of_one = all_filters::FILTERS.iter().any(|filter| name.starts_with(filter.name));
        (!of_one).then_some(name)
    });
    let prometheus = Path::new(ROOT).join("deploy/prometheus/prometheus.yml");
    let prometheus = fs::read_to_string(prometheus).unwrap();
    for name in common {
        let lists = |text: &str| {
            let ends = ['|', ')', '_'];
            let starts = text.match_indices(&name).filter(|(at, _)| {
                let before = text[..*at].chars().next_back();
                let after = text[at + name.len()..].chars().next();
                matches!(before, Some('|' | ':' | '(')) && after.is_some_and(|c| ends.contains(&c))
            });
            starts.count() > 0
        };
        assert!(lists(&envoy), "{name} is not in `stats_config`");
        assert!(lists(&prometheus), "{name} is not in prometheus.yml");
    }
    for filter in all_filters::FILTERS {
        assert!(prometheus.contains(filter.name), "{} is not in prometheus.yml", filter.name);
    }
}

#[track_caller]
fn assert_same(documented: &BTreeSet<String>, in_code: &BTreeSet<String>) {
    let missing: Vec<_> = in_code.difference(documented).collect();
    let gone: Vec<_> = documented.difference(in_code).collect();
    assert!(missing.is_empty(), "docs/metrics.md does not have {missing:?}");
    assert!(gone.is_empty(), "docs/metrics.md has {gone:?}, which nothing counts");
}

/// Returns the names in the tables between two marks of the document.
fn documented(from: &str, to: &str) -> BTreeSet<String> {
    let text = fs::read_to_string(Path::new(ROOT).join("docs/metrics.md")).unwrap();
    let (_, part) = text.split_once(&format!("<!-- metrics: {from} -->")).expect("a mark");
    let (part, _) = part.split_once(&format!("<!-- metrics: {to} -->")).expect("a mark");
    let rows = part.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

/// The sources of what counts in a gateway, without those of tests.
fn sources() -> Vec<PathBuf> {
    let filters = fs::read_dir(Path::new(ROOT).join("filters")).unwrap();
    let mut folders: Vec<PathBuf> =
        filters.map(|entry| entry.unwrap().path().join("src")).collect();
    folders.extend(["shared/runtime/src", "shared/cache/src"].map(|f| Path::new(ROOT).join(f)));
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
                files.push(path);
            }
        }
    }
    assert!(files.len() > 50);
    files
}

/// The arguments of every call that counts.
fn arguments(code: &str) -> Vec<&str> {
    let calls =
        CALLS.iter().flat_map(|call| code.match_indices(call).map(move |(at, _)| (at, call)));
    let starts = calls.map(|(at, call)| &code[at + call.len()..]);
    starts.map(up_to_the_end).filter(|argument| !argument.is_empty()).collect()
}

/// The text up to the parenthesis that ends the call.
fn up_to_the_end(rest: &str) -> &str {
    let mut depth = 1;
    let end = |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    };
    rest[..rest.find(end).expect("a closing parenthesis")].trim()
}

/// The name, if an argument begins with it.
fn literal(argument: &str) -> Option<&str> {
    argument.strip_prefix('"')?.split('"').next()
}
