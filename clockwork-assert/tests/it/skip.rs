//! A test that cannot have what it needs says so, and is counted as skipped.

use std::io::Write;

/// Says loudly that this test does not run, and why. With `CI=true` that is a failure. Returns `false`, for `if !engine()`.
///
/// The test runner knows no test that finds out by itself that it cannot run, and calls it passed; `scripts/test.sh`
/// counts what stands in the file that `CLOCKWORK_SKIPPED` names, and tells it beside the runner's count.
#[expect(clippy::print_stderr, reason = "a skipped test must be noticed")]
pub(crate) fn skipped(why: &str) -> bool {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "cannot run here: {why}");
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("a test");
    eprintln!("!! SKIPPED {name}: {why}");
    if let Some(list) = std::env::var_os("CLOCKWORK_SKIPPED") {
        let opened = std::fs::OpenOptions::new().create(true).append(true).open(list);
        let noted = opened.and_then(|mut file| file.write_all(format!("{name}: {why}\n").as_bytes()));
        noted.expect("the list of skipped tests can be written");
    }
    false
}
