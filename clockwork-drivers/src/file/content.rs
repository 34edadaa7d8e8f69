//! [`FileContentProbe`]: the bytes of a file, up to a bound.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use clockwork_core::{CheckError, Context, Fault, Probe};

use super::{
    Found,
    look::{aside, in_line},
    place::equal_by_the_letter,
    scan::INLINE,
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
    /// What they are read for, in a word.
    purpose: &'static str,
}

equal_by_the_letter!(FileContentProbe, limit);

impl FileContentProbe {
    /// Reads up to [`IN_MEMORY`] bytes.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self::up_to(IN_MEMORY, path)
    }

    /// Reads up to [`DOCUMENT_LIMIT`] bytes.
    pub fn document(path: impl Into<PathBuf>) -> Self {
        Self::up_to(DOCUMENT_LIMIT, path)
    }

    /// Reads up to so many bytes.
    pub fn up_to(limit: usize, path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), limit, purpose: "reading" }
    }

    /// Says that they are read to be searched, where it is told what was waited for.
    #[must_use]
    pub fn to_search(self) -> Self {
        Self { purpose: "searching", ..self }
    }

    /// The same, to be hashed.
    #[must_use]
    pub fn to_hash(self) -> Self {
        Self { purpose: "hashing", ..self }
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

impl FileBytes {
    /// All of it, if it is so small that to look through it here and now costs less than to have others do it.
    pub fn small(&self) -> Option<&[u8]> {
        match self {
            Self::Whole(bytes) if bytes.len() <= INLINE => Some(bytes),
            _ => None,
        }
    }
}

/// Buffers that files are read into: what is kept of them is allocated by who keeps it, since memory that one thread
/// allocates and another frees costs more.
#[derive(Default)]
struct Buffers(Mutex<Vec<Vec<u8>>>);

impl Buffers {
    /// How many are kept.
    const COUNT: usize = 64;

    fn all(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Vec<u8> {
        self.all().pop().unwrap_or_default()
    }

    fn put(&self, mut buffer: Vec<u8>) {
        let mut all = self.all();
        if buffer.capacity() <= INLINE && all.len() < Self::COUNT {
            buffer.clear();
            all.push(buffer);
        }
    }
}

impl Probe for FileContentProbe {
    type Observation = Found<FileBytes>;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let Self { path, limit, .. } = self.clone();
        #[cfg(feature = "container")]
        if let Some(archive) = super::archive::instead(cx).await? {
            return Box::pin(archive.read(&path, limit, cx)).await;
        }
        if limit <= IN_MEMORY {
            let buffers = cx.shared::<Buffers>();
            let mut buffer = buffers.take();
            let read = move |root: &Root| Ok((read_into(root, &path, limit, &mut buffer)?, buffer));
            let (seen, buffer) = in_line(cx, read).await?;
            let seen =
                seen.map(|larger| larger.unwrap_or_else(|| FileBytes::Whole(buffer.as_slice().into())));
            buffers.put(buffer);
            Ok(seen)
        } else {
            aside(cx, move |root| read(root, &path, limit)).await
        }
    }

    fn describe(&self) -> String {
        format!("{} {}", self.purpose, show_path(&self.path))
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

/// All of a file that holds at most `limit` bytes.
pub(super) fn read(root: &Root, path: &Path, limit: usize) -> Result<Found<FileBytes>, CheckError> {
    let mut bytes = Vec::new();
    let seen = read_into(root, path, limit, &mut bytes)?;
    Ok(seen.map(|larger| larger.unwrap_or_else(|| FileBytes::Whole(bytes.into()))))
}

/// The same into an empty buffer, where it holds no more. The size that it claims is a hint only: files in `/proc` claim 0,
/// and any file may grow.
fn read_into(
    root: &Root,
    path: &Path,
    limit: usize,
    bytes: &mut Vec<u8>,
) -> Result<Found<Option<FileBytes>>, CheckError> {
    let (file, claimed) = match system::open(root, path)? {
        Found::There(opened) => opened,
        Found::NotRegular(what) => return Ok(Found::NotRegular(what)),
        Found::Missing(missing) => return Ok(Found::Missing(missing)),
    };
    if claimed > limit as u64 {
        return Ok(Found::There(Some(FileBytes::Larger(claimed))));
    }
    bytes.reserve_exact(usize::try_from(claimed).unwrap_or(0) + 1);
    let read = file.take(limit as u64 + 1).read_to_end(bytes);
    read.map_err(|error| broken(path, error))?;
    Ok(Found::There((bytes.len() > limit).then_some(FileBytes::Larger(bytes.len() as u64))))
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
