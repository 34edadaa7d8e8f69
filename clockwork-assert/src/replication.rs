//! [`ReplicationAssert`]: a replica follows its primary, and is no further behind than it may be. For PostgreSQL's
//! streaming replication, cascades included; other engines and logical replication are `errored` or no replica.
//!
//! `position` (the default) writes nothing. It takes the position in the log that the primary has written when it is asked,
//! and measures how long the replica takes to have replayed it; so a primary that is idle proves as much as a busy one. A
//! replica that receives nothing (no receiver, or one that is not streaming), or whose replaying is paused, is stopped,
//! even if it has everything that there is now. It cannot tell a replica of a copy of the primary that was made without
//! starting a new timeline, as long as that has written no more than the primary.
//!
//! `canary` proves all that: a row of this run's own is written to the primary, and the time is measured until it is there
//! on the replica. It is the one thing in Clockwork's database kinds that writes and commits: `table` (a table of three
//! columns at most, made where it is missing and then taken away again) gets one row, which is deleted whatever becomes of
//! the check, also when it is interrupted. The commit does not wait for replicas (`synchronous_commit = local`). Whose user
//! may not make tables makes the table once by hand, with SELECT, INSERT and DELETE for that user: then it stays.
//!
//! The lag is measured on Clockwork's own clock, from before the row or the position was there: it is never told shorter
//! than it is, and clocks that disagree do not matter. Resolution: some 10 ms.
//!
//! Judged: lagging, stopped, diverged (the replica takes writes itself, is ahead of the primary, or follows another
//! timeline), another cluster. Not judged: a primary that is a replica itself, one server given twice, a server that cannot
//! be asked. A look for which the check's `timeout` leaves less time than `max_lag` is `errored`, unless it passes.
//!
//! `details`: `lag_ms` (how long it took), `behind_bytes` (at the first look, by `position`), `state` (`following`,
//! `lagging`, `stopped`, `diverged`, `foreign`, `no_primary`, `same_server`), `primary_position`, `replica_position`,
//! `replica_received`, `timeline`, `receiver` (`status`, `from`), `last_replayed_at`; and of the canary `cleanup`.

use std::time::Duration;

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, ResourceName, Verdict, async_trait,
    duration::show, text::quote,
};
use clockwork_drivers::sql::{
    Replication, ReplicationMethod as How, ReplicationProbe, ServerFacts, canary_table,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{database, database_ref::DatabaseRef, http_answer::milliseconds};

/// A PostgreSQL replica follows its primary, and is no further behind than it may be.
///
/// ```
/// use std::time::Duration;
///
/// use clockwork_assert::{ReplicationAssert, ReplicationMethod};
/// use clockwork_drivers::ContainerResource;
///
/// let (primary, replica) = (ContainerResource::new("db"), ContainerResource::new("db-replica"));
/// ReplicationAssert::new(&primary, &replica).max_lag(Duration::from_secs(2)).method(ReplicationMethod::Canary);
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplicationAssert {
    /// The server that is written to: a resource with a `connection`, or a connection.
    primary: DatabaseRef,
    /// The server that has to follow it: a resource with a `connection`, or a connection.
    replica: DatabaseRef,
    /// How far behind it may be.
    #[serde(with = "clockwork_core::duration", default = "one_second")]
    #[schemars(with = "clockwork_core::duration::Schema")]
    max_lag: Duration,
    /// `position` compares positions in the log, `canary` writes a row and looks for it.
    #[serde(default)]
    method: ReplicationMethod,
    /// The canary's table, `clockwork_canary` unless given.
    #[serde(default)]
    table: Option<String>,
}

/// How replication is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReplicationMethod {
    /// By the position in the log: writes nothing.
    #[default]
    Position,
    /// By a row that is written, looked for and taken away again.
    Canary,
}

fn one_second() -> Duration {
    Duration::from_secs(1)
}

impl ReplicationAssert {
    /// The second one follows the first one, at most one second behind.
    pub fn new(primary: impl Into<DatabaseRef>, replica: impl Into<DatabaseRef>) -> Self {
        Self {
            primary: primary.into(),
            replica: replica.into(),
            max_lag: one_second(),
            method: ReplicationMethod::Position,
            table: None,
        }
    }

    /// How far behind it may be.
    #[must_use]
    pub fn max_lag(mut self, lag: Duration) -> Self {
        self.max_lag = lag;
        self
    }

    /// How it is looked at.
    #[must_use]
    pub fn method(mut self, method: ReplicationMethod) -> Self {
        self.method = method;
        self
    }

    /// The canary's table.
    #[must_use]
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self
    }

    fn how(&self) -> Result<How, String> {
        Ok(match self.method {
            ReplicationMethod::Position => How::Position,
            ReplicationMethod::Canary => {
                How::Canary { table: canary_table(self.table.as_deref().unwrap_or("clockwork_canary"))? }
            }
        })
    }
}

impl AssertionKind for ReplicationAssert {
    const NAME: &'static str = "ReplicationAssert";
}

#[async_trait]
impl Assertion for ReplicationAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        format!("lag <= {}", show(self.max_lag))
    }

    fn related(&self) -> Vec<ResourceName> {
        [&self.primary, &self.replica].into_iter().filter_map(DatabaseRef::resource).collect()
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = self.primary.problems("primary");
        problems.extend(self.replica.problems("replica"));
        if self.primary == self.replica {
            problems.push(Invalid::field("replica", "is the primary: nothing follows itself"));
        }
        if self.max_lag.is_zero() {
            problems.push(Invalid::field("max_lag", "is 0: nothing is copied in no time"));
        }
        if self.table.is_some() && self.method == ReplicationMethod::Position {
            problems.push(Invalid::field("table", "is for `method: canary`, which alone writes"));
        }
        if let Err(problem) = self.how() {
            problems.push(Invalid::field("table", problem));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let (primary, replica) = (self.primary.connection(cx)?, self.replica.connection(cx)?);
        let how = self.how().map_err(CheckError::unobservable)?;
        let probe = ReplicationProbe::new(&primary, &replica, self.max_lag, how, cx);
        let seen = cx.measure(probe).await?;
        let verdict = match &*seen {
            Ok(seen) => self.judge(seen)?,
            Err((role, failure)) => {
                return Err(database::of_place(&format!("the {}", role.as_str()), failure));
            }
        };
        Ok(verdict.expected(format!("follows, at most {} behind", show(self.max_lag))))
    }
}

/// What became of it, in a word of `details.state`.
enum State {
    Following,
    Lagging,
    Stopped,
    Diverged,
    Foreign,
    NoPrimary,
    SameServer,
}

impl State {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Following => "following",
            Self::Lagging => "lagging",
            Self::Stopped => "stopped",
            Self::Diverged => "diverged",
            Self::Foreign => "foreign",
            Self::NoPrimary => "no_primary",
            Self::SameServer => "same_server",
        }
    }
}

impl ReplicationAssert {
    fn judge(&self, seen: &Replication) -> Result<Verdict, CheckError> {
        let (primary, replica) = (&seen.primary, &seen.replica);
        let lag = seen.caught_up.filter(|lag| *lag <= self.max_lag);
        let proven = lag.is_some() && self.method == ReplicationMethod::Canary;
        let (state, message) = match self.wrong(primary, replica, proven) {
            Some(wrong) => wrong,
            None if lag.is_some() => (State::Following, String::new()),
            None if seen.cut_short => {
                let message = format!(
                    "{} was behind for {}, and the check has no time to wait for {}",
                    self.replica.name(),
                    show(seen.waited),
                    show(self.max_lag)
                );
                return Err(CheckError::unobservable(message)
                    .retryable()
                    .hint("give it a `timeout` that is longer than `max_lag`"));
            }
            None => (State::Lagging, self.lagging(seen)),
        };
        let verdict = match state {
            State::Following => {
                let lag = show(lag.unwrap_or_default());
                let told = match self.method {
                    ReplicationMethod::Canary => format!("the row was there after {lag}"),
                    ReplicationMethod::Position => format!("had what the primary had after {lag}"),
                };
                Verdict::passed().message(told).actual(format!("{lag} behind"))
            }
            State::NoPrimary | State::SameServer => Verdict::unjudged(message).actual(state.as_str()),
            _ => Verdict::failed(message).actual(state.as_str()),
        };
        Ok(with_evidence(verdict.detail("state", state.as_str()), seen))
    }

    /// What keeps the one from following the other, however far it is behind. `proven`: a row of the one has come to the
    /// other, whichever way.
    fn wrong(&self, primary: &ServerFacts, replica: &ServerFacts, proven: bool) -> Option<(State, String)> {
        let (one, other) = (self.primary.name(), self.replica.name());
        let same_cluster = primary.system == replica.system;
        if same_cluster && primary.started == replica.started && primary.in_recovery == replica.in_recovery {
            return Some((State::SameServer, format!("{one} and {other} are one and the same server")));
        }
        if primary.in_recovery {
            let message = format!(
                "{one} is no primary: it is a replica itself; name the server that takes writes as `primary`"
            );
            return Some((State::NoPrimary, message));
        }
        if !same_cluster {
            let message = format!(
                "{other} is not a replica of {one}: it is of another cluster (system identifier {}, and not {})",
                quote(&replica.system),
                quote(&primary.system)
            );
            return Some((State::Foreign, message));
        }
        if !replica.in_recovery {
            let timeline =
                replica.timeline.map_or_else(String::new, |timeline| format!(", on timeline {timeline}"));
            let message = format!(
                "{other} has diverged from {one}: it replays nothing and takes writes itself{timeline}, as one that was promoted"
            );
            return Some((State::Diverged, message));
        }
        if let (Some(written), Some(followed)) = (primary.timeline, replica.timeline)
            && written != followed
        {
            let message = format!(
                "{other} has diverged from {one}: it follows timeline {followed}, and {one} writes timeline {written}"
            );
            return Some((State::Diverged, message));
        }
        if replica.position > primary.position {
            let message = format!(
                "{other} has diverged from {one}: it has replayed {} bytes of log that {one} has never written",
                replica.position - primary.position
            );
            return Some((State::Diverged, message));
        }
        let stopped = |why: String| {
            Some((State::Stopped, format!("replication from {one} to {other} has stopped: {why}")))
        };
        if replica.paused {
            return stopped(String::from(
                "replaying is paused there (`SELECT pg_wal_replay_resume()` goes on)",
            ));
        }
        // A replica may be fed from files.
        if !proven {
            match &replica.receiver {
                None => {
                    return stopped(String::from(
                        "no process receives the log there (the server's log says why)",
                    ));
                }
                Some(receiver) if receiver.is_idle() => {
                    let status = receiver.status.as_deref().unwrap_or_default();
                    return stopped(format!("the process that receives the log is {}", quote(status)));
                }
                Some(_) if primary.senders == 0 => {
                    let message = format!("{other} is not a replica of {one}: {one} sends its log to nobody");
                    return Some((State::Foreign, message));
                }
                Some(_) => {}
            }
        }
        None
    }

    fn lagging(&self, seen: &Replication) -> String {
        let (one, other) = (self.primary.name(), self.replica.name());
        let what = match self.method {
            ReplicationMethod::Canary => "a row that was written",
            ReplicationMethod::Position => "what was written",
        };
        let behind = seen.primary.position.saturating_sub(seen.replica.position);
        match seen.caught_up {
            Some(lag) => {
                format!("{other} is {} behind {one}, at most {} are allowed", show(lag), show(self.max_lag))
            }
            None => format!(
                "{other} is more than {} behind {one}: {what} is not there yet, {behind} bytes of log are still to be replayed",
                show(seen.waited)
            ),
        }
    }
}

/// `16/B374D848`.
fn position(position: u64) -> String {
    format!("{:X}/{:X}", position >> 32, position & 0xffff_ffff)
}

fn with_evidence(verdict: Verdict, seen: &Replication) -> Verdict {
    let (primary, replica) = (&seen.primary, &seen.replica);
    let receiver = replica.receiver.as_ref();
    let receiver = receiver.map_or(Value::Null, |one| json!({ "status": one.status, "from": one.from }));
    verdict
        .detail("lag_ms", seen.caught_up.map(milliseconds))
        .detail("behind_bytes", seen.behind_bytes)
        .detail("primary_position", position(primary.position))
        .detail("replica_position", position(replica.position))
        .detail("replica_received", replica.received.map(position))
        .detail("timeline", primary.timeline)
        .detail("receiver", receiver)
        .detail("last_replayed_at", replica.replayed_at.clone())
}

#[cfg(test)]
#[path = "replication_tests.rs"]
mod tests;
