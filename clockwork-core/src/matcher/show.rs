//! A matcher and a value in words, quoted and bounded; and the matcher as data.

use std::fmt;

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::Value;

use super::{Comparison, Matcher, Operator, Type};
use crate::text::{QUOTE_LIMIT, harmless, quote};

/// A value as a message shows it. Strings are quoted, so that "5" and 5 look different.
pub(super) fn show(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Array(_) | Value::Object(_) => {
            let mut start = Bounded { text: String::new(), room: QUOTE_LIMIT };
            // The only error is the one that says that there is no room left.
            if serde_json::to_writer(&mut start, value).is_err() {
                start.text.push('…');
            }
            harmless(&start.text).into_owned()
        }
        plain => plain.to_string(),
    }
}

/// Takes the beginning, so that a value of megabytes costs no more than a small one.
struct Bounded {
    text: String,
    room: usize,
}

impl std::io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        for c in text.chars() {
            if self.room == 0 {
                return Err(std::io::ErrorKind::WriteZero.into());
            }
            self.room -= 1;
            self.text.push(c);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The same, with the word for its type in front, where the type is what differs.
pub(super) fn show_typed(value: &Value) -> String {
    match value {
        Value::Null | Value::Bool(_) => show(value),
        value => format!("the {} {}", type_name(value), show(value)),
    }
}

pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

impl Comparison {
    pub(super) fn symbol(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Greater => "gt",
            Self::GreaterOrEqual => "gte",
            Self::Less => "lt",
            Self::LessOrEqual => "lte",
        }
    }
}

impl Type {
    pub(super) const ALL: [(Self, &'static str); 9] = [
        (Self::Null, "null"),
        (Self::True, "true"),
        (Self::False, "false"),
        (Self::Bool, "bool"),
        (Self::Number, "number"),
        (Self::Integer, "integer"),
        (Self::String, "string"),
        (Self::Array, "array"),
        (Self::Object, "object"),
    ];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(known, _)| *known == self).map_or("", |(_, name)| name)
    }
}

impl Type {
    pub(super) fn noun(self) -> &'static str {
        match self {
            Self::Null | Self::True | Self::False => self.name(),
            Self::Bool => "a bool",
            Self::Number => "a number",
            Self::Integer => "an integer",
            Self::String => "a string",
            Self::Array => "an array",
            Self::Object => "an object",
        }
    }
}

/// `contains "ok"`, `>= 1 and not 3`.
impl fmt::Display for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        join(f, &self.operators, " and ")
    }
}

fn join<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: &[T], between: &str) -> fmt::Result {
    const SHOWN: usize = 8;
    for (index, item) in items.iter().take(SHOWN).enumerate() {
        let between = if index == 0 { "" } else { between };
        write!(f, "{between}{item}")?;
    }
    if items.len() > SHOWN { write!(f, "{between}… ({} in all)", items.len()) } else { Ok(()) }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(value) => f.write_str(&show(value)),
            Self::Not(matcher) if matcher.operators.len() == 1 => write!(f, "not {matcher}"),
            Self::Not(matcher) => write!(f, "not ({matcher})"),
            Self::Compare(comparison, limit) => write!(f, "{} {limit}", comparison.symbol()),
            Self::Between(low, high) => write!(f, "between {low} and {high}"),
            Self::Contains(value) => write!(f, "contains {}", show(value)),
            Self::StartsWith(text) => write!(f, "starts with {}", quote(text)),
            Self::EndsWith(text) => write!(f, "ends with {}", quote(text)),
            Self::Matches(pattern) => write!(f, "matches {}", quote(pattern.as_str())),
            Self::OneOf(values) => {
                f.write_str("one of ")?;
                join(f, &values.iter().map(show).collect::<Vec<_>>(), ", ")
            }
            Self::AllOf(matchers) => {
                f.write_str("all of (")?;
                join(f, matchers, "; ")?;
                f.write_str(")")
            }
            Self::AnyOf(matchers) => {
                f.write_str("any of (")?;
                join(f, matchers, "; ")?;
                f.write_str(")")
            }
            Self::Length(matcher) => write!(f, "length {matcher}"),
            Self::Is(kind) => write!(f, "is {}", kind.name()),
            Self::Semver(requirement) => write!(f, "version {requirement}"),
        }
    }
}

/// As a manifest has it: a plain value where it is one, or the map of operators.
impl Serialize for Matcher {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let [Operator::Equals(value)] = &*self.operators
            && !matches!(value, Value::Array(_) | Value::Object(_))
        {
            return value.serialize(serializer);
        }
        let mut map = serializer.serialize_map(Some(self.operators.len()))?;
        for operator in &self.operators {
            match operator {
                Operator::Equals(value) => map.serialize_entry("equals", value)?,
                Operator::Not(matcher) => map.serialize_entry("not", matcher)?,
                Operator::Compare(comparison, limit) => map.serialize_entry(comparison.name(), limit)?,
                Operator::Between(low, high) => map.serialize_entry("between", &[low, high])?,
                Operator::Contains(value) => map.serialize_entry("contains", value)?,
                Operator::StartsWith(text) => map.serialize_entry("starts_with", text)?,
                Operator::EndsWith(text) => map.serialize_entry("ends_with", text)?,
                Operator::Matches(pattern) => map.serialize_entry("matches", pattern)?,
                Operator::OneOf(values) => map.serialize_entry("one_of", values)?,
                Operator::AllOf(matchers) => map.serialize_entry("all_of", matchers)?,
                Operator::AnyOf(matchers) => map.serialize_entry("any_of", matchers)?,
                Operator::Length(matcher) => map.serialize_entry("length", matcher)?,
                Operator::Is(kind) => map.serialize_entry("is", kind.name())?,
                Operator::Semver(requirement) => map.serialize_entry("semver", &requirement.to_string())?,
            }
        }
        map.end()
    }
}
