//! Changes to a JSON object. Unchanged members keep their place and their text.

use crate::changes::Fields;
use crate::listed::Listed;
use exchange::json::{Member, members, object};
use serde_json::Value;
use serde_json::value::RawValue;

/// The members of an object in order, each name once.
#[derive(Debug, Default)]
pub(crate) struct Members(Listed<Member>);

impl Members {
    /// Returns `None` for anything but an object.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut all = Listed::default();
        for (name, value) in members(body)? {
            // Of two members with one name the last counts, for this filter as for most readers.
            // Only this one goes on, so that no other reader sees another one.
            all.remove(name.as_bytes());
            all.push(name.clone().as_bytes(), (name, value));
        }
        Some(Self(all))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.iter().next().is_none()
    }

    pub(crate) fn text(&self) -> Vec<u8> {
        object(self.0.iter())
    }

    fn put(&mut self, name: &str, value: &Value) {
        // Every value has a text.
        let Ok(raw) = serde_json::value::to_raw_value(value) else { return };
        self.0.put(name.as_bytes(), (name.to_owned(), raw));
    }

    fn value(&self, name: &str) -> Option<&RawValue> {
        self.0.first(name.as_bytes()).map(|(_, value)| value.as_ref())
    }
}

fn text(value: &[u8]) -> Value {
    String::from_utf8_lossy(value).into()
}

impl Fields for Members {
    fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    fn remove(&mut self, name: &str) {
        self.0.remove(name.as_bytes());
    }

    fn rename(&mut self, old: &str, new: &str) {
        self.0.rename(old.as_bytes(), new.as_bytes(), |(_, value)| (new.to_owned(), value.clone()));
    }

    fn replace(&mut self, name: &str, value: &[u8]) {
        self.put(name, &text(value));
    }

    fn add(&mut self, name: &str, value: &[u8]) {
        self.put(name, &text(value));
    }

    /// Appends to a list. A value that is not a list becomes the first item of one, and keeps its
    /// text.
    fn append(&mut self, name: &str, value: &[u8]) {
        let more = text(value).to_string();
        let list = match self.value(name).map(RawValue::get) {
            None | Some("null") => format!("[{more}]"),
            Some(list) if list.starts_with('[') => {
                let inside = list.strip_suffix(']').unwrap_or(list);
                let is_empty = inside.strip_prefix('[').is_some_and(|text| text.trim().is_empty());
                format!("{inside}{}{more}]", if is_empty { "" } else { "," })
            }
            Some(one) => format!("[{one},{more}]"),
        };
        let Ok(raw) = RawValue::from_string(list) else { return };
        self.0.put(name.as_bytes(), (name.to_owned(), raw));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::changes::tests::filled;
    use proptest::prelude::*;

    fn changed(body: &str, lists: [&[&str]; 5]) -> String {
        let mut members = Members::parse(body.as_bytes()).unwrap();
        filled(lists).apply(&mut members);
        String::from_utf8(members.text()).unwrap()
    }

    #[test]
    fn each_change_does_what_kongs_does() {
        let none: &[&str] = &[];
        for (body, lists, expected) in [
            (r#"{"x":"1","y":2}"#, [&["x"][..], none, none, none, none], r#"{"y":2}"#),
            (r#"{"old":[1],"new":2}"#, [none, &["old:new"], none, none, none], r#"{"new":[1]}"#),
            (r#"{"new":2}"#, [none, &["old:new"], none, none, none], r#"{"new":2}"#),
            (
                r#"{"p1":5,"p2":"v"}"#,
                [none, none, &["p1:v1", "p3:x"], none, none],
                r#"{"p1":"v1","p2":"v"}"#,
            ),
            (
                r#"{"p1":"stays"}"#,
                [none, none, none, &["p1:v1", "p2:a:b"], none],
                r#"{"p1":"stays","p2":"a:b"}"#,
            ),
            ("{}", [none, none, none, none, &["p1:v1", "p1:v2"]], r#"{"p1":["v1","v2"]}"#),
            (r#"{"p1":"v0"}"#, [none, none, none, none, &["p1:v1"]], r#"{"p1":["v0","v1"]}"#),
            (
                r#"{"a":[ ],"b":[1],"c":null,"d":{"e":1}}"#,
                [none, none, none, none, &["a:x", "b:x", "c:x", "d:x"]],
                r#"{"a":[ "x"],"b":[1,"x"],"c":["x"],"d":[{"e":1},"x"]}"#,
            ),
            (
                r#"{"emptyarray":[],"n":1.10,"big":12345678901234567890}"#,
                [none, none, none, &["q:\"\n"], none],
                r#"{"emptyarray":[],"n":1.10,"big":12345678901234567890,"q":"\"\n"}"#,
            ),
        ] {
            assert_eq!(changed(body, lists), expected, "{lists:?}");
        }
    }

    #[test]
    fn a_member_that_came_twice_goes_on_once() {
        assert_eq!(
            changed(r#"{"a":1,"b":2,"a":3}"#, [&[], &[], &[], &["c:x"], &[]]),
            r#"{"b":2,"a":3,"c":"x"}"#
        );
        assert_eq!(changed(r#"{"a":1,"\u0061":3}"#, [&["a"], &[], &[], &[], &[]]), "{}");
    }

    #[test]
    fn only_an_object_has_members() {
        for body in ["", "[]", "1", "null", "malformed json body", "{", r#"{"a":}"#, "{}x"] {
            assert!(Members::parse(body.as_bytes()).is_none(), "{body}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(
            Members::parse(deep.as_bytes()).is_some(),
            "what is not changed is not taken apart"
        );
    }

    proptest! {
        #[test]
        fn a_value_is_one_text_whatever_is_in_it(name in ".{1,20}", value in ".{0,40}") {
            let mut members = Members::parse(br#"{"first":1}"#).unwrap();
            members.add(&name, value.as_bytes());
            let read: Value = serde_json::from_slice(&members.text()).unwrap();
            prop_assert_eq!(read[&name].as_str(), Some(value.as_str()));
            prop_assert_eq!(read.as_object().unwrap().len(), if name == "first" { 1 } else { 2 });
        }
    }
}
