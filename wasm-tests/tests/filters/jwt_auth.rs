//! jwt_auth on the pretend gateways: Kong's answers in Kong's order, the places of tokens, and
//! providers.

mod admin_side;
mod anonymous;
mod answers;
mod faults;
pub mod idp;
mod names;
mod places;
mod providers;
mod rows;

use wasm_tests::Request;

/// A request with this token.
fn bearing(token: impl AsRef<[u8]>) -> Request {
    Request::get("/").bearer(token)
}
