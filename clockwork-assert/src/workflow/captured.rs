//! [`Captured`]: what steps have found, for those behind them; and how it is put into what they ask.
//!
//! What was captured is foreign, so it never becomes a part of the language that it is put into: in a URL it is
//! percent-encoded, in a statement it is a parameter, in JSON a value, in a form a field, in a header it cannot be two.

use std::collections::{BTreeMap, BTreeSet};

use clockwork_core::{ExposeSecret, Secret, nearest, text::quote};
use serde_json::{Map, Value};

use crate::json_path::shown;

/// What stands for a value that is not to be shown.
const MASK: &str = "[secret]";

/// How long a captured value may be, as JSON.
const LIMIT: usize = 64 << 10;

const OPEN: &str = "${captured.";

/// What was captured so far, and what must not be shown.
#[derive(Debug, Clone, Default)]
pub(super) struct Captured {
    values: BTreeMap<String, One>,
    masks: Masks,
}

#[derive(Debug, Clone)]
struct One {
    value: Value,
    secret: bool,
}

impl Captured {
    /// Every name has a value that does not matter: to judge what a manifest says before anything runs.
    pub(super) fn stand_ins(names: impl IntoIterator<Item = String>) -> Self {
        let one = One { value: Value::from("1"), secret: false };
        let values = names.into_iter().map(|name| (name, one.clone())).collect();
        Self { values, masks: Masks::default() }
    }

    /// Takes a value.
    ///
    /// # Errors
    /// When it is too large to be carried around.
    pub(super) fn take(&mut self, name: &str, value: Value, secret: bool) -> Result<(), String> {
        let length = match &value {
            Value::String(text) => text.len(),
            other => other.to_string().len(),
        };
        if length > LIMIT {
            return Err(format!("{} is larger than what is captured (64 KiB)", quote(name)));
        }
        let secret = secret || self.masks.is_known(&plain(&value));
        if secret {
            self.masks.add_all(&value);
        }
        self.values.insert(name.to_owned(), One { value, secret });
        Ok(())
    }

    /// Nothing that comes from here on shows this.
    pub(super) fn hide(&mut self, secret: &Secret) {
        // One that cannot be read is told by whoever needs it.
        if let Ok(text) = secret.reveal() {
            self.masks.add(text.expose_secret());
        }
    }

    pub(super) fn masks(&self) -> &Masks {
        &self.masks
    }

    /// For the report.
    pub(super) fn details(&self) -> Map<String, Value> {
        let one = |one: &One| if one.secret { Value::from(MASK) } else { self.masks.value(&one.value) };
        self.values.iter().map(|(name, value)| (name.clone(), one(value))).collect()
    }

    /// `id 5, token [secret]`.
    pub(super) fn told(&self) -> String {
        let one = |one: &One| if one.secret { MASK.to_owned() } else { self.masks.text(&shown(&one.value)) };
        let told: Vec<_> = self.values.iter().map(|(name, value)| format!("{name} {}", one(value))).collect();
        told.join(", ")
    }

    fn get(&self, name: &str) -> Result<&Value, String> {
        self.values.get(name).map(|one| &one.value).ok_or_else(|| missing(name))
    }

    /// A text with its values, each as `encode` has it.
    fn fill_with(&self, text: &str, encode: impl Fn(&str) -> String) -> Result<String, String> {
        let (mut filled, mut rest) = (String::new(), text);
        while let Some((before, name, behind)) = split(rest) {
            filled.push_str(before);
            filled.push_str(&encode(&plain(self.get(name)?)));
            rest = behind;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    /// A text.
    pub(super) fn text(&self, text: &str) -> Result<String, String> {
        self.fill_with(text, str::to_owned)
    }

    /// A URL: what is put in is a part of it and cannot end that part; alone, it is the URL.
    pub(super) fn url(&self, url: &str) -> Result<String, String> {
        match alone(url) {
            Some(name) => match self.get(name)? {
                Value::String(url) => Ok(url.clone()),
                _ => Err(format!("what was captured as {} is no URL", quote(name))),
            },
            None => self.fill_with(url, encoded),
        }
    }

    /// A value: alone in its text, what was captured keeps its type.
    pub(super) fn value(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => match alone(text) {
                Some(name) => self.get(name)?.clone(),
                None => Value::from(self.text(text)?),
            },
            Value::Array(all) => all.iter().map(|one| self.value(one)).collect::<Result<_, _>>()?,
            Value::Object(all) => {
                let filled = all.iter().map(|(key, one)| Ok((key.clone(), self.value(one)?)));
                Value::Object(filled.collect::<Result<_, String>>()?)
            }
            other => other.clone(),
        })
    }

    /// A matcher: a list or a map that was captured would be read as one, so that none may stand there.
    pub(super) fn matcher(
        &self,
        matcher: &clockwork_core::Matcher,
    ) -> Result<clockwork_core::Matcher, String> {
        let written = serde_json::to_value(matcher).map_err(|error| error.to_string())?;
        let mut names = BTreeSet::new();
        names_in(&written, &mut names);
        if names.is_empty() {
            return Ok(matcher.clone());
        }
        for name in &names {
            if matches!(self.get(name)?, Value::Array(_) | Value::Object(_)) {
                return Err(format!(
                    "what was captured as {} is no single value to compare with",
                    quote(name)
                ));
            }
        }
        serde_json::from_value(self.value(&written)?).map_err(|error| error.to_string())
    }
}

fn missing(name: &str) -> String {
    format!("{} was not captured", quote(name))
}

/// What a value is within a text.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What stands before the first reference, its name, and what stands behind it.
fn split(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once(OPEN)?;
    let (name, behind) = rest.split_once('}')?;
    Some((before, name, behind))
}

/// The name, where a text is one reference and nothing else.
fn alone(text: &str) -> Option<&str> {
    match split(text)? {
        ("", name, "") => Some(name),
        _ => None,
    }
}

/// The names that a text refers to.
pub(super) fn names_in_text(text: &str, names: &mut BTreeSet<String>) {
    let mut rest = text;
    while let Some((_, name, behind)) = split(rest) {
        names.insert(name.to_owned());
        rest = behind;
    }
}

/// The names that a value refers to. Keys refer to none.
pub(super) fn names_in(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => names_in_text(text, names),
        Value::Array(all) => all.iter().for_each(|one| names_in(one, names)),
        Value::Object(all) => all.values().for_each(|one| names_in(one, names)),
        _ => {}
    }
}

/// What is wrong with a reference to what nobody captured before.
pub(super) fn unknown(name: &str, known: &BTreeSet<String>) -> String {
    let near = nearest(name, known.iter().map(String::as_str));
    match near {
        Some(near) => {
            format!("no step before this one captures {}; did you mean {}?", quote(name), quote(near))
        }
        None => format!("no step before this one captures {}", quote(name)),
    }
}

/// Percent-encoded, all but letters, digits and `-._~`.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte))
            }
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// Texts that are not to be shown, in every way in which a message may show them.
#[derive(Debug, Clone, Default)]
pub(super) struct Masks {
    /// As they are.
    known: BTreeSet<String>,
    /// In all ways, the longest first: of one that another begins, the rest would stay.
    shapes: Vec<String>,
}

impl Masks {
    fn add(&mut self, secret: &str) {
        if secret.is_empty() || !self.known.insert(secret.to_owned()) {
            return;
        }
        let quoted = quote(secret);
        let json = Value::from(secret).to_string();
        for shape in [secret.to_owned(), inner(&quoted), inner(&json), encoded(secret)] {
            if !self.shapes.contains(&shape) {
                self.shapes.push(shape);
            }
        }
        self.shapes.sort_by_key(|shape| std::cmp::Reverse(shape.len()));
    }

    /// A secret that is a map or a list is one in each of its parts.
    fn add_all(&mut self, value: &Value) {
        match value {
            Value::Array(all) => all.iter().for_each(|one| self.add_all(one)),
            Value::Object(all) => all.values().for_each(|one| self.add_all(one)),
            Value::Null | Value::Bool(_) => {}
            one => self.add(&plain(one)),
        }
    }

    fn is_known(&self, text: &str) -> bool {
        self.known.contains(text)
    }

    /// A text without any of them.
    pub(super) fn text(&self, text: &str) -> String {
        self.shapes.iter().fold(text.to_owned(), |text, shape| match text.contains(shape.as_str()) {
            true => text.replace(shape.as_str(), MASK),
            false => text,
        })
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::from(clockwork_core::text::bounded(self.text(text), 1024)),
            Value::Array(all) => all.iter().map(|one| self.value(one)).collect(),
            Value::Object(all) => {
                Value::Object(all.iter().map(|(key, one)| (key.clone(), self.value(one))).collect())
            }
            other => match self.known.contains(&other.to_string()) {
                true => Value::from(MASK),
                false => other.clone(),
            },
        }
    }
}

/// Without the quotes around it.
fn inner(quoted: &str) -> String {
    let inner = quoted.strip_prefix('"').unwrap_or(quoted);
    inner.strip_suffix('"').unwrap_or(inner).to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use clockwork_core::Matcher;
    use serde_json::json;

    use super::*;

    fn captured(values: Value) -> Captured {
        let mut captured = Captured::default();
        for (name, value) in values.as_object().unwrap() {
            captured.take(name, value.clone(), name.starts_with("secret")).unwrap();
        }
        captured
    }

    #[test]
    fn values_stay_within_what_they_are_put_into() {
        let captured = captured(json!({
            "id": 5, "text": "a/b?c=d&e#f\r\nx", "url": "http://there/x?y", "list": [1], "map": { "not": 1 }, "null": null,
        }));
        for (url, expected) in [
            ("http://here/${captured.id}/x", Ok("http://here/5/x")),
            ("http://here/${captured.text}", Ok("http://here/a%2Fb%3Fc%3Dd%26e%23f%0D%0Ax")),
            ("${captured.url}", Ok("http://there/x?y")),
            ("${captured.id}", Err("what was captured as \"id\" is no URL")),
            ("/${captured.no}", Err("\"no\" was not captured")),
            ("/${captured.id", Ok("/${captured.id")),
        ] {
            assert_eq!(captured.url(url).as_deref().map_err(String::as_str), expected, "{url}");
        }
        let value = json!({ "id": "${captured.id}", "in": ["n ${captured.id}", "${captured.map}"], "${captured.id}": 1 });
        let filled = json!({ "id": 5, "in": ["n 5", { "not": 1 }], "${captured.id}": 1 });
        assert_eq!(captured.value(&value).unwrap(), filled);
        let matcher = |json: Value| captured.matcher(&serde_json::from_value::<Matcher>(json).unwrap());
        assert!(matcher(json!("${captured.id}")).unwrap().check(Some(&json!(5))).is_ok());
        assert!(matcher(json!({ "not": "${captured.id}" })).unwrap().check(Some(&json!(5))).is_err());
        assert!(
            matcher(json!({ "starts_with": "n${captured.id}" })).unwrap().check(Some(&json!("n5!"))).is_ok()
        );
        // What came from outside never becomes an operator.
        assert!(matcher(json!("${captured.map}")).is_err());
        assert!(matcher(json!("${captured.list}")).is_err());
        assert!(
            matcher(json!({ "starts_with": "${captured.id}" })).is_err(),
            "a number where a text has to stand"
        );
    }

    #[test]
    fn secrets_are_shown_in_no_way() {
        let mut captured =
            captured(json!({ "id": 5, "secret": "p/w \"x\"", "secret_map": { "a": ["hidden"] } }));
        let masks = captured.masks();
        for text in ["p/w \"x\"!", r#"p/w \"x\"!"#, "p%2Fw%20%22x%22!"] {
            assert_eq!(masks.text(text), "[secret]!", "{text}");
        }
        assert_eq!(masks.text("a hidden one"), "a [secret] one");
        assert_eq!(captured.told(), "id 5, secret [secret], secret_map [secret]");
        // One that is known, whatever it is called.
        captured.take("echo", json!("hidden"), false).unwrap();
        captured.take("in", json!({ "x": "is hidden" }), false).unwrap();
        assert_eq!(captured.details()["echo"], "[secret]");
        assert_eq!(captured.details()["in"], json!({ "x": "is [secret]" }));
        assert!(captured.take("large", json!("x".repeat(70_000)), false).is_err());
    }
}
