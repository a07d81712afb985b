//! A revocation counts under every name by which a token can name a consumer.

use super::bearing;
use super::idp::{Idp, issued, named, provider};
use crate::admin::Admin;
use crate::gateways::{Gateway, asking, settled};
use crate::identity_probe::{identity_probe, probed_identity};
use serde_json::{Value, json};
use std::time::Duration;
use wasm_tests::{Proxy, Request, merged};

/// The setting `consumer_by`, and the name of the consumer with this id, username and custom id.
type Name = (&'static str, fn([&str; 3]) -> String);

const NAMES: [Name; 4] = [
    ("id", |[id, ..]| id.to_owned()),
    ("id", |[id, ..]| id.to_uppercase()),
    ("username", |[_, username, _]| username.to_owned()),
    ("custom_id", |[.., custom_id]| custom_id.to_owned()),
];

struct Named {
    proxy: Proxy,
    admin: Admin,
    gateway: Gateway,
}

impl Named {
    fn start(gateway: Gateway, by: &str) -> Self {
        let more = json!({"consumer_claim": "azp", "consumer_by": by});
        let settings = merged(provider(more), asking(json!({})));
        let filters = [gateway.filter("jwt_auth", settings), identity_probe(&gateway)];
        let proxy = Proxy::new(gateway.profile.clone(), filters);
        let admin = Admin::default();
        Idp::with(&[&named("es256", "k")]).serve_beside(&proxy, &admin);
        settled(&[&proxy]);
        Self { proxy, admin, gateway }
    }

    fn request(name: &str) -> Request {
        bearing(issued(&named("es256", "k"), json!({ "azp": name })))
    }

    /// The id and the groups of the consumer with this name.
    #[track_caller]
    fn identity(&self, name: &str) -> (Value, Value) {
        let forwarded = self.proxy.send(Self::request(name)).forwarded();
        let identity = probed_identity(&self.proxy);
        assert_eq!(
            forwarded.header("x-consumer-id").map(Value::from),
            Some(identity["id"].clone())
        );
        (identity["id"].clone(), identity["groups"].clone())
    }

    #[track_caller]
    fn is_nobody(&self, name: &str) {
        let status = self.proxy.send(Self::request(name)).refused().status;
        assert_eq!(status, 401, "{}: {name}", self.gateway.name);
    }

    /// Lets the filter poll for changes.
    fn poll(&self) {
        self.proxy.advance(Duration::from_secs(6));
    }
}

#[test]
fn a_group_a_name_and_a_consumer_end_within_the_poll_interval_under_every_name() {
    for gateway in Gateway::all() {
        for (by, name) in NAMES {
            let it = Named::start(gateway.clone(), by);
            let id = it.admin.consumer("ana");
            it.admin.custom_id(&id, Some("c9"));
            it.admin.group(&id, "gold");
            it.poll();
            let first = name([&id, "ana", "c9"]);
            assert_eq!(it.identity(&first), (json!(id), json!(["gold"])), "{by}");
            it.admin.remove_group(&id, "gold");
            it.poll();
            assert_eq!(it.identity(&first), (json!(id), json!([])), "{} {by}", gateway.name);
            it.admin.group(&id, "silver");
            it.poll();
            assert_eq!(it.identity(&first).1, json!(["silver"]), "{} {by}", gateway.name);

            // Both names change, and another consumer gets them later.
            it.admin.rename(&id, "bea");
            it.admin.custom_id(&id, Some("c10"));
            it.poll();
            let second = name([&id, "bea", "c10"]);
            assert_eq!(it.identity(&second).0, json!(id), "{} {by}", gateway.name);
            if by != "id" {
                it.is_nobody(&first);
                let heir = it.admin.consumer("ana");
                it.admin.custom_id(&heir, Some("c9"));
                it.poll();
                assert_eq!(it.identity(&first), (json!(heir), json!([])), "{} {by}", gateway.name);
            }
            it.admin.delete_consumer(&id);
            it.poll();
            it.is_nobody(&second);
            assert!(it.proxy.faults().is_empty(), "{}", gateway.name);
        }
    }
}

#[test]
fn whatever_a_token_calls_a_consumer_it_is_looked_up_once_and_kept_once() {
    for gateway in Gateway::all() {
        let it = Named::start(gateway.clone(), "id");
        let id = it.admin.consumer("ana");
        it.poll();
        it.admin.asked();
        for name in [id.clone(), id.to_uppercase(), id.replace('a', "A")] {
            assert_eq!(it.identity(&name).0, json!(id), "{}", gateway.name);
        }
    }
}

#[test]
fn a_consumer_renamed_between_two_looks_is_never_served_under_a_name_that_it_had() {
    for gateway in Gateway::all() {
        let it = Named::start(gateway.clone(), "username");
        let id = it.admin.consumer("ana");
        it.poll();
        it.identity("ana");
        it.proxy.advance(Duration::from_secs(1));
        // The consumer is fetched again before the change is known. The answer that leads to it is
        // cached.
        it.admin.rename(&id, "bea");
        assert_eq!(it.identity("bea").0, json!(id), "{}", gateway.name);
        it.is_nobody("ana");
    }
}
