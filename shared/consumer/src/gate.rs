//! What every filter does with a request before its own work: who is it, and is it ours to look at?

use crate::headers::{Duplicate, neutralise, trusted};
use crate::identity::Identity;
use crate::known::Known;
use exchange::{Edit, Reply, Request};
use settings::{Common, Facts, Unmatched};

/// How a request arrives at a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// It was refused by an earlier filter, or this filter does not look at it: it goes on, after these edits.
    Pass(Vec<Edit>),
    /// It cannot be judged.
    Refuse(Reply),
    /// It is for the filter to judge. The edits go with it if it goes on.
    Judge(Option<Box<Identity>>, Vec<Edit>),
}

/// The arrival at a filter that establishes the identity. It takes the client's own identity headers out of
/// every request that carries no identity yet, also of those that it does not otherwise look at. `owned` are
/// further headers that the filter is configured to set.
#[must_use]
pub fn at_authentication(request: &Request, common: &Common, owned: &[&str]) -> Arrival {
    let (identity, edits) = match Known::from_property(request.consumer.as_deref()) {
        Known::Refused => return Arrival::Pass(Vec::new()),
        Known::Malformed => return Arrival::Refuse(malformed()),
        Known::Identity(identity) => (Some(identity), Vec::new()),
        Known::Nobody if common.trust_consumer_headers => match trusted(&request.head) {
            Ok(identity) => (identity.map(Box::new), Vec::new()),
            Err(duplicate) => return Arrival::Refuse(refuse_duplicate(&duplicate)),
        },
        Known::Nobody => match neutralise(&request.head, owned, request.can_remove) {
            Ok(edits) => (None, edits),
            Err(duplicate) => return Arrival::Refuse(refuse_duplicate(&duplicate)),
        },
    };
    judge(request, common, identity, edits)
}

/// The arrival at a filter that uses the identity.
#[must_use]
pub fn at_use(request: &Request, common: &Common) -> Arrival {
    let identity = match Known::from_property(request.consumer.as_deref()) {
        Known::Refused => return Arrival::Pass(Vec::new()),
        Known::Malformed => return Arrival::Refuse(malformed()),
        Known::Identity(identity) => Some(identity),
        Known::Nobody if common.trust_consumer_headers => match trusted(&request.head) {
            Ok(identity) => identity.map(Box::new),
            Err(duplicate) => return Arrival::Refuse(refuse_duplicate(&duplicate)),
        },
        Known::Nobody => None,
    };
    judge(request, common, identity, Vec::new())
}

fn judge(
    request: &Request,
    common: &Common,
    identity: Option<Box<Identity>>,
    edits: Vec<Edit>,
) -> Arrival {
    let facts = Facts {
        host: request.head.host(),
        target: &request.target,
        method: &request.method,
        route: request.route.clone(),
        service: request.service.clone(),
        consumer: identity.as_ref().filter(|_| common.matching.needs_consumer()).map(|i| i.names()),
    };
    match common.matching.covers(&facts) {
        Ok(true) => Arrival::Judge(identity, edits),
        Ok(false) => Arrival::Pass(edits),
        Err(Unmatched::AmbiguousPath) => Arrival::Refuse(Reply::error(400, "Bad request path")),
        // The operator's mistake: the log of the host says which, the client need not know.
        Err(Unmatched::Unknown(_)) => {
            Arrival::Refuse(Reply::error(500, "An unexpected error occurred"))
        }
    }
}

/// The answer to a header of the gateway's own that came twice.
#[must_use]
pub fn refuse_duplicate(Duplicate(name): &Duplicate) -> Reply {
    Reply::error(400, format!("Header {name} must not be sent more than once"))
}

fn malformed() -> Reply {
    Reply::error(500, "An unexpected error occurred")
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
        let edits = vec![Edit::remove("x-consumer-id"), Edit::remove("x_consumer_username")];
        assert_eq!(
            at_authentication(&forged, &common("{}"), &[]),
            Arrival::Judge(None, edits.clone())
        );
        let elsewhere = common(r#"{"match":{"paths":["/other"]}}"#);
        assert_eq!(at_authentication(&forged, &elsewhere, &[]), Arrival::Pass(edits));
        assert_eq!(at_use(&forged, &common("{}")), Arrival::Judge(None, vec![]));
    }

    #[test]
    fn the_property_is_the_identity_and_its_headers_stay() {
        let known = request(Some(r#"{"id":"1"}"#), &[("x-consumer-id", "1")]);
        for arrival in
            [at_authentication(&known, &common("{}"), &[]), at_use(&known, &common("{}"))]
        {
            let Arrival::Judge(Some(identity), edits) = arrival else { panic!("{arrival:?}") };
            assert_eq!((identity.id.as_str(), edits.len()), ("1", 0));
        }
    }

    #[test]
    fn a_refused_request_is_left_alone() {
        let refused =
            request(Some(r#"{"refused":true}"#), &[("x-consumer-id", "1"), ("x-consumer-id", "2")]);
        assert_eq!(at_authentication(&refused, &common("{}"), &[]), Arrival::Pass(vec![]));
        assert_eq!(at_use(&refused, &common("{}")), Arrival::Pass(vec![]));
    }

    #[test]
    fn trusted_headers_count_only_where_the_operator_says_so() {
        let announced = request(None, &[("X-Consumer-ID", "1")]);
        let trusting = common(r#"{"trust_consumer_headers":true}"#);
        assert!(matches!(at_use(&announced, &trusting), Arrival::Judge(Some(_), _)));
        let twice = request(None, &[("X-Consumer-ID", "1"), ("x-consumer-id", "2")]);
        assert_eq!(status(&at_use(&twice, &trusting)), Some(400));
        assert_eq!(status(&at_authentication(&twice, &trusting, &[])), Some(400));
        assert_eq!(status(&at_authentication(&twice, &common("{}"), &[])), Some(400));
    }

    #[test]
    fn what_cannot_be_judged_is_refused() {
        assert_eq!(status(&at_use(&request(Some("{"), &[]), &common("{}"))), Some(500));
        let listed = common(r#"{"match":{"consumers":["ana"]}}"#);
        assert_eq!(status(&at_use(&request(None, &[]), &listed)), Some(500));
        let paths = common(r#"{"match":{"paths":["/a"]}}"#);
        let odd = Request { target: b"/%2f".to_vec(), ..request(None, &[]) };
        assert_eq!(status(&at_use(&odd, &paths)), Some(400));
    }
}
