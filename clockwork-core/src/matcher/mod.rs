//! [`Matcher`]: how a value is compared, wherever a kind compares one.
//!
//! A plain value (equal), a list (any of), or a map of operators, all of which have to hold. Comparison is typed: a
//! string never equals a number, and a value that is missing is its own failure, never zero, empty or null.
//!
//! Inside there are three answers, not two: it holds, it does not, or the question does not fit the value (`gt` of a
//! string, anything of a missing value). The third is a failure that `not` leaves alone.

mod among;
mod difference;
mod judge;
mod read;
mod show;

use std::cmp::Ordering;

use semver::VersionReq;
use serde_json::{Number, Value};

use crate::{Pattern, Verdict};

pub use among::Among;
pub(crate) use difference::compare_numbers;

/// What a value has to be like.
///
/// ```
/// use clockwork_core::Matcher;
/// use serde_json::json;
///
/// let matcher: Matcher = serde_json::from_value(json!({ "gte": 1, "not": 3 }))?;
/// assert!(matcher.check(Some(&json!(2))).is_ok());
///
/// let mismatch = matcher.check(Some(&json!("2"))).unwrap_err();
/// assert_eq!(mismatch.message, r#"expected a number >= 1, got the string "2""#);
/// assert!(!mismatch.judged);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Matcher {
    /// All of these; never empty.
    operators: Vec<Operator>,
}

#[derive(Debug, Clone, PartialEq)]
enum Operator {
    Equals(Value),
    Not(Box<Matcher>),
    Compare(Comparison, Number),
    Between(Number, Number),
    Contains(Value),
    StartsWith(String),
    EndsWith(String),
    Matches(Pattern),
    OneOf(Vec<Value>),
    AllOf(Vec<Matcher>),
    AnyOf(Vec<Matcher>),
    Length(Box<Matcher>),
    Is(Type),
    Semver(VersionReq),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}

/// What `is` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Type {
    Null,
    True,
    False,
    Bool,
    Number,
    Integer,
    String,
    Array,
    Object,
}

/// That a value is not as it has to be. Everything foreign in it is quoted and bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mismatch {
    /// What was expected: the matcher.
    pub expected: String,
    /// What was there.
    pub actual: String,
    /// Both, and the difference.
    pub message: String,
    /// Whether the value was judged at all. It was not when it is missing, or when the question does not fit its type:
    /// then the opposite is not proven either, and an assertion's `not: true` must not turn it around.
    pub judged: bool,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

/// `failed`, with the evidence; unjudged where the mismatch is.
impl From<Mismatch> for Verdict {
    fn from(mismatch: Mismatch) -> Self {
        let Mismatch { expected, actual, message, judged } = mismatch;
        let verdict = if judged { Self::failed(message) } else { Self::unjudged(message) };
        verdict.expected(expected).actual(actual)
    }
}

impl Matcher {
    fn one(operator: Operator) -> Self {
        Self { operators: vec![operator] }
    }

    /// Equal to `value`, and of its type. Numbers are equal by value: 1 is 1.0.
    pub fn equals(value: impl Into<Value>) -> Self {
        Self::one(Operator::Equals(value.into()))
    }

    /// The opposite, of what the matcher can judge.
    #[expect(
        clippy::should_implement_trait,
        reason = "the operator is called `not`, and takes what it negates"
    )]
    pub fn not(matcher: Self) -> Self {
        Self::one(Operator::Not(Box::new(matcher)))
    }

    /// A number greater than `limit`.
    pub fn gt(limit: impl Into<Number>) -> Self {
        Self::one(Operator::Compare(Comparison::Greater, limit.into()))
    }

    /// A number of at least `limit`.
    pub fn gte(limit: impl Into<Number>) -> Self {
        Self::one(Operator::Compare(Comparison::GreaterOrEqual, limit.into()))
    }

    /// A number less than `limit`.
    pub fn lt(limit: impl Into<Number>) -> Self {
        Self::one(Operator::Compare(Comparison::Less, limit.into()))
    }

    /// A number of at most `limit`.
    pub fn lte(limit: impl Into<Number>) -> Self {
        Self::one(Operator::Compare(Comparison::LessOrEqual, limit.into()))
    }

    /// A number from `low` to `high`, both included.
    pub fn between(low: impl Into<Number>, high: impl Into<Number>) -> Self {
        Self::one(Operator::Between(low.into(), high.into()))
    }

    /// A string with `value` in it, an array with that element, or an object with that key.
    pub fn contains(value: impl Into<Value>) -> Self {
        Self::one(Operator::Contains(value.into()))
    }

    /// A string that begins so.
    pub fn starts_with(text: impl Into<String>) -> Self {
        Self::one(Operator::StartsWith(text.into()))
    }

    /// A string that ends so.
    pub fn ends_with(text: impl Into<String>) -> Self {
        Self::one(Operator::EndsWith(text.into()))
    }

    /// A string in which `regex` is found.
    ///
    /// # Errors
    /// When it is no regular expression.
    pub fn matches(regex: &str) -> Result<Self, regex::Error> {
        Ok(Self::one(Operator::Matches(Pattern::new(regex)?)))
    }

    /// Equal to one of `values`. With none of them, nothing matches.
    pub fn one_of<V: Into<Value>>(values: impl IntoIterator<Item = V>) -> Self {
        Self::one(Operator::OneOf(values.into_iter().map(Into::into).collect()))
    }

    /// As each of `matchers` says. With none of them, nothing matches, because nothing would be compared.
    pub fn all_of(matchers: impl IntoIterator<Item = Self>) -> Self {
        Self::one(Operator::AllOf(matchers.into_iter().collect()))
    }

    /// As at least one of `matchers` says. With none of them, nothing matches.
    pub fn any_of(matchers: impl IntoIterator<Item = Self>) -> Self {
        Self::one(Operator::AnyOf(matchers.into_iter().collect()))
    }

    /// A string with so many characters, an array with so many elements, or an object with so many keys.
    pub fn length(length: impl Into<LengthMatcher>) -> Self {
        Self::one(Operator::Length(Box::new(length.into().0)))
    }

    /// Null, and there.
    pub fn is_null() -> Self {
        Self::one(Operator::Is(Type::Null))
    }

    /// A semantic version (one leading `v` is fine) that meets `requirement`: `>=1.4, <2`.
    ///
    /// # Errors
    /// When that is no requirement.
    pub fn semver(requirement: &str) -> Result<Self, semver::Error> {
        Ok(Self::one(Operator::Semver(requirement.parse()?)))
    }
}

/// What [`Matcher::length`] takes: a number, or a matcher for the number.
#[derive(Debug)]
pub struct LengthMatcher(Matcher);

impl From<u64> for LengthMatcher {
    fn from(length: u64) -> Self {
        Self(Matcher::equals(length))
    }
}

impl From<Matcher> for LengthMatcher {
    fn from(matcher: Matcher) -> Self {
        Self(matcher)
    }
}

/// A plain value: equal.
macro_rules! equal_to {
    ($($plain:ty),*) => {
        $(impl From<$plain> for Matcher {
            fn from(value: $plain) -> Self {
                Self::equals(value)
            }
        })*
    };
}

equal_to!(&str, String, bool, i32, u32, i64, u64, f64, Value);

#[cfg(test)]
mod tests;
