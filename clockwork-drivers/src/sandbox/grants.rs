//! What a program sees of the file system: what every program needs to run, the installation it belongs to, where it
//! runs, and what its sandbox grants. Nothing else: not the rest of a home, not what others keep in `/tmp`, `/var`, `/run`.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::OsString,
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use clockwork_core::{CheckError, text::quote};

use super::{
    launch::Launch,
    spec::{Grants, NetworkAccess},
};

/// What belongs to the system, and holds programs, libraries, configuration and what package managers know.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/nix/store",
    "/gnu/store",
    "/var/lib/dpkg",
    "/var/lib/rpm",
    "/etc/localtime",
];
/// What names are resolved with, often kept elsewhere.
const NAMES: &[&str] = &["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"];
/// What belongs to many: too wide to be granted because something runs there or lies there.
const SHARED: &[&str] = &[
    "/", "/tmp", "/var/tmp", "/dev", "/dev/shm", "/proc", "/sys", "/run", "/var", "/var/run", "/var/lib",
    "/home", "/root", "/mnt", "/media",
];
/// What every program has of its own, also where all is granted.
const OWN: &[&str] = &["/tmp", "/dev", "/proc"];
/// The parts of an installation, beside its programs.
const INSTALLATION: &[&str] =
    &["bin", "sbin", "shims", "lib", "lib64", "libexec", "versions", "version", "pyvenv.cfg"];
/// Directories of programs.
const PROGRAMS: &[&str] = &["bin", "sbin", "shims", "libexec", "Scripts"];

/// The same for all programs of a run.
#[derive(Debug)]
pub(super) struct Host {
    homes: Vec<PathBuf>,
    /// The directories of PATH.
    path: Vec<PathBuf>,
    /// What of `/etc` not everybody may read, though we may.
    hidden: Vec<PathBuf>,
    system: Seen,
}

impl Host {
    pub(super) fn look() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let own = nix::unistd::User::from_uid(nix::unistd::Uid::effective()).ok().flatten();
        let homes: BTreeSet<PathBuf> = home.into_iter().chain(own.map(|user| user.dir)).collect();
        // Of a home of `/`, nothing can be kept.
        let homes: Vec<PathBuf> = homes
            .into_iter()
            .filter(|home| home.is_absolute())
            .flat_map(|home| [fs::canonicalize(&home).ok(), Some(home)])
            .flatten()
            .filter(|home| home.parent().is_some())
            .collect();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path: Vec<PathBuf> = std::env::split_paths(&path).filter(|path| path.is_absolute()).collect();
        let mut hidden = Vec::new();
        if nix::unistd::Uid::effective().is_root() {
            for directory in ["/etc", "/usr/local/etc"] {
                hide(Path::new(directory), &mut hidden);
            }
        }
        let mut host = Self { homes, path, hidden, system: Seen::default() };
        let mut system = Seen::default();
        for directory in SYSTEM {
            let _ = system.show(Path::new(directory), false); // not every system has all of them
        }
        for directory in &host.path {
            host.installation(directory, &mut system);
        }
        host.system = system;
        host
    }

    /// Whether this is too much to be granted unasked.
    fn is_shared(&self, path: &Path) -> bool {
        is_shared(path) || self.homes.iter().any(|home| home.starts_with(path))
    }

    /// The programs of this directory, and what they need of the installation that it belongs to.
    fn installation(&self, directory: &Path, seen: &mut Seen) {
        if self.is_shared(directory) || seen.covers(directory) {
            return;
        }
        let _ = seen.show(directory, false);
        let named = |name: &std::ffi::OsStr| PROGRAMS.iter().any(|one| name == *one);
        if let Some(above) = directory.parent().filter(|above| !self.is_shared(above))
            && directory.file_name().is_some_and(named)
        {
            for part in INSTALLATION {
                let _ = seen.show(&above.join(part), false);
            }
        }
    }

    /// What this program sees.
    ///
    /// # Errors
    /// When something that is granted is not there.
    pub(super) fn shows(&self, launch: &Launch, grants: &Grants, cwd: &Path) -> Result<Seen, CheckError> {
        let mut seen = self.system.clone();
        if !self.is_shared(cwd) {
            let _ = seen.show(cwd, false); // it is told elsewhere if it is missing
        }
        let name = launch.command.first().map(String::as_str).unwrap_or_default();
        if let Some(program) = self.find(name, launch, cwd) {
            self.program(&program, &mut seen);
        }
        for path in &launch.readable {
            self.program(path, &mut seen);
        }
        if grants.network != NetworkAccess::None {
            for path in NAMES {
                let _ = seen.show(Path::new(path), false);
            }
        }
        let mut asked = Vec::new();
        for (field, paths, write) in [("read", &grants.read, false), ("write", &grants.write, true)] {
            for path in paths {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                let real = seen.show(&path, write).map_err(|error| {
                    let shown = quote(&path.to_string_lossy());
                    let why = match error.kind() {
                        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => "which is not there",
                        io::ErrorKind::PermissionDenied => "which Clockwork may not reach itself",
                        _ => "which cannot be looked at",
                    };
                    let error = CheckError::unobservable(format!("sandbox.{field} grants {shown}, {why}"));
                    match write {
                        true => error.hint("to have a file made, grant the directory that it is made in"),
                        false => error,
                    }
                })?;
                asked.push(real);
            }
        }
        // What is asked for by name is shown, also where not everybody may read it.
        let hidden = self.hidden.iter().filter(|hidden| !asked.iter().any(|asked| hidden.starts_with(asked)));
        for hidden in hidden {
            let beneath = asked.iter().filter(|asked| asked.starts_with(hidden)).cloned().collect();
            seen.hidden.insert(hidden.clone(), beneath);
        }
        Ok(seen)
    }

    /// Where the program lies. A name is looked for in the directories of the PATH that it is given.
    pub(super) fn find(&self, name: &str, launch: &Launch, cwd: &Path) -> Option<PathBuf> {
        if name.contains('/') {
            return Some(cwd.join(name));
        }
        let runs = |path: &PathBuf| {
            fs::metadata(path).is_ok_and(|seen| seen.is_file() && seen.permissions().mode() & 0o111 != 0)
        };
        let given = launch.env.iter().find(|(variable, _)| variable == "PATH");
        let given = given.map(|(_, path)| std::env::split_paths(path).collect::<Vec<_>>());
        given.as_ref().unwrap_or(&self.path).iter().map(|directory| cwd.join(directory).join(name)).find(runs)
    }

    /// A program or a script: its directory, and that of the file that it is a link to.
    fn program(&self, path: &Path, seen: &mut Seen) {
        let real = fs::canonicalize(path).ok();
        for path in [Some(path), real.as_deref()].into_iter().flatten() {
            match path.parent() {
                Some(directory) if !self.is_shared(directory) => self.installation(directory, seen),
                _ => drop(seen.show(path, false)),
            }
        }
    }
}

/// Whether this belongs to many, or to somebody as a whole.
pub(super) fn is_shared(path: &Path) -> bool {
    SHARED.iter().any(|shared| path == Path::new(shared)) || path.parent() == Some(Path::new("/home"))
}

/// What of `directory` not everybody may read.
fn hide(directory: &Path, hidden: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        // Most of them are links, and this is known without a look at them.
        if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            continue;
        }
        let Ok(seen) = entry.metadata() else { continue };
        let path = entry.path();
        match seen.file_type() {
            kind if kind.is_symlink() => {}
            kind if kind.is_dir() && seen.mode() & 0o005 == 0o005 => hide(&path, hidden),
            _ if seen.mode() & 0o004 == 0o004 => {}
            _ => hidden.push(path),
        }
    }
}

/// Paths that are shown, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Real paths: whether they may be written to. None is beneath another, unless it may be written to and that not.
    pub(super) shown: BTreeMap<PathBuf, bool>,
    /// Symbolic links on the way to them.
    pub(super) links: BTreeMap<PathBuf, PathBuf>,
    /// What is hidden of what is shown, with what is nevertheless shown beneath.
    pub(super) hidden: BTreeMap<PathBuf, Vec<PathBuf>>,
}

impl Seen {
    /// Whether this real path is shown.
    pub(super) fn covers(&self, path: &Path) -> bool {
        self.access(path).is_some()
    }

    /// Whether what is at this path may be written to; `None` where it is not shown.
    pub(super) fn access(&self, path: &Path) -> Option<bool> {
        for above in path.ancestors() {
            if let Some(write) = self.shown.get(above) {
                return Some(*write);
            }
            if OWN.iter().any(|own| above == Path::new(own)) {
                return None;
            }
        }
        None
    }

    /// Whether what is at this path, which may hold links, is seen.
    pub(super) fn shows(&self, path: &Path) -> bool {
        self.access_of(path).is_some()
    }

    /// The same as [`Seen::access`], of a path that may hold links.
    pub(super) fn access_of(&self, path: &Path) -> Option<bool> {
        let real = match (fs::canonicalize(path), path.parent(), path.file_name()) {
            (Ok(real), ..) => real,
            (Err(_), Some(above), Some(name)) => fs::canonicalize(above).ok()?.join(name),
            _ => return None,
        };
        let hidden = self.hidden.iter().any(|(hidden, but)| {
            real.starts_with(hidden) && !but.iter().any(|shown| real.starts_with(shown))
        });
        self.access(&real).filter(|_| !hidden)
    }

    /// The interpreter of a script, if it is there and not seen.
    pub(super) fn unseen_interpreter(&self, script: &Path) -> Option<PathBuf> {
        let mut first = [0; 256];
        let mut file = fs::File::open(script).ok()?;
        let length = io::Read::read(&mut file, &mut first).ok()?;
        let line = first[..length].split(|byte| *byte == b'\n').next()?.strip_prefix(b"#!")?;
        let line = std::str::from_utf8(line).ok()?;
        let interpreter = PathBuf::from(line.split_ascii_whitespace().next()?);
        (interpreter.exists() && !self.shows(&interpreter)).then_some(interpreter)
    }

    /// This path, or those parts of it that are not hidden.
    pub(super) fn parts(&self, path: &Path) -> Vec<PathBuf> {
        if let Some(shown) = self.hidden.get(path) {
            return shown.clone();
        }
        if !self.hidden.keys().any(|hidden| hidden.starts_with(path)) {
            return vec![path.to_owned()];
        }
        let inside = fs::read_dir(path).into_iter().flatten().flatten();
        inside.flat_map(|entry| self.parts(&entry.path())).collect()
    }

    /// Shows it, and says where it really is.
    fn show(&mut self, path: &Path, write: bool) -> io::Result<PathBuf> {
        let (links, real) = resolve(path)?;
        match self.access(&real) {
            Some(already) if already || !write => {}
            _ => {
                // What lies beneath and may do no more is part of it now.
                self.shown.retain(|path, may| !path.starts_with(&real) || (*may && !write));
                self.shown.insert(real.clone(), write);
            }
        }
        self.links.extend(links);
        Ok(real)
    }
}

/// The symbolic links on the way to a path, and where it really is.
fn resolve(path: &Path) -> io::Result<(Vec<(PathBuf, PathBuf)>, PathBuf)> {
    let mut links = Vec::new();
    let mut real = PathBuf::from("/");
    let mut rest: VecDeque<OsString> = parts(path);
    while let Some(part) = rest.pop_front() {
        if part == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&part);
        if !fs::symlink_metadata(&next)?.is_symlink() {
            real = next;
            continue;
        }
        if links.len() == 40 {
            return Err(io::ErrorKind::NotFound.into()); // a circle
        }
        let target = fs::read_link(&next)?;
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        for part in parts(&target).into_iter().rev() {
            rest.push_front(part);
        }
        links.push((next, target));
    }
    Ok((links, real))
}

fn parts(path: &Path) -> VecDeque<OsString> {
    let named = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        _ => None,
    };
    path.components().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn links_on_the_way_are_shown_as_what_they_are() {
        let kept = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(kept.path()).unwrap();
        fs::create_dir_all(root.join("releases/7/etc")).unwrap();
        std::os::unix::fs::symlink("releases/7", root.join("current")).unwrap();
        let (links, real) = resolve(&root.join("current/../7/etc")).unwrap();
        assert_eq!(real, root.join("releases/7/etc"));
        assert_eq!(links, [(root.join("current"), PathBuf::from("releases/7"))]);
        std::os::unix::fs::symlink("circle", root.join("circle")).unwrap();
        assert!(resolve(&root.join("circle")).is_err());
    }

    #[test]
    fn what_is_beneath_is_part_of_it() {
        let kept = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(kept.path()).unwrap();
        fs::create_dir_all(root.join("a/b/c")).unwrap();
        let mut seen = Seen::default();
        seen.show(&root.join("a/b"), true).unwrap();
        seen.show(&root.join("a"), false).unwrap();
        seen.show(&root.join("a/b/c"), false).unwrap();
        let shown: Vec<_> = seen.shown.iter().map(|(path, write)| (path.clone(), *write)).collect();
        assert_eq!(shown, [(root.join("a"), false), (root.join("a/b"), true)]);
        assert_eq!(seen.access(&root.join("a/b/c")), Some(true));
        seen.show(&root, true).unwrap();
        assert_eq!(seen.shown.into_iter().collect::<Vec<_>>(), [(root, true)]);
    }
}
