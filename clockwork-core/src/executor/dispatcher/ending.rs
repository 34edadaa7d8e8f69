//! How a run ends before its time: by Ctrl-C, at its first failure, or at its deadline. Whoever is open gets a result, and
//! what attempts leave to be undone is undone.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::Instant};

use super::{Dispatcher, Runs};
use crate::{
    Cleaned, Outcome,
    cleanup::{self, Todo},
    duration::show,
    executor::{
        aside::Job,
        result::{blank, ran_out, tell},
    },
    report::CheckResult,
};

/// How long a run that is ended from outside waits for what its checks left to be undone.
const CLEANING: Duration = Duration::from_secs(15);
/// How often it looks whether they have ended.
const LOOK: Duration = Duration::from_millis(5);

impl Dispatcher {
    /// Nothing more is looked at.
    pub(super) async fn skip_the_rest(&mut self, reason: &str) {
        let cleaned = self.clean_up().await;
        self.abandon(&cleaned, |dispatcher, check| {
            let attempts = dispatcher.active[check].as_ref().map_or(0, |active| active.attempts);
            CheckResult {
                message: reason.to_owned(),
                attempts,
                ..blank(&dispatcher.graph, &dispatcher.host, check)
            }
        });
    }

    /// The run's deadline passed: what is open could not be judged, or keeps what it last saw.
    pub(super) async fn out_of_time(&mut self) {
        let after = show(self.run.began.elapsed());
        let cleaned = self.clean_up().await;
        self.abandon(&cleaned, |dispatcher, check| {
            let finding = match dispatcher.active[check].as_ref().and_then(|active| active.last.clone()) {
                Some(mut last) if last.outcome != Outcome::Passed => {
                    last.words.message =
                        format!("{} (the run's deadline passed after {after})", last.words.message);
                    last
                }
                Some(_) => ran_out(&after, "it held so far, and had to hold longer"),
                None if dispatcher.active[check].is_some() => ran_out(&after, "while it was being looked at"),
                None => ran_out(&after, &dispatcher.waits_for(check)),
            };
            let mut result = blank(&dispatcher.graph, &dispatcher.host, check);
            tell(&mut result, finding);
            if let Some(active) = dispatcher.active[check].take() {
                result.attempts = active.attempts;
                result.began = active.began - dispatcher.run.began;
                result.duration = active.began.elapsed();
                result.timeline = active.timeline.into_transitions();
            }
            result
        });
    }

    fn waits_for(&self, check: usize) -> String {
        let check = &self.graph.checks[check];
        let needs = check.node.map_or(&[][..], |node| &self.graph.nodes[node].needs);
        let late = check.node.filter(|_| check.late);
        let open = |&node: &usize| self.open_checks[node] > 0 || self.needs[node] > 0;
        let names: Vec<_> = needs
            .iter()
            .chain(&check.waits)
            .copied()
            .chain(late)
            .filter(open)
            .map(|node| self.graph.name(node))
            .collect();
        match names.as_slice() {
            [] => String::from("before its turn came; raise `concurrency` or the deadline"),
            names => format!("while it waited for {}", names.join(", ")),
        }
    }

    /// Ends all attempts, and does what they leave to be undone. Where none does, nobody waits.
    async fn clean_up(&mut self) -> HashMap<usize, Vec<Cleaned>> {
        self.events.tell();
        let aside = self.end_attempts();
        let mut cleaned = HashMap::new();
        let run = Arc::clone(&self.run);
        if run.left.open() == 0 {
            return cleaned;
        }
        let deadline = Instant::now() + self.options.grace.unwrap_or(CLEANING);
        // An attempt leaves it behind when it has really ended, which one that blocks its thread may never do.
        let ends = |job: &Arc<Job>| job.holds().is_some() && job.blocks().is_none();
        while run.left.waiting() < run.left.open() && Instant::now() < deadline {
            let soon = Instant::now() + LOOK;
            match tokio::time::timeout_at(soon.min(deadline), self.lanes.join()).await {
                Ok(false) if aside.iter().any(ends) => tokio::time::sleep_until(soon.min(deadline)).await,
                Ok(false) => break,
                Ok(true) | Err(_) => {}
            }
        }
        let stuck = aside.iter().map(|job| Todo::new(job.check, job.cx.clone()));
        let mut cleaning = JoinSet::new();
        for mut todo in run.left.take().into_iter().chain(stuck).filter(|todo| !todo.is_empty()) {
            cleaned.insert(todo.check, vec![Cleaned::failed("it did not finish", serde_json::Value::Null)]);
            let mask = Arc::clone(&run.mask);
            cleaning.spawn(mask.over(async move { (todo.check, todo.run().await) }));
        }
        while let Ok(Some(ended)) = tokio::time::timeout_at(deadline, cleaning.join_next()).await {
            if let Ok((check, done)) = ended {
                cleaned.insert(check, done);
            }
        }
        cleaned
    }

    /// Has no attempt go on; those that may block their thread may still be there.
    fn end_attempts(&mut self) -> Vec<Arc<Job>> {
        self.lanes.abort();
        self.aside_now = 0;
        let active = self.active.iter_mut().flatten();
        let ended = active.filter_map(|active| match std::mem::replace(&mut active.runs, Runs::Nowhere) {
            Runs::Aside(asked) => Some(Arc::clone(&asked.0)),
            Runs::Nowhere | Runs::Lane => None,
        });
        ended.collect()
    }

    /// Ends the run for every open check in this way.
    fn abandon(
        &mut self,
        cleaned: &HashMap<usize, Vec<Cleaned>>,
        end: impl Fn(&mut Self, usize) -> CheckResult,
    ) {
        self.ready.clear();
        self.sleeping.clear();
        self.overdue.clear();
        for check in 0..self.results.len() {
            if self.results[check].is_none() {
                let mut result = end(self, check);
                if let Some(cleaned) = cleaned.get(&check) {
                    let told = cleanup::failures(cleaned).unwrap_or_else(|| String::from("its cleanup ran"));
                    result.message = self.run.mask.text(format!("{}; {told}", result.message));
                    if let Some(details) = cleanup::details(cleaned) {
                        result.details.add("cleanup", &self.run.mask.value(details));
                    }
                }
                self.conclude(check, Arc::new(result));
            }
        }
    }
}
