//! [`CommandProbe`]: one run of a command.

use std::{path::PathBuf, process::ExitStatus, time::Duration};

use clockwork_core::{CheckError, Context, Fault, Probe, Secret, SecretString, text::quote};
use tokio::{io::AsyncWriteExt, process::ChildStdin, time::timeout};

use super::output::Output;
use crate::sandbox::{Denied, Enforcement, Exceeded, Launch, NetworkAccess, Running, Sandbox, start};

/// How much of each output is kept, in bytes.
pub const OUTPUT_LIMIT: usize = 1 << 20;

/// How much of the end of what it says is looked at for why it failed, in bytes.
const SAID: usize = 4096;

/// How long what a command left behind may go on writing once it has ended itself.
const GRACE: Duration = Duration::from_millis(250);

/// Runs a program, without a shell. Equal ones that are asked for in one round run once.
///
/// It has Clockwork's environment and working directory but for what is given here, an empty standard input, and a
/// process group of its own. Whatever stays in that group ends with it. When nobody waits for it any more, all that it
/// started ends at once, daemons included.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CommandProbe {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Variables beside those of Clockwork's own environment.
    pub env: Vec<(String, String)>,
    /// The same with values that appear nowhere; where the command writes one, it is masked.
    pub secrets: Vec<(String, Secret)>,
    /// Where it runs.
    pub cwd: Option<PathBuf>,
    /// What stands on its standard input.
    pub stdin: Option<String>,
    /// What it may do.
    pub sandbox: Sandbox,
    /// Whether it is itself a check, and not what is checked: then its silence is ours.
    pub checks: bool,
}

/// How a command ended, and what it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandRun {
    /// How it ended.
    pub ended: Ended,
    /// Its standard output.
    pub stdout: Output,
    /// Its standard error.
    pub stderr: Output,
    /// Something that it had started still held its outputs when it ended, and was ended too.
    pub left_behind: bool,
    /// What of its sandbox was enforced; `None` where it had none.
    pub enforcement: Option<Enforcement>,
    /// Which limits of its sandbox it ran into.
    pub exceeded: Exceeded,
    /// What it is about and could not see in its sandbox: nothing follows from how it ended.
    pub blind: Option<Denied>,
    /// That it needs a network and was granted none: it may end badly without a word about that.
    pub cut_off: Option<Denied>,
    /// If it failed: what of its sandbox that seems to come from, and which grant helps.
    pub suspicion: Option<String>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(i32),
    /// By this signal.
    Signal(i32),
}

impl Probe for CommandProbe {
    type Observation = CommandRun;

    async fn look(&self, cx: &Context) -> Result<CommandRun, CheckError> {
        let secrets = self.secrets.iter().map(|(name, secret)| Ok((name.clone(), secret.reveal()?)));
        let launch = Launch {
            socket: None,
            command: self.command.clone(),
            env: self.env.clone(),
            secrets: secrets.collect::<Result<_, CheckError>>()?,
            cwd: self.cwd.clone(),
            readable: Vec::new(),
            stdin: self.stdin.is_some(),
        };
        let mut running = start(&launch, &self.sandbox, cx).await?;
        let program = self.command.first().map(String::as_str).unwrap_or_default();
        let mut run = ended(&mut running, self.stdin.as_deref(), program, cx).await?;
        if run.left_behind {
            running.end_all();
        }
        let said = [&run.stderr, &run.stdout].map(|output| output.end(SAID));
        run.blind = running.blind(&self.command);
        run.cut_off = running.cut_off(&self.command);
        run.suspicion = running.suspicion(&said.join("\n"));
        let remains = running.end();
        run.left_behind |= remains.left_behind;
        run.exceeded = remains.exceeded;
        let secrets: Vec<SecretString> = launch.secrets.into_iter().map(|(_, value)| value).collect();
        run.stdout.mask(&secrets);
        run.stderr.mask(&secrets);
        Ok(run)
    }

    fn describe(&self) -> String {
        format!("running {}", quote(self.command.first().map(String::as_str).unwrap_or_default()))
    }

    fn silence(&self) -> Fault {
        if self.checks { Fault::Observer } else { Fault::Target }
    }

    /// What is granted a container's network runs in it.
    fn looks_inside(&self) -> bool {
        self.sandbox.network_access() == NetworkAccess::At
    }

    fn weight(seen: &CommandRun) -> usize {
        512 + seen.stdout.kept.len() + seen.stderr.kept.len()
    }
}

async fn ended(
    running: &mut Running,
    stdin: Option<&str>,
    program: &str,
    cx: &Context,
) -> Result<CommandRun, CheckError> {
    cx.phase(format!("waiting for {} to end", quote(program)));
    let (mut stdout, mut stderr) = (Output::default(), Output::default());
    let feed = feed(running.stdin.take(), stdin.unwrap_or_default());
    let (out, err) = (running.stdout.take(), running.stderr.take());
    let (status, left_behind) = {
        let exchange =
            async { tokio::join!(feed, stdout.drain(out, OUTPUT_LIMIT), stderr.drain(err, OUTPUT_LIMIT)) };
        tokio::pin!(exchange);
        let mut exchanged = false;
        let status = loop {
            tokio::select! {
                status = running.wait() => break status,
                _ = &mut exchange, if !exchanged => exchanged = true,
            }
        };
        // Its own end decides: whoever inherited its outputs may hold them for ever.
        let left_behind = !exchanged && timeout(GRACE, &mut exchange).await.is_err();
        (status, left_behind)
    };
    let status = status.map_err(|error| {
        CheckError::unobservable(format!("cannot learn how {} ended", quote(program))).with_source(error)
    })?;
    Ok(CommandRun {
        ended: Ended::of(status),
        stdout,
        stderr,
        left_behind,
        enforcement: running.enforcement.clone(),
        exceeded: Exceeded::default(),
        blind: None,
        cut_off: None,
        suspicion: None,
    })
}

/// Writes it, and closes. A command that does not read its input is free to do so.
async fn feed(stdin: Option<ChildStdin>, text: &str) {
    if let Some(mut stdin) = stdin {
        let _ = stdin.write_all(text.as_bytes()).await;
        let _ = stdin.shutdown().await;
    }
}

impl Ended {
    fn of(status: ExitStatus) -> Self {
        match (status.code(), crate::platform::signal_of(status)) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exited with code {code}"),
            Self::Signal(signal) => write!(f, "was killed by {}", crate::signal::name(*signal)),
        }
    }
}
