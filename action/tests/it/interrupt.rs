//! Ctrl-C and SIGTERM: a whole report, exit 130, within a second. The second one ends it where it stands.

use std::{
    io::Write,
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{clockwork, head_of, scripted, scripted_program};

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
    scripted_program();
    // One of foreign code, for which threads wait for signals, and one of which nobody does when it has ended.
    let directory = tempfile::tempdir().unwrap();
    let many = "  - FileExistsAssert: { path: clockwork.yaml }\n".repeat(3_000);
    std::fs::write(directory.path().join("clockwork.yaml"), format!("project: many\nassertions:\n{many}"))
        .unwrap();
    for mut command in [scripted("many"), clockwork(directory.path())] {
        // Nobody reads, so that writing the report blocks.
        command.args(["assert", "--format", "json"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        thread::sleep(Duration::from_secs(3));
        assert!(child.try_wait().unwrap().is_none(), "it still has something to write");
        for name in ["TERM", "INT"] {
            signal(&child, name);
            thread::sleep(Duration::from_millis(200));
            let ended = child.try_wait().unwrap();
            match name {
                "TERM" => assert!(ended.is_none(), "the first one asks for a whole report: {ended:?}"),
                _ => assert_eq!(ended.and_then(|status| status.code()), Some(130)),
            }
        }
    }
}

/// The first one came while it ran, and the second one, much later, while it writes.
#[test]
fn signals_are_counted_from_the_run_to_its_report() {
    let (port, _) = server();
    let directory = tempfile::tempdir().unwrap();
    let mut manifest = String::from("project: many\nassertions:\n");
    manifest += &format!("  - HealthcheckAssert: {{ url: \"http://127.0.0.1:{port}/hang\" }}\n");
    manifest += &"  - FileExistsAssert: { path: clockwork.yaml }\n".repeat(3_000);
    std::fs::write(directory.path().join("clockwork.yaml"), manifest).unwrap();
    let mut command = clockwork(directory.path());
    command.args(["assert", "--format", "json"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    thread::sleep(Duration::from_secs(2));
    for (name, code) in [("INT", None), ("TERM", Some(130))] {
        signal(&child, name);
        thread::sleep(Duration::from_millis(300));
        assert_eq!(child.try_wait().unwrap().and_then(|status| status.code()), code, "{name}");
    }
}

/// A server that keeps whoever asks for `/hang` waiting, and says what else it was asked.
pub(crate) fn server() -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let seen = Arc::clone(&asked);
    thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let head = head_of(&stream);
            let line = head.first().cloned().unwrap_or_default();
            seen.lock().unwrap().push(line.clone());
            if line.contains("/hang") {
                kept.push(stream);
            } else {
                let body = r#"{"id":7}"#;
                let head =
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + body).as_bytes());
            }
        }
    });
    (port, asked)
}

#[test]
fn a_signal_leaves_a_workflow_its_cleanup() {
    let (port, asked) = server();
    let directory = tempfile::tempdir().unwrap();
    let manifest = format!(
        "project: test
vars: {{ base: \"http://127.0.0.1:{port}\" }}
assertions:
  - WorkflowAssert:
      steps:
        - {{ request: {{ url: \"${{vars.base}}/order\", method: POST }}, capture: {{ id: id }} }}
        - {{ request: {{ url: \"${{vars.base}}/hang\" }} }}
      cleanup:
        - {{ request: {{ url: \"${{vars.base}}/order/${{captured.id}}\", method: DELETE }} }}
    timeout: 60s
"
    );
    std::fs::write(directory.path().join("clockwork.yaml"), manifest).unwrap();
    let mut command = clockwork(directory.path());
    command.args(["assert", "--format", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let began = Instant::now();
    while asked.lock().unwrap().len() < 2 {
        assert!(began.elapsed() < Duration::from_secs(60), "it does not get to its second step");
        thread::sleep(Duration::from_millis(20));
    }
    signal(&child, "INT");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(
        *asked.lock().unwrap(),
        ["POST /order HTTP/1.1", "GET /hang HTTP/1.1", "DELETE /order/7 HTTP/1.1"]
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let result = &report["results"][0];
    assert_eq!(
        (&result["verdict"], &result["message"]),
        (&"skipped".into(), &"the run was interrupted; its cleanup ran".into())
    );
    assert_eq!(result["details"]["cleanup"][0]["verdict"], "passed", "{result}");
}
