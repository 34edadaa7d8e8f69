//! Ctrl-C and SIGTERM: a whole report, exit 130, within a second. The second one ends it where it stands.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{scripted, scripted_program};

fn started(script: &str) -> Child {
    scripted_program();
    let mut command = scripted(script);
    command.args(["assert", "--format", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    thread::sleep(Duration::from_millis(500));
    child
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_signal_ends_the_run_with_a_whole_report() {
    for name in ["INT", "TERM"] {
        let child = started("hangs");
        let sent = Instant::now();
        signal(&child, name);
        let output = child.wait_with_output().unwrap();
        assert!(sent.elapsed() < Duration::from_secs(1), "{name}: {:?}", sent.elapsed());
        assert_eq!(output.status.code(), Some(130), "{name}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let verdicts: Vec<_> =
            report["results"].as_array().unwrap().iter().map(|result| result["verdict"].clone()).collect();
        assert_eq!(verdicts, ["passed", "skipped", "skipped"], "{name}");
        assert_eq!((&report["interrupted"], &report["verdict"]), (&true.into(), &"failed".into()));
        assert_eq!(report["results"][1]["message"], "the run was interrupted");
    }
}

#[test]
fn an_assertion_that_blocks_its_thread_does_not_hold_up_the_report() {
    let child = started("blocks");
    let sent = Instant::now();
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert!(sent.elapsed() < Duration::from_secs(1), "{:?}", sent.elapsed());
    assert_eq!(output.status.code(), Some(130));
    assert!(serde_json::from_slice::<Value>(&output.stdout).is_ok());
}

#[test]
fn the_second_signal_ends_it_at_once() {
    // Nobody reads, so that writing the report blocks.
    let mut command = scripted("many");
    command.args(["assert", "--format", "json"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    thread::sleep(Duration::from_secs(3));
    assert!(child.try_wait().unwrap().is_none(), "it still has something to write");
    signal(&child, "INT");
    thread::sleep(Duration::from_millis(200));
    assert!(child.try_wait().unwrap().is_none(), "the first one asks for a whole report");
    let sent = Instant::now();
    signal(&child, "INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(sent.elapsed() < Duration::from_secs(1));
}
