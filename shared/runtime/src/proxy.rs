//! The gateway during one event of a request or of a filter configuration.
//!
//! The runtime is generic over [`Proxy`], so that another carrier can stand beside Proxy-Wasm
//! without a change to any filter. Nothing here assumes one thread: a carrier may make one
//! [`crate::Instance`] for each worker thread, over shared data that is the process's own memory.

use crate::filter::Needs;
use crate::local_reply::LocalReply;
use exchange::{Edit, Head, Request, Unavailable};
use std::time::Duration;

/// The number by which the carrier tells the answers to callouts apart.
pub type CallId = u32;

/// The gateway during one event. Headers, bodies and properties are those of the request that the
/// event belongs to.
pub trait Proxy {
    // === The request ===

    /// The request at its headers. `ends` says that the gateway expects no body.
    ///
    /// # Errors
    /// The headers cannot be read.
    fn request(&self, facts: &Wanted) -> Result<Request, Unreadable>;

    /// The id under which the gateway logs this request.
    fn request_id(&self, head: &Head) -> Option<Vec<u8>>;

    /// Makes one edit to the request; `head` is the head that it arrived with.
    ///
    /// # Errors
    /// The gateway does not take the edit, and the request must not go on.
    fn edit_request(&self, head: &Head, edit: &Edit) -> Result<(), NotTaken>;

    /// A body, or the piece of it that the gateway holds now, which has `size` bytes.
    ///
    /// # Errors
    /// The gateway does not hand all of the body over: it went to a file, or is too large.
    fn body(&self, of: Message, size: usize) -> Result<Vec<u8>, Unavailable>;

    /// The request's body from byte `seen` on. `size` is the number of bytes that the gateway says
    /// it holds; `None` where it does not say (at the trailers).
    ///
    /// # Errors
    /// As for [`Proxy::body`].
    fn body_from(&self, seen: usize, size: Option<usize>) -> Result<Vec<u8>, Unavailable>;

    /// The request's trailers; `None` where they cannot be read.
    fn trailers(&self) -> Option<Head>;

    /// Removes one of the request's trailers.
    ///
    /// # Errors
    /// The gateway does not remove the trailer.
    fn remove_trailer(&self, name: &str) -> Result<(), NotTaken>;

    /// Answers the client in the upstream's place.
    ///
    /// # Errors
    /// The gateway does not take the reply, and the request stays where it is.
    fn reply(&self, reply: &LocalReply<'_>) -> Result<(), NotTaken>;

    // === The response ===

    /// The response's headers, of which the gateway says that there are `count`; `None` where they
    /// cannot be read safely.
    fn response_head(&self, count: usize) -> Option<Head>;

    /// The response's status, if there is a response and the gateway tells.
    fn response_status(&self) -> Option<u16>;

    /// Makes one edit to the response. An edit that fails leaves the response as it was.
    fn edit_response(&self, edit: &Edit);

    /// Returns `true` if the upstream has answered. The runtime asks this only for a request that
    /// was never decided.
    fn upstream_has_answered(&self) -> bool;

    /// Lets nothing of the upstream's response head through, and gives it the status 500 and a
    /// JSON body's type. The response has `count` headers.
    fn blank_response(&self, count: usize);

    /// Replaces the piece of the response's body that has come.
    fn replace_response_body(&self, body: &[u8]);

    // === Properties ===

    /// The property `name` of the request, as an earlier filter or event left it; `None` for an
    /// empty one.
    fn property(&self, name: &str) -> Option<Vec<u8>>;

    /// Leaves the property `name` for later filters and events.
    ///
    /// # Errors
    /// [`NotTaken::Missing`] where there is no place for it.
    fn publish(&self, name: &str, value: &[u8]) -> Result<(), NotTaken>;

    /// Checks that every property of `names` has a place. The error tells an operator what is
    /// missing, and what to do.
    ///
    /// # Errors
    /// The message for the log.
    fn check_properties(&self, names: &[&'static str]) -> Result<(), String>;

    // === Callouts ===

    /// Whatever has to be done before the request waits for a callout.
    ///
    /// # Errors
    /// The request must not wait.
    fn prepare_wait(&self) -> Result<(), NotTaken>;

    /// Sends a callout. Its answer comes to `owner`, and a request's callout ends with the request.
    ///
    /// # Errors
    /// The gateway does not send it.
    fn call(&self, owner: CallOwner, call: &Outgoing<'_>) -> Result<CallId, NotTaken>;

    /// Asks for a tick of the filter configuration at this interval. It is called once.
    fn tick_every(&self, interval: Duration);
}

/// The facts of a request that the runtime asks for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The facts that the filter needs besides the headers.
    pub needs: Needs,
    /// `true` if the operator says that the headers wait for the body
    /// (`allow_on_headers_stop_iteration`).
    pub holds_headers: bool,
    /// The number of headers, as the gateway says it.
    pub count: usize,
    /// `true` if the gateway says that no body follows.
    pub ends: bool,
}

/// Why a request's headers cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// There are more than the gateway hands over safely.
    TooMany,
    /// They are not what HTTP allows.
    Malformed,
}

/// Why the gateway did not do what it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// There is no such thing, for example no such variable.
    Missing,
    /// It failed.
    Failed,
}

/// A message that has a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// The request.
    Request,
    /// The response.
    Response,
}

/// Whose callout it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOwner {
    /// The request's: the callout ends with it.
    Request,
    /// The filter configuration's: the callout outlives every request.
    Instance,
}

/// A callout as it is sent.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// A cluster's name, or an address: see [`crate::Capabilities::calls_addresses`].
    pub upstream: &'a str,
    /// The headers, pseudo-headers first.
    pub headers: &'a [(&'a str, &'a [u8])],
    /// The body; empty for none.
    pub body: &'a [u8],
    /// The longest time that the answer may take.
    pub timeout: Duration,
}
