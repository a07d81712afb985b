//! The gate: the check that decides if a filter sees a request, and with which identity.

use crate::headers::{Duplicate, trusted};
use crate::identity::Identity;
use crate::known::Known;
use exchange::{Reply, Request, Started, Step};
use settings::{Common, Facts, Unmatched};
use std::rc::Rc;

/// The decision of the gate about a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The request goes on without the filter: an earlier filter refused it, or `match` in the
    /// settings does not cover it.
    Pass,
    /// The request cannot be judged. The client gets this response.
    Refuse(Reply),
    /// The filter judges the request. The identity is the one that earlier filters established.
    Admit(Option<Rc<Identity>>),
}

/// A request that passed the gate: a filter sees no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admitted {
    /// The request at its headers.
    pub request: Box<Request>,
    /// The identity that earlier filters established.
    pub identity: Option<Rc<Identity>>,
}

/// Runs the gate for a filter with the settings `common`, and `start` for an admitted request.
///
/// The runtime calls this function for every request, so that no filter can forget the gate.
/// [`crate::Guard`] takes care of the headers that a client sends under owned names.
#[must_use]
pub fn run(
    request: Box<Request>,
    known: Known,
    common: &Common,
    start: impl FnOnce(Admitted) -> Started,
) -> Started {
    match admit(&request, known, common) {
        Admission::Pass => Step::forward(Vec::new()).into(),
        Admission::Refuse(reply) => Step::reply(reply).into(),
        Admission::Admit(identity) => start(Admitted { request, identity }),
    }
}

/// Decides whether a filter with the settings `common` judges `request`. `known` is the result of
/// earlier filters.
#[must_use]
pub fn admit(request: &Request, known: Known, common: &Common) -> Admission {
    let identity = match known {
        Known::Refused => return Admission::Pass,
        Known::Malformed => return Admission::Refuse(Reply::unexpected()),
        Known::Identity(identity) => Some(identity),
        Known::Nobody if common.trust_consumer_headers => match trusted(&request.head, common) {
            Ok(identity) => identity.map(Rc::new),
            Err(duplicate) => return Admission::Refuse(refuse_duplicate(&duplicate)),
        },
        Known::Nobody => None,
    };
    if common.matching.is_everything() {
        return Admission::Admit(identity);
    }
    let facts = Facts {
        host: request.head.host(),
        target: &request.target,
        method: &request.method,
        route: request.route.clone(),
        service: request.service.clone(),
        consumer: identity.as_ref().filter(|_| common.matching.needs_consumer()).map(|i| i.names()),
    };
    match common.matching.covers(&facts) {
        Ok(true) => Admission::Admit(identity),
        Ok(false) => Admission::Pass,
        Err(Unmatched::AmbiguousPath) => {
            Admission::Refuse(Reply::error(400, "malformed_path", "Bad request path"))
        }
        // The settings are wrong. The gateway's log names the fault; the client need not know it.
        Err(Unmatched::Unknown(_)) => Admission::Refuse(Reply::unexpected()),
    }
}

/// Returns the response to a request with two copies of a header that the filter has to remove or
/// set, on a gateway that cannot change both (Kong).
#[must_use]
pub fn refuse_duplicate(Duplicate(name): &Duplicate) -> Reply {
    let message = format!("Header {name} must not be sent more than once");
    Reply::error(400, "duplicate_header", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(request: &Request, common: &Common) -> Admission {
        super::admit(request, Known::from_property(request.consumer.as_deref()), common)
    }

    fn common(json: &str) -> Common {
        settings::read(json.as_bytes(), &|_| None, Common::identified).unwrap()
    }

    fn request(property: Option<&str>, headers: &[(&str, &str)]) -> Request {
        let consumer = property.map(|text| text.as_bytes().to_vec());
        Request { consumer, ..exchange::testing::request("GET", "/", headers) }
    }

    fn status(admission: &Admission) -> Option<u16> {
        match admission {
            Admission::Refuse(reply) => Some(reply.status),
            _ => None,
        }
    }

    #[test]
    fn a_clients_own_identity_headers_are_no_identity() {
        let forged = request(None, &[("X-Consumer-ID", "1"), ("X_Consumer_Username", "root")]);
        assert_eq!(admit(&forged, &common("{}")), Admission::Admit(None));
        let elsewhere = common(r#"{"match":{"paths":["/other"]}}"#);
        assert_eq!(admit(&forged, &elsewhere), Admission::Pass);
    }

    #[test]
    fn the_property_is_the_identity() {
        let known = request(Some(r#"{"id":"1"}"#), &[("x-consumer-id", "2")]);
        let Admission::Admit(Some(identity)) = admit(&known, &common("{}")) else { panic!() };
        assert_eq!(identity.id, "1");
    }

    #[test]
    fn a_refused_request_is_left_alone() {
        let refused =
            request(Some(r#"{"refused":true}"#), &[("x-consumer-id", "1"), ("x-consumer-id", "2")]);
        assert_eq!(admit(&refused, &common("{}")), Admission::Pass);
    }

    #[test]
    fn trusted_headers_count_only_where_the_operator_says_so() {
        let announced = request(None, &[("X-Consumer-ID", "1")]);
        let trusting = common(r#"{"trust_consumer_headers":true}"#);
        assert!(matches!(admit(&announced, &trusting), Admission::Admit(Some(_))));
        let twice = request(None, &[("X-Consumer-ID", "1"), ("x-consumer-id", "2")]);
        assert_eq!(status(&admit(&twice, &trusting)), Some(400));
    }

    #[test]
    fn a_request_that_cannot_be_judged_is_refused() {
        assert_eq!(status(&admit(&request(Some("{"), &[]), &common("{}"))), Some(500));
        let listed = common(r#"{"match":{"consumers":["ana"]}}"#);
        assert_eq!(status(&admit(&request(None, &[]), &listed)), Some(500));
        let paths = common(r#"{"match":{"paths":["/a"]}}"#);
        let odd = Request { target: b"/%2f".to_vec(), ..request(None, &[]) };
        assert_eq!(status(&admit(&odd, &paths)), Some(400));
    }
}
