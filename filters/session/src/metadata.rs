//! Metadata: the subjects of a session that the admin service can read, so that an operator can
//! find and end it.

use crate::config::Noted;
use crate::contents::Contents;
use admin_api::{METADATA_MAX, Metadata, is_metadata};
use jose::base64url;
use sha2::{Digest as _, Sha256};

/// Returns the metadata of a session. Returns `None` if the admin service would not accept them,
/// because a session must not begin if the operator could not find it.
pub(crate) fn metadata(noted: Noted, contents: &Contents) -> Option<Vec<Metadata>> {
    let written = match noted {
        Noted::Nothing => return Some(Vec::new()),
        Noted::Subjects => |subject: String| subject,
        Noted::Hashes => |subject: String| hash(&subject),
    };
    let entry = |(audience, subject): (&str, String)| Metadata {
        audience: audience.to_owned(),
        subject: written(subject),
    };
    let all: Vec<Metadata> = contents.subjects().into_iter().map(entry).collect();
    let taken = |entry: &Metadata| is_metadata(&entry.audience) && is_metadata(&entry.subject);
    (all.len() <= METADATA_MAX && all.iter().all(taken)).then_some(all)
}

/// Hashes a subject as lua-resty-session does, to half of its SHA-256.
fn hash(subject: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(subject).into();
    base64url::encode(digest.get(..16).unwrap_or(&digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(entries: &[(&str, &str)]) -> Contents {
        let all: Vec<([u8; 0], &str, &str)> =
            entries.iter().map(|(audience, subject)| ([], *audience, *subject)).collect();
        Contents::read(&serde_json::to_vec(&all).unwrap()).unwrap()
    }

    fn subjects(noted: Noted, contents: &Contents) -> Option<Vec<String>> {
        let all = metadata(noted, contents)?;
        Some(all.into_iter().map(|entry| format!("{}:{}", entry.audience, entry.subject)).collect())
    }

    #[test]
    fn all_audiences_are_told_or_none() {
        let two = contents(&[("default", "ana"), ("shop", "bob")]);
        assert_eq!(subjects(Noted::Nothing, &two), Some(vec![]));
        let plain = vec!["default:ana".to_owned(), "shop:bob".to_owned()];
        assert_eq!(subjects(Noted::Subjects, &two), Some(plain));
    }

    #[test]
    fn a_hash_is_half_of_sha_256_in_base64url() {
        // The command is: printf %s ana | openssl sha256 -binary | head -c 16 | basenc --base64url
        assert_eq!(hash("ana"), "JNS5b1jabUqFEjE7vQKijg");
        let one = contents(&[("default", "ana")]);
        assert_eq!(
            subjects(Noted::Hashes, &one),
            Some(vec!["default:JNS5b1jabUqFEjE7vQKijg".into()])
        );
    }

    #[test]
    fn a_subject_that_cannot_be_listed_prevents_the_session() {
        let (long, longest) = ("\u{915}".repeat(257), "\u{915}".repeat(256));
        for bad in [("default", long.as_str()), (long.as_str(), "ana"), ("default", "a\0")] {
            let contents = contents(&[("fine", "ana"), bad]);
            assert_eq!(subjects(Noted::Subjects, &contents), None);
            assert!(subjects(Noted::Nothing, &contents).is_some());
        }
        assert!(subjects(Noted::Subjects, &contents(&[("default", &longest)])).is_some());
        // The hash of a long subject is short.
        assert!(subjects(Noted::Hashes, &contents(&[("default", &long)])).is_some());
        let names: Vec<String> = (0..17).map(|n| n.to_string()).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "ana")).collect();
        assert_eq!(subjects(Noted::Subjects, &contents(&many)), None);
        assert!(subjects(Noted::Subjects, &contents(&many[1..])).is_some());
    }
}
