//! Ways into a container's network where its namespace cannot be entered: the engine runs something in there that only
//! carries bytes, and all protocols stay on this side.
//!
//! 1. A helper container that shares the target's network, made of this very program ([`Helper`], [`relay`]): it works
//!    for whatever image the target has, and needs no right but to use the engine.
//! 2. The engine's exec of what the target's image has: bash, or busybox's `nc -e`. These can connect to
//!    an address, and no more: names need a helper.
//!
//! A connection on this side is one end of a pair on the loopback interface; a task carries what comes over it to the
//! engine's pipe and back, and ends with the connection or the run.

mod carry;
#[cfg(target_os = "linux")]
mod image;
#[cfg(not(target_os = "linux"))]
#[path = "image_elsewhere.rs"]
mod image;
mod program;
mod shell;

pub use program::relay;

use std::{
    collections::HashMap,
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clockwork_core::{CheckError, Context, Phase};
use futures_util::{StreamExt, stream::FuturesUnordered};
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, UdpSocket},
    sync::OnceCell,
    task::JoinSet,
};

use self::{image::Image, program::HERE, shell::Shell};
use crate::container::{
    ContainerDetails, EngineRef,
    act::{Pipe, Stream, frame},
    client::{self, Engine},
};

/// The program that helper containers run: one that calls [`relay`] with what follows an agreed word on its command line.
/// To be given to an engine with `Engine::builder().provide(…)`; without it, no helper container is made.
#[derive(Debug, Clone, Default)]
pub struct Helper(Option<(PathBuf, String)>);

impl Helper {
    /// The program that runs, with this word.
    pub fn this_program(word: impl Into<String>) -> Self {
        Self(std::env::current_exe().ok().map(|program| (program, word.into())))
    }
}

/// A way to one container.
#[derive(Clone)]
pub(crate) struct Relay(Arc<Inner>);

struct Inner {
    engine: Arc<Engine>,
    /// Where processes are run: the helper container, or the target itself.
    container: String,
    how: How,
    carriers: Arc<Carriers>,
    /// Whose turn it is to start something in there.
    starting: tokio::sync::Mutex<()>,
    /// The helper's standard input: it ends when this does, also when we are killed.
    _alive: Mutex<Option<Pipe>>,
}

enum How {
    /// The words before `tcp ADDRESS`.
    Helper(Vec<String>),
    Shell(Shell),
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Relay").field(&self.0.container).finish()
    }
}

/// The relays of one run, by container.
#[derive(Default)]
struct Relays(Mutex<HashMap<String, Arc<OnceCell<Relay>>>>);

/// The tasks that carry bytes. They end with the run.
#[derive(Default)]
pub(super) struct Carriers(Mutex<JoinSet<()>>);

impl Carriers {
    fn spawn(&self, carrier: impl Future<Output = ()> + Send + 'static) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while all.try_join_next().is_some() {}
        all.spawn(carrier);
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    id: String,
}

impl Relay {
    /// The first way that works, made once for a run. `namespace` is why that was none.
    ///
    /// # Errors
    /// When no way works: why each did not.
    pub(crate) async fn to(
        engine: &EngineRef,
        details: &ContainerDetails,
        namespace: &str,
        cx: &Context,
    ) -> Result<Self, CheckError> {
        let relays = cx.shared::<Relays>();
        let cell = {
            let mut known = relays.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(known.entry(details.id.clone()).or_default())
        };
        let make = || async {
            let engine = client::engine(engine, cx).await?;
            let helper = match Self::helper(&engine, details, cx).await {
                Ok(relay) => return Ok(relay),
                Err(error) => error,
            };
            let shell = match Self::shell(&engine, details, cx).await {
                Ok(relay) => return Ok(relay),
                Err(error) => error,
            };
            let name = cx.vantage().as_str();
            Err(CheckError::unobservable(format!(
                "cannot look from inside {name}: {namespace}; no helper container: {}; no relay of its own: {}",
                helper.message(),
                shell.message()
            ))
            .hint(
                "run clockwork as root (CAP_SYS_ADMIN) where the engine runs, or let it make containers there",
            ))
        };
        cx.phase(Phase::ours(format!("waiting for a way into {}", cx.vantage().as_str())));
        let relay = cell.get_or_try_init(make).await?.clone();
        cx.looks_by(relay.way());
        Ok(relay)
    }

    pub(crate) fn way(&self) -> &'static str {
        match self.0.how {
            How::Helper(_) => "helper container",
            How::Shell(_) => "exec",
        }
    }

    /// A container beside the target, in its network, with no rights at all.
    async fn helper(
        engine: &Arc<Engine>,
        details: &ContainerDetails,
        cx: &Context,
    ) -> Result<Self, CheckError> {
        let helper = cx.shared::<Helper>();
        let Some((program, word)) = &helper.0 else {
            return Err(CheckError::unobservable("no program was given for it"));
        };
        let image = Image::of(program)
            .map_err(|error| CheckError::unobservable(format!("this program cannot be read: {error}")))?;
        let image = Arc::new(image);
        image.bring(engine, cx).await?;
        sweep(engine, cx).await;
        cx.phase(Phase::ours("making a helper container"));
        let words = |more: &str| [&image.command[..], &[word.clone(), more.to_owned()]].concat();
        let made = json!({
            "Image": image.name,
            "Entrypoint": words("wait"),
            "User": "65534:65534",
            "OpenStdin": true,
            "StdinOnce": true,
            "AttachStdin": true,
            "AttachStdout": true,
            "Labels": { LABEL: details.id },
            "HostConfig": {
                "NetworkMode": format!("container:{}", details.id),
                "AutoRemove": true,
                "CapDrop": ["ALL"],
                "SecurityOpt": ["no-new-privileges"],
                "ReadonlyRootfs": true,
            },
        });
        let done = engine.make("/containers/create", &made).await?;
        let container = match serde_json::from_slice::<Made>(&done.body) {
            Ok(made) if done.succeeded() => made.id,
            _ => return Err(CheckError::unobservable(format!("the engine makes none: {}", done.told()))),
        };
        let attach = format!("/containers/{container}/attach?stream=1&stdin=1&stdout=1");
        let alive = engine.pipe(&attach, "").await?;
        let started =
            engine.act("POST", &format!("/containers/{container}/start"), "application/json", b"").await?;
        match alive {
            Ok(alive) if started.succeeded() => {
                let mut words = words("");
                words.pop();
                Ok(Self::new(engine, container, How::Helper(words), Some(alive), cx))
            }
            _ => {
                // It was not started, so that nobody removes it but us.
                let path = format!("/containers/{container}?force=1");
                let _ = engine.act("DELETE", &path, "application/json", b"").await;
                Err(CheckError::unobservable(format!("the engine does not start it: {}", started.told())))
            }
        }
    }

    async fn shell(
        engine: &Arc<Engine>,
        details: &ContainerDetails,
        cx: &Context,
    ) -> Result<Self, CheckError> {
        cx.phase(Phase::ours("looking for a program that connects inside the container"));
        for shell in Shell::ALL {
            let relay = Self::new(engine, details.id.clone(), How::Shell(shell), None, cx);
            let words = shell.is_it_there();
            if relay.run(&words, None, "").await.is_ok_and(|(answer, _)| answer.first() == Some(&0)) {
                return Ok(relay);
            }
        }
        Err(CheckError::unobservable("its image has neither bash nor busybox's nc"))
    }

    fn new(engine: &Arc<Engine>, container: String, how: How, alive: Option<Pipe>, cx: &Context) -> Self {
        let (engine, carriers) = (Arc::clone(engine), cx.shared::<Carriers>());
        let (starting, alive) = (tokio::sync::Mutex::default(), Mutex::new(alive));
        Self(Arc::new(Inner { engine, container, how, carriers, starting, _alive: alive }))
    }

    /// Runs this in the container, and waits until it says that it is there. Docker (seen with 20.10) loses what a process
    /// says when several are started in one container at the same moment: so one is started after the other, and one that
    /// stays silent is started anew. It has done nothing yet.
    async fn start(&self, words: &[String]) -> io::Result<(bytes::BytesMut, Pipe)> {
        let _turn = self.0.starting.lock().await;
        for _ in 0..STARTS {
            let mut pipe = self.exec(words).await?;
            let Ok(said) = tokio::time::timeout(STARTS_WITHIN, first(&mut pipe)).await else { continue };
            let mut said = said?;
            if said.first() != Some(&HERE) {
                return Err(io::Error::other("what runs in the container says something strange"));
            }
            pipe.wire.write_all(b"\n").await?;
            pipe.wire.flush().await?;
            return Ok((said.split_off(1), pipe));
        }
        Err(io::Error::other("the engine runs something in there, and passes on nothing that it says"))
    }

    async fn exec(&self, words: &[String]) -> io::Result<Pipe> {
        let Inner { engine, container, .. } = &*self.0;
        let what = json!({ "Cmd": words, "AttachStdin": true, "AttachStdout": true, "AttachStderr": true });
        let done = engine.make(&format!("/containers/{container}/exec"), &what).await.map_err(other)?;
        let made = match serde_json::from_slice::<Made>(&done.body) {
            Ok(made) if done.succeeded() => made,
            _ => return Err(io::Error::other(format!("the engine runs nothing in there: {}", done.told()))),
        };
        let start = json!({ "Detach": false, "Tty": false }).to_string();
        let pipe = engine.pipe(&format!("/exec/{}/start", made.id), &start).await.map_err(other)?;
        pipe.map_err(|done| io::Error::other(format!("the engine does not run it: {}", done.told())))
    }

    /// Runs this in the container, and waits for the first that it says of what it does.
    async fn run(
        &self,
        words: &[String],
        cx: Option<&Context>,
        then: &str,
    ) -> io::Result<(bytes::BytesMut, Pipe)> {
        if let Some(cx) = cx {
            cx.phase(Phase::ours("waiting for the engine to run a relay in the container"));
        }
        let (said, mut pipe) = self.start(words).await?;
        if let Some(cx) = cx {
            cx.phase(then.to_owned());
        }
        let said = if said.is_empty() { first(&mut pipe).await? } else { said };
        Ok((said, pipe))
    }

    /// Has it opened in there. Where no answer comes for a while, another one is asked beside it: an engine may lose one
    /// answer, and hardly each of several; a target that does not answer leaves them all without.
    async fn open(
        &self,
        protocol: &str,
        address: SocketAddr,
        cx: Option<&Context>,
    ) -> io::Result<(bytes::BytesMut, Pipe)> {
        let words = match &self.0.how {
            How::Helper(words) => [&words[..], &[protocol.to_owned(), address.to_string()]].concat(),
            How::Shell(shell) => shell.connect(address),
        };
        let then = format!("waiting for {address} to accept a connection");
        let mut asked = FuturesUnordered::new();
        asked.push(self.opened(&words, cx, &then));
        loop {
            match tokio::time::timeout(ASK_AGAIN, asked.next()).await {
                Ok(Some(answer)) => return answer,
                // The phase stays that of the first.
                _ if asked.len() < ASKED => asked.push(self.opened(&words, None, &then)),
                _ => return asked.next().await.unwrap_or_else(|| Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
    }

    async fn opened(
        &self,
        words: &[String],
        cx: Option<&Context>,
        then: &str,
    ) -> io::Result<(bytes::BytesMut, Pipe)> {
        let (mut said, mut pipe) = self.run(words, cx, then).await?;
        while said.first() == Some(&1) && said.len() < 5 {
            match frame(&mut pipe.wire, &mut pipe.unread).await? {
                Some((Stream::Output, more)) => said.extend_from_slice(&more),
                Some(_) => {}
                None => break,
            }
        }
        match &said[..] {
            [0, ..] => Ok((said.split_off(1), pipe)),
            [1, a, b, c, d] => Err(io::Error::from_raw_os_error(i32::from_le_bytes([*a, *b, *c, *d]))),
            _ => Err(io::Error::other("what runs in the container says something strange")),
        }
    }

    /// A connection to `address`, from inside.
    pub(crate) async fn tcp(&self, address: SocketAddr, cx: Option<&Context>) -> io::Result<TcpStream> {
        let (first, pipe) = self.open("tcp", address, cx).await?;
        let (ours, theirs) = carry::pair().await?;
        self.0.carriers.spawn(carry::stream(theirs, first, pipe));
        Ok(ours)
    }

    /// Datagrams to and from `address`, from inside.
    pub(crate) async fn udp(&self, address: SocketAddr, cx: Option<&Context>) -> io::Result<UdpSocket> {
        if let How::Shell(_) = self.0.how {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let (first, pipe) = self.open("udp", address, cx).await?;
        let (ours, theirs) = carry::datagram_pair().await?;
        self.0.carriers.spawn(carry::datagrams(theirs, first, pipe));
        Ok(ours)
    }
}

/// After which time without an answer another one is asked, and how many are at most.
const ASK_AGAIN: Duration = Duration::from_secs(1);
const ASKED: usize = 4;

/// How often something is started that stays silent, and how long it may take until it says that it is there.
const STARTS: u32 = 4;
const STARTS_WITHIN: Duration = Duration::from_secs(3);

/// The first that a process says.
async fn first(pipe: &mut Pipe) -> io::Result<bytes::BytesMut> {
    let mut complaint = Vec::new();
    loop {
        match frame(&mut pipe.wire, &mut pipe.unread).await? {
            Some((Stream::Output, said)) if !said.is_empty() => return Ok(said),
            Some((Stream::Error, said)) if complaint.len() < 1024 => complaint.extend_from_slice(&said),
            Some(_) => {}
            None => return Err(shell::error_in(&String::from_utf8_lossy(&complaint))),
        }
    }
}

/// What helper containers are known by.
const LABEL: &str = "clockwork.vantage";

/// Removes helpers that were made and never started, by somebody who was killed in between. All others end by
/// themselves when nobody holds their standard input any more.
async fn sweep(engine: &Engine, cx: &Context) {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Left {
        id: String,
        created: u64,
    }
    let now = cx.now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    // {"label":["clockwork.vantage"],"status":["created"]}
    let filters = "%7B%22label%22%3A%5B%22clockwork.vantage%22%5D%2C%22status%22%3A%5B%22created%22%5D%7D";
    let path = format!("/containers/json?all=1&filters={filters}");
    let Ok(Some(left)) = engine.json::<Vec<Left>>(&path, 4 << 20).await else { return };
    for one in left.iter().filter(|one| one.created + 60 < now) {
        let _ = engine.act("DELETE", &format!("/containers/{}", one.id), "application/json", b"").await;
    }
}

fn other(error: CheckError) -> io::Error {
    io::Error::other(error.to_string())
}
