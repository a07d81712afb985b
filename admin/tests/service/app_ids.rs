//! App IDs: the API of the requirement document and, where that is silent, of Kong's acl plugin.

use serde_json::json;

use crate::on_both_databases;
use crate::program::{Program, text};

const NOBODY: &str = "e1a622e8-c351-432a-83f5-a4e0e300449c";

fn the_curl_lines_of_the_document_work_as_printed(program: &Program) {
    let id = program.consumer("foo");
    let made = program.form("POST", "/consumers/foo/appids", "appid=Portal").expect(201);
    assert_eq!(made["appid"], "Portal");
    assert_eq!(made["consumer_id"], json!(id));
    assert_eq!(made.as_object().unwrap().len(), 4, "{made}");
    // A time in milliseconds has 13 digits until the year 2286.
    assert_eq!(made["created_at"].to_string().len(), 13);

    program.app_id(&id, "NTP");
    let listed = program.get("/consumers/foo/appids").expect(200);
    assert_eq!(listed["total"], 2);
    let names: Vec<_> = listed["data"].as_array().unwrap().iter().map(|it| &it["appid"]).collect();
    assert_eq!(names, ["Portal", "NTP"]);
    assert_eq!(listed["data"][0], made);
    assert_eq!(listed.get("next"), None);

    let owner = program.get(&format!("/appids/{}/consumer", text(&made["id"]))).expect(200);
    assert_eq!((&owner["username"], &owner["id"]), (&json!("foo"), &json!(id)));
    assert_eq!(owner["created_at"].to_string().len(), 13);

    program.delete("/consumers/foo/appids/Portal").expect(204);
    assert_eq!(program.get("/appids").expect(200)["total"], 1);
}

fn a_consumer_without_app_ids_has_an_empty_list(program: &Program) {
    program.consumer("foo");
    let seq = program.seq();
    let listed = program.get("/consumers/foo/appids").expect(200);
    assert_eq!(listed, json!({ "data": [], "total": 0, "seq": seq }));
    program.get("/consumers/nobody/appids").expect(404);
}

fn forms_json_and_multipart_say_the_same(program: &Program) {
    program.consumer("foo");
    program.form("POST", "/consumers/foo/appids", "appid=a.form").expect(201);
    program.json("POST", "/consumers/foo/appids", &json!({ "appid": "a.json" })).expect(201);
    let body =
        "--x\r\ncontent-disposition: form-data; name=\"appid\"\r\n\r\na.multipart\r\n--x--\r\n";
    let kind = [("content-type", "multipart/form-data; boundary=x")];
    program.send("POST", "/consumers/foo/appids", &kind, body.as_bytes()).expect(201);
    assert_eq!(program.get("/appids").expect(200)["total"], 3);
}

fn the_same_pair_twice_is_409_and_the_same_app_id_of_two_consumers_is_not(program: &Program) {
    let owner = program.consumer("foo");
    program.consumer("bar");
    program.app_id("foo", "Portal");
    program.app_id("bar", "Portal");
    // The conflict does not depend on the name of the consumer in the path.
    for consumer in ["foo", &owner] {
        let path = format!("/consumers/{consumer}/appids");
        let refused = program.form("POST", &path, "appid=Portal").expect(409);
        assert_eq!(refused["fields"], json!({ "appid": "already exists" }));
    }
    assert_eq!(program.get("/appids").expect(200)["total"], 2);
}

fn an_app_id_is_required(program: &Program) {
    program.consumer("foo");
    for body in ["", "appid=", "id=e1a622e8-c351-432a-83f5-a4e0e300449c"] {
        let refused = program.form("POST", "/consumers/foo/appids", body).expect(400);
        assert_eq!(refused["fields"], json!({ "appid": "required field missing" }), "{body}");
    }
    let refused = program.json("POST", "/consumers/foo/appids", &json!({ "appid": null }));
    assert_eq!(refused.expect(400)["fields"]["appid"], "required field missing");
}

fn put_on_the_collection_creates_once(program: &Program) {
    program.consumer("foo");
    let made = program.form("PUT", "/consumers/foo/appids", "appid=Portal").expect(201);
    let again = program.form("PUT", "/consumers/foo/appids", "appid=Portal").expect(200);
    assert_eq!(made, again);
    let renamed = json!({ "id": made["id"], "appid": "Mobile" });
    let renamed = program.json("PUT", "/consumers/foo/appids", &renamed).expect(200);
    assert_eq!((&renamed["id"], &renamed["appid"]), (&made["id"], &json!("Mobile")));
    program.form("PUT", "/consumers/foo/appids", "").expect(400);
    assert_eq!(program.get("/appids").expect(200)["total"], 1);
}

fn an_item_is_found_by_id_and_by_name_but_only_under_its_consumer(program: &Program) {
    program.consumer("foo");
    program.consumer("bar");
    let made = program.app_id("foo", "Portal");
    let id = text(&made["id"]);
    for name in [id.as_str(), &id.to_uppercase(), "Portal"] {
        assert_eq!(program.get(&format!("/consumers/foo/appids/{name}")).expect(200), made);
        program.get(&format!("/consumers/bar/appids/{name}")).expect(404);
        program.form("PATCH", &format!("/consumers/bar/appids/{name}"), "appid=x").expect(404);
        program.delete(&format!("/consumers/bar/appids/{name}")).expect(404);
    }
    program.get("/consumers/foo/appids/portal").expect(404);
    program.get(&format!("/consumers/foo/appids/{NOBODY}")).expect(404);
    assert_eq!(program.get(&format!("/appids/{id}")).expect(200), made);
}

fn an_app_id_that_looks_like_an_id_is_still_a_name(program: &Program) {
    program.consumer("foo");
    let made = program.app_id("foo", NOBODY);
    assert_eq!(program.get(&format!("/consumers/foo/appids/{NOBODY}")).expect(200), made);
    program.delete(&format!("/consumers/foo/appids/{NOBODY}")).expect(204);
}

fn patch_renames(program: &Program) {
    program.consumer("foo");
    let made = program.app_id("foo", "Portal");
    let changed = program.form("PATCH", "/consumers/foo/appids/Portal", "appid=Mobile").expect(200);
    assert_eq!((&changed["id"], &changed["appid"]), (&made["id"], &json!("Mobile")));
    let path = format!("/consumers/foo/appids/{}", text(&made["id"]));
    assert_eq!(program.get(&path).expect(200)["appid"], "Mobile");
    let refused = program.form("PATCH", &path, "").expect(400);
    assert_eq!(refused["message"], "empty body");
    program.json("PATCH", &path, &json!({})).expect(400);
    program.json("PATCH", &path, &json!({ "appid": null })).expect(400);
    program.json("PATCH", &path, &json!({ "id": NOBODY })).expect(400);
    program.app_id("foo", "NTP");
    program.form("PATCH", &path, "appid=NTP").expect(409);
    program.form("PATCH", "/consumers/foo/appids/nix", "appid=x").expect(404);
}

fn patch_moves_to_another_consumer_that_exists(program: &Program) {
    program.consumer("foo");
    let bar = program.consumer("bar");
    let made = program.app_id("foo", "Portal");
    let path = format!("/appids/{}", text(&made["id"]));
    let moved = program.form("PATCH", &path, &format!("consumer_id={bar}")).expect(200);
    assert_eq!(moved["consumer_id"], json!(bar));
    assert_eq!(program.get("/consumers/foo/appids").expect(200)["total"], 0);
    let refused = program.form("PATCH", &path, &format!("consumer_id={NOBODY}")).expect(400);
    assert_eq!(refused["fields"]["consumer_id"], "does not reference an existing consumer");
    program.app_id("foo", "Portal");
    let owner = text(&program.get("/consumers/foo").expect(200)["id"]);
    program.form("PATCH", &path, &format!("consumer_id={owner}")).expect(409);
}

fn put_on_an_item_creates_or_replaces(program: &Program) {
    program.consumer("foo");
    let made = program.form("PUT", "/consumers/foo/appids/Portal", "").expect(201);
    assert_eq!(made["appid"], "Portal");
    assert_eq!(program.form("PUT", "/consumers/foo/appids/Portal", "").expect(200), made);
    program.form("PUT", "/consumers/foo/appids/other", "appid=different").expect(400);
    let path = format!("/consumers/foo/appids/{NOBODY}");
    let made = program.form("PUT", &path, "appid=NTP").expect(201);
    assert_eq!(made["id"], NOBODY);
    let replaced = program.form("PUT", &path, "appid=Mobile").expect(200);
    assert_eq!((&replaced["id"], &replaced["appid"]), (&json!(NOBODY), &json!("Mobile")));
    // The id belongs to an App ID of foo, and another consumer cannot take it over.
    program.consumer("bar");
    program.form("PUT", &format!("/consumers/bar/appids/{NOBODY}"), "appid=x").expect(409);
    assert_eq!(program.get("/appids").expect(200)["total"], 2);
}

fn the_collection_of_all_accepts_a_new_one_with_its_consumer(program: &Program) {
    let owner = program.consumer("foo");
    let made = program.form("POST", "/appids", &format!("appid=Portal&consumer_id={owner}"));
    assert_eq!(made.expect(201)["consumer_id"], json!(owner));
    let refused = program.form("POST", "/appids", "appid=NTP").expect(400);
    assert_eq!(refused["fields"]["consumer_id"], "required field missing");
    program.form("POST", "/appids", &format!("appid=NTP&consumer_id={NOBODY}")).expect(400);
    program.consumer("bar");
    program
        .form("POST", "/consumers/bar/appids", &format!("appid=x&consumer_id={owner}"))
        .expect(400);
}

fn delete_is_204_once_and_404_then(program: &Program) {
    program.consumer("foo");
    let made = program.app_id("foo", "Portal");
    let gone = program.delete("/consumers/foo/appids/Portal");
    assert_eq!((gone.status, gone.text().as_str()), (204, ""));
    program.delete("/consumers/foo/appids/Portal").expect(404);
    let again = program.app_id("foo", "Portal");
    assert_ne!(made["id"], again["id"]);
    program.delete(&format!("/appids/{}", text(&again["id"]))).expect(204);
    program.delete(&format!("/appids/{}", text(&again["id"]))).expect(404);
}

fn a_slash_at_the_end_changes_nothing(program: &Program) {
    program.consumer("foo");
    program.form("POST", "/consumers/foo/appids/", "appid=Portal").expect(201);
    assert_eq!(program.get("/consumers/foo/appids/").expect(200)["total"], 1);
    assert_eq!(program.get("/appids/?size=1").expect(200)["total"], 1);
    program.get("/consumers/foo/appids/Portal/").expect(200);
    program.get("/consumers//appids").expect(404);
}

fn pages_are_stable_and_complete(program: &Program) {
    program.consumer("foo");
    for number in 0..7 {
        program.app_id("foo", &format!("app.{number}"));
    }
    for start in ["/appids?size=3", "/consumers/foo/appids?size=3"] {
        let (mut target, mut names, mut sizes) = (start.to_owned(), vec![], vec![]);
        loop {
            let page = program.get(&target).expect(200);
            assert_eq!(page["total"], 7);
            let data = page["data"].as_array().unwrap();
            sizes.push(data.len());
            names.extend(data.iter().map(|it| text(&it["appid"])));
            let Some(next) = page.get("next") else { break };
            assert_eq!(
                *next,
                json!(format!("{start}&offset={}", crate::client::segment(&text(&page["offset"]))))
            );
            // An App ID that is created meanwhile comes last.
            target = text(next);
        }
        assert_eq!(sizes, [3, 3, 1]);
        assert_eq!(names, (0..7).map(|number| format!("app.{number}")).collect::<Vec<_>>());
    }
    // The item that the offset names may be deleted before the offset is used.
    let page = program.get("/appids?size=3").expect(200);
    program.delete("/consumers/foo/appids/app.2").expect(204);
    let rest = program.get(&text(&page["next"])).expect(200);
    assert_eq!(rest["data"][0]["appid"], "app.3");
}

fn a_page_has_a_hundred_items_unless_asked_otherwise(program: &Program) {
    program.consumer("foo");
    for number in 0..101 {
        program.app_id("foo", &format!("app.{number}"));
    }
    assert_eq!(program.get("/appids").expect(200)["data"].as_array().unwrap().len(), 100);
    let all = program.get("/appids?size=1000").expect(200);
    assert_eq!(all["data"].as_array().unwrap().len(), 101);
    for size in ["0", "1001", "-1", "x", "", "1e3"] {
        let refused = program.get(&format!("/appids?size={size}")).expect(400);
        assert_eq!(refused["fields"]["size"], "expected an integer between 1 and 1000");
    }
    for offset in ["x", "", "MTox", "%00"] {
        let refused = program.get(&format!("/appids?offset={offset}")).expect(400);
        assert!(refused["fields"]["offset"].is_string(), "{refused}");
    }
}

fn filters_narrow_the_list(program: &Program) {
    let owner = program.consumer("foo");
    let bar = program.consumer("bar");
    let first = program.app_id("foo", "Portal");
    program.app_id("foo", "NTP");
    program.app_id("bar", "Portal");
    let id = text(&first["id"]);
    for (query, total) in [
        (format!("id={id}"), 1),
        ("appid=Portal".into(), 2),
        ("app_id=Portal".into(), 2),
        ("appid=Portal&app_id=Portal".into(), 2),
        (format!("consumer_id={owner}"), 2),
        (format!("consumer_id={}", owner.to_uppercase()), 2),
        (format!("consumer_id={bar}&appid=NTP"), 0),
        (format!("id={NOBODY}"), 0),
        ("appid=portal".into(), 0),
    ] {
        let listed = program.get(&format!("/appids?{query}")).expect(200);
        assert_eq!(
            (&listed["total"], listed["data"].as_array().unwrap().len()),
            (&json!(total), total)
        );
    }
    assert_eq!(program.get("/consumers/foo/appids?app_id=NTP").expect(200)["total"], 1);
    let other = format!("/consumers/foo/appids?consumer_id={bar}");
    assert_eq!(program.get(&other).expect(200)["total"], 0);
    for (query, field) in [
        ("id=x", "id"),
        ("consumer_id=foo", "consumer_id"),
        ("appid=a&app_id=b", "app_id"),
        ("appid=a&appid=a", "appid"),
        ("consumerid=x", "consumerid"),
    ] {
        let refused = program.get(&format!("/appids?{query}")).expect(400);
        assert!(refused["fields"][field].is_string(), "{query}: {refused}");
    }
    let next = program.get("/appids?size=1&appid=Portal").expect(200);
    let second = program.get(&text(&next["next"])).expect(200);
    assert_eq!((&second["data"][0]["consumer_id"], second.get("next")), (&json!(bar), None));
}

fn the_consumer_of_an_app_id_is_asked_for_by_uuid(program: &Program) {
    program.get(&format!("/appids/{NOBODY}/consumer")).expect(404);
    let refused = program.get("/appids/Portal/consumer").expect(400);
    assert_eq!(refused["fields"], json!({ "id": "expected a valid UUID" }));
}

fn an_invalid_app_id_is_refused_and_not_stored(program: &Program) {
    program.consumer("foo");
    let long = "a".repeat(101);
    for app_id in ["a b", "a/b", "a\u{0}", "a\r\nb", "ä", " a", "a,b", "a%b", &long] {
        let refused = program.json("POST", "/consumers/foo/appids", &json!({ "appid": app_id }));
        assert!(refused.expect(400)["fields"]["appid"].is_string(), "{app_id:?}");
    }
    program.json("POST", "/consumers/foo/appids", &json!({ "appid": "a".repeat(100) })).expect(201);
    assert_eq!(program.get("/appids").expect(200)["total"], 1);
}

on_both_databases!(
    the_curl_lines_of_the_document_work_as_printed,
    a_consumer_without_app_ids_has_an_empty_list,
    forms_json_and_multipart_say_the_same,
    the_same_pair_twice_is_409_and_the_same_app_id_of_two_consumers_is_not,
    an_app_id_is_required,
    put_on_the_collection_creates_once,
    an_item_is_found_by_id_and_by_name_but_only_under_its_consumer,
    an_app_id_that_looks_like_an_id_is_still_a_name,
    patch_renames,
    patch_moves_to_another_consumer_that_exists,
    put_on_an_item_creates_or_replaces,
    the_collection_of_all_accepts_a_new_one_with_its_consumer,
    delete_is_204_once_and_404_then,
    a_slash_at_the_end_changes_nothing,
    pages_are_stable_and_complete,
    a_page_has_a_hundred_items_unless_asked_otherwise,
    filters_narrow_the_list,
    the_consumer_of_an_app_id_is_asked_for_by_uuid,
    an_invalid_app_id_is_refused_and_not_stored,
);

#[test]
fn strict_app_ids_have_an_organisation_and_an_app_in_lower_case() {
    let program = Program::on_sqlite_with(&["--strict-app-ids"]);
    program.consumer("foo");
    for app_id in ["arghyam.mobile_app", "shikshalokam.portal", "dev.sunbird.portal"] {
        program.app_id("foo", app_id);
    }
    for app_id in ["Portal", "portal", "Sunbird.portal", ".portal", "portal.", "a-b.c"] {
        let refused = program.form("POST", "/consumers/foo/appids", &format!("appid={app_id}"));
        assert!(refused.expect(400)["fields"]["appid"].is_string(), "{app_id}");
    }
    program.form("PATCH", "/consumers/foo/appids/shikshalokam.portal", "appid=Portal").expect(400);
    program.form("PUT", "/consumers/foo/appids/Portal", "").expect(400);
}
