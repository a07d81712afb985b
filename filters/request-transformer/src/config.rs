//! The settings of the filter.

use crate::changes::Changes;
use crate::operand::{Capture, Operand};
use crate::template::Template;
use consumer::IDENTITY_HEADERS;
use exchange::{percent_decode, same_name};
use regex::bytes::{Regex, RegexBuilder};
use settings::{Common, Fields, Rule};

/// Settings that passed every check.
#[derive(Debug)]
pub struct Config {
    pub(crate) common: Common,
    pub(crate) method: Option<String>,
    pub(crate) uri: Option<Template>,
    pub(crate) uri_pattern: Option<Regex>,
    pub(crate) headers: Changes,
    pub(crate) query: Changes,
    pub(crate) body: Changes,
    pub(crate) uses_claims: bool,
    /// `true` if a template uses a parameter of the query.
    uses_query: bool,
    /// `true` if a template names the consumer or its credential.
    pub(crate) uses_identity: bool,
    /// `true` to refuse a request whose body cannot be changed.
    pub(crate) refuses_unreadable: bool,
}

/// One kind of change, for each part of a request.
#[derive(Default)]
struct Lists<T> {
    headers: Vec<T>,
    querystring: Vec<T>,
    body: Vec<T>,
}

type Pair = (String, String);
type Valued = (String, Template);

impl Config {
    pub(crate) fn read(f: &mut Fields<'_>) -> Self {
        let common = Common::identified(f).alone(f);
        let method = f.text("http_method", Rule::METHOD);
        f.check(
            method.as_deref() != Some("CONNECT"),
            "http_method",
            "found CONNECT, expected a method that makes no tunnel",
        );
        let uri_pattern = f.text("uri_pattern", Rule::TEXT);
        let uri_pattern = uri_pattern.and_then(|text| pattern(f, &text));
        let mut read = Read {
            pattern: uri_pattern.clone(),
            uses_claims: false,
            uses_query: false,
            uses_identity: false,
        };

        let remove = f.object("remove", |f| Lists {
            headers: names(f, "headers", Rule::HEADER_NAME, true),
            querystring: names(f, "querystring", NAME, false),
            body: names(f, "body", NAME, false),
        });
        let rename = f.object("rename", |f| Lists {
            headers: renamed(f, "headers", HEADERS_TO_HEADERS),
            querystring: renamed(f, "querystring", PAIR),
            body: renamed(f, "body", PAIR),
        });
        let mut uri = None;
        let replace = f.object("replace", |f| {
            uri = read.uri(f);
            read.lists(f)
        });
        let add = f.object("add", |f| read.lists(f));
        let append = f.object("append", |f| read.lists(f));

        let unreadable = f.choice("unreadable_body", &[("refuse", true), ("pass", false)]);

        let (remove, rename) = (remove.unwrap_or_default(), rename.unwrap_or_default());
        let (replace, add) = (replace.unwrap_or_default(), add.unwrap_or_default());
        let append = append.unwrap_or_default();
        let body = Changes {
            remove: remove.body,
            rename: rename.body,
            replace: replace.body,
            add: add.body,
            append: append.body,
        };
        Self {
            common,
            method,
            uri,
            uri_pattern,
            headers: Changes {
                remove: remove.headers,
                rename: rename.headers,
                replace: replace.headers,
                add: add.headers,
                append: append.headers,
            },
            query: Changes {
                remove: remove.querystring,
                rename: rename.querystring,
                replace: replace.querystring,
                add: add.querystring,
                append: append.querystring,
            },
            refuses_unreadable: unreadable.unwrap_or_else(|| body.protect()),
            body,
            uses_claims: read.uses_claims,
            uses_query: read.uses_query,
            uses_identity: read.uses_identity,
        }
    }

    /// Returns the name of the first setting that changes bodies.
    pub(crate) fn body_setting(&self) -> &'static str {
        let Changes { remove, rename, replace, add, .. } = &self.body;
        let lists = [
            (!remove.is_empty(), "remove.body"),
            (!rename.is_empty(), "rename.body"),
            (!replace.is_empty(), "replace.body"),
            (!add.is_empty(), "add.body"),
        ];
        lists.iter().find(|(there, _)| *there).map_or("append.body", |(_, name)| *name)
    }

    /// Returns `true` if the query of a request is read or changed. A new path is written with it.
    pub(crate) fn reads_query(&self) -> bool {
        self.uses_query || self.uri.is_some() || !self.query.is_empty() || self.moves_forms()
    }

    /// Returns `true` if a request without a body may get one because of its new method.
    pub(crate) fn gives_bodies(&self) -> bool {
        matches!(self.method.as_deref(), Some("POST" | "PUT" | "PATCH"))
            && self.body.make_something_of_nothing()
    }

    /// Returns `true` if a form in the body becomes part of the query, because the new method has
    /// no body.
    pub(crate) fn moves_forms(&self) -> bool {
        matches!(self.method.as_deref(), Some("GET" | "HEAD" | "TRACE"))
    }
}

/// Reads values with templates, and records what they need.
struct Read {
    pattern: Option<Regex>,
    uses_claims: bool,
    uses_query: bool,
    uses_identity: bool,
}

impl Read {
    fn lists(&mut self, f: &mut Fields<'_>) -> Lists<Valued> {
        Lists {
            headers: self.valued(f, "headers", HEADER_PAIR, true),
            querystring: self.valued(f, "querystring", PAIR, false),
            body: self.valued(f, "body", PAIR, false),
        }
    }

    fn valued(
        &mut self,
        f: &mut Fields<'_>,
        list: &'static str,
        rule: Rule,
        of_headers: bool,
    ) -> Vec<Valued> {
        let mut all = Vec::new();
        for (n, text) in f.texts(list, rule).unwrap_or_default().into_iter().enumerate() {
            let at = format!("{list}[{n}]");
            let Some((name, value)) = pair(&text) else { continue };
            if of_headers {
                owned(f, &at, name, true);
            }
            if let Some(template) = self.template(f, &at, value) {
                all.push((name.to_owned(), template));
            }
        }
        all
    }

    fn uri(&mut self, f: &mut Fields<'_>) -> Option<Template> {
        let text = f.text("uri", Rule::PATH)?;
        let template = self.template(f, "uri", &text)?;
        // The content of a placeholder is known only at the request, and is checked then.
        let whole = template.operands().next().is_none();
        let dots =
            |segment: &str| matches!(percent_decode(segment.as_bytes()).as_slice(), b"." | b"..");
        f.check(
            !whole || !(text.starts_with("//") || text.split('/').any(dots)),
            "uri",
            "found a path that servers read differently, expected a template without dot segments and `//`",
        );
        Some(template)
    }

    fn template(&mut self, f: &mut Fields<'_>, at: &str, text: &str) -> Option<Template> {
        // The text may be a credential, so it is not shown.
        let template = match Template::parse(text) {
            Ok(template) => template,
            Err(mistake) => {
                f.check(false, at, format!("found another text ({mistake}), expected a template"));
                return None;
            }
        };
        for operand in template.operands() {
            match operand {
                Operand::Claim(_) => self.uses_claims = true,
                Operand::Query(_) => self.uses_query = true,
                Operand::Consumer(_) => self.uses_identity = true,
                Operand::Capture(capture) => {
                    let known = self.pattern.as_ref().is_some_and(|pattern| has(pattern, capture));
                    f.check(
                        known,
                        at,
                        "found a capture that `uri_pattern` does not make, expected a template with its own",
                    );
                }
                Operand::Literal(_) | Operand::Header(_) => {}
            }
        }
        Some(template)
    }
}

fn has(pattern: &Regex, capture: &Capture) -> bool {
    match capture {
        Capture::Number(number) => *number < pattern.captures_len(),
        Capture::Name(name) => pattern.capture_names().flatten().any(|found| found == name),
    }
}

/// Compiles a pattern that matches from the beginning of the path, as Kong's routes do.
fn pattern(f: &mut Fields<'_>, text: &str) -> Option<Regex> {
    let build = |text: &str| RegexBuilder::new(text).unicode(false).size_limit(256 << 10).build();
    // The expression is compiled alone first, so that it cannot close the group that is put around
    // it.
    match build(text).and_then(|_| build(&format!(r"\A(?:{text})"))) {
        Ok(pattern) => Some(pattern),
        Err(error) => {
            let error = error.to_string();
            let last = error.lines().last().unwrap_or_default();
            let mistake = last.strip_prefix("error: ").unwrap_or(last);
            let message = format!("found another text ({mistake}), expected a regular expression");
            f.check(false, "uri_pattern", message);
            None
        }
    }
}

fn names(f: &mut Fields<'_>, list: &'static str, rule: Rule, of_headers: bool) -> Vec<String> {
    let all = f.texts(list, rule).unwrap_or_default();
    for (n, name) in all.iter().enumerate().filter(|_| of_headers) {
        owned(f, &format!("{list}[{n}]"), name, false);
    }
    all
}

fn renamed(f: &mut Fields<'_>, list: &'static str, rule: Rule) -> Vec<Pair> {
    let mut all = Vec::new();
    for (n, text) in f.texts(list, rule).unwrap_or_default().into_iter().enumerate() {
        let Some((old, new)) = pair(&text) else { continue };
        if rule.what == HEADERS_TO_HEADERS.what {
            let at = format!("{list}[{n}]");
            owned(f, &at, old, false);
            owned(f, &at, new, true);
        }
        all.push((old.to_owned(), new.to_owned()));
    }
    all
}

/// Rejects names of headers that nobody may change. A second length would make a second request,
/// and only filters that authenticate set identity headers.
fn owned(f: &mut Fields<'_>, at: &str, name: &str, sets: bool) {
    const PROTOCOL: [&str; 5] =
        ["connection", "content-length", "transfer-encoding", "upgrade", "te"];
    let taken = |names: &[&str]| names.iter().any(|own| same_name(own.as_bytes(), name.as_bytes()));
    f.check(
        !(taken(&PROTOCOL) || sets && taken(&IDENTITY_HEADERS)),
        at,
        "found a header that the gateway or the protocol owns, expected another one",
    );
}

/// Splits a text at its first colon.
fn pair(text: &str) -> Option<(&str, &str)> {
    let (name, value) = text.split_once(':')?;
    let value = value.trim_start_matches(':');
    (!name.is_empty() && !value.is_empty()).then_some((name, value))
}

const NAME: Rule = Rule {
    what: "a name without `:`",
    pattern: Some("^[^:]+$"),
    max: 1024,
    check: |text| !text.is_empty() && !text.contains(':'),
};

const PAIR: Rule = Rule {
    what: "`name:value`",
    pattern: Some("^[^:]+:+[^:]"),
    max: 8192,
    check: |text| pair(text).is_some(),
};

const HEADER_PAIR: Rule = Rule {
    what: "`name:value` for a header",
    pattern: Some("^[a-zA-Z0-9_-]+:+[^:\\x00-\\x1f\\x7f][^\\x00-\\x1f\\x7f]*$"),
    max: 8192,
    check: |text| {
        pair(text).is_some_and(|(name, value)| {
            (Rule::HEADER_NAME.check)(name) && !value.bytes().any(|b| b.is_ascii_control())
        })
    },
};

const HEADERS_TO_HEADERS: Rule = Rule {
    what: "`old:new`, two names of headers",
    pattern: Some("^[a-zA-Z0-9_-]+:+[a-zA-Z0-9_-]+$"),
    max: 1024,
    check: |text| {
        let is_name = Rule::HEADER_NAME.check;
        pair(text).is_some_and(|(old, new)| is_name(old) && is_name(new))
    },
};

#[cfg(test)]
#[path = "config_tests.rs"]
pub(crate) mod tests;
