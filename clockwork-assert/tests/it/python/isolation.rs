//! What a check does to its process no other sees, and whatever becomes of one, the others are judged.

use std::{fs, time::Duration};

use clockwork_core::{AssertionExt, Outcome, Project};
use serde_json::json;

use super::Checks;
use crate::run::{check, gone, run, told};

/// How long killing may take.
const GONE: Duration = Duration::from_secs(10);

/// A duration that no other test sleeps for.
fn nap(number: u32) -> String {
    format!("8{number}.{}", std::process::id())
}

const DAMAGE: &str = r#"
import os, signal, sys, threading, time

seen = []

def looks():
    """Whether everything is as it was."""
    import json
    assert seen == []
    assert os.getcwd() != "/"
    assert "DAMAGED" not in os.environ
    assert json.dumps is not None and json.dumps([1]) == "[1]"
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert threading.active_count() == 1
    assert sys.stdin.read() == ""
    return True, "clean"

def spoils():
    import json
    seen.append(1)
    os.chdir("/")
    os.environ["DAMAGED"] = "1"
    json.dumps = None
    signal.signal(signal.SIGTERM, lambda *_: None)
    thread = threading.Thread(target=time.sleep, args=(600,))
    thread.start()
    sys.setrecursionlimit(60)
    sys.stdout.close()
    os.umask(0)
    return True

def exits(): os._exit(3)
def zero(): os._exit(0)
def killed(): os.kill(os.getpid(), 9)
def crashes():
    import ctypes
    ctypes.string_at(0)
def aborts(): os.abort()
def closes():
    os.closerange(3, 256)
    time.sleep(0.05)
    return True
def forges():
    for fd in range(3, 256):
        for line in (b'{"token": "", "told": {"is": "returned", "as": "bool", "value": true}}\n', b'{"do": "end"}\n'):
            try: os.write(fd, line)
            except OSError: pass
    return False
def forks():
    if os.fork() == 0:
        return True, "the child"
    os.wait()
    return False, "the parent"
def floods():
    for _ in range(2000): print("x" * 10_000)
    return True, "flooded"
def prints():
    print("one")
    os.write(2, b"two\n")
    os.system("echo three")
    return False, "no"
def hangs():
    print("before")
    time.sleep(600)
def spins():
    while True: pass
def runs_aside():
    threading.Thread(target=time.sleep, args=(600,)).start()
    return True, "aside"
"#;

#[tokio::test]
async fn whatever_becomes_of_one_the_others_are_judged() {
    use Outcome::{Errored, Failed, Passed};
    let checks = Checks::new(DAMAGE);
    let hint = "; a check returns its verdict, or raises";
    let leak = |text: String| -> &'static str { text.leak() };
    let mut table = Vec::new();
    for (function, verdict, message) in [
        ("spoils", Passed, ""),
        ("looks", Passed, "clean"),
        ("exits", Errored, leak(format!("ended its process with code 3{hint}"))),
        ("zero", Errored, leak(format!("ended its process with code 0{hint}"))),
        (
            "killed",
            Errored,
            "was killed by SIGKILL; perhaps for want of memory; `sandbox.memory` says how much it may use",
        ),
        ("crashes", Errored, "was killed by SIGSEGV (at checks.py:37 in crashes: \"ctypes.string_at(0)\")"),
        (
            "aborts",
            Errored,
            "was killed by SIGABRT (at checks.py:38 in aborts: \"def aborts(): os.abort()\")",
        ),
        ("closes", Errored, leak(format!("closed the worker's own descriptors{hint}"))),
        ("forges", Errored, "wrote to the worker's own descriptors: what it says is not believed"),
        ("forks", Failed, "the parent"),
        ("floods", Passed, "flooded"),
        ("prints", Failed, "no; it printed \"one\\ntwo\\nthree\""),
        ("runs_aside", Passed, "aside"),
        ("looks", Passed, "clean"),
    ] {
        table.push((checks.check(function).timeout(Duration::from_secs(60)), verdict, message));
    }
    let results = checks.expect(table).await;
    let details = results[10].details();
    let output = details["output"].as_str().unwrap();
    assert!(output.starts_with("xxx") && output.len() < 5000, "{}", output.len());
    assert_eq!(results[11].details()["output"], json!("one\ntwo\nthree\n"));
}

#[tokio::test]
async fn one_that_hangs_is_ended_and_says_where_it_stood() {
    let checks = Checks::new(DAMAGE);
    let project = Project::new("python")
        .assert(checks.check("hangs").timeout(Duration::from_secs(2)))
        .assert(checks.check("spins").timeout(Duration::from_secs(2)))
        .assert(checks.check("looks").timeout(Duration::from_secs(60)));
    let results = run(project).await;
    let message = told(&results[0], Outcome::Errored);
    assert!(message.starts_with("did not end in time: it ran for "), "{message}");
    assert!(message.contains("checks.py:64 in hangs: \"time.sleep(600)\""), "{message}");
    assert_eq!(results[0].details()["output"], json!("before\n"));
    let message = told(&results[1], Outcome::Errored);
    assert!(message.contains("checks.py:66 in spins: \"while True: pass\""), "{message}");
    assert_eq!(told(&results[2], Outcome::Passed), "clean");
}

#[tokio::test]
async fn nothing_that_a_check_started_outlives_it() {
    let (child, daemon, left) = (nap(1), nap(2), nap(3));
    let checks = Checks::new(&format!(
        r#"
import os, subprocess, time

def hangs():
    subprocess.Popen(["sleep", "{child}"])
    subprocess.Popen(["sh", "-c", "setsid sleep {daemon} & sleep 600"])
    open("{path}", "w").close()
    time.sleep(600)

def leaves():
    subprocess.Popen(["sleep", "{left}"])
    return True
"#,
        path = "/dev/null"
    ));
    let result = check(checks.free("hangs").timeout(Duration::from_secs(3))).await;
    told(&result, Outcome::Errored);
    assert!(gone(&child, GONE).await && gone(&daemon, GONE).await);
    told(&check(checks.free("leaves")).await, Outcome::Passed);
    assert!(gone(&left, GONE).await);
}

#[tokio::test]
async fn an_import_that_hangs_says_where() {
    let checks = Checks::new("import time\n\ntime.sleep(600)\n\ndef check(): return True\n");
    let result = check(checks.check("check").timeout(Duration::from_secs(3))).await;
    let message = told(&result, Outcome::Errored);
    assert!(message.starts_with("no answer within 3 s (importing "), "{message}");
    assert!(message.contains(", it stands at line 3 of "), "{message}");
}

/// What would be shared by all copies of a process is not copied.
#[tokio::test]
async fn a_file_that_cannot_be_copied_is_imported_for_each_check() {
    let checks = Checks::new("");
    let count = checks.path.join("count");
    for (opens, times) in [
        ("pass", 1),
        ("import threading, time; threading.Thread(target=time.sleep, args=(600,), daemon=True).start()", 3),
        ("import socket; pair = socket.socketpair()", 3),
        ("import subprocess; child = subprocess.Popen(['sleep', '600'])", 3),
    ] {
        let _ = fs::remove_file(&count);
        let note = format!("with open({:?}, 'a') as file: file.write('x')\n", count.display().to_string());
        checks.add("checks.py", &format!("{opens}\n{note}\ndef check(n): return True, str(n)\n"));
        let each = (0..3).map(|n| checks.free("check").arg("n", n).timeout(Duration::from_secs(60)));
        let results = run(each.fold(Project::new("python"), Project::assert)).await;
        for (n, result) in results.iter().enumerate() {
            assert_eq!(told(result, Outcome::Passed), n.to_string(), "{opens}");
        }
        assert_eq!(fs::read_to_string(&count).unwrap().len(), times, "{opens}");
    }
}

/// The process that it was forked from, and the interpreter above, can be killed by a check that means to; others go on.
#[tokio::test]
async fn a_worker_that_is_killed_is_replaced() {
    let checks = Checks::new(
        r#"
import os, signal, time

# In the process that imports.
file, interpreter = os.getpid(), os.getppid()

def kills_file():
    os.kill(file, signal.SIGKILL)
    time.sleep(0.1)
    return True, "alive"

def kills_interpreter():
    os.kill(interpreter, signal.SIGKILL)
    os.kill(file, signal.SIGKILL)
    time.sleep(0.1)
    return True, "alive"

def waits():
    time.sleep(0.5)
    return True, "waited"

def fine(): return True, "fine"
"#,
    );
    // Without a sandbox the interpreter is no init process, whose end would be everybody's.
    for kill in ["kills_file", "kills_interpreter"] {
        let functions = ["waits", kill, "fine", "fine", "fine"];
        let each = functions.map(|function| checks.free(function).timeout(Duration::from_secs(60)));
        let results = run(each.into_iter().fold(Project::new("python"), Project::assert)).await;
        for (result, message) in results.iter().zip(["waited", "alive", "fine", "fine", "fine"]) {
            assert_eq!(told(result, Outcome::Passed), message, "{}", result.id);
        }
    }
}
