//! Two configurations that share one memory.

use super::*;
use crate::config::tests::config;
use cache::{Cache, Conditions, LocalData, Lookup, Outgoing, Rooms, Setup};
use settings::Common;

const X: &str = r#"{"name":"x","issuer":"https://x/","jwks":"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}"}"#;
const Y: &str = r#"{"name":"y","issuer":"https://y/","oidc_discovery_uri":"https://y.example/d","upstream":{"upstream":"y"}}"#;
const Z: &str = r#"{"name":"z","issuer":"https://z/","oidc_discovery_uri":"https://z.example/d","upstream":{"upstream":"z"}}"#;

/// The cache of one configuration.
struct Neighbour {
    config: Rc<Config>,
    cache: Cache,
}

impl Neighbour {
    fn new(data: &Rc<LocalData>, providers: &[&str]) -> Self {
        let config = Rc::new(config(&format!(r#"{{"providers":[{}]}}"#, providers.join(","))));
        let setup = Setup {
            filter: ("jwt_auth", 3),
            common: &Common::default(),
            depends: &config.depends(),
            data: Rc::<LocalData>::clone(data),
            rooms: Rooms::default(),
            random: || 7,
            started: 0,
        };
        let source = Box::new(Entities { config: Rc::clone(&config) });
        Self { cache: Cache::new(setup, source, 0), config }
    }

    /// Fetches all that the filter wants for itself.
    fn tick(&mut self) {
        for now in [0, 6000] {
            for outgoing in self.cache.tick(now).calls {
                self.cache.answered(&outgoing.purpose, &Ok(served(&outgoing)), true, now);
            }
        }
    }

    /// Returns what the memory holds for `key`.
    fn kept(&mut self, key: &Key) -> Option<String> {
        let at = Conditions { now: 7000, not_before: 0, can_park: true, can_wake: true, bytes: 0 };
        match self.cache.find(key, 1, at) {
            Lookup::Hit(Finding::Value(value)) => Some(String::from_utf8(value).unwrap()),
            _ => None,
        }
    }

    fn kept_path(&mut self, provider: usize) -> Option<String> {
        let key = discovery(&self.place(provider).name);
        self.kept(&key)
    }

    fn kept_set(&mut self, provider: usize, path: &str) -> Option<String> {
        let key = key_set(&self.place(provider).name, path);
        self.kept(&key)
    }

    fn place(&self, provider: usize) -> &Place {
        self.config.providers[provider].place().unwrap()
    }
}

/// Answers for the provider that is asked: its documents name it.
fn served(outgoing: &Outgoing) -> Answer {
    let authority = &outgoing.target.as_ref().unwrap().authority;
    let issuer = authority.replace(".example", "/");
    let body = match outgoing.call.segments.concat().as_slice() {
        b"d" => format!(
            r#"{{"issuer":"https://{issuer}","jwks_uri":"https://{authority}/keys?of={authority}"}}"#
        ),
        _ => format!(
            r#"{{"keys":[{{"kid":"of {authority}","kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}}]}}"#
        ),
    };
    Answer::new(200, body)
}

#[test]
fn an_issuers_keys_are_never_found_as_another_issuers() {
    let data = Rc::default();
    Neighbour::new(&data, &[X, Y, Z]).tick();
    let mut other = Neighbour::new(&data, &[Y, Z]);
    for (provider, own) in [(1, "z.example"), (0, "y.example")] {
        let path = other.kept_path(provider).unwrap();
        assert_eq!(path, format!("/keys?of={own}"));
        assert!(other.kept_set(provider, &path).unwrap().contains(&format!("of {own}")));
    }
}

#[test]
fn only_a_place_that_is_the_same_in_everything_is_shared() {
    let place = |issuer: &str, uri: &str, upstream: &str| {
        format!(
            r#"{{"name":"y","issuer":"{issuer}","jwks_uri":"{uri}","upstream":{{"upstream":{upstream}}}}}"#
        )
    };
    let (issuer, uri) = ("https://y/", "https://y.example/keys");
    let first = place(issuer, uri, r#""y""#);
    for (other, shared) in [
        (place(issuer, uri, r#""y""#), true),
        (place(issuer, uri, r#""y","timeout":70"#), true),
        (place("https://y", uri, r#""y""#), false),
        (place(issuer, "http://y.example/keys", r#""y""#), false),
        (place(issuer, "http://y.example/keys", r#""y","scheme":"https""#), false),
        (place(issuer, "https://y.example:444/keys", r#""y""#), false),
        (place(issuer, "https://y.example/keys?", r#""y""#), false),
        (place(issuer, uri, r#""yy""#), false),
        (place(issuer, uri, r#""y","authority":"a""#), false),
        (place(issuer, uri, r#""y","path_prefix":"/p""#), false),
        (place(issuer, uri, r#""y","token":"t""#), false),
    ] {
        let data = Rc::default();
        Neighbour::new(&data, &[&first]).tick();
        let mut neighbour = Neighbour::new(&data, &[&other]);
        let path = neighbour.place(0).uri.path.clone();
        assert_eq!(neighbour.kept_set(0, &path).is_some(), shared, "{other}");
        // The token alone is in the seal only.
        let names = [&first, &other].map(|one| Neighbour::new(&data, &[one]).place(0).name.clone());
        assert_eq!(names[0] == names[1], shared || other.contains("token"), "{other}");
    }
}
