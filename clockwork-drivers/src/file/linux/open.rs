//! Opening what is safe to read.

use std::{fs::File, path::Path};

use clockwork_core::CheckError;
use nix::{
    fcntl::OFlag,
    sys::stat::{Mode, fstat},
};

use super::Root;
use crate::file::{FileType, Found};

/// A regular file, open for reading. Whatever else is at the path is not opened: opening a device can do something,
/// and reading a FIFO can take forever. With the size that it claims.
pub(in crate::file) fn open(root: &Root, path: &Path) -> Result<Found<(File, u64)>, CheckError> {
    let explain = |errno| root.explain(path, "read", errno);
    match root.stat(path) {
        Ok(seen) if FileType::of(seen.st_mode) == FileType::Regular => {}
        Ok(seen) => return Ok(Found::NotRegular(FileType::of(seen.st_mode))),
        Err(errno) => return explain(errno).map(Found::Missing),
    }
    // What was a file a moment ago may be something else by now: so do not wait, and look again at what was opened.
    let file = match root.open_at(path, OFlag::O_RDONLY | OFlag::O_NONBLOCK) {
        Ok(file) => file,
        Err(errno) => return explain(errno).map(Found::Missing),
    };
    match fstat(&file) {
        Ok(seen) if FileType::of(seen.st_mode) == FileType::Regular => {
            Ok(Found::There((File::from(file), u64::try_from(seen.st_size).unwrap_or(0))))
        }
        Ok(seen) => Ok(Found::NotRegular(FileType::of(seen.st_mode))),
        Err(errno) => explain(errno).map(Found::Missing),
    }
}

/// A file without a name, for what is copied here: nobody else sees it, and it goes with its descriptor.
#[cfg(feature = "container")]
pub(in crate::file) fn nameless() -> std::io::Result<File> {
    let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
    let directory = std::env::temp_dir();
    Ok(File::from(nix::fcntl::open(&directory, flags, Mode::S_IRUSR | Mode::S_IWUSR)?))
}
