//! What macOS and its relatives tell of files, as Linux does.

use std::{
    fs::{self, Metadata, OpenOptions},
    io,
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::Path,
};

use nix::{errno::Errno, libc};

use super::Facts;
use crate::file::{FileType, FilesystemUsage, place::parent};

#[cfg(not(target_os = "linux"))]
pub(in crate::file) use crate::file::account_unix::account;

pub(super) fn facts(seen: &Metadata) -> Facts {
    let kind = seen.file_type();
    let file_type = match () {
        () if kind.is_file() => FileType::Regular,
        () if kind.is_dir() => FileType::Directory,
        () if kind.is_symlink() => FileType::Link,
        () if kind.is_fifo() => FileType::Fifo,
        () if kind.is_socket() => FileType::Socket,
        () if kind.is_char_device() => FileType::CharacterDevice,
        () if kind.is_block_device() => FileType::BlockDevice,
        () => FileType::Unknown,
    };
    Facts {
        file_type,
        mode: seen.mode() & 0o7777,
        uid: seen.uid(),
        gid: seen.gid(),
        device: seen.dev(),
        shared: (seen.nlink() > 1).then(|| seen.ino()),
        taken: seen.blocks() * 512,
    }
}

pub(super) fn is_loop(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ELOOP)
}

/// To open what may be no file: never waits, and never becomes our terminal.
pub(super) fn without_waiting() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    options
}

/// A file that has no name any more.
#[cfg(feature = "container")]
pub(in crate::file) fn nameless() -> io::Result<fs::File> {
    let path = super::open::unused_name();
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}

pub(super) fn filesystem(path: &Path) -> io::Result<FilesystemUsage> {
    let seen = fs::metadata(path)?;
    let sizes = nix::sys::statfs::statfs(path).map_err(|errno: Errno| io::Error::from(errno))?;
    let block = sizes.block_size() as u64; // of another type on each system
    let above = if seen.is_dir() { path.join("..") } else { parent(path) };
    let above = fs::metadata(above).ok();
    let is_mount_point =
        seen.is_dir() && above.is_some_and(|above| above.dev() != seen.dev() || above.ino() == seen.ino());
    Ok(FilesystemUsage {
        total: sizes.blocks() * block,
        used: sizes.blocks().saturating_sub(sizes.blocks_free()) * block,
        available: sizes.blocks_available() * block,
        inodes: sizes.files(),
        inodes_available: sizes.files_free(),
        is_mount_point,
    })
}
