//! `/identities`: the consumer of a key or a name, and the newest change at that moment.

use serde_json::json;

use crate::client::segment;
use crate::on_both_databases;
use crate::program::{Program, digest, text};

fn the_answer_about_a_key_has_consumer_groups_and_credential(program: &Program) {
    let id = program.consumer("fiona");
    program.form("PATCH", "/consumers/fiona", "custom_id=c9").expect(200);
    // Groups are sorted by code point, whatever the locale of the database.
    for group in ["b", "a", "B", "ä"] {
        program.group("fiona", group);
    }
    let key = program.key("fiona", "open_sesame");
    let expected = json!({
        "consumer": { "id": id, "username": "fiona", "custom_id": "c9" },
        "groups": ["B", "a", "b", "ä"],
        "credential": { "id": key["id"], "type": "key-auth", "identifier": key["id"] },
        "digest": digest("open_sesame"),
        "seq": program.seq(),
    });
    let path = format!("/identities/key-auth/{}", digest("open_sesame"));
    assert_eq!(program.get(&path).expect(200), expected);
}

fn an_unknown_key_is_the_services_own_404(program: &Program) {
    program.consumer("fiona");
    let path = format!("/identities/key-auth/{}", digest("nobody's"));
    let expected = json!({ "message": "Not found", "seq": program.seq() });
    assert_eq!(program.get(&path).expect(404), expected);
    for path in ["/identities/consumers/nobody", "/consumers/nobody/appids"] {
        assert_eq!(program.get(path).expect(404), expected);
    }
}

fn a_key_in_place_of_its_digest_is_refused(program: &Program) {
    for wrong in ["open_sesame", &digest("x").to_uppercase(), &digest("x")[..63]] {
        program.get(&format!("/identities/key-auth/{wrong}")).expect(400);
    }
}

fn a_consumer_is_found_by_each_of_its_names(program: &Program) {
    let id = program.consumer("fio na");
    program.form("PATCH", "/consumers/fio%20na", "custom_id=c/9").expect(200);
    program.group(&id, "gold");
    let expected = json!({
        "consumer": { "id": id, "username": "fio na", "custom_id": "c/9" },
        "groups": ["gold"],
        "seq": program.seq(),
    });
    for name in [&id, "fio na", "c/9"] {
        let path = format!("/identities/consumers/{}", segment(name));
        assert_eq!(program.get(&path).expect(200), expected);
    }
}

fn a_name_of_one_kind_is_never_taken_for_one_of_another(program: &Program) {
    let ana = program.consumer("ana");
    let bob = program.consumer("bob");
    // Each custom id is a name of the other consumer.
    program.form("PATCH", "/consumers/ana", "custom_id=bob").expect(200);
    program.form("PATCH", &format!("/consumers/{bob}"), &format!("custom_id={ana}")).expect(200);
    let upper = ana.to_uppercase();
    for (by, name, expected) in [
        ("id", ana.as_str(), Some(&ana)),
        ("id", &upper, Some(&ana)),
        ("id", "ana", None),
        ("id", "bob", None),
        ("username", "ana", Some(&ana)),
        ("username", "bob", Some(&bob)),
        ("username", "Ana", None),
        ("username", &ana, None),
        ("custom_id", "bob", Some(&ana)),
        ("custom_id", &ana, Some(&bob)),
        ("custom_id", &upper, None),
        ("custom_id", "ana", None),
    ] {
        let answer = program.get(&format!("/identities/consumers/{name}?by={by}"));
        match expected {
            Some(id) => assert_eq!(answer.expect(200)["consumer"]["id"], json!(id), "{by} {name}"),
            None => {
                let expected = json!({ "message": "Not found", "seq": program.seq() });
                assert_eq!(answer.expect(404), expected, "{by} {name}");
            }
        }
    }
    let refused = program.get("/identities/consumers/ana?by=name").expect(400);
    assert!(refused["fields"]["by"].is_string(), "{refused}");
    program.get("/identities/consumers/ana?form=id").expect(400);
}

fn what_was_changed_is_told_at_once_with_a_greater_number(program: &Program) {
    program.consumer("fiona");
    program.key("fiona", "open_sesame");
    let path = format!("/identities/key-auth/{}", digest("open_sesame"));
    let before = program.get(&path).expect(200);
    program.group("fiona", "gold");
    let after = program.get(&path).expect(200);
    assert_eq!((&before["groups"], &after["groups"]), (&json!([]), &json!(["gold"])));
    assert!(after["seq"].as_u64() > before["seq"].as_u64());
    program.delete("/consumers/fiona").expect(204);
    program.get(&path).expect(404);
}

fn all_keys_come_page_by_page(program: &Program) {
    for name in ["ana", "ben"] {
        program.consumer(name);
        program.group(name, &format!("friends of {name}"));
        program.group(name, "all");
        for number in 0..3 {
            program.key(name, &format!("{name}{number}"));
        }
    }
    let (mut target, mut seen) = ("/identities/key-auth?size=4".to_owned(), vec![]);
    loop {
        let page = program.get(&target).expect(200);
        assert_eq!(page["seq"], json!(program.seq()));
        for holder in page["data"].as_array().unwrap() {
            let name = text(&holder["consumer"]["username"]);
            assert_eq!(holder["groups"], json!(["all", format!("friends of {name}")]));
            assert_eq!(holder["credential"]["type"], "key-auth");
            let path = format!("/identities/key-auth/{}", text(&holder["digest"]));
            assert_eq!(program.get(&path).expect(200)["credential"], holder["credential"]);
            seen.push(text(&holder["digest"]));
        }
        if page["next"].is_null() {
            assert_eq!(page.get("offset"), None);
            break;
        }
        let offset = segment(&text(&page["offset"]));
        target = format!("/identities/key-auth?size=4&offset={offset}");
        assert_eq!(page["next"], json!(target));
    }
    let names = ["ana0", "ana1", "ana2", "ben0", "ben1", "ben2"];
    assert_eq!(seen, names.map(digest));
}

fn the_answer_about_an_expiring_key_has_its_end(program: &Program) {
    program.consumer("fiona");
    let body = json!({ "key": "brief", "ttl": 3600 });
    let made = program.json("POST", "/consumers/fiona/key-auth", &body).expect(201);
    let end = made["created_at"].as_u64().unwrap() + 3_600_000;
    let path = format!("/identities/key-auth/{}", digest("brief"));
    assert_eq!(program.get(&path).expect(200)["expires_at"], json!(end));
    assert_eq!(
        program.get("/identities/key-auth").expect(200)["data"][0]["expires_at"],
        json!(end)
    );
}

on_both_databases!(
    the_answer_about_a_key_has_consumer_groups_and_credential,
    an_unknown_key_is_the_services_own_404,
    a_key_in_place_of_its_digest_is_refused,
    a_consumer_is_found_by_each_of_its_names,
    a_name_of_one_kind_is_never_taken_for_one_of_another,
    what_was_changed_is_told_at_once_with_a_greater_number,
    all_keys_come_page_by_page,
    the_answer_about_an_expiring_key_has_its_end,
);
