use super::*;
use crate::condition::tests::facts;
use exchange::Request;
use serde_json::json;

fn rules(value: Value) -> Rules {
    Rules::read(value.to_string().as_bytes()).unwrap()
}

fn config() -> AppConfig {
    let document = json!({
        "user_rules": {"ana": [{"rules": "u", "values": {"0": "rome", "1": "some \"name\""}}]},
        "company_rules": {"acme": [{"rules": "c"}, {"rules": "c2", "values": {"plan": "gold"}}]},
    });
    AppConfig::read(document.to_string().as_bytes()).unwrap()
}

fn who(user: Option<&str>, company: Option<&str>) -> Who {
    Who { user: user.map(str::to_owned), company: company.map(str::to_owned) }
}

fn judge(rules: &Rules, who: &Who) -> Verdict {
    let request = Request { method: b"GET".to_vec(), target: b"/a".to_vec(), ..Request::default() };
    rules.judge(&config(), who, &facts(&request))
}

fn blocked_by(rules: &Rules, user: Option<&str>, company: Option<&str>) -> Option<String> {
    judge(rules, &who(user, company)).block.map(|block| block.rule)
}

fn get() -> Value {
    json!([{"conditions": [{"path": "request.verb", "value": "GET"}]}])
}

#[test]
fn a_rule_is_for_those_in_its_cohort_or_for_the_others() {
    let rule = |applied_to: &str, unidentified: bool| {
        rules(json!([{"_id": "u", "type": "user", "block": true, "applied_to": applied_to,
            "applied_to_unidentified": unidentified}]))
    };
    for (applied_to, unidentified, user, expected) in [
        ("matching", false, Some("ana"), true),
        ("matching", false, Some("bob"), false),
        ("matching", false, None, false),
        ("matching", true, None, true),
        ("matching", true, Some("bob"), false),
        ("not_matching", false, Some("ana"), false),
        ("not_matching", false, Some("bob"), true),
        ("not_matching", false, None, false),
        ("not_matching", true, None, true),
    ] {
        let blocks = blocked_by(&rule(applied_to, unidentified), user, None).is_some();
        assert_eq!(blocks, expected, "{applied_to} {unidentified} {user:?}");
    }
}

#[test]
fn a_rule_defaults_to_the_harmless_choice() {
    let bare = rules(json!([{"_id": "u", "type": "user"}]));
    assert_eq!(judge(&bare, &who(Some("ana"), None)), Verdict::default());
    let null = rules(
        json!([{"_id": "u", "type": "user", "block": true, "applied_to_unidentified": null}]),
    );
    assert_eq!(blocked_by(&null, None, None), None);
    let block = judge(&null, &who(Some("ana"), None)).block.unwrap();
    assert_eq!((block.status, block.body.as_slice(), block.content_type), (400, &b""[..], None));
}

#[test]
fn all_kinds_count_also_together_and_the_user_comes_first() {
    let all = rules(json!([
        {"_id": "r", "type": "regex", "block": true, "regex_config": get(),
         "response": {"status": 203, "headers": {"X-A": "r", "X-R": "r"}}},
        {"_id": "c", "type": "company", "block": true, "response": {"status": 500, "headers": {"x-a": "c", "X-C": "c"}}},
        {"_id": "u", "type": "user", "block": true, "response": {"status": 429, "headers": {"X-A": "u"}}},
    ]));
    let both = judge(&all, &who(Some("ana"), Some("acme")));
    let block = both.block.unwrap();
    assert_eq!((block.rule.as_str(), block.status), ("u", 429));
    let headers: Vec<(&str, &str)> =
        both.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(headers, [("X-A", "u"), ("X-C", "c"), ("X-R", "r")]);
    assert_eq!(blocked_by(&all, Some("bob"), Some("acme")).as_deref(), Some("c"));
    assert_eq!(blocked_by(&all, None, None).as_deref(), Some("r"));
}

#[test]
fn priorities_order_the_rules_of_one_kind() {
    let two = rules(json!([
        {"_id": "c", "type": "company", "block": true, "priority": 2},
        {"_id": "c2", "type": "company", "block": true, "priority": 1},
    ]));
    assert_eq!(blocked_by(&two, None, Some("acme")).as_deref(), Some("c2"));
}

#[test]
fn a_rule_that_does_not_block_adds_its_headers() {
    let soft = rules(
        json!([{"_id": "c2", "type": "company", "block": false, "regex_config": get(),
        "variables": [{"name": "plan", "path": "body.plan"}],
        "response": {"status": 200, "headers": {"Deprecation": "plan {{plan}}\r\nX: y", "Content-Length": "0", "a b": "x"}}}]),
    );
    let verdict = judge(&soft, &who(None, Some("acme")));
    assert_eq!(
        verdict,
        Verdict {
            block: None,
            headers: vec![("Deprecation".into(), "plan goldX: y".into())],
            ..Verdict::default()
        }
    );
    assert_eq!(judge(&soft, &who(None, Some("other"))), Verdict::default());
}

#[test]
fn templates_are_filled_with_the_values_of_the_cohort() {
    let with_body = |body: Value| {
        let all = rules(json!([{"_id": "u", "type": "user", "block": true,
            "variables": [{"name": "0", "path": "city"}, {"name": "1", "path": "name"}, {"name": "2", "path": "x"}],
            "response": {"status": 400, "headers": {"X-City": "{{0}} {{2}} {{3}}"}, "body": body}}]));
        judge(&all, &who(Some("ana"), None))
    };
    let verdict = with_body(json!({"msg": {"{{0}}": ["{{1}}", 5, "{{2|none}}"]}}));
    assert_eq!(verdict.headers, [("X-City".to_owned(), "rome UNKNOWN {{3}}".to_owned())]);
    let block = verdict.block.unwrap();
    assert_eq!(block.content_type, Some("application/json"));
    assert_eq!(
        String::from_utf8(block.body).unwrap(),
        r#"{"msg":{"rome":["some \"name\"",5,"none"]}}"#
    );
    let text = with_body(json!("no {{0}}")).block.unwrap();
    assert_eq!(
        (text.body.as_slice(), text.content_type),
        (&b"no rome"[..], Some("text/plain; charset=utf-8"))
    );
    assert_eq!(
        with_body(json!("[\"{{0}}\"]")).block.unwrap().content_type,
        Some("application/json")
    );
}

#[test]
fn an_odd_rule_spoils_no_other_and_an_odd_document_is_none() {
    let mixed = rules(json!([5, {}, {"type": "user"}, {"_id": "x", "type": "other"}, null,
        {"_id": "r", "type": "regex", "block": true, "response": {"status": 99999, "headers": [], "body": null}}]));
    let block = judge(&mixed, &Who::default()).block.unwrap();
    assert_eq!((block.rule.as_str(), block.status), ("r", 400));
    for none in [&b"{}"[..], b"", b"<html>", b"{\"error\":\"x\"}"] {
        assert_eq!(Rules::read(none).err(), Some(Refused::Malformed));
    }
    assert!(Rules::read(b"[]").unwrap().is_empty());
}

#[test]
fn rules_groups_and_conditions_are_bounded_together() {
    let read = |rules: &Value| Rules::read(rules.to_string().as_bytes()).err();
    let rule = |groups: Value| json!({"_id": "r", "type": "regex", "regex_config": groups});
    let list = |item: Value, count: usize| Value::from(vec![item; count]);
    assert_eq!(read(&list(rule(json!([])), 4000)), None);
    assert_eq!(read(&list(rule(json!([])), 4001)), Some(Refused::TooLarge));
    assert_eq!(read(&json!([rule(list(json!({}), 3999))])), None);
    assert_eq!(read(&json!([rule(list(json!({}), 4000))])), Some(Refused::TooLarge));
    let conditions = |count| json!([rule(json!([{"conditions": list(json!({}), count)}]))]);
    assert_eq!(read(&conditions(3998)), None);
    assert_eq!(read(&conditions(3999)), Some(Refused::TooLarge));
}

#[test]
fn it_is_known_whether_bodies_matter() {
    let with = |path: &str| {
        rules(json!([{"_id": "r", "type": "regex", "regex_config": [{"conditions": [{"path": path, "value": "x"}]}]}]))
            .body_paths()
            .is_empty()
    };
    assert!(!with("request.body.query") && with("request.verb"));
}
