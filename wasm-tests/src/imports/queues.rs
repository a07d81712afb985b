//! The host functions for shared queues. They work on Envoy; Kong's operators are told not to
//! declare any.

use super::Functions;
use crate::abi::Status;
use crate::guest::{Guest, GuestState, trap};
use crate::node::Queue;
use wasmtime::{Caller, Result};

pub(super) fn add(l: &mut Functions) -> Result<()> {
    l.func_wrap(
        "env",
        "proxy_register_shared_queue",
        |c: Caller<'_, GuestState>, name: i32, len: i32, at: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_register_shared_queue");
            if g.is_kong() {
                return trap("could not resolve namespace");
            }
            let name = g.text(name, len)?;
            let vm_id = g.data().vm_id.clone();
            let owner = (g.data().vm, g.now().root);
            let id = {
                let mut node = g.node();
                let same = |q: &Queue| q.vm_id == vm_id && q.name == name;
                match node.queues.iter().position(same) {
                    Some(at) => at,
                    None => {
                        node.queues.push(Queue { vm_id, name, owner, ..Queue::default() });
                        node.queues.len() - 1
                    }
                }
            };
            g.write_number(at, id as u32 + 1)?;
            Ok(Status::Ok as i32)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_resolve_shared_queue",
        |c: Caller<'_, GuestState>,
         vm: i32,
         vm_len: i32,
         name: i32,
         len: i32,
         at: i32|
         -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_resolve_shared_queue");
            if g.is_kong() {
                return g.not_yet("proxy_resolve_shared_queue");
            }
            let (vm_id, name) = (g.text(vm, vm_len)?, g.text(name, len)?);
            let vm_id = if vm_id.is_empty() { g.data().vm_id.clone() } else { vm_id };
            let found = g.node().queues.iter().position(|q| q.vm_id == vm_id && q.name == name);
            match found {
                Some(id) => {
                    g.write_number(at, id as u32 + 1)?;
                    Ok(Status::Ok as i32)
                }
                None => Ok(Status::NotFound as i32),
            }
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_enqueue_shared_queue",
        |c: Caller<'_, GuestState>, id: i32, at: i32, len: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_enqueue_shared_queue");
            if g.is_kong() {
                return trap("could not resolve namespace");
            }
            let item = g.read(at, len)?;
            let owner = {
                let mut node = g.node();
                let Some(queue) = node.queues.get_mut((id as usize).wrapping_sub(1)) else {
                    return Ok(Status::NotFound as i32);
                };
                queue.items.push_back(item);
                queue.owner
            };
            g.worker_mut().queue_ready.push((owner.0, owner.1, id as u32));
            Ok(Status::Ok as i32)
        },
    )?;
    l.func_wrap(
        "env",
        "proxy_dequeue_shared_queue",
        |c: Caller<'_, GuestState>, id: i32, at: i32, len: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "proxy_dequeue_shared_queue");
            if g.is_kong() {
                return trap("could not resolve namespace");
            }
            let item = {
                let mut node = g.node();
                let Some(queue) = node.queues.get_mut((id as usize).wrapping_sub(1)) else {
                    return Ok(Status::NotFound as i32);
                };
                queue.items.pop_front()
            };
            match item {
                Some(item) => g.hand_over(&item, at, len),
                None => Ok(Status::Empty as i32),
            }
        },
    )?;
    Ok(())
}
