//! [`ReplicationProbe`]: whether one PostgreSQL server follows another, and how far behind it is.
//!
//! Who both are is asked first ([`ServerFacts`]), because a row that is there proves nothing on the wrong server. Then, by
//! `position`, the place in the log that the primary has written when it is asked, and how long the replica takes to have
//! replayed it; or by `canary`, a row that is written to the primary, and how long it takes to be seen on the replica.

#[cfg(feature = "postgres")]
mod canary;
#[cfg(feature = "postgres")]
mod facts;

use std::time::Duration;

use clockwork_core::{CheckError, Context, Probe};
use tokio::time::Instant;

use super::{Connection, DatabaseEngine, failure::SqlFailure, name::TableName};

/// How replication is looked at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReplicationMethod {
    /// By a row that is written to this table, which is made where it is missing, and taken away again.
    Canary {
        /// The table.
        table: String,
    },
    /// By the position in the log, without writing.
    Position,
}

/// Looks at two servers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplicationProbe {
    primary: Connection,
    replica: Connection,
    max_lag: Duration,
    method: ReplicationMethod,
    /// How long there is to look.
    left: Option<Duration>,
}

impl ReplicationProbe {
    /// Waits for at most `max_lag`, or as long as this check has time.
    pub fn new(
        primary: &Connection,
        replica: &Connection,
        max_lag: Duration,
        method: ReplicationMethod,
        cx: &Context,
    ) -> Self {
        let left = cx.deadline().map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            // In whole seconds, as all patience; less some time to say what was seen.
            Duration::from_secs(left.as_secs_f64().round() as u64).saturating_sub(MARGIN)
        });
        Self { primary: primary.clone(), replica: replica.clone(), max_lag, method, left }
    }
}

/// How long before the check's own deadline the look ends.
const MARGIN: Duration = Duration::from_millis(700);

/// What a server says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerFacts {
    /// Who it is, for messages.
    pub place: String,
    /// Whether it replays a log, and takes no writes.
    pub in_recovery: bool,
    /// What tells one cluster from another, which its copies share.
    pub system: String,
    /// When it was started.
    pub started: String,
    /// The timeline that it writes; for a replica the one that it receives, where the user may see that.
    pub timeline: Option<u64>,
    /// The position in the log: what a primary has written, what a replica has replayed.
    pub position: u64,
    /// What a replica has received.
    pub received: Option<u64>,
    /// Whether replaying was paused.
    pub paused: bool,
    /// The process that receives the log, if there is one.
    pub receiver: Option<Receiver>,
    /// How many servers the log is sent to.
    pub senders: u64,
    /// When the last transaction that was replayed had been committed.
    pub replayed_at: Option<String>,
}

/// The process that receives the log. What the user may not see is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receiver {
    /// `streaming`, `waiting`, `starting`…
    pub status: Option<String>,
    /// From whom.
    pub from: Option<String>,
}

impl Receiver {
    /// Whether it surely does not receive.
    pub fn is_idle(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status != "streaming")
    }
}

/// Which of the two servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The one that is written to.
    Primary,
    /// The one that follows.
    Replica,
}

impl Role {
    /// `primary` or `replica`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }
}

/// What was seen of both.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Replication {
    /// What the primary says, after everything else.
    pub primary: ServerFacts,
    /// What the replica says, at the end.
    pub replica: ServerFacts,
    /// How many bytes of the log the replica had still to replay when it was asked first.
    pub behind_bytes: Option<u64>,
    /// How long it took until the replica had what the primary had when it was asked; none, if it did not get there.
    pub caught_up: Option<Duration>,
    /// How long it was waited for.
    pub waited: Duration,
    /// Time ran out before the lag that is allowed had passed.
    pub cut_short: bool,
}

impl Replication {
    /// Whether it is of no use to wait: they are no primary and a replica of it.
    pub fn is_no_pair(&self) -> bool {
        let (primary, replica) = (&self.primary, &self.replica);
        primary.in_recovery || !replica.in_recovery || primary.system != replica.system
    }
}

impl Probe for ReplicationProbe {
    type Observation = Result<Replication, (Role, SqlFailure)>;

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        for connection in [&self.primary, &self.replica] {
            if connection.engine != DatabaseEngine::Postgresql {
                let message =
                    format!("replication of {} cannot be looked at, only of PostgreSQL", connection.engine);
                return Err(CheckError::unobservable(message));
            }
        }
        #[cfg(feature = "postgres")]
        return facts::look(self, cx).await;
        #[cfg(not(feature = "postgres"))]
        Err(super::probe::not_built(DatabaseEngine::Postgresql))
    }

    fn looks_inside(&self) -> bool {
        self.primary.socket().is_none() && self.replica.socket().is_none()
    }

    fn describe(&self) -> String {
        format!("comparing {} with {}", self.replica.place(), self.primary.place())
    }
}

/// The table of a canary, quoted.
///
/// # Errors
/// A sentence that says what is wrong with the name.
pub fn canary_table(name: &str) -> Result<String, String> {
    Ok(TableName::parse(DatabaseEngine::Postgresql, name)?.quoted())
}
