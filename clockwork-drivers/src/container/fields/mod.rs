//! The fields of a container that people write as one line, as docker compose has them: read, checked, and put into
//! one spelling, so that what is declared and what is observed can be compared.

mod port;
mod text;
mod volume;

use std::{fmt, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use port::{PortMapping, Protocol};
pub use text::{Command, EnvValue, Text};
pub use volume::Volume;

pub(super) use port::observed as observed_port;
pub(super) use volume::spell as spell_volume;

/// Deserialisation, schema and serialisation of what is written as one line.
macro_rules! one_line {
    ($type:ty, $expected:literal, $pattern:literal) => {
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;
                impl serde::de::Visitor<'_> for Visitor {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expected)
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<$type, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<$type, E> {
                        // YAML's older readers take `no` for false.
                        match value {
                            false => "no".parse().map_err(E::custom),
                            true => Err(E::invalid_type(serde::de::Unexpected::Bool(true), &self)),
                        }
                    }
                }
                deserializer.deserialize_any(Visitor)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": $expected,
                    "type": ["string", "integer"],
                    "pattern": $pattern
                })
            }
        }
    };
}
pub(super) use one_line;

/// When an engine starts a container again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Restart {
    /// Never.
    #[default]
    No,
    /// Whenever it ends.
    Always,
    /// Whenever it ends, unless a person stopped it.
    UnlessStopped,
    /// When it ends with another code than 0, at most this often (any number of times, if 0).
    OnFailure(u64),
}

one_line!(
    Restart,
    "`no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`",
    r"^(no|always|unless-stopped|on-failure(:\d+)?)$|\$\{"
);

impl FromStr for Restart {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, count) = text.split_once(':').map_or((text, None), |(name, count)| (name, Some(count)));
        match (name, count.map(str::parse)) {
            ("no", None) => Ok(Self::No),
            ("always", None) => Ok(Self::Always),
            ("unless-stopped", None) => Ok(Self::UnlessStopped),
            ("on-failure", None) => Ok(Self::OnFailure(0)),
            ("on-failure", Some(Ok(count))) => Ok(Self::OnFailure(count)),
            _ => Err(format!(
                "{} is no restart policy; write `no`, `always`, `unless-stopped`, `on-failure` or `on-failure:3`",
                clockwork_core::text::quote(text)
            )),
        }
    }
}

impl fmt::Display for Restart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::Always => f.write_str("always"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
            Self::OnFailure(0) => f.write_str("on-failure"),
            Self::OnFailure(count) => write!(f, "on-failure:{count}"),
        }
    }
}

/// How the engine finds out whether a container is healthy.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HealthCheck {
    /// A command for the container's shell, or `["CMD", program, arguments…]`, or `["NONE"]` for none.
    pub test: HealthTest,
    /// How often. The engine's default: 30s.
    #[serde(with = "clockwork_core::duration::optional", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<clockwork_core::duration::Schema>")]
    pub interval: Option<Duration>,
    /// How long one check may take. The engine's default: 30s.
    #[serde(with = "clockwork_core::duration::optional", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<clockwork_core::duration::Schema>")]
    pub timeout: Option<Duration>,
    /// For how long after the start failures do not count. The engine's default: 0s.
    #[serde(with = "clockwork_core::duration::optional", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<clockwork_core::duration::Schema>")]
    pub start_period: Option<Duration>,
    /// How many failures in a row make it unhealthy. The engine's default: 3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
}

/// What a health check runs, as engines have it: `["CMD-SHELL", "wget -q localhost"]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct HealthTest(pub Vec<String>);

impl HealthTest {
    /// One line is for the shell; a list says in its first word how it is meant.
    pub(super) fn read(words: Vec<String>) -> Result<Self, String> {
        match words.first().map(String::as_str) {
            Some("CMD") if words.len() > 1 => Ok(Self(words)),
            Some("CMD-SHELL") if words.len() == 2 => Ok(Self(words)),
            Some("NONE") if words.len() == 1 => Ok(Self(words)),
            _ => Err(String::from(
                "a health check's list is [\"CMD\", program, arguments…], [\"CMD-SHELL\", line] or [\"NONE\"]",
            )),
        }
    }

    /// This line, run by the container's shell.
    pub fn shell(line: impl Into<String>) -> Self {
        Self(vec![String::from("CMD-SHELL"), line.into()])
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn restart_policies_are_those_of_compose() {
        for text in ["no", "always", "unless-stopped", "on-failure", "on-failure:3"] {
            assert_eq!(text.parse::<Restart>().unwrap().to_string(), text);
        }
        for text in ["", "never", "no:1", "on-failure:x", "always:2"] {
            assert!(text.parse::<Restart>().is_err(), "{text}");
        }
        assert_eq!(serde_json::from_str::<Restart>("false").unwrap(), Restart::No);
        assert!(serde_json::from_str::<Restart>("true").is_err());
    }

    #[test]
    fn a_health_check_says_how_its_command_is_meant() {
        let read = |json: &str| serde_json::from_str::<HealthTest>(json);
        assert_eq!(read(r#""wget -q x""#).unwrap(), HealthTest::shell("wget -q x"));
        assert_eq!(read(r#"["CMD", "true"]"#).unwrap().0, ["CMD", "true"]);
        for wrong in [r#"["true"]"#, r#"["CMD"]"#, "[]", r#"["CMD-SHELL", "a", "b"]"#, "5"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
