//! The rows of the admin service: sessions by a digest of their id, and logins that have ended.
//!
//! A row holds the encrypted contents that a cookie would hold, and names the rows that it
//! replaces. Nobody can make a cookie of what the service stores, logs or returns, because a digest
//! does not reveal the id.

use crate::header::Id;
use admin_api::{Metadata, NewSession, Ttl};
use base16ct::lower::encode_string;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::{Answer, Call, Unavailable};
use sha2::{Digest as _, Sha256};

/// The name of a row or of a login.
pub(crate) type Name = [u8; 32];

/// The version of the form of rows.
const FORM: u8 = 1;

/// A row of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The end of the session, in milliseconds since 1970.
    pub(crate) expires_at: u64,
    /// The rows that this one replaces.
    pub(crate) replaces: Vec<Name>,
    pub(crate) sealed: Vec<u8>,
}

/// A change that the admin service is to make.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Write {
    /// Store this row for so many seconds, with its metadata.
    Keep(Name, Vec<u8>, u64, Vec<Metadata>),
    /// Let the row end within so many seconds.
    Shorten(Name, u64),
    /// Delete the row.
    End(Name),
    /// Record for so many seconds that the login has ended.
    Revoke(Name, u64),
}

/// Returns the name of the row of the session `id`.
pub(crate) fn row_of(id: &Id) -> Name {
    Sha256::digest(id).into()
}

/// Returns the login at `time` that a session comes from. All sessions that were renewed from one
/// another share it, and so do their remembered sessions and what is restored of these, because
/// they keep its time.
pub(crate) fn login_of(time: u64, audience: &str, consumer: &str) -> Name {
    let mut hash = Sha256::new();
    hash.update(b"gatehouse login");
    hash.update(time.to_le_bytes());
    for text in [audience, consumer] {
        hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(text);
    }
    hash.finalize().into()
}

impl Row {
    /// Returns the bytes of a row.
    pub(crate) fn bytes(sealed: &[u8], replaces: &[Name]) -> Vec<u8> {
        let mut out = vec![FORM, u8::try_from(replaces.len()).unwrap_or(0)];
        out.extend(replaces.iter().flatten());
        out.extend(sealed);
        out
    }

    /// Reads the cached value of a row.
    pub(crate) fn read(value: &[u8]) -> Option<Self> {
        let (expires_at, rest) = value.split_first_chunk::<8>()?;
        let [FORM, count @ 0..=2, rest @ ..] = rest else { return None };
        let (names, sealed) = rest.split_at_checked(usize::from(*count).saturating_mul(32))?;
        Some(Self {
            expires_at: u64::from_le_bytes(*expires_at),
            replaces: names.as_chunks::<32>().0.to_vec(),
            sealed: sealed.to_vec(),
        })
    }

    /// Returns the value of a row for the cache: its end and its bytes.
    pub(crate) fn kept(session: &admin_api::Session, now: u64) -> Option<Vec<u8>> {
        let bytes = STANDARD.decode(&session.data).ok()?;
        let expires_at = now.saturating_add(session.ttl.saturating_mul(1000));
        Some([expires_at.to_le_bytes().as_slice(), &bytes].concat())
    }
}

impl Write {
    pub(crate) fn call(&self) -> Call {
        let json = |value: Result<Vec<u8>, serde_json::Error>| value.unwrap_or_default();
        match self {
            Self::Keep(name, bytes, ttl, metadata) => {
                let data = STANDARD.encode(bytes);
                let metadata = metadata.clone();
                let new = NewSession { data, ttl: *ttl, stale: None, metadata };
                session(name).sending("PUT", json(serde_json::to_vec(&new)))
            }
            Self::Shorten(name, ttl) => {
                session(name).sending("PATCH", json(serde_json::to_vec(&Ttl { ttl: *ttl })))
            }
            Self::End(name) => session(name).sending("DELETE", Vec::new()),
            Self::Revoke(name, ttl) => {
                revocation(name).sending("PUT", json(serde_json::to_vec(&Ttl { ttl: *ttl })))
            }
        }
    }

    /// Returns `true` if the change was made. A row that is to end and does not exist has ended.
    pub(crate) fn done(&self, answer: &Result<Answer, Unavailable>) -> bool {
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        match self {
            Self::Keep(..) | Self::Revoke(..) => matches!(status, 200 | 201),
            Self::Shorten(..) => matches!(status, 200 | 404),
            Self::End(_) => matches!(status, 200 | 204 | 404),
        }
    }
}

/// Makes the call that fetches a row.
pub(crate) fn session(name: &[u8]) -> Call {
    Call::get(admin_api::session(&encode_string(name)))
}

/// Makes the call that asks if a login has ended.
pub(crate) fn revocation(name: &[u8]) -> Call {
    Call::get(admin_api::revocation(&encode_string(name)))
}

/// Decodes the name of a row in the change list, which is hex in either case.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    base16ct::mixed::decode_vec(text).ok()
}

impl std::fmt::Debug for Write {
    /// Leaves the contents out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Keep(..) => "Keep",
            Self::Shorten(..) => "Shorten",
            Self::End(_) => "End",
            Self::Revoke(..) => "Revoke",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(call: &Call) -> String {
        let segments: Vec<_> = call.segments.iter().map(|s| String::from_utf8_lossy(s)).collect();
        format!("{} /{}", call.method, segments.join("/"))
    }

    #[test]
    fn a_row_is_named_by_a_digest_of_the_id() {
        let name = row_of(&[7; 32]);
        assert_ne!(name, [7; 32]);
        assert!(admin_api::is_digest(&encode_string(&name)));
        assert_eq!(unhex(&encode_string(&name)), Some(name.to_vec()));
        assert_eq!((unhex("0g"), unhex("012")), (None, None));
    }

    #[test]
    fn every_wish_has_its_call() {
        let name = [0xab; 32];
        let id = "ab".repeat(32);
        let text = |call: &Call| String::from_utf8(call.body.clone()).unwrap();
        let keep = Write::Keep(name, vec![1, 2], 60, vec![]).call();
        assert_eq!(
            (path(&keep), text(&keep)),
            (format!("PUT /sessions/{id}"), r#"{"data":"AQI=","ttl":60}"#.into())
        );
        let metadata = vec![Metadata { audience: "shop".into(), subject: "ana".into() }];
        let noted = Write::Keep(name, vec![1, 2], 60, metadata).call();
        let metadata = r#"[{"audience":"shop","subject":"ana"}]"#;
        assert_eq!(text(&noted), format!(r#"{{"data":"AQI=","ttl":60,"metadata":{metadata}}}"#));
        let shorten = Write::Shorten(name, 10).call();
        assert_eq!(
            (path(&shorten), text(&shorten)),
            (format!("PATCH /sessions/{id}"), r#"{"ttl":10}"#.into())
        );
        let end = Write::End(name).call();
        assert_eq!((path(&end), text(&end)), (format!("DELETE /sessions/{id}"), String::new()));
        let revoke = Write::Revoke(name, 5).call();
        assert_eq!(
            (path(&revoke), text(&revoke)),
            (format!("PUT /revocations/{id}"), r#"{"ttl":5}"#.into())
        );
    }

    #[test]
    fn only_an_answer_says_that_something_was_done() {
        let answer = |status| Ok(Answer::new(status, ""));
        let name = [0; 32];
        for status in [0, 302, 401, 404, 500, 503] {
            assert!(!Write::Keep(name, vec![], 1, vec![]).done(&answer(status)), "{status}");
            assert!(!Write::Revoke(name, 1).done(&answer(status)), "{status}");
        }
        assert!(Write::Keep(name, vec![], 1, vec![]).done(&answer(200)));
        assert!(Write::End(name).done(&answer(404)) && !Write::End(name).done(&Err(Unavailable)));
        assert!(
            Write::Shorten(name, 1).done(&answer(404))
                && !Write::Shorten(name, 1).done(&answer(500))
        );
    }

    #[test]
    fn a_row_comes_back_as_it_was_kept() {
        for replaces in [vec![], vec![[9; 32]], vec![[9; 32], [8; 32]]] {
            let data = STANDARD.encode(Row::bytes(b"sealed", &replaces));
            let session = admin_api::Session { data, ttl: 7, seq: None };
            let row = Row::read(&Row::kept(&session, 1000).unwrap()).unwrap();
            assert_eq!(row, Row { expires_at: 8000, replaces, sealed: b"sealed".to_vec() });
        }
        for bytes in [&b""[..], &[2, 0, 1], &[1, 3, 1], &[1, 1, 0, 0], &[1]] {
            assert_eq!(Row::read(&[&[0; 8], bytes].concat()), None, "{bytes:?}");
        }
        assert_eq!(Row::read(&[0; 7]), None);
    }

    #[test]
    fn a_login_is_its_time_audience_and_consumer() {
        let login = login_of(1, "a", "b");
        assert_eq!(login, login_of(1, "a", "b"));
        for other in [login_of(2, "a", "b"), login_of(1, "ab", ""), login_of(1, "a", "c")] {
            assert_ne!(login, other);
        }
    }
}
