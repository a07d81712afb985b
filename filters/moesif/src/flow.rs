//! The way of one request: it goes on or gets a rule's response, and in the end becomes an event.
//!
//! ```text
//! start ──no randomness──▶ Over
//!    ├──a rule needs the body──▶ Judging ──body──▶ Noting ──done──▶ Over
//!    ├──… if one follows──▶ Collecting ──pieces──▶ Noting ──▲
//!    │                          └──none follows──done──▶ Over
//!    └───────────────────────────────────────────────▶ Noting ──done──▶ Over
//! ```

mod notes;

use crate::body::MAX_UNPACKED;
use crate::capture::{Capture, LeftOut};
use crate::content::{Content, Unreadable};
use crate::event::TRANSACTION;
use crate::shared::{Shared, Tools};
use consumer::Admitted;
use exchange::{
    Done, Edit, Event, Flow, Piece, Request, Response, ResponseEvent, ResponseStep, Started, Step,
    Then, Watch,
};
use notes::{Ahead, Notes};
use std::rc::Rc;

/// The property that tells a second instance of this filter that the request is recorded already.
pub(crate) const MARK: &str = "gatehouse_moesif";

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
        let mut edits = vec![Edit::publish(MARK, b"1".to_vec())];
        let mut notes = Notes::new(&self.shared, request, identity, random);
        notes.mark_request(&self.shared, &mut edits);
        notes.begin_body(&self.shared);
        let rules = self.shared.rules();
        let ahead =
            if rules.is_empty() { Ahead::Nothing } else { notes.ahead(&self.shared, &rules) };
        match ahead {
            Ahead::Comes => (State::Judging(Box::new(notes)), Step::await_body(edits)),
            // If no body follows, the request goes on as it is judged now.
            Ahead::MayFollow => match self.judge(notes, &Content::default(), edits) {
                (State::Noting(notes), Step { edits, then: Then::Forward }) => {
                    let state = State::Collecting { notes, body: Vec::new() };
                    (state, Step::stream_body().with_edits(edits))
                }
                refused => refused,
            },
            Ahead::Nothing => self.judge(notes, &Content::default(), edits),
            Ahead::Unreadable(why) => self.judge(notes, &Content::unreadable(why), edits),
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
                    Content::unreadable(Unreadable::TooLarge)
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
                Content::unreadable(*why)
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

fn over(step: Step) -> (State, Step) {
    (State::Over, step)
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
