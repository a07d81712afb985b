//! The verdict of each filter on its settings in a file for Kong, Envoy, Istio or Envoy Gateway.

mod envoy;
mod judge;
mod kong;
mod kubernetes;
mod report;

pub(crate) use self::judge::capabilities;
pub use self::report::{Finding, Level, Report};

use crate::documents::{self, Place};
use serde_norway::Value;

/// The gateway that a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gateway {
    /// Kong 3.5 to 3.10.
    Kong,
    /// Envoy, which Istio and Envoy Gateway use too.
    Envoy,
}

/// The environment of the gateway, as far as it is known.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Looks up a variable.
    pub get: &'a dyn Fn(&str) -> Option<String>,
    /// `true` if this is the gateway's whole environment: a variable that is not set is then an
    /// error, and otherwise a warning.
    pub complete: bool,
}

/// The settings of one filter, as a file has them.
struct Found {
    gateway: Gateway,
    place: Place,
    filter: &'static all_filters::Entry,
    /// The document of settings, in a form that the gateway would deliver.
    settings: Vec<u8>,
    handed: Handed,
}

/// The variables of the environment that a gateway hands to the filter.
enum Handed {
    /// All of them, as far as the file says.
    All,
    /// These ones: a value, or `None` for the value that the gateway's own environment has. The
    /// text says where a missing one is added.
    Some(Vec<(String, Option<String>)>, &'static str),
}

/// Checks the file `text`.
///
/// # Errors
/// A message, if the file cannot be read or is for none of these gateways.
pub fn check(text: &str, environment: Environment<'_>) -> Result<Report, String> {
    let documents = documents::read(text)?;
    let mut report = Report::default();
    let several = documents.len() > 1;
    let mut known = false;
    for (number, document) in documents.iter().enumerate() {
        let label = several.then(|| format!("document {}", number + 1));
        let mut into = report::Part { report: &mut report, label };
        let reader = reader_of(document);
        known |= reader.is_some();
        let Some(reader) = reader else { continue };
        for found in reader(document, &mut into) {
            judge::judge(&found, environment, &mut into);
        }
    }
    if !known {
        return Err(
            "found no file of Kong, Envoy, Istio or Envoy Gateway, expected `_format_version`, \
                    `static_resources`, `resources`, a Wasm filter, or a Kubernetes resource"
                .to_owned(),
        );
    }
    report.tell_unset();
    Ok(report)
}

type Reader = fn(&Value, &mut report::Part<'_>) -> Vec<Found>;

/// Returns the function that finds the filters of a document.
fn reader_of(document: &Value) -> Option<Reader> {
    let has = |name| document.get(name).is_some();
    if has("apiVersion") && has("kind") {
        return Some(kubernetes::filters);
    }
    let kong = ["_format_version", "services", "routes", "filter_chains", "plugins", "consumers"];
    if kong.into_iter().any(has) {
        return Some(kong::filters);
    }
    let envoy = ["static_resources", "staticResources", "resources", "dynamic_resources"];
    let types = |document: &Value| document.get("@type").is_some();
    if envoy.into_iter().any(has) || types(document) || envoy::has_filters(document) {
        return Some(envoy::filters);
    }
    None
}

/// Finds the filter of a configuration. `module` is the file or the image that it runs, such as
/// `filters/gatehouse_key_auth.wasm` or `oci://…/gatehouse/key_auth:0.1.0`, `root` the name of its
/// root context, and `others` are the names that the gateway's file gives it.
///
/// The root context chooses the filter in the module that holds all of them, and only there.
fn filter_of(module: Option<&str>, root: Option<&str>, others: &[Option<&str>]) -> Named {
    let chosen = root.map(|root| {
        let root = root.strip_prefix("gatehouse_").unwrap_or(root);
        root.split('/').next().unwrap_or_default()
    });
    if module.is_some_and(|module| word(module) == "gatehouse") {
        return chosen.and_then(all_filters::named).map_or(Named::Unknown, Named::Filter);
    }
    let mut ours = false;
    for name in [module].iter().chain(others).flatten() {
        ours |= name.contains("gatehouse");
        if let (true, Some(entry)) = (ours, all_filters::named(&word(name))) {
            return Named::Filter(entry);
        }
    }
    match chosen.and_then(all_filters::named) {
        Some(entry) if ours => Named::Filter(entry),
        _ if ours => Named::Unknown,
        _ => Named::Foreign,
    }
}

/// Returns the word of a name that tells filters apart: without folders, version and ending, and
/// without `gatehouse_` before it.
fn word(name: &str) -> String {
    let last = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let word = last.split(['@', ':']).next().unwrap_or_default();
    let word = word.strip_suffix(".wasm").unwrap_or(word).replace('-', "_");
    word.strip_prefix("gatehouse_").map(str::to_owned).unwrap_or(word)
}

enum Named {
    Filter(&'static all_filters::Entry),
    /// One of Gatehouse's modules, but it is not clear which filter.
    Unknown,
    /// Somebody else's.
    Foreign,
}

#[cfg(test)]
mod tests;
