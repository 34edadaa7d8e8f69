//! Processes that were really started, compared with `ps`.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use clockwork_assert::{ProcessNotRunningAssert, ProcessRunningAssert};
use clockwork_core::{AssertionExt, Outcome, Pattern, Project};

use crate::run::{check, directory, output, told};

/// A process that ends with the test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let child = Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
        std::thread::sleep(Duration::from_millis(100)); // until it is what it was called as
        child
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `sleep` under a name that nobody else has.
fn program(directory: &Path, name: &str) -> Command {
    let program = directory.join(name);
    if !program.exists() {
        fs::copy("/bin/sleep", &program).unwrap();
    }
    let mut command = Command::new(program);
    command.arg("63.25");
    command
}

fn regex(text: &str) -> Pattern {
    Pattern::new(text).unwrap()
}

#[tokio::test]
async fn processes_are_counted_as_ps_counts_them() {
    let (_kept, root) = directory();
    let name = format!("cw{}", std::process::id());
    let result = check(ProcessRunningAssert::new(&name)).await;
    assert_eq!(told(&result, Outcome::Failed), format!("no process named {name} is running"));
    told(&check(ProcessNotRunningAssert::new(&name)).await, Outcome::Passed);
    let (one, two) = (Running::start(&mut program(&root, &name)), Running::start(&mut program(&root, &name)));
    assert_eq!(output("ps", &["-C", &name, "-o", "pid="]).lines().count(), 2);
    let result = check(ProcessRunningAssert::new(&name)).await;
    let message = told(&result, Outcome::Passed);
    assert!(message.starts_with(&format!("2 processes named {name} are running: ")), "{message}");
    for process in [&one, &two] {
        assert!(message.contains(&format!("{name} (pid {})", process.pid())), "{message}");
    }
    assert_eq!(result.details()["count"], 2);
    let about = || ProcessRunningAssert::new(&name);
    told(&check(about().min_count(2).max_count(2)).await, Outcome::Passed);
    told(&check(about().min_count(3)).await, Outcome::Failed);
    let result = check(about().max_count(1)).await;
    assert!(told(&result, Outcome::Failed).ends_with("; expected at most 1"), "{}", result.message);
    told(&check(ProcessNotRunningAssert::new(&name)).await, Outcome::Failed);
    told(&check(ProcessNotRunningAssert::new(&name).not()).await, Outcome::Passed);
    let (uid, user) = (output("id", &["-u"]), output("id", &["-un"]));
    told(&check(about().user(user.as_str()).min_count(2)).await, Outcome::Passed);
    told(&check(about().user(uid.parse::<u32>().unwrap()).min_count(2)).await, Outcome::Passed);
    told(&check(about().user("daemon")).await, Outcome::Failed);
    told(&check(about().user("no-such-user").not()).await, Outcome::Errored);
    told(&check(ProcessNotRunningAssert::new(&name).user("daemon")).await, Outcome::Passed);
    told(&check(ProcessNotRunningAssert::new(&name).user("no-such-user")).await, Outcome::Errored);
    drop((one, two));
    told(&check(ProcessNotRunningAssert::new(&name)).await, Outcome::Passed);
}

#[tokio::test]
async fn a_command_line_is_what_ps_shows() {
    let (_kept, root) = directory();
    let name = format!("args{}", std::process::id());
    let running = Running::start(&mut program(&root, &name));
    assert_eq!(
        output("ps", &["-o", "args=", "-p", &running.pid().to_string()]),
        format!("{}/{name} 63.25", root.display())
    );
    let matching = [format!("{name} 63"), format!("/{name} 63\\.25$"), format!("^{}/", root.display())];
    for text in &matching {
        told(&check(ProcessRunningAssert::command(regex(text)).max_count(5)).await, Outcome::Passed);
        told(&check(ProcessNotRunningAssert::command(regex(text))).await, Outcome::Failed);
    }
    for text in [format!("^{name}"), format!("{name} 64")] {
        told(&check(ProcessRunningAssert::command(regex(&text))).await, Outcome::Failed);
    }
}

/// The kernel keeps 15 bytes of a name.
#[tokio::test]
async fn long_names_are_told_apart() {
    let (_kept, root) = directory();
    let long = format!("clockwork-test-{}", std::process::id());
    let running = Running::start(&mut program(&root, &long));
    assert_eq!(output("ps", &["-o", "comm=", "-p", &running.pid().to_string()]), "clockwork-test-");
    told(&check(ProcessRunningAssert::new(&long).max_count(1)).await, Outcome::Passed);
    told(&check(ProcessNotRunningAssert::new(&long)).await, Outcome::Failed);
    told(&check(ProcessRunningAssert::new(format!("{long}-other"))).await, Outcome::Failed);
    told(&check(ProcessNotRunningAssert::new(format!("{long}-other"))).await, Outcome::Passed);
    // A script goes by its own name, which stands behind its interpreter's.
    let script = root.join(format!("clockwork-script-{}", std::process::id()));
    fs::write(&script, "#!/bin/sh -e\nsleep 63.25 &\nwait\n").unwrap();
    output("chmod", &["755", script.to_str().unwrap()]);
    let _script = Running::start(&mut Command::new(&script));
    let name = script.file_name().unwrap().to_str().unwrap();
    told(&check(ProcessRunningAssert::new(name).max_count(1)).await, Outcome::Passed);
    told(&check(ProcessRunningAssert::new(&name[..15])).await, Outcome::Passed); // what ps shows is a name too
}

#[tokio::test]
async fn zombies_do_not_count_and_stopped_processes_do() {
    let (_kept, root) = directory();
    let name = format!("zo{}", std::process::id());
    let mut zombie = Running::start(&mut program(&root, &name));
    zombie.0.kill().unwrap(); // and nobody waits for it
    std::thread::sleep(Duration::from_millis(100));
    assert!(output("ps", &["-o", "stat=", "-p", &zombie.pid().to_string()]).starts_with('Z'));
    let result = check(ProcessRunningAssert::new(&name)).await;
    let note = format!(
        "no process named {name} is running (a zombie does not count: {name} (pid {}), which has ended and was not \
         reaped by its parent)",
        zombie.pid()
    );
    assert_eq!(told(&result, Outcome::Failed), note);
    assert_eq!(told(&check(ProcessNotRunningAssert::new(&name)).await, Outcome::Passed), note);
    let stopped = Running::start(&mut program(&root, &name));
    output("kill", &["-STOP", &stopped.pid().to_string()]);
    std::thread::sleep(Duration::from_millis(50));
    let result = check(ProcessRunningAssert::new(&name)).await;
    assert!(told(&result, Outcome::Passed).contains(", stopped"), "{}", result.message);
    zombie.0.wait().unwrap();
}

/// A thread's name is no process's, and Clockwork never finds itself.
#[tokio::test]
async fn threads_and_clockwork_itself_are_no_processes() {
    let name = format!("th{}", std::process::id());
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let thread = std::thread::Builder::new().name(name.clone()).spawn(move || stopped.recv()).unwrap();
    told(&check(ProcessRunningAssert::new(&name)).await, Outcome::Failed);
    told(&check(ProcessNotRunningAssert::new(&name)).await, Outcome::Passed);
    drop(stop);
    let _ = thread.join().unwrap();
    let own = fs::read_to_string("/proc/self/cmdline").unwrap();
    let own = regex::escape(own.split('\0').next().unwrap());
    told(
        &check(ProcessNotRunningAssert::command(regex(&format!("^{own}( --exact process::threads.*)?$"))))
            .await,
        Outcome::Passed,
    );
}

/// A process whose name was changed to something else still runs the same program.
#[tokio::test]
async fn a_hostile_name_is_shown_harmlessly() {
    let (_kept, root) = directory();
    let name = "a\n\x1b[2K\u{202e}b";
    let running = Running::start(&mut program(&root, name));
    let result = check(ProcessRunningAssert::new(name)).await;
    let message = told(&result, Outcome::Passed);
    assert!(
        message.contains(&format!(r#""a\n\u{{1b}}[2K\u{{202e}}b" (pid {})"#, running.pid())),
        "{message}"
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_runs() {
    let both = serde_json::json!({ "name": "a", "command": "b" });
    let table = [
        (ProcessRunningAssert::default(), "give `name` or `command`"),
        (serde_json::from_value(both).unwrap(), "give either `name` or `command`"),
        (ProcessRunningAssert::new(""), "is empty"),
        (ProcessRunningAssert::new("/usr/bin/x"), "to match a path, use `command`"),
        (ProcessRunningAssert::new("x").min_count(0), "any number would do"),
        (ProcessRunningAssert::new("x").max_count(0), "use ProcessNotRunningAssert"),
        (ProcessRunningAssert::new("x").min_count(3).max_count(2), "less than `min_count`, 3"),
    ];
    for (assertion, problem) in table {
        let project = Project::new("test").assert(assertion);
        let error = clockwork_core::Engine::standard().assert(&project).await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error} for {problem}");
    }
}
