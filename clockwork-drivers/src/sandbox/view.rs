//! A program's own view of the file system: prepared as a list of steps ([`View::prepare`]), which the forked process
//! takes ([`View::enter`]) before it becomes the program. It has a root of its own, in memory, that shows what is granted
//! and is otherwise empty; a `/tmp`, a `/proc` and a small `/dev` of its own.
//!
//! All but `/tmp`, what is granted beneath, and `/proc` can be had from a mould, which somebody made before
//! ([`View::cast`]) for all programs that see the same: then the process copies that, and takes the few steps that are
//! left ([`View::enter_copy`]).

use std::{
    collections::BTreeSet,
    ffi::CString,
    fs::{self, File},
    io::{self, Read},
    os::{
        fd::OwnedFd,
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::FileTypeExt,
        },
    },
    path::{Path, PathBuf},
};

use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    sys::stat::Mode,
    unistd::{chdir, mkdir, pivot_root},
};

use super::{
    grants::Seen,
    step::{At, NEW, OLD, Step, file, guard},
};

/// The steps to a view.
#[derive(Debug)]
pub(super) struct View {
    /// A directory that a file system can be mounted on for the moment.
    base: CString,
    steps: Vec<Step>,
    /// The steps beneath `/tmp`, which no two programs share.
    own: Vec<Step>,
    /// How large `/tmp` may become.
    room: CString,
}

/// Where it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failed {
    /// Before anything was changed: mounting is not permitted here.
    Early(Errno),
    /// At the step of this number.
    Late(u32, Errno),
}

/// A part of `/dev`.
pub(super) const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom"];
const BASES: &[&str] = &["/tmp", "/usr", "/etc", "/proc"];

fn c_path(path: impl Into<PathBuf>) -> io::Result<CString> {
    Ok(CString::new(path.into().into_os_string().into_vec())?)
}

fn beneath(root: &str, path: &Path) -> io::Result<CString> {
    let mut joined = root.as_bytes().to_vec();
    joined.extend_from_slice(path.as_os_str().as_bytes());
    Ok(CString::new(joined)?)
}

impl View {
    /// The steps to a view in which this is seen, on a machine with these mounts ([`table`]). `also` names directories that
    /// have to be there, empty if need be.
    pub(super) fn prepare(seen: &Seen, also: &[PathBuf], room: u64, table: &[u8]) -> io::Result<Self> {
        let mut view = Self {
            base: c_path(BASES.iter().find(|base| Path::new(base).is_dir()).copied().unwrap_or("/"))?,
            steps: Vec::new(),
            own: Vec::new(),
            room: CString::new(format!("size={room},mode=1777"))?,
        };
        let mut made = BTreeSet::new();
        let mounts = mounts(table);
        let whole = seen.shown.get(Path::new("/"));
        if let Some(write) = whole {
            view.show(Path::new("/"), *write, seen, &mounts, &mut made)?;
        }
        // Before all others, so that what is granted beneath is not hidden by it.
        for path in ["/tmp", "/proc", "/dev"] {
            view.directories(Path::new(path), true, &mut made)?;
        }
        for (path, write) in seen.shown.iter().filter(|(path, _)| path.parent().is_some()) {
            view.show(path, *write, seen, &mounts, &mut made)?;
        }
        for (path, shown) in &seen.hidden {
            let to = beneath(NEW, path)?;
            match (path.is_dir(), shown.is_empty()) {
                (true, true) => view.steps.push(Step::Show { from: c_path("/void")?, to }),
                (true, false) => {
                    view.steps.push(Step::Memory(to.clone()));
                    let mut inside = BTreeSet::from([path.clone()]);
                    for path in shown {
                        view.show(
                            path,
                            seen.access(path) == Some(true),
                            &Seen::default(),
                            &mounts,
                            &mut inside,
                        )?;
                    }
                    view.steps.push(Step::Guard { path: to, write: false });
                }
                (false, _) => view.steps.push(Step::Show { from: c_path("/empty")?, to }),
            }
        }
        for (path, target) in &seen.links {
            if path.parent().is_some_and(|above| seen.covers(above)) {
                continue;
            }
            view.directories(path, false, &mut made)?;
            view.steps.push(Step::Link { target: c_path(target)?, path: beneath(NEW, path)? });
        }
        for path in also {
            if !seen.covers(path) {
                view.directories(path, true, &mut made)?;
            }
        }
        for device in DEVICES {
            let path = Path::new("/dev").join(device);
            if path.exists() {
                view.steps.push(Step::File(beneath(NEW, &path)?));
                view.steps.push(Step::Show { from: beneath(OLD, &path)?, to: beneath(NEW, &path)? });
            }
        }
        for (path, target) in [
            ("/dev/fd", "/proc/self/fd"),
            ("/dev/stdin", "/proc/self/fd/0"),
            ("/dev/stdout", "/proc/self/fd/1"),
            ("/dev/stderr", "/proc/self/fd/2"),
            ("/dev/shm", "/tmp"),
            ("/var/tmp", "/tmp"),
        ] {
            view.directories(Path::new(path), false, &mut made)?;
            view.steps.push(Step::Link { target: c_path(target)?, path: beneath(NEW, Path::new(path))? });
        }
        (view.own, view.steps) = view.steps.into_iter().partition(Step::is_in_tmp);
        Ok(view)
    }

    fn show(
        &mut self,
        path: &Path,
        write: bool,
        seen: &Seen,
        mounts: &[PathBuf],
        made: &mut BTreeSet<PathBuf>,
    ) -> io::Result<()> {
        let to = beneath(NEW, path)?;
        let inside = path.parent().is_some_and(|above| seen.covers(above));
        if path.is_dir() {
            if !inside {
                self.directories(path, true, made)?;
            }
        } else if !inside {
            self.directories(path, false, made)?;
            self.steps.push(Step::File(to.clone()));
        }
        self.steps.push(Step::Show { from: beneath(OLD, path)?, to: to.clone() });
        if fs::metadata(path)
            .is_ok_and(|seen| seen.file_type().is_char_device() || seen.file_type().is_block_device())
        {
            return Ok(()); // one that is granted by name is to be used; what may be done with it, Landlock says
        }
        self.steps.push(Step::Guard { path: to, write });
        // What is mounted beneath comes with it, and is guarded one by one.
        for mount in mounts.iter().filter(|mount| mount.starts_with(path) && *mount != path) {
            self.steps.push(Step::GuardInside { path: beneath(NEW, mount)?, write });
        }
        Ok(())
    }

    /// The directories above a path, and the path itself if it is one.
    fn directories(&mut self, path: &Path, itself: bool, made: &mut BTreeSet<PathBuf>) -> io::Result<()> {
        let mut above: Vec<&Path> = path.ancestors().skip(usize::from(!itself)).collect();
        above.reverse();
        for directory in above.into_iter().skip(1) {
            if made.insert(directory.to_owned()) {
                self.steps.push(Step::Directory(beneath(NEW, directory)?));
            }
        }
        Ok(())
    }

    /// Which path a step is about, for a message.
    pub(super) fn path(&self, step: u32) -> Option<String> {
        let path = self.steps.iter().chain(&self.own).nth(step as usize)?.path();
        let text = path.to_string_lossy();
        Some(text.strip_prefix(NEW).unwrap_or(&text).to_owned())
    }

    /// Makes the view, for this process and those that it starts. It has to be in a mount namespace of its own, and in a
    /// new pid namespace, of which it then sees the processes. Says whether there is a `/proc`.
    pub(super) fn enter(&self) -> Result<bool, Failed> {
        self.begin()?;
        let proc = self.make_own(At::New, &[])?;
        finish()?;
        Ok(proc)
    }

    /// Makes what of it programs can share, in the mount namespace of this thread.
    pub(super) fn cast(&self) -> Result<(), Failed> {
        for step in &self.own {
            step.take_along().map_err(Failed::Early)?; // who copies it has to be able to
        }
        self.begin()?;
        finish()
    }

    /// Makes the view as [`View::enter`] does, of a copy of what [`View::cast`] has made, in new namespaces of these kinds
    /// beside those for mounts.
    pub(super) fn enter_copy(&self, mould: &File, namespaces: CloneFlags) -> Result<bool, Failed> {
        let mut trees = Vec::with_capacity(self.own.len());
        for (number, step) in self.own.iter().enumerate() {
            trees.push(step.take_along().map_err(|errno| self.late_own(number, errno))?);
        }
        setns(mould, CloneFlags::CLONE_NEWNS).map_err(late)?;
        unshare(namespaces | CloneFlags::CLONE_NEWNS).map_err(late)?;
        self.make_own(At::Root, &trees)
    }

    fn begin(&self) -> Result<(), Failed> {
        let none: Option<&str> = None;
        let careful = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).map_err(Failed::Early)?;
        let base = self.base.as_c_str();
        mount(Some("tmpfs"), base, Some("tmpfs"), careful, Some("mode=755")).map_err(Failed::Early)?;
        chdir(base).map_err(late)?;
        mkdir("old", Mode::from_bits_truncate(0o700)).map_err(late)?;
        mkdir("new", Mode::from_bits_truncate(0o755)).map_err(late)?;
        mkdir("void", Mode::empty()).map_err(late)?;
        file(c"empty").map_err(late)?;
        pivot_root(".", "old").map_err(late)?;
        chdir("/").map_err(late)?;
        // So that what hides other files is not to be written to either.
        guard(c".", false).map_err(late)?;
        mount(Some("tmpfs"), NEW, Some("tmpfs"), careful, Some("mode=755")).map_err(late)?;
        for (number, step) in self.steps.iter().enumerate() {
            step.take(At::New, None, &self.room).map_err(|errno| Failed::Late(number as u32, errno))?;
        }
        Ok(())
    }

    /// Makes what is one program's alone. `trees` is what [`Step::take_along`] has taken along.
    fn make_own(&self, at: At, trees: &[Option<OwnedFd>]) -> Result<bool, Failed> {
        Step::Memory(CString::from(c"/new/tmp")).take(at, None, &self.room).map_err(late)?;
        for (number, step) in self.own.iter().enumerate() {
            let tree = trees.get(number).and_then(Option::as_ref);
            step.take(at, tree, &self.room).map_err(|errno| self.late_own(number, errno))?;
        }
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC | MsFlags::MS_RDONLY;
        let none: Option<&str> = None;
        Ok(mount(Some("proc"), at.path(c"/new/proc"), Some("proc"), flags, none).is_ok())
    }

    fn late_own(&self, number: usize, errno: Errno) -> Failed {
        Failed::Late((self.steps.len() + number) as u32, errno)
    }
}

/// Leaves everything but the new root.
fn finish() -> Result<(), Failed> {
    chdir(NEW).map_err(late)?;
    guard(c".", false).map_err(late)?;
    pivot_root(".", ".").map_err(late)?;
    umount2(".", MntFlags::MNT_DETACH).map_err(late)?;
    chdir("/").map_err(late)
}

/// At none of the steps.
fn late(errno: Errno) -> Failed {
    Failed::Late(u32::MAX, errno)
}

/// What is mounted on this machine, as the kernel tells it.
pub(super) fn table() -> Vec<u8> {
    let mut table = Vec::with_capacity(16 << 10); // to be read at once: the kernel does not say how long it is
    let read = File::open("/proc/self/mountinfo").and_then(|mut file| file.read_to_end(&mut table));
    if read.is_err() {
        table.clear();
    }
    table
}

/// Where something is mounted.
fn mounts(table: &[u8]) -> Vec<PathBuf> {
    let paths = table.split(|byte| *byte == b'\n').filter_map(|line| line.split(|byte| *byte == b' ').nth(4));
    paths.map(|path| PathBuf::from(std::ffi::OsString::from_vec(unescaped(path)))).collect()
}

/// The table writes blanks and backslashes as `\040`.
fn unescaped(path: &[u8]) -> Vec<u8> {
    let (mut plain, mut rest) = (Vec::with_capacity(path.len()), path);
    while let Some((first, after)) = rest.split_first() {
        let octal = (*first == b'\\').then(|| after.get(..3)).flatten();
        match octal.and_then(|octal| u8::from_str_radix(std::str::from_utf8(octal).ok()?, 8).ok()) {
            Some(byte) => {
                plain.push(byte);
                rest = &after[3..];
            }
            None => {
                plain.push(*first);
                rest = after;
            }
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_in_the_table_are_read() {
        assert_eq!(unescaped(br"/a\040b\134c\0"), br"/a b\c\0");
    }
}
