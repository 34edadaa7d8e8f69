//! What is told of a program's end: how it came, why as far as that can be known, and the end of what it said.

use std::borrow::Cow;

use clockwork_core::{
    duration::show,
    text::{bounded, quote},
};
use clockwork_drivers::{
    command::{CommandRun, Ended, Output},
    sandbox::Sandbox,
};

/// What the kernel ends processes with when memory runs out.
const SIGKILL: i32 = 9;
/// What the kernel ends those with that compute for too long, and that write too large a file.
const SIGXCPU: i32 = 24;
const SIGXFSZ: i32 = 25;
/// How many characters of what the command said a message shows.
const SHOWN: usize = 200;

/// What it left, if it did.
pub(crate) fn behind(run: &CommandRun) -> &'static str {
    if run.left_behind { " (something that it had started was still there, and was ended)" } else { "" }
}

/// How a signal ended it, and why as far as that can be told.
pub(crate) fn killed(run: &CommandRun, sandbox: &Sandbox) -> String {
    let why = match run.ended {
        Ended::Signal(SIGKILL) if run.exceeded.memory => exceeded(run, sandbox),
        Ended::Signal(SIGKILL) => String::from(", perhaps for want of memory"),
        Ended::Signal(SIGXCPU) => sandbox
            .limits()
            .map(|limits| format!(": it computed longer than sandbox.cpu, {}", show(limits.cpu)))
            .unwrap_or_default(),
        Ended::Signal(SIGXFSZ) => sandbox
            .limits()
            .map(|limits| format!(": it wrote a larger file than sandbox.file_size, {}", limits.file_size))
            .unwrap_or_default(),
        _ => String::new(),
    };
    format!("{}{why}", run.ended)
}

/// Which of its limits the kernel says that it ran into.
pub(crate) fn exceeded(run: &CommandRun, sandbox: &Sandbox) -> String {
    let Some(limits) = sandbox.limits() else { return String::new() };
    match (run.exceeded.memory, run.exceeded.processes) {
        (true, _) => format!(", for want of memory: sandbox.memory is {}", limits.memory),
        (_, true) => format!("; it wanted more processes than sandbox.processes, {}", limits.processes),
        _ => String::new(),
    }
}

/// Without the line breaks at the end.
pub(crate) fn text(output: &Output) -> Cow<'_, str> {
    let bytes = &output.kept;
    let end = bytes.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    String::from_utf8_lossy(&bytes[..end])
}

/// The end of what it said, which most often tells why: `; stderr: "no such host"`.
pub(crate) fn said(run: &CommandRun) -> String {
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
pub(crate) fn shown(command: &[String]) -> String {
    let plain = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_./:=,+%@".contains(c))
    };
    let words: Vec<_> =
        command.iter().map(|word| if plain(word) { word.clone() } else { quote(word) }).collect();
    bounded(words.join(" "), 120)
}
