//! `docs/runbook.md` has a section for each alert, and names each refusal. `docs/one-request.md`
//! names the cause of each.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The code that stands before the message of a refusal.
const REFUSALS: [&str; 11] = [
    "Reply::error(",
    "Reply::message(",
    "Reply::new(",
    "Self::error(",
    "refuse(",
    "refusal(",
    "let message = ",
    "Forbidden(",
    "WebPage(",
    "wrong.push((",
    "=> ",
];

fn text(path: &str) -> String {
    let path = Path::new(ROOT).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The anchors of a document's headings, as they are linked to.
fn anchors(document: &str) -> BTreeSet<String> {
    let headings = document.lines().filter_map(|line| line.strip_prefix('#'));
    headings
        .map(|heading| {
            let heading = heading.trim_start_matches('#').trim().to_lowercase();
            let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

#[test]
fn each_alert_leads_to_its_section_and_each_link_to_a_heading() {
    let runbook = text("docs/runbook.md");
    let anchors = anchors(&runbook);
    let alerts = text("deploy/prometheus/alerts.yml");
    let names: Vec<_> = alerts.lines().filter_map(|l| l.trim().strip_prefix("- alert: ")).collect();
    let links: Vec<_> = alerts
        .lines()
        .filter_map(|line| line.trim().strip_prefix("runbook: docs/runbook.md#"))
        .collect();
    assert!(names.len() > 15);
    assert_eq!(names.len(), links.len(), "each alert has one link");
    for link in links {
        assert!(anchors.contains(link), "no section {link}");
    }
    for name in names {
        assert!(runbook.contains(name), "the runbook does not name {name}");
    }
    let inside = runbook.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap());
    let metrics = text("docs/metrics.md");
    let outside =
        metrics.split("](runbook.md#").skip(1).map(|rest| rest.split(')').next().unwrap());
    for anchor in inside.chain(outside) {
        assert!(anchors.contains(anchor), "a link to {anchor}, which is not there");
    }
}

#[test]
fn each_message_of_a_refusal_is_in_the_runbook() {
    let runbook = text("docs/runbook.md");
    let mut found = BTreeSet::new();
    for folder in ["filters", "shared/exchange", "shared/consumer", "shared/runtime", "admin/src"] {
        said(&Path::new(ROOT).join(folder), &REFUSALS, &message, &mut found);
    }
    assert!(found.len() > 35, "{found:?}");
    let missing: Vec<_> = found
        .iter()
        .filter(|message| {
            // A message that is made of several parts has `…` in the runbook.
            message.split(['{', '}']).step_by(2).any(|part| !runbook.contains(part.trim()))
        })
        .collect();
    assert!(missing.is_empty(), "docs/runbook.md has nothing about {missing:#?}");
}

#[test]
fn each_cause_of_a_refusal_is_on_the_page_about_the_access_log_and_no_other_is() {
    let page = text("docs/one-request.md");
    let (_, table) = page.split_once("| cause | filter | meaning |").unwrap();
    let (rows, _) = table.split_once("\n\n").unwrap();
    let cells = rows.lines().filter_map(|row| row.split('|').nth(1));
    let listed: BTreeSet<String> =
        cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).map(str::to_owned).collect();
    // The others are followed by texts of any kind.
    let calls = REFUSALS.get(..6).unwrap();
    let mut found = BTreeSet::new();
    for folder in ["filters", "shared/exchange", "shared/consumer", "shared/runtime"] {
        said(&Path::new(ROOT).join(folder), calls, &cause, &mut found);
    }
    // These two are in fields of their own.
    found.extend(["governed", "unknown_key", "no_key", "duplicate_key"].map(str::to_owned));
    let answers = ["preflight", "logged_out", "public_keys", "terminated"];
    for answer in answers {
        assert!(found.remove(answer) && page.contains(&format!("`{answer}`")), "{answer}");
    }
    assert_eq!(found, listed);
}

#[test]
fn what_the_runbook_quotes_of_logs_is_what_the_programs_say() {
    let runbook = text("docs/runbook.md").replace("\n  ", " ");
    for (folder, said) in [
        ("shared/cache/src", "the admin service answered"),
        ("shared/cache/src", "the list of changes cannot be asked for"),
        ("shared/cache/src", "the admin service did not give its entities page by page"),
        ("shared/exchange/src", "no answer (timeout, reset or refused connection)"),
        ("shared/exchange/src", "the proxy did not send the call (no such cluster"),
        ("shared/exchange/src", "the answer was cut short"),
        ("filters/session/src/flow", "did not take a change of a session"),
        ("admin/src/api", "the database failed"),
        ("admin/src", "what was read before stays in force"),
        ("admin/src", "secrets sealed with the first one"),
        ("admin/src", "were read again"),
        ("admin/src", "a secret does not open with the key in --encryption-key-file"),
        ("admin/src/store", "a newer gatehouse-admin"),
    ] {
        let files = fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
        let says = |path: &Path| path.is_file() && fs::read_to_string(path).unwrap().contains(said);
        let somewhere = files.map(|entry| entry.unwrap().path()).any(|path| says(&path));
        assert!(somewhere, "{folder} does not say `{said}` any more");
        assert!(runbook.contains(said), "the runbook does not quote `{said}`");
    }
}

/// Collects what `reads` finds after the calls in the sources of a folder, without those of tests.
fn said(
    folder: &Path,
    calls: &[&str],
    reads: &dyn Fn(&str) -> Option<String>,
    found: &mut BTreeSet<String>,
) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let skipped = ["tests", "fuzz", "target", "import", "store"].contains(&name.as_str());
        if path.is_dir() {
            if !skipped {
                said(&path, calls, reads, found);
            }
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
            let code = code.collect::<Vec<_>>().join("\n");
            // An arm may hold any text: those of decisions only.
            let folder = path.parent().unwrap();
            let decides = name.starts_with("flow")
                || folder.ends_with("flow")
                || folder.ends_with("consumer/src");
            let any = |call: &str| ["=> ", "let message = "].contains(&call);
            for call in calls.iter().filter(|call| decides || !any(call)) {
                let after = code.match_indices(call).map(|(at, _)| &code[at + call.len()..]);
                found.extend(after.filter_map(reads));
            }
        }
    }
}

/// The message at the beginning of `code`: a literal after a status, `format!` or a name. A
/// message says something to people: it begins with a capital letter, or has several words.
fn message(code: &str) -> Option<String> {
    let start = code.trim_start();
    let start =
        start.trim_start_matches(|c: char| c.is_ascii_digit() || ", ".contains(c)).trim_start();
    // The cause comes first.
    let start = match cause(code) {
        Some(cause) => start.split_once(&format!("\"{cause}\","))?.1.trim_start(),
        None => start,
    };
    let start = start.strip_prefix("format!(").unwrap_or(start);
    let literal = start.strip_prefix('"')?.split('"').next()?;
    let is_message = literal.starts_with(|c: char| c.is_ascii_uppercase()) || literal.contains(' ');
    is_message.then(|| literal.to_owned())
}

/// The cause at the beginning of the arguments in `code`: the first literal of one word in snake
/// case, before the end of the statement.
fn cause(code: &str) -> Option<String> {
    let arguments = code.split(';').next()?;
    let literal = arguments.split('"').nth(1)?;
    let before = arguments.split('"').next()?;
    let is_cause = literal.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && literal.len() > 2
        && !before.contains('(');
    is_cause.then(|| literal.to_owned())
}
