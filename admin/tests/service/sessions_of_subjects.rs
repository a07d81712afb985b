//! `/sessions?subject=`: an operator lists and ends the sessions of a subject.

use patience::eventually;
use serde_json::{Value, json};

use crate::client::segment;
use crate::on_both_databases;
use crate::program::{Program, digest};

fn path(name: &str) -> String {
    format!("/sessions/{}", digest(name))
}

/// Stores a session with these pairs of audience and subject.
fn put(program: &Program, name: &str, ttl: u64, whom: &[(&str, &str)]) {
    let metadata: Vec<Value> = whom
        .iter()
        .map(|(audience, subject)| json!({ "audience": audience, "subject": subject }))
        .collect();
    let body = json!({ "data": "AA==", "ttl": ttl, "metadata": metadata });
    let kept = program.json("PUT", &path(name), &body).expect(200);
    assert!(kept.get("metadata").is_none(), "gateways have no use for it: {kept}");
}

/// Returns the ids of the listed sessions, which must fit on one page.
fn list(program: &Program, query: &str) -> Vec<String> {
    let page = program.get(&format!("/sessions?{query}")).expect(200);
    assert_eq!(page["next"], Value::Null);
    let id = |item: &Value| item["id"].as_str().unwrap().to_owned();
    page["data"].as_array().unwrap().iter().map(id).collect()
}

fn digests(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| digest(name)).collect()
}

fn sessions_are_found_by_their_subject(program: &Program) {
    put(program, "one", 3600, &[("shop", "ana")]);
    put(program, "two", 3600, &[("shop", "ana"), ("desk", "ana"), ("till", "bob")]);
    put(program, "bobs", 3600, &[("shop", "bob")]);
    put(program, "nobodys", 3600, &[]);
    let page = program.get("/sessions?subject=ana&audience=shop").expect(200);
    let item = |name: &str, ttl: &Value| json!({ "id": digest(name), "audience": "shop", "subject": "ana", "ttl": ttl });
    let ttls = [&page["data"][0]["ttl"], &page["data"][1]["ttl"]];
    let expected = json!({ "data": [item("one", ttls[0]), item("two", ttls[1])], "next": null });
    assert_eq!(page, expected);
    assert!(ttls.iter().all(|ttl| (1000..=3600).contains(&ttl.as_u64().unwrap())), "{page}");
    assert_eq!(list(program, "subject=ana"), digests(&["one", "two", "two"]));
    assert_eq!(list(program, "subject=bob&audience=till"), digests(&["two"]));
    for nobody in ["subject=Ana", "subject=an%25", "subject=ana&audience=Shop", "subject=shop"] {
        assert_eq!(list(program, nobody), Vec::<String>::new(), "{nobody}");
    }
    assert_eq!(program.seq(), 0, "a new session is no change");
}

fn a_list_of_sessions_has_pages(program: &Program) {
    let names: Vec<String> = (0..5).map(|n| format!("s{n}")).collect();
    for name in &names {
        put(program, name, 60, &[("a b&c", "\u{e4}na=1")]);
    }
    let mut target = "/sessions?subject=%C3%A4na%3D1&audience=a+b%26c&size=2".to_owned();
    let (mut found, mut sizes) = (vec![], vec![]);
    loop {
        let page = program.get(&target).expect(200);
        let data = page["data"].as_array().unwrap();
        sizes.push(data.len());
        found.extend(data.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page["next"].as_str() {
            Some(next) => target = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(sizes, [2, 2, 1]);
    assert_eq!(found, names.iter().map(|name| digest(name)).collect::<Vec<_>>());
}

fn ending_all_sessions_of_a_subject_is_a_change_for_each(program: &Program) {
    put(program, "one", 3600, &[("shop", "ana"), ("desk", "ana")]);
    put(program, "two", 3600, &[("shop", "ana")]);
    put(program, "bobs", 3600, &[("shop", "bob")]);
    program.consumer("fiona");
    let since = program.seq();
    program.delete("/sessions?subject=ana").expect(204);
    for name in ["one", "two"] {
        let gone = program.get(&path(name)).expect(404);
        assert_eq!(gone["seq"], json!(since + 2));
    }
    program.get(&path("bobs")).expect(200);
    assert_eq!(list(program, "subject=ana"), Vec::<String>::new());
    let told = digests(&["one", "two"]);
    let mut told: Vec<_> = told.iter().map(|id| format!("sessions delete {id}")).collect();
    told.sort();
    let mut changes = program.changes(since);
    changes.sort();
    assert_eq!(changes, told);
    // Deleting again, or for a subject without sessions, adds no change.
    program.delete("/sessions?subject=ana").expect(204);
    program.delete("/sessions?subject=nobody").expect(204);
    assert_eq!(program.seq(), since + 2);
    program.delete(&path("bobs")).expect(204);
    assert_eq!(program.seq(), since + 3);
}

fn with_an_audience_only_sessions_for_it_end(program: &Program) {
    put(program, "one", 3600, &[("shop", "ana"), ("desk", "ana")]);
    put(program, "two", 3600, &[("shop", "ana")]);
    put(program, "three", 3600, &[("desk", "bob")]);
    program.delete("/sessions?subject=ana&audience=desk").expect(204);
    // The session ends for every audience, because it is one sealed row.
    program.get(&path("one")).expect(404);
    assert_eq!(list(program, "subject=ana"), digests(&["two"]));
    program.get(&path("three")).expect(200);
    assert_eq!(program.changes(0), [format!("sessions delete {}", digest("one"))]);
}

fn metadata_are_replaced_and_deleted_with_their_session(program: &Program) {
    put(program, "one", 3600, &[("shop", "ana")]);
    put(program, "one", 3600, &[("shop", "bob")]);
    assert_eq!(list(program, "subject=ana"), Vec::<String>::new());
    assert_eq!(list(program, "subject=bob"), digests(&["one"]));
    program.json("PATCH", &path("one"), &json!({ "ttl": 50 })).expect(200);
    let page = program.get("/sessions?subject=bob").expect(200);
    assert!(page["data"][0]["ttl"].as_u64().unwrap() <= 50, "{page}");
    put(program, "one", 3600, &[]);
    assert_eq!(list(program, "subject=bob"), Vec::<String>::new());
    put(program, "one", 3600, &[("shop", "bob")]);
    program.delete(&path("one")).expect(204);
    assert_eq!(list(program, "subject=bob"), Vec::<String>::new());
    // A new session with the id has none of the old metadata.
    put(program, "one", 3600, &[("shop", "ana")]);
    assert_eq!(list(program, "subject=bob"), Vec::<String>::new());
}

fn a_session_that_has_expired_is_not_listed(program: &Program) {
    put(program, "short", 1, &[("shop", "ana")]);
    put(program, "long", 3600, &[("shop", "ana")]);
    eventually("session that has expired", || {
        (list(program, "subject=ana").len() == 1).then_some(())
    });
    assert_eq!(list(program, "subject=ana"), digests(&["long"]));
}

fn a_subject_is_required(program: &Program) {
    put(program, "one", 3600, &[("shop", "ana")]);
    let long = format!("subject={}", "a".repeat(257));
    for (query, field) in [
        ("", "subject"),
        ("?audience=shop", "subject"),
        ("?subject=", "subject"),
        ("?subject=ana&audience=", "audience"),
        ("?subject=ana&subject=bob", "subject"),
        ("?subject=ana%00", "subject"),
        ("?subject=ana&mood=1", "mood"),
        (&format!("?{long}"), "subject"),
    ] {
        let target = format!("/sessions{query}");
        for answer in [program.get(&target), program.delete(&target)] {
            let refused = answer.expect(400);
            assert!(refused["fields"].get(field).is_some(), "{target}: {refused}");
        }
    }
    program.delete("/sessions?subject=ana&size=1").expect(400);
    program.json("POST", "/sessions?subject=ana", &json!({})).expect(405);
    program.get(&path("one")).expect(200);
    assert_eq!(program.seq(), 0);
}

fn metadata_have_a_maximum_number_and_length(program: &Program) {
    let entry = |audience: &str, subject: &str| json!({ "audience": audience, "subject": subject });
    let body = |metadata: Value| json!({ "data": "AA==", "ttl": 60, "metadata": metadata });
    let long = "\u{915}".repeat(257);
    for (metadata, field) in [
        (json!({}), "metadata"),
        (json!([{ "audience": "a" }]), "metadata[0]"),
        (json!([{ "audience": "a", "subject": "b", "sid": "c" }]), "metadata[0].sid"),
        (json!([{ "audience": "a", "subject": 7 }]), "metadata[0].subject"),
        (json!([entry("a", "b"), entry("", "b")]), "metadata[1].audience"),
        (json!([entry("a", "")]), "metadata[0].subject"),
        (json!([entry("a", "b\0")]), "metadata[0].subject"),
        (json!([entry("a", &long)]), "metadata[0].subject"),
        (json!([entry(&long, "b")]), "metadata[0].audience"),
        (json!(vec![entry("a", "b"); 17]), "metadata"),
    ] {
        let refused = program.json("PUT", &path("x"), &body(metadata)).expect(400);
        assert!(refused["fields"].get(field).is_some(), "{field}: {refused}");
    }
    program.get(&path("x")).expect(404);
    // The index of the database accepts the longest values too.
    let longest = "\u{10000}".repeat(256);
    let most: Vec<Value> =
        (0..16).map(|n| entry(&format!("{}{n}", &longest[..1000]), &longest)).collect();
    program.json("PUT", &path("x"), &body(json!(most))).expect(200);
    assert_eq!(list(program, &format!("subject={}", segment(&longest))).len(), 16);
}

on_both_databases!(
    sessions_are_found_by_their_subject,
    a_list_of_sessions_has_pages,
    ending_all_sessions_of_a_subject_is_a_change_for_each,
    with_an_audience_only_sessions_for_it_end,
    metadata_are_replaced_and_deleted_with_their_session,
    a_session_that_has_expired_is_not_listed,
    a_subject_is_required,
    metadata_have_a_maximum_number_and_length,
);
