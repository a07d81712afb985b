//! Groups: `/consumers/{c}/acls` in Kong's shape.

use serde_json::json;

use crate::on_both_databases;
use crate::program::{Program, digest, text};

fn a_group_has_kongs_shape(program: &Program) {
    let id = program.consumer("fiona");
    let made = program.form("POST", "/consumers/fiona/acls", "group=gold&tags=a,b").expect(201);
    assert_eq!(made["group"], "gold");
    assert_eq!(made["consumer"], json!({ "id": id }));
    assert_eq!(made["tags"], json!(["a", "b"]));
    let listed = program.get("/consumers/fiona/acls").expect(200);
    assert_eq!(listed, json!({ "data": [made], "next": null }));
    assert_eq!(program.get("/acls?group=gold").expect(200)["data"], json!([made]));
    assert_eq!(program.get("/acls?group=silver").expect(200)["data"], json!([]));
    for name in [text(&made["id"]), "gold".into()] {
        assert_eq!(program.get(&format!("/consumers/fiona/acls/{name}")).expect(200), made);
    }
    let owner = program.get(&format!("/acls/{}/consumer", text(&made["id"]))).expect(200);
    assert_eq!(owner["username"], "fiona");
}

fn a_consumer_is_in_a_group_once_and_a_group_has_many_consumers(program: &Program) {
    program.consumer("fiona");
    program.consumer("ana");
    program.group("fiona", "gold");
    program.group("ana", "gold");
    program.form("POST", "/consumers/ana/acls", "group=gold").expect(409);
    program.form("PUT", "/consumers/ana/acls", "group=gold").expect(200);
    assert_eq!(program.get("/acls").expect(200)["data"].as_array().unwrap().len(), 2);
}

fn a_group_can_be_renamed_and_left(program: &Program) {
    program.consumer("fiona");
    program.group("fiona", "gold");
    let changed = program.form("PATCH", "/consumers/fiona/acls/gold", "group=silver").expect(200);
    assert_eq!(changed["group"], "silver");
    program.get("/consumers/fiona/acls/gold").expect(404);
    program.delete("/consumers/fiona/acls/silver").expect(204);
    program.delete("/consumers/fiona/acls/silver").expect(404);
}

fn a_group_is_a_name_that_fits_between_commas(program: &Program) {
    program.consumer("fiona");
    let long = "g".repeat(256);
    for group in ["", "a,b", " a", "a\nb", "\u{0}", &long] {
        let refused = program.json("POST", "/consumers/fiona/acls", &json!({ "group": group }));
        assert!(refused.expect(400)["fields"]["group"].is_string(), "{group:?}");
    }
    program.json("POST", "/consumers/fiona/acls", &json!({ "group": "Größe/1 x" })).expect(201);
    let path = format!("/consumers/fiona/acls/{}", crate::client::segment("Größe/1 x"));
    program.delete(&path).expect(204);
}

fn a_change_of_groups_names_every_key_of_the_consumer(program: &Program) {
    program.consumer("fiona");
    program.key("fiona", "one");
    program.key("fiona", "two");
    program.consumer("ana");
    program.key("ana", "three");
    let keys: Vec<String> =
        ["one", "two"].map(|key| format!("keyauth_credentials update {}", digest(key))).into();
    let mut since = program.seq();
    for (method, path, body, own) in [
        ("POST", "/consumers/fiona/acls", "group=gold", vec!["acls create gold"]),
        (
            "PATCH",
            "/consumers/fiona/acls/gold",
            "group=silver",
            vec!["acls update gold", "acls update silver"],
        ),
        ("DELETE", "/consumers/fiona/acls/silver", "", vec!["acls delete silver"]),
    ] {
        program.form(method, path, body);
        let changes = program.changes(since);
        let mut expected = vec![];
        for row in own {
            expected.push(row.to_owned());
            expected.extend(keys.clone());
        }
        assert_eq!(changes, expected, "{method}");
        since = program.seq();
    }
}

on_both_databases!(
    a_group_has_kongs_shape,
    a_consumer_is_in_a_group_once_and_a_group_has_many_consumers,
    a_group_can_be_renamed_and_left,
    a_group_is_a_name_that_fits_between_commas,
    a_change_of_groups_names_every_key_of_the_consumer,
);
