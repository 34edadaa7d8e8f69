//! Runs assertions as a project does.

use std::{
    path::PathBuf,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use clockwork_core::{CheckResult, Engine, IntoAssertion, ManifestInput, Outcome, Project, Report};

/// What became of one assertion, in an engine of its own.
pub(crate) async fn check<Marker>(assertion: impl IntoAssertion<Marker>) -> Arc<CheckResult> {
    run(Project::new("test").assert(assertion)).await.remove(0)
}

/// What became of a project's assertions.
pub(crate) async fn run(project: Project) -> Vec<Arc<CheckResult>> {
    Engine::standard().assert(&project).await.unwrap().results
}

/// What became of a manifest's project.
pub(crate) async fn judged(manifest: &str) -> Report {
    let engine = Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
    let engine = engine.build().unwrap();
    let input = ManifestInput::new("clockwork.yaml", manifest.to_owned());
    let project = engine.read_manifest(&input, &|_| None).unwrap_or_else(|error| panic!("{error}"));
    engine.assert(&project).await.unwrap()
}

/// How many processes of the machine have this among their arguments, zombies left out.
pub(crate) fn running(argument: &str) -> usize {
    let all = output("ps", &["-eo", "stat=,args="]);
    all.lines().filter(|line| !line.starts_with('Z') && line.contains(argument)).count()
}

/// Whether none of them runs any more before this long. Killing takes a moment.
pub(crate) async fn gone(argument: &str, within: Duration) -> bool {
    let began = Instant::now();
    while running(argument) > 0 {
        if began.elapsed() > within {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(20)).await; // what was cancelled is dropped meanwhile
    }
    true
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
