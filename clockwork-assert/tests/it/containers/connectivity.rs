//! One service reaches another, and if not, at which step it ends. A container is the first, real servers are the other.

use std::process::{Child, Stdio};

use clockwork_assert::{Protocol, ServiceConnectivityAssert};
use clockwork_core::{AssertionExt, IntoAssertion, Secret};
use clockwork_drivers::EndpointResource;

use super::{network::Network, *};

/// A Redis of this machine, which asks for a password.
struct Redis(Child, u16);

impl Redis {
    fn start(address: &str) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let arguments = ["--bind", address, "--save", "", "--requirepass", "canary", "--port"];
        let mut command = Command::new("redis-server");
        let command = command.args(arguments).arg(port.to_string());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        let redis = Self(child.expect("redis-server: scripts/test.sh installs it"), port);
        let began = Instant::now();
        while std::net::TcpStream::connect((address, port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "redis-server does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        redis
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_step_that_failed_is_named() {
    if !engine() {
        return;
    }
    let (front, back) = (Network::new("front"), Network::new("back"));
    let gateway = docker(&["network", "inspect", "--format", "{{(index .IPAM.Config 0).Gateway}}", &back.0]);
    let host = format!("cache.internal:{gateway}");
    let redis = Redis::start(&gateway);
    let page = "mkdir /www; echo ok > /www/index.html; exec httpd -f -p 80 -h /www";
    let web = Container::run("web", &["--network", &back.0], page);
    let api = Container::run("api", &["--network", &back.0, "--add-host", &host], "exec sleep 300");
    let far = Container::run("far", &["--network", &front.0], "exec sleep 300");
    let lone = Container::run("lone", &[], "exec sleep 300");
    let gone = Container::make(&["create"], "gone", &[], "true");
    while !run(&["exec", &api.0, "nc", "-w", "5", &web.0, "80"]).status.success() {
        std::thread::sleep(Duration::from_millis(50));
    }

    let cache = EndpointResource::new("cache").host("cache.internal").port(redis.1);
    let nowhere = EndpointResource::new("nowhere").host("2001:db8::1").port(80);
    let resources = [&web, &api, &far, &lone, &gone].map(Container::resource);
    let to = |from: &Container, to: &str| ServiceConnectivityAssert::new(&*from.0, to);
    let password = |text: &str| Secret::from(clockwork_core::SecretString::from(text.to_owned()));
    let table = [
        (to(&api, &web.0).port(80).into_assertion(), "passed", "accepted the connection"),
        (to(&api, &web.0).protocol(Protocol::Http).into_assertion(), "passed", "speaks HTTP"),
        (to(&api, "cache").protocol(Protocol::Redis).into_assertion(), "passed", "speaks Redis"),
        (
            to(&api, "cache").protocol(Protocol::Redis).credentials("", password("canary")).into_assertion(),
            "passed",
            "speaks Redis and accepted the credentials",
        ),
        (
            to(&api, "cache").protocol(Protocol::Redis).credentials("", password("canary2")).into_assertion(),
            "failed",
            "at the step authentication: ",
        ),
        (
            to(&api, &web.0).port(80).protocol(Protocol::Redis).into_assertion(),
            "failed",
            "at the step protocol: ",
        ),
        (to(&api, &web.0).port(81).into_assertion(), "failed", "at the step connect: "),
        (to(&api, "nowhere").into_assertion(), "failed", "at the step route: "),
        (to(&api, &far.0).port(80).into_assertion(), "failed", "at the step name: "),
        (to(&api, &far.0).port(80).into_assertion(), "failed", "they share no network: "),
        (to(&lone, &gone.0).port(80).into_assertion(), "failed", "at the step name: "),
        (to(&far, &web.0).port(80).not(), "passed", "they share no network: "),
        (to(&gone, &web.0).port(80).into_assertion(), "failed", "its container is created"),
        (to(&gone, &web.0).port(80).not(), "errored", "its container is created"),
        (to(&api, &web.0).into_assertion(), "errored", "cannot tell at which port"),
    ];
    let table: Vec<(clockwork_core::Declared, &str, &str)> = table.into();
    let mut project = Project::new("test").with(cache).with(nowhere);
    for resource in resources {
        project = project.with(resource);
    }
    for (assertion, ..) in &table {
        project = project.assert(assertion.clone());
    }
    let report = Engine::standard().assert(&project).await.unwrap();
    assert!(!report.to_string().contains("canary"), "{report}");
    for (result, (_, verdict, message)) in report.results.iter().zip(&table) {
        assert_eq!(result.verdict.as_str(), *verdict, "{message}: {}", result.message);
        assert!(result.message.contains(message), "{message}: {}", result.message);
    }
    let refused = &report.results[4];
    assert_eq!(refused.details()["step"], "authentication");
    assert_eq!(refused.related.len(), 2, "{:?}", refused.related);
}
