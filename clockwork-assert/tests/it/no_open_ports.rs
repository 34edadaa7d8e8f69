//! NoOpenPortsAssert against sockets that really listen, compared with `ss`.

use std::{
    collections::BTreeSet,
    net::{SocketAddr, TcpListener, TcpStream, UdpSocket},
    os::fd::{AsRawFd, OwnedFd},
    process::Command,
    time::{Duration, Instant},
};

use clockwork_assert::{NoOpenPortsAssert, PortMethod, PortScope, Transport};
use clockwork_core::{AssertionExt, CheckResult, Engine, Outcome, Project, ResourceExt};
use clockwork_drivers::{ContainerResource, EndpointResource};
use nix::sys::{
    resource::{Resource, getrlimit, setrlimit},
    socket::{
        AddressFamily, Backlog, SockFlag, SockType, SockaddrIn6, bind, getsockname, listen, setsockopt,
        socket, sockopt,
    },
};

use crate::run::{check, output, run, told};

/// What `ss` sees: `0.0.0.0:22`, `*:80`, `[::]:80`.
fn ss(flags: &str) -> BTreeSet<String> {
    let lines = output("ss", &[flags]);
    lines.lines().map(|line| line.split_ascii_whitespace().nth(3).unwrap().to_owned()).collect()
}

/// The same, of what we saw.
fn ours(result: &CheckResult) -> BTreeSet<String> {
    let open = result.details().get("open").and_then(|open| open.as_array().cloned()).unwrap_or_default();
    let told = open.iter().map(|one| {
        let (port, address) = (one["port"].as_u64().unwrap(), one["address"].as_str().unwrap());
        let interface = one["interface"].as_str().map(|name| format!("%{name}")).unwrap_or_default();
        match (one["dual_stack"] == true, address.contains(':')) {
            (true, _) => format!("*{interface}:{port}"),
            (_, true) => format!("[{address}]{interface}:{port}"),
            (_, false) => format!("{address}{interface}:{port}"),
        }
    });
    told.collect()
}

fn at(port: u16) -> NoOpenPortsAssert {
    NoOpenPortsAssert::new().range(port..=port)
}

fn port_of(listener: &TcpListener) -> u16 {
    listener.local_addr().unwrap().port()
}

/// A listener on an IPv6 address that takes IPv6 alone.
fn v6_only() -> TcpListener {
    let fd = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    setsockopt(&fd, sockopt::Ipv6V6Only, &true).unwrap();
    bind(fd.as_raw_fd(), &SockaddrIn6::from("[::]:0".parse::<std::net::SocketAddrV6>().unwrap())).unwrap();
    listen(&fd, Backlog::new(8).unwrap()).unwrap();
    assert_ne!(getsockname::<SockaddrIn6>(fd.as_raw_fd()).unwrap().port(), 0);
    TcpListener::from(fd)
}

#[tokio::test]
async fn listeners_are_what_ss_shows() {
    let me = std::process::id();
    let own = std::fs::read_to_string("/proc/self/comm").unwrap();
    let own = own.trim();
    for (listener, place, ss_has, loopback) in [
        (TcpListener::bind("0.0.0.0:0").unwrap(), "0.0.0.0", "0.0.0.0", false),
        (TcpListener::bind("127.0.0.1:0").unwrap(), "127.0.0.1", "127.0.0.1", true),
        (TcpListener::bind("127.0.0.9:0").unwrap(), "127.0.0.9", "127.0.0.9", true),
        (TcpListener::bind("[::1]:0").unwrap(), "[::1]", "[::1]", true),
        (TcpListener::bind("[::]:0").unwrap(), "0.0.0.0 and [::]", "*", false),
        (v6_only(), "[::]", "[::]", false),
        (TcpListener::bind("[::ffff:127.0.0.1]:0").unwrap(), "127.0.0.1", "[::ffff:127.0.0.1]", true),
    ] {
        let port = port_of(&listener);
        assert!(ss("-Hltn").contains(&format!("{ss_has}:{port}")), "{ss_has}:{port}");
        let result = check(at(port)).await;
        let message = told(&result, Outcome::Failed);
        let expected = format!("port {port} is open on {place} ({own}, pid {me}); stop what listens there");
        assert!(message.starts_with(&expected), "{message}");
        told(&check(at(port).not()).await, Outcome::Passed);
        told(&check(at(port).except_ports([port])).await, Outcome::Passed);
        told(&check(at(port).except_range(port..=port)).await, Outcome::Passed);
        let (in_scope, other) = match loopback {
            true => (PortScope::Loopback, PortScope::Public),
            false => (PortScope::Public, PortScope::Loopback),
        };
        told(&check(at(port).scope(in_scope)).await, Outcome::Failed);
        told(&check(at(port).scope(other)).await, Outcome::Passed);
        told(&check(at(port).protocol(Transport::Udp)).await, Outcome::Passed);
        drop(listener);
        told(&check(at(port)).await, Outcome::Passed);
        told(&check(at(port).not()).await, Outcome::Failed);
    }
}

/// A socket that is bound and does not listen is not open, and neither is an outgoing connection.
#[tokio::test]
async fn only_listeners_are_open() {
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(fd.as_raw_fd(), &nix::sys::socket::SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let bound: SocketAddr = {
        let copy: OwnedFd = fd.try_clone().unwrap();
        let stream = TcpStream::from(copy);
        stream.local_addr().unwrap()
    };
    told(&check(at(bound.port())).await, Outcome::Passed);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    told(&check(at(client.local_addr().unwrap().port())).await, Outcome::Passed);
}

/// All of this machine's listeners beside those of `ss`; other tests open and close some meanwhile.
#[tokio::test]
async fn the_whole_table_is_what_ss_shows() {
    let _kept = [TcpListener::bind("0.0.0.0:0").unwrap(), TcpListener::bind("[::]:0").unwrap(), v6_only()];
    for (flags, protocol) in [("-Hltn", Transport::Tcp), ("-Hlun", Transport::Udp)] {
        let before = ss(flags);
        let result = check(NoOpenPortsAssert::new().protocol(protocol)).await;
        let (seen, after) = (ours(&result), ss(flags));
        // We tell a mapped address as what it is.
        let mapped = |set: BTreeSet<String>| -> BTreeSet<String> {
            set.into_iter().map(|one| one.replace("[::ffff:127.0.0.1]", "127.0.0.1")).collect()
        };
        let (before, after) = (mapped(before), mapped(after));
        if protocol == Transport::Tcp {
            let missing: Vec<_> = before.intersection(&after).filter(|one| !seen.contains(*one)).collect();
            assert!(missing.is_empty(), "{missing:?} of {before:?}; {}", result.message);
        }
        let all = before.union(&after).cloned().collect::<BTreeSet<_>>();
        let extra: Vec<_> = seen.difference(&all).collect();
        assert!(extra.len() <= 3, "{extra:?} beyond {all:?}"); // what lived between the two looks of ss
    }
}

/// Connections cost nothing: the kernel leaves them out.
#[tokio::test]
async fn listeners_are_found_beside_thousands_of_sockets() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, hard.min(65_536), hard).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut kept = Vec::new();
    while kept.len() < 2_400 {
        kept.push(TcpStream::connect(address).unwrap());
        kept.push(listener.accept().unwrap().0);
    }
    let port = address.port();
    assert!(output("ss", &["-Htn", &format!("sport = :{port} or dport = :{port}")]).lines().count() >= 2_400);
    let began = Instant::now();
    let result = check(NoOpenPortsAssert::new().except_range(1..=65535)).await;
    let took = began.elapsed();
    told(&result, Outcome::Passed);
    assert!(took < Duration::from_millis(500), "{took:?}"); // a busy machine's allowance
    // The owner has 2,400 descriptors, and is found nevertheless.
    let message = check(at(port)).await.message.clone();
    assert!(message.contains(&format!("pid {})", std::process::id())), "{message}");
    // Many listeners are told in few words.
    let many: Vec<_> = (0..2_000).map(|_| TcpListener::bind("127.0.0.77:0").unwrap()).collect();
    let result = check(NoOpenPortsAssert::new().scope(PortScope::Loopback)).await;
    assert!(told(&result, Outcome::Failed).len() < 1_500, "{}", result.message);
    assert_eq!(result.details()["open"].as_array().unwrap().len(), 1_000);
    drop(many);
}

/// A port below those that the kernel gives to clients.
fn udp_below_the_ephemeral() -> UdpSocket {
    let start = 20_000 + std::process::id() as u16 % 10_000;
    (start..32_000).find_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok()).unwrap()
}

#[tokio::test]
async fn udp_counts_what_takes_from_anybody() {
    let server = udp_below_the_ephemeral();
    let port = server.local_addr().unwrap().port();
    assert!(ss("-Hlun").contains(&format!("127.0.0.1:{port}")));
    let udp = |port| at(port).protocol(Transport::Udp);
    let result = check(udp(port)).await;
    let message = told(&result, Outcome::Failed);
    assert!(message.starts_with(&format!("port {port}/udp is open on 127.0.0.1 (")), "{message}");
    told(&check(at(port)).await, Outcome::Passed);
    // With a peer of its own it is a client.
    server.connect("127.0.0.1:9").unwrap();
    told(&check(udp(port)).await, Outcome::Passed);
    // An ephemeral port may be a client's.
    let perhaps = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = perhaps.local_addr().unwrap().port();
    for result in [check(udp(port)).await, check(udp(port).not()).await] {
        let message = told(&result, Outcome::Errored);
        assert!(message.contains("servers or clients") && message.contains("give `range: 1-"), "{message}");
    }
    told(&check(udp(port).except_ports([port])).await, Outcome::Passed);
}

fn connecting(ports: std::ops::RangeInclusive<u16>) -> NoOpenPortsAssert {
    NoOpenPortsAssert::new().host("127.0.0.1").range(ports)
}

#[tokio::test]
async fn a_scan_finds_what_accepts() {
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = port_of(&open);
    let result = check(connecting(port..=port)).await;
    let expected =
        format!("port {port} of 127.0.0.1 accepted a connection at 127.0.0.1; stop what listens there");
    assert!(told(&result, Outcome::Failed).starts_with(&expected), "{}", result.message);
    told(&check(connecting(port..=port).except_ports([port])).await, Outcome::Passed);
    // `localhost` is scanned at every address.
    let v6 = TcpListener::bind("[::1]:0").unwrap();
    let local = NoOpenPortsAssert::new().method(PortMethod::Connect).range(port_of(&v6)..=port_of(&v6));
    if output("getent", &["ahosts", "localhost"]).contains("::1") {
        assert!(told(&check(local).await, Outcome::Failed).contains("[::1]"));
    }
    // A listener whose queue is full does not answer, and is no proof that nothing listens.
    let fd = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(fd.as_raw_fd(), &nix::sys::socket::SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    listen(&fd, Backlog::new(0).unwrap()).unwrap();
    let full = TcpListener::from(fd);
    let address = full.local_addr().unwrap();
    let _filling = TcpStream::connect(address).unwrap();
    let port = address.port();
    let result = check(connecting(port..=port).timeout(Duration::from_secs(20))).await;
    assert!(told(&result, Outcome::Errored).contains("not even by a refusal"), "{}", result.message);
    let range = port.saturating_sub(1)..=port;
    let result = check(connecting(range).timeout(Duration::from_secs(20))).await;
    assert_ne!(result.verdict, Outcome::Passed, "{}", result.message);
}

/// The ports that the kernel gives to clients, of which our own connections get some: none of them may meet itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_scan_of_every_port_agrees_with_ss() {
    let listening = || -> BTreeSet<u16> {
        let port = |one: &String| one.rsplit(':').next().unwrap().parse().unwrap();
        let reached = |one: &&String| {
            ["0.0.0.0:", "127.0.0.1:", "*:", "[::ffff:127.0.0.1]:"].iter().any(|at| one.starts_with(at))
        };
        ss("-Hltn").iter().filter(reached).map(port).collect()
    };
    let before = listening();
    let began = Instant::now();
    let result = check(connecting(1..=65535).timeout(Duration::from_secs(60))).await;
    let (took, after) = (began.elapsed(), listening());
    if before.is_empty() && after.is_empty() {
        told(&result, Outcome::Passed);
    }
    let found: BTreeSet<u16> = result.details()["scanned"][0]["open"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| port.as_u64().unwrap() as u16)
        .collect();
    // Other tests have listeners whose queue is full on purpose: those let nobody in.
    let missing = before.intersection(&after).filter(|port| !found.contains(port)).count();
    assert!(missing <= 3, "{found:?} {before:?} {after:?}");
    let extra: Vec<_> = found.iter().filter(|port| !before.contains(port) && !after.contains(port)).collect();
    assert!(extra.len() <= 3, "{extra:?}: what lived between the looks of ss, and no more");
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test]
async fn an_endpoint_is_scanned_where_it_is() {
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = port_of(&open);
    let project = Project::new("test").with(
        EndpointResource::new("far")
            .host("127.0.0.1")
            .port(port)
            .assert(at(port))
            .assert(at(port).except_ports([port])),
    );
    let results = run(project).await;
    assert!(told(&results[0], Outcome::Failed).contains("accepted a connection"), "{}", results[0].message);
    told(&results[1], Outcome::Passed);
}

/// A container that goes with the test.
struct Container(String, Option<String>);

impl Container {
    /// On a network of its own, where the engine puts its resolver into the container.
    fn start(script: &str, options: &[&str]) -> Self {
        let name = format!("cw-ports-{}", std::process::id());
        output("docker", &["network", "create", &name]);
        let container = Self(name.clone(), Some(name.clone()));
        let run = ["run", "--detach", "--name", &name, "--network", &name];
        let image = ["clockwork/busybox:test", "sh", "-c", script];
        output("docker", &[&run[..], options, &image].concat());
        container
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", &self.0]).output();
        if let Some(network) = &self.1 {
            let _ = Command::new("docker").args(["network", "rm", network]).output();
        }
    }
}

#[tokio::test]
async fn a_containers_listeners_are_its_own() {
    let script = "mkdir /www; httpd -p 8080 -h /www; httpd -p 127.0.0.1:9090 -h /www; exec sleep 66.5";
    let container = Container::start(script, &["--publish", "127.0.0.1:0:8080"]);
    let began = Instant::now();
    while output("docker", &["exec", &container.0, "netstat", "-ltn"]).matches("LISTEN").count() < 3 {
        assert!(began.elapsed() < Duration::from_secs(20), "httpd does not come up");
        std::thread::sleep(Duration::from_millis(50));
    }
    let published = output("docker", &["port", &container.0, "8080/tcp"]);
    let published: u16 = published.lines().next().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let before = descriptors();
    let inside = || NoOpenPortsAssert::new();
    let project = || {
        Project::new("test")
            .with(ContainerResource::new("box").container_name(&container.0))
            .assert(inside().at("box"))
            .assert(inside().except_ports([8080]).at("box"))
            .assert(inside().except_ports([8080, 9090]).at("box"))
            .assert(inside().scope(PortScope::Public).except_ports([8080]).at("box"))
            .assert(inside().protocol(Transport::Udp).at("box"))
            .assert(at(published).at("box"))
            .assert(at(published))
    };
    let results = run(project()).await;
    let message = told(&results[0], Outcome::Failed);
    assert!(message.contains("port 8080 is open on 0.0.0.0 and [::] (httpd, pid "), "{message}");
    assert!(message.contains("; port 9090 is open on 127.0.0.1 (httpd, pid "), "{message}");
    assert!(!message.contains("127.0.0.11"), "the engine's resolver is not the container's: {message}");
    assert!(told(&results[1], Outcome::Failed).starts_with("port 9090 "), "{}", results[1].message);
    for result in &results[2..6] {
        told(result, Outcome::Passed);
    }
    // From the host the published port is the engine's proxy, which says for whom.
    let address = output(
        "docker",
        &["inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", &container.0],
    );
    match results[6].verdict {
        Outcome::Failed => {
            let expected = format!(", for the container at {address}:8080)");
            assert!(results[6].message.contains("(docker-proxy, pid "), "{}", results[6].message);
            assert!(results[6].message.contains(&expected), "{}", results[6].message);
        }
        // Without the userland proxy there is no socket.
        _ => assert!(ss("-Hltn").iter().all(|one| !one.ends_with(&format!(":{published}")))),
    }
    for _ in 0..20 {
        run(project()).await;
    }
    assert!(descriptors() <= before + 8, "descriptors leak: {before}, then {}", descriptors());
}

#[tokio::test]
async fn a_container_without_a_network_of_its_own_says_so() {
    let name = format!("cw-hostnet-{}", std::process::id());
    let run_args =
        ["run", "--detach", "--name", &name, "--network", "host", "clockwork/busybox:test", "sleep", "66.5"];
    let container = Container(name.clone(), None);
    output("docker", &run_args);
    let open = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = port_of(&open);
    let project = Project::new("test")
        .with(ContainerResource::new("box").container_name(&name))
        .assert(at(port).at("box"))
        .assert(at(port).except_ports([port]).at("box"));
    let results = run(project).await;
    let note = "(the container has no network of its own: these are this machine's ports)";
    assert!(told(&results[0], Outcome::Failed).contains(note), "{}", results[0].message);
    assert!(told(&results[1], Outcome::Passed).contains(note), "{}", results[1].message);
    drop(container);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_runs() {
    let udp = NoOpenPortsAssert::new().protocol(Transport::Udp);
    for (assertion, problem) in [
        (at(0), "begins with port 0"),
        (
            NoOpenPortsAssert::new().except_range(std::ops::RangeInclusive::new(9, 3)),
            "ends before it begins: 9-3",
        ),
        (udp.host("h"), "UDP has no connections"),
        (NoOpenPortsAssert::new().host("h").scope(PortScope::Public), "connecting cannot tell who else"),
        (
            NoOpenPortsAssert::new().host("h").method(PortMethod::Sockets),
            "the socket table is this machine's",
        ),
        (NoOpenPortsAssert::new().host("http://h"), "is neither a name nor an address"),
    ] {
        let error = Engine::standard().assert(&Project::new("test").assert(assertion)).await.unwrap_err();
        assert!(error.to_string().contains(problem), "{error} for {problem}");
    }
    let manifest =
        r#"{ "except_ports": [22, "8000-8010", [9000, 9001]], "range": "1-1024", "scope": "public" }"#;
    let read: NoOpenPortsAssert = serde_json::from_str(manifest).unwrap();
    let label = clockwork_core::Assertion::label(&read);
    assert_eq!(label, "tcp, 1-1024, public, except 22, 8000-8010, 9000-9001");
}
