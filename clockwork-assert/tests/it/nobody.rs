//! What a user without rights is told: never that something is missing, or not running, that merely cannot be seen.
//!
//! Root sees everything, so these run in a process of `nobody`'s: this same binary, started again.

use std::{os::unix::fs::PermissionsExt, path::Path, process::Command};

use clockwork_assert::{
    DirectoryExistsAssert, DiskUsageAssert, FileContentMatchesAssert, FileExistsAssert,
    FilePermissionsAssert, FileSizeAssert, NoOpenPortsAssert, ProcessNotRunningAssert, ProcessRunningAssert,
    SecretsPresentAssert,
};
use clockwork_core::{AssertionExt, Outcome};

use crate::run::{check, directory, output, told};

/// Runs one of the ignored tests below as a user who may not look.
pub(crate) fn as_nobody(test: &str, environment: &[(&str, &str)]) {
    let (_kept, directory) = directory();
    let mut command = if output("id", &["-u"]) == "0" {
        let binary = directory.join("it");
        std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
        std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(binary);
        command
    } else {
        Command::new(std::env::current_exe().unwrap())
    };
    command.args(["--exact", test, "--ignored", "--nocapture"]).current_dir("/");
    let output = command.envs(environment.iter().copied()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_cannot_be_seen_is_an_error() {
    let (_kept, directory) = directory();
    let closed = directory.join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::write(closed.join("there"), "x").unwrap();
    std::fs::write(directory.join("secret"), "x").unwrap();
    std::fs::create_dir(directory.join("tree")).unwrap();
    std::fs::create_dir(directory.join("tree/closed")).unwrap();
    std::fs::write(directory.join("tree/file"), vec![b'x'; 3_000_000]).unwrap();
    std::fs::write(directory.join("tree/closed/file"), "x").unwrap();
    for path in ["closed", "secret", "tree/closed"] {
        std::fs::set_permissions(directory.join(path), PermissionsExt::from_mode(0o000)).unwrap();
    }
    as_nobody("nobody::files_of_others", &[("DIRECTORY", directory.to_str().unwrap())]);
    for path in ["closed", "tree/closed"] {
        std::fs::set_permissions(directory.join(path), PermissionsExt::from_mode(0o700)).unwrap();
    }
}

#[tokio::test]
#[ignore = "run by what_cannot_be_seen_is_an_error, as another user"]
async fn files_of_others() {
    let directory = std::env::var("DIRECTORY").unwrap();
    let directory = Path::new(&directory);
    for name in ["there", "not-there"] {
        let path = directory.join("closed").join(name);
        let no_search = format!(
            "cannot look at {}: no permission to search {}; run as a user who may, for example with `sudo`",
            path.display(),
            directory.join("closed").display()
        );
        for result in [
            check(FileExistsAssert::new(&path)).await,
            check(FileExistsAssert::new(&path).not()).await,
            check(DirectoryExistsAssert::new(&path)).await,
            check(DirectoryExistsAssert::new(&path).not()).await,
            check(FileSizeAssert::new(&path).min_bytes(1)).await,
            check(FilePermissionsAssert::new(&path).owner("root").not()).await,
        ] {
            assert_eq!(told(&result, Outcome::Errored), no_search);
        }
        let result = check(DiskUsageAssert::new(&path).max_percent(100)).await;
        assert!(told(&result, Outcome::Errored).contains("no permission to search"), "{}", result.message);
    }
    let secret = directory.join("secret");
    told(&check(FileExistsAssert::new(&secret)).await, Outcome::Passed);
    told(&check(FileSizeAssert::new(&secret).max_bytes(1)).await, Outcome::Passed);
    let denied = format!(
        "cannot read {}: permission denied; run as a user who may, for example with `sudo`",
        secret.display()
    );
    let content = FileContentMatchesAssert::new(&secret);
    for result in [
        check(content.clone().contains("x")).await,
        check(content.clone().contains("y").not()).await,
        check(content.sha256("00".repeat(32)).not()).await,
        check(SecretsPresentAssert::new().files([&secret])).await,
        check(SecretsPresentAssert::new().files([&secret]).not()).await,
    ] {
        assert_eq!(told(&result, Outcome::Errored), denied);
    }
    // A tree that is only partly seen: too much is too much, and little enough is not known.
    let tree = directory.join("tree");
    let result = check(DiskUsageAssert::new(&tree).max_mb(2)).await;
    assert!(told(&result, Outcome::Failed).ends_with(", and what cannot be seen"), "{}", result.message);
    let result = check(DiskUsageAssert::new(&tree).max_mb(10)).await;
    let message = told(&result, Outcome::Errored);
    assert!(message.starts_with(&format!("cannot measure all of {}", tree.display())), "{message}");
    assert!(message.contains("permission denied"), "{message}");
}

#[test]
fn processes_of_others_are_seen_as_far_as_the_kernel_shows_them() {
    let mut sleeper = Command::new("sleep").arg("61.5").spawn().unwrap();
    as_nobody("nobody::processes_of_others", &[("PID", &sleeper.id().to_string())]);
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
}

#[tokio::test]
#[ignore = "run by processes_of_others_are_seen_as_far_as_the_kernel_shows_them, as another user"]
async fn processes_of_others() {
    let command = || clockwork_core::Pattern::new(r"^sleep 61\.5$").unwrap();
    let result = check(ProcessRunningAssert::command(command()).max_count(1)).await;
    let pid = std::env::var("PID").unwrap();
    assert!(told(&result, Outcome::Passed).contains(&format!("sleep (pid {pid})")), "{}", result.message);
    told(&check(ProcessNotRunningAssert::command(command())).await, Outcome::Failed);
    told(&check(ProcessNotRunningAssert::new("no-such-process")).await, Outcome::Passed);
}

/// A procfs that conceals the processes of others, in a mount namespace of its own.
#[test]
fn a_concealed_process_is_never_not_running() {
    if output("id", &["-u"]) != "0" {
        return; // only root can mount
    }
    let (_kept, directory) = directory();
    let binary = directory.join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).unwrap();
    for hidepid in ["1", "2"] {
        let script = format!(
            "mount -t proc -o hidepid={hidepid} proc /proc && exec setpriv --reuid=65534 --regid=65534 --clear-groups \
             {} --exact nobody::concealed --ignored --nocapture",
            binary.display()
        );
        let mut command = Command::new("unshare");
        // A pid namespace of its own, so that the option is that mount's alone.
        command.args(["--mount", "--pid", "--fork", "sh", "-c", &format!("sleep 62.5 & {script}")]);
        let output = command.current_dir("/").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            said.contains("1 passed"),
            "hidepid={hidepid}: {said}\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[tokio::test]
#[ignore = "run by a_concealed_process_is_never_not_running, as another user"]
async fn concealed() {
    for name in ["sleep", "no-such-process"] {
        for result in [
            check(ProcessNotRunningAssert::new(name)).await,
            check(ProcessRunningAssert::new(name)).await,
            check(ProcessRunningAssert::new(name).not()).await,
            check(ProcessRunningAssert::new(name).min_count(0).max_count(3)).await,
        ] {
            let message = told(&result, Outcome::Errored);
            assert!(message.starts_with("cannot tell "), "{message}");
            assert!(message.ends_with("; run as root, or as a user who may see all processes"), "{message}");
        }
    }
}

/// Every listener is seen by everybody; whose it is, is not.
#[test]
fn listeners_of_others_are_seen_without_their_owners() {
    let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = open.local_addr().unwrap().port().to_string();
    as_nobody("nobody::listeners_of_others", &[("PORT", &port)]);
}

#[tokio::test]
#[ignore = "run by listeners_of_others_are_seen_without_their_owners, as another user"]
async fn listeners_of_others() {
    let port: u16 = std::env::var("PORT").unwrap().parse().unwrap();
    let result = check(NoOpenPortsAssert::new().range(port..=port)).await;
    let expected = format!("port {port} is open on 127.0.0.1 (owner unknown, user ");
    let message = told(&result, Outcome::Failed);
    assert!(message.starts_with(&expected) && message.contains(": no permission)"), "{message}");
    told(&check(NoOpenPortsAssert::new().range(port..=port).except_ports([port])).await, Outcome::Passed);
}
