//! [`PythonProbe`]: finds a user's file imported, ready to be called.

use std::{
    env,
    hash::{BuildHasher, RandomState},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use clockwork_core::{CheckError, Context, Fault, Phase, Probe, text::quote};
use serde::Deserialize;

use super::{
    channel::Channel,
    interpreter::belongs_to_many,
    place::standing,
    printed::Printed,
    seat::Seats,
    told::Broken,
    worker::{Child, Ends, Parent, Status, Worker, WorkerProbe},
};
use crate::sandbox::{Enforcement, Sandbox};

/// How often a worker is replaced that is ended while it imports a file.
const ATTEMPTS: usize = 3;

/// Imports a file of the user's with this interpreter, in this sandbox. All who ask for it in one round share that.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PythonProbe {
    /// The interpreter: a path, or a name that is looked for in the directories of PATH.
    pub python: String,
    /// What its checks may do.
    pub sandbox: Sandbox,
    /// The file, relative to Clockwork's working directory.
    pub file: PathBuf,
}

/// A file of the user's, imported if that was possible.
#[derive(Debug)]
pub struct PythonFile {
    /// Its functions that are marked as checks, and of which resource.
    pub checks: Vec<(String, Option<String>)>,
    /// Why it could not be imported.
    pub broken: Option<Broken>,
    /// What it printed meanwhile.
    pub printed: Printed,
    pub(super) probe: PythonProbe,
    pub(super) worker: Arc<Worker>,
    /// The process that has it imported; it is gone when it was not to be shared and somebody has taken it.
    live: Mutex<Option<Arc<Live>>>,
    shared: bool,
    /// Where its checks run, if they may share processes.
    pub(super) seats: Option<Seats>,
}

/// A process with a file imported.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) requests: Channel,
    next: AtomicU64,
    gone: AtomicBool,
    pub(super) process: Child<Worker>,
}

impl Live {
    /// For the next process that it forks.
    pub(super) fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

impl Parent for Live {
    fn requests(&self) -> &Channel {
        &self.requests
    }

    fn is_gone(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

/// What a process says when it has imported its file.
#[derive(Deserialize)]
struct Imported {
    token: String,
    #[serde(default)]
    checks: Vec<(String, Option<String>)>,
    #[serde(default)]
    broken: Option<Broken>,
    #[serde(default)]
    copies: bool,
    /// Whether it can be told what a check leaves behind.
    #[serde(default)]
    again: bool,
}

impl Probe for PythonProbe {
    type Observation = PythonFile;

    async fn look(&self, cx: &Context) -> Result<PythonFile, CheckError> {
        for _ in 0..ATTEMPTS {
            let worker = self.worker(cx).await?;
            if let Some(file) = self.import(&worker, cx).await? {
                return Ok(file);
            }
        }
        Err(CheckError::unobservable(format!(
            "the interpreter was ended, again and again, while {} was imported",
            quote(&self.file.to_string_lossy())
        ))
        .retryable())
    }

    fn describe(&self) -> String {
        format!("importing {}", quote(&self.file.to_string_lossy()))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn looks_inside(&self) -> bool {
        true
    }

    /// Each keeps a process: those of earlier rounds are to end.
    fn weight(_: &PythonFile) -> usize {
        64 << 10
    }
}

impl PythonProbe {
    /// The worker for it.
    async fn worker(&self, cx: &Context) -> Result<Arc<Worker>, CheckError> {
        cx.phase(Phase::ours(format!("starting {}", quote(&self.python))));
        let (python, sandbox) = (self.python.clone(), self.sandbox.clone());
        // What is beneath the working directory is read by every worker.
        let path = self.path();
        let cwd = env::current_dir().unwrap_or_default();
        let directory = path.parent().unwrap_or(Path::new("/"));
        let readable = if belongs_to_many(directory) {
            Some(path)
        } else if path.starts_with(&cwd) && !belongs_to_many(&cwd) {
            None
        } else {
            Some(directory.to_path_buf())
        };
        WorkerProbe::new(python, sandbox, readable, cx).worker(cx).await
    }

    /// Where it lies, links included: what is imported beside it lies there, too.
    pub(super) fn path(&self) -> PathBuf {
        std::path::absolute(&self.file).unwrap_or_else(|_| self.file.clone())
    }

    /// The directory that the user's own files are in.
    pub(super) fn directory(&self) -> String {
        self.path().parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned()
    }

    /// Imports it in a new process; `None` where the worker is gone.
    async fn import(&self, worker: &Arc<Worker>, cx: &Context) -> Result<Option<PythonFile>, CheckError> {
        let shown = quote(&self.file.to_string_lossy());
        cx.phase("waiting for it to be imported");
        let token = token();
        let forked = worker.fork(&self.path(), &self.file.to_string_lossy(), &token).await?;
        let Some((ends, process)) = forked else { return Ok(None) };
        let Ends { mut channel, mut output, mut place } = ends;
        let line = {
            let told = channel.line();
            let says_where = async {
                let mut dump = 0;
                let mut pause = Duration::from_millis(250);
                loop {
                    tokio::time::sleep(pause).await;
                    process.ask_where();
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    place.take();
                    let text = place.printed.text();
                    if let Some(frame) = standing(text.get(dump..).unwrap_or_default(), &self.directory()) {
                        let line = frame.line.unwrap_or_default();
                        cx.phase(format!("it stands at line {line} of {}", quote(&frame.file)));
                    }
                    dump = text.len();
                    pause *= 2;
                }
            };
            tokio::select! {
                line = told => line,
                never = output.drain() => match never {},
                never = says_where => never,
            }
        };
        output.take();
        let mut printed = output.printed;
        printed.hide(worker.secrets.iter());
        let imported = line.ok().flatten().map(|line| serde_json::from_slice::<Imported>(&line));
        let imported = match imported {
            Some(Ok(imported)) if imported.token == token => imported,
            Some(_) => {
                return Err(CheckError::unobservable(format!(
                    "{shown} wrote to the worker's own descriptors while it was imported"
                ))
                .detail("python", worker.version.clone()));
            }
            None => {
                place.take();
                let status = process.status().await;
                if status == Status::Unknown {
                    return Ok(None);
                }
                let standing = standing(&place.printed.text(), &self.directory());
                let at = standing.and_then(|frame| Some(format!(" (at line {})", frame.line?)));
                return Err(CheckError::unobservable(format!(
                    "{shown} {} while it was imported{}",
                    ended(status),
                    at.unwrap_or_default()
                ))
                .retryable()
                .detail("python", worker.version.clone()));
            }
        };
        let live = imported.broken.is_none().then(|| {
            let (next, gone) = (AtomicU64::new(0), AtomicBool::new(false));
            Arc::new(Live { requests: channel, next, gone, process })
        });
        Ok(Some(PythonFile {
            checks: imported.checks,
            broken: imported.broken,
            printed,
            probe: self.clone(),
            worker: Arc::clone(worker),
            live: Mutex::new(live),
            shared: imported.copies,
            seats: imported.again.then(Seats::new),
        }))
    }
}

/// What a process that ended without a word did.
pub(super) fn ended(status: Status) -> String {
    match status {
        Status::Code(code) => format!("ended its process with code {code}"),
        Status::Signal(signal) => format!("was killed by {}", crate::signal::name(signal)),
        Status::Runs => String::from("closed the worker's own descriptors"),
        Status::Unknown => String::from("ended its process, and the one that started it"),
    }
}

/// What only who is asked can know.
pub(super) fn token() -> String {
    let hash = || RandomState::new().hash_one(0_u8);
    format!("{:016x}{:016x}", hash(), hash())
}

impl PythonFile {
    /// The version of the interpreter.
    pub fn version(&self) -> &str {
        &self.worker.version
    }

    /// The path of the interpreter, as it says itself.
    pub fn executable(&self) -> &str {
        &self.worker.executable
    }

    /// What of the sandbox is enforced; `None` where there is none.
    pub fn enforcement(&self) -> Option<&Enforcement> {
        self.worker.enforcement.as_ref()
    }

    /// The process that has it imported, if it is still there; and whether that is the caller's alone.
    pub(super) fn live(&self) -> Option<(Arc<Live>, bool)> {
        let mut live = self.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.take_if(|live| live.gone.load(Ordering::Relaxed));
        if self.shared { Some((Arc::clone(live.as_ref()?), false)) } else { Some((live.take()?, true)) }
    }
}
