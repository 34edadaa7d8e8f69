//! [`ContainerRestartsAssert`]: a container does not crash again and again.
//!
//! It counts how often the container's restart policy started it again, as its engine does (`RestartCount`: since it was
//! made, or started by hand). With `within`, only the restarts of that time count, as far as the engine tells: when the
//! last one was, and which starts it remembers; where that does not decide, the result is `errored`. A container that
//! the kernel ended for want of memory fails whatever `max` is, and so does one that is between two crashes right now.
//!
//! All of these judge the property. A missing container does not. `within` beside the kind's name is another thing: the
//! option of every assertion, how long to keep trying.

use std::time::{Duration, SystemTime};

use clockwork_core::{
    Assertion, AssertionKind, ByteSize, CheckError, Context, Invalid, Resource, Verdict, async_trait,
    duration,
};
use clockwork_drivers::container::{
    ContainerDetails, ContainerInspect, ContainerRef, ContainerStarts, ContainerState, missing,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// A container's restart policy had to start it again at most so often.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ContainerRestartsAssert {
    /// How often it may have been started again.
    #[serde(default)]
    max: u64,
    /// Only restarts in this time before now count, instead of all since it was made or started by hand. (Beside the
    /// kind's name, `within` is how long to keep trying.)
    #[serde(default, with = "clockwork_core::duration::optional")]
    #[schemars(with = "Option<clockwork_core::duration::Schema>")]
    within: Option<Duration>,
    /// Another container than the resource's own: a resource's name, a container's name, or 12 or more digits of its id.
    #[serde(default)]
    container: Option<String>,
}

impl ContainerRestartsAssert {
    /// It was never started again.
    pub fn new() -> Self {
        Self::default()
    }

    /// How often it may have been started again.
    #[must_use]
    pub fn max(mut self, max: u64) -> Self {
        self.max = max;
        self
    }

    /// Only restarts in this time before now count. (How long to keep trying, every kind's option of this name, is set
    /// with `AssertionExt::within(assertion, …)`, or behind another option: `.every(…).within(…)`.)
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = Some(within);
        self
    }

    /// This container: a resource's name, a container's name, or 12 or more digits of its id.
    #[must_use]
    pub fn container(mut self, container: impl Into<String>) -> Self {
        self.container = Some(container.into());
        self
    }

    fn expected(&self) -> String {
        let within =
            self.within.map(|within| format!(" within {}", duration::show(within))).unwrap_or_default();
        match self.max {
            1 => format!("<= 1 restart{within}"),
            max => format!("<= {max} restarts{within}"),
        }
    }

    /// Whether the count since the container was made does not decide: some of the restarts are in the window.
    fn is_open(&self, seen: &ContainerDetails, now: SystemTime) -> bool {
        self.within.is_some_and(|within| {
            seen.restart_count > self.max.max(1) && self.max > 0 && started_within(seen, within, now)
        })
    }

    /// `starts` are those in the window that the engine remembers, where they were asked for.
    fn judge(
        &self,
        seen: &ContainerDetails,
        starts: Option<u64>,
        now: SystemTime,
    ) -> Result<Verdict, CheckError> {
        let count = seen.restart_count;
        let times = |count: u64| if count == 1 { String::from("once") } else { format!("{count} times") };
        let ended = match (seen.state(), seen.state.exit_code) {
            (ContainerState::Running, _) => String::new(),
            (state, code) => format!("; it is {state}, its last exit code was {code}"),
        };
        let verdict = if seen.state.oom_killed {
            let limit = seen.memory_limit().map(|limit| format!(" (limit {})", ByteSize(limit)));
            let again =
                if count > 0 { format!("; it was started again {}", times(count)) } else { String::new() };
            Verdict::failed(format!(
                "the kernel ended a process of it for want of memory{}{again}{ended}",
                limit.unwrap_or_default()
            ))
        } else if seen.state() == ContainerState::Restarting {
            Verdict::failed(format!("is in a crash loop: it was started again {}{ended}", times(count)))
        } else if count <= self.max {
            let said = if count == 0 {
                String::from("was never started again")
            } else {
                format!("was started again {}", times(count))
            };
            Verdict::passed().message(said)
        } else {
            match self.within {
                None => Verdict::failed(format!("was started again {}{ended}", times(count))),
                Some(within) if !started_within(seen, within, now) => Verdict::passed().message(format!(
                    "was started again {} in all, and not within the last {}",
                    times(count),
                    duration::show(within)
                )),
                Some(within) => {
                    let window = duration::show(within);
                    // The last one at least is in the window. The first start of all may be among those remembered.
                    let certain = starts.map_or(1, |starts| starts.min(count).max(1));
                    if certain <= self.max {
                        return Err(CheckError::unobservable(format!(
                            "cannot tell how often it was started again within the last {window}: {} in all, the engine \
                             remembers {certain}",
                            times(count)
                        ))
                        .hint("leave out `within`, or make the container anew"));
                    }
                    let least = if certain < count { "at least " } else { "" };
                    Verdict::failed(format!(
                        "was started again {least}{} within the last {window}, {} in all{ended}",
                        times(certain),
                        times(count)
                    ))
                }
            }
        };
        let actual = if count == 1 { String::from("1 restart") } else { format!("{count} restarts") };
        Ok(verdict
            .expected(self.expected())
            .actual(actual)
            .detail("restart_count", count)
            .detail("oom_killed", seen.state.oom_killed))
    }
}

/// Whether the last start is in the window; one that nobody tells the time of may be.
fn started_within(seen: &ContainerDetails, within: Duration, now: SystemTime) -> bool {
    seen.started_at()
        .is_none_or(|started| now.duration_since(started).is_ok_and(|ago| ago <= within) || started > now)
}

impl AssertionKind for ContainerRestartsAssert {
    const NAME: &'static str = "ContainerRestartsAssert";
}

#[async_trait]
impl Assertion for ContainerRestartsAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        match &self.container {
            Some(container) => format!("{container}, {}", self.expected()),
            None => self.expected(),
        }
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems: Vec<_> =
            ContainerRef::validate(owner, self.container.as_deref(), true).into_iter().collect();
        if self.within.is_some_and(|within| within.is_zero()) {
            problems.push(Invalid::field("within", "is no time at all: leave it out, or give a longer one"));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let container = ContainerRef::required(cx, self.container.as_deref())?;
        let listed = container.listed(cx).await?;
        let gone = || {
            let message = missing(&container.name, &listed.engine);
            Ok(Verdict::unjudged(message).expected(self.expected()).actual("missing"))
        };
        let Some(found) = &listed.found else { return gone() };
        let (engine, id) = (container.engine.clone(), found.id.clone());
        let seen = cx.observe(ContainerInspect { engine: engine.clone(), name: id.clone() }).await?;
        let Some(details) = &*seen else { return gone() };
        let now = cx.now();
        let starts = match self.within {
            Some(within) if self.is_open(details, now) => {
                Some(*cx.observe(ContainerStarts { engine, id, within }).await?)
            }
            _ => None,
        };
        self.judge(details, starts, now)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use serde_json::json;

    use super::*;

    #[test]
    fn restarts_are_counted_and_crashes_are_told() {
        // Started ten minutes before.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_464_000 + 600);
        let seen = |count: u64, state: &str, oom: bool| -> ContainerDetails {
            let state = json!({ "Status": state, "ExitCode": 7, "OOMKilled": oom, "StartedAt": "2026-11-23T20:00:00Z" });
            serde_json::from_value(json!({ "RestartCount": count, "State": state })).unwrap()
        };
        let check = |max| ContainerRestartsAssert::new().max(max);
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        for (check, seen, starts, told) in [
            (check(0), seen(0, "running", false), None, Ok("was never started again")),
            (check(0), seen(1, "running", false), None, Err("was started again once")),
            (check(2), seen(2, "running", false), None, Ok("was started again 2 times")),
            (
                check(2),
                seen(3, "exited", false),
                None,
                Err("was started again 3 times; it is exited, its last exit code was 7"),
            ),
            (
                check(9),
                seen(3, "restarting", false),
                None,
                Err(
                    "is in a crash loop: it was started again 3 times; it is restarting, its last exit code was 7",
                ),
            ),
            (
                check(9),
                seen(0, "running", true),
                None,
                Err("the kernel ended a process of it for want of memory"),
            ),
            (
                check(0).within(minutes(5)),
                seen(3, "running", false),
                None,
                Ok("was started again 3 times in all, and not within the last 5m"),
            ),
            (
                check(0).within(minutes(15)),
                seen(3, "running", false),
                None,
                Err("was started again at least once within the last 15m, 3 times in all"),
            ),
            (
                check(2).within(minutes(15)),
                seen(4, "running", false),
                Some(3),
                Err("was started again at least 3 times within the last 15m, 4 times in all"),
            ),
            (
                check(2).within(minutes(15)),
                seen(4, "running", false),
                Some(9),
                Err("was started again 4 times within the last 15m, 4 times in all"),
            ),
        ] {
            let verdict = check.judge(&seen, starts, now).unwrap();
            let said = if verdict.has_passed() { Ok(verdict.text()) } else { Err(verdict.text()) };
            assert_eq!(said, told);
        }
        let open = check(2).within(minutes(15));
        assert!(
            open.is_open(&seen(4, "running", false), now) && !open.is_open(&seen(2, "running", false), now)
        );
        let error = open.judge(&seen(4, "running", false), Some(1), now).unwrap_err();
        assert!(
            error.to_string().starts_with(
                "cannot tell how often it was started again within the last 15m: 4 times in all"
            )
        );
    }
}
