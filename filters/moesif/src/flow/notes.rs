//! The notes of one request, from which its event is made.

use crate::body::{Body, MAX_UNPACKED};
use crate::capture::Capture;
use crate::condition::{Facts, Index, Plain};
use crate::content::{Content, Unreadable};
use crate::event::{Event as Record, Reply as Answered, TRANSACTION, client_ip};
use crate::identify::{Known, Who, session_token};
use crate::rules::{Block, Rules, Verdict};
use crate::sampling::{AppConfig, weight};
use crate::shared::Shared;
use crate::uri;
use exchange::{
    Body as ReplyBody, BodyAhead, Done, Edit, Head, Occurrence, Reply, Request, Response, Step,
};
use std::borrow::Cow;
use std::rc::Rc;

/// The greatest length in bytes of a client's transaction header that is kept.
const MAX_TRANSACTION: usize = 256;

/// The facts about a request that its event needs, as far as they are known.
pub(super) struct Notes {
    pub(super) request: Box<Request>,
    pub(super) identity: Option<Rc<consumer::Identity>>,
    pub(super) body: Option<Capture>,
    pub(super) response: Option<Box<Seen>>,
    /// The response of a rule that blocks.
    pub(super) block: Option<Block>,
    /// The headers that rules add to the upstream's response.
    pub(super) headers: Vec<(String, String)>,
    /// The unique id of the event.
    pub(super) id: String,
    /// The value of the transaction header.
    pub(super) transaction: Option<Vec<u8>>,
    /// A random number from 0 to 99. The event is sent if it is below the sampling rate.
    pub(super) draw: u8,
    pub(super) app: Rc<AppConfig>,
    /// `true` if it is known already that the event will not be sent.
    pub(super) skipped: bool,
}

/// The need of the rules for a request's body.
pub(super) enum Ahead {
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
pub(super) struct Seen {
    pub(super) response: Response,
    pub(super) body: Option<Capture>,
}

impl Notes {
    pub(super) fn new(
        shared: &Shared,
        request: Box<Request>,
        identity: Option<Rc<consumer::Identity>>,
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
    pub(super) fn mark_request(&mut self, shared: &Shared, edits: &mut Vec<Edit>) {
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

    pub(super) fn begin_body(&mut self, shared: &Shared) {
        let direction = &shared.config.request;
        if direction.capture_body && !self.skipped {
            let said = length(&self.request.head);
            self.body = Some(Capture::new(&shared.budget, direction.body.limit, said));
        }
    }

    /// Returns the need of the rules for the request's body.
    pub(super) fn ahead(&self, shared: &Shared, rules: &Rules) -> Ahead {
        let head = &self.request.head;
        let length = length(head);
        let unseen = match self.request.body {
            BodyAhead::Comes => Unreadable::Malformed,
            BodyAhead::None if self.request.body_may_follow => Unreadable::Malformed,
            BodyAhead::None if self.request.body_hidden => Unreadable::Hidden,
            BodyAhead::None => return Ahead::Nothing,
        };
        // The rules are applied as if the body could not be read. If the result is certain even so,
        // they do not need it.
        let verdict = self.verdict(shared, rules, &Content::unreadable(unseen));
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
        match self.request.body {
            BodyAhead::Comes => Ahead::Comes,
            // Over HTTP/2, a body may follow any method, and no header has to announce it.
            BodyAhead::None => Ahead::MayFollow,
        }
    }

    pub(super) fn verdict(&self, shared: &Shared, rules: &Rules, body: &Content) -> Verdict {
        let who = self.who(shared, None);
        self.with_facts(shared, body, |facts| rules.judge(&self.app, &who, facts))
    }

    /// Applies the rules to the request. `edits` are made to it if it goes on.
    pub(super) fn judge(
        &mut self,
        shared: &Shared,
        rules: &Rules,
        body: &Content,
        edits: Vec<Edit>,
    ) -> Step {
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
            cause: "governed",
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

    pub(super) fn who(&self, shared: &Shared, response: Option<&Response>) -> Who {
        let later = response.and_then(later_identity);
        let claims = self.request.claims.as_deref();
        shared.config.sources.who(&Known {
            identity: self.identity.as_deref().or(later.as_ref()),
            claims: claims.or_else(|| response?.claims.as_deref()),
            request: Some(&self.request.head),
            response: response.map(|response| &response.head),
        })
    }

    pub(super) fn with_facts<R>(
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
    pub(super) fn see(&mut self, shared: &Shared, response: Response) {
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
    pub(super) fn event(mut self, shared: &Shared, done: &Done) -> Option<Vec<u8>> {
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
    consumer::caller(response.consumer.as_deref())
}

/// Returns the length of the body that the headers declare, in bytes. Two different lengths count
/// as none.
fn length(head: &Head) -> Option<u64> {
    head.text("content-length")?.trim().parse().ok()
}
