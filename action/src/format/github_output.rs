//! For the outputs of a step of GitHub Actions, added to the file that `GITHUB_OUTPUT` names: how the run ended, counts, and
//! where the reports are. No text of a target is among them.
//!
//! The runner reads `name<<delimiter`, lines, `delimiter`. The delimiter is random, so that no value can hold it.

use std::{
    hash::{BuildHasher, RandomState},
    io::{self, Write},
    path::Path,
};

use super::{Format, Seen};
use crate::exit::Exit;

/// The reports that are named, and by what.
const NAMED: [(&str, Format); 4] = [
    ("report-json", Format::Json),
    ("report-junit", Format::Junit),
    ("report-sarif", Format::Sarif),
    ("report-html", Format::Html),
];

pub(super) fn write(out: &mut impl Write, seen: &Seen<'_>) -> io::Result<()> {
    let result = match Exit::of(seen.report, seen.fail_on) {
        Exit::Held => "passed",
        Exit::Failed | Exit::Usage => "failed",
        Exit::Interrupted => "interrupted",
    };
    one(out, "result", result)?;
    let counts = seen.report.summary;
    for (name, count) in [
        ("passed", counts.passed),
        ("failed", counts.failed),
        ("errored", counts.errored),
        ("skipped", counts.skipped),
    ] {
        one(out, name, &count.to_string())?;
    }
    for (name, format) in NAMED {
        if let Some((_, path)) = seen.files.iter().find(|(of, _)| *of == format) {
            one(out, name, &shown(path))?;
        }
    }
    Ok(())
}

/// Where nothing ran, there is no report.
pub(super) fn nothing_ran(out: &mut impl Write) -> io::Result<()> {
    one(out, "result", "error")
}

/// From the root on, as the next step may have another current directory.
fn shown(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

fn one(out: &mut impl Write, name: &str, value: &str) -> io::Result<()> {
    let delimiter = delimiter();
    writeln!(out, "{name}<<{delimiter}\n{value}\n{delimiter}")
}

/// 128 bits that nobody can guess: each state has keys of its own, from the system's random numbers.
fn delimiter() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    format!("clockwork_{:016x}{:016x}", half(), half())
}
