//! Processes below a process: how much memory they hold, and ending all of them.
//!
//! Found by their parents in `/proc`. A process that moves to another group or session is still below
//! its parent; one whose parent died is below the nearest ancestor that adopts orphans.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::{Pid, Signal, kill_process};

/// Times that all are looked for again: each time everything found stands still before it ends, so
/// nothing multiplies faster than it is found.
const ROUNDS_MAX: usize = 1000;

/// All below `root`, without it.
#[must_use]
pub fn below(root: Pid) -> BTreeSet<i32> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        if let Some((parent, is_dead)) = parent_of(pid)
            && !is_dead
        {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut waiting) = (BTreeSet::new(), vec![root.as_raw_nonzero().get()]);
    while let Some(parent) = waiting.pop() {
        for child in children.get(&parent).into_iter().flatten() {
            if found.insert(*child) {
                waiting.push(*child);
            }
        }
    }
    found
}

/// The parent, and whether the process has ended and was not waited for.
fn parent_of(pid: i32) -> Option<(i32, bool)> {
    let stat = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, brackets too.
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let text = String::from_utf8_lossy(&stat[end + 1..]);
    let mut words = text.split_ascii_whitespace();
    let state = words.next()?;
    Some((words.next()?.parse().ok()?, matches!(state, "Z" | "X")))
}

/// Bytes of memory of their own that all below `root` hold.
#[must_use]
pub fn memory_bytes(root: Pid) -> u64 {
    let kib = |pid: &i32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        // Not what is shared, or a program would count as often as it runs.
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
        line.split_ascii_whitespace().next()?.parse::<u64>().ok()
    };
    below(root).iter().filter_map(kib).sum::<u64>().saturating_mul(1024)
}

/// Ends all below `root`, which must adopt orphans, until there is none.
pub fn end_below(root: Pid) {
    for _ in 0..ROUNDS_MAX {
        let found = below(root);
        if found.is_empty() {
            return;
        }
        for signal in [Signal::STOP, Signal::KILL] {
            for pid in &found {
                if let Some(pid) = Pid::from_raw(*pid) {
                    // Gone already, or about to go.
                    let _ = kill_process(pid, signal);
                }
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
