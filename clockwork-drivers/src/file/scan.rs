//! [`FileScanProbe`] and [`FileSha256Probe`]: questions about the whole of a file of any size, answered in bounded
//! memory.
//!
//! A file of up to [`IN_MEMORY`](super::IN_MEMORY) bytes is read once for everybody who asks about it
//! ([`FileContentProbe`]); a larger one is read in chunks, and given up within one chunk when nobody waits any more.

use std::{
    fs::File,
    hash::{Hash, Hasher},
    io::{self, Read},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use clockwork_core::{CheckError, Context, Fault, Pattern, Probe};
use sha2::{Digest, Sha256};

use super::{
    FileBytes, FileContentProbe, Found,
    content::broken,
    look::aside,
    place::equal_by_the_letter,
    regex_stream::{Progress, Stream, Unsupported},
    show_path, system,
};

/// How much of a large file is held at a time.
const CHUNK: usize = 256 << 10;

/// How many bytes are hashed or searched without a hop to a blocking thread.
pub(super) const INLINE: usize = 64 << 10;

/// Up to this many bytes a file is held in memory for a regex that cannot be stepped over its chunks (a Unicode `\b`
/// in a text that is not ASCII).
pub const FALLBACK_LIMIT: usize = 64 << 20;

/// What to look for.
#[derive(Debug, Clone)]
pub enum Needle {
    /// These bytes, anywhere.
    Text(String),
    /// A match of this regex, anywhere. What is not UTF-8 is searched too, and matched by nothing but itself.
    Regex(Pattern),
}

impl Needle {
    /// What was written, and whether it is a regex.
    fn key(&self) -> (bool, &str) {
        match self {
            Self::Text(text) => (false, text),
            Self::Regex(regex) => (true, regex.as_str()),
        }
    }

    /// Whether `bytes` hold it: where, if so.
    ///
    /// # Errors
    /// When bytes that are no text cannot be searched for it.
    pub fn find(&self, bytes: &[u8]) -> Result<Option<u64>, CheckError> {
        let start = match (self, std::str::from_utf8(bytes)) {
            (Self::Text(text), Ok(all)) => all.find(text.as_str()),
            (Self::Regex(regex), Ok(all)) => regex.find(all).map(|found| found.start()),
            (Self::Text(text), Err(_)) => {
                bytes_regex(&regex::escape(text))?.find(bytes).map(|found| found.start())
            }
            (Self::Regex(regex), Err(_)) => {
                bytes_regex(regex.as_str())?.find(bytes).map(|found| found.start())
            }
        };
        Ok(start.map(|start| start as u64))
    }
}

fn bytes_regex(pattern: &str) -> Result<regex::bytes::Regex, CheckError> {
    regex::bytes::Regex::new(pattern).map_err(|error| {
        CheckError::unobservable("the regex cannot be searched in bytes").with_source(error).terminal()
    })
}

impl PartialEq for Needle {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Needle {}

impl Hash for Needle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// Whether a file holds something.
#[derive(Debug, Clone)]
pub struct FileScanProbe {
    /// The path; links are followed.
    pub path: PathBuf,
    /// What to look for.
    pub needle: Needle,
}

equal_by_the_letter!(FileScanProbe, needle);

impl Probe for FileScanProbe {
    /// About which byte it was found at, if it was.
    type Observation = Found<Option<u64>>;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let bytes = match &*cx.observe(FileContentProbe::new(&self.path)).await? {
            Found::There(FileBytes::Whole(bytes)) => Arc::clone(bytes),
            Found::There(FileBytes::Larger(_)) => return self.scan(cx).await,
            Found::NotRegular(what) => return Ok(Found::NotRegular(*what)),
            Found::Missing(missing) => return Ok(Found::Missing(missing.clone())),
        };
        let needle = self.needle.clone();
        inline_or_not(bytes, move |bytes| needle.find(bytes)).await?.map(Found::There)
    }

    fn describe(&self) -> String {
        format!("searching {}", show_path(&self.path))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

impl FileScanProbe {
    async fn scan(&self, cx: &Context) -> Result<Found<Option<u64>>, CheckError> {
        let Self { path, needle } = self.clone();
        let abandon = Abandon::default();
        let mut chunks = Chunks::new(&path, cx, &abandon);
        with_file(cx, path, move |mut file| match &needle {
            Needle::Text(text) => find_text(&mut chunks, &mut file, text),
            Needle::Regex(regex) => find_regex(&mut chunks, &mut file, regex),
        })
        .await
    }
}

fn find_text(chunks: &mut Chunks, file: &mut File, text: &str) -> Result<Option<u64>, CheckError> {
    let finder = bytes_regex(&regex::escape(text))?;
    // The end of each chunk stays in front of the next one, in case the text begins there.
    let overlap = text.len().saturating_sub(1);
    let (mut window, mut before) = (Vec::with_capacity(CHUNK + overlap), 0_u64);
    while let Some(chunk) = chunks.next(file)? {
        window.extend_from_slice(chunk);
        if let Some(found) = finder.find(&window) {
            return Ok(Some(before + found.start() as u64));
        }
        let done = window.len().saturating_sub(overlap);
        window.drain(..done);
        before += done as u64;
    }
    Ok(None)
}

fn find_regex(chunks: &mut Chunks, file: &mut File, regex: &Pattern) -> Result<Option<u64>, CheckError> {
    match step_regex(chunks, file, regex)? {
        Ok(found) => Ok(found),
        Err(Unsupported) => in_memory_regex(chunks, file, regex),
    }
}

fn step_regex(
    chunks: &mut Chunks,
    file: &mut File,
    regex: &Pattern,
) -> Result<Result<Option<u64>, Unsupported>, CheckError> {
    let mut stream = match Stream::new(regex.as_str()) {
        Ok(stream) => stream,
        Err(unsupported) => return Ok(Err(unsupported)),
    };
    while let Some(chunk) = chunks.next(file)? {
        match stream.step(chunk) {
            Ok(Progress::Undecided) => {}
            Ok(Progress::Matched(at)) => return Ok(Ok(Some(at))),
            Ok(Progress::Hopeless) => return Ok(Ok(None)),
            Err(unsupported) => return Ok(Err(unsupported)),
        }
    }
    Ok(stream.end())
}

fn in_memory_regex(chunks: &mut Chunks, file: &mut File, regex: &Pattern) -> Result<Option<u64>, CheckError> {
    io::Seek::rewind(file).map_err(|error| broken(&chunks.path, error))?;
    let mut all = Vec::new();
    while let Some(chunk) = chunks.next(file)? {
        if all.len() + chunk.len() > FALLBACK_LIMIT {
            let what = format!("cannot search {} with this regex in bounded memory", show_path(&chunks.path));
            let hint = format!(
                "the file is larger than {} MiB and not ASCII: write word boundaries as `(?-u:\\b)`, or use `contains`",
                FALLBACK_LIMIT >> 20
            );
            return Err(CheckError::unobservable(what).hint(hint));
        }
        all.extend_from_slice(chunk);
    }
    Needle::Regex(regex.clone()).find(&all)
}

/// The SHA-256 of a file, as 64 lowercase hexadecimal digits.
#[derive(Debug, Clone)]
pub struct FileSha256Probe {
    /// The path; links are followed.
    pub path: PathBuf,
}

equal_by_the_letter!(FileSha256Probe);

impl Probe for FileSha256Probe {
    type Observation = Found<String>;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let bytes = match &*cx.observe(FileContentProbe::new(&self.path)).await? {
            Found::There(FileBytes::Whole(bytes)) => Arc::clone(bytes),
            Found::There(FileBytes::Larger(_)) => return self.hash(cx).await,
            Found::NotRegular(what) => return Ok(Found::NotRegular(*what)),
            Found::Missing(missing) => return Ok(Found::Missing(missing.clone())),
        };
        inline_or_not(bytes, |bytes| Found::There(sha256(bytes))).await
    }

    fn describe(&self) -> String {
        format!("hashing {}", show_path(&self.path))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

impl FileSha256Probe {
    async fn hash(&self, cx: &Context) -> Result<Found<String>, CheckError> {
        let path = self.path.clone();
        let abandon = Abandon::default();
        let mut chunks = Chunks::new(&path, cx, &abandon);
        with_file(cx, path, move |mut file| {
            let mut digest = Sha256::new();
            while let Some(chunk) = chunks.next(&mut file)? {
                digest.update(chunk);
            }
            Ok(hex(&digest.finalize()))
        })
        .await
    }
}

/// Works through a file of any size, on a blocking thread.
async fn with_file<T: Send + 'static>(
    cx: &Context,
    path: PathBuf,
    work: impl FnOnce(File) -> Result<T, CheckError> + Send + 'static,
) -> Result<Found<T>, CheckError> {
    #[cfg(feature = "container")]
    if let Some(archive) = super::archive::instead(cx).await? {
        return match Box::pin(archive.copy(&path, cx)).await? {
            Found::There(copy) => tokio::task::spawn_blocking(move || work(copy)).await?.map(Found::There),
            Found::NotRegular(what) => Ok(Found::NotRegular(what)),
            Found::Missing(missing) => Ok(Found::Missing(missing)),
        };
    }
    aside(cx, move |root| match system::open(root, &path)? {
        Found::There((file, _)) => work(file).map(Found::There),
        Found::NotRegular(what) => Ok(Found::NotRegular(what)),
        Found::Missing(missing) => Ok(Found::Missing(missing)),
    })
    .await
}

/// The SHA-256 of these bytes, as 64 lowercase hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble & 15)]);
    let mut digits = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        digits.push(digit(byte >> 4));
        digits.push(digit(*byte));
    }
    digits
}

/// Small work here and now, since a hop costs more; larger work on a blocking thread.
pub(super) async fn inline_or_not<T: Send + 'static>(
    bytes: Arc<[u8]>,
    work: impl FnOnce(&[u8]) -> T + Send + 'static,
) -> Result<T, CheckError> {
    if bytes.len() <= INLINE {
        return Ok(work(&bytes));
    }
    tokio::task::spawn_blocking(move || work(&bytes))
        .await
        .map_err(|stopped| CheckError::unobservable("the look was stopped").with_source(stopped))
}

/// Tells the blocking thread that nobody waits any more, when the look that holds it is dropped.
#[derive(Debug, Default)]
pub(super) struct Abandon(Arc<AtomicBool>);

impl Abandon {
    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads a file chunk by chunk, and says how far it got.
struct Chunks {
    path: PathBuf,
    cx: Context,
    abandoned: Arc<AtomicBool>,
    buffer: Vec<u8>,
    read: u64,
}

impl Chunks {
    fn new(path: &Path, cx: &Context, abandon: &Abandon) -> Self {
        Self { path: path.to_owned(), cx: cx.clone(), abandoned: abandon.flag(), buffer: Vec::new(), read: 0 }
    }

    /// The next bytes; `None` at the end.
    fn next(&mut self, file: &mut File) -> Result<Option<&[u8]>, CheckError> {
        if self.abandoned.load(Ordering::Relaxed) {
            return Err(CheckError::unobservable("nobody waits any more"));
        }
        self.buffer.resize(CHUNK, 0);
        let length = loop {
            match file.read(&mut self.buffer) {
                Ok(length) => break length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(&self.path, error)),
            }
        };
        if length == 0 {
            return Ok(None);
        }
        const REPORTED: u64 = 64 << 20;
        if self.read / REPORTED != (self.read + length as u64) / REPORTED {
            self.cx.phase(format!("{} MiB read", (self.read + length as u64) >> 20));
        }
        self.read += length as u64;
        Ok(Some(&self.buffer[..length]))
    }
}
