//! Judging a value: it holds, it does not, or the question does not fit.

use serde_json::{Number, Value};

use super::{
    Matcher, Mismatch, Operator, Type,
    difference::{compare_numbers, difference, equal, integer, lines, types_differ},
    show::{show, show_typed, type_name},
};
use crate::text::quote;

/// A value without the need to own one: text is judged where it lies.
#[derive(Clone, Copy)]
pub(super) enum Actual<'a> {
    Text(&'a str),
    /// Anything but a string.
    Other(&'a Value),
}

impl<'a> From<&'a Value> for Actual<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text),
            other => Self::Other(other),
        }
    }
}

impl Actual<'_> {
    fn equals(&self, expected: &Value) -> bool {
        match (self, expected) {
            (Self::Text(text), Value::String(expected)) => text == expected,
            (Self::Text(_), _) => false,
            (Self::Other(value), expected) => equal(value, expected),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Text(text) => quote(text),
            Self::Other(value) => show(value),
        }
    }

    fn show_typed(&self) -> String {
        match self {
            Self::Text(text) => format!("the string {}", quote(text)),
            Self::Other(value) => show_typed(value),
        }
    }
}

/// What one operator says.
pub(super) enum Answer {
    Holds,
    Fails(String),
    /// The question does not fit the value.
    Unfit(String),
}

impl Answer {
    fn of(holds: bool, message: impl FnOnce() -> String) -> Self {
        if holds { Self::Holds } else { Self::Fails(message()) }
    }
}

impl Matcher {
    /// Compares. `None` is a value that is missing.
    ///
    /// # Errors
    /// Says what was expected, what was there, and the difference.
    pub fn check(&self, actual: Option<&Value>) -> Result<(), Mismatch> {
        match actual {
            Some(value) => self.check_actual(value.into()),
            None => {
                let (expected, actual) = (self.to_string(), String::from("missing"));
                let message = format!("expected {expected}, but there is no such value");
                Err(Mismatch { expected, actual, message, judged: false })
            }
        }
    }

    /// Compares text, without building a value of it.
    ///
    /// # Errors
    /// As [`Matcher::check`].
    pub fn check_str(&self, actual: &str) -> Result<(), Mismatch> {
        self.check_actual(Actual::Text(actual))
    }

    fn check_actual(&self, actual: Actual<'_>) -> Result<(), Mismatch> {
        let (message, judged) = match self.answer(actual) {
            Answer::Holds => return Ok(()),
            Answer::Fails(message) => (message, true),
            Answer::Unfit(message) => (message, false),
        };
        Err(Mismatch { expected: self.to_string(), actual: actual.show(), message, judged })
    }

    pub(super) fn answer(&self, actual: Actual<'_>) -> Answer {
        all(self.operators.iter().map(|operator| operator.answer(actual)))
    }
}

/// Everything has to hold. What does not fit comes before what fails: `not` must not turn it around.
pub(super) fn all(answers: impl Iterator<Item = Answer>) -> Answer {
    let (mut told, mut fits) = (Vec::new(), true);
    for answer in answers {
        match answer {
            Answer::Holds => {}
            Answer::Fails(message) => told.push(message),
            Answer::Unfit(message) => {
                fits = false;
                told.push(message);
            }
        }
    }
    match (told.is_empty(), fits) {
        (true, _) => Answer::Holds,
        (false, true) => Answer::Fails(told.join("; ")),
        (false, false) => Answer::Unfit(told.join("; ")),
    }
}

/// One is enough.
pub(super) fn any(answers: impl Iterator<Item = Answer>) -> Result<(), bool> {
    let mut fits = true;
    for answer in answers {
        match answer {
            Answer::Holds => return Ok(()),
            Answer::Fails(_) => {}
            Answer::Unfit(_) => fits = false,
        }
    }
    Err(fits)
}

impl Operator {
    pub(super) fn answer(&self, actual: Actual<'_>) -> Answer {
        let expected_got = || format!("expected {}{self}, got {}", self.article(actual), actual.show());
        let of_text = |holds: fn(&str, &str) -> bool, part: &str| match actual {
            Actual::Text(text) => Answer::of(holds(text, part), expected_got),
            Actual::Other(_) => unfit(self, actual),
        };
        match self {
            Self::Equals(expected) => equals(expected, actual),
            Self::Not(matcher) => match matcher.answer(actual) {
                Answer::Holds => Answer::Fails(expected_got()),
                Answer::Fails(_) => Answer::Holds,
                unfit => unfit,
            },
            Self::Compare(comparison, limit) => match number(actual) {
                Some(number) => Answer::of(comparison.holds(compare_numbers(number, limit)), expected_got),
                None => unfit(self, actual),
            },
            Self::Between(low, high) => match number(actual) {
                Some(number) => {
                    let holds = compare_numbers(number, low).is_ge() && compare_numbers(number, high).is_le();
                    Answer::of(holds, expected_got)
                }
                None => unfit(self, actual),
            },
            Self::Contains(part) => contains(self, part, actual),
            Self::StartsWith(part) => of_text(|text, part| text.starts_with(part), part),
            Self::EndsWith(part) => of_text(|text, part| text.ends_with(part), part),
            Self::Matches(pattern) => match actual {
                Actual::Text(text) => Answer::of(pattern.is_match(text), expected_got),
                Actual::Other(_) => unfit(self, actual),
            },
            Self::OneOf(values) => match any(values.iter().map(|value| equals(value, actual))) {
                Ok(()) => Answer::Holds,
                Err(true) => Answer::Fails(expected_got()),
                Err(false) => Answer::Unfit(format!("expected {self}, got {}", actual.show_typed())),
            },
            // Nothing was compared, so nothing is proven either way.
            Self::AllOf(matchers) if matchers.is_empty() => Answer::Unfit(expected_got()),
            Self::AllOf(matchers) => all(matchers.iter().map(|matcher| matcher.answer(actual))),
            Self::AnyOf(matchers) => match any(matchers.iter().map(|matcher| matcher.answer(actual))) {
                Ok(()) => Answer::Holds,
                Err(true) => Answer::Fails(expected_got()),
                Err(false) => Answer::Unfit(format!("expected {self}, got {}", actual.show_typed())),
            },
            Self::Length(matcher) => length(matcher, actual),
            Self::Is(kind) => Answer::of(is(*kind, actual), || {
                format!("expected {}, got {}", kind.noun(), actual.show_typed())
            }),
            Self::Semver(requirement) => match actual {
                Actual::Text(text) => match semver::Version::parse(text.strip_prefix('v').unwrap_or(text)) {
                    Ok(version) => Answer::of(requirement.matches(&version), expected_got),
                    Err(error) => Answer::Unfit(format!(
                        "expected {self}, but {} is not a semantic version (1.2.3): {error}",
                        quote(text)
                    )),
                },
                Actual::Other(_) => unfit(self, actual),
            },
        }
    }
}

impl Operator {
    /// What goes before the operator to make it a thing: a number > 5, a string that contains "ok".
    fn article(&self, actual: Actual<'_>) -> &'static str {
        match self {
            Self::Compare(..) | Self::Between(..) => "a number ",
            Self::StartsWith(_) | Self::EndsWith(_) | Self::Matches(_) => "a string that ",
            Self::Semver(_) => "a string with a ",
            Self::Contains(part) => match (actual, part) {
                (Actual::Text(_), Value::String(_)) => "a string that ",
                (Actual::Other(Value::Object(_)), Value::String(_)) => "an object that ",
                (_, Value::String(_)) => "a string, an array or an object that ",
                _ => "an array that ",
            },
            _ => "",
        }
    }
}

fn unfit(operator: &Operator, actual: Actual<'_>) -> Answer {
    let article = operator.article(actual);
    Answer::Unfit(format!("expected {article}{operator}, got {}", actual.show_typed()))
}

fn number(actual: Actual<'_>) -> Option<&Number> {
    match actual {
        Actual::Other(Value::Number(number)) => Some(number),
        _ => None,
    }
}

fn equals(expected: &Value, actual: Actual<'_>) -> Answer {
    if actual.equals(expected) {
        return Answer::Holds;
    }
    let (difference, reason) = match (actual, expected) {
        (Actual::Text(text), Value::String(expected)) => (lines(expected, text), None),
        (Actual::Text(_), _) => (String::new(), types_differ(expected, "string")),
        (Actual::Other(value), _) => (difference(expected, value), types_differ(expected, type_name(value))),
    };
    let Some(reason) = reason else {
        let colon = if difference.is_empty() { "" } else { ": " };
        return Answer::Fails(format!(
            "expected {}, got {}{colon}{difference}",
            show(expected),
            actual.show()
        ));
    };
    let message = format!("expected {}, got {}: {reason}", show_typed(expected), actual.show_typed());
    // `not: 500` against "500" most likely was to catch it.
    if look_alike(expected, actual) { Answer::Unfit(message) } else { Answer::Fails(message) }
}

/// Of two types, but written alike: 5 and "5". Whoever names the one most likely means the other.
fn look_alike(expected: &Value, actual: Actual<'_>) -> bool {
    let (text, other) = match (expected, actual) {
        (Value::String(text), Actual::Other(other)) => (&**text, other),
        (other, Actual::Text(text)) => (text, other),
        _ => return false,
    };
    match other {
        Value::Null => text == "null",
        Value::Bool(value) => text == if *value { "true" } else { "false" },
        Value::Number(number) => {
            text.trim().parse::<Number>().is_ok_and(|parsed| compare_numbers(&parsed, number).is_eq())
        }
        _ => false,
    }
}

fn contains(operator: &Operator, part: &Value, actual: Actual<'_>) -> Answer {
    let expected_got = || format!("expected {}{operator}, got {}", operator.article(actual), actual.show());
    match (actual, part) {
        (Actual::Text(text), Value::String(part)) => Answer::of(text.contains(part.as_str()), expected_got),
        (Actual::Text(_), _) => unfit(operator, actual),
        (Actual::Other(Value::Array(elements)), part) => {
            if elements.iter().any(|element| equal(element, part)) {
                return Answer::Holds;
            }
            match elements.iter().find(|element| look_alike(part, (*element).into())) {
                Some(near) => Answer::Unfit(format!(
                    "expected an array that {operator}, got {}: it has {}, which never equals {}",
                    actual.show(),
                    show_typed(near),
                    show_typed(part)
                )),
                None => Answer::Fails(expected_got()),
            }
        }
        (Actual::Other(Value::Object(fields)), Value::String(key)) => {
            Answer::of(fields.contains_key(key), expected_got)
        }
        _ => unfit(operator, actual),
    }
}

fn length(matcher: &Matcher, actual: Actual<'_>) -> Answer {
    let length = match actual {
        Actual::Text(text) => text.chars().count(),
        Actual::Other(Value::Array(elements)) => elements.len(),
        Actual::Other(Value::Object(fields)) => fields.len(),
        Actual::Other(value) => {
            let actual = show_typed(value);
            return Answer::Unfit(format!("expected a length of {matcher}, but {actual} has no length"));
        }
    };
    let told = || format!("expected a length of {matcher}, got {length}: {}", actual.show());
    match matcher.answer(Actual::Other(&Value::from(length))) {
        Answer::Holds => Answer::Holds,
        Answer::Fails(_) => Answer::Fails(told()),
        Answer::Unfit(_) => Answer::Unfit(told()),
    }
}

fn is(kind: Type, actual: Actual<'_>) -> bool {
    let value = match actual {
        Actual::Text(_) => return kind == Type::String,
        Actual::Other(value) => value,
    };
    match kind {
        Type::Null => value.is_null(),
        Type::True => *value == Value::Bool(true),
        Type::False => *value == Value::Bool(false),
        Type::Bool => value.is_boolean(),
        Type::Number => value.is_number(),
        Type::Integer => matches!(value, Value::Number(number) if integer(number).is_some()),
        Type::String => false,
        Type::Array => value.is_array(),
        Type::Object => value.is_object(),
    }
}
