//! Where a result goes: standard output, or a file that is replaced in one step, so that nobody reads half of one.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, ErrorKind, StdoutLock, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

/// Standard output, buffered.
pub(crate) type Stdout = BufWriter<StdoutLock<'static>>;

/// Writes to standard output. A reader that has seen enough (`| head -1`) is no error.
pub(crate) fn to_stdout(write: impl FnOnce(&mut Stdout) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = BufWriter::with_capacity(64 << 10, io::stdout().lock());
    let written = write(&mut out).and_then(|()| out.flush());
    // What is left in the buffer has nowhere to go.
    let (_, _unwritten) = out.into_parts();
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(error).context("cannot write the result to standard output")
        }
        _ => Ok(()),
    }
}

/// A file that a result will be written to.
#[derive(Debug)]
pub(crate) struct ReportFile {
    /// As it was given, for messages.
    given: PathBuf,
    /// With links followed, so that what they point to is replaced and not they.
    path: PathBuf,
    /// Written beside it first and renamed; `None` where only writing in place is possible (a pipe, `/dev/stderr`).
    beside: Option<PathBuf>,
    /// It is added to what is there.
    adds: bool,
}

impl ReportFile {
    /// Finds out before the run whether the file can be written; `adds`: to what is there.
    pub(crate) fn prepare(given: &Path, adds: bool) -> anyhow::Result<Self> {
        let cannot = || format!("cannot write {}", given.display());
        let path = given.canonicalize().unwrap_or_else(|_| given.to_owned());
        let old = fs::metadata(&path).ok();
        if old.as_ref().is_some_and(fs::Metadata::is_dir) {
            bail!("{}: it is a directory; name a file in it", cannot());
        }
        let in_place = |path| Self { given: given.to_owned(), path, beside: None, adds };
        if adds {
            OpenOptions::new().append(true).create(true).open(&path).with_context(cannot)?;
            return Ok(in_place(path));
        }
        if old.as_ref().is_some_and(|old| !old.is_file()) {
            return Ok(in_place(path));
        }
        let Some(name) = path.file_name() else { bail!("{}: it names no file", cannot()) };
        let parent = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let Ok(parent) = parent.canonicalize() else {
            bail!("{}: there is no directory {}; make it first", cannot(), parent.display());
        };
        let path = parent.join(name);
        let hidden = format!(".{}.{}.tmp", name.to_string_lossy(), std::process::id());
        let beside = parent.join(hidden);
        match File::create_new(&beside).and_then(|_| fs::remove_file(&beside)) {
            Ok(()) => Ok(Self { given: given.to_owned(), path, beside: Some(beside), adds }),
            // The directory takes no new files, but this one is there and may be written (a mounted file).
            Err(_) if old.is_some() && OpenOptions::new().write(true).open(&path).is_ok() => {
                Ok(in_place(path))
            }
            Err(error) => Err(error).with_context(cannot),
        }
    }

    /// Where it goes, to be compared with others.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes it: all of it, or nothing where that can be had.
    pub(crate) fn write(
        &self,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let written = match &self.beside {
            None if self.adds => {
                OpenOptions::new().append(true).open(&self.path).and_then(|file| fill(file, write))
            }
            None => File::create(&self.path).and_then(|file| fill(file, write)),
            Some(beside) => {
                let written = File::create_new(beside)
                    .and_then(|file| fill(file, write))
                    .and_then(|()| replace(beside, &self.path));
                if written.is_err() {
                    // It may never have been made.
                    let _ = fs::remove_file(beside);
                }
                written
            }
        };
        written.with_context(|| format!("cannot write {}", self.given.display()))
    }
}

fn fill(file: File, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(64 << 10, file);
    write(&mut out)?;
    out.flush()
}

fn replace(new: &Path, old: &Path) -> io::Result<()> {
    if let Ok(metadata) = fs::metadata(old) {
        fs::set_permissions(new, metadata.permissions())?;
    }
    match fs::rename(new, old) {
        // A file that is mounted on its own cannot be replaced, only filled.
        Err(error) if error.kind() == ErrorKind::ResourceBusy => {
            fs::copy(new, old)?;
            fs::remove_file(new)
        }
        renamed => renamed,
    }
}
