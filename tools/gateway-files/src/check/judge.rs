//! Asks a filter about its settings.

use super::report::{Level, Part};
use super::{Environment, Found, Gateway, Handed};
use runtime::Capabilities;
use std::cell::RefCell;
use std::collections::BTreeSet;

/// Adds to the report what the filter says.
pub(super) fn judge(found: &Found, environment: Environment<'_>, part: &mut Part<'_>) {
    part.report.filters += 1;
    let name = found.filter.name;
    let unset = RefCell::new(BTreeSet::<String>::new());
    let not_handed = RefCell::new(BTreeSet::<String>::new());
    let env = |variable: &str| {
        let own = || {
            let value = (environment.get)(variable);
            if value.is_none() {
                unset.borrow_mut().insert(variable.to_owned());
            }
            value
        };
        match &found.handed {
            Handed::All => own(),
            Handed::Some(list, _) => match list.iter().find(|(known, _)| known == variable) {
                Some((_, Some(value))) => Some(value.clone()),
                Some((_, None)) => own(),
                None => {
                    not_handed.borrow_mut().insert(variable.to_owned());
                    None
                }
            },
        }
    };
    let able = capabilities(found.gateway);
    let mut result = (found.filter.check_on)(&found.settings, &env, able);
    let missing = unset.borrow().clone();
    if result.is_err() && !environment.complete && !missing.is_empty() {
        // The rest of the settings is judged as if every variable held something.
        let with_values = |variable: &str| {
            let is_unset = missing.contains(variable);
            env(variable).or_else(|| is_unset.then(|| format!("stand-in-for-{variable}")))
        };
        result = (found.filter.check_on)(&found.settings, &with_values, able);
    }
    let is_about = |message: &str, variable: &String| message.contains(&format!("`{variable}`"));
    // A key that a variable would hold is missing elsewhere too.
    let mut key_is_unknown = false;
    match result {
        Ok(warnings) => {
            for warning in warnings {
                part.add(Level::Warning, &found.place, Some(name), warning);
            }
        }
        Err(invalid) => {
            for problem in invalid.problems() {
                let place = found.place.below(&problem.path);
                let message = problem.message.as_str();
                if missing.iter().any(|variable| is_about(message, variable)) {
                    key_is_unknown = true;
                    if environment.complete {
                        part.add(Level::Error, &place, Some(name), message);
                    }
                    continue;
                }
                let follows = problem.path == "x5c" || problem.path.starts_with("private_keys[");
                if key_is_unknown && follows && message.starts_with("found") {
                    continue;
                }
                let not_handed = not_handed.borrow();
                let variable = not_handed.iter().find(|variable| is_about(message, variable));
                let message = match (variable, &found.handed) {
                    (Some(variable), Handed::Some(_, where_to)) => {
                        format!("{message}: add `{variable}` to {where_to}")
                    }
                    _ => format!("{message}{}", advice(&problem.path, message, name)),
                };
                part.add(Level::Error, &place, Some(name), message);
            }
        }
    }
    if !environment.complete {
        for variable in missing {
            part.misses(variable, &found.place, name);
        }
    }
}

/// The abilities of the newest version of each gateway that runs filters.
pub(crate) fn capabilities(gateway: Gateway) -> Capabilities {
    match gateway {
        Gateway::Kong => Capabilities {
            known: true,
            settled: true,
            needs_zone: true,
            calls_addresses: true,
            has_plugins: true,
            can_park: true,
            calls_in_parallel: true,
            sends_interim_replies: true,
            has_metrics: true,
            ..Capabilities::default()
        },
        Gateway::Envoy => Capabilities {
            known: true,
            settled: true,
            rejects_safely: true,
            can_park: true,
            can_wake: true,
            can_hold_responses: true,
            calls_in_parallel: true,
            pauses_for_body: true,
            has_signatures: true,
            has_metrics: true,
            ..Capabilities::default()
        },
    }
}

/// Returns what to do: the setting that was probably meant, or the document to read.
fn advice(path: &str, message: &str, filter: &str) -> String {
    let suggestion = message.rsplit_once("expected one of ").and_then(|(found, list)| {
        let wrong = match found.split('"').nth(1) {
            Some(value) => value,
            None => path.rsplit('.').next()?,
        };
        nearest(wrong, list.split('`').skip(1).step_by(2))
    });
    match suggestion {
        Some(name) => format!(". Did you mean `{name}`?"),
        None => format!(" (see filters/{}/README.md)", filter.replace('_', "-")),
    }
}

/// Returns the setting of `known` that `name` is probably a misspelling of.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|other| (distance(name, other), other))
        .filter(|(far, _)| *far <= 2)
        .min()
        .map(|(_, other)| other)
}

/// Returns the number of letters to add, remove or change to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let above = row[j + 1];
            row[j + 1] = (diagonal + usize::from(x != *y)).min(above + 1).min(row[j] + 1);
            diagonal = above;
        }
    }
    row[b.len()]
}
