//! What a request is described with, as manifests write it: methods, versions, addresses, and texts that may be secrets.

use std::{
    borrow::Cow,
    fmt,
    net::{IpAddr, SocketAddr},
    ops::Deref,
    str::FromStr,
};

use clockwork_core::{
    CheckError, ExposeSecret, Secret, SecretString,
    schemars::{JsonSchema, Schema, SchemaGenerator, json_schema},
    text::quote,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, value::MapAccessDeserializer},
};

use super::web_url::WebUrl;

/// A URL as it is declared, or a part of one. If it stands there in its normal form, as most do, it is read at once, so that
/// it is not read again for each look.
#[derive(Clone)]
pub struct UrlText(Written);

#[derive(Clone)]
enum Written {
    Plainly(WebUrl),
    Somehow(Box<str>),
}

impl UrlText {
    /// What it is known to be; `None` says nothing.
    pub(super) fn read(&self) -> Option<&WebUrl> {
        match &self.0 {
            Written::Plainly(url) => Some(url),
            Written::Somehow(_) => None,
        }
    }

    /// Whether it is known to be a whole URL that can be asked. Others may be one, too.
    pub fn is_plain(&self) -> bool {
        self.read().is_some()
    }

    /// Without what stands before an `@` in its authority: fit to be shown.
    pub fn without_userinfo(&self) -> Cow<'_, str> {
        match &self.0 {
            Written::Plainly(url) => url.as_str().into(),
            Written::Somehow(text) => super::without_userinfo(text),
        }
    }

    /// Whether something stands there.
    pub fn has_userinfo(&self) -> bool {
        self.without_userinfo().len() < self.len()
    }
}

impl Deref for UrlText {
    type Target = str;

    fn deref(&self) -> &str {
        match &self.0 {
            Written::Plainly(url) => url.as_str(),
            Written::Somehow(text) => text,
        }
    }
}

impl From<&str> for UrlText {
    fn from(text: &str) -> Self {
        Self(match WebUrl::plain(text) {
            Some(url) => Written::Plainly(url),
            None => Written::Somehow(text.into()),
        })
    }
}

impl From<String> for UrlText {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl fmt::Debug for UrlText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<'de> Deserialize<'de> for UrlText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = UrlText;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<UrlText, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

/// Which HTTP is spoken. Without it, what the server prefers of 1.1 and 2 over TLS, and 1.1 without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    /// HTTP/1.1.
    Http11,
    /// HTTP/2; without TLS it is spoken without asking first ("prior knowledge").
    Http2,
}

impl<'de> Deserialize<'de> for HttpVersion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = HttpVersion;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an HTTP version (`1.1` or `2`)")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<HttpVersion, E> {
                match text {
                    "1.1" => Ok(HttpVersion::Http11),
                    "2" | "2.0" => Ok(HttpVersion::Http2),
                    other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
                }
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<HttpVersion, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<HttpVersion, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for HttpVersion {
    fn schema_name() -> Cow<'static, str> {
        "HttpVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "An HTTP version", "enum": [1.1, 2, "1.1", "2"] })
    }
}

/// Reads a method, for `#[serde(deserialize_with)]`. What is written in small letters is meant in capitals.
///
/// # Errors
/// When it is none.
pub fn method<'de, D: Deserializer<'de>>(deserializer: D) -> Result<http::Method, D::Error> {
    let text = Cow::<str>::deserialize(deserializer)?;
    http::Method::from_bytes(text.to_ascii_uppercase().as_bytes())
        .map_err(|_| de::Error::custom(format!("{} is not an HTTP method", quote(&text))))
}

/// The address to connect to instead of a name's: an IP address, with a port if that differs too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResolveTo {
    pub(super) ip: IpAddr,
    pub(super) port: Option<u16>,
}

impl ResolveTo {
    /// The address, with this port unless it has one of its own.
    pub fn with_port(self, port: u16) -> SocketAddr {
        SocketAddr::new(self.ip, self.port.unwrap_or(port))
    }
}

impl FromStr for ResolveTo {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(ip) = crate::resolve::literal(text) {
            return Ok(Self { ip, port: None });
        }
        text.parse::<SocketAddr>().map(Self::from).map_err(|_| {
            format!(
                "{} is not an address; write `10.0.0.1`, `10.0.0.1:8443`, `::1` or `[::1]:8443`",
                quote(text)
            )
        })
    }
}

impl From<IpAddr> for ResolveTo {
    fn from(ip: IpAddr) -> Self {
        Self { ip, port: None }
    }
}

impl From<SocketAddr> for ResolveTo {
    fn from(address: SocketAddr) -> Self {
        Self { ip: address.ip(), port: Some(address.port()) }
    }
}

impl<'de> Deserialize<'de> for ResolveTo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for ResolveTo {
    fn schema_name() -> Cow<'static, str> {
        "ResolveTo".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An IP address, with a port if that differs too: 10.0.0.1, [::1]:8443",
            "type": "string"
        })
    }
}

/// A header's or a form field's value: written down, or a secret that is found elsewhere.
#[derive(Debug, Clone)]
pub enum Text {
    /// Written down.
    Plain(String),
    /// Found elsewhere.
    Secret(Secret),
}

impl Text {
    /// The value, read now if it is a secret.
    ///
    /// # Errors
    /// When the secret cannot be read.
    pub(super) fn reveal(&self) -> Result<SecretString, CheckError> {
        match self {
            Self::Plain(text) => Ok(SecretString::from(text.as_str())),
            Self::Secret(secret) => secret.reveal(),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<Secret> for Text {
    fn from(secret: Secret) -> Self {
        Self::Secret(secret)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, or a secret (`{ env: NAME }` or `{ file: path }`)")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
                Ok(Text::Plain(text.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
                Ok(Text::Plain(number.to_string()))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
                Ok(Text::Plain(number.to_string()))
            }

            fn visit_bool<E: de::Error>(self, flag: bool) -> Result<Text, E> {
                Ok(Text::Plain(flag.to_string()))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Text, A::Error> {
                Secret::deserialize(MapAccessDeserializer::new(map)).map(Text::Secret)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Text {
    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<Secret>();
        json_schema!({
            "description": "A text, or a secret",
            "anyOf": [{ "type": ["string", "integer", "boolean"] }, secret]
        })
    }
}

/// A user and a password, for HTTP's Basic authentication.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// Who asks.
    pub user: String,
    /// The password; none, if neither this nor `password_env` is given.
    #[serde(default)]
    pub password: Option<Secret>,
    /// The environment variable with the password: short for `password: { env: NAME }`.
    #[serde(default)]
    pub password_env: Option<String>,
}

impl BasicAuth {
    /// This user, with this password.
    pub fn new(user: impl Into<String>, password: Secret) -> Self {
        Self { user: user.into(), password: Some(password), password_env: None }
    }

    pub(super) fn reveal(&self) -> Result<SecretString, CheckError> {
        let from_env = self.password_env.as_ref().map(Secret::env);
        match self.password.as_ref().or(from_env.as_ref()) {
            Some(password) => password.reveal(),
            None => Ok(SecretString::default()),
        }
    }
}

/// The value of an `Authorization` header for this user and password.
pub(super) fn basic(user: &str, password: &SecretString) -> SecretString {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let pair = SecretString::from(format!("{user}:{}", password.expose_secret()));
    let token = SecretString::from(BASE64_STANDARD.encode(pair.expose_secret()));
    clockwork_core::hide(password);
    clockwork_core::hide(&token); // a server that repeats the header tells the password
    SecretString::from(format!("Basic {}", token.expose_secret()))
}
