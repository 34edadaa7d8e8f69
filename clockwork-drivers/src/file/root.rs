//! Where paths are resolved: on the host, or under a container's root directory.

use std::{
    fmt, io,
    os::fd::{AsFd, OwnedFd},
    path::{Component, Path, PathBuf},
};

use clockwork_core::{CheckError, Context};
use nix::{
    errno::Errno,
    fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
    sys::stat::{FileStat, Mode, fstat, lstat, stat},
};

use super::{lane::Lane, place::parent, show_path};
use crate::vantage::{self, IdMap};

/// How often a resolution that raced with a rename is tried again (`openat2` says `EAGAIN` then).
const RACES: usize = 16;

/// Where paths are resolved. Use it on a blocking thread only: a hung file server must not hang the runtime.
#[derive(Debug)]
pub(super) enum Root {
    Host,
    Inside { root: OwnedFd, users: IdMap, groups: IdMap },
}

impl Root {
    /// The root of `pid`, or the host's own.
    pub(super) fn open(pid: Option<u32>) -> Result<Self, CheckError> {
        let Some(pid) = pid else { return Ok(Self::Host) };
        let path = format!("/proc/{pid}/root");
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let root = nix::fcntl::open(path.as_str(), flags, Mode::empty())
            .map_err(|errno| vantage::no_entry(pid, errno.into()))?;
        Ok(Self::Inside { root, users: IdMap::users(pid)?, groups: IdMap::groups(pid)? })
    }

    /// A directory as the root, with the ids of the host: a container's file system that is only a directory.
    #[cfg(test)]
    pub(super) fn at(directory: &Path) -> io::Result<Self> {
        let root = std::fs::File::open(directory)?.into();
        Ok(Self::Inside { root, users: IdMap::identity(), groups: IdMap::identity() })
    }

    /// What the path names, following links.
    pub(super) fn stat(&self, path: &Path) -> nix::Result<FileStat> {
        match self {
            Self::Host => stat(path),
            Self::Inside { .. } => fstat(self.open_at(path, OFlag::O_PATH)?),
        }
    }

    /// What the path names, or the link that is there.
    pub(super) fn lstat(&self, path: &Path) -> nix::Result<FileStat> {
        match self {
            Self::Host => lstat(path),
            Self::Inside { .. } => fstat(self.open_at(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)?),
        }
    }

    /// Where the link leads.
    pub(super) fn read_link(&self, path: &Path) -> nix::Result<PathBuf> {
        let target = match self {
            Self::Host => nix::fcntl::readlink(path)?,
            Self::Inside { .. } => {
                nix::fcntl::readlinkat(self.open_at(path, OFlag::O_PATH | OFlag::O_NOFOLLOW)?, "")?
            }
        };
        Ok(target.into())
    }

    /// A descriptor, following links, closed on exec. Never waits, and never becomes our terminal.
    pub(super) fn open_at(&self, path: &Path, flags: OFlag) -> nix::Result<OwnedFd> {
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
    pub(super) fn user(&self, id: u32) -> u32 {
        match self {
            Self::Host => id,
            Self::Inside { users, .. } => users.inside(id),
        }
    }

    /// A group's id as it is known here.
    pub(super) fn group(&self, id: u32) -> u32 {
        match self {
            Self::Host => id,
            Self::Inside { groups, .. } => groups.inside(id),
        }
    }

    /// What an error at this path means: that nothing is there, or that we could not look.
    pub(super) fn explain(&self, path: &Path, doing: &str, errno: Errno) -> Result<Missing, CheckError> {
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

/// The path's beginnings, shortest first, ending with the whole path.
fn prefixes(path: &Path) -> impl Iterator<Item = PathBuf> {
    let mut prefix = PathBuf::new();
    path.components().filter_map(move |component| {
        prefix.push(component);
        (component != Component::RootDir).then(|| prefix.clone())
    })
}

/// Nothing is at a path, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The component at which it ends.
    pub path: PathBuf,
    /// What is the matter there.
    pub why: Absence,
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Absence {
    /// There is no such entry.
    NotThere,
    /// A symbolic link leads to this target, which is not there.
    DanglingLink(PathBuf),
    /// Symbolic links lead in a circle.
    LinkLoop,
    /// The path goes on, but what is here is no directory.
    NotADirectory,
    /// No filesystem holds a name of this length.
    NameTooLong,
}

impl Missing {
    /// The sentence about `path`: `/srv/app/x is missing: there is no /srv/app`.
    pub fn describe(&self, path: &Path) -> String {
        let shown = show_path(path);
        if self.path == path && self.why == Absence::NotThere {
            return format!("{shown} is missing");
        }
        format!("{shown} is missing: {self}")
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = show_path(&self.path);
        match &self.why {
            Absence::NotThere => write!(f, "there is no {path}"),
            Absence::DanglingLink(target) => {
                write!(f, "the link {path} leads to {}, which is not there", show_path(target))
            }
            Absence::LinkLoop => write!(f, "the link {path} leads in a circle"),
            Absence::NotADirectory => write!(f, "{path} is not a directory"),
            Absence::NameTooLong => write!(f, "the name is too long for any filesystem"),
        }
    }
}

/// A short look, with the root of the vantage: in line with others, so that a thousand of them wake few threads.
pub(super) async fn in_line<T: Send + 'static>(
    cx: &Context,
    look: impl FnOnce(&Root) -> Result<T, CheckError> + Send + 'static,
) -> Result<T, CheckError> {
    let pid = vantage::process(cx).await?;
    match cx.shared::<Lane>().run(move || look(&Root::open(pid)?)).await {
        Some(seen) => seen,
        None => Err(CheckError::unobservable("the look panicked").hint("this is a bug in Clockwork")),
    }
}

/// A look that may take long, with the root of the vantage: on a blocking thread of its own.
pub(super) async fn aside<T: Send + 'static>(
    cx: &Context,
    look: impl FnOnce(&Root) -> Result<T, CheckError> + Send + 'static,
) -> Result<T, CheckError> {
    let pid = vantage::process(cx).await?;
    match tokio::task::spawn_blocking(move || look(&Root::open(pid)?)).await {
        Ok(seen) => seen,
        Err(stopped) => Err(CheckError::unobservable("the look was stopped").with_source(stopped)),
    }
}
