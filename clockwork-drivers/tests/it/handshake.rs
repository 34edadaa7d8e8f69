//! Handshakes with real servers, and with whoever only pretends to be one.

use std::{
    net::{SocketAddr, TcpListener as StdListener},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use clockwork_core::{Secret, prelude::*};
use clockwork_drivers::handshake::{HandshakeObservation, HandshakeProbe, Login, Protocol, Step};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A server of the machine's own packages, which ends with the test.
struct Running {
    child: Child,
    address: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    StdListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts it with the arguments that `say` makes of a free port, and waits until it listens.
async fn start(program: &str, say: impl Fn(u16) -> Vec<String>) -> Running {
    for _ in 0..5 {
        let port = free_port();
        let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
        let mut child = Command::new(program)
            .args(say(port))
            .env("PATH", path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; scripts/test.sh installs it"));
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        for _ in 0..200 {
            if TcpStream::connect(address).await.is_ok() {
                return Running { child, address };
            }
            if child.try_wait().unwrap().is_some() {
                break; // somebody else took the port
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let _ = child.kill();
        let _ = child.wait();
    }
    panic!("{program} does not start");
}

fn probe(address: SocketAddr, protocol: Protocol) -> HandshakeProbe {
    HandshakeProbe {
        host: address.ip().to_string(),
        port: address.port(),
        protocol,
        login: None,
        ca_file: None,
        patience: Duration::from_secs(3),
    }
}

fn secret(text: &str) -> Secret {
    Secret::from(secrecy::SecretString::from(text.to_owned()))
}

fn login(user: &str, password: &str) -> Option<Login> {
    Some(Login { user: user.to_owned(), password: secret(password), database: None })
}

async fn shake(probe: HandshakeProbe) -> HandshakeObservation {
    let (send, mut receive) = tokio::sync::mpsc::unbounded_channel();
    let looks = assertion("shakes hands", move |cx: Context| {
        let (send, probe) = (send.clone(), probe.clone());
        async move {
            let seen = cx.observe(probe).await?;
            send.send((*seen).clone()).unwrap();
            Ok(true)
        }
    });
    let report = Engine::standard().assert(&Project::new("test").assert(looks)).await.unwrap();
    assert!(report.passed(), "{report}");
    let seen = receive.recv().await.unwrap();
    assert!(!format!("{seen:?}").contains("canary"), "{seen:?}");
    seen
}

/// The step and the message, without the address before it.
async fn stopped(probe: HandshakeProbe) -> Option<(Step, String)> {
    let place = format!("{}:{} ", probe.host, probe.port);
    let stopped = shake(probe).await.stopped?;
    Some((stopped.step, stopped.message.replace(&place, "")))
}

/// A server without users lets everybody in; one with users lets in who has the right password, and says who does not.
async fn lets_in_by_password(
    open: &Running,
    closed: &Running,
    protocol: Protocol,
    user: &str,
    refusal: &str,
) {
    let seen = shake(probe(open.address, protocol)).await;
    assert_eq!((seen.stopped, seen.authenticated), (None, None), "{protocol:?}");
    let seen = shake(probe(closed.address, protocol)).await;
    assert_eq!((seen.stopped, seen.authenticated), (None, None), "{protocol:?}, without a password");
    let seen =
        shake(HandshakeProbe { login: login(user, "canary"), ..probe(closed.address, protocol) }).await;
    assert_eq!((seen.stopped, seen.authenticated), (None, Some(true)), "{protocol:?}, with the right one");
    let wrong = HandshakeProbe { login: login(user, "canary2"), ..probe(closed.address, protocol) };
    let (step, message) = stopped(wrong).await.unwrap();
    assert_eq!(step, Step::Authentication, "{message}");
    assert!(message.starts_with("refused the credentials: ") && message.contains(refusal), "{message}");
}

#[tokio::test]
async fn redis_shakes_hands() {
    let start = |more: &'static [&'static str]| {
        start("redis-server", move |port| {
            let port = port.to_string();
            let all = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
            all.iter().chain(more).map(|word| (*word).to_owned()).collect()
        })
    };
    let (open, closed) = (start(&[]).await, start(&["--requirepass", "canary"]).await);
    lets_in_by_password(&open, &closed, Protocol::Redis, "", "WRONGPASS").await;
    // One that knows no passwords says so.
    let wrong = HandshakeProbe { login: login("", "canary"), ..probe(open.address, Protocol::Redis) };
    assert_eq!(stopped(wrong).await.unwrap().0, Step::Authentication);
    // Another protocol at the right port.
    let (step, message) = stopped(probe(open.address, Protocol::Nats)).await.unwrap();
    assert_eq!(step, Step::Protocol, "{message}");
    let (step, message) = stopped(probe(open.address, Protocol::Http)).await.unwrap();
    assert_eq!(step, Step::Protocol, "{message}");
}

#[tokio::test]
async fn nats_shakes_hands() {
    let start = |more: &'static [&'static str]| {
        start("nats-server", move |port| {
            let port = port.to_string();
            ["-a", "127.0.0.1", "-p", &port].iter().chain(more).map(|word| (*word).to_owned()).collect()
        })
    };
    let (open, closed) = (start(&[]).await, start(&["--user", "app", "--pass", "canary"]).await);
    lets_in_by_password(&open, &closed, Protocol::Nats, "app", "Authorization Violation").await;
    let seen = shake(probe(open.address, Protocol::Nats)).await;
    assert!(seen.server.unwrap().starts_with("NATS \"2."));
    let (step, message) = stopped(probe(open.address, Protocol::Redis)).await.unwrap();
    assert_eq!(step, Step::Protocol);
    assert!(message.starts_with("does not speak Redis: its answer begins with \"INFO {"), "{message}");
}

#[tokio::test]
async fn mqtt_shakes_hands() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let users = write("users", "app:canary\n");
    let hashed = Command::new("mosquitto_passwd").args(["-U"]).arg(&users).status().unwrap();
    assert!(hashed.success());
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&users, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let start = |name: &'static str, rules: String, folder: &Path| {
        let path = folder.join(name);
        start("mosquitto", move |port| {
            std::fs::write(&path, format!("listener {port} 127.0.0.1\n{rules}")).unwrap();
            vec![String::from("-c"), path.to_str().unwrap().to_owned()]
        })
    };
    let open = start("open", String::from("allow_anonymous true\n"), folder.path()).await;
    let rules = format!("allow_anonymous false\npassword_file {}\n", users.display());
    let closed = start("closed", rules, folder.path()).await;
    lets_in_by_password(&open, &closed, Protocol::Mqtt, "app", "not authorized").await;
}

/// Whoever hangs up, says nothing, says too much, or says something else is told as what it is.
#[tokio::test]
async fn an_echo_does_not_give_the_password_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut reader, mut writer) = stream.split();
                let _ = tokio::io::copy(&mut reader, &mut writer).await;
            });
        }
    });
    // The second one lies across the end of what is shown.
    for user in ["admin".to_owned(), "a".repeat(36)] {
        for protocol in [Protocol::Redis, Protocol::Mqtt] {
            let probe = HandshakeProbe { login: login(&user, "canary-9f3b"), ..probe(address, protocol) };
            let (step, message) = stopped(probe).await.unwrap();
            assert_eq!(step, Step::Protocol, "{message}");
            assert!(message.contains("its answer begins with") && !message.contains("canary"), "{message}");
        }
    }
}

#[tokio::test]
async fn impostors_are_told() {
    let (flood, http) = (vec![b'x'; 200_000], b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec());
    for protocol in [
        Protocol::Http,
        Protocol::Grpc,
        Protocol::Postgresql,
        Protocol::Mysql,
        Protocol::Redis,
        Protocol::Amqp,
        Protocol::Nats,
        Protocol::Mqtt,
        Protocol::Kafka,
        Protocol::Smtp,
    ] {
        for says in [&b""[..], &flood, &http, b"\x00\x00\x00\x00\xff\xff\xff\xff\xff", b"\x1b[2J\n\n"] {
            if protocol == Protocol::Http && says == http {
                continue;
            }
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let said = says.to_vec();
            let server = tokio::spawn(async move {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.write_all(&said).await;
                let _ = stream.shutdown().await;
                let _ = stream.read_to_end(&mut Vec::new()).await;
            });
            let (step, message) = stopped(probe(address, protocol)).await.unwrap();
            assert_eq!(step, Step::Protocol, "{protocol:?}: {message}");
            assert!(message.len() < 1000 && !message.contains('\x1b'), "{protocol:?}: {message}");
            server.abort();
        }
    }
    // Nobody there, nothing said, no such name.
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let (step, message) = stopped(probe(address, Protocol::Redis)).await.unwrap();
    assert_eq!((step, &*message), (Step::Connect, "refused the connection"));
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let patience = Duration::from_millis(100);
    let quiet = HandshakeProbe { patience, ..probe(silent.local_addr().unwrap(), Protocol::Kafka) };
    let (step, message) = stopped(quiet).await.unwrap();
    assert_eq!((step, &*message), (Step::Protocol, "said nothing of Kafka within 100 ms"));
    let nameless =
        HandshakeProbe { host: String::from("no-such-name.invalid"), ..probe(address, Protocol::Tcp) };
    assert_eq!(stopped(nameless).await.unwrap().0, Step::Name);
}
