//! Opening what is safe to read.

use std::{
    fs::{self, File},
    path::Path,
};

use clockwork_core::CheckError;

use super::{
    Root, explain,
    of_system::{facts, without_waiting},
};
use crate::file::{FileType, Found};

/// A regular file, open for reading. Whatever else is at the path is not opened: opening a device can do something,
/// and reading a FIFO can take forever. With the size that it claims.
pub(in crate::file) fn open(_: &Root, path: &Path) -> Result<Found<(File, u64)>, CheckError> {
    let missing = |error| explain(path, "read", error).map(Found::Missing);
    match fs::metadata(path).map(|seen| facts(&seen).file_type) {
        Ok(FileType::Regular) => {}
        Ok(other) => return Ok(Found::NotRegular(other)),
        Err(error) => return missing(error),
    }
    // What was a file a moment ago may be something else by now: so do not wait, and look again at what was opened.
    let file = match without_waiting().read(true).open(path) {
        Ok(file) => file,
        Err(error) => return missing(error),
    };
    match file.metadata() {
        Ok(seen) => match facts(&seen).file_type {
            FileType::Regular => Ok(Found::There((file, seen.len()))),
            other => Ok(Found::NotRegular(other)),
        },
        Err(error) => missing(error),
    }
}

/// A new file among the temporary ones, whose name nobody knows.
#[cfg(feature = "container")]
pub(super) fn unused_name() -> std::path::PathBuf {
    use std::sync::atomic::{AtomicU64, Ordering};
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_nanos();
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("clockwork-{}-{number}-{since:x}", std::process::id()))
}
