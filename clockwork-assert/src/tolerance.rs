//! [`Tolerance`]: how far apart numbers may be: `0.01`, or column → distance.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use clockwork_core::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// How far apart numbers may be. As text, so that none of its digits is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tolerance {
    /// In all columns.
    All(String),
    /// By column.
    Columns(BTreeMap<String, String>),
}

impl Tolerance {
    /// Column (none: all) and distance.
    pub(crate) fn each(&self) -> Vec<(Option<&str>, &str)> {
        match self {
            Self::All(distance) => vec![(None, distance.as_str())],
            Self::Columns(columns) => {
                columns.iter().map(|(column, distance)| (Some(column.as_str()), distance.as_str())).collect()
            }
        }
    }
}

/// A number, as its text.
struct Distance(String);

impl<'de> Deserialize<'de> for Distance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(Visitor)? {
            Tolerance::All(distance) => Ok(Self(distance)),
            Tolerance::Columns(_) => Err(de::Error::custom("a column's tolerance is a number")),
        }
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Tolerance;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a map from columns to numbers")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Tolerance, E> {
        Ok(Tolerance::All(number.to_string()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Tolerance, E> {
        Ok(Tolerance::All(number.to_string()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Tolerance, E> {
        Ok(Tolerance::All(number.to_string()))
    }

    /// `"0.01"`, which keeps every digit, or comes out of a variable.
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Tolerance, E> {
        Ok(Tolerance::All(text.to_owned()))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Tolerance, A::Error> {
        let mut columns = BTreeMap::new();
        while let Some((column, Distance(distance))) = map.next_entry::<String, Distance>()? {
            columns.insert(column, distance);
        }
        Ok(Tolerance::Columns(columns))
    }
}

impl<'de> Deserialize<'de> for Tolerance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Tolerance {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Tolerance".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": ["number", "string"] },
                { "type": "object", "additionalProperties": { "type": ["number", "string"] } }
            ]
        })
    }
}
