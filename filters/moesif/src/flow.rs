//! The way of one request: it goes on or gets a rule's response, and in the end becomes an event.
//!
//! ```text
//! start ──no randomness──▶ Over
//!    ├──a rule needs the body──▶ Judging ──body──▶ Noting ──done──▶ Over
//!    ├──… of unknown length──▶ Collecting ──pieces──▶ Noting ──▲
//!    └───────────────────────────────────────────────▶ Noting ──done──▶ Over
//! ```

use crate::body::{Body, MAX_UNPACKED};
use crate::capture::{Capture, LeftOut};
use crate::condition::{Facts, Index, Plain};
use crate::content::{Content, Unreadable};
use crate::event::{Event as Record, Reply as Answered, TRANSACTION, client_ip};
use crate::identify::{Known, Who, session_token};
use crate::rules::{Block, Rules, Verdict};
use crate::sampling::{AppConfig, weight};
use crate::shared::{Shared, Tools};
use crate::uri;
use consumer::Admitted;
use exchange::{
    Body as ReplyBody, BodyAhead, Done, Edit, Event, Flow, Head, Occurrence, Piece, Reply, Request,
    Response, ResponseEvent, ResponseStep, Started, Step, Watch,
};
use std::borrow::Cow;
use std::rc::Rc;

/// The property that tells a second instance of this filter that the request is recorded already.
pub(crate) const MARK: &str = "gatehouse_moesif";

/// The greatest length in bytes of a client's transaction header that is kept.
const MAX_TRANSACTION: usize = 256;

/// Notes that a request came, and returns `true` if another instance of this filter records it.
pub(crate) fn ignores(shared: &Shared, request: &Request) -> bool {
    shared.last_request.set(request.now);
    request.mark.is_some()
}

/// The state machine of one request.
pub(crate) struct MoesifFlow {
    shared: Rc<Shared>,
    tools: Tools,
    state: State,
}

enum State {
    /// A rule needs the body.
    Judging(Box<Notes>),
    /// A rule needs the body, and it is not known yet if there is one (Kong).
    Collecting {
        notes: Box<Notes>,
        /// The part of the body that has arrived.
        body: Vec<u8>,
    },
    Noting(Box<Notes>),
    Over,
}

/// The facts about a request that its event needs, as far as they are known.
struct Notes {
    request: Box<Request>,
    identity: Option<Box<consumer::Identity>>,
    body: Option<Capture>,
    response: Option<Box<Seen>>,
    /// The response of a rule that blocks.
    block: Option<Block>,
    /// The headers that rules add to the upstream's response.
    headers: Vec<(String, String)>,
    /// The unique id of the event.
    id: String,
    /// The value of the transaction header.
    transaction: Option<Vec<u8>>,
    /// A random number from 0 to 99. The event is sent if it is below the sampling rate.
    draw: u8,
    app: Rc<AppConfig>,
    /// `true` if it is known already that the event will not be sent.
    skipped: bool,
}

/// The need of the rules for a request's body.
enum Ahead {
    /// The rules do not need a body, or there is none.
    Nothing,
    /// The rules need the body, and it comes.
    Comes,
    /// The rules need the body, if one follows.
    MayFollow,
    /// The rules need the body, but it cannot be read.
    Unreadable(Unreadable),
}

/// The response that passed by.
struct Seen {
    response: Response,
    body: Option<Capture>,
}

impl MoesifFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(shared: Rc<Shared>, tools: Tools, request: Admitted) -> Started {
        let mut flow = Self { shared, tools, state: State::Over };
        let (state, step) = flow.note(request);
        flow.state = state;
        Started::new(step, flow)
    }

    fn note(&self, Admitted { request, identity }: Admitted) -> (State, Step) {
        let mut random = [0; 18];
        if !(self.tools.random)(&mut random) {
            self.shared.tallies.count("dropped_no_randomness", 1);
            return over(Step::forward(Vec::new()));
        }
        let mut edits = vec![Edit::Publish(MARK, b"1".to_vec())];
        let mut notes = Notes::new(&self.shared, request, identity, random);
        notes.mark_request(&self.shared, &mut edits);
        notes.begin_body(&self.shared);
        let rules = self.shared.rules();
        let ahead =
            if rules.is_empty() { Ahead::Nothing } else { notes.ahead(&self.shared, &rules) };
        match ahead {
            Ahead::Comes => (State::Judging(Box::new(notes)), Step::await_body(edits)),
            Ahead::MayFollow => {
                let state = State::Collecting { notes: Box::new(notes), body: Vec::new() };
                (state, Step::stream_body().with_edits(edits))
            }
            Ahead::Nothing => self.judge(notes, &Content::default(), edits),
            Ahead::Unreadable(why) => self.judge(notes, &Content::Unreadable(why), edits),
        }
    }

    /// Applies the rules to a request with the content of its body.
    fn judge(&self, mut notes: Notes, body: &Content, edits: Vec<Edit>) -> (State, Step) {
        let step = notes.judge(&self.shared, &self.shared.rules(), body, edits);
        (State::Noting(Box::new(notes)), step)
    }

    /// Applies the rules to a request with its whole body, or with the reason why it is missing.
    fn judge_body(&self, mut notes: Notes, body: Result<Vec<u8>, Unreadable>) -> (State, Step) {
        let kept = notes.body.as_mut();
        let content = match &body {
            Ok(bytes) => {
                kept.into_iter().for_each(|capture| capture.take(bytes, true));
                let rules = self.shared.rules();
                let limit = self.shared.config.request.body.limit;
                if bytes.len() > limit {
                    Content::Unreadable(Unreadable::TooLarge)
                } else {
                    let opened = limit.saturating_mul(10).min(MAX_UNPACKED);
                    Content::read(&notes.request.head, bytes, &rules.body_paths(), opened)
                }
            }
            Err(why) => {
                let lost = match why {
                    Unreadable::TooLarge => LeftOut::TooLarge,
                    _ => LeftOut::NotAvailable,
                };
                kept.into_iter().for_each(|capture| capture.lose(lost));
                Content::Unreadable(*why)
            }
        };
        self.judge(notes, &content, Vec::new())
    }

    fn respond(&mut self, response: Response) -> Vec<Edit> {
        let (State::Noting(notes) | State::Collecting { notes, .. }) = &mut self.state else {
            return Vec::new();
        };
        let mut edits = Vec::new();
        if let Some(transaction) = &notes.transaction {
            edits.push(Edit::Set(TRANSACTION.into(), transaction.clone()));
        }
        // The response of a blocking rule has the rules' headers already.
        if notes.block.is_none() {
            let set = |(name, value): &(String, String)| Edit::set(name.clone(), value.clone());
            edits.extend(notes.headers.iter().map(set));
        }
        notes.see(&self.shared, response);
        edits
    }
}

impl Notes {
    fn new(
        shared: &Shared,
        request: Box<Request>,
        identity: Option<Box<consumer::Identity>>,
        random: [u8; 18],
    ) -> Self {
        let [id @ .., high, low] = random;
        let app = shared.app();
        // 65536 is no multiple of 100; the difference is far below a percent.
        let draw = u8::try_from(u16::from_be_bytes([high, low]) % 100).unwrap_or_default();
        let mut notes = Self {
            request,
            identity,
            body: None,
            response: None,
            block: None,
            headers: Vec::new(),
            id: uuid::Builder::from_random_bytes(id).into_uuid().to_string(),
            transaction: None,
            draw,
            app,
            skipped: false,
        };
        if notes.app.is_known_early() {
            let none = Content::default();
            let ask =
                |first: &dyn Fn(&Facts<'_>) -> Option<u8>| notes.with_facts(shared, &none, first);
            let rate = notes.app.rate(&Who::default(), ask);
            notes.skipped = notes.draw >= rate;
        }
        notes
    }

    /// Sets the transaction header: the client's value if it is usable, or else the event's id.
    fn mark_request(&mut self, shared: &Shared, edits: &mut Vec<Edit>) {
        if !shared.config.transaction_id {
            return;
        }
        let head = &self.request.head;
        let usable = |value: &&[u8]| {
            !value.is_empty()
                && value.len() <= MAX_TRANSACTION
                && value.iter().all(u8::is_ascii_graphic)
        };
        let theirs = head.values(TRANSACTION).find(usable).map(<[u8]>::to_vec);
        let value = theirs.unwrap_or_else(|| self.id.clone().into_bytes());
        // If the gateway cannot remove the second of two copies, both copies stay as they are.
        let twice = matches!(head.occurrence(TRANSACTION), Occurrence::Many(_));
        if !twice || self.request.can_remove {
            edits.push(Edit::Set(TRANSACTION.into(), value.clone()));
        }
        self.transaction = Some(value);
    }

    fn begin_body(&mut self, shared: &Shared) {
        let direction = &shared.config.request;
        if direction.capture_body && !self.skipped {
            let said = length(&self.request.head);
            self.body = Some(Capture::new(&shared.budget, direction.body.limit, said));
        }
    }

    /// Returns the need of the rules for the request's body.
    fn ahead(&self, shared: &Shared, rules: &Rules) -> Ahead {
        let Request { head, method, .. } = &*self.request;
        let length = length(head);
        let unseen = match self.request.body {
            BodyAhead::Comes => Unreadable::Malformed,
            BodyAhead::None if self.request.body_may_follow => Unreadable::Malformed,
            BodyAhead::None if self.request.body_hidden => Unreadable::Hidden,
            BodyAhead::None => return Ahead::Nothing,
        };
        // The rules are applied as if the body could not be read. If the result is certain even so,
        // they do not need it.
        let verdict = self.verdict(shared, rules, &Content::Unreadable(unseen));
        let decides = matches!(&verdict.open, Some((_, why)) if *why == unseen);
        // A rule that only adds headers waits for small JSON bodies, and does not hold uploads.
        let json = |value: &[u8]| {
            value.to_ascii_lowercase().windows(4).any(|part| part == b"json" || part == b"grap")
        };
        let limit = u64::try_from(shared.config.request.body.limit).unwrap_or(u64::MAX);
        let is_small_json = length.is_some_and(|length| length > 0 && length <= limit)
            && head.first("content-type").is_some_and(json);
        let waits = decides || (verdict.open_headers && is_small_json);
        if verdict.block.is_some() || !waits {
            return Ahead::Nothing;
        }
        if unseen == Unreadable::Hidden {
            return if decides { Ahead::Unreadable(unseen) } else { Ahead::Nothing };
        }
        if length.is_some_and(|length| length > limit) {
            return Ahead::Unreadable(Unreadable::TooLarge);
        }
        if self.request.body == BodyAhead::Comes {
            return Ahead::Comes;
        }
        // On Kong, a request with one of these methods has a body only if its headers describe one.
        let bare =
            matches!(method.as_slice(), b"GET" | b"HEAD" | b"OPTIONS" | b"TRACE" | b"DELETE");
        let says = ["content-type", "content-encoding", "transfer-encoding"];
        match bare && says.iter().all(|name| head.first(name).is_none()) {
            true => Ahead::Nothing,
            false => Ahead::MayFollow,
        }
    }

    fn verdict(&self, shared: &Shared, rules: &Rules, body: &Content) -> Verdict {
        let who = self.who(shared, None);
        self.with_facts(shared, body, |facts| rules.judge(&self.app, &who, facts))
    }

    /// Applies the rules to the request. `edits` are made to it if it goes on.
    fn judge(&mut self, shared: &Shared, rules: &Rules, body: &Content, edits: Vec<Edit>) -> Step {
        if rules.is_empty() {
            return Step::forward(edits);
        }
        let Verdict { block, open, headers, .. } = self.verdict(shared, rules, body);
        let open = open.filter(|_| shared.config.refuses_unreadable);
        let Some(block) = block.or_else(|| open.map(|(rule, why)| Block::unreadable(rule, why)))
        else {
            self.headers = headers;
            return Step::forward(edits);
        };
        let headers = headers.into_iter();
        let reply = Reply {
            status: block.status,
            headers: headers.map(|(name, value)| (name.into(), value.into_bytes())).collect(),
            body: match block.body.is_empty() {
                true => ReplyBody::Empty,
                false => ReplyBody::Raw(block.content_type.map(Cow::Borrowed), block.body.clone()),
            },
        };
        shared.tallies.count("blocked", 1);
        self.block = Some(block);
        Step::reply(reply)
    }

    fn who(&self, shared: &Shared, response: Option<&Response>) -> Who {
        let later = response.and_then(later_identity);
        let claims = self.request.claims.as_deref();
        shared.config.sources.who(&Known {
            identity: self.identity.as_deref().or(later.as_ref()),
            claims: claims.or_else(|| response?.claims.as_deref()),
            request: Some(&self.request.head),
            response: response.map(|response| &response.head),
        })
    }

    fn with_facts<R>(
        &self,
        shared: &Shared,
        body: &Content,
        ask: impl FnOnce(&Facts<'_>) -> R,
    ) -> R {
        let request = &*self.request;
        let ip = client_ip(&shared.config, request);
        let full =
            |target: &[u8]| uri::full(&request.origin, &request.head, target, &Default::default());
        let uri = full(&request.target);
        let plain = uri::normalised(&request.target).map(|target| (full(&target), target));
        let response = self.response.as_ref().map(|seen| &seen.response);
        ask(&Facts {
            request,
            uri: &uri,
            plain: plain
                .as_ref()
                .map(|(uri, target)| Plain { uri: uri.as_slice(), path: uri::path(target) }),
            ip: ip.as_deref(),
            body,
            response: response.map(|response| (response.status, Index::of(&response.head))),
            head: Index::of(&request.head),
        })
    }

    /// Takes the response, and begins to capture its body.
    fn see(&mut self, shared: &Shared, response: Response) {
        let direction = &shared.config.response;
        let said = length(&response.head);
        let wanted = direction.capture_body && !self.skipped;
        let mut body = wanted.then(|| Capture::new(&shared.budget, direction.body.limit, said));
        if let (Some(body), Some(block)) = (&mut body, &self.block) {
            // The body of the rule is recorded as it is. Kong adds a line feed to it on its way.
            *body = Capture::new(&shared.budget, direction.body.limit, None);
            body.take(&block.body, true);
        } else if let Some(body) = body.as_mut().filter(|_| response.ends) {
            body.take(b"", true);
        }
        self.response = Some(Box::new(Seen { response, body }));
    }

    /// Returns the event as JSON, or `None` if it is not to be sent or is too large.
    fn event(mut self, shared: &Shared, done: &Done) -> Option<Vec<u8>> {
        if self.response.is_none()
            && let Some(status) = done.status.filter(|status| *status > 0)
        {
            let response =
                Response { head: done.head.clone(), status, now: done.now, ..Response::default() };
            self.see(shared, response);
        }
        let seen = self.response.as_deref();
        let who = self.who(shared, seen.map(|seen| &seen.response));
        let rate = self.app.rate(&who, |first| {
            let bytes = self.body.as_ref().map(Capture::bytes).unwrap_or_default();
            let opened = shared.config.request.body.limit.saturating_mul(10).min(MAX_UNPACKED);
            let paths = self.app.body_paths();
            let body = match paths.is_empty() {
                true => Content::default(),
                false => Content::read(&self.request.head, bytes, &paths, opened),
            };
            self.with_facts(shared, &body, first)
        });
        if self.draw >= rate {
            shared.tallies.count("sampled_out", 1);
            return None;
        }
        let later = seen.and_then(|seen| later_identity(&seen.response));
        let identity = self.identity.as_deref().or(later.as_ref());
        let body =
            |capture: Option<&Capture>, head: &Head, treatment| match capture.map(Capture::whole) {
                None => Body::None,
                Some(Ok(bytes)) => Body::of(bytes, head, treatment),
                Some(Err(why)) => Body::LeftOut(why),
            };
        let config = &shared.config;
        let record = Record {
            config,
            request: &self.request,
            request_body: body(self.body.as_ref(), &self.request.head, &config.request.body),
            request_length: self
                .body
                .as_ref()
                .and_then(Capture::length)
                .or_else(|| length(&self.request.head)),
            response: seen.map(|seen| Answered {
                head: &seen.response.head,
                status: seen.response.status,
                time: seen.response.now,
                body: body(seen.body.as_ref(), &seen.response.head, &config.response.body),
                length: seen
                    .body
                    .as_ref()
                    .and_then(Capture::length)
                    .or_else(|| length(&seen.response.head)),
            }),
            who: &who,
            session_token: session_token(&config.application_id, identity),
            weight: weight(rate),
            blocked_by: self.block.as_ref().map(|block| block.rule.as_str()),
            id: &self.id,
            transaction: self.transaction.as_deref(),
        };
        let json = record.into_json();
        if json.is_none() {
            shared.tallies.count("dropped_too_large", 1);
        }
        json
    }
}

/// Returns the identity that a later filter has established.
fn later_identity(response: &Response) -> Option<consumer::Identity> {
    let known = consumer::Known::from_property(response.consumer.as_deref());
    known.identity().cloned()
}

impl Flow for MoesifFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Over), event) {
            (State::Judging(notes), Event::Body(body)) => {
                // Kong puts a large body into a file.
                self.judge_body(*notes, body.map_err(|_| Unreadable::TooLarge))
            }
            (State::Collecting { notes, mut body }, Event::Chunk(piece)) => {
                if body.len().saturating_add(piece.len()) > self.shared.config.request.body.limit {
                    self.judge_body(*notes, Err(Unreadable::TooLarge))
                } else {
                    body.extend_from_slice(&piece);
                    (State::Collecting { notes, body }, Step::stream_body())
                }
            }
            (State::Collecting { notes, mut body }, Event::Body(rest)) => {
                let whole = rest.map(|rest| {
                    body.extend_from_slice(&rest);
                    body
                });
                self.judge_body(*notes, whole.map_err(|_| Unreadable::TooLarge))
            }
            (State::Judging(_) | State::Collecting { .. }, _)
            | (State::Noting(_) | State::Over, _) => over(Step::out_of_order()),
        };
        self.state = next;
        step
    }

    fn wants_response(&self) -> bool {
        matches!(self.state, State::Noting(_) | State::Collecting { .. })
    }

    fn on_response(&mut self, event: ResponseEvent) -> ResponseStep {
        ResponseStep::Forward(match event {
            ResponseEvent::Head(response) => self.respond(*response),
            ResponseEvent::Answered(_) => Vec::new(),
        })
    }

    fn watches(&self) -> Watch {
        let (State::Noting(notes) | State::Collecting { notes, .. }) = &self.state else {
            return Watch::default();
        };
        let wants = |capture: Option<&Capture>| capture.is_some_and(Capture::wants_more);
        Watch {
            request_body: notes.block.is_none() && wants(notes.body.as_ref()),
            response_body: wants(notes.response.as_ref().and_then(|seen| seen.body.as_ref())),
            done: !notes.skipped,
        }
    }

    fn on_piece(&mut self, piece: Piece<'_>) {
        let (State::Noting(notes) | State::Collecting { notes, .. }) = &mut self.state else {
            return;
        };
        let response = notes.response.as_mut().and_then(|seen| seen.body.as_mut());
        match (piece, &mut notes.body, response) {
            (Piece::Request(bytes, last), Some(body), _)
            | (Piece::Response(bytes, last), _, Some(body)) => body.take(bytes, last),
            (Piece::RequestLost(_), Some(body), _) | (Piece::ResponseLost(_), _, Some(body)) => {
                body.lose(LeftOut::NotAvailable);
            }
            _ => {}
        }
    }

    fn on_done(&mut self, done: &Done) -> bool {
        let state = std::mem::replace(&mut self.state, State::Over);
        let (State::Noting(notes) | State::Collecting { notes, .. }) = state else { return false };
        let shared = &self.shared;
        let Some(event) = notes.event(shared, done) else { return false };
        let given_up = shared.with_queue(|queue| queue.push(event, done.now));
        shared.tallies.count("queued", 1);
        shared.tallies.count("dropped_queue_full", given_up);
        shared.may_send.get() && shared.with_queue(|queue| queue.is_full_batch())
    }
}

/// Returns the length of the body that the headers declare, in bytes. Two different lengths count
/// as none.
fn length(head: &Head) -> Option<u64> {
    head.text("content-length")?.trim().parse().ok()
}

fn over(step: Step) -> (State, Step) {
    (State::Over, step)
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
