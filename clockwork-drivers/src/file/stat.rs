//! [`FileStatProbe`]: what is at a path.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use clockwork_core::{CheckError, Context, Fault, Probe};
use nix::{errno::Errno, libc};

use super::{
    Missing,
    place::parent,
    root::{Root, in_line},
    show_path,
};

/// What is at a path: its type, mode, owner, size and time, following links.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileStatProbe {
    /// The path.
    pub path: PathBuf,
}

impl FileStatProbe {
    /// Asks about this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

/// What reading at a path brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found<T> {
    /// It is there.
    There(T),
    /// It is there, but not of the type that can be read: a directory, a device, a FIFO, a socket.
    NotRegular(FileType),
    /// Nothing is there.
    Missing(Missing),
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileMeta {
    /// Its type.
    pub file_type: FileType,
    /// The permission bits, with setuid, setgid and sticky (`0o7777`).
    pub mode: u32,
    /// The owner's id, as it is known at the vantage.
    pub uid: u32,
    /// The group's id, as it is known at the vantage.
    pub gid: u32,
    /// The size in bytes.
    pub size: u64,
    /// When its content last changed.
    pub modified: SystemTime,
    /// Where the path leads, if it is a symbolic link.
    pub link: Option<PathBuf>,
    /// Directories on the way in which anyone may replace the file, or a link to it: world-writable without the
    /// sticky bit. With their modes.
    pub open_parents: Vec<(PathBuf, u32)>,
}

/// The type of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FileType {
    /// A regular file.
    Regular,
    /// A directory.
    Directory,
    /// A symbolic link (only where links are not followed).
    Link,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A character device.
    CharacterDevice,
    /// A block device.
    BlockDevice,
    /// Something that this program does not know.
    Unknown,
}

impl FileType {
    pub(super) fn of(mode: libc::mode_t) -> Self {
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

/// With its article: `a directory`.
impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regular => "a regular file",
            Self::Directory => "a directory",
            Self::Link => "a symbolic link",
            Self::Fifo => "a FIFO",
            Self::Socket => "a socket",
            Self::CharacterDevice => "a character device",
            Self::BlockDevice => "a block device",
            Self::Unknown => "of an unknown type",
        })
    }
}

impl Probe for FileStatProbe {
    type Observation = Result<FileMeta, Missing>;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        #[cfg(feature = "container")]
        if let Some(archive) = super::archive::instead(cx).await? {
            return archive.stat(&self.path, cx).await;
        }
        let path = self.path.clone();
        in_line(cx, move |root| stat(root, &path)).await
    }

    fn describe(&self) -> String {
        format!("looking at {}", show_path(&self.path))
    }

    /// A file is silent when its server or disk is; that says nothing about the file.
    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

/// How many links are followed, as in the kernel.
const LINKS: usize = 40;

pub(super) fn stat(root: &Root, path: &Path) -> Result<Result<FileMeta, Missing>, CheckError> {
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
