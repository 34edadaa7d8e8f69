//! [`OneOrMany`]: a field that takes one value, or a list of them.

use std::{
    borrow::Cow,
    fmt,
    marker::PhantomData,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
    sync::Arc,
};

use clockwork_core::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// One value that is written as text, or a list of them; never none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneOrMany<T>(Arc<[T]>);

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The same, for somebody who keeps them.
    pub(crate) fn shared(&self) -> Arc<[T]> {
        Arc::clone(&self.0)
    }
}

impl<T> From<T> for OneOrMany<T> {
    fn from(one: T) -> Self {
        Self([one].into())
    }
}

/// With none of them, nothing can meet it.
impl<T, const N: usize> From<[T; N]> for OneOrMany<T> {
    fn from(many: [T; N]) -> Self {
        Self(many.into())
    }
}

impl From<&str> for OneOrMany<String> {
    fn from(one: &str) -> Self {
        Self([one.to_owned()].into())
    }
}

/// With none of them, nothing can meet it.
impl<const N: usize> From<[&str; N]> for OneOrMany<String> {
    fn from(many: [&str; N]) -> Self {
        Self(many.map(str::to_owned).into())
    }
}

/// An address of a known family, where any will do.
impl From<Ipv4Addr> for OneOrMany<IpAddr> {
    fn from(one: Ipv4Addr) -> Self {
        Self([one.into()].into())
    }
}

/// An address of a known family, where any will do.
impl From<Ipv6Addr> for OneOrMany<IpAddr> {
    fn from(one: Ipv6Addr) -> Self {
        Self([one.into()].into())
    }
}

struct Visitor<T>(PhantomData<T>);

impl<'de, T: FromStr<Err: fmt::Display> + Clone> de::Visitor<'de> for Visitor<T> {
    type Value = OneOrMany<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, or a list of texts")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<OneOrMany<T>, E> {
        text.parse().map(|one: T| one.into()).map_err(E::custom)
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(OneOrMany(more)) = seq.next_element()? {
            all.extend_from_slice(&more);
        }
        if all.is_empty() {
            return Err(de::Error::custom("the list is empty: give at least one"));
        }
        Ok(OneOrMany(all.into()))
    }
}

impl<'de, T: FromStr<Err: fmt::Display> + Clone> Deserialize<'de> for OneOrMany<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor(PhantomData))
    }
}

impl<T> JsonSchema for OneOrMany<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "string" },
                { "type": "array", "items": { "type": "string" }, "minItems": 1 }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_is_a_list_of_one_and_none_is_refused() {
        for (written, expected) in [
            (json!("7"), Some(&[7][..])),
            (json!(["7", "8"]), Some(&[7, 8])),
            (json!([]), None),
            (json!("x"), None),
            (json!(["7", "x"]), None),
        ] {
            let read: Result<OneOrMany<u8>, _> = serde_json::from_value(written.clone());
            assert_eq!(read.as_ref().ok().map(OneOrMany::as_slice), expected, "{written}");
        }
    }
}
