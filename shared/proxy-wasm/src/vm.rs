//! The contexts of a VM, and the one that each event belongs to.
//!
//! An event of an unknown context or callout (Kong sends such events after a trap) is answered with
//! a refusal, never with a panic and never with "go on".

#![allow(unsafe_code)]

use crate::abi::{self, Buffer, RequestHeaders};
use crate::callout;
use crate::guest::Guest;
use crate::host::Host;
use crate::kong::Kong;
use crate::profile::Profile;
use cache::Rooms;
use consumer::{PROPERTY, refused};
use exchange::CallResult;
use ids::Ids;
use runtime::{Action, Asked, Definition, Instance, Proxy, Purpose, Stream, Woken};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

#[derive(Default)]
struct Vm {
    /// The filters of the module.
    held: &'static [Definition],
    /// The places of waiting requests, by filter: none takes those of another one.
    rooms: HashMap<u8, Rooms>,
    /// The settings of root contexts whose filter is not chosen, since the host is not known yet.
    unchosen: Ids<Vec<u8>>,
    /// The root contexts of requests that began before their filter was chosen.
    early: Ids<u32>,
    instances: Ids<Rc<Instance>>,
    streams: Ids<Kept>,
    calls: Ids<Owner>,
}

/// A request between two of its events.
struct Kept {
    stream: Box<Stream>,
    /// The callouts that this request or its response has sent, until the request ends.
    calls: Vec<u32>,
}

/// The owner of a callout.
enum Owner {
    /// A request, which wants these headers of the answer.
    Stream(u32, &'static [&'static str]),
    /// A response, which wants these headers of the answer.
    Response(u32, &'static [&'static str]),
    Root(u32, Purpose),
}

impl Owner {
    /// Returns `true` for a callout of the request `id`, or of its response.
    fn is_of(&self, id: u32) -> bool {
        matches!(self, Self::Stream(of, _) | Self::Response(of, _) if *of == id)
    }

    fn wanted(&self) -> &'static [&'static str] {
        match self {
            Self::Stream(_, wanted)
            | Self::Response(_, wanted)
            | Self::Root(_, Purpose::BackgroundCall(_, wanted)) => wanted,
            Self::Root(..) => &[],
        }
    }
}

thread_local! {
    static VM: RefCell<Vm> = RefCell::default();
    /// The profile of the VM. The first root context may be created before the VM is started.
    static PROFILE: Profile = const { Profile::new() };
}

/// Borrows the VM for a moment. The borrow is never held while a filter works or the host is
/// called.
fn vm<R>(work: impl FnOnce(&mut Vm) -> R) -> Option<R> {
    VM.try_with(|vm| vm.try_borrow_mut().ok().map(|mut vm| work(&mut vm))).ok().flatten()
}

/// Says which filters this module holds.
pub(crate) fn hold(held: &'static [Definition]) {
    vm(|vm| vm.held = held);
}

fn start(vm_configuration: &[u8]) {
    let variable = std::env::var("GATEHOUSE_HOST").ok();
    let host = Host::declared(vm_configuration, variable.as_deref());
    let _ = PROFILE.try_with(|profile| profile.declare(host));
}

/// The host, as far as it is known.
pub(crate) fn host() -> Host {
    PROFILE.try_with(Profile::host).unwrap_or(Host::Unknown)
}

/// The gateway for an event of the context `context`, which belongs to the root context `root`.
fn guest(context: u32, root: u32) -> Guest<'static> {
    Guest { host: host(), kong: None, context, root }
}

fn instance(id: u32) -> Option<Rc<Instance>> {
    vm(|vm| vm.instances.get(&id).cloned()).flatten()
}

/// The filters of this module.
fn held() -> &'static [Definition] {
    vm(|vm| vm.held).unwrap_or_default()
}

/// The places of waiting requests of the filter with this number.
fn rooms(filter: u8) -> Rooms {
    vm(|vm| vm.rooms.entry(filter).or_default().clone()).unwrap_or_default()
}

fn create_instance(id: u32, definition: Definition) {
    let instance = Rc::new(Instance::new(id, definition, rooms(definition.id())));
    vm(|vm| vm.instances.insert(id, instance));
}

/// Configures the root context `id`. A root context without an instance refuses every request.
fn configure(id: u32, document: Vec<u8>) -> bool {
    if instance(id).is_none() {
        if held().len() > 1 && host() == Host::Unknown {
            vm(|vm| vm.unchosen.insert(id, document));
            return true;
        }
        match chosen::chosen(held(), host(), || abi::property(&["plugin_root_id"])) {
            Ok(definition) => create_instance(id, definition),
            Err(message) => {
                abi::log(abi::Level::Error, &message);
                return !host().capabilities().rejects_safely;
            }
        }
    }
    instance(id).is_some_and(|instance| instance.configure(&guest(id, id), &document))
}

/// Takes the new context `id` of a request. A stream without an instance is not known, so it
/// refuses.
fn create_stream(id: u32, root: u32) {
    let instance = instance(root);
    vm(|vm| match instance {
        Some(instance) => {
            let stream = Box::new(Stream::new(instance, id));
            vm.streams.insert(id, Kept { stream, calls: Vec::new() });
        }
        None if vm.unchosen.contains_key(&root) => drop(vm.early.insert(id, root)),
        None => {}
    });
}

/// Chooses the filter of the request `id` if that had to wait until a request tells which host this
/// is.
fn choose_late(id: u32, host: Host) {
    let Some(root) = vm(|vm| vm.early.remove(&id)).flatten() else { return };
    // Another request may have been the first.
    let document = vm(|vm| vm.unchosen.remove(&root)).flatten();
    if let Some(document) = document.filter(|_| host != Host::Unknown) {
        // Envoy gives the tick to the effective context.
        let _ = abi::set_effective_context(root);
        configure(root, document);
        let _ = abi::set_effective_context(id);
    }
    create_stream(id, root);
}

/// Lets the stream `id` take an event. A stream that is not known refuses.
fn with_stream(id: u32, event: impl FnOnce(&mut Stream, &Guest<'_>) -> (Action, Asked)) -> Action {
    take_event(id, event).unwrap_or_else(refuse_unknown)
}

/// Lets the stream `id` take an event of its response. A stream that is not known changes nothing.
fn with_response(
    id: u32,
    event: impl FnOnce(&mut Stream, &Guest<'_>) -> (Action, Asked),
) -> Action {
    take_event(id, event).unwrap_or(Action::Continue)
}

/// Lets the stream `id` take an event. `None` for a stream that is not known.
fn take_event(
    id: u32,
    event: impl FnOnce(&mut Stream, &Guest<'_>) -> (Action, Asked),
) -> Option<Action> {
    let mut kept = vm(|vm| vm.streams.remove(&id)).flatten()?;
    let guest = guest(id, kept.stream.instance().id());
    let (action, asked) = event(&mut kept.stream, &guest);
    put_back(id, kept, asked);
    Some(action)
}

/// Takes a request's headers. Kong's own properties can be read only here, so that the profile
/// learns here which host this is, before anything else happens.
fn request_headers(phase: &RequestHeaders, id: u32, count: usize, ends: bool) -> Action {
    let kong = Kong::of(phase, host());
    let host = PROFILE.try_with(|profile| profile.at_request(&kong)).unwrap_or(Host::Unknown);
    choose_late(id, host);
    with_stream(id, |stream, guest| {
        let guest = Guest { host, kong: Some(&kong), ..*guest };
        stream.request_headers(&guest, count, ends)
    })
}

fn put_back(id: u32, mut kept: Kept, asked: Asked) {
    let instance = kept.stream.instance().id();
    let call = match asked {
        Asked::Nothing => None,
        Asked::ByRequest(token, wanted) => Some((token, Owner::Stream(id, wanted))),
        Asked::ByResponse(token, wanted) => Some((token, Owner::Response(id, wanted))),
        Asked::ByInstance(token, key) => {
            let purpose = Purpose::Cache(cache::Purpose::Key(key));
            Some((token, Owner::Root(instance, purpose)))
        }
    };
    vm(|vm| {
        if let Some((token, owner)) = call {
            if matches!(owner, Owner::Stream(..) | Owner::Response(..)) {
                kept.calls.push(token);
            }
            vm.calls.insert(token, owner);
        }
        vm.streams.insert(id, kept);
    });
}

/// Ends a request whose messages may be read once more.
fn logged(id: u32) {
    let awaited = |vm: &mut Vm| {
        let awaited = vm.streams.get(&id)?.stream.awaits_end();
        if awaited { vm.streams.remove(&id) } else { None }
    };
    let Some(mut kept) = vm(awaited).flatten() else { return };
    let instance = Rc::clone(kept.stream.instance());
    let guest = guest(id, instance.id());
    let hurry = kept.stream.logged(&guest);
    put_back(id, kept, Asked::Nothing);
    // On Kong a callout from here traps. On Envoy it belongs to the root, so that it outlives the
    // request.
    if hurry && guest.host == Host::Envoy {
        remember(instance.id(), instance.run_worker(&guest));
    }
}

/// Ends a context. `false` keeps a root context until the answers that it waits for have come.
fn done(id: u32) -> bool {
    let Some(instance) = instance(id) else { return true };
    let (sent, may_go) = instance.leave(&guest(id, id));
    remember(id, sent);
    may_go
}

/// Lets a root context go once its last answer has come.
fn let_go(instance: &Instance) {
    if instance.has_left() {
        let _ = abi::set_effective_context(instance.id());
        let _ = abi::done();
    }
}

/// Refuses the current request, of which this VM knows nothing: it has lost its state.
fn refuse_unknown() -> Action {
    // Kong runs later filters even after a refusal from a callout response. The identity's variable
    // tells them to stand down. On Envoy, which has no such variable, the call has no effect.
    let _ = abi::set_property(&["ngx", PROPERTY], refused());
    let _ = guest(0, 0).reply(&runtime::unexpected());
    Action::Pause
}

/// Wakes requests that waited for another request's callout. Only Envoy can do that.
fn wake(root: u32, woken: Woken) {
    if woken.is_empty() {
        return;
    }
    for (id, result) in woken {
        let waits = vm(|vm| vm.streams.get(&id).is_some_and(|kept| kept.stream.is_parked()))
            .unwrap_or(false);
        if !waits {
            continue;
        }
        let _ = abi::set_effective_context(id);
        if with_stream(id, |stream, guest| stream.woken(guest, result)) == Action::Continue {
            let _ = abi::continue_request();
        }
    }
    let _ = abi::set_effective_context(root);
}

fn remember(root: u32, sent: Vec<(u32, Purpose)>) {
    vm(|vm| {
        for (token, purpose) in sent {
            vm.calls.insert(token, Owner::Root(root, purpose));
        }
    });
}

/// Takes the answer to a callout. `caller` is the context that the host delivers the answer to; on
/// Envoy that is always the root context.
fn call_answered(caller: u32, token: u32, headers: usize, body: usize) {
    let owner = vm(|vm| vm.calls.remove(&token)).flatten();
    let wanted = owner.as_ref().map_or(&[][..], Owner::wanted);
    let answer: CallResult = callout::answer(headers, body, wanted);
    match owner {
        Some(Owner::Response(id, _)) => {
            let _ = abi::set_effective_context(id);
            let action = with_response(id, |stream, guest| stream.response_answered(guest, answer));
            let _ = (action == Action::Continue).then(abi::continue_response);
            let _ = abi::set_effective_context(caller);
        }
        Some(Owner::Stream(id, _)) => {
            let _ = abi::set_effective_context(id);
            let action = with_stream(id, |stream, guest| stream.answered(guest, answer));
            // Kong goes on by itself when the last callout has ended; Envoy has to be told.
            let _ = (action == Action::Continue).then(abi::continue_request);
            let _ = abi::set_effective_context(caller);
        }
        Some(Owner::Root(id, purpose)) => {
            let Some(instance) = instance(id) else { return };
            let (sent, woken) = instance.answered(&guest(id, id), &purpose, &answer);
            remember(id, sent);
            wake(id, woken);
            let_go(&instance);
        }
        // A request that waits for this answer must not go on without a decision. A root context
        // has no method, and no request to refuse.
        None if abi::property(&["request", "method"]).is_ok_and(|method| !method.is_empty()) => {
            refuse_unknown();
        }
        None => {}
    }
}

fn gone(id: u32) {
    let kept = vm(|vm| {
        vm.early.remove(&id);
        vm.unchosen.remove(&id);
        let kept = vm.streams.remove(&id)?;
        // An answer that comes now has nobody to go to. A number may be another's by now.
        for token in &kept.calls {
            if vm.calls.get(token).is_some_and(|owner| owner.is_of(id)) {
                vm.calls.remove(token);
            }
        }
        Some(kept)
    });
    match kept.flatten() {
        Some(Kept { mut stream, .. }) => stream.gone(),
        None => {
            let instance = vm(|vm| vm.instances.remove(&id)).flatten();
            drop(instance);
        }
    }
}

mod chosen;
#[cfg(target_arch = "wasm32")]
mod exports;
mod ids;
