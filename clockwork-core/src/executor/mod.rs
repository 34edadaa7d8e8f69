//! The executor: decides when each check is looked at, and turns what it finds into results.
//!
//! [`dispatcher`] is the one place that holds state: it starts attempts, hears how they ended, and releases what waited
//! for them. Attempts ([`attempt`]) run in tasks of their own ([`lanes`]), or on threads ([`aside`]), hand in what they brought
//! ([`desk`]), and know nothing of retries. When to try again is a pure function ([`schedule`]), and so is what an attempt means
//! under the check's options ([`finding`]).

mod aside;
mod attempt;
mod desk;
mod dispatcher;
pub(crate) mod finding;
mod lanes;
mod result;
mod schedule;
mod timeline;

pub(crate) use dispatcher::run;

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use crate::{Passes, mask::Secrets};

/// How to run, beside what the project says.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RunOptions {
    /// Only the assertions on, or about, these resources; all, if empty.
    pub only: Vec<String>,
    /// Only the assertions with one of these tags; all, if empty.
    pub tags: Vec<String>,
    /// The verdicts that may be used again (`fresh_for`), and to which those of this run are added, instead of the engine's.
    pub passes: Option<Passes>,
    /// Use no verdict again (`fresh_for`): look at everything. What passes is kept all the same.
    pub no_cache: bool,
    /// Stop at the first failure.
    pub fail_fast: bool,
    /// Instead of the project's default, for assertions that have no `within` of their own.
    pub within: Option<Duration>,
    /// Instead of the project's default, for assertions that have no `timeout` of their own.
    pub timeout: Option<Duration>,
    /// Instead of the project's: how long the whole run may take.
    pub deadline: Option<Duration>,
    /// Instead of the project's.
    pub concurrency: Option<usize>,
    /// Stops the run from outside; it still yields a whole report.
    pub stop: Stop,
    /// How long a run that is ended from outside waits for what its checks left to be undone; 15 seconds, if not said.
    pub grace: Option<Duration>,
    /// Where the run puts the secrets that it reads.
    pub secrets: Secrets,
}

/// Stops a run from outside (Ctrl-C), with a whole report.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Stops the run. Whatever has no verdict yet is skipped.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    pub(crate) async fn stopped(&self) {
        // The sender lives in `self`, so this only returns when the value is there.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

#[cfg(test)]
mod across_tests;
#[cfg(test)]
#[path = "blame_tests.rs"]
mod blame_tests;
#[cfg(test)]
mod cleanup_tests;
