//! JSON objects as lists of members. A member that a filter does not change keeps its text.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A member of an object: its name, and the text of its value.
pub type Member = (String, Box<RawValue>);

/// Removes the byte order mark that some senders put before JSON, and that most readers ignore.
#[must_use]
pub fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// Returns the members of a JSON object in order, duplicates included. Returns `None` if `body` is
/// not a JSON object (RFC 8259), for instance because of a trailing comma or bytes that are not
/// UTF-8.
#[must_use]
pub fn members(body: &[u8]) -> Option<Vec<Member>> {
    struct Members(Vec<Member>);
    struct Collect;

    impl<'de> Deserialize<'de> for Members {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_map(Collect)
        }
    }

    impl<'de> Visitor<'de> for Collect {
        type Value = Members;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Members, M::Error> {
            let mut members = Vec::new();
            while let Some(member) = map.next_entry()? {
                members.push(member);
            }
            Ok(Members(members))
        }
    }

    serde_json::from_slice::<Members>(without_mark(body)).ok().map(|Members(members)| members)
}

/// Writes an object with these members.
pub fn object<'a>(members: impl IntoIterator<Item = &'a Member>) -> Vec<u8> {
    let member = |(name, value): &Member| {
        format!("{}:{}", serde_json::to_string(name).unwrap_or_default(), value.get())
    };
    let members: Vec<String> = members.into_iter().map(member).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_text_and_their_duplicates() {
        let all = members(br#" {"a": 1.50, "b":[ 1 ], "a":"\u00e4"} "#).unwrap();
        assert_eq!(object(&all), br#"{"a":1.50,"b":[ 1 ],"a":"\u00e4"}"#);
        assert_eq!(object(&[]), b"{}");
        for body in ["", "[]", "1", "{", r#"{"a":1}x"#, r#"{"a":1,}"#, "{'a':1}", "{} // x"] {
            assert!(members(body.as_bytes()).is_none(), "{body}");
        }
        for body in [&b"{\"a\":\"\xff\"}"[..], b"{\"\xff\":1}", b"\xfe\xff\0{\0}"] {
            assert!(members(body).is_none(), "{body:?}");
        }
        assert_eq!(members(b"\xef\xbb\xbf{\"a\":1}").map(|all| all.len()), Some(1));
    }
}
