//! What a program that lacks a grant is told to be granted, and what is not concluded from it.

use std::{fs, time::Duration};

use clockwork_assert::CommandAssert;
use clockwork_core::{AssertionExt, Matcher, Outcome};
use clockwork_drivers::sandbox::Sandbox;

use crate::run::{check, directory, told};

const LONG: Duration = Duration::from_secs(60);

fn command(words: &[&str]) -> CommandAssert {
    CommandAssert::new(words.iter().copied())
}

#[tokio::test]
async fn who_lacks_a_grant_is_told_which() {
    let (_kept, root) = directory();
    fs::write(root.join("data"), "x").unwrap();
    let data = root.join("data").to_str().unwrap().to_owned();
    let root = root.to_str().unwrap();
    let (read, write) = (format!("cat {data}"), format!("echo x > {root}/new"));
    let python = "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9/')";
    for (words, hint) in [
        (
            ["curl", "-sS", "http://127.0.0.1:9/"].as_slice(),
            "the sandbox allows it no network: `sandbox: { network: loopback }` grants what listens on this machine, `all` the rest",
        ),
        (&["/usr/bin/python3", "-c", python], "the sandbox allows it no network"),
        (
            &["sh", "-c", &read],
            &format!("the sandbox does not show it {data:?}: `sandbox: {{ read: [{data:?}] }}` grants it"),
        ),
        (
            &["sh", "-c", &write],
            &format!("the sandbox does not show it {root:?}: `sandbox: {{ write: [{root:?}] }}` grants it"),
        ),
        (&["sh", "-c", "echo x > /etc/x"], "in the sandbox it may only read"),
        (
            &["sh", "-c", "chown 1 /tmp"],
            "in the sandbox it has no rights but to use what is granted, also as root",
        ),
    ] {
        let result = check(command(words).timeout(LONG)).await;
        let message = told(&result, Outcome::Failed);
        assert!(message.contains(hint), "{words:?}: {message}");
        // It is no proof of the contrary.
        told(&check(command(words).not().timeout(LONG)).await, Outcome::Errored);
    }
}

#[tokio::test]
async fn nothing_follows_from_what_cannot_be_seen() {
    let (_kept, root) = directory();
    let path = root.to_str().unwrap();
    for (assertion, message) in [
        (command(&["test", "-e", path]), format!("the sandbox does not show it {path:?}")),
        (command(&["test", "!", "-e", path]).exit_code(Matcher::equals(0)), String::new()),
        (
            command(&["test", "-e", path]).exit_code(Matcher::equals(1)),
            format!("the sandbox does not show it {path:?}"),
        ),
        (
            command(&["pgrep", "no-such"]).exit_code(Matcher::equals(1)),
            String::from(r#""pgrep" sees only its own processes in its sandbox; `sandbox: off`"#),
        ),
        (
            command(&["df", "/"]).stdout(Matcher::contains("tmpfs")),
            String::from(r#""df" sees only its own file systems"#),
        ),
        (
            command(&["curl", "-s", "http://127.0.0.1:9/"]),
            String::from("\"curl\" reaches no network from its sandbox; `sandbox: { network: loopback }`"),
        ),
        (
            command(&["curl", "-s", "http://127.0.0.1:9/"]).exit_code(Matcher::equals(7)),
            String::from("\"curl\" reaches no network from its sandbox"),
        ),
        (
            command(&["sh", "-c", "curl -fs http://127.0.0.1:9/ && echo there"]),
            String::from("\"curl\" reaches no network from its sandbox"),
        ),
        (command(&["sh", "-c", "host=http://shop; exit 1"]).exit_code(Matcher::equals(1)), String::new()),
        (command(&["df", "/"]), String::new()),
        (command(&["test", "-e", "/no/such"]).exit_code(Matcher::equals(1)), String::new()),
        (command(&["test", "-e", path]).sandbox(Sandbox::new().read(path)), String::new()),
        (command(&["pgrep", "no-such"]).exit_code(Matcher::equals(1)).sandbox(Sandbox::off()), String::new()),
    ] {
        let result = check(assertion.clone().timeout(LONG)).await;
        match message.is_empty() {
            true => drop(told(&result, Outcome::Passed)),
            false => {
                assert!(told(&result, Outcome::Errored).contains(&message), "{}", result.message);
                told(&check(assertion.not().timeout(LONG)).await, Outcome::Errored);
            }
        }
    }
}

#[test]
fn a_manifest_says_what_is_granted() {
    let read = |json: &str| {
        serde_json::from_str::<CommandAssert>(&format!(r#"{{ "command": ["true"], "sandbox": {json} }}"#))
    };
    for good in [
        "\"required\"",
        "\"off\"",
        "\"on\"",
        "false",
        "true",
        "{}",
        r#"{ "read": ["/a"], "write": ["b"], "network": "loopback", "memory": "256MB", "cpu": "5s", "processes": 16, "env": ["A"] }"#,
        r#"{ "required": true, "network": "all", "open_files": 64, "file_size": "1GiB" }"#,
    ] {
        read(good).unwrap();
    }
    for (wrong, message) in [
        ("\"of\"", r#""of" is no sandbox; write `required`, `on`, `off`, or what is granted"#),
        ("3", "what is granted (`{ read: [/srv/data], network: loopback }`), `required`, `on` or `off`"),
        (r#"{ "reed": ["/a"] }"#, "unknown field `reed`"),
        (r#"{ "network": "internet" }"#, "unknown variant `internet`"),
    ] {
        let error = read(wrong).unwrap_err().to_string();
        assert!(error.contains(message), "{wrong}: {error}");
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    use clockwork_core::{ByteSize, Engine, Project};
    for (sandbox, problem) in [
        (Sandbox::new().read(""), "sandbox.read"),
        (Sandbox::new().write("~/x"), "begins with `~`, which is not expanded"),
        (Sandbox::new().env("A=B"), "cannot be the name of a variable"),
        (Sandbox::new().memory(ByteSize(10)), "is less than 1 MiB"),
        (Sandbox::new().cpu(Duration::ZERO), "is zero"),
        (Sandbox::new().processes(0), "is zero"),
        (Sandbox::new().open_files(1), "is less than 8"),
    ] {
        let project = Project::new("test").assert(command(&["true"]).sandbox(sandbox));
        let error = Engine::standard().assert(&project).await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error} for {problem}");
    }
}
