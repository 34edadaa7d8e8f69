//! Checks in Python, as the command's users have them.

use std::fs;

use serde_json::Value;

use crate::{Ended, clockwork};

#[test]
fn the_type_hints_are_python_and_say_what_can_be_imported() {
    let here = tempfile::tempdir().unwrap();
    let ended = Ended::of(clockwork(here.path()).args(["schema", "--python"]));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    fs::create_dir(here.path().join("checks")).unwrap();
    fs::write(here.path().join("checks/clockwork.pyi"), &ended.stdout).unwrap();
    // What the hints name and does not begin with `_` is there.
    fs::write(
        here.path().join("checks/names.py"),
        r#"
import ast, os
import clockwork

def check():
    with open(os.path.join(os.path.dirname(__file__), "clockwork.pyi")) as file:
        tree = ast.parse(file.read())
    names = set()
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)): names.add(node.name)
        if isinstance(node, ast.Assign): names.update(target.id for target in node.targets)
    names = {name for name in names if not name.startswith("_")}
    assert names == {"Namespace", "Resource", "Result", "Verdict", "assertion"}, names
    missing = {name for name in names if not hasattr(clockwork, name)}
    assert not missing, missing
"#,
    )
    .unwrap();
    let manifest = "project: t\nassertions:\n  - PythonAssert: { file: checks/names.py, function: check }\n";
    fs::write(here.path().join("clockwork.yaml"), manifest).unwrap();
    let ended = Ended::of(clockwork(here.path()).args(["assert", "--timeout", "60s"]));
    assert_eq!(ended.code, Some(0), "{}", ended.stdout);
    assert!(ended.stdout.contains("PythonAssert (checks/names.py::check)"), "{}", ended.stdout);
}

/// Files of the working directory that are called like modules of Python's own stand for none of them.
#[test]
fn a_file_is_relative_to_the_working_directory_which_is_no_place_to_import_from() {
    let here = tempfile::tempdir().unwrap();
    for name in ["json", "types", "enum", "_json", "socket", "opcode"] {
        fs::write(here.path().join(format!("{name}.py")), "raise RuntimeError('not this one')\n").unwrap();
    }
    fs::create_dir(here.path().join("checks")).unwrap();
    fs::write(
        here.path().join("checks/api.py"),
        "import json, helper\n\ndef check(api, limit):\n    print('looking')\n    return {'passed': api.url == 'http://localhost:1/', \
         'n': json.loads('1') + limit, 'message': helper.TEXT}\n",
    )
    .unwrap();
    fs::write(here.path().join("checks/helper.py"), "TEXT = 'helped'\n").unwrap();
    let manifest = "\
project: t
resources:
  api:
    kind: EndpointResource
    url: http://localhost:1/
    assertions:
      - PythonAssert: { file: checks/api.py, function: check, args: { limit: 2 } }
";
    fs::write(here.path().join("clockwork.yaml"), manifest).unwrap();
    let ended = Ended::of(clockwork(here.path()).args(["assert", "--timeout", "60s", "--format", "json"]));
    let report: Value = serde_json::from_str(&ended.stdout).unwrap();
    let result = &report["results"][0];
    assert_eq!((ended.code, &result["message"]), (Some(0), &Value::from("helped")), "{report}");
    assert_eq!(result["label"], "checks/api.py::check");
    assert_eq!(
        (&result["details"]["n"], &result["details"]["output"]),
        (&Value::from(3), &Value::from("looking\n"))
    );
}
