use super::*;
use crate::changes::tests::filled;
use proptest::prelude::*;

fn edits(
    fields: &[(&str, &str)],
    lists: [&[&str]; 5],
    can_remove: bool,
) -> Result<Vec<Edit>, Duplicate> {
    let mut headers = Headers::of(&fields.iter().copied().collect());
    filled(lists).apply(&mut headers);
    headers.edits(can_remove)
}

fn add(name: &'static str, value: &str) -> Edit {
    Edit::Add(name.into(), value.into())
}

#[test]
fn each_change_does_what_kongs_does() {
    let none: &[&str] = &[];
    for (fields, lists, expected) in [
        (
            &[("X-To-Remove", "true"), ("x-other", "1")][..],
            [&["x-to-remove"][..], none, none, none, none],
            vec![Edit::remove("x-to-remove")],
        ),
        (&[], [&["x-to-remove"], none, none, none, none], vec![]),
        (
            &[("x-to-rename", "new"), ("X-Is-Renamed", "old")],
            [none, &["X-To-Rename:x-is-renamed"], none, none, none],
            vec![Edit::remove("x-to-rename"), Edit::set("x-is-renamed", "new")],
        ),
        (&[("x", "1")], [none, &["absent:x"], none, none, none], vec![]),
        (&[("rename", "1")], [none, &["rename:Rename"], none, none, none], vec![]),
        (
            &[("h1", "V")],
            [none, none, &["H1:v1", "h2:v2"], none, none],
            vec![Edit::set("h1", "v1")],
        ),
        (
            &[("h1", "v3")],
            [none, none, none, &["h1:v1", "H2:value:2"], none],
            vec![Edit::set("h2", "value:2")],
        ),
        (
            &[],
            [none, none, none, none, &["h1:v1", "h1:v2", "h2:v1"]],
            vec![Edit::set("h1", "v1"), add("h1", "v2"), Edit::set("h2", "v1")],
        ),
        (
            &[("X-Added", "a0")],
            [none, none, none, &["X-aDDed:a1"], &["X-aDDed:a2", "x-added:a3"]],
            vec![add("x-added", "a2"), add("x-added", "a3")],
        ),
        (
            &[],
            [none, none, none, &["x-added:a1"], &["X-Added:a2"]],
            vec![Edit::set("x-added", "a1"), add("x-added", "a2")],
        ),
        (
            &[("Authorization", "Basic dGVzdA")],
            [&["Authorization"], none, none, &["Authorization:Basic test"], none],
            vec![Edit::set("authorization", "Basic test")],
        ),
    ] {
        for can_remove in [true, false] {
            assert_eq!(edits(fields, lists, can_remove).unwrap(), expected, "{fields:?} {lists:?}");
        }
    }
}

#[test]
fn the_host_is_changed_by_replace_alone() {
    let fields = [("host", "test2.test"), (":authority", "test2.test")];
    let others = [&["host"][..], &["host:x", "x-a:Host"], &[], &["Host:mark"], &["host:mark"]];
    assert_eq!(edits(&[&fields[..], &[("x-a", "1")]].concat(), others, true).unwrap(), []);
    let replaced = [&[][..], &[], &["Host:other.test"], &[], &[]];
    assert_eq!(edits(&fields, replaced, true).unwrap(), [Edit::set("host", "other.test")]);
    assert_eq!(edits(&fields[1..], replaced, true).unwrap(), [Edit::set("host", "other.test")]);
}

#[test]
fn what_came_twice_is_changed_whole_or_refused() {
    let twice = [("x-a", "1"), ("X-A", "2")];
    let none: &[&str] = &[];
    for (lists, expected) in [
        ([&["x-a"][..], none, none, none, none], vec![Edit::remove("x-a")]),
        ([none, none, &["x-a:3"], none, none], vec![Edit::set("x-a", "3")]),
        (
            [none, &["x-a:x-b"], none, none, none],
            vec![Edit::remove("x-a"), Edit::set("x-b", "1"), add("x-b", "2")],
        ),
    ] {
        assert_eq!(edits(&twice, lists, true).unwrap(), expected);
        // Kong would forward the second value even so.
        assert_eq!(edits(&twice, lists, false), Err(Duplicate("x-a".into())));
    }
    // Appending a value does not touch the others.
    for can_remove in [true, false] {
        let more = edits(&twice, [none, none, none, none, &["x-a:3"]], can_remove);
        assert_eq!(more.unwrap(), [add("x-a", "3")]);
    }
}

#[test]
fn edits_have_the_order_of_the_head_and_new_headers_follow() {
    let fields = [("x-a", "1"), ("X_B", "2"), ("x-b", "3"), ("x-c", "4")];
    let lists = [&["x-c"][..], &[], &["x-b:5"], &["x-d:6"], &["X-A:7"]];
    let expected = [
        add("x-a", "7"),
        Edit::remove("x_b"),
        Edit::set("x-b", "5"),
        Edit::remove("x-c"),
        Edit::set("x-d", "6"),
    ];
    assert_eq!(edits(&fields, lists, true).unwrap(), expected);
}

#[test]
fn a_field_that_nothing_names_is_not_touched() {
    let fields = [("x-a", "1"), ("x-a", "2"), ("x-bc", "3")];
    assert_eq!(edits(&fields, [&["x-b"], &[], &[], &[], &[]], false).unwrap(), []);
}

#[test]
fn what_is_read_later_is_what_was_made() {
    let mut headers = Headers::of(&Head::from_iter([("content-type", "text/plain")]));
    assert_eq!(headers.first("content-type"), Some(&b"text/plain"[..]));
    filled([&[], &[], &["Content-Type:application/json"], &[], &[]]).apply(&mut headers);
    assert_eq!(headers.first("content-type"), Some(&b"application/json"[..]));
    assert_eq!(headers.first("x"), None);
}

proptest! {
    #[test]
    fn no_value_ends_its_field(value: Vec<u8>) {
        let mut headers = Headers::of(&Head::default());
        headers.add("x-a", &value);
        headers.append("x-a", &value);
        for edit in headers.edits(true).unwrap() {
            let (Edit::Set(name, bytes) | Edit::Add(name, bytes)) = edit else { panic!() };
            prop_assert_eq!(name, "x-a");
            prop_assert!(!bytes.iter().any(u8::is_ascii_control));
        }
    }

    #[test]
    fn the_edits_lead_to_what_a_plain_list_of_fields_would_be(
        fields in proptest::collection::vec(("[ab]", "[0-9]"), 0..6),
        remove in proptest::collection::vec("[abc]", 0..2),
        rename in proptest::collection::vec("[abc]:[abc]", 0..2),
        replace in proptest::collection::vec("[abc]:[0-9]", 0..2),
        add in proptest::collection::vec("[abc]:[0-9]", 0..2),
        append in proptest::collection::vec("[abc]:[0-9]", 0..2),
    ) {
        let texts = |list: &[String]| list.to_vec();
        let lists = [texts(&remove), texts(&rename), texts(&replace), texts(&add), texts(&append)];
        let borrowed: Vec<Vec<&str>> = lists.iter().map(|l| l.iter().map(String::as_str).collect()).collect();
        let given: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let made = edits(&given, [&borrowed[0], &borrowed[1], &borrowed[2], &borrowed[3], &borrowed[4]], true).unwrap();

        // The model is a list of pairs that is changed one by one.
        let mut expected: Vec<(String, String)> = fields.clone();
        let has = |list: &[(String, String)], name: &str| list.iter().any(|(n, _)| n == name);
        let pair = |text: &str| { let (a, b) = text.split_once(':').unwrap(); (a.to_owned(), b.to_owned()) };
        for name in &remove { expected.retain(|(n, _)| n != name); }
        for (old, new) in rename.iter().map(|t| pair(t)) {
            if old != new && has(&expected, &old) {
                expected.retain(|(n, _)| *n != new);
                expected.iter_mut().filter(|(n, _)| *n == old).for_each(|(n, _)| n.clone_from(&new));
            }
        }
        for (name, value) in replace.iter().map(|t| pair(t)) {
            if has(&expected, &name) { expected.retain(|(n, _)| *n != name); expected.push((name, value)); }
        }
        for (name, value) in add.iter().map(|t| pair(t)) {
            if !has(&expected, &name) { expected.push((name, value)); }
        }
        expected.extend(append.iter().map(|t| pair(t)));

        let mut found: Vec<(String, String)> = fields;
        for edit in made {
            match edit {
                Edit::Remove(name) => found.retain(|(n, _)| *n != name),
                Edit::Set(name, value) => {
                    found.retain(|(n, _)| *n != name);
                    found.push((name.into_owned(), String::from_utf8(value).unwrap()));
                }
                Edit::Add(name, value) => found.push((name.into_owned(), String::from_utf8(value).unwrap())),
                other => panic!("{other:?}"),
            }
        }
        // Headers of one name keep their order. The order of names does not matter.
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        found.sort_by(|a, b| a.0.cmp(&b.0));
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_name_is_meant_in_every_spelling() {
    let none: &[&str] = &[];
    for (lists, expected) in [
        (
            [&["x-internal-user"][..], none, none, none, none],
            vec![Edit::remove("x_internal_user"), Edit::remove("x-internal_user")],
        ),
        (
            [none, &["X-Internal-User:x-user"], none, none, none],
            vec![
                Edit::remove("x_internal_user"),
                Edit::remove("x-internal_user"),
                Edit::set("x-user", "a"),
                add("x-user", "b"),
            ],
        ),
        (
            [none, none, &["X-Internal-User:c"], none, none],
            vec![
                Edit::remove("x_internal_user"),
                Edit::remove("x-internal_user"),
                Edit::set("x-internal-user", "c"),
            ],
        ),
        ([none, none, none, &["X-Internal-User:c"], none], vec![]),
        ([none, none, none, none, &["X-Internal-User:c"]], vec![add("x_internal_user", "c")]),
    ] {
        let fields = [("x_internal_user", "a"), ("X-Internal_User", "b")];
        assert_eq!(edits(&fields, lists, true), Ok(expected), "{lists:?}");
    }
}
