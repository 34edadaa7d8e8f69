//! Scalars that YAML may take for numbers, command lines, and values that may be secrets.

use std::{borrow::Cow, fmt};

use clockwork_core::Secret;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::HealthTest;

/// A piece of text, which may look like a whole number. What else YAML makes of a bare word (`yes`, `1.10`) is refused,
/// because it would arrive as something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Text(pub String);

/// The value of an environment variable.
#[derive(Debug, Clone)]
pub enum EnvValue {
    /// The value itself.
    Text(String),
    /// Where it is to be found: `{ env: NAME }` or `{ file: path }`. It is not compared and not shown.
    Secret(Secret),
}

/// A command and its arguments: a list, or one line that is divided as a shell does, without anything else that a shell
/// does.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Command(pub Vec<String>);

struct TextVisitor;

impl de::Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text (put it in quotes)")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.to_owned()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
        Ok(Text(number.to_string()))
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

struct EnvVisitor;

impl<'de> de::Visitor<'de> for EnvVisitor {
    type Value = EnvValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text (put it in quotes), or a secret: `{ env: NAME }` or `{ file: path }`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<EnvValue, E> {
        TextVisitor.visit_str(text).map(|Text(text)| EnvValue::Text(text))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<EnvValue, E> {
        TextVisitor.visit_u64(number).map(|Text(text)| EnvValue::Text(text))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<EnvValue, E> {
        TextVisitor.visit_i64(number).map(|Text(text)| EnvValue::Text(text))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<EnvValue, A::Error> {
        Secret::deserialize(de::value::MapAccessDeserializer::new(map)).map(EnvValue::Secret)
    }
}

impl<'de> Deserialize<'de> for EnvValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EnvVisitor)
    }
}

impl From<&str> for EnvValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for EnvValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Secret> for EnvValue {
    fn from(secret: Secret) -> Self {
        Self::Secret(secret)
    }
}

/// One line, or a list of words.
struct Words<T> {
    expected: &'static str,
    line: fn(&str) -> Result<T, String>,
    list: fn(Vec<String>) -> Result<T, String>,
}

impl<'de, T> de::Visitor<'de> for Words<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, line: &str) -> Result<T, E> {
        (self.line)(line).map_err(E::custom)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        let mut words = Vec::new();
        while let Some(Text(word)) = list.next_element()? {
            words.push(word);
        }
        (self.list)(words).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Command {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words {
            expected: "a command: one line, or a list of words",
            line: Self::split,
            list: |words| Ok(Self(words)),
        })
    }
}

impl<'de> Deserialize<'de> for HealthTest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words {
            expected: "a command: one line for the shell, or [\"CMD\", program, arguments…]",
            line: |line| Ok(Self::shell(line)),
            list: Self::read,
        })
    }
}

impl Command {
    /// Divides a line into words as a shell does: at blanks, but not within quotes or behind a backslash.
    ///
    /// # Errors
    /// When a quote is not closed.
    pub fn split(line: &str) -> Result<Self, String> {
        let unclosed = || format!("{} has a quote that is not closed", clockwork_core::text::quote(line));
        let (mut words, mut word, mut chars) = (Vec::new(), None::<String>, line.chars());
        while let Some(c) = chars.next() {
            match c {
                c if c.is_whitespace() => words.extend(word.take()),
                '\'' => {
                    let word = word.get_or_insert_default();
                    loop {
                        match chars.next().ok_or_else(unclosed)? {
                            '\'' => break,
                            c => word.push(c),
                        }
                    }
                }
                '"' => {
                    let word = word.get_or_insert_default();
                    loop {
                        match chars.next().ok_or_else(unclosed)? {
                            '"' => break,
                            '\\' => match chars.next().ok_or_else(unclosed)? {
                                c @ ('"' | '\\' | '$' | '`') => word.push(c),
                                c => word.extend(['\\', c]),
                            },
                            c => word.push(c),
                        }
                    }
                }
                '\\' => word.get_or_insert_default().push(chars.next().ok_or_else(unclosed)?),
                c => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        Ok(Self(words))
    }
}

/// A schema for what is text, or a list of texts, or something more.
macro_rules! schema {
    ($type:ident, $schema:tt) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

schema!(Text, { "type": ["string", "integer"] });
schema!(EnvValue, {
    "description": "The value, or a secret: { env: NAME } or { file: path }",
    "type": ["string", "integer", "object"]
});
schema!(Command, {
    "description": "One line, divided as a shell does, or a list of words",
    "type": ["string", "array"],
    "items": { "type": ["string", "integer"] }
});
schema!(HealthTest, {
    "description": "One line for the shell, or [\"CMD\", program, arguments…], [\"CMD-SHELL\", line], [\"NONE\"]",
    "type": ["string", "array"],
    "items": { "type": "string" }
});

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn a_line_is_divided_as_a_shell_does() {
        for (line, words) in [
            ("nginx -g 'daemon off;'", vec!["nginx", "-g", "daemon off;"]),
            (r#"sh -c "echo \"a b\" \n" x\ y"#, vec!["sh", "-c", r#"echo "a b" \n"#, "x y"]),
            ("  a   ''  b", vec!["a", "", "b"]),
            ("", vec![]),
        ] {
            assert_eq!(Command::split(line).unwrap().0, words, "{line}");
        }
        for line in ["'a", "\"a", "a\\"] {
            assert!(Command::split(line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_yaml_changes_on_the_way_is_refused() {
        let read = |json: &str| serde_json::from_str::<EnvValue>(json);
        assert!(matches!(read("8080").unwrap(), EnvValue::Text(text) if text == "8080"));
        assert!(matches!(read(r#"{"env":"X"}"#).unwrap(), EnvValue::Secret(_)));
        for json in ["1.10", "true", "null", "[]", r#"{"value":"X"}"#] {
            assert!(read(json).is_err(), "{json}");
        }
        assert!(read("true").unwrap_err().to_string().contains("put it in quotes"));
    }
}
