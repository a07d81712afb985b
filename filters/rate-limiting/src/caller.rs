//! Finds the identifier that a request is counted for.

use crate::config::{Config, LimitBy};
use consumer::Identity;
use exchange::{Request, split_target};

/// An identifier. Identifiers of different kinds never coincide: a header with an address does not
/// name the counter of this address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) identifier: Vec<u8>,
    /// `true` if the request lacks what the settings count by, so that the address stands in.
    pub(crate) fallback: bool,
}

/// Returns the identifier that the request is counted for. It is the client's address if the
/// request lacks what the settings count by, as in Kong.
pub(crate) fn caller(config: &Config, request: &Request, identity: Option<&Identity>) -> Caller {
    let tagged = |kind: u8, text: &[u8]| [&[kind], text].concat();
    let found = match &config.limit_by {
        LimitBy::Ip => None,
        LimitBy::Consumer => identity.map(|identity| tagged(b'c', identity.id.as_bytes())),
        LimitBy::Credential => identity
            .and_then(|identity| identity.credential.as_ref())
            .map(|credential| tagged(b'k', credential.id.as_bytes())),
        LimitBy::Service => {
            let service = request.service.id.as_ref().or(request.service.name.as_ref());
            service.map(|name| tagged(b's', name.as_bytes()))
        }
        LimitBy::Header(name) => request.head.first(name).map(|value| tagged(b'h', value)),
        LimitBy::Path(path) => {
            let (raw, _) = split_target(&request.target);
            let same = settings::normalise(raw).is_some_and(|found| found == path.as_bytes());
            same.then(|| tagged(b'p', path.as_bytes()))
        }
    };
    let fallback = found.is_none() && config.limit_by != LimitBy::Ip;
    let address = || tagged(b'i', request.peer.as_deref().unwrap_or_default().as_bytes());
    Caller { identifier: found.unwrap_or_else(address), fallback }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::config;
    use consumer::Credential;
    use exchange::{Head, Named};

    fn request() -> Request {
        Request {
            head: Head::from_iter([("X-Team", "red"), ("X-Team", "blue")]),
            target: b"/a/./b?c".to_vec(),
            peer: Some("192.0.2.1".into()),
            service: Named { id: None, name: Some("orders".into()) },
            ..Request::default()
        }
    }

    fn ana() -> Identity {
        let credential = Credential { id: "cred".into(), ..Credential::default() };
        Identity { id: "ana".into(), credential: Some(credential), ..Identity::default() }
    }

    fn of(by: &str, identity: Option<&Identity>) -> (String, bool) {
        let config = config(&format!(r#"{{"second":1,{by}}}"#));
        let caller = caller(&config, &request(), identity);
        (String::from_utf8(caller.identifier).unwrap(), caller.fallback)
    }

    #[test]
    fn each_way_of_counting_has_its_own_identifiers() {
        let ana = ana();
        for (by, identifier) in [
            (r#""limit_by":"ip""#, "i192.0.2.1"),
            (r#""limit_by":"consumer""#, "cana"),
            (r#""limit_by":"credential""#, "kcred"),
            (r#""limit_by":"service""#, "sorders"),
            (r#""limit_by":"header","header_name":"x-team""#, "hred"),
            (r#""limit_by":"path","path":"/a/b""#, "p/a/b"),
        ] {
            assert_eq!(of(by, Some(&ana)), (identifier.into(), false), "{by}");
        }
    }

    #[test]
    fn the_address_stands_in_for_a_missing_identifier() {
        let unproven = Identity { credential: None, ..ana() };
        for (by, identity) in [
            (r#""limit_by":"consumer""#, None),
            (r#""limit_by":"credential""#, None),
            (r#""limit_by":"credential""#, Some(&unproven)),
            (r#""limit_by":"header","header_name":"x-other""#, None),
            (r#""limit_by":"path","path":"/a/c""#, None),
        ] {
            assert_eq!(of(by, identity), ("i192.0.2.1".into(), true), "{by}");
        }
    }

    #[test]
    fn a_header_is_read_under_its_own_name_only() {
        let config = config(r#"{"second":1,"limit_by":"header","header_name":"x-my-team"}"#);
        for (name, identifier) in [("X-My-Team", "hred"), ("X_My_Team", "i192.0.2.1")] {
            let head = Head::from_iter([(name, "red")]);
            let caller = caller(&config, &Request { head, ..request() }, None);
            assert_eq!(String::from_utf8(caller.identifier).unwrap(), identifier, "{name}");
        }
    }

    #[test]
    fn a_consumer_is_the_default() {
        assert_eq!(of(r#""policy":"local""#, Some(&ana())).0, "cana");
    }
}
