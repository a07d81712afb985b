//! The host functions that read and change bodies and configurations.

use super::Functions;
use crate::abi::{BufferKind, Callback, Status};
use crate::callouts::Shown;
use crate::guest::{Guest, GuestState, trap};
use crate::profile::Host;
use wasmtime::{Caller, Result};

/// The present content of a buffer.
enum Found {
    Bytes(Vec<u8>),
    Status(Status),
    Trap(&'static str),
}

pub(super) fn add(l: &mut Functions) -> Result<()> {
    l.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |c: Caller<'_, GuestState>,
         kind: i32,
         start: i32,
         max: i32,
         at: i32,
         len: i32|
         -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_get_buffer_bytes");
            let kind = BufferKind::from_number(kind);
            let kong = g.is_kong();
            let found = if kong { kong_buffer(&g, kind) } else { envoy_buffer(&g, kind) };
            let bytes = match found {
                Found::Bytes(bytes) => bytes,
                Found::Status(status) => return Ok(status as i32),
                Found::Trap(text) => return trap(text),
            };
            let (start, max) = (start as u32 as usize, max as u32 as usize);
            let message = !matches!(
                kind,
                Some(BufferKind::PluginConfiguration | BufferKind::VmConfiguration)
            );
            if kong && message && max < bytes.len() {
                let text = "reading less than the whole of a body writes past the filter's buffer";
                g.violation(text);
                return trap(text);
            }
            // nginx ignores the offset.
            let from = if kong { 0 } else { start.min(bytes.len()) };
            let to = from.saturating_add(max).min(bytes.len());
            let piece = bytes.get(from..to).unwrap_or_default();
            g.data().node.borrow_mut().buffer_bytes += piece.len();
            g.hand_over(piece, at, len)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_set_buffer_bytes",
        |c: Caller<'_, GuestState>,
         kind: i32,
         start: i32,
         len: i32,
         data: i32,
         data_len: i32|
         -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_set_buffer_bytes");
            let data = g.read(data, data_len)?;
            let range = (start as u32 as usize, len as u32 as usize);
            let kind = BufferKind::from_number(kind);
            if g.is_kong() {
                kong_set(&g, kind, range, &data)
            } else {
                Ok(envoy_set(&g, kind, range, &data) as i32)
            }
        },
    )?;
    Ok(())
}

fn envoy_buffer(g: &Guest<'_>, kind: Option<BufferKind>) -> Found {
    match kind {
        Some(BufferKind::VmConfiguration) => {
            Found::Bytes(g.node().profile.vm_configuration.clone())
        }
        Some(BufferKind::PluginConfiguration) if g.callback() == Callback::Configure => {
            configuration(g)
        }
        Some(BufferKind::CallResponseBody) => match g.now().received.as_ref().map(|r| &r.body) {
            Some(Shown::Bytes(bytes)) => Found::Bytes(bytes.clone()),
            _ => Found::Status(Status::NotFound),
        },
        // A body out of reach reads as empty.
        Some(BufferKind::RequestBody) => Found::Bytes(view(g, |slot| &slot.request.view)),
        Some(BufferKind::ResponseBody) => Found::Bytes(view(g, |slot| &slot.response.view)),
        Some(BufferKind::PluginConfiguration) => Found::Status(Status::NotFound),
        None => Found::Status(Status::BadArgument),
    }
}

fn view(g: &Guest<'_>, of: impl FnOnce(&crate::stream::Slot) -> &Option<Vec<u8>>) -> Vec<u8> {
    let Some((stream, place)) = g.stream() else { return Vec::new() };
    let mut worker = g.worker_mut();
    let slot = worker.stream(stream).and_then(|s| s.slots.get(place));
    slot.and_then(|slot| of(slot).clone()).unwrap_or_default()
}

fn configuration(g: &Guest<'_>) -> Found {
    let root = g.now().root;
    Found::Bytes(g.data().plugins.get(&root).map(|p| p.config.clone()).unwrap_or_default())
}

fn kong_buffer(g: &Guest<'_>, kind: Option<BufferKind>) -> Found {
    let callback = g.callback();
    match kind {
        Some(BufferKind::VmConfiguration) => Found::Bytes(Vec::new()),
        Some(BufferKind::PluginConfiguration) => configuration(g),
        Some(BufferKind::RequestBody) => match callback {
            Callback::RequestHeaders | Callback::RequestBody | Callback::Log => kong_body(g),
            _ => Found::Trap("can only get request body during \"on_request_body\", \"on_log\""),
        },
        Some(BufferKind::ResponseBody) if callback == Callback::ResponseBody => {
            let Some((stream, _)) = g.stream() else { return Found::Status(Status::NotFound) };
            let mut worker = g.worker_mut();
            match worker.stream(stream).and_then(|s| s.chunk.clone()) {
                Some(chunk) => Found::Bytes(chunk),
                None => Found::Status(Status::NotFound),
            }
        }
        Some(BufferKind::ResponseBody) => {
            Found::Trap("can only get response body during \"on_response_body\"")
        }
        Some(BufferKind::CallResponseBody) => match (&g.now().received, callback) {
            (Some(received), Callback::CallResponse) => match &received.body {
                Shown::Bytes(bytes) => Found::Bytes(bytes.clone()),
                Shown::Absent => Found::Status(Status::NotFound),
                Shown::Broken => Found::Status(Status::BadArgument),
            },
            (_, Callback::Log) => Found::Status(Status::BadArgument),
            _ => Found::Trap(
                "can only get dispatch response body during \"on_http_dispatch_response\"",
            ),
        },
        None => Found::Status(Status::BadArgument),
    }
}

fn kong_body(g: &Guest<'_>) -> Found {
    let Some((stream, _)) = g.stream() else { return Found::Status(Status::NotFound) };
    let Host::Kong(kong) = g.host() else { return Found::Status(Status::NotFound) };
    let mut worker = g.worker_mut();
    let Some(s) = worker.stream(stream) else { return Found::Status(Status::NotFound) };
    if s.body.is_empty() || !s.client_done {
        return Found::Status(Status::NotFound);
    }
    // A body of known length may be a quarter larger than the buffer before nginx writes it to a
    // file.
    let known = !s.given.chunked;
    let limit = kong.body_buffer + if known { kong.body_buffer / 4 } else { 0 };
    if s.body.len() > limit && !s.body_changed {
        return Found::Status(Status::NotFound);
    }
    Found::Bytes(s.body.clone())
}

fn envoy_set(
    g: &Guest<'_>,
    kind: Option<BufferKind>,
    range: (usize, usize),
    data: &[u8],
) -> Status {
    let Some((stream, place)) = g.stream() else { return Status::NotFound };
    let mut worker = g.worker_mut();
    let Some(slot) = worker.stream(stream).and_then(|s| s.slots.get_mut(place)) else {
        return Status::NotFound;
    };
    let view = match kind {
        Some(BufferKind::RequestBody) => slot.request.view.as_mut(),
        Some(BufferKind::ResponseBody) => slot.response.view.as_mut(),
        _ => return Status::BadArgument,
    };
    let replaced = view.is_some_and(|view| replace(view, range, data));
    if replaced { Status::Ok } else { Status::BadArgument }
}

/// Prepends, appends or replaces. Returns `false` for any other range, which nginx cannot do.
fn replace(bytes: &mut Vec<u8>, (start, len): (usize, usize), data: &[u8]) -> bool {
    match (start, len) {
        (0, 0) => drop(bytes.splice(0..0, data.iter().copied())),
        (0, len) if len >= bytes.len() => *bytes = data.to_vec(),
        (start, _) if start >= bytes.len() => bytes.extend(data),
        _ => return false,
    }
    true
}

fn kong_set(
    g: &Guest<'_>,
    kind: Option<BufferKind>,
    range: (usize, usize),
    data: &[u8],
) -> Result<i32> {
    let Some((stream, _)) = g.stream() else { return g.null_request("setting a body") };
    let callback = g.callback();
    let mut worker = g.worker_mut();
    let Some(s) = worker.stream(stream) else { return Ok(Status::BadArgument as i32) };
    let changed = match (kind, callback) {
        (Some(BufferKind::RequestBody), Callback::RequestHeaders | Callback::RequestBody) => {
            s.body_changed = true;
            replace(&mut s.body, range, data)
        }
        (Some(BufferKind::RequestBody), _) => {
            return trap("can only set request body during \"on_request_body\"");
        }
        (Some(BufferKind::ResponseBody), Callback::ResponseBody) => {
            replace(s.chunk.get_or_insert_default(), range, data)
        }
        (Some(BufferKind::ResponseBody), _) => {
            return trap("can only set response body during \"on_response_body\"");
        }
        _ => false,
    };
    Ok(if changed { Status::Ok } else { Status::BadArgument } as i32)
}
