//! Processes that were really started, and what of them can be seen.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::{
    io::Read,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    entry::{CommandLine, Meant, Process, ProcessState},
    proc::{conceals, inside, read},
};

/// Ends its process with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ready(command: &mut Command) -> Running {
    let mut child = Running(command.stdout(Stdio::piped()).spawn().unwrap());
    child.0.stdout.as_mut().unwrap().read_exact(&mut [0; 6]).unwrap();
    child
}

#[test]
fn a_container_shows_the_processes_of_its_pid_namespace() {
    let script = "sleep 65.25 & echo ready; exec sleep 65.5";
    let arguments = ["--user", "--map-root-user", "--pid", "--fork", "--kill-child", "sh", "-c", script];
    let unshare = ready(Command::new("unshare").args(arguments));
    let _other = ready(Command::new("sh").args(["-c", "echo ready; exec sleep 65.75"]));
    // Each says that it is ready before it has become what it then stays.
    let until = Instant::now() + Duration::from_secs(20);
    let told = loop {
        let host = read(Path::new("/proc")).unwrap();
        assert!(host.processes.len() > 2);
        let first = host.processes.iter().find(|process| process.parent == unshare.0.id()).unwrap();
        let container = inside(&host, first.pid).unwrap();
        let mut told: Vec<_> = container
            .processes
            .iter()
            .map(|process| match &process.command_line {
                CommandLine::Whole(arguments) => (arguments.join(" "), container.user_of(process)),
                other => panic!("{other:?}"),
            })
            .collect();
        told.sort();
        if told.iter().all(|(line, _)| line.starts_with("sleep")) || Instant::now() > until {
            break told;
        }
    };
    assert_eq!(told, [(String::from("sleep 65.25"), 0), (String::from("sleep 65.5"), 0)]);
}

#[test]
fn a_container_without_a_pid_namespace_is_not_mistaken_for_the_host() {
    let shared = ready(Command::new("sh").args(["-c", "echo ready; exec sleep 65.75"]));
    let host = read(Path::new("/proc")).unwrap();
    let error = inside(&host, shared.0.id()).unwrap_err();
    assert!(
        error.to_string().starts_with("the container shares the host's pid namespace and control group"),
        "{error}"
    );
}

#[test]
fn without_a_process_table_nothing_is_said() {
    let empty = tempfile::tempdir().unwrap();
    let error = read(empty.path()).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the process table in "), "{error}");
    assert!(error.ends_with("; mount procfs there"), "{error}");
}

#[test]
fn what_a_mount_conceals_is_known() {
    const PLAIN: &str = "22 27 0:21 / /proc rw,relatime - proc proc rw\n";
    const HIDING: &str = "22 27 0:21 / /proc rw shared:5 - proc proc rw,gid=42,hidepid=invisible\n";
    const PTRACEABLE: &str = "22 27 0:21 / /proc rw - proc proc rw,gid=42,hidepid=ptraceable\n";
    const ROOT: &str = "Gid:\t0\t0\t0\t0\nGroups:\t0\nCapEff:\t000001ffffffffff\n";
    const NOBODY: &str = "Gid:\t65534\t65534\t65534\t65534\nGroups:\t \nCapEff:\t0000000000000000\n";
    const MEMBER: &str = "Gid:\t1000\t1000\t1000\t1000\nGroups:\t7 42\nCapEff:\t0000000000000000\n";
    let table = [
        (PLAIN, NOBODY, false),
        (HIDING, ROOT, false),
        (HIDING, NOBODY, true),
        (HIDING, MEMBER, false),
        (PTRACEABLE, MEMBER, true),
        (PTRACEABLE, ROOT, false),
        ("", NOBODY, false),
    ];
    for (mounts, status, concealed) in table {
        assert_eq!(conceals(mounts, status, "/proc").is_some(), concealed, "{mounts} {status}");
    }
    // The last mount on the directory is the one that shows.
    assert!(conceals(&format!("{PLAIN}{HIDING}"), NOBODY, "/proc").is_some());
    assert!(conceals(&format!("{HIDING}{PLAIN}"), NOBODY, "/proc").is_none());
}

#[test]
fn who_is_meant_by_a_name() {
    let process = |name: &str, program: Option<&str>, hidden: bool, arguments: &[&str]| Process {
        pid: 7,
        parent: 1,
        name: name.to_owned(),
        state: ProcessState::Alive,
        uid: 0,
        command_line: CommandLine::Whole(arguments.iter().map(|&argument| argument.to_owned()).collect()),
        program: program.map(str::to_owned),
        program_hidden: hidden,
        namespace: None,
    };
    let nginx = process("nginx", Some("nginx"), false, &["nginx: master process"]);
    let renamed = process("worker", Some("nginx"), false, &["worker"]);
    let long =
        process("systemd-resolve", Some("systemd-resolved"), false, &["/lib/systemd/systemd-resolved"]);
    let long_hidden = process("systemd-resolve", None, true, &["/lib/systemd/systemd-resolved"]);
    let disguised = process("systemd-resolve", None, true, &["something else"]);
    let python = process("python3", Some("python3.11"), false, &["python3", "/srv/nginx"]);
    let kernel = process("kworker/0:0", None, false, &[]);
    let table = [
        (&nginx, "nginx", Meant::Yes),
        (&nginx, "ngin", Meant::No),
        (&renamed, "nginx", Meant::Yes),
        (&renamed, "worker", Meant::Yes),
        (&long, "systemd-resolved", Meant::Yes),
        (&long, "systemd-resolve", Meant::Yes),
        (&long, "systemd-resolver", Meant::No),
        (&long_hidden, "systemd-resolved", Meant::Yes),
        (&long_hidden, "systemd-resolver", Meant::Unknown),
        (&disguised, "systemd-resolved", Meant::Unknown),
        (&python, "nginx", Meant::No),
        (&python, "python3", Meant::Yes),
        (&kernel, "kworker/0:0", Meant::Yes),
    ];
    for (process, name, meant) in table {
        assert_eq!(process.goes_by(name), meant, "{name} for {process:?}");
    }
    let regex = regex::Regex::new("^nginx: master").unwrap();
    assert_eq!(nginx.was_called_as(&regex), Meant::Yes);
    assert_eq!(kernel.was_called_as(&regex::Regex::new("").unwrap()), Meant::No);
    let hidden = Process { command_line: CommandLine::Hidden, ..nginx };
    assert_eq!(hidden.was_called_as(&regex), Meant::Unknown);
}
