//! NATS JetStream, with a client of a few lines; the server's own monitoring page is the witness.

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use clockwork_assert::{Broker, BrokerEngine, QueueConsumerAssert};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

use super::{fails, is_blind, passes, secret};
use crate::{
    databases::daemon::{Daemon, free_port, give, wait_until},
    run::{directory, output},
};

struct Nats {
    port: u16,
    page: u16,
    _running: Daemon,
    _directory: TempDir,
}

impl Nats {
    fn start(more: &[&str]) -> Self {
        let (kept, directory) = directory();
        let (port, page, log) = (free_port(), free_port(), directory.join("log"));
        let (number, page_number) = (port.to_string(), page.to_string());
        let store = directory.join("store");
        std::fs::create_dir(&store).unwrap();
        give(&store);
        let words = ["-a", "127.0.0.1", "-p", &number, "-m", &page_number, "-sd", store.to_str().unwrap()];
        let words: Vec<_> = words.iter().chain(more).map(|word| (*word).to_owned()).collect();
        let running = Daemon::start(Path::new("/usr/sbin/nats-server"), &words, &log);
        wait_until("NATS", &log, || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
        Self { port, page, _running: running, _directory: kept }
    }

    fn broker(&self) -> Broker {
        Broker::new(BrokerEngine::Nats).host("127.0.0.1").port(self.port)
    }

    fn stream(&self, name: &str) -> QueueConsumerAssert {
        QueueConsumerAssert::at_broker(name, self.broker()).over(Duration::from_millis(500))
    }

    /// What the server tells on its page of this consumer.
    fn witness(&self, consumer: &str) -> Value {
        let url = format!("http://127.0.0.1:{}/jsz?consumers=true", self.page);
        let page: Value = serde_json::from_str(&output("curl", &["-sf", &url])).unwrap();
        let all =
            page["account_details"][0]["stream_detail"][0]["consumer_detail"].as_array().unwrap().clone();
        all.into_iter().find(|one| one["name"] == consumer).unwrap()
    }
}

/// One connection.
struct Client(BufReader<TcpStream>, usize);

impl Client {
    async fn connect(nats: &Nats) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let stream = TcpStream::connect(("127.0.0.1", nats.port)).await.unwrap();
        let mut client = Self(BufReader::new(stream), COUNT.fetch_add(1, Ordering::Relaxed));
        let subscribe = format!("CONNECT {{\"verbose\":false}}\r\nSUB inbox{}.* 1\r\nPING\r\n", client.1);
        client.say(&subscribe).await;
        while client.line().await != "PONG" {}
        client
    }

    async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    async fn publish(&mut self, subject: &str, reply: &str, text: &str) {
        let reply = reply.replace("inbox", &format!("inbox{}", self.1));
        self.say(&format!("PUB {subject} {reply} {}\r\n{text}\r\n", text.len())).await;
    }

    /// The next message: whom it is to be answered to, and what it says.
    async fn message(&mut self) -> (String, String) {
        loop {
            let line = self.line().await;
            let words: Vec<_> = line.split(' ').collect();
            match words[0] {
                "MSG" => {
                    let length: usize = words.last().unwrap().parse().unwrap();
                    let mut body = vec![0; length + 2];
                    self.0.read_exact(&mut body).await.unwrap();
                    body.truncate(length);
                    let reply = if words.len() == 5 { words[3].to_owned() } else { String::new() };
                    return (reply, String::from_utf8(body).unwrap());
                }
                "PING" => self.say("PONG\r\n").await,
                _ => {}
            }
        }
    }

    async fn api(&mut self, what: &str, question: Value) -> Value {
        self.publish(&format!("$JS.API.{what}"), "inbox.api", &question.to_string()).await;
        let answer: Value = serde_json::from_str(&self.message().await.1).unwrap();
        assert_eq!(answer["error"], Value::Null, "{what}: {answer}");
        answer
    }

    async fn order(&mut self) {
        self.publish("orders.new", "inbox.ack", "an order").await;
        self.message().await; // the stream has it
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_nats_is_consumed_or_not() {
    let nats = Nats::start(&["-js"]);
    let orders = || nats.stream("ORDERS");
    let mut client = Client::connect(&nats).await;
    let message = fails(orders()).await;
    assert!(
        message.starts_with("cannot find the stream \"ORDERS\": ") && message.contains("stream not found"),
        "{message}"
    );
    assert!(fails(nats.stream("ORD ERS.>")).await.contains("JetStream allows no such name"));

    client.api("STREAM.CREATE.ORDERS", json!({ "name": "ORDERS", "subjects": ["orders.*"] })).await;
    for _ in 0..3 {
        client.order().await;
    }
    assert_eq!(fails(orders()).await, "nobody consumes the stream \"ORDERS\"");
    assert_eq!(fails(orders().consumers(0).max_backlog(2)).await, "3 messages wait, at most 2 expected");
    assert!(fails(orders().group("billing")).await.contains("consumer not found"));

    // A consumer by name, and nobody at it.
    let config =
        json!({ "durable_name": "billing", "ack_policy": "explicit", "filter_subject": "orders.new" });
    client
        .api("CONSUMER.DURABLE.CREATE.ORDERS.billing", json!({ "stream_name": "ORDERS", "config": config }))
        .await;
    let message = fails(orders()).await;
    assert_eq!(message, "nobody consumes the stream \"ORDERS\"; nobody is at the consumer \"billing\"");

    // Somebody takes two, acknowledges one, and is gone: two wait.
    let mut worker = Client::connect(&nats).await;
    for acknowledges in [true, false] {
        worker.publish("$JS.API.CONSUMER.MSG.NEXT.ORDERS.billing", "inbox.next", "1").await;
        let (reply, text) = worker.message().await;
        assert_eq!(text, "an order");
        if acknowledges {
            worker.publish(&reply, "", "+ACK").await;
        }
    }
    drop(worker);
    let began = std::time::Instant::now();
    let counts = || {
        let witness = nats.witness("billing");
        (witness["num_pending"].as_u64().unwrap(), witness["num_ack_pending"].as_u64().unwrap())
    };
    while counts() != (1, 1) {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", counts());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let quiet = || orders().consumers(0);
    assert_eq!(passes(quiet().max_backlog(2)).await, "0 consumers, 2 messages wait");
    assert_eq!(fails(quiet().max_backlog(1)).await, "2 messages wait for \"billing\", at most 1 expected");
    tokio::time::sleep(Duration::from_millis(600)).await;
    passes(quiet().max_age(Duration::from_secs(3600))).await;
    let message = fails(quiet().max_age(Duration::from_millis(300))).await;
    assert!(message.starts_with("the oldest message waits for "), "{message}");

    // One who waits for messages is there, and one who is bound is there, too.
    let mut waits = Client::connect(&nats).await;
    let config = json!({ "durable_name": "mail", "ack_policy": "explicit", "filter_subject": "orders.none" });
    client
        .api("CONSUMER.DURABLE.CREATE.ORDERS.mail", json!({ "stream_name": "ORDERS", "config": config }))
        .await;
    waits
        .publish(
            "$JS.API.CONSUMER.MSG.NEXT.ORDERS.mail",
            "inbox.next",
            r#"{"batch":1,"expires":60000000000}"#,
        )
        .await;
    waits.say("PING\r\n").await;
    while waits.line().await != "PONG" {}
    assert_eq!(passes(orders().group("mail")).await, "1 consumer, no message waits");
    let mut bound = Client::connect(&nats).await;
    bound.say("SUB pushed 2\r\nPING\r\n").await;
    while bound.line().await != "PONG" {}
    let config = json!({ "durable_name": "push", "deliver_subject": "pushed", "ack_policy": "none" });
    client
        .api("CONSUMER.DURABLE.CREATE.ORDERS.push", json!({ "stream_name": "ORDERS", "config": config }))
        .await;
    let message = passes(orders().consumers(2)).await;
    assert!(message.starts_with("2 consumers"), "{message}");
    let message = fails(orders().consumers(3)).await;
    assert_eq!(
        message,
        "2 of 3 consumers are at the stream \"ORDERS\"; nobody is at the consumer \"billing\""
    );
    drop(bound);
    let message = fails(orders().group("push")).await;
    assert!(message.ends_with("nobody is at the consumer \"push\""), "{message}");
}

#[tokio::test]
async fn without_jetstream_or_permission_nothing_is_told() {
    let plain = Nats::start(&[]);
    assert!(fails(plain.stream("ORDERS")).await.contains("has no JetStream"));
    let closed = Nats::start(&["-js", "--user", "app", "--pass", "canary"]);
    assert!(is_blind(closed.stream("ORDERS")).await.contains("asks for credentials, and none are given"));
    let by = |password: &str| {
        QueueConsumerAssert::at_broker("ORDERS", closed.broker().user("app").password(secret(password)))
    };
    assert!(is_blind(by("canary2")).await.contains("refused the credentials"));
    assert!(fails(by("canary")).await.contains("stream not found"));
}
