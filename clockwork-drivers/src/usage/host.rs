//! What this machine uses, from `/proc/meminfo` and `/proc/stat`.

use std::fs;

use clockwork_core::CheckError;

use super::Memory;

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
}
