//! RabbitMQ, with the clients of `amqp-tools`; `rabbitmqctl` is the witness. The server is heavy: one test, one server.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use clockwork_assert::{Broker, BrokerEngine, QueueConsumerAssert};
use clockwork_core::{AssertionExt, prelude::*};
use clockwork_drivers::EndpointResource;
use tempfile::TempDir;

use super::{fails, is_blind, passes, secret};
use crate::{
    databases::daemon::{Daemon, as_nobody, free_port, give, wait_until},
    run::{directory, output},
};

const PROGRAMS: &str = "/usr/lib/rabbitmq/bin";

/// A broker with its own name server, directories and cookie, which ends with the test.
struct Rabbit {
    port: u16,
    directory: PathBuf,
    environment: Vec<(&'static str, String)>,
    server: Child,
    _names: Daemon,
    _kept: TempDir,
}

impl Rabbit {
    fn start() -> Self {
        assert!(Path::new(PROGRAMS).exists(), "rabbitmq-server: scripts/test.sh installs it");
        let (kept, directory) = directory();
        for name in ["data", "log", "home"] {
            std::fs::create_dir(directory.join(name)).unwrap();
        }
        give(&directory);
        let (port, names, distribution) = (free_port(), free_port(), free_port());
        let at = |name: &str| directory.join(name).to_str().unwrap().to_owned();
        let environment = vec![
            ("ERL_EPMD_PORT", names.to_string()),
            ("ERL_EPMD_ADDRESS", String::from("127.0.0.1")),
            ("HOME", at("home")),
            ("HOSTNAME", String::from("localhost")),
            ("RABBITMQ_CONFIG_FILE", at("none")),
            ("RABBITMQ_CONF_ENV_FILE", at("none")),
            ("RABBITMQ_DIST_PORT", distribution.to_string()),
            ("RABBITMQ_ENABLED_PLUGINS_FILE", at("plugins")),
            ("RABBITMQ_LOG_BASE", at("log")),
            ("RABBITMQ_MNESIA_BASE", at("data")),
            ("RABBITMQ_NODENAME", format!("cw{}@localhost", std::process::id())),
            ("RABBITMQ_NODE_IP_ADDRESS", String::from("127.0.0.1")),
            ("RABBITMQ_NODE_PORT", port.to_string()),
            ("RABBITMQ_PID_FILE", at("pid")),
            ("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", String::from("+S 1:1 +sbwt none")),
        ];
        let epmd = Daemon::start(
            Path::new("epmd"),
            &["-port", &names.to_string(), "-address", "127.0.0.1"].map(String::from),
            &directory.join("epmd.log"),
        );
        let log = directory.join("server.log");
        wait_until("epmd", &directory.join("epmd.log"), || {
            std::net::TcpStream::connect(("127.0.0.1", names)).is_ok()
        });
        // A script, a virtual machine and its helpers: in a process namespace of their own, they end together.
        let mut command = match output("id", &["-u"]) == "0" {
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child"]);
                let inner = as_nobody();
                command.arg(inner.get_program()).args(inner.get_args());
                command
            }
            false => as_nobody(),
        };
        let out = File::create(&log).unwrap();
        command
            .arg(format!("{PROGRAMS}/rabbitmq-server"))
            .envs(environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(&directory).stdin(Stdio::null()).stderr(out.try_clone().unwrap()).stdout(out);
        let server = command.spawn().unwrap();
        let rabbit = Self { port, directory, environment, server, _names: epmd, _kept: kept };
        let began = std::time::Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(180), "RabbitMQ does not come up: {said}");
            std::thread::sleep(Duration::from_millis(100));
        }
        rabbit
    }

    fn ctl(&self, words: &[&str]) -> String {
        let mut command = as_nobody();
        command.arg(format!("{PROGRAMS}/rabbitmqctl")).arg("-q").args(words);
        command.envs(self.environment.iter().map(|(name, value)| (name, value))).current_dir(&self.directory);
        let output = command.stdin(Stdio::null()).output().unwrap();
        assert!(
            output.status.success(),
            "rabbitmqctl {words:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn url(&self) -> String {
        format!("amqp://127.0.0.1:{}", self.port)
    }

    fn broker(&self) -> Broker {
        Broker::new(BrokerEngine::Amqp).host("127.0.0.1").port(self.port)
    }

    fn queue(&self, name: &str) -> QueueConsumerAssert {
        QueueConsumerAssert::at_broker(name, self.broker())
    }

    fn consumer(&self) -> Daemon {
        let words = ["-u", &self.url(), "-q", "orders", "-p", "1", "sleep", "300"].map(String::from);
        Daemon::start(Path::new("amqp-consume"), &words, &self.directory.join("consumer.log"))
    }
}

impl Drop for Rabbit {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_queue_of_rabbitmq_is_consumed_or_not() {
    let rabbit = Rabbit::start();
    let orders = || rabbit.queue("orders");
    let message = fails(orders()).await;
    assert!(message.contains("NOT_FOUND - no queue 'orders' in vhost '/'"), "{message}");
    let missing = orders().timeout(Duration::from_secs(60)).not();
    assert_eq!(crate::run::check(missing).await.verdict, clockwork_core::Outcome::Errored);

    output("amqp-declare-queue", &["-u", &rabbit.url(), "-d", "-q", "orders"]);
    for _ in 0..3 {
        output("amqp-publish", &["-u", &rabbit.url(), "-r", "orders", "-b", "an order"]);
    }
    let witness =
        || rabbit.ctl(&["list_queues", "--no-table-headers", "name", "messages_ready", "consumers"]);
    assert_eq!(witness(), "orders\t3\t0");
    assert_eq!(fails(orders()).await, "nobody consumes the queue \"orders\"");
    assert_eq!(fails(orders().consumers(0).max_backlog(2)).await, "3 messages wait, at most 2 expected");
    passes(orders().consumers(0).max_backlog(3)).await;

    // Each of two consumers takes one, and is busy with it.
    let workers = [rabbit.consumer(), rabbit.consumer()];
    let began = std::time::Instant::now();
    while witness() != "orders\t1\t2" {
        assert!(began.elapsed() < Duration::from_secs(90), "{}", witness());
    }
    assert_eq!(passes(orders().consumers(2).max_backlog(1)).await, "2 consumers, 1 message waits");
    assert_eq!(fails(orders().consumers(3)).await, "2 of 3 consumers are at the queue \"orders\"");
    passes(orders().max_growth(0, Duration::from_millis(300))).await;

    // As a resource of the project, which waits for that.
    let endpoint = EndpointResource::new("rabbit").host("127.0.0.1").port(rabbit.port);
    let by_url = format!(
        "project: x\nassertions:\n  - QueueConsumerAssert: {{ queue: orders, broker: \"{}\" }}\n    timeout: 60s\n  - \
         QueueConsumerAssert: {{ queue: orders, broker: {{ engine: rabbitmq, host: 127.0.0.1, port: {} }} }}\n    \
         timeout: 60s\n",
        rabbit.url(),
        rabbit.port
    );
    let engine = Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
    let engine = engine.build().unwrap();
    let manifest = clockwork_core::ManifestInput::new("clockwork.yaml", by_url);
    let project = engine.read_manifest(&manifest, &|_| None).unwrap();
    let report = engine.assert(&project).await.unwrap();
    assert!(report.passed(), "{report}");
    let unsaid = QueueConsumerAssert::new("orders", &endpoint).timeout(Duration::from_secs(60));
    let report = engine.assert(&Project::new("x").with(endpoint).assert(unsaid)).await.unwrap();
    assert!(report.results[0].message.contains("cannot tell what broker rabbit is"), "{report}");
    assert_eq!(report.results[0].related.len(), 1);
    drop(workers);

    // Who may not, and where nothing is.
    rabbit.ctl(&["add_user", "app", "canary"]);
    rabbit.ctl(&["add_vhost", "shop"]);
    rabbit.ctl(&["set_permissions", "app", "nothing", "nothing", "nothing"]);
    let by = |password: &str, vhost: &str| {
        let broker = rabbit.broker().user("app").password(secret(password)).vhost(vhost);
        QueueConsumerAssert::at_broker("orders", broker)
    };
    assert!(is_blind(by("canary2", "/")).await.contains("refused the credentials: \"ACCESS_REFUSED"));
    let message = is_blind(by("canary", "shop")).await;
    assert!(
        message.contains("does not open the virtual host \"shop\": \"NOT_ALLOWED - access to vhost"),
        "{message}"
    );
    let message = fails(by("canary", "nowhere")).await;
    assert!(
        message.contains("does not open the virtual host \"nowhere\"") && message.contains("not found"),
        "{message}"
    );
    let shop = QueueConsumerAssert::at_broker("orders", rabbit.broker().vhost("/"));
    fails(shop.consumers(9)).await;
}
