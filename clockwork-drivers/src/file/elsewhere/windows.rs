//! What Windows tells of files: no permission bits, no owner by a number, and no size on the disk.

use std::{
    fs::{self, Metadata, OpenOptions},
    io,
    path::Path,
};

use clockwork_core::CheckError;

use super::Facts;
use crate::file::{Account, AccountProbe, FileType, FilesystemUsage, NO_ACCOUNT, NO_MODE};

pub(super) fn facts(seen: &Metadata) -> Facts {
    let kind = seen.file_type();
    let file_type = match () {
        () if kind.is_dir() => FileType::Directory,
        () if kind.is_symlink() => FileType::Link,
        () if kind.is_file() => FileType::Regular,
        () => FileType::Unknown,
    };
    Facts {
        file_type,
        mode: NO_MODE,
        uid: NO_ACCOUNT,
        gid: NO_ACCOUNT,
        device: 0,
        shared: None,
        taken: if kind.is_file() { seen.len() } else { 0 },
    }
}

/// `ERROR_CANT_RESOLVE_FILENAME`.
pub(super) fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(1921)
}

pub(super) fn without_waiting() -> OpenOptions {
    OpenOptions::new()
}

/// A file that goes when it is closed, and that nobody else can open.
#[cfg(feature = "container")]
pub(in crate::file) fn nameless() -> io::Result<fs::File> {
    use std::os::windows::fs::OpenOptionsExt;
    const DELETE_ON_CLOSE: u32 = 0x0400_0000;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).share_mode(0).custom_flags(DELETE_ON_CLOSE);
    options.open(super::open::unused_name())
}

/// There is no limit on the number of files. A drive that is mounted in a folder is not told from that.
pub(super) fn filesystem(path: &Path) -> io::Result<FilesystemUsage> {
    let real = fs::canonicalize(path)?;
    let sizes = fs4::statvfs(&real)?;
    Ok(FilesystemUsage {
        total: sizes.total_space(),
        used: sizes.total_space().saturating_sub(sizes.free_space()),
        available: sizes.available_space(),
        inodes: 0,
        inodes_available: 0,
        is_mount_point: real.parent().is_none(),
    })
}

/// Users have no numbers here, and files no group.
pub(in crate::file) fn account(_: &AccountProbe) -> Result<Option<Account>, CheckError> {
    Err(crate::platform::lacks("look up users and groups", "Unix's users and groups"))
}
