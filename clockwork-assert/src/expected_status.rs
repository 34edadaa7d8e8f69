//! [`ExpectedStatus`]: which HTTP status codes are right: `200`, `[200, 204]`, `2xx`, or a matcher (`{ lt: 400 }`).

use std::{borrow::Cow, fmt};

use clockwork_core::{
    Matcher,
    schemars::{JsonSchema, Schema, SchemaGenerator, json_schema},
    text::quote,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, value::MapAccessDeserializer},
};

/// Which HTTP status codes are right: one, a class (`2xx`), a matcher (`{ lt: 400 }`), or a list of these.
///
/// ```
/// use clockwork_assert::ExpectedStatus;
///
/// let created_or_there = ExpectedStatus::from([200, 201]);
/// assert!(created_or_there.contains(201) && !created_or_there.contains(204));
/// assert!(ExpectedStatus::class(2).contains(204));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedStatus(Several);

/// Nearly always it is one.
#[derive(Debug, Clone, PartialEq)]
enum Several {
    One(One),
    Many(Box<[One]>),
}

#[derive(Debug, Clone, PartialEq)]
enum One {
    Code(u16),
    Class(u16),
    Like(Box<Matcher>),
}

impl ExpectedStatus {
    /// A class: 2 for `2xx`.
    pub fn class(class: u16) -> Self {
        Self(Several::One(One::Class(class)))
    }

    fn any_of(mut all: Vec<One>) -> Self {
        Self(match all.pop() {
            Some(one) if all.is_empty() => Several::One(one),
            last => Several::Many(all.into_iter().chain(last).collect()),
        })
    }

    fn all(&self) -> &[One] {
        match &self.0 {
            Several::One(one) => std::slice::from_ref(one),
            Several::Many(all) => all,
        }
    }

    /// Whether this status is right.
    pub fn contains(&self, status: u16) -> bool {
        self.all().iter().any(|one| match one {
            One::Code(code) => *code == status,
            One::Class(class) => *class == status / 100,
            One::Like(matcher) => matcher.check(Some(&status.into())).is_ok(),
        })
    }
}

impl From<u16> for ExpectedStatus {
    fn from(code: u16) -> Self {
        Self(Several::One(One::Code(code)))
    }
}

impl<const N: usize> From<[u16; N]> for ExpectedStatus {
    fn from(codes: [u16; N]) -> Self {
        Self::any_of(codes.into_iter().map(One::Code).collect())
    }
}

impl fmt::Display for ExpectedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.all().iter().enumerate() {
            if index > 0 {
                f.write_str(" or ")?;
            }
            match one {
                One::Code(code) => write!(f, "{code}")?,
                One::Class(class) => write!(f, "{class}xx")?,
                One::Like(matcher) => write!(f, "{matcher}")?,
            }
        }
        Ok(())
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = ExpectedStatus;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an HTTP status (`200`), a class (`2xx`), a matcher (`{ lt: 400 }`), or a list of these")
    }

    fn visit_u64<E: de::Error>(self, code: u64) -> Result<ExpectedStatus, E> {
        match u16::try_from(code) {
            Ok(code @ 100..=999) => Ok(code.into()),
            _ => Err(E::custom(format!("{code} is not an HTTP status; they have three digits"))),
        }
    }

    fn visit_i64<E: de::Error>(self, code: i64) -> Result<ExpectedStatus, E> {
        self.visit_u64(u64::try_from(code).unwrap_or(0))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ExpectedStatus, E> {
        if let [class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] = text.as_bytes() {
            return Ok(ExpectedStatus::class(u16::from(class - b'0')));
        }
        match text.parse() {
            Ok(code) => self.visit_u64(code),
            Err(_) => Err(E::custom(format!("{} is not an HTTP status; write `200` or `2xx`", quote(text)))),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<ExpectedStatus, A::Error> {
        let matcher = Matcher::deserialize(MapAccessDeserializer::new(map))?;
        Ok(ExpectedStatus(Several::One(One::Like(Box::new(matcher)))))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<ExpectedStatus, A::Error> {
        let mut all = Vec::new();
        while let Some(ExpectedStatus(more)) = seq.next_element()? {
            match more {
                Several::One(one) => all.push(one),
                Several::Many(more) => all.extend(more),
            }
        }
        if all.is_empty() {
            return Err(de::Error::custom("an empty list of statuses can never be met"));
        }
        Ok(ExpectedStatus::any_of(all))
    }
}

impl<'de> Deserialize<'de> for ExpectedStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for ExpectedStatus {
    fn schema_name() -> Cow<'static, str> {
        "ExpectedStatus".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let matcher = generator.subschema_for::<Matcher>();
        let one = json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 999 },
                { "type": "string", "pattern": r"^[1-9]\d\d$|^[1-5][xX][xX]$|\$\{" },
                { "type": "object", "allOf": [matcher] }
            ]
        });
        json_schema!({
            "description": "An HTTP status (200), a class (2xx), a matcher ({ lt: 400 }), or a list of these",
            "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }]
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_codes_classes_and_lists_and_nothing_else() {
        for (written, shown) in [
            (json!(200), Some("200")),
            (json!("204"), Some("204")),
            (json!("2xx"), Some("2xx")),
            (json!(["2XX", 304]), Some("2xx or 304")),
            (json!({ "gte": 200, "lt": 400 }), Some(">= 200 and < 400")),
            (json!([404, { "not": 500 }]), Some("404 or not 500")),
            (json!({ "less": 400 }), None),
            (json!({}), None),
            (json!([]), None),
            (json!(20), None),
            (json!(-200), None),
            (json!(65736), None), // 200 in sixteen bits
            (json!("6xx"), None),
            (json!("2x"), None),
            (json!("ок"), None),
            (json!(""), None),
            (json!(200.5), None),
        ] {
            let read: Result<ExpectedStatus, _> = serde_json::from_value(written.clone());
            assert_eq!(read.ok().map(|status| status.to_string()).as_deref(), shown, "{written}");
        }
    }

    #[test]
    fn a_matcher_compares_the_number() {
        let below: ExpectedStatus =
            serde_json::from_value(json!([{ "gte": 200, "lt": 300 }, 404])).expect("statuses");
        for (status, right) in [(199, false), (200, true), (299, true), (300, false), (404, true)] {
            assert_eq!(below.contains(status), right, "{status}");
        }
    }
}
