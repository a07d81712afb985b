//! `GET /counters`: what rate_limiting has counted for a caller, in each place for counters.

use serde_json::{Value, json};

use crate::counters::on_redis;
use crate::program::Program;

const ID: &str = "89a41fef-3b40-4bb0-b5af-33da57a7ffcf";
/// The name under which gateways without a token count the consumer with this id, in the namespace
/// `orders`. A test of rate_limiting has it too.
const NAME: &str = "de4a806ab102e2e74af6503517a29252";
const TARGET: &str = "/counters?namespace=orders&consumer=ana";

/// Adds to a counter as rate_limiting does.
fn count(program: &Program, (start, end): (u64, u64), by: u64) {
    let one = json!({ "key": format!("{NAME}:year"), "window_start": start, "window": end - start, "by": by });
    program.json("POST", "/counters", &json!({ "increments": [one] })).expect(200);
}

/// Returns the beginning and the end of this year and of the one before, in seconds since 1970, as
/// the program `date` knows them.
fn years() -> [(u64, u64); 2] {
    let date = |arguments: &[&str]| {
        let output = std::process::Command::new("date").arg("-u").args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u64>().unwrap()
    };
    let year = date(&["+%Y"]);
    let begin = |year: u64| date(&["-d", &format!("{year}-01-01"), "+%s"]);
    [year, year - 1].map(|year| (begin(year), begin(year + 1)))
}

fn the_counters_of_a_caller_are_those_of_rate_limiting(program: &Program) {
    let body = json!({ "username": "ana" });
    program.json("PUT", &format!("/consumers/{ID}"), &body).expect(201);
    assert_eq!(program.get(TARGET).expect(200), json!({ "data": [], "next": null }));
    let [this, last] = years();
    count(program, this, 5);
    count(program, last, 7);
    let shown = |(start, end): (u64, u64), current: bool, total: u64| {
        json!({
            "period": "year", "window_start": start, "window_end": end, "current": current,
            "total": total,
        })
    };
    let found = program.get(TARGET).expect(200)["data"].clone();
    assert_eq!(found, json!([shown(this, true, 5), shown(last, false, 7)]));
    // Reading has counted nothing, and another namespace or kind of caller is another counter.
    assert_eq!(program.get(TARGET).expect(200)["data"], found);
    for other in ["namespace=other&consumer=ana", "namespace=orders&header=ana"] {
        let none = program.get(&format!("/counters?{other}")).expect(200);
        assert_eq!(none["data"], json!([]), "{other}");
    }
}

fn a_question_names_one_caller(program: &Program) {
    program.consumer("ana");
    for (query, field) in [
        ("consumer=ana", "namespace"),
        ("namespace=&consumer=ana", "namespace"),
        ("namespace=n", "@entity"),
        ("namespace=n&consumer=ana&ip=192.0.2.1", "@entity"),
        ("namespace=n&header=", "header"),
        ("namespace=n&cookie=x", "cookie"),
    ] {
        let refused = program.get(&format!("/counters?{query}")).expect(400);
        assert!(refused["fields"].get(field).is_some_and(Value::is_string), "{query}: {refused}");
    }
    program.get("/counters?namespace=n&consumer=nobody").expect(404);
}

mod sqlite {
    #[test]
    fn the_counters_of_a_caller_are_those_of_rate_limiting() {
        super::the_counters_of_a_caller_are_those_of_rate_limiting(&super::Program::on_sqlite());
    }
    #[test]
    fn a_question_names_one_caller() {
        super::a_question_names_one_caller(&super::Program::on_sqlite());
    }
}

mod postgres {
    #[test]
    fn the_counters_of_a_caller_are_those_of_rate_limiting() {
        super::the_counters_of_a_caller_are_those_of_rate_limiting(&super::Program::on_postgres());
    }
}

mod redis {
    #[test]
    fn the_counters_of_a_caller_are_those_of_rate_limiting() {
        super::the_counters_of_a_caller_are_those_of_rate_limiting(&super::on_redis());
    }
}
