//! The token for a request.
//!
//! ```text
//! start ──no hash of a body, or no body──▶ Decided
//!    └──▶ Hashing ──pieces──▶ Hashing ──end──▶ Decided
//! ```
//!
//! Kong does not know if a request without a length has a body. Such a request gets the token of an
//! empty body at once. If a body comes, another token replaces that one.

use crate::claims::{Claims, NoClaims};
use crate::mint::Mint;
use consumer::Admitted;
use exchange::{
    Body, BodyAhead, Edit, Event, Flow, Reply, Request, Started, Step, Unavailable, split_target,
};
use jose::hash::Hasher;
use std::rc::Rc;

/// The functions of the gateway that the flow needs. Tests supply others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tools {
    /// Fills a buffer with random bytes. Returns `false` if that failed.
    pub(crate) random: fn(&mut [u8]) -> bool,
    /// Returns the time in milliseconds since 1970.
    pub(crate) now: fn() -> u64,
    /// Reports a problem to the operator.
    pub(crate) report: fn(&str),
}

/// The flow of one request.
pub(crate) struct UpstreamJwtFlow {
    mint: Rc<Mint>,
    tools: Tools,
    state: State,
}

enum State {
    Hashing(Box<Work>),
    Decided,
}

/// The claims of a token, and the unfinished hash of the body.
struct Work {
    claims: Claims,
    hasher: Hasher,
    is_empty: bool,
}

impl UpstreamJwtFlow {
    /// Judges a request that the gate admitted.
    pub(crate) fn start(mint: Rc<Mint>, tools: Tools, request: &Admitted) -> Started {
        let mut flow = Self { mint, tools, state: State::Decided };
        let (state, step) = flow.judge(request);
        flow.state = state;
        Started::new(step, flow)
    }

    fn judge(&self, Admitted { request, identity }: &Admitted) -> (State, Step) {
        let config = self.mint.config();
        if let Some(reply) = self.key_set(request) {
            return decided(Step::reply(reply));
        }
        let claims = Claims::of(config, request, identity.as_deref(), self.tools.random);
        let mut claims = match claims {
            Ok(claims) => claims,
            Err(NoClaims::Header) => {
                return decided(Step::reply(Reply::error(400, "malformed_headers", "Bad request")));
            }
            Err(why) => return decided(Step::reply(self.fail(&why))),
        };
        if !config.body_hash {
            return decided(self.forward(&claims, request.now));
        }
        let work = |claims| Box::new(Work { claims, hasher: Hasher::default(), is_empty: true });
        if request.body == BodyAhead::Comes {
            // The client's header is removed now, whatever happens to the body.
            let edits = vec![Edit::remove(config.header.clone())];
            return (State::Hashing(work(claims)), Step::stream_body().with_edits(edits));
        }
        claims.hash_body(String::new());
        if request.body_may_follow {
            return match self.token(&claims, request.now) {
                Ok(edits) => (State::Hashing(work(claims)), Step::stream_body().with_edits(edits)),
                Err(reply) => decided(Step::reply(reply)),
            };
        }
        decided(self.forward(&claims, request.now))
    }

    /// Returns the response to a request for the public keys. It needs no credential.
    fn key_set(&self, request: &Request) -> Option<Reply> {
        let config = self.mint.config();
        let (path, _) = split_target(&request.target);
        if path != config.jwks_path.as_deref()?.as_bytes() {
            return None;
        }
        if !matches!(request.method.as_slice(), b"GET" | b"HEAD") {
            return Some(
                Reply::error(405, "wrong_method", "Method not allowed").with("allow", "GET, HEAD"),
            );
        }
        let keys = config.keys.as_ref()?;
        let content_type = Some("application/jwk-set+json".into());
        let body = Body::Raw(content_type, keys.jwks.clone().into_bytes());
        let reply = Reply::new(200, "public_keys", body);
        Some(reply.with("cache-control", "public, max-age=300"))
    }

    /// Makes the token when the body is complete. `rest` is its last piece.
    fn finish(&self, mut work: Work, rest: &[u8]) -> Step {
        work.take(rest);
        let hash = if work.is_empty { String::new() } else { work.hasher.hex() };
        work.claims.hash_body(hash);
        // A body may take longer than a token lives.
        self.forward(&work.claims, (self.tools.now)())
    }

    /// Lets the request go on with its token.
    fn forward(&self, claims: &Claims, now: u64) -> Step {
        self.token(claims, now).map_or_else(Step::reply, Step::forward)
    }

    /// Returns the edits that set the token, or the response to a request that gets none. `now` is
    /// in milliseconds since 1970.
    fn token(&self, claims: &Claims, now: u64) -> Result<Vec<Edit>, Reply> {
        let config = self.mint.config();
        match self.mint.token(claims, now / 1000, self.tools.random) {
            Ok(token) => {
                let bearer = if config.include_bearer { "Bearer " } else { "" };
                Ok(vec![Edit::set(config.header.clone(), format!("{bearer}{token}"))])
            }
            Err(why) => Err(self.fail(&why)),
        }
    }

    /// Reports the reason to the operator, and returns the response to the client.
    fn fail(&self, why: &dyn std::fmt::Display) -> Reply {
        (self.tools.report)(&format!("gatehouse_upstream_jwt: no token: {why}"));
        Reply::unexpected()
    }
}

impl Work {
    fn take(&mut self, piece: &[u8]) {
        self.is_empty &= piece.is_empty();
        self.hasher.update(piece);
    }
}

impl Flow for UpstreamJwtFlow {
    fn on(&mut self, event: Event) -> Step {
        let (next, step) = match (std::mem::replace(&mut self.state, State::Decided), event) {
            (State::Hashing(mut work), Event::Chunk(piece)) => {
                work.take(&piece);
                (State::Hashing(work), Step::stream_body())
            }
            (State::Hashing(work), Event::Body(Ok(rest))) => decided(self.finish(*work, &rest)),
            (State::Hashing(_), Event::Body(Err(Unavailable))) => {
                decided(Step::reply(Reply::error(413, "body_too_large", "Payload too large")))
            }
            (_, Event::Found(_) | Event::Answered(_)) | (State::Decided, _) => {
                decided(Step::out_of_order())
            }
        };
        self.state = next;
        step
    }
}

fn decided(step: Step) -> (State, Step) {
    (State::Decided, step)
}

#[cfg(test)]
#[path = "flow_tests.rs"]
mod tests;
