//! [`Fault`]: what serde found wrong, kept in parts until it is known where, so that the message can show what stands
//! there the way it is written, or not at all.

use std::fmt;

use serde::de;

use super::{
    node::{Document, FROM_ENV, Id, Shape},
    scalar::Plain,
};
use crate::{nearest, text::quote};

/// Boxed, because results are passed through many hands.
#[derive(Debug)]
pub(crate) struct Fault(Box<Inner>);

#[derive(Debug)]
struct Inner {
    at: Option<Id>,
    kind: Kind,
    hide: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// Not of this type.
    Type {
        expected: String,
    },
    /// Of the right type, and yet not this. `found`, where it is not the whole node that is meant.
    Value {
        expected: String,
        found: Option<String>,
    },
    Missing(String),
    Unknown {
        name: String,
        known: &'static [&'static str],
    },
    Variant {
        name: String,
        known: &'static [&'static str],
    },
    Duplicate(&'static str),
    Custom(String),
}

impl Kind {
    pub(super) fn is_missing(&self, field: &str) -> bool {
        matches!(self, Self::Missing(missing) if missing == field)
    }

    pub(super) fn is_unknown(&self, field: &str) -> bool {
        matches!(self, Self::Unknown { name, .. } if name == field)
    }
}

impl Fault {
    fn new(kind: Kind) -> Self {
        Self(Box::new(Inner { at: None, kind, hide: false }))
    }

    pub(super) fn at(mut self, id: Id) -> Self {
        self.0.at.get_or_insert(id);
        self
    }

    pub(super) fn hide(mut self) -> Self {
        self.0.hide = true;
        self
    }

    pub(super) fn place(&self) -> Option<Id> {
        self.0.at
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.0.kind
    }

    pub(super) fn is_hidden(&self) -> bool {
        self.0.hide
    }

    pub(super) fn unknown(name: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::Unknown { name: name.to_owned(), known })
    }

    pub(super) fn missing(field: &str) -> Self {
        Self::new(Kind::Missing(field.to_owned()))
    }

    pub(super) fn wrong_type(expected: impl Into<String>) -> Self {
        Self::new(Kind::Type { expected: expected.into() })
    }
}

impl std::error::Error for Fault {}

/// Never shown: [`describe`] knows more.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0.kind)
    }
}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::Custom(message.to_string()))
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::wrong_type(in_words(expected.to_string()))
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match found {
            de::Unexpected::Str(text) => Some(text.to_owned()),
            _ => None,
        };
        Self::new(Kind::Value { expected: in_words(expected.to_string()), found })
    }

    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        let found = Some(format!("{length} elements"));
        Self::new(Kind::Value { expected: in_words(expected.to_string()), found })
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::new(Kind::Variant { name: variant.to_owned(), known })
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::unknown(field, known)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::missing(field)
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(Kind::Duplicate(field))
    }
}

/// serde's names for types, for people.
fn in_words(expected: String) -> String {
    let words = match expected.as_str() {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" | "u128" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a character" => "a single character",
        "path string" | "a borrowed string" => "a string",
        other if other.starts_with("struct ") || other.starts_with("map") => "a map",
        other if other.starts_with("tuple ") || other.starts_with("a tuple") => "a list",
        other if other.starts_with("a nonzero") => "a whole number other than 0",
        _ => return expected,
    };
    words.to_owned()
}

/// A message, and the way out.
pub(super) struct Told {
    pub(super) code: &'static str,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// A fault in words. `owner` is what the fields belong to, and `also` the names that are known beside the type's own.
pub(super) fn describe(fault: &Fault, document: &Document, owner: &str, also: &[&str]) -> Told {
    let at = fault.place().map(|id| document.resolve(id));
    let found = || match at {
        // It may be the secret.
        _ if fault.is_hidden() => "something else".to_owned(),
        Some(id) => found(document, id),
        None => "nothing".to_owned(),
    };
    match fault.kind() {
        Kind::Type { expected } => {
            let help = at.filter(|_| !fault.is_hidden()).and_then(|id| type_help(document, id, expected));
            Told { code: "wrong-type", message: format!("expected {expected}, found {}", found()), help }
        }
        Kind::Value { expected, found: part } => {
            let whole = at.is_some_and(|id| part.as_deref().is_none_or(|part| part == document.text(id)));
            let found = match part {
                Some(part) if !whole && part.ends_with(" elements") => part.clone(),
                Some(part) if !whole => quote(part),
                _ => found(),
            };
            Told { code: "invalid-value", message: format!("expected {expected}, found {found}"), help: None }
        }
        Kind::Missing(field) => {
            Told { code: "missing-field", message: format!("{owner} needs the field `{field}`"), help: None }
        }
        // Its name may be the secret.
        Kind::Unknown { name, known } if fault.is_hidden() => {
            let message = "a secret has the field `env` or `file`, and nothing else".to_owned();
            let help = nearest(name, known.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            Told { code: "unknown-field", message, help }
        }
        Kind::Unknown { name, known } => {
            let known: Vec<_> = known.iter().chain(also).copied().collect();
            let message = format!("{owner} has no field {}", quote(name));
            Told { code: "unknown-field", message, help: suggest(name, &known) }
        }
        Kind::Variant { name, known } => Told {
            code: "invalid-value",
            message: format!("{} is not known here", quote(name)),
            help: suggest(name, known),
        },
        Kind::Duplicate(field) => Told {
            code: "duplicate-key",
            message: format!("the field `{field}` is given twice, under two of its names"),
            help: None,
        },
        Kind::Custom(message) => Told { code: "invalid-value", message: message.clone(), help: None },
    }
}

/// The nearest name; all names, where they are few.
pub(super) fn suggest(name: &str, known: &[&str]) -> Option<String> {
    match nearest(name, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => Some("it has no fields".to_owned()),
        None if known.len() <= 24 => Some(format!("known are `{}`", known.join("`, `"))),
        None => None,
    }
}

/// What stands there, as it is written; not what came from the environment.
pub(super) fn found(document: &Document, id: Id) -> String {
    let entry = document.entry(id);
    let text = document.text(id);
    let (article, shown) = match document.scalar(id) {
        None if entry.shape == Shape::Sequence => return "a list".to_owned(),
        None => return "a map".to_owned(),
        Some(Plain::Null) => return "nothing".to_owned(),
        Some(Plain::Text(_)) => ("the string", quote(text)),
        Some(Plain::Bool(_)) => ("the boolean", text.to_owned()),
        Some(_) => ("the number", text.to_owned()),
    };
    if entry.has(FROM_ENV) {
        return format!("{article} that came from the environment");
    }
    format!("{article} {shown}")
}

fn type_help(document: &Document, id: Id, expected: &str) -> Option<String> {
    let entry = document.entry(id);
    let wants = |word: &str| expected.contains(word);
    let text = document.text(id);
    let shown = !entry.has(FROM_ENV);
    let help = match document.scalar(id)? {
        Plain::Null => "give it a value, or leave it out".to_owned(),
        Plain::Text(text) if wants("true or false") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" => "write `true`".to_owned(),
            "no" | "off" | "n" => "write `false`".to_owned(),
            "true" | "false" => "leave the quotes out".to_owned(),
            _ => return None,
        },
        Plain::Text(text) if wants("number") => match super::scalar::resolve(text) {
            Plain::Unsigned(_) | Plain::Signed(_) | Plain::Float(_) if entry.shape == Shape::Quoted => {
                "leave the quotes out".to_owned()
            }
            _ if text.starts_with('0')
                && text.len() > 1
                && text.bytes().all(|b| b.is_ascii_digit())
                && shown =>
            {
                format!("a number does not begin with 0: write `{}`", text.trim_start_matches('0'))
            }
            _ => return None,
        },
        _ if wants("a list") && shown && entry.shape == Shape::Quoted => format!("write `[{}]`", quote(text)),
        _ if wants("a list") && shown => format!("write `[{}]`", crate::text::harmless(text)),
        Plain::Bool(_) | Plain::Unsigned(_) | Plain::Signed(_) | Plain::Float(_) | Plain::Unbounded
            if wants("string") =>
        {
            "put it in quotes".to_owned()
        }
        _ => return None,
    };
    Some(help)
}
