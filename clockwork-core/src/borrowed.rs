//! [`Borrowed`]: JSON that is read in order to be written again. It copies no text that has no escapes, and has no maps: of
//! what a report holds, most is written twice and never looked up.

use std::{borrow::Cow, collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::Number;

/// A value, as [`serde_json::Value`] would hold it.
#[derive(Debug)]
pub(crate) enum Borrowed<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    Array(Vec<Self>),
    Object(Vec<(Key<'a>, Self)>),
}

/// A member's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl Serialize for Borrowed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(value) => value.serialize(serializer),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Array(all) => serializer.collect_seq(all),
            Self::Object(members) => serializer.collect_map(members.iter().map(|(key, value)| (key, value))),
        }
    }
}

impl<'de> Deserialize<'de> for Borrowed<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Borrowed<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Borrowed::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Borrowed::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Borrowed::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Borrowed::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Number::from_f64(value).map_or(Borrowed::Null, Borrowed::Number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Borrowed::Text(text.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Borrowed::Text(text.to_owned().into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = values.next_element()? {
            all.push(value);
        }
        Ok(Borrowed::Array(all))
    }

    /// The first one of a name has its place, the last one the value.
    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        const FEW: usize = 16;
        let mut all: Vec<(Key<'de>, Borrowed<'de>)> = Vec::new();
        let mut places: HashMap<Key<'de>, usize> = HashMap::new();
        while let Some((key, value)) = members.next_entry()? {
            if all.len() == FEW {
                places.extend(all.iter().map(|(key, _)| key.clone()).zip(0..));
            }
            let place = match all.len() {
                ..FEW => all.iter().position(|(other, _)| *other == key),
                _ => places.get(&key).copied(),
            };
            match place {
                Some(place) => all[place].1 = value,
                None if all.len() < FEW => all.push((key, value)),
                None => {
                    places.insert(key.clone(), all.len());
                    all.push((key, value));
                }
            }
        }
        Ok(Borrowed::Object(all))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn what_is_written_again_is_what_a_map_would_write() {
        let many: Vec<_> = (0..40).map(|n| format!("\"k{}\":{n}", n % 23)).collect();
        let many = format!("{{{}}}", many.join(","));
        for json in [
            r#"{"a":[1,-5,2.5,1e300,18446744073709551615,null,true,[],{}],"ü\n\u0001":"é\"\\","a":"again","b":{"a":{}}}"#,
            "[]",
            &many,
        ] {
            let read: Result<Borrowed<'_>, _> = serde_json::from_str(json);
            let expected: Result<Value, _> = serde_json::from_str(json);
            let [written, expected] =
                [serde_json::to_string(&read.ok()).ok(), serde_json::to_string(&expected.ok()).ok()];
            assert_eq!(written, expected);
            assert!(written.is_some_and(|written| written != "null"));
        }
        assert!(serde_json::from_str::<Borrowed<'_>>("{\"a\":}").is_err());
    }
}
