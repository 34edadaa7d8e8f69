//! How much a filesystem or a tree holds.

use std::{
    collections::HashSet,
    ffi::OsStr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use clockwork_core::CheckError;
use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{AtFlags, OFlag},
    sys::{
        stat::{FileStat, Mode, fstat, fstatat},
        statvfs::fstatvfs,
    },
};

use super::Root;
use crate::file::{
    DirectoryUsage, FileType, FilesystemUsage, Missing,
    place::parent,
    usage::{DEPTH, Walked},
};

/// How full the filesystem is that holds a path.
pub(in crate::file) fn filesystem(
    root: &Root,
    path: &Path,
) -> Result<Result<FilesystemUsage, Missing>, CheckError> {
    match try_filesystem(root, path) {
        Ok(usage) => Ok(Ok(usage)),
        Err(errno) => root.explain(path, "measure", errno).map(Err),
    }
}

fn try_filesystem(root: &Root, path: &Path) -> nix::Result<FilesystemUsage> {
    let here = root.open_at(path, OFlag::O_PATH)?;
    let (seen, sizes) = (fstat(&here)?, fstatvfs(&here)?);
    let block = sizes.fragment_size();
    let above = if FileType::of(seen.st_mode) == FileType::Directory {
        root.stat(&path.join("..")).ok()
    } else {
        root.stat(&parent(path)).ok()
    };
    let is_directory = FileType::of(seen.st_mode) == FileType::Directory;
    let is_mount_point =
        is_directory && above.is_some_and(|above| above.st_dev != seen.st_dev || above.st_ino == seen.st_ino);
    Ok(FilesystemUsage {
        total: sizes.blocks() * block,
        used: sizes.blocks().saturating_sub(sizes.blocks_free()) * block,
        available: sizes.blocks_available() * block,
        inodes: sizes.files(),
        inodes_available: sizes.files_available(),
        is_mount_point,
    })
}

/// How much a tree takes.
pub(in crate::file) fn directory(
    root: &Root,
    path: &Path,
    walked: &Walked,
) -> Result<Result<DirectoryUsage, Missing>, CheckError> {
    let start = root.open_at(path, OFlag::O_PATH).and_then(|here| Ok((fstat(&here)?, here)));
    let (seen, here) = match start {
        Ok(start) => start,
        Err(errno) => return root.explain(path, "measure", errno).map(Err),
    };
    let (device, linked) = (seen.st_dev, HashSet::new());
    let mut walk = Walk { usage: DirectoryUsage::default(), device, linked, walked };
    walk.count(&seen);
    if FileType::of(seen.st_mode) == FileType::Directory {
        walk.descend(&here, OsStr::new("."), path, 0)?;
    }
    Ok(Ok(walk.usage))
}

struct Walk<'a> {
    usage: DirectoryUsage,
    device: u64,
    linked: HashSet<u64>,
    walked: &'a Walked,
}

impl Walk<'_> {
    fn count(&mut self, seen: &FileStat) {
        if seen.st_nlink > 1
            && FileType::of(seen.st_mode) != FileType::Directory
            && !self.linked.insert(seen.st_ino)
        {
            return;
        }
        self.usage.bytes += u64::try_from(seen.st_blocks).unwrap_or(0) * 512;
        self.usage.entries += 1;
        self.walked.counted(self.usage.entries);
    }

    /// Everything in the directory `name` of `above`. Relative to descriptors, so that nobody who moves things about
    /// leads us elsewhere.
    fn descend(
        &mut self,
        above: &OwnedFd,
        name: &OsStr,
        path: &Path,
        depth: usize,
    ) -> Result<(), CheckError> {
        self.walked.goes_on()?;
        if depth == DEPTH {
            self.unseen(path, format!("it is more than {DEPTH} directories deep"));
            return Ok(());
        }
        let flags =
            OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
        let opened = nix::fcntl::openat(above.as_fd(), name, flags, Mode::empty());
        let listed = opened.and_then(|here| Ok((Dir::from_fd(here.try_clone().map_err(io_errno)?)?, here)));
        let (mut directory, here) = match listed {
            Ok(listed) => listed,
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) if depth > 0 => return Ok(()), // gone by now
            Err(errno) => {
                self.unseen(path, errno.desc().to_lowercase());
                return Ok(());
            }
        };
        for entry in directory.iter() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(errno) => {
                    self.unseen(path, errno.desc().to_lowercase());
                    return Ok(());
                }
            };
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let seen = match fstatat(&here, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(seen) => seen,
                Err(Errno::ENOENT) => continue, // gone by now
                Err(errno) => {
                    self.unseen(&path.join(name), errno.desc().to_lowercase());
                    continue;
                }
            };
            if seen.st_dev != self.device {
                continue;
            }
            self.count(&seen);
            if FileType::of(seen.st_mode) == FileType::Directory {
                self.descend(&here, name, &path.join(name), depth + 1)?;
            }
        }
        Ok(())
    }

    fn unseen(&mut self, path: &Path, why: String) {
        self.usage.unseen.get_or_insert_with(|| (path.to_owned(), why));
    }
}

fn io_errno(error: std::io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
