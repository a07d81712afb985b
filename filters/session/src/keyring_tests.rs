//! Every cookie of lua-resty-session opens, and is written again byte by byte.

use super::*;
use crate::header::{BOUND_TO_IP, BOUND_TO_SCHEME, BOUND_TO_USER_AGENT, ENCODED, STORED};
use jose::base64url;
use proptest::prelude::*;
use serde_json::Value;

/// Cookies that lua-resty-session 4.1.5 wrote or opened, under LuaJIT and OpenSSL.
const VECTORS: &str = include_str!("cookie_vectors.json");

fn vectors() -> Vec<(String, Value)> {
    let all: serde_json::Map<String, Value> = serde_json::from_str(VECTORS).unwrap();
    all.into_iter().collect()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector.get(name).and_then(Value::as_str).unwrap()
}

fn ring(secrets: &[&str]) -> Keyring {
    Keyring::new(secrets.iter().map(|secret| Secret::new(secret)).collect())
}

fn nobody() -> Client {
    Client::default()
}

#[test]
fn every_cookie_of_the_original_opens_and_is_sealed_alike() {
    let mut seen = 0;
    for (name, vector) in vectors() {
        if name.starts_with("v2") || name.starts_with("v3") {
            continue;
        }
        seen += 1;
        let cookie = text(&vector, "cookie_value");
        let kind = if name == "v4_remember" { Kind::Remember } else { Kind::Session };
        let header = Header::read(cookie.as_bytes()).unwrap();
        assert_eq!(header.created, vector["created"].as_u64().unwrap(), "{name}");
        assert_eq!(header.size as u64, vector["data_size"].as_u64().unwrap(), "{name}");
        let stored = vector.get("payload").and_then(Value::as_str);
        let payload = match cookie.get(ENCODED..).filter(|rest| !rest.is_empty()) {
            Some(rest) => rest,
            None => stored.unwrap(),
        };
        assert_eq!(payload.len(), header.size, "{name}");
        let sealed = base64url::decode(payload.as_bytes()).unwrap();
        let ring = ring(&["another", text(&vector, "secret")]);
        let proof = ring.prove(kind, &header, &nobody()).unwrap();
        assert_eq!(proof.secret, 1);
        let contents = ring.open(kind, &header, &proof, sealed.clone()).unwrap();
        assert_eq!(
            String::from_utf8(contents.clone()).unwrap(),
            text(&vector, "plaintext"),
            "{name}"
        );

        let ring = self::ring(&[text(&vector, "secret")]);
        let draft = Draft { flags: header.flags, created: header.created, rolling: header.rolling };
        let (again, resealed) = ring.seal_as(kind, draft, &contents, &nobody(), header.id).unwrap();
        // Compressors differ, so deflated contents need not have equal bytes.
        if header.has(DEFLATED) {
            assert!(again.has(DEFLATED));
            assert_eq!(
                ring.open(kind, &again, &ring.prove(kind, &again, &nobody()).unwrap(), resealed),
                Some(contents)
            );
        } else {
            assert_eq!((again.text(), resealed), (header.text(), sealed), "{name}");
        }
    }
    assert_eq!(seen, 6);
}

#[test]
fn long_contents_in_a_short_cookie_are_not_remembered() {
    let ring = ring(&["s"]);
    for (groups, kept) in [(300, true), (5000, false)] {
        let json = format!(r#"[[["1","c",[{}"g"]],"default","1"]]"#, r#""g","#.repeat(groups));
        let draft = Draft { flags: 0, created: 1, rolling: 0 };
        let client = nobody();
        let (header, sealed) =
            ring.seal(Kind::Session, draft, json.as_bytes(), &client, &[7; 32]).unwrap();
        assert!(header.has(DEFLATED) && header.size < MAX_REMEMBERED);
        let proof = ring.prove(Kind::Session, &header, &client).unwrap();
        let payload = base64url::encode(&sealed);
        proof.remember(&header, payload.as_bytes(), &Contents::read(json.as_bytes()).unwrap());
        assert_eq!(proof.opened(&header, payload.as_bytes()).is_some(), kept, "{groups}");
    }
}

#[test]
fn cookies_of_older_formats_are_no_sessions() {
    for name in ["v2_kong_storage", "v3_cookie"] {
        let (_, vector) = vectors().into_iter().find(|(known, _)| known == name).unwrap();
        assert!(Header::read(text(&vector, "cookie_value").as_bytes()).is_none(), "{name}");
    }
}

fn sealed(ring: &Keyring, flags: u16, client: &Client) -> (Header, Vec<u8>) {
    let draft = Draft { flags, created: 1_700_000_000, rolling: 5 };
    ring.seal(Kind::Session, draft, b"[[[],\"a\"]]", client, &[7; 32]).unwrap()
}

#[test]
fn the_current_secret_seals_and_an_older_one_opens() {
    let (old, new) = (ring(&["old"]), ring(&["new", "older", "old"]));
    let (header, contents) = sealed(&old, 0, &nobody());
    let proof = new.prove(Kind::Session, &header, &nobody()).unwrap();
    assert_eq!(proof.secret, 2);
    assert!(new.open(Kind::Session, &header, &proof, contents).is_some());
    let (header, _) = sealed(&new, 0, &nobody());
    assert_eq!(new.prove(Kind::Session, &header, &nobody()).unwrap().secret, 0);
    assert!(old.prove(Kind::Session, &header, &nobody()).is_none());
}

#[test]
fn the_two_kinds_of_cookie_do_not_open_one_another() {
    let ring = ring(&["secret"]);
    let (header, contents) = sealed(&ring, 0, &nobody());
    let proof = self::ring(&["secret"]).prove(Kind::Remember, &header, &nobody()).unwrap();
    assert_eq!(self::ring(&["secret"]).open(Kind::Remember, &header, &proof, contents), None);
}

#[test]
fn a_bound_session_opens_for_its_own_client_only() {
    let ring = ring(&["secret"]);
    let client = Client {
        ip: Some("10.0.0.1".into()),
        scheme: Some("https".into()),
        user_agent: Some(b"curl/8".to_vec()),
    };
    let all = BOUND_TO_IP | BOUND_TO_SCHEME | BOUND_TO_USER_AGENT;
    let (header, _) = sealed(&ring, all, &client);
    let proves = |client: &Client| ring.prove(Kind::Session, &header, client).is_some();
    assert!(proves(&client) && !proves(&nobody()));
    assert!(!proves(&Client { ip: Some("10.0.0.2".into()), ..client.clone() }));
    assert!(!proves(&Client { scheme: None, ..client.clone() }));
    assert!(!proves(&Client { user_agent: Some(b"curl/9".to_vec()), ..client.clone() }));
    // Without the flag the property is not compared.
    let (header, _) = sealed(&ring, BOUND_TO_IP, &client);
    let other = Client { user_agent: None, scheme: None, ..client };
    assert!(ring.prove(Kind::Session, &header, &other).is_some());
}

#[test]
fn ids_differ_with_the_contents_even_if_the_random_bytes_come_twice() {
    let ring = ring(&["secret"]);
    let draft = Draft { flags: 0, created: 1, rolling: 0 };
    let id = |contents: &[u8], random| {
        ring.seal(Kind::Session, draft, contents, &nobody(), &random).unwrap().0.id
    };
    assert_eq!(id(b"a", [1; 32]), id(b"a", [1; 32]));
    assert_ne!(id(b"a", [1; 32]), id(b"b", [1; 32]));
    assert_ne!(id(b"a", [1; 32]), id(b"a", [2; 32]));
    // One key authenticates the header too. Two headers with one nonce would reveal the key.
    for other in [
        Draft { flags: STORED, ..draft },
        Draft { created: 2, ..draft },
        Draft { rolling: 1, ..draft },
    ] {
        let sealed = ring.seal(Kind::Session, other, b"a", &nobody(), &[1; 32]).unwrap();
        assert_ne!(sealed.0.id, id(b"a", [1; 32]));
    }
}

#[test]
fn a_touched_session_has_a_new_mac_and_the_same_contents() {
    let ring = ring(&["secret"]);
    let (header, contents) = sealed(&ring, STORED, &nobody());
    let proof = ring.prove(Kind::Session, &header, &nobody()).unwrap();
    let touched = ring.touch(&header, &proof, 61, &nobody());
    assert_eq!((touched.id, touched.idling), (header.id, 61));
    assert_ne!(touched.mac, header.mac);
    let fresh = self::ring(&["secret"]);
    let proof = fresh.prove(Kind::Session, &touched, &nobody()).unwrap();
    assert!(fresh.open(Kind::Session, &touched, &proof, contents).is_some());
    let forged = Header { idling: 62, ..touched };
    assert!(fresh.prove(Kind::Session, &forged, &nobody()).is_none());
}

#[test]
fn contents_that_inflate_too_far_are_not_opened() {
    let ring = ring(&["secret"]);
    let draft = Draft { flags: 0, created: 1, rolling: 0 };
    let largest = vec![b'a'; MAX_CONTENTS];
    let (header, text) = ring.seal(Kind::Session, draft, &largest, &nobody(), &[0; 32]).unwrap();
    assert!(header.has(DEFLATED) && text.len() < 1000);
    let proof = ring.prove(Kind::Session, &header, &nobody()).unwrap();
    assert_eq!(ring.open(Kind::Session, &header, &proof, text), Some(largest));
    let more = vec![b'a'; MAX_CONTENTS + 1];
    assert!(ring.seal(Kind::Session, draft, &more, &nobody(), &[0; 32]).is_none());
    // This header was made with the secret.
    let bomb = compress_to_vec(&more, LEVEL);
    let id = [3; 32];
    let keys = Secret::new("secret").keys(&id).unwrap();
    let mut header =
        Header { flags: DEFLATED, id, size: crate::header::encoded_length(bomb.len()), ..header };
    let secret = Secret::new("secret");
    let (cipher, nonce) = keys.cipher(&secret, Kind::Session, &id);
    let mut text = bomb;
    let tag = cipher.encrypt_inout_detached(
        &(*nonce).into(),
        &header.associated(),
        text.as_mut_slice().into(),
    );
    header.tag = tag.unwrap().into();
    header.mac = keys.mac(&nobody().message(&header));
    let proof = ring.prove(Kind::Session, &header, &nobody()).unwrap();
    assert_eq!(ring.open(Kind::Session, &header, &proof, text), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_byte_is_changed_the_session_does_not_open(at in 0_usize..91, bits in 1_u8..=255) {
        let ring = ring(&["secret"]);
        let (header, contents) = sealed(&ring, 0, &nobody());
        let mut bytes = [header.bytes().as_slice(), &contents].concat();
        let at = at.min(bytes.len().saturating_sub(1));
        bytes[at] ^= bits;
        let (first, rest) = bytes.split_at(82);
        let opened = Header::read(base64url::encode(first).as_bytes()).and_then(|header| {
            let fresh = self::ring(&["secret"]);
            let proof = fresh.prove(Kind::Session, &header, &nobody())?;
            fresh.open(Kind::Session, &header, &proof, rest.to_vec())
        });
        prop_assert_eq!(opened, None);
    }
}
