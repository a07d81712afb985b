//! jwt_auth with credentials in gatehouse-admin: lookups, their answers, and outages.

use super::answers::{From, start, unauthorized};
use super::bearing;
use crate::admin::{Admin, Kind};
use crate::gateways::{Gateway, asking, refusal, settled};
use serde_json::json;
use std::time::Duration;
use wasm_tests::tokens::{SEED, ado, key, public_pem, secret, signed};
use wasm_tests::{KongVersion, Level, Request, Standing, refused_with};

fn of_issuer(issuer: &str) -> Request {
    bearing(signed(&secret("HS256", b"supersecret"), &json!({}), &json!({ "iss": issuer })))
}

#[test]
fn a_credential_is_looked_up_once_by_its_exact_key() {
    for gateway in Gateway::all() {
        let (proxy, admin) = start(&gateway, From::Service, json!({}));
        for _ in 0..3 {
            proxy.send(bearing(SEED)).forwarded();
            let message = "No credentials found for given 'iss'";
            unauthorized(&proxy.send(of_issuer("Adokey")), message, gateway.name);
        }
        let expected = ["/identities/jwt/adokey", "/identities/jwt/Adokey"];
        assert_eq!(admin.lookups(), expected, "{}", gateway.name);
    }
}

#[test]
fn a_key_stays_one_path_segment_whatever_it_is() {
    let keys = [
        ("https://ado.auth0.com/", "https%3A%2F%2Fado%2Eauth0%2Ecom%2F"),
        ("x HTTP/1.1\r\nHost: evil\r\n\r\n", "x%20HTTP%2F1%2E1%0D%0AHost%3A%20evil%0D%0A%0D%0A"),
        ("../../consumers", "%2E%2E%2F%2E%2E%2Fconsumers"),
        ("..", "%2E%2E"),
        ("?size=1#x", "%3Fsize%3D1%23x"),
        ("nul\0", "nul%00"),
        ("größe", "gr%C3%B6%C3%9Fe"),
    ];
    for gateway in Gateway::all() {
        for (issuer, encoded) in keys {
            let (proxy, admin) = start(&gateway, From::Service, json!({}));
            let id = admin.consumer("owner");
            admin.jwt(&id, json!({"key": issuer, "secret": "supersecret"}));
            let forwarded = proxy.send(of_issuer(issuer)).forwarded();
            assert_eq!(forwarded.header("x-consumer-id"), Some(id), "{}", gateway.name);
            assert_eq!(admin.lookups(), [format!("/identities/jwt/{encoded}")], "{issuer:?}");
        }
    }
}

#[test]
fn an_answer_about_another_key_lets_nobody_in() {
    for gateway in Gateway::all() {
        let (proxy, admin) = start(&gateway, From::Service, json!({}));
        admin.hold();
        let stream = proxy.send(of_issuer("mine"));
        let call = proxy.call();
        let other = json!({
            "consumer": {"id": "1", "username": "ado", "custom_id": null}, "groups": [],
            "credential": {"id": "j", "type": "jwt", "identifier": "adokey"},
            "jwt": {"algorithm": "HS256", "secret": "supersecret"}, "seq": 1,
        });
        call.json(200, other.to_string());
        assert_eq!(refusal(&stream), refused_with(503, "Service unavailable"), "{}", gateway.name);
    }
}

#[test]
fn whatever_goes_wrong_at_the_admin_service_lets_nobody_in() {
    for gateway in Gateway::all() {
        let proxy = gateway.start(&[("jwt_auth", asking(json!({})))]);
        for (n, (what, answer)) in crate::key_auth::failures().into_iter().enumerate() {
            let stream = proxy.send(of_issuer(&format!("issuer-{n}")));
            proxy.call().answer(answer);
            let expected = refused_with(503, "Service unavailable");
            assert_eq!(refusal(&stream), expected, "{}: {what}", gateway.name);
        }
        assert!(proxy.faults().is_empty(), "{}", gateway.name);
    }
}

#[test]
fn changes_to_a_credential_count_at_the_next_poll() {
    for gateway in Gateway::all() {
        let (proxy, admin) = start(&gateway, From::Service, json!({}));
        settled(&[&proxy]);
        proxy.send(bearing(SEED)).forwarded();
        let poll = || proxy.advance(Duration::from_secs(6));
        let id = admin.consumer("second");
        // The credential gets another secret.
        admin.jwt(&id, json!({"key": "adokey", "secret": "changed"}));
        poll();
        unauthorized(&proxy.send(bearing(SEED)), "Invalid signature", gateway.name);
        let changed = signed(&secret("HS256", b"changed"), &json!({}), &json!({"iss": "adokey"}));
        proxy.send(bearing(&changed)).forwarded();
        // The credential gets a key of another kind: tokens that the old key verified are not
        // remembered.
        let ec = signed(&key("ES256", "es256"), &json!({}), &json!({"iss": "ES256 es256"}));
        proxy.send(bearing(&ec)).forwarded();
        admin.jwt(
            &id,
            json!({"key": "ES256 es256", "algorithm": "RS256", "rsa_public_key": public_pem("rsa2048")}),
        );
        poll();
        unauthorized(&proxy.send(bearing(&ec)), "Invalid algorithm", gateway.name);
        // The credential is removed.
        admin.remove_jwt("adokey");
        poll();
        let message = "No credentials found for given 'iss'";
        unauthorized(&proxy.send(bearing(&changed)), message, gateway.name);
        // The consumer joins a group, and is then deleted.
        admin.jwt(&id, json!({"key": "late", "secret": "supersecret"}));
        poll();
        proxy.send(of_issuer("late")).forwarded();
        admin.delete_consumer(&id);
        poll();
        unauthorized(&proxy.send(of_issuer("late")), message, gateway.name);
    }
}

#[test]
fn a_known_session_outlives_an_outage_and_an_unknown_one_is_no_refusal() {
    for gateway in Gateway::all() {
        let (proxy, admin) = start(&gateway, From::Service, json!({}));
        settled(&[&proxy]);
        proxy.send(bearing(SEED)).forwarded();
        admin.breaks(wasm_tests::Answer::Refused);
        proxy.advance(Duration::from_secs(120));
        proxy.send(bearing(SEED)).forwarded();
        let unknown = proxy.send(of_issuer("unknown"));
        assert_eq!(refusal(&unknown), refused_with(503, "Service unavailable"), "{}", gateway.name);
    }
}

#[test]
fn no_token_and_no_secret_reaches_the_log() {
    for gateway in Gateway::all() {
        let (proxy, admin) = start(&gateway, From::Service, json!({}));
        proxy.send(bearing(SEED)).forwarded();
        proxy.send(bearing(ado(json!({"exp": "hush"})))).forwarded();
        admin.breaks(wasm_tests::Answer::Garbage);
        proxy.send(of_issuer("another"));
        proxy.advance(Duration::from_secs(10));
        let log = proxy.log_text(Level::Trace);
        for secret in ["supersecret", "eyJ", "hush", &SEED[SEED.len() - 20..]] {
            assert!(!log.contains(secret), "{}: {log}", gateway.name);
        }
    }
}

#[test]
fn a_kong_admin_api_is_read_as_a_whole() {
    for gateway in Gateway::all() {
        let admin = Admin::of_kind(Kind::Kong);
        let id = admin.consumer("ado");
        admin.group(&id, "gold");
        admin.jwt(&id, json!({"key": "adokey", "secret": "supersecret"}));
        admin.jwt(
            &id,
            json!({"key": "rs", "algorithm": "RS256", "rsa_public_key": public_pem("rsa2048")}),
        );
        let proxy = gateway.serving(&admin, &[("jwt_auth", asking(json!({})))]);
        let cold = proxy.send(bearing(SEED));
        assert_eq!(refusal(&cold), refused_with(503, "Service unavailable"), "{}", gateway.name);
        // On Kong the filter fetches one page of a list at each tick.
        proxy.advance(Duration::from_secs(8));
        let forwarded = proxy.send(bearing(SEED)).forwarded();
        assert_eq!(forwarded.header("x-consumer-id"), Some(id), "{}", gateway.name);
        let rs = signed(&key("RS256", "rsa2048"), &json!({}), &json!({"iss": "rs"}));
        proxy.send(bearing(rs)).forwarded();
        let message = "No credentials found for given 'iss'";
        unauthorized(&proxy.send(of_issuer("nobody")), message, gateway.name);
        let asked = admin.asked();
        assert!(asked.iter().any(|path| path.starts_with("/jwts?size=1000")), "{asked:?}");
    }
}

#[test]
fn on_a_kong_without_waiting_the_first_request_is_refused_and_the_tick_asks() {
    for version in [KongVersion::V3_4, KongVersion::V3_5, KongVersion::V3_8] {
        let gateway = Gateway::kong_of(version);
        let (proxy, _) = start(&gateway, From::Service, json!({}));
        proxy.send(of_issuer("somebody-else"));
        proxy.advance(Duration::from_secs(5));
        let first = proxy.send(bearing(SEED));
        assert_eq!(first.outcome().callouts, 0, "{}", gateway.name);
        assert_eq!(refusal(&first), refused_with(503, "Service unavailable"));
        proxy.advance(Duration::from_secs(2));
        let second = proxy.send(bearing(SEED)).forwarded();
        assert_eq!(second.header("x-consumer-username").as_deref(), Some("ado"));
        unauthorized(
            &proxy.send(bearing(wasm_tests::tokens::forged(SEED))),
            "Invalid signature",
            gateway.name,
        );
        assert!(proxy.faults().is_empty());
    }
}

#[test]
fn before_kong_3_9_a_failed_callout_lets_nobody_in() {
    use KongVersion::{V3_4, V3_5, V3_6, V3_7, V3_8};
    for version in [V3_4, V3_5, V3_6, V3_7, V3_8] {
        let gateway = Gateway::kong_of(version);
        for (what, answer) in crate::key_auth::failures() {
            let proxy = gateway.start(&[("jwt_auth", asking(json!({})))]);
            let stream = proxy.send(bearing(SEED));
            if stream.standing() == Standing::Waiting {
                proxy.call().answer(answer);
            }
            let status = stream.reply().status;
            assert!([500, 503].contains(&status), "{} {what}: {status}", gateway.name);
            assert_eq!(stream.outcome().forwarded, None);
        }
    }
}

#[test]
fn on_kong_3_6_and_3_7_a_request_may_wait() {
    for version in [KongVersion::V3_6, KongVersion::V3_7] {
        let gateway = Gateway::kong_of(version);
        let (proxy, _) = start(&gateway, From::Service, json!({}));
        proxy.send(bearing(SEED)).forwarded();
        let message = "No credentials found for given 'iss'";
        unauthorized(&proxy.send(of_issuer("nobody")), message, gateway.name);
    }
}

#[test]
fn a_refusal_after_a_callout_is_final_whatever_filter_comes_next() {
    for version in [KongVersion::V3_6, KongVersion::V3_7, KongVersion::V3_9] {
        let gateway = Gateway::kong_of(version);
        let admin = Admin::default();
        for next in ["app_id", "key_auth", "jwt_auth"] {
            let chain = [("jwt_auth", asking(json!({}))), (next, asking(json!({})))];
            let proxy = gateway.serving(&admin, &chain);
            let stream = proxy.send(of_issuer("nobody").header("apikey", "x"));
            let message = "No credentials found for given 'iss'";
            unauthorized(&stream, message, gateway.name);
            assert!(proxy.faults().is_empty(), "{}", gateway.name);
        }
    }
}

/// gatehouse-admin accepts keys of 512 characters.
#[test]
fn the_longest_key_is_looked_up_kept_and_shared_like_any_other() {
    for gateway in Gateway::all() {
        for issuer in ["x".repeat(200), "y".repeat(512), "\u{1f511}".repeat(512)] {
            let (proxy, admin) = start(&gateway, From::Service, json!({}));
            let id = admin.consumer("owner");
            admin.jwt(&id, json!({"key": issuer, "secret": "supersecret"}));
            settled(&[&proxy]);
            admin.asked();
            for _ in 0..3 {
                proxy.send(of_issuer(&issuer)).forwarded();
            }
            assert_eq!(admin.lookups().len(), 1, "{}: {} bytes", gateway.name, issuer.len());
            let worker = proxy.worker();
            worker.send(of_issuer(&issuer)).forwarded();
            admin.remove_jwt(&issuer);
            proxy.advance(Duration::from_secs(6));
            let message = "No credentials found for given 'iss'";
            unauthorized(&proxy.send(of_issuer(&issuer)), message, gateway.name);
        }
    }
}

#[test]
fn the_secret_of_a_credential_is_not_readable_in_shared_data() {
    for gateway in Gateway::sharing() {
        for (token, asked) in [(json!("a-gateway-token-of-some-length"), 1), (json!(null), 2)] {
            let admin = Admin::default();
            let ado = admin.consumer("ado");
            admin.jwt(&ado, json!({"key": "adokey", "secret": "supersecret"}));
            let settings = json!({"admin": {"upstream": crate::gateways::ADMIN, "token": token}});
            let first = gateway.serving(&admin, &[("jwt_auth", settings)]);
            settled(&[&first]);
            admin.asked();
            let second = first.worker();
            for worker in [&first, &second, &first, &second] {
                worker.send(bearing(SEED)).forwarded();
            }
            // Workers with the token share the answer. Without a token, each VM keeps its own.
            assert_eq!(admin.lookups().len(), asked, "{}", gateway.name);
            first.tamper_shared(|bytes| {
                let text = String::from_utf8_lossy(bytes);
                // The secret as it is, in base64 and in hex.
                for secret in ["supersecret", "c3VwZXJzZWNyZXQ", "7375706572736563726574"] {
                    assert!(!text.contains(secret), "{}: {token}", gateway.name);
                }
                bytes.to_vec()
            });
        }
    }
}
