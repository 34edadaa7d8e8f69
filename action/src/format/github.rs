//! For the log of a GitHub Actions job: the text, then an annotation for each failure and warning, at the line that
//! declares it.
//!
//! The runner reads commands from each line of the log: `::name …::` where a line begins, `##[name …]` anywhere in it. So
//! neither may come from a message. It keeps ten errors and ten warnings of a step, and 4,096 characters of each:
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>.

use std::{
    borrow::Cow,
    env,
    io::{self, Write},
    path::Path,
};

use clockwork_core::{CheckResult, Place, Report, TextOptions, text::harmless};

use super::{failed_as_a_whole, one_line, place, story, text, title};

/// How many annotations of one sort a step shows.
const SHOWN: usize = 10;
/// How many characters of an annotation's message are shown; whoever wants more reads the text.
const MESSAGE: usize = 3_000;

pub(super) fn write(out: &mut impl Write, report: &Report, options: &TextOptions) -> io::Result<()> {
    let mut plain = Vec::new();
    text::write(&mut plain, report, options)?;
    for line in String::from_utf8_lossy(&plain).lines() {
        writeln!(out, "{}", no_command(line))?;
    }
    let workspace = env::var_os("GITHUB_WORKSPACE");
    let workspace = workspace.as_deref().map(Path::new);
    let of = |wanted: fn(&CheckResult) -> bool| {
        report.results.iter().map(|result| &**result).filter(move |result| wanted(result))
    };
    annotations(out, "error", of(CheckResult::fails_the_run), workspace)?;
    if let Some(why) = failed_as_a_whole(report) {
        writeln!(out, "::error title=Clockwork::{}", Data(why))?;
    }
    annotations(out, "warning", of(CheckResult::is_warning), workspace)
}

fn annotations<'a>(
    out: &mut impl Write,
    command: &str,
    results: impl Iterator<Item = &'a CheckResult> + Clone,
    workspace: Option<&Path>,
) -> io::Result<()> {
    let all = results.clone().count();
    let shown = if all > SHOWN { SHOWN - 1 } else { all };
    for result in results.take(shown) {
        write!(out, "::{command} ")?;
        if let Some(Place { file, line, column }) = place(result) {
            let file = in_workspace(file, workspace);
            write!(out, "file={},line={line},col={column},", Property(&file))?;
        }
        let message: String = harmless(&story(result)).chars().take(MESSAGE).collect();
        writeln!(out, "title={}::{}", Property(&one_line(&title(result))), Data(&message))?;
    }
    match all - shown {
        0 => Ok(()),
        more => writeln!(
            out,
            "::{command} title=Clockwork::and {more} more; the log and the report have them all"
        ),
    }
}

/// The path as the repository has it.
fn in_workspace<'a>(file: &'a str, workspace: Option<&Path>) -> Cow<'a, str> {
    let inside = || {
        let there = env::current_dir().ok()?.join(file).canonicalize().ok()?;
        let inside = there.strip_prefix(workspace?.canonicalize().ok()?).ok()?;
        Some(inside.to_str()?.to_owned())
    };
    inside().map_or(Cow::Borrowed(file), Cow::Owned)
}

/// A line of the log that is no command, whatever is in it.
fn no_command(line: &str) -> Cow<'_, str> {
    let inner = line.trim_start();
    let begins = inner.starts_with("::");
    if !begins && !line.contains("##[") {
        return Cow::Borrowed(line);
    }
    let indent = &line[..line.len() - inner.len()];
    let inner = if begins { inner.replacen("::", ": :", 1) } else { inner.to_owned() };
    Cow::Owned(format!("{indent}{}", inner.replace("##[", "# #[")))
}

/// A command's message: the runner turns these back.
struct Data<'a>(&'a str);

impl std::fmt::Display for Data<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        escape(f, self.0, &[])
    }
}

/// The value of a command's property.
struct Property<'a>(&'a str);

impl std::fmt::Display for Property<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        escape(f, self.0, &[':', ','])
    }
}

fn escape(f: &mut std::fmt::Formatter<'_>, text: &str, too: &[char]) -> std::fmt::Result {
    use std::fmt::Write as _;
    for (at, c) in text.char_indices() {
        match c {
            '%' | '\r' | '\n' => write!(f, "%{:02X}", u32::from(c))?,
            c if too.contains(&c) => write!(f, "%{:02X}", u32::from(c))?,
            // The older form of a command is read anywhere in a line.
            '[' if text[..at].ends_with("##") => f.write_str(" [")?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}
