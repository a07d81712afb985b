//! The host as a VM knows it: named by the operator, or asked at the first request.

use crate::abi;
use crate::host::Host;
use crate::kong::Kong;
use std::cell::Cell;

/// Asks the host itself; `named` is the host that the operator names. That is possible in the
/// request-headers callback only: a root context on Kong must not read properties, and Lua answers
/// the version.
fn ask(named: Host, kong: &Kong<'_>) -> Host {
    match named {
        Host::Envoy => named,
        Host::Kong(_) => Host::Kong(kong_version(kong)),
        Host::Unknown => match kong_version(kong) {
            Some(version) => Host::Kong(Some(version)),
            None if abi::property(&["ngx", "nginx_version"]).is_ok_and(|v| !v.is_empty()) => {
                Host::Kong(None)
            }
            None => Host::Envoy,
        },
    }
}

/// The version of Kong: `3.9.1` and `3.9.0.1-enterprise-edition` are both (3, 9).
fn kong_version(kong: &Kong<'_>) -> Option<(u16, u16)> {
    version(&kong.read("version")?)
}

/// Reads the major and the minor number of a version.
fn version(text: &str) -> Option<(u16, u16)> {
    let mut numbers = text.split('.').map(str::parse::<u16>);
    match (numbers.next()?, numbers.next()?) {
        (Ok(major), Ok(minor)) => Some((major, minor)),
        _ => None,
    }
}

/// The host as a VM knows it. Every context of the VM shares the profile.
#[derive(Debug)]
pub(crate) struct Profile {
    host: Cell<Host>,
    asked: Cell<bool>,
}

impl Profile {
    /// The profile of a VM whose host is not known.
    pub(crate) const fn new() -> Self {
        Self { host: Cell::new(Host::Unknown), asked: Cell::new(false) }
    }

    /// Takes the host that the operator names. Envoy starts a VM again for each configuration that
    /// the VM gets; a host that a request has told stays.
    pub(crate) fn declare(&self, host: Host) {
        if host != Host::Unknown && !self.asked.get() {
            self.host.set(host);
        }
    }

    /// The host as far as it is known. The host itself is not asked.
    pub(crate) fn host(&self) -> Host {
        self.host.get()
    }

    /// The host, which is asked at the first request of the VM.
    pub(crate) fn at_request(&self, kong: &Kong<'_>) -> Host {
        if !self.asked.replace(true) {
            self.host.set(ask(self.host.get(), kong));
            if self.host.get().may_be_kong() {
                // Kong's random bytes are predictable, and equal in workers that start together.
                // Such workers differ in machine, process or connection.
                let paths: [&[&str]; 6] = [
                    &["ngx", "pid"],
                    &["ngx", "hostname"],
                    &["ngx", "request_id"],
                    &["ngx", "connection"],
                    &["ngx", "remote_addr"],
                    &["ngx", "remote_port"],
                ];
                for path in paths {
                    runtime::mix(&abi::property(path).unwrap_or_default());
                }
            }
        }
        self.host.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_vm_found_out_about_its_host_outlives_another_start() {
        let profile = Profile::new();
        profile.declare(Host::Kong(None));
        profile.declare(Host::Unknown);
        assert_eq!(profile.host(), Host::Kong(None), "nobody has said otherwise");
        profile.asked.set(true);
        profile.host.set(Host::Envoy);
        for again in [Host::Unknown, Host::Kong(None)] {
            profile.declare(again);
            assert_eq!(profile.host(), Host::Envoy);
        }
    }

    #[test]
    fn versions_of_both_editions_are_read() {
        assert_eq!(version("3.9.3"), Some((3, 9)));
        assert_eq!(version("3.10.0.1-enterprise-edition"), Some((3, 10)));
        assert_eq!(version("x.y"), None);
        assert_eq!(version("3"), None);
    }
}
