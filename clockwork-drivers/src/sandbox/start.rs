//! [`start`]: from what is to run and what it may do to a running program.

use std::{
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::Arc,
};

use clockwork_core::{CheckError, Context, ExposeSecret, SecretString, text::quote};
use serde_json::{Value, json};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::{
    refusal::refusal,
    spec::Sandbox,
    tree::{MARK, Tree, new_mark},
};

/// What is to run, and what of Clockwork's it needs.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// The program and its arguments. No shell reads them. A program without a `/` is looked for in the directories of
    /// PATH, one with is relative to where it runs.
    pub command: Vec<String>,
    /// Variables beside those that the sandbox lets through.
    pub env: Vec<(String, String)>,
    /// The same with values that appear nowhere.
    pub secrets: Vec<(String, SecretString)>,
    /// Where it runs; Clockwork's own working directory unless given. It may read what is there.
    pub cwd: Option<PathBuf>,
    /// What it may read beside what the sandbox grants, because it cannot run without.
    pub readable: Vec<PathBuf>,
    /// Whether its standard input is a pipe; otherwise it is empty.
    pub stdin: bool,
    /// What is its standard input instead: the other end of a socket to a worker.
    pub socket: Option<Arc<OwnedFd>>,
}

impl Launch {
    fn input(&self) -> Result<Stdio, CheckError> {
        match &self.socket {
            None if self.stdin => Ok(Stdio::piped()),
            None => Ok(Stdio::null()),
            Some(socket) => match socket.try_clone() {
                Ok(socket) => Ok(Stdio::from(socket)),
                Err(error) => Err(CheckError::unobservable("cannot give a program its socket")
                    .with_source(error)
                    .retryable()),
            },
        }
    }
}

/// What became of a sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Enforcement {
    /// By what it is enforced: `namespaces`, `landlock`, `seccomp`, `control groups`, `limits`.
    pub by: Vec<&'static str>,
    /// What of it this machine does not enforce, in whole sentences. Empty when all of it is.
    pub missing: Vec<String>,
}

impl Enforcement {
    /// For a result's `details.sandbox`.
    pub fn details(&self) -> Value {
        json!({ "by": self.by, "missing": self.missing })
    }
}

/// A program under way. When this is dropped, all that it started ends at once, daemons included.
#[derive(Debug)]
pub struct Running {
    // The tree goes before the child, which ties it together.
    tree: Tree,
    child: Child,
    /// Its standard input, if that was asked for.
    pub stdin: Option<ChildStdin>,
    /// Its standard output.
    pub stdout: Option<ChildStdout>,
    /// Its standard error.
    pub stderr: Option<ChildStderr>,
    /// What of its sandbox is enforced; `None` where it has none.
    pub enforcement: Option<Enforcement>,
}

impl Running {
    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Ends all that it started and that is still there: for when it has ended by itself.
    pub fn end(self) {
        self.tree.end_group();
    }

    /// Ends all of it, found by whatever still ties it together.
    pub fn end_all(&self) {
        self.tree.end();
    }
}

/// Starts a program in its sandbox.
///
/// # Errors
/// When it is missing or broken, which is the target's fault; when it could not be started, or not with all that
/// `sandbox: required` requires.
pub async fn start(launch: &Launch, sandbox: &Sandbox, cx: &Context) -> Result<Running, CheckError> {
    let name = launch.command.first().map(String::as_str).unwrap_or_default();
    let enforcement = (!sandbox.is_off()).then(|| Enforcement {
        by: Vec::new(),
        missing: vec![String::from("nothing is enforced on this machine")],
    });
    if sandbox.is_required()
        && let Some(first) = enforcement.as_ref().and_then(|one| one.missing.first())
    {
        return Err(CheckError::unobservable(format!(
            "the sandbox is required, and not all of it can be had: {first}"
        )));
    }
    let mark = new_mark(cx.now());
    let path = name.contains('/').then(|| match &launch.cwd {
        Some(cwd) => cwd.join(name),
        None => PathBuf::from(name),
    });
    let mut command = Command::new(path.as_deref().unwrap_or(Path::new(name)));
    command.args(launch.command.iter().skip(1)).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(launch.input()?);
    command.envs(launch.env.iter().map(|(name, value)| (name, value)));
    command.envs(launch.secrets.iter().map(|(name, value)| (name, value.expose_secret())));
    command.env(MARK, &mark).process_group(0).kill_on_drop(true);
    if let Some(cwd) = &launch.cwd {
        command.current_dir(cwd);
    }
    cx.phase(clockwork_core::Phase::ours(format!("starting {}", quote(name))));
    let mut child =
        command.spawn().map_err(|error| refusal(name, path.as_ref(), launch.cwd.as_deref(), error))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    Ok(Running { tree: Tree::new(child.id(), &mark), child, stdin, stdout, stderr, enforcement })
}
