//! [`ManifestError`]: all that is wrong with a manifest, each with its place, the line, and the way out.

use std::{cell::OnceCell, collections::HashSet, fmt, fmt::Write};

use crate::text::harmless;

/// How many problems are kept; the rest is counted.
const KEPT: usize = 1000;

/// How many problems are shown.
const SHOWN: usize = 50;

/// How much of a line is shown, in characters.
const WINDOW: usize = 100;

/// All that is wrong with a manifest. Nothing ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestError {
    problems: Vec<ManifestProblem>,
    more: usize,
}

impl ManifestError {
    /// Every problem, in the order of the file. After a thousand, they are only counted.
    pub fn problems(&self) -> &[ManifestProblem] {
        &self.problems
    }

    /// How many problems there are.
    pub fn count(&self) -> usize {
        self.problems.len() + self.more
    }
}

impl std::error::Error for ManifestError {}

/// Every problem, with a line to close.
impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in self.problems.iter().take(SHOWN) {
            writeln!(f, "{problem}\n")?;
        }
        let (all, shown) = (self.count(), self.problems.len().min(SHOWN));
        if all > shown {
            writeln!(f, "… and {} more\n", all - shown)?;
        }
        let problems = if all == 1 { "1 problem".to_owned() } else { format!("{all} problems") };
        write!(f, "the manifest is not valid ({problems}); nothing ran")
    }
}

/// One thing that is wrong with a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ManifestProblem {
    /// A stable name for this sort of problem: `unknown-kind`.
    pub code: &'static str,
    /// What is wrong.
    pub message: String,
    /// The way out, where there is one to name.
    pub help: Option<String>,
    /// The file, as the reader was told to call it.
    pub file: String,
    /// The line, from 1; 0 where it is about the file as a whole.
    pub line: u32,
    /// The column, in characters, from 1; 0 where it is about the file as a whole.
    pub column: u32,
    /// Where in the structure: `resources.api.assertions[0].HealthcheckAssert.url`; empty for the whole.
    pub path: String,
    snippet: String,
}

/// `error[code]: message`, the place, the line with what is meant underlined, and the way out.
impl fmt::Display for ManifestProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error[{}]: {}\n --> {}", self.code, harmless(&self.message), harmless(&self.file))?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, " ({})", harmless(&self.path))?;
        }
        f.write_str(&self.snippet)?;
        match &self.help {
            Some(help) => write!(f, "\nhelp: {}", harmless(help)),
            None => Ok(()),
        }
    }
}

/// A place in a file. Lines and columns count from 1, columns and widths in characters; a width of 0 goes to the end of
/// the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) line: u32,
    pub(super) column: u32,
    pub(super) width: u32,
}

/// What is wrong, before it is tied to a file.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: Option<String>,
    pub(super) spot: Option<Spot>,
    pub(super) path: String,
    /// The line may hold a secret: it is not shown.
    pub(super) hide: bool,
}

impl Trouble {
    pub(super) fn new(code: &'static str, spot: impl Into<Option<Spot>>, message: impl Into<String>) -> Self {
        let (message, spot) = (message.into(), spot.into());
        Self { code, message, help: None, spot, path: String::new(), hide: false }
    }

    pub(super) fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into();
        self
    }

    pub(super) fn path(mut self, path: String) -> Self {
        self.path = path;
        self
    }
}

/// A file that is read.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) name: &'a str,
    pub(super) text: &'a str,
    starts: OnceCell<Vec<u32>>,
}

impl<'a> Source<'a> {
    pub(super) fn new(name: &'a str, text: &'a str) -> Self {
        Self { name, text, starts: OnceCell::new() }
    }

    /// A line without its end. YAML ends a line at `\n`, `\r\n` and `\r`.
    pub(super) fn line(&self, line: u32) -> &'a str {
        let starts = self.starts.get_or_init(|| {
            let bytes = self.text.as_bytes();
            let ends = bytes.iter().enumerate().filter(|&(at, byte)| {
                *byte == b'\n' || (*byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'))
            });
            [0].into_iter().chain(ends.map(|(at, _)| at as u32 + 1)).collect()
        });
        let Some(start) = (line as usize).checked_sub(1).and_then(|index| starts.get(index)) else {
            return "";
        };
        let end = starts.get(line as usize).map_or(self.text.len(), |end| *end as usize);
        self.text[*start as usize..end].trim_end_matches(['\n', '\r'])
    }

    fn tie(&self, trouble: Trouble) -> ManifestProblem {
        let Trouble { code, message, help, spot, path, hide } = trouble;
        let snippet = match spot {
            Some(spot) if !hide => draw(self.line(spot.line), spot),
            _ => String::new(),
        };
        let (line, column) = spot.map_or((0, 0), |spot| (spot.line, spot.column));
        ManifestProblem { code, message, help, file: self.name.to_owned(), line, column, path, snippet }
    }
}

/// The line and what is meant underlined, cut to a window around it.
fn draw(line: &str, spot: Spot) -> String {
    let column = spot.column.max(1) as usize - 1;
    let from =
        if column > WINDOW / 2 && line.chars().nth(WINDOW).is_some() { column - WINDOW / 4 } else { 0 };
    let (mut shown, mut marks) = (String::new(), String::new());
    let mut rest = line.chars().skip(from);
    if from > 0 {
        shown.push('…');
        marks.push(' ');
    }
    for (index, c) in rest.by_ref().take(WINDOW).enumerate() {
        let text = if c == '\t' { " ".to_owned() } else { harmless(c.encode_utf8(&mut [0; 4])).into_owned() };
        let meant =
            from + index >= column && (spot.width == 0 || from + index < column + spot.width as usize);
        marks.extend(text.chars().map(|_| if meant { '^' } else { ' ' }));
        shown.push_str(&text);
    }
    if rest.next().is_some() {
        shown.push('…');
    }
    if !marks.contains('^') {
        marks.push('^');
    }
    let number = spot.line.to_string();
    let pad = " ".repeat(number.len());
    let mut snippet = String::new();
    let _ = write!(snippet, "\n{pad} |\n{number} | {shown}\n{pad} | {}", marks.trim_end());
    snippet
}

/// Collects what is wrong.
#[derive(Debug, Default)]
pub(super) struct Problems {
    kept: Vec<(usize, Trouble)>,
    more: usize,
}

impl Problems {
    /// Adds one, of the file with this index.
    pub(super) fn add(&mut self, file: usize, trouble: Trouble) {
        if self.kept.len() < KEPT { self.kept.push((file, trouble)) } else { self.more += 1 }
    }

    /// Counts one that is not kept. False, while more are kept.
    pub(super) fn only_counts(&mut self) -> bool {
        let full = self.kept.len() >= KEPT;
        self.more += usize::from(full);
        full
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// What was read, if nothing is wrong; otherwise all that is, in the order of the files.
    pub(super) fn finish<T>(mut self, files: &[Source<'_>], read: Option<T>) -> Result<T, ManifestError> {
        if let (true, Some(read)) = (self.kept.is_empty(), read) {
            return Ok(read);
        }
        self.kept.sort_by_key(|(file, trouble)| (*file, trouble.spot.map(|spot| (spot.line, spot.column))));
        let hidden: HashSet<(usize, u32)> = self
            .kept
            .iter()
            .filter(|(_, trouble)| trouble.hide)
            .filter_map(|(file, trouble)| Some((*file, trouble.spot?.line)))
            .collect();
        let problems = self.kept.into_iter().map(|(file, mut trouble)| {
            // Another problem in the same line must not show it either.
            trouble.hide |= trouble.spot.is_some_and(|spot| hidden.contains(&(file, spot.line)));
            files[file].tie(trouble)
        });
        Err(ManifestError { problems: problems.collect(), more: self.more })
    }
}
