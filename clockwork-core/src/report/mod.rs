//! [`Report`]: what a run found. Its JSON is the contract's `clockwork.report/v1`, its `Display` the text.

mod blame;
mod text;

use std::{fmt, sync::Arc, time::Duration};

use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::{Outcome, Place, Severity, details::Details};

pub use blame::Blamed;
pub use text::{Palette, TextOptions, write_text};

/// What a run found.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// `clockwork.report/v1`.
    pub schema: &'static str,
    /// The project's name.
    pub project: String,
    /// `passed` or `failed`.
    pub verdict: Outcome,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// How long the run took.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
    /// The results, counted.
    pub summary: Summary,
    /// Whom the failures come down to, each once.
    pub blamed: Vec<Blamed>,
    /// In the graph's order, then the manifest's, whatever the concurrency.
    pub results: Vec<Arc<CheckResult>>,
}

/// The results, counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Summary {
    /// Looked at, and as asserted.
    pub passed: usize,
    /// Looked at, and not as asserted.
    pub failed: usize,
    /// Could not be looked at.
    pub errored: usize,
    /// Never looked at.
    pub skipped: usize,
    /// Failed or errored with `severity: warning`; not among `failed` or `errored`.
    pub warnings: usize,
}

/// What became of one assertion.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct CheckResult {
    /// Stable from run to run.
    pub id: Arc<str>,
    /// The resource that it is declared on; `None` for a cross-resource assertion.
    pub resource: Option<Arc<str>>,
    /// The other resources that it is about.
    pub related: Vec<Arc<str>>,
    /// `api → postgres-db`, where it is about how these stand to each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relationship: Option<Arc<str>>,
    /// The resource whose failures this one may explain.
    #[serde(skip)]
    pub(crate) explains: Option<Arc<str>>,
    /// Whether the asserted property itself was judged.
    #[serde(skip)]
    pub(crate) judged: bool,
    /// The assertion's kind.
    pub assertion: &'static str,
    /// What tells it from others of its kind.
    pub label: String,
    /// How it ended.
    pub verdict: Outcome,
    /// How much a failure matters.
    pub severity: Severity,
    /// What was seen, or why nothing was.
    pub message: String,
    /// What was expected.
    pub expected: Option<Box<str>>,
    /// What was there.
    pub actual: Option<Box<str>>,
    /// The ids of the failures that made a skipped one skipped.
    pub caused_by: Vec<Arc<str>>,
    /// Where it was looked at from.
    pub at: Arc<str>,
    /// How often it was looked at.
    pub attempts: u32,
    /// A repeated check's story.
    pub timeline: Vec<Transition>,
    /// Structured data of the kind's own: see [`CheckResult::details`].
    pub(crate) details: Details,
    /// When it passed, in RFC 3339, if it was not looked at now because that may be used again (`fresh_for`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reused: Option<Box<str>>,
    /// From the run's start to the first attempt's.
    #[serde(rename = "began_ms", serialize_with = "milliseconds")]
    pub began: Duration,
    /// From the first attempt's start to the verdict.
    #[serde(rename = "duration_ms", serialize_with = "milliseconds")]
    pub duration: Duration,
    /// Where it is declared.
    pub place: Option<Place>,
}

/// From when on a repeated check said the same thing, and how often.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Transition {
    /// Milliseconds from the check's start.
    pub at_ms: u64,
    /// How the attempts ended.
    pub verdict: Outcome,
    /// What they said.
    pub message: String,
    /// How many in a row.
    pub count: u32,
}

impl CheckResult {
    /// Structured data of the kind's own, documented with it: a JSON object.
    pub fn details(&self) -> Value {
        Value::Object(self.details.to_map())
    }

    /// The same for whoever only writes it on, which costs less; `None` where there is none.
    pub fn evidence(&self) -> Option<impl Serialize> {
        (!self.details.is_empty()).then_some(&self.details)
    }

    /// A failure or an error that fails the run.
    pub fn fails_the_run(&self) -> bool {
        self.severity == Severity::Error && matches!(self.verdict, Outcome::Failed | Outcome::Errored)
    }

    /// What stands before its message where the verdict does not stand beside it.
    pub fn lead(&self) -> &'static str {
        match self.verdict {
            Outcome::Errored => "could not be judged: ",
            Outcome::Skipped => "skipped: ",
            Outcome::Passed | Outcome::Failed => "",
        }
    }

    /// A failure or an error that is only a warning.
    pub fn is_warning(&self) -> bool {
        self.severity == Severity::Warning && matches!(self.verdict, Outcome::Failed | Outcome::Errored)
    }
}

impl Report {
    pub(crate) fn new(
        project: String,
        started_at: String,
        duration: Duration,
        interrupted: bool,
        results: Vec<Arc<CheckResult>>,
    ) -> Self {
        let mut summary = Summary::default();
        for result in &results {
            let count = match result.verdict {
                _ if result.is_warning() => &mut summary.warnings,
                Outcome::Passed => &mut summary.passed,
                Outcome::Failed => &mut summary.failed,
                Outcome::Errored => &mut summary.errored,
                Outcome::Skipped => &mut summary.skipped,
            };
            *count += 1;
        }
        // A run in which nothing was judged is not a pass.
        let judged = summary.passed + summary.warnings > 0;
        let good = judged && summary.failed == 0 && summary.errored == 0 && !interrupted;
        let verdict = if good { Outcome::Passed } else { Outcome::Failed };
        let schema = "clockwork.report/v1";
        let blamed = blame::blamed(&results);
        Self { schema, project, verdict, started_at, duration, interrupted, summary, blamed, results }
    }

    /// Whether all held.
    pub fn passed(&self) -> bool {
        self.verdict == Outcome::Passed
    }

    /// The result with this id.
    pub fn result(&self, id: &str) -> Option<&CheckResult> {
        self.results.iter().find(|result| &*result.id == id).map(|result| &**result)
    }
}

/// The text format, without colour.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_text(f, self, &TextOptions::default())
    }
}

/// Milliseconds with a fraction, to the microsecond.
fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_micros() as f64 / 1000.0)
}
