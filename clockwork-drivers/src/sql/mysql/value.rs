//! Values as MySQL has them, in JSON.

use std::fmt::Write;

use mysql_async::{
    Column, Value,
    consts::ColumnType::{MYSQL_TYPE_DECIMAL, MYSQL_TYPE_JSON, MYSQL_TYPE_NEWDECIMAL},
};
use serde_json::{Number, Value as Json};

use crate::sql::number::numeric;

/// How many bytes a value takes, about.
pub(super) fn size(value: &Value) -> usize {
    match value {
        Value::Bytes(bytes) => bytes.len(),
        _ => 8,
    }
}

/// A parameter. MySQL has no booleans: as a text, `true` would be the number 0.
pub(super) fn param(value: &Json) -> Value {
    match value {
        Json::Null => Value::NULL,
        Json::Bool(value) => Value::Int(i64::from(*value)),
        Json::String(text) => Value::Bytes(text.clone().into_bytes()),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(whole)) => Value::UInt(whole),
            // A text, of which the server makes a decimal number without losing a digit.
            (None, None) => Value::Bytes(number.to_string().into_bytes()),
        },
        json => Value::Bytes(json.to_string().into_bytes()),
    }
}

/// A column's value. What JSON has no type for is text; bytes that are none are written as `0x…`.
pub(super) fn json(value: Value, column: &Column) -> Json {
    match value {
        Value::NULL => Json::Null,
        Value::Int(number) => Json::from(number),
        Value::UInt(number) => Json::from(number),
        // Through its shortest text: as a double it would show digits that it does not have.
        Value::Float(number) => {
            number.to_string().parse().ok().and_then(Number::from_f64).map_or(Json::Null, Json::Number)
        }
        Value::Double(number) => Number::from_f64(number).map_or(Json::Null, Json::Number),
        Value::Bytes(bytes) => text(bytes, column),
        date => time(&date, column).map_or(Json::Null, Json::String),
    }
}

/// A date, a time of day, or both, as the server writes them.
pub(super) fn time(value: &Value, column: &Column) -> Option<String> {
    Some(match *value {
        Value::Date(year, month, day, 0, 0, 0, 0) if !has_time(column) => {
            format!("{year:04}-{month:02}-{day:02}")
        }
        Value::Date(year, month, day, hour, minute, second, micro) => {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{}", fraction(micro))
        }
        Value::Time(negative, days, hours, minutes, seconds, micro) => format!(
            "{}{:02}:{minutes:02}:{seconds:02}{}",
            if negative { "-" } else { "" },
            days * 24 + u32::from(hours),
            fraction(micro)
        ),
        _ => return None,
    })
}

fn has_time(column: &Column) -> bool {
    column.column_type() != mysql_async::consts::ColumnType::MYSQL_TYPE_DATE
}

fn fraction(micro: u32) -> String {
    if micro == 0 { String::new() } else { format!(".{micro:06}") }
}

fn text(bytes: Vec<u8>, column: &Column) -> Json {
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let mut hex = String::from("0x");
            for byte in error.as_bytes() {
                let _ = write!(hex, "{byte:02x}"); // a String takes everything
            }
            return Json::String(hex);
        }
    };
    let typed = match column.column_type() {
        MYSQL_TYPE_DECIMAL | MYSQL_TYPE_NEWDECIMAL => numeric(&text),
        MYSQL_TYPE_JSON => serde_json::from_str(&text).ok(),
        _ => None,
    };
    typed.unwrap_or(Json::String(text))
}
