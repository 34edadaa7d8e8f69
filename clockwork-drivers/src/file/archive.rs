//! Files of a container that the kernel does not show: one that does not run (created, exited), runs on another machine,
//! or whose processes we may not look into. The engine's archive call brings them, one path at a time.
//!
//! The engine resolves the links of a path's directories inside the container's root, and we the last one, so that no
//! link leads out of it. Of a directory, the engine would send everything: we leave after the first header.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use clockwork_core::{CheckError, Context, Vantage, text::quote};
use nix::{fcntl::OFlag, sys::stat::Mode};

use super::{Absence, FileBytes, FileMeta, FileType, Found, Missing, place::parent, show_path};
use crate::container::{
    ContainerInspect, ContainerRef,
    client::{self, Engine},
    container_of, pieces, process_here,
};

/// How many links are followed, as in the kernel.
const LINKS: usize = 40;

/// How large a file may be that has to be copied here to be searched.
const COPIED: u64 = 4 << 30;

/// A container whose files the engine brings.
pub(super) struct Archive {
    engine: Arc<Engine>,
    id: String,
    /// Why: `is exited`, `runs where its files cannot be seen`.
    pub(super) why: String,
}

/// What is at a path, as an archive has it; links are not followed.
#[derive(Debug, Clone)]
struct Entry {
    file_type: FileType,
    mode: u32,
    uid: u32,
    gid: u32,
    size: u64,
    modified: SystemTime,
    link: Option<PathBuf>,
}

/// Why a path leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gone {
    NotThere,
    Loop,
    NotADirectory,
}

type Resolved<T> = Result<Result<T, Gone>, CheckError>;

/// The archive to look into, where the kernel does not show the vantage.
pub(super) async fn instead(cx: &Context) -> Result<Option<Archive>, CheckError> {
    let Vantage::Inside(name) = cx.vantage() else { return Ok(None) };
    // What is wrong with the vantage itself is told by who enters it.
    let Some(resource) = cx.resource_named(name.as_str()).and_then(|resource| container_of(&**resource)) else {
        return Ok(None);
    };
    let reference = ContainerRef::from(resource);
    let cx = cx.from_vantage(Vantage::Host);
    let seen = cx.observe(ContainerInspect::from(&reference)).await?;
    let Some(details) = &*seen else { return Ok(None) };
    let why = match process_here(details).await {
        Some(pid) if may_enter(pid).await => return Ok(None),
        Some(_) => String::from("runs with rights that we have not"),
        None if details.state.pid == 0 => format!("is {}", details.state()),
        None => String::from("runs where the kernel does not show it"),
    };
    let engine = client::engine(&reference.engine, &cx).await?;
    Ok(Some(Archive { engine, id: details.id.clone(), why }))
}

async fn may_enter(pid: u32) -> bool {
    let enter = move || {
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let opened = nix::fcntl::open(format!("/proc/{pid}/root").as_str(), flags, Mode::empty());
        !matches!(opened, Err(nix::errno::Errno::EACCES | nix::errno::Errno::EPERM))
    };
    tokio::task::spawn_blocking(enter).await.unwrap_or(true)
}

impl Archive {
    /// What is at a path: as `stat` and the walk along its links.
    pub(super) async fn stat(&self, path: &Path, cx: &Context) -> Result<Result<FileMeta, Missing>, CheckError> {
        let first = match self.walk(path, false, cx).await? {
            Ok((_, entry)) => entry,
            Err(gone) => return self.missing(path, gone, cx).await.map(Err),
        };
        let link = first.link.clone();
        let mut parents = vec![parent(path)];
        let mut entry = first;
        if link.is_some() {
            let (mut here, mut next) = (path.to_owned(), link.clone());
            while let Some(target) = next
                && parents.len() <= LINKS
            {
                here = parent(&here).join(target);
                parents.push(parent(&here));
                next = match self.walk(&here, false, cx).await? {
                    Ok((_, entry)) => entry.link,
                    Err(_) => None,
                };
            }
            entry = match self.walk(path, true, cx).await? {
                Ok((_, entry)) => entry,
                Err(gone) => return self.missing(path, gone, cx).await.map(Err),
            };
        }
        let mut open_parents = Vec::new();
        for directory in parents {
            if let Ok((_, seen)) = self.walk(&directory, true, cx).await?
                && seen.mode & 0o1002 == 0o002
            {
                open_parents.push((directory, seen.mode));
            }
        }
        let Entry { file_type, mode, uid, gid, size, modified, .. } = entry;
        Ok(Ok(FileMeta { file_type, mode, uid, gid, size, modified, link, open_parents }))
    }

    /// All of a file that holds at most `limit` bytes.
    pub(super) async fn read(
        &self,
        path: &Path,
        limit: usize,
        cx: &Context,
    ) -> Result<Found<FileBytes>, CheckError> {
        let real = match self.regular(path, cx).await? {
            Found::There((_, size)) if size > limit as u64 => return Ok(Found::There(FileBytes::Larger(size))),
            Found::There((real, _)) => real,
            Found::NotRegular(what) => return Ok(Found::NotRegular(what)),
            Found::Missing(missing) => return Ok(Found::Missing(missing)),
        };
        let read = move |mut entry: Whole<'_>| {
            let mut bytes = Vec::new();
            entry.by_ref().take(limit as u64 + 1).read_to_end(&mut bytes)?;
            complete(&entry, bytes.len() as u64, limit as u64)?;
            Ok(bytes)
        };
        Ok(match self.download(&real, path, read, cx).await? {
            None => Found::Missing(Missing { path: path.to_owned(), why: Absence::NotThere }),
            Some(bytes) if bytes.len() > limit => Found::There(FileBytes::Larger(bytes.len() as u64)),
            Some(bytes) => Found::There(FileBytes::Whole(bytes.into())),
        })
    }

    /// A copy of a file of any size, which nobody else sees and which goes with its descriptor.
    pub(super) async fn copy(&self, path: &Path, cx: &Context) -> Result<Found<File>, CheckError> {
        let real = match self.regular(path, cx).await? {
            Found::There((_, size)) if size > COPIED => {
                let what = format!("{} is too large to be copied out of its container: {size} bytes", show_path(path));
                return Err(CheckError::unobservable(what).hint("start the container, so that it can be read in place"));
            }
            Found::There((real, _)) => real,
            Found::NotRegular(what) => return Ok(Found::NotRegular(what)),
            Found::Missing(missing) => return Ok(Found::Missing(missing)),
        };
        let directory = std::env::temp_dir();
        let read = move |mut entry: Whole<'_>| {
            let flags = OFlag::O_TMPFILE | OFlag::O_RDWR | OFlag::O_CLOEXEC;
            let mut file = File::from(nix::fcntl::open(&directory, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
            let copied = io::copy(&mut entry.by_ref().take(COPIED + 1), &mut file)?;
            complete(&entry, copied, COPIED)?;
            file.flush()?;
            file.rewind()?;
            Ok(file)
        };
        Ok(match self.download(&real, path, read, cx).await? {
            None => Found::Missing(Missing { path: path.to_owned(), why: Absence::NotThere }),
            Some(file) => Found::There(file),
        })
    }

    /// Where a regular file really is, and its size.
    async fn regular(&self, path: &Path, cx: &Context) -> Result<Found<(PathBuf, u64)>, CheckError> {
        Ok(match self.walk(path, true, cx).await? {
            Ok((real, entry)) if entry.file_type == FileType::Regular => Found::There((real, entry.size)),
            Ok((_, entry)) => Found::NotRegular(entry.file_type),
            Err(gone) => Found::Missing(self.missing(path, gone, cx).await?),
        })
    }

    /// Follows a path, as the kernel would from the container's root; the last link only if that is wanted.
    async fn walk(&self, path: &Path, follow: bool, cx: &Context) -> Resolved<(PathBuf, Entry)> {
        let mut real = PathBuf::from("/");
        let mut ahead: Vec<Step> = steps(path);
        let mut links = 0;
        // The engine follows the links of directories itself: so one call does, where nothing climbs.
        if !ahead.contains(&Step::Up)
            && let Ok(Some(entry)) = self.entry(&join(&real, &ahead), cx).await
            && (entry.link.is_none() || (!follow && !ends_in_slash(path)))
        {
            let wrong = ends_in_slash(path) && entry.file_type != FileType::Directory;
            return Ok(if wrong { Err(Gone::NotADirectory) } else { Ok((join(&real, &ahead), entry)) });
        }
        let mut here = match self.entry(&real, cx).await? {
            Some(entry) => entry,
            None => return Ok(Err(Gone::NotThere)),
        };
        while let Some(step) = ahead.pop() {
            if here.file_type != FileType::Directory {
                return Ok(Err(Gone::NotADirectory));
            }
            match step {
                Step::Up => {
                    real.pop();
                    here = Entry { file_type: FileType::Directory, ..here };
                    if ahead.is_empty() {
                        match self.entry(&real, cx).await? {
                            Some(entry) => here = entry,
                            None => return Ok(Err(Gone::NotThere)),
                        }
                    }
                    continue;
                }
                Step::Down(name) => real.push(name),
            }
            let Some(entry) = self.entry(&real, cx).await? else { return Ok(Err(Gone::NotThere)) };
            match entry.link {
                Some(ref target) if follow || !ahead.is_empty() || ends_in_slash(path) => {
                    links += 1;
                    if links > LINKS {
                        return Ok(Err(Gone::Loop));
                    }
                    real.pop();
                    if target.has_root() {
                        real = PathBuf::from("/");
                    }
                    ahead.extend(steps(target));
                    here = Entry { file_type: FileType::Directory, ..entry };
                    if ahead.is_empty() {
                        match self.entry(&real, cx).await? {
                            Some(entry) => here = entry,
                            None => return Ok(Err(Gone::NotThere)),
                        }
                    }
                }
                _ => here = entry,
            }
        }
        if ends_in_slash(path) && here.file_type != FileType::Directory {
            return Ok(Err(Gone::NotADirectory));
        }
        Ok(Ok((real, here)))
    }

    /// At which component a path ends, and why.
    async fn missing(&self, path: &Path, gone: Gone, cx: &Context) -> Result<Missing, CheckError> {
        let mut prefix = PathBuf::new();
        for component in path.components() {
            prefix.push(component);
            let why = match self.walk(&prefix, true, cx).await? {
                Ok(_) => continue,
                Err(Gone::Loop) => Absence::LinkLoop,
                Err(Gone::NotADirectory) => {
                    return Ok(Missing { path: parent(&prefix), why: Absence::NotADirectory });
                }
                Err(Gone::NotThere) => match self.walk(&prefix, false, cx).await? {
                    Ok((_, Entry { link: Some(target), .. })) => Absence::DanglingLink(target),
                    _ => Absence::NotThere,
                },
            };
            return Ok(Missing { path: prefix, why });
        }
        let why = if gone == Gone::NotADirectory { Absence::NotADirectory } else { Absence::NotThere };
        Ok(Missing { path: path.components().collect(), why })
    }

    /// What is at a path whose directories are no links that climb.
    async fn entry(&self, real: &Path, cx: &Context) -> Result<Option<Entry>, CheckError> {
        let read = |entry: Whole<'_>| Entry::of(&entry);
        self.download(real, real, read, cx).await
    }

    async fn download<T: Send + 'static>(
        &self,
        real: &Path,
        shown: &Path,
        read: impl FnOnce(Whole<'_>) -> io::Result<T> + Send + 'static,
        cx: &Context,
    ) -> Result<Option<T>, CheckError> {
        let query = escaped(real);
        let path = format!("/containers/{}/archive?path={query}", self.id);
        let broken = |error: io::Error| {
            CheckError::unobservable(format!(
                "cannot read {} as the engine sends it: {}",
                show_path(shown),
                quote(&error.to_string())
            ))
            .retryable()
        };
        let read = |pieces, _: &_| {
            let mut archive = tar::Archive::new(Read::take(pieces, COPIED + (8 << 20)));
            match archive.entries()?.next() {
                Some(entry) => read(entry?),
                None => Err(io::ErrorKind::UnexpectedEof.into()),
            }
        };
        pieces::download(&self.engine, &path, cx, read, broken).await
    }
}

type Whole<'a> = tar::Entry<'a, io::Take<pieces::Pieces>>;

/// What came of a file that claims more is not the file.
fn complete(entry: &Whole<'_>, read: u64, limit: u64) -> io::Result<()> {
    if read < entry.size().min(limit) { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

impl Entry {
    fn of(entry: &Whole<'_>) -> io::Result<Self> {
        use std::os::unix::ffi::OsStrExt;
        let header = entry.header();
        let file_type = match header.entry_type() {
            tar::EntryType::Regular | tar::EntryType::Continuous | tar::EntryType::GNUSparse | tar::EntryType::Link => {
                FileType::Regular
            }
            tar::EntryType::Directory => FileType::Directory,
            tar::EntryType::Symlink => FileType::Link,
            tar::EntryType::Fifo => FileType::Fifo,
            tar::EntryType::Char => FileType::CharacterDevice,
            tar::EntryType::Block => FileType::BlockDevice,
            _ => FileType::Unknown,
        };
        let target = entry.link_name_bytes().filter(|_| file_type == FileType::Link);
        let id = |id: io::Result<u64>| id.map(|id| u32::try_from(id).unwrap_or(u32::MAX));
        Ok(Self {
            file_type,
            mode: header.mode()? & 0o7777,
            uid: id(header.uid())?,
            gid: id(header.gid())?,
            size: entry.size(),
            modified: SystemTime::UNIX_EPOCH
                .checked_add(Duration::from_secs(header.mtime()?))
                .unwrap_or(SystemTime::UNIX_EPOCH),
            link: target.map(|target| PathBuf::from(std::ffi::OsStr::from_bytes(&target))),
        })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Up,
    Down(PathBuf),
}

/// The last one first.
fn steps(path: &Path) -> Vec<Step> {
    let step = |component| match component {
        Component::ParentDir => Some(Step::Up),
        Component::Normal(name) => Some(Step::Down(name.into())),
        _ => None,
    };
    let mut steps: Vec<_> = path.components().filter_map(step).collect();
    steps.reverse();
    steps
}

fn join(root: &Path, ahead: &[Step]) -> PathBuf {
    let mut path = root.to_owned();
    for step in ahead.iter().rev() {
        if let Step::Down(name) = step {
            path.push(name);
        }
    }
    path
}

/// Then it must be a directory, and a link is followed.
fn ends_in_slash(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    let bytes = path.as_os_str().as_bytes();
    bytes.len() > 1 && (bytes.ends_with(b"/") || bytes.ends_with(b"/."))
}

/// For a query: whatever a name holds, it is no other request.
fn escaped(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut escaped = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => escaped.push(*byte as char),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
