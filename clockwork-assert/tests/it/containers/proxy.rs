//! What it costs: requests are counted by a proxy in front of the real engine.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Instant,
};

use clockwork_assert::{ContainerHealthyAssert, ContainerRunningAssert, MemoryUsageAssert};
use clockwork_core::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{UnixListener, UnixStream},
};

use super::{Container, engine};

/// Passes everything on to the engine, and notes the requests' first lines.
struct Proxy {
    folder: tempfile::TempDir,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let listener = UnixListener::bind(folder.path().join("engine.sock")).expect("a socket");
        let notes = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let notes = Arc::clone(&notes);
                tokio::spawn(async move {
                    let engine = UnixStream::connect(real_engine()).await.expect("the engine");
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_engine, mut to_engine) = engine.into_split();
                    tokio::spawn(async move { tokio::io::copy(&mut from_engine, &mut to_client).await });
                    let mut buffer = vec![0; 64 << 10];
                    while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
                        let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                        let requests =
                            text.lines().filter(|line| line.ends_with(" HTTP/1.1")).map(str::to_owned);
                        notes.lock().expect("a lock").extend(requests);
                        if to_engine.write_all(&buffer[..count]).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        Self { folder, seen }
    }

    fn endpoint(&self) -> String {
        format!("unix://{}", self.folder.path().join("engine.sock").display())
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.seen.lock().expect("a lock"))
    }
}

fn real_engine() -> PathBuf {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    host.strip_prefix("unix://").map_or_else(|| Path::new("/var/run/docker.sock").into(), PathBuf::from)
}

/// How many containers: a hundred, where `CLOCKWORK_TEST_CONTAINERS` says so; the number of calls does not depend on it.
fn count() -> usize {
    std::env::var("CLOCKWORK_TEST_CONTAINERS").ok().and_then(|count| count.parse().ok()).unwrap_or(12)
}

#[expect(clippy::print_stderr, reason = "a measurement is to be seen")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_assertions_on_each_of_many_containers_cost_one_list() {
    if !engine() {
        return;
    }
    // Three health checks a second are what this machine has to bear, however many containers there are.
    let interval = format!("{}s", 1 + count() / 3);
    let options = ["--health-cmd", "true", "--health-interval", &interval, "--network", "none"];
    let start = |_| Container::run("many", &options, "sleep 600");
    let containers: Vec<_> = (0..count()).map(start).collect();
    for container in &containers {
        container.wait_until("{{.State.Health.Status}}", "healthy");
    }
    let proxy = Proxy::start();
    let mut project = Project::new("test");
    for container in &containers {
        let resource = container.resource().endpoint(proxy.endpoint());
        project = project.with(
            resource
                .assert(ContainerRunningAssert::new())
                .assert(ContainerHealthyAssert::new())
                .assert(MemoryUsageAssert::max_mb(1000)),
        );
    }
    let report = Engine::standard().assert(&project).await.expect("a valid project");
    assert!(report.passed(), "{report}");
    assert_eq!(report.summary.passed, 3 * containers.len());
    let requests = proxy.take();
    assert_eq!(requests.len(), 2, "{requests:#?}");
    assert_eq!(requests[0], "GET /_ping HTTP/1.1");
    assert!(
        requests[1].starts_with("GET /v1.") && requests[1].contains("/containers/json?all=1"),
        "{requests:?}"
    );

    // The bare call, through the same proxy, by hand.
    let mut bare = Vec::new();
    let mut ours = Vec::new();
    let list = "GET /v1.41/containers/json?all=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let running = containers.iter().fold(Project::new("test"), |project, container| {
        let resource = container.resource().endpoint(proxy.endpoint());
        project.with(resource.assert(ContainerRunningAssert::new()).assert(ContainerHealthyAssert::new()))
    });
    for _ in 0..20 {
        let began = Instant::now();
        let mut wire = UnixStream::connect(proxy.folder.path().join("engine.sock")).await.expect("the proxy");
        wire.write_all(list.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        wire.read_to_end(&mut answer).await.expect("an answer");
        bare.push(began.elapsed());
        let began = Instant::now();
        let report = Engine::standard().assert(&running).await.expect("a valid project");
        ours.push(began.elapsed());
        assert!(report.passed(), "{report}");
    }
    bare.sort();
    ours.sort();
    let (bare, ours) = (bare[10], ours[10]);
    eprintln!("{} containers, running and healthy: {ours:?}; one bare list call: {bare:?}", containers.len());
}

#[tokio::test]
async fn only_what_fails_is_looked_at_closer() {
    if !engine() {
        return;
    }
    let ended = Container::run("closer", &[], "exit 3");
    ended.wait_until("{{.State.Status}}", "exited");
    let proxy = Proxy::start();
    let resource = ended.resource().endpoint(proxy.endpoint());
    let seen =
        super::results(resource.assert(ContainerRunningAssert::new()).assert(ContainerHealthyAssert::new()))
            .await;
    assert!(seen.iter().all(|result| result.verdict == Outcome::Failed), "{seen:?}");
    let requests = proxy.take();
    // The greeting, the list, and for both together one closer look and one log.
    assert_eq!(requests.len(), 4, "{requests:#?}");
}
