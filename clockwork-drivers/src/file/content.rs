//! [`FileContentProbe`]: the bytes of a file, up to a bound.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use clockwork_core::{CheckError, Context, Fault, Probe};

use super::{
    Found,
    look::{aside, in_line},
    place::equal_by_the_letter,
    show_path,
    system::{self, Root},
};

/// Up to this many bytes a file is read at once and shared; larger ones are scanned in chunks.
pub const IN_MEMORY: usize = 1 << 20;

/// Up to this many bytes a file is read as a document (JSON, YAML, TOML), which has to be in memory as a whole.
pub const DOCUMENT_LIMIT: usize = 16 << 20;

/// Reads a file, following links.
#[derive(Debug, Clone)]
pub struct FileContentProbe {
    /// The path.
    pub path: PathBuf,
    /// How many bytes are read at most.
    pub limit: usize,
}

equal_by_the_letter!(FileContentProbe, limit);

impl FileContentProbe {
    /// Reads up to [`IN_MEMORY`] bytes.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), limit: IN_MEMORY }
    }

    /// Reads up to [`DOCUMENT_LIMIT`] bytes.
    pub fn document(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), limit: DOCUMENT_LIMIT }
    }
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileBytes {
    /// All of it.
    Whole(Arc<[u8]>),
    /// It is larger than was asked for; so many bytes, as far as could be seen.
    Larger(u64),
}

impl Probe for FileContentProbe {
    type Observation = Found<FileBytes>;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let Self { path, limit } = self.clone();
        #[cfg(feature = "container")]
        if let Some(archive) = super::archive::instead(cx).await? {
            return archive.read(&path, limit, cx).await;
        }
        if limit <= IN_MEMORY {
            in_line(cx, move |root| read(root, &path, limit)).await
        } else {
            aside(cx, move |root| read(root, &path, limit)).await
        }
    }

    fn describe(&self) -> String {
        format!("reading {}", show_path(&self.path))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(seen: &Self::Observation) -> usize {
        match seen {
            Found::There(FileBytes::Whole(bytes)) => bytes.len(),
            _ => 256,
        }
    }
}

/// All of a file that holds at most `limit` bytes. The size that it claims is a hint only: files in `/proc` claim 0,
/// and any file may grow.
pub(super) fn read(root: &Root, path: &Path, limit: usize) -> Result<Found<FileBytes>, CheckError> {
    let (file, claimed) = match system::open(root, path)? {
        Found::There(opened) => opened,
        Found::NotRegular(what) => return Ok(Found::NotRegular(what)),
        Found::Missing(missing) => return Ok(Found::Missing(missing)),
    };
    if claimed > limit as u64 {
        return Ok(Found::There(FileBytes::Larger(claimed)));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(claimed).unwrap_or(0) + 1);
    let read = file.take(limit as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| broken(path, error))?;
    if bytes.len() > limit {
        return Ok(Found::There(FileBytes::Larger(bytes.len() as u64)));
    }
    Ok(Found::There(FileBytes::Whole(bytes.into())))
}

/// A file that was opened and cannot be read to its end.
pub(super) fn broken(path: &Path, error: io::Error) -> CheckError {
    let shown = show_path(path);
    match error.kind() {
        // Some files of the kernel wait for news (`/proc/kmsg`).
        io::ErrorKind::WouldBlock => {
            CheckError::unobservable(format!("cannot read {shown}: it has no end, reading it waits for more"))
        }
        _ => {
            CheckError::unobservable(format!("cannot read {shown} to its end")).with_source(error).retryable()
        }
    }
}
