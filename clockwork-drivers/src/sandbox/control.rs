//! Control groups: limits for all processes of a program together, where we may make such groups. That takes root, or a
//! group that was delegated to us.

use std::{
    fs::{self, File, OpenOptions},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use super::launch::Exceeded;

const MOUNT: &str = "/sys/fs/cgroup";
const PREFIX: &str = "clockwork-";

/// The directories in which groups can be made: one for each of the two limits, or one for both.
#[derive(Debug, Clone, Default)]
pub(super) struct Hierarchy {
    parents: Vec<Parent>,
}

#[derive(Debug, Clone)]
struct Parent {
    directory: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Memory1,
    Pids1,
    Both2,
}

/// The groups of one program. They are removed when this is dropped.
#[derive(Debug)]
pub(super) struct Groups {
    groups: Vec<(PathBuf, Version)>,
    /// Who writes a zero to these puts itself in.
    pub(super) doors: Vec<File>,
}

impl Hierarchy {
    /// Looks where groups can be made, and removes those that runs which were killed have left there.
    pub(super) fn find() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let path_of = |wanted: &str| {
            own.lines().find_map(|line| {
                let (_, rest) = line.split_once(':')?;
                let (controllers, path) = rest.split_once(':')?;
                let found = match wanted {
                    "" => controllers.is_empty(),
                    _ => controllers.split(',').any(|one| one == wanted),
                };
                found.then(|| path.trim_start_matches('/').to_owned())
            })
        };
        let mut parents = Vec::new();
        for (controller, version) in [("memory", Version::Memory1), ("pids", Version::Pids1)] {
            let root = Path::new(MOUNT).join(controller);
            let inside = path_of(controller).map(|path| root.join(path));
            let usable = |directory: &PathBuf| directory.join("tasks").exists() && writable(directory);
            let found = inside.into_iter().chain([root]).find(usable);
            parents.extend(found.map(|directory| Parent { directory, version }));
        }
        if parents.is_empty() {
            parents.extend(
                path_of("")
                    .and_then(|path| unified(&path))
                    .map(|directory| Parent { directory, version: Version::Both2 }),
            );
        }
        for parent in &parents {
            sweep(&parent.directory);
        }
        Self { parents }
    }

    /// New groups with these limits; `None` where that cannot be done.
    pub(super) fn make(&self, memory: u64, processes: u32) -> Option<Groups> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        if self.parents.is_empty() {
            return None;
        }
        let name = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut made = Groups { groups: Vec::new(), doors: Vec::new() };
        for parent in &self.parents {
            let group = parent.directory.join(&name);
            fs::create_dir(&group).ok()?;
            made.groups.push((group.clone(), parent.version));
            let write = |file: &str, value: &str| fs::write(group.join(file), value).is_ok();
            let memory = memory.to_string();
            let limited = match parent.version {
                Version::Memory1 => {
                    let limited = write("memory.limit_in_bytes", &memory);
                    write("memory.memsw.limit_in_bytes", &memory); // only where swap is accounted for
                    limited
                }
                Version::Pids1 => write("pids.max", &processes.to_string()),
                Version::Both2 => {
                    write("memory.swap.max", "0");
                    write("memory.max", &memory) && write("pids.max", &processes.to_string())
                }
            };
            let door = if parent.version == Version::Both2 { "cgroup.procs" } else { "tasks" };
            made.doors.push(OpenOptions::new().write(true).open(group.join(door)).ok().filter(|_| limited)?);
        }
        Some(made)
    }
}

impl Groups {
    pub(super) fn limits_memory(&self) -> bool {
        self.groups.iter().any(|(_, version)| matches!(version, Version::Memory1 | Version::Both2))
    }

    pub(super) fn limits_processes(&self) -> bool {
        self.groups.iter().any(|(_, version)| matches!(version, Version::Pids1 | Version::Both2))
    }

    /// Which limits were run into so far.
    pub(super) fn exceeded(&self) -> Exceeded {
        let mut exceeded = Exceeded::default();
        for (group, version) in &self.groups {
            let count = |file: &str, key: &str| {
                let content = fs::read_to_string(group.join(file)).unwrap_or_default();
                let found =
                    content.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<u64>().ok());
                found.unwrap_or(0) > 0
            };
            match version {
                Version::Memory1 => exceeded.memory |= count("memory.oom_control", "oom_kill "),
                Version::Pids1 => exceeded.processes |= count("pids.events", "max "),
                Version::Both2 => {
                    exceeded.memory |= count("memory.events", "oom_kill ");
                    exceeded.processes |= count("pids.events", "max ");
                }
            }
        }
        exceeded
    }
}

/// Waits until what is in them has ended: it has been killed.
impl Drop for Groups {
    fn drop(&mut self) {
        for (group, _) in self.groups.drain(..) {
            for _ in 0..200 {
                match fs::remove_dir(&group) {
                    Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                        std::thread::sleep(Duration::from_millis(5));
                    }
                    _ => break,
                }
            }
        }
    }
}

/// In version 2, a group with processes of its own has no groups with limits beneath. The nearest one above that has.
fn unified(path: &str) -> Option<PathBuf> {
    let root = Path::new(MOUNT);
    let has = |directory: &Path| {
        let enabled = fs::read_to_string(directory.join("cgroup.subtree_control")).unwrap_or_default();
        ["memory", "pids"].iter().all(|wanted| enabled.split_whitespace().any(|one| one == *wanted))
    };
    let own = root.join(path);
    own.ancestors()
        .take_while(|directory| directory.starts_with(root))
        .find(|directory| has(directory) && writable(directory))
        .map(Path::to_owned)
}

fn writable(directory: &Path) -> bool {
    nix::unistd::access(directory, nix::unistd::AccessFlags::W_OK).is_ok()
}

fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-'));
        if let Some((pid, _)) = pid
            && pid.parse::<u32>().is_ok()
            && !Path::new("/proc").join(pid).exists()
        {
            let _ = fs::remove_dir(entry.path()); // only what is empty
        }
    }
}
