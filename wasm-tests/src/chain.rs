//! The filters that the requests of one route pass through.

/// One filter of a chain in one worker.
pub(crate) struct Link {
    /// The index of the filter's VM in its worker.
    pub(crate) vm: usize,
    /// The id of the filter's root context.
    pub(crate) root: u32,
}

/// The filters of one route in one worker.
pub(crate) struct Chain {
    pub(crate) links: Vec<Link>,
    /// The text of the log if the gateway refused the configuration.
    pub(crate) rejected: Option<String>,
}
