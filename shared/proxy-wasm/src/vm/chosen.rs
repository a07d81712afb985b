//! Chooses the filter that a configuration is for, where a module holds several.

use crate::abi::Status;
use crate::host::Host;
use runtime::Definition;

/// The longest `root_id` that a message repeats, in characters.
const LONGEST: usize = 64;

/// Returns the filter that a configuration is for: the only one that the module holds, or the one
/// that Envoy's `root_id` names.
///
/// A `root_id` is a filter's name (`key_auth`). `gatehouse_` may stand before it, and `/` with any
/// text of the operator's behind it (`key_auth/portal`). The closure `root_id` reads it. It is
/// called on Envoy only: Kong's root ids are numbers without a meaning, and a root context there
/// must not read properties.
///
/// # Errors
/// The message to an operator, with what was found and what is expected.
pub(super) fn chosen(
    held: &[Definition],
    host: Host,
    root_id: impl FnOnce() -> Result<Vec<u8>, Status>,
) -> Result<Definition, String> {
    if let [only] = held {
        return Ok(*only);
    }
    if host != Host::Envoy {
        return Err(elsewhere().to_owned());
    }
    let root_id = root_id().unwrap_or_default();
    let root_id = String::from_utf8_lossy(&root_id);
    let name = root_id.strip_prefix("gatehouse_").unwrap_or(&root_id);
    let name = name.split_once('/').map_or(name, |(name, _)| name);
    let named = held.iter().find(|definition| definition.name() == name);
    named.copied().ok_or_else(|| unknown(held, &root_id))
}

/// The message about a host that is not Envoy.
fn elsewhere() -> &'static str {
    "gatehouse: found Kong, expected Envoy: Kong cannot choose among the filters of one module, so every request is \
     refused. Load the filters' own files (gatehouse_key_auth.wasm and so on) in place of this one"
}

/// The message about a `root_id` that names no filter.
fn unknown(held: &[Definition], root_id: &str) -> String {
    let names: Vec<&str> = held.iter().map(Definition::name).collect();
    let found: String = root_id.chars().take(LONGEST).collect();
    format!(
        "gatehouse: root_id: found {found:?}, expected the name of a filter, with or without `/` and a text of \
         your own: {}",
        names.join(", ")
    )
}

#[cfg(test)]
#[path = "chosen_tests.rs"]
mod tests;
