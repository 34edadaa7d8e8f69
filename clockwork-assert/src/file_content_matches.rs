//! [`FileContentMatchesAssert`]: what is in a file.
//!
//! It reads the regular file that the path leads to. `pattern`, `contains` and `sha256` work on files of any size, in
//! bounded memory, and on any bytes: what is not UTF-8 is searched too, and matched by nothing but itself. `json`,
//! `yaml` and `toml` read files of up to 16 MiB. All that is given has to hold.
//!
//! `^` and `$` in `pattern` are the beginning and the end of the file; `(?m)` makes them those of a line.
//!
//! A content that does not match judges the property. A file that is missing, that is no regular file, or whose text
//! is no JSON where a value in it is asked for, does not: `not: true` makes that `errored`.

use std::path::{Path, PathBuf};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Matcher, Pattern, Resource, Verdict, async_trait,
    text::quote,
};
use clockwork_drivers::file::{
    Document, DocumentFormat, FileContentProbe, FileDocumentProbe, FileScanProbe, FileSha256Probe, Found,
    Needle, sha256, shown_path,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    file_path,
    json_path::{self, Paths},
};

/// A file's content is as it has to be. All that is given has to hold.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileContentMatchesAssert {
    /// Where. A relative path is relative to the working directory; inside a container, to its root. Left out on a
    /// `FileResource`, it is the resource's own.
    #[serde(default)]
    path: Option<PathBuf>,
    /// A regular expression that matches somewhere. `^` and `$` are the file's ends; with `(?m)`, a line's.
    #[serde(default)]
    pattern: Option<Pattern>,
    /// A text that stands in it somewhere.
    #[serde(default)]
    contains: Option<String>,
    /// The SHA-256 of all of it, as 64 hexadecimal digits.
    #[serde(default)]
    sha256: Option<String>,
    /// Read as JSON: JSONPath → the value, or a matcher. `server.port` is short for `$.server.port`.
    #[serde(default)]
    json: Option<Paths>,
    /// Read as YAML: the same.
    #[serde(default)]
    yaml: Option<Paths>,
    /// Read as TOML: the same.
    #[serde(default)]
    toml: Option<Paths>,
}

impl FileContentMatchesAssert {
    /// About the file at this path. (`default()` means the path of the `FileResource` that it is asserted of.)
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..Self::default() }
    }

    /// A regular expression that matches somewhere.
    #[must_use]
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// A text that stands in it somewhere.
    #[must_use]
    pub fn contains(mut self, text: impl Into<String>) -> Self {
        self.contains = Some(text.into());
        self
    }

    /// The SHA-256 of all of it, as 64 hexadecimal digits.
    #[must_use]
    pub fn sha256(mut self, digits: impl Into<String>) -> Self {
        self.sha256 = Some(digits.into());
        self
    }

    /// Read as JSON, this path leads to this.
    #[must_use]
    pub fn json(mut self, path: impl Into<String>, matcher: Matcher) -> Self {
        self.json.get_or_insert_default().insert(path.into(), matcher);
        self
    }

    /// Read as YAML, this path leads to this.
    #[must_use]
    pub fn yaml(mut self, path: impl Into<String>, matcher: Matcher) -> Self {
        self.yaml.get_or_insert_default().insert(path.into(), matcher);
        self
    }

    /// Read as TOML, this path leads to this.
    #[must_use]
    pub fn toml(mut self, path: impl Into<String>, matcher: Matcher) -> Self {
        self.toml.get_or_insert_default().insert(path.into(), matcher);
        self
    }

    fn documents(&self) -> impl Iterator<Item = (DocumentFormat, &'static str, &Paths)> {
        let all = [
            (DocumentFormat::Json, "json", &self.json),
            (DocumentFormat::Yaml, "yaml", &self.yaml),
            (DocumentFormat::Toml, "toml", &self.toml),
        ];
        all.into_iter().filter_map(|(format, field, paths)| Some((format, field, paths.as_ref()?)))
    }

    fn shown(&self) -> Shown {
        Shown {
            pattern: self.pattern.as_ref().map(|pattern| quote(pattern.as_str())),
            contains: self.contains.as_deref().map(quote),
        }
    }

    fn expected(&self, shown: &Shown) -> String {
        let mut told = Vec::with_capacity(3);
        told.extend(shown.pattern.as_ref().map(|pattern| ["matches ", pattern].concat()));
        told.extend(shown.contains.as_ref().map(|text| ["contains ", text].concat()));
        told.extend(self.sha256.as_ref().map(|digits| ["sha256 ", &short(digits)].concat()));
        for (_, field, paths) in self.documents() {
            told.extend(paths.iter().map(|(path, matcher)| format!("{field} {path} {matcher}")));
        }
        told.join(", ")
    }

    /// What has to be read as a whole, if anything is asked of its bytes.
    fn content(&self, path: &Path) -> Option<FileContentProbe> {
        let searched = self.pattern.is_some() || self.contains.is_some();
        let probe = (searched || self.sha256.is_some()).then(|| FileContentProbe::new(path))?;
        Some(if searched { probe.to_search() } else { probe.to_hash() })
    }
}

/// What is looked for, as it is shown.
struct Shown {
    pattern: Option<String>,
    contains: Option<String>,
}

/// What the questions brought so far.
#[derive(Debug, Default)]
struct Told {
    wrong: Vec<String>,
    actual: Vec<String>,
    unjudged: bool,
}

impl Told {
    fn wrong(&mut self, message: impl Into<String>, actual: impl Into<String>) {
        self.wrong.push(message.into());
        self.actual.push(actual.into());
    }

    /// `shown`: what was looked for.
    fn needle(&mut self, kind: &str, shown: &str, found: Option<u64>) {
        match found {
            Some(at) => self.actual.push([kind, " ", shown, " at byte ", &at.to_string()].concat()),
            None if kind == "match" => {
                self.wrong(format!("nothing matches {shown}"), format!("no match of {shown}"));
            }
            None => self.wrong(format!("does not contain {shown}"), format!("no {shown}")),
        }
    }

    fn sha256(&mut self, wanted: &str, found: &str) {
        if wanted.eq_ignore_ascii_case(found) {
            self.actual.push(["sha256 ", &short(found)].concat());
        } else {
            self.wrong(
                format!("sha256 is {found}, expected {}", wanted.to_ascii_lowercase()),
                format!("sha256 {found}"),
            );
        }
    }

    fn document(&mut self, format: DocumentFormat, document: &Document, paths: &Paths) {
        match &document.value {
            Ok(value) => {
                for wrong in json_path::compare(value, paths) {
                    self.unjudged |= !wrong.judged;
                    self.wrong(wrong.message, wrong.actual);
                }
            }
            Err(problem) => {
                self.unjudged = true;
                let message = format!("it is not valid {}: {problem}", format.name());
                self.wrong(message, format!("no valid {}", format.name()));
            }
        }
    }

    fn verdict(self, path: &Path, expected: String) -> Verdict {
        let message = |told: &[String]| match told {
            [] => String::new(),
            told => [&shown_path(path), ": ", &told.join("; ")].concat(),
        };
        let verdict = match (self.wrong.is_empty(), self.unjudged) {
            (true, _) => Verdict::passed().message(message(&self.actual)),
            (false, false) => Verdict::failed(message(&self.wrong)),
            (false, true) => Verdict::unjudged(message(&self.wrong)),
        };
        let verdict = verdict.expected(expected);
        match self.actual.is_empty() {
            true => verdict, // documents are as they have to be, and have no place to name
            false => verdict.actual(self.actual.join(", ")),
        }
    }
}

/// The beginning of a digest, where all of it would say no more.
fn short(digits: &str) -> String {
    match digits.get(..12) {
        Some(start) => [start, "…"].concat(),
        None => quote(digits),
    }
}

/// Takes what is there; otherwise `check` ends with the verdict on what is not.
macro_rules! there {
    ($path:expr, $found:expr, $expected:expr) => {
        match $found {
            Found::There(there) => there,
            Found::Missing(missing) => return Ok(file_path::missing($path, missing).expected($expected)),
            Found::NotRegular(what) => return Ok(file_path::not_regular($path, *what).expected($expected)),
        }
    };
}

/// Where it is found: in the bytes that are there, or by a look of its own.
macro_rules! find {
    ($path:expr, $needle:expr, $small:expr, $expected:expr, $cx:expr) => {
        match $small {
            Some(bytes) => $needle.find(bytes)?,
            None => {
                let scan = FileScanProbe { path: $path.to_owned(), needle: $needle };
                *there!($path, &*$cx.observe(scan).await?, $expected)
            }
        }
    };
}

impl AssertionKind for FileContentMatchesAssert {
    const NAME: &'static str = "FileContentMatchesAssert";
}

#[async_trait]
impl Assertion for FileContentMatchesAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        file_path::label(self.path.as_ref(), &self.expected(&self.shown()))
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems: Vec<_> = file_path::problem(self.path.as_ref(), owner).into_iter().collect();
        let documents = self.documents().count();
        if self.pattern.is_none() && self.contains.is_none() && self.sha256.is_none() && documents == 0 {
            let fields = "`pattern`, `contains`, `sha256`, `json`, `yaml`, `toml`";
            problems.push(Invalid::whole(format!("give one of {fields}, or several")));
        }
        if self.pattern.as_ref().is_some_and(|pattern| pattern.as_str().is_empty()) {
            problems.push(Invalid::field("pattern", "is empty, which matches anything"));
        }
        if self.contains.as_deref() == Some("") {
            problems.push(Invalid::field("contains", "is empty, which is in anything"));
        }
        if let Some(digits) = &self.sha256
            && (digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            let problem = format!("{} is no SHA-256: that is 64 hexadecimal digits", quote(digits));
            problems.push(Invalid::field("sha256", problem));
        }
        for (_, field, paths) in self.documents() {
            problems.extend(json_path::problems(field, paths));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let path = &*file_path::meant(self.path.as_ref(), cx)?;
        let (shown, mut told) = (self.shown(), Told::default());
        let expected = || self.expected(&shown);
        if let Some(content) = self.content(path) {
            // What is small is read once, and looked at here for all that is asked of it.
            let read = cx.observe(content).await?;
            let small = there!(path, &*read, expected()).small();
            if let (Some(pattern), Some(shown)) = (&self.pattern, &shown.pattern) {
                // A clone of the regex itself would begin each search with nothing learned, at forty times its cost.
                let needle = Needle::Regex(pattern.clone());
                told.needle("match", shown, find!(path, needle, small, expected(), cx));
            }
            if let (Some(text), Some(shown)) = (&self.contains, &shown.contains) {
                let needle = Needle::Text(text.clone());
                told.needle("text", shown, find!(path, needle, small, expected(), cx));
            }
            if let Some(digits) = &self.sha256 {
                match small {
                    Some(bytes) => told.sha256(digits, &sha256(bytes)),
                    None => {
                        let seen = cx.observe(FileSha256Probe { path: path.to_owned() }).await?;
                        told.sha256(digits, there!(path, &*seen, expected()));
                    }
                }
            }
        }
        for (format, _, paths) in self.documents() {
            let seen = cx.observe(FileDocumentProbe { path: path.to_owned(), format }).await?;
            told.document(format, there!(path, &*seen, expected()), paths);
        }
        Ok(told.verdict(path, expected()))
    }
}
