//! `fresh_for`: what passed is used again by the next run of the command, and only that.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{Ended, clockwork};

/// A project that asserts that a file is there, with these options.
struct Scene(TempDir);

impl Scene {
    fn new(options: &str) -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        scene.declare(options);
        scene
    }

    fn declare(&self, options: &str) {
        let (project, log) = (self.here().join("project"), self.here().join("looked"));
        fs::create_dir_all(&project).unwrap();
        let manifest = format!(
            "project: shop\nassertions:\n  - FileExistsAssert: {{ path: {} }}\n    {options}\n",
            log.display()
        );
        fs::write(project.join("clockwork.yaml"), manifest).unwrap();
    }

    fn here(&self) -> &Path {
        self.0.path()
    }

    fn run(&self, args: &[&str]) -> (Option<i32>, Value, String) {
        let mut command = clockwork(self.here().join("project"));
        command.args(["assert", "--format", "json"]).args(args);
        let ended = Ended::of(command.env("XDG_CACHE_HOME", self.here().join("cache")));
        let mut report: Value = serde_json::from_str(&ended.stdout).unwrap_or_default();
        (ended.code, report["results"][0].take(), ended.stderr)
    }

    fn kept(&self) -> Vec<PathBuf> {
        let Ok(kept) = fs::read_dir(self.here().join("cache/clockwork")) else { return Vec::new() };
        kept.map(|entry| entry.unwrap().path()).collect()
    }
}

/// The file is what is looked at: when it is gone and the verdict is the same, nobody looked.
#[test]
fn what_passed_is_used_again_until_it_is_asked_anew() {
    let scene = Scene::new("fresh_for: 10m");
    let file = scene.here().join("looked");
    fs::write(&file, "").unwrap();
    let (code, result, _) = scene.run(&[]);
    assert_eq!((code, &result["reused"]), (Some(0), &Value::Null));
    fs::remove_file(&file).unwrap();
    let (code, result, stderr) = scene.run(&[]);
    assert_eq!((code, &result["verdict"], &*stderr), (Some(0), &Value::from("passed"), ""));
    assert!(result["reused"].as_str().unwrap().ends_with('Z') && result["attempts"] == 0, "{result}");
    assert!(result["message"].as_str().unwrap().contains("is not asked again"), "{result}");
    let (code, ..) = scene.run(&["--no-cache"]);
    assert_eq!(code, Some(1));
    let (code, result, _) = scene.run(&[]);
    assert_eq!((code, &result["reused"]), (Some(1), &Value::Null), "a failure takes back what passed");
    fs::write(&file, "").unwrap();
    scene.run(&[]);
    fs::remove_file(&file).unwrap();
    scene.declare("fresh_for: 10m\n    not: true");
    assert_eq!(scene.run(&[]).0, Some(0), "the manifest says something else now, and that is looked at");
}

#[test]
fn who_reuses_nothing_leaves_nothing_and_what_is_damaged_is_not_believed() {
    let scene = Scene::new("severity: error");
    let file = scene.here().join("looked");
    fs::write(&file, "").unwrap();
    assert_eq!((scene.run(&[]).0, scene.kept()), (Some(0), Vec::new()));

    scene.declare("fresh_for: 1h");
    scene.run(&[]);
    let kept = scene.kept();
    let [kept] = kept.as_slice() else { panic!("{kept:?}") };
    assert_eq!(fs::metadata(kept).unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(&file).unwrap();
    let good = fs::read_to_string(kept).unwrap();
    for (text, mode, complaint) in [
        (&*good, 0o666, "can be written by others"),
        ("{", 0o600, "is damaged, remove it"),
        (r#"{"schema":"clockwork.passes/v9","passes":{}}"#, 0o600, "its schema is \"clockwork.passes/v9\""),
    ] {
        fs::write(kept, text).unwrap();
        fs::set_permissions(kept, fs::Permissions::from_mode(mode)).unwrap();
        let (code, _, stderr) = scene.run(&[]);
        assert_eq!(code, Some(1), "{complaint}");
        assert!(stderr.contains("what passed before is not used") && stderr.contains(complaint), "{stderr}");
    }
}

/// What a program or a function in Python is made of, and what it is granted, are looked at before a pass is used again.
#[test]
fn a_check_that_was_changed_is_run_again() {
    let scene = Scene::new("fresh_for: 1h");
    let project = scene.here().join("project");
    let (script, python) = (project.join("check.sh"), project.join("check.py"));
    let manifest = "project: shop\nassertions:\n  - CommandAssert: { command: [sh, ./check.sh], sandbox: { env: [STAGE] } }\n    \
                    fresh_for: 1h\n  - PythonAssert: { file: check.py, function: check }\n    fresh_for: 1h\n";
    fs::write(project.join("clockwork.yaml"), manifest).unwrap();
    fs::write(&script, "exit 0\n").unwrap();
    fs::write(&python, "import other\ndef check(resource):\n    return other.holds\n").unwrap();
    fs::write(project.join("other.py"), "holds = True\n").unwrap();
    let reused = |stage: &str| {
        let mut command = clockwork(&project);
        command.args(["assert", "--format", "json"]).env("STAGE", stage);
        let ended = Ended::of(command.env("XDG_CACHE_HOME", scene.here().join("cache")));
        let report: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(ended.code, Some(0), "{report:#}");
        [0, 1].map(|index| report["results"][index]["reused"].is_string())
    };
    assert_eq!(reused("test"), [false, false]);
    assert_eq!(reused("test"), [true, true]);
    assert_eq!(reused("production"), [false, true], "another environment");
    fs::write(&script, "exit 0 # changed\n").unwrap();
    assert_eq!(reused("production"), [false, true], "another script");
    fs::write(project.join("other.py"), "holds = 1 == 1\n").unwrap();
    assert_eq!(reused("production"), [true, false], "what the script imports");
}
