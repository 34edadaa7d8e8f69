//! A small and faithful runner of GitHub Actions: it reads an `action.yml`, evaluates its inputs and expressions, runs its
//! step, and does what the step's log and files say. Read from the runner's sources (version 2.336); what an action that
//! runs one script does not use fails loudly.
//!
//! What it has: inputs with defaults (none is set as `INPUT_…` for a composite action), contexts, the shell's template, one
//! `PATH`, the five file commands, both command syntaxes, `stop-commands`, masks, the limits of annotations and summaries,
//! cancellation (SIGINT to the shell alone, SIGTERM after 7.5 s, the end after 2.5 s more), and jobs in containers.

pub(crate) mod command;
mod expression;
pub(crate) mod file_command;
pub(crate) mod log;
mod yaml;

use std::{
    collections::BTreeMap,
    fs,
    io::{BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command as Process, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use expression::{Contexts, evaluate};
pub(crate) use log::Annotation;
use log::Log;
pub(crate) use yaml::Yaml;

/// A summary that is larger is dropped.
const SUMMARY: usize = 1 << 20;
const AFTER_SIGINT: Duration = Duration::from_millis(7500);
const AFTER_SIGTERM: Duration = Duration::from_millis(2500);

/// A machine with one job.
pub(crate) struct Runner {
    directory: tempfile::TempDir,
    /// The environment of its steps, beside what it sets itself.
    pub(crate) env: BTreeMap<String, String>,
    /// The container that the job runs in, which sees `directory` and the action at the same paths.
    pub(crate) container: Option<String>,
    masks: Vec<String>,
    step: usize,
}

/// How a step ended.
#[derive(Debug)]
pub(crate) struct Step {
    /// `success`, `failure` or `cancelled`.
    pub(crate) conclusion: &'static str,
    pub(crate) exit_code: Option<i32>,
    /// Of the action, as its `outputs` name them.
    pub(crate) outputs: BTreeMap<String, String>,
    /// As people see it.
    pub(crate) log: Vec<String>,
    /// The commands that were obeyed.
    pub(crate) commands: Vec<String>,
    pub(crate) annotations: Vec<Annotation>,
    pub(crate) masks: Vec<String>,
    /// What the job's summary has of it.
    pub(crate) summary: Option<String>,
    /// What it gives to later steps.
    pub(crate) env: Vec<(String, String)>,
    /// What ended it.
    pub(crate) signals: Vec<Signal>,
}

impl Step {
    pub(crate) fn output(&self, name: &str) -> &str {
        self.outputs.get(name).map_or("", String::as_str)
    }

    pub(crate) fn of_level(&self, level: &str) -> Vec<&Annotation> {
        self.annotations.iter().filter(|one| one.level == level).collect()
    }

    pub(crate) fn text(&self) -> String {
        self.log.join("\n")
    }
}

/// A step that runs.
pub(crate) struct Running {
    process: Child,
    lines: mpsc::Receiver<String>,
    log: Log,
    outputs: Yaml,
    id: String,
    contexts: Contexts,
    files: PathBuf,
    cancelled: bool,
    signals: Vec<Signal>,
}

impl Runner {
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("runner").tempdir().unwrap();
        for name in ["workspace", "temp", "tools", "commands"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        Self { directory, env: BTreeMap::new(), container: None, masks: Vec::new(), step: 0 }
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The checkout of the repository that the workflow is of.
    pub(crate) fn workspace(&self) -> PathBuf {
        self.path().join("workspace")
    }

    pub(crate) fn temp(&self) -> PathBuf {
        self.path().join("temp")
    }

    /// What is kept from job to job.
    pub(crate) fn tools(&self) -> PathBuf {
        self.path().join("tools")
    }

    /// Values of `secrets`, which are masked from the beginning.
    pub(crate) fn mask(&mut self, secret: &str) {
        self.masks.push(secret.to_owned());
    }

    /// `uses: action`, `with` these, to its end.
    pub(crate) fn run(&mut self, action: &Path, with: &[(&str, &str)]) -> Step {
        self.start(action, with).finish()
    }

    pub(crate) fn start(&mut self, action: &Path, with: &[(&str, &str)]) -> Running {
        self.step += 1;
        let read = Yaml::parse(&fs::read_to_string(action.join("action.yml")).unwrap());
        load(&read);
        let mut log = Log::default();
        log.masks.clone_from(&self.masks);
        let mut contexts = inputs(&read, with, &mut log);
        let files = self.path().join("commands").join(self.step.to_string());
        fs::create_dir(&files).unwrap();
        let mut env = self.variables(action, &files);
        for (name, value) in &env {
            if let Some(name) = name.strip_prefix("GITHUB_") {
                contexts.insert(format!("github.{}", name.to_lowercase()), value.clone());
            }
        }
        let step = &read.get("runs").unwrap().get("steps").unwrap().items()[0];
        for (name, value) in step.get("env").map_or(&[][..], Yaml::entries) {
            let Yaml::Text(value) = value else { panic!("{name} is no text") };
            env.insert(name.clone(), evaluate(value, &contexts));
        }
        assert_eq!(step.text("shell"), "bash", "the emulator knows no other shell");
        let script = self.temp().join(format!("step-{}.sh", self.step));
        fs::write(&script, evaluate(step.text("run"), &contexts)).unwrap();
        let directory = self.workspace().join(evaluate(step.text("working-directory"), &contexts));
        let mut process = self.shell(&directory, &env);
        process.args(["--noprofile", "--norc", "-e", "-o", "pipefail"]).arg(script);
        process.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = process.spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        read_lines(process.stdout.take().unwrap(), sender.clone());
        read_lines(process.stderr.take().unwrap(), sender);
        let outputs = read.get("outputs").cloned().unwrap_or(Yaml::Map(Vec::new()));
        let id = step.text("id").to_owned();
        let (cancelled, signals) = (false, Vec::new());
        Running { process, lines, log, outputs, id, contexts, files, cancelled, signals }
    }

    /// What the runner sets for a step.
    fn variables(&self, action: &Path, files: &Path) -> BTreeMap<String, String> {
        let shown = |path: &Path| path.display().to_string();
        let mut env = self.env.clone();
        for name in ["PATH", "HOME"] {
            env.entry(name.to_owned()).or_insert_with(|| std::env::var(name).unwrap_or_default());
        }
        let mut set = |name: &str, value: String| drop(env.insert(name.to_owned(), value));
        set("CI", "true".to_owned());
        set("GITHUB_ACTIONS", "true".to_owned());
        set("GITHUB_ACTION", "__run".to_owned());
        set("GITHUB_ACTION_PATH", shown(action));
        set("GITHUB_REPOSITORY", "octo/shop".to_owned());
        set("GITHUB_SERVER_URL", "https://github.com".to_owned());
        set("GITHUB_WORKSPACE", shown(&self.workspace()));
        // A test may say that this is another machine.
        if !self.env.contains_key("RUNNER_OS") {
            set("RUNNER_OS", "Linux".to_owned());
            set("RUNNER_ARCH", if cfg!(target_arch = "aarch64") { "ARM64" } else { "X64" }.to_owned());
        }
        set("RUNNER_TEMP", shown(&self.temp()));
        set("RUNNER_TOOL_CACHE", shown(&self.tools()));
        for name in ["OUTPUT", "ENV", "PATH", "STATE", "STEP_SUMMARY"] {
            let file = files.join(name);
            fs::write(&file, "").unwrap();
            set(&format!("GITHUB_{name}"), shown(&file));
        }
        env
    }

    /// The shell, here or in the job's container.
    fn shell(&self, directory: &Path, env: &BTreeMap<String, String>) -> Process {
        match &self.container {
            None => {
                let mut process = Process::new("bash");
                process.current_dir(directory).env_clear().envs(env);
                process
            }
            Some(container) => {
                let mut process = Process::new("docker");
                process.args(["exec", "-i", "--workdir"]).arg(directory);
                // The container has a path of its own.
                for (name, value) in env.iter().filter(|(name, _)| *name != "PATH") {
                    process.arg("-e").arg(format!("{name}={value}"));
                }
                process.arg(container).arg("bash");
                process
            }
        }
    }
}

/// Fails where the runner would not load the action.
fn load(action: &Yaml) {
    action.only(&["name", "author", "description", "inputs", "outputs", "runs", "branding"], "action.yml");
    for (name, input) in action.get("inputs").map_or(&[][..], Yaml::entries) {
        input.only(&["description", "required", "default", "deprecationMessage"], name);
    }
    for (name, output) in action.get("outputs").map_or(&[][..], Yaml::entries) {
        output.only(&["description", "value"], name);
    }
    let runs = action.get("runs").unwrap();
    runs.only(&["using", "steps"], "runs");
    assert_eq!((runs.text("using"), runs.get("steps").unwrap().items().len()), ("composite", 1));
    let step = &runs.get("steps").unwrap().items()[0];
    let known = ["name", "id", "if", "run", "env", "continue-on-error", "working-directory", "shell"];
    step.only(&known, "a step");
    assert!(step.get("if").is_none() && step.get("continue-on-error").is_none());
}

/// The inputs' values. The runner does not insist on those that are required, and only warns of unknown ones.
fn inputs(action: &Yaml, with: &[(&str, &str)], log: &mut Log) -> Contexts {
    let declared = action.get("inputs").map_or(&[][..], Yaml::entries);
    let mut contexts = Contexts::new();
    for (name, input) in declared {
        contexts.insert(format!("inputs.{name}"), input.text("default").to_owned());
    }
    for (name, value) in with {
        if contexts.insert(format!("inputs.{name}"), (*value).to_owned()).is_none() {
            log.line(&format!("::warning::Unexpected input(s) '{name}'"));
        }
    }
    contexts
}

/// Lines end with LF, CR or both.
fn read_lines(stream: impl Read + Send + 'static, sender: mpsc::Sender<String>) {
    thread::spawn(move || {
        let mut line = Vec::new();
        let mut after_return = false;
        let send = |line: &mut Vec<u8>| {
            let text = String::from_utf8_lossy(line).into_owned();
            line.clear();
            // Whoever asked may be gone.
            let _ = sender.send(text);
        };
        for byte in BufReader::new(stream).bytes().map_while(Result::ok) {
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => send(&mut line),
                byte => line.push(byte),
            }
            after_return = byte == b'\r';
        }
        if !line.is_empty() {
            send(&mut line);
        }
    });
}

impl Running {
    /// Waits for a line of its log that holds this.
    pub(crate) fn wait_for(&mut self, text: &str) {
        while !self.log.lines.iter().any(|line| line.contains(text)) {
            match self.lines.recv_timeout(Duration::from_secs(60)) {
                Ok(line) => self.log.line(&line),
                Err(error) => panic!("no line with {text} ({error}): {:#?}", self.log.lines),
            }
        }
    }

    /// Somebody cancels the job: the process that the runner started hears of it, and no other.
    pub(crate) fn cancel(mut self) -> Step {
        let process = Pid::from_raw(self.process.id().try_into().unwrap());
        self.cancelled = true;
        for (signal, patience) in [
            (Signal::SIGINT, AFTER_SIGINT),
            (Signal::SIGTERM, AFTER_SIGTERM),
            (Signal::SIGKILL, Duration::from_secs(60)),
        ] {
            self.signals.push(signal);
            kill(process, signal).unwrap();
            let until = Instant::now() + patience;
            while Instant::now() < until {
                if self.process.try_wait().unwrap().is_some() {
                    return self.finish();
                }
                thread::sleep(Duration::from_millis(10));
            }
        }
        panic!("it cannot be killed");
    }

    /// Waits for its end, and does what its files say.
    pub(crate) fn finish(mut self) -> Step {
        // What a process leaves behind may hold its streams open: the runner listens for five seconds more.
        let mut patience = 50;
        while patience > 0 {
            match self.lines.recv_timeout(Duration::from_millis(100)) {
                Ok(line) => self.log.line(&line),
                Err(mpsc::RecvTimeoutError::Disconnected) => break,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    patience -= i32::from(self.process.try_wait().unwrap().is_some());
                }
            }
        }
        let status = self.process.wait().unwrap();
        if !status.success() {
            let code = status.code().map_or("a signal".to_owned(), |code| code.to_string());
            self.log.error(&format!("Process completed with exit code {code}."));
        }
        let read = |name: &str| {
            String::from_utf8_lossy(&fs::read(self.files.join(name)).unwrap_or_default()).into_owned()
        };
        let summary = match read("STEP_SUMMARY") {
            text if text.is_empty() => None,
            text if text.len() > SUMMARY => {
                self.log.error("$GITHUB_STEP_SUMMARY upload aborted, supports content up to a size of 1024k");
                None
            }
            text => Some(self.log.masked(&text)),
        };
        let mut pairs = |name: &str| {
            file_command::pairs(&read(name)).unwrap_or_else(|error| {
                self.log.error(&format!("Unable to process file command '{name}' successfully."));
                self.log.error(&error);
                self.log.failed = true;
                Vec::new()
            })
        };
        let env = pairs("ENV");
        for (name, value) in pairs("OUTPUT") {
            self.log.outputs.insert(name, value);
        }
        for (name, value) in &self.log.outputs {
            self.contexts.insert(format!("steps.{}.outputs.{name}", self.id), value.clone());
        }
        let outputs = self.outputs.entries().iter();
        let outputs = outputs.map(|(name, it)| (name.clone(), evaluate(it.text("value"), &self.contexts)));
        let conclusion = match (self.cancelled, status.success() && !self.log.failed) {
            (true, _) => "cancelled",
            (false, true) => "success",
            (false, false) => "failure",
        };
        Step {
            conclusion,
            exit_code: status.code(),
            outputs: outputs.collect(),
            log: self.log.lines,
            commands: self.log.commands,
            annotations: self.log.annotations,
            masks: self.log.masks,
            summary,
            env,
            signals: self.signals,
        }
    }
}
