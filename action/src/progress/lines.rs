//! Progress where nobody watches (a log): a line for what takes its time, when it changes. Quick runs say nothing.

use std::{
    collections::HashMap,
    fmt::Write,
    sync::Arc,
    time::{Duration, Instant},
};

use clockwork_core::{Event, duration::show, text::bounded};

use super::state::{Open, State};
use crate::format::one_line;

/// What takes longer than this gets a line.
const SLOW: Duration = Duration::from_secs(1);

/// What is told about a check changes at most this often.
const PAUSE: Duration = Duration::from_secs(5);

/// A log that nobody can read helps nobody.
const MOST: usize = 200;

/// What was told so far.
#[derive(Debug, Default)]
pub(super) struct Lines {
    told: HashMap<Arc<str>, (Instant, String)>,
    count: usize,
}

impl Lines {
    /// A check that was told about has its verdict.
    pub(super) fn note(&mut self, out: &mut String, state: &State, event: &Event, at: Instant) {
        let Event::Judged(result) = event else { return };
        if !self.told.is_empty() && self.told.remove(&result.id).is_some() {
            let took = state.open.get(&result.id).map_or(result.duration, |open| at - open.began);
            let (verdict, attempts) = (result.verdict.as_str(), result.attempts);
            self.tell(
                out,
                format!("{}: {verdict} after {}, attempt {attempts}", one_line(&result.id), show(took)),
            );
        }
    }

    /// Tells of what takes its time and has something new to say.
    pub(super) fn show(&mut self, out: &mut String, state: &State, now: Instant) {
        for (id, open) in &state.open {
            let age = now.saturating_duration_since(open.began);
            if age < SLOW || self.count >= MOST {
                continue;
            }
            let said = said(open);
            match self.told.get(id) {
                Some((at, before)) if *before == said || now.saturating_duration_since(*at) < PAUSE => {
                    continue;
                }
                _ => {}
            }
            self.tell(out, format!("{}: waiting for {}, {said}", one_line(id), show(age)));
            self.told.insert(Arc::clone(id), (now, said));
        }
    }

    fn tell(&mut self, out: &mut String, line: String) {
        self.count += 1;
        match self.count {
            ..MOST => {
                let _ = writeln!(out, "{line}");
            }
            MOST => out.push_str("… and more; no further progress is shown\n"),
            _ => {}
        }
    }
}

fn said(open: &Open) -> String {
    match &open.last {
        None => "no answer yet".to_owned(),
        Some((outcome, message)) => {
            let first = message.lines().next().filter(|line| !line.is_empty());
            let first = first.map(|line| format!(": {}", one_line(&bounded(line.to_owned(), 300))));
            format!("last {}{}", outcome.as_str(), first.unwrap_or_default())
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use clockwork_core::{Graph, Outcome, prelude::*};

    use super::*;

    #[test]
    fn tells_of_what_is_slow_when_it_changes_and_not_more_often() {
        let project = Project::new("shop").assert(assertion("holds", async |_: Context| true));
        let graph = Graph::new(&project).unwrap();
        let mut state = State::new(project, &graph);
        let (began, id): (_, Arc<str>) = (state.began, graph.check_ids(None)[0].into());
        state.fold(&graph, began, Event::Started { id: Arc::clone(&id) });
        let mut lines = Lines::default();
        let mut at = |state: &State, ms| {
            let mut out = String::new();
            lines.show(&mut out, state, began + Duration::from_millis(ms));
            out
        };
        assert_eq!(at(&state, 900), "");
        assert_eq!(at(&state, 1000), "cross/FunctionAssertion/holds: waiting for 1 s, no answer yet\n");
        assert_eq!(at(&state, 9000), "", "nothing new");
        let attempt = |state: &mut State, message: &str| {
            let (outcome, again_in) = (Outcome::Failed, Duration::ZERO);
            let event = Event::Attempt {
                id: Arc::clone(&id),
                number: 1,
                outcome,
                message: message.to_owned(),
                again_in,
            };
            state.fold(&graph, began, event);
        };
        attempt(&mut state, "refused\nforged");
        assert_eq!(
            at(&state, 9500),
            "cross/FunctionAssertion/holds: waiting for 9.5 s, last failed: refused\n"
        );
        attempt(&mut state, "answered 503");
        assert_eq!(at(&state, 10_000), "", "too soon");
        assert!(at(&state, 14_500).ends_with("last failed: answered 503\n"));
    }
}
