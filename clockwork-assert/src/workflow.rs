//! [`WorkflowAssert`]: a way through several services holds from end to end: an order is placed, is in the database, is
//! paid, is shipped.
//!
//! The steps are gone through in their order, up to the first that does not hold. A `request` has the fields of all HTTP
//! kinds, and says what the answer has to be like with `expected_status` (`2xx` unless given), `expected_body` and
//! `expected_json`; a `query` has those of `QuerySuccessAssert`. What a step captures, later ones put in as
//! `${captured.NAME}`: in `url`, `headers`, `body`, `json`, `form`, `params` and what is expected. It is foreign, and so it
//! is percent-encoded in a URL (unless it is the whole URL), a parameter in a statement and a value in JSON; a text in
//! which it stands alone keeps its type. A plain `body` gets it as it is.
//!
//! A workflow changes things, which the other kinds never do: a query with `read_only: false` is committed, unless
//! `rollback: true` has it rolled back at the end of its step. `within` tries a step again, and so may write twice.
//!
//! `cleanup` is gone through when the steps have ended, however they did: held, failed, panicked, out of time, interrupted
//! by Ctrl-C. All of its steps are, each whether or not the one before it held, for at most `cleanup_timeout` (10 s)
//! together; one that needs what was never captured is left out. Only a process that is killed does not clean up, by
//! `kill -9` or a second Ctrl-C. A workflow that held and left something behind has failed.
//!
//! Judged (so that `not` turns it around): the first step that does not hold was answered, and not as expected: another
//! status, body, number of rows or value, a statement that is refused for what it says. Not judged: a step that got no
//! answer, an answer from which nothing can be captured, a step that holds while the cleanup does not.
//!
//! `details`: `steps` and `cleanup` (each `name`, `verdict`, `took_ms`, `tries`, `message`), `captured` (name → value), with
//! `[secret]` for what was captured with `secret: true`, for every secret that a step uses, and wherever one of them is
//! repeated.

mod capture;
mod captured;
mod query;
mod request;
mod step;

pub use capture::Capture;
pub use query::WorkflowQuery;
pub use request::WorkflowRequest;
pub use step::WorkflowStep;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Cleaned, Context, Invalid, Resource, ResourceName, Verdict,
    async_trait, text::quote,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use self::{captured::Captured, step::Ended};
use crate::database;

/// A way through several services holds from end to end.
///
/// ```
/// use clockwork_assert::{Capture, WorkflowAssert, WorkflowQuery, WorkflowRequest, WorkflowStep};
/// use clockwork_drivers::ContainerResource;
/// use serde_json::json;
///
/// let database = ContainerResource::new("shop-db");
/// let order = WorkflowRequest::post("http://localhost:8080/orders").json(json!({ "item": 5 }));
/// let stored = WorkflowQuery::of(&database, "SELECT status FROM orders WHERE id = $1").param("${captured.id}").value("new");
/// let removed = WorkflowRequest::delete("http://localhost:8080/orders/${captured.id}");
/// WorkflowAssert::new()
///     .step(WorkflowStep::request("place the order", order).capture("id", Capture::json("$.id")))
///     .step(WorkflowStep::query("it is stored", stored))
///     .cleanup(WorkflowStep::request("remove the order", removed));
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowAssert {
    /// Gone through in their order, up to the first that does not hold.
    steps: Vec<WorkflowStep>,
    /// Gone through when the steps have ended, however they did.
    #[serde(default)]
    cleanup: Vec<WorkflowStep>,
    /// How long the whole cleanup may take.
    #[serde(with = "clockwork_core::duration", default = "ten_seconds")]
    #[schemars(with = "clockwork_core::duration::Schema")]
    cleanup_timeout: Duration,
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

impl Default for WorkflowAssert {
    fn default() -> Self {
        Self { steps: Vec::new(), cleanup: Vec::new(), cleanup_timeout: ten_seconds() }
    }
}

impl WorkflowAssert {
    /// A workflow that is still to be given its steps.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next step.
    #[must_use]
    pub fn step(mut self, step: WorkflowStep) -> Self {
        self.steps.push(step);
        self
    }

    /// The next step of what is gone through however the others end.
    #[must_use]
    pub fn cleanup(mut self, step: WorkflowStep) -> Self {
        self.cleanup.push(step);
        self
    }

    /// How long the whole cleanup may take.
    #[must_use]
    pub fn cleanup_timeout(mut self, timeout: Duration) -> Self {
        self.cleanup_timeout = timeout;
        self
    }
}

impl AssertionKind for WorkflowAssert {
    const NAME: &'static str = "WorkflowAssert";
    const CAPTURES: bool = true;
}

/// What was captured, which the cleanup needs whatever becomes of the steps.
type Shared = Arc<Mutex<Captured>>;

fn read(shared: &Shared) -> Captured {
    shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[async_trait]
impl Assertion for WorkflowAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        match self.steps.len() {
            1 => String::from("1 step"),
            count => format!("{count} steps"),
        }
    }

    fn related(&self) -> Vec<ResourceName> {
        let steps = self.steps.iter().chain(&self.cleanup);
        database::related(steps.flat_map(WorkflowStep::resources).map(Some))
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = Vec::new();
        if self.steps.is_empty() {
            problems.push(Invalid::field("steps", "is empty: nothing would be asserted"));
        }
        if self.cleanup_timeout.is_zero() {
            problems.push(Invalid::field("cleanup_timeout", "is 0: nothing is cleaned up in no time"));
        }
        let mut known = BTreeSet::new();
        for (field, steps) in [("steps", &self.steps), ("cleanup", &self.cleanup)] {
            for (index, step) in steps.iter().enumerate() {
                problems.extend(step.validate(&format!("{field}.{index}"), &known, owner));
                known.extend(step.captures().cloned());
            }
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let mut captured = Captured::default();
        for step in self.steps.iter().chain(&self.cleanup) {
            step.hide_secrets(&mut captured, cx);
        }
        let shared: Shared = Arc::new(Mutex::new(captured));
        if !self.cleanup.is_empty() {
            let (steps, shared) = (self.cleanup.clone(), Arc::clone(&shared));
            cx.finally(self.cleanup_timeout, async move |cx: Context| clean_up(&steps, &shared, &cx).await);
        }
        let mut told = Vec::new();
        for (index, step) in self.steps.iter().enumerate() {
            let mut captured = read(&shared);
            let run = step.run(&mut captured, cx).await;
            shared.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&captured);
            told.push(run.details(step, &captured));
            let masked = |text: &str| captured.masks().text(text);
            let at = || masked(&format!("step {} of {}, {}", index + 1, self.steps.len(), step.label()));
            let with = match captured.told() {
                told if told.is_empty() => String::new(),
                told => clockwork_core::text::bounded(format!("; captured: {told}"), 1024),
            };
            let verdict = match &run.ended {
                Ended::Held => continue,
                Ended::Wrong(message, judged) => {
                    let message = format!("{}: {}{}{with}", at(), masked(message), run.story());
                    if *judged { Verdict::failed(message) } else { Verdict::unjudged(message) }
                }
                Ended::Errored(error) => {
                    let message = format!("{}: {}{with}", at(), masked(&error.to_string()));
                    let mut told_error = CheckError::unobservable(message);
                    if error.can_retry() {
                        told_error = told_error.retryable();
                    }
                    return Err(told_error.detail("steps", told).detail("captured", captured.details()));
                }
            };
            let verdict = verdict.actual(format!("step {} does not hold", index + 1));
            return Ok(self.finished(verdict, told, &captured));
        }
        let verdict = Verdict::passed().message(match self.steps.len() {
            1 => String::from("its step held"),
            count => format!("all {count} steps held"),
        });
        Ok(self.finished(verdict, told, &read(&shared)))
    }
}

impl WorkflowAssert {
    fn finished(&self, verdict: Verdict, steps: Vec<Value>, captured: &Captured) -> Verdict {
        let expected = format!("{} hold", self.label());
        verdict.expected(expected).detail("steps", steps).detail("captured", captured.details())
    }
}

/// Goes through all of it, whatever becomes of each.
async fn clean_up(steps: &[WorkflowStep], shared: &Shared, cx: &Context) -> Cleaned {
    let (mut captured, mut told, mut failed) = (read(shared), Vec::new(), Vec::new());
    for step in steps {
        let had = captured.details();
        let missing: Vec<_> = step.names().into_iter().filter(|name| !had.contains_key(name)).collect();
        if !missing.is_empty() {
            let missing: Vec<_> = missing.iter().map(|name| quote(name)).collect();
            let message = format!("left out: {} was not captured", missing.join(", "));
            told.push(
                json!({ "name": step.label().trim_matches('"'), "verdict": "skipped", "message": message }),
            );
            continue;
        }
        let run = step.run(&mut captured, cx).await;
        told.push(run.details(step, &captured));
        let why = match &run.ended {
            Ended::Held => continue,
            Ended::Wrong(message, _) => message.clone(),
            Ended::Errored(error) => error.to_string(),
        };
        failed.push(captured.masks().text(&format!("{}: {why}", step.label())));
    }
    match failed.is_empty() {
        true => Cleaned::done(told),
        false => Cleaned::failed(failed.join("; "), told),
    }
}

#[cfg(test)]
#[path = "workflow_tests.rs"]
mod tests;
