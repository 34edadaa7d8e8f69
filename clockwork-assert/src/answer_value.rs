//! The value that an HTTP answer tells in a header, at a JSONPath, or in its body: who answered, which revision it is.

use clockwork_core::{CheckError, Pattern, text::quote};
use clockwork_drivers::http::HttpObservation;
use serde_json::Value;

use crate::{
    http_text::{decode, refuse_encoded},
    json_path,
};

/// Where an answer tells it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place<'a> {
    /// In the header of this name.
    Header(&'a str),
    /// At this JSONPath of its body.
    Json(&'a str),
    /// In its body: what the first group of this matches, or all that it matches.
    Body(&'a Pattern),
    /// Its body is it, without the white space around it.
    WholeBody,
}

/// What an answer tells.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Found {
    /// This.
    Value(Value),
    /// Nothing: why, as words that follow `the answer`.
    None(String),
}

impl Place<'_> {
    /// What this answer tells.
    ///
    /// # Errors
    /// When the body cannot be read, or not all of it.
    pub(crate) fn find(self, seen: &HttpObservation) -> Result<Found, CheckError> {
        if let Self::Header(name) = self {
            let lines: Vec<_> = seen.header_values(name).map(String::from_utf8_lossy).collect();
            return Ok(match lines.as_slice() {
                [] => Found::None(format!("has no header {}", quote(name))),
                [first, rest @ ..] if rest.iter().any(|other| other != first) => {
                    Found::None(format!("has several headers {} that differ", quote(name)))
                }
                [first, ..] => Found::Value(Value::from(&**first)),
            });
        }
        refuse_encoded(seen)?;
        if seen.is_truncated() {
            let read = seen.body().len();
            let what = format!("the body is larger than the {read} bytes that are read of it");
            return Err(CheckError::unobservable(what).hint("raise `max_body`"));
        }
        let text = decode(seen)?;
        let pattern = match self {
            Self::Json(path) => {
                let Ok(document) = serde_json::from_str::<Value>(&text) else {
                    return Ok(Found::None(format!("has a body that is not JSON: {}", quote(&text))));
                };
                let found = json_path::one(&document, path).map_err(CheckError::unobservable)?;
                return Ok(match found {
                    Some(value) => Found::Value(value.clone()),
                    None => Found::None(format!(
                        "has nothing at {} of its body",
                        clockwork_core::text::harmless(path)
                    )),
                });
            }
            Self::Header(_) | Self::WholeBody => {
                return Ok(match text.trim() {
                    "" => Found::None(String::from("has no body")),
                    whole => Found::Value(whole.into()),
                });
            }
            Self::Body(pattern) => pattern,
        };
        let found = pattern.captures(&text).and_then(|captures| captures.get(1).or_else(|| captures.get(0)));
        Ok(match found {
            Some(found) => Found::Value(found.as_str().into()),
            None => Found::None(format!("has a body that does not match {}", quote(pattern.as_str()))),
        })
    }
}
