//! Looking from inside a container's network, compared with what its own programs see.

use clockwork_assert::{DnsResolveAssert, HealthcheckAssert, PortAccessibleAssert, ResponseTimeAssert};
use clockwork_core::{AssertionExt, Matcher};

use super::*;

/// A network that is removed whatever happens. Make it before the containers that are in it.
pub(super) struct Network(pub(super) String);

impl Network {
    pub(super) fn new(what: &str) -> Self {
        let name = Container::name(what);
        docker(&["network", "create", &name]);
        Self(name)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        run(&["network", "rm", &self.0]);
    }
}

#[tokio::test]
async fn ports_and_names_as_a_container_sees_them() {
    if !engine() {
        return;
    }
    let (front, back) = (Network::new("front"), Network::new("back"));
    let web = "mkdir /www; echo ok > /www/index.html; exec httpd -f -p 80 -h /www";
    let server = Container::run("web", &["--network", &back.0, "--network-alias", "database"], web);
    let near = Container::run("near", &["--network", &back.0], "exec sleep 300");
    let far = Container::run("far", &["--network", &front.0], "exec sleep 300");
    let host = Container::run("host", &["--network", "host"], "exec sleep 300");
    let gone = Container::make(&["create"], "gone", &["--network", &back.0], "true");
    // The witnesses: the container's own programs. (Its `wget` cannot be used: static, it breaks on names.)
    let works =
        |from: &Container, words: &[&str]| run(&[&["exec", &from.0], words].concat()).status.success();
    let address = server.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}");
    let began = Instant::now();
    while !works(&near, &["nc", "-w", "5", &address, "80"]) {
        assert!(began.elapsed() < Duration::from_secs(30), "the web server does not come up");
    }
    assert!(
        works(&near, &["nslookup", "-type=a", "database"])
            && !works(&far, &["nslookup", "-type=a", "database"])
    );

    let open = |place: &str| PortAccessibleAssert::new(80).host(place);
    let resolves = |name: &str| DnsResolveAssert::new(name);
    let project = Project::new("test")
        .with(near.resource())
        .with(far.resource())
        .with(host.resource())
        .with(gone.resource())
        .assert(open("database").at(&*near.0))
        .assert(open(&server.0).at(&*near.0))
        .assert(open(&address).at(&*near.0))
        .assert(PortAccessibleAssert::new(81).host("database").at(&*near.0))
        .assert(PortAccessibleAssert::new(80).at(&*near.0)) // its own localhost
        .assert(PortAccessibleAssert::new(80).at(&*near.0).not())
        .assert(resolves("database").expected_ip(address.parse::<std::net::IpAddr>().unwrap()).at(&*near.0))
        .assert(HealthcheckAssert::new("http://database/").body(Matcher::equals("ok\n")).at(&*near.0))
        .assert(HealthcheckAssert::new("http://database/").at(&*near.0))
        .assert(ResponseTimeAssert::new("http://database/", 2000).at(&*near.0))
        .assert(HealthcheckAssert::new("http://database/").at(&*far.0))
        .assert(open("database").at(&*far.0))
        .assert(open("database").at(&*far.0).not()) // a name without an address proves nothing
        .assert(open(&address).at(&*host.0)) // the host's network is the host's
        .assert(open(&address).at(&*gone.0))
        .assert(open(&address).at(&*gone.0).not());
    let results = Engine::standard().assert(&project).await.unwrap().results;
    let told: Vec<_> = results.iter().map(|result| (result.verdict.as_str(), &*result.message)).collect();
    for (index, (verdict, message)) in [
        ("passed", format!("{address}:80 accepted the connection")),
        ("passed", format!("{address}:80 accepted the connection")),
        ("passed", format!("{address}:80 accepted the connection")),
        ("failed", format!("{address}:81 refused the connection")),
        ("failed", String::from("127.0.0.1:80 refused the connection")),
        ("passed", String::from("127.0.0.1:80 refused the connection")),
        ("passed", String::new()),
        ("passed", String::new()),
        ("passed", String::new()),
        ("passed", String::new()),
        ("failed", format!("\"database\" does not resolve to an address inside {}", far.0)),
        ("failed", format!("\"database\" does not resolve to an address inside {}", far.0)),
        ("errored", format!("\"database\" does not resolve to an address inside {}", far.0)),
        ("passed", format!("{address}:80 accepted the connection")),
        ("failed", format!("cannot look from inside {}: its container is created", gone.0)),
        ("errored", format!("cannot look from inside {}: its container is created", gone.0)),
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(told[index].0, verdict, "{index}: {told:#?}");
        assert!(told[index].1.contains(&message), "{index}: {message}: {told:#?}");
    }
    assert!(results[0].at.starts_with("cw-test-"), "{}", results[0].at);
}

/// Hundreds of checks from several vantages leave no thread and no descriptor behind.
#[tokio::test]
async fn looking_from_inside_leaves_nothing_behind() {
    if !engine() {
        return;
    }
    let boxes: Vec<_> = (0..4).map(|_| Container::run("box", &[], "exec sleep 300")).collect();
    let mut project = Project::new("test");
    for container in &boxes {
        let mut resource = container.resource();
        for port in 1000..1050 {
            resource = resource.assert(PortAccessibleAssert::new(port).at(&*container.0).not());
        }
        project = project.with(resource);
    }
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        names.filter(|name| name.trim() == "namespaces").count()
    };
    let namespaces = || {
        let open = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        let targets = open.filter_map(|fd| std::fs::read_link(fd.path()).ok());
        targets.filter(|target| target.to_string_lossy().starts_with("net:[")).count()
    };
    for _ in 0..3 {
        let report = Engine::standard().assert(&project).await.unwrap();
        assert!(report.passed(), "{report}");
    }
    let began = Instant::now();
    while (threads(), namespaces()) != (0, 0) {
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "{} threads, {} namespaces",
            threads(),
            namespaces()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
