//! Files of a container that the kernel does not show: one that does not run (created, exited), runs on another machine,
//! or whose processes we may not look into. The engine's archive call brings them, one path at a time.
//!
//! The engine resolves links inside the container's root, so that none leads out of it; where a path climbs (`..`), we go
//! step by step, so that it climbs from where a link leads. Of a directory, the engine would send everything: we leave
//! after the first header.

use std::{
    fs::File,
    io::{self, Read, Seek, Write},
    path::{Component, Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use clockwork_core::{CheckError, Context, Vantage, text::quote};

use super::{Absence, FileBytes, FileMeta, FileType, Found, Missing, place::parent, show_path, system};
use crate::container::{
    ContainerInspect, ContainerRef,
    client::{self, Engine},
    container_of,
    inspect::instant,
    pieces, process_here,
};

/// How many links are followed, as in the kernel.
const LINKS: usize = 40;

/// How an engine's answer begins where links lead in a circle. It comes quoted, so that no name can look like it.
const CIRCLE: &str = ": \"evalSymlinksInScope: too many links in ";

/// How large a file may be that has to be copied here to be searched.
const COPIED: u64 = 4 << 30;

/// A container whose files the engine brings.
pub(super) struct Archive {
    engine: Arc<Engine>,
    id: String,
    /// Why: `is exited`, `runs where its files cannot be seen`.
    pub(super) why: String,
}

/// What the engine tells of a path; links are not followed.
#[derive(Debug, Clone)]
struct Glance {
    file_type: FileType,
    mode: u32,
    size: u64,
    modified: SystemTime,
    /// Where a link leads in the end, as the engine resolves it inside the container.
    link: Option<PathBuf>,
}

/// What an archive tells beside that.
#[derive(Debug, Clone)]
struct Entry {
    uid: u32,
    gid: u32,
    /// Where a link leads, as it is written.
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
    // In a box, as is what an archive is asked: most files are the host's, and each look would carry the room for it.
    Box::pin(instead_of_entering(name.as_str(), cx)).await
}

async fn instead_of_entering(name: &str, cx: &Context) -> Result<Option<Archive>, CheckError> {
    // What is wrong with the vantage itself is told by who enters it.
    let Some(resource) = cx.resource_named(name).and_then(|resource| container_of(&**resource)) else {
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
    tokio::task::spawn_blocking(move || crate::vantage::root::may_enter(pid)).await.unwrap_or(true)
}

impl Archive {
    /// What is at a path: as `stat` and the walk along its links.
    pub(super) async fn stat(
        &self,
        path: &Path,
        cx: &Context,
    ) -> Result<Result<FileMeta, Missing>, CheckError> {
        let (real, seen) = match self.walk(path, true, cx).await? {
            Ok(found) => found,
            Err(gone) => return self.missing(path, gone, cx).await.map(Err),
        };
        // The links of the last component, one by one, for the directories that hold them.
        let (mut here, mut link, mut parents) = (path.to_owned(), None, vec![parent(path)]);
        while parents.len() <= LINKS
            && let Ok((at, Glance { link: Some(_), .. })) = self.walk(&here, false, cx).await?
            && let Some(Entry { link: Some(target), .. }) = self.entry(&at, cx).await?
        {
            here = parent(&here).join(&target);
            parents.push(parent(&here));
            link.get_or_insert(target);
        }
        let mut open_parents = Vec::new();
        for directory in parents {
            if let Ok((_, seen)) = self.walk(&directory, true, cx).await?
                && seen.mode & 0o1002 == 0o002
            {
                open_parents.push((directory, seen.mode));
            }
        }
        // A glance does not tell whose it is.
        let Entry { uid, gid, .. } = self.entry(&real, cx).await?.ok_or_else(|| vanished(path))?;
        let Glance { file_type, mode, size, modified, .. } = seen;
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
            Found::There((_, size)) if size > limit as u64 => {
                return Ok(Found::There(FileBytes::Larger(size)));
            }
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
            None => return Err(vanished(path)),
            Some(bytes) if bytes.len() > limit => Found::There(FileBytes::Larger(bytes.len() as u64)),
            Some(bytes) => Found::There(FileBytes::Whole(bytes.into())),
        })
    }

    /// A copy of a file of any size, which nobody else sees and which goes with its descriptor.
    pub(super) async fn copy(&self, path: &Path, cx: &Context) -> Result<Found<File>, CheckError> {
        let real = match self.regular(path, cx).await? {
            Found::There((_, size)) if size > COPIED => {
                let what = format!(
                    "{} is too large to be copied out of its container: {size} bytes",
                    show_path(path)
                );
                return Err(CheckError::unobservable(what)
                    .hint("start the container, so that it can be read in place"));
            }
            Found::There((real, _)) => real,
            Found::NotRegular(what) => return Ok(Found::NotRegular(what)),
            Found::Missing(missing) => return Ok(Found::Missing(missing)),
        };
        let read = move |mut entry: Whole<'_>| {
            let mut file = system::nameless()?;
            let copied = io::copy(&mut entry.by_ref().take(COPIED + 1), &mut file)?;
            complete(&entry, copied, COPIED)?;
            file.flush()?;
            file.rewind()?;
            Ok(file)
        };
        Ok(match self.download(&real, path, read, cx).await? {
            None => return Err(vanished(path)),
            Some(file) => Found::There(file),
        })
    }

    /// Where a regular file really is, and its size.
    async fn regular(&self, path: &Path, cx: &Context) -> Result<Found<(PathBuf, u64)>, CheckError> {
        Ok(match self.walk(path, true, cx).await? {
            Ok((real, seen)) if seen.file_type == FileType::Regular => Found::There((real, seen.size)),
            Ok((_, seen)) => Found::NotRegular(seen.file_type),
            Err(gone) => Found::Missing(self.missing(path, gone, cx).await?),
        })
    }

    /// Follows a path, as the kernel would from the container's root; the last link only if that is wanted.
    async fn walk(&self, path: &Path, follow: bool, cx: &Context) -> Resolved<(PathBuf, Glance)> {
        let follow = follow || ends_in_slash(path);
        let mut ahead = steps(path);
        let found = match self.at_once(&ahead, follow, cx).await {
            Some(found) => found,
            None => {
                let mut real = PathBuf::from("/");
                // A container that is gone has no root: its files are not missing, nobody can say.
                let mut here = self.glance(&real, cx).await?.ok_or_else(|| {
                    CheckError::target("cannot look inside the container: it is gone").retryable()
                })?;
                while let Some(step) = ahead.pop() {
                    if here.file_type != FileType::Directory {
                        return Ok(Err(Gone::NotADirectory));
                    }
                    match step {
                        Step::Up => _ = real.pop(),
                        Step::Down(name) => real.push(name),
                    }
                    let mut seen = match self.glance(&real, cx).await {
                        Ok(seen) => seen,
                        // A glance that is refused does not say why.
                        Err(refused) => match self.entry(&real, cx).await {
                            Err(error) if error.message().contains(CIRCLE) => return Ok(Err(Gone::Loop)),
                            _ => return Err(refused),
                        },
                    };
                    if let Some(Glance { link: Some(target), .. }) = &seen
                        && (follow || !ahead.is_empty())
                    {
                        real = Path::new("/").join(target);
                        seen = self.glance(&real, cx).await?;
                    }
                    match seen {
                        Some(seen) => here = seen,
                        None => return Ok(Err(Gone::NotThere)),
                    }
                }
                (real, here)
            }
        };
        let wrong = ends_in_slash(path) && found.1.file_type != FileType::Directory;
        Ok(if wrong { Err(Gone::NotADirectory) } else { Ok(found) })
    }

    /// The same in one question, or two, where nothing climbs and all is there. What is wrong otherwise (engines answer
    /// variously where a directory is none) shows step by step.
    async fn at_once(&self, ahead: &[Step], follow: bool, cx: &Context) -> Option<(PathBuf, Glance)> {
        if ahead.contains(&Step::Up) {
            return None;
        }
        let real = join(Path::new("/"), ahead);
        let seen = self.glance(&real, cx).await.ok()??;
        match &seen.link {
            Some(target) if follow => {
                let real = Path::new("/").join(target);
                let seen = self.glance(&real, cx).await.ok()??;
                seen.link.is_none().then_some((real, seen))
            }
            _ => Some((real, seen)),
        }
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
                    Ok((at, Glance { link: Some(target), .. })) => {
                        // As it is written, where that can be read.
                        let written = self.entry(&at, cx).await?.and_then(|entry| entry.link);
                        Absence::DanglingLink(written.unwrap_or(target))
                    }
                    _ => Absence::NotThere,
                },
            };
            return Ok(Missing { path: prefix, why });
        }
        let why = if gone == Gone::NotADirectory { Absence::NotADirectory } else { Absence::NotThere };
        Ok(Missing { path: path.components().collect(), why })
    }

    /// What the engine tells of a path without its content, which costs it a fiftieth of an archive.
    async fn glance(&self, real: &Path, cx: &Context) -> Result<Option<Glance>, CheckError> {
        cx.phase(format!("looking at {} through {}", show_path(real), self.engine.describe()));
        let path = format!("/containers/{}/archive?path={}", self.id, escaped(real));
        let Some(headers) = self.engine.head(&path).await? else { return Ok(None) };
        let told =
            headers.get("x-docker-container-path-stat").and_then(|value| Glance::read(value.as_bytes()));
        told.map(Some).ok_or_else(|| {
            CheckError::unobservable(format!(
                "{} does not say what is at {}",
                self.engine.describe(),
                show_path(real)
            ))
        })
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

/// What was there at the first look: whether the file or its container went, the next one will tell.
fn vanished(path: &Path) -> CheckError {
    CheckError::unobservable(format!("{} vanished while it was looked at", show_path(path))).retryable()
}

/// What came of a file that claims more is not the file.
fn complete(entry: &Whole<'_>, read: u64, limit: u64) -> io::Result<()> {
    if read < entry.size().min(limit) { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
}

impl Glance {
    /// The header: JSON in base64, its mode with the bits of Go's `os.FileMode`.
    fn read(header: &[u8]) -> Option<Self> {
        use base64::Engine as _;
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Told {
            size: i64,
            mode: u32,
            mtime: String,
            #[serde(default)]
            link_target: String,
        }
        let json = base64::engine::general_purpose::STANDARD.decode(header).ok()?;
        let told: Told = serde_json::from_slice(&json).ok()?;
        let bit = |bit: u32| told.mode >> bit & 1;
        let file_type = match () {
            () if bit(31) == 1 => FileType::Directory,
            () if bit(27) == 1 => FileType::Link,
            () if bit(25) == 1 => FileType::Fifo,
            () if bit(24) == 1 => FileType::Socket,
            () if bit(26) == 1 && bit(21) == 1 => FileType::CharacterDevice,
            () if bit(26) == 1 => FileType::BlockDevice,
            () if bit(19) == 1 => FileType::Unknown,
            () => FileType::Regular,
        };
        Some(Self {
            file_type,
            mode: told.mode & 0o777 | bit(23) << 11 | bit(22) << 10 | bit(20) << 9,
            size: u64::try_from(told.size).unwrap_or(0),
            modified: instant(&told.mtime).unwrap_or(SystemTime::UNIX_EPOCH),
            link: (file_type == FileType::Link).then(|| PathBuf::from(told.link_target)),
        })
    }
}

impl Entry {
    fn of(entry: &Whole<'_>) -> io::Result<Self> {
        let header = entry.header();
        let target = entry.link_name_bytes().filter(|_| header.entry_type().is_symlink());
        let id = |id: io::Result<u64>| id.map(|id| u32::try_from(id).unwrap_or(u32::MAX));
        Ok(Self {
            uid: id(header.uid())?,
            gid: id(header.gid())?,
            link: target.map(|target| crate::platform::path_of(&target)),
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
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.len() > 1 && (bytes.ends_with(b"/") || bytes.ends_with(b"/."))
}

/// For a query: whatever a name holds, it is no other request.
fn escaped(path: &Path) -> String {
    let mut escaped = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            // What Windows puts between the parts of a path.
            b'\\' if cfg!(windows) => escaped.push('/'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' => {
                escaped.push(*byte as char)
            }
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}
