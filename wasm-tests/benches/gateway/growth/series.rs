//! The cases of each series, one for each size.

use super::{Point, is_wanted};
use crate::case::{Case, case, plain, varied};
use crate::fixture::Fixture;
use crate::link::Link;
use crate::standard::{self, moesif};
use crate::tokens::{self, bearing};
use crate::traffic::networks;
use crate::worst::masks;
use jose::Algorithm;
use serde_json::{Value, json};
use wasm_tests::real::RawRequest;

/// The greatest number of keys in a set of jwt_auth. More keys are those of several providers.
const KEYS_OF_ONE: usize = 100;

pub(super) const CONSUMERS: &str = "key_auth, consumers in the settings";
pub(super) const NETWORKS: &str = "ip_restriction, networks";
pub(super) const KEYS: &str = "jwt_auth, providers' keys, token verified before";
pub(super) const FILTERS: &str = "filters in one chain";

/// Returns the points of all series that need no crowd at gatehouse-admin.
pub(super) fn points(fixture: &Fixture) -> Vec<Point> {
    let mut all = Vec::new();
    let mut add = |series, sizes: &[usize], case: &mut dyn FnMut(usize) -> Case| {
        for size in sizes.iter().copied().filter(|size| is_wanted(*size)) {
            all.push(Point { series, size, case: case(size) });
        }
    };
    let thousands = [1, 10, 100, 1000, 10_000];
    let bodies = [1000, 10_000, 100_000, 1_000_000];
    add(CONSUMERS, &thousands, &mut key_auth);
    add(NETWORKS, &thousands, &mut ip_restriction);
    add(KEYS, &[1, 10, 100, 1000], &mut |keys| {
        case("", [jwt_auth(keys)], bearing(&tokens::token(Algorithm::Rs256)))
    });
    add("jwt_auth, providers' keys, a new token", &[1, 10, 100, 1000], &mut |keys| {
        varied("", [jwt_auth(keys)], tokens::fresh(Algorithm::Rs256))
    });
    add("rate_limiting, callers", &[1, 100, 10_000], &mut rate_limiting);
    add("cors, expressions", &[1, 10, 100], &mut cors);
    add("moesif, masks, 1 KB each way", &[1, 10, 100], &mut |count| {
        // So many make a batch, which is sent.
        case("", [moesif(masks(count))], crate::cases::kilobyte()).counting(50)
    });
    add("moesif, bytes of JSON each way", &bodies, &mut |bytes| {
        let most = json!({
            "request_max_body_size_limit": 1_000_000, "response_max_body_size_limit": 1_000_000,
            "request_body_masks": ["password"], "response_body_masks": ["password"],
            // As many as are counted at once.
            "batch_size": 5,
        });
        case("", [moesif(most)], document(bytes)).costly()
    });
    add("request_transformer, bytes of JSON", &bodies, &mut |bytes| {
        let settings = json!({
            "allow_on_headers_stop_iteration": true, "add": {"body": ["source:gateway"]},
        });
        let link = Link::ours("request_transformer", settings).holding_headers();
        case("", [link], document(bytes)).costly()
    });
    add(FILTERS, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], &mut |count| {
        let links = standard::twelve(fixture).into_iter().take(count).map(Link::in_one_module);
        case("", links, standard::everything())
    });
    all
}

/// So many consumers with a key each. The last one calls.
fn key_auth(consumers: usize) -> Case {
    let consumer = |number: usize| json!({"username": format!("c{number}"), "keyauth_credentials": [{"key": key(number)}]});
    let all: Vec<Value> = (1..=consumers).map(consumer).collect();
    let request = plain().header("apikey", key(consumers));
    case("", [Link::ours("key_auth", json!({"consumers": all}))], request)
}

/// The API key of a consumer of a crowd.
pub(super) fn key(number: usize) -> String {
    format!("key-of-consumer-{number}")
}

fn ip_restriction(count: usize) -> Case {
    let mut all = networks();
    all.truncate(count);
    case("", [Link::ours("ip_restriction", json!({"deny": all}))], plain())
}

/// Providers with so many keys in all. The last key of the last one has signed the token.
fn jwt_auth(keys: usize) -> Link {
    let mut public = tokens::jwks(Algorithm::Rs256)["keys"][0].take();
    let right = public.clone();
    let providers: Vec<Value> = (0..keys.div_ceil(KEYS_OF_ONE))
        .rev()
        .map(|number| {
            let mut set: Vec<Value> = Vec::new();
            for key in 1..keys.min(KEYS_OF_ONE) {
                public["kid"] = json!(format!("k{key}"));
                set.push(public.clone());
            }
            set.push(right.clone());
            let issuer = match number {
                0 => tokens::issuer(Algorithm::Rs256),
                _ => format!("https://other{number}/"),
            };
            let set = json!({"keys": set}).to_string();
            json!({"name": format!("p{number}"), "issuer": issuer, "jwks": set})
        })
        .collect();
    Link::ours("jwt_auth", json!({"providers": providers}))
}

/// A limit that nobody reaches, for so many callers in turn.
fn rate_limiting(callers: usize) -> Case {
    let each = json!({"minute": 1_000_000_000, "limit_by": "header", "header_name": "x-caller"});
    let mut turn = (0..callers).cycle();
    let request = move || plain().header("x-caller", turn.next().unwrap_or(0).to_string());
    varied("", [Link::ours("rate_limiting", each)], request).after(callers)
}

/// So many expressions, the last of which fits.
fn cors(expressions: usize) -> Case {
    let origins: Vec<String> =
        (1..=expressions).map(|n| format!(r"https://([^.]+\.)+shop{n}\.test")).collect();
    let request = plain().header("origin", format!("https://www.shop{expressions}.test"));
    case("", [Link::ours("cors", json!({"origins": origins, "credentials": true}))], request)
}

/// A request with a JSON object of so many bytes, which the upstream sends back.
fn document(bytes: usize) -> RawRequest {
    let item = json!({"id": 12_345, "name": "A thing of some kind", "price": 19.99}).to_string();
    let mut body = String::from(r#"{"user":"ana","password":"s3cret","items":["#);
    while body.len() + item.len() + 12 < bytes {
        body.push_str(&item);
        body.push(',');
    }
    body.push_str("null]}");
    body.push_str(&" ".repeat(bytes.saturating_sub(body.len())));
    assert_eq!(body.len(), bytes);
    RawRequest::post("/orders?source=bench", body).header("content-type", "application/json")
}
