//! The rows of a query, sorted by a key, in one snapshot.

use clockwork_core::{CheckError, Context};
use mysql_async::{
    Column, Params, Value as Theirs,
    consts::{ColumnFlags, ColumnType},
    prelude::Queryable,
};

use super::{
    open::{self, Opened},
    refusal::Whom,
    value::{param, time},
};
use crate::sql::{
    Connection,
    compare::{Pump, Sorted, Stopped, Value},
    name::identifier,
};

/// The number of the character set that means bytes.
const BINARY: u16 = 63;

/// The outer error is ours, the inner one the database's.
pub(in crate::sql) async fn run(
    connection: &Connection,
    sorted: &Sorted,
    pump: Pump,
    cx: &Context,
) -> Result<Result<(), Stopped>, CheckError> {
    let opened = match open::open(connection, cx).await? {
        Ok(opened) => opened,
        Err(failure) => return Ok(Err(failure.into())),
    };
    cx.phase(format!("waiting for {} to run the query", opened.connected.place));
    Ok(read(opened, connection, sorted, pump).await)
}

async fn read(
    mut opened: Opened,
    connection: &Connection,
    sorted: &Sorted,
    mut pump: Pump,
) -> Result<(), Stopped> {
    let Opened { conn, connected, said, maria } = &mut opened;
    let whom = Whom { place: &connected.place, said };
    let seconds = sorted.patience.unwrap_or(0);
    let limit = match maria {
        true => format!("SET SESSION max_statement_time = {seconds}"),
        false => format!("SET SESSION max_execution_time = {}", seconds * 1000),
    };
    let begin = [
        limit.as_str(),
        "SET SESSION time_zone = '+00:00'",
        "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        "SET SESSION TRANSACTION READ ONLY",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ];
    for own in begin {
        conn.query_drop(own).await.map_err(|error| whom.sort(&error).of_our_own())?;
    }
    let prepared = conn.prep(sorted.sql.as_str()).await.map_err(|error| whom.sort(&error))?;
    let columns = prepared.columns().to_vec();
    conn.close(prepared).await.map_err(|error| whom.sort(&error))?;
    let names: Vec<String> = columns.iter().map(|column| column.name_str().into_owned()).collect();
    let places = sorted.places(&names)?;
    let order: Vec<_> = places
        .into_iter()
        .map(|place| order(&columns[place], &identifier(connection.engine, &names[place])))
        .collect();
    pump.columns(names).await;
    let params: Vec<Theirs> = sorted.params.iter().map(param).collect();
    let params = if params.is_empty() { Params::Empty } else { Params::Positional(params) };
    let mut result = conn.exec_iter(sorted.by(&order), params).await.map_err(|error| whom.sort(&error))?;
    let columns = result.columns_ref().to_vec();
    while let Some(row) = result.next().await.map_err(|error| whom.sort(&error))? {
        let values = row.unwrap_raw().into_iter().zip(&columns);
        pump.row(values.map(|(theirs, column)| value(theirs.unwrap_or(Theirs::NULL), column)).collect())
            .await;
    }
    result.drop_result().await.map_err(|error| whom.sort(&error))?;
    conn.query_drop("ROLLBACK").await.map_err(|error| whom.sort(&error))?;
    pump.end().await;
    Ok(())
}

/// The types that hold bytes or text, by their character set.
fn is_string(column: &Column) -> bool {
    use ColumnType::{
        MYSQL_TYPE_BLOB, MYSQL_TYPE_LONG_BLOB, MYSQL_TYPE_MEDIUM_BLOB, MYSQL_TYPE_STRING,
        MYSQL_TYPE_TINY_BLOB, MYSQL_TYPE_VAR_STRING, MYSQL_TYPE_VARCHAR,
    };
    matches!(
        column.column_type(),
        MYSQL_TYPE_STRING
            | MYSQL_TYPE_VAR_STRING
            | MYSQL_TYPE_VARCHAR
            | MYSQL_TYPE_TINY_BLOB
            | MYSQL_TYPE_BLOB
            | MYSQL_TYPE_MEDIUM_BLOB
            | MYSQL_TYPE_LONG_BLOB
    )
}

fn is_bytes(column: &Column) -> bool {
    use ColumnType::{MYSQL_TYPE_BIT, MYSQL_TYPE_GEOMETRY};
    match column.column_type() {
        MYSQL_TYPE_BIT | MYSQL_TYPE_GEOMETRY => true,
        _ => is_string(column) && column.character_set() == BINARY,
    }
}

fn is_text(column: &Column) -> bool {
    use ColumnType::{MYSQL_TYPE_ENUM, MYSQL_TYPE_JSON, MYSQL_TYPE_SET};
    let named = matches!(column.column_type(), MYSQL_TYPE_ENUM | MYSQL_TYPE_SET | MYSQL_TYPE_JSON)
        || column.flags().intersects(ColumnFlags::ENUM_FLAG | ColumnFlags::SET_FLAG);
    named || is_string(column) && !is_bytes(column)
}

/// What sorts a column as its values are compared here. A collation that ignores case or blanks would not.
fn order(column: &Column, name: &str) -> String {
    match is_text(column) {
        true => format!("CAST(CONVERT({name} USING utf8mb4) AS BINARY)"),
        false => name.to_owned(),
    }
}

fn value(theirs: Theirs, column: &Column) -> Value {
    use ColumnType::{MYSQL_TYPE_DECIMAL, MYSQL_TYPE_NEWDECIMAL};
    match theirs {
        Theirs::NULL => Value::Null,
        Theirs::Int(number) => Value::number(&number.to_string()),
        Theirs::UInt(number) => Value::number(&number.to_string()),
        // By their shortest texts.
        Theirs::Float(number) => Value::number(&number.to_string()),
        Theirs::Double(number) => Value::number(&number.to_string()),
        Theirs::Bytes(bytes) => match column.column_type() {
            MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => {
                std::str::from_utf8(&bytes).map_or_else(|_| Value::text(&bytes), Value::number)
            }
            _ if is_bytes(column) => Value::Bytes(bytes.into()),
            _ => Value::text(&bytes),
        },
        date => time(&date, column).map_or(Value::Null, |text| Value::time(&text)),
    }
}
