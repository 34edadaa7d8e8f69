//! What others make of what the command writes: junitparser, the JSON Schema of SARIF, and a browser.

mod page;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{Ended, scripted, skip::skipped};

/// Where `scripts/lint-action.sh` has put its tools; `None` where it has not, which is said.
fn tools(part: &str) -> Option<PathBuf> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/lint-action.sh");
    let output = Command::new("bash").arg(script).arg("where").output().unwrap();
    let tools = PathBuf::from(String::from_utf8(output.stdout).unwrap().trim());
    let there = tools.join(part).exists();
    if !there {
        skipped(&format!("there is no {part} in {}: run scripts/lint-action.sh bring", tools.display()));
    }
    there.then_some(tools)
}

/// The four reports of a run of this script.
fn reports(script: &str) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let ended = Ended::of(scripted(script).args(["assert", "--quiet", "--report-dir"]).arg(directory.path()));
    assert!(ended.code.is_some_and(|code| code < 2), "{ended:?}");
    directory
}

fn json(directory: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(directory.join("report.json")).unwrap()).unwrap()
}

/// Everything that a project may say, of several sorts.
const SCRIPTS: [&str; 4] = ["passes", "fails", "chain", "hostile"];

#[test]
fn junitparser_reads_what_the_report_says() {
    let Some(tools) = tools("python/bin/python") else { return };
    let read = "
import json, sys
from junitparser import JUnitXml, Failure, Error, Skipped
xml = JUnitXml.fromfile(sys.argv[1])
cases = [case for suite in xml for case in suite]
kinds = [type(r).__name__ for case in cases for r in case.result]
print(json.dumps({'counts': [xml.tests, xml.failures, xml.errors, xml.skipped], 'kinds': kinds,
                  'names': [f'{case.classname}/{case.name}' for case in cases],
                  'messages': [r.message for case in cases for r in case.result if r.message]}))
";
    for script in SCRIPTS {
        let directory = reports(script);
        let output = Command::new(tools.join("python/bin/python"))
            .args(["-c", read])
            .arg(directory.path().join("report.junit.xml"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        let report = json(directory.path());
        let count = |name: &str| report["summary"][name].as_u64().unwrap();
        let results = report["results"].as_array().unwrap();
        let counts = [results.len() as u64, count("failed"), count("errored"), count("skipped")];
        assert_eq!(told["counts"], serde_json::json!(counts), "{script}");
        let kinds: Vec<_> = results
            .iter()
            .filter(|result| result["severity"] == "error")
            .filter_map(|result| match result["verdict"].as_str().unwrap() {
                "failed" => Some("Failure"),
                "errored" => Some("Error"),
                "skipped" => Some("Skipped"),
                _ => None,
            })
            .collect();
        assert_eq!(told["kinds"], serde_json::json!(kinds), "{script}");
        assert_eq!(told["names"].as_array().unwrap().len(), results.len());
    }
}

#[test]
fn sarif_is_valid_by_its_schema() {
    let schema = "node/node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json";
    let (Some(tools), Some(_)) = (tools(schema), tools("python/bin/check-jsonschema")) else { return };
    // All at once, as it takes a while to start.
    let valid = |files: &[PathBuf]| {
        let mut command = Command::new(tools.join("python/bin/check-jsonschema"));
        // A pattern of the schema's own is none in Unicode mode.
        command.args(["--regex-variant", "nonunicode", "--schemafile"]).arg(tools.join(schema)).args(files);
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let directories = SCRIPTS.map(reports);
    let files = directories.each_ref().map(|directory| directory.path().join("report.sarif"));
    let (valid_as_they_are, said) = valid(&files);
    assert!(valid_as_they_are, "{said}");
    // And it would say so if one were not.
    let wrong = fs::read_to_string(&files[2]).unwrap().replace("\"2.1.0\"", "\"2.2\"");
    fs::write(&files[2], wrong).unwrap();
    assert!(!valid(&files).0);
}
