//! [`PythonValue`]: an argument of a function: any value, or where a secret is to be found.

use std::borrow::Cow;

use clockwork_core::{CheckError, ExposeSecret, Input, Secret, SecretString, schemars};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A value that a function gets: as it stands in the manifest, or a secret, as a string.
#[derive(Debug, Clone)]
pub struct PythonValue(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Plain(Value),
    Secret(Secret),
}

impl PythonValue {
    /// What a secret rests on.
    pub(super) fn input(&self) -> Option<Input> {
        match &self.0 {
            Kind::Plain(_) => None,
            Kind::Secret(secret) => Some(secret.input()),
        }
    }

    /// The value; one that is a secret is added to those.
    pub(super) fn reveal(&self, secrets: &mut Vec<SecretString>) -> Result<Value, CheckError> {
        match &self.0 {
            Kind::Plain(value) => Ok(value.clone()),
            Kind::Secret(secret) => {
                let secret = secret.reveal()?;
                let value = Value::from(secret.expose_secret());
                secrets.push(secret);
                Ok(value)
            }
        }
    }
}

macro_rules! plain {
    ($($kind:ty),*) => {$(
        impl From<$kind> for PythonValue {
            fn from(value: $kind) -> Self {
                Self(Kind::Plain(value.into()))
            }
        }
    )*};
}

plain!(Value, bool, i32, i64, u64, f64, &str, String);

impl From<Secret> for PythonValue {
    fn from(secret: Secret) -> Self {
        Self(Kind::Secret(secret))
    }
}

impl<'de> Deserialize<'de> for PythonValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let secret = value.as_object().filter(|map| map.len() == 1).and_then(|map| {
            let (key, place) = map.iter().next()?;
            match (key.as_str(), place.as_str()?) {
                ("env", name) => Some(Secret::env(name)),
                ("file", path) => Some(Secret::file(path)),
                _ => None,
            }
        });
        Ok(secret.map_or(Self(Kind::Plain(value)), Self::from))
    }
}

impl schemars::JsonSchema for PythonValue {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "PythonValue".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "description": "any value, or a secret: `{ env: NAME }` or `{ file: path }`" })
    }
}
