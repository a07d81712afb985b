//! The order in which cases are sent: every case of every family, and then random ones.

use super::drive::Protocol;
use super::shape::{Case, Credentials, Shape};
use super::{http1_cases, http2_cases, mixed, shapes};

/// The cases of a run.
pub struct Plan {
    cases: Vec<(Case, Protocol)>,
    requests: u64,
}

impl Plan {
    /// A plan for this number of requests, of which the known cases come first. Each request that
    /// both protocols can carry is sent over both if there is room for it, and over one otherwise.
    pub fn new(credentials: &Credentials, requests: u64, http2: bool) -> Self {
        let mut cases: Vec<(Case, Protocol)> = Vec::new();
        let all = shapes(credentials);
        let both = u64::try_from(all.len()).unwrap_or(u64::MAX).saturating_mul(3) < requests;
        for (number, shape) in all.into_iter().enumerate() {
            let only_http2 = shape.protocol.is_some();
            if !only_http2 && (both || !http2 || number % 2 == 0) {
                cases.push((Case::Shape(shape.clone()), Protocol::Http1));
            }
            if http2 && (both || only_http2 || number % 2 == 1) {
                cases.push((Case::Shape(shape), Protocol::Http2));
            }
        }
        cases.extend(http1_cases().into_iter().map(|case| (case, Protocol::Http1)));
        if http2 {
            cases.extend(http2_cases().into_iter().map(|case| (case, Protocol::Http2)));
        }
        Self { cases, requests }
    }

    /// A plan for these requests alone, half of which go over each protocol.
    pub fn of(shapes: Vec<Shape>) -> Self {
        let with = |(number, shape): (usize, Shape)| {
            let http1 = number % 2 == 0 && shape.protocol.is_none();
            let protocol = if http1 { Protocol::Http1 } else { Protocol::Http2 };
            (Case::Shape(shape), protocol)
        };
        let cases: Vec<_> = shapes.into_iter().enumerate().map(with).collect();
        let requests = u64::try_from(cases.len()).unwrap_or(u64::MAX);
        Self { cases, requests }
    }

    /// The number of cases that are no random ones.
    pub fn known(&self) -> u64 {
        u64::try_from(self.cases.len()).unwrap_or(u64::MAX)
    }

    /// The number of requests.
    pub fn requests(&self) -> u64 {
        self.requests.max(self.known())
    }

    /// The case of this number. Random requests alternate between the protocols, if there are two.
    pub fn case(&self, number: u64, http2: bool) -> (Case, Protocol) {
        let known = usize::try_from(number).ok().and_then(|number| self.cases.get(number));
        known.cloned().unwrap_or_else(|| {
            let protocol = if http2 && number % 2 == 1 { Protocol::Http2 } else { Protocol::Http1 };
            (Case::Shape(mixed(number)), protocol)
        })
    }
}
