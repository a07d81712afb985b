//! The ages of an answer: fresh, stale, and kept while gatehouse-admin is away.

use crate::admin::Admin;
use crate::gateways::{Gateway, asking, identified, refusal, settled};
use serde_json::{Value, json};
use std::time::Duration;
use wasm_tests::{Answer, NO_APP_ID, Proxy, Stream, refused_with};

struct Case {
    gateway: Gateway,
    admin: Admin,
    proxy: Proxy,
    ana: String,
}

impl Case {
    /// A gateway that has looked up `ana` with the App ID `portal`.
    fn new(gateway: Gateway, more: Value) -> Self {
        let admin = Admin::default();
        let ana = admin.consumer("ana");
        admin.app_id(&ana, "portal");
        let proxy = gateway.serving(&admin, &[("app_id", asking(more))]);
        settled(&[&proxy]);
        let case = Self { gateway, admin, proxy, ana };
        case.send().forwarded();
        case.admin.asked();
        case
    }

    fn send(&self) -> Stream {
        self.send_as(&self.ana)
    }

    fn send_as(&self, consumer: &str) -> Stream {
        self.proxy.send(identified(&self.gateway, consumer).header("X-APP-ID", "portal"))
    }

    /// Lets time pass with an occasional request, as on any gateway in use.
    fn busy_seconds(&self, seconds: u64) {
        for _ in 0..seconds {
            self.proxy.advance(Duration::from_secs(1));
            self.send_as("somebody-else");
        }
    }
}

#[test]
fn an_answer_past_its_time_serves_once_more_while_it_is_asked_for_again() {
    for gateway in Gateway::all() {
        let case = Case::new(gateway, json!({}));
        case.busy_seconds(58);
        case.admin.asked();
        case.send().forwarded();
        assert!(case.admin.lookups().is_empty(), "fresh: {}", case.gateway.name);
        case.busy_seconds(5);
        let own = |path: &String| path.contains(&case.ana);
        assert!(!case.admin.lookups().iter().any(own), "nobody needs it: {}", case.gateway.name);
        let stream = case.send();
        stream.forwarded();
        assert_eq!(stream.outcome().callouts, 0, "it did not wait: {}", case.gateway.name);
        case.proxy.advance(Duration::from_secs(1));
        assert_eq!(
            case.admin.lookups().into_iter().filter(own).count(),
            1,
            "{}",
            case.gateway.name
        );
        // The answer is fresh again.
        case.busy_seconds(50);
        case.admin.asked();
        case.send().forwarded();
        case.proxy.advance(Duration::from_secs(1));
        assert!(!case.admin.lookups().iter().any(own), "{}", case.gateway.name);
    }
}

#[test]
fn while_the_admin_service_is_away_answers_serve_for_the_stale_time_and_no_longer() {
    for gateway in Gateway::all() {
        for how in [
            Answer::Refused,
            Answer::Timeout,
            Answer::Response(wasm_tests::Response::new(500)),
            Answer::Response(wasm_tests::Response::json(404, r#"{"message":"no Route matched"}"#)),
        ] {
            let case = Case::new(gateway.clone(), json!({"cache": {"ttl": 60, "stale_ttl": 120}}));
            let began = case.proxy.now_ms();
            case.admin.breaks(how);
            for second in [30, 61, 120, 175] {
                let now = case.proxy.now_ms();
                case.busy_seconds(second - (now - began) / 1000);
                case.send().forwarded();
            }
            case.busy_seconds(8);
            assert_eq!(
                refusal(&case.send()),
                refused_with(503, "Service unavailable"),
                "{}",
                case.gateway.name
            );
            case.admin.works();
            case.proxy.advance(Duration::from_secs(1));
            case.send().forwarded();
        }
    }
}

#[test]
fn fail_open_begins_when_nothing_serves_any_more() {
    for gateway in Gateway::all() {
        let case =
            Case::new(gateway, json!({"fail_open": true, "cache": {"ttl": 1, "stale_ttl": 5}}));
        case.admin.breaks(Answer::Refused);
        case.proxy.advance(Duration::from_secs(30));
        case.send().forwarded();
        let other =
            case.proxy.send(identified(&case.gateway, &case.ana).header("X-APP-ID", "other"));
        other.forwarded();
    }
}

#[test]
fn an_absence_is_remembered_for_a_shorter_time() {
    for gateway in Gateway::all() {
        let case = Case::new(gateway, json!({}));
        let bob = case.admin.consumer("bob");
        case.proxy.advance(Duration::from_secs(6));
        case.admin.asked();
        for _ in 0..9 {
            assert_eq!(refusal(&case.send_as(&bob)), refused_with(403, NO_APP_ID));
            case.proxy.advance(Duration::from_secs(1));
        }
        assert_eq!(case.admin.lookups().len(), 1, "{}", case.gateway.name);
        case.proxy.advance(Duration::from_secs(2));
        assert_eq!(refusal(&case.send_as(&bob)), refused_with(403, NO_APP_ID));
        assert_eq!(case.admin.lookups().len(), 1, "{}", case.gateway.name);
        // After its time the absence does not serve during an outage: the service may have an App
        // ID for the consumer by now.
        case.admin.breaks(Answer::Refused);
        case.proxy.advance(Duration::from_secs(11));
        assert_eq!(refusal(&case.send_as(&bob)), refused_with(503, "Service unavailable"));
    }
}

#[test]
fn an_absent_admin_service_is_asked_ever_less_often_where_nothing_is_shared() {
    let case = Case::new(Gateway::kong(), json!({}));
    case.admin.breaks(Answer::Refused);
    case.admin.asked();
    let mut polls = 0;
    for _ in 0..600 {
        case.proxy.advance(Duration::from_secs(1));
        // The consumer is known, so that the filter polls `/changes` only.
        case.send();
        polls += case.admin.polls();
    }
    assert!((9..=24).contains(&polls), "{polls}");
    case.admin.works();
    case.admin.remove_app_id(&case.ana, "portal");
    case.busy_seconds(62);
    assert_eq!(refusal(&case.send()), refused_with(403, NO_APP_ID));
}

#[test]
fn lookups_that_failed_are_not_kept() {
    for gateway in Gateway::all() {
        let case = Case::new(gateway, json!({}));
        let bob = case.admin.consumer("bob");
        case.admin.app_id(&bob, "portal");
        case.admin.breaks(Answer::Garbage);
        assert_eq!(case.send_as(&bob).refused().status, 503, "{}", case.gateway.name);
        case.admin.works();
        case.send_as(&bob).forwarded();
    }
}
