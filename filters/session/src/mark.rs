//! The mark: a property of the request by which the instance that opens sessions informs the one
//! that saves them.
//!
//! The saving instance cannot look for itself, because the cookie may be hidden, renewed or ended
//! by then.

use crate::contents::Contents;
use crate::header::Header;
use crate::sessions::Before;
use serde::{Deserialize, Serialize};

/// The name of the property.
pub(crate) const MARK: &str = "gatehouse_session";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contents: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remember: Option<String>,
    further: [Vec<usize>; 2],
}

/// Writes the property for the session that a request brought.
pub(crate) fn write(before: &Before) -> Vec<u8> {
    let contents = before.session.as_ref().map(|_| before.contents.json());
    let text = |header: &Option<Header>| header.as_ref().map(Header::text);
    let mark = Mark {
        session: text(&before.session),
        contents,
        remember: text(&before.remember),
        further: before.further.clone(),
    };
    // The mark consists of texts and numbers, so JSON can always express it.
    serde_json::to_vec(&mark).unwrap_or_default()
}

/// Reads the session that a request brought. Returns `None` if [`write`] did not write the
/// property.
pub(crate) fn read(mark: &[u8]) -> Option<Before> {
    let Mark { session, contents, remember, further } = serde_json::from_slice(mark).ok()?;
    let header = |text: Option<String>| text.map(|text| Header::read(text.as_bytes()));
    let all = |header: Option<Option<Header>>| match header {
        Some(None) => None,
        other => Some(other.flatten()),
    };
    let contents = match contents {
        Some(json) => Contents::read(json.as_bytes())?,
        None => Contents::default(),
    };
    Some(Before {
        session: all(header(session))?,
        contents,
        remember: all(header(remember))?,
        further,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        let header = Header::read("AQ".repeat(55).as_bytes()).unwrap();
        let before = Before {
            session: Some(header.clone()),
            contents: Contents::read(br#"[[["1","c"],"default","ana"]]"#).unwrap(),
            remember: Some(header.clone()),
            further: [vec![2, 3], vec![]],
        };
        let back = read(&write(&before)).unwrap();
        assert_eq!((back.session, back.remember), (before.session, before.remember));
        assert_eq!((back.contents.json(), back.further), (before.contents.json(), before.further));
        let nothing = read(&write(&Before::default())).unwrap();
        assert!(nothing.session.is_none() && nothing.remember.is_none());
        for odd in [
            "",
            "{}",
            r#"{"further":[[],[]],"session":"AQ"}"#,
            r#"{"further":[[],[]],"contents":"["}"#,
        ] {
            assert!(read(odd.as_bytes()).is_none(), "{odd}");
        }
    }
}
