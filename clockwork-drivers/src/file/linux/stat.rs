//! What is at a path, as the kernel tells it.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use clockwork_core::CheckError;
use nix::{errno::Errno, libc};

use super::Root;
use crate::file::{FileMeta, FileType, Missing, place::parent};

impl FileType {
    pub(in crate::file) fn of(mode: libc::mode_t) -> Self {
        match mode & libc::S_IFMT {
            libc::S_IFREG => Self::Regular,
            libc::S_IFDIR => Self::Directory,
            libc::S_IFLNK => Self::Link,
            libc::S_IFIFO => Self::Fifo,
            libc::S_IFSOCK => Self::Socket,
            libc::S_IFCHR => Self::CharacterDevice,
            libc::S_IFBLK => Self::BlockDevice,
            _ => Self::Unknown,
        }
    }
}

/// How many links are followed, as in the kernel.
const LINKS: usize = 40;

pub(in crate::file) fn stat(root: &Root, path: &Path) -> Result<Result<FileMeta, Missing>, CheckError> {
    match try_stat(root, path) {
        Ok(meta) => Ok(Ok(meta)),
        Err(errno) => root.explain(path, "look at", errno).map(Err),
    }
}

fn try_stat(root: &Root, path: &Path) -> nix::Result<FileMeta> {
    let mut seen = root.lstat(path)?;
    let mut link = None;
    let mut parents = vec![parent(path)];
    if FileType::of(seen.st_mode) == FileType::Link {
        seen = root.stat(path)?;
        // The links of the last component, one by one, for the directories that hold them.
        let mut here = path.to_owned();
        while let Ok(target) = root.read_link(&here)
            && parents.len() <= LINKS
        {
            here = parent(&here).join(&target);
            parents.push(parent(&here));
            link.get_or_insert(target);
        }
    }
    let mut open_parents = Vec::new();
    for directory in parents {
        match root.stat(&directory) {
            Ok(seen) if seen.st_mode & 0o1002 == 0o002 => {
                open_parents.push((directory, seen.st_mode & 0o7777));
            }
            // To search a directory is enough to see the file, and to see the directory too.
            Ok(_) | Err(Errno::ENOENT | Errno::EACCES) => {}
            Err(errno) => return Err(errno),
        }
    }
    let since_epoch =
        Duration::new(seen.st_mtime.unsigned_abs(), u32::try_from(seen.st_mtime_nsec).unwrap_or(0));
    let modified = if seen.st_mtime < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(seen.st_mtime.unsigned_abs()))
    } else {
        SystemTime::UNIX_EPOCH.checked_add(since_epoch)
    };
    Ok(FileMeta {
        file_type: FileType::of(seen.st_mode),
        mode: seen.st_mode & 0o7777,
        uid: root.user(seen.st_uid),
        gid: root.group(seen.st_gid),
        size: u64::try_from(seen.st_size).unwrap_or(0),
        modified: modified.unwrap_or(SystemTime::UNIX_EPOCH),
        link,
        open_parents,
    })
}
