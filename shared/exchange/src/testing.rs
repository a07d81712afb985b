//! Requests for the tests of filters. The feature `testing` switches this module on.

use crate::Request;

/// Makes a request with this method, target and headers, and the default for every other field.
/// Tests set other fields with `Request { now: 5, ..request("GET", "/", &[]) }`.
#[must_use]
pub fn request(method: &str, target: &str, headers: &[(&str, &str)]) -> Request {
    Request {
        head: headers.iter().copied().collect(),
        method: method.into(),
        target: target.into(),
        ..Request::default()
    }
}
