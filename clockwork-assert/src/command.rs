//! [`CommandAssert`]: a command ends as it should, and writes what it should; or says itself what it found (`json`).
//!
//! It runs on the machine that Clockwork runs on, as the same user and without a terminal. The command is a list, the
//! program and its arguments: no shell reads it. It is run anew in every attempt (`within`), and once where several
//! assertions of one round ask for the same command with the same fields. What it does to the world is its own affair: it
//! should only look.
//!
//! On Linux it runs in a sandbox, unless `sandbox: off`. What it may do without being granted anything: read what belongs
//! to the system (`/usr`, `/bin`, `/lib`, `/etc` but for what not everybody may read), the programs and libraries of the
//! directories in PATH, its own installation, and the directory that it runs in, unless that is a home or belongs to many
//! (`/tmp`); write to a `/tmp` of its own; see its own processes. It gets the variables PATH, HOME, USER, LOGNAME, SHELL,
//! LANG, LANGUAGE, TZ, TERM and `LC_…` of Clockwork's environment, TMPDIR, and those in `env`. It has no network, no
//! capabilities (not even root's), no way to other rights, and limits on memory, computing time, processes, open files
//! and the size of files. More is granted in `sandbox`: a map of `read`, `write`, `network` (`none`, `loopback`, `at`,
//! `all`), `env`, `memory`, `cpu`, `processes`, `open_files`, `file_size`. What this machine cannot enforce stands in
//! `details.sandbox.missing`; with `sandbox: required`, or `required: true` among the grants, it is `errored`.
//!
//! A command that failed, and seems to lack a grant, says which. Nothing is concluded from what a command cannot see: one
//! that names a path that is there and not shown to it (`[test, -e, /srv/data]`), or that tells of the whole machine
//! (`ps`, `ss`, `systemctl`, `df`), is `errored` unless it merely ended with 0. There is no such look into scripts.
//!
//! Its own end decides. What it left behind is waited for 250 ms, then ended; daemons, too. When the command does not end
//! in time (`timeout`), or the run is cancelled, everything that it started is ended. Without a sandbox, and where the
//! kernel has no pid namespaces for it, that is as far as it can be found: by process group, by parent, and by the
//! variable `CLOCKWORK_COMMAND` in its environment.
//!
//! Of each output 1 MiB is kept; more is read and counted, so that the command is not held up. An output that is
//! larger than that cannot be compared, and asking for it is `errored`. Bytes that are not UTF-8 are compared as `�`, and
//! the line breaks at the end are left out, as a shell's `$(…)` does.
//!
//! Judged (so that `not` turns it around): the exit code and the outputs. Not judged, but `failed`: a command that a
//! signal ended (it has no exit code), that does not end in time, that seems to have failed for want of a grant, or that
//! cannot be started because the program or the working directory is missing or broken. Not enough permission to start it
//! is `errored`.
//!
//! With `json: true` the command is a check of its own. On its standard input stands one JSON document:
//!
//! ```json
//! {
//!   "schema": "clockwork.program/v1",
//!   "resource": { "name": "api", "kind": "ContainerResource", "description": null, "depends_on": ["db"], "spec": { } },
//!   "observation": { },
//!   "observation_error": null
//! }
//! ```
//!
//! `resource` is null for an assertion over several resources; `spec` is as the manifest has it, without secrets;
//! `observation` is what the resource's driver sees, null where nothing is there or nothing can be seen, which
//! `observation_error` then tells. On its standard output it writes one JSON document, its verdict:
//!
//! ```json
//! { "verdict": "failed", "message": "2 of 3 replicas are ready", "expected": "3", "actual": "2", "details": { } }
//! ```
//!
//! `verdict` is `passed`, `failed` or `errored` (it could not look); the rest may be left out. `details` are the result's
//! `details.program`. It ends with 0; with another code its verdict may be `failed` or `errored`, not `passed`. Everything
//! else is `errored`: no output, other output, unknown keys, an end by a signal, no end in time. A `failed` of it is judged,
//! so that `not` turns it around.
//!
//! `details`: `exit_code` or `signal`, `stdout_bytes`, `stderr_bytes`, `sandbox: { by, missing }`, `left_behind` where
//! something was ended, `program` as above.

use std::{collections::BTreeMap, path::PathBuf};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Input, Invalid, Matcher, Resource, Verdict, async_trait,
    text::quote,
};
use clockwork_drivers::{
    command::{CommandProbe, CommandRun, Ended, OUTPUT_LIMIT},
    container::EnvValue,
    file::check_path,
    sandbox::{NetworkAccess, Sandbox},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    argv::Argv,
    command_words::{behind, exceeded, killed, said, shown, text},
    program_document::document,
    program_inputs,
    program_verdict::program_verdict,
};

/// A command ends with this exit code, and writes this; or it says itself what it found (`json`). Its sandbox is Linux's:
/// elsewhere it runs without one, which the evidence says, or not at all, where it is required.
///
/// ```
/// use clockwork_assert::CommandAssert;
///
/// CommandAssert::new(["nginx", "-t"]);
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommandAssert {
    /// The program and its arguments. No shell reads them; for one, write `[sh, -c, "…"]`.
    command: Argv,
    /// The exit code: a number, a list of them, or a matcher; 0 unless given.
    #[serde(default)]
    exit_code: Option<Matcher>,
    /// What it writes on its standard output, without the line breaks at the end: a text, or a matcher.
    #[serde(default)]
    stdout: Option<Matcher>,
    /// The same of its standard error.
    #[serde(default)]
    stderr: Option<Matcher>,
    /// Variables that it is given: texts, or secrets (`{ env: NAME }`, `{ file: path }`), which are masked where the command
    /// writes them.
    #[serde(default)]
    env: BTreeMap<String, EnvValue>,
    /// Where it runs; Clockwork's own working directory unless given. A relative program is relative to it.
    #[serde(default)]
    cwd: Option<PathBuf>,
    /// What stands on its standard input, which is empty unless given.
    #[serde(default)]
    stdin: Option<String>,
    /// Whether it is a check of its own: it reads `{ "schema": "clockwork.program/v1", "resource": { "name", "kind",
    /// "description", "depends_on", "spec" }, "observation", "observation_error" }` on its standard input, and writes
    /// `{ "verdict": "failed", "message": "why", "expected": "3", "actual": "2", "details": {} }` on its standard output. The
    /// verdict is `passed`, `failed` or `errored`; the rest may be left out.
    #[serde(default)]
    json: bool,
    /// What it may do: a map of what is granted, `required` (enforced, or `errored`), or `off`.
    #[serde(default)]
    sandbox: Sandbox,
}

impl CommandAssert {
    /// This program with these arguments exits with 0.
    pub fn new<W: Into<String>>(command: impl IntoIterator<Item = W>) -> Self {
        Self {
            command: Argv(command.into_iter().map(Into::into).collect()),
            exit_code: None,
            stdout: None,
            stderr: None,
            env: BTreeMap::new(),
            cwd: None,
            stdin: None,
            json: false,
            sandbox: Sandbox::new(),
        }
    }

    /// The exit code, if it is not 0.
    #[must_use]
    pub fn exit_code(mut self, code: Matcher) -> Self {
        self.exit_code = Some(code);
        self
    }

    /// What it writes on its standard output, without the line breaks at the end.
    #[must_use]
    pub fn stdout(mut self, matcher: Matcher) -> Self {
        self.stdout = Some(matcher);
        self
    }

    /// What it writes on its standard error, without the line breaks at the end.
    #[must_use]
    pub fn stderr(mut self, matcher: Matcher) -> Self {
        self.stderr = Some(matcher);
        self
    }

    /// A variable of its environment: a text or a `Secret`.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<EnvValue>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Where it runs.
    #[must_use]
    pub fn cwd(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// What stands on its standard input.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// It reads the resource as JSON on its standard input, and writes its verdict as JSON on its standard output.
    #[must_use]
    pub fn json(mut self) -> Self {
        self.json = true;
        self
    }

    /// What it may do, if that is not the default.
    #[must_use]
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = sandbox;
        self
    }

    fn probe(&self, document: Option<String>) -> CommandProbe {
        let (mut env, mut secrets) = (Vec::new(), Vec::new());
        for (name, value) in &self.env {
            match value {
                EnvValue::Text(text) => env.push((name.clone(), text.clone())),
                EnvValue::Secret(secret) => secrets.push((name.clone(), secret.clone())),
            }
        }
        CommandProbe {
            command: self.command.0.clone(),
            env,
            secrets,
            cwd: self.cwd.clone(),
            stdin: document.or_else(|| self.stdin.clone()),
            sandbox: self.sandbox.clone(),
            checks: self.json,
        }
    }

    fn expected(&self) -> String {
        let mut told = match &self.exit_code {
            None => String::from("exit code 0"),
            Some(code) => format!("exit code {code}"),
        };
        for (name, matcher) in self.outputs() {
            told.push_str(&format!(", {name} {matcher}"));
        }
        told
    }

    fn outputs(&self) -> impl Iterator<Item = (&'static str, &Matcher)> {
        let both = [("stdout", &self.stdout), ("stderr", &self.stderr)];
        both.into_iter().filter_map(|(name, matcher)| Some((name, matcher.as_ref()?)))
    }

    fn judge(&self, run: &CommandRun) -> Result<Verdict, CheckError> {
        let verdict = match run.ended {
            _ if self.json => program_verdict(run)?,
            Ended::Signal(number) => {
                Verdict::unjudged(format!("{}{}{}", killed(run, &self.sandbox), said(run), behind(run)))
                    .actual(run.ended.to_string())
                    .detail("signal", number)
            }
            Ended::Code(code) => self.judge_code(code, run)?.detail("exit_code", code),
        };
        let verdict = if self.json { verdict } else { verdict.expected(self.expected()) };
        let verdict =
            verdict.detail("stdout_bytes", run.stdout.total).detail("stderr_bytes", run.stderr.total);
        let verdict = match &run.enforcement {
            Some(enforcement) => verdict.detail("sandbox", enforcement.details()),
            None => verdict,
        };
        Ok(if run.left_behind { verdict.detail("left_behind", true) } else { verdict })
    }

    fn judge_code(&self, code: i32, run: &CommandRun) -> Result<Verdict, CheckError> {
        let expected = self.exit_code.clone().unwrap_or_else(|| Matcher::equals(0));
        let compared = expected.check(Some(&code.into()));
        let merely_ran = code == 0 && self.outputs().next().is_none();
        let blind = run.blind.as_ref().filter(|_| !(merely_ran && compared.is_ok()));
        // One that says so itself is understood below.
        let silent = compared.is_ok() || run.suspicion.is_none();
        let cut_off = run.cut_off.as_ref().filter(|_| code != 0 && silent);
        if let Some(denied) = blind.or(cut_off) {
            let message = format!("nothing follows from how it ended (code {code}): {}", denied.what);
            return Err(CheckError::unobservable(message).hint(&denied.hint));
        }
        let failed = |message: String, judged: bool| {
            let hint = run.suspicion.as_ref().map(|hint| format!("; {hint}")).unwrap_or_default();
            let message = format!("{message}{}{hint}", behind(run));
            // What fails for want of a grant says nothing.
            if judged && hint.is_empty() { Verdict::failed(message) } else { Verdict::unjudged(message) }
        };
        let actual = format!("exit code {code}");
        if let Err(mismatch) = compared {
            let message = format!(
                "exited with code {code}, expected {expected}{}{}",
                said(run),
                exceeded(run, &self.sandbox)
            );
            return Ok(failed(message, mismatch.judged).actual(actual));
        }
        let (mut wrong, mut judged, mut told) = (Vec::new(), true, vec![actual]);
        for (name, matcher) in self.outputs() {
            let output = if name == "stdout" { &run.stdout } else { &run.stderr };
            if !output.is_whole() {
                return Err(CheckError::unobservable(format!(
                    "it wrote {} bytes on {name}, of which {OUTPUT_LIMIT} are kept: too many to compare",
                    output.total
                ))
                .hint("let the command write less, for example through `grep` or `tail`"));
            }
            if let Err(mismatch) = matcher.check_str(&text(output)) {
                judged &= mismatch.judged;
                told.push(format!("{name} {}", mismatch.actual));
                wrong.push(format!("{name}: {}", mismatch.message));
            }
        }
        let verdict = match wrong.is_empty() {
            true => Verdict::passed().message(behind(run).trim_start()),
            false => failed(wrong.join("; "), judged),
        };
        Ok(verdict.actual(told.join(", ")))
    }
}

impl AssertionKind for CommandAssert {
    const NAME: &'static str = "CommandAssert";
}

#[async_trait]
impl Assertion for CommandAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        shown(&self.command.0)
    }

    /// To run in a container's network is all of being there that a program of this machine can do.
    fn supports_at(&self) -> bool {
        self.sandbox.network_access() == NetworkAccess::At
    }

    fn inputs(&self) -> Vec<Input> {
        let secrets = self.env.values().filter_map(|value| match value {
            EnvValue::Secret(secret) => Some(secret.input()),
            EnvValue::Text(_) => None,
        });
        let mut inputs = program_inputs::of_command(&self.command.0, self.cwd.as_deref(), &self.sandbox);
        inputs.extend(secrets);
        inputs
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = Vec::new();
        match self.command.0.first().map(String::as_str) {
            None => problems.push(Invalid::field("command", "is empty: name a program")),
            Some("") => problems.push(Invalid::field("command", "names no program: its first word is empty")),
            Some(program) if self.command.0.len() == 1 && program.contains(' ') && !program.contains('/') => {
                let problem = format!(
                    "{} is one word with a space in it: write each argument by itself, as in `[nginx, -t]`",
                    quote(program)
                );
                problems.push(Invalid::field("command", problem));
            }
            _ => {}
        }
        if self.command.0.iter().any(|word| word.contains('\0')) {
            problems.push(Invalid::field("command", "holds a NUL character, which no argument can"));
        }
        for (name, value) in &self.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                let problem = format!("{} cannot be the name of a variable", quote(name));
                problems.push(Invalid::field("env", problem));
            }
            if matches!(value, EnvValue::Text(text) if text.contains('\0')) {
                problems.push(Invalid::field("env", "holds a NUL character, which no value can"));
            }
        }
        let problem = self.cwd.as_deref().and_then(check_path);
        problems.extend(problem.map(|problem| Invalid::field("cwd", problem)));
        problems.extend(self.sandbox.validate());
        if self.json {
            for (field, given) in [
                ("exit_code", self.exit_code.is_some()),
                ("stdout", self.stdout.is_some()),
                ("stderr", self.stderr.is_some()),
                ("stdin", self.stdin.is_some()),
            ] {
                let problem = "has no meaning with `json: true`: there the program reads the resource and says its verdict";
                problems.extend(given.then(|| Invalid::field(field, problem)));
            }
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let document = if self.json { Some(document(cx).await) } else { None };
        let run = cx.observe(self.probe(document)).await.map_err(|error| match error.is_timeout() {
            true => {
                error.hint("it and all that it had started were ended; raise `timeout` if it needs longer")
            }
            false => error,
        })?;
        self.judge(&run)
    }
}
