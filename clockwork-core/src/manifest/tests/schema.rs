//! The schema accepts what the reader accepts, and refuses what it refuses.

use serde_json::{Value, json};

use super::kinds::*;
use crate::manifest::{De, node::ROOT, parse};

/// Enough of draft 7 for the schemas that are made here: an unknown keyword fails the test.
fn valid(root: &Value, schema: &Value, value: &Value) -> bool {
    let Some(keywords) = schema.as_object() else { return schema == true };
    let all = |list: &Value| {
        list.as_array().unwrap().iter().map(|schema| valid(root, schema, value)).collect::<Vec<_>>()
    };
    if let Some(target) = schema["$ref"].as_str() {
        return valid(root, &root["definitions"][target.strip_prefix("#/definitions/").unwrap()], value);
    }
    keywords.iter().all(|(keyword, rule)| match keyword.as_str() {
        "$schema" | "title" | "description" | "default" | "definitions" | "then" | "format" => true,
        "type" => {
            let named = |name: &Value| match (name.as_str().unwrap(), value) {
                ("null", Value::Null) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => true,
                ("integer", Value::Number(number)) => !number.is_f64(),
                ("string", Value::String(_)) | ("array", Value::Array(_)) | ("object", Value::Object(_)) => {
                    true
                }
                _ => false,
            };
            rule.as_array().map_or_else(|| named(rule), |names| names.iter().any(named))
        }
        "enum" => rule.as_array().unwrap().contains(value),
        "const" => rule == value,
        "anyOf" => all(rule).contains(&true),
        "allOf" => !all(rule).contains(&false),
        "oneOf" => all(rule).iter().filter(|valid| **valid).count() == 1,
        "if" => !valid(root, rule, value) || valid(root, &schema["then"], value),
        "required" => value.as_object().is_none_or(|fields| {
            rule.as_array().unwrap().iter().all(|name| fields.contains_key(name.as_str().unwrap()))
        }),
        "properties" => value.as_object().is_none_or(|fields| {
            rule.as_object()
                .unwrap()
                .iter()
                .all(|(name, rule)| fields.get(name).is_none_or(|field| valid(root, rule, field)))
        }),
        "additionalProperties" => value.as_object().is_none_or(|fields| {
            let mut others =
                fields.iter().filter(|(name, _)| schema["properties"].get(name.as_str()).is_none());
            others.all(|(_, field)| valid(root, rule, field))
        }),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| valid(root, rule, item))),
        "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= rule.as_u64().unwrap()),
        "maxItems" => value.as_array().is_none_or(|items| items.len() as u64 <= rule.as_u64().unwrap()),
        "minProperties" => {
            value.as_object().is_none_or(|fields| fields.len() as u64 >= rule.as_u64().unwrap())
        }
        "maxProperties" => {
            value.as_object().is_none_or(|fields| fields.len() as u64 <= rule.as_u64().unwrap())
        }
        "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= rule.as_f64().unwrap()),
        "minLength" => value.as_str().is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap()),
        "pattern" => value
            .as_str()
            .is_none_or(|text| regex::Regex::new(rule.as_str().unwrap()).unwrap().is_match(text)),
        other => panic!("the keyword `{other}` is not known here"),
    })
}

fn as_json(text: &str) -> Value {
    serde::Deserialize::deserialize(De::new(&parse::parse(text).unwrap(), ROOT)).unwrap()
}

#[test]
fn the_manifest_that_is_read_is_valid() {
    let schema = engine().schema();
    let shop = as_json(include_str!("shop.yaml"));
    assert!(valid(&schema, &schema, &shop), "{schema:#}");
}

#[test]
fn what_the_reader_refuses_is_not_valid_and_the_other_way_round() {
    let schema = engine().schema();
    for (assertion, good) in [
        ("FileAssert: { path: a }", true),
        ("FileAssert: { path: \"${vars.a}\", max_bytes: \"${vars.n}\", ratio: \"${vars.n}\" }", true),
        ("FileAssert: { path: a, max_bytes: 1.5 GiB, max_age: 1m30s }", true),
        ("FileAssert: { path: a, max_age: 5 }", true),
        ("FileAssert: { path: a, max_age: soon }", false),
        ("FileAssert: { path: a, max_age: }", false),
        ("FileAssert: {}", false),
        ("FileAssert: { path: a, unknown: 1 }", false),
        ("FileAssert: { path: 5 }", false),
        ("FileAssert", false),
        ("RunningAssert", false),
        ("Nope", false),
        ("Nope: {}", false),
        ("{}", false),
        ("{ within: 5s }", false),
        ("{ FileAssert: { path: a }, within: 5s, not: true, severity: warning, tags: [a], skip: x }", true),
        ("{ FileAssert: { path: a }, severity: bad }", false),
        ("{ FileAssert: { path: a }, not: \"${vars.t}\", every: \"${vars.s}\" }", true),
        ("{ FileAssert: { path: a }, whithin: 5s }", false),
        ("{ FileAssert: { path: a }, LinkAssert: { from_service: a, to_service: b } }", false),
        ("HealthcheckAssert: { url: 'a://', body: { contains: ok, length: { gt: 1 } } }", true),
        ("HealthcheckAssert: { url: 'a://', body: [1, x, { not: null }] }", true),
        ("HealthcheckAssert: { url: 'a://', body: null }", true),
        ("HealthcheckAssert: { url: 'a://', body: {} }", false),
        ("HealthcheckAssert: { url: 'a://', body: { contain: ok } }", false),
        ("HealthcheckAssert: { url: 'a://', expected_status: 70000 }", false),
        ("HealthcheckAssert: { url: 'a://', expected_status: null }", false),
        ("HealthcheckAssert: { url: 'a://', expected_status: \"${vars.n}\" }", true),
        ("HealthcheckAssert: { url: 'a://', bearer: { env: A } }", true),
        ("HealthcheckAssert: { url: 'a://', bearer: text }", false),
        ("HTTPHealthcheckAssert: { url: 'a://' }", true),
    ] {
        let text =
            format!("project: p\nvars: {{ a: x, n: 200, t: true, s: 5s }}\nassertions:\n  - {assertion}\n");
        let read = read(text.as_str());
        let running = assertion == "RunningAssert";
        assert_eq!(read.is_ok(), good, "{assertion}: {read:?}");
        assert_eq!(valid(&schema, &schema, &as_json(&text)), good || running, "{assertion}");
    }
}

#[test]
fn resources_have_the_fields_of_their_kind() {
    let schema = engine().schema();
    for (resource, good) in [
        (json!({ "kind": "ContainerResource", "image": "x", "depends_on": "a", "description": "d" }), true),
        (
            json!({ "kind": "DockerResource", "image": "x", "depends_on": ["a"], "assertions": ["RunningAssert"] }),
            true,
        ),
        (json!({ "kind": "BlankResource", "children": { "a": { "kind": "BlankResource" } } }), true),
        (json!({ "kind": "BlankResource", "image": "x" }), false),
        (json!({ "kind": "ContainerResource" }), false),
        (json!({ "kind": "ContainerResource", "image": "x", "imagee": "x" }), false),
        (
            json!({ "kind": "ContainerResource", "image": "x", "connection": { "host": "a", "port": "${env.PORT}" } }),
            true,
        ),
        (json!({ "kind": "ContainerResource", "image": "x", "connection": null }), false),
        (json!({ "kind": "Other", "image": "x" }), false),
        (json!({ "image": "x" }), false),
    ] {
        let manifest = json!({ "project": "p", "resources": { "a": resource } });
        assert_eq!(valid(&schema, &schema, &manifest), good, "{manifest}");
    }
}
