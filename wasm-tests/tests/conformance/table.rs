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
    /// `true` if the suite looks at some headers only. Only what a case names is compared then.
    #[serde(default)]
    pub named: bool,
    /// What a request met: parts of a declarative configuration of Kong (plugins and consumers),
    /// or a list of filters with their settings.
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
    /// A call of `fetch` in a page of another origin.
    Fetch(Box<Fetched>),
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
    /// The headers that the client got. In a table with `named`, `null` is a header that the
    /// client did not get.
    #[serde(default)]
    pub r: BTreeMap<String, Value>,
    /// The cookies that the client got, by their names.
    #[serde(default)]
    pub cookies: BTreeMap<String, Cookie>,
    /// `true` if the client sends the cookies that it got.
    #[serde(default)]
    pub jar: bool,
}

/// What a suite says about a cookie.
#[derive(Debug, Deserialize)]
pub struct Cookie {
    /// `true` if it has a value; `false` if it was not set, or was set to nothing.
    pub value: bool,
    /// Attributes that it has.
    #[serde(default)]
    pub has: Vec<String>,
    /// Attributes that it does not have.
    #[serde(default)]
    pub lacks: Vec<String>,
}

/// A call of `fetch` in a page of another origin, and whether the page may have the response.
#[derive(Debug, Deserialize)]
pub struct Fetched {
    /// The method.
    pub fetch: String,
    /// The number of the chain that the requests met.
    pub chain: usize,
    /// The origin of the page.
    pub origin: String,
    /// `true` if the page asks for credentials.
    #[serde(default)]
    pub credentials: bool,
    /// The headers that the page adds.
    #[serde(default)]
    pub h: BTreeMap<String, String>,
    /// The names of the headers that a browser has to ask for.
    #[serde(default)]
    pub ask: Vec<String>,
    /// `true` if the page gets the response.
    pub ok: bool,
    /// The headers of the upstream's own responses.
    #[serde(default)]
    pub up: BTreeMap<String, String>,
    /// The status of the upstream's response to a preflight that reaches it.
    pub preflight: Option<u16>,
    /// Whether the page may read these headers of the response.
    #[serde(default)]
    pub reads: BTreeMap<String, bool>,
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
        let mut table: Value = serde_json::from_str(&text).expect("JSON");
        if let Some(Value::Object(words)) = table.get_mut("words").map(Value::take) {
            with_words(&mut table, &words);
        }
        let table = Table::deserialize(table).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, table)
    };
    names.into_iter().map(read).collect()
}

/// Writes out the words of a table, which are in braces where they are used.
fn with_words(value: &mut Value, words: &serde_json::Map<String, Value>) {
    match value {
        Value::String(text) => {
            for (word, meaning) in words {
                let meaning = meaning.as_str().expect("a text");
                *text = text.replace(&format!("{{{word}}}"), meaning);
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| with_words(one, words)),
        Value::Object(all) => all.values_mut().for_each(|one| with_words(one, words)),
        _ => {}
    }
}
