//! A pretend identity provider, and the tokens that it has issued.

use crate::admin::Admin;
use crate::gateways::Service;
use jose::SigningKey;
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_tests::tokens::{key, signed};
use wasm_tests::{Answer, Callout, Proxy, Response};

/// The destination of the provider: a cluster on Envoy, an address on Kong.
pub const IDP: &str = "idp.test:8443";
pub const ISSUER: &str = "https://idp.test/";

/// A handle to a provider. A clone stands for the provider of the original.
#[derive(Clone, Default)]
pub struct Idp(Rc<RefCell<State>>);

#[derive(Default)]
struct State {
    keys: String,
    description: Value,
    holds: bool,
    broken: Option<Answer>,
    asked: Vec<String>,
}

/// A key of the provider, by the name of its file and by its `kid`.
pub fn named(name: &str, kid: &str) -> SigningKey {
    let algorithm = match name {
        "es256" => "ES256",
        "ed25519" => "EdDSA",
        _ => "RS256",
    };
    key(algorithm, name).with_key_id(Some(kid.to_owned()))
}

/// A token of the subject `user|1`, signed with this key, whose `kid` it names.
pub fn issued(key: &SigningKey, claims: Value) -> String {
    let all = json!({"iss": ISSUER, "sub": "user|1", "exp": 99_999_999_999_u64});
    signed(key, &json!({"kid": key.key_id()}), &wasm_tests::merged(all, claims))
}

/// The JWK Set of these keys.
pub fn set(keys: &[&SigningKey]) -> String {
    let keys: Vec<Value> =
        keys.iter().map(|key| key.verifying().to_jwk().expect("a public key").into()).collect();
    json!({ "keys": keys }).to_string()
}

/// Settings with this provider, whose keys are at `/keys`.
pub fn provider(more: Value) -> Value {
    let place = json!({
        "name": "idp", "issuer": ISSUER, "jwks_uri": "https://idp.test/keys?version=2",
        "upstream": {"upstream": IDP},
    });
    json!({"providers": [wasm_tests::merged(place, more)]})
}

impl Service for Idp {
    fn serve(&self, proxy: &Proxy) {
        Idp::serve(self, proxy);
    }
}

impl Idp {
    pub fn with(keys: &[&SigningKey]) -> Self {
        let idp = Self::default();
        idp.publish(set(keys));
        idp.describe(json!({"issuer": ISSUER, "jwks_uri": "https://idp.test/keys?version=2"}));
        idp
    }

    pub fn publish(&self, set: String) {
        self.0.borrow_mut().keys = set;
    }

    /// Sets the document at `/.well-known/openid-configuration`.
    pub fn describe(&self, description: Value) {
        self.0.borrow_mut().description = description;
    }

    /// Ends every callout like this, until [`Idp::works`].
    pub fn breaks(&self, how: impl Into<Answer>) {
        self.0.borrow_mut().broken = Some(how.into());
    }

    pub fn works(&self) {
        self.0.borrow_mut().broken = None;
    }

    /// Leaves callouts to the test.
    pub fn hold(&self) {
        self.0.borrow_mut().holds = true;
    }

    /// The paths of all callouts since the last call of this function.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.0.borrow_mut().asked)
    }

    /// Answers the callouts of `proxy`.
    pub fn serve(&self, proxy: &Proxy) {
        self.serve_beside(proxy, &Admin::default());
    }

    /// Answers the callouts of `proxy` to the provider, and lets `admin` answer the others.
    pub fn serve_beside(&self, proxy: &Proxy, admin: &Admin) {
        let (idp, admin) = (self.clone(), admin.clone());
        proxy.on_call(move |call| match call.upstream == IDP {
            true => idp.take(call),
            false => Some(admin.answer(call)),
        });
    }

    fn take(&self, call: &Callout) -> Option<Answer> {
        self.0.borrow_mut().asked.push(call.path());
        if self.0.borrow().holds { None } else { Some(self.answer(call)) }
    }

    pub fn answer(&self, call: &Callout) -> Answer {
        assert_eq!(call.header(":authority").as_deref(), Some("idp.test"));
        assert_eq!(call.header("authorization"), None, "nobody's credentials go to a provider");
        let state = self.0.borrow();
        if let Some(broken) = &state.broken {
            return broken.clone();
        }
        match call.path().as_str() {
            "/keys?version=2" => Response::json(200, &state.keys).into(),
            "/.well-known/openid-configuration" => {
                Response::json(200, state.description.to_string()).into()
            }
            _ => Response::json(404, r#"{"message":"no such page","seq":1}"#).into(),
        }
    }
}
