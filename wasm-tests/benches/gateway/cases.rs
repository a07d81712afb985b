//! Every case. To add a line to the report, add an entry here or in `standard.rs`.

use crate::case::{Case, case, plain, varied};
use crate::fixture::Fixture;
use crate::link::Link;
use crate::standard::{self, jwt_auth, key_auth, moesif, session, upstream_jwt};
use crate::tokens;
use jose::Algorithm;
use serde_json::json;
use wasm_tests::real::RawRequest;

/// The algorithms with which tokens are verified, and where: Envoy's own code has neither PSS nor
/// Edwards curves.
const VERIFIED: [(Algorithm, &str); 16] = [
    (Algorithm::Rs256, "wasm"),
    (Algorithm::Rs256, "host"),
    (Algorithm::Rs384, "wasm"),
    (Algorithm::Rs384, "host"),
    (Algorithm::Rs512, "wasm"),
    (Algorithm::Rs512, "host"),
    (Algorithm::Ps256, "wasm"),
    (Algorithm::Ps384, "wasm"),
    (Algorithm::Ps512, "wasm"),
    (Algorithm::Es256, "wasm"),
    (Algorithm::Es256, "host"),
    (Algorithm::Es384, "wasm"),
    (Algorithm::Es384, "host"),
    (Algorithm::Es512, "wasm"),
    (Algorithm::Es512, "host"),
    (Algorithm::EdDsa, "wasm"),
];

/// The algorithms with which tokens are signed, and where.
const SIGNED: [(&str, &str); 10] = [
    ("RS256", "wasm"),
    ("RS256", "host"),
    ("RS384", "wasm"),
    ("RS384", "host"),
    ("RS512", "wasm"),
    ("RS512", "host"),
    ("PS256", "wasm"),
    ("ES256", "wasm"),
    ("ES256", "host"),
    ("EdDSA", "wasm"),
];

pub(crate) fn cases(fixture: &Fixture) -> Vec<Case> {
    let mut all = standard::cases(fixture);
    all.push(case("key_auth, wrong key", [key_auth()], plain().header("apikey", "x")).refused(401));
    all.push(case("session, no cookie", [session()], plain()));
    // A limit that no client reaches, with a new client each time.
    let mut callers = (0..10_000).cycle();
    let caller = move || plain().header("x-caller", callers.next().unwrap_or(0).to_string());
    let each = json!({"minute": 1_000_000, "limit_by": "header", "header_name": "x-caller"});
    all.push(varied("rate_limiting, 10,000 callers", [Link::ours("rate_limiting", each)], caller));
    let masked =
        json!({"request_body_masks": ["password", "card"], "response_body_masks": ["card"]});
    let compressed = json!({"enable_compression": true});
    all.extend([
        case("empty SDK filter, 1 KB each way", [Link::Sdk("sdk_empty")], kilobyte()),
        case("moesif, 1 KB each way", [moesif(json!({}))], kilobyte()),
        case("moesif, 1 KB each way, masks", [moesif(masked)], kilobyte()),
        case("moesif, 1 KB each way, compressed", [moesif(compressed)], kilobyte()),
    ]);
    for (algorithm, crypto) in VERIFIED {
        let name = format!("jwt_auth, {algorithm}, new token, {crypto}");
        all.push(varied(name, [jwt_auth(algorithm, crypto)], tokens::fresh(algorithm)));
    }
    for (algorithm, crypto) in SIGNED {
        let name = format!("upstream_jwt, {algorithm}, new token, {crypto}");
        all.push(case(name, [upstream_jwt(algorithm, crypto, true)], plain()));
    }
    all.extend(crate::traffic::cases());
    all.extend(crate::worst::cases(fixture));
    all
}

/// A request with a JSON body of 1 KB, which the upstream sends back.
pub(crate) fn kilobyte() -> RawRequest {
    let item = json!({"id": 12_345, "name": "A thing of some kind", "price": 19.99, "tags": ["new", "blue"]});
    let body = json!({"user": "ana", "password": "s3cret", "items": vec![item; 11], "comment": "as usual"});
    let mut body = body.to_string();
    body.push_str(&" ".repeat(1024_usize.saturating_sub(body.len())));
    RawRequest::post("/orders?source=bench", body)
        .header("content-type", "application/json")
        .header("accept", "*/*")
        .header("user-agent", "bench")
}
