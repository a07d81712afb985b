//! The collector's configuration (`/v1/config`): sampling rates, and the members of cohorts.

use crate::allowance::{Allowance, Refused};
use crate::condition::{Conditions, Facts, Truth};
use crate::identify::Who;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The application's configuration. Every part of the document is optional, and a malformed part
/// does not affect the others.
#[derive(Debug, Clone)]
pub(crate) struct AppConfig {
    rate: u8,
    users: HashMap<String, u8>,
    companies: HashMap<String, u8>,
    requests: Vec<(Conditions, u8)>,
    user_cohorts: HashMap<String, Vec<Membership>>,
    company_cohorts: HashMap<String, Vec<Membership>>,
}

/// The membership of an entity in the cohort of a rule, with values for the rule's variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Membership {
    pub(crate) rule: String,
    pub(crate) values: HashMap<String, String>,
}

/// Before the collector's first response, every event is sent and all cohorts are empty.
impl Default for AppConfig {
    fn default() -> Self {
        Self {
            rate: 100,
            users: HashMap::new(),
            companies: HashMap::new(),
            requests: Vec::new(),
            user_cohorts: HashMap::new(),
            company_cohorts: HashMap::new(),
        }
    }
}

impl AppConfig {
    /// Reads the document.
    ///
    /// # Errors
    /// [`Refused`], if the document is not an object, or takes more than its allowance.
    pub(crate) fn read(json: &[u8]) -> Result<Self, Refused> {
        let document: Value = serde_json::from_slice(json).map_err(|_| Refused::Malformed)?;
        let map = document.as_object().ok_or(Refused::Malformed)?;
        let mut allowance = Allowance::default();
        let mut requests = Vec::new();
        for entry in map.get("regex_config").and_then(Value::as_array).into_iter().flatten() {
            if let Some(rate) = entry.get("sample_rate").and_then(rate) {
                requests.push((Conditions::of_entry(entry, &mut allowance)?, rate));
            }
        }
        Ok(Self {
            rate: map.get("sample_rate").and_then(rate).unwrap_or(100),
            users: rates(map.get("user_sample_rate")),
            companies: rates(map.get("company_sample_rate")),
            requests,
            user_cohorts: cohorts(map.get("user_rules")),
            company_cohorts: cohorts(map.get("company_rules")),
        })
    }

    /// Returns the percentage of such events to be sent. The user's rate precedes the company's,
    /// and the general rate applies if there is neither. If the request has a rate too, the lower
    /// one counts. `ask` supplies the facts if they matter.
    pub(crate) fn rate(
        &self,
        who: &Who,
        ask: impl FnOnce(&dyn Fn(&Facts<'_>) -> Option<u8>) -> Option<u8>,
    ) -> u8 {
        let user = who.user.as_ref().and_then(|id| self.users.get(id));
        let entity = user.or_else(|| self.companies.get(who.company.as_ref()?)).copied();
        let first = |facts: &Facts<'_>| {
            self.requests
                .iter()
                .find(|(conditions, _)| conditions.hold(facts) == Truth::Yes)
                .map(|(_, rate)| *rate)
        };
        // Collecting the facts costs more than everything else.
        let request = if self.requests.is_empty() { None } else { ask(&first) };
        match (entity, request) {
            (Some(entity), Some(request)) => entity.min(request),
            (one, other) => one.or(other).unwrap_or(self.rate),
        }
    }

    /// Returns `true` if the head of the request alone determines the rate. It does not if the rate
    /// depends on the caller, whom the response may name, on a body, or on the response.
    pub(crate) fn is_known_early(&self) -> bool {
        let late = |(conditions, _): &(Conditions, u8)| {
            conditions.look_at("response.") || conditions.look_at("request.body.")
        };
        self.users.is_empty() && self.companies.is_empty() && !self.requests.iter().any(late)
    }

    /// Returns the paths into a body that a rate depends on.
    pub(crate) fn body_paths(&self) -> HashSet<&str> {
        self.requests.iter().flat_map(|(conditions, _)| conditions.body_paths()).collect()
    }

    pub(crate) fn cohorts_of_user(&self, id: &str) -> &[Membership] {
        self.user_cohorts.get(id).map(Vec::as_slice).unwrap_or_default()
    }

    pub(crate) fn cohorts_of_company(&self, id: &str) -> &[Membership] {
        self.company_cohorts.get(id).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Returns the number of events that one event stands for at this rate.
pub(crate) fn weight(rate: u8) -> u8 {
    100_u8.checked_div(rate).unwrap_or(1)
}

fn rate(value: &Value) -> Option<u8> {
    // A rate is a whole number of at most 100, so nothing is lost.
    value.as_f64().map(|rate| rate.clamp(0.0, 100.0) as u8)
}

fn rates(map: Option<&Value>) -> HashMap<String, u8> {
    let map = map.and_then(Value::as_object).into_iter().flatten();
    map.filter_map(|(id, value)| Some((id.clone(), rate(value)?))).collect()
}

fn cohorts(map: Option<&Value>) -> HashMap<String, Vec<Membership>> {
    let map = map.and_then(Value::as_object).into_iter().flatten();
    map.map(|(id, list)| {
        let list = list.as_array().into_iter().flatten();
        (id.clone(), list.filter_map(membership).collect())
    })
    .collect()
}

fn membership(entry: &Value) -> Option<Membership> {
    let rule = entry.get("rules")?.as_str()?.to_owned();
    let values = entry.get("values").and_then(Value::as_object).into_iter().flatten();
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let values = values.filter_map(|(name, value)| Some((name.clone(), text(value)?))).collect();
    Some(Membership { rule, values })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Index;
    use crate::condition::tests::facts;
    use exchange::{Head, Request};
    use serde_json::json;

    fn config(value: Value) -> AppConfig {
        AppConfig::read(value.to_string().as_bytes()).unwrap()
    }

    fn rate_of(config: &AppConfig, user: Option<&str>, company: Option<&str>, status: u16) -> u8 {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let request = Request { method: b"GET".to_vec(), ..Request::default() };
        let response = Head::default();
        let facts = Facts { response: Some((status, Index::of(&response))), ..facts(&request) };
        config.rate(&Who { user: text(user), company: text(company) }, |first| first(&facts))
    }

    #[test]
    fn the_user_comes_before_the_company_and_the_lower_of_entity_and_request_counts() {
        let config = config(json!({
            "sample_rate": 80, "user_sample_rate": {"12345": 10, "odd": "x"}, "company_sample_rate": {"67890": 90},
            "regex_config": [
                {"conditions": [{"path": "response.status", "value": "^5"}], "sample_rate": 50},
                {"conditions": [{"path": "response.status", "value": "."}]},
                {"conditions": [{"path": "response.status", "value": "^4"}], "sample_rate": 5},
            ],
        }));
        assert!(!config.is_known_early());
        for (user, company, status, expected) in [
            (None, None, 200, 80),
            (Some("12345"), Some("67890"), 200, 10),
            (None, Some("67890"), 200, 90),
            (Some("other"), Some("67890"), 200, 90),
            (Some("odd"), None, 200, 80),
            (None, Some("67890"), 500, 50),
            (Some("12345"), None, 500, 10),
            (None, None, 404, 5),
        ] {
            assert_eq!(
                rate_of(&config, user, company, status),
                expected,
                "{user:?} {company:?} {status}"
            );
        }
    }

    #[test]
    fn every_part_may_be_absent_and_an_odd_one_spoils_no_other() {
        let empty = config(json!({}));
        assert_eq!(rate_of(&empty, Some("x"), None, 200), 100);
        assert!(empty.is_known_early());
        let odd = config(json!({
            "sample_rate": "x", "user_sample_rate": [], "company_sample_rate": null, "regex_config": {"a": 1},
            "user_rules": {"u": [{"rules": "r1", "values": {"0": "a", "1": 2, "2": null}}, {"values": {}}, 5], "v": 1},
            "company_rules": [], "billing_config_jsons": {},
        }));
        assert_eq!(rate_of(&odd, None, None, 200), 100);
        let values =
            HashMap::from([("0".to_owned(), "a".to_owned()), ("1".to_owned(), "2".to_owned())]);
        assert_eq!(odd.cohorts_of_user("u"), [Membership { rule: "r1".into(), values }]);
        assert!(odd.cohorts_of_user("v").is_empty() && odd.cohorts_of_company("c").is_empty());
        for none in [&b"[]"[..], b"", b"<html>", b"\"x\"", b"{"] {
            assert_eq!(AppConfig::read(none).err(), Some(Refused::Malformed));
        }
    }

    #[test]
    fn rates_are_percentages_and_weights_their_inverse() {
        let rate = |value: Value| rate(&value);
        assert_eq!(
            (rate(json!(250)), rate(json!(-1)), rate(json!(33.9))),
            (Some(100), Some(0), Some(33))
        );
        assert_eq!([100, 60, 50, 33, 1, 0].map(weight), [1, 1, 2, 3, 100, 1]);
    }
}
