//! `LoadBalancerAssert` behind real balancers, nginx and HAProxy, with backends that tell who they are. Each backend counts
//! what it was asked: the independent witness.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use clockwork_assert::{Identify, LoadBalancerAssert, Skew};
use clockwork_core::{AssertionExt, CheckResult, Outcome};
use tokio::io::AsyncWriteExt;

use crate::{
    databases::daemon::{Daemon, free_port, give},
    run::{check, directory, told},
    server::{Server, read_head},
};

/// A backend that says who it is, in a header and in its body.
async fn backend(name: &'static str) -> Server {
    Server::talking(move |mut stream, seen| async move {
        while read_head(&mut stream, &seen).await.is_some() {
            let body = format!("{{\"host\": \"{name}\"}}");
            let answer =
                format!("HTTP/1.1 200 OK\r\nx-who: {name}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await
}

/// A balancer that runs until it is dropped, and its URL.
struct Balancer {
    _running: Daemon,
    _directory: tempfile::TempDir,
    url: String,
}

/// Starts it with the file that `write` makes of a free port, and waits until it listens.
fn start(program: &str, arguments: &[&str], write: impl Fn(u16, &Path) -> String) -> Balancer {
    for _ in 0..5 {
        let (kept, directory) = directory();
        let (port, file) = (free_port(), directory.join("conf"));
        std::fs::write(&file, write(port, &directory)).unwrap();
        give(&directory);
        let mut arguments: Vec<_> = arguments.iter().map(|&word| word.to_owned()).collect();
        arguments.push(file.to_str().unwrap().to_owned());
        let mut running = Daemon::start(Path::new(program), &arguments, &directory.join("log"));
        let began = Instant::now();
        while running.runs() && began.elapsed() < Duration::from_secs(60) {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                let url = format!("http://127.0.0.1:{port}/");
                return Balancer { _running: running, _directory: kept, url };
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        let log = std::fs::read_to_string(directory.join("log")).unwrap_or_default();
        assert!(log.contains("in use") || log.contains("cannot bind"), "{program} does not start: {log}");
    }
    panic!("{program} finds no port");
}

fn nginx(servers: &str, more: &str) -> Balancer {
    start("/usr/sbin/nginx", &["-c"], |port, directory| {
        let directory = directory.display();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {directory}/{name};\n"))
            .concat();
        format!(
            "daemon off; master_process off; pid {directory}/pid; error_log stderr;\n\
             events {{ worker_connections 512; }}\n\
             http {{\n{temporary}access_log off;\nupstream apis {{ {servers} }}\n\
             server {{ listen 127.0.0.1:{port}; location / {{\n\
             proxy_pass http://apis; add_header x-upstream $upstream_addr always; {more} }} }} }}\n"
        )
    })
}

fn haproxy(balance: &str, servers: &str) -> Balancer {
    start("/usr/sbin/haproxy", &["-f"], |port, _| {
        format!(
            "global\n  maxconn 500\ndefaults\n  mode http\n  timeout connect 10s\n  timeout client 60s\n  timeout \
             server 60s\n  retries 0\nfrontend lb\n  bind 127.0.0.1:{port}\n  default_backend apis\nbackend \
             apis\n  balance {balance}\n  http-response set-header x-server %s\n{servers}\n"
        )
    })
}

/// Patient with a loaded machine.
fn asks(balancer: &Balancer, identify: Identify) -> LoadBalancerAssert {
    LoadBalancerAssert::new(&balancer.url, identify).request_timeout(Duration::from_secs(30))
}

async fn judged(assertion: LoadBalancerAssert) -> Arc<CheckResult> {
    check(assertion.timeout(Duration::from_secs(120))).await
}

fn who() -> Identify {
    Identify::header("x-who")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nginx_gives_by_turns() {
    let (a, b) = (backend("a").await, backend("b").await);
    let balancer = nginx(&format!("server {}; server {};", a.address, b.address), "");
    let result = judged(asks(&balancer, who()).backends(["a", "b"]).max_skew(Skew::Factor(1.2))).await;
    assert_eq!(told(&result, Outcome::Passed), "50 requests: a 25, b 25");
    assert_eq!((a.count(), b.count()), (25, 25));
    assert_eq!(result.details()["backends"], serde_json::json!({ "a": 25, "b": 25 }));
    // The same by what stands in the body, and by the address that nginx tells.
    let body = Identify::json("host");
    told(&judged(asks(&balancer, body).backends(["a", "b"])).await, Outcome::Passed);
    let pattern = clockwork_core::Pattern::new(r#""host": "(\w+)""#).unwrap();
    told(&judged(asks(&balancer, Identify::body(pattern)).backends(["a", "b"])).await, Outcome::Passed);
    let by_address = asks(&balancer, Identify::header("x-upstream"))
        .backend_as("a", [a.address.to_string()], 1)
        .backend_as("b", [b.address.to_string()], 1);
    told(&judged(by_address).await, Outcome::Passed);
    // One who is not listed, one who is listed and not there, and nobody to be told by.
    let result = judged(asks(&balancer, who()).backends(["a"])).await;
    let message = told(&result, Outcome::Failed);
    assert_eq!(message, "\"b\" answered 25 of 50 requests and is not among the backends (a 25)");
    let result = judged(asks(&balancer, who()).backends(["a", "b", "c"])).await;
    assert_eq!(told(&result, Outcome::Failed), "c got none of 50 requests (a 25, b 25, c 0)");
    let never = asks(&balancer, who()).backends(["a", "b", "c"]).timeout(Duration::from_secs(120)).not();
    told(&check(never).await, Outcome::Passed);
    let result = judged(asks(&balancer, Identify::header("x-nobody")).backends(["a", "b"])).await;
    let message = told(&result, Outcome::Failed);
    assert_eq!(message, "50 of 50 answers do not tell their backend: the answer has no header \"x-nobody\"");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_backend_is_told_whether_nginx_hides_it_or_not() {
    let a = backend("a").await;
    let dead = format!("127.0.0.1:{}", free_port());
    let servers = format!("server {} max_fails=0; server {dead} max_fails=0;", a.address);
    let shown = nginx(&servers, "proxy_next_upstream off;");
    let result = judged(asks(&shown, who()).backends(["a", "b"])).await;
    let message = told(&result, Outcome::Failed);
    assert_eq!(message, "b got none of 50 requests; 25 of 50 requests: answered 502 Bad Gateway (a 25, b 0)");
    let never = asks(&shown, who()).backends(["a", "b"]).timeout(Duration::from_secs(120)).not();
    told(&check(never).await, Outcome::Errored); // who should have answered the others cannot be told

    let hidden = nginx(&servers, "");
    let both = asks(&hidden, Identify::header("x-upstream"))
        .backend_as("a", [a.address.to_string()], 1)
        .backend_as("b", [dead.clone()], 1);
    let result = judged(both).await;
    let message = told(&result, Outcome::Failed);
    assert!(message.starts_with("b got none of 50 requests; b failed "), "{message}");
    assert!(message.ends_with("which another one answered (a 50, b 0)"), "{message}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn haproxy_gives_by_weight_not_to_who_is_down_and_by_address() {
    let (a, b) = (backend("a").await, backend("b").await);
    let server = |name: &str, at: &Server, more: &str| format!("  server {name} {} {more}\n", at.address);
    let by = || Identify::header("x-server");
    let weighted = server("a", &a, "weight 40") + &server("b", &b, "weight 10");
    let balancer = haproxy("roundrobin", &weighted);
    let result = judged(asks(&balancer, by()).backends(["a", "b"]).max_skew(Skew::Factor(2.0))).await;
    assert_eq!(
        told(&result, Outcome::Failed),
        "the busiest backend gets 4x what the quietest gets (a 40, b 10)"
    );
    let meant = asks(&balancer, by()).backend_as::<&str>("a", [], 4).backend_as::<&str>("b", [], 1);
    told(&judged(meant.max_skew(Skew::Deviation(0.1))).await, Outcome::Passed);

    let down = server("a", &a, "") + &server("b", &b, "disabled");
    let result = judged(asks(&haproxy("roundrobin", &down), by()).backends(["a", "b"])).await;
    assert!(told(&result, Outcome::Failed).starts_with("b got none of 50 requests; does the balancer tie"));

    let sticky = server("a", &a, "") + &server("b", &b, "");
    let result = judged(asks(&haproxy("source", &sticky), by()).backends(["a", "b"])).await;
    assert!(told(&result, Outcome::Failed).contains("does the balancer tie a client to one backend"));

    let nobody = haproxy("roundrobin", "");
    let result = judged(asks(&nobody, by()).backends(["a", "b"])).await;
    assert_eq!(told(&result, Outcome::Failed), "50 of 50 requests: answered 503 Service Unavailable");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_and_silence_are_told() {
    let url = format!("http://127.0.0.1:{}/", free_port());
    let result = judged(LoadBalancerAssert::new(&url, who()).backends(["a", "b"])).await;
    assert!(told(&result, Outcome::Failed).starts_with("50 of 50 requests: "), "{}", result.message);
    assert!(result.message.contains("refused the connection"), "{}", result.message);
    let silent = Server::talking(|stream, _| async move {
        let _held = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let quick = LoadBalancerAssert::new(silent.url("/"), who())
        .backends(["a", "b"])
        .requests(8)
        .request_timeout(Duration::from_millis(300));
    let result = judged(quick).await;
    assert!(
        told(&result, Outcome::Failed).contains("of 8 requests: no answer within "),
        "{}",
        result.message
    );
}
