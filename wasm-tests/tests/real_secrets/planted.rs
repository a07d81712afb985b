//! Secrets that are recognised wherever they turn up, and the search for them.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The secrets of a test.
#[derive(Default)]
pub struct Planted {
    all: Vec<(String, String)>,
}

/// What was found in one place.
#[derive(Default)]
pub struct Found {
    /// The number of bytes that were searched.
    pub bytes: usize,
    /// The secrets, each with the form in which it was there.
    pub secrets: BTreeSet<(String, &'static str)>,
}

impl Found {
    /// Returns the names of the secrets.
    pub fn names(&self) -> BTreeSet<&str> {
        self.secrets.iter().map(|(name, _)| name.as_str()).collect()
    }
}

impl Planted {
    /// Makes a secret of this name, which nobody has by chance. It has 40 characters or more, all
    /// of which may stand in headers, URIs and files.
    pub fn plant(&mut self, name: &str) -> String {
        self.known(name, &format!("planted-{}", &jose::hash::sha256_hex(name.as_bytes())[..40]))
    }

    /// Takes a secret that exists already.
    pub fn known(&mut self, name: &str, secret: &str) -> String {
        assert!(secret.len() >= 12, "{name} is too short to be recognised");
        self.all.push((name.to_owned(), secret.to_owned()));
        secret.to_owned()
    }

    /// Returns the secret of this name.
    #[track_caller]
    pub fn secret(&self, name: &str) -> &str {
        let found = self.all.iter().find(|(known, _)| known == name);
        &found.unwrap_or_else(|| panic!("no secret is called {name}")).1
    }

    /// Returns the names of all secrets.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|(name, _)| name.as_str())
    }

    /// Searches `text` for every secret but those of these names, in every form.
    pub fn search(&self, text: &[u8], but: &[&str]) -> Found {
        let mut found = Found::default();
        self.needles(but).search(text, &mut found);
        found
    }

    /// Prepares a search of several texts for every secret but those of these names.
    pub fn needles(&self, but: &[&str]) -> Needles {
        let mut needles = Needles { all: Vec::new(), by_start: vec![Vec::new(); 1 << 16] };
        for (name, secret) in self.all.iter().filter(|(name, _)| !but.contains(&&**name)) {
            for (form, text) in forms(secret.as_bytes()) {
                let start = u16::from_le_bytes([text[0], text[1]]);
                needles.by_start[usize::from(start)].push(needles.all.len());
                needles.all.push((name.clone(), form, text));
            }
        }
        needles
    }
}

/// All forms of some secrets, which are looked for in one pass over a text: the memory of a gateway
/// has hundreds of megabytes.
pub struct Needles {
    /// The name of each secret, and one of its forms.
    all: Vec<(String, &'static str, Vec<u8>)>,
    /// Indices into `all` by the first two bytes of the form.
    by_start: Vec<Vec<usize>>,
}

impl Needles {
    /// Adds to `found` what is in `text`.
    pub fn search(&self, text: &[u8], found: &mut Found) {
        found.bytes += text.len();
        for (at, pair) in text.windows(2).enumerate() {
            for &index in &self.by_start[usize::from(u16::from_le_bytes([pair[0], pair[1]]))] {
                let (name, form, needle) = &self.all[index];
                if text[at..].starts_with(needle) {
                    found.secrets.insert((name.clone(), form));
                }
            }
        }
    }
}

/// Returns a secret as it may stand in a text.
fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex = secret.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("text");
        text
    });
    let percent = secret.iter().fold(String::new(), |mut text, byte| {
        write!(text, "%{byte:02X}").expect("text");
        text
    });
    let mut forms = vec![
        ("in clear", secret.to_vec()),
        ("reversed", secret.iter().rev().copied().collect()),
        ("in hex", hex.clone().into_bytes()),
        ("in hex", hex.to_uppercase().into_bytes()),
        ("percent-encoded", percent.to_lowercase().into_bytes()),
        ("percent-encoded", percent.into_bytes()),
        ("of its digits", digits(secret)),
    ];
    // In the base64 of a longer text, a secret begins at one of three places, and what stands
    // before and behind it changes the outer characters.
    for before in 0..3 {
        let text = [&vec![0; before][..], secret].concat();
        let inner = |coded: String| {
            let skip = (before * 8).div_ceil(6);
            let end = text.len() * 8 / 6;
            coded.as_bytes()[skip..end].to_vec()
        };
        forms.push(("in base64", inner(STANDARD.encode(&text))));
        forms.push(("in base64url", inner(URL_SAFE_NO_PAD.encode(&text))));
    }
    forms
}

/// Returns the bytes as a list of numbers, as Rust shows bytes.
fn digits(secret: &[u8]) -> Vec<u8> {
    let numbers: Vec<String> = secret.iter().map(u8::to_string).collect();
    numbers.join(", ").into_bytes()
}

#[test]
fn the_search_finds_a_secret_in_every_form_and_at_every_place() {
    let mut planted = Planted::default();
    let secret = planted.plant("a secret");
    let other = planted.plant("another secret");
    let found = |text: &[u8]| planted.search(text, &[]).secrets.into_iter().collect::<Vec<_>>();
    let named = |form| vec![("a secret".to_owned(), form)];
    assert_eq!(found(format!("key={secret};").as_bytes()), named("in clear"));
    assert_eq!(found(secret.chars().rev().collect::<String>().as_bytes()), named("reversed"));
    assert_eq!(found(format!("{:?}", secret.as_bytes()).as_bytes()), named("of its digits"));
    for before in 0..7 {
        let text = format!("{}{secret}-and-more", "x".repeat(before));
        assert!(found(STANDARD.encode(&text).as_bytes()).contains(&named("in base64")[0]));
        assert!(
            found(URL_SAFE_NO_PAD.encode(&text).as_bytes()).contains(&named("in base64url")[0])
        );
    }
    for (form, text) in forms(secret.as_bytes()) {
        assert!(found(&[b"xx", &text[..], b"yy"].concat()).iter().any(|(_, found)| *found == form));
    }
    assert_eq!(found(&secret.as_bytes()[1..]), []);
    assert_eq!(found(b"planted-"), []);
    assert!(planted.search(other.as_bytes(), &["another secret"]).secrets.is_empty());
}
