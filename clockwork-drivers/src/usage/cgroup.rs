//! Control groups, v1 and v2 and both at once: which one is a container's, and what it uses.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use clockwork_core::{CheckError, Context, Fault, Probe};

use super::{Memory, system};

/// `ENODEV`: the group is gone while its file is open.
const NO_SUCH_DEVICE: i32 = 19;

/// The control groups of all containers whose processes are on this machine, found in one pass over the process table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Groups;

/// Which control groups are whose.
#[derive(Debug)]
pub(crate) struct Found {
    mounts: Arc<Mounts>,
    by_id: HashMap<String, Paths>,
}

/// A container's groups, as `/proc/PID/cgroup` names them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Paths {
    /// Of v2's one hierarchy.
    unified: Option<String>,
    /// Of v1's hierarchies.
    memory: Option<String>,
    cpuacct: Option<String>,
}

/// Where the hierarchies are mounted: the folder, and which group of the hierarchy that folder is.
#[derive(Debug, Default, PartialEq, Eq)]
struct Mounts {
    unified: Option<(PathBuf, String)>,
    memory: Option<(PathBuf, String)>,
    cpuacct: Option<(PathBuf, String)>,
}

/// One container's control groups, as folders.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    /// The folder, and the hierarchy's root, above which there are no limits.
    memory: Folder,
    cpu: Folder,
}

#[derive(Debug, Clone)]
enum Folder {
    V1(PathBuf),
    V2 { folder: PathBuf, root: PathBuf },
}

impl Probe for Groups {
    type Observation = Found;

    async fn look(&self, cx: &Context) -> Result<Found, CheckError> {
        cx.phase("looking through the process table for control groups");
        tokio::task::spawn_blocking(|| find(Path::new("/proc"))).await?
    }

    fn describe(&self) -> String {
        String::from("looking for the containers' control groups")
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(seen: &Found) -> usize {
        seen.by_id.len() * 512
    }
}

fn find(proc: &Path) -> Result<Found, CheckError> {
    let mounts = Arc::new(Mounts::parse(&fs::read_to_string(proc.join("self/mountinfo"))?));
    let mut by_id: HashMap<String, Paths> = HashMap::new();
    for entry in fs::read_dir(proc)?.flatten() {
        if !entry.file_name().as_encoded_bytes().first().is_some_and(u8::is_ascii_digit) {
            continue;
        }
        // A process may end while we look, and another user's may be hidden: neither is a container that we see.
        let Ok(text) = fs::read_to_string(entry.path().join("cgroup")) else { continue };
        if let Some((id, paths)) = Paths::parse(&text) {
            by_id.entry(id).or_insert(paths);
        }
    }
    Ok(Found { mounts, by_id })
}

impl Found {
    /// The groups of the container of this id, if they are on this machine and can be read.
    pub(crate) fn of(&self, id: &str) -> Option<Group> {
        let paths = self.by_id.get(id)?;
        let v1 = |mount: &Option<(PathBuf, String)>, path: &Option<String>, file: &str| {
            let (folder, _) = locate(mount.as_ref()?, path.as_deref()?)?;
            folder.join(file).exists().then_some(Folder::V1(folder))
        };
        let v2 = |file: &str| {
            let (folder, root) = locate(self.mounts.unified.as_ref()?, paths.unified.as_deref()?)?;
            folder.join(file).exists().then_some(Folder::V2 { folder, root })
        };
        // Where both versions are in use, each controller is in one of them, and its files say in which.
        let memory = v1(&self.mounts.memory, &paths.memory, "memory.usage_in_bytes");
        let cpu = v1(&self.mounts.cpuacct, &paths.cpuacct, "cpuacct.usage");
        Some(Group { memory: memory.or_else(|| v2("memory.current"))?, cpu: cpu.or_else(|| v2("cpu.stat"))? })
    }
}

/// The folder of a group below the mount, if it is below it.
fn locate((mount, root): &(PathBuf, String), path: &str) -> Option<(PathBuf, PathBuf)> {
    let below = match root.as_str() {
        "/" => path,
        root => path.strip_prefix(root)?,
    };
    if below.split('/').any(|part| part == "..") {
        return None; // of a namespace beside ours
    }
    Some((mount.join(below.trim_start_matches('/')), mount.clone()))
}

impl Paths {
    /// The container that a process is in, and its groups up to the container's own: what is inside of it may have
    /// groups below that one.
    fn parse(text: &str) -> Option<(String, Self)> {
        let (mut id, mut paths) = (None, Self::default());
        for line in text.lines() {
            let mut parts = line.splitn(3, ':');
            let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
                continue;
            };
            let Some((found, end)) = container_in(path) else { continue };
            // All hierarchies agree, or this is not a container's process.
            if *id.get_or_insert(found) != found {
                return None;
            }
            let own = path[..end].to_owned();
            if controllers.is_empty() {
                paths.unified = Some(own);
                continue;
            }
            for controller in controllers.split(',') {
                match controller {
                    "memory" => paths.memory = Some(own.clone()),
                    "cpuacct" => paths.cpuacct = Some(own.clone()),
                    _ => {}
                }
            }
        }
        Some((id?.to_owned(), paths))
    }
}

/// Whether the groups of a process are those of the container of this id.
pub(crate) fn names_container(cgroup: &str, id: &str) -> bool {
    Paths::parse(cgroup).is_some_and(|(found, _)| found == id)
}

/// The first container that a path names, and where its part of the path ends: `/docker/ID`, `…/docker-ID.scope`,
/// `…/libpod-ID.scope/container`. Podman's monitor has a group of its own that names the container too.
fn container_in(path: &str) -> Option<(&str, usize)> {
    let mut end = 0;
    for part in path.split('/') {
        end += part.len() + 1;
        let bare = part.strip_suffix(".scope").unwrap_or(part);
        let (prefix, id) = bare.rsplit_once('-').unwrap_or(("", bare));
        let is_id = id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_id && !prefix.ends_with("conmon") {
            return Some((id, end - 1));
        }
    }
    None
}

impl Mounts {
    /// `36 35 0:31 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory`
    fn parse(mountinfo: &str) -> Self {
        let mut mounts = Self::default();
        for line in mountinfo.lines() {
            let Some((mount, kind)) = line.split_once(" - ") else { continue };
            let mut mount = mount.split(' ').skip(3);
            let mut kind = kind.split(' ');
            let (Some(root), Some(folder)) = (mount.next(), mount.next()) else { continue };
            let here = Some((PathBuf::from(unescape(folder)), unescape(root)));
            match (kind.next(), kind.nth(1)) {
                (Some("cgroup2"), _) => mounts.unified = mounts.unified.or(here),
                (Some("cgroup"), Some(options)) => {
                    for option in options.split(',') {
                        match option {
                            "memory" => mounts.memory = mounts.memory.take().or(here.clone()),
                            "cpuacct" => mounts.cpuacct = mounts.cpuacct.take().or(here.clone()),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        mounts
    }
}

/// Spaces and the like are `\040` in mountinfo.
fn unescape(text: &str) -> String {
    text.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}

impl Group {
    /// Memory, without the page cache that the kernel drops first.
    pub(crate) fn memory(&self) -> Result<Memory, CheckError> {
        let (usage, inactive, limit) = match &self.memory {
            Folder::V1(folder) => {
                let stat = read(&folder.join("memory.stat"))?;
                let usage = number(&folder.join("memory.usage_in_bytes"))?;
                let limit = field(&stat, "hierarchical_memory_limit");
                (usage, field(&stat, "total_inactive_file"), limit)
            }
            Folder::V2 { folder, root } => {
                let stat = read(&folder.join("memory.stat"))?;
                (
                    number(&folder.join("memory.current"))?,
                    field(&stat, "inactive_file"),
                    lowest_limit(folder, root),
                )
            }
        };
        let used = usage.checked_sub(inactive.unwrap_or(0)).unwrap_or(usage);
        // "No limit" is a number beyond any memory in v1.
        let machine = system::memory()?.limit;
        Ok(Memory { used, limit: limit.unwrap_or(machine).min(machine), processes: None })
    }

    /// Processor time so far.
    pub(crate) fn cpu_nanos(&self) -> Result<u64, CheckError> {
        match &self.cpu {
            Folder::V1(folder) => number(&folder.join("cpuacct.usage")),
            Folder::V2 { folder, .. } => {
                let path = folder.join("cpu.stat");
                let stat = read(&path)?;
                let micros = field(&stat, "usage_usec").ok_or_else(|| strange(&path))?;
                Ok(micros.saturating_mul(1000))
            }
        }
    }
}

/// The lowest of the group's limit and those of the groups above.
fn lowest_limit(folder: &Path, root: &Path) -> Option<u64> {
    let above = folder.ancestors().take_while(|above| above.starts_with(root));
    above.filter_map(|above| read(&above.join("memory.max")).ok()?.trim().parse().ok()).min()
}

fn read(path: &Path) -> Result<String, CheckError> {
    fs::read_to_string(path).map_err(|error| {
        let what = format!("cannot read {}", path.display());
        let fault = match error.kind() {
            io::ErrorKind::NotFound => CheckError::target(what),
            _ if error.raw_os_error() == Some(NO_SUCH_DEVICE) => CheckError::target(what),
            _ => CheckError::unobservable(what),
        };
        fault.with_source(error)
    })
}

fn number(path: &Path) -> Result<u64, CheckError> {
    read(path)?.trim().parse().map_err(|_| strange(path))
}

fn strange(path: &Path) -> CheckError {
    CheckError::unobservable(format!("{} does not hold what it should", path.display()))
}

fn field(stat: &str, name: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
#[path = "cgroup_tests.rs"]
mod tests;
