//! What every filter does with a request before its own work: who is it, and is it ours to look at?

use crate::headers::{Duplicate, trusted};
use crate::identity::Identity;
use crate::known::Known;
use exchange::{Reply, Request};
use settings::{Common, Facts, Unmatched};

/// How a request arrives at a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// It was refused by an earlier filter, or this filter does not look at it: it goes on.
    Pass,
    /// It cannot be judged.
    Refuse(Reply),
    /// It is for the filter to judge. This is its identity so far.
    Judge(Option<Box<Identity>>),
}

/// How this request arrives at a filter with these settings. No filter's work begins before that is known; what
/// arrived under the headers that it owns is the business of [`crate::Guard`].
#[must_use]
pub fn arrival(request: &Request, common: &Common) -> Arrival {
    let identity = match Known::from_property(request.consumer.as_deref()) {
        Known::Refused => return Arrival::Pass,
        Known::Malformed => return Arrival::Refuse(Reply::unexpected()),
        Known::Identity(identity) => Some(identity),
        Known::Nobody if common.trust_consumer_headers => match trusted(&request.head, common) {
            Ok(identity) => identity.map(Box::new),
            Err(duplicate) => return Arrival::Refuse(refuse_duplicate(&duplicate)),
        },
        Known::Nobody => None,
    };
    let facts = Facts {
        host: request.head.host(),
        target: &request.target,
        method: &request.method,
        route: request.route.clone(),
        service: request.service.clone(),
        consumer: identity.as_ref().filter(|_| common.matching.needs_consumer()).map(|i| i.names()),
    };
    match common.matching.covers(&facts) {
        Ok(true) => Arrival::Judge(identity),
        Ok(false) => Arrival::Pass,
        Err(Unmatched::AmbiguousPath) => Arrival::Refuse(Reply::error(400, "Bad request path")),
        // The operator's mistake: the log of the host says which, the client need not know.
        Err(Unmatched::Unknown(_)) => Arrival::Refuse(Reply::unexpected()),
    }
}

/// The answer to a header of the gateway's own that came twice.
#[must_use]
pub fn refuse_duplicate(Duplicate(name): &Duplicate) -> Reply {
    Reply::error(400, format!("Header {name} must not be sent more than once"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use exchange::Head;

    fn common(json: &str) -> Common {
        settings::read(json.as_bytes(), &|_| None, Common::identified).unwrap()
    }

    fn request(property: Option<&str>, fields: &[(&str, &str)]) -> Request {
        Request {
            head: fields.iter().copied().collect::<Head>(),
            method: b"GET".to_vec(),
            target: b"/".to_vec(),
            consumer: property.map(|text| text.as_bytes().to_vec()),
            ..Request::default()
        }
    }

    fn status(arrival: &Arrival) -> Option<u16> {
        match arrival {
            Arrival::Refuse(reply) => Some(reply.status),
            _ => None,
        }
    }

    #[test]
    fn what_a_client_says_of_itself_is_no_identity() {
        let forged = request(None, &[("X-Consumer-ID", "1"), ("X_Consumer_Username", "root")]);
        assert_eq!(arrival(&forged, &common("{}")), Arrival::Judge(None));
        let elsewhere = common(r#"{"match":{"paths":["/other"]}}"#);
        assert_eq!(arrival(&forged, &elsewhere), Arrival::Pass);
    }

    #[test]
    fn the_property_is_the_identity() {
        let known = request(Some(r#"{"id":"1"}"#), &[("x-consumer-id", "2")]);
        let Arrival::Judge(Some(identity)) = arrival(&known, &common("{}")) else { panic!() };
        assert_eq!(identity.id, "1");
    }

    #[test]
    fn a_refused_request_is_left_alone() {
        let refused =
            request(Some(r#"{"refused":true}"#), &[("x-consumer-id", "1"), ("x-consumer-id", "2")]);
        assert_eq!(arrival(&refused, &common("{}")), Arrival::Pass);
    }

    #[test]
    fn trusted_headers_count_only_where_the_operator_says_so() {
        let announced = request(None, &[("X-Consumer-ID", "1")]);
        let trusting = common(r#"{"trust_consumer_headers":true}"#);
        assert!(matches!(arrival(&announced, &trusting), Arrival::Judge(Some(_))));
        let twice = request(None, &[("X-Consumer-ID", "1"), ("x-consumer-id", "2")]);
        assert_eq!(status(&arrival(&twice, &trusting)), Some(400));
    }

    #[test]
    fn what_cannot_be_judged_is_refused() {
        assert_eq!(status(&arrival(&request(Some("{"), &[]), &common("{}"))), Some(500));
        let listed = common(r#"{"match":{"consumers":["ana"]}}"#);
        assert_eq!(status(&arrival(&request(None, &[]), &listed)), Some(500));
        let paths = common(r#"{"match":{"paths":["/a"]}}"#);
        let odd = Request { target: b"/%2f".to_vec(), ..request(None, &[]) };
        assert_eq!(status(&arrival(&odd, &paths)), Some(400));
    }
}
