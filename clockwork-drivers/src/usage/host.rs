//! What this machine and its processes use, from `/proc`.

use std::fs;

use clockwork_core::CheckError;

use super::{Memory, processes::Times};

/// Processor time of all cores together, in ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticks {
    busy: u64,
    all: u64,
    cores: u64,
}

pub(super) fn memory() -> Result<Memory, CheckError> {
    let text = fs::read_to_string("/proc/meminfo")?;
    let (total, available) = parse_memory(&text)
        .ok_or_else(|| CheckError::unobservable("/proc/meminfo has no MemTotal and MemAvailable"))?;
    Ok(Memory { used: total.saturating_sub(available), limit: total, processes: None })
}

fn parse_memory(text: &str) -> Option<(u64, u64)> {
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
    };
    Some((field("MemTotal:")?, field("MemAvailable:")?))
}

pub(super) fn ticks() -> Result<Ticks, CheckError> {
    let text = fs::read_to_string("/proc/stat")?;
    Ticks::parse(&text).ok_or_else(|| CheckError::unobservable("/proc/stat has no line for all processors"))
}

impl Ticks {
    /// `cpu user nice system idle iowait irq softirq steal guest guest_nice`: guests are counted as users already.
    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let ticks = lines.next()?.strip_prefix("cpu ")?.split_whitespace().take(8);
        let ticks: Vec<u64> = ticks.map(|tick| tick.parse().ok()).collect::<Option<_>>()?;
        let all = ticks.iter().sum::<u64>();
        let away = ticks.get(3)? + ticks.get(4)? + ticks.get(7)?;
        let cores = lines.take_while(|line| line.starts_with("cpu")).count() as u64;
        Some(Self { busy: all.saturating_sub(away), all, cores })
    }

    pub(super) fn percent_since(&self, earlier: &Self) -> f64 {
        let all = self.all.saturating_sub(earlier.all).max(1);
        let busy = self.busy.saturating_sub(earlier.busy);
        busy as f64 / all as f64 * 100.0 * self.cores.max(1) as f64
    }
}

/// The resident sets of these processes, in bytes.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there are some that cannot be seen")]
pub(super) fn resident(pids: &[u32]) -> Result<Vec<u64>, CheckError> {
    Ok(pids.iter().filter_map(|pid| resident_set(*pid)).collect())
}

fn resident_set(pid: u32) -> Option<u64> {
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let status = String::from_utf8_lossy(&status);
    let field = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    field.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What they have used so far.
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there are some that cannot be seen")]
pub(super) fn times(pids: &[u32]) -> Result<Times, CheckError> {
    Ok(Times(pids.iter().filter_map(|pid| time(*pid)).collect()))
}

/// The unit of that.
pub(super) fn ticks_per_second() -> Result<u64, CheckError> {
    let told = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?;
    Ok(told.and_then(|ticks| u64::try_from(ticks).ok()).unwrap_or(100))
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn what_can_be_had_is_not_used() {
        let text = "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    600 kB\n";
        assert_eq!(parse_memory(text), Some((1000 * 1024, 600 * 1024)));
        assert_eq!(parse_memory("MemTotal: 1000 kB\n"), None);
    }

    #[test]
    fn two_busy_cores_are_two_hundred_percent() {
        let at = |text: &str| Ticks::parse(text).unwrap();
        let before = at("cpu  100 0 100 700 100 0 0 0 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n");
        let busy = at("cpu  250 0 150 700 100 0 0 0 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n");
        let half = at("cpu  150 0 150 750 150 0 0 0 0 0\ncpu0 1 2 3\ncpu1 1 2 3\nintr 5\n");
        assert_eq!((busy.percent_since(&before), half.percent_since(&before)), (200.0, 100.0));
        assert_eq!(before.percent_since(&before), 0.0);
        assert_eq!(Ticks::parse("nothing"), None);
    }

    #[test]
    fn a_name_cannot_forge_the_fields_behind_it() {
        let stat = "7 (x) R 1 (y) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 1 0 4242 8 9 10";
        assert_eq!(parse(stat), Some((200, 4242)));
        assert_eq!(parse("7 (x) R 1"), None);
    }
}
