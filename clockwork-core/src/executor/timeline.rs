//! A repeated check's story: from when on it said the same thing, and how often.

use std::time::Duration;

use crate::{Outcome, report::Transition};

/// How many transitions are told. A check that flaps for hours has its beginning and its end told.
const TOLD: usize = 24;

#[derive(Debug, Default)]
pub(super) struct Timeline {
    transitions: Vec<Transition>,
}

impl Timeline {
    pub(super) fn add(&mut self, at: Duration, verdict: Outcome, message: &str) {
        if let Some(last) = self.transitions.last_mut()
            && last.verdict == verdict
            && last.message == message
        {
            last.count += 1;
            return;
        }
        if self.transitions.len() == TOLD {
            // The first half stays as it was; of the rest, the oldest makes room.
            self.transitions.remove(TOLD / 2);
        }
        let at_ms = u64::try_from(at.as_millis()).unwrap_or(u64::MAX);
        self.transitions.push(Transition { at_ms, verdict, message: message.to_owned(), count: 1 });
    }

    pub(super) fn into_transitions(self) -> Vec<Transition> {
        self.transitions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_transitions_and_stays_bounded() {
        let mut timeline = Timeline::default();
        for n in 0..1000u64 {
            let message = if n < 3 { "refused".to_owned() } else { format!("value {n}") };
            timeline.add(Duration::from_millis(n), Outcome::Failed, &message);
        }
        let told = timeline.into_transitions();
        assert_eq!((told[0].count, told[0].message.as_str()), (3, "refused"));
        assert_eq!((told.len(), told[TOLD - 1].message.as_str()), (TOLD, "value 999"));
    }
}
