//! The memory of a running process, searched as a core of it would be.

use crate::planted::{Found, Planted};
use std::fs::{File, read_to_string};
use std::io::{Error, Read, Result};
use std::os::unix::fs::FileExt;
use std::process::Command;

/// The size of a page, in bytes. The flags of a larger page are told for each part of this size.
const PAGE: usize = 4096;

/// The mappings of a process that are searched.
#[derive(Clone, Copy)]
pub enum Which {
    /// What a core has: all that is the process's own, whatever it is for. The unchanged pages of
    /// programs and libraries are left out.
    Own,
    /// Memory without a file that is shared with other processes. The number is its size in bytes,
    /// and 0 stands for every size.
    Shared(u64),
}

/// A mapping, as a line of `/proc/PID/maps` describes it (proc(5)).
struct Mapping {
    start: u64,
    end: u64,
}

impl Mapping {
    /// Returns the mapping of a line, if it is one of `which`.
    fn of(line: &str, which: Which) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        let mapping = Self { start: number(start)?, end: number(end)? };
        let rights = fields.next()?;
        let path = fields.nth(3).unwrap_or_default();
        let readable = rights.starts_with('r');
        // The kernel's own pages.
        let special = path.starts_with("[v");
        let wanted = match which {
            // A file that is mapped for reading only is as it was on the disk.
            Which::Own => rights.ends_with('p') && (!path.starts_with('/') || rights.contains('w')),
            Which::Shared(size) => {
                rights.ends_with('s')
                    && path == "/dev/zero"
                    && (size == 0 || size == mapping.end - mapping.start)
            }
        };
        (readable && wanted && !special).then_some(mapping)
    }

    /// Returns the runs of pages that are there, each with its address. A page that was never
    /// written to is left out, if the kernel tells which these are.
    fn runs(&self, flags: Option<&File>) -> Vec<(u64, usize)> {
        let all = usize::try_from(self.end - self.start).expect("an address space of 64 bits");
        let mut known = vec![0; all / PAGE * 8];
        let at = self.start / PAGE as u64 * 8;
        if flags.is_none_or(|flags| flags.read_exact_at(&mut known, at).is_err()) {
            return vec![(self.start, all)];
        }
        let mut runs: Vec<(u64, usize)> = Vec::new();
        for (page, flags) in known.chunks_exact(8).enumerate() {
            // The two highest bits: in memory, or in the swap.
            if flags[7] & 0b1100_0000 == 0 {
                continue;
            }
            let address = self.start + (page * PAGE) as u64;
            match runs.last_mut() {
                Some((start, length)) if *start + *length as u64 == address => *length += PAGE,
                _ => runs.push((address, PAGE)),
            }
        }
        runs
    }
}

/// Searches the memory of the process `pid` for all planted secrets. The process stands still
/// meanwhile. An error says that this user may not read it.
pub fn search(pid: u32, which: Which, planted: &Planted) -> Result<Found> {
    let (needles, mut found) = (planted.needles(&[]), Found::default());
    each_run(pid, which, |text| needles.search(text, &mut found))?;
    Ok(found)
}

/// Searches the memory of these processes of the program `name`. If this user may not read it, this
/// says so and returns `None`.
pub fn searched(name: &str, pids: &[u32], which: Which, planted: &Planted) -> Option<Found> {
    let mut all = Found::default();
    for &pid in pids {
        match search(pid, which, planted) {
            Ok(found) => {
                all.bytes += found.bytes;
                all.secrets.extend(found.secrets);
            }
            Err(error) => {
                println!("{name}: memory not searched, since this user may not read it: {error}");
                return None;
            }
        }
    }
    Some(all)
}

/// Reads the memory of the process `pid`, as one text.
pub fn read(pid: u32, which: Which) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    each_run(pid, which, |text| all.extend(text))?;
    Ok(all)
}

fn each_run(pid: u32, which: Which, take: impl FnMut(&[u8])) -> Result<()> {
    signal(pid, "-STOP")?;
    let done = while_it_stands(pid, which, take);
    signal(pid, "-CONT").and(done)
}

fn while_it_stands(pid: u32, which: Which, mut take: impl FnMut(&[u8])) -> Result<()> {
    let memory = File::open(format!("/proc/{pid}/mem"))?;
    let flags = File::open(format!("/proc/{pid}/pagemap")).ok();
    let maps = read_to_string(format!("/proc/{pid}/maps"))?;
    for mapping in maps.lines().filter_map(|line| Mapping::of(line, which)) {
        for (start, length) in mapping.runs(flags.as_ref()) {
            let mut text = vec![0; length];
            if memory.read_exact_at(&mut text, start).is_ok() {
                take(&text);
                continue;
            }
            // A page in the middle may be unreadable, such as one of a device.
            for (number, page) in text.chunks_mut(PAGE).enumerate() {
                if memory.read_exact_at(page, start + (number * PAGE) as u64).is_ok() {
                    take(page);
                }
            }
        }
    }
    Ok(())
}

fn signal(pid: u32, name: &str) -> Result<()> {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status()?;
    if sent.success() { Ok(()) } else { Err(Error::other(format!("kill {name} {pid}"))) }
}

/// Returns one of the files of `/proc/PID`.
pub fn file(pid: u32, name: &str) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(format!("/proc/{pid}/{name}"))?.read_to_end(&mut text)?;
    Ok(text)
}

#[test]
fn the_search_of_a_memory_finds_what_a_process_knows_and_nothing_else() {
    let mut planted = Planted::default();
    let known = planted.plant("known to a process");
    planted.plant("unknown to a process");
    let mut child = Command::new("cat")
        .env("KNOWN", &known)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("cat");
    let found = patience::eventually("a memory with a variable", || {
        let found = search(child.id(), Which::Own, &planted);
        // Before it has become `cat`, the child is a copy of this test.
        let is_cat = file(child.id(), "comm").is_ok_and(|name| name == b"cat\n");
        match found {
            Ok(found) if is_cat && found.names().len() == 1 => Some(Some(found)),
            Ok(_) => None,
            Err(error) => {
                println!("not run: this user may not read the memory of a child: {error}");
                Some(None)
            }
        }
    });
    drop(child.stdin.take());
    let _ = child.wait();
    if let Some(found) = found {
        assert!(found.names().contains("known to a process"));
        assert!(found.bytes > PAGE);
    }
}
