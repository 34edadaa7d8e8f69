//! [`Details`]: structured data as the JSON that it will be in the report, or as the [`Evidence`] that it is written from.
//! A map of values would be most of what ten thousand results take, and a third of what it takes to make them.

use std::{borrow::Cow, sync::Arc};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::{borrowed::Borrowed, mask::Mask};

/// What a verdict rests on, for the report's `details`. It is kept as it was seen, and written as JSON where somebody reads
/// it: of a run that passes, nearly nobody does. So it has to be small, whatever the world says.
pub trait Evidence: Send + Sync + 'static {
    /// The members of a JSON object, without its braces. What is no JSON spoils all details.
    fn members(&self) -> String;
}

/// The members of an object, without its braces. A key that comes again replaces the first one when they are read.
#[derive(Clone, Default)]
pub(crate) struct Details {
    /// What comes first.
    evidence: Option<Arc<dyn Evidence>>,
    written: Vec<u8>,
}

impl Details {
    /// As much as most kinds have to say.
    const ROOM: usize = 192;

    pub(crate) fn add(&mut self, key: &str, value: &impl Serialize) {
        let json = &mut self.written;
        let before = json.len();
        json.reserve(if before == 0 { Self::ROOM } else { 0 });
        if before > 0 {
            json.push(b',');
        }
        let added = serde_json::to_writer(&mut *json, key).and_then(|()| {
            json.push(b':');
            serde_json::to_writer(&mut *json, value)
        });
        if added.is_err() {
            json.truncate(before); // a type of the caller's that is no JSON: nothing is better than half of it
        }
    }

    /// Adds what is JSON already: some members, without braces.
    pub(crate) fn add_members(&mut self, members: String) {
        debug_assert!(
            serde_json::from_str::<serde::de::IgnoredAny>(&format!("{{{members}}}")).is_ok(),
            "{members}"
        );
        let json = &mut self.written;
        if json.is_empty() {
            *json = members.into_bytes();
        } else {
            json.push(b',');
            json.extend_from_slice(members.as_bytes());
        }
    }

    /// Adds what is written when it is read.
    pub(crate) fn add_evidence(&mut self, evidence: impl Evidence) {
        if self.is_empty() {
            self.evidence = Some(Arc::new(evidence));
        } else {
            self.add_members(evidence.members());
        }
    }

    /// Gives back what is not needed, if it is worth it.
    pub(crate) fn shrunk(mut self) -> Self {
        if self.written.capacity() - self.written.len() > 32 {
            self.written.shrink_to_fit();
        }
        self
    }

    /// Without secrets.
    pub(crate) fn masked(self, mask: &Mask) -> Self {
        let json = String::from_utf8_lossy(&self.members()).into_owned();
        if mask.text(json.clone()) == json {
            return self;
        }
        match mask.value(Value::Object(self.to_map())) {
            Value::Object(map) => Self::from(&map),
            _ => Self::default(),
        }
    }

    pub(crate) fn to_map(&self) -> Map<String, Value> {
        if self.is_empty() {
            return Map::new();
        }
        serde_json::from_slice(&self.object()).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.evidence.is_none() && self.written.is_empty()
    }

    fn members(&self) -> Cow<'_, [u8]> {
        let Some(evidence) = &self.evidence else { return Cow::Borrowed(&self.written) };
        let mut written = Self::default();
        written.add_members(evidence.members());
        let mut members = written.written;
        if !self.written.is_empty() {
            members.push(b',');
            members.extend_from_slice(&self.written);
        }
        Cow::Owned(members)
    }

    fn object(&self) -> Vec<u8> {
        [b"{", &*self.members(), b"}"].concat()
    }
}

impl PartialEq for Details {
    fn eq(&self, other: &Self) -> bool {
        self.members() == other.members()
    }
}

impl From<&Map<String, Value>> for Details {
    fn from(map: &Map<String, Value>) -> Self {
        let mut details = Self::default();
        map.iter().for_each(|(key, value)| details.add(key, value));
        details
    }
}

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.is_empty() {
            return serializer.collect_map::<(), (), _>([]);
        }
        let json = self.object();
        let members = serde_json::from_slice(&json).unwrap_or(Borrowed::Object(Vec::new()));
        members.serialize(serializer)
    }
}

impl std::fmt::Debug for Details {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{{{}}}", String::from_utf8_lossy(&self.members()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_comes_out_is_what_a_map_would_hold() {
        let mut details = Details::default();
        assert_eq!(serde_json::to_value(&details).ok(), Some(json!({})));
        details.add("plain \"key\"", &json!({ "b": [1, -0.5, null], "a": "ü\n" }));
        details.add("status", &200_u16);
        details.add("odd", &f64::NAN);
        details.add("status", &404_u16);
        details.add("no JSON", &std::collections::HashMap::from([((1, 2), 3)]));
        details.add_members(r#""written":{"ms":0.5},"more":1"#.to_owned());
        let map = details.shrunk().to_map();
        let text = serde_json::to_string(&map).unwrap_or_default();
        let expected = r#"{"plain \"key\"":{"b":[1,-0.5,null],"a":"ü\n"},"status":404,"odd":null,"written":{"ms":0.5},"more":1}"#;
        assert_eq!(text, expected);
        assert_eq!(Details::from(&map).to_map(), map);
    }

    #[test]
    fn evidence_is_written_where_it_was_added() {
        struct Status(u16);
        impl Evidence for Status {
            fn members(&self) -> String {
                format!(r#""status":{}"#, self.0)
            }
        }
        let mut details = Details::default();
        details.add_evidence(Status(200));
        assert!(!details.is_empty());
        assert_eq!(serde_json::to_value(&details).ok(), Some(json!({ "status": 200 })));
        details.add("more", &1);
        details.add_evidence(Status(404));
        let text = serde_json::to_string(&details.to_map()).unwrap_or_default();
        assert_eq!(text, r#"{"status":404,"more":1}"#);
        assert_eq!(format!("{details:?}"), r#"{"status":200,"more":1,"status":404}"#);
        assert!(details == details.clone() && details != Details::default());
    }
}
