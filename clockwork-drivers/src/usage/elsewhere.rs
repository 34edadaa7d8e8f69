//! What this machine and its processes use where there is no `/proc`, as `sysinfo` reads it.

use clockwork_core::CheckError;
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System};

use super::{Memory, processes::Times};
use crate::platform::lacks;

/// Processor time of the machine: nobody tells.
pub(super) enum Ticks {}

impl Ticks {
    pub(super) fn percent_since(&self, _: &Self) -> f64 {
        match *self {}
    }
}

pub(super) fn ticks() -> Result<Ticks, CheckError> {
    Err(lacks("measure the processor time of the machine", "Linux's /proc/stat"))
}

pub(super) fn memory() -> Result<Memory, CheckError> {
    let mut system = System::new().map_err(unreadable)?;
    system.refresh_memory();
    match system.total_memory() {
        0 => Err(CheckError::unobservable("this system does not tell how much memory it has").retryable()),
        total => {
            let used = total.saturating_sub(system.available_memory());
            Ok(Memory { used, limit: total, processes: None })
        }
    }
}

/// The resident sets of these processes, in bytes.
pub(super) fn resident(pids: &[u32]) -> Result<Vec<u64>, CheckError> {
    of_each(pids, |process| process.memory())
}

/// What they have used so far.
pub(super) fn times(pids: &[u32]) -> Result<Times, CheckError> {
    let times = of_each(pids, |process| {
        ((process.pid().as_u32(), process.start_time()), process.accumulated_cpu_time())
    })?;
    Ok(Times(times.into_iter().collect()))
}

/// The unit of that.
#[expect(clippy::unnecessary_wraps, reason = "on Linux the system is asked")]
pub(super) fn ticks_per_second() -> Result<u64, CheckError> {
    Ok(1000)
}

fn unreadable(error: sysinfo::Error) -> CheckError {
    CheckError::unobservable("this system does not tell what is used").with_source(error).retryable()
}

/// Of those that are still there.
fn of_each<T>(pids: &[u32], told: impl Fn(&Process) -> T) -> Result<Vec<T>, CheckError> {
    let pids: Vec<Pid> = pids.iter().copied().map(Pid::from_u32).collect();
    let mut system = System::new().map_err(unreadable)?;
    let what = ProcessRefreshKind::nothing().with_memory().with_cpu();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, what);
    let processes: Vec<_> = pids.iter().filter_map(|pid| system.process(*pid)).collect();
    // None runs in no memory: it is not shown. A sum without it would be too small, and too small passes.
    match processes.iter().find(|process| process.memory() == 0) {
        Some(process) => {
            let pid = process.pid();
            Err(CheckError::unobservable(format!("no permission to see what the process {pid} uses"))
                .hint("run clockwork as an administrator"))
        }
        None => Ok(processes.into_iter().map(told).collect()),
    }
}
