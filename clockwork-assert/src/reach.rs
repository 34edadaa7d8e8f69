//! [`Reach`]: a field that says who may reach whom.

use std::{borrow::Cow, fmt};

use clockwork_core::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::one_or_many::OneOrMany;

/// Who reaches whom, by the names of resources: a map from one to others, or a list of pairs. `*` is any.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach(pub(crate) Vec<(String, String)>);

/// Any resource.
pub(crate) const ANY: &str = "*";

impl Reach {
    /// The pair that covers this relationship.
    pub(crate) fn covers(&self, from: &str, to: &str) -> Option<&(String, String)> {
        let is = |pattern: &str, name: &str| pattern == ANY || pattern == name;
        self.0.iter().find(|(one, other)| is(one, from) && is(other, to))
    }

    /// The names in it.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|(from, to)| [from.as_str(), to.as_str()]).filter(|name| *name != ANY)
    }
}

/// `[from, to]`, or `from -> to`.
struct Pair(String, String);

impl<'de> Deserialize<'de> for Pair {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Pair;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a pair of resources: `[api, database]`, or `api -> database`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Pair, E> {
                let sides = text.split_once("->").or_else(|| text.split_once('→'));
                let sides = sides.map(|(from, to)| (from.trim(), to.trim()));
                match sides.filter(|(from, to)| !from.is_empty() && !to.is_empty()) {
                    Some((from, to)) => Ok(Pair(from.to_owned(), to.to_owned())),
                    None => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Pair, A::Error> {
                let wrong =
                    || de::Error::custom("a pair is who reaches, and who is reached: `[api, database]`");
                let (from, to) = seq.next_element()?.zip(seq.next_element()?).ok_or_else(wrong)?;
                match seq.next_element::<de::IgnoredAny>()? {
                    None => Ok(Pair(from, to)),
                    Some(_) => Err(wrong()),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl<'de> Deserialize<'de> for Reach {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Reach;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("who reaches whom: a map (`api: [database, cache]`), or a list of pairs (`[api, database]`)")
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Reach, A::Error> {
                let mut all = Vec::new();
                while let Some(Pair(from, to)) = seq.next_element()? {
                    all.push((from, to));
                }
                Ok(Reach(all))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Reach, A::Error> {
                let mut all = Vec::new();
                while let Some((from, to)) = map.next_entry::<String, OneOrMany<String>>()? {
                    all.extend(to.as_slice().iter().map(|to| (from.clone(), to.clone())));
                }
                Ok(Reach(all))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Reach {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Reach".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names = generator.subschema_for::<OneOrMany<String>>();
        json_schema!({
            "anyOf": [
                { "type": "object", "additionalProperties": names },
                { "type": "array", "items": { "anyOf": [
                    { "type": "string" },
                    { "type": "array", "items": { "type": "string" }, "minItems": 2, "maxItems": 2 }
                ] } }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_reaches_whom_is_written_in_several_ways() {
        let pair = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        for written in [json!({ "a": ["b", "c"] }), json!([["a", "b"], ["a", "c"]]), json!(["a -> b", "a→c"])]
        {
            let read: Result<Reach, _> = serde_json::from_value(written.clone());
            assert_eq!(read.ok(), Some(Reach(vec![pair("a", "b"), pair("a", "c")])), "{written}");
        }
        for written in
            [json!("a"), json!(["a"]), json!([["a"]]), json!([["a", "b", "c"]]), json!({ "a": [] })]
        {
            assert!(serde_json::from_value::<Reach>(written.clone()).is_err(), "{written}");
        }
        let any = Reach(vec![pair("*", "b"), pair("c", "*")]);
        assert!(
            any.covers("x", "b").is_some()
                && any.covers("c", "d").is_some()
                && any.covers("x", "d").is_none()
        );
    }
}
