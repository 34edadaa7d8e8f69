//! For any input at all.

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::kinds::*;
use crate::{
    Engine,
    manifest::{De, node::ROOT, parse},
};

/// A value as a manifest can hold it: numbers that compare, depth within bounds.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e15_f64..1e15).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        "[a-z~0-9.:#\\-\\[\\]{}&*!|>'\"%@`, ]{0,8}".prop_map(Value::from),
        "[\u{20}-\u{7e}\n\t\u{a0}-\u{200}]{0,20}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,6}", inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Block style, written independently of any YAML library: text always in double quotes, the way JSON has it.
fn block(value: &Value, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Array(items) if !items.is_empty() => items.iter().for_each(|item| {
            out.push_str(&format!("\n{pad}-"));
            block(item, indent + 2, out);
        }),
        Value::Object(fields) if !fields.is_empty() => fields.iter().for_each(|(key, value)| {
            out.push_str(&format!("\n{pad}\"{key}\":"));
            block(value, indent + 2, out);
        }),
        plain => out.push_str(&format!(" {plain}")),
    }
}

fn parsed(text: &str) -> Value {
    let document = parse::parse(text).unwrap();
    serde::Deserialize::deserialize(De::new(&document, ROOT)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_structure_comes_back_as_it_was(value in value()) {
        prop_assert_eq!(parsed(&value.to_string()), value.clone(), "flow: {}", value);
        let mut text = String::from("---");
        block(&value, 0, &mut text);
        text.push('\n');
        prop_assert_eq!(parsed(&text), value, "block: {}", text);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Engine::standard().read_manifest(&input(bytes), &env).map_err(|error| error.to_string());
    }

    #[test]
    fn no_text_makes_it_panic(text in "[a-cä&*:{}\\[\\],\\-?#|>!%'\"$\n\r\t 0-2\u{feff}\u{85}]{0,120}") {
        let _ = read(text).map_err(|error| error.to_string());
    }

    /// Near to a manifest: one byte is changed, taken out or put in, anywhere.
    #[test]
    fn no_slip_of_the_hand_makes_it_panic(at in 0..10_000_usize, byte in any::<u8>(), how in 0..3) {
        let mut bytes = include_bytes!("shop.yaml").to_vec();
        let at = at % bytes.len();
        match how {
            0 => bytes[at] = byte,
            1 => drop(bytes.remove(at)),
            _ => bytes.insert(at, byte),
        }
        let _ = read(bytes).map_err(|error| {
            assert!(error.count() > 0);
            error.to_string()
        });
    }
}
