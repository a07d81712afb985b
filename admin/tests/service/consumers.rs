//! Consumers: creating, finding by any name, changing, and deleting with all that they own.

use serde_json::json;

use crate::client::segment;
use crate::on_both_databases;
use crate::program::{Program, text};

const ID: &str = "89a41fef-3b40-4bb0-b5af-33da57a7ffcf";

fn a_consumer_needs_a_username_or_a_custom_id(program: &Program) {
    let made = program.form("POST", "/consumers/", "username=fiona&custom_id=").expect(201);
    assert_eq!((&made["username"], &made["custom_id"]), (&json!("fiona"), &json!(null)));
    let made = program.json("POST", "/consumers", &json!({ "custom_id": "c9" })).expect(201);
    assert_eq!(made["username"], json!(null));
    for body in [json!({}), json!({ "username": null }), json!({ "tags": ["a"] })] {
        let refused = program.json("POST", "/consumers", &body).expect(400);
        let problem = "at least one of these fields must be non-empty: 'custom_id', 'username'";
        assert_eq!(refused["fields"], json!({ "@entity": problem }));
        assert_eq!(refused["name"], "schema violation");
    }
}

fn a_name_belongs_to_one_consumer(program: &Program) {
    let first = json!({ "username": "fiona", "custom_id": "c9", "id": ID });
    assert_eq!(program.json("POST", "/consumers", &first).expect(201)["id"], ID);
    for (field, other) in [
        ("username", json!({ "username": "fiona" })),
        ("custom_id", json!({ "custom_id": "c9" })),
        ("id", json!({ "username": "other", "id": ID.to_uppercase() })),
    ] {
        let refused = program.json("POST", "/consumers", &other).expect(409);
        assert_eq!(refused["name"], "unique constraint violation");
        assert!(refused["fields"][field].is_string(), "{refused}");
    }
    program.consumer("Fiona");
    program.form("PATCH", "/consumers/Fiona", "username=fiona").expect(409);
    program.form("PATCH", "/consumers/Fiona", "custom_id=c9").expect(409);
    program.form("PATCH", "/consumers/Fiona", "username=Fiona").expect(200);
}

fn a_consumer_is_found_by_id_then_username_then_custom_id(program: &Program) {
    let first = program.consumer("fiona");
    program
        .json("POST", "/consumers", &json!({ "username": "x", "custom_id": "fiona" }))
        .expect(201);
    // A consumer whose username is the id of another one is not found by that id.
    program.json("POST", "/consumers", &json!({ "username": first })).expect(201);
    for name in [first.as_str(), &first.to_uppercase(), "fiona"] {
        assert_eq!(program.get(&format!("/consumers/{name}")).expect(200)["id"], json!(first));
    }
    program.delete("/consumers/fiona").expect(204);
    assert_eq!(program.get("/consumers/fiona").expect(200)["username"], "x");
}

fn names_may_hold_what_a_path_may_not(program: &Program) {
    for name in ["a/b", "..", "a?b#c", "100% sure", "GET / HTTP/1.1", "größe", "a%2Fb", "a+b", "."]
    {
        let id = program.consumer(name);
        let path = format!("/consumers/{}", segment(name));
        assert_eq!(program.get(&path).expect(200)["id"], json!(id), "{name}");
        assert_eq!(program.get(&format!("{path}/appids")).expect(200)["total"], 0);
        let filtered = program.get(&format!("/consumers?username={}", segment(name))).expect(200);
        assert_eq!(filtered["data"][0]["id"], json!(id), "{name}");
        program.delete(&path).expect(204);
    }
}

fn patch_changes_what_it_names(program: &Program) {
    let id = program.consumer("fiona");
    let changed = program
        .json("PATCH", "/consumers/fiona", &json!({ "custom_id": "c9", "tags": ["a", "b"] }))
        .expect(200);
    assert_eq!(
        (&changed["id"], &changed["username"], &changed["custom_id"], &changed["tags"]),
        (&json!(id), &json!("fiona"), &json!("c9"), &json!(["a", "b"]))
    );
    let changed = program.json("PATCH", "/consumers/c9", &json!({ "username": null })).expect(200);
    assert_eq!((&changed["username"], &changed["tags"]), (&json!(null), &json!(["a", "b"])));
    program.json("PATCH", "/consumers/c9", &json!({ "custom_id": null })).expect(400);
    program.json("PATCH", "/consumers/c9", &json!({ "id": ID })).expect(400);
    assert_eq!(program.form("PATCH", "/consumers/c9", "").expect(400)["message"], "empty body");
    program.form("PATCH", "/consumers/nobody", "username=x").expect(404);
    assert_eq!(program.get("/consumers/c9").expect(200), changed);
}

fn put_creates_or_replaces(program: &Program) {
    let made = program.form("PUT", "/consumers/fiona", "custom_id=c9").expect(201);
    assert_eq!((&made["username"], &made["custom_id"]), (&json!("fiona"), &json!("c9")));
    let replaced = program.form("PUT", "/consumers/fiona", "").expect(200);
    assert_eq!(
        (&replaced["id"], &replaced["username"], &replaced["custom_id"]),
        (&made["id"], &json!("fiona"), &json!(null))
    );
    let path = format!("/consumers/{ID}");
    program.form("PUT", &path, "").expect(400);
    assert_eq!(program.form("PUT", &path, "username=ana").expect(201)["id"], ID);
    let replaced = program.form("PUT", &path, "custom_id=c8").expect(200);
    assert_eq!((&replaced["username"], &replaced["custom_id"]), (&json!(null), &json!("c8")));
    program.form("PUT", "/consumers/ben", "username=other").expect(400);
    program.json("PUT", "/consumers/a%0Ab", &json!({ "custom_id": "x" })).expect(400);
    program.json("PUT", &path, &json!({ "username": "x", "id": made["id"] })).expect(400);
    assert_eq!(program.get("/consumers").expect(200)["data"].as_array().unwrap().len(), 2);
}

fn what_was_read_can_be_put_back(program: &Program) {
    program.consumer("fiona");
    let read = program.get("/consumers/fiona").expect(200);
    let mut put = program.json("PUT", "/consumers/fiona", &read).expect(200);
    put["updated_at"] = read["updated_at"].clone();
    assert_eq!(put, read);
}

fn the_list_has_pages_and_filters(program: &Program) {
    let empty = program.get("/consumers").expect(200);
    assert_eq!(empty, json!({ "data": [], "next": null }));
    for number in 0..5 {
        let body = json!({ "username": format!("u{number}"), "custom_id": format!("c{number}") });
        program.json("POST", "/consumers", &body).expect(201);
    }
    let (mut target, mut names) = ("/consumers?size=2".to_owned(), vec![]);
    loop {
        let page = program.get(&target).expect(200);
        names.extend(page["data"].as_array().unwrap().iter().map(|it| text(&it["username"])));
        if page["next"].is_null() {
            break;
        }
        target = text(&page["next"]);
    }
    assert_eq!(names, ["u0", "u1", "u2", "u3", "u4"]);
    for (query, count) in [
        ("custom_id=c3", 1),
        ("username=u3", 1),
        ("username=u3&custom_id=c4", 0),
        ("custom_id=x", 0),
    ] {
        let listed = program.get(&format!("/consumers?{query}")).expect(200);
        assert_eq!(listed["data"].as_array().unwrap().len(), count, "{query}");
    }
    program.get("/consumers?tags=a").expect(400);
}

fn deleting_a_consumer_deletes_what_belongs_to_it(program: &Program) {
    let id = program.consumer("fiona");
    program.consumer("other");
    program.form("PATCH", "/consumers/fiona", "custom_id=c9").expect(200);
    program.app_id("fiona", "Portal");
    program.app_id("other", "Portal");
    program.group("fiona", "gold");
    let key = program.key("fiona", "open_sesame");
    let since = program.seq();
    program.delete("/consumers/fiona").expect(204);
    program.delete("/consumers/fiona").expect(404);
    for (path, left) in [("/appids", 1), ("/acls", 0), ("/key-auths", 0), ("/consumers", 1)] {
        let listed = program.get(path).expect(200);
        assert_eq!(listed["data"].as_array().unwrap().len(), left, "{path}");
    }
    let mut changes = program.changes(since);
    changes.sort();
    let mut expected = [
        "acls delete gold".to_owned(),
        "appids delete Portal".to_owned(),
        "consumers delete c9".to_owned(),
        "consumers delete fiona".to_owned(),
        format!("keyauth_credentials delete {}", text(&key["key_digest"])),
    ];
    expected.sort();
    assert_eq!(changes, expected);
    let rows = program.get(&format!("/changes?since={since}")).expect(200);
    assert!(rows["data"].as_array().unwrap().iter().all(|row| row["consumer_id"] == json!(id)));
}

fn an_invalid_name_is_refused(program: &Program) {
    let long = "x".repeat(256);
    for name in ["", " a", "a ", "a\rb", "a\nb", "a\u{0}b", "a\u{7f}b", "a\u{85}b", &long] {
        for field in ["username", "custom_id"] {
            let refused = program.json("POST", "/consumers", &json!({ field: name })).expect(400);
            assert!(refused["fields"][field].is_string(), "{name:?}: {refused}");
        }
    }
    program.json("POST", "/consumers", &json!({ "username": "ä".repeat(255) })).expect(201);
    for tags in
        [json!("a"), json!([1]), json!([""]), json!(["a\n"]), json!({}), json!(vec!["a"; 101])]
    {
        let refused = program.json("POST", "/consumers", &json!({ "username": "t", "tags": tags }));
        assert!(refused.expect(400)["fields"]["tags"].is_string(), "{tags}");
    }
    let made = program.form("POST", "/consumers", "username=t&tags[]=a&tags[]=b").expect(201);
    assert_eq!(made["tags"], json!(["a", "b"]));
    assert_eq!(program.get("/consumers").expect(200)["data"].as_array().unwrap().len(), 2);
}

on_both_databases!(
    a_consumer_needs_a_username_or_a_custom_id,
    a_name_belongs_to_one_consumer,
    a_consumer_is_found_by_id_then_username_then_custom_id,
    names_may_hold_what_a_path_may_not,
    patch_changes_what_it_names,
    put_creates_or_replaces,
    what_was_read_can_be_put_back,
    the_list_has_pages_and_filters,
    deleting_a_consumer_deletes_what_belongs_to_it,
    an_invalid_name_is_refused,
);
