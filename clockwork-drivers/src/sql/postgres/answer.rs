//! [`question`] and [`Answer`]: what is sent for one statement, and what comes back.
//!
//! A statement runs behind `BEGIN READ ONLY` and its timeout, and before `ROLLBACK`, in one of three ways ([`Way`]). In each the
//! server leaves out everything after the first error, so a statement never runs without the transaction before it, and
//! each takes one statement, not several, so `COMMIT; DELETE …` is refused; a `COMMIT` alone commits nothing, and what
//! follows it is the `ROLLBACK`.
//!
//! Where the statement fails, the `ROLLBACK` is left out, too, and the transaction stays, in which the server refuses
//! whatever comes next. So it is sent once more, and on that connection from then on always, in a batch of its own
//! ([`Way::Careful`]), for which the server has to answer twice.
//!
//! Values come as text, as `psql` shows them, so that there is no type that cannot be read; and no more rows are read than
//! are asked for.

use bytes::{Bytes, BytesMut};
use postgres_protocol::{IsNull, message::frontend};
use serde_json::Value;
use tokio::time::Instant;

use super::{
    message::{self, MESSAGE_LIMIT, Message, ServerError},
    refusal, value,
};
use crate::sql::{
    failure::{FailureKind, Said, SqlFailure},
    statement::{BYTE_LIMIT, Rows, Statement},
};

/// How a statement is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As one text with what goes around it, by the simple protocol: two thirds of the server's work. Only what holds no
    /// semicolon, and so is not several statements; what the server cannot read is asked again, more carefully.
    Plain,
    /// In one batch with it, by the extended protocol, which takes parameters, and limits how many rows the server makes.
    Batch,
    /// The same, but its transaction is ended in a batch of its own, whatever becomes of it.
    Careful,
}

/// The text of a statement that can be sent with others: nothing in it can end it, but for what it ends with.
fn alone(sql: &str) -> Option<&str> {
    let sql = sql.trim_end();
    Some(sql.strip_suffix(';').unwrap_or(sql)).filter(|sql| !sql.contains(';'))
}

impl Way {
    /// The cheapest one. With `is_careful`, a statement on this connection has failed; with `floods`, one brought more rows than
    /// are read.
    pub(super) fn of(statement: &Statement, is_careful: bool, floods: bool) -> Self {
        if is_careful || !statement.read_only {
            Self::Careful
        } else if floods || !statement.params.is_empty() || alone(&statement.sql).is_none() {
            Self::Batch
        } else {
            Self::Plain
        }
    }
}

/// Writes what is sent for a statement.
pub(super) fn question(statement: &Statement, way: Way, out: &mut BytesMut) -> Result<(), SqlFailure> {
    let written = match way {
        Way::Plain => plain(statement, out),
        Way::Batch => batch(statement, out).and_then(|()| one("ROLLBACK", out)).map(|()| frontend::sync(out)),
        Way::Careful => batch(statement, out).map(|()| frontend::sync(out)).and_then(|()| roll_back(out)),
    };
    written.map_err(|error| {
        let error = clockwork_core::text::quote(&error.to_string());
        SqlFailure::new(FailureKind::Statement, format!("the statement cannot be sent: {error}"))
    })
}

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Ends a transaction that a statement has left.
pub(super) fn roll_back(out: &mut BytesMut) -> Result<(), Error> {
    Ok(frontend::query("ROLLBACK", out)?)
}

fn timeout(seconds: u64) -> String {
    format!("SET LOCAL statement_timeout = '{seconds}s'")
}

fn plain(statement: &Statement, out: &mut BytesMut) -> Result<(), Error> {
    let sql = alone(&statement.sql).ok_or("it may be several")?;
    let timeout = statement.patience.map_or_else(String::new, |seconds| timeout(seconds) + "; ");
    // On a line of its own: the statement may end with a comment.
    Ok(frontend::query(&format!("BEGIN READ ONLY; {timeout}{sql}\n; ROLLBACK"), out)?)
}

fn batch(statement: &Statement, out: &mut BytesMut) -> Result<(), Error> {
    one(if statement.read_only { "BEGIN READ ONLY" } else { "BEGIN READ WRITE" }, out)?;
    if let Some(seconds) = statement.patience {
        one(&timeout(seconds), out)?;
    }
    frontend::parse("", &statement.sql, [], out)?;
    frontend::bind("", "", [], &statement.params, param, [], out).map_err(|error| match error {
        frontend::BindError::Conversion(error) => error,
        frontend::BindError::Serialization(error) => error.into(),
    })?;
    frontend::describe(b'P', "", out)?;
    // One more than is taken, so that it is known whether there are more. What is committed is done as a whole.
    let limit = i32::try_from(statement.row_limit).unwrap_or(i32::MAX).saturating_add(1);
    frontend::execute("", if statement.commit { 0 } else { limit }, out)?;
    // In the batch too: where the statement fails, it is left out, and that it fails is told.
    if statement.commit {
        one("COMMIT", out)?;
    }
    Ok(())
}

/// A parameter, as text: the server makes of it what the statement needs.
pub(super) fn param(param: &Value, out: &mut BytesMut) -> Result<IsNull, Error> {
    match param {
        Value::Null => return Ok(IsNull::Yes),
        Value::String(text) => out.extend_from_slice(text.as_bytes()),
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
    Ok(IsNull::No)
}

/// A statement of our own.
fn one(sql: &str, out: &mut BytesMut) -> Result<(), Error> {
    frontend::parse("", sql, [], out)?;
    let no_params: [(); 0] = [];
    let serialise = |(), _: &mut BytesMut| Ok(IsNull::Yes);
    frontend::bind("", "", [], no_params, serialise, [], out).map_err(|_| "cannot be sent")?;
    frontend::execute("", 0, out)?;
    Ok(())
}

/// What a message means for whoever waits.
pub(super) enum Taken {
    /// The answer goes on.
    More,
    /// It is there. What follows is for the connection alone.
    Answered(Result<Rows, SqlFailure>),
    /// The next message belongs to the next answer.
    Over,
    /// It is there, and the next message belongs to the next answer.
    Last(Result<Rows, SqlFailure>),
    /// The same, but the transaction stays; `None` where nothing was done, because one had stayed before, or what was sent
    /// could not be read.
    Failed(Option<SqlFailure>),
    /// It is there, and the server goes on making rows that nobody reads.
    Flooded(Result<Rows, SqlFailure>),
    /// The connection cannot be used any more.
    Unusable(SqlFailure),
}

/// `in_failed_sql_transaction`.
const FAILED_TRANSACTION: &str = "25P02";

fn empty() -> SqlFailure {
    let message = "the statement is empty: there is nothing in it but blanks and comments";
    SqlFailure::new(FailureKind::Statement, message).terminal()
}

/// An answer, as far as it came.
#[derive(Debug)]
pub(super) struct Answer {
    way: Way,
    /// The server refused our own `BEGIN`, as it does in a transaction that has failed, or all that it came with.
    left_out: bool,
    /// How many statements of our own go before the one that is asked, how many there are with it and those behind it, and how
    /// many of all were completed.
    own: usize,
    all: usize,
    completed: usize,
    keep: usize,
    row_limit: u64,
    columns: Vec<(String, u32)>,
    rows: Vec<Vec<Value>>,
    count: u64,
    bytes: usize,
    kept_bytes: usize,
    /// What its completion said of the rows that it wrote, if there was one.
    affected: Option<u64>,
    failure: Option<SqlFailure>,
    began: Instant,
    answered: bool,
}

/// A transaction that was not to be rolled back.
fn stays_open(who: &str) -> Taken {
    let message = format!("{who} broke the protocol: it does not end the transaction");
    Taken::Unusable(SqlFailure::new(FailureKind::Lost, message))
}

/// How many rows a completed statement wrote: `INSERT 0 5`, `UPDATE 3`.
fn affected(tag: &[u8]) -> Option<u64> {
    let tag = std::str::from_utf8(tag).ok()?.trim_end_matches('\0');
    let writes = ["INSERT", "UPDATE", "DELETE", "MERGE", "COPY"];
    let (word, rest) = tag.split_once(' ')?;
    if writes.contains(&word) { rest.rsplit(' ').next()?.parse().ok() } else { None }
}

impl Answer {
    pub(super) fn to(statement: &Statement, way: Way) -> Self {
        let own = 1 + usize::from(statement.patience.is_some());
        // Behind it comes the `COMMIT`, or the `ROLLBACK` where that is not answered by itself.
        let behind = if way == Way::Careful { usize::from(statement.commit) } else { 1 };
        Self {
            own,
            all: own + 1 + behind,
            keep: statement.keep,
            row_limit: u64::from(statement.row_limit),
            ..Self::blank(way)
        }
    }

    /// What [`roll_back`] brings.
    pub(super) fn rolled_back() -> Self {
        Self { answered: true, ..Self::blank(Way::Careful) }
    }

    fn blank(way: Way) -> Self {
        Self {
            way,
            left_out: false,
            own: 0,
            all: 0,
            completed: 0,
            keep: 0,
            row_limit: 0,
            columns: Vec::new(),
            rows: Vec::new(),
            count: 0,
            bytes: 0,
            kept_bytes: 0,
            affected: None,
            failure: None,
            began: Instant::now(),
            answered: false,
        }
    }

    /// More than is read.
    pub(super) fn too_large() -> SqlFailure {
        let limits = format!("{} MiB, {} MiB for one row", BYTE_LIMIT >> 20, MESSAGE_LIMIT >> 20);
        let message = format!("the answer is larger than clockwork reads ({limits})");
        SqlFailure::new(FailureKind::Limit, message).hint("select less: fewer columns, or an aggregate")
    }

    pub(super) fn take(&mut self, message: Message, who: &str, said: &Said) -> Taken {
        let broken = || {
            let message = format!("{who} broke the protocol: a message of its answer cannot be read");
            Taken::Unusable(SqlFailure::new(FailureKind::Lost, message))
        };
        match message.tag {
            b'T' => match message::columns(message.body) {
                Some(columns) => self.columns = columns,
                None => return broken(),
            },
            b'D' => match self.row(message.body) {
                Some(true) if self.way == Way::Plain && self.count > self.row_limit => {
                    return Taken::Flooded(self.finish());
                }
                Some(true) => {}
                Some(false) => return Taken::Unusable(Self::too_large()),
                None => return broken(),
            },
            b'E' => {
                let error = ServerError::read(message.body);
                let failure = refusal::sort(&error, who, said);
                // What is said in farewell is not followed by anything.
                if failure.kind == FailureKind::Lost {
                    return Taken::Unusable(failure);
                }
                let is_ours = self.completed < self.own;
                self.left_out = match self.way {
                    // What is read as a whole fails as a whole, whosever part is wrong.
                    Way::Plain => self.completed == 0,
                    _ => is_ours && failure.code.as_deref() == Some(FAILED_TRANSACTION),
                };
                self.failure.get_or_insert(if is_ours { failure.of_our_own() } else { failure });
            }
            // Completed, or as many rows as were to be made.
            b'C' | b's' => {
                if self.completed == self.own {
                    self.affected = affected(&message.body);
                }
                self.completed += 1;
            }
            // Nothing ran, so that nothing succeeded: a comment swallowed the statement, most often.
            b'I' => {
                self.failure.get_or_insert_with(empty);
            }
            // The server waits for data, and nothing makes it give up.
            b'G' | b'W' => return Taken::Unusable(self.copy()),
            b'H' => {
                self.failure = Some(self.copy());
            }
            b'd' => {
                self.bytes += message.body.len();
                if self.bytes > BYTE_LIMIT {
                    return Taken::Unusable(Self::too_large());
                }
            }
            b'Z' if self.way != Way::Careful => return self.over(message.body.first(), who),
            b'Z' if self.answered => {
                return match message.body.first() {
                    Some(b'I') => Taken::Over,
                    _ => stays_open(who),
                };
            }
            b'Z' => {
                self.answered = true;
                return self.incomplete(who).unwrap_or_else(|| Taken::Answered(self.finish()));
            }
            _ => {}
        }
        Taken::More
    }

    /// What to think of an answer that is over and tells of no failure, though not each statement was completed once.
    fn incomplete(&mut self, who: &str) -> Option<Taken> {
        if self.failure.is_some() || self.completed == self.all {
            return None;
        }
        // An empty one among others is passed over without a word.
        if self.way == Way::Plain && self.completed + 1 == self.all {
            self.failure = Some(empty());
            return None;
        }
        let message = format!("{who} broke the protocol: it ran other statements than it was sent");
        Some(Taken::Unusable(SqlFailure::new(FailureKind::Lost, message)))
    }

    /// Where one answer is all there is, with the state in which it leaves the connection.
    fn over(&mut self, state: Option<&u8>, who: &str) -> Taken {
        if let Some(unusable) = self.incomplete(who) {
            return unusable;
        }
        match (state, self.finish()) {
            (Some(b'I' | b'E'), Err(_)) if self.left_out => Taken::Failed(None),
            (Some(b'I'), reply) => Taken::Last(reply),
            (Some(b'E'), Err(failure)) => Taken::Failed(Some(failure)),
            _ => stays_open(who),
        }
    }

    fn copy(&self) -> SqlFailure {
        SqlFailure::new(FailureKind::Statement, "COPY brings no rows and takes none here; use a query")
    }

    /// `None` for a row that cannot be read, `false` for one too much.
    fn row(&mut self, body: Bytes) -> Option<bool> {
        self.count += 1;
        self.bytes += body.len();
        if self.rows.len() < self.keep && self.count <= self.row_limit {
            self.kept_bytes += body.len();
            let values = message::values(body)?;
            let oids = self.columns.iter().map(|(_, oid)| *oid).chain(std::iter::repeat(0));
            let row = values.into_iter().zip(oids);
            self.rows.push(
                row.map(|(text, oid)| text.map_or(Value::Null, |text| value::json(oid, &text))).collect(),
            );
        }
        Some(self.bytes <= BYTE_LIMIT && self.kept_bytes <= MESSAGE_LIMIT)
    }

    fn finish(&mut self) -> Result<Rows, SqlFailure> {
        match self.failure.take() {
            Some(failure) => Err(failure),
            None => Ok(Rows {
                columns: std::mem::take(&mut self.columns).into_iter().map(|(name, _)| name).collect(),
                rows: std::mem::take(&mut self.rows),
                count: self.count.min(self.row_limit),
                more: self.count > self.row_limit,
                affected: self.affected,
                took: self.began.elapsed(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message((tag, body): (u8, &'static [u8])) -> Message {
        Message { tag, body: Bytes::from_static(body) }
    }

    /// A statement goes behind `BEGIN` and `SET`, and before `ROLLBACK`: each is completed, or nothing is believed.
    #[test]
    fn each_statement_is_completed_once() {
        const DONE: (u8, &[u8]) = (b'C', b"SELECT 1\0");
        const COLUMNS: (u8, &[u8]) = (b'T', b"\0\0");
        const ROW: (u8, &[u8]) = (b'D', b"\0\0");
        const ERROR: (u8, &[u8]) = (b'E', b"C22012\0Mdivision by zero\0\0");
        const REFUSED: (u8, &[u8]) = (b'E', b"C25P02\0Maborted\0\0");
        const SUSPENDED: (u8, &[u8]) = (b's', b"");
        const IDLE: (u8, &[u8]) = (b'Z', b"I");
        const FAILED: (u8, &[u8]) = (b'Z', b"E");
        const OPEN: (u8, &[u8]) = (b'Z', b"T");
        let statement = Statement {
            sql: String::from("SELECT 1"),
            params: Vec::new(),
            read_only: true,
            commit: false,
            keep: 1,
            row_limit: 1,
            patience: Some(5),
        };
        assert_eq!(Way::of(&statement, false, false), Way::Plain);
        for (way, messages, expected) in [
            (Way::Plain, &[DONE, DONE, COLUMNS, ROW, DONE, DONE, IDLE][..], "1 rows"),
            (Way::Plain, &[DONE, DONE, DONE, DONE, IDLE], "0 rows"),
            (Way::Plain, &[DONE, DONE, DONE, IDLE], "failure: the statement is empty"),
            (Way::Plain, &[DONE, DONE, DONE, DONE, DONE, IDLE], "unusable: it ran other statements"),
            (Way::Plain, &[IDLE], "unusable: it ran other statements"),
            (
                Way::Plain,
                &[DONE, DONE, COLUMNS, ROW, DONE, DONE, OPEN],
                "unusable: it does not end the transaction",
            ),
            (Way::Plain, &[ERROR, IDLE], "again"),
            (Way::Plain, &[REFUSED, FAILED], "again"),
            (Way::Plain, &[DONE, ERROR, FAILED], "failed: division by zero"),
            (Way::Plain, &[DONE, DONE, ERROR, FAILED], "failed: division by zero"),
            (Way::Plain, &[DONE, DONE, COLUMNS, ROW, ROW], "flooded: 1 rows"),
            (Way::Batch, &[DONE, DONE, COLUMNS, ROW, DONE, DONE, IDLE], "1 rows"),
            (Way::Batch, &[DONE, DONE, COLUMNS, ROW, ROW, SUSPENDED, DONE, IDLE], "1 rows"),
            (Way::Batch, &[DONE, DONE, IDLE], "unusable: it ran other statements"),
            (Way::Careful, &[DONE, DONE, COLUMNS, ROW, DONE, IDLE], "1 rows"),
            (Way::Careful, &[IDLE], "unusable: it ran other statements"),
        ] {
            let mut answer = Answer::to(&statement, way);
            let said = Said::without(None);
            let taken = messages.iter().map(|each| answer.take(message(*each), "db", &said));
            let told = match taken.last() {
                Some(Taken::Last(Ok(rows)) | Taken::Answered(Ok(rows))) => format!("{} rows", rows.count),
                Some(Taken::Last(Err(failure))) => format!("failure: {}", failure.error.message()),
                Some(Taken::Failed(None)) => String::from("again"),
                Some(Taken::Failed(Some(failure))) => format!("failed: {}", failure.error.message()),
                Some(Taken::Flooded(Ok(rows))) => format!("flooded: {} rows", rows.count),
                Some(Taken::Unusable(failure)) => format!("unusable: {}", failure.error.message()),
                _ => String::from("more"),
            };
            let (kind, words) = expected.split_once(": ").unwrap_or((expected, ""));
            assert!(told.starts_with(kind) && told.contains(words), "{way:?} {messages:?}: {told}");
        }
    }
}
