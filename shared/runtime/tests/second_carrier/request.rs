//! The carrier's requests.

use exchange::{Edit, Head, Request, Unavailable};
use runtime::{
    CallId, CallOwner, LocalReply, Message, NotTaken, Outgoing, Proxy, Unreadable, Wanted,
};
use std::cell::RefCell;
use std::time::Duration;

/// One request of a client, and what became of it.
#[derive(Default)]
pub(crate) struct Exchange {
    head: Head,
    edits: RefCell<Vec<Edit>>,
    pub(crate) reply: RefCell<Option<u16>>,
    pub(crate) calls: RefCell<Vec<(CallOwner, String)>>,
}

impl Exchange {
    pub(crate) fn named(name: &str) -> Self {
        let head = [(":method", "GET"), (":path", "/"), ("x-name", name), ("x-title", "forged")];
        Self { head: head.into_iter().collect(), ..Self::default() }
    }

    pub(crate) fn title(&self) -> Option<Vec<u8>> {
        let edits = self.edits.borrow();
        edits.iter().find_map(|edit| match edit {
            Edit::Set(name, value) if name == "x-title" => Some(value.clone()),
            _ => None,
        })
    }
}

impl Proxy for Exchange {
    fn request(&self, _: &Wanted) -> Result<Request, Unreadable> {
        let (method, target) = (b"GET".to_vec(), b"/".to_vec());
        Ok(Request {
            head: self.head.clone(),
            method,
            target,
            can_remove: true,
            ..Request::default()
        })
    }

    fn request_id(&self, _: &Head) -> Option<Vec<u8>> {
        None
    }

    fn edit_request(&self, _: &Head, edit: &Edit) -> Result<(), NotTaken> {
        self.edits.borrow_mut().push(edit.clone());
        Ok(())
    }

    fn body(&self, _: Message, _: usize) -> Result<Vec<u8>, Unavailable> {
        Err(Unavailable)
    }

    fn body_from(&self, _: usize, _: Option<usize>) -> Result<Vec<u8>, Unavailable> {
        Err(Unavailable)
    }

    fn trailers(&self) -> Option<Head> {
        None
    }

    fn remove_trailer(&self, _: &str) -> Result<(), NotTaken> {
        Err(NotTaken::Failed)
    }

    fn reply(&self, reply: &LocalReply<'_>) -> Result<(), NotTaken> {
        self.reply.replace(Some(reply.status));
        Ok(())
    }

    fn response_head(&self, _: usize) -> Option<Head> {
        None
    }

    fn response_status(&self) -> Option<u16> {
        None
    }

    fn edit_response(&self, _: &Edit) {}

    fn upstream_has_answered(&self) -> bool {
        false
    }

    fn blank_response(&self, _: usize) {}

    fn replace_response_body(&self, _: &[u8]) {}

    fn property(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn publish(&self, _: &str, _: &[u8]) -> Result<(), NotTaken> {
        Err(NotTaken::Missing)
    }

    fn check_properties(&self, _: &[&'static str]) -> Result<(), String> {
        Ok(())
    }

    fn prepare_wait(&self) -> Result<(), NotTaken> {
        Ok(())
    }

    fn call(&self, owner: CallOwner, call: &Outgoing<'_>) -> Result<CallId, NotTaken> {
        let path = call.headers.iter().find(|(name, _)| *name == ":path").unwrap().1;
        self.calls.borrow_mut().push((owner, String::from_utf8(path.to_vec()).unwrap()));
        Ok(1)
    }

    fn tick_every(&self, _: Duration) {}
}
