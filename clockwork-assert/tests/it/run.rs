//! Runs assertions as a project does.

use std::{path::PathBuf, process::Command, sync::Arc};

use clockwork_core::{CheckResult, Engine, IntoAssertion, Outcome, Project};

/// What became of one assertion, in an engine of its own.
pub(crate) async fn check<Marker>(assertion: impl IntoAssertion<Marker>) -> Arc<CheckResult> {
    run(Project::new("test").assert(assertion)).await.remove(0)
}

/// What became of a project's assertions.
pub(crate) async fn run(project: Project) -> Vec<Arc<CheckResult>> {
    Engine::standard().assert(&project).await.unwrap().results
}

/// That it ended so, and what it said.
#[track_caller]
pub(crate) fn told(result: &Arc<CheckResult>, verdict: Outcome) -> &str {
    assert_eq!(result.verdict, verdict, "{}: {}", result.label, result.message);
    assert!(!result.message.contains(['\n', '\x1b', '\r']), "{:?}", result.message);
    &result.message
}

/// What an independent program says.
pub(crate) fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A directory of the test's own that others may search, whatever the umask.
pub(crate) fn directory() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    output("chmod", &["755", directory.path().to_str().unwrap()]);
    let path = directory.path().canonicalize().unwrap();
    (directory, path)
}
