//! What filters and gatehouse-admin tell one another.

use admin_api::NodeReport;
use consumer::lookup::{self, By};
use consumer::{Identity, Known, KongLists};
use exchange::{Answer, Finding};

/// The identity's property, answers about consumers, the lists of a Kong Admin API, and the header
/// in which a gateway tells about itself. The first byte chooses; pages of lists end with 0x1e.
pub fn identities(data: &[u8]) {
    let Some((chosen, text)) = crate::input::choice(data, 8) else { return };
    match chosen {
        0..3 => {
            let by = [By::Id, By::Username, By::CustomId][chosen];
            let (name, body) = crate::input::halves(text, 0x1e);
            let Ok(name) = std::str::from_utf8(name) else { return };
            let key = lookup::key(by, name);
            assert!(lookup::call(&key).is_some());
            for status in [200, 404, 500] {
                let found = lookup::read(&key, &Answer::new(status, body));
                match found {
                    // Whoever is found is the one that was asked for.
                    Some((Finding::Value(value), _)) if by == By::Id => {
                        let found = Identity::from_json(&value).expect("an identity");
                        assert_eq!(found.id, consumer::folded(name));
                        assert!(!found.is_authenticated(), "a name proves nothing");
                    }
                    Some((Finding::Value(_), _)) => assert_eq!(status, 200),
                    Some((Finding::Nothing, seq)) => assert!(status == 404 && seq.is_some()),
                    None => {}
                }
            }
        }
        3 | 4 => {
            let known = Known::from_property(Some(text));
            if let Known::Identity(identity) = &known {
                let json = identity.to_json();
                assert_eq!(Known::from_property(Some(&json)), known);
                assert!(!identity.id.is_empty());
            }
        }
        5 => {
            let mut lists = KongLists::ending_with("key-auths", |value| {
                value.get("key").and_then(|key| key.as_str().map(str::to_owned))
            });
            for page in crate::input::sections(text) {
                if lists.next_page().is_none() || !lists.absorb(&Answer::new(200, page), 10_000) {
                    break;
                }
            }
            for (_, owner) in lists.credentials() {
                assert!(lists.consumers().any(|consumer| consumer == owner));
            }
        }
        6 => {
            if let Some(report) = NodeReport::parse(text) {
                assert_eq!(report.to_string().as_bytes(), text);
            }
        }
        _ => {
            let _ = serde_json::from_slice::<admin_api::ChangesPage>(text);
            let _ = serde_json::from_slice::<admin_api::HolderPage>(text);
            let _ = serde_json::from_slice::<admin_api::AppIdPage>(text);
            let _ = serde_json::from_slice::<admin_api::Session>(text);
            let _ = serde_json::from_slice::<admin_api::Totals>(text);
        }
    }
}
