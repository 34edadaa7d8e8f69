//! Every example runs, and says what it is meant to say.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "../../clockwork-assert/tests/it/skip.rs"]
mod skip;

use std::{
    net::TcpListener,
    process::{Command, Output},
};

fn run(program: &str, args: &[&str], env: &[(&str, String)]) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = Command::new(program)
        .args(args)
        .envs(env.iter().map(|(name, value)| (name, value)))
        .output()
        .unwrap();
    eprintln!("{}", String::from_utf8_lossy(&stderr));
    (status.code(), String::from_utf8(stdout).unwrap())
}

#[test]
fn the_quickstart_passes_and_then_shows_a_failure() {
    let (code, said) = run(env!("CARGO_BIN_EXE_quickstart"), &[], &[]);
    assert_eq!(code, Some(0), "{said}");
    for part in [
        "✓ All 6 assertions passed (",
        "✗ 1 of 6 assertions failed, 4 skipped because of settings (",
        "✗ settings: FileContentMatchesAssert (toml workers >= 2)",
        "workers: expected a number >= 2, got 1",
        "skipped: settings/FileContentMatchesAssert did not hold",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
}

#[test]
fn kinds_of_ones_own_work_in_rust_and_in_a_manifest() {
    let (code, said) = run(env!("CARGO_BIN_EXE_embedded"), &[], &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("✓ printer: SpoolDepthAssert (<= 10)"), "{said}");
    assert!(said.contains("✗ printer: SpoolDepthAssert (<= 2)\n      3 jobs wait in "), "{said}");
}

#[test]
fn a_library_of_kinds_is_used_from_a_manifest() {
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/house-rules/clockwork.yaml");
    let backups = tempfile::tempdir().unwrap();
    let there = format!("backups={}", backups.path().display());
    let asserts = ["assert", "--manifest", manifest, "--var", &there];
    let (code, said) = run(env!("CARGO_BIN_EXE_house"), &asserts, &[]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("there is no file in "), "{said}");
    std::fs::write(backups.path().join("monday.dump"), vec![0; 2000]).unwrap();
    let (code, said) = run(env!("CARGO_BIN_EXE_house"), &asserts, &[]);
    assert_eq!(code, Some(0), "{said}");
    let (code, schema) = run(env!("CARGO_BIN_EXE_house"), &["schema"], &[]);
    assert!(code == Some(0) && schema.contains("BackupFreshAssert"), "{schema}");
}

/// Removes the container whatever happens.
struct Container(&'static str);

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", self.0]).output();
    }
}

fn docker(args: &[&str]) -> Result<String, String> {
    let output = Command::new("docker").args(args).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_web_server_in_a_container_is_as_meant_until_it_is_paused() {
    if let Err(error) = docker(&["image", "inspect", "clockwork/nginx:test"]) {
        skip::skipped(&format!("no container engine or no image (run scripts/engine.sh): {error}"));
        return;
    }
    let (http, https) = (free_port(), free_port());
    let _container = Container("nginx-web");
    let (publish_http, publish_https) = (format!("{http}:80"), format!("{https}:443"));
    let image = "clockwork/nginx:test";
    docker(&[
        "run",
        "--detach",
        "--name",
        "nginx-web",
        "--publish",
        &publish_http,
        "--publish",
        &publish_https,
        image,
    ])
    .unwrap();
    let ports = [("HTTP_PORT", http.to_string()), ("HTTPS_PORT", https.to_string())];

    let (code, said) = run(env!("CARGO_BIN_EXE_nginx"), &["assert", "--within", "20s"], &ports);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.starts_with("✓ All 5 assertions passed ("), "{said}");

    docker(&["pause", "nginx-web"]).unwrap();
    // The health check's own `within` is half a minute, which nobody needs to wait for to know that it is paused.
    let (code, said) =
        run(env!("CARGO_BIN_EXE_nginx"), &["assert", "--fail-fast", "--timeout", "20s"], &ports);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("✗ nginx-web: ContainerRunningAssert\n"), "{said}");
    assert!(said.contains("paused"), "{said}");
}
