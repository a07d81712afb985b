//! The entry for the fuzzer: every reader of bytes that a client or the admin service sends.

use crate::client::Client;
use crate::config::Config;
use crate::contents::Contents;
use crate::header::Header;
use crate::jar::{Jar, hide};
use crate::keyring::{Draft, Keyring};
use crate::rows::Row;
use crate::secret::{Kind, Secret};
use crate::sessions::{Sessions, Tools};
use exchange::{Head, Request};

/// Passes `bytes` to every reader.
///
/// # Panics
/// Panics, for the fuzzer to find, if anything opens that was not sealed, or if a sealed session
/// does not open.
#[allow(clippy::panic, reason = "a finding")]
pub fn everything(bytes: &[u8]) {
    let tools = Tools {
        random: |out| {
            out.fill(7);
            true
        },
        report: |_| {},
    };
    let settings = br#"{"secret":"s","remember":true,"read_body_for_logout":true}"#;
    let Ok((config, secrets)) = settings::read(settings, &|_| None, Config::read) else { return };
    let sessions = Sessions::new(config, secrets, tools);
    let client = Client::default();

    let head: Head = [("cookie", bytes)].into_iter().collect();
    let names = ["session", "remember"];
    let jar = Jar::of(&head, &names);
    let _ = (hide(&head, &names, true), jar.further("session"));
    for kind in [Kind::Session, Kind::Remember] {
        if let Ok(presented) = sessions.present(kind, &jar, 0, &client, 1_700_000_000) {
            // Nobody can make a MAC without the secret.
            panic!("{presented:?} is not ours");
        }
    }
    if let Some(header) = Header::read(bytes) {
        let _ = jar.payload("session", 0, header.size);
        assert_eq!(Header::read(header.text().as_bytes()), Some(header));
    }
    let _ = Row::read(bytes);
    if let Some(contents) = Contents::read(bytes) {
        let _ = contents.holder("default");
        assert!(Contents::read(contents.json().as_bytes()).is_some());
    }
    for content_type in
        ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"]
    {
        let head: Head = [("content-type", content_type)].into_iter().collect();
        let _ = sessions.config.logout.in_body(&Request { head, ..Request::default() }, bytes);
    }

    let ring = Keyring::new(vec![Secret::new("s")]);
    let draft = Draft { flags: 0, created: 1, rolling: 0 };
    if let Some((header, sealed)) = ring.seal(Kind::Session, draft, bytes, &client, &[1; 32]) {
        let proof = ring.prove(Kind::Session, &header, &client);
        let opened = proof.and_then(|proof| ring.open(Kind::Session, &header, &proof, sealed));
        assert_eq!(opened.as_deref(), Some(bytes));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_that_can_come_is_a_reason_to_stumble(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            super::everything(&bytes);
        }

        #[test]
        fn nor_is_what_looks_like_a_cookie(text in "(session|remember)[2-9]?=AQ[A-Za-z0-9_-]{100,140}(; session2=[A-Za-z0-9_-]{0,20})?") {
            super::everything(text.as_bytes());
        }
    }
}
