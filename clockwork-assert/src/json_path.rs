//! Values inside a document, by JSONPath (RFC 9535): what JSON answers and JSON, YAML and TOML files are asked.

use std::collections::BTreeMap;

use clockwork_core::{Invalid, Matcher, text};
use serde_json::Value;
use serde_json_path::JsonPath;

/// Paths and what has to be there.
///
/// A path without a leading `$` begins at the root: `server.port` is `$.server.port`. One that can only ever name one
/// value (`$.a[0]`) is that value; any other (`$.a[*]`, `$..b`, `$.a[?@.c]`) is the array of all that it finds.
pub(crate) type Paths = BTreeMap<String, Matcher>;

/// What is wrong with the paths, if anything is.
pub(crate) fn problems(field: &str, paths: &Paths) -> Vec<Invalid> {
    if paths.is_empty() {
        return vec![Invalid::field(field, "is empty: give a path and what has to be there")];
    }
    let wrong = paths.keys().filter_map(|path| {
        let error = parse(path).err()?;
        let problem = format!("{} is no JSONPath: {}", text::quote(path), text::harmless(&error.to_string()));
        Some(Invalid::field(field, problem))
    });
    wrong.collect()
}

/// One path that does not hold.
#[derive(Debug, PartialEq)]
pub(crate) struct Wrong {
    /// `$.server.port: expected 80, got 81`.
    pub(crate) message: String,
    /// The path and what was there.
    pub(crate) actual: String,
    /// Whether the value was judged at all.
    pub(crate) judged: bool,
}

/// Every path that does not hold.
pub(crate) fn compare(document: &Value, paths: &Paths) -> Vec<Wrong> {
    let wrong = paths.iter().filter_map(|(path, matcher)| {
        let shown = text::harmless(path);
        let parsed = match parse(path) {
            Ok(parsed) => parsed,
            // `validate` refuses it, so nobody gets here; and if so, it is not a pass.
            Err(error) => {
                let message = format!("{shown}: {error}");
                return Some(Wrong { message, actual: String::from("not looked at"), judged: false });
            }
        };
        let found = parsed.query(document).all();
        let mismatch = if names_one(&parsed) {
            matcher.check(found.first().copied())
        } else {
            matcher.check(Some(&found.into_iter().cloned().collect()))
        };
        let mismatch = mismatch.err()?;
        Some(Wrong {
            message: format!("{shown}: {}", mismatch.message),
            actual: format!("{shown} is {}", mismatch.actual),
            judged: mismatch.judged,
        })
    });
    wrong.collect()
}

/// The one value at this path, where there is one.
///
/// # Errors
/// When it is no path, or one that may name several values.
pub(crate) fn one<'a>(document: &'a Value, path: &str) -> Result<Option<&'a Value>, String> {
    let shown = text::quote(path);
    let parsed = parse(path)
        .map_err(|error| format!("{shown} is no JSONPath: {}", text::harmless(&error.to_string())))?;
    if !names_one(&parsed) {
        return Err(format!("{shown} may name several values, and one is needed"));
    }
    Ok(parsed.query(document).first())
}

/// A value in a message: text in quotation marks, anything else as JSON, bounded.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(string) => text::quote(string),
        other => {
            let quoted = text::quote(&other.to_string()).replace("\\\"", "\"");
            let inner = quoted.strip_prefix('"').unwrap_or(&quoted);
            inner.strip_suffix('"').unwrap_or(inner).to_owned()
        }
    }
}

fn parse(path: &str) -> Result<JsonPath, serde_json_path::ParseError> {
    match path.chars().next() {
        Some('$') => JsonPath::parse(path),
        Some('[') | None => JsonPath::parse(&format!("${path}")),
        Some(_) => JsonPath::parse(&format!("$.{path}")),
    }
}

/// Whether the path can only ever name one value. The parser knows, and does not tell; what it prints is canonical.
fn names_one(path: &JsonPath) -> bool {
    let (path, mut quoted, mut escaped) = (path.to_string(), None, false);
    let mut before = ' ';
    for c in path.chars() {
        match quoted {
            Some(_) if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(quote) if c == quote => quoted = None,
            Some(_) => {}
            None if matches!(c, '\'' | '"') => quoted = Some(c),
            None if matches!(c, '*' | '?' | ',' | ':') || (c == '.' && before == '.') => return false,
            None => {}
        }
        before = c;
    }
    true
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_names_one_value_or_many() {
        let one = ["$", "a", "$.a.b", "[0].x", "$['a.*,:?']", "a[\"..\"]", "a[-1]", "ключ"];
        let many = ["$..a", "a[*]", "a.*", "a[0,1]", "a[0:1]", "a[?@.b == 'c']", "$['a','b']"];
        for path in one {
            assert!(names_one(&parse(path).unwrap()), "{path}");
        }
        for path in many {
            assert!(!names_one(&parse(path).unwrap()), "{path}");
        }
    }

    #[test]
    fn what_does_not_hold_is_told_with_its_path() {
        let document = json!({ "server": { "port": 81, "tls": null }, "users": [{ "id": 1 }, { "id": 2 }] });
        let paths: Paths = serde_json::from_value(json!({
            "server.port": 80,
            "$.server.tls": { "is": "null" },
            "server.name": "x",
            "$.users[*].id": { "length": 2 },
            "$.users[?@.id > 5]": { "length": 0 },
            "users[1].id": [2, 3],
        }))
        .unwrap();
        assert_eq!(problems("json", &paths), []);
        let wrong = compare(&document, &paths);
        let told: Vec<_> = wrong.iter().map(|wrong| (wrong.message.as_str(), wrong.judged)).collect();
        assert_eq!(
            told,
            [
                ("server.name: expected \"x\", but there is no such value", false),
                ("server.port: expected 80, got 81", true)
            ]
        );
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let paths: Paths = serde_json::from_value(json!({ "a[": 1, "$.ok": 1 })).unwrap();
        let told = problems("json", &paths);
        assert_eq!(told.len(), 1);
        assert!(told[0].message.starts_with("\"a[\" is no JSONPath: "), "{told:?}");
        assert_eq!(problems("yaml", &Paths::new()).len(), 1);
    }
}
