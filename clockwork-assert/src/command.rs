//! [`CommandAssert`]: a command ends as it should, and writes what it should.
//!
//! It runs on the machine that Clockwork runs on, as the same user, with Clockwork's environment and working directory but
//! for what `env` and `cwd` say, and without a terminal. The command is a list, the program and its arguments: no shell
//! reads it. It is run anew in every attempt (`within`), and once where several assertions of one round ask for the same
//! command with the same `env`, `cwd` and `stdin`. What it does to the world is its own affair: it should only look.
//!
//! Its own end decides. A process that it started and that still holds its outputs is waited for 250 ms, then ended. What
//! stayed in its process group ends with it; a daemon that made itself independent stays. When the command does not end
//! in time (`timeout`), or the run is cancelled, everything that it started is ended, daemons too, as far as they can be
//! found: by process group, by parent, and by the variable `CLOCKWORK_COMMAND` in their environment.
//!
//! Of each output 1 MiB is kept; more is read and counted, so that the command is not held up. An output that is
//! larger than that cannot be compared, and asking for it is `errored`. Bytes that are not UTF-8 are compared as `�`, and
//! the line breaks at the end are left out, as a shell's `$(…)` does.
//!
//! Judged (so that `not` turns it around): the exit code and the outputs. Not judged, but `failed`: a command that a
//! signal ended (it has no exit code), that does not end in time, or that cannot be started because the program or the
//! working directory is missing or broken. Not enough permission to start it is `errored`.
//!
//! `details`: `exit_code` or `signal`, `stdout_bytes`, `stderr_bytes`, and `left_behind` where something was ended.

use std::{borrow::Cow, collections::BTreeMap, path::PathBuf};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Matcher, Resource, Verdict, async_trait,
    text::{bounded, quote},
};
use clockwork_drivers::{
    command::{CommandProbe, CommandRun, Ended, OUTPUT_LIMIT, Output},
    container::{EnvValue, Text},
    file::check_path,
    sandbox::Sandbox,
};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// What the kernel ends processes with when memory runs out.
const SIGKILL: i32 = 9;
/// How many characters of what the command said a message shows.
const SHOWN: usize = 200;

/// A command ends with this exit code, and writes this.
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
    /// Variables beside those of Clockwork's own environment: texts, or secrets (`{ env: NAME }`, `{ file: path }`),
    /// which are masked where the command writes them.
    #[serde(default)]
    env: BTreeMap<String, EnvValue>,
    /// Where it runs; Clockwork's own working directory unless given. A relative program is relative to it.
    #[serde(default)]
    cwd: Option<PathBuf>,
    /// What stands on its standard input, which is empty unless given.
    #[serde(default)]
    stdin: Option<String>,
    /// What it may do: a map of what is granted, `required`, or `off`.
    #[serde(default)]
    sandbox: Sandbox,
}

/// A command and its arguments.
#[derive(Debug, Clone)]
struct Argv(Vec<String>);

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Argv;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list: the program and its arguments")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Argv, E> {
        Err(E::custom(
            "a command is a list, the program and its arguments: `[nginx, -t]`; no shell reads it, for one write `[sh, -c, \"…\"]`",
        ))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Argv, A::Error> {
        let mut words = Vec::new();
        while let Some(Text(word)) = seq.next_element()? {
            words.push(word);
        }
        Ok(Argv(words))
    }
}

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Argv {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Argv".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "array", "items": { "type": ["string", "integer"] }, "minItems": 1 })
    }
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

    /// What it may do, if that is not the default.
    #[must_use]
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = sandbox;
        self
    }

    fn probe(&self) -> CommandProbe {
        let (mut env, mut secrets) = (Vec::new(), Vec::new());
        for (name, value) in &self.env {
            match value {
                EnvValue::Text(text) => env.push((name.clone(), text.clone())),
                EnvValue::Secret(secret) => secrets.push((name.clone(), secret.clone())),
            }
        }
        let (command, cwd, stdin) = (self.command.0.clone(), self.cwd.clone(), self.stdin.clone());
        CommandProbe { command, env, secrets, cwd, stdin, sandbox: self.sandbox.clone() }
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
        let left_behind = if run.left_behind {
            " (something that it had started still held its outputs, and was ended)"
        } else {
            ""
        };
        let verdict = match run.ended {
            Ended::Signal(number) => {
                let why = if number == SIGKILL { ", perhaps for want of memory" } else { "" };
                Verdict::unjudged(format!("{}{why}{}{left_behind}", run.ended, said(run)))
                    .actual(run.ended.to_string())
                    .detail("signal", number)
            }
            Ended::Code(code) => self.judge_code(code, run, left_behind)?.detail("exit_code", code),
        };
        let verdict = verdict
            .expected(self.expected())
            .detail("stdout_bytes", run.stdout.total)
            .detail("stderr_bytes", run.stderr.total);
        let verdict = match &run.enforcement {
            Some(enforcement) => verdict.detail("sandbox", enforcement.details()),
            None => verdict,
        };
        Ok(if run.left_behind { verdict.detail("left_behind", true) } else { verdict })
    }

    fn judge_code(&self, code: i32, run: &CommandRun, left_behind: &str) -> Result<Verdict, CheckError> {
        let expected = self.exit_code.clone().unwrap_or_else(|| Matcher::equals(0));
        let actual = format!("exit code {code}");
        if let Err(mismatch) = expected.check(Some(&code.into())) {
            let message = format!("exited with code {code}, expected {expected}{}{left_behind}", said(run));
            let verdict = match mismatch.judged {
                true => Verdict::failed(message),
                false => Verdict::unjudged(message),
            };
            return Ok(verdict.actual(actual));
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
        let verdict = match (wrong.is_empty(), judged) {
            (true, _) => Verdict::passed().message(left_behind.trim_start()),
            (false, true) => Verdict::failed(format!("{}{left_behind}", wrong.join("; "))),
            (false, false) => Verdict::unjudged(format!("{}{left_behind}", wrong.join("; "))),
        };
        Ok(verdict.actual(told.join(", ")))
    }
}

/// Without the line breaks at the end.
fn text(output: &Output) -> Cow<'_, str> {
    let bytes = &output.kept;
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    String::from_utf8_lossy(&bytes[..end])
}

/// The end of what it said, which most often tells why: `; stderr: "no such host"`.
fn said(run: &CommandRun) -> String {
    for (name, output) in [("stderr", &run.stderr), ("stdout", &run.stdout)] {
        let text = text(output);
        if text.trim().is_empty() {
            continue;
        }
        let count = text.chars().count();
        let end: String = text.chars().skip(count.saturating_sub(SHOWN - 1)).collect();
        return match (output.is_whole(), count < SHOWN) {
            (true, true) => format!("; {name}: {}", quote(&text)),
            (true, false) => format!("; {name} ends with {}", quote(&end)),
            (false, _) => format!("; {name} ({} bytes) begins with {}", output.total, quote(&text)),
        };
    }
    String::from("; it wrote nothing")
}

/// As it could be typed: `nginx -t`, `sh -c "exit 3"`.
fn shown(command: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,+%@".contains(c))
    };
    let words: Vec<_> =
        command.iter().map(|word| if plain(word) { word.clone() } else { quote(word) }).collect();
    bounded(words.join(" "), 120)
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
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let run = cx.observe(self.probe()).await.map_err(|error| match error.is_timeout() {
            true => {
                error.hint("it and all that it had started were ended; raise `timeout` if it needs longer")
            }
            false => error,
        })?;
        self.judge(&run)
    }
}
