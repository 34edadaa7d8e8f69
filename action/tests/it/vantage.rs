//! Looking from inside a container without the right to enter it, and where the engine is elsewhere: the command makes
//! a helper container of itself.

use std::{
    io,
    net::{TcpListener, TcpStream},
    os::unix::{fs::PermissionsExt, net::UnixStream},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::skip::skipped;

const IMAGE: &str = "clockwork/busybox:test";

fn docker(arguments: &[&str]) -> Output {
    Command::new("docker").args(arguments).output().unwrap()
}

/// A network with two containers: one that serves a page, one that does nothing.
struct Pair {
    network: String,
    web: String,
    near: String,
    directory: tempfile::TempDir,
}

impl Pair {
    fn start(what: &str) -> Self {
        let name = |part: &str| format!("cw-vantage-{}-{what}-{part}", std::process::id());
        let pair = Self {
            network: name("net"),
            web: name("web"),
            near: name("near"),
            directory: tempfile::tempdir().unwrap(),
        };
        assert!(docker(&["network", "create", &pair.network]).status.success());
        let start = |name: &str, script: &str| {
            let run = ["run", "-d", "--stop-timeout", "0", "--network", &pair.network, "--name", name];
            let output = docker(&[&run[..], &[IMAGE, "sh", "-c", script]].concat());
            assert!(output.status.success(), "{output:?}");
        };
        start(&pair.web, "mkdir /www; echo ok > /www/index.html; exec httpd -f -p 80 -h /www");
        start(&pair.near, "exec sleep 600");
        let manifest = MANIFEST.replace("$web", &pair.web).replace("$near", &pair.near);
        std::fs::write(pair.directory.path().join("clockwork.yaml"), manifest).unwrap();
        // A copy that anybody may run.
        let program = pair.directory.path().join("clockwork");
        std::fs::copy(env!("CARGO_BIN_EXE_clockwork"), &program).unwrap();
        for path in [pair.directory.path(), &program] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
        }
        pair
    }

    /// The results of the manifest, run by this command line before the program's own.
    fn results(&self, before: &[&str], environment: &[(&str, &str)]) -> Vec<Value> {
        let mut command = Command::new(before[0]);
        command.args(&before[1..]).arg(self.directory.path().join("clockwork"));
        command.args(["assert", "--format", "json", "--quiet"]).current_dir(self.directory.path());
        let output = command.envs(environment.iter().copied()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let report: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
        report["results"].as_array().unwrap().clone()
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        docker(&["rm", "--force", &self.web, &self.near]);
        docker(&["network", "rm", &self.network]);
    }
}

const MANIFEST: &str = r#"
project: inside
defaults: { timeout: 90s, within: 90s }
resources:
  near: { kind: ContainerResource, container_name: $near }
  web: { kind: ContainerResource, container_name: $web }
assertions:
  - HealthcheckAssert: { url: "http://$web/", body: { equals: "ok\n" } }
    at: near
  - ServiceConnectivityAssert: { from_service: near, to_service: web, protocol: http, timeout: 60s }
  - DnsResolveAssert: { hostname: $web }
    at: near
  - PortAccessibleAssert: { host: $web, port: 81 }
    at: near
    not: true
  - DnsResolveAssert: { hostname: nowhere.invalid }
    at: near
    not: true
  - PortAccessibleAssert: { host: $web, port: 81, protocol: udp }
    at: near
"#;

fn check(results: &[Value], near: &str) {
    let told: Vec<_> = results.iter().map(|one| (one["verdict"].as_str(), &one["message"])).collect();
    let verdicts: Vec<_> = results.iter().map(|one| one["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["passed", "passed", "passed", "passed", "passed", "errored"], "{told:#?}");
    assert!(results[3]["message"].as_str().unwrap().contains(":81 refused the connection"), "{told:#?}");
    for result in results {
        assert_eq!(result["details"]["vantage"]["near"], "helper container", "{near}: {result:#?}");
    }
}

/// No helper stays when the run is over.
fn wait_until_no_helper_of(container: &str) {
    let id = docker(&["inspect", "--format", "{{.Id}}", container]);
    let label = format!("label=clockwork.vantage={}", String::from_utf8_lossy(&id.stdout).trim());
    let began = Instant::now();
    loop {
        let left = docker(&["ps", "--all", "--quiet", "--filter", &label]).stdout;
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{}", String::from_utf8_lossy(&left));
        thread::sleep(Duration::from_millis(100));
    }
}

fn possible() -> bool {
    if !docker(&["image", "inspect", IMAGE]).status.success() {
        return skipped("no container engine or no image (run scripts/engine.sh)");
    }
    if !nix::unistd::Uid::effective().is_root() {
        return skipped("only root can become another user");
    }
    true
}

#[test]
fn who_may_only_use_the_engine_looks_by_a_helper_container() {
    if !possible() {
        return;
    }
    let pair = Pair::start("user");
    let group = Command::new("stat").args(["--format=%g", "/var/run/docker.sock"]).output().unwrap();
    let groups = format!("--groups={}", String::from_utf8_lossy(&group.stdout).trim());
    let results = pair.results(&["setpriv", "--reuid=65534", "--regid=65534", &groups], &[]);
    check(&results, &pair.near);
    wait_until_no_helper_of(&pair.near);
}

/// The engine is reached over TCP, and its processes are nowhere to be seen, as on another machine.
#[test]
fn an_engine_elsewhere_is_looked_through_by_a_helper_container() {
    if !possible() {
        return;
    }
    let pair = Pair::start("tcp");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || forward(client));
        }
    });
    let results = pair.results(&["unshare", "--pid", "--fork", "--mount-proc"], &[("DOCKER_HOST", &address)]);
    check(&results, &pair.near);
    wait_until_no_helper_of(&pair.near);
}

/// Both ways, each end by itself.
fn forward(client: TcpStream) -> io::Result<()> {
    let engine = UnixStream::connect("/var/run/docker.sock")?;
    let (mut from_client, mut to_engine) = (client.try_clone()?, engine.try_clone()?);
    thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_engine);
        let _ = to_engine.shutdown(std::net::Shutdown::Write);
    });
    let (mut from_engine, mut to_client) = (engine, client);
    let _ = io::copy(&mut from_engine, &mut to_client);
    to_client.shutdown(std::net::Shutdown::Write)
}
