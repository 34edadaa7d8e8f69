//! A real Podman, which has its own words for much that Docker says, with `podman` itself as the witness.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Instant,
};

use clockwork_assert::{
    ContainerHealthyAssert, ContainerImageAssert, ContainerRestartsAssert, ContainerRunningAssert,
    CpuUsageAssert, FileContentMatchesAssert, LogContainsAssert, MemoryUsageAssert, NoOpenPortsAssert,
    ProcessRunningAssert, SecretsPresentAssert,
};
use clockwork_core::prelude::*;
use clockwork_drivers::{ContainerResource, container::Runtime};

use super::{BUSYBOX, engine, results};
use crate::skip::skipped;

/// Podman's service, with storage of its own; it ends, and its containers with it, when this is dropped.
struct Podman {
    folder: tempfile::TempDir,
    service: Child,
}

const IMAGE: &str = "localhost/clockwork/busybox:test";

impl Podman {
    fn start() -> Option<Self> {
        let there = Command::new("podman").arg("--version").stdout(Stdio::null()).status();
        if !there.is_ok_and(|status| status.success()) || !nix::unistd::Uid::effective().is_root() {
            skipped("no podman here, or not root");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().display();
        let storage =
            format!("[storage]\ndriver = \"vfs\"\nrunroot = \"{at}/run\"\ngraphroot = \"{at}/graph\"\n");
        fs::write(folder.path().join("storage.conf"), storage).expect("a file");
        // As little of the machine as can be: no systemd, no network, no limits above its own.
        let containers = format!(
            "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
             [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n\
             tmp_dir = \"{at}/tmp\"\n"
        );
        fs::write(folder.path().join("containers.conf"), containers).expect("a file");
        let socket = folder.path().join("podman.sock");
        let service = Self::command(&folder)
            .args(["system", "service", "--time=0", &format!("unix://{}", socket.display())])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("podman starts");
        let podman = Self { folder, service };
        podman.wait_until("its service listens", || std::os::unix::net::UnixStream::connect(&socket).is_ok());
        let archive = podman.folder.path().join("image.tar");
        super::docker(&["save", "--output", &archive.display().to_string(), BUSYBOX]);
        podman.run(&["load", "--input", &archive.display().to_string()]);
        podman.run(&["tag", BUSYBOX, IMAGE]);
        Some(podman)
    }

    fn command(folder: &tempfile::TempDir) -> Command {
        let mut command = Command::new("podman");
        command
            .env("CONTAINERS_STORAGE_CONF", folder.path().join("storage.conf"))
            .env("CONTAINERS_CONF", folder.path().join("containers.conf"));
        command
    }

    fn run(&self, args: &[&str]) -> String {
        let output = Self::command(&self.folder).args(args).output().expect("podman is there");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "podman {}: {stderr}", args.join(" "));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A container that runs this in a shell.
    fn container(&self, verb: &[&str], name: &str, options: &[&str], script: &str) {
        let always = ["--network=none", "--name", name];
        self.run(&[verb, &always, options, &[IMAGE, "sh", "-c", script]].concat());
    }

    fn state(&self, name: &str) -> String {
        self.run(&["inspect", "--format", "{{.State.Status}}", name])
    }

    fn wait_until(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(90), "Podman: never came true: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn resource(&self, name: &str) -> ContainerResource {
        let socket: PathBuf = self.folder.path().join("podman.sock");
        ContainerResource::new(name).runtime(Runtime::Podman).endpoint(format!("unix://{}", socket.display()))
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        let _ = Self::command(&self.folder).args(["rm", "--force", "--all", "--time", "0"]).output();
        let _ = self.service.kill();
        let _ = self.service.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_state_of_a_real_podman_is_told_as_it_is() {
    let Some(podman) = engine().then(Podman::start).flatten() else { return };
    let run = &["run", "--detach"][..];
    podman.container(run, "exited", &[], "echo bye; echo last words >&2; exit 3");
    podman.container(&["create"], "created", &[], "sleep 600");
    podman.container(run, "paused", &[], "sleep 600");
    podman.run(&["pause", "paused"]);
    podman.wait_until("exited", || podman.state("exited") == "exited");
    for (name, told) in [
        ("exited", &["exited with code 3", "\"last words\""][..]),
        ("created", &["was created and never started", "`podman start created`"]),
        ("paused", &["is paused", "`podman unpause paused`"]),
        ("missing", &["there is no container missing in Podman at unix://"]),
    ] {
        if name != "missing" {
            assert_eq!(podman.state(name), name, "the witness");
        }
        let both = podman
            .resource(name)
            .assert(ContainerRunningAssert::new())
            .assert(ContainerHealthyAssert::new())
            .assert(ContainerRunningAssert::new().not());
        let seen = results(both).await;
        for result in &seen[..2] {
            assert_eq!(result.verdict, Outcome::Failed, "{name}: {}", result.message);
            told.iter().for_each(|told| assert!(result.message.contains(told), "{told}: {}", result.message));
        }
        assert_eq!(seen[2].verdict, Outcome::Passed, "{name}: {}", seen[2].message);
    }
    let files = podman
        .resource("exited")
        .assert(LogContainsAssert::new("^bye$"))
        .assert(FileContentMatchesAssert::new("/etc/passwd").contains("root:").at("exited"));
    for result in results(files).await {
        assert_eq!(result.verdict, Outcome::Passed, "{}", result.message);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runs_in_a_real_podman_is_seen_from_outside_and_inside() {
    let Some(podman) = engine().then(Podman::start).flatten() else { return };
    let run = &["run", "--detach"][..];
    let never = "--health-interval=disable"; // it is run by hand: there is no systemd for its timer
    podman.container(run, "well", &["--health-cmd", "true", never], "echo on tty; sleep 600");
    podman.container(
        run,
        "ill",
        &["--health-cmd", "echo sick; exit 1", "--health-retries=1", never],
        "sleep 600",
    );
    podman.container(run, "terminal", &["--tty"], "echo on a terminal; sleep 600");
    podman.run(&["healthcheck", "run", "well"]);
    let _ = Podman::command(&podman.folder).args(["healthcheck", "run", "ill"]).output();
    podman.wait_until("the terminal's log", || podman.run(&["logs", "terminal"]).contains("on a terminal"));
    let well = podman
        .resource("well")
        .assert(ContainerRunningAssert::new())
        .assert(ContainerHealthyAssert::new())
        .assert(ContainerRestartsAssert::new())
        .assert(ContainerImageAssert::new().image(IMAGE))
        .assert(MemoryUsageAssert::max_mb(100))
        .assert(CpuUsageAssert::max_percent(100))
        .assert(ProcessRunningAssert::new("sleep").at("well"))
        .assert(NoOpenPortsAssert::new().at("well"))
        .assert(SecretsPresentAssert::new().env_vars(["PATH"]).at("well"));
    for result in results(well).await {
        assert_eq!(result.verdict, Outcome::Passed, "{}: {}", result.id, result.message);
    }
    let terminal = podman.resource("terminal").assert(LogContainsAssert::new("on a terminal"));
    assert_eq!(results(terminal).await[0].verdict, Outcome::Passed);
    let ill = results(podman.resource("ill").assert(ContainerHealthyAssert::new())).await.remove(0);
    assert_eq!(ill.verdict, Outcome::Failed, "{}", ill.message);
    assert!(ill.message.contains("is unhealthy") && ill.message.contains("\"sick\""), "{}", ill.message);
}
