//! Redis streams; `redis-cli` makes them, and is the witness.

use std::{path::Path, time::Duration};

use clockwork_assert::{Broker, BrokerEngine, QueueConsumerAssert};
use tempfile::TempDir;

use clockwork_core::Outcome;

use super::{fails, is_blind, passes, secret};
use crate::{
    databases::daemon::{Daemon, free_port, wait_until},
    run::{check, directory, output, told},
};

struct Redis {
    port: u16,
    _running: Daemon,
    _directory: TempDir,
}

impl Redis {
    fn start() -> Self {
        let (kept, directory) = directory();
        let (port, log) = (free_port(), directory.join("log"));
        let words = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--port"];
        let mut words: Vec<_> = words.map(String::from).into();
        words.push(port.to_string());
        let running = Daemon::start(Path::new("redis-server"), &words, &log);
        wait_until("Redis", &log, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { port, _running: running, _directory: kept }
    }

    fn cli(&self, words: &[&str]) -> String {
        output("redis-cli", &[&["-p", &self.port.to_string()], words].concat())
    }

    fn stream(&self, name: &str) -> QueueConsumerAssert {
        QueueConsumerAssert::at_broker(name, self.broker())
    }

    fn broker(&self) -> Broker {
        Broker::new(BrokerEngine::Redis).host("127.0.0.1").port(self.port)
    }
}

#[tokio::test]
async fn a_stream_of_redis_is_consumed_or_not() {
    let redis = Redis::start();
    let orders = || redis.stream("orders");
    assert!(fails(orders()).await.contains("has no such stream: \"ERR no such key\""));
    redis.cli(&["SET", "text", "x"]);
    assert!(fails(redis.stream("text")).await.contains("but something else"));

    for number in 0..5 {
        redis.cli(&["XADD", "orders", "*", "number", &number.to_string()]);
    }
    assert_eq!(fails(orders()).await, "nobody consumes the stream \"orders\"");
    assert_eq!(fails(orders().consumers(0).max_backlog(4)).await, "5 messages wait, at most 4 expected");
    redis.cli(&["XGROUP", "CREATE", "orders", "billing", "0"]);
    redis.cli(&["XGROUP", "CREATE", "orders", "mail", "$"]);
    assert_eq!(fails(orders()).await, "nobody consumes the stream \"orders\"");
    assert!(fails(orders().group("nobody's")).await.contains("no group \"nobody's\" of it"));

    // One consumer has two messages and acknowledges one of them: four wait.
    let read =
        redis.cli(&["XREADGROUP", "GROUP", "billing", "worker", "COUNT", "2", "STREAMS", "orders", ">"]);
    let first = read.lines().find(|line| line.contains('-')).unwrap().to_owned();
    redis.cli(&["XACK", "orders", "billing", &first]);
    let witness = redis.cli(&["XINFO", "GROUPS", "orders"]);
    let lines: Vec<_> = witness.lines().collect();
    let field =
        |name: &str| lines[lines.iter().position(|line| *line == name).unwrap() + 1].parse::<u64>().unwrap();
    assert_eq!((field("pending"), field("lag")), (1, 3));
    assert_eq!(passes(orders().max_backlog(4)).await, "1 consumer, 4 messages wait");
    assert_eq!(passes(orders().group("billing").max_backlog(4)).await, "1 consumer, 4 messages wait");
    assert_eq!(fails(orders().max_backlog(3)).await, "4 messages wait for \"billing\", at most 3 expected");
    assert_eq!(fails(orders().group("mail")).await, "nobody consumes the stream \"orders\"");
    passes(orders().group("mail").consumers(0).max_backlog(0)).await;

    // Whoever is gone stays in the list; what they have not acknowledged grows old.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let message = fails(orders().max_idle(Duration::from_millis(500))).await;
    assert!(message.contains("; the consumer \"worker\" asked for nothing for "), "{message}");
    passes(orders().max_age(Duration::from_secs(3600))).await;
    let message = fails(orders().max_age(Duration::from_millis(300))).await;
    assert!(message.starts_with("the oldest message waits for "), "{message}");
    passes(orders().group("mail").consumers(0).max_age(Duration::ZERO)).await;
    redis.cli(&["XADD", "odd", "1-1", "a", "b"]);
    redis.cli(&["XGROUP", "CREATE", "odd", "g", "0"]);
    let message = is_blind(redis.stream("odd").consumers(0).max_age(Duration::from_secs(60))).await;
    assert!(message.contains("the id \"1-1\" is no time"), "{message}");
    // What was deleted in between leaves open how much is not read.
    let second = redis.cli(&["XADD", "odd", "2-1", "a", "b"]);
    redis.cli(&["XADD", "odd", "3-1", "a", "b"]);
    redis.cli(&["XDEL", "odd", &second]);
    let message = is_blind(redis.stream("odd").consumers(0).max_backlog(1)).await;
    assert!(message.contains("cannot tell how much the group has not read"), "{message}");
}

#[tokio::test]
async fn a_growing_backlog_is_seen() {
    let redis = Redis::start();
    redis.cli(&["XADD", "orders", "*", "a", "b"]);
    redis.cli(&["XGROUP", "CREATE", "orders", "g", "0"]);
    let over = Duration::from_secs(3);
    let steady = redis.stream("orders").consumers(0).max_growth(0, Duration::from_millis(300));
    passes(steady).await;
    let port = redis.port.to_string();
    let grows = tokio::task::spawn_blocking(move || {
        for _ in 0..40 {
            output("redis-cli", &["-p", &port, "XADD", "orders", "*", "a", "b"]);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let message = fails(redis.stream("orders").consumers(0).max_growth(3, over)).await;
    assert!(message.starts_with("the backlog grew by "), "{message}");
    grows.await.unwrap();
}

#[tokio::test]
async fn who_may_not_ask_is_told_and_another_database_is_another_one() {
    let redis = Redis::start();
    redis.cli(&["-n", "3", "XADD", "orders", "*", "a", "b"]);
    redis.cli(&["-n", "3", "XGROUP", "CREATE", "orders", "g", "0"]);
    redis.cli(&["-n", "3", "XREADGROUP", "GROUP", "g", "c", "STREAMS", "orders", ">"]);
    fails(redis.stream("orders")).await;
    let third = || QueueConsumerAssert::at_broker("orders", redis.broker().database(3));
    passes(third()).await;
    redis.cli(&["ACL", "SETUSER", "app", "on", ">canary", "~orders", "+select", "+xinfo", "+xlen"]);
    redis.cli(&["ACL", "SETUSER", "blind", "on", ">canary", "~other", "+@all"]);
    let by = |user: &str, password: &str| {
        let broker = redis.broker().database(3).user(user).password(secret(password));
        QueueConsumerAssert::at_broker("orders", broker)
    };
    passes(by("app", "canary")).await;
    assert!(is_blind(by("app", "canary2")).await.contains("refused the credentials: \"WRONGPASS"));
    assert!(is_blind(by("blind", "canary")).await.contains("does not allow to ask: \"NOPERM"));
    redis.cli(&["CONFIG", "SET", "requirepass", "canary"]);
    assert!(is_blind(redis.stream("orders")).await.contains("asks for credentials, and none are given"));
    // Whoever speaks something else keeps silent, or says so.
    let stranger = Broker::new(BrokerEngine::Nats).host("127.0.0.1").port(redis.port);
    let result = check(QueueConsumerAssert::at_broker("orders", stranger)).await;
    assert!(told(&result, Outcome::Failed).contains("said nothing of NATS within "), "{}", result.message);
}
