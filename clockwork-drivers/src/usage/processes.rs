//! What all processes of a name use together.

use std::{collections::HashMap, fs, time::Duration};

use clockwork_core::{CheckError, Context, text::quote};

use super::{Memory, host};
use crate::process::{Meant, ProcessState, ProcessTableProbe};

/// Processor time of each process so far, in ticks; a process is its number and when it began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Times(HashMap<(u32, u64), u64>);

/// The processes of this name, as the process table of this round has them.
///
/// # Errors
/// When there is none, or none of those that we may see.
pub(super) async fn of(name: &str, cx: &Context) -> Result<Vec<u32>, CheckError> {
    let table = cx.observe(ProcessTableProbe).await?;
    let (mut pids, mut unknown) = (Vec::new(), 0);
    for process in table.processes.iter().filter(|process| process.state != ProcessState::Zombie) {
        match process.goes_by(name) {
            Meant::Yes => pids.push(process.pid),
            Meant::No => {}
            Meant::Unknown => unknown += 1,
        }
    }
    // A sum over a part would be too small, and too small passes.
    if let Some(why) = &table.incomplete {
        return Err(CheckError::unobservable(format!(
            "cannot see all processes named {}: {why}",
            quote(name)
        ))
        .hint("run clockwork as root"));
    }
    if unknown > 0 {
        return Err(CheckError::unobservable(format!(
            "cannot tell whether {unknown} processes are named {}",
            quote(name)
        ))
        .hint("run clockwork as root"));
    }
    if pids.is_empty() {
        return Err(CheckError::target(format!("no process named {} runs", quote(name))));
    }
    Ok(pids)
}

/// The sum of the resident sets, in bytes. A process that ended meanwhile uses nothing.
pub(super) fn memory(pids: &[u32]) -> Result<Memory, CheckError> {
    let sets: Vec<u64> = pids.iter().filter_map(|pid| resident(*pid)).collect();
    if sets.is_empty() {
        return Err(CheckError::target("the processes ended while they were looked at"));
    }
    Ok(Memory { used: sets.iter().sum(), limit: host::memory()?.limit, processes: Some(sets.len()) })
}

fn resident(pid: u32) -> Option<u64> {
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let field = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    field.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

pub(super) fn times(pids: &[u32]) -> Times {
    Times(pids.iter().filter_map(|pid| time(*pid)).collect())
}

fn time(pid: u32) -> Option<((u32, u64), u64)> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let (used, began) = parse(&String::from_utf8_lossy(&stat))?;
    Some(((pid, began), used))
}

/// `pid (name) state ppid …`: the name may hold anything, so that only its last bracket is certain. From the state on,
/// the 12th and 13th fields are user and system time, and the 20th is when it began.
fn parse(stat: &str) -> Option<(u64, u64)> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some((number(11)? + number(12)?, number(19)?))
}

impl Times {
    /// Of those that were there at both times: what one that began or ended in between used is not known.
    pub(super) fn percent_since(&self, earlier: &Self, over: Duration) -> Result<f64, CheckError> {
        let mut both = self.0.iter().filter_map(|(who, used)| Some((used, earlier.0.get(who)?))).peekable();
        if both.peek().is_none() {
            return Err(CheckError::target("the processes ended while they were measured"));
        }
        let ticks: u64 = both.map(|(later, earlier)| later.saturating_sub(*earlier)).sum();
        let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.unwrap_or(100) as f64;
        Ok(ticks as f64 / per_second / over.as_secs_f64().max(f64::EPSILON) * 100.0)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn a_name_cannot_forge_the_fields_behind_it() {
        let stat = "7 (x) R 1 (y) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 1 0 4242 8 9 10";
        assert_eq!(parse(stat), Some((200, 4242)));
        assert_eq!(parse("7 (x) R 1"), None);
    }

    #[test]
    fn only_one_and_the_same_process_is_compared() {
        let at = |times: &[((u32, u64), u64)]| Times(times.iter().copied().collect());
        let before = at(&[((1, 10), 100), ((2, 10), 100)]);
        let after = at(&[((1, 10), 150), ((2, 99), 5000), ((3, 1), 5000)]);
        let percent = after.percent_since(&before, Duration::from_secs(1)).unwrap();
        assert_eq!(percent, 50.0, "another process got the number 2");
        assert!(after.percent_since(&at(&[]), Duration::from_secs(1)).is_err());
    }
}
