//! `/gateways`: who asks for changes, and how far behind they are.

use serde_json::{Value, json};

use crate::on_both_databases;
use crate::program::Program;

const OURS: (&str, &str) = ("user-agent", "gatehouse");

fn gateways(program: &Program) -> Vec<Value> {
    program.get("/gateways").expect(200)["data"].as_array().unwrap().clone()
}

fn a_gateway_is_known_from_when_it_asks_for_changes(program: &Program) {
    program.consumer("fiona");
    program.get("/changes?since=0").expect(200);
    assert_eq!(gateways(program), Vec::<Value>::new(), "anybody else is no gateway");
    program.send("GET", "/changes?since=0", &[OURS], b"").expect(200);
    let [older] = &gateways(program)[..] else { panic!("one gateway") };
    let names = ["id", "version", "since", "behind"].map(|name| &older[name]);
    assert_eq!(names, [&json!(null), &json!(null), &json!(0), &json!(1)]);
    assert_eq!((&older["address"], &older["filters"]), (&json!("127.0.0.1"), &json!([])));

    let report = ("gatehouse-node", "00000000000000ab 1.2.3 key_auth=5/4/3/2 app_id=1/0/0/0");
    let epoch = program.epoch();
    let target = format!("/changes?since=1&epoch={epoch}");
    for _ in 0..2 {
        program.send("GET", &target, &[OURS, report], b"").expect(200);
    }
    let [_, node] = &gateways(program)[..] else { panic!("two gateways") };
    assert_eq!((&node["id"], &node["version"]), (&json!("00000000000000ab"), &json!("1.2.3")));
    assert_eq!((&node["since"], &node["behind"]), (&json!(1), &json!(0)));
    assert_eq!(node["filters"], json!(["app_id", "key_auth"]));
    let sum = |name: &str| -> u64 {
        node["minutes"].as_array().unwrap().iter().map(|it| it[name].as_u64().unwrap()).sum()
    };
    assert_eq!(["hits", "stale", "misses", "failures"].map(sum), [12, 8, 6, 4]);

    program.send("GET", "/changes?since=1&epoch=other", &[OURS, report], b"").expect(200);
    let node = &gateways(program)[1];
    assert_eq!((&node["since"], &node["behind"]), (&json!(null), &json!(null)));
    program.app_id("fiona", "Portal");
    assert_eq!(gateways(program)[0]["behind"], 2);
}

fn a_report_that_cannot_be_read_counts_for_nothing_and_the_gateway_gets_its_changes(
    program: &Program,
) {
    program.consumer("fiona");
    let long = format!("00000000000000ab 1 {}", "x".repeat(5000));
    for value in ["", "x", "00000000000000ab 1 key_auth=-1/0/0/0", "<b>", &long] {
        let answer =
            program.send("GET", "/changes?since=0", &[OURS, ("gatehouse-node", value)], b"");
        assert_eq!(answer.expect(200)["data"].as_array().unwrap().len(), 1, "{value}");
    }
    let [one] = &gateways(program)[..] else { panic!("one gateway") };
    assert_eq!((&one["id"], &one["minutes"]), (&json!(null), &json!([])));
    program.get("/gateways?x=1").expect(400);
}

on_both_databases!(
    a_gateway_is_known_from_when_it_asks_for_changes,
    a_report_that_cannot_be_read_counts_for_nothing_and_the_gateway_gets_its_changes,
);
