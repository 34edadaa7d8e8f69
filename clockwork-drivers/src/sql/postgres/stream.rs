//! The rows of a query, sorted by a key, in one snapshot.

use bytes::Bytes;
use clockwork_core::{CheckError, Context};

use super::session::Session;
use crate::sql::{
    Connection,
    compare::{Pump, Sorted, Stopped, Value},
    failure::SqlFailure,
    name::identifier,
};

/// The outer error is ours, the inner one the database's.
pub(in crate::sql) async fn run(
    connection: &Connection,
    sorted: &Sorted,
    pump: Pump,
    cx: &Context,
) -> Result<Result<(), Stopped>, CheckError> {
    let session = match Session::open(connection, cx).await? {
        Ok(session) => session,
        Err(failure) => return Ok(Err(failure.into())),
    };
    cx.phase(format!("waiting for {} to run the query", session.server.place));
    Ok(read(session, connection, sorted, pump).await)
}

async fn read(
    mut session: Session,
    connection: &Connection,
    sorted: &Sorted,
    mut pump: Pump,
) -> Result<(), Stopped> {
    // Whole numbers of digits, and bytes in the form that is read here, whatever the database's own settings are.
    let mut begin = String::from(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL extra_float_digits = 3; \
         SET LOCAL bytea_output = 'hex'; SET LOCAL IntervalStyle = 'postgres'",
    );
    if let Some(seconds) = sorted.patience {
        begin.push_str(&format!("; SET LOCAL statement_timeout = '{seconds}s'"));
    }
    session.run(&begin).await.map_err(SqlFailure::of_our_own)?;
    let described = session.describe(&sorted.sql).await?;
    let (columns, types): (Vec<String>, Vec<u32>) = described.into_iter().unzip();
    let places = sorted.places(&columns)?;
    let order: Vec<_> = places
        .into_iter()
        .map(|place| order(types[place], &identifier(connection.engine, &columns[place])))
        .collect();
    pump.columns(columns).await;
    session.ask(&sorted.by(&order), &sorted.params).await?;
    while let Some(row) = session.next().await? {
        let typed = row.into_iter().zip(types.iter().copied().chain(std::iter::repeat(0)));
        pump.row(typed.map(|(text, oid)| text.map_or(Value::Null, |text| value(oid, &text))).collect()).await;
    }
    session.run("ROLLBACK").await?;
    pump.end().await;
    Ok(())
}

/// What sorts a column of this type as its values are compared here. Where the type's own order is that, an index can
/// serve it.
fn order(oid: u32, column: &str) -> String {
    match oid {
        // Numbers, booleans, bytes, times, uuid.
        16 | 17 | 20 | 21 | 23 | 26 | 700 | 701 | 1700 | 1082 | 1083 | 1114 | 1184 | 2950 => {
            column.to_owned()
        }
        _ => format!("{column}::text COLLATE \"C\""),
    }
}

fn value(oid: u32, text: &Bytes) -> Value {
    let number = |text: &[u8]| std::str::from_utf8(text).map_or_else(|_| Value::text(text), Value::number);
    match oid {
        16 => Value::Bool(&text[..] == b"t"),
        17 => hex(text).map_or_else(|| Value::text(text), |bytes| Value::Bytes(bytes.into())),
        20 | 21 | 23 | 26 | 700 | 701 | 1700 => number(text),
        // date, time, timestamp, timestamptz
        1082 | 1083 | 1114 | 1184 => {
            std::str::from_utf8(text).map_or_else(|_| Value::text(text), Value::time)
        }
        // character(n): blanks at its end are none of the value's.
        1042 => Value::text(without_blanks(text)),
        _ => Value::text(text),
    }
}

/// Without blanks at the end.
fn without_blanks(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|byte| *byte != b' ').map_or(0, |last| last + 1);
    &text[..end]
}

/// The bytes of `\x6869`.
fn hex(text: &[u8]) -> Option<Vec<u8>> {
    let digits = text.strip_prefix(b"\\x")?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pair = |pair: &[u8]| match pair {
        [high, low] => u8::try_from(digit(*high)? * 16 + digit(*low)?).ok(),
        _ => None,
    };
    digits.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_their_type() {
        for (oid, text, expected) in [
            (16, "t", Value::Bool(true)),
            (17, "\\x01ff", Value::Bytes(Box::from([1, 255]))),
            (17, "\\x0", Value::text(b"\\x0")),
            (1700, "1.50", Value::number("1.50")),
            (1700, "NaN", Value::number("NaN")),
            (1184, "2026-01-31 12:00:00.5+00", Value::text(b"2026-01-31 12:00:00.5")),
            (1042, "ab   ", Value::text(b"ab")),
            (1043, "ab ", Value::text(b"ab ")),
            (25, "5", Value::text(b"5")),
        ] {
            assert_eq!(value(oid, &Bytes::copy_from_slice(text.as_bytes())), expected, "{oid} {text}");
        }
    }
}
