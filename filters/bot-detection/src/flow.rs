//! The decision about one request: it is refused, marked or reported if it comes from a bot.

use crate::agents::Verdict;
use crate::config::{Action, Config};
use exchange::{Edit, Occurrence, Reply, Request, Started, Step, Tally};

/// Judges a request that the gate admitted. `note` logs a message for the operator.
pub(crate) fn judge(config: &Config, request: &Request, note: fn(&str)) -> Started {
    let Some(agents) = &config.agents else { return Step::reply(Reply::unexpected()).into() };
    let verdict = match request.head.occurrence("user-agent") {
        Occurrence::None => Verdict::Unknown,
        Occurrence::One(user_agent) => agents.verdict(user_agent),
        Occurrence::Many(_) if config.action == Action::Deny => {
            let reply =
                Reply::error(400, "several_user_agents", "Only one User-Agent header allowed");
            return matched("duplicate", Step::reply(reply));
        }
        Occurrence::Many(_) => Verdict::Bot("duplicate".into()),
    };
    match verdict {
        Verdict::Unknown => Step::forward(Vec::new()).into(),
        Verdict::Allowed(rule) => matched(&rule, Step::forward(Vec::new())),
        Verdict::Bot(rule) => matched(&rule, act(config, &rule, note)),
    }
}

fn act(config: &Config, rule: &str, note: fn(&str)) -> Step {
    Step::forward(match config.action {
        Action::Deny => return Step::reply(Reply::error(403, "bot", "Forbidden")),
        Action::Tag => vec![Edit::set(config.tag_header.to_ascii_lowercase(), rule)],
        // Only the rule is logged, and nothing that the client has sent.
        Action::Log => {
            note(&format!("gatehouse_bot_detection: a bot by the rule {rule}"));
            Vec::new()
        }
    })
}

/// Takes `step` and counts that `rule` matched.
fn matched(rule: &str, step: Step) -> Started {
    Started::counted(step, vec![Tally::Count(format!("matched_{rule}").into(), 1)])
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
