//! [`Views`]: the views of a run's programs, worked out once for all programs that see the same; and, where we have the
//! right to, made once: a mount namespace that holds the view, of which each program gets a copy ([`Mould`]).
//!
//! What lies at a path can be replaced while a run goes on. So a view is used again only while all that it shows is still
//! the very same files, and nothing was mounted or unmounted on this machine since.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use nix::{
    libc,
    sched::{CloneFlags, setns, unshare},
};

use super::{
    grants::Seen,
    view::{DEVICES, View, table},
};

/// How many are kept.
const KEPT: usize = 8;

/// A view, and what it is made from.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) view: Arc<View>,
    pub(super) mould: Option<Arc<Mould>>,
}

/// A mount namespace in which a view was made. A program whose view is a copy of it is the first process of a pid namespace
/// when it begins.
#[derive(Debug)]
pub(super) struct Mould(pub(super) File);

/// Those of a run, the last that was used first.
#[derive(Debug)]
pub(super) struct Views {
    known: Vec<(Basis, Known)>,
    /// What was mounted when they were made.
    table: Vec<u8>,
    /// The pid namespace of this process, where it may make others and mount.
    pids: Option<File>,
}

/// What a view rests on.
#[derive(Debug, PartialEq, Eq)]
struct Basis {
    seen: Seen,
    also: Vec<PathBuf>,
    room: u64,
    files: Vec<Option<(u64, u64, u32)>>,
}

impl Views {
    pub(super) fn none() -> Self {
        let pids = File::open("/proc/thread-self/ns/pid").ok().filter(|_| owns_the_machine());
        Self { known: Vec::new(), table: Vec::new(), pids }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// The view in which this is seen; see [`View::prepare`].
    pub(super) fn of(&mut self, seen: &Seen, also: Vec<PathBuf>, room: u64) -> io::Result<Known> {
        let table = table();
        if self.table != table {
            self.known.clear();
            self.table = table;
        }
        // As files of a mould are held by it, no other gets their number.
        let files = files(seen, &also);
        let same = |basis: &Basis| {
            basis.room == room && basis.files == files && basis.also == also && basis.seen == *seen
        };
        if let Some(place) = self.known.iter().position(|(basis, _)| same(basis)) {
            self.known[..=place].rotate_right(1);
        } else {
            let view = Arc::new(View::prepare(seen, &also, room, &self.table)?);
            let mould = self.pids.as_ref().and_then(|_| cast(Arc::clone(&view))).map(Arc::new);
            let mould = mould.filter(|_| files == self::files(seen, &also));
            self.known.truncate(KEPT - 1);
            self.known.insert(0, (Basis { seen: seen.clone(), also, room, files }, Known { view, mould }));
        }
        let (_, known) = self.known.first().ok_or(io::ErrorKind::NotFound)?;
        Ok(known.clone())
    }

    /// Starts something as the first process of a new pid namespace.
    pub(super) fn in_new_pids<T>(&self, start: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let own = self.pids.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        unshare(CloneFlags::CLONE_NEWPID)?;
        let started = start();
        setns(own, CloneFlags::CLONE_NEWPID)?;
        started
    }
}

/// Who each of the files is.
fn files(seen: &Seen, also: &[PathBuf]) -> Vec<Option<(u64, u64, u32)>> {
    let devices = DEVICES.iter().map(|device| Path::new("/dev").join(device));
    let hidden = seen.hidden.iter().flat_map(|(hidden, but)| [hidden].into_iter().chain(but));
    let all = seen.shown.keys().chain(hidden).chain(also).map(PathBuf::as_path);
    let who = |path: &Path| {
        fs::metadata(path).ok().map(|seen| (seen.dev(), seen.ino(), seen.mode() & libc::S_IFMT))
    };
    all.map(who).chain(devices.map(|device| who(&device))).collect()
}

/// Makes the view on a thread of its own, which alone leaves for another mount namespace, and ends there.
fn cast(view: Arc<View>) -> Option<Mould> {
    let made = std::thread::Builder::new().name(String::from("sandboxes")).spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS).ok()?;
        let namespace = File::open("/proc/thread-self/ns/mnt").ok()?;
        view.cast().ok()?;
        Some(Mould(namespace))
    });
    made.ok()?.join().ok()?
}

/// Whether this is root of the machine itself. In a user namespace, no `/proc` is mounted where there is none already.
fn owns_the_machine() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    nix::unistd::Uid::effective().is_root() && map.split_ascii_whitespace().eq(["0", "0", "4294967295"])
}
