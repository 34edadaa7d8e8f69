//! The root directory of a container, through its first process.

#[cfg(feature = "dns")]
use std::fs::File;
use std::io;

use clockwork_core::CheckError;
#[cfg(feature = "container")]
use nix::errno::Errno;
use nix::{fcntl::OFlag, sys::stat::Mode};

/// Whether the kernel lets us in, as far as can be told before.
#[cfg(feature = "container")]
pub(crate) fn may_enter(pid: u32) -> bool {
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let opened = nix::fcntl::open(format!("/proc/{pid}/root").as_str(), flags, Mode::empty());
    !matches!(opened, Err(Errno::EACCES | Errno::EPERM))
}

/// Opens a configuration file: the host's, or the one that is there in a container.
///
/// # Errors
/// When the container cannot be entered; within, the operating system's for the file.
#[cfg(feature = "dns")]
pub(super) fn open(path: &str, inside: Option<u32>) -> Result<io::Result<File>, CheckError> {
    use nix::fcntl::{OpenHow, ResolveFlag, openat2};
    let flags = OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    let opened = match inside {
        None => nix::fcntl::open(path, flags, Mode::empty()),
        Some(pid) => {
            let root = format!("/proc/{pid}/root");
            let root = nix::fcntl::open(root.as_str(), OFlag::O_PATH | OFlag::O_CLOEXEC, Mode::empty())
                .map_err(|errno| no_entry(pid, errno.into()))?;
            openat2(root, path, OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT))
        }
    };
    Ok(opened.map(File::from).map_err(io::Error::from))
}

/// Why the inside of the container whose first process is `pid` cannot be entered.
pub(crate) fn no_entry(pid: u32, error: io::Error) -> CheckError {
    match error.kind() {
        io::ErrorKind::NotFound => {
            CheckError::target(format!("the container ended: its first process {pid} is gone")).inconclusive()
        }
        io::ErrorKind::PermissionDenied => {
            CheckError::unobservable(format!("no permission to look inside the container (process {pid})"))
                .hint("looking from inside a container needs root on this host")
        }
        _ => CheckError::unobservable(format!("cannot look inside the container (process {pid})"))
            .with_source(error)
            .retryable(),
    }
}
