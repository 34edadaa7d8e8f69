//! [`PortRange`]: one port, or those from one to another.

use std::{borrow::Cow, fmt, ops::RangeInclusive};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One port, or those from one to another, both included: `22`, `"8000-8010"`, `[8000, 8010]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// Every port there is: nothing can listen at port 0.
    pub const ALL: Self = Self { first: 1, last: u16::MAX };

    /// The first of them.
    pub fn first(self) -> u16 {
        self.first
    }

    /// The last of them.
    pub fn last(self) -> u16 {
        self.last
    }

    /// Whether this port is one of them.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// What is wrong with it, if anything is.
    pub fn problem(self) -> Option<String> {
        if self.first == 0 {
            return Some(String::from("begins with port 0, at which nothing can listen"));
        }
        (self.first > self.last).then(|| format!("ends before it begins: {self}"))
    }
}

impl From<u16> for PortRange {
    fn from(port: u16) -> Self {
        Self { first: port, last: port }
    }
}

impl From<RangeInclusive<u16>> for PortRange {
    fn from(range: RangeInclusive<u16>) -> Self {
        Self { first: *range.start(), last: *range.end() }
    }
}

/// `22`, `8000-8010`.
impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl Serialize for PortRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.first == self.last {
            true => serializer.serialize_u16(self.first),
            false => serializer.collect_str(self),
        }
    }
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = PortRange;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a port, or a range of them: `22`, `8000-8010` or `[8000, 8010]`")
    }

    fn visit_u64<E: de::Error>(self, port: u64) -> Result<PortRange, E> {
        u16::try_from(port)
            .map(PortRange::from)
            .map_err(|_| E::custom(format!("{port} is not a port: the largest is 65535")))
    }

    fn visit_i64<E: de::Error>(self, port: i64) -> Result<PortRange, E> {
        u64::try_from(port)
            .map_err(|_| E::custom(format!("{port} is not a port")))
            .and_then(|port| self.visit_u64(port))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PortRange, E> {
        let port = |text: &str| text.trim().parse::<u16>().ok();
        let range = match text.split_once('-') {
            Some((first, last)) => port(first).zip(port(last)).map(|(first, last)| PortRange { first, last }),
            None => port(text).map(PortRange::from),
        };
        range.ok_or_else(|| {
            let shown = clockwork_core::text::quote(text);
            E::custom(format!("{shown} is neither a port nor a range of them: write `22` or `8000-8010`"))
        })
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<PortRange, A::Error> {
        let wrong = || de::Error::custom("a range of ports is its first and its last: `[8000, 8010]`");
        let (first, last) = seq.next_element()?.zip(seq.next_element()?).ok_or_else(wrong)?;
        match seq.next_element::<de::IgnoredAny>()? {
            None => Ok(PortRange { first, last }),
            Some(_) => Err(wrong()),
        }
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

impl schemars::JsonSchema for PortRange {
    fn schema_name() -> Cow<'static, str> {
        "PortRange".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A port, or a range of them: 22, \"8000-8010\" or [8000, 8010]",
            "anyOf": [
                { "type": "integer", "minimum": 1, "maximum": 65535 },
                { "type": "string", "pattern": "^ *[0-9]+ *(- *[0-9]+ *)?$" },
                { "type": "array", "items": { "type": "integer" }, "minItems": 2, "maxItems": 2 }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_people_write_them() {
        for (text, expected) in [
            ("22", "22"),
            (r#""22""#, "22"),
            (r#""8000-8010""#, "8000-8010"),
            (r#""8000 - 8010""#, "8000-8010"),
            ("[8000, 8010]", "8000-8010"),
        ] {
            let range = serde_json::from_str::<PortRange>(text).map(|range| range.to_string());
            assert_eq!(range.ok().as_deref(), Some(expected), "{text}");
        }
        for (text, expected) in [
            ("65536", "65536 is not a port: the largest is 65535"),
            ("-1", "-1 is not a port"),
            (r#""http""#, r#""http" is neither a port nor a range"#),
            ("[1]", "its first and its last"),
            ("[1, 2, 3]", "its first and its last"),
            ("true", "expected a port, or a range of them"),
        ] {
            let error = serde_json::from_str::<PortRange>(text).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|error| error.contains(expected)), "{text}: {error:?}");
        }
        assert!(
            (PortRange { first: 5, last: 3 }).problem().is_some() && PortRange::from(0).problem().is_some()
        );
        assert!(PortRange::ALL.problem().is_none() && PortRange::from(3..=5).contains(4));
    }
}
