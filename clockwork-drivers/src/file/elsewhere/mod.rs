//! Files where there is no Linux, by what Rust's library has for all systems: of this machine alone. The files of a
//! container come from its engine ([`super::archive`]).

mod open;
mod stat;
mod tree;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as of_system;
#[cfg(windows)]
use windows as of_system;

#[cfg(not(target_os = "linux"))]
pub(super) use of_system::account;
#[cfg(feature = "container")]
pub(super) use of_system::nameless;
pub(super) use open::open;
pub(super) use stat::stat;
pub(super) use tree::{directory, filesystem};

use std::{
    io::{self, ErrorKind},
    path::Path,
};

use clockwork_core::CheckError;

use super::{Absence, FileType, Missing, absence::prefixes, place::parent, show_path};

/// Where paths are resolved: here.
#[derive(Debug)]
pub(super) struct Root;

impl Root {
    pub(super) fn open(pid: Option<u32>) -> Result<Self, CheckError> {
        match pid {
            None => Ok(Self),
            Some(_) => Err(crate::platform::lacks("enter a container's root", "Linux's /proc")),
        }
    }

    pub(super) fn is_host(&self) -> bool {
        true
    }
}

/// What the system tells of a file.
struct Facts {
    file_type: FileType,
    mode: u32,
    uid: u32,
    gid: u32,
    /// Which filesystem it is on, as far as that is told.
    device: u64,
    /// Its number there; `None` where it has no other name, or that is not told.
    shared: Option<u64>,
    /// What it takes on the disk, in bytes.
    taken: u64,
}

/// What an error at this path means: that nothing is there, or that we could not look.
fn explain(path: &Path, doing: &str, error: io::Error) -> Result<Missing, CheckError> {
    if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) || of_system::is_loop(&error) {
        return Ok(missing(path, &error));
    }
    let shown = show_path(path);
    match error.kind() {
        ErrorKind::InvalidFilename => Ok(misnamed(path)),
        ErrorKind::PermissionDenied => {
            Err(CheckError::unobservable(format!("cannot {doing} {shown}: permission denied"))
                .hint("run as a user who may"))
        }
        _ => Err(CheckError::unobservable(format!("cannot {doing} {shown}")).with_source(error).retryable()),
    }
}

/// Why nothing can be at a path.
fn misnamed(path: &Path) -> Missing {
    // Without the slash that only a directory may have behind it.
    let bare: std::path::PathBuf = path.components().collect();
    if std::fs::metadata(&bare).is_ok_and(|seen| !seen.is_dir()) {
        return Missing { path: bare, why: Absence::NotADirectory };
    }
    let why = if cfg!(windows) { Absence::NotAName } else { Absence::NameTooLong };
    Missing { path: path.to_owned(), why }
}

/// Which component of the path is not there.
fn missing(path: &Path, error: &io::Error) -> Missing {
    for prefix in prefixes(path) {
        let why = match std::fs::metadata(&prefix) {
            Ok(seen) if !seen.is_dir() && prefix != path => Absence::NotADirectory,
            Ok(_) => continue,
            Err(error) if of_system::is_loop(&error) => Absence::LinkLoop,
            Err(error) if error.kind() == ErrorKind::NotFound => match std::fs::read_link(&prefix) {
                Ok(target) => Absence::DanglingLink(target),
                Err(_) => Absence::NotThere,
            },
            Err(error) if error.kind() == ErrorKind::NotADirectory => {
                return Missing { path: parent(&prefix), why: Absence::NotADirectory };
            }
            Err(_) => continue,
        };
        return Missing { path: prefix, why };
    }
    // A file with a slash behind it, or what was missing is there by now.
    let directory = error.kind() == ErrorKind::NotADirectory;
    let why = if directory { Absence::NotADirectory } else { Absence::NotThere };
    Missing { path: path.components().collect(), why }
}
