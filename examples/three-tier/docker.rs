//! The `docker` command, and the tools that reach into a container's network from outside.

use std::process::{Command, Output};

/// What went wrong, in words.
pub(crate) type Result<T = ()> = std::result::Result<T, String>;

/// Runs a program, and gives what it says.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let Output { status, stdout, stderr } = output.map_err(|error| format!("{program}: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match status.success() {
        true => Ok(text(&stdout)),
        false => Err(format!("{program} {}: {}", arguments.join(" "), text(&stderr))),
    }
}

/// Runs the `docker` command.
pub(crate) fn docker(arguments: &[&str]) -> Result<String> {
    run("docker", arguments)
}

/// Runs several at the same time, and gives the first error.
pub(crate) fn all_at_once(commands: &[Vec<String>]) -> Result {
    std::thread::scope(|scope| {
        let run = |command: &Vec<String>| {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            docker(&words).map(drop)
        };
        let running: Vec<_> = commands.iter().map(|command| scope.spawn(move || run(command))).collect();
        // All of them end before the first error is given.
        let ended: Vec<Result> = running
            .into_iter()
            .map(|one| one.join().unwrap_or_else(|_| Err(String::from("panicked"))))
            .collect();
        ended.into_iter().collect()
    })
}

/// Runs a program of this machine inside a container's network, as root of this machine.
pub(crate) fn inside(container: &str, command: &[&str]) -> Result<String> {
    let pid = docker(&["inspect", "--format", "{{.State.Pid}}", container])?;
    run("nsenter", &[&["--target", &pid, "--net", "--"], command].concat())
}
