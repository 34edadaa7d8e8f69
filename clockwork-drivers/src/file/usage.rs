//! [`FilesystemUsageProbe`]: how full a filesystem is, as `df` counts it; [`DirectoryUsageProbe`]: how much a
//! directory tree takes, as `du -x` counts it.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clockwork_core::{CheckError, Context, Fault, Probe};

use super::{
    Missing,
    look::{aside, in_line},
    place::equal_by_the_letter,
    scan::Abandon,
    show_path, system,
};

/// How deep a tree is walked: each level holds a descriptor.
pub(super) const DEPTH: usize = 256;

/// How full the filesystem that holds a path is.
#[derive(Debug, Clone)]
pub struct FilesystemUsageProbe {
    /// Any path in it; links are followed.
    pub path: PathBuf,
}

equal_by_the_letter!(FilesystemUsageProbe);

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
        in_line(cx, move |root| system::filesystem(root, &path)).await
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

/// How much a directory tree, or a single file, takes on the disk. It stays on one filesystem, and follows no links
/// but those of the path itself.
#[derive(Debug, Clone)]
pub struct DirectoryUsageProbe {
    /// The path.
    pub path: PathBuf,
}

equal_by_the_letter!(DirectoryUsageProbe);

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
        let walked = Walked::new(abandon.flag(), cx.clone());
        aside(cx, move |root| system::directory(root, &path, &walked)).await
    }

    fn describe(&self) -> String {
        format!("measuring what {} takes", show_path(&self.path))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

/// Who waits for a walk: it ends when nobody does, and tells how far it is.
pub(super) struct Walked {
    abandoned: Arc<AtomicBool>,
    progress: Context,
}

impl Walked {
    pub(super) fn new(abandoned: Arc<AtomicBool>, progress: Context) -> Self {
        Self { abandoned, progress }
    }

    /// # Errors
    /// When nobody waits any more.
    pub(super) fn goes_on(&self) -> Result<(), CheckError> {
        match self.abandoned.load(Ordering::Relaxed) {
            true => Err(CheckError::unobservable("nobody waits any more")),
            false => Ok(()),
        }
    }

    pub(super) fn counted(&self, entries: u64) {
        if entries.is_multiple_of(10_000) {
            self.progress.phase(format!("{entries} entries counted"));
        }
    }
}
