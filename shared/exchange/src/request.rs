//! A request at its headers.

use crate::Head;

/// A request at its headers, with the facts about it that the filter asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The headers.
    pub head: Head,
    /// The method.
    pub method: Vec<u8>,
    /// The raw request target: path and query as the client sent them.
    pub target: Vec<u8>,
    /// The time in milliseconds since 1970.
    pub now: u64,
    /// The property that carries the identity, as an earlier filter left it.
    pub consumer: Option<Vec<u8>>,
    /// The property that carries the verified claims of a token, if the filter asks for it.
    pub claims: Option<Vec<u8>>,
    /// The address of the client's connection, without port, if the filter asks for it.
    pub peer: Option<String>,
    /// `true` on Envoy for a connection from its own machine. Envoy has then appended its own
    /// address to `X-Forwarded-For`, unless the last entry is a loopback address.
    pub own_hop: bool,
    /// The property that an earlier filter published under the name that the filter asks for.
    pub mark: Option<Vec<u8>>,
    /// The scheme, host and port that the client addressed, if the filter asks for them.
    pub origin: Origin,
    /// The route and the service as objects, if the filter asks for them.
    pub entities: Entities,
    /// The route, if the filter's settings need it.
    pub route: Named,
    /// The service (Kong) or cluster (Envoy), if the filter's settings need it.
    pub service: Named,
    /// The promise of a body.
    pub body: BodyAhead,
    /// `true` on Kong for a request without a length. A body may follow, although [`Request::body`]
    /// cannot promise it.
    pub body_may_follow: bool,
    /// `true` on Envoy without `allow_on_headers_stop_iteration`, for a request that may have a
    /// body. The body goes on before a flow could judge it.
    pub body_hidden: bool,
    /// The raw query as the upstream will get it, if the filter asks for it and the gateway can
    /// tell.
    pub upstream_query: Option<Vec<u8>>,
    /// `true` if the gateway removes every copy of a request header. Kong does not.
    pub can_remove: bool,
    /// `true` if a filter can give a body to a request without one. Envoy does not allow it.
    pub can_make_body: bool,
}

/// The scheme, host and port that the client addressed. If a proxy in front of the gateway is
/// trusted, they are those that the proxy reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: Option<String>,
    /// The host as the client named it, without port.
    pub host: Option<String>,
    /// The port. `None` for the scheme's default port.
    pub port: Option<u16>,
}

/// The route and the service, as the gateway describes them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entities {
    /// The route.
    pub route: Entity,
    /// The service (Kong) or cluster (Envoy).
    pub service: Entity,
}

/// A route or a service, as the gateway describes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Entity {
    /// The gateway does not describe it.
    #[default]
    Unknown,
    /// The entity as JSON, on Kong.
    Json(Vec<u8>),
    /// A serialised `envoy.config.core.v3.Metadata`, on Envoy.
    Metadata(Vec<u8>),
}

/// The id and the name of a route or a service, as far as the gateway tells them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// The id (Kong only).
    pub id: Option<String>,
    /// The name.
    pub name: Option<String>,
}

/// The gateway's promise to hand over the body of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BodyAhead {
    /// There is no promise: the request has no body, or the gateway cannot tell in time. A flow
    /// must not wait for the body.
    #[default]
    None,
    /// The body comes. A flow may wait for it.
    Comes,
}
