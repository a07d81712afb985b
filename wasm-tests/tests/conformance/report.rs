//! The verdicts as tables of docs/conformance.md, and the differences that have a reason.

use crate::play::{Host, Verdict};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// Why some cases have another answer.
#[derive(Debug, Deserialize)]
struct Reason {
    /// The reason, in a sentence.
    why: String,
    /// The document that says so.
    place: String,
    /// The gateways on which the answer is another one.
    on: Vec<String>,
    /// The tests, by the name of their table.
    tests: BTreeMap<String, Vec<String>>,
}

/// The verdicts of one table on one gateway.
pub struct Played {
    pub table: String,
    pub file: String,
    pub host: Host,
    pub verdicts: Vec<(String, Verdict)>,
}

type Difference = (String, String, String);

/// Checks that the differences are exactly those that have a reason, and returns the tables.
///
/// # Errors
/// The differences without a reason, and the reasons without a difference.
pub fn report(folder: &str, played: &[Played]) -> Result<String, String> {
    let reasons = reasons(folder);
    let mut explained: BTreeSet<Difference> = BTreeSet::new();
    for reason in &reasons {
        for host in &reason.on {
            for (table, tests) in &reason.tests {
                explained
                    .extend(tests.iter().map(|test| (host.clone(), table.clone(), test.clone())));
            }
        }
    }
    let mut found: BTreeMap<Difference, &str> = BTreeMap::new();
    for one in played {
        for (test, verdict) in &one.verdicts {
            if let Verdict::Differs(what) = verdict {
                found.insert((one.host.name().to_owned(), one.table.clone(), test.clone()), what);
            }
        }
    }
    let mut wrong = String::new();
    for ((host, table, test), what) in &found {
        if !explained.contains(&(host.clone(), table.clone(), test.clone())) {
            writeln!(wrong, "no reason: {host}, {table}, {test}: {what}").expect("text");
        }
    }
    for (host, table, test) in &explained {
        if !found.contains_key(&(host.clone(), table.clone(), test.clone())) {
            writeln!(wrong, "no difference: {host}, {table}, {test}").expect("text");
        }
    }
    match wrong.is_empty() {
        true => Ok(format!("{}\n{}\n{}", counts(played), differences(&reasons), not_asked(played))),
        false => Err(wrong),
    }
}

fn here() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/conformance"))
}

fn reasons(folder: &str) -> Vec<Reason> {
    let path = here().join(format!("{folder}-differences.json"));
    let text = std::fs::read_to_string(&path).expect("the reasons");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the numbers of cases: one line for each table. The gateways of one table come one after
/// the other.
fn counts(played: &[Played]) -> String {
    let mut text = heading("file");
    for pair in played.chunks(2) {
        let file = pair.first().map(|one| one.file.as_str()).unwrap_or_default();
        line(&mut text, &format!("`{file}`"), numbers(pair));
    }
    line(&mut text, "**together**", sums(played));
    text
}

fn heading(what: &str) -> String {
    format!(
        "| {what} | cases | not asked | Kong: agree | differ | Envoy: agree | differ |\n\
         |---|---:|---:|---:|---:|---:|---:|\n"
    )
}

/// Returns the numbers of the cases of one table that was asked on both gateways: all, those not
/// asked, and for each gateway those that agree and that differ.
fn numbers(pair: &[Played]) -> [usize; 6] {
    let [kong, envoy] = pair else { panic!("one verdict for each gateway") };
    assert!(kong.file == envoy.file && kong.host == Host::Kong && envoy.host == Host::Envoy);
    let count = |one: &Played, wanted: fn(&Verdict) -> bool| {
        one.verdicts.iter().filter(|(_, verdict)| wanted(verdict)).count()
    };
    let agree = |one| count(one, |verdict| matches!(verdict, Verdict::Agrees));
    let differ = |one| count(one, |verdict| matches!(verdict, Verdict::Differs(_)));
    let not = count(kong, |verdict| matches!(verdict, Verdict::NotAsked(_)));
    [kong.verdicts.len(), not, agree(kong), differ(kong), agree(envoy), differ(envoy)]
}

fn sums(played: &[Played]) -> [usize; 6] {
    let mut sums = [0; 6];
    for more in played.chunks(2).map(numbers) {
        for (sum, more) in sums.iter_mut().zip(more) {
            *sum += more;
        }
    }
    sums
}

/// Returns the numbers of cases of whole suites, by their names.
pub fn summary<'a>(suites: impl IntoIterator<Item = (&'a str, &'a [Played])>) -> String {
    let mut text = heading("suite");
    for (name, played) in suites {
        line(&mut text, name, sums(played));
    }
    text
}

fn line(text: &mut String, file: &str, numbers: [usize; 6]) {
    let numbers = numbers.map(|number| number.to_string()).join(" | ");
    writeln!(text, "| {file} | {numbers} |").expect("text");
}

fn differences(reasons: &[Reason]) -> String {
    let mut text = String::from("| difference | on | said in | tests |\n|---|---|---|---|\n");
    for Reason { why, place, on, tests } in reasons {
        let named: Vec<String> = tests
            .iter()
            .map(|(table, tests)| {
                let tests = tests.iter().map(|test| format!("“{}”", test.replace('|', "\\|")));
                format!("{table}: {}", tests.collect::<Vec<_>>().join(", "))
            })
            .collect();
        let (name, _) = place.split_once('#').unwrap_or((place, ""));
        let name = name.trim_start_matches("../");
        writeln!(text, "| {why} | {} | [{name}]({place}) | {} |", on.join(", "), named.join("; "))
            .expect("text");
    }
    text
}

/// Returns the reasons for which cases were not asked, and the number of cases of each.
fn not_asked(played: &[Played]) -> String {
    let mut groups: BTreeMap<&str, BTreeMap<&str, usize>> = BTreeMap::new();
    for one in played {
        for (_, verdict) in &one.verdicts {
            if let Verdict::NotAsked(why) = verdict {
                *groups.entry(why).or_default().entry(one.host.name()).or_default() += 1;
            }
        }
    }
    let mut text = String::from("| not asked because of | cases |\n|---|---:|\n");
    for (why, hosts) in groups {
        let most = hosts.values().max().expect("a gateway");
        writeln!(text, "| {why} | {most} |").expect("text");
    }
    text
}

/// Compares a part of docs/conformance.md with `text`. With `GATEHOUSE_WRITE_CONFORMANCE`, writes it
/// there.
pub fn assert_documented(name: &str, text: &str) {
    // The tests of the suites run side by side.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let path = here().join("../../../docs/conformance.md");
    let document = std::fs::read_to_string(&path).expect("docs/conformance.md");
    let begin = format!("<!-- table: {name} -->\n");
    let end = "<!-- end of table -->";
    let (before, rest) = document.split_once(&begin).expect("the place of the table");
    let (old, after) = rest.split_once(end).expect("the end of the table");
    if std::env::var_os("GATEHOUSE_WRITE_CONFORMANCE").is_some() {
        let new = format!("{before}{begin}{text}{end}{after}");
        std::fs::write(&path, new).expect("docs/conformance.md");
    } else {
        assert_eq!(
            old, text,
            "docs/conformance.md is not up to date: `make conformance WRITE=1` writes it"
        );
    }
}
