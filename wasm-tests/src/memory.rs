//! The memory of a gateway, as the system shows it in `/proc`.

use std::fs::read_to_string;

/// V8 keeps this much address space free behind a VM's memory, in KiB, and behind nothing else.
const GUARD_KB: u64 = 8_000_000;

/// The memory of a process in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// What is in use now.
    pub resident_kb: f64,
    /// The most that was in use at one time.
    pub peak_kb: f64,
}

/// Returns the memory of a process.
pub fn memory(process: u32) -> Memory {
    let status = read_to_string(format!("/proc/{process}/status")).expect("a process");
    let line = |name: &str| {
        let rest = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        rest.trim().trim_end_matches(" kB").parse().unwrap_or(0.0)
    };
    Memory { resident_kb: line("VmRSS:"), peak_kb: line("VmHWM:") }
}

/// The memories of a process's Wasm VMs, all together.
#[derive(Debug, Clone, Copy, Default)]
pub struct VmMemory {
    /// Their number. Envoy has up to three VMs for one module and one worker.
    pub count: u64,
    /// What the modules have asked for, in KiB.
    pub size_kb: u64,
    /// The part of it that was ever touched, in KiB.
    pub resident_kb: u64,
    /// The size of the largest memory, in KiB.
    pub largest_kb: u64,
}

/// Returns the memories of the Wasm VMs in a process: the mappings that lie directly before the
/// 8 GB that V8 keeps free.
pub fn vm_memory(process: u32) -> VmMemory {
    let smaps = read_to_string(format!("/proc/{process}/smaps")).expect("a process");
    let (mut found, mut before) = (VmMemory::default(), None);
    for mapping in mappings(&smaps) {
        let is_guard = mapping.access == "---p" && mapping.size_kb >= GUARD_KB;
        if let Some(Mapping { size_kb, resident_kb, .. }) = before.filter(|_| is_guard) {
            found.count += 1;
            found.size_kb += size_kb;
            found.resident_kb += resident_kb;
            found.largest_kb = found.largest_kb.max(size_kb);
        }
        before = Some(mapping).filter(|mapping| mapping.access == "rw-p");
    }
    found
}

struct Mapping<'a> {
    access: &'a str,
    size_kb: u64,
    resident_kb: u64,
}

fn mappings(smaps: &str) -> Vec<Mapping<'_>> {
    let mut all = Vec::new();
    for line in smaps.lines() {
        let mut words = line.split_ascii_whitespace();
        let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let kilobytes = || second.parse().unwrap_or(0);
        match (first, all.last_mut()) {
            ("Size:", Some(Mapping { size_kb, .. })) => *size_kb = kilobytes(),
            ("Rss:", Some(Mapping { resident_kb, .. })) => *resident_kb = kilobytes(),
            _ if !first.ends_with(':') => {
                all.push(Mapping { access: second, size_kb: 0, resident_kb: 0 });
            }
            _ => {}
        }
    }
    all
}
