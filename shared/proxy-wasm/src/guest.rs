//! The gateway during one event, for the runtime.

use crate::abi::{self, Buffer, Map, Status};
use crate::callout;
use crate::edits;
use crate::host::Host;
use crate::kong::Kong;
use crate::properties;
use crate::request;
use crate::response;
use exchange::{Edit, Head, Request, Unavailable};
use runtime::{
    CallId, CallOwner, LocalReply, Message, NotTaken, Outgoing, Proxy, Unreadable, Wanted,
};
use std::time::Duration;

/// The variable of nginx in which a refusal leaves its filter and its cause for the access log.
const REFUSAL: &str = "gatehouse_refusal";
/// Kong corrupts guest memory when it hands over more than about 96 headers.
const MAX_KONG_HEADERS: usize = 90;

/// The host during one event.
pub(crate) struct Guest<'a> {
    /// Kong or Envoy.
    pub(crate) host: Host,
    /// In a request's headers event: the source of Kong's own properties.
    pub(crate) kong: Option<&'a Kong<'a>>,
    /// The context of the event.
    pub(crate) context: u32,
    /// The root context that the event's context belongs to.
    pub(crate) root: u32,
}

impl Guest<'_> {
    fn can_read(&self, count: usize) -> bool {
        !self.host.may_be_kong() || count <= MAX_KONG_HEADERS
    }
}

impl Proxy for Guest<'_> {
    fn request(&self, wanted: &Wanted) -> Result<Request, Unreadable> {
        if !self.can_read(wanted.count) {
            return Err(Unreadable::TooMany);
        }
        let head = callout::head(Map::Request).ok_or(Unreadable::Malformed)?;
        if self.host.may_be_kong() && request::has_no_version(&head) {
            return Err(Unreadable::Malformed);
        }
        let nothing = Kong::nothing();
        let kong = self.kong.unwrap_or(&nothing);
        Ok(request::request(kong, self.host, head, wanted))
    }

    fn request_id(&self, head: &Head) -> Option<Vec<u8>> {
        let kong = || abi::property(&["ngx", "kong_request_id"]).ok().filter(|id| !id.is_empty());
        match self.host {
            Host::Envoy => head.first("x-request-id").map(<[u8]>::to_vec),
            Host::Kong(_) | Host::Unknown => {
                kong().or_else(|| abi::property(&["ngx", "request_id"]).ok())
            }
        }
    }

    fn edit_request(&self, head: &Head, edit: &Edit) -> Result<(), NotTaken> {
        edits::edit_request(self.host, head, edit).map_err(|status| {
            let untaken = not_taken(status);
            if !(untaken == NotTaken::Missing && matches!(edit, Edit::Publish(..))) {
                complain(edit, status);
            }
            untaken
        })
    }

    fn body(&self, of: Message, size: usize) -> Result<Vec<u8>, Unavailable> {
        if size == 0 {
            return Ok(Vec::new());
        }
        match abi::buffer(buffer(of)) {
            Ok(body) if body.len() == size => Ok(body),
            // It went to a file, or is larger than the host hands over.
            _ => Err(Unavailable),
        }
    }

    /// Only the new part is read where the host can do so: a client that sends a body byte by byte
    /// would otherwise have all of it copied for each byte.
    fn body_from(&self, seen: usize, size: Option<usize>) -> Result<Vec<u8>, Unavailable> {
        if size.is_some_and(|size| size <= seen) {
            return Ok(Vec::new());
        }
        let (new, before) = match self.host {
            Host::Envoy => (abi::buffer_from(Buffer::RequestBody, seen), seen),
            // Kong ignores where to begin.
            Host::Kong(_) | Host::Unknown => (abi::buffer(Buffer::RequestBody), 0),
        };
        let mut new = new.map_err(|_| Unavailable)?;
        let complete = before.checked_add(new.len());
        if size.is_some_and(|size| complete != Some(size)) {
            // It went to a file, or is larger than the host hands over.
            return Err(Unavailable);
        }
        let known = seen.saturating_sub(before).min(new.len());
        Ok(new.split_off(known))
    }

    fn trailers(&self) -> Option<Head> {
        callout::head(Map::RequestTrailers)
    }

    fn remove_trailer(&self, name: &str) -> Result<(), NotTaken> {
        abi::map_remove(Map::RequestTrailers, name).map_err(not_taken)
    }

    fn reply(&self, reply: &LocalReply<'_>) -> Result<(), NotTaken> {
        let headers: Vec<(&str, &[u8])> =
            reply.headers.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        // Envoy's access log shows the details. Kong shows them to the client, as the reason in the
        // status line (measured on 3.9.3), and its access log shows a variable, if it is declared.
        let details = if self.host.may_be_kong() {
            let _ = properties::publish(self.host, REFUSAL, reply.details.as_bytes());
            ""
        } else {
            &reply.details
        };
        abi::local_response(reply.status, &headers, &reply.body, details, reply.grpc_status)
            .map_err(not_taken)
    }

    fn response_head(&self, count: usize) -> Option<Head> {
        if self.can_read(count) { callout::head(Map::Response) } else { None }
    }

    fn response_status(&self) -> Option<u16> {
        response::status()
    }

    fn edit_response(&self, edit: &Edit) {
        if let Err(status) = edits::edit_response(self.host, edit) {
            complain(edit, status);
        }
    }

    fn upstream_has_answered(&self) -> bool {
        let asked = || abi::property(&["ngx", "upstream_status"]).is_ok_and(|it| !it.is_empty());
        self.host.may_be_kong() && asked()
    }

    fn blank_response(&self, count: usize) {
        response::blank(count <= MAX_KONG_HEADERS);
    }

    fn replace_response_body(&self, body: &[u8]) {
        let _ = abi::set_body(Buffer::ResponseBody, body);
    }

    fn property(&self, name: &str) -> Option<Vec<u8>> {
        properties::property(self.host, name)
    }

    fn publish(&self, name: &str, value: &[u8]) -> Result<(), NotTaken> {
        properties::publish(self.host, name, value).map_err(not_taken)
    }

    fn check_properties(&self, names: &[&'static str]) -> Result<(), String> {
        properties::check(self.host, names)
    }

    fn prepare_wait(&self) -> Result<(), NotTaken> {
        match self.kong {
            Some(kong) if self.host.may_be_kong() => kong.leave().map_err(not_taken),
            _ => Ok(()),
        }
    }

    fn call(&self, owner: CallOwner, call: &Outgoing<'_>) -> Result<CallId, NotTaken> {
        let other =
            (owner == CallOwner::Instance && self.root != self.context).then_some(self.root);
        if let Some(root) = other {
            let _ = abi::set_effective_context(root);
        }
        let timeout = u32::try_from(call.timeout.as_millis()).unwrap_or(u32::MAX);
        let sent = abi::http_call(call.upstream, call.headers, call.body, timeout);
        if other.is_some() {
            let _ = abi::set_effective_context(self.context);
        }
        sent.map_err(not_taken)
    }

    fn tick_every(&self, interval: Duration) {
        // Kong traps when the period is set a second time; the runtime sets it once.
        let _ = abi::set_tick_period(u32::try_from(interval.as_millis()).unwrap_or(1000));
    }
}

fn buffer(of: Message) -> Buffer {
    match of {
        Message::Request => Buffer::RequestBody,
        Message::Response => Buffer::ResponseBody,
    }
}

fn not_taken(status: Status) -> NotTaken {
    match status {
        Status::NotFound => NotTaken::Missing,
        Status::BadArgument | Status::CasMismatch | Status::Other(_) => NotTaken::Failed,
    }
}

fn complain(edit: &Edit, status: Status) {
    abi::log(abi::Level::Error, &format!("the proxy refused {edit:?}: {status:?}"));
}
