//! Other people's suites as tables of request and answer, asked of the compiled filters.
//!
//! `docs/conformance.md` says where the tables come from. A difference without a reason in
//! `kong-differences.json`, and a reason without a difference, fail the test.

mod chains;
mod compare;
mod play;
mod report;
mod table;

use play::{Host, play};
use report::Played;

#[test]
fn the_filters_answer_as_kongs_own_tests_say_but_for_documented_differences() {
    let mut played = Vec::new();
    for (name, table) in table::tables("kong") {
        for host in Host::ALL {
            let verdicts =
                table.cases.iter().map(|case| (case.test.clone(), play(&table, case, host)));
            let (table, file) = (name.clone(), table.file.clone());
            played.push(Played { table, file, host, verdicts: verdicts.collect() });
        }
    }
    let text = report::report("kong", &played).unwrap_or_else(|wrong| panic!("{wrong}"));
    println!("{text}");
    report::assert_documented("kong", &text);
}
