//! [`FilesystemUsageProbe`]: how full a filesystem is, as `df` counts it; [`DirectoryUsageProbe`]: how much a
//! directory tree takes, as `du -x` counts it.

use std::{
    collections::HashSet,
    ffi::OsStr,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clockwork_core::{CheckError, Context, Fault, Probe};
use nix::{
    dir::Dir,
    errno::Errno,
    fcntl::{AtFlags, OFlag},
    sys::{
        stat::{FileStat, Mode, fstat, fstatat},
        statvfs::fstatvfs,
    },
};

use super::{
    FileType, Missing,
    place::parent,
    root::{Root, aside, in_line},
    scan::Abandon,
    show_path,
};

/// How deep a tree is walked: each level holds a descriptor.
const DEPTH: usize = 256;

/// How full the filesystem that holds a path is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FilesystemUsageProbe {
    /// Any path in it; links are followed.
    pub path: PathBuf,
}

/// How full a filesystem is.
#[derive(Debug, Clone, PartialEq)]
pub struct FilesystemUsage {
    /// Its size in bytes.
    pub total: u64,
    /// The bytes in use: `df`'s `Used`.
    pub used: u64,
    /// The bytes that anybody but root can still take: `df`'s `Avail`. What is reserved is neither used nor this.
    pub available: u64,
    /// How many files and directories it can hold; 0 where that is not limited (btrfs).
    pub inodes: u64,
    /// How many more anybody but root can make.
    pub inodes_available: u64,
    /// Whether the path is where the filesystem is mounted.
    pub is_mount_point: bool,
}

impl FilesystemUsage {
    /// How full it is for everybody but root, as `df` computes it; `None` for one without a size (`/proc`).
    pub fn percent(&self) -> Option<f64> {
        let all = self.used + self.available;
        #[expect(clippy::cast_precision_loss, reason = "a percentage needs no more than 52 bits")]
        (all > 0).then(|| self.used as f64 * 100.0 / all as f64)
    }
}

impl Probe for FilesystemUsageProbe {
    type Observation = Result<FilesystemUsage, Missing>;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        mounted(cx, &self.path).await?;
        let path = self.path.clone();
        in_line(cx, move |root| match filesystem(root, &path) {
            Ok(usage) => Ok(Ok(usage)),
            Err(errno) => root.explain(&path, "measure", errno).map(Err),
        })
        .await
    }

    fn describe(&self) -> String {
        format!("measuring the filesystem of {}", show_path(&self.path))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

/// A file system is measured where it is mounted: what the engine tells of a container that does not run here has no sizes.
async fn mounted(cx: &Context, path: &Path) -> Result<(), CheckError> {
    #[cfg(feature = "container")]
    if let Some(archive) = super::archive::instead(cx).await? {
        let shown = show_path(path);
        return Err(CheckError::unobservable(format!(
            "cannot measure {shown} inside {}: its container {}",
            cx.vantage().as_str(),
            archive.why
        ))
        .hint("a file system is measured where it is mounted: the container has to run, on this machine"));
    }
    let _ = (cx, path);
    Ok(())
}

fn filesystem(root: &Root, path: &Path) -> nix::Result<FilesystemUsage> {
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

/// How much a directory tree, or a single file, takes on the disk. It stays on one filesystem, and follows no links
/// but those of the path itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DirectoryUsageProbe {
    /// The path.
    pub path: PathBuf,
}

/// How much a directory tree takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectoryUsage {
    /// The bytes that it takes on the disk: holes take none, a file with several names is counted once.
    pub bytes: u64,
    /// How many entries were counted.
    pub entries: u64,
    /// The first directory that could not be looked into, and why: then `bytes` is the least that it can be.
    pub unseen: Option<(PathBuf, String)>,
}

impl Probe for DirectoryUsageProbe {
    type Observation = Result<DirectoryUsage, Missing>;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        mounted(cx, &self.path).await?;
        let path = self.path.clone();
        let abandon = Abandon::default();
        let (abandoned, progress) = (abandon.flag(), cx.clone());
        aside(cx, move |root| {
            let start = root.open_at(&path, OFlag::O_PATH).and_then(|here| Ok((fstat(&here)?, here)));
            let (seen, here) = match start {
                Ok(start) => start,
                Err(errno) => return root.explain(&path, "measure", errno).map(Err),
            };
            let (device, linked) = (seen.st_dev, HashSet::new());
            let mut walk = Walk { usage: DirectoryUsage::default(), device, linked, abandoned, progress };
            walk.count(&seen);
            if FileType::of(seen.st_mode) == FileType::Directory {
                walk.descend(&here, OsStr::new("."), &path, 0)?;
            }
            Ok(Ok(walk.usage))
        })
        .await
    }

    fn describe(&self) -> String {
        format!("measuring what {} takes", show_path(&self.path))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

struct Walk {
    usage: DirectoryUsage,
    device: u64,
    linked: HashSet<u64>,
    abandoned: Arc<AtomicBool>,
    progress: Context,
}

impl Walk {
    fn count(&mut self, seen: &FileStat) {
        if seen.st_nlink > 1
            && FileType::of(seen.st_mode) != FileType::Directory
            && !self.linked.insert(seen.st_ino)
        {
            return;
        }
        self.usage.bytes += u64::try_from(seen.st_blocks).unwrap_or(0) * 512;
        self.usage.entries += 1;
        if self.usage.entries.is_multiple_of(10_000) {
            self.progress.phase(format!("{} entries counted", self.usage.entries));
        }
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
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(CheckError::unobservable("nobody waits any more"));
        }
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
