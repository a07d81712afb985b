//! The gatehouse-admin that owns the consumers of a converted file.

use super::Target;
use super::secrets::{Secrets, Source};
use super::to_istio::cluster as istio_cluster;
use super::values::{map, put};
use serde_norway::Value;

/// A gatehouse-admin, as gateways reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

impl Admin {
    /// Reads `http://host:port` or `https://host:port`. The port may be left out.
    ///
    /// # Errors
    /// A message that says what is expected.
    pub fn read(url: &str) -> Result<Self, String> {
        let expected =
            || format!("found {url}, expected http://<host>:<port> or https://<host>:<port>");
        let (scheme, rest) = url.split_once("://").ok_or_else(expected)?;
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return Err(expected()),
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| expected())?)
            }
            _ => (rest, if tls { 443 } else { 80 }),
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
        if host.is_empty() || !host.chars().all(plain) {
            return Err(expected());
        }
        Ok(Self { host: host.to_owned(), port, tls })
    }

    /// Returns the setting `admin` of a filter.
    pub(super) fn settings(&self, to: Target, secrets: &mut Secrets) -> Value {
        let address = format!("{}:{}", self.host, self.port);
        let upstream = match to {
            Target::Kong => address.clone(),
            Target::Envoy => "gatehouse-admin".to_owned(),
            Target::Istio => istio_cluster("gatehouse-admin", &self.host, self.port),
        };
        let authority = if self.tls { &self.host } else { &address };
        let mut settings =
            map([("upstream", upstream.as_str().into()), ("authority", authority.as_str().into())]);
        if self.tls && to == Target::Kong {
            put(&mut settings, "scheme", "https");
        }
        if !["127.0.0.1", "localhost", "[::1]"].contains(&self.host.as_str()) {
            let why = Source::Operator(
                "the gateways' token of gatehouse-admin (--gateway-token-file)".to_owned(),
            );
            put(&mut settings, "token_env", secrets.variable("GATEHOUSE_TOKEN", why));
        }
        Value::Mapping(settings)
    }
}
