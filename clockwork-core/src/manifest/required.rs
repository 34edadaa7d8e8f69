//! The fields that a kind cannot do without, asked of its schema: serde names one that is missing, and the schema all.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::Value;

use super::{
    fault::Fault,
    node::{Document, Id, Step},
};

/// How a kind makes its schema.
pub(super) type MakeSchema = fn(&mut SchemaGenerator) -> schemars::Schema;

/// The schema of a kind, with its definitions.
fn schema_of(make: MakeSchema) -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let mut schema = make(&mut generator).to_value();
    schema["definitions"] = Value::Object(generator.take_definitions(false));
    schema
}

fn names(schema: &Value) -> Vec<String> {
    let required = schema["required"].as_array();
    required.into_iter().flatten().filter_map(|field| Some(field.as_str()?.to_owned())).collect()
}

/// The fields that a kind cannot do without.
pub(super) fn required(make: MakeSchema) -> Vec<String> {
    names(&schema_of(make))
}

/// All its fields.
pub(super) fn properties(make: MakeSchema) -> Vec<String> {
    let schema = schema_of(make);
    schema["properties"].as_object().into_iter().flatten().map(|(field, _)| field.clone()).collect()
}

/// The fields that are missing beside what has been found wrong, in the struct `whole` and in the maps in it in which
/// something is wrong.
pub(super) fn missing(
    document: &Document,
    whole: Id,
    without: &[&str],
    faults: &[Fault],
    make: MakeSchema,
) -> Vec<Fault> {
    let whole = document.resolve(whole);
    let schema = schema_of(make);
    let mut maps = vec![(whole, Vec::new())];
    for at in faults.iter().filter_map(Fault::place) {
        let (steps, _) = document.way(whole, at).unwrap_or_default();
        let mut map = whole;
        for (depth, step) in steps.iter().enumerate() {
            let next = match step {
                Step::Key(key) => document.get(map, key).map(|(_, value)| value),
                Step::Index(index) => document.children(map).nth(*index),
            };
            let Some(next) = next.map(|next| document.resolve(next)) else { break };
            map = next;
            if document.is_mapping(map) && !maps.iter().any(|(known, _)| *known == map) {
                maps.push((map, steps[..=depth].to_vec()));
            }
        }
    }
    let mut missing = Vec::new();
    for (map, steps) in maps {
        let Some(schema) = below(&schema, &steps) else { continue };
        let keys: Vec<_> = document.pairs(map).map(|(key, _)| document.text(document.resolve(key))).collect();
        // A field may go by a name that the schema does not know, but serde does.
        let known = |key: &&str| {
            let refused = faults.iter().any(|fault| fault.kind().is_unknown(key));
            refused || schema["properties"].get(*key).is_some() || (map == whole && without.contains(key))
        };
        if !keys.iter().all(known) {
            continue;
        }
        for field in names(schema) {
            let told = |fault: &Fault| fault.place() == Some(map) && fault.kind().is_missing(&field);
            if !keys.contains(&&*field) && !faults.iter().any(told) {
                missing.push(Fault::missing(&field).at(map));
            }
        }
    }
    missing
}

/// The schema of what stands at the end of this way, as far as the way is plain.
fn below<'a>(root: &'a Value, steps: &[Step]) -> Option<&'a Value> {
    let mut here = plain(root, root)?;
    for step in steps {
        let next = match step {
            Step::Key(key) => here["properties"].get(key).or_else(|| here.get("additionalProperties"))?,
            Step::Index(_) => here.get("items")?,
        };
        here = plain(root, next)?;
    }
    Some(here)
}

/// What a reference, or an option, stands for.
fn plain<'a>(root: &'a Value, mut schema: &'a Value) -> Option<&'a Value> {
    // References among definitions may run in a circle.
    for _ in 0..8 {
        schema = if let Some(name) = schema["$ref"].as_str() {
            root["definitions"].get(name.strip_prefix("#/definitions/")?)?
        } else if let Some([one]) = schema["allOf"].as_array().map(Vec::as_slice) {
            one
        } else if let Some([one, Value::Object(null)]) = schema["anyOf"].as_array().map(Vec::as_slice)
            && null.get("type").is_some_and(|kind| kind == "null")
        {
            one
        } else {
            return Some(schema);
        };
    }
    None
}
