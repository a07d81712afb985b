//! The response, the bodies that pass by, and the end of a request.

use super::edits::edit_response;
use super::properties::{claims, property};
use super::{Action, Asked, MAX_KONG_HEADERS, State, Stream, now};
use crate::abi::{self, Buffer, Map};
use crate::callout;
use consumer::PROPERTY;
use exchange::{CallResult, Done, Flow, Piece, Response, ResponseEvent, ResponseStep, Unavailable};

/// How far the response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Unseen,
    /// It waits for the answer to a call.
    Parked,
    /// Another one takes its place; whether that one's body has been given.
    Replaced(bool),
    Gone,
}

/// Response headers that are the host's own or harmless.
const KEPT: [&str; 5] = ["connection", "date", "server", "transfer-encoding", "via"];
/// What is taken away where the headers cannot be read.
const TAKEN: [&str; 7] = [
    "content-length",
    "content-encoding",
    "etag",
    "last-modified",
    "location",
    "set-cookie",
    "www-authenticate",
];

impl Stream {
    pub(crate) fn response_headers(&mut self, count: usize, end: bool) -> (Action, Asked) {
        // Kong runs this also where it never showed the request: nothing is known then, so nothing is changed.
        if self.is_undecided() && self.progress == Progress::Unseen {
            return self.replace_response(count);
        }
        let seen = matches!(self.state, State::Forwarded | State::Refused);
        if !seen || self.progress != Progress::Unseen {
            return go_on();
        }
        self.progress = Progress::Gone;
        let Some(mut flow) = self.flow.take() else { return go_on() };
        let outcome = if flow.wants_response() {
            let response = self.response(count, end);
            self.status = Some(response.status).filter(|status| *status > 0);
            self.tell_of_response(flow.as_mut(), ResponseEvent::Head(Box::new(response)))
        } else {
            go_on()
        };
        self.flow = Some(flow);
        outcome
    }

    /// Kong: whether the upstream has answered a request that was never decided. That of another filter's
    /// answer, which may end the request while this one still waits for the body, is none of it.
    fn is_undecided(&self) -> bool {
        let undecided = match self.state {
            State::AwaitingBody | State::Parked(_) => true,
            State::Streaming(_) => !self.body_is_optional,
            State::Fresh | State::Passed | State::Forwarded | State::Refused => false,
        };
        let asked = || abi::property(&["ngx", "upstream_status"]).is_ok_and(|it| !it.is_empty());
        undecided && self.root.host().may_be_kong() && asked()
    }

    /// Lets nothing of the upstream's response through. A local response from here would take the place of
    /// the body's first piece only, and keep the headers. (Kong before 3.7 keeps the status.)
    fn replace_response(&mut self, count: usize) -> (Action, Asked) {
        self.progress = Progress::Replaced(false);
        self.state = State::Refused;
        self.root.count("refused_500");
        let head = if count <= MAX_KONG_HEADERS { callout::head(Map::Response) } else { None };
        match head {
            Some(head) => {
                let kept = |name: &str| KEPT.iter().any(|kept| kept.eq_ignore_ascii_case(name));
                let names = head.fields().filter_map(|(name, _)| std::str::from_utf8(name).ok());
                for name in names.filter(|name| !name.starts_with(':') && !kept(name)) {
                    let _ = abi::map_remove(Map::Response, name);
                }
            }
            None => {
                for name in TAKEN {
                    let _ = abi::map_remove(Map::Response, name);
                }
            }
        }
        let _ = abi::map_replace(Map::Response, ":status", b"500");
        let _ = abi::map_replace(Map::Response, "content-type", b"application/json; charset=utf-8");
        abi::log(
            abi::Level::Error,
            "the proxy did not show a request's body: its response was replaced",
        );
        go_on()
    }

    fn response(&self, count: usize, end: bool) -> Response {
        let host = self.root.host();
        let readable = !host.may_be_kong() || count <= MAX_KONG_HEADERS;
        let head = if readable { callout::head(Map::Response) } else { None };
        let head = head.unwrap_or_default();
        let consumer = if self.at_response { property(host, PROPERTY) } else { None };
        Response {
            status: head
                .text(":status")
                .and_then(|text| text.parse().ok())
                .or_else(status)
                .unwrap_or(0),
            head,
            now: now(),
            ours: self.state == State::Refused,
            ends: end,
            // Claims come with an identity only.
            claims: consumer.as_ref().and_then(|_| claims(host)),
            consumer,
        }
    }

    fn tell_of_response(&mut self, flow: &mut dyn Flow, event: ResponseEvent) -> (Action, Asked) {
        let host = self.root.host();
        let mut step = flow.on_response(event);
        let outcome = loop {
            step = match step {
                ResponseStep::Forward(edits) => {
                    edit_response(host, &edits);
                    self.progress = Progress::Gone;
                    break go_on();
                }
                ResponseStep::Ask(target, call) => {
                    let sent = match host.can_hold_responses() {
                        true => callout::send(&target, &call).ok(),
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

    /// The answer to a call for the response.
    pub(crate) fn response_answered(&mut self, answer: CallResult) -> (Action, Asked) {
        let Some(mut flow) = self.flow.take().filter(|_| self.progress == Progress::Parked) else {
            return go_on();
        };
        let event = ResponseEvent::Answered(answer.map_err(|_| Unavailable));
        let outcome = self.tell_of_response(flow.as_mut(), event);
        self.flow = Some(flow);
        outcome
    }

    pub(crate) fn response_body(&mut self, size: usize, end: bool) -> Action {
        match self.progress {
            Progress::Parked => return Action::Pause,
            Progress::Replaced(given) => {
                let body: &[u8] = if given { b"" } else { UNEXPECTED };
                let _ = abi::set_body(Buffer::ResponseBody, body);
                self.progress = Progress::Replaced(true);
                return Action::Continue;
            }
            Progress::Unseen | Progress::Gone => {}
        }
        if self.watch.response_body {
            self.show(Buffer::ResponseBody, size, end);
        }
        Action::Continue
    }

    /// Shows a piece of a body that passes by.
    pub(super) fn show(&mut self, buffer: Buffer, size: usize, end: bool) {
        let Some(mut flow) = self.flow.take() else { return };
        let bytes = super::body(buffer, size);
        flow.on_piece(match (buffer, &bytes) {
            (Buffer::RequestBody, Ok(bytes)) => Piece::Request(bytes, end),
            (Buffer::RequestBody, Err(_)) => Piece::RequestLost(size),
            (_, Ok(bytes)) => Piece::Response(bytes, end),
            (_, Err(_)) => Piece::ResponseLost(size),
        });
        self.watched(flow.as_mut());
        self.flow = Some(flow);
    }

    /// What the flow wants to see from now on, and what there is to count.
    pub(super) fn watched(&mut self, flow: &mut dyn Flow) {
        self.watch = flow.watches();
        self.root.tally(flow.tally());
    }

    /// Whether the flow wants to hear of the request's end.
    pub(crate) fn awaits_end(&self) -> bool {
        self.watch.done && self.flow.is_some()
    }

    /// The request is over, and the host lets its messages be read once more.
    pub(crate) fn logged(&mut self) -> bool {
        let shown = self.progress == Progress::Gone;
        let readable = !shown && !self.root.host().may_be_kong();
        let head = if readable { callout::head(Map::Response) } else { None };
        let status = self.status.or_else(status);
        self.done(Done { now: now(), status, head: head.unwrap_or_default() })
    }

    /// The request is gone without having been logged. Nothing of it can be read any more.
    pub(super) fn vanished(&mut self) {
        if self.awaits_end() {
            self.done(Done { now: now(), ..Done::default() });
        }
    }

    fn done(&mut self, done: Done) -> bool {
        let Some(mut flow) = self.flow.take() else { return false };
        let hurry = flow.on_done(&done);
        self.root.tally(flow.tally());
        hurry
    }
}

/// The body of a response that was replaced.
const UNEXPECTED: &[u8] = b"{\n  \"message\":\"An unexpected error occurred\"\n}";

fn go_on() -> (Action, Asked) {
    (Action::Continue, Asked::Nothing)
}

fn status() -> Option<u16> {
    let text = abi::map_value(Map::Response, ":status").ok()?;
    std::str::from_utf8(&text).ok()?.parse().ok()
}
