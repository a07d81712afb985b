//! A header map that is changed by the rules of its host.

/// A header block as a test sees it: names as received, values as bytes.
pub type Headers = Vec<(String, Vec<u8>)>;

/// The host whose rules apply to a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    /// Names are lower-cased. Removing a header drops it, and setting a header replaces every one
    /// of its name.
    Envoy,
    /// nginx's list of request headers: a removed header is only marked, and goes upstream all the
    /// same.
    KongRequest,
    /// nginx's list of response headers: a removed header is marked, and the mark is honoured.
    KongResponse,
}

#[derive(Debug, Clone)]
struct Header {
    name: String,
    value: Vec<u8>,
    /// nginx's `hash == 0`, which means "ignore this header".
    marked: bool,
}

/// The headers of one message.
#[derive(Debug, Clone)]
pub(crate) struct HeaderMap {
    headers: Vec<Header>,
    rules: Rules,
}

/// Headers of which nginx keeps only one. A second one cannot be added.
const KONG_SINGLE: [&str; 6] =
    ["host", "authorization", "user-agent", "content-type", "content-length", "connection"];

impl HeaderMap {
    pub(crate) fn new(rules: Rules, headers: &[(String, Vec<u8>)]) -> Self {
        let mut map = Self { headers: Vec::new(), rules };
        for (name, value) in headers {
            map.push(name, value);
        }
        map
    }

    /// The first value of a header.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        // nginx ignores the mark when it looks up a request header, so that a removed one can be
        // read.
        let all = self.rules != Rules::KongResponse;
        let mut found = self.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name));
        found.find(|h| all || !h.marked).map(|h| h.value.as_slice())
    }

    /// The header block as a filter sees it.
    pub(crate) fn pairs(&self) -> Headers {
        let seen = self.headers.iter().filter(|h| !h.marked);
        seen.map(|h| (h.name.clone(), h.value.clone())).collect()
    }

    /// The header block as it leaves the gateway.
    pub(crate) fn sent(&self) -> Headers {
        let all = self.rules == Rules::KongRequest;
        let sent = self.headers.iter().filter(|h| all || !h.marked);
        sent.map(|h| (h.name.clone(), h.value.clone())).collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.headers.iter().filter(|h| !h.marked).count()
    }

    pub(crate) fn add(&mut self, name: &str, value: &[u8]) {
        let single = KONG_SINGLE.iter().any(|s| s.eq_ignore_ascii_case(name));
        if self.rules == Rules::KongRequest && single && self.get(name).is_some() {
            return;
        }
        self.push(name, value);
    }

    pub(crate) fn set(&mut self, name: &str, value: &[u8]) {
        if self.rules == Rules::Envoy {
            self.set_first(name, value);
            return;
        }
        let same = |h: &Header| h.name.eq_ignore_ascii_case(name) && !h.marked;
        let unmarked = self.headers.iter().filter(|h| same(h)).count();
        let Some(first) = self.headers.iter_mut().find(|h| same(h)) else {
            return self.push(name, value);
        };
        first.name = name.to_owned();
        first.value = escaped(value);
        // The loop that clears the other headers starts over each time, and so clears its own as
        // well.
        if unmarked > 1 {
            self.matching(name).for_each(|h| h.marked = true);
        }
    }

    pub(crate) fn remove(&mut self, name: &str) {
        match self.rules {
            Rules::Envoy => self.headers.retain(|h| !h.name.eq_ignore_ascii_case(name)),
            _ => self.matching(name).for_each(|h| h.marked = true),
        }
    }

    pub(crate) fn replace_all(&mut self, headers: &[(String, Vec<u8>)]) {
        if self.rules == Rules::Envoy {
            self.headers.clear();
            headers.iter().for_each(|(name, value)| self.push(name, value));
            return;
        }
        self.headers.iter_mut().for_each(|h| h.marked = true);
        headers.iter().for_each(|(name, value)| self.set(name, value));
    }

    fn matching(&mut self, name: &str) -> impl Iterator<Item = &mut Header> {
        self.headers.iter_mut().filter(move |h| h.name.eq_ignore_ascii_case(name))
    }

    fn set_first(&mut self, name: &str, value: &[u8]) {
        let at = self.headers.iter().position(|h| h.name.eq_ignore_ascii_case(name));
        self.remove(name);
        let (name, value) = (name.to_ascii_lowercase(), value.to_vec());
        let at = at.unwrap_or(self.headers.len());
        self.headers.insert(at, Header { name, value, marked: false });
    }

    fn push(&mut self, name: &str, value: &[u8]) {
        let (name, value) = match self.rules {
            Rules::Envoy => (name.to_ascii_lowercase(), value.to_vec()),
            _ => (name.to_owned(), escaped(value)),
        };
        self.headers.push(Header { name, value, marked: false });
    }
}

/// Percent-escapes the bytes that would end a header line, as nginx does.
fn escaped(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for &byte in value {
        match byte {
            b'\r' | b'\n' | 0 => out.extend(format!("%{byte:02X}").bytes()),
            _ => out.push(byte),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(rules: Rules) -> HeaderMap {
        let headers = [("X-Id", "one"), ("x-id", "two"), ("x-other", "three")];
        let headers = headers.map(|(n, v)| (n.to_owned(), v.as_bytes().to_vec()));
        HeaderMap::new(rules, &headers)
    }

    fn values(headers: &Headers, name: &str) -> Vec<String> {
        let found = headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        found.map(|(_, v)| String::from_utf8_lossy(v).into_owned()).collect()
    }

    #[test]
    fn envoy_replaces_every_field_of_that_name_in_place() {
        let mut map = map(Rules::Envoy);
        map.set("X-ID", b"ours");
        assert_eq!(values(&map.sent(), "x-id"), ["ours"]);
        assert_eq!(map.sent()[0].0, "x-id");
        map.set("x-new", b"four");
        assert_eq!(values(&map.sent(), "x-new"), ["four"]);
    }

    #[test]
    fn nginx_leaves_the_second_value_and_hides_both() {
        let mut map = map(Rules::KongRequest);
        map.set("x-id", b"ours");
        assert_eq!(values(&map.sent(), "x-id"), ["ours", "two"]);
        assert_eq!(values(&map.pairs(), "x-id"), [""; 0]);
        assert_eq!(map.get("x-id"), Some(&b"ours"[..]));
    }

    #[test]
    fn nginx_sends_a_removed_request_field_and_still_reads_it() {
        let mut map = map(Rules::KongRequest);
        map.remove("x-other");
        assert_eq!(values(&map.sent(), "x-other"), ["three"]);
        assert_eq!(map.get("x-other"), Some(&b"three"[..]));
        assert_eq!(values(&map.pairs(), "x-other"), [""; 0]);
    }

    #[test]
    fn nginx_drops_a_response_field_that_was_set_over_two() {
        let mut map = map(Rules::KongResponse);
        map.set("x-id", b"ours");
        assert_eq!(values(&map.sent(), "x-id"), [""; 0]);
    }
}
