//! [`Canary`]: a row that is written to the primary, looked for on the replica, and taken away again, whatever happens.
//!
//! The table is made where it is missing, with a comment that says whose it is; and only one that bears it is taken away
//! again, by whoever finds it empty. The row has a name that no other run has. While it is written, a lock of that name is
//! held, and who takes it away waits for that lock: so none is left behind by a commit that was still under way.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use clockwork_core::{Cleaned, Context};
use serde_json::{Value, json};

use crate::sql::{
    Connection,
    failure::{FailureKind, SqlFailure},
    postgres::session::Session,
};

/// How long taking it away may take.
const WITHIN: Duration = Duration::from_secs(10);

/// How often it is tried to make the table while others make and take it away.
const TRIES: usize = 5;

/// Says on a table that it is ours.
const MARK: &str = "made by clockwork for a ReplicationAssert, which takes it away again";

/// Whether the row is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    There,
    NotYet,
}

/// See the module.
pub(super) struct Canary {
    /// The table's name, quoted.
    table: String,
    id: String,
    lock: i64,
    /// Whether there may be something to take away.
    written: Arc<AtomicBool>,
}

impl Canary {
    pub(super) fn new(primary: &Connection, table: &str, cx: &Context) -> Self {
        let random = || RandomState::new().hash_one(std::process::id());
        let (id, lock) = (format!("{:016x}{:016x}", random(), random()), random().cast_signed());
        let written = Arc::new(AtomicBool::new(false));
        let canary = Self { table: table.to_owned(), id, lock, written };
        let gone = Self {
            written: Arc::clone(&canary.written),
            id: canary.id.clone(),
            table: table.to_owned(),
            lock,
        };
        let primary = primary.clone();
        cx.finally(WITHIN, async move |cx: Context| gone.take_away(&primary, &cx).await);
        canary
    }

    /// Makes the table if need be, and the row, up to where it has only to be committed.
    pub(super) async fn prepare(&mut self, session: &mut Session) -> Result<(), SqlFailure> {
        // A replica that a commit waits for must not keep us from saying that it does not answer.
        session.run("SET synchronous_commit = local").await.map_err(SqlFailure::of_our_own)?;
        let mut tried = 0;
        loop {
            match self.write(session).await {
                Ok(()) => return Ok(()),
                Err(failure) => {
                    session.run("ROLLBACK").await?;
                    tried += 1;
                    let others =
                        matches!(failure.code.as_deref(), Some("42P01" | "23505" | "42P07" | "XX000"));
                    if !others || tried == TRIES {
                        return Err(self.understood(failure));
                    }
                }
            }
        }
    }

    async fn write(&self, session: &mut Session) -> Result<(), SqlFailure> {
        let Self { table, id, lock, written } = self;
        session.run(&format!("BEGIN READ WRITE; SELECT pg_advisory_xact_lock({lock})")).await?;
        let found = session.rows("SELECT to_regclass($1)::text", &[Value::from(table.as_str())]).await?;
        if found.first().and_then(|row| row.first()).is_none_or(Option::is_none) {
            written.store(true, Ordering::Release);
            let make = format!(
                "CREATE TABLE {table} (id text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now()); \
                 COMMENT ON TABLE {table} IS '{MARK}'"
            );
            session.run(&make).await?;
        }
        written.store(true, Ordering::Release);
        session.run(&format!("INSERT INTO {table} (id) VALUES ('{id}')")).await
    }

    pub(super) async fn commit(&mut self, session: &mut Session) -> Result<(), SqlFailure> {
        session.run("COMMIT").await
    }

    fn understood(&self, failure: SqlFailure) -> SqlFailure {
        let table = &self.table;
        match failure.kind {
            FailureKind::Forbidden => failure.hint(&format!(
                "`CREATE TABLE {table} (id text PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())`, and let the user \
                 SELECT, INSERT and DELETE there; or use `method: position`, which writes nothing"
            )),
            FailureKind::ReadOnly => SqlFailure::new(
                FailureKind::Busy,
                format!("the primary takes no writes: {}", failure.error.message()),
            ),
            _ => failure,
        }
    }

    /// Whether the row can be seen.
    pub(super) async fn look(&mut self, replica: &mut Session) -> Result<Sight, SqlFailure> {
        let sql = format!("SELECT 1 FROM {} WHERE id = '{}'", self.table, self.id);
        match replica.rows(&sql, &[]).await {
            Ok(rows) if rows.is_empty() => Ok(Sight::NotYet),
            Ok(_) => Ok(Sight::There),
            // The table is not there yet; or replaying changes it right now, and asks whoever reads it to leave.
            Err(failure)
                if failure.kind == FailureKind::NoTable || failure.code.as_deref() == Some("40001") =>
            {
                Ok(Sight::NotYet)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn take_away(self, primary: &Connection, cx: &Context) -> Cleaned {
        if !self.written.load(Ordering::Acquire) {
            return Cleaned::done(Value::Null);
        }
        let opened = match Session::open(primary, cx).await {
            Ok(opened) => opened.map_err(|failure| failure.error),
            Err(error) => Err(error),
        };
        let taken = match opened {
            Ok(mut session) => self.delete(&mut session).await.map_err(|failure| failure.error),
            Err(error) => Err(error),
        };
        match taken {
            Ok(table) => Cleaned::done(json!({ "row": "deleted", "table": table })),
            Err(error) => {
                let message = format!("the row {} may still be in {}: {error}", self.id, self.table);
                Cleaned::failed(message, json!({ "row": self.id }))
            }
        }
    }

    /// Deletes the row, those that runs left behind which were killed, and the table if it is ours and empty. Says what
    /// became of the table.
    async fn delete(&self, session: &mut Session) -> Result<&'static str, SqlFailure> {
        let Self { table, id, lock, .. } = self;
        session
            .run("SET synchronous_commit = local; SET lock_timeout = '5s'; SET statement_timeout = '8s'")
            .await?;
        session.run(&format!("BEGIN READ WRITE; SELECT pg_advisory_xact_lock({lock})")).await?;
        let named = [Value::from(table.as_str())];
        let whose = session
            .rows("SELECT obj_description(to_regclass($1), 'pg_class') FROM (SELECT to_regclass($1)) t(c) WHERE c IS NOT NULL", &named)
            .await?;
        let Some(comment) = whose.into_iter().next().and_then(|row| row.into_iter().next()) else {
            session.run("ROLLBACK").await?;
            return Ok("gone");
        };
        match session
            .run(&format!("DELETE FROM {table} WHERE id = '{id}' OR at < now() - interval '1 hour'; COMMIT"))
            .await
        {
            Ok(()) => {}
            // Whoever found it empty has taken it away in this moment.
            Err(failure) if failure.kind == FailureKind::NoTable => {
                session.run("ROLLBACK").await?;
                return Ok("gone");
            }
            Err(failure) => return Err(failure),
        }
        if comment.as_deref() != Some(MARK) {
            return Ok("kept");
        }
        // Others may be about to write to it: then it stays, and they take it away.
        let locked = format!("BEGIN READ WRITE; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE NOWAIT");
        let dropped = match session.run(&locked).await {
            Ok(()) => match session.rows(&format!("SELECT 1 FROM {table} LIMIT 1"), &[]).await {
                Ok(rows) if rows.is_empty() => {
                    session.run(&format!("DROP TABLE {table}; COMMIT")).await.is_ok()
                }
                _ => false,
            },
            Err(_) => false,
        };
        if dropped {
            return Ok("dropped");
        }
        session.run("ROLLBACK").await?;
        Ok("kept")
    }
}
