//! The host functions that read and write properties.

use super::Functions;
use crate::abi::Status;
use crate::guest::{Guest, GuestState, trap};
use crate::properties::{self, Got};
use wasmtime::{Caller, Result};

pub(super) fn add(l: &mut Functions) -> Result<()> {
    l.func_wrap(
        "env",
        "proxy_get_property",
        |c: Caller<'_, GuestState>, path: i32, path_len: i32, at: i32, len: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_get_property");
            let path = g.read(path, path_len)?;
            g.node().note("property", &properties::dotted(&path));
            match properties::get(&g, &path) {
                Got::Value(value) => g.hand_over_value(&value, at, len),
                Got::Status(status) => Ok(status as i32),
                Got::Trap(text) => trap(text),
            }
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_set_property",
        |c: Caller<'_, GuestState>,
         path: i32,
         path_len: i32,
         value: i32,
         len: i32|
         -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_set_property");
            let path = g.read(path, path_len)?;
            let value = g.read(value, len)?;
            match properties::set(&g, &path, value) {
                Got::Value(_) => Ok(Status::Ok as i32),
                Got::Status(status) => Ok(status as i32),
                Got::Trap(text) => trap(text),
            }
        },
    )?;
    Ok(())
}
