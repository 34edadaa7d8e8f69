//! What a program can use up, and what it can leave behind.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use clockwork_assert::CommandAssert;
use clockwork_core::{AssertionExt, ByteSize, Outcome};
use clockwork_drivers::sandbox::Sandbox;

use crate::{
    nobody::as_nobody,
    run::{check, directory, gone, output, running, told},
};

/// How long killing may take.
const GONE: Duration = Duration::from_secs(10);

fn sh(script: &str) -> CommandAssert {
    CommandAssert::new(["sh", "-c", script])
}

fn py(script: &str) -> CommandAssert {
    CommandAssert::new(["/usr/bin/python3", "-c", script])
}

fn small() -> Sandbox {
    Sandbox::new()
        .memory(ByteSize(128 << 20))
        .cpu(Duration::from_secs(2))
        .processes(16)
        .open_files(64)
        .file_size(ByteSize(8 << 20))
}

/// What has no end of its own, and how it ends.
async fn everything_ends() {
    let long = Duration::from_secs(100);
    let message = |result: &std::sync::Arc<clockwork_core::CheckResult>| result.message.clone();
    // Computing.
    let result = check(sh("while :; do :; done").sandbox(small()).timeout(long)).await;
    assert_eq!(
        told(&result, Outcome::Failed),
        "was killed by SIGXCPU: it computed longer than sandbox.cpu, 2 s; it wrote nothing"
    );
    // Memory: of its own, shared, of files without a name, of files in its /tmp.
    for (name, script) in [
        ("own", "b = [bytearray(b'x' * (1 << 20)) for _ in range(600)]"),
        ("shared", "import mmap; b = mmap.mmap(-1, 600 << 20)\nfor i in range(0, 600 << 20, 4096): b[i] = 1"),
        (
            "unnamed",
            "import os\nfor _ in range(75):\n  f = os.memfd_create('x'); os.write(f, b'x' * (8 << 20))",
        ),
        (
            "forked",
            "import os\nfor _ in range(8):\n  if os.fork() == 0: break\nb = bytearray(b'x' * (100 << 20)); import time; time.sleep(1); os.wait()",
        ),
    ] {
        let grouped = fs::metadata("/sys/fs/cgroup/memory").is_ok() && output("id", &["-u"]) == "0";
        let result = check(py(script).sandbox(small()).timeout(long)).await;
        if name == "forked" {
            // Without a control group each process has a limit of its own.
            assert!(!grouped || result.verdict == Outcome::Failed, "{name}: {}", message(&result));
        } else {
            assert_eq!(result.verdict, Outcome::Failed, "{name}: {}", message(&result));
            let refused =
                ["memory", "rights"].iter().any(|word| message(&result).to_lowercase().contains(word));
            assert!(refused, "{name}: {}", message(&result));
        }
        if grouped && name == "own" {
            assert!(
                message(&result)
                    .starts_with("was killed by SIGKILL, for want of memory: sandbox.memory is 128 MiB"),
                "{}",
                message(&result)
            );
        }
    }
    // Files: one, and many.
    let result = check(
        sh("head -c 20000000 /dev/zero > /tmp/large; rm /tmp/large; exit 1").sandbox(small()).timeout(long),
    )
    .await;
    told(&result, Outcome::Failed);
    let fill = "for i in 1 2 3 4 5 6 7 8 9; do head -c 5000000 /dev/zero > /tmp/$i || exit 7; done";
    let result = check(sh(fill).sandbox(small()).timeout(long)).await;
    let told_of_room = told(&result, Outcome::Failed);
    assert!(
        told_of_room.contains("exited with code 7")
            && told_of_room.contains("sandbox.file_size, the room in its `/tmp`, is 8 MiB"),
        "{told_of_room}"
    );
    // Descriptors.
    let result =
        check(py("f = [open('/etc/hostname') for _ in range(100)]").sandbox(small()).timeout(long)).await;
    assert!(told(&result, Outcome::Failed).contains("sandbox.open_files is 64"), "{}", result.message);
    // Processes and threads.
    let bomb = "import os, time\nn = 0\ntry:\n  while n < 300:\n    if os.fork() == 0: time.sleep(60); os._exit(0)\n    n += 1\nexcept OSError: pass\nprint(n)";
    let result = check(
        py(bomb)
            .sandbox(small())
            .stdout(serde_json::from_value(serde_json::json!({ "matches": "^1?[0-9]$" })).unwrap())
            .timeout(long),
    )
    .await;
    told(&result, Outcome::Passed);
    let threads = "import threading, time\nfor _ in range(300): threading.Thread(target=time.sleep, args=(60,), daemon=True).start()";
    let result = check(py(threads).sandbox(small()).timeout(long)).await;
    assert!(told(&result, Outcome::Failed).contains("sandbox.processes"), "{}", result.message);
}

#[tokio::test]
async fn what_has_no_end_is_ended() {
    everything_ends().await;
}

#[test]
fn what_has_no_end_is_ended_as_a_user_without_rights() {
    as_nobody("sandbox::limits::without_rights", &[]);
}

#[tokio::test]
#[ignore = "run by what_has_no_end_is_ended_as_a_user_without_rights, as another user"]
async fn without_rights() {
    everything_ends().await;
    nothing_stays().await;
}

/// Daemons of every kind.
async fn nothing_stays() {
    for (number, daemon) in [
        "sleep NAP & exit 0",
        "setsid sleep NAP & exit 0",
        "nohup setsid sleep NAP >/dev/null 2>&1 </dev/null & exit 0",
        "(setsid sh -c 'sleep NAP & exit' &) ; exit 0",
        "env -i setsid sh -c 'trap \"\" TERM HUP INT; sleep NAP' >/dev/null 2>&1 & exit 0",
        "kill -9 1; setsid sleep NAP >/dev/null 2>&1 & kill -9 -1",
        "kill -9 $PPID; setsid sleep NAP >/dev/null 2>&1 & exit 0",
    ]
    .into_iter()
    .enumerate()
    {
        let nap = format!("8{number}7.{}", std::process::id());
        check(sh(&daemon.replace("NAP", &nap)).timeout(Duration::from_secs(60))).await;
        assert!(gone(&nap, GONE).await, "{daemon}");
        let endless = format!("{}; sleep {nap}", daemon.replace("NAP", &nap).replace("exit 0", "true"));
        let result = check(sh(&endless).timeout(Duration::from_secs(1))).await;
        assert_ne!(result.verdict, Outcome::Passed, "{daemon}");
        assert!(gone(&nap, GONE).await, "{daemon}, after a timeout");
    }
}

#[tokio::test]
async fn no_daemon_stays() {
    nothing_stays().await;
}

/// Clockwork itself is killed: what it had started goes, too.
#[tokio::test]
async fn nothing_stays_after_kill_9() {
    let nap = format!("899.{}", std::process::id());
    let mut own = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandbox::limits::naps", "--ignored"])
        .env("NAP", &nap)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while running(&nap) == 0 {
        assert!(began.elapsed() < Duration::from_secs(60), "it never started");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    own.kill().unwrap();
    own.wait().unwrap();
    assert!(gone(&nap, GONE).await);
}

#[tokio::test]
#[ignore = "run by nothing_stays_after_kill_9"]
async fn naps() {
    let script = format!("setsid sleep {} & wait", std::env::var("NAP").unwrap());
    check(sh(&script).timeout(Duration::from_secs(600))).await;
}

/// The control groups of programs that have ended are gone.
#[tokio::test]
async fn no_control_group_stays() {
    let (_kept, _) = directory();
    let own = format!("clockwork-{}-", std::process::id());
    for _ in 0..3 {
        told(&check(sh("true")).await, Outcome::Passed);
        check(sh("sleep 60").timeout(Duration::from_millis(50))).await;
    }
    let began = Instant::now();
    loop {
        // Those of others come and go meanwhile.
        let find = format!("find /sys/fs/cgroup -maxdepth 6 -type d -name '{own}*' 2>/dev/null; true");
        let found = output("sh", &["-c", &find]);
        if found.is_empty() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{found}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
