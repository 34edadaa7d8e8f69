//! Where paths are resolved: on the host, or under a container's root directory.

use std::{
    io,
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use clockwork_core::CheckError;
use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::{FileStat, Mode, fstat, lstat, stat},
};

use crate::{
    file::{Absence, Missing, absence::prefixes, place::parent, show_path},
    vantage::{self, IdMap},
};

/// How often a resolution that raced with a rename is tried again (`openat2` says `EAGAIN` then).
const RACES: usize = 16;

/// Where paths are resolved. Use it on a blocking thread only: a hung file server must not hang the runtime.
#[derive(Debug)]
pub(in crate::file) enum Root {
    Host,
    Inside { root: OwnedFd, users: IdMap, groups: IdMap },
}

impl Root {
    /// The root of `pid`, or the host's own.
    pub(in crate::file) fn open(pid: Option<u32>) -> Result<Self, CheckError> {
        let Some(pid) = pid else { return Ok(Self::Host) };
        let path = format!("/proc/{pid}/root");
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(path.as_str(), flags, Mode::empty())
            .map_err(|errno| vantage::no_entry(pid, errno.into()))?;
        Ok(Self::Inside { root, users: IdMap::users(pid)?, groups: IdMap::groups(pid)? })
    }

    /// A directory as the root, with the ids of the host: a container's file system that is only a directory.
    #[cfg(test)]
    pub(in crate::file) fn at(directory: &Path) -> io::Result<Self> {
        let root = std::fs::File::open(directory)?.into();
        Ok(Self::Inside { root, users: IdMap::identity(), groups: IdMap::identity() })
    }

    pub(in crate::file) fn is_host(&self) -> bool {
        matches!(self, Self::Host)
    }

    /// What the path names, following links.
    pub(in crate::file) fn stat(&self, path: &Path) -> nix::Result<FileStat> {
        match self {
            Self::Host => stat(path),
            Self::Inside { .. } => fstat(self.open_at(path, OFlag::O_PATH)?),
        }
    }

    /// What the path names, or the link that is there.
    pub(in crate::file) fn lstat(&self, path: &Path) -> nix::Result<FileStat> {
        match self {
            Self::Host => lstat(path),
            Self::Inside { .. } => fstat(self.open_at(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)?),
        }
    }

    /// Where the link leads.
    pub(in crate::file) fn read_link(&self, path: &Path) -> nix::Result<PathBuf> {
        let target = match self {
            Self::Host => nix::fcntl::readlink(path)?,
            Self::Inside { .. } => {
                nix::fcntl::readlinkat(self.open_at(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)?, "")?
            }
        };
        Ok(target.into())
    }

    /// A descriptor, following links, closed on exec. Never waits, and never becomes our terminal.
    pub(in crate::file) fn open_at(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
        let flags = flags | OFlag::O_CLOEXEC | OFlag::O_NOCTTY;
        match self {
            Self::Host => nix::fcntl::open(path, flags, Mode::empty()),
            Self::Inside { root, .. } => {
                // `openat2` refuses what `open` ignores.
                let flags = if flags.contains(OFlag::O_PATH) { flags - OFlag::O_NOCTTY } else { flags };
                let how = OpenHow::new().flags(flags).resolve(ResolveFlag::RESOLVE_IN_ROOT);
                let mut tried = openat2(root.as_fd(), path, how);
                for _ in 0..RACES {
                    if tried.as_ref().err() != Some(&Errno::EAGAIN) {
                        break;
                    }
                    tried = openat2(root.as_fd(), path, how);
                }
                tried
            }
        }
    }

    /// A user's id as it is known here.
    pub(in crate::file) fn user(&self, id: u32) -> u32 {
        match self {
            Self::Host => id,
            Self::Inside { users, .. } => users.inside(id),
        }
    }

    /// A group's id as it is known here.
    pub(in crate::file) fn group(&self, id: u32) -> u32 {
        match self {
            Self::Host => id,
            Self::Inside { groups, .. } => groups.inside(id),
        }
    }

    /// What an error at this path means: that nothing is there, or that we could not look.
    pub(in crate::file) fn explain(
        &self,
        path: &Path,
        doing: &str,
        errno: Errno,
    ) -> Result<Missing, CheckError> {
        match errno {
            Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP => Ok(self.missing(path, errno)),
            Errno::ENAMETOOLONG => Ok(Missing { path: path.to_owned(), why: Absence::NameTooLong }),
            _ => Err(self.blind(path, doing, errno)),
        }
    }

    /// Which component of the path is not there.
    fn missing(&self, path: &Path, errno: Errno) -> Missing {
        for prefix in prefixes(path) {
            let found = match self.stat(&prefix) {
                Ok(_) => continue,
                Err(Errno::ENOENT) => match self.read_link(&prefix) {
                    Ok(target) => Absence::DanglingLink(target),
                    Err(_) => Absence::NotThere,
                },
                Err(Errno::ELOOP) => Absence::LinkLoop,
                Err(Errno::ENOTDIR) => {
                    return Missing { path: parent(&prefix), why: Absence::NotADirectory };
                }
                Err(_) => continue,
            };
            return Missing { path: prefix, why: found };
        }
        // A file with a slash behind it, or what was missing is there by now.
        let why = if errno == Errno::ENOTDIR { Absence::NotADirectory } else { Absence::NotThere };
        Missing { path: path.components().collect(), why }
    }

    /// Why we could not look, and what to do about it.
    fn blind(&self, path: &Path, doing: &str, errno: Errno) -> CheckError {
        let shown = show_path(path);
        match errno {
            Errno::EACCES | Errno::EPERM => {
                let closed = prefixes(path)
                    .find(|prefix| self.lstat(prefix).err() == Some(Errno::EACCES))
                    .map(|prefix| parent(&prefix));
                let message = match closed {
                    Some(directory) => {
                        format!("cannot {doing} {shown}: no permission to search {}", show_path(&directory))
                    }
                    None => format!("cannot {doing} {shown}: permission denied"),
                };
                CheckError::unobservable(message).hint("run as a user who may, for example with `sudo`")
            }
            Errno::ENOSYS if matches!(self, Self::Inside { .. }) => {
                CheckError::unobservable(format!("cannot {doing} {shown} inside a container"))
                    .hint("this needs Linux 5.6 or newer (`openat2`)")
            }
            _ => CheckError::unobservable(format!("cannot {doing} {shown}"))
                .with_source(io::Error::from(errno))
                .retryable(),
        }
    }
}
