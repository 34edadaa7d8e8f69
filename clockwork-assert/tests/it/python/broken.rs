//! Files that cannot be imported, and interpreters that do not start.

use std::{fs, os::unix::fs::PermissionsExt};

use clockwork_assert::PythonAssert;
use clockwork_core::{Outcome, Project};

use super::{Checks, interpreter};
use crate::run::{check, run, told};

/// What one check of this file says.
async fn says(source: &str) -> String {
    let checks = Checks::new(source);
    let result = check(checks.check("check")).await;
    let version = result.details()["python"].as_str().unwrap().to_owned();
    told(&result, Outcome::Errored)
        .replace(&format!("{}/", checks.path.display()), "")
        .replace(&interpreter(), "/python")
        .replace(&version, "3.x")
}

#[tokio::test]
async fn a_file_that_cannot_be_imported_says_why() {
    for (source, message) in [
        (
            "def check(:\n    return True\n",
            r#""checks.py" is not valid Python 3.x: invalid syntax (at checks.py:1:11: "def check(:")"#,
        ),
        (
            "def check():\n    assert (False, 'never seen')\n",
            r#""checks.py" is not valid Python 3.x: this assertion is always true: it asserts a tuple; leave out its parentheses (at checks.py:2: "assert (False, 'never seen')")"#,
        ),
        (
            "import os\nVALUE = {}['x']\ndef check(): return True\n",
            r#"cannot import "checks.py": it raised KeyError: 'x' (at checks.py:2 in <module>: "VALUE = {}['x']")"#,
        ),
        (
            "assert 1 == 2\n",
            r#"cannot import "checks.py": it raised AssertionError (at checks.py:1 in <module>: "assert 1 == 2")"#,
        ),
        (
            "import requests_of_nobody.api\n",
            r#"there is no module "requests_of_nobody" for "python3" ("/python", Python 3.x) (at checks.py:1 in <module>: "import requests_of_nobody.api"); install it there (`python3 -m pip install requests_of_nobody`), or name the interpreter that has it with `python`"#,
        ),
        (
            "import sys\nsys.exit('bye')\n",
            r#""checks.py" called `sys.exit('bye')` while it was imported (at checks.py:2 in <module>: "sys.exit('bye')"); put what is for the command line behind `if __name__ == "__main__":`"#,
        ),
        ("import os\nos._exit(4)\n", r#""checks.py" ended its process with code 4 while it was imported"#),
        (
            "import ctypes\nctypes.string_at(0)\n",
            r#""checks.py" was killed by SIGSEGV while it was imported (at line 2)"#,
        ),
        (
            "import os\nfor fd in range(3, 64):\n    try: os.write(fd, b'{\"token\": \"\", \"checks\": [], \"copies\": true}\\n')\n    except OSError: pass\ndef check(): return True\n",
            r#""checks.py" wrote to the worker's own descriptors while it was imported"#,
        ),
    ] {
        assert_eq!(says(source).await, message, "{source}");
    }
}

#[tokio::test]
async fn a_file_or_an_interpreter_that_is_not_there_says_so() {
    let checks = Checks::new("def check(): return True\n");
    let at = |name: &str| checks.path.join(name);
    fs::create_dir(at("folder.py")).unwrap();
    fs::write(at("hello"), "#!/bin/sh\necho out; echo hello >&2; exit 3\n").unwrap();
    fs::write(at("plain"), "no program").unwrap();
    fs::set_permissions(at("hello"), fs::Permissions::from_mode(0o755)).unwrap();
    let named = |python: &str| checks.check("check").python(python);
    let in_directory = |name: &str| named(at(name).to_str().unwrap());
    let project = [
        PythonAssert::new(at("none.py"), "check"),
        PythonAssert::new(at("folder.py"), "check"),
        named("no-such-python"),
        in_directory("missing"),
        in_directory("hello"),
        in_directory("plain"),
        named("true"),
    ];
    let project = project.into_iter().fold(Project::new("python"), Project::assert);
    let results = run(project).await;
    let hint = "; `python` names the interpreter: `python: .venv/bin/python`";
    for (result, expected) in results.iter().zip([
        "there is no file \"none.py\"; `file` is relative to Clockwork's working directory".to_owned(),
        "cannot read \"folder.py\": Is a directory".to_owned(),
        format!("there is no program \"no-such-python\" in the directories of PATH{hint}"),
        format!("there is no program \"missing\"{hint}"),
        "\"hello\" did not start as an interpreter of Python (exit status: 3): it said \"hello\\nout\""
            .to_owned(),
        format!("cannot run \"plain\": it is not executable; `chmod +x` makes it so{hint}"),
        "\"true\" did not start as an interpreter of Python (exit status: 0): it said nothing".to_owned(),
    ]) {
        let message = told(result, Outcome::Errored).replace(&format!("{}/", checks.path.display()), "");
        assert!(message.starts_with(&expected), "{message}\n{expected}");
    }
}
