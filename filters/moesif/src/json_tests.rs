use super::*;
use proptest::prelude::*;
use std::collections::HashSet;

#[test]
fn what_serde_reads_is_read_and_what_it_refuses_is_refused() {
    for text in [
        "{}",
        "[]",
        " [ 1 , -0.5e+3 , \"\\u00e4\\ud83d\\ude00\\n\" , true , false , null ] ",
        r#"{"a":{"b":[{}]},"":""}"#,
        "0",
        "-0",
        "1e308",
        "\"\u{7f}\u{e4}\"",
        "1E-400",
        "",
        " ",
        "{",
        "}",
        "[1,]",
        "{\"a\":1,}",
        "{\"a\"}",
        "{\"a\":}",
        "{1:2}",
        "[1 2]",
        "[]]",
        "01",
        "1.",
        ".5",
        "-",
        "1e",
        "+1",
        "NaN",
        "nul",
        "truex",
        "\"",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\n\"",
        "\"\0\"",
        "[\"a\":1]",
        "{,}",
        "[,]",
        "1 1",
        "\u{feff}{}",
        "1e400",
        "-1e999",
        "// x",
        "{'a':1}",
        "[1}",
        "{\"a\":1]",
    ] {
        let expected = serde_json::from_str::<serde_json::Value>(text).is_ok();
        assert_eq!(check(text).is_ok(), expected, "{text:?}");
    }
}

#[test]
fn a_number_beyond_a_double_is_refused_however_it_is_written() {
    assert!(check(&"9".repeat(308)).is_ok());
    assert!(check(&"9".repeat(400)).is_err());
    assert!(check(&format!("0.{}", "9".repeat(1000))).is_ok());
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(check(&nested(MAX_DEPTH)).is_ok());
    assert!(check(&nested(MAX_DEPTH + 1)).is_err());
    assert!(check(&nested(1_000_000)).is_err());
}

fn exact(a: &str, b: &str) -> bool {
    a == b
}

#[test]
fn a_scalar_is_found_by_its_path_as_it_is_written() {
    let text = r#"{"x":[{"a":0}],"a":{"b":{"c":"\u00e4"},"n":9007199254740993,"t":true},"a":1}"#;
    let at = |path: &[&str]| scalar_at(text, path, exact);
    assert_eq!(at(&["a", "b", "c"]), Some(Scalar::Text("ä".into())));
    assert_eq!(at(&["a", "n"]), Some(Scalar::Number("9007199254740993".into())));
    assert_eq!(at(&["a", "t"]), Some(Scalar::Word("true")));
    for nothing in [&["a"][..], &["x"], &["a", "x"], &["a", "n", "c"], &["x", "a"], &[]] {
        assert_eq!(at(nothing), None, "{nothing:?}");
    }
    assert_eq!(scalar_at("5", &[], exact), Some(Scalar::Number("5".into())));
}

#[test]
fn every_scalar_of_a_path_is_found_duplicates_and_lists_included() {
    let wanted = HashSet::from(["a", "a.b", "a.b.c", "l"]);
    let text = r#"{"a":1,"x":{"a":9},"a":{"b":"\u0032","b":{"c":3,"l":9},"z":0},"a.b":4,"l":[5,[6,{"y":9}],7],"a":true}"#;
    let found = scalars_at(text, &wanted).unwrap();
    for (path, values) in [
        ("a", &["1", "true"][..]),
        ("a.b", &["2", "4"]),
        ("a.b.c", &["3"]),
        ("l", &["5", "6", "7"]),
    ] {
        assert_eq!(found[path], values, "{path}");
    }
    assert_eq!(found.len(), 4);
    assert_eq!(scalars_at(r#"{"a":1,}"#, &wanted), Err(NotJson));
    assert_eq!(scalars_at(r#"[{"a":1},{"a":2}]"#, &wanted).unwrap()["a"], ["1", "2"]);
}

proptest! {
    #[test]
    fn any_text_is_judged_as_serde_judges_it(text in r#"[\[\]{}:,"\\ue0-9.\-+ a-ftrn]{0,24}"#) {
        let expected = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        prop_assert_eq!(check(&text).is_ok(), expected, "{:?}", text);
    }

    #[test]
    fn a_cut_text_is_no_object(cut in 0_usize..60) {
        let text = r#"{"a":[1,2,{"b":"\u00e4","c":null}],"d":-1.5e3,"e":"x\"y"}  "#;
        let whole = text.trim_end().len();
        prop_assert_eq!(check(text.get(..cut).unwrap_or_default()).is_ok(), cut >= whole);
    }
}
