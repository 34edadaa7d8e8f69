//! What an attempt means: its verdict under `not`, whose fault an error is, and whether trying again can help.

use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::{
    CheckError, Fault, Outcome, Verdict, clock::rfc3339, details::Details, mask::Mask, text::bounded,
};

/// How long a message may be. What did not fit is in nobody's interest, and messages quote the outside.
const MESSAGE_LIMIT: usize = 16 << 10;

/// What one attempt found.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) outcome: Outcome,
    /// Whether the asserted property itself was judged.
    pub(crate) judged: bool,
    /// Whether another attempt can change it.
    pub(crate) retry: bool,
    pub(crate) message: String,
    pub(crate) expected: Option<String>,
    pub(crate) actual: Option<String>,
    /// The relationships that it comes down to, where they are fewer than the check is about.
    pub(super) blames: Option<Box<str>>,
    pub(crate) details: Details,
    /// When it passed, where that is used again.
    pub(crate) reused: Option<SystemTime>,
}

impl Finding {
    pub(crate) fn new(raw: Result<Verdict, CheckError>, not: bool) -> Self {
        match raw {
            Ok(verdict) if not => Self::turned_around(verdict),
            Ok(verdict) => Self::of(verdict),
            Err(error) if error.fault() == Fault::Target => {
                let verdict = Verdict::from_target(&error);
                if not { Self::turned_around(verdict) } else { Self::of(verdict) }
            }
            Err(error) => Self::errored(&error),
        }
    }

    /// Without the secrets that the run has read.
    pub(super) fn masked(self, mask: &Mask) -> Self {
        if mask.is_empty() {
            return self;
        }
        Self {
            message: mask.text(self.message),
            actual: self.actual.map(|actual| mask.text(actual)),
            details: self.details.masked(mask),
            ..self
        }
    }

    pub(super) fn errored(error: &CheckError) -> Self {
        let message = bounded(error.to_string(), MESSAGE_LIMIT);
        let (outcome, details) = (Outcome::Errored, error.details().into());
        Self {
            outcome,
            judged: false,
            retry: error.can_retry(),
            message,
            expected: None,
            actual: None,
            blames: None,
            details,
            reused: None,
        }
    }

    /// One that passed then, used again.
    pub(crate) fn reused(
        message: &str,
        expected: Option<String>,
        actual: Option<String>,
        details: &Map<String, Value>,
        when: SystemTime,
    ) -> Self {
        let again = format!("passed at {}, and is not asked again", rfc3339(when));
        let message = if message.is_empty() { again } else { format!("{again}: {message}") };
        let verdict = Verdict { expected, actual, details: details.into(), ..Verdict::passed() };
        Self { reused: Some(when), ..Self::of(verdict.message(message)) }
    }

    fn of(verdict: Verdict) -> Self {
        Self {
            outcome: if verdict.passed { Outcome::Passed } else { Outcome::Failed },
            judged: verdict.judged,
            retry: !verdict.passed && !verdict.terminal,
            message: bounded(verdict.message, MESSAGE_LIMIT),
            expected: verdict.expected,
            actual: verdict.actual,
            blames: verdict.blames,
            details: verdict.details,
            reused: None,
        }
    }

    /// Only a judged property is turned around. Nothing turns an error into a pass.
    fn turned_around(verdict: Verdict) -> Self {
        let expected = verdict.expected.clone().map(|expected| format!("not {expected}"));
        match (verdict.passed, verdict.judged) {
            (true, _) => {
                let message = match verdict.message.as_str() {
                    "" => String::from("holds, and must not"),
                    message => format!("holds, and must not: {message}"),
                };
                Self { outcome: Outcome::Failed, retry: true, message, expected, ..Self::of(verdict) }
            }
            (false, true) => Self { outcome: Outcome::Passed, retry: false, expected, ..Self::of(verdict) },
            (false, false) => {
                let message = format!("under `not` this proves nothing: {}", verdict.message);
                Self { outcome: Outcome::Errored, message, expected, ..Self::of(verdict) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::attempt::Raw;

    #[test]
    fn every_ending_means_one_thing_and_no_error_becomes_a_pass() {
        use Outcome::{Errored, Failed, Passed};
        let refused = || Err(CheckError::target("refused"));
        let blind = || Err(CheckError::unobservable("no permission"));
        // what the attempt brought, under `not` or not, the outcome, whether trying again can help
        let table: [(Raw, bool, Outcome, bool); 12] = [
            (Ok(Verdict::passed()), false, Passed, false),
            (Ok(Verdict::passed()), true, Failed, true),
            (Ok(Verdict::failed("x")), false, Failed, true),
            (Ok(Verdict::failed("x")), true, Passed, false),
            (Ok(Verdict::failed("x").terminal()), false, Failed, false),
            (Ok(Verdict::failed("x").terminal()), true, Passed, false),
            (Ok(Verdict::unjudged("x")), false, Failed, true),
            (Ok(Verdict::unjudged("x")), true, Errored, true),
            (refused(), false, Failed, true),
            (refused(), true, Errored, true),
            (blind(), false, Errored, false),
            (blind(), true, Errored, false),
        ];
        for (raw, not, outcome, retry) in table {
            let shown = format!("{raw:?} under not={not}");
            let finding = Finding::new(raw, not);
            assert_eq!((finding.outcome, finding.retry), (outcome, retry), "{shown}");
        }
    }
}
