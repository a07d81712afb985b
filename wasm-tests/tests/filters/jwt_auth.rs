//! jwt_auth: Kong's answers in Kong's order, tokens wherever a request carries them, and providers' keys.

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
