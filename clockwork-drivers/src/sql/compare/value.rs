//! [`Value`]: a value of any engine, so that those of two engines can be compared: by type, and within a type by what it
//! says and not by how it is written.

use std::fmt;

use clockwork_core::text::quote;
use serde_json::Value as Json;

use super::number::Number;
use crate::sql::number::numeric;

/// A value. Its order is the one in which keys have to come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    /// NULL.
    Null,
    /// A boolean, which only PostgreSQL has.
    Bool(bool),
    /// A number of any type.
    Number(Number),
    /// A text; and what has no type of its own here, as the engine writes it: times in UTC, arrays, JSON.
    Text(Box<str>),
    /// Bytes that are no text.
    Bytes(Box<[u8]>),
}

/// How many bytes of a value are shown.
const SHOWN: usize = 32;

impl Value {
    /// A number; a text, where it is none.
    pub(in crate::sql) fn number(text: &str) -> Self {
        match Number::parse(text) {
            Some(number) => Self::Number(number),
            None => Self::Text(text.into()),
        }
    }

    /// A text; bytes, where it is none.
    pub(in crate::sql) fn text(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.into()),
            Err(_) => Self::Bytes(bytes.into()),
        }
    }

    /// A time: without the zone, which is UTC, and without zeros at the end of the fraction.
    pub(in crate::sql) fn time(text: &str) -> Self {
        let text = text.strip_suffix("+00").unwrap_or(text);
        Self::Text(match text.rsplit_once('.') {
            Some((whole, fraction)) if fraction.bytes().all(|byte| byte.is_ascii_digit()) => {
                match fraction.trim_end_matches('0') {
                    "" => whole.into(),
                    fraction => format!("{whole}.{fraction}").into(),
                }
            }
            _ => text.into(),
        })
    }

    /// What type it is of, in a word.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
        }
    }

    /// Whether it is the same value, or a number that is near enough.
    pub(super) fn is_same(&self, other: &Self, tolerance: Option<&Number>) -> bool {
        match (self, other, tolerance) {
            (Self::Number(one), Self::Number(other), Some(tolerance)) => one.is_near(other, tolerance),
            _ => self == other,
        }
    }

    /// For a report, bounded.
    pub(super) fn json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Number(number) => {
                let text = number.to_string();
                numeric(&text).unwrap_or_else(|| Json::from(short(&text)))
            }
            Self::Text(text) => Json::from(short(text)),
            Self::Bytes(_) => Json::from(self.to_string()),
        }
    }

    /// About how many bytes it holds on to.
    pub(super) fn size(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Null | Self::Bool(_) | Self::Number(Number::Whole(_)) => 0,
                Self::Number(_) => 32,
                Self::Text(text) => text.len(),
                Self::Bytes(bytes) => bytes.len(),
            }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(clockwork_core::text::QUOTE_LIMIT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// As it stands in a message: bounded, texts in quotes.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Number(number) => f.write_str(&short(&number.to_string())),
            Self::Text(text) => f.write_str(&quote(text)),
            Self::Bytes(bytes) => {
                f.write_str("0x")?;
                bytes.iter().take(SHOWN).try_for_each(|byte| write!(f, "{byte:02x}"))?;
                if bytes.len() > SHOWN { write!(f, "… ({} bytes)", bytes.len()) } else { Ok(()) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_equal_by_type_and_by_what_they_say() {
        let bytes = |bytes: &[u8]| Value::Bytes(bytes.into());
        for (one, other, same) in [
            (Value::number("1.0"), Value::number("1.00"), true),
            (Value::number("1"), Value::text(b"1"), false),
            (Value::number("1"), Value::Bool(true), false),
            (Value::Null, Value::Null, true),
            (Value::Null, Value::text(b""), false),
            (Value::Null, Value::number("0"), false),
            (Value::text(b"a"), Value::text(b"a "), false),
            (Value::text(b"a"), bytes(b"a"), false),
            (Value::text(b"\xff"), bytes(b"\xff"), true),
            (Value::time("2026-01-31 12:00:00+00"), Value::time("2026-01-31 12:00:00.000000"), true),
            (Value::time("2026-01-31 12:00:00.5+00"), Value::time("2026-01-31 12:00:00.500000"), true),
            (Value::time("2026-01-31 12:00:00.05"), Value::time("2026-01-31 12:00:00.5"), false),
            (Value::time("2026-01-31"), Value::text(b"2026-01-31"), true),
        ] {
            assert_eq!(one.is_same(&other, None), same, "{one} {other}");
        }
    }

    #[test]
    fn keys_are_equal_however_they_are_written() {
        assert_eq!(Value::number("1.0").cmp(&Value::number("1.000")), std::cmp::Ordering::Equal);
        assert!(Value::number("9") < Value::number("9.5") && Value::number("9.5") < Value::number("10"));
        assert!(Value::number("10") < Value::text(b"1"));
    }

    #[test]
    fn values_are_shown_bounded() {
        assert_eq!(Value::text(b"a\nb").to_string(), r#""a\nb""#);
        assert_eq!(Value::Bytes(Box::from([1, 255])).to_string(), "0x01ff");
        assert!(Value::text(&[b'x'; 5000]).json().to_string().len() < 300);
        assert_eq!(Value::number("12345678901234567890").json(), Json::from("12345678901234567890"));
        assert_eq!(Value::number("12.50").json(), Json::from(12.5));
    }
}
