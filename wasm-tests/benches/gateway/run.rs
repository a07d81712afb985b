//! One Envoy with a listener for each case.

use crate::case::Case;
use crate::fixture::Fixture;
use crate::link::Link;
use std::net::SocketAddr;
use wasm_tests::real::{Connection, Setup};

/// Adds the clusters of the callouts.
pub(crate) fn clusters(setup: Setup, fixture: &Fixture) -> Setup {
    let all = fixture.clusters().into_iter();
    all.fold(setup, |setup, (name, address)| setup.cluster(name, address))
}

/// Adds the clusters of the callouts, and a listener for each case.
pub(crate) fn listeners<'a>(
    setup: Setup,
    fixture: &Fixture,
    cases: impl IntoIterator<Item = &'a Case>,
) -> Setup {
    let mut setup = clusters(setup, fixture);
    for (number, case) in cases.into_iter().enumerate() {
        setup = setup.listener(name(number), case.links.iter().filter_map(Link::real).collect());
    }
    setup
}

/// A connection to the listener of each of so many cases. `address` gives that of a listener.
pub(crate) fn connections(cases: usize, address: impl Fn(&str) -> SocketAddr) -> Vec<Connection> {
    let open = |number| Connection::open(address(name(number))).expect("a connection");
    (0..cases).map(open).collect()
}

/// The name of the listener of a case, which lives as long as the program.
pub(crate) fn name(number: usize) -> &'static str {
    Box::leak(format!("line{number}").into_boxed_str())
}
