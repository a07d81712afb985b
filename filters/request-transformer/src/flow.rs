//! The way of one request: its headers and its line are changed, and then its body.
//!
//! ```text
//! start ──▶ Decided
//!    └──▶ AwaitingBody ─────────body─────────▶ Decided
//!    └──▶ Collecting ──pieces──▶ Collecting ────▲
//! ```
//!
//! `Collecting` is for Kong, which does not tell if a request without a length has a body.

use crate::body::{Trouble, changed};
use crate::changes::Filled;
use crate::config::Config;
use crate::headers::Headers;
use crate::parameters::Parameters;
use crate::target;
use crate::values::Values;
use consumer::{Admitted, Identity, refuse_duplicate};
use exchange::{
    BodyAhead, Edit, Event, Flow, Media, Opaque, Query, Reply, Request, Started, Step, Unavailable,
    is_encoded, split_target,
};
use std::rc::Rc;

/// The state machine of one request.
pub(crate) struct TransformerFlow {
    config: Rc<Config>,
    state: State,
}

enum State {
    AwaitingBody(Box<Work>),
    Collecting {
        work: Box<Work>,
        /// The part of the body that has arrived.
        body: Vec<u8>,
    },
    Decided,
}

/// The changes that wait for the body.
struct Work {
    media: Result<Media, Opaque>,
    changes: Filled,
    /// `true` to refuse a body that cannot be changed.
    strict: bool,
    /// `true` if a body can be made for a request without one.
    makes: bool,
    /// The line of the request, if a form in the body becomes a part of it.
    line: Option<Line>,
}

/// The new path and query of the request.
struct Line {
    /// The new path, if it changes.
    path: Option<Vec<u8>>,
    /// The query before the changes.
    query: Vec<u8>,
    /// The changes to the query.
    changes: Filled,
    /// The query that was left at the headers, on a gateway that runs later filters before the body
    /// is there (Kong). Those may have changed it by then.
    left: Option<Vec<u8>>,
}

/// The content type of a body that the filter makes for a request without a type.
const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// The greatest length of a body of unknown length, in bytes. A longer one is refused.
const LONGEST: usize = 16 << 20;

impl TransformerFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(config: Rc<Config>, Admitted { request, identity }: &Admitted) -> Started {
        let mut flow = Self { config, state: State::Decided };
        let changed = flow.change(request, identity.as_deref());
        let (state, step) = changed.unwrap_or_else(|reply| decided(Step::reply(reply)));
        flow.state = state;
        Started::new(step, flow)
    }

    fn change(
        &self,
        request: &Request,
        identity: Option<&Identity>,
    ) -> Result<(State, Step), Reply> {
        let config = &self.config;
        let query = query(request);
        let values = Values::new(request, query, config.uri_pattern.as_ref(), identity)
            .map_err(|_| bad_path())?;

        let mut headers = Headers::of(&request.head);
        config.headers.filled(&values).apply(&mut headers);
        let gives = config.gives_bodies()
            && request.can_make_body
            && request.body == BodyAhead::None
            && is_bare(request)
            && headers.first("content-type").is_none();
        if gives {
            headers.give("content-type", FORM);
        }
        // The kind of the body matters only if something is done with the body.
        let media = match config.moves_forms() || !config.body.is_empty() {
            true => media(request, &headers),
            false => Err(Opaque::OtherType),
        };
        let edits = headers.edits(request.can_remove);
        let mut edits = edits.map_err(|duplicate| refuse_duplicate(&duplicate))?;
        if let Some(method) = &config.method {
            edits.push(Edit::Method(method.clone().into_bytes()));
        }

        let path = match &config.uri {
            Some(template) => Some(target::path(template, &values).map_err(|_| bad_path())?),
            None => None,
        };
        let changes = config.query.filled(&values);
        let line = Line { path, query: query.to_vec(), changes, left: None };
        line.check(query)?;
        let moves = config.moves_forms() && media == Ok(Media::Form);
        let strict = config.refuses_unreadable && !config.body.is_empty();
        let changes_body = !config.body.is_empty() && (media.is_ok() || strict);
        if !moves && !changes_body {
            edits.extend(line.edits(b""));
            return Ok(decided(Step::forward(edits)));
        }
        let changes = config.body.filled(&values);
        let makes = request.can_make_body && config.body.make_something_of_nothing();
        let mut work = Work { media, changes, strict, makes, line: Some(line) };
        if !moves {
            edits.extend(work.line.take().into_iter().flat_map(|line| line.edits(b"")));
        }
        Ok(self.await_body(request, Box::new(work), edits))
    }

    /// Makes `edits`, and takes the body in the way that the gateway hands it over.
    fn await_body(
        &self,
        request: &Request,
        mut work: Box<Work>,
        mut edits: Vec<Edit>,
    ) -> (State, Step) {
        let leave = |work: &mut Work, edits: &mut Vec<Edit>| {
            for line in work.line.iter_mut().filter(|_| request.can_make_body) {
                edits.extend(line.edits(b""));
                line.left = Some(line.query(b""));
            }
        };
        if request.body == BodyAhead::Comes {
            // A body that will be refused is not waited for.
            let has_length =
                request.head.text("content-length").is_some_and(|length| length != "0");
            return match work.opaque() {
                Some(reply) if has_length => decided(Step::reply(reply)),
                _ => {
                    leave(&mut work, &mut edits);
                    (State::AwaitingBody(work), Step::await_body(edits))
                }
            };
        }
        // A request with one of these methods has no body, except from a hostile HTTP/2 client. A
        // body that is made takes the place of that one; where none can be made, it is looked at.
        let none = is_bare(request) && (work.makes && work.media.is_ok() || !work.strict);
        if request.body_may_follow && !none {
            // If no body follows, the request goes on with these edits alone.
            leave(&mut work, &mut edits);
            return (
                State::Collecting { work, body: Vec::new() },
                Step::stream_body().with_edits(edits),
            );
        }
        match work.finish(b"") {
            Ok(more) => {
                edits.extend(more);
                decided(Step::forward(edits))
            }
            Err(reply) => decided(Step::reply(reply)),
        }
    }
}

/// Returns `true` if a request with this method and these headers has no body.
fn is_bare(request: &Request) -> bool {
    let bodiless = [&b"GET"[..], b"HEAD", b"OPTIONS", b"TRACE", b"DELETE"];
    bodiless.contains(&request.method.as_slice())
        && request.head.first("transfer-encoding").is_none()
}

/// Returns the kind of the body. It is the one that the changed headers declare.
fn media(request: &Request, headers: &Headers) -> Result<Media, Opaque> {
    let now = headers.first("content-type");
    if now == request.head.first("content-type") {
        return Media::of_head(&request.head);
    }
    match is_encoded(&request.head) {
        true => Err(Opaque::Encoded),
        false => Media::of(now.unwrap_or_default()),
    }
}

impl Work {
    /// Returns the edits that depend on the body.
    ///
    /// # Errors
    /// The reply to a request whose body cannot be changed.
    fn finish(&self, body: &[u8]) -> Result<Vec<Edit>, Reply> {
        let mut edits = Vec::new();
        if let Some(line) = &self.line {
            line.check(body)?;
            edits.extend(line.edits(body));
        }
        // Envoy cannot give a body to a request without one, not even at its trailers.
        if body.is_empty() && !self.makes {
            return Ok(edits);
        }
        let made = match &self.media {
            Ok(media) => changed(media, body, &self.changes),
            Err(_) if body.is_empty() => Ok(None),
            Err(opaque) => Err(Trouble::from(*opaque)),
        };
        match made {
            Ok(changed) => edits.extend(changed.map(Edit::Body)),
            Err(Trouble::Malformed | Trouble::Unsupported) if !self.strict => {}
            Err(trouble) => return Err(refusal(trouble)),
        }
        Ok(edits)
    }

    /// Returns the reply to a request whose body, by its headers, cannot be changed.
    fn opaque(&self) -> Option<Reply> {
        let opaque = self.media.as_ref().err().filter(|_| self.strict)?;
        Some(refusal(Trouble::from(*opaque)))
    }

    fn decide(&self, body: &[u8]) -> Step {
        match self.finish(body) {
            Ok(edits) => Step::forward(edits),
            Err(reply) => Step::reply(reply),
        }
    }
}

fn refusal(trouble: Trouble) -> Reply {
    match trouble {
        Trouble::Value | Trouble::Malformed => {
            Reply::error(400, "malformed_body", "Bad request body")
        }
        Trouble::Unsupported => Reply::error(415, "unsupported_body", "Unsupported media type"),
    }
}

impl Line {
    /// # Errors
    /// The reply to a request in whose query, or in the form that becomes a part of it, only some
    /// servers find a parameter that is removed, renamed or replaced.
    fn check(&self, query: &[u8]) -> Result<(), Reply> {
        match self.changes.concern_any(Query::new(query).disputed()) {
            true => Err(Reply::error(400, "malformed_query", "Bad request query")),
            false => Ok(()),
        }
    }

    /// Returns the new query, with the parameters of `form` behind those of the old one.
    fn query(&self, form: &[u8]) -> Vec<u8> {
        let mut parameters = Parameters::parse(&self.query);
        parameters.read_form(form);
        self.changes.apply(&mut parameters);
        let made = parameters.text();
        // A query that is not changed keeps its spelling, to the last `&`.
        let same = made == Parameters::parse(&self.query).text();
        if same { self.query.clone() } else { made }
    }

    /// Returns the edit that sets path and query. The parameters of `form` follow those of the
    /// query. Returns `None` if nothing changes.
    fn edits(&self, form: &[u8]) -> Option<Edit> {
        if self.path.is_none() && self.changes.is_empty() && form.is_empty() {
            return None;
        }
        let query = self.query(form);
        if let Some(left) = &self.left {
            let (from, to) = (left.clone(), query);
            return (from != to).then_some(Edit::Requery { from, to });
        }
        match &self.path {
            Some(path) if query.is_empty() => Some(Edit::Target(path.clone())),
            Some(path) => Some(Edit::Target([path.as_slice(), b"?", &query].concat())),
            None if query == self.query => None,
            None => Some(Edit::Query(query)),
        }
    }
}

/// Returns the query that the upstream would get. An earlier filter may have removed a key from it.
fn query(request: &Request) -> &[u8] {
    let own = || split_target(&request.target).1;
    request.upstream_query.as_deref().or_else(own).unwrap_or_default()
}

impl Flow for TransformerFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Decided), event) {
            (State::AwaitingBody(work), Event::Body(Ok(body))) => decided(work.decide(&body)),
            (State::Collecting { work, mut body }, Event::Chunk(piece)) => {
                if let Some(reply) = work.opaque().filter(|_| !piece.is_empty()) {
                    decided(Step::reply(reply))
                } else if body.len().saturating_add(piece.len()) > LONGEST {
                    decided(too_large())
                } else {
                    body.extend_from_slice(&piece);
                    (State::Collecting { work, body }, Step::stream_body())
                }
            }
            (State::Collecting { work, mut body }, Event::Body(Ok(rest))) => {
                body.extend_from_slice(&rest);
                decided(work.decide(&body))
            }
            (State::AwaitingBody(_) | State::Collecting { .. }, Event::Body(Err(Unavailable))) => {
                decided(too_large())
            }
            (State::AwaitingBody(_), Event::Chunk(_))
            | (_, Event::Found(_) | Event::Answered(_))
            | (State::Decided, _) => decided(Step::out_of_order()),
        };
        self.state = next;
        step
    }
}

fn decided(step: Step) -> (State, Step) {
    (State::Decided, step)
}

fn bad_path() -> Reply {
    Reply::error(400, "malformed_path", "Bad request path")
}

fn too_large() -> Step {
    Step::reply(Reply::error(413, "body_too_large", "Payload too large"))
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
