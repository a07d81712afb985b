//! The host functions for metrics.

use super::Functions;
use crate::abi::Status;
use crate::guest::{Guest, GuestState, trap};
use crate::node::Node;
use wasmtime::{Caller, Result};

pub(super) fn add(l: &mut Functions) -> Result<()> {
    l.func_wrap(
        "env",
        "proxy_define_metric",
        |c: Caller<'_, GuestState>, kind: i32, name: i32, len: i32, at: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_define_metric");
            let name = g.text(name, len)?;
            let filter = g.data().filter().to_owned();
            let defined = with(&g, |node| {
                let Node { metrics, profile, .. } = node;
                metrics.define(profile, &filter, kind, &name)
            })?;
            match defined {
                Ok(id) => {
                    g.write_number(at, id)?;
                    Ok(Status::Ok as i32)
                }
                Err(status) => Ok(status as i32),
            }
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_increment_metric",
        |c: Caller<'_, GuestState>, id: i32, by: i64| -> Result<i32> {
            let g = Guest::enter(c, "proxy_increment_metric");
            let done = with(&g, |node| {
                let Node { metrics, profile, .. } = node;
                metrics.increment(profile, id as u32, by)
            })?;
            Ok(done.err().unwrap_or(Status::Ok) as i32)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_record_metric",
        |c: Caller<'_, GuestState>, id: i32, value: i64| -> Result<i32> {
            let g = Guest::enter(c, "proxy_record_metric");
            let done = with(&g, |node| {
                let Node { metrics, profile, .. } = node;
                metrics.record(profile, id as u32, value as u64)
            })?;
            Ok(done.err().unwrap_or(Status::Ok) as i32)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_get_metric",
        |c: Caller<'_, GuestState>, id: i32, at: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_get_metric");
            let value = with(&g, |node| {
                let Node { metrics, profile, .. } = node;
                metrics.get(profile, id as u32)
            })?;
            match value {
                Ok(value) => {
                    g.write(at, &value.to_le_bytes())?;
                    Ok(Status::Ok as i32)
                }
                Err(status) => Ok(status as i32),
            }
        },
    )?;
    Ok(())
}

fn with<T>(
    g: &Guest<'_>,
    run: impl FnOnce(&mut Node) -> crate::metrics::Outcome<T>,
) -> Result<Result<T, Status>> {
    let outcome = run(&mut g.node());
    outcome.or_else(trap)
}
