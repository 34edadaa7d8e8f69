//! [`Secret`]: a value that a manifest may point at and never holds.

use std::{
    borrow::Cow,
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    io::Read,
    path::PathBuf,
};

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};

use crate::{CheckError, Input};

/// How long a secret in a file may be, in bytes.
const FILE_LIMIT: u64 = 64 << 10;

/// Where a secret is to be found: `{ env: NAME }` or `{ file: path }` in a manifest, or a value given in Rust.
///
/// It is read when it is needed, and shown nowhere: `Debug` says where it comes from, and it does not serialise.
#[derive(Clone)]
pub struct Secret(Source);

#[derive(Clone)]
enum Source {
    Env(String),
    File(PathBuf),
    Value(SecretString),
}

impl Secret {
    /// The environment variable of this name.
    pub fn env(name: impl Into<String>) -> Self {
        Self(Source::Env(name.into()))
    }

    /// The content of this file, without the line break at its end.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self(Source::File(path.into()))
    }

    /// What it rests on, for [`Assertion::inputs`](crate::Assertion::inputs).
    pub fn input(&self) -> Input {
        match &self.0 {
            Source::Env(name) => Input::Env(name.clone()),
            Source::File(path) => Input::File(path.clone()),
            Source::Value(value) => {
                let mut hasher = DefaultHasher::new();
                value.expose_secret().hash(&mut hasher);
                Input::Text(hasher.finish().to_string())
            }
        }
    }

    /// The secret itself, read now. From here on no result of the run shows it, whoever repeats it.
    ///
    /// # Errors
    /// When the variable is not set, or the file cannot be read: Clockwork cannot look (`errored`). The message names
    /// the place, never the value.
    pub fn reveal(&self) -> Result<SecretString, CheckError> {
        let value = match &self.0 {
            Source::Value(value) => value.clone(),
            Source::Env(name) => from_env(name)?,
            Source::File(path) => from_file(path)?,
        };
        crate::hide(&value);
        Ok(value)
    }
}

fn from_env(name: &str) -> Result<SecretString, CheckError> {
    let named = crate::text::quote(name);
    let unset = |what: &str| {
        CheckError::unobservable(format!("the secret in the environment variable {named} {what}"))
            .hint("set it where clockwork runs")
    };
    match std::env::var(name) {
        Ok(value) if value.is_empty() => Err(unset("is empty")),
        Ok(value) => Ok(value.into()),
        Err(std::env::VarError::NotPresent) => Err(unset("is not set")),
        // The error itself would show the value.
        Err(std::env::VarError::NotUnicode(_)) => Err(unset("is not UTF-8")),
    }
}

fn from_file(path: &std::path::Path) -> Result<SecretString, CheckError> {
    let wrong = |what: &str| {
        let named = crate::text::quote(&path.to_string_lossy());
        CheckError::unobservable(format!("the secret in the file {named} {what}"))
    };
    let unreadable = |error: std::io::Error| wrong("cannot be read").with_source(error);
    // A pipe that nobody writes to would block for ever.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(wrong("cannot be read: it is not a regular file"));
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut value = String::new();
    file.take(FILE_LIMIT + 1).read_to_string(&mut value).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidData => wrong("is not UTF-8"),
        _ => unreadable(error),
    })?;
    // Moved into its protected home first, so that every way out wipes it.
    let value = SecretString::from(value);
    let text = value.expose_secret();
    if text.len() as u64 > FILE_LIMIT {
        return Err(wrong("is longer than 64 KiB"));
    }
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() { Err(wrong("is empty")) } else { Ok(SecretString::from(text)) }
}

/// By where they come from, so that observations which need the same secret are shared.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Source::Env(one), Source::Env(other)) => one == other,
            (Source::File(one), Source::File(other)) => one == other,
            (Source::Value(one), Source::Value(other)) => one.expose_secret() == other.expose_secret(),
            _ => false,
        }
    }
}

impl Eq for Secret {}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            Source::Env(name) => name.hash(state),
            Source::File(path) => path.hash(state),
            // Unequal ones may share a hash; a hash of the value would say something about it.
            Source::Value(_) => {}
        }
    }
}

impl From<SecretString> for Secret {
    fn from(value: SecretString) -> Self {
        Self(Source::Value(value))
    }
}

/// Where it comes from; never what it is.
impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Source::Env(name) => f.debug_struct("Secret").field("env", name).finish(),
            Source::File(path) => f.debug_struct("Secret").field("file", path).finish(),
            Source::Value(_) => f.write_str("Secret([REDACTED])"),
        }
    }
}

/// The name by which the manifest's reader knows that what stands here must not be echoed.
pub(crate) const STRUCT_NAME: &str = "clockwork::Secret";

const FIELDS: &[&str] = &["env", "file"];

struct Visitor;

impl Visitor {
    /// Says nothing of what stands there: it may be the secret.
    fn literal<E: de::Error>() -> E {
        E::custom("a secret is not written down here: write `{ env: NAME }` or `{ file: path }`")
    }
}

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret: `{ env: NAME }` or `{ file: path }`")
    }

    /// Whatever stands there comes to this visitor, so that no format's own message echoes it.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Secret, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Secret, E> {
        Err(Self::literal())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Secret, E> {
        Err(Self::literal())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Secret, E> {
        Err(Self::literal())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Secret, E> {
        Err(Self::literal())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Secret, E> {
        Err(Self::literal())
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Secret, E> {
        Err(Self::literal())
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, _: A) -> Result<Secret, A::Error> {
        Err(Self::literal())
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
        let Some(key) = map.next_key::<String>()? else { return Err(Self::literal()) };
        let source = match key.as_str() {
            "env" => Source::Env(map.next_value()?),
            "file" => Source::File(map.next_value()?),
            key => return Err(de::Error::unknown_field(key, FIELDS)),
        };
        match (map.next_key::<String>()?, &source) {
            (Some(_), _) => {
                Err(de::Error::custom("a secret comes from one place: `env` or `file`, not more"))
            }
            (None, Source::Env(name)) if name.is_empty() || name.contains(['=', '\0']) => {
                Err(de::Error::custom("`env` needs the name of an environment variable"))
            }
            (None, Source::File(path)) if path.as_os_str().is_empty() => {
                Err(de::Error::custom("`file` needs a path"))
            }
            (None, _) => Ok(Secret(source)),
        }
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(STRUCT_NAME, Visitor)
    }
}

impl schemars::JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A secret, which is never written down: { env: NAME } or { file: path }",
            "type": "object",
            "properties": {
                "env": { "description": "The environment variable that holds it", "type": "string", "minLength": 1 },
                "file": { "description": "The file that holds it", "type": "string", "minLength": 1 }
            },
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1
        })
    }
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
