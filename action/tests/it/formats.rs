//! Formats through the real command: to standard output, to files, and to both.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;

use crate::{Ended, scripted};

fn written(script: &str, format: &str) -> Ended {
    Ended::of(scripted(script).args(["assert", "--format", format]))
}

#[test]
fn json_has_the_keys_of_the_contract() {
    let ended = written("chain", "json");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""));
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["schema"], "clockwork.report/v1");
    assert_eq!((&report["project"], &report["verdict"]), (&"scripted".into(), &"failed".into()));
    let counts = serde_json::json!({ "passed": 0, "failed": 1, "errored": 0, "skipped": 1, "warnings": 0 });
    assert_eq!(report["summary"], counts);
    assert!(report["started_at"].as_str().unwrap().ends_with('Z') && report["duration_ms"].is_f64());
    let results = report["results"].as_array().unwrap();
    let keys = [
        "id",
        "resource",
        "related",
        "assertion",
        "label",
        "verdict",
        "severity",
        "message",
        "expected",
        "actual",
        "caused_by",
        "at",
        "attempts",
        "timeline",
        "details",
        "duration_ms",
    ];
    for result in results {
        let object = result.as_object().unwrap();
        assert!(keys.iter().all(|key| object.contains_key(*key)), "{result}");
    }
    assert_eq!(results[1]["verdict"], "skipped");
    assert_eq!(results[1]["caused_by"], serde_json::json!([results[0]["id"]]));
}

#[test]
fn nothing_that_a_target_says_forges_a_result() {
    for format in ["text", "json", "junit", "tap"] {
        let ended = written("hostile", format);
        assert_eq!(ended.code, Some(1), "{format}");
        for forged in ["\x1b", "\u{9b}", "\u{202e}", "\n✓", "\nok 1 - forged"] {
            assert!(!ended.stdout.contains(forged), "{format} holds {forged:?}: {}", ended.stdout);
        }
    }
    let junit = written("hostile", "junit").stdout;
    let document = roxmltree::Document::parse(&junit).unwrap();
    assert_eq!(document.descendants().filter(|node| node.has_tag_name("failure")).count(), 1);
    let report: Value = serde_json::from_str(&written("hostile", "json").stdout).unwrap();
    assert!(report["results"][0]["message"].as_str().unwrap().contains('\u{9b}'), "escapes change nothing");
}

#[test]
fn files_are_written_beside_the_text() {
    let here = tempfile::tempdir().unwrap();
    let mut command = scripted("fails");
    command.current_dir(&here).args(["assert", "--format", "json=r.json", "--format", "junit=r.xml"]);
    command.args(["--format", "tap=r.tap", "--format", "text=r.txt", "--color", "always"]);
    let ended = Ended::of(&mut command);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stdout.starts_with("\x1b[31m✗ 1 of 2 assertions failed"), "{ended:?}");
    let read = |name: &str| fs::read_to_string(here.path().join(name)).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&read("r.json")).unwrap()["verdict"], "failed");
    assert!(roxmltree::Document::parse(&read("r.xml")).is_ok());
    assert!(read("r.tap").starts_with("TAP version 14\n1..2\n"));
    assert!(read("r.txt").starts_with("✗ 1 of 2"), "a file has no colours");
    assert_eq!(names(here.path()), ["r.json", "r.tap", "r.txt", "r.xml"], "and nothing else is left there");
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_is_replaced_and_not_the_link_to_it() {
    let here = tempfile::tempdir().unwrap();
    let (real, link) = (here.path().join("real.json"), here.path().join("link.json"));
    fs::write(&real, "old").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    std::os::unix::fs::symlink("real.json", &link).unwrap();
    let ended =
        Ended::of(scripted("passes").current_dir(&here).args(["assert", "--format", "json=link.json"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().contains("clockwork.report/v1"));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_device_is_written_to_and_stays_one() {
    let ended = written("passes", "json=/dev/stderr");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("clockwork.report/v1") && ended.stdout.starts_with('✓'), "{ended:?}");
    assert!(Path::new("/dev/stderr").exists());
}

#[test]
fn what_cannot_be_written_after_the_run_is_no_pass() {
    let ended = written("passes", "json=/dev/full");
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.stdout.starts_with('✓') && ended.stderr.contains("cannot write /dev/full"), "{ended:?}");
}

#[test]
fn quiet_and_verbose_say_less_and_more() {
    let time = regex::Regex::new(r"\b[0-9.]+ m?s\b").unwrap();
    let without_times = |text: String| {
        // What an assertion says about its time stays.
        let lines = text.lines().map(|line| match line.contains("took") {
            true => line.to_owned(),
            false => time.replace(line, "[time]").into_owned(),
        });
        lines.collect::<Vec<_>>().join("\n")
    };
    let text = |args: &[&str]| without_times(Ended::of(scripted("fails").arg("assert").args(args)).stdout);
    let plain = "✗ 1 of 2 assertions failed ([time])\n  ✓ web: FunctionAssertion (holds)\n  ✗ web: FunctionAssertion (is \
                 quick)\n      took 512 ms";
    assert_eq!(text(&[]), plain);
    assert_eq!(text(&["--quiet"]), plain.replace("  ✓ web: FunctionAssertion (holds)\n", ""));
    assert_eq!(
        text(&["--verbose"]),
        plain.replace("holds)", "holds) [time]").replace("quick)", "quick) [time]")
    );
}

#[test]
fn warnings_fail_where_they_are_to_and_the_verdict_stays() {
    for (fail_on, code) in [("failed", 0), ("warning", 1)] {
        let ended = Ended::of(scripted("warns").args(["assert", "--format", "json", "--fail-on", fail_on]));
        assert_eq!(ended.code, Some(code), "{ended:?}");
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!((&report["verdict"], &report["summary"]["warnings"]), (&"passed".into(), &1.into()));
        assert_eq!(ended.stderr.contains("--fail-on warning"), code == 1, "{ended:?}");
    }
}

#[test]
fn a_directory_of_reports_is_made() {
    let here = tempfile::tempdir().unwrap();
    let mut command = scripted("fails");
    command.current_dir(&here).args(["assert", "--report-dir", "a/b", "--format", "tap=a/b/report.tap"]);
    assert_eq!(Ended::of(&mut command).code, Some(1));
    let names = names(&here.path().join("a/b"));
    assert_eq!(names, ["report.html", "report.json", "report.junit.xml", "report.sarif", "report.tap"]);
}

#[test]
fn what_is_for_a_step_is_added_to_what_is_there() {
    let here = tempfile::tempdir().unwrap();
    for (name, before) in [("output", "first=1\n"), ("summary", "# First\n")] {
        fs::write(here.path().join(name), before).unwrap();
    }
    let mut command = scripted("fails");
    let summary = here.path().join("summary");
    command.env("GITHUB_STEP_SUMMARY", &summary).current_dir(&here);
    command.args(["assert", "--format", "github-output=output"]);
    command.arg(format!("--format=markdown={}", summary.display()));
    assert_eq!(Ended::of(&mut command).code, Some(1));
    let read = |name: &str| fs::read_to_string(here.path().join(name)).unwrap();
    assert!(read("output").starts_with("first=1\nresult<<clockwork_"), "{}", read("output"));
    assert!(read("summary").starts_with("# First\n## ✗ 1 of 2"), "{}", read("summary"));
}

#[test]
fn a_plain_text_in_a_step_holds_no_command_either() {
    let ended = Ended::of(scripted("commands").env("GITHUB_ACTIONS", "true").arg("assert"));
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let begins = |line: &str| line.trim_start().starts_with("::");
    assert!(!ended.stdout.contains("##[") && !ended.stdout.lines().any(begins), "{}", ended.stdout);
    let ended = Ended::of(scripted("commands").arg("assert"));
    assert!(ended.stdout.contains("##[error]"), "elsewhere it is as it was said: {}", ended.stdout);
}
