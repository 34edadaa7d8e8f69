//! [`PythonFile::call`]: one function, in a process that it has for itself while it runs.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clockwork_core::{CheckError, Context, Fault, SecretString, text::quote};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{
    channel::Channel,
    file::{PythonFile, ended, token},
    place::{Frame, standing},
    printed::Printed,
    seat::{Seat, Taken},
    told::{Looked, Told},
    worker::{Ends, Status},
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

/// What is asked.
#[derive(Serialize)]
struct Request<'c> {
    token: &'c str,
    function: Option<&'c str>,
    check: Option<usize>,
    resource: Option<&'c Value>,
    args: &'c Map<String, Value>,
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
    /// Whether another check may run there.
    #[serde(default)]
    again: bool,
}

/// What a process says that could not fork.
#[derive(Deserialize)]
struct Refused {
    refused: String,
}

/// How a conversation ended.
enum Talk {
    Told { told: Told, looked: Vec<Looked>, again: bool },
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
        if let Some(run) = self.seated(call, cx).await? {
            return Ok(run);
        }
        // It cannot be copied, or its process is gone: it is imported for this check alone.
        let again = cx.measure(self.probe.clone()).await?;
        match again.seated(call, cx).await? {
            Some(run) => Ok(run),
            None if again.live().is_some() => {
                Err(CheckError::unobservable("its process was ended by something else").retryable())
            }
            None => Err(CheckError::unobservable(format!(
                "{} could be imported once, and not a second time for this check",
                quote(&self.probe.file.to_string_lossy())
            ))
            .retryable()),
        }
    }

    /// Runs it in a process that there is for it; `None` where nothing was run, as there is none.
    async fn seated(&self, call: &PythonCall, cx: &Context) -> Result<Option<PythonRun>, CheckError> {
        let Some((live, alone)) = self.live() else { return Ok(None) };
        let taken = match &self.seats {
            _ if alone => Taken::itself(live).await?,
            None => Taken::once(&live).await?,
            Some(seats) => {
                let Some(taken) = seats.take(&live).await? else { return Ok(None) };
                let used = taken.seat.used;
                match self.run(taken, call, cx).await? {
                    // What became of it may be others' doing.
                    None if used => seats.fresh(&live).await?,
                    run => return Ok(run),
                }
            }
        };
        match taken {
            Some(taken) => self.run(taken, call, cx).await,
            None => Ok(None),
        }
    }

    /// `None` where it was not run, or has to be run again in another process.
    async fn run(
        &self,
        mut taken: Taken<'_>,
        call: &PythonCall,
        cx: &Context,
    ) -> Result<Option<PythonRun>, CheckError> {
        let (asked, began) = (Instant::now(), AtomicBool::new(false));
        let talk = {
            let Seat { ends: Ends { channel, output, .. }, process, .. } = &mut taken.seat;
            let talk = talk(channel, call, cx, &began);
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
                biased;
                talk = talk => Some(talk),
                never = output.drain() => match never {},
                () = late => None,
            }
        };
        let Ends { output, place, .. } = &mut taken.seat.ends;
        let mut printed = output.take_all();
        let standing_in = place.take_all();
        let at = || Some(standing(&standing_in.text(), &self.probe.directory())?.with_source());
        let used = taken.seat.used;
        let mut denied = None;
        let ending = match talk {
            Some(Talk::Told { told, .. }) if used && is_want_of_memory(&told) => return Ok(None),
            Some(Talk::Told { told, looked, again }) => {
                if again {
                    taken.give_back()
                } else {
                    taken.end()
                }
                denied = self.worker.denied(&looked);
                Ending::Told(told)
            }
            Some(Talk::Refused(why)) => {
                return Err(CheckError::unobservable(why)
                    .hint("`sandbox.processes` says how many there may be")
                    .retryable());
            }
            Some(Talk::Forged | Talk::Over) if used => return Ok(None),
            Some(Talk::Forged) => Ending::Forged,
            Some(Talk::Over) => match taken.status().await {
                Status::Unknown if !began.load(Ordering::Relaxed) => return Ok(None),
                status => {
                    let signal = if let Status::Signal(signal) = status { Some(signal) } else { None };
                    Ending::Ended { how: ended(status), signal, at: at() }
                }
            },
            None => Ending::Hung { ran: asked.elapsed(), at: at() },
        };
        printed.hide(self.worker.secrets.iter().chain(&call.secrets));
        Ok(Some(PythonRun { ending, printed, denied }))
    }
}

/// What others have kept, it may have lacked.
fn is_want_of_memory(told: &Told) -> bool {
    matches!(told, Told::Raised(raised) if raised.r#type == "MemoryError")
}

/// Asks, answers what is asked back, and waits for the end.
async fn talk(channel: &mut Channel, call: &PythonCall, cx: &Context, began: &AtomicBool) -> Talk {
    let token = token();
    let (function, check) = match &call.function {
        PythonFunction::Named(name) => (Some(name.as_str()), None),
        PythonFunction::Marked(check) => (None, Some(*check)),
    };
    let request =
        Request { token: &token, function, check, resource: call.resource.as_ref(), args: &call.args };
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
            return Talk::Told { told, looked: said.looked, again: said.again };
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
