//! The decision about one request: it passes if its client's address may pass.

use crate::client::client;
use crate::config::Config;
use crate::prefix::{address, plain};
use exchange::{Reply, Request, Step};

/// Judges a request that the gate admitted.
pub(crate) fn judge(config: &Config, request: &Request) -> Step {
    let Some(peer) = request.peer.as_deref().and_then(address) else {
        return refuse(
            403,
            "no_address",
            "Cannot identify the client IP address, unix domain sockets are not supported.",
        );
    };
    let (trusted, header) = (&config.trusted_proxies, &config.real_ip_header);
    let found = client(peer, &request.head, trusted, header, request.own_hop);
    let Some(client) = found.map(plain) else {
        return refuse(403, "no_address", "Cannot identify the client IP address");
    };
    let allowed = config.allow.is_empty() || config.allow.contain(client);
    if config.deny.contain(client) || !allowed {
        let message = config.message.clone();
        return refuse(
            config.status,
            "address_not_allowed",
            message.unwrap_or_else(|| format!("IP address not allowed: {client}")),
        );
    }
    Step::forward(Vec::new())
}

fn refuse(
    status: u16,
    cause: &'static str,
    message: impl Into<std::borrow::Cow<'static, str>>,
) -> Step {
    Step::reply(Reply::error(status, cause, message))
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
