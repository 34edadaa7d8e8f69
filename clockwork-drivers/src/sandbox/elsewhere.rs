//! Programs where there is no Linux: without a sandbox, which is said wherever one was to be.

use std::{
    io,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use clockwork_core::{CheckError, Context, ExposeSecret, Phase, text::quote};
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

use super::{
    environment,
    launch::{Denied, Enforcement, Launch, Remains},
    refusal::refusal,
    spec::{NetworkAccess, Sandbox},
};
use crate::platform::lacks;

/// What is said to be missing of a sandbox.
const MISSING: [&str; 3] = [
    "it may read and change all that Clockwork may (no sandbox on this system)",
    "it reaches every network that Clockwork reaches (no sandbox on this system)",
    "its memory, computing time, processes and files are not limited (no sandbox on this system)",
];

/// A program under way. When this is dropped, all that it started and that is still known as its own ends at once.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Whether it was not waited for.
    armed: bool,
    /// Its number, which is kept for what it started.
    root: Option<u32>,
    /// Its standard input, if that was asked for.
    pub stdin: Option<ChildStdin>,
    /// Its standard output.
    pub stdout: Option<ChildStdout>,
    /// Its standard error.
    pub stderr: Option<ChildStderr>,
    /// What of its sandbox is enforced, which is nothing; `None` where it has none.
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

    /// What a command like this cannot see: it sees all.
    pub fn blind(&self, _: &[String]) -> Option<Denied> {
        None
    }

    /// That a command like this needs a network and has none: it has.
    pub fn cut_off(&self, _: &[String]) -> Option<Denied> {
        None
    }

    #[cfg(feature = "python")]
    pub(crate) fn conceals(&self, _: &Path) -> Option<Denied> {
        None
    }

    #[cfg(feature = "python")]
    pub(crate) fn isolates(&self, _: &str) -> Option<Denied> {
        None
    }

    /// Nothing that failed comes from a sandbox.
    pub fn suspicion(&self, _: &str) -> Option<String> {
        None
    }

    /// Ends what it left behind, once it has ended by itself, and says what that was.
    pub fn end(mut self) -> Remains {
        self.armed = false;
        end_group(self.root);
        Remains::default()
    }

    /// Ends all that it started.
    pub fn end_all(&self) {
        end_tree(self.root);
        end_group(self.root);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.armed {
            self.end_all();
        }
    }
}

/// Starts a program.
///
/// # Errors
/// When its sandbox is required, or is to be in a container's network; when the program is not there, or cannot be run.
pub async fn start(launch: &Launch, sandbox: &Sandbox, cx: &Context) -> Result<Running, CheckError> {
    let name = launch.command.first().map(String::as_str).unwrap_or_default();
    cx.phase(Phase::ours(format!("starting {}", quote(name))));
    if sandbox.is_required() {
        return Err(lacks("keep a program in a sandbox", "Linux's namespaces and Landlock")
            .hint("without `required`, it runs without one, and what is missing stands in the evidence"));
    }
    if !sandbox.is_off() && sandbox.network_access() == NetworkAccess::At {
        return Err(lacks("run a program in a container's network", "Linux's network namespaces"));
    }
    let path = name.contains(std::path::is_separator).then(|| match &launch.cwd {
        Some(cwd) => cwd.join(name),
        None => PathBuf::from(name),
    });
    let mut command = Command::new(path.as_deref().unwrap_or(Path::new(name)));
    command.args(launch.command.iter().skip(1)).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(launch.input()?).kill_on_drop(true);
    if let Some(cwd) = &launch.cwd {
        command.current_dir(cwd);
    }
    if !sandbox.is_off() {
        command.env_clear().envs(environment::own(sandbox.granted_variables())).env_remove("TMPDIR");
        command.envs(std::env::var_os("TMPDIR").map(|directory| ("TMPDIR", directory)));
    }
    command.envs(launch.env.iter().map(|(name, value)| (name, value)));
    command.envs(launch.secrets.iter().map(|(name, value)| (name, value.expose_secret())));
    #[cfg(unix)]
    command.process_group(0);
    let spawned = command.spawn();
    let mut child = spawned.map_err(|error| refusal(name, path.as_ref(), launch.cwd.as_deref(), error))?;
    let missing = MISSING.map(str::to_owned).into();
    Ok(Running {
        root: child.id(),
        stdin: child.stdin.take(),
        stdout: child.stdout.take(),
        stderr: child.stderr.take(),
        child,
        armed: true,
        enforcement: (!sandbox.is_off()).then_some(Enforcement { by: Vec::new(), missing }),
    })
}

/// What is still in the process group that the program was started in.
#[cfg(unix)]
fn end_group(root: Option<u32>) {
    use nix::{
        sys::signal::{Signal, killpg},
        unistd::Pid,
    };
    if let Some(root) = root.and_then(|root| i32::try_from(root).ok()).filter(|root| *root > 1) {
        let _ = killpg(Pid::from_raw(root), Signal::SIGKILL); // most often there is none
    }
}

/// There are none.
#[cfg(not(unix))]
fn end_group(_: Option<u32>) {}

/// The program, and whose parent it is, and so on.
fn end_tree(root: Option<u32>) {
    let (Some(root), Ok(mut system)) = (root, System::new()) else { return };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing());
    let mut tree = vec![Pid::from_u32(root)];
    let mut looked = 0;
    while let Some(parent) = tree.get(looked).copied() {
        looked += 1;
        let children = system.processes().values().filter(|process| process.parent() == Some(parent));
        let children: Vec<_> =
            children.map(sysinfo::Process::pid).filter(|pid| !tree.contains(pid)).collect();
        tree.extend(children);
    }
    for process in tree.into_iter().filter_map(|pid| system.process(pid)) {
        process.kill();
    }
}
