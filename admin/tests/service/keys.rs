//! API keys: `/consumers/{c}/key-auth` and `/key-auths`, in Kong's shape. A key is shown once.

use patience::eventually;
use serde_json::json;

use crate::on_both_databases;
use crate::program::{Program, digest, text};

const ID: &str = "1b8e6843-7ecd-4b52-8349-a8159f22f8eb";

fn a_key_is_shown_once(program: &Program) {
    let id = program.consumer("fiona");
    let made = program.form("POST", "/consumers/fiona/key-auth/", "key=open_sesame").expect(201);
    assert_eq!(made["key"], "open_sesame");
    assert_eq!(made["key_digest"], json!(digest("open_sesame")));
    assert_eq!(made["consumer"], json!({ "id": id }));
    let mut later = made.clone();
    later.as_object_mut().unwrap().remove("key");
    let key = text(&made["id"]);
    for path in [format!("/key-auths/{key}"), format!("/consumers/fiona/key-auth/{key}")] {
        assert_eq!(program.get(&path).expect(200), later);
    }
    for path in ["/key-auths", "/consumers/fiona/key-auth"] {
        assert_eq!(program.get(path).expect(200), json!({ "data": [later], "next": null }));
    }
    // A client that knows the key can still look it up.
    assert_eq!(program.get("/consumers/fiona/key-auth/open_sesame").expect(200), later);
    assert_eq!(program.get("/key-auths/open_sesame").expect(200), later);
    assert_eq!(program.get(&format!("/key-auths/{key}/consumer")).expect(200)["id"], json!(id));
    program.get(&format!("/key-auths/{ID}/consumer")).expect(404);
}

fn a_missing_key_is_made_at_random(program: &Program) {
    program.consumer("fiona");
    let first = program.send("POST", "/consumers/fiona/key-auth", &[], b"").expect(201);
    let second =
        program.json("POST", "/consumers/fiona/key-auth", &json!({ "key": null })).expect(201);
    let keys = [text(&first["key"]), text(&second["key"])];
    assert_ne!(keys[0], keys[1]);
    for (key, made) in keys.iter().zip([&first, &second]) {
        assert_eq!(key.len(), 32);
        assert_eq!(made["key_digest"], json!(digest(key)));
    }
}

fn a_key_belongs_to_one_consumer(program: &Program) {
    program.consumer("fiona");
    program.consumer("ana");
    program.key("fiona", "open_sesame");
    for consumer in ["fiona", "ana"] {
        let path = format!("/consumers/{consumer}/key-auth");
        let refused = program.form("POST", &path, "key=open_sesame").expect(409);
        assert_eq!(refused["fields"], json!({ "key": "already exists" }));
        assert!(!refused.to_string().contains("open_sesame"), "{refused}");
    }
    let other = program.key("ana", "other");
    let path = format!("/key-auths/{}", text(&other["id"]));
    program.form("PATCH", &path, "key=open_sesame").expect(409);
}

fn another_consumers_key_is_not_found(program: &Program) {
    program.consumer("fiona");
    program.consumer("ana");
    let made = program.key("fiona", "open_sesame");
    for name in [text(&made["id"]), "open_sesame".into()] {
        program.get(&format!("/consumers/ana/key-auth/{name}")).expect(404);
        program.form("PATCH", &format!("/consumers/ana/key-auth/{name}"), "key=x").expect(404);
        program.delete(&format!("/consumers/ana/key-auth/{name}")).expect(404);
    }
}

fn patch_and_put_replace_a_key(program: &Program) {
    program.consumer("fiona");
    let made = program.key("fiona", "one");
    let path = format!("/consumers/fiona/key-auth/{}", text(&made["id"]));
    let since = program.seq();
    let changed = program.form("PATCH", &path, "key=two").expect(200);
    assert_eq!((&changed["id"], &changed["key"]), (&made["id"], &json!("two")));
    let rows = ["one", "two"].map(|key| format!("keyauth_credentials update {}", digest(key)));
    assert_eq!(program.changes(since), rows);
    // An answer shows the key only if the request has set it.
    let tagged = program.json("PATCH", &path, &json!({ "tags": ["a"] })).expect(200);
    assert_eq!((tagged.get("key"), &tagged["tags"]), (None, &json!(["a"])));
    let put = program.form("PUT", &path, "key=three").expect(200);
    assert_eq!((&put["key"], &put["tags"]), (&json!("three"), &json!(null)));
    let put = program.form("PUT", &path, "").expect(200);
    assert_eq!((put.get("key"), &put["key_digest"]), (None, &json!(digest("three"))));
    program.json("PATCH", &path, &json!({ "key": null })).expect(400);

    let by_id = program.form("PUT", &format!("/consumers/fiona/key-auth/{ID}"), "").expect(201);
    assert_eq!((&by_id["id"], text(&by_id["key"]).len()), (&json!(ID), 32));
    let by_key = program.form("PUT", "/consumers/fiona/key-auth/four", "ttl=60").expect(201);
    assert_eq!(by_key["key"], "four");
    program.send("PUT", "/consumers/fiona/key-auth", &[], b"").expect(405);
}

fn a_key_can_be_made_and_moved_without_its_consumers_path(program: &Program) {
    let fiona = program.consumer("fiona");
    let ana = program.consumer("ana");
    let body = json!({ "key": "open_sesame", "consumer": { "id": fiona } });
    let made = program.json("POST", "/key-auths", &body).expect(201);
    let path = format!("/key-auths/{}", text(&made["id"]));
    let moved = program.form("PATCH", &path, &format!("consumer.id={ana}")).expect(200);
    assert_eq!(moved["consumer"], json!({ "id": ana }));
    for consumer in [json!(fiona), json!({}), json!({ "id": 1 }), json!({ "id": "x" }), json!(null)]
    {
        let refused = program.json("PATCH", &path, &json!({ "consumer": consumer })).expect(400);
        let fields = refused["fields"].as_object().unwrap();
        assert!(fields.keys().all(|name| name.starts_with("consumer")), "{refused}");
    }
    let refused = program.json("POST", "/key-auths", &json!({ "key": "x" })).expect(400);
    assert_eq!(refused["fields"], json!({ "consumer.id": "required field missing" }));
}

fn a_key_with_a_time_to_live_ends(program: &Program) {
    program.consumer("fiona");
    let made = program.form("POST", "/consumers/fiona/key-auth", "key=brief&ttl=1").expect(201);
    assert_eq!(made["ttl"], 1);
    let forever = program.form("POST", "/consumers/fiona/key-auth", "key=long&ttl=0").expect(201);
    assert_eq!(forever["ttl"], json!(null));
    let path = format!("/identities/key-auth/{}", digest("brief"));
    eventually("key that has expired", || (program.get(&path).status != 200).then_some(()));
    program.get(&path).expect(404);
    program.get("/key-auths/brief").expect(404);
    assert_eq!(program.get("/key-auths").expect(200)["data"].as_array().unwrap().len(), 1);
    // A new key may replace an expired one, and the log has both changes.
    let since = program.seq();
    program.key("fiona", "brief");
    let row = |operation| format!("keyauth_credentials {operation} {}", digest("brief"));
    assert_eq!(program.changes(since), [row("delete"), row("create")]);
    for ttl in ["-1", "100000001", "x", "1.5"] {
        let refused = program.form("POST", "/consumers/fiona/key-auth", &format!("ttl={ttl}"));
        assert!(refused.expect(400)["fields"]["ttl"].is_string(), "{ttl}");
    }
    program.json("POST", "/consumers/fiona/key-auth", &json!({ "ttl": "60" })).expect(400);
}

fn a_key_that_a_header_cannot_carry_is_refused(program: &Program) {
    program.consumer("fiona");
    let long = "k".repeat(513);
    for key in ["", " a", "a ", "a\r\nb", "\u{0}", &long] {
        let refused = program.json("POST", "/consumers/fiona/key-auth", &json!({ "key": key }));
        let refused = refused.expect(400);
        assert!(refused["fields"]["key"].is_string(), "{key:?}");
    }
    for key in ["a/b", "x HTTP/1.1", "../..", "?#", "schlüssel"] {
        program.json("POST", "/consumers/fiona/key-auth", &json!({ "key": key })).expect(201);
        let path = format!("/consumers/fiona/key-auth/{}", crate::client::segment(key));
        assert_eq!(program.get(&path).expect(200)["key_digest"], json!(digest(key)));
    }
}

fn the_list_has_pages(program: &Program) {
    program.consumer("fiona");
    for number in 0..5 {
        program.key("fiona", &format!("key{number}"));
    }
    let (mut target, mut digests) = ("/key-auths?size=2".to_owned(), vec![]);
    loop {
        let page = program.get(&target).expect(200);
        digests.extend(page["data"].as_array().unwrap().iter().map(|it| text(&it["key_digest"])));
        if page["next"].is_null() {
            break;
        }
        target = text(&page["next"]);
    }
    assert_eq!(digests, (0..5).map(|number| digest(&format!("key{number}"))).collect::<Vec<_>>());
}

on_both_databases!(
    a_key_is_shown_once,
    a_missing_key_is_made_at_random,
    a_key_belongs_to_one_consumer,
    another_consumers_key_is_not_found,
    patch_and_put_replace_a_key,
    a_key_can_be_made_and_moved_without_its_consumers_path,
    a_key_with_a_time_to_live_ends,
    a_key_that_a_header_cannot_carry_is_refused,
    the_list_has_pages,
);

#[test]
fn nothing_on_the_way_keeps_an_answer() {
    let program = Program::on_sqlite();
    program.consumer("fiona");
    for (method, target) in
        [("POST", "/consumers/fiona/key-auth"), ("GET", "/consumers"), ("GET", "/nowhere")]
    {
        let answer = program.send(method, target, &[], b"");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{target}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}");
    }
}

#[test]
fn the_database_holds_no_key() {
    let program = Program::on_sqlite();
    program.consumer("fiona");
    program.key("fiona", "open_sesame_quite_unmistakably");
    let bytes = program.end_and_read_files();
    let contains = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(contains("fiona") && !contains("open_sesame_"));
}
