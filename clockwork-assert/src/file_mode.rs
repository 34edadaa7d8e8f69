//! [`ModeLimit`]: which modes are right.

use std::{borrow::Cow, fmt, str::FromStr};

use clockwork_drivers::file::{FileMode, ModeError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// Which modes are right: this one, or those that grant no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModeLimit {
    mode: FileMode,
    at_most: bool,
}

impl ModeLimit {
    /// No permission beyond these; fewer will do.
    pub fn at_most(mode: FileMode) -> Self {
        Self { mode, at_most: true }
    }

    /// What is wrong with a file's mode, if anything is.
    pub(crate) fn problem(&self, mode: u32) -> Option<String> {
        let (mask, bits) = (self.mode.mask(), self.mode.bits());
        let (extra, lacking) =
            if self.at_most { (self.mode.beyond(mode), 0) } else { (mode & mask & !bits, bits & !mode) };
        if extra == 0 && lacking == 0 {
            return None;
        }
        let expected = if self.at_most { "at most " } else { "" };
        let mut problem = format!("mode is {mode:04o}, expected {expected}{}", self.mode);
        if extra != 0 {
            problem.push_str(&format!(" (too much: {})", symbols(extra)));
        }
        if lacking != 0 {
            problem.push_str(&format!(" (lacking: {})", symbols(lacking)));
        }
        Some(problem)
    }
}

/// Bits in words: `setuid, go+w`.
fn symbols(bits: u32) -> String {
    let mut told: Vec<String> = [(0o4000, "setuid"), (0o2000, "setgid"), (0o1000, "sticky")]
        .into_iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, name)| name.to_owned())
        .collect();
    for (class, shift) in [('u', 6), ('g', 3), ('o', 0)] {
        let permissions: String = [(4, 'r'), (2, 'w'), (1, 'x')]
            .into_iter()
            .filter(|(bit, _)| bits >> shift & bit != 0)
            .map(|(_, c)| c)
            .collect();
        if !permissions.is_empty() {
            told.push(format!("{class}+{permissions}"));
        }
    }
    told.join(", ")
}

impl From<FileMode> for ModeLimit {
    fn from(mode: FileMode) -> Self {
        Self { mode, at_most: false }
    }
}

impl FromStr for ModeLimit {
    type Err = ModeError;

    fn from_str(text: &str) -> Result<Self, ModeError> {
        text.parse::<FileMode>().map(Self::from)
    }
}

impl fmt::Display for ModeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at_most = if self.at_most { "at most " } else { "" };
        write!(f, "{at_most}{}", self.mode)
    }
}

impl<'de> Deserialize<'de> for ModeLimit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = ModeLimit;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mode, as in \"0644\" or \"u=rw,go=r\", or { at_most: \"0640\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<ModeLimit, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<ModeLimit, E> {
                FileMode::deserialize(de::value::U64Deserializer::new(number)).map(ModeLimit::from)
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<ModeLimit, E> {
                FileMode::deserialize(de::value::I64Deserializer::new(number)).map(ModeLimit::from)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<ModeLimit, A::Error> {
                let AtMost { at_most } = AtMost::deserialize(de::value::MapAccessDeserializer::new(map))?;
                if at_most.mask() != 0o7777 {
                    return Err(de::Error::custom(format!(
                        "`at_most` needs all of u, g and o: write {at_most} as octal digits, or name all three"
                    )));
                }
                Ok(ModeLimit::at_most(at_most))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AtMost {
    at_most: FileMode,
}

impl JsonSchema for ModeLimit {
    fn schema_name() -> Cow<'static, str> {
        "ModeLimit".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let exactly = generator.subschema_for::<FileMode>();
        let at_most = AtMost::json_schema(generator);
        json_schema!({
            "description": "A mode (\"0644\", \"u=rw,go=r\"), or `{ at_most: \"0640\" }`.",
            "anyOf": [exactly, at_most]
        })
    }
}
