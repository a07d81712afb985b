//! `/changes`: every change that makes a gateway forget something, in order.

use serde_json::json;

use crate::on_both_databases;
use crate::program::{Program, digest, text};

fn without_since_there_is_only_the_end(program: &Program) {
    let empty = program.get("/changes").expect(200);
    assert_eq!((&empty["next"], &empty["seq"]), (&json!(0), &json!(0)));
    program.consumer("fiona");
    let page = program.get("/changes").expect(200);
    assert_eq!(
        (&page["data"], &page["next"], &page["reset"], &page["seq"]),
        (&json!([]), &json!(1), &json!(false), &json!(1))
    );
    assert!(!text(&page["epoch"]).is_empty());
}

fn a_change_has_the_five_members_of_the_contract(program: &Program) {
    let id = program.consumer("fiona");
    let page = program.get("/changes?since=0").expect(200);
    let row = json!({
        "seq": 1, "entity": "consumers", "operation": "create", "consumer_id": id, "key": "fiona",
    });
    assert_eq!(page["data"], json!([row]));
}

fn every_write_is_a_change_and_a_refused_one_is_not(program: &Program) {
    program.consumer("fiona");
    let made = program.app_id("fiona", "Portal");
    let since = program.seq();
    program.form("POST", "/consumers/fiona/appids", "appid=Portal").expect(409);
    program.form("POST", "/consumers/fiona/appids", "appid=a b").expect(400);
    program.get("/consumers/fiona/appids").expect(200);
    assert_eq!(program.seq(), since);
    program.form("PATCH", "/consumers/fiona/appids/Portal", "appid=Mobile").expect(200);
    assert_eq!(program.changes(since), ["appids update Portal", "appids update Mobile"]);
    let since = program.seq();
    program.delete(&format!("/appids/{}", text(&made["id"]))).expect(204);
    assert_eq!(program.changes(since), ["appids delete Mobile"]);
}

fn an_app_id_that_moves_is_a_change_of_both_consumers(program: &Program) {
    let fiona = program.consumer("fiona");
    let ana = program.consumer("ana");
    let made = program.app_id("fiona", "Portal");
    let since = program.seq();
    program.form("PATCH", &format!("/appids/{}", text(&made["id"])), &format!("consumer_id={ana}"));
    let page = program.get(&format!("/changes?since={since}")).expect(200);
    let rows = page["data"].as_array().unwrap();
    let consumers: Vec<_> = rows.iter().map(|row| text(&row["consumer_id"])).collect();
    assert_eq!(consumers, [fiona, ana]);
    assert!(rows.iter().all(|row| row["key"] == "Portal" && row["entity"] == "appids"));
}

fn a_renamed_consumer_is_a_change_of_all_its_names_and_keys(program: &Program) {
    program.consumer("fiona");
    program.form("PATCH", "/consumers/fiona", "custom_id=c9").expect(200);
    program.key("fiona", "open_sesame");
    let since = program.seq();
    program.form("PATCH", "/consumers/fiona", "username=fi").expect(200);
    let mut changes = program.changes(since);
    changes.sort();
    let key = format!("keyauth_credentials update {}", digest("open_sesame"));
    assert_eq!(
        changes,
        ["consumers update c9", "consumers update fi", "consumers update fiona", key.as_str()]
    );
    // Answers to gateways do not contain tags, so no key changes with them.
    let since = program.seq();
    program.form("PATCH", "/consumers/fi", "tags=a").expect(200);
    assert_eq!(program.changes(since), ["consumers update c9", "consumers update fi"]);
}

fn pages_follow_each_other_without_a_gap(program: &Program) {
    program.consumer("fiona");
    for number in 0..9 {
        program.app_id("fiona", &format!("app.{number}"));
    }
    let (mut since, mut seen) = (0, vec![]);
    loop {
        let page = program.get(&format!("/changes?since={since}&limit=4")).expect(200);
        assert_eq!((&page["reset"], &page["seq"]), (&json!(false), &json!(10)));
        let rows = page["data"].as_array().unwrap();
        seen.extend(rows.iter().map(|row| row["seq"].as_u64().unwrap()));
        since = page["next"].as_u64().unwrap();
        if rows.is_empty() {
            break;
        }
        assert_eq!(seen.last(), Some(&since));
    }
    assert_eq!(seen, (1..=10).collect::<Vec<_>>());
}

fn a_reader_of_another_history_is_reset(program: &Program) {
    program.consumer("fiona");
    let page = program.get("/changes?since=2").expect(200);
    assert_eq!(
        (&page["reset"], &page["data"], &page["next"]),
        (&json!(true), &json!([]), &json!(1))
    );
    assert_eq!(program.get("/changes?since=1").expect(200)["reset"], false);
    assert_eq!(program.get("/changes?since=0&epoch=other").expect(200)["reset"], true);
    let epoch = program.epoch();
    assert_eq!(program.get(&format!("/changes?since=0&epoch={epoch}")).expect(200)["reset"], false);
    let far = "/changes?since=9223372036854775807";
    assert_eq!(program.get(far).expect(200)["reset"], true);
}

fn a_parameter_that_is_no_number_is_refused(program: &Program) {
    for (query, field) in [
        ("since=x", "since"),
        ("since=-1", "since"),
        ("since=9223372036854775808", "since"),
        ("since=0&limit=0", "limit"),
        ("since=0&limit=10001", "limit"),
        ("from=0", "from"),
    ] {
        let refused = program.get(&format!("/changes?{query}")).expect(400);
        assert!(refused["fields"][field].is_string(), "{query}: {refused}");
    }
}

on_both_databases!(
    without_since_there_is_only_the_end,
    a_change_has_the_five_members_of_the_contract,
    every_write_is_a_change_and_a_refused_one_is_not,
    an_app_id_that_moves_is_a_change_of_both_consumers,
    a_renamed_consumer_is_a_change_of_all_its_names_and_keys,
    pages_follow_each_other_without_a_gap,
    a_reader_of_another_history_is_reset,
    a_parameter_that_is_no_number_is_refused,
);

#[test]
fn a_reader_who_fell_behind_the_kept_history_is_reset() {
    let program = Program::on_sqlite_with(&["--change-history", "100"]);
    program.consumer("fiona");
    for number in 0..149 {
        program.app_id("fiona", &format!("app.{number}"));
    }
    for (since, reset) in [(0, true), (49, true), (50, false), (150, false)] {
        let page = program.get(&format!("/changes?since={since}")).expect(200);
        assert_eq!(page["reset"], json!(reset), "{since}");
        let rows = page["data"].as_array().unwrap().len();
        assert_eq!(rows, if reset { 0 } else { 150 - since }, "{since}");
    }
}
