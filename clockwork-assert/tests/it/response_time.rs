//! ResponseTimeAssert against servers that take their time.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use clockwork_assert::{Phase, ResponseTimeAssert};
use clockwork_core::{AssertionExt, Outcome};
use tokio::io::AsyncWriteExt;

use crate::server::{Server, answer, curl, judged, nobody, read_head};

/// Waits so long before its head, its body, and more with each connection.
async fn slow(head: u64, body: u64, more: u64) -> Server {
    let asked = Arc::new(AtomicU64::new(0));
    Server::talking(move |mut stream, seen| {
        let more = more * asked.fetch_add(1, Ordering::SeqCst);
        async move {
            while read_head(&mut stream, &seen).await.is_some() {
                tokio::time::sleep(Duration::from_millis(head + more)).await;
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no").await.unwrap();
                tokio::time::sleep(Duration::from_millis(body)).await;
                stream.write_all(b"k").await.unwrap();
            }
        }
    })
    .await
}

#[tokio::test]
async fn what_is_slow_is_found_and_told_as_the_contract_has_it() {
    let server = slow(0, 0, 0).await;
    let fast = judged(ResponseTimeAssert::new(server.url("/"), 400)).await;
    assert_eq!(fast.verdict, Outcome::Passed, "{}", fast.message);
    assert_eq!((&*fast.label, fast.expected.as_deref()), ("< 400 ms", Some("<= 400 ms")));

    let server = slow(60, 60, 0).await;
    let result = judged(ResponseTimeAssert::new(server.url("/"), 50)).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(result.message.starts_with("took 1") && result.message.ends_with(" ms"), "{}", result.message);
    assert_eq!(result.actual.as_deref(), result.message.strip_prefix("took "));
    // The parts are measured apart: each is slow, and connecting is not.
    let phases = &result.details()["phases"];
    let of = |phase: &str| phases[phase].as_f64().unwrap();
    assert!(
        of("first_byte") >= 60.0 && of("transfer") >= 55.0 && of("connect") < 55.0 && of("tls") == 0.0,
        "{phases}"
    );
    for (phase, passed) in [(Phase::FirstByte, false), (Phase::Transfer, false), (Phase::Connect, true)] {
        let result = judged(ResponseTimeAssert::new(server.url("/"), 50).phase(phase)).await;
        assert_eq!(result.verdict == Outcome::Passed, passed, "{phase:?}: {}", result.message);
    }
    assert!(!curl(&[&server.url("/"), "--max-time", "0.05"], "200").await);
}

#[tokio::test]
async fn samples_are_asked_one_by_one_over_connections_of_their_own() {
    let server = slow(0, 0, 40).await;
    let result = judged(ResponseTimeAssert::new(server.url("/"), 60).samples(3)).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(result.message.contains("(fastest of 3 samples: "), "{}", result.message);
    assert_eq!(result.details()["samples_ms"].as_array().unwrap().len(), 3);
    assert_eq!((server.count(), server.connections.load(Ordering::SeqCst)), (3, 3));
    let server = slow(0, 0, 40).await;
    let median = judged(ResponseTimeAssert::new(server.url("/"), 60).samples(3).percentile(50)).await;
    assert_eq!(median.verdict, Outcome::Passed, "{}", median.message);
}

#[tokio::test]
async fn an_answer_that_says_nothing_about_the_time_is_no_verdict_on_it() {
    let broken = Server::once(answer("500 x", "")).await;
    let result = judged(ResponseTimeAssert::new(broken.url("/"), 5000)).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert_eq!(result.message, "answered 500 Internal Server Error; how fast that came says nothing");
    let refused = format!("http://{}/", nobody().await);
    for url in [broken.url("/"), refused] {
        assert_eq!(judged(ResponseTimeAssert::new(url, 5000).not()).await.verdict, Outcome::Errored);
    }
    // The samples do not fit into the time that the check has: that is not the server's doing.
    let server = slow(100, 0, 0).await;
    let result = judged(ResponseTimeAssert::new(server.url("/"), 5000).samples(100)).await;
    assert_eq!(result.verdict, Outcome::Errored, "{}", result.message);
    assert!(result.message.contains("of 100 samples were taken in time"), "{}", result.message);
    // One that hangs half-way is.
    let server = slow(0, 0, 60_000).await;
    let result = judged(ResponseTimeAssert::new(server.url("/"), 100).samples(3)).await;
    assert_eq!(result.verdict, Outcome::Failed, "{}", result.message);
}
