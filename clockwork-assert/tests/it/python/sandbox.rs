//! What a check may do, each with the grant that allows it, and the same without a sandbox.

use std::{fs, net::TcpListener, time::Duration};

use clockwork_assert::PythonAssert;
use clockwork_core::{AssertionExt, ByteSize, Outcome, Project};
use clockwork_drivers::sandbox::{NetworkAccess, Sandbox};

use super::Checks;
use crate::{
    run::{check, directory, output, run, told},
    skip::skipped,
};

const MINUTE: Duration = Duration::from_secs(60);

/// Whether this machine keeps programs in a sandbox at all.
async fn enforced() -> bool {
    let checks = Checks::new("def fine(): return True\n");
    let result = check(checks.check("fine")).await;
    told(&result, Outcome::Passed);
    let enforced = &result.details()["sandbox"]["by"];
    let enforced = enforced.as_array().is_some_and(|by| by.iter().any(|by| by == "namespaces"));
    enforced || skipped("this machine makes no namespaces: what a sandbox forbids stays untested")
}

/// Each of these, in one run; what passes has to pass, and what does not has to begin so.
async fn expect(table: Vec<(PythonAssert, Option<&str>)>) {
    let project = table
        .iter()
        .fold(Project::new("python"), |project, (check, _)| project.assert(check.clone().timeout(MINUTE)));
    for (result, (check, refused)) in run(project).await.iter().zip(table) {
        match refused {
            None => drop(told(result, Outcome::Passed)),
            Some(begins) => {
                let message = told(result, Outcome::Errored);
                assert!(message.starts_with(begins), "{check:?}: {message}");
            }
        }
    }
}

#[tokio::test]
async fn files_are_read_and_written_where_that_is_granted() {
    if !enforced().await {
        return;
    }
    let (_elsewhere, elsewhere) = directory();
    let secret = elsewhere.join("secret");
    fs::write(&secret, "42").unwrap();
    let checks = Checks::new(&format!(
        r#"
import os, tempfile

def reads():
    with open({secret:?}) as file: return file.read() == "42"
def lists(): return os.listdir({elsewhere:?}) == ["secret"]
def writes():
    with open({new:?}, "w") as file: file.write("x")
    return True
def writes_beside():
    with open(__file__ + ".new", "w") as file: file.write("x")
    return True
def writes_temporarily():
    with open("/tmp/clockwork-python-test", "w") as file: file.write("x")
    with tempfile.NamedTemporaryFile() as file: file.write(b"x")
    return True
def reads_shadow():
    with open("/etc/shadow") as file: return len(file.read()) > 0
def reads_own():
    with open(__file__) as file: return "reads_own" in file.read()
"#,
        secret = secret.to_str().unwrap(),
        elsewhere = elsewhere.to_str().unwrap(),
        new = elsewhere.join("new").to_str().unwrap(),
    ));
    let granted = |function: &str, sandbox: Sandbox| checks.check(function).sandbox(sandbox);
    let (reads, writes) = (Sandbox::new().read(&elsewhere), Sandbox::new().write(&elsewhere));
    expect(vec![
        (checks.check("reads"), Some("raised FileNotFoundError")),
        (checks.check("lists"), Some("raised FileNotFoundError")),
        (checks.check("reads_own"), None),
        (granted("reads", reads.clone()), None),
        (granted("lists", reads.clone()), None),
        (checks.free("reads"), None),
        (checks.check("writes"), Some("raised FileNotFoundError")),
        (granted("writes", reads), Some("raised OSError: [Errno 30] Read-only file system")),
        (checks.check("writes_beside"), Some("raised OSError: [Errno 30] Read-only file system")),
    ])
    .await;
    if nix::unistd::geteuid().is_root() {
        assert_ne!(check(checks.check("reads_shadow")).await.verdict, Outcome::Passed);
        told(&check(checks.free("reads_shadow")).await, Outcome::Passed);
    }
    let told_grant = check(checks.check("reads")).await;
    let written = check(checks.check("writes_beside")).await;
    let hint = format!("grant that: `sandbox: {{ write: [{}] }}`", checks.path.display());
    assert!(told(&written, Outcome::Errored).ends_with(&hint), "{}", written.message);
    let shown = secret.display();
    let hint =
        format!("the sandbox does not show it \"{shown}\": `sandbox: {{ read: [\"{shown}\"] }}` grants it");
    assert!(told(&told_grant, Outcome::Errored).ends_with(&hint), "{}", told_grant.message);
    assert!(!elsewhere.join("new").exists());
    expect(vec![(granted("writes", writes), None), (checks.check("writes_temporarily"), None)]).await;
    assert_eq!(fs::read_to_string(elsewhere.join("new")).unwrap(), "x");
    assert!(!fs::exists("/tmp/clockwork-python-test").unwrap());
}

#[tokio::test]
async fn the_network_is_reached_where_that_is_granted() {
    if !enforced().await {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let checks = Checks::new(
        "import socket, urllib.request\n\ndef connects(port):\n    socket.create_connection(('127.0.0.1', port), 10).close()\n    \
         return True\n\ndef asks(port):\n    urllib.request.urlopen('http://127.0.0.1:%d/' % port, timeout=10)\n    return True\n",
    );
    let with = |function: &str| checks.check(function).arg("port", i64::from(port));
    let loopback = Sandbox::new().network(NetworkAccess::Loopback);
    expect(vec![
        (with("connects"), Some("raised ")),
        (with("connects").sandbox(loopback), None),
        (with("connects").sandbox(Sandbox::new().network(NetworkAccess::All)), None),
        (with("connects").sandbox(Sandbox::off()), None),
    ])
    .await;
    for function in ["connects", "asks"] {
        let result = check(with(function)).await;
        let message = told(&result, Outcome::Errored);
        assert!(
            message.contains("the sandbox lets it reach no network: `sandbox: { network: loopback }` grants"),
            "{message}"
        );
    }
}

/// What is not shown is not there for the check, and what is not reached does not answer: nothing follows from that.
#[tokio::test]
async fn nothing_is_concluded_from_what_is_not_shown() {
    if !enforced().await {
        return;
    }
    let (_elsewhere, elsewhere) = directory();
    let lock = elsewhere.join("lock");
    fs::write(&lock, "42").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let checks = Checks::new(&format!(
        r#"
import glob, os, pathlib, socket, subprocess, urllib.request

LOCK, PORT = {lock:?}, {port}

def exists(): return not os.path.exists(LOCK)
def is_file(): return not pathlib.Path(LOCK).is_file()
def globs(): return glob.glob(LOCK + "*") == []
def opens():
    try: open(LOCK).close()
    except OSError: return True
    return False
def asserts(): assert os.path.exists(LOCK)
def accesses(): return not os.access(LOCK, os.R_OK)
def lists():
    try: return os.listdir(os.path.dirname(LOCK)) == []
    except OSError: return True
def connects():
    try: socket.create_connection(("127.0.0.1", PORT), 5).close()
    except OSError: return True
    return False
def bare():
    try: socket.socket().connect(("127.0.0.1", PORT))
    except OSError: return True
    return False
def asks():
    try: urllib.request.urlopen("http://localhost:%d/" % PORT, timeout=1)
    except OSError: return True
    return False
def elsewhere():
    try: socket.create_connection(("192.0.2.1", 9), 0.1).close()
    except OSError: return True
    return False
def processes(): return len(os.listdir("/proc")) > 0
def pgrep(): return subprocess.run(["pgrep", "init"]).returncode == 1
def harmless():
    assert os.path.exists("/etc/passwd") and not os.path.exists("/etc/clockwork-is-not-here")
    with open("/tmp/mine", "w") as file: file.write("x")
    assert os.path.exists("/tmp/mine") and os.stat(__file__).st_size > 0
    assert os.stat in os.supports_follow_symlinks
    assert socket.gethostname() != ""
"#,
        lock = lock.to_str().unwrap(),
        port = listener.local_addr().unwrap().port(),
    ));
    let hidden = "the sandbox does not show it ";
    let alone = "the sandbox lets it reach no network: nothing follows from it, though the check passed";
    expect(vec![
        (checks.check("exists"), Some(hidden)),
        (checks.check("is_file"), Some(hidden)),
        (checks.check("globs"), Some(hidden)),
        (checks.check("opens"), Some(hidden)),
        (checks.check("asserts"), Some(hidden)),
        (checks.check("accesses"), Some(hidden)),
        (checks.check("lists"), Some(hidden)),
        (checks.check("connects"), Some(alone)),
        (checks.check("bare"), Some(alone)),
        (checks.check("asks"), Some(alone)),
        (checks.check("processes"), Some("\"ps\" sees only its own processes in its sandbox")),
        (checks.check("pgrep"), Some("\"pgrep\" sees only its own processes in its sandbox")),
        (checks.check("harmless"), None),
    ])
    .await;
    let loopback = Sandbox::new().network(NetworkAccess::Loopback);
    let reached = check(checks.check("connects").sandbox(loopback.clone())).await;
    told(&reached, Outcome::Failed);
    let elsewhere_than = check(checks.check("elsewhere").sandbox(loopback)).await;
    let message = told(&elsewhere_than, Outcome::Errored);
    assert!(
        message.starts_with("the sandbox lets it reach only this machine, and not \"192.0.2.1\""),
        "{message}"
    );
    for function in ["exists", "opens", "lists"] {
        let granted = check(checks.check(function).sandbox(Sandbox::new().read(&elsewhere))).await;
        told(&granted, Outcome::Failed);
    }
}

/// What listens on this machine is lent when the interpreter starts: a later round gets another one.
#[tokio::test]
async fn a_service_that_comes_later_is_reached_in_a_later_round() {
    if !enforced().await {
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let checks = Checks::new(
        "import socket\n\ndef connects(port):\n    try: socket.create_connection(('127.0.0.1', port), 10).close()\n    except \
         OSError as error: return False, str(error)\n    return True\n",
    );
    let loopback = Sandbox::new().network(NetworkAccess::Loopback);
    let assertion = checks.check("connects").arg("port", i64::from(port)).sandbox(loopback);
    let later = assertion.within(MINUTE).every(Duration::from_millis(200));
    let (result, listener) = tokio::join!(check(later), async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        TcpListener::bind(("127.0.0.1", port)).unwrap()
    });
    told(&result, Outcome::Passed);
    assert!(result.attempts > 1);
    drop(listener);
}

#[tokio::test]
async fn limits_end_one_check_and_no_other() {
    if !enforced().await {
        return;
    }
    let checks = Checks::new(
        r#"
import os, time

def fine(): return True
def waits():
    time.sleep(1)
    return True
def allocates():
    kept = bytearray(512 << 20)
    for at in range(0, len(kept), 4096): kept[at] = 1
    return True
def computes():
    while True: pass
def floods_disk():
    with open("/tmp/flood", "wb") as file:
        for _ in range(100): file.write(b"x" * (1 << 20))
    return True
def bombs():
    for _ in range(5000):
        try: pid = os.fork()
        except OSError: return False
        if pid == 0:
            time.sleep(600)
            os._exit(0)
    return True
"#,
    );
    let limited = |function: &str, sandbox: Sandbox| checks.check(function).sandbox(sandbox);
    let small = Sandbox::new().memory(ByteSize(256 << 20));
    expect(vec![
        (limited("waits", small.clone()), None),
        (limited("allocates", small.clone()), Some("ran out of memory (at ")),
        (limited("fine", small), None),
        (limited("allocates", Sandbox::new().memory(ByteSize(1 << 30))), None),
        (checks.free("allocates"), None),
        (limited("computes", Sandbox::new().cpu(Duration::from_secs(1))), Some("was killed by SIGXCPU (at ")),
        (limited("fine", Sandbox::new().cpu(Duration::from_secs(1))), None),
        (
            limited("floods_disk", Sandbox::new().file_size(ByteSize(10 << 20))),
            Some("raised OSError: [Errno 2"),
        ),
        (limited("floods_disk", Sandbox::new().file_size(ByteSize(200 << 20))), None),
    ])
    .await;
    let result = check(limited("bombs", Sandbox::new().processes(4)).timeout(MINUTE)).await;
    assert_eq!(told(&result, Outcome::Failed), "returned False");
}

#[tokio::test]
async fn the_environment_is_granted_by_name() {
    if !enforced().await {
        return;
    }
    let checks = Checks::new(
        r#"
import os

def sees():
    value = os.environ.get("CARGO_MANIFEST_DIR")
    return value is not None, str(value)

def parent(pid):
    try:
        with open("/proc/%d/environ" % pid, "rb") as file: return b"CARGO_MANIFEST_DIR=" in file.read()
    except OSError as error: return False, "nowhere"
"#,
    );
    let without = check(checks.check("sees")).await;
    assert_eq!(told(&without, Outcome::Failed), "None");
    let granted = check(checks.check("sees").sandbox(Sandbox::new().env("CARGO_MANIFEST_DIR"))).await;
    assert_eq!(told(&granted, Outcome::Passed), "[secret]");
    let own = i64::from(std::process::id());
    assert_eq!(told(&check(checks.check("parent").arg("pid", own)).await, Outcome::Failed), "nowhere");
    told(&check(checks.free("parent").arg("pid", own)).await, Outcome::Passed);
}

/// A daemon that made itself independent of all that started it.
#[tokio::test]
async fn no_daemon_outlives_its_run() {
    if !enforced().await {
        return;
    }
    let nap = format!("87.{}", std::process::id());
    let checks = Checks::new(&format!(
        r#"
import os, sys

def daemon():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for fd in range(3, 256):
                try: os.close(fd)
                except OSError: pass
            os.execve("/bin/sleep", ["sleep", "{nap}"], {{}})
        os._exit(0)
    os.wait()
    return True
"#
    ));
    told(&check(checks.check("daemon")).await, Outcome::Passed);
    let mut alive = true;
    for _ in 0..500 {
        let all = output("ps", &["-eo", "stat=,args="]);
        alive = all.lines().any(|line| !line.starts_with('Z') && line.contains(&nap));
        if !alive {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!alive);
}
