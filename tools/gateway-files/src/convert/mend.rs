//! Settings that a filter would refuse, and what is left of them.

use super::Target;
use super::notes::Notes;
use super::secrets::Secrets;
use super::values::{json, list, put};
use crate::check::capabilities;
use crate::documents::Place;
use serde_norway::{Mapping, Value};

/// The verdict of a filter on its settings once they are mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Accepted,
    Refused,
}

/// The greatest number of settings that are left out of one filter.
const MOST: usize = 100;

/// Lists of which the filters take an empty one for no restriction, each with the one item that
/// stands in where nothing is left of the old list: an origin that nobody has (RFC 6761, section
/// 6.4), a header that nobody sends. Without such an item, there is no filter.
const EMPTY_IS_ALL: [(&str, &str, Option<&str>); 5] = [
    ("cors", "origins", Some("https://not-carried-over.invalid")),
    ("cors", "headers", Some("x-gatehouse-not-carried-over")),
    ("cors", "methods", None),
    ("ip_restriction", "allow", None),
    ("jwt_auth", "claims_to_verify", None),
];

/// Leaves out the settings that the filter refuses, and tells each with the filter's own words.
pub(super) fn mend(
    filter: &str,
    config: &mut Mapping,
    to: Target,
    secrets: &Secrets,
    place: &Place,
    notes: &mut Notes,
) -> Verdict {
    let Some(entry) = all_filters::named(filter) else { return Verdict::Refused };
    let able = capabilities(to.gateway());
    for _ in 0..MOST {
        let missing = std::cell::RefCell::new(Vec::new());
        let env = |name: &str| {
            secrets.value(name).or_else(|| {
                missing.borrow_mut().push(name.to_owned());
                Some(format!("stand-in-for-{name}"))
            })
        };
        let Err(invalid) = (entry.check_on)(&json(config), &env, able) else {
            return Verdict::Accepted;
        };
        let missing = missing.into_inner();
        let unknown =
            |message: &str| missing.iter().any(|name| message.contains(&format!("`{name}`")));
        let follows = invalid.problems().iter().any(|problem| unknown(&problem.message));
        let mut real = invalid.problems().iter().filter(|problem| {
            !(unknown(&problem.message) || follows && problem.path.starts_with("x5c"))
        });
        let Some(problem) = real.next() else { return Verdict::Accepted };
        notes.lost(&place.below(&problem.path), format!("gatehouse_{filter}: {}", problem.message));
        if !remove(config, &problem.path)
            || !stays_closed(filter, config, &problem.path, place, notes)
        {
            return Verdict::Refused;
        }
    }
    Verdict::Refused
}

/// Sees to it that what was left out at `path` does not lift a restriction as a whole. Returns
/// `false` if it would.
fn stays_closed(
    filter: &str,
    config: &mut Mapping,
    path: &str,
    place: &Place,
    notes: &mut Notes,
) -> bool {
    let name = path.split(['.', '[']).next().unwrap_or_default();
    let Some((.., stand_in)) =
        EMPTY_IS_ALL.iter().find(|(of, list, _)| (*of, *list) == (filter, name))
    else {
        return true;
    };
    if config.get(name).and_then(Value::as_sequence).is_some_and(|items| !items.is_empty()) {
        return true;
    }
    let Some(stand_in) = stand_in else { return false };
    put(config, name, list(&[(*stand_in).to_owned()]));
    let how = format!("nothing is left of `{name}`, and {stand_in} stands in, which nobody has");
    notes.lost(&place.member(name), how);
    true
}

/// Takes the setting at `path` out. Returns `false` if there is none.
fn remove(config: &mut Mapping, path: &str) -> bool {
    let steps: Vec<&str> = path.split(['.', '[', ']']).filter(|step| !step.is_empty()).collect();
    let Some((last, before)) = steps.split_last() else { return false };
    let Some((first, rest)) = before.split_first() else {
        return config.shift_remove(*last).is_some();
    };
    let Some(mut value) = config.get_mut(*first) else { return false };
    for step in rest {
        let inner = match value {
            Value::Mapping(map) => map.get_mut(*step),
            Value::Sequence(list) => step.parse::<usize>().ok().and_then(|n| list.get_mut(n)),
            _ => None,
        };
        let Some(inner) = inner else { return false };
        value = inner;
    }
    match value {
        Value::Mapping(map) => map.shift_remove(*last).is_some(),
        Value::Sequence(list) => match last.parse::<usize>() {
            Ok(number) if number < list.len() => {
                list.remove(number);
                true
            }
            _ => false,
        },
        _ => false,
    }
}
