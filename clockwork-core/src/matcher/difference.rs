//! Equality, and what tells two values apart: the elements that are missing or too many, the keys, the lines.

use std::cmp::Ordering;

use serde_json::{Number, Value};

use super::show::{show, show_typed, type_name};
use crate::text::quote;

/// How many differences a message names.
const SHOWN: usize = 5;

/// How many elements of an array are compared with each other to find those that differ: the work is quadratic.
const ELEMENTS: usize = 500;

/// By value, and exactly: 1 equals 1.0, and 2^53 + 1 does not equal 2^53.
pub(crate) fn compare_numbers(left: &Number, right: &Number) -> Ordering {
    match (integer(left), integer(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => compare_mixed(left, right),
        (None, Some(right)) => compare_mixed(right, left).reverse(),
        (None, None) => {
            let float = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
            // JSON has no NaN.
            float(left).partial_cmp(&float(right)).unwrap_or(Ordering::Less)
        }
    }
}

pub(super) fn integer(number: &Number) -> Option<i128> {
    let whole = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
    // A float without a fraction is an integer too, and up to 2^64 an i128 holds it exactly.
    whole.or_else(|| {
        number.as_f64().filter(|n| n.fract() == 0.0 && n.abs() <= 2_f64.powi(64)).map(|n| n as i128)
    })
}

/// The float has a fraction (and so is below 2^53) or is beyond every integer.
fn compare_mixed(integer: i128, float: &Number) -> Ordering {
    let float = float.as_f64().unwrap_or(f64::NAN);
    (integer as f64).partial_cmp(&float).unwrap_or(Ordering::Less)
}

/// Equal, of one type, numbers by value.
pub(super) fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => compare_numbers(left, right).is_eq(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| equal(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| equal(value, other)))
        }
        (left, right) => left == right,
    }
}

/// What tells `actual` from `expected`, beyond what the message shows already; empty where that is enough.
pub(super) fn difference(expected: &Value, actual: &Value) -> String {
    match (expected, actual) {
        (Value::String(expected), Value::String(actual)) => lines(expected, actual),
        (Value::Array(expected), Value::Array(actual)) => elements(expected, actual),
        (Value::Object(expected), Value::Object(actual)) => {
            let mut told = Vec::new();
            for (key, value) in expected {
                match actual.get(key) {
                    None => told.push(format!("key {} is missing", quote(key))),
                    Some(other) if equal(value, other) => {}
                    Some(other) => told.push(format!(
                        "key {}: expected {}, got {}",
                        quote(key),
                        show_typed(value),
                        show_typed(other)
                    )),
                }
            }
            let extra = actual.keys().filter(|key| !expected.contains_key(*key));
            told.extend(extra.map(|key| format!("key {} is extra", quote(key))));
            listed(told)
        }
        _ => String::new(),
    }
}

fn listed(mut told: Vec<String>) -> String {
    let more = told.len().saturating_sub(SHOWN);
    told.truncate(SHOWN);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told.join("; ")
}

/// The first line that differs; nothing for text of one short line, which the message shows whole.
pub(super) fn lines(expected: &str, actual: &str) -> String {
    let one_short_line = |text: &str| !text.contains('\n') && text.len() <= crate::text::QUOTE_LIMIT;
    if one_short_line(expected) && one_short_line(actual) {
        return String::new();
    }
    // `split`, not `lines`: a line break at the end, or a carriage return, is a difference too.
    let (mut left, mut right) = (expected.split('\n'), actual.split('\n'));
    let (mut told, mut line) = (Vec::new(), 0);
    loop {
        line += 1;
        let text = match (left.next(), right.next()) {
            (None, None) => break,
            (Some(left), Some(right)) if left == right => continue,
            (Some(left), Some(right)) => format!("line {line}: {}", differing(left, right)),
            (Some(left), None) => format!("line {line} is missing: {}", quote(left)),
            (None, Some(right)) => format!("line {line} is extra: {}", quote(right)),
        };
        told.push(text);
    }
    listed(told)
}

/// Two lines that differ, from a little before the place where they do.
fn differing(left: &str, right: &str) -> String {
    let same = left.chars().zip(right.chars()).take_while(|(left, right)| left == right).count();
    let from = if same > 100 { same - 40 } else { 0 };
    let rest = |text: &str| {
        let rest: String = text.chars().skip(from).collect();
        format!("{}{}", if from > 0 { "…" } else { "" }, quote(&rest))
    };
    let column = if from > 0 { format!(", from column {}", same + 1) } else { String::new() };
    format!("expected {}, got {}{column}", rest(left), rest(right))
}

fn elements(expected: &[Value], actual: &[Value]) -> String {
    if expected.len().max(actual.len()) > ELEMENTS {
        let index = expected.iter().zip(actual).position(|(left, right)| !equal(left, right));
        let index = index.unwrap_or(expected.len().min(actual.len()));
        let at = |values: &[Value]| values.get(index).map_or_else(|| "nothing".to_owned(), show);
        return format!(
            "{} elements against {}; at index {index} expected {}, got {}",
            expected.len(),
            actual.len(),
            at(expected),
            at(actual)
        );
    }
    let mut extra: Vec<&Value> = actual.iter().collect();
    let mut missing = Vec::new();
    for value in expected {
        match extra.iter().position(|other| equal(value, other)) {
            Some(index) => drop(extra.remove(index)),
            None => missing.push(show(value)),
        }
    }
    let extra: Vec<_> = extra.into_iter().map(show).collect();
    let told = |what: &str, values: Vec<String>| {
        if values.is_empty() { None } else { Some(format!("{what} {}", listed(values).replace("; ", ", "))) }
    };
    match (told("missing", missing), told("extra", extra)) {
        (None, None) => String::from("the same elements in another order"),
        (missing, extra) => missing.into_iter().chain(extra).collect::<Vec<_>>().join("; "),
    }
}

/// Why values of different types are not equal.
pub(super) fn types_differ(expected: &Value, actual: &str) -> Option<String> {
    let expected = type_name(expected);
    let article = |word: &str| if word.starts_with(['a', 'o']) { "an" } else { "a" };
    let (one, other) = (article(actual), article(expected));
    (expected != actual).then(|| format!("{one} {actual} never equals {other} {expected}"))
}
