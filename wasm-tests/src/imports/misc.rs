//! The host functions for log, clock and foreign functions, and those that exist only to be
//! imported.

use super::Functions;
use crate::abi::{Level, Status};
use crate::guest::{Guest, GuestState};
use wasmtime::{Caller, Result};

/// The length at which nginx cuts a line of its log, in bytes.
const KONG_LINE: usize = 2048;

pub(super) fn add(l: &mut Functions) -> Result<()> {
    l.func_wrap(
        "env",
        "proxy_log",
        |c: Caller<'_, GuestState>, level: i32, at: i32, len: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_log");
            let mut bytes = g.read(at, len)?;
            let Some(level) = Level::from_number(level) else {
                return Ok(Status::BadArgument as i32);
            };
            if g.is_kong() {
                bytes.truncate(KONG_LINE);
            }
            g.node().log_line(level, String::from_utf8_lossy(&bytes));
            Ok(Status::Ok as i32)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_get_log_level",
        |c: Caller<'_, GuestState>, at: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_get_log_level");
            if g.is_kong() {
                return g.not_yet("proxy_get_log_level");
            }
            g.write_number(at, Level::Info as u32)?;
            Ok(Status::Ok as i32)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_get_current_time_nanoseconds",
        |c: Caller<'_, GuestState>, at: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_get_current_time_nanoseconds");
            let now = g.clock();
            g.write(at, &now.to_le_bytes())?;
            Ok(Status::Ok as i32)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |c: Caller<'_, GuestState>,
         name: i32,
         name_len: i32,
         argument: i32,
         argument_len: i32,
         at: i32,
         len: i32|
         -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_call_foreign_function");
            let name = g.text(name, name_len)?;
            let argument = g.read(argument, argument_len)?;
            if g.is_kong() {
                return g.not_yet(&format!("foreign function {name}"));
            }
            if name == "clear_route_cache" {
                return Ok(Status::Ok as i32);
            }
            // The function is taken out of the node while it runs, because the closure may read the
            // node.
            let Some(mut function) = g.node().foreign.remove(&name) else {
                return Ok(Status::NotFound as i32);
            };
            let answer = function(&argument);
            g.node().foreign.insert(name, function);
            match answer {
                Some(answer) => g.hand_over(&answer, at, len),
                None => Ok(Status::InternalFailure as i32),
            }
        },
    )?;
    l.func_wrap("env", "proxy_done", |c: Caller<'_, GuestState>| -> Result<i32> {
        let g = Guest::enter(c, "proxy_done");
        // On Envoy there is nothing to finish unless `on_done` asked to wait.
        let me = (g.data().vm, g.data().effective);
        let lingering = g.worker().lingering.contains(&me);
        if !lingering {
            return g.refuse(Status::NotFound, "NYI - proxy_done");
        }
        let mut worker = g.worker_mut();
        worker.lingering.retain(|root| *root != me);
        worker.done.push(me);
        Ok(Status::Ok as i32)
    })?;
    l.func_wrap(
        "env",
        "proxy_get_status",
        |c: Caller<'_, GuestState>, code: i32, at: i32, len: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_get_status");
            if g.is_kong() {
                return g.not_yet("proxy_get_status");
            }
            g.write_number(code, 0)?;
            g.hand_over(&[], at, len)
        },
    )?;
    grpc(l)
}

fn grpc(l: &mut Functions) -> Result<()> {
    type C<'a> = Caller<'a, GuestState>;
    l.func_wrap("env", "proxy_grpc_cancel", |c: C<'_>, _: i32| none(c, "proxy_grpc_cancel"))?;
    l.func_wrap("env", "proxy_grpc_close", |c: C<'_>, _: i32| none(c, "proxy_grpc_close"))?;
    l.func_wrap("env", "proxy_grpc_send", |c: C<'_>, _: i32, _: i32, _: i32, _: i32| {
        none(c, "proxy_grpc_send")
    })?;
    l.func_wrap(
        "env",
        "proxy_grpc_stream",
        |c: C<'_>, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32, _: i32| {
            none(c, "proxy_grpc_stream")
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_grpc_call",
        |c: C<'_>,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32,
         _: i32| { none(c, "proxy_grpc_call") },
    )?;
    Ok(())
}

/// The gRPC functions: a trap on Kong. The pretend Envoy has no such service.
fn none(c: Caller<'_, GuestState>, name: &'static str) -> Result<i32> {
    let g = Guest::enter(c, name);
    g.refuse(Status::BadArgument, &format!("NYI - {name}"))
}
