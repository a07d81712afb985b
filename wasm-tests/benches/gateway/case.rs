//! One line of the report.

use wasm_tests::real::{Filter, RawRequest};

/// A chain of filters and what is sent through it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) filters: Vec<Filter>,
    /// What every answer must be.
    pub(crate) status: u16,
    next: Box<dyn FnMut() -> RawRequest>,
}

/// The same request each time, which is let through.
pub(crate) fn case(
    name: impl Into<String>,
    filters: impl IntoIterator<Item = Filter>,
    request: RawRequest,
) -> Case {
    varied(name, filters, move || request.clone())
}

/// Another request each time.
pub(crate) fn varied(
    name: impl Into<String>,
    filters: impl IntoIterator<Item = Filter>,
    next: impl FnMut() -> RawRequest + 'static,
) -> Case {
    let filters = filters.into_iter().collect();
    Case { name: name.into(), filters, status: 200, next: Box::new(next) }
}

/// What a client sends that needs nothing.
pub(crate) fn plain() -> RawRequest {
    RawRequest::get("/orders/1").header("accept", "*/*").header("user-agent", "bench")
}

/// The filter that does nothing, by its name: the others are compared with it.
pub(crate) const EMPTY: &str = "empty filter";
/// No filter at all.
pub(crate) const NONE: &str = "no filter";

impl Case {
    /// A line of refusals.
    #[must_use]
    pub(crate) fn refused(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn request(&mut self) -> RawRequest {
        (self.next)()
    }

    /// Whether the others are measured by it.
    pub(crate) fn is_measure(&self) -> bool {
        [EMPTY, NONE].contains(&self.name.as_str())
    }
}
