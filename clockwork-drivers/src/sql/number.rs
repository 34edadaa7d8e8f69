//! Decimal numbers in JSON, which has less room for them than a database.

use serde_json::{Number, Value};

/// How many significant digits a number of JSON surely keeps.
const DIGITS: usize = 15;

/// A number, if it is one after JSON has had it: of a longer one, it would be equal to its neighbours.
pub(crate) fn numeric(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::from(whole));
    }
    let digits = text.trim_start_matches(['-', '0', '.']).bytes().filter(u8::is_ascii_digit).count();
    let number = if digits <= DIGITS { text.parse().ok().and_then(Number::from_f64) } else { None };
    number.map(Value::Number)
}
