//! What all processes of a name use together.

use std::{collections::HashMap, time::Duration};

use clockwork_core::{CheckError, Context, text::quote};

use super::{Memory, system};
use crate::process::{Meant, ProcessState, ProcessTableProbe};

/// Processor time of each process so far, in the system's ticks; a process is its number and when it began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Times(pub(super) HashMap<(u32, u64), u64>);

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
    let sets = system::resident(pids)?;
    if sets.is_empty() {
        return Err(CheckError::target("the processes ended while they were looked at"));
    }
    Ok(Memory { used: sets.iter().sum(), limit: system::memory()?.limit, processes: Some(sets.len()) })
}

impl Times {
    /// Of those that were there at both times: what one that began or ended in between used is not known.
    pub(super) fn percent_since(&self, earlier: &Self, over: Duration) -> Result<f64, CheckError> {
        let mut both = self.0.iter().filter_map(|(who, used)| Some((used, earlier.0.get(who)?))).peekable();
        if both.peek().is_none() {
            return Err(CheckError::target("the processes ended while they were measured"));
        }
        let ticks: u64 = both.map(|(later, earlier)| later.saturating_sub(*earlier)).sum();
        let per_second = system::ticks_per_second()? as f64;
        Ok(ticks as f64 / per_second / over.as_secs_f64().max(f64::EPSILON) * 100.0)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

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
