//! CommandAssert runs real commands; what they leave is looked for with `ps`.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use clockwork_assert::CommandAssert;
use clockwork_core::{AssertionExt, Engine, Matcher, Outcome, Project, Secret};
use clockwork_drivers::sandbox::Sandbox;
use serde_json::json;

use crate::run::{check, directory, gone, run, running, told};

/// How long killing may take.
const GONE: Duration = Duration::from_secs(5);

fn sh(script: &str) -> CommandAssert {
    CommandAssert::new(["sh", "-c", script])
}

fn matcher(value: serde_json::Value) -> Matcher {
    serde_json::from_value(value).unwrap()
}

/// A duration that no other test sleeps for.
fn nap(number: u32) -> String {
    format!("9{number}.{}", std::process::id())
}

#[tokio::test]
async fn what_it_writes_and_how_it_ends_is_compared() {
    use Outcome::{Errored, Failed, Passed};
    for (assertion, verdict, message) in [
        (sh("true"), Passed, ""),
        (sh("echo boom >&2; exit 3"), Failed, r#"exited with code 3, expected 0; stderr: "boom""#),
        (sh("echo only; exit 1"), Failed, r#"exited with code 1, expected 0; stdout: "only""#),
        (sh("exit 1"), Failed, "exited with code 1, expected 0; it wrote nothing"),
        (sh("exit 3").exit_code(Matcher::equals(3)), Passed, ""),
        (sh("exit 3").exit_code(matcher(json!([0, 3]))), Passed, ""),
        (
            sh("exit 0").exit_code(matcher(json!({ "gte": 1 }))),
            Failed,
            "exited with code 0, expected >= 1; it wrote nothing",
        ),
        (sh("printf 'v1.4\\n\\n'").stdout(Matcher::equals("v1.4")), Passed, ""),
        (sh("echo a; echo b").stdout(Matcher::equals("a\nb")), Passed, ""),
        (
            sh("echo abc").stdout(Matcher::contains("x")),
            Failed,
            r#"stdout: expected a string that contains "x", got "abc""#,
        ),
        (sh("echo warn >&2").stderr(Matcher::equals("")), Failed, r#"stderr: expected "", got "warn""#),
        (
            sh("echo 5").stdout(matcher(json!({ "gt": 3 }))),
            Failed,
            "stdout: expected a number > 3, got the string \"5\"",
        ),
        (sh("cat").stdin("hello").stdout(Matcher::equals("hello")), Passed, ""),
        (sh("cat").stdout(Matcher::equals("")), Passed, ""),
        (sh("exec true").stdin("x".repeat(1 << 20)), Passed, ""),
        (sh("echo $GREETING").env("GREETING", "hi").stdout(Matcher::equals("hi")), Passed, ""),
        (sh("pwd").cwd("/usr").stdout(Matcher::equals("/usr")), Passed, ""),
        (CommandAssert::new(["echo", "$HOME", "*"]).stdout(Matcher::equals("$HOME *")), Passed, ""),
        (sh("kill -9 $$"), Failed, "was killed by SIGKILL, perhaps for want of memory; it wrote nothing"),
        (sh("echo bad >&2; kill -SEGV $$"), Failed, r#"was killed by SIGSEGV; stderr: "bad""#),
        (
            sh("printf '\\033[2Jx\\n'; exit 1"),
            Failed,
            r#"exited with code 1, expected 0; stdout: "\u{1b}[2Jx""#,
        ),
        (
            sh("head -c 3000000 /dev/zero").stdout(Matcher::contains("x")),
            Errored,
            "it wrote 3000000 bytes on stdout, of which 1048576 are kept: too many to compare; let the command write \
             less, for example through `grep` or `tail`",
        ),
        (sh("yes | head -c 30000000; yes | head -c 30000000 >&2"), Passed, ""),
    ] {
        let result = check(assertion.timeout(Duration::from_secs(30))).await;
        assert_eq!(told(&result, verdict), message, "{}", result.label);
    }
}

#[tokio::test]
async fn not_turns_only_what_was_judged() {
    use Outcome::{Errored, Failed, Passed};
    for (assertion, verdict) in [
        (sh("exit 1"), Passed),
        (sh("exit 0"), Failed),
        (sh("echo a").stdout(Matcher::equals("b")), Passed),
        (sh("kill -9 $$"), Errored),
        (CommandAssert::new(["no-such-program"]), Errored),
        (sh("echo 5").stdout(matcher(json!({ "gt": 3 }))), Errored),
    ] {
        told(&check(assertion.not()).await, verdict);
    }
    told(&check(sh("sleep 60").not().timeout(Duration::from_millis(300))).await, Errored);
}

#[tokio::test]
async fn what_cannot_start_is_told_apart() {
    let (_kept, root) = directory();
    let write = |name: &str, content: &[u8], mode: u32| {
        let path = root.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let plain = write("plain", b"#!/bin/sh\n", 0o644);
    let orphan = write("orphan", b"#!/no/such/interpreter\n", 0o755);
    let garbage = write("garbage", b"\0\x01\x02", 0o755);
    let there = write("there", b"#!/bin/sh\necho here\n", 0o755);
    let directory = root.to_str().unwrap();
    let one = |program: &str| CommandAssert::new([program]);
    for (assertion, message) in [
        (
            one("no-such-program"),
            r#"there is no program "no-such-program" in the directories of PATH"#.to_owned(),
        ),
        (one("/no/such"), r#"there is no program "/no/such""#.to_owned()),
        (one(directory), format!("cannot run {directory:?}: it is a directory")),
        (one(&plain), format!("cannot run {plain:?}: it is not executable; `chmod +x` makes it so")),
        (
            one(&orphan),
            format!(
                "cannot run {orphan:?}; it is there, but not the interpreter that its first line names, or its loader"
            ),
        ),
        (
            one(&garbage),
            format!(
                "cannot run {garbage:?}: it is no program that this machine can run; a script needs a first line like \
                 `#!/bin/sh`"
            ),
        ),
        (
            sh("true").cwd("/no/such"),
            r#"cannot run "sh": its working directory "/no/such" is missing"#.to_owned(),
        ),
        (
            sh("true").cwd(&plain),
            format!(r#"cannot run "sh": its working directory {plain:?} is not a directory"#),
        ),
    ] {
        let result = check(assertion).await;
        assert_eq!(told(&result, Outcome::Failed), message);
    }
    told(&check(one(&there).stdout(Matcher::equals("here"))).await, Outcome::Passed);
    // A relative program is relative to where it runs.
    told(&check(one("./there").cwd(&root).stdout(Matcher::equals("here"))).await, Outcome::Passed);
}

/// The direct child's end decides, whoever holds its outputs.
#[tokio::test]
async fn a_grandchild_that_holds_the_pipe_does_not_hold_us() {
    let nap = nap(1);
    let began = Instant::now();
    let result = check(sh(&format!("sleep {nap} & echo done")).stdout(Matcher::equals("done"))).await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let note = "(something that it had started was still there, and was ended)";
    assert_eq!(told(&result, Outcome::Passed), note);
    assert_eq!(result.details()["left_behind"], true);
    assert!(gone(&nap, GONE).await);
    // Also where it left the process group and writes without end.
    let result = check(sh(&format!("setsid sh -c 'while :; do echo {nap}; done' & echo done; exit 2"))).await;
    assert!(told(&result, Outcome::Failed).ends_with(note), "{}", result.message);
    assert!(gone(&nap, GONE).await);
    // One that holds nothing goes with its group.
    told(&check(sh(&format!("sleep {nap} >/dev/null 2>&1 & true"))).await, Outcome::Passed);
    assert!(gone(&nap, GONE).await);
}

/// Children, grandchildren, those that left the group, and daemons whose parents are gone.
fn a_tree(nap: &str) -> CommandAssert {
    sh(&format!(
        "sleep {nap} & sh -c 'sleep {nap} & wait' & setsid sleep {nap} & (setsid sh -c 'sleep {nap} & wait' >/dev/null 2>&1 &) ; wait; sleep {nap}"
    ))
}

#[tokio::test]
async fn nothing_is_left_after_a_timeout() {
    let nap = nap(2);
    let result = check(a_tree(&nap).timeout(Duration::from_millis(1500))).await;
    let message = told(&result, Outcome::Failed);
    assert!(
        message.starts_with("no answer within 1.5 s (running \"sh\", waiting for \"sh\" to end)"),
        "{message}"
    );
    assert!(message.ends_with("raise `timeout` if it needs longer"), "{message}");
    assert!(gone(&nap, GONE).await);
    let result = check(sh("yes").timeout(Duration::from_millis(500))).await;
    told(&result, Outcome::Failed);
}

#[tokio::test]
async fn nothing_is_left_after_a_cancellation() {
    let nap = nap(3);
    let assertion = a_tree(&nap).timeout(Duration::from_secs(60));
    let project = Project::new("test").assert(assertion);
    let engine = Engine::standard();
    let began = Instant::now();
    {
        let asserting = engine.assert(&project);
        tokio::pin!(asserting);
        while running(&nap) < 5 {
            assert!(began.elapsed() < Duration::from_secs(20));
            let _ = tokio::time::timeout(Duration::from_millis(50), &mut asserting).await;
        }
    }
    assert!(gone(&nap, GONE).await);
}

#[tokio::test]
async fn equal_commands_of_one_round_run_once() {
    let (_kept, root) = directory();
    let file = root.join("runs");
    let script = format!("echo run >> {}", file.display());
    let sh = |script: &str| sh(script).sandbox(Sandbox::new().write(&root));
    let project = Project::new("test")
        .assert(sh(&script))
        .assert(sh(&script).stderr(Matcher::equals("")))
        .assert(sh(&script).env("OTHER", "1"));
    for result in run(project).await {
        told(&result, Outcome::Passed);
    }
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 2);
    // Every attempt is a run of its own.
    let third = format!("echo run >> {0}; test $(wc -l < {0}) -ge 5", file.display());
    told(
        &check(sh(&third).within(Duration::from_secs(20)).every(Duration::from_millis(50))).await,
        Outcome::Passed,
    );
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), 5);
}

#[tokio::test]
async fn a_secret_is_masked_wherever_the_command_writes_it() {
    let (_kept, root) = directory();
    let file = root.join("secret");
    fs::write(&file, "canary-8c1f\n").unwrap();
    let leaks = sh("echo \"token $TOKEN\"; echo \"$TOKEN\" >&2; exit 1").env("TOKEN", Secret::file(&file));
    let mismatch = sh("echo $TOKEN").env("TOKEN", Secret::file(&file)).stdout(Matcher::equals("x"));
    assert!(!format!("{leaks:?}").contains("canary"));
    for assertion in [leaks, mismatch] {
        let project = Project::new("test").assert(assertion);
        let report = Engine::standard().assert(&project).await.unwrap();
        let whole = format!("{report} {report:?} {}", serde_json::to_string(&report).unwrap());
        assert!(!whole.contains("canary") && whole.contains("[secret]"), "{whole}");
    }
    let unset = sh("true").env("TOKEN", Secret::env("CLOCKWORK_TEST_NOT_SET"));
    assert!(told(&check(unset).await, Outcome::Errored).contains("is not set"));
}

#[tokio::test]
async fn no_descriptors_and_no_zombies_are_left() {
    let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
    check(sh("true")).await;
    let before = descriptors();
    for _ in 0..20 {
        check(sh("true")).await;
        check(sh("sleep 60").timeout(Duration::from_millis(20))).await;
    }
    assert!(descriptors() <= before + 20, "{before}, then {}", descriptors()); // other tests have some, too
    told(&check(sh("true")).await, Outcome::Passed);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_runs() {
    for (assertion, problem) in [
        (CommandAssert::new(Vec::<String>::new()), "is empty: name a program"),
        (CommandAssert::new([""]), "names no program"),
        (CommandAssert::new(["nginx -t"]), "is one word with a space in it"),
        (CommandAssert::new(["a\0"]), "NUL"),
        (sh("true").env("A=B", "x"), "cannot be the name of a variable"),
        (sh("true").cwd(""), "is empty"),
    ] {
        let error = Engine::standard().assert(&Project::new("test").assert(assertion)).await.unwrap_err();
        assert!(error.to_string().contains(problem), "{error} for {problem}");
    }
    let error =
        serde_json::from_str::<CommandAssert>(r#"{ "command": "nginx -t" }"#).unwrap_err().to_string();
    assert!(error.contains("a command is a list, the program and its arguments: `[nginx, -t]`"), "{error}");
    let read: CommandAssert = serde_json::from_str(r#"{ "command": ["sleep", 5] }"#).unwrap();
    assert_eq!(clockwork_core::Assertion::label(&read), "sleep 5");
    assert_eq!(clockwork_core::Assertion::label(&sh("exit 3")), r#"sh -c "exit 3""#);
}
