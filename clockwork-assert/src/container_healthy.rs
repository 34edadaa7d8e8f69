//! [`ContainerHealthyAssert`]: a container's own health check says that it is healthy.
//!
//! It proves what the container's health check proves, as of the check's last run. Without a health check there is
//! nothing to be proven: that is a failure which waiting cannot change and which says nothing about health, so that it
//! is `errored` under `not: true`. All other failures judge the property: a container that is missing, does not run, is
//! still starting or is unhealthy is not healthy.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait, text::quote,
};
use clockwork_drivers::container::{ContainerDetails, ContainerRef, ContainerState, Health};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::container_state::{self, Examined};

/// A container's health check says that it is healthy.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerHealthyAssert {
    /// Another container than the resource's own: a resource's name, a container's name, or 12 or more digits of its id.
    #[serde(default)]
    container: Option<String>,
}

impl ContainerHealthyAssert {
    /// The container that it is declared on is healthy.
    pub fn new() -> Self {
        Self::default()
    }

    /// This container is healthy: a resource's name, a container's name, or 12 or more digits of its id.
    #[must_use]
    pub fn container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }
}

impl AssertionKind for ContainerHealthyAssert {
    const NAME: &'static str = "ContainerHealthyAssert";
}

#[async_trait]
impl Assertion for ContainerHealthyAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        self.container.clone().unwrap_or_default()
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        ContainerRef::validate(owner, self.container.as_deref(), true).into_iter().collect()
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let container = ContainerRef::required(cx, self.container.as_deref())?;
        let listed = container.listed(cx).await?;
        let verdict = match &listed.found {
            // The list does not tell of every engine; where it says "healthy", that is enough.
            Some(found)
                if found.state == ContainerState::Running && found.health == Some(Health::Healthy) =>
            {
                healthy()
            }
            Some(found) => match container_state::examine(&container, found, listed.command, cx).await? {
                Some(seen) => judge(&container.name, &seen)?,
                None => container_state::missing(&container.name, &listed.engine),
            },
            None => container_state::missing(&container.name, &listed.engine),
        };
        Ok(verdict.expected("healthy"))
    }
}

fn healthy() -> Verdict {
    Verdict::passed().actual("healthy")
}

fn judge(name: &str, seen: &Examined) -> Result<Verdict, CheckError> {
    let details = &seen.details;
    if details.state() != ContainerState::Running {
        return Ok(container_state::not_running(name, seen));
    }
    let streak = match details.failing_streak() {
        1 => String::from("its last check failed"),
        streak => format!("its last {streak} checks failed"),
    };
    Ok(match details.health() {
        Some(Health::Healthy) => healthy(),
        Some(Health::Starting) if details.failing_streak() == 0 => {
            Verdict::failed("is still starting: its health check has not succeeded yet").actual("starting")
        }
        Some(Health::Starting) => {
            Verdict::failed(format!("is still starting: {streak}{}", last_run(details))).actual("starting")
        }
        Some(Health::Unhealthy) => {
            Verdict::failed(format!("is unhealthy: {streak}{}", last_run(details))).actual("unhealthy")
        }
        Some(Health::Undefined) => Verdict::unjudged(
            "has no health check, so nothing says whether it is healthy; define one (HEALTHCHECK in its image, or \
             `health_check`), or ask the service itself with HealthcheckAssert",
        )
        .actual("no health check")
        .terminal(),
        None => {
            return Err(CheckError::unobservable("the engine says a word about its health that Clockwork does not know"));
        }
    })
}

fn last_run(details: &ContainerDetails) -> String {
    let Some(run) = details.last_health_run() else { return String::new() };
    match run.output.trim_end() {
        "" => format!("\nthe last one exited with code {} and wrote nothing", run.exit_code),
        output => format!("\nthe last one exited with code {} and wrote {}", run.exit_code, quote(output)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use serde_json::{Value, json};

    use super::*;

    fn judged(state: &str, health: Value) -> Verdict {
        let seen = container_state::examined(json!({ "State": { "Status": state, "Health": health } }), &[]);
        judge("web", &seen).unwrap()
    }

    #[test]
    fn only_healthy_is_healthy_and_each_failure_says_why() {
        let log =
            json!([{ "ExitCode": 0, "Output": "old" }, { "ExitCode": 7, "Output": "refused\u{1b}[2J\n" }]);
        let unhealthy = json!({ "Status": "unhealthy", "FailingStreak": 4, "Log": log });
        let late =
            json!({ "Status": "starting", "FailingStreak": 1, "Log": [{ "ExitCode": 1, "Output": "" }] });
        // state, health, what the message contains, judged, terminal
        for (state, health, told, judges, terminal) in [
            ("running", json!({ "Status": "starting" }), "has not succeeded yet", true, false),
            (
                "running",
                late,
                "its last check failed\nthe last one exited with code 1 and wrote nothing",
                true,
                false,
            ),
            (
                "running",
                unhealthy,
                "is unhealthy: its last 4 checks failed\nthe last one exited with code 7 and wrote \"refused\\u{1b}[2J\"",
                true,
                false,
            ),
            ("running", json!(null), "has no health check", false, true),
            ("running", json!({ "Status": "" }), "has no health check", false, true),
            ("paused", json!({ "Status": "healthy" }), "is paused", true, false),
            ("exited", json!({ "Status": "healthy" }), "exited with code 0", true, true),
        ] {
            let verdict = judged(state, health.clone());
            assert!(!verdict.has_passed() && verdict.text().contains(told), "{health}: {}", verdict.text());
            assert_eq!((verdict.is_judged(), verdict.is_terminal()), (judges, terminal), "{health}");
        }
        assert!(judged("running", json!({ "Status": "healthy" })).has_passed());
    }

    #[test]
    fn an_unknown_word_is_no_verdict() {
        let seen = container_state::examined(
            json!({ "State": { "Status": "running", "Health": { "Status": "so-so" } } }),
            &[],
        );
        assert!(judge("web", &seen).is_err());
    }
}
