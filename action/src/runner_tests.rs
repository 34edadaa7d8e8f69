//! No line is a command, and ours are those of the toolkit.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::{
    io::{Seek, Write},
    path::Path,
    process::Command,
};

use proptest::strategy::Strategy;

use super::*;

#[path = "../../clockwork-assert/tests/it/skip.rs"]
mod skip;

#[test]
fn no_line_is_a_command() {
    for (line, inert) in [
        ("::error::x", ": :error::x"),
        (" \u{a0}\t::error::x\n", " \u{a0}\t: :error::x\n"),
        ("took 5 ms::error::x", "took 5 ms::error::x"),
        ("a ##[error]b ##[x]", "a # #[error]b # #[x]"),
        ("###[error]", "## #[error]"),
        (":::add-mask::x", ": ::add-mask::x"),
        ("::##[error]", ": :# #[error]"),
    ] {
        assert_eq!(no_command(line), inert);
    }
}

proptest::proptest! {
    // All texts in one go, as the toolkit (`@actions/core`) takes a while to start.
    #![proptest_config(proptest::test_runner::Config { cases: 1, ..Default::default() })]
    #[test]
    fn escapes_are_those_of_the_toolkit(
        texts in proptest::collection::vec((hostile(), hostile()), 400)
    ) {
        let Some(written) = toolkit(&texts) else { return Ok(()) };
        let ours: String = texts
            .iter()
            .map(|(title, message)| {
                format!("::add-mask::{0}\n::error title={1}::{0}\n", Data(message), Property(title))
            })
            .collect();
        proptest::prop_assert_eq!(ours, written);
    }
}

fn hostile() -> impl Strategy<Value = String> {
    let pieces = proptest::sample::select(vec![
        "%", "%0A", "%25", "\r", "\n", ":", "::", ",", "##[", "]", ";", "é", "a", " ",
    ]);
    // The toolkit leaves out what is empty.
    proptest::collection::vec(pieces, 1..9).prop_map(|pieces| format!("x{}", pieces.concat()))
}

/// `None` where there is none, which is said.
fn toolkit(texts: &[(String, String)]) -> Option<String> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/lint-action.sh");
    let place = Command::new("bash").args([script, "where"]).output().unwrap();
    let node = Path::new(String::from_utf8(place.stdout).unwrap().trim()).join("node");
    if !node.join("node_modules/@actions/core").exists() {
        skip::skipped("there is no @actions/core: run scripts/lint-action.sh bring");
        return None;
    }
    let lines: String = texts.iter().map(|texts| serde_json::to_string(texts).unwrap() + "\n").collect();
    let mut input = tempfile::tempfile().unwrap();
    input.write_all(lines.as_bytes()).unwrap();
    input.rewind().unwrap();
    let output = Command::new("node").arg(node.join("toolkit.mjs")).stdin(input).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(String::from_utf8(output.stdout).unwrap())
}
