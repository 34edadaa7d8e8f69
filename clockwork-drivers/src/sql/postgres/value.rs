//! Values as PostgreSQL writes them, in JSON.

use serde_json::{Number, Value};

use crate::sql::number::numeric;

/// A value of the type with this object id. What JSON has no type for stays text, as `psql` shows it.
pub(super) fn json(oid: u32, text: &[u8]) -> Value {
    let text = String::from_utf8_lossy(text);
    let typed = match oid {
        16 => match &*text {
            "t" => Some(Value::Bool(true)),
            "f" => Some(Value::Bool(false)),
            _ => None,
        },
        // int8, int2, int4, oid
        20 | 21 | 23 | 26 => text.parse::<i64>().ok().map(Value::from),
        // float4, float8: infinite ones, and what is no number, stay text
        700 | 701 => text.parse().ok().and_then(Number::from_f64).map(Value::Number),
        1700 => numeric(&text),
        // json, jsonb
        114 | 3802 => serde_json::from_str(&text).ok(),
        _ => None,
    };
    typed.unwrap_or_else(|| Value::String(text.into_owned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_have_the_type_that_they_have_in_the_database() {
        for (oid, text, expected) in [
            (16, "t", json!(true)),
            (20, "9223372036854775807", json!(i64::MAX)),
            (23, "-5", json!(-5)),
            (701, "0.1", json!(0.1)),
            (701, "1e+300", json!(1e300)),
            (701, "NaN", json!("NaN")),
            (701, "-Infinity", json!("-Infinity")),
            (1700, "12.50", json!(12.5)),
            (1700, "100", json!(100)),
            (1700, "-0.000000000000000000001", json!(-1e-21)),
            (1700, "0.12345678901234567", json!("0.12345678901234567")),
            (1700, "12345678901234567890", json!("12345678901234567890")),
            (1700, "NaN", json!("NaN")),
            (25, "5", json!("5")),
            (3802, r#"{"a": [1, null]}"#, json!({ "a": [1, null] })),
            (1184, "2026-01-31 12:00:00+00", json!("2026-01-31 12:00:00+00")),
            (1007, "{1,2}", json!("{1,2}")),
            (23, "x", json!("x")),
        ] {
            assert_eq!(json(oid, text.as_bytes()), expected, "{oid} {text}");
        }
    }
}
