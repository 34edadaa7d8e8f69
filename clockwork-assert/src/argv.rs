//! [`Argv`]: a command as a manifest writes it, a list of words.

use std::borrow::Cow;

use clockwork_drivers::container::Text;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};

/// A command and its arguments.
#[derive(Debug, Clone)]
pub(crate) struct Argv(pub(crate) Vec<String>);

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Argv;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a list: the program and its arguments")
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Argv, E> {
        Err(E::custom(
            "a command is a list, the program and its arguments: `[nginx, -t]`; no shell reads it, for one write `[sh, -c, \"…\"]`",
        ))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Argv, A::Error> {
        let mut words = Vec::new();
        while let Some(Text(word)) = seq.next_element()? {
            words.push(word);
        }
        Ok(Argv(words))
    }
}

impl<'de> Deserialize<'de> for Argv {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Argv {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Argv".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "array", "items": { "type": ["string", "integer"] }, "minItems": 1 })
    }
}
