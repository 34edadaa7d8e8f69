//! [`Frame`]: a line of the user's; [`standing`] finds where a process stands in what Python's `faulthandler` wrote of it.

use std::{fs::File, io::Read};

use serde::Deserialize;

/// How much of a file is read for one line of it, in bytes.
const SOURCE: u64 = 1 << 20;

/// One line of a traceback.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Frame {
    /// The file.
    pub file: String,
    /// The line in it, from 1.
    #[serde(default)]
    pub line: Option<u32>,
    /// The function.
    pub function: String,
    /// The text of that line, without its indentation; empty where it cannot be read.
    #[serde(default)]
    pub source: String,
}

impl Frame {
    /// With the text of its line, if that can be read.
    pub(super) fn with_source(mut self) -> Self {
        let mut text = String::new();
        let read = File::open(&self.file).and_then(|file| file.take(SOURCE).read_to_string(&mut text));
        if read.is_ok()
            && let Some(line) = self.line.and_then(|line| text.lines().nth(line.checked_sub(1)? as usize))
        {
            self.source = line.trim().to_owned();
        }
        self
    }
}

/// Where a process stands in the user's code: the innermost line in a file beneath `directory`, or in `file` itself.
///
/// ```text
/// Current thread 0x00007f (most recent call first):
///   File "/usr/lib/python3.11/socket.py", line 706 in readinto
///   File "/srv/checks/api.py", line 12 in validate
/// ```
pub(super) fn standing(dump: &str, directory: &str) -> Option<Frame> {
    let inside = |frame: &Frame| {
        let rest = frame.file.strip_prefix(directory)?.strip_prefix('/')?;
        (!rest.contains("site-packages/")).then_some(())
    };
    // The latest of several dumps, and the thread that has our own frames beneath: the first one of the process.
    let threads: Vec<&str> = dump.split("(most recent call first):").collect();
    let main = threads.iter().rev().find(|thread| thread.contains("File \"<clockwork>\""))?;
    main.lines().filter_map(frame).find(|frame| inside(frame).is_some())
}

fn frame(line: &str) -> Option<Frame> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.rsplit_once("\", line ")?;
    let (line, function) = rest.split_once(" in ")?;
    let (file, function) = (file.to_owned(), function.to_owned());
    Some(Frame { file, line: line.parse().ok(), function, source: String::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_line_of_the_user_s_is_found() {
        let dump = "\
Thread 0x00007f01 (most recent call first):
  File \"/srv/checks/other.py\", line 3 in work

Current thread 0x00007f02 (most recent call first):
  File \"/usr/lib/python3.11/socket.py\", line 706 in readinto
  File \"/srv/checks/lib/site-packages/requests/api.py\", line 5 in get
  File \"/srv/checks/api.py\", line 12 in validate
  File \"<clockwork>\", line 390 in run
";
        let found = standing(dump, "/srv/checks").map(|frame| (frame.file, frame.line, frame.function));
        assert_eq!(found, Some((String::from("/srv/checks/api.py"), Some(12), String::from("validate"))));
        assert_eq!(standing(dump, "/srv/check"), None);
        assert_eq!(standing("", "/srv/checks"), None);
    }
}
