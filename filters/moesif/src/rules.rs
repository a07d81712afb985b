//! Governance: the collector's rules (`/v1/rules`), and their effect on a request.

use crate::allowance::{Allowance, Refused};
use crate::body::is_json;
use crate::condition::{Conditions, Facts, Truth};
use crate::content::Unreadable;
use crate::identify::Who;
use crate::sampling::{AppConfig, Membership};
use crate::template::{Room, Values};
use serde_json::Value;
use std::collections::HashSet;

/// All rules, the strongest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules(Vec<Rule>);

#[derive(Debug, Clone)]
struct Rule {
    id: String,
    kind: Kind,
    block: bool,
    /// `true` if the rule applies to those who are not in its cohort.
    not_matching: bool,
    /// `true` if the rule also applies to requests of unknown callers.
    unidentified: bool,
    conditions: Conditions,
    variables: HashSet<String>,
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

/// The kind of a rule. A user's rule is stronger than a company's, which is stronger than one for
/// requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    User,
    Company,
    Request,
}

/// The effect of the rules on one request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) block: Option<Block>,
    /// A rule that blocks and may apply to the request, but depends on something that cannot be
    /// read.
    pub(crate) open: Option<(String, Unreadable)>,
    /// `true` if there is such a rule that only adds headers.
    pub(crate) open_headers: bool,
    /// Headers for the response of the rule or of the upstream. Each name occurs once.
    pub(crate) headers: Vec<(String, String)>,
}

/// The response in place of the upstream's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// The id of the rule.
    pub(crate) rule: String,
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) body: Vec<u8>,
}

/// Headers of a response that rules cannot set.
const NOT_THEIRS: [&str; 6] =
    ["connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade"];

impl Rules {
    /// Reads the list of rules. A malformed rule does not affect the others.
    ///
    /// # Errors
    /// [`Refused`], if the document is not a list, or takes more than its allowance.
    pub(crate) fn read(json: &[u8]) -> Result<Self, Refused> {
        let document: Value = serde_json::from_slice(json).map_err(|_| Refused::Malformed)?;
        let mut allowance = Allowance::default();
        let mut rules: Vec<(u64, Rule)> = Vec::new();
        for rule in document.as_array().ok_or(Refused::Malformed)? {
            rules.extend(Rule::read(rule, &mut allowance)?);
        }
        rules.sort_by_key(|(priority, rule)| (rule.kind, *priority));
        Ok(Self(rules.into_iter().map(|(_, rule)| rule).collect()))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the paths into a body that rules depend on.
    pub(crate) fn body_paths(&self) -> HashSet<&str> {
        self.0.iter().flat_map(|rule| rule.conditions.body_paths()).collect()
    }

    /// Applies all rules to a request.
    pub(crate) fn judge(&self, config: &AppConfig, who: &Who, facts: &Facts<'_>) -> Verdict {
        let mut verdict = Verdict::default();
        let mut named = HashSet::new();
        let room = Room::default();
        for rule in &self.0 {
            let (values, truth) = rule.applies(config, who, facts, &room);
            match truth {
                Truth::No => continue,
                Truth::Unknown(why) if rule.block => {
                    verdict.open.get_or_insert_with(|| (rule.id.clone(), why));
                    continue;
                }
                Truth::Unknown(_) => {
                    verdict.open_headers = true;
                    continue;
                }
                Truth::Yes => {}
            }
            for (name, text) in &rule.headers {
                if named.insert(name.to_ascii_lowercase()) {
                    let value = values.fill(text).chars().filter(|c| !c.is_control()).collect();
                    verdict.headers.push((name.clone(), value));
                }
            }
            if rule.block && verdict.block.is_none() {
                verdict.block = Some(rule.answer(&values));
            }
        }
        verdict
    }
}

impl Block {
    /// Returns the response to a request that the rule cannot judge.
    pub(crate) fn unreadable(rule: String, why: Unreadable) -> Self {
        let (status, message) = why.answer();
        let body = serde_json::json!({"message": message}).to_string().into_bytes();
        Self { rule, status, content_type: Some("application/json"), body }
    }
}

impl Rule {
    /// Reads a rule and its priority. Returns `None` if the rule is malformed.
    fn read(rule: &Value, allowance: &mut Allowance) -> Result<Option<(u64, Self)>, Refused> {
        let text = |name| rule.get(name).and_then(Value::as_str);
        let flag = |name| rule.get(name).and_then(Value::as_bool).unwrap_or(false);
        let kind = match text("type") {
            Some("user") => Kind::User,
            Some("company") => Kind::Company,
            Some("regex") => Kind::Request,
            _ => return Ok(None),
        };
        let Some(id) = text("_id") else { return Ok(None) };
        allowance.count()?;
        let response = rule.get("response");
        let part = |name| response.and_then(|response| response.get(name));
        let headers = part("headers").and_then(Value::as_object).into_iter().flatten();
        let variables = rule.get("variables").and_then(Value::as_array).into_iter().flatten();
        let status =
            part("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
        let read = Self {
            id: id.to_owned(),
            kind,
            block: flag("block"),
            not_matching: text("applied_to") == Some("not_matching"),
            unidentified: flag("applied_to_unidentified"),
            conditions: Conditions::read(rule.get("regex_config"), allowance)?,
            variables: variables
                .filter_map(|variable| Some(variable.get("name")?.as_str()?.to_owned()))
                .collect(),
            status: status.filter(|status| (200..600).contains(status)).unwrap_or(400),
            headers: headers
                .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
                .filter(|(name, _)| may_be_set(name))
                .collect(),
            body: part("body").filter(|body| !body.is_null()).cloned(),
        };
        let priority = rule.get("priority").and_then(Value::as_u64).unwrap_or(u64::MAX);
        Ok(Some((priority, read)))
    }

    /// Decides if the rule applies to the request, and finds the values of its variables.
    fn applies<'a>(
        &'a self,
        config: &'a AppConfig,
        who: &Who,
        facts: &Facts<'_>,
        room: &'a Room,
    ) -> (Values<'a>, Truth) {
        let cohorts: Option<&[Membership]> = match self.kind {
            Kind::User => who.user.as_ref().map(|id| config.cohorts_of_user(id)),
            Kind::Company => who.company.as_ref().map(|id| config.cohorts_of_company(id)),
            Kind::Request => None,
        };
        let membership = cohorts.and_then(|all| all.iter().find(|one| one.rule == self.id));
        let concerned = match (self.kind, cohorts) {
            (Kind::Request, _) => true,
            (_, None) => self.unidentified,
            (_, Some(_)) => membership.is_some() != self.not_matching,
        };
        let known = membership.map(|membership| &membership.values);
        let truth = if concerned { self.conditions.hold(facts) } else { Truth::No };
        (Values { declared: &self.variables, known, room }, truth)
    }

    fn answer(&self, values: &Values<'_>) -> Block {
        let (content_type, body) = match &self.body {
            None => (None, Vec::new()),
            Some(Value::String(text)) => {
                let text = values.fill(text);
                let kind =
                    if is_json(&text) { "application/json" } else { "text/plain; charset=utf-8" };
                (Some(kind), text.into_bytes())
            }
            Some(json) => {
                (Some("application/json"), values.fill_all(json).to_string().into_bytes())
            }
        };
        // A rule that declares the type of its body has precedence.
        let said = self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        let content_type = content_type.filter(|_| !said);
        Block { rule: self.id.clone(), status: self.status, content_type, body }
    }
}

/// Returns `true` for the name of a header that does not concern the connection.
fn may_be_set(name: &str) -> bool {
    let token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty()
        && name.bytes().all(token)
        && !NOT_THEIRS.iter().any(|own| name.eq_ignore_ascii_case(own))
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
