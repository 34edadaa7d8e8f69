//! PythonAssert runs real functions in real interpreters.

mod broken;
mod isolation;
mod marked;
mod resource;
mod returns;
mod sandbox;
mod sharing;
mod versions;

use std::{fs, path::PathBuf, sync::Arc};

use clockwork_assert::PythonAssert;
use clockwork_core::{AssertionExt, CheckResult, IntoAssertion, Outcome, Project};
use clockwork_drivers::sandbox::Sandbox;

use crate::run::{directory, run, told};

/// A directory with the checks of one test.
struct Checks {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

impl Checks {
    /// With this in its `checks.py`.
    fn new(source: &str) -> Self {
        let (directory, path) = directory();
        let checks = Self { _directory: directory, path };
        checks.add("checks.py", source);
        checks
    }

    fn add(&self, name: &str, source: &str) -> PathBuf {
        let path = self.path.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, source).unwrap();
        path
    }

    fn file(&self) -> PathBuf {
        self.path.join("checks.py")
    }

    fn check(&self, function: &str) -> PythonAssert {
        PythonAssert::new(self.file(), function)
    }

    /// The same without a sandbox, for what leaves traces that the test looks at.
    fn free(&self, function: &str) -> PythonAssert {
        self.check(function).sandbox(Sandbox::off())
    }

    /// Runs all of these together, in one run, and compares what became of them: the verdict, and the message without the
    /// directory. A message that ends with `…` may go on.
    #[track_caller]
    fn expect<A: IntoAssertion<M>, M>(
        &self,
        table: impl IntoIterator<Item = (A, Outcome, &'static str)>,
    ) -> impl Future<Output = Vec<Arc<CheckResult>>> {
        let mut project = Project::new("python");
        let mut expected = Vec::new();
        for (assertion, verdict, message) in table {
            project = project.assert(assertion);
            expected.push((verdict, message));
        }
        let path = self.path.clone();
        async move {
            let results = run(project).await;
            for (result, (verdict, expected)) in results.iter().zip(expected) {
                let message = told(result, verdict).replace(&format!("{}/", path.display()), "");
                match expected.strip_suffix('…') {
                    Some(begins) => {
                        assert!(message.starts_with(begins), "{}: {message}\n{begins}", result.label)
                    }
                    None => assert_eq!(message, expected, "{}", result.label),
                }
            }
            results
        }
    }
}

/// `python3`, without the detour over the scripts of a version manager.
fn interpreter() -> String {
    crate::run::output("python3", &["-c", "import sys; print(sys.executable)"])
}

#[tokio::test]
async fn a_hundred_checks_start_one_interpreter() {
    let checks = Checks::new("def fine(number): return True, str(number)\n");
    let (count, wrapper) = (checks.path.join("count"), checks.path.join("python"));
    let script = format!("#!/bin/sh\necho started >> {}\nexec {} \"$@\"\n", count.display(), interpreter());
    fs::write(&wrapper, script).unwrap();
    crate::run::output("chmod", &["755", wrapper.to_str().unwrap()]);
    let mut project = Project::new("python");
    for number in 0..100 {
        let check = checks.free("fine").python(wrapper.to_str().unwrap()).arg("number", number);
        project = project.assert(check.timeout(std::time::Duration::from_secs(60)));
    }
    for (number, result) in run(project).await.iter().enumerate() {
        assert_eq!(told(result, Outcome::Passed), number.to_string());
    }
    assert_eq!(fs::read_to_string(count).unwrap(), "started\n");
}
