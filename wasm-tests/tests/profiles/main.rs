//! The two profiles, each held against the table of facts by tiny probe filters, so that a wrong
//! profile fails here and not in the gateway.

mod probe;
mod smoke;
