//! YAML as a value: the events of the parser, built up with bounds. What it says is data to compare, so it needs no
//! positions; the manifest's own reader keeps those. Scalars mean what they mean there: the core schema, except that
//! digits behind a leading zero (`0644`) are text.

use std::collections::HashMap;

use clockwork_core::text;
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

/// How deep values may nest.
const DEPTH: usize = 128;

/// How many values one file may hold, those behind aliases counted wherever they are repeated.
const NODES: usize = 1_000_000;

/// Something that is not closed yet.
struct Open {
    anchor: usize,
    value: Value,
    /// In a mapping: the key whose value comes next.
    key: Option<String>,
    /// In a mapping: what `<<` merged in, which the mapping's own keys override.
    merged: Vec<Value>,
}

#[derive(Default)]
struct Builder {
    documents: Vec<Value>,
    open: Vec<Open>,
    anchors: HashMap<usize, (Value, usize)>,
    nodes: usize,
}

/// The only document, or an array of several.
pub(super) fn parse(text: &str) -> Result<Value, String> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let marker = error.marker();
            format!("{} at line {} column {}", text::harmless(error.info()), marker.line(), marker.col() + 1)
        })?;
        builder.event(event).map_err(|problem| format!("{problem} at line {}", span.start.line()))?;
    }
    match builder.documents.len() {
        0 => Err(String::from("it is empty")),
        1 => Ok(builder.documents.remove(0)),
        _ => Ok(Value::Array(builder.documents)),
    }
}

impl Builder {
    fn event(&mut self, event: Event<'_>) -> Result<(), String> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = scalar(&text, style, tag.as_deref())?;
                self.add(value, 1, anchor, style == ScalarStyle::Plain && text == "<<")
            }
            Event::SequenceStart(anchor, _) => self.start(anchor, Value::Array(Vec::new())),
            Event::MappingStart(anchor, _) => self.start(anchor, Value::Object(Map::new())),
            Event::SequenceEnd | Event::MappingEnd => self.end(),
            Event::Alias(anchor) => {
                let nodes = self.anchors.get(&anchor).map_or(0, |(_, nodes)| *nodes);
                self.budget(nodes)?; // before the copy is made
                match self.anchors.get(&anchor).map(|(value, _)| value.clone()) {
                    Some(value) => self.add(value, 0, 0, false),
                    None => Err(String::from("an alias inside what it names")),
                }
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn budget(&mut self, nodes: usize) -> Result<(), String> {
        self.nodes += nodes;
        if self.nodes > NODES { Err(format!("more than {NODES} values")) } else { Ok(()) }
    }

    fn start(&mut self, anchor: usize, value: Value) -> Result<(), String> {
        if self.open.len() == DEPTH {
            return Err(format!("values nest deeper than {DEPTH}"));
        }
        self.open.push(Open { anchor, value, key: None, merged: Vec::new() });
        Ok(())
    }

    fn end(&mut self) -> Result<(), String> {
        let Some(mut done) = self.open.pop() else { return Ok(()) };
        if let Value::Object(fields) = &mut done.value {
            for merged in done.merged {
                let sources = match merged {
                    Value::Array(sources) => sources,
                    source => vec![source],
                };
                for source in sources {
                    let Value::Object(source) = source else {
                        return Err(String::from("`<<` merges mappings only"));
                    };
                    for (key, value) in source {
                        fields.entry(key).or_insert(value);
                    }
                }
            }
        }
        self.add(done.value, 1, done.anchor, false)
    }

    fn add(&mut self, value: Value, nodes: usize, anchor: usize, merge: bool) -> Result<(), String> {
        self.budget(nodes)?;
        if anchor > 0 {
            let nodes = count(&value);
            // What is kept for aliases is a copy too.
            self.budget(nodes)?;
            self.anchors.insert(anchor, (value.clone(), nodes));
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(value);
            return Ok(());
        };
        match (&mut open.value, open.key.take()) {
            (Value::Array(values), _) => values.push(value),
            (Value::Object(_), None) if merge => open.key = Some(String::from("<<")),
            (Value::Object(fields), None) => {
                let key = match value {
                    Value::String(key) => key,
                    Value::Array(_) | Value::Object(_) => {
                        return Err(String::from("a key that is no scalar"));
                    }
                    plain => plain.to_string(),
                };
                if fields.contains_key(&key) {
                    return Err(format!("the key {} a second time", text::quote(&key)));
                }
                open.key = Some(key);
            }
            (Value::Object(_), Some(key)) if key == "<<" => open.merged.push(value),
            (Value::Object(fields), Some(key)) => {
                fields.insert(key, value);
            }
            _ => {}
        }
        Ok(())
    }
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0,
    }
}

/// A scalar of the core schema. One of a type that nobody here knows (`!Ref`) is text.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Value, String> {
    let string = || Value::String(text.to_owned());
    match tag {
        Some(tag) if tag.is_yaml_core_schema() => {
            let value = plain(text);
            let fits = match tag.suffix.as_str() {
                "str" => return Ok(string()),
                "int" => value.is_i64() || value.is_u64(),
                "float" => return Ok(value.as_f64().map_or_else(string, Value::from)),
                "bool" => value.is_boolean(),
                "null" => value.is_null(),
                _ => return Ok(string()),
            };
            if fits { Ok(value) } else { Err(format!("{} is no !!{}", text::quote(text), tag.suffix)) }
        }
        Some(_) => Ok(string()),
        None if style == ScalarStyle::Plain => Ok(plain(text)),
        None => Ok(string()),
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return true.into(),
        "false" | "False" | "FALSE" => return false.into(),
        _ => {}
    }
    let string = || Value::String(text.to_owned());
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).map_or_else(|_| string(), Value::from);
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).map_or_else(|_| string(), Value::from);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let begins = unsigned.starts_with(|c: char| c.is_ascii_digit())
        || unsigned.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    if !begins
        || matches!(unsigned.as_bytes(), [b'0', b'0'..=b'9', ..])
        || !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
    {
        return string();
    }
    if let Ok(number) = text.parse::<i64>() {
        return number.into();
    }
    if let Ok(number) = text.parse::<u64>() {
        return number.into();
    }
    match text.parse::<f64>().ok().and_then(Number::from_f64) {
        Some(number) => Value::Number(number),
        None => string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scalars_are_of_the_core_schema() {
        let table = [
            ("1", json!(1)),
            ("-1", json!(-1)),
            ("0644", json!("0644")),
            ("0o644", json!(420)),
            ("0xff", json!(255)),
            ("1.50", json!(1.5)),
            ("1e3", json!(1000.0)),
            (".5", json!(0.5)),
            ("18446744073709551615", json!(u64::MAX)),
            ("1.2.3", json!("1.2.3")),
            ("1-2", json!("1-2")),
            ("2026-01-31", json!("2026-01-31")),
            (".inf", json!(".inf")),
            ("-", Value::Null), // a sequence of one null
            ("yes", json!("yes")),
            ("True", json!(true)),
            ("~", Value::Null),
            ("'1'", json!("1")),
            ("!!str 1", json!("1")),
            ("!Ref x", json!("x")),
            ("infinity", json!("infinity")),
        ];
        for (text, value) in table {
            let value = if text == "-" { json!([null]) } else { value };
            assert_eq!(parse(text), Ok(value), "{text}");
        }
    }

    #[test]
    fn anchors_merges_and_documents() {
        let text = "base: &b { a: 1, b: 2 }\nall:\n  <<: *b\n  b: 3\nlist: [*b, *b]\n";
        let base = json!({ "a": 1, "b": 2 });
        assert_eq!(parse(text), Ok(json!({ "base": base, "all": { "b": 3, "a": 1 }, "list": [base, base] })));
        assert_eq!(parse("kind: A\n---\nkind: B\n"), Ok(json!([{ "kind": "A" }, { "kind": "B" }])));
        assert_eq!(parse("1: a\ntrue: b\n"), Ok(json!({ "1": "a", "true": "b" })));
    }

    #[test]
    fn what_is_wrong_or_hostile_ends_early() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let below = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{below}]\n");
        }
        let deep = "- ".repeat(1000);
        let table = [
            ("", "it is empty"),
            ("a: 1\na: 2\n", "the key \"a\" a second time at line 2"),
            ("a: [1", "at line"),
            ("a: &x [*x]", "an alias inside what it names at line 1"),
            ("? [1]\n: 2\n", "a key that is no scalar at line 1"),
            (bomb.as_str(), "more than 1000000 values"),
            (deep.as_str(), "values nest deeper than 128"),
        ];
        for (text, problem) in table {
            let error = parse(text).expect_err("it is wrong");
            assert!(error.contains(problem), "{error:?} for {problem:?}");
        }
    }
}
