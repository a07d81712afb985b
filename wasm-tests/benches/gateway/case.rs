//! One line of the report.

use wasm_tests::real::{Filter, RawRequest};

/// A chain of filters and the requests that pass it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) filters: Vec<Filter>,
    /// The expected status of every response.
    pub(crate) status: u16,
    next: Box<dyn FnMut() -> RawRequest>,
}

/// A line with one request, which the filters let through, sent again and again.
pub(crate) fn case(
    name: impl Into<String>,
    filters: impl IntoIterator<Item = Filter>,
    request: RawRequest,
) -> Case {
    varied(name, filters, move || request.clone())
}

/// A line with a new request each time.
pub(crate) fn varied(
    name: impl Into<String>,
    filters: impl IntoIterator<Item = Filter>,
    next: impl FnMut() -> RawRequest + 'static,
) -> Case {
    let filters = filters.into_iter().collect();
    Case { name: name.into(), filters, status: 200, next: Box::new(next) }
}

/// A request without credentials.
pub(crate) fn plain() -> RawRequest {
    RawRequest::get("/orders/1").header("accept", "*/*").header("user-agent", "bench")
}

/// The line of the filter that does nothing, with which the others are compared.
pub(crate) const EMPTY: &str = "empty filter";
/// The line without a filter.
pub(crate) const NONE: &str = "no filter";

impl Case {
    /// Expects the filters to refuse with this status.
    #[must_use]
    pub(crate) fn refused(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn request(&mut self) -> RawRequest {
        (self.next)()
    }

    /// Returns `true` for a line with which the others are compared.
    pub(crate) fn is_measure(&self) -> bool {
        [EMPTY, NONE].contains(&self.name.as_str())
    }
}
