//! Linux, macOS and their relatives.

use std::{
    convert::Infallible,
    env,
    fs::{DirBuilder, File, Metadata, OpenOptions},
    io,
    mem::ManuallyDrop,
    os::unix::{
        fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, atomic::AtomicBool},
};

use anyhow::Context;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use tokio::{
    runtime::Runtime,
    signal::unix::{Signal, SignalKind, signal},
};

use crate::exit::Exit;

/// What asks this program to stop.
pub(crate) struct Signals {
    interrupts: Signal,
    terminations: Signal,
}

impl Signals {
    /// From here on they do not end the program.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupts: signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?,
            terminations: signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?,
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

/// The run has ended, and nobody waits for signals any more: the second one ends the process where it stands, the handler
/// itself, without a thread, for which the end of the process would have to wait. With `heard`, the first one came already.
pub(crate) fn end_at_the_second(_: ManuallyDrop<Runtime>, heard: bool) {
    let armed = Arc::new(AtomicBool::new(heard));
    for signal in [SIGINT, SIGTERM] {
        let code = Exit::Interrupted.code().into();
        // In this order, so that what arms it does not end it. Without them, a signal would be missed and no more.
        let _ = flag::register_conditional_shutdown(signal, code, Arc::clone(&armed));
        let _ = flag::register(signal, Arc::clone(&armed));
    }
}

/// Becomes this program. Returns only when that failed.
pub(crate) fn run_instead(command: &mut Command) -> io::Result<Infallible> {
    Err(command.exec())
}

/// Where the user's programs keep what they can do without.
pub(crate) fn cache() -> Option<PathBuf> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
}

/// Whether a file belongs to this user, and nobody else may write it.
pub(crate) fn is_ours_alone(_: &Path, known: &Metadata) -> bool {
    known.uid() == nix::unistd::geteuid().as_raw() && known.mode() & 0o022 == 0
}

/// A directory, and those around it, for this user alone.
pub(crate) fn create_private(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory)
}

/// A file that is not there yet, for this user alone.
pub(crate) fn new_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}
