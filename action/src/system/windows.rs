//! Windows.

use std::{
    convert::Infallible,
    env,
    fs::{self, File, Metadata, OpenOptions},
    future::pending,
    io,
    mem::ManuallyDrop,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use anyhow::Context;
use tokio::{
    runtime::Runtime,
    signal::windows::{CtrlBreak, CtrlC, ctrl_break, ctrl_c},
};

/// What asks this program to stop.
pub(crate) struct Signals {
    interrupts: CtrlC,
    terminations: CtrlBreak,
}

impl Signals {
    /// From here on they do not end the program.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupts: ctrl_c().context("cannot listen for Ctrl-C")?,
            terminations: ctrl_break().context("cannot listen for Ctrl-Break")?,
        })
    }

    /// Waits for one.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupts.recv() => {}
            _ = self.terminations.recv() => {}
        }
    }
}

/// The run has ended, and nobody waits for signals any more but a thread: the second one ends the process where it stands.
pub(crate) fn end_at_the_second(runtime: ManuallyDrop<Runtime>, _: bool) {
    // Without this thread, the signal would be missed and no more.
    let _ = thread::Builder::new().spawn(move || runtime.block_on(pending::<()>()));
}

/// Runs this program and ends as it does: nothing becomes another program here. Returns only when it did not run.
pub(crate) fn run_instead(command: &mut Command) -> io::Result<Infallible> {
    let status = command.status()?;
    std::process::exit(status.code().unwrap_or(1))
}

/// Where the user's programs keep what they can do without.
pub(crate) fn cache() -> Option<PathBuf> {
    env::var_os("LOCALAPPDATA").map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Whether a file is the user's own: what lies beneath the user's directory has its rights.
pub(crate) fn is_ours_alone(path: &Path, _: &Metadata) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    let own = env::var_os("USERPROFILE").and_then(|own| real(Path::new(&own)));
    real(path).zip(own).is_some_and(|(path, own)| path.starts_with(own))
}

/// A directory, and those around it.
pub(crate) fn create_private(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)
}

/// A file that is not there yet.
pub(crate) fn new_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}
