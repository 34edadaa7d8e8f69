//! [`Lock`]: the typed assertions that sentences were compiled into, once, for people to review and for runs to judge.
//!
//! A sentence ("the api reads its users from the database") proves nothing by itself. What it stands for is written down:
//! for exactly this sentence about exactly these two resources. A sentence that was changed has no entry any more.

use crate::{
    CheckError, Context, Declared, Graph, Named, Outcome, Resource, ResourceName, Vantage, Verdict,
    executor::finding::Finding, text::quote,
};

/// A sentence about two resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sentence<'a> {
    /// The one that it begins with.
    pub source: &'a str,
    /// The other one.
    pub target: &'a str,
    /// What is asserted. White space counts as one space.
    pub text: &'a str,
}

/// What sentences stand for: the content of `clockwork.lock.yaml`.
///
/// ```
/// use clockwork_core::{Lock, prelude::*};
///
/// let adds_up = assertion("adds up", async |_: Context| 2 + 2 == 4);
/// let lock = Lock::new().entry("api", "database", "the sums are right", [adds_up]);
/// let project = Project::new("shop").lock(lock);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Lock {
    /// What errors call it.
    pub(crate) name: String,
    pub(crate) entries: Vec<LockEntry>,
}

/// What one sentence stands for.
#[derive(Debug, Clone)]
pub struct LockEntry {
    pub(crate) source: ResourceName,
    pub(crate) target: ResourceName,
    pub(crate) text: String,
    pub(crate) reviewed: Option<String>,
    pub(crate) parts: Vec<LockedAssertion>,
    /// Where it stands; 0 where that is nowhere.
    pub(crate) line: u32,
}

/// One of the assertions that a sentence stands for, and the resource that it is declared on.
#[derive(Debug, Clone)]
pub struct LockedAssertion {
    pub(crate) owner: Option<ResourceName>,
    pub(crate) declared: Declared,
}

/// What became of one of an entry's assertions.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PartResult {
    /// Its kind.
    pub assertion: String,
    /// What tells it from others.
    pub label: String,
    /// How it ended.
    pub verdict: Outcome,
    /// What it says.
    pub message: String,
    judged: bool,
    retry: bool,
}

/// White space counts as one space: a sentence may be folded over lines.
pub(crate) fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Lock {
    /// Without entries.
    pub fn new() -> Self {
        Self { name: String::from("the lock"), entries: Vec::new() }
    }

    /// Adds what a sentence stands for: assertions over both resources, as under the project's `assertions`.
    #[must_use]
    pub fn entry(
        mut self,
        source: impl Named,
        target: impl Named,
        sentence: impl AsRef<str>,
        assertions: impl IntoIterator<Item = Declared>,
    ) -> Self {
        let parts =
            assertions.into_iter().map(|declared| LockedAssertion { owner: None, declared }).collect();
        self.entries.push(LockEntry {
            source: source.resource_name(),
            target: target.resource_name(),
            text: normal(sentence.as_ref()),
            reviewed: None,
            parts,
            line: 0,
        });
        self
    }

    /// What errors call it: `clockwork.lock.yaml`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What this sentence stands for.
    pub fn find(&self, sentence: Sentence<'_>) -> Option<&LockEntry> {
        let text = normal(sentence.text);
        self.entries.iter().find(|entry| entry.is_about(sentence) && entry.text == text)
    }

    /// The entries about the same two resources, whatever their sentence.
    pub fn about<'a>(&'a self, sentence: Sentence<'a>) -> impl Iterator<Item = &'a LockEntry> {
        self.entries.iter().filter(move |entry| entry.is_about(sentence))
    }

    /// The entries whose sentence nobody asserts any more, in words.
    pub fn stale(&self, graph: &Graph) -> Vec<String> {
        let used: Vec<_> = graph.sentences().filter_map(|sentence| self.find(sentence)).collect();
        let stale = self.entries.iter().filter(|entry| !used.iter().any(|used| std::ptr::eq(*used, *entry)));
        stale
            .map(|LockEntry { source, target, text, line, .. }| {
                let place = if *line > 0 { format!("{}:{line}", self.name) } else { self.name.clone() };
                format!("{place}: nobody asserts {} of {source} and {target} any more", quote(text))
            })
            .collect()
    }
}

impl LockEntry {
    fn is_about(&self, sentence: Sentence<'_>) -> bool {
        self.source.as_str() == sentence.source && self.target.as_str() == sentence.target
    }

    /// The sentence.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Who reviewed it, and when, in their words.
    pub fn reviewed(&self) -> Option<&str> {
        self.reviewed.as_deref()
    }

    /// Its assertions.
    pub fn assertions(&self) -> &[LockedAssertion] {
        &self.parts
    }

    /// What its assertions say together: it holds if all hold; it does not if one does not, which is named; and it cannot
    /// be judged if one cannot and none fails.
    ///
    /// # Errors
    /// When it cannot be judged.
    pub fn judge(&self, parts: &[PartResult]) -> Result<Verdict, CheckError> {
        let of = |verdict: Outcome| parts.iter().filter(move |part| part.verdict == verdict);
        let told = |verdict: Outcome| {
            let each = of(verdict).map(|PartResult { assertion, label, message, .. }| match label.as_str() {
                "" => format!("{assertion}: {message}"),
                label => format!("{assertion} ({label}): {message}"),
            });
            each.collect::<Vec<_>>().join("; ")
        };
        let count = |number: usize| match number {
            1 => String::from("1 typed assertion"),
            many => format!("{many} typed assertions"),
        };
        let details: Vec<_> = parts
            .iter()
            .map(|PartResult { assertion, label, verdict, message, .. }| {
                serde_json::json!({ "assertion": assertion, "label": label, "verdict": verdict, "message": message })
            })
            .collect();
        if of(Outcome::Failed).next().is_some() {
            let message = told(Outcome::Failed);
            let verdict = match of(Outcome::Failed).any(|part| part.judged) {
                true => Verdict::failed(message),
                false => Verdict::unjudged(message),
            };
            let verdict =
                if of(Outcome::Failed).all(|part| part.retry) { verdict } else { verdict.terminal() };
            return Ok(verdict
                .expected(format!("{} hold", count(parts.len())))
                .actual(format!("{} of them do", of(Outcome::Passed).count()))
                .detail("assertions", details)
                .detail_of("reviewed", &self.reviewed));
        }
        if parts.is_empty() || of(Outcome::Passed).count() < parts.len() {
            let error = match parts {
                [] => CheckError::unobservable("the entry of this sentence has no assertions"),
                _ => CheckError::unobservable(format!("cannot be judged: {}", told(Outcome::Errored))),
            };
            let error = error.detail("assertions", details);
            return Err(if of(Outcome::Errored).all(|part| part.retry) { error.retryable() } else { error });
        }
        let holds = if parts.len() == 1 { "holds" } else { "hold" };
        Ok(Verdict::passed()
            .message(format!("{} {holds}", count(parts.len())))
            .expected(format!("{} {holds}", count(parts.len())))
            .detail("assertions", details)
            .detail_of("reviewed", &self.reviewed))
    }
}

impl LockedAssertion {
    /// The resource that it is declared on.
    pub(crate) fn owner<'a>(&self, graph: &'a Graph) -> Option<&'a dyn Resource> {
        self.owner.as_ref().and_then(|owner| graph.resource(owner.as_str())).map(|owner| &**owner)
    }

    /// Looks and judges, with its own vantage and `not`.
    pub async fn look(&self, cx: &Context) -> PartResult {
        let Self { owner, declared } = self;
        let vantage = declared.options.at.clone().map_or(Vantage::Host, Vantage::Inside);
        let cx = cx.from_vantage(vantage).on(owner.as_ref());
        let raw = declared.assertion().check(&cx).await;
        let judged = match &raw {
            Ok(verdict) => verdict.judged,
            Err(_) => false,
        };
        let Finding { outcome, retry, words, .. } = Finding::new(raw, declared.options.not);
        let message = words.into_said().message;
        let label = declared.options.name.clone().unwrap_or_else(|| declared.assertion().label());
        let assertion = declared.assertion().kind().to_owned();
        PartResult { assertion, label, verdict: outcome, message, judged, retry }
    }
}
