//! The host functions that continue, answer or close a message, and those for contexts and ticks.

use super::Functions;
use crate::abi::{Callback, Status};
use crate::guest::{After, Guest, GuestState, trap};
use crate::message::LocalReply;
use crate::pairs;
use crate::profile::{Host, KongVersion};
use crate::state::Timer;
use wasmtime::{Caller, Result};

pub(super) fn add(l: &mut Functions) -> Result<()> {
    l.func_wrap(
        "env",
        "proxy_continue_stream",
        |c: Caller<'_, GuestState>, kind: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_continue_stream");
            continue_stream(&mut g, kind)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_close_stream",
        |c: Caller<'_, GuestState>, _kind: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_close_stream");
            if g.is_kong() {
                return g.not_yet("proxy_close_stream");
            }
            if let Some((stream, _)) = g.stream() {
                g.data_mut().after.push(After::Close { stream });
            }
            Ok(Status::Ok as i32)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_send_local_response",
        |c: Caller<'_, GuestState>,
         status: i32,
         details: i32,
         details_len: i32,
         body: i32,
         body_len: i32,
         headers: i32,
         headers_len: i32,
         _grpc: i32|
         -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_send_local_response");
            let Some(headers) = pairs::decode(&g.read(headers, headers_len)?) else {
                return Ok(Status::BadArgument as i32);
            };
            let reply = LocalReply {
                status: u16::try_from(status).unwrap_or(0),
                headers,
                body: g.read(body, body_len)?,
                details: g.text(details, details_len)?,
            };
            if g.is_kong() { kong_reply(&g, reply) } else { Ok(envoy_reply(&mut g, reply) as i32) }
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_set_effective_context",
        |c: Caller<'_, GuestState>, context: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_set_effective_context");
            // Kong returns Ok and does nothing.
            if g.is_kong() {
                return Ok(Status::Ok as i32);
            }
            let context = context as u32;
            // Context 0 is the VM itself.
            let known = context == 0
                || g.data().plugins.contains_key(&context)
                || g.worker().context(g.data().vm, context).is_some();
            if !known {
                return Ok(Status::BadArgument as i32);
            }
            g.data_mut().effective = context;
            Ok(Status::Ok as i32)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_set_tick_period_milliseconds",
        |c: Caller<'_, GuestState>, period: i32| -> Result<i32> {
            let g = Guest::enter(c, "proxy_set_tick_period_milliseconds");
            set_tick_period(&g, period as u32)
        },
    )?;
    Ok(())
}

fn continue_stream(g: &mut Guest<'_>, kind: i32) -> Result<i32> {
    if g.is_kong() {
        // In a request the call has no effect: the last callout wakes the request.
        return match g.stream() {
            Some(_) => Ok(Status::Ok as i32),
            None => g.null_request("resuming a request"),
        };
    }
    let request = match kind {
        0 => true,
        1 => false,
        _ => return Ok(Status::BadArgument as i32),
    };
    if let Some((stream, place)) = g.stream() {
        g.data_mut().after.push(After::Continue { stream, place, request });
    }
    Ok(Status::Ok as i32)
}

fn envoy_reply(g: &mut Guest<'_>, reply: LocalReply) -> Status {
    // From a root context there is nobody to answer, and Envoy reports no error.
    if let Some((stream, _)) = g.stream() {
        g.data_mut().after.push(After::Reply { stream, reply });
    }
    g.data_mut().stopped = true;
    Status::Ok
}

fn kong_reply(g: &Guest<'_>, reply: LocalReply) -> Result<i32> {
    let Some((stream, _)) = g.stream() else { return g.null_request("a local response") };
    let Host::Kong(kong) = g.host() else { return Ok(Status::InternalFailure as i32) };
    if !(100..=999).contains(&reply.status) {
        return Ok(Status::BadArgument as i32);
    }
    let callback = g.callback();
    let mut worker = g.worker_mut();
    let Some(s) = worker.stream(stream) else { return Ok(Status::InternalFailure as i32) };
    if s.stashed.is_some() {
        return trap("local response already stashed");
    }
    let late = s.reply_started || matches!(callback, Callback::ResponseBody | Callback::Log);
    let overriding = callback == Callback::ResponseHeaders;
    if late || (overriding && kong.version < KongVersion::V3_7) {
        return trap("response already sent");
    }
    if overriding {
        let announced = s.response.as_ref().and_then(|r| r.get("content-length"));
        let announced = announced.map(|v| String::from_utf8_lossy(v).into_owned());
        let length = (reply.body.len() + 1).to_string();
        if announced.is_some_and(|announced| announced != length) {
            s.stashed = Some(reply);
            drop(worker);
            g.violation("a local response over the upstream's Content-Length: the client hangs");
            return Ok(Status::Ok as i32);
        }
    }
    s.stashed = Some(reply);
    Ok(Status::Ok as i32)
}

fn set_tick_period(g: &Guest<'_>, period_ms: u32) -> Result<i32> {
    let (vm, root) = (g.data().vm, g.now().root);
    let kong = match g.host() {
        Host::Kong(kong) => Some(kong.version),
        Host::Envoy(_) => None,
    };
    if kong.is_some() && g.now().stream.is_some() {
        return trap("can only set tick_period in root context");
    }
    let clock = g.node().clock_ns;
    let mut worker = g.worker_mut();
    let running = worker.timers.iter().any(|t| t.vm == vm && t.root == root && !t.orphaned);
    if kong.is_some_and(|version| running && (period_ms != 0 || version < KongVersion::V3_8)) {
        return trap("tick_period already set");
    }
    worker.timers.retain(|t| t.vm != vm || t.root != root);
    if period_ms != 0 {
        let period_ns = u64::from(period_ms) * 1_000_000;
        let due_ns = clock + period_ns;
        worker.timers.push(Timer { vm, root, period_ns, due_ns, orphaned: false });
    }
    Ok(Status::Ok as i32)
}
