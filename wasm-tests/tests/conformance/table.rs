//! The tables: what a suite asks, and what the gateway of that suite answered.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// The cases of one file of a suite.
#[derive(Debug, Deserialize)]
pub struct Table {
    /// The file that the cases come from, in its repository.
    pub file: String,
    /// The plugins and consumers that a request met: parts of a declarative configuration of Kong.
    #[serde(default)]
    pub chains: Vec<Value>,
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// One test of a suite.
#[derive(Debug, Deserialize)]
pub struct Case {
    /// The test's name in its file.
    pub test: String,
    /// Why no answer could be recorded.
    #[serde(rename = "not")]
    pub not_recorded: Option<String>,
    /// The time of the first request, in milliseconds since 1970.
    #[serde(default)]
    pub at: u64,
    /// What the test asks, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// A question and its answer.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// A configuration of a plugin, which is accepted or refused.
    Settings { plugin: String, config: Value, ok: bool },
    /// A call of Kong's Admin API.
    Admin {
        #[serde(rename = "admin")]
        _call: String,
    },
    /// A request without an answer.
    Silent { error: String },
    /// A request and its answer.
    Request(Box<Asked>),
}

/// A request, and what became of it.
#[derive(Debug, Deserialize)]
pub struct Asked {
    /// The time since the first request of the case, in milliseconds.
    #[serde(default)]
    pub t: u64,
    /// The method and the target.
    pub q: String,
    /// The number of the chain that the request met. Without it, no route took the request.
    pub chain: Option<usize>,
    /// The headers; one with several values is a list.
    #[serde(default)]
    pub h: BTreeMap<String, Value>,
    /// The body.
    pub b: Option<Value>,
    /// The client's address, if it is not that of the machine itself.
    pub ip: Option<String>,
    /// `true` if the request came over TLS.
    #[serde(default)]
    pub tls: bool,
    /// The status that the client got.
    pub s: u16,
    /// The status of the upstream, if the request reached it.
    pub up: Option<Value>,
    /// What differs in the request as the upstream got it, if it told.
    pub u: Option<Upstream>,
    /// The body of an answer of the gateway itself.
    pub m: Option<Value>,
    /// The headers that the client got.
    #[serde(default)]
    pub r: BTreeMap<String, Value>,
}

/// How the request at the upstream differs from the client's.
#[derive(Debug, Deserialize)]
pub struct Upstream {
    /// The method and the target.
    pub q: Option<String>,
    /// The headers that were added or have another value.
    #[serde(rename = "+", default)]
    pub added: BTreeMap<String, Value>,
    /// The headers that were removed.
    #[serde(rename = "-", default)]
    pub removed: Vec<String>,
    /// The `Host`, if a plugin has set it.
    pub host: Option<String>,
    /// The body, if it is another one.
    pub b: Option<String>,
}

impl Asked {
    /// Returns the method and the target.
    pub fn line(&self) -> (&str, &str) {
        self.q.split_once(' ').expect("a method and a target")
    }

    /// Returns the headers of the client, several of one name as they were sent.
    pub fn headers(&self) -> Vec<(String, String)> {
        self.h.iter().flat_map(|(name, value)| values(name, value)).collect()
    }

    /// Returns the bytes of the body.
    pub fn body(&self) -> Option<Vec<u8>> {
        use base64::Engine;
        match self.b.as_ref()? {
            Value::String(text) => Some(text.clone().into_bytes()),
            coded => {
                let coded = coded["base64"].as_str().expect("a text or base64");
                Some(base64::engine::general_purpose::STANDARD.decode(coded).expect("base64"))
            }
        }
    }
}

/// Returns a header of a table as names and values.
pub fn values(name: &str, value: &Value) -> Vec<(String, String)> {
    let one = |value: &Value| match value {
        Value::String(text) => (name.to_owned(), text.clone()),
        other => (name.to_owned(), other.to_string()),
    };
    match value {
        Value::Array(all) => all.iter().map(one).collect(),
        value => vec![one(value)],
    }
}

/// Reads every table of a folder beside this file, by the names of the files.
pub fn tables(folder: &str) -> Vec<(String, Table)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(folder);
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the tables")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .collect();
    names.sort();
    let read = |name: String| {
        let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).expect("a table");
        let table = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, table)
    };
    names.into_iter().map(read).collect()
}
