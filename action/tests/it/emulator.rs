//! The emulator itself does what the runner's own tests and sources decide.

use crate::runner::{command::Command, file_command::pairs, log::Log};

fn parsed(line: &str) -> Option<(String, String, String)> {
    let command = Command::parse(line, &|name| ["error", "add-mask"].contains(&name))?;
    Some((command.name, format!("{:?}", command.properties), command.data))
}

/// Lines that the runner's own tests and sources decide.
#[test]
fn reads_lines_as_the_runner_does() {
    let found = |name: &str, properties: &str, data: &str| {
        Some((name.to_owned(), properties.to_owned(), data.to_owned()))
    };
    assert_eq!(
        parsed("  ::error file=a%2Cb,line=1::x%0Ay%2525"),
        found("error", r#"{"file": "a,b", "line": "1"}"#, "x\ny%25")
    );
    assert_eq!(parsed("body ##[error k=v;l=%5D]x%3B"), found("error", r#"{"k": "v", "l": "]"}"#, "x;"));
    assert_eq!(parsed("::ADD-MASK::200"), found("add-mask", "{}", "200"));
    for no in ["text ::error::x", "::error:x", "::unknown::x", "##[unknown]x", "## [error]x", ": :error::x"] {
        assert_eq!(parsed(no), None, "{no}");
    }
}

#[test]
fn reads_files_as_the_runner_does() {
    let read = |text: &str| {
        pairs(text).map(|pairs| pairs.iter().map(|(k, v)| format!("{k}:{v}")).collect::<Vec<_>>())
    };
    assert_eq!(read("a=1\n\nb=x=y\r\n"), Ok(vec!["a:1".to_owned(), "b:x=y\r".to_owned()]));
    assert_eq!(read("a<<E\nx=1\n\ny\nE\nb<<F\nF"), Ok(vec!["a:x=1\n\ny".to_owned(), "b:".to_owned()]));
    for wrong in ["a<<E\nx\n", "a<<E\nx", "nothing\n", "a<<\n", "<<E\nE\n"] {
        assert!(pairs(wrong).is_err(), "{wrong:?}");
    }
}

fn after(lines: &[&str]) -> Log {
    let mut log = Log::default();
    lines.iter().for_each(|line| log.line(line));
    log
}

#[test]
fn ten_annotations_of_a_sort_are_kept() {
    let lines: Vec<_> = (0..12).map(|n| format!("::error::{n}{}", "x".repeat(5000))).collect();
    let mut log = after(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    log.line("::warning::w");
    log.error("Process completed with exit code 1.");
    assert_eq!(log.annotations.len(), 11);
    assert!(log.annotations[9].message.starts_with("9x") && log.annotations[9].message.len() == 4096);
}

#[test]
fn what_is_masked_is_not_shown() {
    let log = after(&["::add-mask::hunter22%0Asecond", "hunter22 and second", "::error::a second time"]);
    assert_eq!(log.lines, ["*** and ***", "##[error]a *** time"]);
}

#[test]
fn stopped_commands_are_lines_until_the_token_comes() {
    let log =
        after(&["::stop-commands::Token7", "::error::x", "##[set-env name=A]b", "::token7::", "::error::y"]);
    assert_eq!(log.annotations.len(), 1);
    assert!(!log.failed && log.lines[0] == "::error::x");
    assert!(after(&["x ##[set-env name=A]b"]).failed);
}
