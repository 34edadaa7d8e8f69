//! [`ContainerRunningAssert`]: a container runs.
//!
//! It proves that the container's first process is there and not frozen. It does not prove that what runs in it works:
//! [`crate::ContainerHealthyAssert`] and the kinds that ask the service do.
//!
//! All of its failures judge its property: a container that is missing, created, exited, paused, restarting or dead does
//! not run, and `not: true` passes then. An engine that cannot be asked is `errored`.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Verdict, async_trait,
};
use clockwork_drivers::container::{ContainerRef, ContainerState};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::container_state::{self, Examined};

/// A container runs.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerRunningAssert {
    /// Another container than the resource's own: a resource's name, a container's name, or 12 or more digits of its id.
    #[serde(default)]
    container: Option<String>,
}

impl ContainerRunningAssert {
    /// The container that it is declared on runs.
    pub fn new() -> Self {
        Self::default()
    }

    /// This container runs: a resource's name, a container's name, or 12 or more digits of its id.
    #[must_use]
    pub fn container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }
}

impl AssertionKind for ContainerRunningAssert {
    const NAME: &'static str = "ContainerRunningAssert";
}

#[async_trait]
impl Assertion for ContainerRunningAssert {
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
            Some(found) if found.state == ContainerState::Running => running(),
            Some(found) => match container_state::examine(&container, found, listed.command, cx).await? {
                Some(seen) => judge(&container.name, &seen),
                None => container_state::missing(&container.name, &listed.engine),
            },
            None => container_state::missing(&container.name, &listed.engine),
        };
        Ok(verdict.expected("running"))
    }
}

fn running() -> Verdict {
    Verdict::passed().actual("running")
}

/// The closer look is the later one, so that it decides.
fn judge(name: &str, seen: &Examined) -> Verdict {
    match seen.details.state() {
        ContainerState::Running => running(),
        _ => container_state::not_running(name, seen),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_running_one_runs() {
        let states = ["created", "exited", "paused", "restarting", "removing", "dead", "stopping", ""];
        for (state, passes) in states.map(|state| (state, false)).into_iter().chain([("running", true)]) {
            let seen = container_state::examined(json!({ "State": { "Status": state } }), &[]);
            assert_eq!(judge("web", &seen).has_passed(), passes, "{state}");
        }
    }
}
