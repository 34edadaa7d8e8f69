//! How a step ends, and everything that it says about it.

use std::fs;

use serde_json::Value;

use super::{TWO, run, runner};
use crate::runner::Step;

fn counts(step: &Step) -> [&str; 5] {
    ["result", "passed", "failed", "errored", "skipped"].map(|name| step.output(name))
}

#[test]
fn a_deployment_that_is_as_meant_passes() {
    let manifest = TWO.replace("no-such-file", "clockwork.yaml");
    let mut runner = runner(&manifest);
    let step = run(&mut runner, &[]);
    assert_eq!((step.conclusion, step.exit_code), ("success", Some(0)), "{}", step.text());
    assert_eq!(counts(&step), ["passed", "2", "0", "0", "0"]);
    assert_eq!(step.annotations, []);
    assert!(step.log[0].starts_with("✓ All 2 assertions passed"), "{}", step.text());
    assert_eq!(step.commands, ["group", "endgroup"]);
    let summary = step.summary.unwrap();
    assert!(summary.starts_with("## ✓ All 2 assertions passed"), "{summary}");
    assert!(summary.contains("<details><summary>2 passed</summary>") && summary.contains("```mermaid"));
    assert!(step.env.is_empty(), "it leaves later steps alone");
}

#[test]
fn one_that_is_not_fails_and_shows_where() {
    let mut runner = runner(TWO);
    let step = run(&mut runner, &[]);
    assert_eq!((step.conclusion, step.exit_code), ("failure", Some(1)), "{}", step.text());
    assert_eq!(counts(&step), ["failed", "1", "1", "0", "0"]);
    let errors = step.of_level("error");
    assert_eq!(errors.len(), 2, "{errors:#?}");
    let at = |name: &str| errors[0].properties.get(name).map_or("", String::as_str);
    assert_eq!((at("file"), at("line"), at("col")), ("clockwork.yaml", "13", "9"));
    assert_eq!(at("title"), "missing: FileExistsAssert");
    assert_eq!(errors[1].message, "Process completed with exit code 1.");
    let summary = step.summary.as_ref().unwrap();
    let [verdict, told, drawn, folded] =
        ["## ✗ 1 of 2", "### ✗ <code>missing", "```mermaid", "<details><summary>1 passed"]
            .map(|part| summary.find(part).unwrap_or_else(|| panic!("{part} is not in {summary}")));
    assert!(verdict < told && told < drawn && drawn < folded, "{summary}");
}

#[test]
fn the_reports_are_where_the_outputs_say() {
    let mut runner = runner(TWO);
    let step = run(&mut runner, &[]);
    let read = |name: &str| fs::read_to_string(step.output(name)).unwrap_or_else(|e| panic!("{name}: {e}"));
    let json: Value = serde_json::from_str(&read("report-json")).unwrap();
    assert_eq!(json["results"].as_array().unwrap().len(), 2);
    let sarif: Value = serde_json::from_str(&read("report-sarif")).unwrap();
    assert_eq!(sarif["runs"][0]["results"].as_array().unwrap().len(), 1);
    assert!(roxmltree::Document::parse(&read("report-junit")).is_ok());
    assert!(read("report-html").contains("1 of 2 assertions failed"));
    // Another use of the action in the same job does not overwrite them.
    let again = run(&mut runner, &[]);
    assert_ne!(again.output("report-json"), step.output("report-json"));
    assert!(again.output("report-json").starts_with(runner.temp().to_str().unwrap()));
}

#[test]
fn a_wrong_manifest_runs_nothing_and_is_annotated() {
    let manifest = TWO.replace("- FileExistsAssert: {}\n        tags", "- FileExistAssert: {}\n        tags");
    let mut runner =
        runner(&manifest.replace("kind: FileResource\n    path: no", "knd: FileResource\n    path: no"));
    let step = run(&mut runner, &[]);
    assert_eq!((step.conclusion, step.exit_code), ("failure", Some(2)), "{}", step.text());
    assert_eq!(counts(&step), ["error", "", "", "", ""]);
    assert_eq!(step.output("report-json"), "");
    let errors = step.of_level("error");
    assert!(errors.len() >= 3, "{errors:#?}");
    let at = |name: &str| errors[0].properties.get(name).map_or("", String::as_str);
    assert_eq!((at("file"), at("line")), ("clockwork.yaml", "7"), "{errors:#?}");
    assert!(errors[0].message.contains("FileExistsAssert"), "it names the nearest: {errors:#?}");
    let summary = step.summary.unwrap();
    assert!(summary.starts_with("## ✗ Nothing was asserted\n\n<pre>"), "{summary}");
}

#[test]
fn a_wrong_input_runs_nothing_and_says_which() {
    for (input, value, said) in [
        ("within", "soon", "--within"),
        ("fail-on", "nothing", "--fail-on"),
        ("vars", "no equals sign", "NAME=VALUE"),
        ("only", "nobody", "nobody"),
        ("annotations", "perhaps", "the input annotations is \"perhaps\""),
        ("install", "magic", "the input install is \"magic\""),
        ("working-directory", "nowhere", "there is no directory nowhere"),
        ("manifest", "nowhere.yaml", "nowhere.yaml"),
        ("version", "0.1.0", "have no meaning"),
        ("command", "true", "give one of them"),
        ("binary", "no-such-command", "cannot run no-such-command"),
    ] {
        let mut runner = runner(TWO);
        let with = match input {
            "binary" => vec![(input, value)],
            _ => vec![(input, value), ("binary", super::BINARY)],
        };
        let step = runner.run(super::action(), &with);
        assert_eq!((step.conclusion, step.exit_code), ("failure", Some(2)), "{input}: {}", step.text());
        assert_eq!(step.output("result"), "error", "{input}");
        assert!(step.of_level("error")[0].message.contains(said), "{input}: {:#?}", step.annotations);
    }
}

#[test]
fn warnings_fail_the_step_only_where_they_are_to() {
    let manifest = format!("{TWO}        severity: warning\n");
    for (fail_on, conclusion, result) in [("failed", "success", "passed"), ("warning", "failure", "failed")] {
        let mut runner = runner(&manifest);
        let step = run(&mut runner, &[("fail-on", fail_on)]);
        assert_eq!(step.conclusion, conclusion, "{}", step.text());
        assert_eq!(counts(&step), [result, "1", "0", "0", "0"]);
        let warnings = step.of_level("warning");
        assert_eq!(warnings.len(), 1);
        assert_eq!(warnings[0].properties["title"], "missing: FileExistsAssert");
        let said = step.annotations.iter().any(|one| one.message.contains("warnings were to fail the run"));
        assert_eq!(said, fail_on == "warning", "{:#?}", step.annotations);
        assert_eq!(step.summary.unwrap().contains("warnings were to fail the run"), said);
    }
}

#[test]
fn nine_are_annotated_and_the_tenth_counts_the_rest() {
    let resources: String = (0..40)
        .map(|n| {
            let severity = if n % 2 == 0 { "error" } else { "warning" };
            format!(
                "  f{n}:\n    kind: FileResource\n    path: none-{n}\n    assertions:\n      - FileExistsAssert: {{}}\n        \
                 severity: {severity}\n"
            )
        })
        .collect();
    let mut runner = runner(&format!("project: many\nresources:\n{resources}"));
    let step = run(&mut runner, &[]);
    for level in ["error", "warning"] {
        let shown = step.of_level(level);
        assert_eq!(shown.len(), 10, "{level}");
        assert!(shown[9].message.starts_with("and 11 more"), "{level}: {shown:#?}");
    }
    let step = run(&mut runner, &[("annotations", "false"), ("summary", "false")]);
    assert_eq!(step.annotations.len(), 1, "what the runner says itself: {:#?}", step.annotations);
    assert_eq!(step.summary, None);
    assert_eq!(step.output("failed"), "20");
}

#[test]
fn a_summary_of_thousands_of_stories_is_kept() {
    let assertions: String = (0..3_000)
        .map(|n| format!("      - FileExistsAssert: {{ path: \"{n}-{}\" }}\n", "ä".repeat(60)))
        .collect();
    let manifest = format!(
        "project: long\nresources:\n  here:\n    kind: FileResource\n    path: .\n    assertions:\n{assertions}"
    );
    let mut runner = runner(&manifest);
    let step = run(&mut runner, &[]);
    let summary = step.summary.as_ref().unwrap_or_else(|| panic!("it was dropped: {:#?}", step.annotations));
    assert!(summary.len() > 700_000 && summary.contains("more that did not pass"));
    assert_eq!(step.output("failed"), "3000", "{}", step.log[0]);
}
