//! The interpreters and virtual environments of this machine.

use std::{fs, path::PathBuf, time::Duration};

use clockwork_core::{AssertionExt, Outcome, Project};

use super::{Checks, interpreter};
use crate::{
    run::{check, output, run, told},
    skip::skipped,
};

/// Interpreters of other versions, where a version manager keeps some.
fn others() -> Vec<(PathBuf, String)> {
    let root = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let root = root.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".pyenv")));
    let versions =
        root.into_iter().flat_map(|root| fs::read_dir(root.join("versions")).into_iter().flatten());
    let mut found: Vec<_> = versions
        .flatten()
        .filter_map(|entry| {
            let python = entry.path().join("bin/python");
            python.is_file().then(|| (python, entry.file_name().to_string_lossy().into_owned()))
        })
        .collect();
    found.sort();
    found
}

const CHECKS: &str = r#"
import sys

class Response:
    status = 503

def passes(version): return sys.version.split()[0] == version, sys.version.split()[0]
def compares(version):
    response = Response()
    assert response.status == 200
def raises(version): return {}["x"]
async def awaits(version): return True, "awaited"
def empty(version): pass
def crashes(version):
    import ctypes
    ctypes.string_at(0)
def hangs(version):
    import time
    time.sleep(600)
"#;

#[tokio::test]
async fn every_version_means_the_same() {
    let others = others();
    if others.is_empty() {
        skipped("no interpreters of other versions are here");
        return;
    }
    let checks = Checks::new(CHECKS);
    for (python, version) in others {
        let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
        let check = |function: &str| {
            checks.check(function).python(python.to_str().unwrap()).arg("version", version.clone())
        };
        if numbers < vec![3, 8] {
            let result = crate::run::check(check("passes")).await;
            let expected = format!("is Python {version}: checks need 3.8 or newer");
            assert!(told(&result, Outcome::Errored).contains(&expected), "{}", result.message);
            continue;
        }
        let minute = Duration::from_secs(60);
        let project = ["passes", "compares", "raises", "awaits", "empty", "crashes"]
            .into_iter()
            .fold(Project::new("python"), |project, function| project.assert(check(function).timeout(minute)))
            .assert(check("hangs").timeout(Duration::from_secs(3)));
        let results = run(project).await;
        let at = |text: &str| text.replace(&format!("{}/", checks.path.display()), "");
        told(&results[0], Outcome::Passed);
        assert_eq!(
            at(told(&results[1], Outcome::Failed)),
            "assert response.status == 200: response.status is 503 (checks.py:10)"
        );
        assert!(
            at(told(&results[2], Outcome::Errored))
                .starts_with("raised KeyError: 'x' (at checks.py:11 in raises")
        );
        assert_eq!(told(&results[3], Outcome::Passed), "awaited");
        assert!(told(&results[4], Outcome::Errored).starts_with("returned None, and nothing"), "{version}");
        assert!(
            at(told(&results[5], Outcome::Errored))
                .starts_with("was killed by SIGSEGV (at checks.py:16 in crashes")
        );
        assert!(
            at(told(&results[6], Outcome::Errored)).contains("(it stood at checks.py:19 in hangs"),
            "{version}"
        );
    }
}

#[tokio::test]
async fn packages_come_from_the_environment_that_is_named() {
    let checks = Checks::new(
        "import ours_of_this_test\n\ndef check(): return ours_of_this_test.VALUE == 7, ours_of_this_test.__file__\n",
    );
    let environment = checks.path.join("venv");
    output(&interpreter(), &["-m", "venv", "--without-pip", environment.to_str().unwrap()]);
    let python = environment.join("bin/python");
    let packages = output(
        python.to_str().unwrap(),
        &["-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])"],
    );
    fs::write(format!("{packages}/ours_of_this_test.py"), "VALUE = 7\n").unwrap();
    let result = check(checks.check("check").python(python.to_str().unwrap())).await;
    assert_eq!(told(&result, Outcome::Passed), format!("{packages}/ours_of_this_test.py"));
    let without = check(checks.check("check")).await;
    let message = told(&without, Outcome::Errored);
    assert!(message.starts_with("there is no module \"ours_of_this_test\" for \"python3\""), "{message}");
}

/// A file beside the checks is found before one of Python's own, and none in the working directory is.
#[tokio::test]
async fn modules_beside_the_file_are_found() {
    let checks = Checks::new(
        "import helper\nfrom package import inner\n\ndef check(): return (helper.VALUE, inner.VALUE) == (1, 2), str(helper)\n",
    );
    checks.add("helper.py", "VALUE = 1\n");
    checks.add("package/__init__.py", "");
    checks.add("package/inner.py", "VALUE = 2\n");
    told(&check(checks.check("check")).await, Outcome::Passed);
    assert!(!checks.path.join("__pycache__").exists(), "a check only looks");
}
