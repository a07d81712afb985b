//! The hosts, Kong or Envoy, with their versions and abilities.

use runtime::Capabilities;

/// The host, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Host {
    /// The operator has not named the host, and no request has come yet.
    Unknown,
    /// Envoy or Istio.
    Envoy,
    /// Kong, with its version once a request has told it. Kong before 3.6 does not tell.
    Kong(Option<(u16, u16)>),
}

impl Host {
    /// The host that the operator names in the VM configuration (`{"host":"envoy"}`) or in the
    /// variable `GATEHOUSE_HOST`.
    pub(crate) fn declared(vm_configuration: &[u8], variable: Option<&str>) -> Self {
        let said = settings::text_of(vm_configuration, "host");
        match said.as_deref().or(variable) {
            Some("envoy") => Self::Envoy,
            Some("kong") => Self::Kong(None),
            _ => Self::Unknown,
        }
    }

    /// The abilities of this host, for the runtime.
    pub(crate) fn capabilities(self) -> Capabilities {
        let envoy = self == Self::Envoy;
        let kong = |least: Option<(u16, u16)>| match self {
            Self::Kong(version) => version >= least,
            Self::Envoy | Self::Unknown => false,
        };
        Capabilities {
            known: self != Self::Unknown,
            settled: envoy,
            rejects_safely: envoy,
            needs_zone: kong(Some((3, 6))),
            calls_addresses: kong(None),
            has_plugins: kong(None),
            can_park: self.can_park(),
            can_wake: envoy,
            // On Kong a callout from a response traps.
            can_hold_responses: envoy,
            // On Kong 3.9.3 the connection of the answered callout is taken for the new one's and
            // lost with the old one, and the worker dies of it a moment later (measured; the next
            // tick is safe).
            can_send_from_answers: envoy,
            // Kong's calls disturb one another before 3.8.
            calls_in_parallel: envoy || kong(Some((3, 8))),
            pauses_for_body: envoy,
            can_remove: self.can_remove(),
            refusal_is_final: envoy,
            reads_headers_at_end: envoy,
            // Measured on Envoy: no answer at all reaches the client, which waits for one.
            sends_interim_replies: !envoy,
            has_signatures: envoy,
            has_strong_randomness: envoy,
            has_metrics: self.has_metrics(),
            counts_by_default: envoy,
        }
    }

    /// Returns `true` if a request may wait for a callout, and be refused from its answer.
    ///
    /// Kong 3.8 lets a request through when its callout fails; Kong 3.4 and 3.5 cannot refuse from
    /// an answer.
    #[must_use]
    pub(crate) fn can_park(self) -> bool {
        match self {
            Self::Envoy => true,
            Self::Kong(Some(version)) => version >= (3, 6) && version != (3, 8),
            Self::Kong(None) | Self::Unknown => false,
        }
    }

    /// Returns `true` if the host takes a removed request header out. On Kong it arrives empty.
    #[must_use]
    pub(crate) fn can_remove(self) -> bool {
        self == Self::Envoy
    }

    /// Returns `true` if the host has metrics. Elsewhere a call for one traps.
    #[must_use]
    pub(crate) fn has_metrics(self) -> bool {
        match self {
            Self::Envoy => true,
            Self::Kong(version) => version >= Some((3, 8)),
            Self::Unknown => false,
        }
    }

    /// Returns `true` if the host is Kong, or may be.
    #[must_use]
    pub(crate) fn may_be_kong(self) -> bool {
        self != Self::Envoy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_can_say_which_host_it_is() {
        assert_eq!(Host::declared(br#"{"host":"envoy"}"#, Some("kong")), Host::Envoy);
        assert_eq!(Host::declared(b"", Some("kong")), Host::Kong(None));
        assert_eq!(Host::declared(b"not json", None), Host::Unknown);
        assert_eq!(Host::declared(b"", Some("nginx")), Host::Unknown);
    }

    #[test]
    fn no_request_waits_where_a_failed_callout_lets_it_through() {
        let kong = |minor| Host::Kong(Some((3, minor)));
        let parks: Vec<u16> = (4..=10).filter(|minor| kong(*minor).can_park()).collect();
        assert_eq!(parks, [6, 7, 9, 10]);
        assert!(
            Host::Envoy.can_park() && !Host::Unknown.can_park() && !Host::Kong(None).can_park()
        );
    }

    #[test]
    fn each_host_and_version_has_its_own_abilities() {
        let unknown = Capabilities { sends_interim_replies: true, ..Capabilities::default() };
        let envoy = Capabilities {
            known: true,
            settled: true,
            rejects_safely: true,
            can_park: true,
            can_wake: true,
            can_hold_responses: true,
            can_send_from_answers: true,
            calls_in_parallel: true,
            pauses_for_body: true,
            can_remove: true,
            refusal_is_final: true,
            reads_headers_at_end: true,
            has_signatures: true,
            has_strong_randomness: true,
            has_metrics: true,
            counts_by_default: true,
            ..Capabilities::default()
        };
        let kong =
            Capabilities { known: true, calls_addresses: true, has_plugins: true, ..unknown };
        let kong_3_6 = Capabilities { needs_zone: true, can_park: true, ..kong };
        let kong_3_9 = Capabilities { calls_in_parallel: true, has_metrics: true, ..kong_3_6 };
        let kong_3_8 = Capabilities { can_park: false, ..kong_3_9 };
        let version = |major, minor| Host::Kong(Some((major, minor)));
        for (host, expected) in [
            (Host::Unknown, unknown),
            (Host::Envoy, envoy),
            (Host::Kong(None), kong),
            (version(3, 4), kong),
            (version(3, 5), kong),
            (version(3, 6), kong_3_6),
            (version(3, 7), kong_3_6),
            (version(3, 8), kong_3_8),
            (version(3, 9), kong_3_9),
            (version(3, 10), kong_3_9),
            (version(4, 0), kong_3_9),
        ] {
            assert_eq!(host.capabilities(), expected, "{host:?}");
        }
    }

    #[test]
    fn nothing_is_used_that_would_trap() {
        assert!(!Host::Kong(Some((3, 7))).has_metrics() && Host::Kong(Some((3, 8))).has_metrics());
        assert!(!Host::Kong(None).has_metrics() && !Host::Unknown.has_metrics());
    }
}
