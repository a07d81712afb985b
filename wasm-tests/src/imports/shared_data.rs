//! The host functions for shared data.

use super::Functions;
use crate::abi::Status;
use crate::guest::{Guest, GuestState, trap};
use crate::node::Node;
use wasmtime::{Caller, Result};

pub(super) fn add(l: &mut Functions) -> Result<()> {
    l.func_wrap(
        "env",
        "proxy_get_shared_data",
        |c: Caller<'_, GuestState>,
         key: i32,
         key_len: i32,
         at: i32,
         len: i32,
         cas_at: i32|
         -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_get_shared_data");
            let key = g.read(key, key_len)?;
            let found = {
                let node = g.node();
                node.shared.get(&node.profile, &g.data().vm_id, &key)
            };
            match found {
                Ok(Some((value, cas))) => {
                    g.write_number(cas_at, cas)?;
                    g.hand_over(&value, at, len)
                }
                Ok(None) => Ok(Status::NotFound as i32),
                Err(text) => trap(text),
            }
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_set_shared_data",
        |c: Caller<'_, GuestState>,
         key: i32,
         key_len: i32,
         value: i32,
         value_len: i32,
         cas: i32|
         -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_set_shared_data");
            let key = g.read(key, key_len)?;
            let bytes = g.read(value, value_len)?;
            let value = (value != 0).then_some(bytes.as_slice());
            let mut node = g.node();
            let Node { shared, profile, .. } = &mut *node;
            match shared.set(profile, &g.data().vm_id, &key, value, cas as u32) {
                Ok(status) => Ok(status as i32),
                Err(text) => trap(text),
            }
        },
    )?;
    Ok(())
}
