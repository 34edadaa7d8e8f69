//! The rows of a query, sorted by a key, in one snapshot.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use clockwork_core::{CheckError, Context};
use rusqlite::types::ValueRef;

use super::{Running, Stop, inspect, open, param, sort};
use crate::sql::{
    Connection, DatabaseEngine,
    compare::{Pump, Sorted, Stopped, Value},
    failure::{FailureKind, SqlFailure},
    name::identifier,
    shown,
};

/// The outer error is ours, the inner one the database's.
pub(in crate::sql) async fn run(
    connection: &Connection,
    sorted: Sorted,
    pump: Pump,
    cx: &Context,
) -> Result<Result<(), Stopped>, CheckError> {
    let path = connection.path.clone().unwrap_or_default();
    cx.phase(format!("waiting for {} to run the query", shown(&path)));
    let stop = Stop::default();
    let handle = Arc::clone(&stop.0);
    let ran = tokio::task::spawn_blocking(move || read(&path, &sorted, pump, &handle)).await;
    drop(stop);
    ran.map_err(|error| CheckError::unobservable("cannot read the database").with_source(error))?
}

fn read(
    path: &Path,
    sorted: &Sorted,
    pump: Pump,
    running: &Mutex<Running>,
) -> Result<Result<(), Stopped>, CheckError> {
    let before = match inspect(path)? {
        Ok(found) => found,
        Err(failure) => return Ok(Err(failure.into())),
    };
    let connection = match open(path, true, before.immutable) {
        Ok(connection) => connection,
        Err(error) => return Ok(Err(sort(path, &error).into())),
    };
    {
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*running, Running::Stopped) {
            return Ok(Ok(()));
        }
        *running = Running::Statement(connection.get_interrupt_handle());
    }
    let answer = answer(&connection, sorted, pump);
    let _ = connection.execute_batch("ROLLBACK");
    if before.immutable && inspect(path)?.is_ok_and(|after| after.differs(&before)) {
        let message = format!("{} changed while it was read", shown(path));
        return Ok(Err(SqlFailure::new(FailureKind::Busy, message).into()));
    }
    Ok(answer.unwrap_or_else(|error| Err(sort(path, &error).into())))
}

/// The outer error is SQLite's.
fn answer(
    connection: &rusqlite::Connection,
    sorted: &Sorted,
    mut pump: Pump,
) -> rusqlite::Result<Result<(), Stopped>> {
    let columns: Vec<String> = connection.prepare(&sorted.sql)?.column_names().map(str::to_owned).collect();
    let places = match sorted.places(&columns) {
        Ok(places) => places,
        Err(stopped) => return Ok(Err(stopped)),
    };
    let name = |place: usize| identifier(DatabaseEngine::Sqlite, &columns[place]);
    let order: Vec<_> = places.into_iter().map(|place| format!("{} COLLATE BINARY", name(place))).collect();
    let width = columns.len();
    if !pump.columns_blocking(columns) {
        return Ok(Ok(()));
    }
    let mut prepared = connection.prepare(&sorted.by(&order))?;
    let mut rows = prepared.query(rusqlite::params_from_iter(sorted.params.iter().map(param)))?;
    while let Some(row) = rows.next()? {
        let values: rusqlite::Result<Vec<_>> =
            (0..width).map(|column| row.get_ref(column).map(value)).collect();
        if !pump.row_blocking(values?) {
            return Ok(Ok(()));
        }
    }
    pump.end_blocking();
    Ok(Ok(()))
}

fn value(theirs: ValueRef<'_>) -> Value {
    match theirs {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::number(&number.to_string()),
        ValueRef::Real(number) => Value::number(&number.to_string()),
        ValueRef::Text(text) => Value::text(text),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.into()),
    }
}
