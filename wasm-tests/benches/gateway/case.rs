//! One measured chain of filters, and the requests that pass it.

use crate::link::Link;
use wasm_tests::real::RawRequest;

/// The place of a case in the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No filter, or a filter that hardly does anything.
    Floor,
    /// A filter of Envoy.
    Native,
    /// The usual case of a filter: an allowed request, with everything in memory.
    Filter,
    /// Several filters.
    Chain,
    /// The costliest case of a filter, or what Envoy has in its place.
    Worst,
    /// Another case of a filter.
    Detail,
}

impl Kind {
    /// The word for this kind in the results.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Native => "native",
            Self::Filter => "filter",
            Self::Chain => "chain",
            Self::Worst => "worst",
            Self::Detail => "detail",
        }
    }
}

/// A chain of filters and the requests that pass it.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) links: Vec<Link>,
    /// The expected status of every response.
    pub(crate) status: u16,
    /// The name of the case over which this one is counted.
    pub(crate) over: &'static str,
    /// The names of the cases in whose place a user could take this one.
    pub(crate) instead_of: Vec<&'static str>,
    /// The number of requests in one count of instructions.
    pub(crate) counted: usize,
    /// The number of requests before the first count of instructions, if the usual one is too few.
    pub(crate) before: usize,
    /// The names of the cases whose sum a chain is compared with.
    pub(crate) parts: Vec<String>,
    next: Box<dyn FnMut() -> RawRequest>,
}

/// A case with one request, which the filters let through, sent again and again.
pub(crate) fn case(
    name: impl Into<String>,
    links: impl IntoIterator<Item = Link>,
    request: RawRequest,
) -> Case {
    varied(name, links, move || request.clone())
}

/// A case with a new request each time.
pub(crate) fn varied(
    name: impl Into<String>,
    links: impl IntoIterator<Item = Link>,
    next: impl FnMut() -> RawRequest + 'static,
) -> Case {
    Case {
        name: name.into(),
        kind: Kind::Detail,
        links: links.into_iter().collect(),
        status: 200,
        over: NONE,
        instead_of: Vec::new(),
        counted: 25,
        before: 0,
        parts: Vec::new(),
        next: Box::new(next),
    }
}

/// A request without credentials.
pub(crate) fn plain() -> RawRequest {
    RawRequest::get("/orders/1").header("accept", "*/*").header("user-agent", "bench")
}

/// The case without a filter.
pub(crate) const NONE: &str = "no filter";
/// The case of the filter that does nothing.
pub(crate) const EMPTY: &str = "empty SDK filter";
/// The case of the filter that reads one header and sets one.
pub(crate) const ONE_HEADER: &str = "SDK filter, one header read and one set";

impl Case {
    /// Expects the filters to refuse with this status.
    #[must_use]
    pub(crate) fn refused(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Sets the place of the case in the report.
    #[must_use]
    pub(crate) fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Counts this case over another one, instead of over [`NONE`].
    #[must_use]
    pub(crate) fn over(mut self, name: &'static str) -> Self {
        self.over = name;
        self
    }

    /// Names the cases in whose place a user could take this one.
    #[must_use]
    pub(crate) fn instead_of(mut self, names: impl IntoIterator<Item = &'static str>) -> Self {
        self.instead_of = names.into_iter().collect();
        self
    }

    /// Counts the instructions of a fifth of the requests, because each takes long.
    #[must_use]
    pub(crate) fn costly(self) -> Self {
        self.counting(5)
    }

    /// Counts the instructions of so many requests at once.
    #[must_use]
    pub(crate) fn counting(mut self, requests: usize) -> Self {
        self.counted = requests;
        self
    }

    /// Sends at least so many requests before the first count of instructions.
    #[must_use]
    pub(crate) fn after(mut self, requests: usize) -> Self {
        self.before = requests;
        self
    }

    /// Compares this chain with the sum of these cases.
    #[must_use]
    pub(crate) fn beside(mut self, parts: impl IntoIterator<Item = String>) -> Self {
        self.parts = parts.into_iter().collect();
        self
    }

    pub(crate) fn request(&mut self) -> RawRequest {
        (self.next)()
    }

    /// Returns `true` for a case with which others are compared, and which is therefore always
    /// measured.
    pub(crate) fn is_measure(&self) -> bool {
        [NONE, EMPTY, ONE_HEADER].contains(&self.name.as_str())
    }
}
