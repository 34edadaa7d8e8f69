//! `KINDS.md` is generated from the types, so that it cannot lie: `UPDATE=1 cargo test kinds_page` writes it anew.

use std::{fmt::Write, path::Path};

use clockwork_core::{Engine, ManifestInput};
use serde_json::Value;

use crate::kinds_examples::{Example, examples};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/KINDS.md");

#[test]
fn the_page_of_kinds_is_what_the_types_say() {
    let engine = Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
    let schema = engine.build().unwrap().schema();
    let page = page(&schema);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let committed = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        committed == page,
        "KINDS.md is out of date: run `UPDATE=1 cargo test -p clockwork-assert kinds_page`"
    );
}

/// Every kind has an example, and every example can be read.
#[test]
fn the_examples_are_valid_and_complete() {
    let engine = Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
    let engine = engine.build().unwrap();
    let schema = engine.schema();
    let kinds = schema["definitions"].as_object().unwrap().keys().filter(|name| name.ends_with("Assert"));
    let without: Vec<_> = kinds.filter(|kind| example(kind).is_none()).collect();
    assert!(without.is_empty(), "add an example to tests/it/kinds_examples.rs: {without:?}");
    for example in examples() {
        let text = format!("project: example{}\n", example.manifest);
        let read = engine
            .read_manifest(&ManifestInput::new("clockwork.yaml", text), &|name| Some(name.to_lowercase()));
        assert!(read.is_ok(), "the example of {}:\n{}", example.kind, read.err().unwrap());
        assert!(example.manifest.contains(&format!("- {}", example.kind)), "{}", example.kind);
    }
}

/// What a message says beside what varies in it stands in the code, word by word: the page cannot fall behind.
#[test]
fn the_messages_of_the_page_are_the_code_s() {
    let mut code = String::new();
    for folder in ["../clockwork-assert/src", "../clockwork-drivers/src", "../clockwork-core/src"] {
        read_all(folder.as_ref(), &mut code);
    }
    let code = regex::Regex::new(r"\\\n\s*")
        .unwrap()
        .replace_all(&code, "")
        .replace("\\\"", "\"")
        .replace("\\n", "\n");
    for example in examples() {
        assert!(!example.says.is_empty(), "{}: add a message", example.kind);
        for message in example.says {
            for fixed in message.split('›').map(|part| part.split('‹').next().unwrap_or_default()) {
                assert!(
                    code.contains(fixed),
                    "{}: {fixed:?} of {message:?} is not in the code",
                    example.kind
                );
            }
        }
    }
}

fn read_all(folder: &Path, code: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_all(&path, code);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            code.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

fn example(kind: &str) -> Option<&'static Example> {
    examples().find(|example| example.kind == kind)
}

fn page(schema: &Value) -> String {
    let mut page = String::from(
        "<!-- Generated from the types by clockwork-assert/tests/it/kinds_page.rs. Do not edit. -->\n\n\
         # Kinds\n\n\
         Every assertion also takes `name`, `at`, `timeout`, `within`, `every`, `holds_for`, `severity`, `not`, `tags` \
         and `skip`; every resource `description`, `depends_on` and `assertions`. Required fields are **bold**.\n",
    );
    let definitions = schema["definitions"].as_object().unwrap();
    // What fields are made of, where that has fields of its own.
    let is_kind = |name: &str| name.ends_with("Assert") || name.ends_with("Resource");
    let is_part = |name: &str, kind: &Value| {
        !is_kind(name) && name.starts_with(char::is_uppercase) && kind["properties"].is_object()
    };
    for (title, suffix) in [("Assertions", "Assert"), ("Resources", "Resource"), ("Their parts", "")] {
        write!(page, "\n## {title}\n").unwrap();
        let listed = |name: &str, kind: &Value| match suffix {
            "" => is_part(name, kind),
            suffix => name.ends_with(suffix),
        };
        for (name, kind) in definitions.iter().filter(|(name, kind)| listed(name, kind)) {
            write!(page, "\n### {name}\n\n{}\n", description(kind)).unwrap();
            let fields = fields(kind, definitions);
            if !fields.is_empty() {
                write!(page, "\n| field | type | meaning |\n| --- | --- | --- |\n{fields}").unwrap();
            }
            if let Some(example) = example(name) {
                write!(page, "\n```yaml{}\n```\n", example.manifest).unwrap();
                let says: Vec<_> = example.says.iter().map(|says| says.replace(['‹', '›'], "")).collect();
                write!(page, "\nIt says, for one:\n\n```text\n{}\n```\n", says.join("\n")).unwrap();
            }
        }
    }
    page
}

fn fields(kind: &Value, definitions: &serde_json::Map<String, Value>) -> String {
    let required: Vec<&str> =
        kind["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut rows = String::new();
    for (name, field) in kind["properties"].as_object().into_iter().flatten() {
        if ["kind", "description", "depends_on", "assertions"].contains(&name.as_str()) {
            continue;
        }
        let shown =
            if required.contains(&name.as_str()) { format!("**`{name}`**") } else { format!("`{name}`") };
        let default = match &field["default"] {
            Value::Null => String::new(),
            default => format!(" Default: `{default}`."),
        };
        let meaning = description(field).replace('\n', " ").replace('|', "\\|");
        writeln!(rows, "| {shown} | {} | {meaning}{default} |", types(field, definitions).join(" or "))
            .unwrap();
    }
    rows
}

/// The first paragraphs, without the example, which is Rust.
fn description(schema: &Value) -> &str {
    schema["description"].as_str().unwrap_or_default().split("```").next().unwrap_or_default().trim()
}

fn types(field: &Value, definitions: &serde_json::Map<String, Value>) -> Vec<String> {
    let mut found = Vec::new();
    let mut add = |name: String| {
        if !found.contains(&name) {
            found.push(name);
        }
    };
    for word in
        field["enum"].as_array().into_iter().flatten().chain([&field["const"]]).filter_map(Value::as_str)
    {
        add(format!("`{word}`"));
    }
    if let Some(reference) = field["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        match definitions.get(name) {
            // A plain list of words says more than its name.
            Some(target) if target["enum"].is_array() || target["oneOf"].is_array() => {
                types(target, definitions).into_iter().for_each(&mut add);
            }
            _ => add(name.to_owned()),
        }
    }
    for part in ["anyOf", "oneOf", "allOf"] {
        for option in field[part].as_array().into_iter().flatten() {
            types(option, definitions).into_iter().for_each(&mut add);
        }
    }
    let list = field["type"].as_array().cloned().unwrap_or_else(|| vec![field["type"].clone()]);
    if field["enum"].is_null() && field["pattern"] != r"\$\{" {
        for name in list.iter().filter_map(Value::as_str).filter(|name| *name != "null") {
            add(match name {
                "array" => format!("list of {}", types(&field["items"], definitions).join(" or ")),
                "object" => match field["additionalProperties"].as_object() {
                    Some(_) => {
                        format!("map to {}", types(&field["additionalProperties"], definitions).join(" or "))
                    }
                    None => String::from("map"),
                },
                name => name.to_owned(),
            });
        }
    }
    found
}
