//! [`FileStatProbe`]: what is at a path.

use std::{fmt, path::PathBuf, time::SystemTime};

use clockwork_core::{CheckError, Context, Fault, Probe};

use super::{Missing, look::in_line, place::equal_by_the_letter, show_path, system};

/// What is at a path: its type, mode, owner, size and time, following links.
#[derive(Debug, Clone)]
pub struct FileStatProbe {
    /// The path.
    pub path: PathBuf,
}

equal_by_the_letter!(FileStatProbe);

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

impl<T> Found<T> {
    /// The same with something else made of what is there.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Self::There(there) => Found::There(make(there)),
            Self::NotRegular(what) => Found::NotRegular(what),
            Self::Missing(missing) => Found::Missing(missing),
        }
    }
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

/// What stands for the bits and the numbers of files that have none: on Windows.
#[cfg(windows)]
pub(super) const NO_MODE: u32 = 0o7777;
#[cfg(windows)]
pub(super) const NO_ACCOUNT: u32 = u32::MAX;

impl FileMeta {
    /// Asks whether [`FileMeta::mode`], [`FileMeta::uid`] and [`FileMeta::gid`] mean something. They always do where the file
    /// is one of Unix's; on Windows they do for the files of containers alone.
    ///
    /// # Errors
    /// Where they mean nothing: then nothing may be concluded from them.
    pub fn has_rights(&self) -> Result<(), CheckError> {
        #[cfg(windows)]
        if (self.mode, self.uid) == (NO_MODE, NO_ACCOUNT) {
            return Err(crate::platform::lacks(
                "tell whose a file is and who may use it",
                "Unix's permissions",
            ));
        }
        Ok(())
    }
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
            return Box::pin(archive.stat(&self.path, cx)).await;
        }
        let path = self.path.clone();
        in_line(cx, move |root| system::stat(root, &path)).await
    }

    fn describe(&self) -> String {
        format!("looking at {}", show_path(&self.path))
    }

    /// A file is silent when its server or disk is; that says nothing about the file.
    fn silence(&self) -> Fault {
        Fault::Observer
    }
}
