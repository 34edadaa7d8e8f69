//! `TcpResponseAssert` against servers that do exactly what a test says.

use std::time::{Duration, Instant};

use clockwork_assert::{AnswerAs, Payload, TcpResponseAssert};
use clockwork_core::{AssertionExt, Engine, ManifestInput, Matcher, Outcome, Project, ResourceExt};
use clockwork_drivers::EndpointResource;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    run::check,
    server::{Authority, Server, nobody},
};

const SHORT: Duration = Duration::from_millis(60);

/// Sends each of these after a pause, and then closes, or waits.
async fn saying(parts: &'static [(u64, &'static [u8])], closes: bool) -> Server {
    Server::talking(move |mut stream, _| async move {
        for (pause, part) in parts {
            tokio::time::sleep(Duration::from_millis(*pause)).await;
            if stream.write_all(part).await.is_err() {
                return;
            }
        }
        if !closes {
            let _ = stream.read(&mut [0; 64]).await;
        }
    })
    .await
}

fn at(server: &Server) -> TcpResponseAssert {
    TcpResponseAssert::new("127.0.0.1", server.address.port())
}

fn not_containing(text: &str) -> Matcher {
    Matcher::not(Matcher::contains(text))
}

#[tokio::test]
async fn a_greeting_is_judged_when_it_is_over() {
    let whole = saying(&[(0, b"220 ready\r\n")], false).await;
    let closed = saying(&[(0, b"220 ready\r\n")], true).await;
    let in_parts = saying(&[(0, b"220 re"), (30, b"ady\r\n")], false).await;
    for server in [&whole, &closed, &in_parts] {
        for (expect, expected) in [
            (Matcher::equals("220 ready\r\n"), ""),
            (Matcher::contains("ready"), ""),
            (Matcher::starts_with("220"), ""),
            (Matcher::matches("^220 .*y\r\n$").unwrap(), ""),
            (not_containing("error"), ""),
            (Matcher::equals("220 re"), "answered otherwise: expected \"220 re\", got \"220 ready\\r\\n\""),
            (not_containing("ready"), "answered otherwise"),
            (Matcher::contains("ESMTP"), "answered otherwise: expected a string that contains \"ESMTP\""),
        ] {
            let result = check(at(server).expect(expect.clone()).quiet(SHORT * 2)).await;
            let message = format!("{expect}: {}", result.message);
            assert_eq!(result.verdict == Outcome::Passed, expected.is_empty(), "{message}");
            assert!(result.message.contains(expected), "{message}");
            let turned = check(at(server).expect(expect).quiet(SHORT * 2).not()).await;
            assert_eq!(turned.verdict == Outcome::Passed, !expected.is_empty(), "turned, {message}");
        }
        assert_eq!(check(at(server).quiet(SHORT)).await.verdict, Outcome::Passed, "any greeting will do");
    }
}

/// What holds for good need not wait for the quiet; what may still become false has to.
#[tokio::test]
async fn reading_stops_as_soon_as_nothing_can_change() {
    let server = saying(&[(0, b"220 ready\r\n"), (300, b"error: no disk\r\n")], false).await;
    let began = Instant::now();
    let result = check(at(&server).expect(Matcher::contains("ready")).quiet(Duration::from_secs(20))).await;
    assert_eq!((result.verdict, result.details()["end"].as_str()), (Outcome::Passed, Some("enough")));
    assert!(began.elapsed() < Duration::from_secs(5));
    let result = check(at(&server).expect(not_containing("error")).quiet(Duration::from_millis(900))).await;
    assert_eq!(result.verdict, Outcome::Failed, "{}", result.message);
    assert_eq!(result.details()["end"], "quiet");
}

#[tokio::test]
async fn who_says_nothing_has_answered_nothing() {
    let closes = saying(&[], true).await;
    let waits = saying(&[], false).await;
    for expect in [Matcher::contains("220"), not_containing("error"), Matcher::equals("")] {
        let closed = check(at(&closes).expect(expect.clone())).await;
        assert_eq!(closed.verdict, Outcome::Failed);
        assert!(closed.message.contains("closed the connection without a greeting"), "{}", closed.message);
        let turned = check(at(&closes).expect(expect.clone()).not()).await;
        assert_eq!(turned.verdict, Outcome::Errored, "nothing was said that could be judged");
        let silent = check(at(&waits).expect(expect).timeout(Duration::from_millis(200))).await;
        assert_eq!(silent.verdict, Outcome::Failed);
        assert!(silent.message.contains("to say something"), "{}", silent.message);
    }
    let asked = check(at(&closes).send("PING\r\n")).await;
    assert!(
        asked.message.contains("closed the connection without an answer")
            || asked.message.contains("broke the connection off without a word"),
        "{}",
        asked.message
    );
    let refused = check(TcpResponseAssert::new("127.0.0.1", nobody().await.port()).expect("x")).await;
    assert!(refused.message.contains("refused the connection"), "{}", refused.message);
    let dripping = Server::talking(|mut stream, _| async move {
        while stream.write_all(b".").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let dripping = dripping.await;
    let endless = check(at(&dripping).expect(Matcher::equals("x")).timeout(Duration::from_millis(400))).await;
    assert_eq!(endless.verdict, Outcome::Failed);
    assert!(endless.message.contains("waiting for more than the"), "{}", endless.message);
}

#[tokio::test]
async fn what_is_sent_is_answered() {
    let echo = Server::talking(|mut stream, _| async move {
        let mut chunk = [0; 256];
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            let _ = stream.write_all(&chunk[..count]).await;
        }
    });
    let echo = echo.await;
    let pong = check(at(&echo).send("+PONG\r\n").expect("+PONG\r\n").quiet(SHORT)).await;
    assert_eq!(pong.verdict, Outcome::Passed, "{}", pong.message);
    // Binary, there and back.
    let bytes = Payload::from(vec![0, 0xa1, 0xff]);
    let base = || at(&echo).send(bytes.clone()).quiet(SHORT);
    let hex = check(base().answer_as(AnswerAs::Hex).expect("00 a1 ff")).await;
    assert_eq!(hex.verdict, Outcome::Passed, "{}", hex.message);
    let across = check(base().answer_as(AnswerAs::Hex).expect(Matcher::contains("0a"))).await;
    assert_eq!(across.verdict, Outcome::Failed, "nothing is found across the border of two bytes");
    let text = check(base().expect(not_containing("error"))).await;
    assert_eq!(text.verdict, Outcome::Failed);
    assert!(
        text.message.contains("not UTF-8 text (compare its bytes with `answer_as: hex`)"),
        "{}",
        text.message
    );
    assert_eq!(check(base().expect(not_containing("error")).not()).await.verdict, Outcome::Errored);
    // A server that answers when there is nothing more to come.
    let patient = Server::talking(|mut stream, _| async move {
        let mut all = Vec::new();
        if stream.read_to_end(&mut all).await.is_ok() {
            let _ = stream.write_all(format!("{} bytes\n", all.len()).as_bytes()).await;
        }
    });
    let patient = patient.await;
    let asked = || at(&patient).send("12345").expect("5 bytes\n");
    assert_eq!(check(asked().half_close(true)).await.verdict, Outcome::Passed);
    let waits = check(asked().timeout(Duration::from_millis(200))).await;
    assert_eq!(waits.verdict, Outcome::Failed, "it waits for our end");
}

#[tokio::test]
async fn answers_are_bounded() {
    let flood =
        Server::talking(
            |mut stream, _| async move { while stream.write_all(&[b'x'; 4096]).await.is_ok() {} },
        );
    let flood = flood.await;
    let found = check(at(&flood).expect(Matcher::starts_with("xxxx"))).await;
    assert_eq!(found.verdict, Outcome::Passed, "{}", found.message);
    for expect in [Matcher::contains("y"), not_containing("y"), Matcher::length(10)] {
        let result = check(at(&flood).expect(expect).max_answer(10_000)).await;
        assert_eq!(result.verdict, Outcome::Errored, "{}", result.message);
        assert!(
            result.message.contains("answered more than 10 kB") && result.message.len() < 1000,
            "{}",
            result.message
        );
    }
}

#[tokio::test]
async fn a_connection_that_breaks_says_nothing_whole() {
    let breaks = Server::talking(|mut stream, _| async move {
        let _ = stream.write_all(b"220 half").await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        // Closing with a lingering time of zero resets the connection.
        let _ = stream.set_zero_linger();
    });
    let breaks = breaks.await;
    for (expect, verdict) in [
        (Matcher::contains("half"), Outcome::Passed),
        (not_containing("error"), Outcome::Failed),
        (Matcher::equals("220 half"), Outcome::Failed),
    ] {
        let result = check(at(&breaks).expect(expect.clone())).await;
        assert_eq!(result.verdict, verdict, "{expect}: {}", result.message);
        if verdict == Outcome::Failed {
            assert!(
                result.message.contains("broke the connection off within its answer"),
                "{}",
                result.message
            );
            assert_eq!(check(at(&breaks).expect(expect).not()).await.verdict, Outcome::Errored);
        }
    }
}

#[tokio::test]
async fn tls_is_verified_unless_told_otherwise() {
    let ca = Authority::new();
    let server = Server::tls(ca.serves(&["localhost"], |_| {}), "HTTP/1.1 200 OK\r\n\r\n").await;
    let port = server.address.port();
    let base =
        || TcpResponseAssert::new("localhost", port).tls(true).send("GET / HTTP/1.1\r\n\r\n").quiet(SHORT);
    let good = check(base().ca_file(ca.file.path()).expect(Matcher::starts_with("HTTP/1.1 200"))).await;
    assert_eq!(good.verdict, Outcome::Passed, "{}", good.message);
    let unknown = check(base()).await;
    assert_eq!(unknown.verdict, Outcome::Failed);
    assert!(unknown.message.contains("signed by nobody who is trusted here"), "{}", unknown.message);
    let insecure = check(base().insecure(true)).await;
    assert_eq!(insecure.verdict, Outcome::Passed);
    assert!(insecure.message.contains("not verified"), "{}", insecure.message);
    let other = check(base().ca_file(ca.file.path()).server_name("other.example")).await;
    assert!(other.message.contains("is not for \"other.example\""), "{}", other.message);
}

#[tokio::test]
async fn the_manifest_and_the_resource_say_where() {
    let server = saying(&[(0, b"220 ready\r\n")], true).await;
    let endpoint = EndpointResource::new("mail").host("127.0.0.1").port(server.address.port());
    let project =
        Project::new("test").with(endpoint.assert(TcpResponseAssert::default().expect("220 ready\r\n")));
    assert!(Engine::standard().assert(&project).await.unwrap().passed());
    let engine = Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
    let engine = engine.build().unwrap();
    for (fields, expected) in [
        ("{ port: 25, expect: { starts_with: \"220\" } }", ""),
        ("{ port: 6379, send: { hex: \"0d 0a\" }, expect: { contains: PONG }, quiet: 1s }", ""),
        ("{ host: mail.example, starttls: smtp, send: { base64: \"Tk9PUA0K\" } }", ""),
        ("{ host: mail.example }", "is missing"),
        ("{ port: 0 }", "nothing can listen at port 0"),
        ("{ port: 25, send: { hex: \"0g\" } }", "\"0g\" is not hex"),
        ("{ port: 25, tls: true, starttls: smtp }", "give one of them"),
        ("{ port: 25, ca_file: ca.pem }", "is about TLS"),
        ("{ port: 25, quiet: 0 }", "has to be longer than nothing"),
        ("{ port: 25, max_answer: 0 }", "from 1 byte"),
    ] {
        let text = format!("project: test\nassertions:\n  - TcpResponseAssert: {fields}\n");
        match engine.read_manifest(&ManifestInput::new("clockwork.yaml", text), &|_| None) {
            Ok(_) => assert_eq!(expected, "", "{fields}"),
            Err(error) => {
                let message = error.to_string();
                assert!(!expected.is_empty() && message.contains(expected), "{fields}: {message}");
            }
        }
    }
}
