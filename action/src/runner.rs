//! What the runner of GitHub Actions reads in a step's log, standard output and standard error alike: commands, as
//! `::name …::data` where a line begins, and in an older form as `##[name …]data` anywhere in it.
//! <https://docs.github.com/actions/reference/workflow-commands-for-github-actions>

use std::{borrow::Cow, env, fmt};

/// Whether this process's log is read by the runner.
pub(crate) fn reads_our_log() -> bool {
    env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true")
}

/// Text for a log that the runner may read, in which no line is a command. Elsewhere it stays as it is.
pub(crate) fn for_the_log(text: &str) -> Cow<'_, str> {
    let commands = text.contains("##[") || text.lines().any(|line| line.trim_start().starts_with("::"));
    if !commands || !reads_our_log() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split_inclusive('\n').map(no_command).collect())
}

/// A line of the log that is no command, whatever is in it.
pub(crate) fn no_command(line: &str) -> Cow<'_, str> {
    let inner = line.trim_start();
    let begins = inner.starts_with("::");
    if !begins && !line.contains("##[") {
        return Cow::Borrowed(line);
    }
    let indent = &line[..line.len() - inner.len()];
    let inner = if begins { inner.replacen("::", ": :", 1) } else { inner.to_owned() };
    Cow::Owned(format!("{indent}{}", inner.replace("##[", "# #[")))
}

/// A command's data: the runner turns the escapes back.
pub(crate) struct Data<'a>(pub(crate) &'a str);

impl fmt::Display for Data<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, &[])
    }
}

/// The value of a command's property.
pub(crate) struct Property<'a>(pub(crate) &'a str);

impl fmt::Display for Property<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, &[':', ','])
    }
}

fn escape(f: &mut fmt::Formatter<'_>, text: &str, too: &[char]) -> fmt::Result {
    use fmt::Write as _;
    for c in text.chars() {
        match c {
            '%' | '\r' | '\n' => write!(f, "%{:02X}", u32::from(c))?,
            c if too.contains(&c) => write!(f, "%{:02X}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "runner_tests.rs"]
mod tests;
