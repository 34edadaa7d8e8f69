//! [`Verdict`]: what an assertion says of what it saw, with its evidence; [`Outcome`]: how that ends in the report.

use std::ops::{Deref, DerefMut};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{CheckError, Evidence, Fault, details::Details};

/// How one assertion ended: the four words of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Looked at, and as asserted.
    Passed,
    /// Looked at, and not as asserted.
    Failed,
    /// Could not be looked at. Never a pass.
    Errored,
    /// Never looked at, with a reason.
    Skipped,
}

impl Outcome {
    /// The word as it stands in the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Skipped => "skipped",
        }
    }
}

/// How much a failure matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// A failure fails the run.
    #[default]
    Error,
    /// A failure is reported and counted as a warning, and leaves the run's verdict alone.
    Warning,
}

/// A judgement: passed or failed, with what was expected and what was there.
///
/// ```
/// use clockwork_core::Verdict;
///
/// let verdict = Verdict::failed("took 512 ms").expected("<= 200 ms").actual("512 ms");
/// assert!(!verdict.has_passed());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[must_use]
pub struct Verdict {
    pub(crate) passed: bool,
    pub(crate) judged: bool,
    pub(crate) terminal: bool,
    pub(crate) words: Words,
    pub(crate) details: Details,
}

/// What a verdict says in words. Most that passed say nothing, and each goes through many hands: so they are in a box.
#[derive(Debug, Clone, Default)]
pub(crate) struct Words(Option<Box<Said>>);

/// See [`Words`].
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) message: String,
    pub(crate) expected: Option<String>,
    pub(crate) actual: Option<String>,
    /// The relationships that it comes down to, where they are fewer than the check is about.
    pub(crate) blames: Option<Box<str>>,
}

impl Words {
    pub(crate) fn of(message: String) -> Self {
        if message.is_empty() { Self(None) } else { Said { message, ..Said::default() }.into() }
    }

    pub(crate) fn into_said(self) -> Said {
        self.0.map_or_else(Said::default, |said| *said)
    }
}

impl From<Said> for Words {
    fn from(said: Said) -> Self {
        Self(Some(Box::new(said)))
    }
}

impl Deref for Words {
    type Target = Said;

    fn deref(&self) -> &Said {
        static NOTHING: Said = Said { message: String::new(), expected: None, actual: None, blames: None };
        self.0.as_deref().unwrap_or(&NOTHING)
    }
}

impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl DerefMut for Words {
    fn deref_mut(&mut self) -> &mut Said {
        self.0.get_or_insert_default()
    }
}

impl Verdict {
    /// As asserted.
    pub fn passed() -> Self {
        let (words, details) = (Words::default(), Details::default());
        Self { passed: true, judged: true, terminal: false, words, details }
    }

    /// Not as asserted; the asserted property itself was judged, so `not` turns this into a pass.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { passed: false, words: Words::of(message.into()), ..Self::passed() }
    }

    /// The target failed before the asserted property could be judged (a refused connection says nothing about a
    /// body). `not` turns this into `errored`, never into a pass.
    pub fn unjudged(message: impl Into<String>) -> Self {
        Self { judged: false, ..Self::failed(message) }
    }

    /// Passed if `holds`, otherwise failed with `message`.
    pub fn of(holds: bool, message: impl Into<String>) -> Self {
        Self { passed: holds, ..Self::failed(message) }
    }

    /// The target's own fault becomes a judged failure: for kinds whose property *is* that the target answers
    /// well. A refused connection proves "not accessible".
    ///
    /// # Errors
    /// Passes on what is not the target's fault, and what happened on the way to it.
    pub fn of_target(error: CheckError) -> Result<Self, CheckError> {
        match error.fault() {
            Fault::Target if !error.is_inconclusive() => {
                Ok(Self { judged: true, ..Self::from_target(&error) })
            }
            Fault::Target | Fault::Observer => Err(error),
        }
    }

    pub(crate) fn from_target(error: &CheckError) -> Self {
        Self {
            terminal: !error.can_retry(),
            details: error.details().into(),
            ..Self::unjudged(error.to_string())
        }
    }

    /// What was expected, in a few words.
    pub fn expected(mut self, expected: impl Into<String>) -> Self {
        self.words.expected = Some(expected.into());
        self
    }

    /// What was there, in a few words.
    pub fn actual(mut self, actual: impl Into<String>) -> Self {
        self.words.actual = Some(actual.into());
        self
    }

    /// Says more about it, also of one that passed.
    pub fn message(mut self, message: impl Into<String>) -> Self {
        self.words.message = message.into();
        self
    }

    /// Which of the relationships that it looks at a failure comes down to, the using ones first: a report blames them,
    /// and not everything that the assertion is about.
    pub fn blames(
        mut self,
        relationships: impl IntoIterator<Item = (impl AsRef<str>, impl AsRef<str>)>,
    ) -> Self {
        const TOLD: usize = 3;
        let all = relationships.into_iter().map(|(from, to)| format!("{} → {}", from.as_ref(), to.as_ref()));
        let all: Vec<_> = all.collect();
        let told = all.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
        self.words.blames = match all.len() {
            0 => None,
            1..=TOLD => Some(told.into()),
            more => Some(format!("{told} and {} more", more - TOLD).into()),
        };
        self
    }

    /// Structured data of the kind's own, for the report's `details`.
    pub fn detail(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.details.add(key, &value.into());
        self
    }

    /// The same for anything that is JSON, without the detour over a [`Value`].
    pub fn detail_of(mut self, key: &str, value: &impl Serialize) -> Self {
        self.details.add(key, value);
        self
    }

    /// The same, written only where somebody reads it.
    pub fn evidence_of(mut self, evidence: impl Evidence) -> Self {
        self.details.add_evidence(evidence);
        self
    }

    /// Trying again cannot change this: `within` gives up at once.
    pub fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// Whether it passed.
    pub fn has_passed(&self) -> bool {
        self.passed
    }

    /// Whether the asserted property itself was judged.
    pub fn is_judged(&self) -> bool {
        self.judged
    }

    /// Whether trying again is pointless.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// The message, empty when there is nothing to say.
    pub fn text(&self) -> &str {
        &self.words.message
    }

    /// What was expected, and what was there.
    pub fn evidence(&self) -> (Option<&str>, Option<&str>) {
        (self.words.expected.as_deref(), self.words.actual.as_deref())
    }

    /// The report's `details`.
    pub fn details(&self) -> Map<String, Value> {
        self.details.to_map()
    }
}

/// What a closure or an `async fn` may return as its verdict.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a verdict",
    note = "an assertion returns `bool`, `(bool, message)`, a `Verdict`, or a `Result` of these with `CheckError`"
)]
pub trait IntoVerdict {
    /// The verdict, or why there is none.
    ///
    /// # Errors
    /// When nothing could be judged.
    fn into_verdict(self) -> Result<Verdict, CheckError>;
}

impl IntoVerdict for Verdict {
    fn into_verdict(self) -> Result<Verdict, CheckError> {
        Ok(self)
    }
}

impl IntoVerdict for bool {
    fn into_verdict(self) -> Result<Verdict, CheckError> {
        Ok(Verdict { passed: self, ..Verdict::failed(if self { "" } else { "returned false" }) })
    }
}

impl<M: Into<String>> IntoVerdict for (bool, M) {
    fn into_verdict(self) -> Result<Verdict, CheckError> {
        Ok(Verdict::of(self.0, self.1))
    }
}

impl<V: IntoVerdict> IntoVerdict for Result<V, CheckError> {
    fn into_verdict(self) -> Result<Verdict, CheckError> {
        self.and_then(IntoVerdict::into_verdict)
    }
}
