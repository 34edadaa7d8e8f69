//! [`CommandProbe`]: one run of a command.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use clockwork_core::{CheckError, Context, ExposeSecret, Probe, Secret, SecretString, text::quote};
use nix::errno::Errno;
use tokio::{
    io::AsyncWriteExt,
    process::{Child, ChildStdin, Command},
    time::timeout,
};

use super::{
    output::Output,
    tree::{MARK, Tree, new_mark},
};

/// How much of each output is kept, in bytes.
pub const OUTPUT_LIMIT: usize = 1 << 20;

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
        let secrets = self.secrets.iter().map(|(name, secret)| Ok((name, secret.reveal()?)));
        let secrets: Vec<(&String, SecretString)> = secrets.collect::<Result<_, CheckError>>()?;
        let mark = new_mark(cx.now());
        let program = self.command.first().map(String::as_str).unwrap_or_default();
        let mut command = Command::new(self.program(program));
        command.args(self.command.iter().skip(1)).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.envs(secrets.iter().map(|(name, value)| (name, value.expose_secret())));
        command.env(MARK, &mark).process_group(0).kill_on_drop(true);
        if let Some(cwd) = &self.cwd {
            command.current_dir(cwd);
        }
        let child = command.spawn().map_err(|error| self.not_started(program, error))?;
        let mut running = Running { tree: Tree::new(child.id(), &mark), child };
        let mut run = running.ended(self.stdin.as_deref(), program, cx).await?;
        if run.left_behind {
            running.tree.end();
        }
        running.tree.end_group();
        let secrets: Vec<_> = secrets.into_iter().map(|(_, value)| value).collect();
        run.stdout.mask(&secrets);
        run.stderr.mask(&secrets);
        Ok(run)
    }

    fn describe(&self) -> String {
        format!("running {}", quote(self.command.first().map(String::as_str).unwrap_or_default()))
    }

    fn weight(seen: &CommandRun) -> usize {
        512 + seen.stdout.kept.len() + seen.stderr.kept.len()
    }
}

/// A command under way. The tree goes before the child, which ties it together.
struct Running {
    tree: Tree,
    child: Child,
}

impl Running {
    async fn ended(
        &mut self,
        stdin: Option<&str>,
        program: &str,
        cx: &Context,
    ) -> Result<CommandRun, CheckError> {
        cx.phase(format!("waiting for {} to end", quote(program)));
        let (mut stdout, mut stderr) = (Output::default(), Output::default());
        let feed = feed(self.child.stdin.take(), stdin.unwrap_or_default());
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        let (status, left_behind) = {
            let exchange = async {
                tokio::join!(feed, stdout.drain(out, OUTPUT_LIMIT), stderr.drain(err, OUTPUT_LIMIT))
            };
            tokio::pin!(exchange);
            let mut exchanged = false;
            let status = loop {
                tokio::select! {
                    status = self.child.wait() => break status,
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
        Ok(CommandRun { ended: Ended::of(status), stdout, stderr, left_behind })
    }
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
        use std::os::unix::process::ExitStatusExt;
        match (status.code(), status.signal()) {
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

impl CommandProbe {
    /// A relative path is relative to where the command runs.
    fn program(&self, program: &str) -> PathBuf {
        match &self.cwd {
            Some(cwd) if program.contains('/') => cwd.join(program),
            _ => PathBuf::from(program),
        }
    }

    /// Whose fault it is that it does not start. What is missing or broken on the machine is the machine's.
    fn not_started(&self, program: &str, error: io::Error) -> CheckError {
        let shown = quote(program);
        if let Some(cwd) = &self.cwd
            && let Some(why) = unusable(cwd)
        {
            let cwd = quote(&cwd.to_string_lossy());
            return CheckError::target(format!("cannot run {shown}: its working directory {cwd} {why}"));
        }
        let path = self.program(program);
        let file = if program.contains('/') { fs::metadata(&path).ok() } else { None };
        match (error.raw_os_error().map(Errno::from_raw), file) {
            (Some(Errno::ENOENT), Some(_)) => CheckError::target(format!("cannot run {shown}"))
                .hint("it is there, but not the interpreter that its first line names, or its loader"),
            (Some(Errno::ENOENT), None) if program.contains('/') => {
                CheckError::target(format!("there is no program {shown}"))
            }
            (Some(Errno::ENOENT | Errno::ENOTDIR), _) => {
                CheckError::target(format!("there is no program {shown} in the directories of PATH"))
            }
            (Some(Errno::EACCES), Some(file)) if file.is_dir() => {
                CheckError::target(format!("cannot run {shown}: it is a directory"))
            }
            (Some(Errno::EACCES), Some(file)) if file.permissions().mode() & 0o111 == 0 => {
                CheckError::target(format!("cannot run {shown}: it is not executable"))
                    .hint("`chmod +x` makes it so")
            }
            (Some(Errno::EACCES), _) => CheckError::unobservable(format!("no permission to run {shown}")),
            (Some(Errno::ENOEXEC), _) => {
                CheckError::target(format!("cannot run {shown}: it is no program that this machine can run"))
                    .hint("a script needs a first line like `#!/bin/sh`")
            }
            (Some(Errno::E2BIG), _) => CheckError::unobservable(format!(
                "cannot run {shown}: its arguments and environment are too large"
            )),
            _ => CheckError::unobservable(format!("cannot run {shown}")).with_source(error).retryable(),
        }
    }
}

/// Why nothing can run in this directory; nothing, if it can.
fn unusable(directory: &Path) -> Option<&'static str> {
    match fs::metadata(directory) {
        Ok(seen) if !seen.is_dir() => Some("is not a directory"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some("is missing"),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Some("is missing"),
        _ => None,
    }
}
