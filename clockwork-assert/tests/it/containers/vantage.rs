//! Every state that a container can be looked from in, every way into it, and what is left behind.

use std::os::unix::fs::PermissionsExt;

use clockwork_assert::{
    DnsResolveAssert, HealthcheckAssert, PortAccessibleAssert, Protocol, ServiceConnectivityAssert,
    SslCertificateAssert, TcpResponseAssert,
};
use clockwork_core::{AssertionExt, IntoAssertion, Matcher};

use super::{network::Network, *};

const WEB: &str = "mkdir /www; echo ok > /www/index.html; exec httpd -f -p 80 -h /www";

fn wait_for_web(from: &Container, address: &str) {
    let began = Instant::now();
    while !run(&["exec", &from.0, "nc", "-w", "5", address, "80"]).status.success() {
        assert!(began.elapsed() < Duration::from_secs(60), "the web server does not come up");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn address_in(container: &Container, network: &Network, field: &str) -> String {
    container.inspect(&format!("{{{{(index .NetworkSettings.Networks \"{}\").{field}}}}}", network.0))
}

#[tokio::test]
async fn every_state_has_its_verdict_at_once() {
    if !engine() {
        return;
    }
    let network = Network::new("states");
    let on = ["--network", &network.0];
    let web = Container::run("web", &on, WEB);
    let running = Container::run("running", &on, "exec sleep 300");
    let paused = Container::run("paused", &on, "exec sleep 300");
    let ended = Container::run("ended", &on, "exit 3");
    let restarts = Container::run("restarts", &[&on[..], &["--restart", "always"]].concat(), "exit 3");
    docker(&["pause", &paused.0]);
    ended.wait_until("{{.State.Status}}", "exited");
    restarts.wait_until("{{.State.Status}}", "restarting");
    wait_for_web(&running, &address_in(&web, &network, "IPAddress"));
    let open = || PortAccessibleAssert::new(80).host(&web.0);
    let mut project = Project::new("test");
    for container in [&running, &paused, &ended] {
        project = project.with(container.resource());
    }
    project = project.assert(open().at(&*running.0)).assert(open().at(&*paused.0));
    project = project.assert(open().at(&*ended.0)).assert(open().at(&*ended.0).not());
    let report = Engine::standard().assert(&project).await.unwrap();
    let told: Vec<_> = report.results.iter().map(|one| (one.verdict.as_str(), &*one.message)).collect();
    // A container's network is there while it is paused: nobody in it moves, and its way to others is as it was.
    assert_eq!(
        [told[0].0, told[1].0, told[2].0, told[3].0],
        ["passed", "passed", "failed", "errored"],
        "{told:#?}"
    );
    assert!(told[2].1.contains("its container is exited"), "{told:#?}");
    let ways: Vec<_> = report.results.iter().map(|one| one.details()["vantage"].clone()).collect();
    assert_eq!(ways[0], serde_json::json!({ &*running.0: "namespace" }));
    // Between two starts there is nothing to look from; while it runs for a moment, there is.
    let project = Project::new("test").with(restarts.resource()).assert(open().at(&*restarts.0).not());
    let report = Engine::standard().assert(&project).await.unwrap();
    assert_ne!(report.results[0].verdict.as_str(), "passed", "{report}");
}

#[tokio::test]
async fn several_networks_and_ipv6() {
    if !engine() {
        return;
    }
    let subnet = format!("fd00:c10c:{:x}::/64", std::process::id() & 0xffff);
    let six = Container::name("six");
    docker(&["network", "create", "--ipv6", "--subnet", &subnet, &six]);
    let (six, other) = (Network(six), Network::new("other"));
    let web = Container::run("web", &["--network", &six.0], &WEB.replace("-p 80", "-p [::]:80"));
    let far = Container::run("far", &["--network", &other.0], WEB);
    let both = Container::run("both", &["--network", &six.0], "exec sleep 300");
    docker(&["network", "connect", &other.0, &both.0]);
    wait_for_web(&both, &address_in(&far, &other, "IPAddress"));
    let v6 = address_in(&web, &six, "GlobalIPv6Address");
    let project = Project::new("test")
        .with(both.resource())
        .assert(PortAccessibleAssert::new(80).host(&v6).at(&*both.0).within(Duration::from_secs(60)))
        .assert(PortAccessibleAssert::new(80).host(&web.0).at(&*both.0))
        .assert(PortAccessibleAssert::new(80).host(&far.0).at(&*both.0))
        .assert(
            DnsResolveAssert::new(&web.0).expected_ip(v6.parse::<std::net::IpAddr>().unwrap()).at(&*both.0),
        );
    let report = Engine::standard().assert(&project).await.unwrap();
    assert!(report.passed(), "{report}");
}

/// Forty networks under two hundred names: no thread, no namespace and no descriptor is left when the run is over.
#[tokio::test]
async fn two_hundred_vantages_leave_nothing_behind() {
    if !engine() {
        return;
    }
    let boxes: Vec<_> =
        (0..40).map(|_| Container::run("many", &["--network", "none"], "exec sleep 600")).collect();
    let mut project = Project::new("test");
    for (number, container) in boxes.iter().enumerate() {
        for place in 0..5 {
            let name = format!("place-{number}-{place}");
            let resource = ContainerResource::new(&name).container_name(&container.0);
            let refused = PortAccessibleAssert::new(1000).at(&*name).not();
            project = project
                .with(resource.assert(refused).assert(PortAccessibleAssert::new(1001).at(&*name).not()));
        }
    }
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        // The runtime keeps its own for a while.
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| !name.starts_with("tokio-")).count()
    };
    let report = Engine::standard().assert(&project).await.unwrap();
    assert!(report.passed(), "{report}");
    let before = (threads(), descriptors());
    for _ in 0..3 {
        let report = Engine::standard().assert(&project).await.unwrap();
        assert!(report.passed(), "{report}");
    }
    let began = Instant::now();
    while threads() > before.0 || descriptors() > before.1 {
        let now = (threads(), descriptors());
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "{before:?} threads and descriptors became {now:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A database is asked from inside like everything else, also by the client that insists on connecting by itself.
#[cfg(feature = "mysql")]
#[tokio::test]
async fn mysql_is_asked_from_inside() {
    use clockwork_assert::{DataConsistencyAssert, DataSide, DatabaseConnectionAssert, RowCountAssert};
    if !engine() {
        return;
    }
    let server = crate::databases::mariadb_server::MariaDb::start(true);
    let inside = Container::run("inside", &["--network", "host"], "exec sleep 300");
    let alone = Container::run("alone", &[], "exec sleep 300");
    let connection =
        clockwork_drivers::sql::Connection { host: "127.0.0.1".into(), ..server.as_user("admin") };
    let enters = || DatabaseConnectionAssert::new().connection(connection.clone());
    let rows = RowCountAssert::new("users").connection(connection.clone()).min(10).max(10);
    let side = || DataSide::at(connection.clone(), "SELECT id FROM users");
    let project = Project::new("test")
        .with(inside.resource())
        .with(alone.resource())
        .assert(enters().at(&*inside.0))
        .assert(rows.clone().at(&*inside.0))
        .assert(enters().at(&*alone.0)) // its own loopback, where nobody is
        .assert(enters())
        .assert(DataConsistencyAssert::new(side(), side(), "id").at(&*inside.0));
    let report = Engine::standard().assert(&project).await.unwrap();
    let told: Vec<_> = report.results.iter().map(|one| (one.verdict.as_str(), &*one.message)).collect();
    assert_eq!(
        told.iter().map(|(verdict, _)| *verdict).collect::<Vec<_>>(),
        ["passed", "passed", "failed", "passed", "passed"],
        "{told:#?}"
    );
    assert!(told[0].1.contains("with TLS") && told[2].1.contains("refused the connection"), "{told:#?}");
}

/// A user who may use the engine and nothing else, and a program that is no helper: the target's own tools have to do.
#[test]
fn the_last_way_is_what_the_target_has() {
    if !engine() || run(&["info"]).status.code() != Some(0) {
        return;
    }
    let network = Network::new("last");
    let web = Container::run("web", &["--network", &network.0, "--network-alias", "database"], WEB);
    let near = Container::run("near", &["--network", &network.0], "exec sleep 300");
    wait_for_web(&near, &address_in(&web, &network, "IPAddress"));
    // An image with one program and no shell.
    let bare = Bare::new();
    let bare_container = Container(Container::name("bare"));
    let make = ["run", "-d", "--name", &bare_container.0, "--network", &network.0, "--stop-timeout", "0"];
    docker(&[&make[..], &[&bare.0, "/busybox", "sleep", "300"]].concat());

    let (_kept, directory) = crate::run::directory();
    let binary = directory.join("it");
    std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    std::fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).unwrap();
    let group = crate::run::output("stat", &["--format=%g", "/var/run/docker.sock"]);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", &format!("--groups={group}")]).arg(binary);
    command.args(["--exact", "containers::vantage::by_exec", "--ignored", "--nocapture"]).current_dir("/");
    command.env("NEAR", &near.0).env("BARE", &bare_container.0);
    command.env("WEB", address_in(&web, &network, "IPAddress"));
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}\n{stderr}");
}

/// An image without a shell.
struct Bare(String);

impl Bare {
    fn new() -> Self {
        let name = format!("clockwork/bare:{}", std::process::id());
        let script = format!(
            "cd $(mktemp -d) && cp $(command -v busybox || echo /bin/busybox) busybox && tar -c busybox | docker import - {name}"
        );
        crate::run::output("sh", &["-c", &script]);
        Self(name)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        run(&["rmi", "--force", &self.0]);
    }
}

#[tokio::test]
#[ignore = "run by the_last_way_is_what_the_target_has, as another user"]
async fn by_exec() {
    let [near, bare, web_is] = ["NEAR", "BARE", "WEB"].map(|name| std::env::var(name).unwrap());
    let patient = Duration::from_secs(60);
    let at = |assertion: clockwork_core::Declared| assertion.at(&*near).timeout(patient);
    let web = || HealthcheckAssert::new(format!("http://{web_is}/")).body(Matcher::equals("ok\n"));
    let greets = TcpResponseAssert::new(&web_is, 80)
        .send("GET / HTTP/1.0\r\n\r\n")
        .expect(Matcher::starts_with("HTTP/1."));
    let project = Project::new("test")
        .with(ContainerResource::new(&near))
        .with(ContainerResource::new(&bare))
        .assert(at(web().into_assertion()))
        .assert(at(PortAccessibleAssert::new(81).host(&web_is).into_assertion()))
        .assert(at(PortAccessibleAssert::new(81).host(&web_is).not()))
        .assert(at(greets.into_assertion()))
        .assert(at(SslCertificateAssert::new(format!("https://{web_is}:80")).into_assertion()))
        .assert(at(PortAccessibleAssert::new(80).host("nowhere").into_assertion()))
        .assert(PortAccessibleAssert::new(80).host(&web_is).at(&*bare).timeout(patient))
        .assert(PortAccessibleAssert::new(80).host(&web_is).at(&*bare).not().timeout(patient))
        .assert(
            ServiceConnectivityAssert::new(&*near, &*bare).port(80).protocol(Protocol::Http).timeout(patient),
        );
    let results = Engine::standard().assert(&project).await.unwrap().results;
    let told: Vec<_> = results.iter().map(|one| (one.verdict.as_str(), &*one.message)).collect();
    for (index, (verdict, words)) in [
        ("passed", ""),
        ("failed", ":81 refused the connection"),
        ("passed", ":81 refused the connection"),
        ("passed", ""),
        ("failed", "TLS"),
        ("errored", "knows no UDP"),
        (
            "errored",
            "no helper container: no program was given for it; no relay of its own: its image has neither",
        ),
        ("errored", "CAP_SYS_ADMIN"),
        ("errored", "knows no UDP"),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(told[index].0, verdict, "{index}: {told:#?}");
        assert!(told[index].1.contains(words), "{index}: {words}: {told:#?}");
    }
    assert_eq!(results[0].details()["vantage"], serde_json::json!({ &*near: "exec" }));
}
