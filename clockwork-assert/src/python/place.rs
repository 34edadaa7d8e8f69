//! How lines of the user's are told.

use std::{env, path::Path};

use clockwork_core::text::{bounded, quote};
use clockwork_drivers::python::Frame;

/// A file as its user would name it: relative to the working directory, where it lies beneath that.
pub(super) fn file(path: &str) -> String {
    let relative =
        env::current_dir().ok().and_then(|cwd| Path::new(path).strip_prefix(cwd).ok().map(Path::to_path_buf));
    let path = relative.map_or_else(|| path.to_owned(), |relative| relative.to_string_lossy().into_owned());
    bounded(path.replace(|c: char| c.is_control(), "?"), 300)
}

/// `checks/api.py:12`.
pub(super) fn place(frame: &Frame) -> String {
    match frame.line {
        Some(line) => format!("{}:{line}", file(&frame.file)),
        None => file(&frame.file),
    }
}

/// `checks/api.py:12 in validate: "resp = get(url)"`.
pub(super) fn line(frame: &Frame) -> String {
    let source = match frame.source.as_str() {
        "" => String::new(),
        source => format!(": {}", quote(source)),
    };
    format!("{} in {}{source}", place(frame), one_line(&frame.function, 100))
}

/// Foreign words on one line, and not too many.
pub(super) fn one_line(text: &str, limit: usize) -> String {
    let text: Vec<_> = text.split_whitespace().collect();
    bounded(text.join(" ").replace(|c: char| c.is_control(), "?"), limit)
}
