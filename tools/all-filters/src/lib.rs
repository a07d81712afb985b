//! The one list of all filters. Tools and tests that treat all filters alike take them from here.
//!
//! A filter joins with a line in `filters!` and one among the dependencies in this crate's
//! `Cargo.toml`. The crate is not below `filters/`, where every folder is a filter, and no filter
//! depends on it, so that the build of a single filter compiles no other one.

use runtime::{Capabilities, Definition, Filter};
use serde_json::{Value, json};
use settings::{Env, Invalid};

/// Makes two lists of one: [`FILTERS`] for tools, and [`DEFINITIONS`] for the module that holds all
/// filters, which has no use for schemas.
macro_rules! filters {
    ($($filter:ty),* $(,)?) => {
        /// Every filter, in the order of the names.
        pub const FILTERS: &[Entry] = &[$(Entry::of::<$filter>()),*];

        /// Every filter as the runtime knows it, in the order of the names.
        pub const DEFINITIONS: &[Definition] = &[$(Definition::of::<$filter>()),*];
    };
}

filters![
    gatehouse_app_id::AppId,
    gatehouse_bot_detection::BotDetection,
    gatehouse_cors::Cors,
    gatehouse_ip_restriction::IpRestriction,
    gatehouse_jwt_auth::JwtAuth,
    gatehouse_key_auth::KeyAuth,
    gatehouse_moesif::Moesif,
    gatehouse_rate_limiting::RateLimiting,
    gatehouse_request_termination::RequestTermination,
    gatehouse_request_transformer::RequestTransformer,
    gatehouse_session::Session,
    gatehouse_upstream_jwt::UpstreamJwt,
];

/// A function that checks a document of settings, in an environment and on a gateway.
pub type CheckOn = fn(&[u8], Env<'_>, Capabilities) -> Result<Vec<String>, Invalid>;

/// One filter, with its type erased.
#[derive(Debug)]
pub struct Entry {
    /// The filter's name, such as `key_auth`.
    pub name: &'static str,
    /// The number that tells the filters' entries in shared data apart.
    pub id: u8,
    /// Returns the content of the filter's `.meta.json`.
    pub meta: fn() -> Value,
    /// Checks a document of settings as the filter does.
    ///
    /// # Errors
    /// [`Invalid`], with every problem of the document and its path.
    pub check: fn(&[u8], Env<'_>) -> Result<(), Invalid>,
    /// Checks a document of settings as the filter does on a gateway with these abilities. Returns
    /// what the filter would log about settings that work.
    ///
    /// # Errors
    /// [`Invalid`], with every problem of the document, or with the first setting that does not
    /// work on the gateway.
    pub check_on: CheckOn,
}

impl Entry {
    const fn of<F: Filter>() -> Self {
        Self {
            name: F::NAME,
            id: F::ID,
            meta: described::<F>,
            check: |document, env| settings::read(document, env, F::settings).map(drop),
            check_on: runtime::check::<F>,
        }
    }
}

/// The labels that Kong's Prometheus plugin takes out of the names of metrics: each with a regular
/// expression, whose first group leaves the name, and whose second one is the label's value. Envoy
/// has them in its `stats_config`.
const LABELS: [(&str, &str); 3] = [
    ("status", "_refused(_([0-9]+))$"),
    ("rule", "bot_detection_matched(_([a-z0-9_]+))$"),
    ("reason", "moesif_dropped(_([a-z_]+))$"),
];

fn described<F: Filter>() -> Value {
    let (_, mut meta) = runtime::meta::<F>();
    let labels = LABELS.map(|(label, pattern)| json!({ "label": label, "pattern": pattern }));
    meta["metrics"] = json!({ "label_patterns": labels });
    meta
}

/// Finds a filter by its name.
#[must_use]
pub fn named(name: &str) -> Option<&'static Entry> {
    FILTERS.iter().find(|filter| filter.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    fn workspace() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
    }

    fn text(path: &str) -> String {
        std::fs::read_to_string(workspace().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    #[test]
    fn every_folder_below_filters_is_in_the_list_and_the_list_has_no_other() {
        let entries = std::fs::read_dir(workspace().join("filters")).unwrap();
        let folders = entries.map(|entry| entry.unwrap().path());
        let crates = folders.filter(|folder| folder.join("Cargo.toml").exists());
        let mut names: Vec<String> = crates
            .map(|folder| folder.file_name().unwrap().to_str().unwrap().replace('-', "_"))
            .collect();
        names.sort();
        let listed: Vec<&str> = FILTERS.iter().map(|filter| filter.name).collect();
        assert_eq!(listed, names, "add the filter to `filters!`, in the order of the names");
    }

    #[test]
    fn no_two_filters_have_one_id() {
        let ids: BTreeSet<u8> = FILTERS.iter().map(|filter| filter.id).collect();
        assert_eq!(ids.len(), FILTERS.len(), "`ID` in src/filter.rs tells entries apart");
    }

    #[test]
    fn the_lists_for_readers_name_every_filter_with_its_readme() {
        for name in FILTERS.iter().map(|filter| filter.name) {
            let folder = name.replace('_', "-");
            assert!(text(&format!("filters/{folder}/README.md")).starts_with("# "), "{name}");
            for (list, link) in [
                ("README.md", format!("[{name}](filters/{folder}/README.md)")),
                ("filters/README.md", format!("[{name}]({folder}/README.md)")),
            ] {
                assert!(text(list).contains(&link), "{list} has no {link}");
            }
        }
    }
}
