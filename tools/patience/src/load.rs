//! The processor time of this process and its children, as Linux counts it for each thread.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// For each thread, the time that it has run and the time that it has waited for a processor.
#[derive(Debug, Default)]
pub(crate) struct Load(HashMap<(u32, u32), (Duration, Duration)>);

impl Load {
    /// Reads the present state. It is empty where the system does not provide it, as if nothing
    /// ran.
    pub(crate) fn now() -> Self {
        let all = family().into_iter().flat_map(threads);
        Self(all.collect())
    }

    /// The time that all threads together have run since `before`, and have waited for a processor.
    pub(crate) fn since(&self, before: &Self) -> (Duration, Duration) {
        let mut sum = (Duration::ZERO, Duration::ZERO);
        for (thread, (ran, waited)) in &self.0 {
            let (ran_before, waited_before) = before.0.get(thread).copied().unwrap_or_default();
            sum.0 += ran.saturating_sub(ran_before);
            sum.1 += waited.saturating_sub(waited_before);
        }
        sum
    }
}

/// The processor time that a process has used so far. It is zero where the system does not tell.
pub fn processor_time(process: u32) -> Duration {
    threads(process).into_iter().map(|(_, (ran, _))| ran).sum()
}

/// The processor time that this thread has used so far. Where the system does not tell, it is the
/// time of day.
pub(crate) fn own_time() -> Duration {
    let line = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let told = line.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok());
    told.map_or_else(
        || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        Duration::from_nanos,
    )
}

/// Every thread of a process.
fn threads(process: u32) -> Vec<((u32, u32), (Duration, Duration))> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let thread = |task: fs::DirEntry| {
        let id = task.file_name().to_str()?.parse().ok()?;
        let line = fs::read_to_string(task.path().join("schedstat")).ok()?;
        let mut nanoseconds = line.split_whitespace().map(str::parse);
        let ran = Duration::from_nanos(nanoseconds.next()?.ok()?);
        let waited = Duration::from_nanos(nanoseconds.next()?.ok()?);
        Some(((process, id), (ran, waited)))
    };
    tasks.filter_map(thread).collect()
}

/// The ids of this process and all of its descendants.
fn family() -> Vec<u32> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let parents: Vec<(u32, u32)> = all
        .filter_map(|entry| {
            let process = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name of a program may hold anything; the parent comes after it and the state.
            let parent = stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()?;
            Some((process, parent))
        })
        .collect();
    let mut found = vec![std::process::id()];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(process, _)| process));
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn children_and_theirs_are_of_the_family() {
        let mut shell = Command::new("sh")
            .args(["-c", "sleep 600 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut line = String::new();
        let output = shell.stdout.take().expect("its output");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line)
            .expect("a line");
        let grandchild: u32 = line.trim().parse().expect("a process id");
        let found = family();
        Command::new("kill").args([&grandchild.to_string()]).status().expect("kill");
        shell.wait().expect("an end");
        assert!(found.contains(&std::process::id()) && found.contains(&shell.id()), "{found:?}");
        assert!(found.contains(&grandchild), "{found:?}");
    }

    #[test]
    fn work_is_counted() {
        let before = Load::now();
        let mut number = 1_u64;
        super::super::eventually("work that is counted", || {
            for _ in 0..1_000_000 {
                number = std::hint::black_box(number.wrapping_mul(6_364_136_223_846_793_005));
            }
            let (worked, _) = Load::now().since(&before);
            (worked > Duration::from_millis(20)).then_some(())
        });
    }
}
