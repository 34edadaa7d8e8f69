//! Engines that are not there, do not answer, may not be asked, or are none. No real engine is needed.

use std::sync::Arc;

use clockwork_assert::{
    ContainerHealthyAssert, ContainerRunningAssert, LogContainsAssert, MemoryUsageAssert,
};
use clockwork_core::{CheckResult, prelude::*};
use clockwork_drivers::ContainerResource;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};

use super::result;

/// An engine that answers each request by what this function makes of its path; nothing, where that is empty.
fn scripted(
    answer: impl Fn(&str) -> String + Send + Sync + 'static,
) -> (tempfile::TempDir, ContainerResource) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("engine.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut wire, _)) = listener.accept().await {
            let answer = Arc::clone(&answer);
            tokio::spawn(async move {
                let mut buffer = vec![0; 64 << 10];
                while let Ok(count @ 1..) = wire.read(&mut buffer).await {
                    let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                    let answer = answer(text.split(' ').nth(1).unwrap_or(""));
                    if answer.is_empty() {
                        std::future::pending::<()>().await;
                    }
                    if wire.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            });
        }
    });
    let resource = ContainerResource::new("web").endpoint(format!("unix://{}", path.display()));
    (folder, resource)
}

fn reply(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{headers}\r\n{body}", body.len())
}

fn engine(path: &str, api: &str, list: &str) -> String {
    match path {
        "/_ping" => reply("200 OK", &format!("Api-Version: {api}\r\n"), "OK"),
        path if path.ends_with("/containers/json?all=1") => reply("200 OK", "", list),
        _ => reply("404 Not Found", "", r#"{"message":"no such thing"}"#),
    }
}

async fn errored(resource: ContainerResource, told: &[&str]) {
    let running = ContainerRunningAssert::new();
    for asserted in [
        running.clone().timeout(Duration::from_millis(500)),
        running.not().timeout(Duration::from_millis(500)),
    ] {
        let seen: Arc<CheckResult> = result(resource.clone().assert(asserted)).await;
        assert_eq!(seen.verdict, Outcome::Errored, "{}", seen.message);
        for told in told {
            assert!(seen.message.contains(told), "{told:?} is not in {:?}", seen.message);
        }
    }
}

#[tokio::test]
async fn no_engine_is_errored_and_names_the_socket_for_every_kind() {
    let nowhere = ContainerResource::new("web").endpoint("unix:///nonexistent/engine.sock");
    errored(
        nowhere.clone(),
        &["there is no container engine at unix:///nonexistent/engine.sock", "start Docker"],
    )
    .await;
    let all = nowhere
        .assert(ContainerHealthyAssert::new())
        .assert(LogContainsAssert::new("x"))
        .assert(LogContainsAssert::new("x").absent())
        .assert(MemoryUsageAssert::max_mb(1));
    for seen in super::results(all).await {
        assert_eq!(seen.verdict, Outcome::Errored, "{}", seen.message);
    }
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_errored() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("engine.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).expect("a socket"));
    let dead = ContainerResource::new("web").endpoint(format!("unix://{}", path.display()));
    errored(dead, &["no container engine listens at unix://", "engine.sock"]).await;
}

#[test]
fn a_socket_without_permission_is_errored_and_says_how_to_get_it() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let path = folder.path().join("engine.sock");
    let _listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    if nix::unistd::Uid::effective().is_root() {
        // Of this thread alone: what is not root's may not open the socket.
        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
    } else {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("a mode");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let resource = ContainerResource::new("web").endpoint(format!("unix://{}", path.display()));
    runtime
        .block_on(errored(resource, &["no permission to use the container engine's socket", "docker $USER"]));
    nix::unistd::setfsuid(nix::unistd::Uid::effective());
}

#[tokio::test]
async fn an_engine_that_does_not_answer_is_errored_and_says_what_was_waited_for() {
    let (_folder, silent) = scripted(|_| String::new());
    errored(silent, &["no answer within", "greeting the container engine at unix://"]).await;
    let (_folder, stuck) =
        scripted(|path| if path == "/_ping" { engine(path, "1.41", "") } else { String::new() });
    errored(stuck, &["no answer within", "waiting for the list of containers of Docker at unix://"]).await;
}

#[tokio::test]
async fn what_is_no_engine_or_too_old_a_one_is_errored() {
    let (_folder, web) = scripted(|_| reply("200 OK", "Server: nginx\r\n", "<html>\u{1b}[2J"));
    errored(web, &["is no container engine", "200 OK", r#""<html>\u{1b}[2J""#]).await;
    let (_folder, old) = scripted(|path| engine(path, "1.40", "[]"));
    errored(old, &["speaks API 1.40", "needs 1.41 or newer"]).await;
    let (_folder, garbage) = scripted(|_| String::from("SSH-2.0-OpenSSH\r\n"));
    errored(garbage, &["broke off"]).await;
    let (_folder, broken) = scripted(|path| engine(path, "1.41", "{"));
    errored(broken, &["cannot read what Docker at"]).await;
    let (_folder, failing) = scripted(|path| match path {
        "/_ping" => engine(path, "1.41", ""),
        _ => reply("500 Internal Server Error", "", r#"{"message":"disk\u001b on fire"}"#),
    });
    errored(failing, &["answered 500 to /containers/json", r#""disk\u{1b} on fire""#]).await;
}

#[tokio::test]
async fn newer_engines_are_asked_in_a_version_that_both_know() {
    let list = r#"[{"Id":"1","Names":["/web"],"State":"running","Status":"Up 5 minutes","Health":{"Status":"healthy"}}]"#;
    let (_folder, newer) = scripted(move |path| match path {
        "/_ping" => engine(path, "1.99", ""),
        "/v1.52/containers/json?all=1" => reply("200 OK", "", list),
        _ => reply("400 Bad Request", "", "{}"),
    });
    let seen = result(newer.assert(ContainerHealthyAssert::new())).await;
    assert_eq!(seen.verdict, Outcome::Passed, "{}", seen.message);
}

#[tokio::test]
async fn podman_tells_health_only_when_it_is_asked_closer() {
    let list = r#"[{"Id":"aaaaaaaaaaaa1111","Names":["/web"],"State":"running","Status":"Up 5 minutes"},
                   {"Id":"2","Names":["/other"],"State":"configured","Status":"Created"}]"#;
    let details = r#"{"Id":"aaaaaaaaaaaa1111","Name":"/web","State":{"Status":"running","Health":{"Status":"healthy"}}}"#;
    let (_folder, podman) = scripted(move |path| match path {
        "/_ping" => reply("200 OK", "Api-Version: 1.41\r\nLibpod-Api-Version: 4.3.1\r\n", "OK"),
        "/v1.41/containers/aaaaaaaaaaaa1111/json" => reply("200 OK", "", details),
        path => engine(path, "1.41", list),
    });
    let other = ContainerRunningAssert::new().container("nobody");
    let seen = super::results(podman.assert(ContainerHealthyAssert::new()).assert(other)).await;
    assert_eq!(seen[0].verdict, Outcome::Passed, "{}", seen[0].message);
    assert!(
        seen[1].message.starts_with("there is no container nobody in Podman at unix://"),
        "{}",
        seen[1].message
    );
}

#[tokio::test]
async fn a_container_that_vanishes_between_two_looks_is_missing() {
    let list = r#"[{"Id":"1","Names":["/web"],"State":"exited","Status":"Exited (3) 5 seconds ago"}]"#;
    let (_folder, vanishing) = scripted(move |path| engine(path, "1.41", list));
    let seen = result(vanishing.assert(ContainerRunningAssert::new())).await;
    assert_eq!(seen.verdict, Outcome::Failed);
    assert!(seen.message.starts_with("there is no container web in Docker at"), "{}", seen.message);
}
