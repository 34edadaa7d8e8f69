//! [`start`]: from what is to run and what it may do to a running program.

use std::{
    ffi::OsString,
    io,
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    sync::mpsc,
};

use clockwork_core::{CheckError, Context, ExposeSecret, Phase, text::quote};
use nix::libc;
use tokio::{
    net::unix::pipe,
    process::{Child, ChildStderr, ChildStdin, ChildStdout},
    runtime::Handle,
    sync::oneshot,
};

use super::{
    control::Groups,
    diagnosis,
    environment::environment,
    grants::Seen,
    launch::{Denied, Enforcement, Launch, Remains},
    lent::Lent,
    refusal::refusal,
    report::{LENGTH, Told},
    spec::{Grants, NetworkAccess, Sandbox},
    tree::{MARK, Tree, new_mark},
    workshop::{Job, Made, NotMade, Order, Scratch, Started, Workers, Workshop},
};

/// A program under way. When this is dropped, all that it started ends at once, daemons included.
#[derive(Debug)]
pub struct Running {
    // The tree goes before the process, which ties it together.
    tree: Tree,
    process: Process,
    /// Its standard input, if that was asked for.
    pub stdin: Option<ChildStdin>,
    /// Its standard output.
    pub stdout: Option<ChildStdout>,
    /// Its standard error.
    pub stderr: Option<ChildStderr>,
    /// What of its sandbox is enforced; `None` where it has none.
    pub enforcement: Option<Enforcement>,
}

#[derive(Debug)]
enum Process {
    /// The program itself.
    Free(Child),
    /// The one that waits for it.
    Confined(Box<Confined>),
}

/// What belongs to its sandbox.
#[derive(Debug)]
struct Confined {
    report: pipe::Receiver,
    /// How the program ended, and whether something was left of it.
    ended: Option<(ExitStatus, bool)>,
    rest: Option<Rest>,
    _lent: Option<Lent>,
    seen: Seen,
    grants: Grants,
    jobs: mpsc::Sender<Job>,
}

/// What is to be seen to when it has ended.
#[derive(Debug)]
struct Rest {
    started: Started,
    groups: Option<Groups>,
    _scratch: Scratch,
}

impl Running {
    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// The operating system's.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        match &mut self.process {
            Process::Free(child) => child.wait().await,
            Process::Confined(confined) => confined.wait().await,
        }
    }

    fn confined(&self) -> Option<&Confined> {
        match &self.process {
            Process::Free(_) => None,
            Process::Confined(confined) => Some(confined),
        }
    }

    /// What a command like this is about and cannot see in its sandbox: nothing follows from what it says.
    pub fn blind(&self, command: &[String]) -> Option<Denied> {
        diagnosis::blind(command, &self.confined()?.seen)
    }

    /// That a command like this needs a network and is granted none.
    pub fn cut_off(&self, command: &[String]) -> Option<Denied> {
        diagnosis::cut_off(command, &self.confined()?.grants)
    }

    /// This path, if it is there and not shown.
    #[cfg(feature = "python")]
    pub(crate) fn conceals(&self, path: &Path) -> Option<Denied> {
        diagnosis::unseen(path, &self.confined()?.seen)
    }

    /// This host, if it is not reached.
    #[cfg(feature = "python")]
    pub(crate) fn isolates(&self, host: &str) -> Option<Denied> {
        diagnosis::unreached(host, &self.confined()?.grants)
    }

    /// For a program that failed: what of its sandbox that seems to come from, by what it said, and which grant helps.
    pub fn suspicion(&self, said: &str) -> Option<String> {
        let confined = self.confined()?;
        diagnosis::suspicion(said, &confined.grants, &confined.seen)
    }

    /// Ends what it left behind, once it has ended by itself, and says what that was.
    pub fn end(self) -> Remains {
        let mut remains = Remains::default();
        if let Some(confined) = self.confined() {
            remains.left_behind = confined.ended.is_some_and(|(_, left)| left);
            let groups = confined.rest.as_ref().and_then(|rest| rest.groups.as_ref());
            remains.exceeded = groups.map(Groups::exceeded).unwrap_or_default();
        }
        self.tree.end_group();
        remains
    }

    /// Ends all of it, found by whatever still ties it together.
    pub fn end_all(&self) {
        self.tree.end();
    }
}

impl Confined {
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        let ended = match self.ended {
            Some(ended) => ended,
            None => {
                let mut bytes = [0; LENGTH]; // written at once, and read at once
                let read = loop {
                    self.report.readable().await?;
                    match self.report.try_read(&mut bytes) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        read => break read?,
                    }
                };
                match Told::decode(&bytes) {
                    Some(Told::Ended { status, left }) if read == LENGTH => {
                        (ExitStatus::from_raw(status), left)
                    }
                    _ => (ExitStatus::from_raw(libc::SIGKILL), false), // so was who should have told it
                }
            }
        };
        self.ended = Some(ended);
        Ok(ended.0)
    }
}

impl Drop for Confined {
    fn drop(&mut self) {
        let Some(rest) = self.rest.take() else { return };
        let ended = self.ended.is_some();
        // It takes a moment until its last process has ended. Where the thread has gone, that is waited for here.
        let _ = self.jobs.send(Box::new(move |workshop| rest.end(ended, workshop)));
    }
}

impl Rest {
    /// Whoever has told its end is waited for later.
    fn end(mut self, told: bool, workshop: &mut Workshop) {
        if told {
            drop(self.groups.take());
            workshop.ending.push(self.started);
        }
    }
}

/// Starts a program in its sandbox.
///
/// # Errors
/// When it is missing or broken, which is the target's fault; when it could not be started, or not with all that
/// `sandbox: required` requires.
pub async fn start(launch: &Launch, sandbox: &Sandbox, cx: &Context) -> Result<Running, CheckError> {
    let name = launch.command.first().map(String::as_str).unwrap_or_default();
    cx.phase(Phase::ours(format!("starting {}", quote(name))));
    let mark = new_mark(cx.now());
    let path = name.contains('/').then(|| match &launch.cwd {
        Some(cwd) => cwd.join(name),
        None => PathBuf::from(name),
    });
    let mut command = Command::new(path.as_deref().unwrap_or(Path::new(name)));
    command.args(launch.command.iter().skip(1)).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.stdin(launch.input()?);
    let given = launch.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let secrets = launch.secrets.iter().map(|(name, value)| (name.as_str(), value.expose_secret()));
    let given = given.chain(secrets).chain([(MARK, mark.as_str())]);
    if let Some(cwd) = &launch.cwd {
        command.current_dir(cwd);
    }
    let refused = |error| refusal(name, path.as_ref(), launch.cwd.as_deref(), error);
    if sandbox.is_off() {
        command.envs(given).process_group(0);
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(refused)?;
        return Ok(Running {
            tree: Tree::new(child.id(), &mark, false),
            stdin: child.stdin.take(),
            stdout: child.stdout.take(),
            stderr: child.stderr.take(),
            enforcement: None,
            process: Process::Free(child),
        });
    }
    let environment = environment(&sandbox.grants.env, given);
    let (made, jobs) = confined(command, environment, &mark, launch, sandbox, cx).await?;
    let made = made.map_err(|error| match error {
        NotMade::Other(error) => error,
        NotMade::NotRun(error, seen) => {
            let interpreter = seen.and_then(|seen| seen.unseen_interpreter(path.as_deref()?));
            match interpreter {
                Some(interpreter) => CheckError::unobservable(format!(
                    "cannot run {}: the sandbox does not show it {}, which its first line names",
                    quote(name),
                    quote(&interpreter.to_string_lossy())
                ))
                .hint(format!(
                    "`sandbox: {{ read: [{}] }}` grants it",
                    quote(&interpreter.to_string_lossy())
                )),
                None => refused(error),
            }
        }
    })?;
    Ok(Running::confined_in(made, &mark, sandbox, jobs)?)
}

impl Running {
    fn confined_in(made: Made, mark: &str, sandbox: &Sandbox, jobs: mpsc::Sender<Job>) -> io::Result<Self> {
        let enforcement = enforcement(&made);
        let (stdin, stdout, stderr) = made.streams;
        let tree = Tree::new(Some(made.child.id()), mark, made.record.namespaces);
        let rest = Rest { started: made.child, groups: made.groups, _scratch: made.scratch };
        let process = Process::Confined(Box::new(Confined {
            report: pipe::Receiver::from_owned_fd(made.report)?,
            ended: None,
            rest: Some(rest),
            _lent: made.lent,
            seen: made.seen,
            grants: sandbox.grants.clone(),
            jobs,
        }));
        Ok(Self {
            tree,
            process,
            stdin: stdin.map(ChildStdin::from_std).transpose()?,
            stdout: stdout.map(ChildStdout::from_std).transpose()?,
            stderr: stderr.map(ChildStderr::from_std).transpose()?,
            enforcement: Some(enforcement),
        })
    }
}

/// Has it made on the run's thread for that.
async fn confined(
    command: Command,
    environment: Vec<OsString>,
    mark: &str,
    launch: &Launch,
    sandbox: &Sandbox,
    cx: &Context,
) -> Result<(Result<Made, NotMade>, mpsc::Sender<Job>), CheckError> {
    let gone = || CheckError::unobservable("cannot make a sandbox: the thread for that has ended");
    let jobs = cx.shared::<Workers>().jobs()?;
    let network = match sandbox.network_access() {
        NetworkAccess::At => Some(super::network::of(cx).await?),
        _ => None,
    };
    let order = Order {
        environment,
        mark: mark.to_owned(),
        launch: launch.clone(),
        grants: sandbox.grants.clone(),
        cwd: std::path::absolute(launch.cwd.as_deref().unwrap_or(Path::new(".")))?,
        network,
    };
    let (answer, answered) = oneshot::channel();
    let runtime = Handle::current();
    let job: Job = Box::new(move |workshop| {
        let _runtime = runtime.enter();
        drop(answer.send(workshop.start(command, order))); // where nobody waits any more, it ends
    });
    jobs.send(job).map_err(|_| gone())?;
    Ok((answered.await.map_err(|_| gone())?, jobs))
}

fn enforcement(made: &Made) -> Enforcement {
    let record = &made.record;
    let grouped = made.groups.is_some();
    let by = [
        (record.namespaces, "namespaces"),
        (record.landlock, "landlock"),
        (record.filtered, "seccomp"),
        (grouped, "control groups"),
        (true, "limits"),
    ];
    Enforcement {
        by: by.into_iter().filter_map(|(there, by)| there.then_some(by)).collect(),
        missing: record.missing(made.own_network).into_iter().map(String::from).collect(),
    }
}
