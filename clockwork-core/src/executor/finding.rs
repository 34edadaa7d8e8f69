//! What an attempt means: its verdict under `not`, whose fault an error is, and whether trying again can help.

use std::time::SystemTime;

use serde_json::{Map, Value};

use crate::{
    CheckError, Fault, Outcome, Verdict,
    clock::rfc3339,
    details::Details,
    mask::Mask,
    text::bounded,
    verdict::{Said, Words},
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
    pub(crate) words: Words,
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
        let mut said = self.words.into_said();
        said.message = mask.text(said.message);
        said.actual = said.actual.map(|actual| mask.text(actual));
        Self { words: said.into(), details: self.details.masked(mask), ..self }
    }

    pub(super) fn errored(error: &CheckError) -> Self {
        let message = bounded(error.to_string(), MESSAGE_LIMIT);
        let (outcome, details) = (Outcome::Errored, error.details().into());
        let (retry, words) = (error.can_retry(), Words::of(message));
        Self { outcome, judged: false, retry, words, details, reused: None }
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
        let words = Said { message, expected, actual, blames: None }.into();
        let verdict = Verdict { words, details: details.into(), ..Verdict::passed() };
        Self { reused: Some(when), ..Self::of(verdict) }
    }

    fn of(verdict: Verdict) -> Self {
        let mut words = verdict.words;
        if words.message.len() > MESSAGE_LIMIT {
            words.message = bounded(std::mem::take(&mut words.message), MESSAGE_LIMIT);
        }
        Self {
            outcome: if verdict.passed { Outcome::Passed } else { Outcome::Failed },
            judged: verdict.judged,
            retry: !verdict.passed && !verdict.terminal,
            words,
            details: verdict.details,
            reused: None,
        }
    }

    /// Only a judged property is turned around. Nothing turns an error into a pass.
    fn turned_around(verdict: Verdict) -> Self {
        let (passed, judged) = (verdict.passed, verdict.judged);
        let mut found = Self::of(verdict);
        if let Some(expected) = &found.words.expected {
            found.words.expected = Some(format!("not {expected}"));
        }
        let message = found.words.message.as_str();
        match (passed, judged) {
            (true, _) => {
                found.words.message = match message {
                    "" => String::from("holds, and must not"),
                    message => format!("holds, and must not: {message}"),
                };
                Self { outcome: Outcome::Failed, retry: true, ..found }
            }
            (false, true) => Self { outcome: Outcome::Passed, retry: false, ..found },
            (false, false) => {
                found.words.message = format!("under `not` this proves nothing: {message}");
                Self { outcome: Outcome::Errored, ..found }
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
