//! MySQL and MariaDB, through `mysql_async`.
//!
//! One connection serves all checks of a run, one after the other. Whoever waits for long behind another gets one of its
//! own. A connection on which a statement was left half-way is never used again.

mod open;
mod refusal;
mod value;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clockwork_core::{CheckError, Context, Probe, Vantage};
use mysql_async::{Conn, Params, Value, prelude::Queryable};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout},
};

use self::{open::Opened, refusal::Whom};
use super::{
    Connection,
    failure::{FailureKind, SqlFailure},
    probe::Connected,
    statement::{BYTE_LIMIT, Rows, Statement},
};

/// How long whoever asks waits behind others before a connection is made for them.
const PATIENCE: Duration = Duration::from_millis(200);

/// How many connections beside the first a run makes at most for those who waited for long.
const MORE: usize = 7;

/// How many bytes are kept of one answer.
const KEPT_LIMIT: usize = 16 << 20;

/// The connections of one run.
#[derive(Default)]
struct Desks(Mutex<HashMap<(Vantage, Connection), Arc<Desk>>>);

/// Where one database is asked.
struct Desk {
    /// The connection at rest.
    resting: Mutex<Option<Opened>>,
    turn: Semaphore,
    more: Semaphore,
    /// How many connections there ever were.
    ever: Mutex<usize>,
}

impl Default for Desk {
    fn default() -> Self {
        let (turn, more) = (Semaphore::new(1), Semaphore::new(MORE));
        Self { resting: Mutex::default(), turn, more, ever: Mutex::default() }
    }
}

impl Desk {
    fn of(connection: &Connection, cx: &Context) -> Arc<Self> {
        let desks = cx.shared::<Desks>();
        let mut desks = desks.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(desks.entry((cx.vantage().clone(), connection.clone())).or_default())
    }

    fn take(&self) -> Option<Opened> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn put(&self, opened: Opened) {
        let older = self.resting.lock().unwrap_or_else(PoisonError::into_inner).replace(opened);
        drop(older); // after the lock is released
    }

    fn ever(&self) -> usize {
        *self.ever.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The right to ask; `None` where it did not come in time.
    async fn turn<'a>(&self, turns: &'a Semaphore, patience: Duration) -> Option<SemaphorePermit<'a>> {
        timeout(patience, turns.acquire()).await.ok()?.ok()
    }
}

/// Opens a connection and lets it rest. Equal ones of a round share the outcome.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Open {
    connection: Connection,
    nth: usize,
}

impl Probe for Open {
    type Observation = Result<Connected, SqlFailure>;

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let opened = match open::open(&self.connection, cx).await? {
            Ok(opened) => opened,
            Err(failure) => return Ok(Err(failure)),
        };
        let connected = opened.connected.clone();
        let desk = Desk::of(&self.connection, cx);
        *desk.ever.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        desk.put(opened);
        Ok(Ok(connected))
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        format!("connecting to {}", self.connection.place())
    }
}

/// Makes a new connection, and says who is there.
pub(super) async fn connect(
    connection: &Connection,
    cx: &Context,
) -> Result<Result<Connected, SqlFailure>, CheckError> {
    cx.phase(format!("waiting for it to let user {} in", clockwork_core::text::quote(connection.user())));
    let open = Open { connection: connection.clone(), nth: 0 };
    Ok((*cx.observe(open).await?).clone())
}

/// Runs a statement: over the shared connection, or over one of its own.
pub(super) async fn run(
    connection: &Connection,
    statement: &Statement,
    alone: bool,
    cx: &Context,
) -> Result<Result<Rows, SqlFailure>, CheckError> {
    if alone {
        return run_alone(connection, statement, cx).await;
    }
    let desk = Desk::of(connection, cx);
    cx.phase(format!("waiting for a connection to {}", connection.place()));
    let Some(_turn) = desk.turn(&desk.turn, PATIENCE).await else {
        let more = desk.turn(&desk.more, Duration::MAX).await;
        let answer = run_alone(connection, statement, cx).await;
        drop(more);
        return answer;
    };
    let mut lost_before = false;
    loop {
        let mut opened = match desk.take() {
            Some(opened) => opened,
            None => {
                let open = Open { connection: connection.clone(), nth: desk.ever() };
                if let Err(failure) = &*cx.observe(open).await? {
                    return Ok(Err(failure.clone()));
                }
                match desk.take() {
                    Some(opened) => opened,
                    None => return run_alone(connection, statement, cx).await,
                }
            }
        };
        cx.phase(format!("waiting for {} to run the statement", opened.connected.place));
        match ask(&mut opened, statement).await {
            Err(failure) if failure.kind == FailureKind::Lost && !lost_before => lost_before = true,
            Err(failure) if failure.kind == FailureKind::Lost => return Ok(Err(failure)),
            answer => {
                if leaves_nothing(&statement.sql) {
                    desk.put(opened);
                }
                return Ok(answer);
            }
        }
    }
}

async fn run_alone(
    connection: &Connection,
    statement: &Statement,
    cx: &Context,
) -> Result<Result<Rows, SqlFailure>, CheckError> {
    let mut opened = match open::open(connection, cx).await? {
        Ok(opened) => opened,
        Err(failure) => return Ok(Err(failure)),
    };
    cx.phase(format!("waiting for {} to run the statement", opened.connected.place));
    Ok(ask(&mut opened, statement).await)
}

/// Whether a statement surely leaves the session as it was. `USE` and `SET` are not rolled back, and would mean something
/// to whoever asks next.
fn leaves_nothing(sql: &str) -> bool {
    let word =
        sql.trim_start_matches(|c: char| c.is_whitespace() || c == '(').split(|c: char| !c.is_alphabetic());
    let word = word.into_iter().next().unwrap_or_default();
    ["select", "with", "show", "explain", "describe", "values"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

/// One statement in a transaction of its own. It is prepared, and so one, not several.
async fn ask(opened: &mut Opened, statement: &Statement) -> Result<Rows, SqlFailure> {
    let Opened { conn, connected, said, maria } = opened;
    let whom = Whom { place: &connected.place, said };
    let limits = limits(statement, *maria);
    let mode = if statement.read_only { "READ ONLY" } else { "READ WRITE" };
    // CREATE, ALTER and DROP end the transaction before they begin: what follows it has to be held to reading too.
    let session = format!("SET SESSION TRANSACTION {mode}");
    for own in [limits, session, format!("START TRANSACTION {mode}")] {
        conn.query_drop(own).await.map_err(|error| whom.sort(&error).of_our_own())?;
    }
    let answer = answer(conn, statement).await;
    let rolled_back = conn.query_drop("ROLLBACK").await;
    match (answer, rolled_back) {
        (Ok(rows), Ok(())) => rows,
        (Err(error), _) => Err(whom.sort(&error)),
        // The connection ended behind the answer, which nobody knows how to leave.
        (Ok(_), Err(error)) => Err(whom.sort(&error)),
    }
}

/// The server ends a statement that takes too long, and makes no more rows than are read.
fn limits(statement: &Statement, maria: bool) -> String {
    let rows = u64::from(statement.row_limit) + 1;
    let seconds = statement.patience.unwrap_or(0);
    match maria {
        true => format!("SET SESSION sql_select_limit = {rows}, max_statement_time = {seconds}"),
        false => format!("SET SESSION sql_select_limit = {rows}, max_execution_time = {}", seconds * 1000),
    }
}

/// Whether all lines are comments, which MariaDB runs as if they were something. Comments in `/*` may be statements.
fn is_comment(sql: &str) -> bool {
    sql.lines()
        .map(str::trim)
        .all(|line| line.is_empty() || line.starts_with('#') || line == "--" || line.starts_with("-- "))
}

/// The outer error is the connection's or the statement's, the inner one our own limit.
async fn answer(conn: &mut Conn, statement: &Statement) -> mysql_async::Result<Result<Rows, SqlFailure>> {
    if is_comment(&statement.sql) {
        let message = "the statement is empty: there is nothing in it but blanks and comments";
        return Ok(Err(SqlFailure::new(FailureKind::Statement, message).terminal()));
    }
    let params: Vec<Value> = statement.params.iter().map(value::param).collect();
    let params = if params.is_empty() { Params::Empty } else { Params::Positional(params) };
    let began = Instant::now();
    let mut result = conn.exec_iter(statement.sql.as_str(), params).await?;
    let columns = result.columns_ref().to_vec();
    let (mut rows, mut count, mut bytes, mut kept_bytes) = (Vec::new(), 0_u64, 0, 0);
    let limit = u64::from(statement.row_limit);
    let mut too_large = false;
    while let Some(row) = result.next().await? {
        count += 1;
        let size: usize = (0..row.len()).map(|column| row.as_ref(column).map_or(0, value::size)).sum();
        bytes += size;
        if rows.len() < statement.keep && count <= limit {
            kept_bytes += size;
            let values = row.unwrap_raw().into_iter().zip(&columns);
            rows.push(
                values.map(|(value, column)| value::json(value.unwrap_or(Value::NULL), column)).collect(),
            );
        }
        // The rest is read and thrown away; the server's own limits end it.
        if bytes > BYTE_LIMIT || kept_bytes > KEPT_LIMIT {
            too_large = true;
            break;
        }
    }
    let took = began.elapsed();
    result.drop_result().await?;
    if too_large {
        let message = format!("the answer is larger than clockwork reads ({} MiB)", BYTE_LIMIT >> 20);
        let failure = SqlFailure::new(FailureKind::Limit, message);
        return Ok(Err(failure.hint("select less: fewer columns, or an aggregate")));
    }
    let columns = columns.iter().map(|column| column.name_str().into_owned()).collect();
    Ok(Ok(Rows { columns, rows, count: count.min(limit), more: count > limit, took }))
}
