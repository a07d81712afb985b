//! The parts of a Kong file from which its forms for Envoy and for Istio are written.

use super::distinct::{Distinct, distinct};
use super::kong_file::KongFile;
use super::notes::Notes;
use super::plugins::Filter;
use super::router::Host;
use super::upstreams::Upstream;
use super::{elsewhere, router, upstreams, variables_of};
use crate::documents::Place;

/// The parts of a Kong file that an Envoy serves.
pub(super) struct Parts {
    /// The filters of all routes, each once.
    pub(super) filters: Vec<Distinct>,
    /// The hosts with their routes; the last one is for all others.
    pub(super) hosts: Vec<Host>,
    /// The services, in the order of the file.
    pub(super) upstreams: Vec<Upstream>,
    /// The variables of the environment that the settings of filters name.
    pub(super) variables: Vec<String>,
}

impl Parts {
    /// Reads the parts, and notes what an Envoy does differently. `listens` says where it listens:
    /// "Envoy listens on 127.0.0.1:8000".
    pub(super) fn of(
        file: &KongFile,
        chains: &[Vec<Filter>],
        listens: &str,
        notes: &mut Notes,
    ) -> Self {
        elsewhere(file, notes);
        notes.differs(
            &Place::default(),
            format!(
                "{listens} without TLS, and tells upstreams X-Forwarded-For and X-Forwarded-Proto, not \
                 Kong's X-Forwarded-Host, -Path and -Prefix, Via and X-Kong-*"
            ),
        );
        Self {
            filters: distinct(chains),
            hosts: router::hosts(file, notes),
            upstreams: upstreams::all(file, notes),
            variables: variables_of(chains),
        }
    }
}
