//! What a check's result says, beside what it found: what was known before, and what became of waiting.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::finding::Finding;
use crate::{
    CheckError, Outcome, ResourceName, assertion::Options, clock::rfc3339, details::Details, duration::show,
    graph::Graph, report::CheckResult, verdict::Said,
};

/// A result with what is known before anything was looked at.
pub(super) fn blank(graph: &Graph, host: &Arc<str>, index: usize) -> CheckResult {
    let check = &graph.checks[index];
    let options = &check.declared.options;
    let assertion = check.declared.assertion();
    CheckResult {
        id: Arc::clone(&check.id),
        resource: check.node.map(|node| graph.shared_name(node)),
        relationship: check.relationship.clone(),
        explains: check.explains.map(|node| graph.shared_name(node)),
        judged: false,
        related: check.related.iter().map(|&node| graph.shared_name(node)).collect(),
        assertion: assertion.kind(),
        label: match options.not {
            true => format!("not {}", assertion.label()).trim_end().to_owned(),
            false => assertion.label(),
        },
        verdict: Outcome::Skipped,
        severity: options.severity,
        message: String::new(),
        expected: None,
        actual: None,
        caused_by: Vec::new(),
        at: options.at.as_ref().map_or_else(|| Arc::clone(host), ResourceName::shared),
        attempts: 0,
        timeline: Vec::new(),
        details: Details::default(),
        reused: None,
        began: Duration::ZERO,
        duration: Duration::ZERO,
        place: check.declared.place.clone(),
    }
}

/// Tells in a result what was found.
pub(super) fn tell(result: &mut CheckResult, finding: Finding) {
    let Said { message, expected, actual, blames } = finding.words.into_said();
    result.judged = finding.judged;
    result.verdict = finding.outcome;
    result.message = message;
    result.expected = expected.map(Into::into);
    result.actual = actual.map(Into::into);
    result.details = finding.details.shrunk();
    result.reused = finding.reused.map(|when| rfc3339(when).into());
    if let (Some(blamed), Outcome::Failed) = (blames, finding.outcome) {
        result.relationship = Some(blamed.into());
    }
}

/// How often and how long a check was looked at.
pub(super) struct Story {
    pub(super) began: Instant,
    pub(super) attempts: u32,
    pub(super) holds_since: Option<Instant>,
}

pub(super) fn ran_out(after: &str, how: &str) -> Finding {
    Finding::errored(&CheckError::unobservable(format!("the run's deadline passed after {after}, {how}")))
}

pub(super) fn because(causes: &[Arc<str>]) -> String {
    match causes {
        [one] => format!("{one} did not hold"),
        [first, rest @ ..] => format!("{first} and {} more did not hold", rest.len()),
        [] => String::new(),
    }
}

/// A repeated check says how often and how long it was tried.
pub(super) fn tell_the_story(finding: &mut Finding, options: &Options, story: &Story, now: Instant) {
    if finding.outcome == Outcome::Passed {
        return;
    }
    let message = &finding.words.message;
    let message = if let (Some(since), Some(holds_for)) = (story.holds_since, options.holds_for) {
        format!("held for {} of {}, then: {message}", show(now - since), show(holds_for))
    } else if story.attempts > 1 {
        format!("{message} ({} attempts in {})", story.attempts, show(now - story.began))
    } else {
        return;
    };
    finding.words.message = message;
}
