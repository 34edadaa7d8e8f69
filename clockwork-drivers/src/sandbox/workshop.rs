//! The thread on which the sandboxes of a run are made. The kernel ends what it has started when it ends, and it ends
//! with the run: so nothing is left behind even where Clockwork is killed.

use std::{
    collections::HashMap,
    ffi::{CString, OsString},
    fs::File,
    io,
    os::{
        fd::{AsFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::Duration,
};

use clockwork_core::{CheckError, text::quote};
use nix::{
    errno::Errno,
    fcntl::OFlag,
    sched::{CloneFlags, setns},
    sys::resource::Resource,
    unistd::{Gid, Pid, Uid, pipe2},
};
use seccompiler::BpfProgram;

use super::{
    child::{Plan, enter},
    control::{Groups, Hierarchy},
    files::{self, Rules},
    filter::{Wanted, compile},
    fork::before_exec,
    grants::{Host, Seen},
    launch::Launch,
    lent::{Lent, lend},
    mould::Views,
    report::{LENGTH, Record, Stage, Told},
    spec::{Grants, NetworkAccess},
};

pub(super) type Job = Box<dyn FnOnce(&mut Workshop) + Send>;

/// Hands work to the thread, which is started by the first.
#[derive(Default)]
pub(super) struct Workers(Mutex<Option<mpsc::Sender<Job>>>);

impl Workers {
    pub(super) fn jobs(&self) -> io::Result<mpsc::Sender<Job>> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(jobs) = &*jobs {
            return Ok(jobs.clone());
        }
        let (sender, receiver) = mpsc::channel::<Job>();
        std::thread::Builder::new().name(String::from("sandboxes")).spawn(move || {
            let mut workshop: Option<Workshop> = None;
            loop {
                let job = match workshop.as_ref().and_then(Workshop::idle) {
                    None => receiver.recv().map_err(|_| mpsc::RecvTimeoutError::Disconnected),
                    Some(idle) => receiver.recv_timeout(idle),
                };
                match (job, &mut workshop) {
                    (Ok(job), workshop) => job(workshop.get_or_insert_with(Workshop::open)),
                    (Err(mpsc::RecvTimeoutError::Timeout), Some(workshop)) => workshop.tidy(),
                    (Err(_), _) => return,
                }
            }
        })?;
        Ok(jobs.insert(sender).clone())
    }
}

/// What the sandboxes of a run share.
pub(super) struct Workshop {
    host: Host,
    hierarchy: Hierarchy,
    filters: HashMap<(NetworkAccess, bool), [Vec<BpfProgram>; 3]>,
    /// The network of this thread.
    network: Option<File>,
    moulds: Views,
    /// Processes that were about to end when they were last looked at.
    pub(super) ending: Vec<Started>,
    /// Whether a program has had a view of its own. Then the next has one, too, and the rules for one without, for which
    /// whole directories are read, are left out: it could do nothing.
    views: bool,
}

/// What is to be started, beside what the command says already.
pub(super) struct Order {
    pub(super) environment: Vec<OsString>,
    pub(super) mark: String,
    pub(super) launch: Launch,
    pub(super) grants: Grants,
    pub(super) cwd: PathBuf,
    /// The network that it is to be in.
    pub(super) network: Option<Arc<File>>,
}

/// A program in its sandbox.
pub(super) struct Made {
    pub(super) child: Started,
    pub(super) streams: (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>),
    pub(super) record: Record,
    pub(super) report: OwnedFd,
    pub(super) groups: Option<Groups>,
    pub(super) lent: Option<Lent>,
    pub(super) seen: Seen,
    /// Where it keeps its temporary files.
    pub(super) scratch: Scratch,
    /// Whether the network was to be one of its own.
    pub(super) own_network: bool,
}

/// The process that was started for a program. When this is dropped, it is ended, with the program, and waited for.
#[derive(Debug)]
pub(super) struct Started(Child);

impl Started {
    pub(super) fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill(); // most often it has ended
        let _ = self.0.wait();
    }
}

/// Where a program keeps its temporary files if it has no view of its own; otherwise it was never made. It is removed when
/// this is dropped; what cannot be removed then is left to the system.
#[derive(Debug)]
pub(super) struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Why there is none.
pub(super) enum NotMade {
    /// It was to be run, and that failed.
    NotRun(io::Error, Option<Seen>),
    Other(CheckError),
}

impl From<CheckError> for NotMade {
    fn from(error: CheckError) -> Self {
        Self::Other(error)
    }
}

fn ours(what: &str) -> impl FnOnce(io::Error) -> NotMade {
    let message = format!("cannot make a sandbox: {what}");
    move |error| NotMade::Other(CheckError::unobservable(message).with_source(error).retryable())
}

impl Workshop {
    fn open() -> Self {
        let network = File::open("/proc/thread-self/ns/net").ok();
        Self {
            host: Host::look(),
            hierarchy: Hierarchy::find(),
            filters: HashMap::new(),
            network,
            moulds: Views::none(),
            ending: Vec::new(),
            views: false,
        }
    }

    /// For how long nothing is to be done until [`Workshop::tidy`] has something to do.
    fn idle(&self) -> Option<Duration> {
        match (self.ending.is_empty(), self.moulds.is_empty()) {
            (false, _) => Some(Duration::from_millis(5)),
            (true, false) => Some(Duration::from_secs(1)),
            (true, true) => None,
        }
    }

    /// Waits for processes that are about to end, or lets go of views: what they show cannot be unmounted.
    fn tidy(&mut self) {
        if self.ending.is_empty() { self.moulds.forget() } else { self.ending.clear() }
    }

    /// Starts `command`, which says all but the sandbox.
    pub(super) fn start(&mut self, mut command: Command, order: Order) -> Result<Made, NotMade> {
        let Order { environment, mark, launch, grants, cwd, network } = order;
        let (launch, grants, cwd) = (&launch, &grants, cwd.as_path());
        let name = launch.command.first().map(String::as_str).unwrap_or_default();
        let Some(program) = self.host.find(name, launch, cwd) else {
            return Err(NotMade::NotRun(Errno::ENOENT.into(), None));
        };
        let seen = self.host.shows(launch, grants, cwd)?;
        let groups = self.hierarchy.make(grants.memory.0, grants.processes);
        let (lend, mut lent) = match grants.network {
            NetworkAccess::Loopback => {
                let (lend, lent) = lend().map_err(ours("a socket"))?;
                (Some(lend), Some(lent))
            }
            _ => (None, None),
        };
        let own_network = lend.is_some();
        let memory_counted = groups.as_ref().is_some_and(Groups::limits_memory);
        let scratch = Scratch(std::env::temp_dir().join(format!("clockwork-{mark}")));
        let (report, told) = pipe2(OFlag::O_CLOEXEC).map_err(|errno| ours("a pipe")(errno.into()))?;
        let mut also = vec![cwd.to_owned()];
        also.extend(std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute()));
        let path = |path: &Path| {
            CString::new(path.as_os_str().as_bytes()).map_err(|error| ours("a path")(error.into()))
        };
        let known = self.moulds.of(&seen, also, grants.file_size.0).map_err(ours("a path"))?;
        let in_new_pids = known.mould.is_some();
        let plan = Arc::new(Plan {
            parent: Pid::this(),
            root: Uid::effective().is_root(),
            ids: (Uid::effective().as_raw(), Gid::effective().as_raw()),
            view: known.view,
            mould: known.mould,
            rules: (
                files::inside(&seen)?,
                if in_new_pids || self.views { Rules::new() } else { files::outside(&seen)? },
            ),
            tcp: grants.network != NetworkAccess::None,
            lend,
            filters: self.filters(grants.network, memory_counted)?,
            limits: limits(grants, memory_counted),
            processes: grants.processes.into(),
            counted: groups.as_ref().is_some_and(Groups::limits_processes),
            doors: groups
                .iter()
                .flat_map(|groups| &groups.doors)
                .filter_map(|door| door.try_clone().ok())
                .collect(),
            cwd: path(cwd)?,
            required: grants.required,
            program: path(&program)?,
            arguments: words(launch.command.iter().map(String::as_bytes))?,
            scratch: path(&scratch.0)?,
            environment: words(environment.iter().map(|variable| variable.as_bytes()))?,
        });
        let planned = Arc::clone(&plan);
        before_exec(&mut command, move || enter(&planned, told.as_fd()));
        let started = self.in_network(network, || match in_new_pids {
            true => self.moulds.in_new_pids(|| command.spawn()),
            false => command.spawn(),
        });
        self.ending.retain_mut(|ending| matches!(ending.0.try_wait(), Ok(None)));
        drop(command); // and with it our end of what the report is written to
        match (started.map(Started), read(&report)) {
            (Ok(mut child), Some(Told::Ready(record))) => {
                let streams = (child.0.stdin.take(), child.0.stdout.take(), child.0.stderr.take());
                self.views = record.view;
                if let Some(lent) = &mut lent {
                    lent.carry();
                }
                Ok(Made { scratch, child, streams, record, report, groups, lent, seen, own_network })
            }
            (started, told) => {
                let error = match (told, started) {
                    (Some(Told::Failed(record, stage, errno)), _) => {
                        NotMade::Other(failure(&plan, record, stage, errno, own_network))
                    }
                    (_, Err(error)) => NotMade::NotRun(error, Some(seen)),
                    (_, Ok(_)) => ours("it ended before it began")(io::ErrorKind::UnexpectedEof.into()),
                };
                Err(error)
            }
        }
    }

    fn filters(&mut self, network: NetworkAccess, counted: bool) -> Result<[Vec<BpfProgram>; 3], CheckError> {
        if let Some(known) = self.filters.get(&(network, counted)) {
            return Ok(known.clone());
        }
        let filter = |view, unix| {
            compile(Wanted { network, unix, view, counted }).map_err(|error| {
                CheckError::unobservable(format!("cannot make a sandbox: no filter of system calls: {error}"))
            })
        };
        let made = [filter(true, true)?, filter(true, false)?, filter(false, false)?];
        Ok(self.filters.entry((network, counted)).or_insert(made).clone())
    }

    /// What is started there is in that network for good.
    fn in_network<T>(
        &self,
        network: Option<Arc<File>>,
        start: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let Some(network) = network else { return start() };
        let own = self.network.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        setns(&*network, CloneFlags::CLONE_NEWNET)?;
        let started = start();
        setns(own, CloneFlags::CLONE_NEWNET)?;
        started
    }
}

/// For the kernel.
fn words<'a>(words: impl Iterator<Item = &'a [u8]>) -> Result<Vec<CString>, CheckError> {
    let words = words.map(CString::new).collect::<Result<_, _>>();
    words.map_err(|_| {
        CheckError::unobservable("cannot run it: an argument or a variable holds a NUL character")
    })
}

/// The first that is told, or the last that was told before it ended.
fn read(report: &OwnedFd) -> Option<Told> {
    let mut bytes = [0; LENGTH];
    let mut filled = 0;
    while filled < LENGTH {
        match nix::unistd::read(report, &mut bytes[filled..]) {
            Ok(0) => return None,
            Ok(count) => filled += count,
            Err(Errno::EINTR) => {}
            Err(_) => return None,
        }
    }
    Told::decode(&bytes)
}

fn failure(plan: &Plan, record: Record, stage: Stage, errno: i32, own_network: bool) -> CheckError {
    let error = io::Error::from_raw_os_error(errno);
    let what = match stage {
        Stage::Required => {
            let mut missing = record.missing(own_network).join("; ");
            if missing.is_empty() {
                missing = String::from("its system calls are not filtered (no seccomp)");
            }
            return CheckError::unobservable(format!(
                "the sandbox is required, and this machine does not enforce all of it: {missing}"
            ))
            .hint("without `required`, what is missing stands in the evidence");
        }
        Stage::Directory => {
            return CheckError::target(format!("cannot run in {}", quote(&plan.cwd.to_string_lossy())))
                .with_source(error);
        }
        Stage::View => {
            let path =
                plan.view.path(record.step).map_or_else(|| String::from("its root"), |path| quote(&path));
            format!("cannot show it {path}")
        }
        Stage::Session => String::from("no session of its own"),
        Stage::Users => String::from("no user namespace of its own"),
        Stage::Fork => String::from("no process"),
        Stage::Network => String::from("no loopback interface of its own"),
        Stage::Groups => String::from("it does not enter its control group"),
        Stage::Limits => String::from("a limit cannot be set"),
        Stage::Rights => String::from("its rights cannot be given up"),
    };
    CheckError::unobservable(format!("cannot make a sandbox: {what}")).with_source(error).retryable()
}

fn limits(grants: &Grants, memory_counted: bool) -> Vec<(Resource, u64, u64)> {
    let seconds = grants.cpu.as_secs() + u64::from(grants.cpu.subsec_nanos() > 0);
    let files = u64::from(grants.open_files);
    let mut limits = vec![
        (Resource::RLIMIT_CORE, 0, 0),
        (Resource::RLIMIT_CPU, seconds, seconds + 1),
        (Resource::RLIMIT_FSIZE, grants.file_size.0, grants.file_size.0),
        (Resource::RLIMIT_NOFILE, files, files),
    ];
    if !memory_counted {
        // For each process, then. The filter refuses what this does not count.
        limits.push((Resource::RLIMIT_DATA, grants.memory.0, grants.memory.0));
        limits.push((Resource::RLIMIT_STACK, 8 << 20, 64 << 20));
    }
    limits
}
