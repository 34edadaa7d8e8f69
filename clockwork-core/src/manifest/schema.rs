//! The JSON Schema of manifests, for editors: draft 7, because that is what the YAML language server reads.
//!
//! It is made of the Rust types' own schemas. What the reader does beyond serde is worked into them here: `${…}` stands
//! wherever a scalar may, and `null` never stands for a field that is left out.

use schemars::{
    Schema, SchemaGenerator,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value, json};

use super::{lower::CHILDREN, options::OPTIONS};
use crate::{BlankResource, Registry, Severity, duration};

pub(super) fn schema(registry: &Registry) -> Value {
    let mut generator = SchemaSettings::draft07().into_generator();
    let duration = generator.subschema_for::<duration::Schema>().to_value();
    let severity = generator.subschema_for::<Severity>().to_value();
    let mut root = json!({
        "type": "object",
        "properties": {
            "project": { "description": "The project's name, which names its state", "type": "string", "minLength": 1 },
            "vars": {
                "description": "Variables, for ${vars.NAME} in any scalar; --var and --vars-file override them",
                "type": "object"
            },
            "defaults": {
                "description": "What applies where an assertion says nothing itself",
                "type": "object",
                "properties": {
                    "timeout": described("How long one attempt may take (5s)", &duration),
                    "concurrency": {
                        "description": "How many attempts run at the same time (64)", "type": "integer", "minimum": 1
                    },
                    "target_concurrency": {
                        "description": "How many looks at one target (host and port, engine) run at the same time",
                        "type": "integer", "minimum": 1
                    },
                    "within": described("Keep trying until it passes, at most this long", &duration),
                    "deadline": described("How long the whole run may take", &duration)
                },
                "additionalProperties": false
            },
            "resources": {
                "description": "What should exist and behave, by name",
                "type": "object",
                "additionalProperties": { "$ref": "#/definitions/resource" }
            },
            "assertions": described("What is asserted over several resources", &json!({ "$ref": "#/definitions/assertions" }))
        },
        "required": ["project"],
        "additionalProperties": false
    });
    let (resource, resources) = resource(registry, &mut generator);
    let assertion = assertion(registry, &duration, &severity);
    let assertions = registry.assertions().values();
    let assertions: Vec<_> =
        assertions.map(|kind| (kind.name.to_owned(), (kind.schema)(&mut generator).to_value())).collect();
    let mut definitions = generator.take_definitions(false);
    definitions.extend(resources);
    definitions.extend(assertions);
    definitions.insert("assertion".into(), assertion);
    definitions.insert(
        "assertions".into(),
        json!({ "type": "array", "items": { "$ref": "#/definitions/assertion" } }),
    );
    definitions.insert("text or list".into(), text_or_list());
    root["definitions"] = Value::Object(definitions);
    let mut root = Schema::try_from(root).unwrap_or_default();
    generator.transforms_mut().for_each(|transform| transform.transform(&mut root));
    AsRead.transform(&mut root);
    let mut root = root.to_value();
    // Behind the transformation, because these hold names, which no variable stands for in an editor.
    root["definitions"]["resource"] = resource;
    bare_kinds(&mut root["definitions"]["assertion"], registry);
    root["$schema"] = json!("http://json-schema.org/draft-07/schema#");
    root["title"] = json!("Clockwork manifest");
    root
}

/// A description beside a `$ref` would count for nothing in draft 7.
fn described(description: &str, schema: &Value) -> Value {
    json!({ "description": description, "allOf": [schema] })
}

fn text_or_list() -> Value {
    json!({ "anyOf": [{ "type": "string", "minLength": 1 }, { "type": "array", "items": { "type": "string" } }] })
}

/// The fields that every resource has.
fn common() -> Map<String, Value> {
    let fields = [
        ("description", json!({ "description": "What it is for", "type": "string" })),
        (
            "depends_on",
            described(
                "The resources that have to hold before this one is looked at",
                &json!({ "$ref": "#/definitions/text or list" }),
            ),
        ),
        (
            "assertions",
            described("What is asserted about it", &json!({ "$ref": "#/definitions/assertions" })),
        ),
    ];
    fields.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// A resource: its kind decides which fields it has. And the kinds, each a definition.
fn resource(registry: &Registry, generator: &mut SchemaGenerator) -> (Value, Map<String, Value>) {
    let mut kinds = Map::new();
    for (name, entry) in registry.resources() {
        let schema = (entry.schema)(generator).to_value();
        kinds.insert((*name).to_owned(), with_common(name, schema));
    }
    let children = json!({
        "description": "A composite: nothing but its parts, with which it lives and dies as one",
        "type": "object",
        "properties": {
            CHILDREN: {
                "description": "Its parts, by name",
                "type": "object",
                "additionalProperties": { "$ref": "#/definitions/resource" }
            }
        },
        "additionalProperties": false
    });
    kinds.insert(BlankResource::NAME.to_owned(), with_common(BlankResource::NAME, children));
    let names: Vec<_> = kinds.keys().cloned().collect();
    let branches: Vec<_> = names
        .iter()
        .map(|name| {
            json!({
                "if": { "properties": { "kind": { "const": name } } },
                "then": { "$ref": format!("#/definitions/{name}") }
            })
        })
        .collect();
    let resource = json!({
        "type": "object",
        "properties": { "kind": { "description": "The kind of resource", "enum": names } },
        "required": ["kind"],
        "allOf": branches
    });
    (resource, kinds)
}

fn with_common(name: &str, mut schema: Value) -> Value {
    let mut fields = common();
    fields.insert("kind".to_owned(), json!({ "description": format!("{name}: {}", summary(&schema)) }));
    match schema.get_mut("properties").and_then(Value::as_object_mut) {
        Some(own) => own.extend(fields),
        None => schema["properties"] = Value::Object(fields),
    }
    schema
}

fn summary(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default().lines().next().unwrap_or_default()
}

/// An assertion: one key that names the kind, beside the options.
fn assertion(registry: &Registry, duration: &Value, severity: &Value) -> Value {
    let mut fields = Map::new();
    for (name, entry) in registry.assertions() {
        fields.insert((*name).to_owned(), json!({ "$ref": format!("#/definitions/{}", entry.name) }));
    }
    let one: Vec<_> = fields.keys().map(|name| json!({ "required": [name] })).collect();
    let text = |description: &str| json!({ "description": description, "type": "string", "minLength": 1 });
    for option in OPTIONS {
        let schema = match option {
            "name" => text("A name of its own, which keeps its id stable when others are added"),
            "at" => text("Looks from inside this resource (a container) instead of from the host"),
            "timeout" => described("How long one attempt may take", duration),
            "within" => described("Keeps trying until it passes, at most this long", duration),
            "every" => described("How often to try again under `within` and `holds_for`", duration),
            "holds_for" => described("Once true, it must stay true this long", duration),
            "fresh_for" => described("That it passed may be used again this long", duration),
            "severity" => described("How much a failure matters", severity),
            "not" => {
                json!({ "description": "It must fail; only a judged property is turned around", "type": "boolean" })
            }
            "tags" => described("Marks it for --tag", &json!({ "$ref": "#/definitions/text or list" })),
            _ => text("Does not look, and says why"),
        };
        fields.insert(option.to_owned(), schema);
    }
    let mut object = json!({ "type": "object", "properties": fields, "additionalProperties": false });
    if !one.is_empty() {
        object["oneOf"] = Value::Array(one);
    }
    json!({ "anyOf": [{ "description": "A kind that needs no fields" }, object] })
}

/// The kinds that a name alone is enough for.
fn bare_kinds(assertion: &mut Value, registry: &Registry) {
    let bare =
        registry.assertions().iter().filter(|(_, entry)| super::required::required(entry.schema).is_empty());
    let names: Vec<_> = bare.map(|(name, _)| *name).collect();
    assertion["anyOf"][0] = match names.is_empty() {
        true => Value::Bool(false),
        false => json!({ "description": "A kind that needs no fields", "enum": names }),
    };
}

/// What the reader accepts and refuses beyond what serde would.
struct AsRead;

impl Transform for AsRead {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        let Some(object) = schema.as_object_mut() else { return };
        without_null(object);
        // Whether the type says so or not.
        if object.contains_key("properties") {
            object.entry("additionalProperties").or_insert(Value::Bool(false));
        }
        with_variables(object);
    }
}

/// An optional field is left out, never null. `Option` shows as one of these two shapes.
fn without_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type")
        && types.len() == 2
        && types[1] == "null"
    {
        let plain = types.swap_remove(0);
        object.insert("type".to_owned(), plain);
    }
    if let Some(Value::Array(either)) = object.get_mut("anyOf")
        && either.len() == 2
        && either[1] == json!({ "type": "null" })
    {
        let some = either.swap_remove(0);
        object.remove("anyOf");
        object.insert("allOf".to_owned(), json!([some]));
    }
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
}

/// `${…}` stands for a number or a boolean, and for text of which more is asked than that it is text.
fn with_variables(object: &mut Map<String, Value>) {
    let scalar = match object.get("type").and_then(Value::as_str) {
        Some("integer" | "number" | "boolean") => true,
        Some("string") => {
            let asked = ["pattern", "format", "enum", "const", "maxLength"];
            let knows =
                object.get("pattern").and_then(Value::as_str).is_some_and(|text| text.contains(r"\$\{"));
            asked.iter().any(|keyword| object.contains_key(*keyword)) && !knows
        }
        _ => false,
    };
    if !scalar {
        return;
    }
    // What is said about the field stays outside, where editors look for it.
    let said = ["description", "title", "default", "examples"];
    let (outside, inside): (Map<_, _>, Map<_, _>) =
        std::mem::take(object).into_iter().partition(|(keyword, _)| said.contains(&keyword.as_str()));
    *object = outside;
    object.insert("anyOf".to_owned(), json!([inside, { "type": "string", "pattern": r"\$\{" }]));
}

#[cfg(test)]
mod tests {
    use super::{super::lower::RESOURCE, *};

    #[test]
    fn the_fields_of_a_resource_are_those_that_the_reader_takes() {
        let fields: Vec<_> = common().keys().cloned().chain(["kind".to_owned()]).collect();
        assert!(RESOURCE.iter().all(|name| fields.iter().any(|field| field == name)), "{fields:?}");
        assert_eq!(fields.len(), RESOURCE.len());
    }
}
