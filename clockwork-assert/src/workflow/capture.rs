//! [`Capture`]: what a step takes from its answer for those behind it.

use std::{borrow::Cow, fmt};

use clockwork_core::{
    Invalid,
    schemars::{JsonSchema, Schema, SchemaGenerator, json_schema},
    text::quote,
};
use clockwork_drivers::{http::HttpObservation, sql::Rows};
use serde::{
    Deserialize, Deserializer,
    de::{self, value::MapAccessDeserializer},
};
use serde_json::Value;

use crate::json_path;

/// What a step takes from its answer: a JSONPath or a header of a response, a column or the first value of a query's
/// first row.
///
/// ```
/// use clockwork_assert::Capture;
///
/// let (id, token) = (Capture::json("$.id"), Capture::header("x-token").secret());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    from: Source,
    secret: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Source {
    /// A text alone: a JSONPath where the step asks over HTTP, a column where it asks a database.
    Short(String),
    Json(String),
    Header(String),
    Body,
    Column(String),
    Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default)]
    json: Option<String>,
    #[serde(default)]
    header: Option<String>,
    #[serde(default)]
    column: Option<String>,
    #[serde(default)]
    body: bool,
    #[serde(default)]
    value: bool,
    #[serde(default)]
    secret: bool,
}

impl Capture {
    fn of(from: Source) -> Self {
        Self { from, secret: false }
    }

    /// The value at this JSONPath of the answer.
    pub fn json(path: impl Into<String>) -> Self {
        Self::of(Source::Json(path.into()))
    }

    /// The value of this header.
    pub fn header(name: impl Into<String>) -> Self {
        Self::of(Source::Header(name.into()))
    }

    /// The answer's body, as text.
    pub fn body() -> Self {
        Self::of(Source::Body)
    }

    /// This column of the first row.
    pub fn column(name: impl Into<String>) -> Self {
        Self::of(Source::Column(name.into()))
    }

    /// The first column of the first row.
    pub fn value() -> Self {
        Self::of(Source::Value)
    }

    /// It is shown nowhere.
    #[must_use]
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) fn is_secret(&self) -> bool {
        self.secret
    }

    /// What is wrong with it, on a step of this kind.
    pub(super) fn problem(&self, field: &str, over_http: bool) -> Option<Invalid> {
        let wrong = |message: &str| Some(Invalid::field(field, message));
        match (&self.from, over_http) {
            (Source::Json(_) | Source::Header(_) | Source::Body, false) => {
                wrong("takes `column` or `value`: the step asks a database")
            }
            (Source::Column(_) | Source::Value, true) => {
                wrong("takes `json`, `header` or `body`: the step asks over HTTP")
            }
            (Source::Json(path) | Source::Short(path), true) => {
                json_path::one(&Value::Null, path).err().and_then(|problem| wrong(&problem))
            }
            (Source::Header(name) | Source::Column(name) | Source::Short(name), _) if name.is_empty() => {
                wrong("names nothing")
            }
            _ => None,
        }
    }

    /// Takes it from a response.
    ///
    /// # Errors
    /// Why it is not there.
    pub(super) fn of_response(&self, seen: &HttpObservation) -> Result<Value, String> {
        match &self.from {
            Source::Json(path) | Source::Short(path) => {
                let document = seen.json().map_err(|error| error.to_string())?;
                let found = json_path::one(&document, path)?;
                found.cloned().ok_or_else(|| format!("there is no value at {} of the answer", quote(path)))
            }
            Source::Header(name) => {
                let mut values = seen.header_values(name);
                match (values.next(), values.next()) {
                    (Some(value), None) => std::str::from_utf8(value)
                        .map(Value::from)
                        .map_err(|_| format!("the header {} is no text", quote(name))),
                    (None, _) => Err(format!("the answer has no header {}", quote(name))),
                    (Some(_), Some(_)) => Err(format!("the answer has several headers {}", quote(name))),
                }
            }
            Source::Body => {
                let text = seen.text().map_err(|error| error.to_string())?;
                Ok(Value::from(&*text))
            }
            Source::Column(_) | Source::Value => Err(String::from("a response has no columns")),
        }
    }

    /// Takes it from the first row.
    ///
    /// # Errors
    /// Why it is not there.
    pub(super) fn of_rows(&self, seen: &Rows) -> Result<Value, String> {
        let row = seen.rows.first().ok_or("the query brought no row")?;
        let place = match &self.from {
            Source::Column(name) | Source::Short(name) => {
                let mut named = seen.columns.iter().enumerate().filter(|(_, column)| *column == name);
                match (named.next(), named.next()) {
                    (Some((place, _)), None) => place,
                    (None, _) => {
                        let known: Vec<_> = seen.columns.iter().take(8).map(|column| quote(column)).collect();
                        return Err(format!(
                            "the query has no column {}, only {}",
                            quote(name),
                            known.join(", ")
                        ));
                    }
                    (Some(_), Some(_)) => return Err(format!("the query has two columns {}", quote(name))),
                }
            }
            _ => 0,
        };
        row.get(place).cloned().ok_or_else(|| String::from("the row has no such column"))
    }
}

impl<'de> Deserialize<'de> for Capture {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Capture;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSONPath or a column, or one of `json`, `header`, `body`, `column`, `value`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Capture, E> {
                Ok(Capture::of(Source::Short(text.to_owned())))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Capture, A::Error> {
                let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
                let given = [
                    fields.json.map(Source::Json),
                    fields.header.map(Source::Header),
                    fields.column.map(Source::Column),
                    fields.body.then_some(Source::Body),
                    fields.value.then_some(Source::Value),
                ];
                let mut given = given.into_iter().flatten();
                match (given.next(), given.next()) {
                    (Some(from), None) => Ok(Capture { from, secret: fields.secret }),
                    _ => Err(de::Error::custom(
                        "give one of `json`, `header`, `body: true`, `column` and `value: true`",
                    )),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Capture {
    fn schema_name() -> Cow<'static, str> {
        "Capture".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "What is taken from the answer",
            "anyOf": [
                { "type": "string", "description": "A JSONPath of the response, or a column of the query" },
                {
                    "type": "object",
                    "properties": {
                        "json": { "description": "A JSONPath of the response", "type": "string" },
                        "header": { "description": "A header of the response", "type": "string" },
                        "body": { "description": "The response's body, as text", "const": true },
                        "column": { "description": "A column of the query's first row", "type": "string" },
                        "value": { "description": "The first column of the query's first row", "const": true },
                        "secret": { "description": "It is shown nowhere", "type": "boolean" }
                    },
                    "additionalProperties": false
                }
            ]
        })
    }
}
