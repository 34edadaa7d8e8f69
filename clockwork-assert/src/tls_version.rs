//! [`TlsVersion`]: versions of TLS as people write them: `1.3`, which YAML reads as a number, or `"1.3"`.

use std::{borrow::Cow, fmt};

use clockwork_core::{schemars, text::quote};
use serde::{Deserialize, Deserializer, de};

/// A version of TLS that may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TlsVersion {
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        })
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = TlsVersion;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a version of TLS: 1.2 or 1.3")
    }

    fn visit_f64<E: de::Error>(self, version: f64) -> Result<TlsVersion, E> {
        self.visit_str(&version.to_string())
    }

    fn visit_str<E: de::Error>(self, version: &str) -> Result<TlsVersion, E> {
        let number = version.get(..3).filter(|start| start.eq_ignore_ascii_case("tls"));
        let number = number.map_or(version, |_| version[3..].trim_start_matches([' ', 'v', 'V']));
        match number {
            "1.2" => Ok(TlsVersion::Tls12),
            "1.3" => Ok(TlsVersion::Tls13),
            _ => Err(E::custom(format!(
                "{} is not a version that can be asked for: 1.2 or 1.3",
                quote(version)
            ))),
        }
    }
}

impl<'de> Deserialize<'de> for TlsVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

impl schemars::JsonSchema for TlsVersion {
    fn schema_name() -> Cow<'static, str> {
        "TlsVersion".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A version of TLS: 1.2 or 1.3",
            "anyOf": [
                { "type": "number", "enum": [1.2, 1.3] },
                { "type": "string", "pattern": r"^([Tt][Ll][Ss] ?[Vv]?)?1\.[23]$|\$\{" }
            ]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_people_write_them() {
        for (text, expected) in [
            ("1.2", Some(TlsVersion::Tls12)),
            ("\"1.3\"", Some(TlsVersion::Tls13)),
            ("\"TLS1.2\"", Some(TlsVersion::Tls12)),
            ("\"TLSv1.3\"", Some(TlsVersion::Tls13)),
            ("\"TLS 1.3\"", Some(TlsVersion::Tls13)),
            ("\"tlsv1.2\"", Some(TlsVersion::Tls12)),
            ("1.1", None),
            ("\"TLSv1\"", None),
            ("\"ⅰ.2\"", None),
            ("\"TLS\"", None),
        ] {
            assert_eq!(serde_json::from_str(text).ok(), expected, "{text}");
        }
    }
}
