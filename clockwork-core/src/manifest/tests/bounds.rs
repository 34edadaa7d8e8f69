//! Whatever the file is, reading it ends soon, and what is said of it stays readable.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use super::kinds::*;

fn quickly(text: impl Into<Vec<u8>>, code: &str) -> String {
    let text = text.into();
    let began = Instant::now();
    let error = read(text).unwrap_err();
    // Milliseconds, on a machine that does nothing else; without the bounds, hours.
    assert!(began.elapsed() < Duration::from_secs(60), "{:?} for {code}", began.elapsed());
    let told = error.to_string();
    let start = told.chars().take(500).collect::<String>();
    assert!(error.problems().iter().any(|problem| problem.code == code), "{start}");
    assert!(told.len() < 60_000, "{} bytes", told.len());
    told
}

#[test]
fn aliases_of_aliases_are_not_unfolded() {
    let mut text = "project: p\nvars:\n  a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for n in 1..20 {
        let list = format!("*a{}, ", n - 1).repeat(9);
        let _ = writeln!(text, "  a{n}: &a{n} [{}]", list.trim_end_matches(", "));
    }
    insta::assert_snapshot!(quickly(text, "too-many-aliases"));
    quickly("project: &p [*p]\n", "endless-alias");
    quickly("project: p\nvars: &v { a: { b: *v } }\n", "endless-alias");
}

#[test]
fn depth_is_bounded_however_it_comes_about() {
    quickly(format!("project: {}", "[".repeat(10_000)), "too-deep");
    quickly(format!("project: {}", "{a: ".repeat(10_000)), "too-deep");
    quickly(format!("project:\n {}", "- ".repeat(10_000)), "too-deep");
    let mut text = "project: p\nvars:\n  a0: &a0 [x]\n".to_owned();
    for n in 1..100 {
        let _ = writeln!(text, "  a{n}: &a{n} [*a{}]", n - 1);
    }
    quickly(text, "too-deep");
}

#[test]
fn size_is_bounded_before_and_after_variables() {
    quickly(vec![b'#'; (32 << 20) + 1], "too-large");
    let text = format!(
        "project: p\nvars: {{ a: {} }}\nassertions: [{}]\n",
        "x".repeat(1 << 20),
        "'${vars.a}${vars.a}',".repeat(1000)
    );
    quickly(text, "too-large");
    let text =
        format!("project: '{}'\nvars: {{ a: {} }}\n", "${vars.a}".repeat(100_000), "x".repeat(1 << 20));
    quickly(text, "too-large");
}

#[test]
fn long_lines_are_shown_around_what_is_meant() {
    let text = format!(
        "{{project: p, vars: {{ a: {} }}, nope: 1, assertions: [{}]}}",
        "ä".repeat(5000),
        "FileAssert: { path: a },".repeat(1000)
    );
    let told = quickly(text, "unknown-key");
    insta::assert_snapshot!(told);
}

#[test]
fn many_problems_are_counted_and_a_few_shown() {
    let text = format!("project: p\nassertions:\n{}", "  - Nope: { a: b }\n".repeat(20_000));
    let told = quickly(text, "unknown-kind");
    assert!(told.contains("… and 19950 more"), "{}", &told[told.len() - 300..]);
    // Variables of variables of variables: each ten times the one before.
    let powers: String =
        (1..12).map(|n| format!("  v{n}: \"{}\"\n", format!("${{vars.v{}}}", n - 1).repeat(10))).collect();
    quickly(
        format!("project: p\nvars:\n  v0: 0123456789\n{powers}assertions: [\"${{vars.v11}}\"]\n"),
        "too-large",
    );
    let chain: String = (1..2_000).map(|n| format!("  v{n}: \"${{vars.v{}}}\"\n", n - 1)).collect();
    quickly(
        format!("project: p\nvars:\n  v0: x\n{chain}assertions: [FileAssert: {{ path: a }}]\n"),
        "interpolation",
    );
    let text = format!(
        "project: p\nassertions:\n{}",
        "  - HealthcheckAssert: { url: 1, expected_status: x, a: b, insecure: 5 }\n".repeat(3_000)
    );
    quickly(text, "wrong-type");
}

#[test]
fn a_struct_of_errors_does_not_take_for_ever() {
    let fields: String = (0..5_000).map(|n| format!("f{n}: [1, {{ a: b }}], ")).collect();
    quickly(format!("project: p\nassertions:\n  - HealthcheckAssert: {{ {fields} }}\n"), "unknown-field");
    let json: String = (0..20_000).map(|n| format!("f{n}: {{}}, ")).collect();
    quickly(
        format!("project: p\nassertions:\n  - HealthcheckAssert: {{ url: a, json: {{ {json} }} }}\n"),
        "invalid-value",
    );
}

#[test]
fn nothing_in_a_file_acts_on_a_terminal() {
    let told = wrong(
        "project: p\n\"\\e[31m\\u202e\": 1\n\u{202e}x: 2\n\u{85}y: 3\nassertions:\n - \"a\\nb\\r\": { x: 1 }\n",
    );
    assert!(!told.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')), "{told:?}");
}
