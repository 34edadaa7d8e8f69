//! Everything that a command started, and how to end it.
//!
//! Outside of a pid namespace, nothing of the kernel's ties a tree of processes together that would not concern all of
//! Clockwork (a subreaper is a property of the whole process) or need root (a control group). So three ties are followed: the
//! process group that the command was started in, who is whose child, and a mark in the environment, which daemons that
//! left both still carry. Only what also empties its environment gets away.

use std::{
    collections::HashSet,
    fs,
    io::Read,
    sync::atomic::{AtomicU64, Ordering},
};

use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};

/// The variable of the mark.
pub(super) const MARK: &str = "CLOCKWORK_COMMAND";
/// How often it is looked whether there are still some: each look finds what the last one's were starting.
const LOOKS: usize = 10;
/// How much of an environment is searched.
const ENVIRONMENT: u64 = 1 << 20;

/// A mark that no other command has.
pub(super) fn new_mark(now: std::time::SystemTime) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed), since.as_nanos())
}

/// The processes of a command. What is left of them ends when this is dropped, unless it was disarmed.
#[derive(Debug)]
pub(super) struct Tree {
    root: Pid,
    mark: String,
    /// Whether the kernel ends all of it with its root: it is, or has with it, the first process of a pid namespace.
    tied: bool,
    armed: bool,
}

impl Tree {
    /// `root` leads a process group of its own and carries `mark`.
    pub(super) fn new(root: Option<u32>, mark: &str, tied: bool) -> Self {
        // No process has that number; to signal 0 would end Clockwork itself.
        let root = Pid::from_raw(root.and_then(|root| i32::try_from(root).ok()).unwrap_or(i32::MAX));
        Self { root, mark: format!("{MARK}={mark}"), tied, armed: true }
    }

    /// Ends what stayed in the process group, and lets go of the rest: a daemon that made itself independent.
    ///
    /// The command itself was waited for, so that its number may be given away again; but numbers come round only after
    /// all others, which takes far longer than it is since.
    pub(super) fn end_group(mut self) {
        self.armed = false;
        let _ = killpg(self.root, Signal::SIGKILL); // most often there is none
    }

    /// Ends all of it.
    pub(super) fn end(&self) {
        let mut ended = HashSet::new();
        for _ in 0..if self.tied { 0 } else { LOOKS } {
            // The members first: with their parents they would lose what ties them to us.
            let members = self.members();
            let fresh: Vec<_> = members.into_iter().filter(|pid| !ended.contains(pid)).collect();
            if fresh.is_empty() {
                break;
            }
            for pid in fresh {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
                ended.insert(pid);
            }
        }
        let _ = killpg(self.root, Signal::SIGKILL);
    }

    fn members(&self) -> Vec<i32> {
        let own = i32::try_from(std::process::id()).unwrap_or(0);
        let all = processes();
        let since = all.iter().find(|one| one.pid == self.root.as_raw()).map(|one| one.started);
        let mut members: HashSet<i32> = HashSet::from([self.root.as_raw()]);
        loop {
            let before = members.len();
            for one in &all {
                if one.group == self.root.as_raw() || members.contains(&one.parent) {
                    members.insert(one.pid);
                }
            }
            if members.len() == before {
                break;
            }
        }
        for one in &all {
            let younger = since.is_none_or(|since| one.started >= since);
            if younger && !members.contains(&one.pid) && self.marked(one.pid) {
                members.insert(one.pid);
            }
        }
        let alive =
            |one: &&Process| members.contains(&one.pid) && one.pid != own && one.pid > 1 && !one.zombie;
        all.iter().filter(alive).map(|one| one.pid).collect()
    }

    fn marked(&self, pid: i32) -> bool {
        let mut environment = Vec::new();
        let Ok(file) = fs::File::open(format!("/proc/{pid}/environ")) else { return false };
        let _ = file.take(ENVIRONMENT).read_to_end(&mut environment);
        environment.split(|byte| *byte == 0).any(|entry| entry == self.mark.as_bytes())
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        if self.armed {
            self.end();
        }
    }
}

struct Process {
    pid: i32,
    parent: i32,
    group: i32,
    /// In clock ticks since the machine started.
    started: u64,
    zombie: bool,
}

fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let mut stat = [0; 1024]; // it is one line, and read at once
            let read = fs::File::open(entry.path().join("stat")).ok()?.read(&mut stat).ok()?;
            parse(pid, &String::from_utf8_lossy(&stat[..read]))
        })
        .collect()
}

/// `pid (name) state ppid pgrp …`, the start being field 22. The name may hold anything, brackets too.
fn parse(pid: i32, stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<i32>().ok();
    Some(Process {
        pid,
        zombie: matches!(*fields.first()?, "Z" | "X" | "x"),
        parent: number(1)?,
        group: number(2)?,
        started: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_confuses_nobody() {
        let line = "7 (a) Z 1 (b) S 3 4 5 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 777 0 0";
        let read = parse(7, line).map(|one| (one.parent, one.group, one.started, one.zombie));
        assert_eq!(read, Some((3, 4, 777, false)));
    }
}
