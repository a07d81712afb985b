//! Changes to a query string or a form. Unchanged parameters keep their place and their spelling.

use crate::changes::Fields;
use crate::listed::Listed;
use exchange::percent_decode;

/// Parameters in order, each in its original spelling with name and value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Parameters(Listed<Vec<u8>>);

impl Parameters {
    pub(crate) fn parse(raw: &[u8]) -> Self {
        let mut all = Self::default();
        all.read(raw);
        all
    }

    /// Adds all parameters of `raw`.
    pub(crate) fn read(&mut self, raw: &[u8]) {
        for piece in raw.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
            let name = piece.split(|byte| *byte == b'=').next().unwrap_or_default();
            let spaced: Vec<u8> =
                name.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
            self.0.push(&percent_decode(&spaced), piece.to_vec());
        }
    }

    /// Adds all parameters of the form `raw` to a query. A body may hold any byte, and a space or a
    /// line feed would end the request's first line: what may not stand in a query (RFC 3986,
    /// section 3.4) is escaped.
    pub(crate) fn read_form(&mut self, raw: &[u8]) {
        let mut escaped = Vec::with_capacity(raw.len());
        for byte in raw {
            match byte {
                byte if byte.is_ascii_alphanumeric() || b"%&+=-._~!$'()*,;:@/?".contains(byte) => {
                    escaped.push(*byte);
                }
                byte => escaped.extend(exchange::percent_encode(&[*byte]).into_bytes()),
            }
        }
        self.read(&escaped);
    }

    /// Returns the text for a query or a body.
    pub(crate) fn text(&self) -> Vec<u8> {
        let pieces: Vec<&[u8]> = self.0.iter().map(Vec::as_slice).collect();
        pieces.join(&b'&')
    }
}

fn written(name: &str, value: &[u8]) -> Vec<u8> {
    format!("{}={}", encoded(name.as_bytes()), encoded(value)).into_bytes()
}

fn renamed(raw: &[u8], name: &str) -> Vec<u8> {
    let value = raw.iter().position(|byte| *byte == b'=');
    let value = value.and_then(|at| raw.get(at..)).unwrap_or_default();
    [encoded(name.as_bytes()).as_bytes(), value].concat()
}

/// Escapes everything except RFC 3986's unreserved characters, so that nothing ends a parameter, a
/// query or a line.
fn encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'.' | b'~' => out.push(char::from(*byte)),
            other => out.push_str(&exchange::percent_encode(&[*other])),
        }
    }
    out
}

impl Fields for Parameters {
    fn has(&self, name: &str) -> bool {
        self.0.has(name.as_bytes())
    }

    fn remove(&mut self, name: &str) {
        self.0.remove(name.as_bytes());
    }

    fn rename(&mut self, old: &str, new: &str) {
        self.0.rename(old.as_bytes(), new.as_bytes(), |raw| renamed(raw, new));
    }

    fn replace(&mut self, name: &str, value: &[u8]) {
        self.0.put(name.as_bytes(), written(name, value));
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        self.0.push(name.as_bytes(), written(name, value));
    }

    fn append(&mut self, name: &str, value: &[u8]) {
        self.0.push(name.as_bytes(), written(name, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::tests::filled;
    use exchange::Query;
    use proptest::prelude::*;

    fn changed(query: &str, lists: [&[&str]; 5]) -> String {
        let mut parameters = Parameters::parse(query.as_bytes());
        filled(lists).apply(&mut parameters);
        String::from_utf8(parameters.text()).unwrap()
    }

    #[test]
    fn each_change_does_what_kongs_does() {
        let none: &[&str] = &[];
        for (query, lists, expected) in [
            ("q1=v1&q2=v2&q1=x", [&["q1"][..], none, none, none, none], "q2=v2"),
            ("a%71=1&b", [&["aq"], none, none, none, none], "b"),
            ("old=1&new=2&old=3&x", [none, &["old:new"], none, none, none], "new=1&new=3&x"),
            ("old", [none, &["old:n w"], none, none, none], "n%20w"),
            ("x=1", [none, &["old:x"], none, none, none], "x=1"),
            ("same=1", [none, &["same:same"], none, none, none], "same=1"),
            ("q1=v&q2=v2&q1=w", [none, none, &["q1:v1"], none, none], "q1=v1&q2=v2"),
            ("q2=v2", [none, none, &["q1:v1"], none, none], "q2=v2"),
            ("q2=v2", [none, none, none, &["q1:anything:1"], none], "q2=v2&q1=anything%3A1"),
            ("q1=v2", [none, none, none, &["q1:v1"], none], "q1=v2"),
            ("", [none, none, none, none, &["q1:v1", "q1:v2", "q2:v1"]], "q1=v1&q1=v2&q2=v1"),
            ("q1=0", [none, none, none, none, &["q1:v1"]], "q1=0&q1=v1"),
            ("q=1", [&["q"], none, none, &["q:2"], &["q:3"]], "q=2&q=3"),
            ("", [none, none, none, &["a[x][1]:b"], none], "a%5Bx%5D%5B1%5D=b"),
        ] {
            assert_eq!(changed(query, lists), expected, "{query} {lists:?}");
        }
    }

    #[test]
    fn what_is_not_changed_keeps_its_spelling() {
        let query = "expected=$&+,/:;?@&A+b=%7e%7E&&=x&flag&e=";
        assert_eq!(
            changed(query, [&[], &[], &[], &["q:1"], &[]]),
            "expected=$&+,/:;?@&A+b=%7e%7E&=x&flag&e=&q=1"
        );
    }

    proptest! {
        #[test]
        fn a_value_adds_one_parameter_whatever_is_in_it(name in "[^:]{1,20}", value: Vec<u8>) {
            let mut parameters = Parameters::parse(b"first=1");
            parameters.append(&name, &value);
            let text = parameters.text();
            prop_assert!(text.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#'));
            let pairs: Vec<_> = Query::new(&text).pairs().collect();
            prop_assert_eq!(pairs.len(), 2);
            prop_assert_eq!(&pairs[1], &(name.into_bytes(), Some(value)));
        }

        #[test]
        fn parameters_that_no_change_names_stay(query in "[a-c=&%+0-9]{0,40}") {
            // Escaped, these names would need digits that no such query contains.
            let left = changed(&query, [&["m"], &["n:z"], &["o:1"], &[], &[]]);
            let pieces = |text: &str| text.split('&').filter(|p| !p.is_empty()).map(str::to_owned).collect::<Vec<_>>();
            prop_assert_eq!(pieces(&left), pieces(&query));
        }
    }
}
