//! The process table where there is no `/proc`, as `sysinfo` reads it.

use std::{path::Path, sync::Arc};

use clockwork_core::CheckError;
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use super::{
    entry::{CommandLine, Process, ProcessState},
    table::ProcessTable,
};

/// Nothing else is known of a table: there is no container whose users have other numbers.
#[derive(Debug, Clone)]
pub(super) struct About;

impl About {
    pub(super) fn user(&self, user: u32) -> u32 {
        user
    }
}

/// The table of this machine.
pub(super) fn read_own() -> Result<ProcessTable, CheckError> {
    let mut system = System::new().map_err(unreadable)?;
    let what = ProcessRefreshKind::nothing()
        .with_cmd(UpdateKind::Always)
        .with_exe(UpdateKind::Always)
        .with_user(UpdateKind::Always);
    if system.refresh_processes_specifics(ProcessesToUpdate::All, true, what) == 0 {
        return Err(CheckError::unobservable("the process table is empty").retryable());
    }
    let own_pid = std::process::id();
    let others = system.processes().values().filter(|process| process.pid().as_u32() != own_pid);
    let mut processes: Vec<_> = others.map(|process| Arc::new(entry(process))).collect();
    processes.sort_by_key(|process| process.pid);
    let nameless = processes.iter().filter(|process| process.name.is_empty()).count();
    let incomplete =
        (nameless > 0).then(|| format!("{nameless} processes of other users cannot be looked at"));
    Ok(ProcessTable { processes, incomplete, about: About })
}

fn unreadable(error: sysinfo::Error) -> CheckError {
    CheckError::unobservable("cannot read the process table").with_source(error).retryable()
}

fn entry(process: &sysinfo::Process) -> Process {
    let program = process.exe().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let arguments: Vec<_> =
        process.cmd().iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let name = process.name().to_string_lossy();
    Process {
        pid: process.pid().as_u32(),
        parent: process.parent().map_or(0, sysinfo::Pid::as_u32),
        // On Windows a program is known without its ending, too.
        name: name.strip_suffix(".exe").filter(|_| cfg!(windows)).unwrap_or(&name).to_owned(),
        state: match process.status() {
            ProcessStatus::Zombie | ProcessStatus::Dead => ProcessState::Zombie,
            ProcessStatus::Stop | ProcessStatus::Tracing => ProcessState::Stopped,
            _ => ProcessState::Alive,
        },
        uid: user(process),
        // Whatever runs was called somehow.
        command_line: match arguments.is_empty() {
            true => CommandLine::Hidden,
            false => CommandLine::Whole(arguments),
        },
        program_hidden: program.is_none(),
        program,
        namespace: None,
    }
}

#[cfg(unix)]
fn user(process: &sysinfo::Process) -> u32 {
    let user = process.effective_user_id().or_else(|| process.user_id());
    user.map_or(u32::MAX, |user| **user)
}

#[cfg(not(unix))]
fn user(_: &sysinfo::Process) -> u32 {
    u32::MAX
}

pub(super) fn inside(_: &ProcessTable, _: u32) -> Result<ProcessTable, CheckError> {
    Err(crate::platform::lacks("see the processes of a container", "Linux's /proc"))
}
