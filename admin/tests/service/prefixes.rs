//! Lists of consumers by the beginning of a name.

use serde_json::{Value, json};

use crate::client::segment;
use crate::on_both_databases;
use crate::program::{Program, text};

/// Returns the usernames of all pages of a list.
fn found(program: &Program, query: &str) -> Vec<String> {
    let (mut names, mut next) = (vec![], format!("/consumers?{query}"));
    loop {
        let page = program.get(&next).expect(200);
        names.extend(page["data"].as_array().unwrap().iter().map(|it| text(&it["username"])));
        match page["next"].as_str() {
            Some(address) => next = address.to_owned(),
            None => return names,
        }
    }
}

fn consumers_are_found_by_the_beginning_of_a_name(program: &Program) {
    for (username, custom_id) in [
        ("fiona", "Z-9"),
        ("Finn", "z-10"),
        ("fi", "x"),
        ("ana", "fio"),
        ("\u{e4}na", "z"),
        ("f%", "zz"),
    ] {
        let body = json!({ "username": username, "custom_id": custom_id });
        program.json("POST", "/consumers", &body).expect(201);
    }
    for (query, names) in [
        ("username_prefix=fi", vec!["fi", "Finn", "fiona"]),
        ("username_prefix=FIO", vec!["fiona"]),
        ("username_prefix=f%25", vec!["f%"]),
        ("username_prefix=f_", vec![]),
        ("username_prefix=%C3%A4", vec!["\u{e4}na"]),
        ("username_prefix=a", vec!["ana"]),
        ("username_prefix=iona", vec![]),
        ("custom_id_prefix=z-", vec!["Finn", "fiona"]),
        ("custom_id_prefix=fio", vec!["ana"]),
    ] {
        assert_eq!(found(program, query), names, "{query}");
    }
    program.form("PATCH", "/consumers/fiona", "username=Gia").expect(200);
    program.delete("/consumers/Finn").expect(204);
    assert_eq!(found(program, "username_prefix=fi"), ["fi"]);
    assert_eq!(found(program, "username_prefix=g"), ["Gia"]);
}

fn pages_of_a_prefix_neither_repeat_nor_skip_a_consumer(program: &Program) {
    let mut names = vec![];
    for number in 0..7 {
        // Two usernames that differ in case alone have one place in the order.
        names.extend([format!("team:{number}"), format!("TEAM:{number}")]);
    }
    for name in &names {
        program.consumer(name);
    }
    program.consumer("tean");
    program.consumer("tea");
    for size in [1, 2, 3, 14, 100] {
        let mut all = found(program, &format!("username_prefix=Team&size={size}"));
        let folded: Vec<String> = all.iter().map(|name| name.to_lowercase()).collect();
        assert!(folded.is_sorted(), "{all:?}");
        all.sort();
        let mut expected = names.clone();
        expected.sort();
        assert_eq!(all, expected, "{size}");
    }
    let page = program.get("/consumers?username_prefix=team&size=1").expect(200);
    let next = format!(
        "/consumers?username_prefix=team&size=1&offset={}",
        segment(page["offset"].as_str().unwrap())
    );
    assert_ne!(program.get(&next).expect(200)["data"], page["data"]);
}

fn a_prefix_stands_alone_and_is_a_beginning(program: &Program) {
    let long = "x".repeat(256);
    for (query, field) in [
        ("username_prefix=", "username_prefix"),
        (&format!("custom_id_prefix={long}"), "custom_id_prefix"),
        ("username_prefix=a&username=b", "username_prefix"),
        ("username_prefix=a&custom_id_prefix=b", "custom_id_prefix"),
        ("username_prefix=a&offset=MTpx", "offset"),
        ("username_prefix=a%00", "username_prefix"),
        ("prefix=a", "prefix"),
    ] {
        let refused = program.get(&format!("/consumers?{query}")).expect(400);
        assert!(refused["fields"].get(field).is_some_and(Value::is_string), "{query}: {refused}");
    }
}

on_both_databases!(
    consumers_are_found_by_the_beginning_of_a_name,
    pages_of_a_prefix_neither_repeat_nor_skip_a_consumer,
    a_prefix_stands_alone_and_is_a_beginning,
);
