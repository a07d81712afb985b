//! The order in which Kong's router tries routes. It has two, and each is a setting of Kong
//! (`router_flavor`).

use super::{Rule, covers};
use crate::convert::kong_file::KongFile;
use crate::convert::notes::Notes;
use crate::convert::route_name;
use crate::convert::values::{number, texts};
use serde_norway::Mapping;

/// The place of a rule in an order; the greatest is tried first.
type Rank = (usize, bool, usize, bool, u64, usize);

/// Puts the rules into the order of `traditional`, which Kong's documents describe.
pub(super) fn sort(rules: &mut [Rule<'_>]) {
    rules.sort_by_key(|rule| std::cmp::Reverse(traditional(rule)));
}

/// More kinds of conditions come first, exact hosts before wildcards, more headers, expressions by
/// their priority before prefixes, and long paths before short ones.
fn traditional(rule: &Rule<'_>) -> Rank {
    let Facts { kinds, plain_host, headers, is_expression, priority, length } = facts(rule);
    (kinds, plain_host, headers, is_expression, priority, length)
}

/// The order of `traditional_compatible` in Kong 3.9 (`kong/router/transform.lua`, measured on
/// 3.9.3): exact hosts and expressions count more than the number of kinds, up to three of these.
fn compatible(rule: &Rule<'_>) -> (bool, bool, bool, usize, usize, u64, usize) {
    let Facts { kinds, plain_host, headers, is_expression, priority, length } = facts(rule);
    let many = kinds > 3;
    (many, !many && plain_host, !many && is_expression, kinds, headers, priority, length)
}

struct Facts {
    kinds: usize,
    plain_host: bool,
    headers: usize,
    is_expression: bool,
    priority: u64,
    length: usize,
}

fn facts(rule: &Rule<'_>) -> Facts {
    let value = &rule.route.entity.value;
    let headers =
        value.get("headers").and_then(|headers| headers.as_mapping()).map_or(0, Mapping::len);
    let kinds = [
        !rule.hosts.is_empty(),
        rule.path.is_some(),
        !texts(value.get("methods")).is_empty(),
        headers > 0,
    ];
    let path = rule.path.as_deref().unwrap_or_default();
    let is_expression = path.starts_with('~');
    Facts {
        kinds: kinds.into_iter().filter(|kind| *kind).count(),
        plain_host: !rule.hosts.is_empty() && rule.hosts.iter().all(|host| !host.contains('*')),
        headers,
        is_expression,
        priority: if is_expression { number(value, "regex_priority", 0) } else { 0 },
        length: if is_expression { 0 } else { path.len() },
    }
}

/// Tells which routes Kong 3 tries in another order, unless it was told `traditional`.
pub(super) fn tell(file: &KongFile, rules: &[Rule<'_>], notes: &mut Notes) {
    if !file.version.starts_with('3') {
        return;
    }
    for (place, first) in rules.iter().enumerate() {
        for second in rules.iter().skip(place) {
            if compatible(second) > compatible(first) && meet(first, second) {
                let how = format!(
                    "Kong 3's default router (traditional_compatible) tries this route before {}. The new file tries {0} \
                     first, as Kong does with `router_flavor = traditional`",
                    route_name(file, first.number)
                );
                notes.differs(&second.route.entity.place, how);
            }
        }
    }
}

/// Returns `true` if a request may fit both, as far as hosts, methods and plain paths tell.
fn meet(one: &Rule<'_>, other: &Rule<'_>) -> bool {
    let share = |name: &str| {
        let of = |rule: &Rule<'_>| texts(rule.route.entity.value.get(name));
        let (one, other) = (of(one), of(other));
        one.is_empty() || other.is_empty() || one.iter().any(|value| other.contains(value))
    };
    let hosts = one.hosts.is_empty()
        || other.hosts.is_empty()
        || one
            .hosts
            .iter()
            .any(|host| other.hosts.iter().any(|other| covers(host, other) || covers(other, host)));
    let paths = match (one.path.as_deref(), other.path.as_deref()) {
        (Some(one), Some(other)) if !one.starts_with('~') && !other.starts_with('~') => {
            one.starts_with(other) || other.starts_with(one)
        }
        _ => true,
    };
    one.number != other.number && hosts && paths && share("methods")
}
