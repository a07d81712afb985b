//! The keys of identity providers: fetches, rotation, storms, outages.

use super::super::answers::unauthorized;
use super::super::bearing;
use super::super::idp::{ISSUER, Idp, issued, named, provider, set};
use super::{seconds, unavailable, warm};
use crate::gateways::Gateway;
use serde_json::json;
use wasm_tests::tokens::{forged, key, signed};
use wasm_tests::{Request, Standing, Stream};

#[test]
fn keys_in_the_settings_and_keys_behind_a_uri_make_the_same_consumer() {
    let (rsa, ec) = (named("rsa2048", "a"), named("es256", "b"));
    for gateway in Gateway::all() {
        for more in [
            json!({}),
            json!({"jwks_uri": null, "jwks": set(&[&rsa, &ec])}),
            json!({"jwks_uri": null, "oidc_discovery_uri": "https://idp.test/.well-known/openid-configuration"}),
        ] {
            let mut settings = provider(more.clone());
            let fields = settings["providers"][0].as_object_mut().expect("an object");
            fields.retain(|_, value| !value.is_null());
            if fields.contains_key("jwks") {
                fields.remove("upstream");
            }
            let proxy = gateway.start(&[("jwt_auth", settings)]);
            let idp = Idp::with(&[&rsa, &ec]);
            idp.serve(&proxy);
            for key in [&rsa, &ec] {
                let forwarded = proxy.send(bearing(issued(key, json!({})))).forwarded();
                for (name, value) in [
                    ("x-consumer-username", "idp:user|1"),
                    ("x-credential-identifier", "idp:user|1"),
                ] {
                    assert_eq!(forwarded.header(name).as_deref(), Some(value), "{}", gateway.name);
                }
                let id = forwarded.header("x-consumer-id").expect("an id");
                assert_eq!((id.len(), id.as_bytes()[14]), (36, b'5'), "a UUID of the fifth kind");
                let stream = proxy.send(bearing(forged(&issued(key, json!({})))));
                unauthorized(&stream, "Invalid signature", gateway.name);
            }
            assert!(proxy.faults().is_empty(), "{}", gateway.name);
        }
    }
}

#[test]
fn keys_are_fetched_before_the_first_token_and_kept_for_their_time() {
    let key = named("es256", "k");
    for gateway in Gateway::all() {
        let idp = Idp::with(&[&key]);
        let proxy = gateway.serving(&idp, &[("jwt_auth", provider(json!({"jwks_ttl": 60})))]);
        // A worker finds out its host at its first request.
        assert_eq!(proxy.send(Request::get("/")).refused().status, 401);
        proxy.advance(seconds(6));
        assert_eq!(idp.asked(), ["/keys?version=2"], "{}", gateway.name);
        let stream = proxy.send(bearing(issued(&key, json!({}))));
        stream.forwarded();
        assert_eq!(stream.outcome().callouts, 0, "{}", gateway.name);
        // For ten minutes, no request waits for the keys.
        for _ in 0..60 {
            proxy.advance(seconds(10));
            let stream = proxy.send(bearing(issued(&key, json!({}))));
            stream.forwarded();
            assert_eq!(stream.outcome().callouts, 0, "{}", gateway.name);
        }
        let asked = idp.asked().len();
        assert!((9..=25).contains(&asked), "{}: {asked} times in 600 s", gateway.name);
    }
}

#[test]
fn during_the_first_fetch_requests_wait_together_on_envoy_and_each_for_itself_on_kong() {
    let key = named("es256", "k");
    for gateway in Gateway::all() {
        let idp = Idp::with(&[&key]);
        let proxy = gateway.serving(&idp, &[("jwt_auth", provider(json!({})))]);
        idp.hold();
        let streams: Vec<Stream> =
            (0..5).map(|n| proxy.send(bearing(issued(&key, json!({"n": n}))))).collect();
        let calls = proxy.calls();
        assert_eq!(calls.len(), if gateway.is_kong() { 5 } else { 1 }, "{}", gateway.name);
        for call in calls {
            call.answer(idp.answer(&call));
        }
        for stream in streams {
            stream.forwarded();
        }
        assert!(proxy.faults().is_empty(), "{}", gateway.name);
    }
}

#[test]
fn a_rotated_key_is_known_at_once_and_a_withdrawn_one_is_not() {
    let (old, new) = (named("es256", "old"), named("rsa2048", "new"));
    for gateway in Gateway::all() {
        let (proxy, idp) = warm(&gateway, &old, json!({}));
        proxy.advance(seconds(11));
        idp.asked();
        idp.publish(set(&[&new]));
        proxy.send(bearing(issued(&new, json!({})))).forwarded();
        assert_eq!(idp.asked().len(), 1, "{}", gateway.name);
        // A token that was verified earlier is refused, too.
        let stream = proxy.send(bearing(issued(&old, json!({}))));
        unauthorized(&stream, "No key found for the token", gateway.name);
        assert!(idp.asked().is_empty(), "{}: not again so soon", gateway.name);
    }
}

#[test]
fn a_token_without_the_name_of_its_key_is_looked_for_in_a_newer_set_too() {
    let (old, new) = (named("rsa3072", "old"), named("rsa2048", "new"));
    for gateway in Gateway::both() {
        let (proxy, idp) = warm(&gateway, &old, json!({}));
        proxy.advance(seconds(11));
        idp.publish(set(&[&old, &new]));
        let claims = json!({"iss": ISSUER, "sub": "x", "exp": 99_999_999_999_u64});
        let nameless = signed(&key("RS256", "rsa2048"), &json!({}), &claims);
        proxy.send(bearing(&nameless)).forwarded();
        unauthorized(&proxy.send(bearing(forged(&nameless))), "Invalid signature", gateway.name);
    }
}

#[test]
fn a_storm_of_unknown_keys_asks_the_provider_once_in_ten_seconds() {
    let key = named("es256", "k");
    for gateway in Gateway::all() {
        let (proxy, idp) = warm(&gateway, &key, json!({}));
        proxy.advance(seconds(11));
        idp.asked();
        for second in 0..20 {
            for n in 0..10 {
                let stranger = named("es256", &format!("{second}-{n}"));
                let stream = proxy.send(bearing(issued(&stranger, json!({}))));
                unauthorized(&stream, "No key found for the token", gateway.name);
                proxy.send(bearing(issued(&key, json!({})))).forwarded();
            }
            proxy.advance(seconds(1));
        }
        let asked = idp.asked().len();
        assert!((1..=2).contains(&asked), "{}: {asked} times in 20 s", gateway.name);
    }
}

#[test]
fn a_storm_that_comes_all_at_once_asks_hardly_more() {
    let key = named("es256", "k");
    for gateway in Gateway::all() {
        let (proxy, idp) = warm(&gateway, &key, json!({}));
        proxy.advance(seconds(11));
        idp.asked();
        idp.hold();
        let storm: Vec<Stream> = (0..20)
            .map(|n| proxy.send(bearing(issued(&named("es256", &format!("new-{n}")), json!({})))))
            .collect();
        // A token of a known key does not wait for the fetch.
        proxy.send(bearing(issued(&key, json!({})))).forwarded();
        let calls = proxy.calls();
        assert_eq!(calls.len(), 1, "{}", gateway.name);
        for call in calls {
            call.answer(idp.answer(&call));
        }
        for stream in &storm {
            assert_eq!(stream.refused().status, 401, "{}", gateway.name);
        }
        assert!(proxy.faults().is_empty(), "{}", gateway.name);
    }
}

#[test]
fn while_a_provider_is_away_its_last_keys_serve_until_they_are_stale() {
    let key = named("es256", "k");
    for gateway in Gateway::all() {
        let more = json!({"jwks_ttl": 60});
        for (what, answer) in crate::key_auth::failures() {
            let (proxy, idp) = warm(&gateway, &key, more.clone());
            idp.breaks(answer);
            for _ in 0..35 {
                proxy.advance(seconds(10));
                let stream = proxy.send(bearing(issued(&key, json!({}))));
                assert_eq!(stream.standing(), Standing::Forwarded, "{}: {what}", gateway.name);
                stream.forwarded();
            }
            // `jwks_ttl` and `stale_ttl` have passed.
            proxy.advance(seconds(30));
            let stream = proxy.send(bearing(issued(&key, json!({}))));
            assert!(unavailable(&stream), "{}: {what}", gateway.name);
            idp.works();
            proxy.advance(seconds(30));
            proxy.send(bearing(issued(&key, json!({})))).forwarded();
        }
    }
}
