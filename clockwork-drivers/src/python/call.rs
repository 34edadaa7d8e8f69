//! [`PythonFile::call`]: one function, in a process of its own.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clockwork_core::{CheckError, Context, Fault, SecretString, text::quote};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    channel::Channel,
    file::{Live, PythonFile, ended, token},
    place::{Frame, standing},
    printed::Printed,
    told::{Looked, Told},
    worker::{Child, Ends, Parent, Status},
};

use crate::sandbox::Denied;

/// How long before its time is over a check is asked where it stands, at most.
const EARLY: Duration = Duration::from_millis(100);

/// What is to be called.
#[derive(Clone)]
pub struct PythonCall {
    /// What it is called in the file.
    pub function: PythonFunction,
    /// What it is about, if anything: its first argument.
    pub resource: Option<Value>,
    /// The resource whose observation it may ask for.
    pub observed: Option<String>,
    /// Its other arguments, by their names. There may be secrets among them.
    pub args: Map<String, Value>,
    /// Those: where it prints one, that is hidden.
    pub secrets: Vec<SecretString>,
}

impl fmt::Debug for PythonCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PythonCall").field("function", &self.function).finish_non_exhaustive()
    }
}

/// A function of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PythonFunction {
    /// The one of this name.
    Named(String),
    /// One of [`PythonFile::checks`].
    Marked(usize),
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub struct PythonRun {
    /// How.
    pub ending: Ending,
    /// What was printed meanwhile.
    pub printed: Printed,
    /// What it looked at and its sandbox does not show it: nothing follows from what it found.
    pub denied: Option<Denied>,
}

/// See [`PythonRun`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Ending {
    /// It told its end itself.
    Told(Told),
    /// It ended its process.
    Ended {
        /// In words: `was killed by SIGSEGV`.
        how: String,
        /// The signal, if it was one.
        signal: Option<i32>,
        /// Where it stood, where that is known.
        at: Option<Frame>,
    },
    /// Its time was over.
    Hung {
        /// How long it ran.
        ran: Duration,
        /// Where it stood, where that is known.
        at: Option<Frame>,
    },
    /// What came over its socket is none of ours.
    Forged,
}

/// What a check says.
#[derive(Deserialize)]
struct Said {
    token: String,
    #[serde(default)]
    ask: Option<String>,
    #[serde(default)]
    told: Option<Told>,
    #[serde(default)]
    looked: Vec<Looked>,
}

/// What a process says that could not fork.
#[derive(Deserialize)]
struct Refused {
    refused: String,
}

/// How a conversation ended.
enum Talk {
    Told(Told, Vec<Looked>),
    Over,
    Forged,
    Refused(String),
}

impl PythonFile {
    /// Runs a function, and ends all that it started when it has ended, or when nobody waits for it any more.
    ///
    /// # Errors
    /// When it could not be run at all.
    pub async fn call(&self, call: &PythonCall, cx: &Context) -> Result<PythonRun, CheckError> {
        let turn = Arc::clone(&self.worker.turns).acquire_owned();
        let _turn = match cx.deadline() {
            None => turn.await,
            Some(deadline) => timeout_at(deadline, turn).await.map_err(|_| {
                let message = "no turn came: too many other checks in Python run at the same time";
                CheckError::timed_out(Fault::Observer, message)
            })?,
        };
        if let Some(handle) = self.handle()
            && let Some(run) = self.run(handle, call, cx).await?
        {
            return Ok(run);
        }
        // It cannot be copied, or its process is gone: it is imported for this check alone.
        let again = cx.measure(self.probe.clone()).await?;
        match again.handle() {
            Some(handle) => match again.run(handle, call, cx).await? {
                Some(run) => Ok(run),
                None => Err(CheckError::unobservable("its process was ended by something else").retryable()),
            },
            None => Err(CheckError::unobservable(format!(
                "{} could be imported once, and not a second time for this check",
                quote(&self.probe.file.to_string_lossy())
            ))
            .retryable()),
        }
    }

    /// `None` where nothing was run, as the process is gone that should have forked.
    async fn run(
        &self,
        process: Handle,
        call: &PythonCall,
        cx: &Context,
    ) -> Result<Option<PythonRun>, CheckError> {
        let (ends, theirs) = Ends::pair()?;
        let Some(process) = process.begin(&theirs).await else { return Ok(None) };
        drop(theirs);
        let Ends { mut channel, mut output, mut place } = ends;
        let (asked, began) = (Instant::now(), AtomicBool::new(false));
        let talk = {
            let talk = talk(&mut channel, call, cx, &began);
            let early = cx.deadline().map(|deadline| {
                let left = deadline.saturating_duration_since(asked);
                deadline - EARLY.min(left / 10)
            });
            let late = async {
                let (Some(early), Some(deadline)) = (early, cx.deadline()) else {
                    return std::future::pending().await;
                };
                sleep_until(early).await;
                process.ask_where();
                sleep_until(deadline).await;
            };
            tokio::select! {
                talk = talk => Some(talk),
                never = output.drain() => match never {},
                () = late => None,
            }
        };
        output.take();
        place.take();
        let at = || {
            let standing = standing(&place.printed.text(), &self.probe.directory())?;
            Some(standing.with_source())
        };
        let mut denied = None;
        let ending = match talk {
            Some(Talk::Told(told, looked)) => {
                process.end();
                denied = self.worker.denied(&looked);
                Ending::Told(told)
            }
            Some(Talk::Refused(why)) => {
                return Err(CheckError::unobservable(why)
                    .hint("`sandbox.processes` says how many there may be")
                    .retryable());
            }
            Some(Talk::Forged) => Ending::Forged,
            Some(Talk::Over) => match process.status().await {
                Status::Unknown if !began.load(Ordering::Relaxed) => return Ok(None),
                status => {
                    let signal = if let Status::Signal(signal) = status { Some(signal) } else { None };
                    Ending::Ended { how: ended(status), signal, at: at() }
                }
            },
            None => Ending::Hung { ran: asked.elapsed(), at: at() },
        };
        let mut printed = output.printed;
        printed.hide(self.worker.secrets.iter().chain(&call.secrets));
        Ok(Some(PythonRun { ending, printed, denied }))
    }

    /// Who runs the next call.
    fn handle(&self) -> Option<Handle> {
        let (live, alone) = self.live()?;
        Some(if alone { Handle::Itself(live) } else { Handle::Copy(live, None) })
    }
}

/// Asks, answers what is asked back, and waits for the end.
async fn talk(channel: &mut Channel, call: &PythonCall, cx: &Context, began: &AtomicBool) -> Talk {
    let token = token();
    let (function, check) = match &call.function {
        PythonFunction::Named(name) => (Some(name), None),
        PythonFunction::Marked(check) => (None, Some(check)),
    };
    let request = json!({
        "token": token, "function": function, "check": check, "resource": call.resource, "args": call.args,
    });
    if channel.write(&request).await.is_err() {
        return Talk::Over;
    }
    loop {
        let line = match channel.line().await {
            Ok(Some(line)) => line,
            Ok(None) => return Talk::Over,
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => return Talk::Forged,
            Err(_) => return Talk::Over,
        };
        let said = match serde_json::from_slice::<Said>(&line) {
            Ok(said) if said.token == token => said,
            _ => match serde_json::from_slice::<Refused>(&line) {
                Ok(Refused { refused }) if !began.load(Ordering::Relaxed) => return Talk::Refused(refused),
                _ => return Talk::Forged,
            },
        };
        began.store(true, Ordering::Relaxed);
        if let Some(told) = said.told {
            return Talk::Told(told, said.looked);
        }
        if said.ask.as_deref() == Some("observation") {
            let answer = observation(call, cx).await;
            if channel.write(&answer).await.is_err() {
                return Talk::Over;
            }
        }
    }
}

/// What the driver sees of the resource.
async fn observation(call: &PythonCall, cx: &Context) -> Value {
    let Some(name) = &call.observed else { return json!({ "error": "it is about no resource" }) };
    match cx.observe_resource(name).await {
        Ok(seen) => json!({ "observation": seen.as_ref().as_ref().map(|seen| seen.state()) }),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

/// The process that runs a call: a copy of the one that imported the file, or that one itself.
enum Handle {
    Copy(Arc<Live>, Option<Child<Live>>),
    Itself(Arc<Live>),
}

impl Handle {
    /// Has it begin, with these ends; `None` where it is gone.
    async fn begin(self, theirs: &[crate::sandbox::Descriptor; 3]) -> Option<Self> {
        let (live, here) = match &self {
            Self::Copy(live, _) => (live, false),
            Self::Itself(live) => (live, true),
        };
        let number = live.next.fetch_add(1, Ordering::Relaxed);
        let message = json!({ "do": "call", "id": number, "with": 3, "here": here });
        if live.requests.send(&message, theirs).await.is_err() {
            live.is_gone();
            return None;
        }
        Some(match self {
            Self::Copy(live, _) => {
                let child = Child { parent: Arc::clone(&live), number, ended: false };
                Self::Copy(live, Some(child))
            }
            itself => itself,
        })
    }

    fn ask_where(&self) {
        match self {
            Self::Copy(_, child) => child.iter().for_each(Child::ask_where),
            Self::Itself(live) => live.process.ask_where(),
        }
    }

    /// It has told its end.
    fn end(self) {
        if let Self::Copy(_, Some(child)) = self {
            child.end();
        }
    }

    async fn status(self) -> Status {
        match self {
            Self::Copy(_, Some(child)) => child.status().await,
            Self::Copy(_, None) => Status::Unknown,
            Self::Itself(live) => match Arc::into_inner(live) {
                Some(live) => live.process.status().await,
                None => Status::Unknown,
            },
        }
    }
}
