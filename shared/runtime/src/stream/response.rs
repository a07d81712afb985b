//! The response, the bodies that a flow watches, and the end of a request.

use super::additions;
use super::{Action, Asked, State, Stream};
use crate::callout;
use crate::debug;
use crate::platform::{Level, capabilities, log, now};
use crate::proxy::{CallOwner, Message, Proxy};
use consumer::{CLAIMS, PROPERTY};
use exchange::{
    CallResult, Done, Edit, Flow, Head, Piece, Response, ResponseEvent, ResponseStep, Unavailable,
};

/// The progress of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Unseen,
    /// The response waits for the answer to a callout.
    Parked,
    /// A reply of ours takes the place of the response; `true` once its body has been given.
    Replaced(bool),
    Gone,
}

impl Stream {
    /// Takes the response's headers, `count` of them; `end` says that no body follows.
    pub fn response_headers<P: Proxy>(
        &mut self,
        proxy: &P,
        count: usize,
        end: bool,
    ) -> (Action, Asked) {
        // Kong may show a response whose request it never showed: nothing is changed then.
        if self.is_undecided(proxy) && self.progress == Progress::Unseen {
            return self.replace_response(proxy, count);
        }
        let seen = match self.state {
            State::Forwarded | State::Refused => true,
            // No body has come.
            State::Streaming(_) => self.body_is_optional,
            State::Fresh | State::Passed | State::AwaitingBody | State::Parked(_) => false,
        };
        if !seen || self.progress != Progress::Unseen {
            return go_on();
        }
        self.progress = Progress::Gone;
        if let Some(report) = self.report.take() {
            let text = report.text(self.instance.name(), None);
            proxy.edit_response(&Edit::Add(debug::HEADER.into(), text.into_bytes()));
        }
        let Some(mut flow) = self.flow.take() else { return go_on() };
        let outcome = if flow.wants_response() {
            let response = self.response(proxy, count, end);
            self.status = Some(response.status).filter(|status| *status > 0);
            self.tell_of_response(proxy, flow.as_mut(), ResponseEvent::Head(Box::new(response)))
        } else {
            go_on()
        };
        self.flow = Some(flow);
        outcome
    }

    /// Returns `true` if the upstream has answered a request that was never decided (Kong). A reply
    /// of another filter, which may come while this one still waits for the body, does not count.
    fn is_undecided<P: Proxy>(&self, proxy: &P) -> bool {
        let undecided = match self.state {
            State::AwaitingBody | State::Parked(_) => true,
            State::Streaming(_) => !self.body_is_optional,
            State::Fresh | State::Passed | State::Forwarded | State::Refused => false,
        };
        undecided && proxy.upstream_has_answered()
    }

    /// Replaces the upstream's response. A local reply would replace the first piece of the body
    /// only, and keep the headers. (Kong before 3.7 keeps the status.)
    fn replace_response<P: Proxy>(&mut self, proxy: &P, count: usize) -> (Action, Asked) {
        self.progress = Progress::Replaced(false);
        self.state = State::Refused;
        self.instance.count("refused_500");
        proxy.blank_response(count);
        log(Level::Error, "the proxy did not show a request's body: its response was replaced");
        go_on()
    }

    fn response<P: Proxy>(&self, proxy: &P, count: usize, end: bool) -> Response {
        let head = proxy.response_head(count).unwrap_or_default();
        let consumer = if self.at_response { proxy.property(PROPERTY) } else { None };
        Response {
            status: head
                .text(":status")
                .and_then(|text| text.parse().ok())
                .or_else(|| proxy.response_status())
                .unwrap_or(0),
            head,
            now: now(),
            ours: self.state == State::Refused,
            ends: end,
            // Claims are of an identity, and do not count without one.
            claims: consumer.as_ref().and_then(|_| proxy.property(CLAIMS)),
            consumer,
        }
    }

    fn tell_of_response<P: Proxy>(
        &mut self,
        proxy: &P,
        flow: &mut dyn Flow,
        event: ResponseEvent,
    ) -> (Action, Asked) {
        // The head is empty if the gateway does not hand it over, and then tells nothing.
        let head = match &event {
            ResponseEvent::Head(response) if capabilities().can_remove => response.head.clone(),
            ResponseEvent::Head(_) | ResponseEvent::Answered(_) => Head::default(),
        };
        let mut step = flow.on_response(event);
        let outcome = loop {
            step = match step {
                ResponseStep::Forward(mut edits) => {
                    if !head.is_empty() {
                        additions::prefer(&head, &mut edits);
                        edits = additions::without_needless(&head, edits);
                    }
                    // A response goes on in any case, and is never given another line.
                    edits.retain(Edit::stays_in_its_line);
                    edits.iter().for_each(|edit| proxy.edit_response(edit));
                    self.progress = Progress::Gone;
                    break go_on();
                }
                ResponseStep::Ask(target, call) => {
                    let sent = match capabilities().can_hold_responses {
                        true => callout::send(
                            proxy,
                            CallOwner::Request,
                            &target,
                            &call,
                            Some(&self.head),
                        )
                        .ok(),
                        false => None,
                    };
                    if let Some(token) = sent {
                        self.progress = Progress::Parked;
                        break (Action::Pause, Asked::ByResponse(token, call.wanted));
                    }
                    flow.on_response(ResponseEvent::Answered(Err(Unavailable)))
                }
            };
        };
        self.watched(flow);
        outcome
    }

    /// Takes the answer to a callout that the response waits for.
    pub fn response_answered<P: Proxy>(
        &mut self,
        proxy: &P,
        answer: CallResult,
    ) -> (Action, Asked) {
        let Some(mut flow) = self.flow.take().filter(|_| self.progress == Progress::Parked) else {
            return go_on();
        };
        let event = ResponseEvent::Answered(answer.map_err(|_| Unavailable));
        let outcome = self.tell_of_response(proxy, flow.as_mut(), event);
        self.flow = Some(flow);
        outcome
    }

    /// Takes a piece of the response's body, `size` bytes; `end` says that it is the last.
    pub fn response_body<P: Proxy>(&mut self, proxy: &P, size: usize, end: bool) -> Action {
        match self.progress {
            Progress::Parked => return Action::Pause,
            Progress::Replaced(given) => {
                let body: &[u8] = if given { b"" } else { UNEXPECTED };
                proxy.replace_response_body(body);
                self.progress = Progress::Replaced(true);
                return Action::Continue;
            }
            Progress::Unseen | Progress::Gone => {}
        }
        if self.watch.response_body {
            self.show(proxy, Message::Response, size, end);
        }
        Action::Continue
    }

    /// Shows the flow a piece of a body that it watches.
    pub(super) fn show<P: Proxy>(&mut self, proxy: &P, of: Message, size: usize, end: bool) {
        let Some(mut flow) = self.flow.take() else { return };
        let bytes = proxy.body(of, size);
        flow.on_piece(match (of, &bytes) {
            (Message::Request, Ok(bytes)) => Piece::Request(bytes, end),
            (Message::Request, Err(_)) => Piece::RequestLost(size),
            (Message::Response, Ok(bytes)) => Piece::Response(bytes, end),
            (Message::Response, Err(_)) => Piece::ResponseLost(size),
        });
        self.watched(flow.as_mut());
        self.flow = Some(flow);
    }

    /// Asks the flow for the messages that it watches from now on, and for its counts.
    pub(super) fn watched(&mut self, flow: &mut dyn Flow) {
        self.watch = flow.watches();
        self.instance.tally(flow.tally());
    }

    /// Returns `true` if the flow wants the event at the end of the request.
    pub fn awaits_end(&self) -> bool {
        self.watch.done && self.flow.is_some()
    }

    /// Ends the request while its messages can be read once more. Returns `true` if the worker has
    /// calls that should not wait for the next tick.
    pub fn logged<P: Proxy>(&mut self, proxy: &P) -> bool {
        let shown = self.progress == Progress::Gone;
        let readable = !shown && capabilities().reads_headers_at_end;
        let head = if readable { proxy.response_head(0) } else { None };
        let status = self.status.or_else(|| proxy.response_status());
        self.done(Done { now: now(), status, head: head.unwrap_or_default() })
    }

    /// Ends a request that was never logged. Its messages cannot be read any more.
    pub(super) fn vanished(&mut self) {
        if self.awaits_end() {
            self.done(Done { now: now(), ..Done::default() });
        }
    }

    fn done(&mut self, done: Done) -> bool {
        let Some(mut flow) = self.flow.take() else { return false };
        let hurry = flow.on_done(&done);
        self.instance.tally(flow.tally());
        hurry
    }
}

/// The body of a reply that replaces a response.
const UNEXPECTED: &[u8] = b"{\n  \"message\":\"An unexpected error occurred\"\n}";

fn go_on() -> (Action, Asked) {
    (Action::Continue, Asked::Nothing)
}
