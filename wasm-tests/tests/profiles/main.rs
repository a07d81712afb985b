//! Tests of the two profiles against facts, by tiny probe filters. A wrong profile fails here
//! instead of misleading the tests of the filters.

mod bodies;
mod callouts;
mod chain;
mod headers;
mod loading;
mod metrics;
mod parking;
mod probe;
mod properties;
mod replies;
mod shared_data;
mod ticks;
mod traps;
