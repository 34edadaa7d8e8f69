//! SQLite: the file itself, opened for reading, and never created.
//!
//! A database in WAL mode that nobody has open would get its `-wal` and `-shm` files from us, as the user that we run as.
//! It is read as it lies instead (`immutable`), and read again when it changed meanwhile.

pub(super) mod stream;

use std::{
    fs::Metadata,
    io::Read,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use clockwork_core::{CheckError, Context, text::quote_bytes};
use rusqlite::{ErrorCode, InterruptHandle, OpenFlags, types::ValueRef};
use serde_json::{Number, Value};

use super::{
    Connection,
    failure::{FailureKind, SqlFailure},
    probe::Connected,
    statement::{BYTE_LIMIT, Rows, Statement},
};
use crate::sql::shown;

/// How long a lock is waited for.
const BUSY: Duration = Duration::from_millis(500);

/// How many bytes are kept of one answer.
const KEPT_LIMIT: usize = 16 << 20;

type Looked<T> = Result<Result<T, SqlFailure>, CheckError>;

/// Runs a statement, in a transaction that is rolled back.
pub(super) async fn run(connection: &Connection, statement: &Statement, cx: &Context) -> Looked<Rows> {
    let path = connection.file().unwrap_or(Path::new("")).to_owned();
    cx.phase(format!("waiting for {} to run the statement", shown(&path)));
    let statement = statement.clone();
    let stop = Stop::default();
    let handle = Arc::clone(&stop.0);
    let ran = tokio::task::spawn_blocking(move || ask(&path, &statement, &handle)).await;
    drop(stop);
    ran.map_err(|error| CheckError::unobservable("cannot read the database").with_source(error))?
}

/// Opens the file and reads its first page.
pub(super) async fn connect(connection: &Connection, cx: &Context) -> Looked<Connected> {
    let statement = Statement::new("SELECT count(*) FROM sqlite_master", cx);
    let place = connection.place();
    Ok(run(connection, &statement, cx).await?.map(|_| {
        let product = format!("SQLite {}", rusqlite::version());
        Connected { place, product, tls: None }
    }))
}

/// Ends the statement when whoever asked has gone.
#[derive(Default)]
struct Stop(Arc<Mutex<Running>>);

#[derive(Default)]
enum Running {
    #[default]
    NotYet,
    Statement(InterruptHandle),
    Stopped,
}

impl Drop for Stop {
    fn drop(&mut self) {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Running::Statement(handle) = std::mem::replace(&mut *running, Running::Stopped) {
            handle.interrupt();
        }
    }
}

fn ask(path: &Path, statement: &Statement, running: &Mutex<Running>) -> Looked<Rows> {
    let before = match inspect(path)? {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure)),
    };
    let opened = open(path, statement.read_only, before.immutable);
    let connection = match opened {
        Ok(connection) => connection,
        Err(error) => return Ok(Err(sort(path, &error))),
    };
    {
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*running, Running::Stopped) {
            return Ok(Err(SqlFailure::new(FailureKind::Slow, "the statement was not waited for")));
        }
        *running = Running::Statement(connection.get_interrupt_handle());
    }
    let answer = answer(&connection, statement);
    let answer = match answer {
        Ok(Ok(rows)) if statement.commit => connection.execute_batch("COMMIT").map(|()| Ok(rows)),
        answer => answer,
    };
    // Only what was begun is there to be undone: the statement may have been `COMMIT`.
    let _ = connection.execute_batch("ROLLBACK");
    if before.immutable && statement.read_only && inspect(path)?.is_ok_and(|after| after.differs(&before)) {
        let message = format!("{} changed while it was read", shown(path));
        return Ok(Err(SqlFailure::new(FailureKind::Busy, message)));
    }
    Ok(answer.unwrap_or_else(|error| Err(sort(path, &error))))
}

struct Found {
    metadata: Metadata,
    immutable: bool,
}

impl Found {
    fn differs(&self, other: &Self) -> bool {
        let what = |found: &Self| (found.metadata.len(), found.metadata.modified().ok(), found.immutable);
        what(self) != what(other)
    }
}

/// Whether there is a database in this file, before SQLite is let near it.
fn inspect(path: &Path) -> Looked<Found> {
    let name = shown(path);
    let cannot = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
            Ok(Err(SqlFailure::new(FailureKind::NoDatabase, format!("{name} is missing"))))
        }
        std::io::ErrorKind::PermissionDenied => {
            Err(CheckError::unobservable(format!("no permission to read {name}"))
                .hint("run as a user who may, for example with `sudo`"))
        }
        _ => Err(CheckError::unobservable(format!("cannot read {name}")).with_source(error)),
    };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return cannot(error),
    };
    let no_database = |what: String| {
        let message = format!("{name} is not an SQLite database: {what}");
        Ok(Err(SqlFailure::new(FailureKind::OtherProtocol, message)))
    };
    if !metadata.is_file() {
        return no_database(String::from(if metadata.is_dir() {
            "it is a directory"
        } else {
            "it is no file"
        }));
    }
    let mut head = Vec::new();
    match std::fs::File::open(path).map(|file| file.take(100).read_to_end(&mut head)) {
        Ok(Ok(_)) => {}
        Ok(Err(error)) | Err(error) => return cannot(error),
    }
    // A file without a byte is a database without a table.
    if !head.is_empty() && !head.starts_with(b"SQLite format 3\0") {
        return no_database(format!("it begins with {}", quote_bytes(&head[..head.len().min(16)])));
    }
    let wal = head.get(18) == Some(&2);
    let has_wal = std::fs::metadata(beside(path, "-wal")).is_ok_and(|found| found.len() > 0);
    Ok(Ok(Found { metadata, immutable: wal && !has_wal }))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn open(path: &Path, read_only: bool, immutable: bool) -> rusqlite::Result<rusqlite::Connection> {
    // Without CREATE: not even a database that is attached is made.
    let access = if read_only { OpenFlags::SQLITE_OPEN_READ_ONLY } else { OpenFlags::SQLITE_OPEN_READ_WRITE };
    let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if immutable && read_only {
        let mut uri = String::from("file:");
        for byte in path.as_os_str().as_encoded_bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                    uri.push(char::from(*byte))
                }
                byte => uri.push_str(&format!("%{byte:02X}")),
            }
        }
        rusqlite::Connection::open_with_flags(uri + "?immutable=1", flags | OpenFlags::SQLITE_OPEN_URI)?
    } else {
        rusqlite::Connection::open_with_flags(path, flags)?
    };
    connection.busy_timeout(BUSY)?;
    if read_only {
        connection.execute_batch("PRAGMA query_only = 1")?;
    }
    connection.execute_batch("BEGIN")?;
    Ok(connection)
}

/// The outer error is SQLite's, the inner one our own limit.
fn answer(
    connection: &rusqlite::Connection,
    statement: &Statement,
) -> rusqlite::Result<Result<Rows, SqlFailure>> {
    let began = Instant::now();
    let mut prepared = connection.prepare(&statement.sql)?;
    let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
    let width = prepared.column_count();
    let mut found = prepared.query(rusqlite::params_from_iter(statement.params.iter().map(param)))?;
    let (mut rows, mut count, mut bytes, mut kept_bytes) = (Vec::new(), 0_u64, 0, 0);
    let limit = u64::from(statement.row_limit);
    while let Some(row) = found.next()? {
        count += 1;
        if count > limit {
            break;
        }
        let keep = rows.len() < statement.keep;
        let mut values = Vec::with_capacity(if keep { width } else { 0 });
        for column in 0..width {
            let value = row.get_ref(column)?;
            bytes += size(value);
            if keep {
                kept_bytes += size(value);
                if kept_bytes > KEPT_LIMIT {
                    break;
                }
                values.push(json(value));
            }
        }
        if bytes > BYTE_LIMIT || kept_bytes > KEPT_LIMIT {
            let message = format!("the answer is larger than clockwork reads ({} MiB)", BYTE_LIMIT >> 20);
            let failure = SqlFailure::new(FailureKind::Limit, message);
            return Ok(Err(failure.hint("select less: fewer columns, or an aggregate")));
        }
        if keep {
            rows.push(values);
        }
    }
    let took = began.elapsed();
    drop(found);
    let affected = (!prepared.readonly()).then(|| connection.changes());
    Ok(Ok(Rows { columns, rows, count: count.min(limit), more: count > limit, affected, took }))
}

/// With its type: to SQLite, a number is less than any text. It has no booleans but 0 and 1.
fn param(value: &Value) -> rusqlite::types::Value {
    use rusqlite::types::Value as Param;
    match value {
        Value::Null => Param::Null,
        Value::Bool(value) => Param::Integer(i64::from(*value)),
        Value::String(text) => Param::Text(text.clone()),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Param::Integer(whole),
            (None, Some(real)) => Param::Real(real),
            (None, None) => Param::Text(number.to_string()),
        },
        json => Param::Text(json.to_string()),
    }
}

fn size(value: ValueRef<'_>) -> usize {
    match value {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.len(),
        _ => 8,
    }
}

fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::from(number),
        ValueRef::Real(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        ValueRef::Text(text) => Value::String(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(bytes) => Value::String(bytes.iter().fold(String::from("0x"), |mut hex, byte| {
            hex.push_str(&format!("{byte:02x}"));
            hex
        })),
    }
}

fn sort(path: &Path, error: &rusqlite::Error) -> SqlFailure {
    use FailureKind::{Busy, Limit, NoTable, OtherProtocol, ReadOnly, Slow, Statement};
    let name = shown(path);
    let words = clockwork_core::text::quote(&error.to_string());
    let rusqlite::Error::SqliteFailure(code, _) = error else {
        let kind = if error.to_string().contains("no such table") { NoTable } else { Statement };
        let failure = SqlFailure::new(kind, format!("the database refused the statement: {words}"));
        let wrong =
            matches!(error, rusqlite::Error::MultipleStatement) || error.to_string().contains("syntax error");
        return if wrong { failure.terminal() } else { failure };
    };
    let (kind, message) = match code.code {
        ErrorCode::NotADatabase => (OtherProtocol, format!("{name} is not an SQLite database: {words}")),
        ErrorCode::DatabaseCorrupt => (OtherProtocol, format!("{name} is damaged: {words}")),
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => (Busy, format!("{name} is locked: {words}")),
        ErrorCode::ReadOnly => (ReadOnly, format!("the statement writes, and SQLite refused it: {words}")),
        ErrorCode::OperationInterrupted => (Slow, format!("the statement was broken off: {words}")),
        ErrorCode::CannotOpen => (Limit, format!("cannot open {name} for reading: {words}")),
        _ if error.to_string().contains("no such table") => {
            (NoTable, format!("the database refused the statement: {words}"))
        }
        _ => (Statement, format!("the database refused the statement: {words}")),
    };
    SqlFailure::new(kind, message).code(code.extended_code.to_string())
}
