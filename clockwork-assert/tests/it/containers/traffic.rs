//! `DependencyGraphAssert` over real containers that talk to each other; their own `netstat` is the witness.

use clockwork_assert::{DependencyGraphAssert, PortAccessibleAssert, ServiceConnectivityAssert, Unused};
use clockwork_core::AssertionExt;

use super::{network::Network, *};

/// Its address in its only network.
fn address(container: &Container) -> String {
    container.inspect("{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}")
}

/// Connects again and again, and holds each connection.
fn holds(address: &str, port: u16) -> String {
    format!("while :; do sleep 300 | nc {address} {port}; sleep 0.2; done")
}

const ECHO: &str = "exec nc -ll -p 5432 -e cat";

/// Waits until the container's own program sees a connection to this address.
fn sees(container: &Container, place: &str, state: &str) {
    let began = Instant::now();
    loop {
        let table = docker(&["exec", &container.0, "netstat", "-tn"]);
        if table.lines().any(|line| line.contains(&format!("{place} ")) && line.contains(state)) {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "{} is not connected to {place}: {table}",
            container.0
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

async fn judged(project: Project, assertion: DependencyGraphAssert) -> Arc<CheckResult> {
    let project = project.assert(assertion.timeout(Duration::from_secs(60)));
    Engine::standard().assert(&project).await.unwrap().results.pop().unwrap()
}

#[track_caller]
fn told(result: &Arc<CheckResult>, verdict: &str, message: &str) {
    assert_eq!(result.verdict.as_str(), verdict, "{message}: {}", result.message);
    assert!(result.message.contains(message), "{message}: {}", result.message);
}

#[tokio::test]
async fn who_talks_to_whom_is_what_is_declared() {
    if !engine() {
        return;
    }
    let net = Network::new("net");
    let on = ["--network", &*net.0];
    let database = Container::run("db", &on, ECHO);
    let place = format!("{}:5432", address(&database));
    let serve = format!("({}) & mkdir /www; exec httpd -f -p 80 -h /www", holds(&address(&database), 5432));
    let api = Container::run("api", &on, &serve);
    let web = Container::run("web", &on, &holds(&address(&api), 80));
    sees(&api, &place, "ESTABLISHED");
    sees(&web, &format!("{}:80", address(&api)), "ESTABLISHED");
    let (db, service, front) = (|| database.resource(), || api.resource(), || web.resource());
    let all = DependencyGraphAssert::new;
    let meant = || {
        Project::new("x").with(db()).with(service().depends_on(&db())).with(front().depends_on(&service()))
    };

    let result = judged(meant(), all()).await;
    told(&result, "passed", "2 relationships, all declared");
    assert_eq!(result.related.len(), 3);
    let connections = &result.details()["connections"];
    assert_eq!(connections[0]["port"], 5432, "{connections}");
    let not = meant().assert(all().timeout(Duration::from_secs(60)).not());
    told(&Engine::standard().assert(&not).await.unwrap().results[0], "failed", "holds, and must not");

    let less = || Project::new("x").with(db()).with(service()).with(front().depends_on(&service()));
    let undeclared = format!("{} reaches {} at port 5432, which is not declared", api.0, database.0);
    told(&judged(less(), all()).await, "failed", &undeclared);
    told(&judged(less(), all().allow(&service(), &db())).await, "passed", "2 relationships");
    let implied = less().assert(ServiceConnectivityAssert::new(&service(), &db()).port(5432));
    told(&judged(implied, all()).await, "passed", "2 relationships");
    let denied = format!("{} reaches {} at port 5432, which is denied", api.0, database.0);
    told(&judged(meant(), all().deny(&service(), &db())).await, "failed", &denied);
    told(&judged(meant(), all().deny(&front(), &db())).await, "passed", "2 relationships");

    let more = || {
        let front = front().depends_on(&service()).depends_on(&db());
        Project::new("x").with(db()).with(service().depends_on(&db())).with(front)
    };
    let unused = format!("{} depends on {}, and no connection was seen in 1 s", web.0, database.0);
    told(&judged(more(), all()).await, "failed", &unused);
    let result = judged(more(), all().unused(Unused::Ignore)).await;
    told(&result, "passed", "2 relationships");
    assert_eq!(result.details()["unused"][0], format!("{} → {}", web.0, database.0));

    // What a check of ours does inside a container is not the container's.
    let looks = front()
        .depends_on(&service())
        .assert(PortAccessibleAssert::new(5432).host(address(&database)).at(&*web.0));
    let project = Project::new("x").with(db()).with(service().depends_on(&db())).with(looks);
    told(&judged(project, all()).await, "passed", "2 relationships");
    sees(&web, &place, "TIME_WAIT");

    let gone = Container::make(&["create"], "gone", &[], "true");
    let project = meant().with(gone.resource());
    told(&judged(project, all()).await, "failed", "does not run (it is created)");
    told(&judged(Project::new("x"), all()).await, "errored", "the project has no containers");
}

#[tokio::test]
async fn short_connections_published_ports_and_shared_networks_are_followed() {
    if !engine() {
        return;
    }
    let (back, front) = (Network::new("back"), Network::new("front"));
    let database = Container::run("db", &["--network", &back.0, "-p", "5432"], ECHO);
    let (inner, port) = (
        address(&database),
        database.inspect("{{(index (index .NetworkSettings.Ports \"5432/tcp\") 0).HostPort}}"),
    );
    let port: u16 = port.parse().unwrap();
    let gateway = docker(&["network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", &front.0]);
    let all = || DependencyGraphAssert::new().over(Duration::from_millis(300));
    let alone = |other: &Container| Project::new("x").with(database.resource()).with(other.resource());
    let undeclared = |from: &Container, verb: &str, port: u16| {
        format!("{} {verb} {} at port {port}, which is not declared", from.0, database.0)
    };

    // Over before we look.
    let script = format!("until echo | nc -w 5 {inner} 5432; do sleep 0.1; done; exec sleep 300");
    let short = Container::run("short", &["--network", &back.0], &script);
    sees(&short, &format!("{inner}:5432"), "TIME_WAIT");
    told(&judged(alone(&short), all()).await, "failed", &undeclared(&short, "reached", 5432));

    // From another network, by the port that the host publishes.
    let far = Container::run("far", &["--network", &front.0], &holds(&gateway, port));
    sees(&far, &format!("{gateway}:{port}"), "ESTABLISHED");
    told(&judged(alone(&far), all()).await, "failed", &undeclared(&far, "reaches", port));

    // From the host's network, where other processes are, too.
    let hosted = Container::run("hosted", &["--network", "host"], &holds(&inner, 5432));
    sees(&hosted, &format!("{inner}:5432"), "ESTABLISHED");
    told(&judged(alone(&hosted), all()).await, "failed", &undeclared(&hosted, "reaches", 5432));

    // Two in one network: it is the one whose process it is.
    let host = Container::run("pod", &["--network", &back.0], "exec sleep 300");
    let of_it = format!("container:{}", host.0);
    let side = Container::run("side", &["--network", &of_it], &holds(&inner, 5432));
    sees(&side, &format!("{inner}:5432"), "ESTABLISHED");
    let result = judged(alone(&side).with(host.resource()), all()).await;
    told(&result, "failed", &undeclared(&side, "reaches", 5432));
    assert!(!result.message.contains(&host.0), "{}", result.message);
}
