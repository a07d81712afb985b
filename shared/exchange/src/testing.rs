//! Requests for the tests of filters.

use crate::Request;

/// A request with this method, target and headers, and nothing else that a host might know. Tests
/// set other fields with `Request { .., ..request(..) }`.
#[must_use]
pub fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request {
    Request {
        head: headers.iter().copied().collect(),
        method: method.into(),
        target: target.into(),
        ..Request::default()
    }
}
