//! Requests, bodies and queries.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderName, HeaderValue, Method};
use serde_json::Value;

use super::body::{from_form, from_json, from_multipart};
use super::fields::Fields;
use super::query::{Position, decoded, encoded};
use super::{Refusal, text, ui};
use crate::fuzzing::{Answered, Bed};
use crate::store::{Cursor, NameCursor};

/// The maximum number of requests in an input.
const REQUESTS: usize = 8;
/// The maximum number of pages that are followed.
const PAGES: usize = 4;

/// A request of an input.
struct Asked {
    method: Method,
    target: String,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

/// Requests in the form of HTTP/1.1 without a version, separated by the byte 0x1e: a first line,
/// headers, an empty line, and a body.
pub(crate) fn requests(data: &[u8]) {
    let bed = Bed::empty();
    for part in data.split(|byte| *byte == 0x1e).take(REQUESTS) {
        let Some(asked) = Asked::read(part) else { continue };
        let Some(request) = asked.request(&asked.target) else { continue };
        let is_page = ui::has(request.uri().path());
        let answered = bed.ask(request);
        asked.is_sound(&answered);
        if let Some(request) = asked.request(&asked.target).filter(|_| !is_page) {
            let refused = bed.ask_without_a_token(request);
            assert_eq!(refused.status.as_u16(), 401, "{}", asked.target);
        }
        if answered.status.is_success() && !is_page {
            asked.agrees(bed, &answered);
        }
    }
}

impl Asked {
    fn read(part: &[u8]) -> Option<Self> {
        let cut = part.windows(2).position(|two| two == b"\n\n");
        let (head, body) = cut.map_or((part, &b""[..]), |at| (&part[..at], &part[at + 2..]));
        let mut lines = head.split(|byte| *byte == b'\n');
        let (method, target) = std::str::from_utf8(lines.next()?).ok()?.split_once(' ')?;
        let mut headers = Vec::new();
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            headers.push((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?));
        }
        let body = Bytes::copy_from_slice(body);
        Some(Self { method: method.parse().ok()?, target: target.to_owned(), headers, body })
    }

    fn request(&self, target: &str) -> Option<Request> {
        let mut request = Request::new(Body::from(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = target.parse().ok()?;
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            headers.append(name, value.clone());
        }
        for (name, usual) in [(HOST, "localhost"), (CONTENT_TYPE, "application/json")] {
            headers.entry(name).or_insert(HeaderValue::from_static(usual));
        }
        Some(request)
    }

    /// Panics if an answer is a failure of the service, or a refusal without a reason.
    fn is_sound(&self, answered: &Answered) {
        let Answered { status, body } = answered;
        let shown = String::from_utf8_lossy(body);
        assert!(status.as_u16() < 500, "{} {}: {status} {shown}", self.method, self.target);
        if status.is_client_error() && self.method != Method::HEAD {
            let read: Value = serde_json::from_slice(body).expect("a refusal is JSON");
            let message = read["message"].as_str().unwrap_or_default();
            assert!(!message.is_empty(), "{} {}: {status} {shown}", self.method, self.target);
        }
    }

    /// Panics if what was answered is not what a second request gets.
    fn agrees(&self, bed: &Bed, answered: &Answered) {
        let Ok(read) = serde_json::from_slice::<Value>(&answered.body) else { return };
        let path = self.target.split('?').next().unwrap_or_default().trim_end_matches('/');
        if self.method == Method::GET && read["data"].is_array() {
            self.pages(bed, read);
        } else if self.method == Method::POST && path == "/counters" {
            let again = self.request(&self.target).map(|request| bed.ask(request));
            let sent: Value = serde_json::from_slice(&self.body).unwrap_or_default();
            if let Some(again) = again.filter(|_| sent["id"].is_string()) {
                assert_eq!(again.body, answered.body, "a batch is counted once");
            }
        } else if [Method::POST, Method::PUT].contains(&self.method) && path == "/consumers"
            || self.method == Method::PATCH && read["username"].is_string()
        {
            let id = read["id"].as_str().expect("an id");
            let get =
                Self { method: Method::GET, body: Bytes::new(), headers: vec![], ..self.copy() };
            let request = get.request(&format!("/consumers/{id}")).expect("a request");
            let found: Value = serde_json::from_slice(&bed.ask(request).body).expect("JSON");
            assert_eq!(found, read, "what was written reads back");
        }
    }

    /// Follows a list to its end: no item comes twice, and a changed offset gives no failure.
    fn pages(&self, bed: &Bed, mut page: Value) {
        let mut seen = BTreeMap::new();
        for _ in 0..PAGES {
            for item in page["data"].as_array().into_iter().flatten() {
                if let Some(id) = item["id"].as_str().filter(|_| item["address"].is_null()) {
                    let before = seen.insert(id.to_owned(), item.clone());
                    assert_eq!(before, None, "an item is on one page");
                }
            }
            let Some(next) = page["next"].as_str().map(str::to_owned) else { return };
            let offset = page["offset"].as_str().expect("an offset");
            let changed = next.replace(offset, &format!("{offset}A"));
            let refused = bed.ask(self.request(&changed).expect("a request"));
            assert_eq!(refused.status.as_u16(), 400, "{changed}");
            let answered = bed.ask(self.request(&next).expect("an address"));
            assert_eq!(answered.status.as_u16(), 200, "{next}");
            page = serde_json::from_slice(&answered.body).expect("JSON");
        }
    }

    fn copy(&self) -> Self {
        let Self { method, target, headers, body } = self;
        let (target, headers) = (target.clone(), headers.clone());
        Self { method: method.clone(), target, headers, body: body.clone() }
    }
}

/// A body: JSON, a form, and multipart with the boundary `x`.
pub(crate) fn bodies(data: &[u8]) {
    let expected = serde_json::from_slice::<Value>(data);
    match from_json(data) {
        Ok(fields) => {
            let expected = expected.expect("serde_json reads it");
            let own = fields.values().collect::<Vec<_>>();
            let theirs = expected.as_object().expect("an object").iter();
            assert_eq!(own, theirs.collect::<Vec<_>>());
        }
        Err(Refusal::Malformed(_)) => {
            assert!(!expected.is_ok_and(|value| value.is_object()), "serde_json reads it");
        }
        Err(_) => {}
    }
    if let Ok(pairs) = text::pairs(data) {
        let names: BTreeMap<&str, &String> =
            pairs.iter().map(|(name, value)| (name.as_str(), value)).collect();
        let plain = |name: &&str| !name.contains(['[', ']']);
        let repeated = names.len() != pairs.len();
        if names.keys().all(plain) {
            let fields = from_form(data);
            assert_eq!(fields.is_ok(), !repeated, "a name that is there twice is refused");
            for (name, value) in fields.iter().flat_map(Fields::values) {
                assert_eq!(value.as_str(), names.get(name.as_str()).map(|text| text.as_str()));
            }
        }
    }
    let request = Request::builder().header(CONTENT_TYPE, "multipart/form-data; boundary=x");
    let request = request.body(Body::from(data.to_vec())).expect("a request");
    let read = Bed::runtime().block_on(from_multipart(request));
    let Ok(fields) = read else { return };
    // Fields that are written and read again are the same, unless a name or a value ends a part.
    let mut written = String::new();
    for (name, value) in fields.values() {
        let Some(value) = value.as_str().filter(|text| !text.contains("--x")) else { return };
        if name.contains(['"', '\\', '\r', '\n', '[', '%']) || !name.is_ascii() {
            return;
        }
        written +=
            &format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    written += "--x--\r\n";
    let request = Request::builder().header(CONTENT_TYPE, "multipart/form-data; boundary=x");
    let request = request.body(Body::from(written.clone())).expect("a request");
    let again = Bed::runtime().block_on(from_multipart(request));
    let again = again.unwrap_or_else(|why| panic!("{why:?} of {written:?}"));
    assert!(again.values().eq(fields.values()), "{written:?}");
}

/// A path, a query and an offset: each is read, and what was read is written and read again alike.
pub(crate) fn queries(data: &[u8]) {
    if let Ok(pairs) = text::pairs(data) {
        let values: Vec<(&str, String)> =
            pairs.iter().map(|(_, value)| ("name", value.clone())).collect();
        let read = text::pairs(text::query(&values).as_bytes()).expect("what was written");
        let (own, read) = (pairs.iter().map(|pair| &pair.1), read.iter().map(|pair| &pair.1));
        assert!(own.eq(read), "a query reads back");
    }
    if let Ok(read) = text::decoded(data) {
        let escapes = data.iter().filter(|byte| **byte == b'%').count();
        assert_eq!(read.len() + 2 * escapes, data.len(), "each escape is decoded once");
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    position::<Cursor>(text);
    position::<NameCursor>(text);
}

/// An offset that is taken is one that the service would give out; so is each position.
fn position<P: Position>(text: &str) {
    if let Some(position) = decoded::<P>(text) {
        assert_eq!(encoded(&position), text, "this offset was never given out");
    }
    if let Some(position) = P::from_text(text) {
        let offset = encoded(&position);
        let again = decoded::<P>(&offset).map(|position| position.to_text());
        assert_eq!(again, Some(position.to_text()), "an offset of ours is taken");
        assert!(decoded::<P>(&format!("{offset}A")).is_none(), "a changed one is refused");
    }
}
