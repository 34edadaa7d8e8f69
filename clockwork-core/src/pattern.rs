//! [`Pattern`]: a regular expression that is known to be one, because it was compiled when it was read.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::HashMap,
    fmt,
    ops::Deref,
    sync::{Arc, Weak},
};

use regex::Regex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A validated regular expression, in the syntax of the [`regex`] crate. Cheap to clone.
///
/// ```
/// let version = clockwork_core::Pattern::new(r"^v\d+\.\d+$")?;
/// assert!(version.is_match("v1.4"));
/// # Ok::<(), regex::Error>(())
/// ```
#[derive(Clone)]
pub struct Pattern(Arc<Regex>);

/// How much one compiled expression may take. A manifest with a ten-thousandfold repetition is an error, not an outage.
const SIZE_LIMIT: usize = 1 << 20;

thread_local! {
    /// Expressions that are in use. A manifest asks the same one of many files, and compiling is what costs.
    static IN_USE: RefCell<HashMap<String, Weak<Regex>, foldhash::fast::RandomState>> = RefCell::default();
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    /// When it is no regular expression, or too large a one.
    pub fn new(text: &str) -> Result<Self, regex::Error> {
        if let Some(known) = IN_USE.with_borrow(|known| known.get(text).and_then(Weak::upgrade)) {
            return Ok(Self(known));
        }
        let regex = Arc::new(regex::RegexBuilder::new(text).size_limit(SIZE_LIMIT).build()?);
        IN_USE.with_borrow_mut(|known| {
            if known.len() >= 64 {
                known.retain(|_, regex| regex.strong_count() > 0);
            }
            if known.len() < 1024 {
                known.insert(text.to_owned(), Arc::downgrade(&regex));
            }
        });
        Ok(Self(regex))
    }
}

impl Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        &self.0
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}/", self.as_str())
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl std::hash::Hash for Pattern {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = Pattern;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a regular expression")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Pattern, E> {
        Pattern::new(text).map_err(|error| E::custom(explain(text, &error)))
    }
}

/// In one line: the library's own message draws the expression with a caret below, over several.
fn explain(text: &str, error: &regex::Error) -> String {
    let cause = match error {
        regex::Error::CompiledTooBig(_) => "it becomes too large; repeat less".to_owned(),
        error => {
            let message = error.to_string();
            let last = message.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    };
    format!("{} is not a regular expression: {cause}", crate::text::quote(text))
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Visitor)
    }
}

impl schemars::JsonSchema for Pattern {
    fn schema_name() -> Cow<'static, str> {
        "Pattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "A regular expression", "type": "string" })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn equal_ones_are_compiled_once_while_in_use() {
        let (one, other) = (Pattern::new("a+").unwrap(), Pattern::new("a+").unwrap());
        assert!(Arc::ptr_eq(&one.0, &other.0));
        assert_ne!(one, Pattern::new("b+").unwrap());
    }

    #[test]
    fn what_is_wrong_is_said_in_one_line() {
        for (text, expected) in [
            (r#""(a""#, r#""(a" is not a regular expression: unclosed group"#),
            (
                r#""a{1000}{1000}""#,
                r#""a{1000}{1000}" is not a regular expression: it becomes too large; repeat less"#,
            ),
            ("5", "invalid type: integer `5`, expected a regular expression"),
        ] {
            let message = serde_json::from_str::<Pattern>(text).unwrap_err().to_string();
            assert_eq!(message.split(" at line 1").next(), Some(expected));
        }
    }
}
