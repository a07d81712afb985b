//! The functions of WASI that the gateways provide: clock, randomness, environment, output.

use crate::abi::Level;
use crate::guest::{Guest, GuestState, trap};
use wasmtime::{Caller, Linker, Result};

const MODULE: &str = "wasi_snapshot_preview1";

const SUCCESS: i32 = 0;
const BADF: i32 = 8;
const INVAL: i32 = 28;
const NOTDIR: i32 = 54;
const NOENT: i32 = 44;
const NOSYS: i32 = 52;
const NOTSUP: i32 = 58;

/// The most random bytes that Envoy gives at once.
const ENVOY_RANDOM: i32 = 64 << 10;

type C<'a> = Caller<'a, GuestState>;

pub(crate) fn add(l: &mut Linker<GuestState>, kong: bool) -> Result<()> {
    output(l)?;
    environment(l)?;
    l.func_wrap(MODULE, "random_get", |c: C<'_>, at: i32, len: i32| -> Result<i32> {
        let mut g = Guest::enter(c, "random_get");
        if !g.is_kong() && len > ENVOY_RANDOM {
            return Ok(INVAL);
        }
        let bytes = g.worker_mut().random.bytes(len as u32 as usize);
        g.write(at, &bytes)?;
        Ok(SUCCESS)
    })?;
    l.func_wrap(MODULE, "clock_time_get", |c: C<'_>, id: i32, _: i64, at: i32| -> Result<i32> {
        let mut g = Guest::enter(c, "clock_time_get");
        if !matches!(id, 0 | 1) {
            return Ok(NOTSUP);
        }
        let now = g.clock();
        g.write(at, &now.to_le_bytes())?;
        Ok(SUCCESS)
    })?;
    l.func_wrap(MODULE, "proc_exit", |c: C<'_>, code: i32| -> Result<()> {
        Guest::enter(c, "proc_exit");
        trap(format!("proc_exit({code})"))
    })?;
    files(l, kong)?;
    if !kong {
        // No supported Kong has these functions: a filter that imports one does not load there.
        l.func_wrap(MODULE, "sched_yield", |_: C<'_>| SUCCESS)?;
        l.func_wrap(MODULE, "poll_oneoff", |_: C<'_>, _: i32, _: i32, _: i32, _: i32| NOSYS)?;
        l.func_wrap(MODULE, "fd_fdstat_set_flags", |_: C<'_>, _: i32, _: i32| NOSYS)?;
    }
    Ok(())
}

fn output(l: &mut Linker<GuestState>) -> Result<()> {
    l.func_wrap(
        MODULE,
        "fd_write",
        |c: C<'_>, fd: i32, list: i32, len: i32, at: i32| -> Result<i32> {
            let mut g = Guest::enter(c, "fd_write");
            let level = match fd {
                1 => Level::Info,
                2 => Level::Error,
                _ => return Ok(BADF),
            };
            let mut text = Vec::new();
            for n in 0..len {
                let start = g.number(list + n * 8)?;
                let size = g.number(list + n * 8 + 4)?;
                text.extend(g.read(start as i32, size as i32)?);
            }
            g.write_number(at, text.len() as u32)?;
            let line = String::from_utf8_lossy(&text).trim_end_matches('\n').to_owned();
            g.node().log_line(level, line);
            Ok(SUCCESS)
        },
    )?;
    Ok(())
}

fn environment(l: &mut Linker<GuestState>) -> Result<()> {
    l.func_wrap(MODULE, "environ_sizes_get", |c: C<'_>, count: i32, size: i32| -> Result<i32> {
        let mut g = Guest::enter(c, "environ_sizes_get");
        let all = variables(&g);
        g.write_number(count, all.len() as u32)?;
        g.write_number(size, all.iter().map(Vec::len).sum::<usize>() as u32)?;
        Ok(SUCCESS)
    })?;
    l.func_wrap(MODULE, "environ_get", |c: C<'_>, list: i32, bytes: i32| -> Result<i32> {
        let mut g = Guest::enter(c, "environ_get");
        let (mut slot, mut at) = (list, bytes);
        for variable in variables(&g) {
            g.write_number(slot, at as u32)?;
            g.write(at, &variable)?;
            slot += 4;
            at += variable.len() as i32;
        }
        Ok(SUCCESS)
    })?;
    l.func_wrap(MODULE, "args_sizes_get", |c: C<'_>, count: i32, size: i32| -> Result<i32> {
        let mut g = Guest::enter(c, "args_sizes_get");
        g.write_number(count, 0)?;
        g.write_number(size, 0)?;
        Ok(SUCCESS)
    })?;
    l.func_wrap(MODULE, "args_get", |_: C<'_>, _: i32, _: i32| SUCCESS)?;
    Ok(())
}

fn variables(g: &Guest<'_>) -> Vec<Vec<u8>> {
    let node = g.node();
    let all = node.profile.environment.iter();
    all.map(|(name, value)| format!("{name}={value}\0").into_bytes()).collect()
}

/// The functions for files, which report that there is no file system.
fn files(l: &mut Linker<GuestState>, kong: bool) -> Result<()> {
    let read = if kong { BADF } else { NOSYS };
    let seek = if kong { BADF } else { SUCCESS };
    let name = if kong { NOTSUP } else { NOSYS };
    let open = if kong { NOTDIR } else { NOENT };
    let stat = if kong { BADF } else { SUCCESS };
    l.func_wrap(MODULE, "fd_close", move |_: C<'_>, _: i32| if kong { BADF } else { SUCCESS })?;
    l.func_wrap(MODULE, "fd_fdstat_get", move |c: C<'_>, _: i32, at: i32| -> Result<i32> {
        let mut g = Guest::enter(c, "fd_fdstat_get");
        if stat == SUCCESS {
            g.write(at, &[0; 24])?;
        }
        Ok(stat)
    })?;
    l.func_wrap(MODULE, "fd_read", move |_: C<'_>, _: i32, _: i32, _: i32, _: i32| read)?;
    l.func_wrap(MODULE, "fd_seek", move |_: C<'_>, _: i32, _: i64, _: i32, _: i32| seek)?;
    l.func_wrap(MODULE, "fd_prestat_get", |_: C<'_>, _: i32, _: i32| BADF)?;
    l.func_wrap(MODULE, "fd_prestat_dir_name", move |_: C<'_>, _: i32, _: i32, _: i32| name)?;
    l.func_wrap(
        MODULE,
        "path_open",
        move |_: C<'_>, _: i32, _: i32, _: i32, _: i32, _: i32, _: i64, _: i64, _: i32, _: i32| {
            open
        },
    )?;
    Ok(())
}
