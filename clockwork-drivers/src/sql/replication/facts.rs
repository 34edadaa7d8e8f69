//! What both servers say of themselves, and how long the replica takes to get where the primary was.

use std::time::Duration;

use clockwork_core::{CheckError, Context};
use tokio::time::{Instant, sleep};

use super::{
    Receiver, Replication, ReplicationMethod, ReplicationProbe, Role, ServerFacts,
    canary::{Canary, Sight},
};
use crate::sql::{
    Connection,
    both::both,
    failure::{FailureKind, SqlFailure},
    postgres::session::Session,
};

/// How often the replica is asked.
const EVERY: Duration = Duration::from_millis(10);

/// As text, what a server says of itself, whichever of the two it is.
const FACTS: &str = "\
SELECT pg_is_in_recovery()::text, (SELECT system_identifier::text FROM pg_control_system()), \
pg_postmaster_start_time()::text, \
CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END::text, \
CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() END::text, \
CASE WHEN pg_is_in_recovery() THEN pg_is_wal_replay_paused() END::text, \
CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_walfile_name(pg_current_wal_flush_lsn()) END, \
receiver.pid::text, receiver.status, receiver.sender_host, receiver.sender_port::text, receiver.received_tli::text, \
(SELECT count(*) FROM pg_stat_replication)::text, pg_last_xact_replay_timestamp()::text \
FROM (SELECT 1) AS one LEFT JOIN pg_stat_wal_receiver AS receiver ON true";

/// A position in the log: `16/B374D848`.
fn position(text: &str) -> Option<u64> {
    let (high, low) = text.split_once('/')?;
    let (high, low) = (u64::from_str_radix(high, 16).ok()?, u64::from_str_radix(low, 16).ok()?);
    Some((high << 32) | low)
}

/// One of the two servers, over a connection of its own.
struct Server {
    role: Role,
    session: Session,
}

type Seen<T> = Result<T, (Role, SqlFailure)>;

impl Server {
    async fn open(
        role: Role,
        connection: &Connection,
        patience: u64,
        cx: &Context,
    ) -> Result<Seen<Self>, CheckError> {
        let mut session = match Session::open(connection, cx).await? {
            Ok(session) => session,
            Err(failure) => return Ok(Err((role, failure))),
        };
        let limits = format!("SET statement_timeout = '{patience}s'; SET lock_timeout = '{patience}s'");
        let limited = session.run(&limits).await.map_err(SqlFailure::of_our_own);
        Ok(limited.map(|()| Self { role, session }).map_err(|failure| (role, failure)))
    }

    async fn facts(&mut self) -> Seen<ServerFacts> {
        let rows = self.session.rows(FACTS, &[]).await;
        let rows = rows.map_err(|failure| (self.role, understood(failure)))?;
        let row = rows.into_iter().next().unwrap_or_default();
        let text = |at: usize| row.get(at).cloned().flatten();
        let place = self.session.server.place.clone();
        let missing = || {
            let message = format!("{place} does not say what it replicates");
            (self.role, SqlFailure::new(FailureKind::Limit, message))
        };
        let in_recovery = text(0).ok_or_else(missing)? == "true";
        let receiver = text(7).map(|_| {
            let from = text(9).filter(|host| !host.is_empty());
            let from = from.map(|host| format!("{host}:{}", text(10).unwrap_or_default()));
            Receiver { status: text(8), from }
        });
        let written = text(6).and_then(|file| u64::from_str_radix(file.get(..8)?, 16).ok());
        Ok(ServerFacts {
            in_recovery,
            system: text(1).ok_or_else(missing)?,
            started: text(2).unwrap_or_default(),
            // A replica that has replayed nothing yet has no position.
            position: text(3).and_then(|text| position(&text)).unwrap_or(0),
            received: text(4).and_then(|text| position(&text)),
            paused: text(5).as_deref() == Some("true"),
            timeline: written.or_else(|| text(11)?.parse().ok()),
            receiver,
            senders: text(12).and_then(|text| text.parse().ok()).unwrap_or(0),
            replayed_at: text(13),
            place,
        })
    }

    async fn replayed(&mut self) -> Seen<u64> {
        let rows = self.session.rows("SELECT pg_last_wal_replay_lsn()::text", &[]).await;
        let rows = rows.map_err(|failure| (self.role, failure))?;
        let text = rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten();
        Ok(text.and_then(|text| position(&text)).unwrap_or(0))
    }
}

fn understood(failure: SqlFailure) -> SqlFailure {
    match failure.kind {
        FailureKind::Forbidden => failure.hint("a role with pg_monitor may"),
        // A server that was promoted while it was asked, or is older than what is asked for.
        FailureKind::Statement => failure.of_our_own(),
        _ => failure,
    }
}

pub(super) async fn look(probe: &ReplicationProbe, cx: &Context) -> Result<Seen<Replication>, CheckError> {
    let began = Instant::now();
    let patience = probe.left.map_or(60, |left| left.as_secs().max(1));
    let open = |role, connection| Box::pin(Server::open(role, connection, patience, cx));
    let (primary, replica) = both(
        (probe.primary.place(), open(Role::Primary, &probe.primary)),
        (probe.replica.place(), open(Role::Replica, &probe.replica)),
        cx,
    )
    .await;
    let (mut primary, mut replica) = match (primary?, replica?) {
        (Ok(primary), Ok(replica)) => (primary, replica),
        (Err(failed), _) | (_, Err(failed)) => return Ok(Err(failed)),
    };
    let left = probe.left.unwrap_or(Duration::MAX).saturating_sub(began.elapsed());
    Ok(compare(probe, left, &mut primary, &mut replica, cx).await)
}

async fn compare(
    probe: &ReplicationProbe,
    left: Duration,
    primary: &mut Server,
    replica: &mut Server,
    cx: &Context,
) -> Seen<Replication> {
    cx.phase("asking both who they are");
    let mut seen = Replication {
        primary: primary.facts().await?,
        replica: replica.facts().await?,
        ..Replication::default()
    };
    if seen.is_no_pair() {
        return Ok(seen);
    }
    let patience = probe.max_lag.min(left);
    // Counted from before what is waited for was there, so that it is never told shorter than it was.
    let (began, mut canary) = match &probe.method {
        ReplicationMethod::Position => (Instant::now(), None),
        ReplicationMethod::Canary { table } => {
            cx.phase("writing a row to the primary");
            let mut canary = Canary::new(&probe.primary, table, cx);
            canary.prepare(&mut primary.session).await.map_err(|failure| (Role::Primary, failure))?;
            let began = Instant::now();
            canary.commit(&mut primary.session).await.map_err(|failure| (Role::Primary, failure))?;
            (began, Some(canary))
        }
    };
    let goal = match canary {
        None => primary.facts().await?.position,
        Some(_) => 0,
    };
    cx.phase("waiting for the replica to have what the primary has");
    loop {
        let there = match &mut canary {
            Some(canary) => {
                let sight =
                    canary.look(&mut replica.session).await.map_err(|failure| (Role::Replica, failure))?;
                sight == Sight::There
            }
            None => {
                let replayed = replica.replayed().await?;
                seen.behind_bytes.get_or_insert(goal.saturating_sub(replayed));
                replayed >= goal
            }
        };
        seen.waited = began.elapsed();
        if there {
            seen.caught_up = Some(seen.waited);
            break;
        }
        if seen.waited > patience {
            break;
        }
        sleep(EVERY).await;
    }
    seen.cut_short = seen.caught_up.is_none() && seen.waited <= probe.max_lag;
    // The replica before the primary: then nothing that it has can be newer.
    seen.replica = replica.facts().await?;
    seen.primary = primary.facts().await?;
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_numbers() {
        assert_eq!(position("16/B374D848"), Some(0x16_B374_D848));
        assert_eq!(position("0/0"), Some(0));
        assert_eq!(position("x/0"), None);
        assert_eq!(position(""), None);
    }
}
