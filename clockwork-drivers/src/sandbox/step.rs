//! [`Step`]: one step to a view of the file system, in a process that may mount.

use std::{
    ffi::{CStr, CString},
    os::fd::OwnedFd,
};

use nix::{
    errno::Errno,
    mount::{MsFlags, mount},
    sys::{stat::Mode, statvfs::FsFlags},
    unistd::mkdir,
};
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};

/// The old root, while the new one is being built.
pub(super) const OLD: &str = "/old";
pub(super) const NEW: &str = "/new";

#[derive(Debug)]
pub(super) enum Step {
    Directory(CString),
    File(CString),
    Link {
        target: CString,
        path: CString,
    },
    /// What is at `from` is shown at `to`.
    Show {
        from: CString,
        to: CString,
    },
    /// It may not be written to, nor hold devices or programs that run as their owner.
    Guard {
        path: CString,
        write: bool,
    },
    /// The same for what is mounted inside of what is shown. What cannot be reached needs no guard.
    GuardInside {
        path: CString,
        write: bool,
    },
    /// An empty directory in memory.
    Memory(CString),
}

/// Where the new root is: still beneath [`NEW`], or entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    New,
    Root,
}

impl At {
    pub(super) fn path(self, path: &CStr) -> &CStr {
        match self {
            Self::New => path,
            Self::Root => {
                let inside = path.to_bytes_with_nul().get(NEW.len()..).unwrap_or_default();
                CStr::from_bytes_with_nul(inside).unwrap_or(path)
            }
        }
    }
}

impl Step {
    pub(super) fn path(&self) -> &CStr {
        match self {
            Self::Directory(path) | Self::File(path) | Self::Memory(path) => path,
            Self::Link { path, .. } | Self::Guard { path, .. } | Self::GuardInside { path, .. } => path,
            Self::Show { to, .. } => to,
        }
    }

    pub(super) fn is_in_tmp(&self) -> bool {
        self.path().to_bytes().starts_with(b"/new/tmp/")
    }

    /// What this shows, to be put into a view in which there is no way to it.
    pub(super) fn take_along(&self) -> nix::Result<Option<OwnedFd>> {
        let Self::Show { from, .. } = self else { return Ok(None) };
        let from = from.to_bytes_with_nul().get(OLD.len()..).unwrap_or_default();
        let from = CStr::from_bytes_with_nul(from).map_err(|_| Errno::EINVAL)?;
        let flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        open_tree(rustix::fs::CWD, from, flags).map(Some).map_err(errno)
    }

    /// Takes it. `tree` is what [`Step::take_along`] has taken along, `room` how large what is kept in memory may become.
    pub(super) fn take(&self, at: At, tree: Option<&OwnedFd>, room: &CStr) -> nix::Result<()> {
        let none: Option<&str> = None;
        let there = |made: nix::Result<()>| match made {
            Err(Errno::EEXIST) => Ok(()),
            made => made,
        };
        let path = at.path(self.path());
        match self {
            Self::Directory(_) => there(mkdir(path, Mode::from_bits_truncate(0o755))),
            Self::File(_) => file(path),
            Self::Link { target, .. } => {
                there(nix::unistd::symlinkat(target.as_c_str(), nix::fcntl::AT_FDCWD, path))
            }
            Self::Show { from, .. } => match tree {
                None => mount(Some(from.as_c_str()), path, none, MsFlags::MS_BIND | MsFlags::MS_REC, none),
                Some(tree) => {
                    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
                    Ok(move_mount(tree, c"", rustix::fs::CWD, path, flags).map_err(errno)?)
                }
            },
            Self::Guard { write, .. } => guard(path, *write),
            Self::GuardInside { write, .. } => match guard(path, *write) {
                Err(Errno::EACCES | Errno::ENOENT | Errno::ENOTDIR) => Ok(()),
                guarded => guarded,
            },
            Self::Memory(_) => {
                mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV, Some(room))
            }
        }
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}

pub(super) fn file(path: &CStr) -> nix::Result<()> {
    let flags = nix::fcntl::OFlag::O_CREAT | nix::fcntl::OFlag::O_WRONLY | nix::fcntl::OFlag::O_CLOEXEC;
    match nix::fcntl::open(path, flags, Mode::from_bits_truncate(0o444)) {
        // In what is shown already.
        Err(Errno::EROFS | Errno::ETXTBSY | Errno::EACCES) => Ok(()),
        made => made.map(drop),
    }
}

/// The flags that a mount has are kept, as they have to be in a user namespace. Those of access times Linux keeps by itself
/// where none is given.
pub(super) fn guard(path: &CStr, write: bool) -> nix::Result<()> {
    let has = nix::sys::statvfs::statvfs(path)?.flags();
    let mut flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    for (known, flag) in [(FsFlags::ST_RDONLY, MsFlags::MS_RDONLY), (FsFlags::ST_NOEXEC, MsFlags::MS_NOEXEC)]
    {
        if has.contains(known) {
            flags |= flag;
        }
    }
    if !write {
        flags |= MsFlags::MS_RDONLY;
    }
    let none: Option<&str> = None;
    mount(none, path, none, flags, none)
}
