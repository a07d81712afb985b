//! Authentication of requests: by bearer token, or by the loopback address if no tokens are set.

use std::net::IpAddr;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

use axum::http::{HeaderMap, HeaderValue, Uri, uri::Authority};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::counter_names::CounterNames;

/// The permissions of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The request may do everything.
    Admin,
    /// The request may read what a gateway needs, and write sessions, revocations and counters.
    Gateway,
    /// The request may load the page for operators, which has no data in itself.
    Visitor,
}

/// The reasons to deny a request any role.
#[derive(Debug)]
pub(crate) enum Denied {
    /// The request has no right token.
    NoToken,
    /// A web page may have caused the request; the text says why.
    WebPage(&'static str),
}

/// The method of authentication.
pub(crate) enum Auth {
    /// There are no tokens, and the service listens on a loopback address. Every local process has
    /// the admin's role, but a web page in the admin's browser does not.
    Loopback,
    /// Every request needs a token.
    Tokens(RwLock<Tokens>),
}

/// The SHA-256 digests of the tokens. Each role may have several, so that a token can be replaced
/// while both are valid.
pub(crate) struct Tokens {
    admin: Vec<[u8; 32]>,
    gateway: Vec<[u8; 32]>,
    counter_names: CounterNames,
}

impl Auth {
    /// Returns the role of a request, or the reason to deny it one.
    pub(crate) fn admit(&self, uri: &Uri, headers: &HeaderMap) -> Result<Role, Denied> {
        match self {
            Self::Loopback => {
                refuse_web_page(uri, headers)?;
                refuse_foreign_cause(headers)?;
                Ok(Role::Admin)
            }
            Self::Tokens(tokens) => read(tokens).role(headers).ok_or(Denied::NoToken),
        }
    }

    /// Returns the role of a request for the page of operators, which needs no token: the page asks
    /// for one. A link on another site may lead to it.
    pub(crate) fn admit_visitor(&self, uri: &Uri, headers: &HeaderMap) -> Result<Role, Denied> {
        match self {
            Self::Loopback => refuse_web_page(uri, headers).map(|()| Role::Visitor),
            Self::Tokens(_) => Ok(Role::Visitor),
        }
    }

    /// Returns the names under which gateways count.
    pub(crate) fn counter_names(&self) -> CounterNames {
        match self {
            Self::Loopback => CounterNames::new([""]),
            Self::Tokens(tokens) => read(tokens).counter_names.clone(),
        }
    }

    /// Takes the tokens of `new` in place of its own. Between tokens and none, nothing changes.
    pub(crate) fn replace(&self, new: Self) {
        if let (Self::Tokens(tokens), Self::Tokens(new)) = (self, new) {
            *tokens.write().unwrap_or_else(PoisonError::into_inner) =
                new.into_inner().unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Tokens {
    pub(crate) fn new(admin: &[String], gateway: &[String]) -> Self {
        let counter_names = CounterNames::new(gateway.iter().chain(admin).map(String::as_str));
        let digests = |tokens: &[String]| tokens.iter().map(|token| digest(token)).collect();
        Self { admin: digests(admin), gateway: digests(gateway), counter_names }
    }

    fn role(&self, headers: &HeaderMap) -> Option<Role> {
        let mut values = headers.get_all("authorization").iter();
        let (value, more) = (values.next()?.as_bytes(), values.next());
        let (scheme, token) = value.split_at_checked(7)?;
        if more.is_some() || !scheme.eq_ignore_ascii_case(b"bearer ") {
            return None;
        }
        // Digests have one length, and comparing them takes the same time for every wrong token.
        let token: [u8; 32] = Sha256::digest(token.trim_ascii()).into();
        let any = |digests: &[[u8; 32]]| {
            digests.iter().fold(Choice::from(0), |found, digest| found | token.ct_eq(digest))
        };
        let (admin, gateway) = (any(&self.admin), any(&self.gateway));
        if admin.into() {
            Some(Role::Admin)
        } else if gateway.into() {
            Some(Role::Gateway)
        } else {
            None
        }
    }
}

fn read(tokens: &RwLock<Tokens>) -> RwLockReadGuard<'_, Tokens> {
    tokens.read().unwrap_or_else(PoisonError::into_inner)
}

fn digest(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Refuses a request that a web page may have caused.
///
/// A web page can make a browser on this machine send requests to the service: under the page's own
/// host name (DNS rebinding) or across origins. The headers Host and Origin reveal both, and a page
/// cannot set them.
fn refuse_web_page(uri: &Uri, headers: &HeaderMap) -> Result<(), Denied> {
    let mut hosts = headers.get_all("host").iter();
    let (host, more) = (hosts.next().and_then(|host| host.to_str().ok()), hosts.next());
    let Some(host) = host.filter(|_| more.is_none()) else {
        return Err(Denied::WebPage("exactly one Host header is needed"));
    };
    if !is_local(host) || !uri.authority().is_none_or(|target| is_local(target.as_str())) {
        return Err(Denied::WebPage(
            "without tokens only localhost may be asked for: the Host header names another",
        ));
    }
    for origin in headers.get_all("origin") {
        let same = ["http://", "https://"].iter().any(|scheme| {
            let origin = origin.as_bytes();
            origin.strip_prefix(scheme.as_bytes()).is_some_and(|rest| rest == host.as_bytes())
        });
        if !same {
            return Err(Denied::WebPage("without tokens no other origin may send requests"));
        }
    }
    Ok(())
}

/// Refuses a request that a browser sends because of a page of another origin.
///
/// Browsers say so in `Sec-Fetch-Site` (<https://www.w3.org/TR/fetch-metadata/>), also where they
/// send no Origin: for images and links. No other client sends the header.
fn refuse_foreign_cause(headers: &HeaderMap) -> Result<(), Denied> {
    let ours = |value: &HeaderValue| value == "same-origin" || value == "none";
    if headers.get_all("sec-fetch-site").iter().all(ours) {
        Ok(())
    } else {
        Err(Denied::WebPage("without tokens no other origin may send requests"))
    }
}

/// `true` if `host`, the value of a Host header, is `localhost` or a loopback address.
pub(crate) fn is_local(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    // The parser accepts `user@host`, which a Host header cannot hold.
    if host.contains('@') {
        return false;
    }
    let name = authority.host();
    // The parser also takes letters behind the bracket of an IPv6 address.
    let behind = host.strip_prefix(name).unwrap_or(host);
    let is_port = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !behind.is_empty() && !behind.strip_prefix(':').is_some_and(is_port) {
        return false;
    }
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
    name.eq_ignore_ascii_case("localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn admits(pairs: &[(&'static str, &str)]) -> bool {
        Auth::Loopback.admit(&Uri::from_static("/status"), &headers(pairs)).is_ok()
    }

    #[test]
    fn this_machine_may_call_itself_by_any_of_its_names() {
        for host in ["localhost", "LOCALHOST:8001", "127.0.0.1:8001", "127.9.9.9", "[::1]:80"] {
            assert!(admits(&[("host", host)]), "{host}");
        }
    }

    #[test]
    fn a_name_that_merely_resolves_here_is_foreign() {
        for host in [
            "evil.example:8001",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.1",
            "localhost@evil.example",
            "evil.example@localhost",
            "[::1]A80",
            "localhost:evil",
            "",
        ] {
            assert!(!admits(&[("host", host)]), "{host}");
        }
        assert!(!admits(&[]));
        assert!(!admits(&[("host", "localhost"), ("host", "evil.example")]));
        let foreign = Uri::from_static("http://evil.example/status");
        assert!(Auth::Loopback.admit(&foreign, &headers(&[("host", "localhost")])).is_err());
    }

    #[test]
    fn another_origin_is_refused_and_our_own_is_not() {
        let host = ("host", "localhost:8001");
        assert!(admits(&[host, ("origin", "http://localhost:8001")]));
        for origin in ["http://evil.example", "null", "http://localhost:3000", "localhost:8001"] {
            assert!(!admits(&[host, ("origin", origin)]), "{origin}");
        }
    }

    #[test]
    fn a_page_of_another_origin_is_refused_even_without_its_origin() {
        let host = ("host", "localhost:8001");
        for site in ["same-origin", "none"] {
            assert!(admits(&[host, ("sec-fetch-site", site)]), "{site}");
        }
        for site in ["cross-site", "same-site", "", "x"] {
            assert!(!admits(&[host, ("sec-fetch-site", site)]), "{site}");
        }
        assert!(!admits(&[host, ("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn a_visitor_may_come_from_another_site_but_not_under_another_name() {
        let visit = |pairs: &[(&'static str, &str)]| {
            Auth::Loopback.admit_visitor(&Uri::from_static("/ui"), &headers(pairs)).ok()
        };
        let from_a_link = [("host", "localhost:8001"), ("sec-fetch-site", "cross-site")];
        assert_eq!(visit(&from_a_link), Some(Role::Visitor));
        assert_eq!(visit(&[("host", "evil.example")]), None);
    }

    #[test]
    fn a_token_gives_its_role_and_nothing_else_does() {
        let tokens =
            Tokens::new(&["admin-token".into()], &["new-token".into(), "gateway-token".into()]);
        let role = |value| tokens.role(&headers(&[("authorization", value)]));
        assert_eq!(role("Bearer admin-token"), Some(Role::Admin));
        assert_eq!(role("bearer gateway-token"), Some(Role::Gateway));
        assert_eq!(role("Bearer new-token"), Some(Role::Gateway));
        for value in ["Bearer ", "Bearer admin-toke", "admin-token", "Basic admin-token", "B", ""] {
            assert_eq!(role(value), None, "{value}");
        }
        let twice = [("authorization", "Bearer admin-token"), ("authorization", "Bearer x")];
        assert_eq!(tokens.role(&headers(&twice)), None);
    }

    #[test]
    fn without_a_gateway_token_no_token_is_the_gateways() {
        let tokens = Tokens::new(&["admin-token".into()], &[]);
        assert_eq!(tokens.role(&headers(&[("authorization", "Bearer ")])), None);
    }
}
