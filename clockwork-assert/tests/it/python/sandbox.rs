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
    let hint = format!("grant it: `sandbox: {{ read: [{}] }}`", secret.display());
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
        assert!(message.ends_with("grant it with `sandbox: { network: loopback }`, or `all`"), "{message}");
    }
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

def parent():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/environ" % pid, "rb") as file:
                if b"CARGO_MANIFEST_DIR=" in file.read(): return True
        except OSError: pass
    return False, "nowhere"
"#,
    );
    let without = check(checks.check("sees")).await;
    assert_eq!(told(&without, Outcome::Failed), "None");
    let granted = check(checks.check("sees").sandbox(Sandbox::new().env("CARGO_MANIFEST_DIR"))).await;
    assert_eq!(told(&granted, Outcome::Passed), "[secret]");
    assert_eq!(told(&check(checks.check("parent")).await, Outcome::Failed), "nowhere");
    told(&check(checks.free("parent")).await, Outcome::Passed);
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
