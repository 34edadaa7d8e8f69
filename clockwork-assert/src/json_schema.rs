//! JSON Schema: what a manifest says of it, and what of a document is not as it says. Nothing is fetched, ever.

use std::path::PathBuf;

use clockwork_core::{CheckError, Context, Invalid, Vantage, text};
use clockwork_drivers::file::{DocumentFormat, FileDocumentProbe, Found, show_path};
use jsonschema::{Retrieve, Uri, Validator, error::ValidationErrorKind};
use serde_json::Value;

use crate::json_path;

/// How many violations a message tells.
const SHOWN: usize = 5;

/// Refuses to fetch: what a schema needs stands in it.
struct Refuse;

impl Retrieve for Refuse {
    fn retrieve(&self, uri: &Uri<String>) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        Err(format!("{uri} is not fetched: put what it names into `$defs`").into())
    }
}

fn compile(schema: &Value) -> Result<Validator, String> {
    jsonschema::options().with_retriever(Refuse).build(schema).map_err(|error| {
        let path = error.instance_path().to_string();
        let at = if path.is_empty() { String::new() } else { format!(" at {path}") };
        let why = match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        };
        format!("is no JSON Schema{at}: {}", one_line(&why))
    })
}

/// What is wrong with the field: an inline schema is compiled, a file is not read yet.
pub(crate) fn problem(field: &Value) -> Option<Invalid> {
    let problem = match field {
        Value::String(path) if path.is_empty() => {
            String::from("is empty: give a schema, or the path of a file with one")
        }
        Value::String(_) => return None,
        Value::Object(_) | Value::Bool(_) => compile(field).err()?,
        _ => String::from("is neither a schema nor the path of a file with one"),
    };
    Some(Invalid::field("json_schema", problem))
}

/// The schema that the field gives, read from its file where it is a path.
pub(crate) async fn read(field: &Value, cx: &Context) -> Result<Value, CheckError> {
    let Value::String(path) = field else { return Ok(field.clone()) };
    let path = PathBuf::from(path);
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("yaml" | "yml") => DocumentFormat::Yaml,
        _ => DocumentFormat::Json,
    };
    let shown = show_path(&path);
    let unreadable = |why: &str| CheckError::unobservable(format!("json_schema: {shown} {why}"));
    // It is Clockwork's to read, and not the target's to have: always here, and never inside a container.
    let seen = cx.from_vantage(Vantage::Host).observe(FileDocumentProbe { path, format }).await;
    let seen = seen.map_err(|error| unreadable(&format!("cannot be read: {error}")))?;
    match &*seen {
        Found::There(document) => match &document.value {
            Ok(schema) => Ok(schema.clone()),
            Err(why) => Err(unreadable(&format!("is not {}: {why}", format.name()))),
        },
        Found::NotRegular(_) => Err(unreadable("is no file")),
        Found::Missing(_) => Err(unreadable("is not there")),
    }
}

/// What of the document is not as the schema says, in one line; empty, where all is.
pub(crate) fn violations(schema: &Value, document: &Value) -> Result<String, CheckError> {
    let unusable = |why: String| CheckError::unobservable(format!("json_schema: {why}"));
    let validator = compile(schema).map_err(unusable)?;
    let (mut told, mut count) = (Vec::new(), 0_usize);
    for error in validator.iter_errors(document) {
        if let ValidationErrorKind::BacktrackLimitExceeded { .. } = error.kind() {
            return Err(unusable(String::from("one of its patterns takes too long to match; simplify it")));
        }
        count += 1;
        if count <= SHOWN {
            let path = error.instance_path().to_string();
            let at = if path.is_empty() { String::from("the body") } else { one_line(&path) };
            let got = json_path::shown(error.instance());
            let what = one_line(&error.masked_with("it").to_string());
            told.push(format!("{at}: {what}, got {got}"));
        }
    }
    if count > SHOWN {
        told.push(format!("and {} more", count - SHOWN));
    }
    Ok(told.join("; "))
}

fn one_line(message: &str) -> String {
    text::harmless(&text::bounded(message.replace(['\n', '\r'], " "), 300)).into_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_violation_is_told_with_its_place_and_what_was_there() {
        let schema = json!({
            "type": "object",
            "required": ["id"],
            "properties": { "id": { "type": "integer", "minimum": 1 }, "tags": { "items": { "$ref": "#/$defs/tag" } } },
            "$defs": { "tag": { "type": "string", "pattern": "^[a-z]+$" } }
        });
        for (document, expected) in [
            (json!({ "id": 1, "tags": ["a"] }), ""),
            (json!({ "id": 0 }), "/id: it is less than the minimum of 1, got 0"),
            (json!({}), "the body: \"id\" is a required property, got {}"),
            (json!({ "id": "1" }), "/id: it is not of type \"integer\", got \"1\""),
            (
                json!({ "id": 1, "tags": ["A\u{1b}"] }),
                "/tags/0: it does not match \"^[a-z]+$\", got \"A\\u{1b}\"",
            ),
        ] {
            assert_eq!(violations(&schema, &document).unwrap(), expected, "{document}");
        }
        let many = violations(&json!({ "items": { "type": "null" } }), &json!(vec![1; 50])).unwrap();
        assert!(many.ends_with("; and 45 more"), "{many}");
    }

    #[test]
    fn what_is_no_schema_is_refused_and_nothing_is_fetched() {
        for (schema, expected) in [
            (json!({ "type": "strnig" }), "is no JSON Schema at /type"),
            (json!(7), "is neither a schema nor the path of a file with one"),
            (json!(""), "is empty"),
            (
                json!({ "$ref": "http://127.0.0.1:9/x.json" }),
                "http://127.0.0.1:9/x.json is not fetched: put what it names into `$defs`",
            ),
            (json!({ "$ref": "file:///etc/passwd" }), "file:///etc/passwd is not fetched"),
        ] {
            let told = problem(&schema).unwrap().message;
            assert!(told.contains(expected), "{schema}: {told}");
        }
        assert_eq!(problem(&json!("schema.json")), None);
        assert_eq!(
            problem(&json!({ "$schema": "http://json-schema.org/draft-07/schema#", "type": "object" })),
            None
        );
    }

    #[test]
    fn a_pattern_that_takes_too_long_is_no_verdict() {
        let schema = json!({ "pattern": "^((a|aa)+)(?!c)\\1b$" });
        let error = violations(&schema, &json!("a".repeat(80)));
        assert!(error.is_err_and(|error| error.to_string().contains("takes too long")));
    }
}
