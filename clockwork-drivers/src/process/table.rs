//! [`ProcessTableProbe`]: every process that can be seen from the vantage.

use std::sync::Arc;

use clockwork_core::{CheckError, Context, Fault, Probe, Vantage};

use super::{
    entry::Process,
    system::{self, About},
};
use crate::vantage;

/// Reads the process table. From inside a container: the processes of its pid namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ProcessTableProbe;

/// The processes that were there.
#[derive(Debug, Clone)]
pub struct ProcessTable {
    /// All of them, zombies included, without Clockwork's own process.
    pub processes: Vec<Arc<Process>>,
    /// Why there may be more than are shown here, if so.
    pub incomplete: Option<String>,
    pub(super) about: About,
}

impl ProcessTable {
    /// Asks whether [`Process::uid`] means something: on Windows, where users have no numbers, it does not.
    ///
    /// # Errors
    /// Where it does not: then nothing may be concluded from it.
    pub fn has_users(&self) -> Result<(), CheckError> {
        #[cfg(not(unix))]
        return Err(crate::platform::lacks("tell whose a process is", "Unix's users"));
        #[cfg(unix)]
        Ok(())
    }

    /// The user whose rights a process has, as it is known at the vantage.
    pub fn user_of(&self, process: &Process) -> u32 {
        self.about.user(process.uid)
    }
}

impl Probe for ProcessTableProbe {
    type Observation = ProcessTable;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<ProcessTable, CheckError> {
        let Some(first) = vantage::process(cx).await? else { return read_table().await };
        // One table serves all containers, except for one that is younger than it.
        let host = cx.from_vantage(Vantage::Host).observe(Self).await?;
        let host = if host.processes.iter().any(|process| process.pid == first) {
            host
        } else {
            Arc::new(read_table().await?)
        };
        on_blocking_thread(move || system::inside(&host, first)).await
    }

    fn describe(&self) -> String {
        String::from("reading the process table")
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(seen: &ProcessTable) -> usize {
        seen.processes.len() * 512
    }
}

async fn on_blocking_thread<T: Send + 'static>(
    look: impl FnOnce() -> Result<T, CheckError> + Send + 'static,
) -> Result<T, CheckError> {
    match tokio::task::spawn_blocking(look).await {
        Ok(seen) => seen,
        Err(stopped) => Err(CheckError::unobservable("the look was stopped").with_source(stopped)),
    }
}

async fn read_table() -> Result<ProcessTable, CheckError> {
    on_blocking_thread(system::read_own).await
}
