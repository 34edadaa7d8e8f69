//! [`Worker`]: one interpreter that runs, and forks for whoever asks.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use clockwork_core::{CheckError, Context, Fault, Phase, Probe, Secret, SecretString, Vantage, text::quote};
use serde::Deserialize;
use serde_json::json;
use tokio::{io::AsyncReadExt, sync::Semaphore, time::timeout};

use super::{
    channel::{Channel, no_socket},
    interpreter::places,
    printed::Reader,
    told::Looked,
};
use crate::sandbox::{Denied, Descriptor, Enforcement, Launch, NetworkAccess, Running, Sandbox, start};

/// How many checks of one worker run at the same time.
const AT_ONCE: usize = 64;
/// How much is read of what an interpreter says that does not start.
const COMPLAINT: u64 = 4 << 10;

const START: &str = include_str!("worker/start.py");
const WORKER: &str = concat!(
    include_str!("worker/processes.py"),
    "\n\n",
    include_str!("worker/checks.py"),
    "\n\n",
    include_str!("worker/keeps.py"),
    "\n\n",
    include_str!("worker/looks.py")
);
const AID: &str = include_str!("worker/aid.py");

/// Which worker is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    python: String,
    sandbox: Sandbox,
    /// What it reads beside what every worker reads: the directory of a file that is not beneath the working directory.
    readable: Option<PathBuf>,
    vantage: Vantage,
}

/// Starts a worker.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct WorkerProbe {
    key: Key,
    /// How many of its kind are gone: what was found before that is none to be found again.
    gone: u64,
}

/// The workers of a run.
#[derive(Debug, Default)]
struct Workers(Mutex<HashMap<Key, (u64, Weak<Worker>)>>);

impl Workers {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (u64, Weak<Worker>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One interpreter that runs.
#[derive(Debug)]
pub(super) struct Worker {
    /// Its version.
    pub(super) version: String,
    /// Its own path, as it says.
    pub(super) executable: String,
    /// What of its sandbox is enforced.
    pub(super) enforcement: Option<Enforcement>,
    /// The values of the variables that its sandbox grants.
    pub(super) secrets: Vec<SecretString>,
    /// Turns of those who run a check.
    pub(super) turns: Arc<Semaphore>,
    /// Goes before what it runs: without it, it ends by itself.
    requests: Channel,
    next: AtomicU64,
    gone: AtomicBool,
    running: Running,
}

/// What a worker says first.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Hello {
    /// The version of one that is too old.
    old: Option<String>,
    /// That of any other.
    python: String,
    executable: String,
}

impl Probe for WorkerProbe {
    type Observation = Arc<Worker>;

    async fn look(&self, cx: &Context) -> Result<Arc<Worker>, CheckError> {
        let workers = cx.shared::<Workers>();
        // What listens on this machine is lent to it when it starts: what came since it would not see.
        if self.key.sandbox.network_access() != NetworkAccess::Loopback
            && let Some((gone, worker)) = workers.lock().get(&self.key)
            && *gone == self.gone
            && let Some(worker) = worker.upgrade()
        {
            return Ok(worker);
        }
        let worker = Arc::new(self.start(cx).await?);
        workers.lock().insert(self.key.clone(), (self.gone, Arc::downgrade(&worker)));
        Ok(worker)
    }

    fn describe(&self) -> String {
        format!("starting {}", quote(&self.key.python))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn looks_inside(&self) -> bool {
        true
    }
}

impl WorkerProbe {
    pub(super) fn new(python: String, sandbox: Sandbox, readable: Option<PathBuf>, cx: &Context) -> Self {
        let key = Key { python, sandbox, readable, vantage: cx.vantage().clone() };
        let workers = cx.shared::<Workers>();
        let mut workers = workers.lock();
        let (gone, worker) = workers.entry(key.clone()).or_default();
        if worker.upgrade().is_some_and(|worker| worker.gone.load(Ordering::Relaxed)) {
            (*gone, *worker) = (*gone + 1, Weak::new());
        }
        Self { key, gone: *gone }
    }

    /// The one that runs, or a new one.
    pub(super) async fn worker(self, cx: &Context) -> Result<Arc<Worker>, CheckError> {
        Ok(Arc::clone(&*cx.observe(self).await?))
    }

    async fn start(&self, cx: &Context) -> Result<Worker, CheckError> {
        // So that no result shows them. One that is not set is not there, and the user's code says so.
        let granted = self.key.sandbox.granted_variables().iter();
        let secrets: Vec<_> = granted.filter_map(|name| Secret::env(name).reveal().ok()).collect();
        let (mut requests, theirs) = Channel::pair().map_err(no_socket)?;
        let mut readable = places(&self.key.python);
        readable.extend(self.key.readable.clone());
        let launch = Launch {
            command: vec![self.key.python.clone(), String::from("-c"), START.to_owned()],
            socket: Some(Arc::new(theirs)),
            ..Launch::default()
        };
        let mut running =
            start(&launch, &self.key.sandbox.for_many(&readable), cx).await.map_err(|error| {
                // That the user's interpreter is missing says nothing about what is to be checked.
                let told = CheckError::unobservable(error.to_string());
                told.hint("`python` names the interpreter: `python: .venv/bin/python`")
            })?;
        drop(launch); // with their end of the socket
        cx.phase(Phase::ours(format!("waiting for {} to start", quote(&self.key.python))));
        let mut words = Vec::new();
        for part in [WORKER, AID] {
            words.extend_from_slice(format!("{:08x}", part.len()).as_bytes());
            words.extend_from_slice(part.as_bytes());
        }
        let limit = self.key.sandbox.memory_of_each().unwrap_or(0).to_string();
        words.extend_from_slice(format!("{:08x}{limit}", limit.len()).as_bytes());
        // One that ends at once may not read it; why, it says itself.
        let _ = requests.write_raw(&words).await;
        let hello = requests.line().await.ok().flatten();
        match hello.map(|line| serde_json::from_slice::<Hello>(&line)) {
            Some(Ok(Hello { old: None, python, executable })) => Ok(Worker {
                version: python,
                executable,
                enforcement: running.enforcement.clone(),
                secrets,
                turns: Arc::new(Semaphore::new(AT_ONCE)),
                requests,
                next: AtomicU64::new(0),
                gone: AtomicBool::new(false),
                running,
            }),
            Some(Ok(Hello { old: Some(version), .. })) => Err(CheckError::unobservable(format!(
                "{} is Python {version}: checks need 3.8 or newer",
                quote(&self.key.python)
            ))
            .hint("`python` names the interpreter: `python: .venv/bin/python`")),
            _ => Err(self.not_started(&mut running).await),
        }
    }

    /// Why it ended before it could say that it runs.
    async fn not_started(&self, running: &mut Running) -> CheckError {
        let mut said = Vec::new();
        for output in [running.stderr.take().map(Said::Err), running.stdout.take().map(Said::Out)] {
            let read = async {
                match output {
                    Some(Said::Err(pipe)) => pipe.take(COMPLAINT).read_to_end(&mut said).await,
                    Some(Said::Out(pipe)) => pipe.take(COMPLAINT).read_to_end(&mut said).await,
                    None => Ok(0),
                }
            };
            let _ = timeout(Duration::from_millis(500), read).await;
        }
        let ended = match timeout(Duration::from_millis(500), running.wait()).await {
            Ok(Ok(status)) => format!(" ({status})"),
            _ => String::new(),
        };
        let said = String::from_utf8_lossy(&said);
        let said = match said.trim() {
            "" => String::from("it said nothing"),
            said => format!("it said {}", quote(said)),
        };
        CheckError::unobservable(format!(
            "{} did not start as an interpreter of Python{ended}: {said}",
            quote(&self.key.python)
        ))
    }
}

enum Said {
    Out(tokio::process::ChildStdout),
    Err(tokio::process::ChildStderr),
}

/// Three ends that a new process is given: its socket, its output, and where it says where it stands.
#[derive(Debug)]
pub(super) struct Ends {
    pub(super) channel: Channel,
    pub(super) output: Reader,
    pub(super) place: Reader,
}

impl Ends {
    /// Ours, and theirs.
    pub(super) fn pair() -> Result<(Self, [Descriptor; 3]), CheckError> {
        let (channel, theirs) = Channel::pair().map_err(no_socket)?;
        let (output, writes) = Reader::pair().map_err(no_socket)?;
        let (place, stands) = Reader::pair().map_err(no_socket)?;
        Ok((Self { channel, output, place }, [theirs, writes, stands]))
    }
}

impl Worker {
    /// The first of these that its sandbox keeps from it, so that nothing follows from what it found.
    pub(super) fn denied(&self, looked: &[Looked]) -> Option<Denied> {
        looked.iter().find_map(|looked| match looked {
            Looked::Path(path) if path.trim_end_matches('/') == "/proc" => {
                self.running.blind(&[String::from("ps")])
            }
            Looked::Path(path) => self.running.conceals(Path::new(path)),
            Looked::Command(command) => self.running.blind(command),
            Looked::Network(host) => self.running.isolates(host),
        })
    }

    /// Has it fork a process that imports this file; `None` where it is gone.
    pub(super) async fn fork(
        self: &Arc<Self>,
        file: &Path,
        place: &str,
        token: &str,
    ) -> Result<Option<(Ends, Child<Worker>)>, CheckError> {
        let (ends, theirs) = Ends::pair()?;
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let file = file.to_string_lossy();
        let message =
            json!({ "do": "load", "id": number, "with": 3, "file": file, "place": place, "token": token });
        if self.requests.send(&message, &theirs).await.is_err() {
            self.gone.store(true, Ordering::Relaxed);
            return Ok(None);
        }
        Ok(Some((ends, Child { parent: Arc::clone(self), number, ended: false })))
    }
}

/// Who forks, and is told about its children.
pub(super) trait Parent {
    /// Where it is told.
    fn requests(&self) -> &Channel;

    /// It does not listen any more.
    fn is_gone(&self);
}

impl Parent for Worker {
    fn requests(&self) -> &Channel {
        &self.requests
    }

    fn is_gone(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }
}

/// A forked process. When this is dropped, all that it started is ended.
#[derive(Debug)]
pub(super) struct Child<P: Parent> {
    pub(super) parent: Arc<P>,
    pub(super) number: u64,
    pub(super) ended: bool,
}

/// How a process ended that did not say what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// Not at all: it only closed its socket.
    Runs,
    /// Nobody knows: its parent is gone, too.
    Unknown,
}

impl<P: Parent> Child<P> {
    /// Asks where it stands.
    pub(super) fn ask_where(&self) {
        let message = json!({ "do": "where", "id": self.number });
        let _ = self.parent.requests().try_send(&message, NOTHING);
    }

    /// It has said all: what is left of its process group is ended.
    pub(super) fn end(mut self) {
        self.ended = true;
        let message = json!({ "do": "end", "id": self.number, "with": 0 });
        if self.parent.requests().try_send(&message, NOTHING).is_err() {
            self.parent.is_gone();
        }
    }

    /// How it ended, when it closed its socket without a word.
    pub(super) async fn status(mut self) -> Status {
        let Ok((mut answer, theirs)) = Channel::pair() else { return Status::Unknown };
        self.ended = true;
        let message = json!({ "do": "end", "id": self.number, "with": 1, "wait": true, "tree": true });
        if self.parent.requests().send(&message, &[theirs]).await.is_err() {
            self.parent.is_gone();
            return Status::Unknown;
        }
        #[derive(Deserialize)]
        struct Answer {
            status: Option<i32>,
        }
        let line = timeout(Duration::from_secs(2), answer.line()).await;
        let Ok(Ok(Some(line))) = line else { return Status::Unknown };
        match serde_json::from_slice::<Answer>(&line).ok().and_then(|answer| answer.status) {
            None => Status::Unknown,
            Some(-1) => Status::Runs,
            Some(status) if status & 0x7f != 0 => Status::Signal(status & 0x7f),
            Some(status) => Status::Code(status >> 8 & 0xff),
        }
    }
}

const NOTHING: &[Descriptor] = &[];

impl<P: Parent> Drop for Child<P> {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let message = json!({ "do": "end", "id": self.number, "with": 0, "tree": true });
        if self.parent.requests().try_send(&message, NOTHING).is_err() {
            self.parent.is_gone();
        }
    }
}
