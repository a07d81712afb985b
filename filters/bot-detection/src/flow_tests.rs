use super::*;
use crate::config::tests::config;
use consumer::testing::Driver;
use exchange::testing::request;
use exchange::{Body, Flow, Then};

const GOOGLEBOT: &str = "Googlebot/2.1 (+http://www.google.com/bot.html)";

fn filter(json: &str) -> Driver {
    let config = config(json);
    let common = config.common.clone();
    let note = |line: &str| assert!(!line.contains("Googlebot"));
    Driver::new(&common, move |admitted| judge(&config, &admitted.request, note))
}

fn step(json: &str, headers: &[(&str, &str)]) -> Step {
    filter(json).send(Request { can_remove: true, ..request("", "/", headers) })
}

#[track_caller]
fn refusal(step: &Step) -> (u16, &str) {
    match step {
        Step { then: Then::Reply(Reply { status, body: Body::Error(message), .. }), .. } => {
            (*status, message)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_bot_is_refused_and_others_go_on() {
    assert_eq!(refusal(&step("{}", &[("user-agent", GOOGLEBOT)])), (403, "Forbidden"));
    assert_eq!(step("{}", &[("User-Agent", "curl/7.43.0")]), Step::forward(vec![]));
    assert_eq!(step("{}", &[("user-agent", "")]), Step::forward(vec![]));
}

#[test]
fn a_request_without_a_user_agent_goes_on() {
    assert_eq!(step("{}", &[]), Step::forward(vec![]));
}

#[test]
fn two_user_agents_are_one_too_many() {
    let twice = [("User-Agent", "curl"), ("user-agent", "curl")];
    assert_eq!(refusal(&step("{}", &twice)), (400, "Only one User-Agent header allowed"));
    // If bots are not refused, such a request counts as one of a bot.
    let tagged = Step::forward(vec![Edit::set("x-bot-detected", "duplicate")]);
    assert_eq!(step(r#"{"action":"tag"}"#, &twice), tagged);
    assert_eq!(step(r#"{"action":"log"}"#, &twice), Step::forward(vec![]));
}

#[test]
fn a_tag_tells_the_upstream_which_rule_it_was() {
    let json = r#"{"action":"tag","tag_header":"X-Is-Bot","deny":["HELLO"]}"#;
    let tagged = |rule: &str| Step::forward(vec![Edit::set("x-is-bot", rule)]);
    assert_eq!(step(json, &[("user-agent", GOOGLEBOT)]), tagged("known_bot"));
    assert_eq!(step(json, &[("user-agent", "HELLO")]), tagged("deny_0"));
    assert_eq!(step(json, &[("user-agent", "curl")]), Step::forward(vec![]));
}

#[test]
fn each_rule_is_counted_by_its_name() {
    for (json, user_agent, counted) in [
        ("{}", GOOGLEBOT, Some("matched_known_bot")),
        (r#"{"action":"log"}"#, GOOGLEBOT, Some("matched_known_bot")),
        (r#"{"allow":["x","Google"]}"#, GOOGLEBOT, Some("matched_allow_1")),
        (r#"{"rules":"all"}"#, "GPTBot/1.2", Some("matched_ai_openai")),
        (r#"{"rules":"ai"}"#, GOOGLEBOT, None),
        (r#"{"rules":"none"}"#, GOOGLEBOT, None),
        ("{}", "curl", None),
    ] {
        let mut filter = filter(json);
        let headers = [("user-agent", user_agent)];
        filter.send(Request { can_remove: true, ..request("", "/", &headers) });
        let expected: Vec<Tally> =
            counted.map(|name| Tally::Count(name.into(), 1)).into_iter().collect();
        assert_eq!(filter.tally(), expected, "{json} {user_agent}");
        assert_eq!(filter.tally(), [], "once");
    }
}

#[test]
fn requests_outside_of_match_are_not_examined() {
    let json = r#"{"match":{"paths":["/shop"]},"action":"tag"}"#;
    assert_eq!(
        step(json, &[("user-agent", GOOGLEBOT), ("x-bot-detected", "x")]),
        Step::forward(vec![])
    );
}
