//! Other people's suites as tables of request and answer, asked of the compiled filters.
//!
//! `docs/conformance.md` says where the tables come from. A difference without a reason in
//! `SUITE-differences.json`, and a reason without a difference, fail the test.

mod browser;
mod chains;
mod compare;
mod named;
mod play;
mod report;
mod table;

use play::{Host, play};
use report::Played;
use std::sync::OnceLock;

/// The suites: the folder of the tables, and the name in the document.
const SUITES: [(&str, &str); 4] = [
    ("kong", "Kong's plugins"),
    ("envoy", "Envoy's jwt_authn"),
    ("wpt", "web platform tests of CORS"),
    ("resty-session", "lua-resty-session"),
];

/// Returns the verdicts of a suite on both gateways. It is asked once, whichever test comes first.
fn played(suite: &str) -> &'static [Played] {
    static PLAYED: [OnceLock<Vec<Played>>; SUITES.len()] =
        [const { OnceLock::new() }; SUITES.len()];
    let number = SUITES.iter().position(|(folder, _)| *folder == suite).expect("a suite");
    PLAYED[number].get_or_init(|| {
        let mut played = Vec::new();
        for (name, table) in table::tables(suite) {
            for host in Host::ALL {
                let verdicts =
                    table.cases.iter().map(|case| (case.test.clone(), play(&table, case, host)));
                let (table, file) = (name.clone(), table.file.clone());
                played.push(Played { table, file, host, verdicts: verdicts.collect() });
            }
        }
        played
    })
}

/// Prints the tables of a suite, and compares them with the document.
fn the_filters_answer_as(suite: &str) {
    let text = report::report(suite, played(suite)).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{suite}\n\n{text}");
    report::assert_documented(suite, &text);
}

#[test]
fn the_document_says_how_many_cases_of_each_suite_agree() {
    let text = report::summary(SUITES.iter().map(|(folder, name)| (*name, played(folder))));
    println!("{text}");
    report::assert_documented("suites", &text);
}

#[test]
fn the_filters_answer_as_kongs_own_tests_say_but_for_documented_differences() {
    the_filters_answer_as("kong");
}

#[test]
fn jwt_auth_answers_as_the_tests_of_envoys_jwt_authn_say_but_for_documented_differences() {
    the_filters_answer_as("envoy");
}

#[test]
fn a_browser_takes_the_answers_of_cors_as_the_web_platform_tests_say_but_for_documented_differences()
 {
    the_filters_answer_as("wpt");
}

#[test]
fn session_answers_as_the_tests_of_lua_resty_session_say_but_for_documented_differences() {
    the_filters_answer_as("resty-session");
}
