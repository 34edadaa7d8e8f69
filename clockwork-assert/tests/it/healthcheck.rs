//! HealthcheckAssert against servers that answer well, badly, and not at all.

use std::time::Duration;

use clockwork_assert::HealthcheckAssert;
use clockwork_core::{AssertionExt, Engine, Matcher, Outcome, Project, ResourceExt, Secret};
use clockwork_drivers::EndpointResource;
use tokio::io::AsyncWriteExt;

use crate::server::{Server, UP, answer, curl, judged, nobody, read_head};

/// What servers send, whether that is healthy (and whether curl agrees), and what is said.
#[tokio::test]
async fn whatever_a_server_sends_gets_the_verdict_that_curl_gives_it() {
    let headers = |count| (0..count).map(|n| format!("x-{n}: {n}\r\n")).collect::<String>();
    let table: Vec<(&str, Vec<u8>, Outcome, &str)> = vec![
        ("well", UP.into(), Outcome::Passed, ""),
        (
            "503",
            answer("503 x", "down").into(),
            Outcome::Failed,
            r#"answered 503 Service Unavailable: "down""#,
        ),
        ("an unusual status", answer("299 Fine", "").into(), Outcome::Failed, "answered 299"),
        ("100, then 200", format!("HTTP/1.1 100 Continue\r\n\r\n{UP}").into(), Outcome::Passed, ""),
        (
            "103, then nothing",
            "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n".into(),
            Outcome::Failed,
            "closed the connection before the head of its answer was complete",
        ),
        ("101", "HTTP/1.1 101 x\r\nupgrade: x\r\n\r\n".into(), Outcome::Failed, "answered 101"),
        ("an empty reply", "".into(), Outcome::Failed, "closed the connection without an answer"),
        (
            "half a head",
            "HTTP/1.1 200 OK\r\nco".into(),
            Outcome::Failed,
            "before the head of its answer was complete",
        ),
        (
            "not HTTP",
            "SSH-2.0-OpenSSH_9.2\r\n".into(),
            Outcome::Failed,
            r#"does not speak HTTP: its answer begins with "SSH-2.0-OpenSSH_9.2\r\n""#,
        ),
        ("hostile", b"\x1b[2J\x00\r\n\r\n".to_vec(), Outcome::Failed, r#"begins with "\u{1b}[2J\u{0}"#),
        (
            "an alert of TLS",
            b"\x15\x03\x01\x00\x02\x02\x0a".to_vec(),
            Outcome::Failed,
            "that is TLS: write https:// instead of http://",
        ),
        (
            "invalid bytes in a header",
            b"HTTP/1.1 200 OK\r\nx: a\x00b\r\ncontent-length: 0\r\n\r\n".to_vec(),
            Outcome::Failed,
            "answers with a head that is not valid HTTP",
        ),
        (
            "less body than announced",
            "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok".into(),
            Outcome::Failed,
            "closed the connection after 2 bytes of the body, before its end",
        ),
        (
            "chunks",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n".into(),
            Outcome::Passed,
            "",
        ),
        (
            "chunks without an end",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n".into(),
            Outcome::Failed,
            "after 2 bytes of the body, before its end",
        ),
        (
            "chunks that are none",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nok\r\n".into(),
            Outcome::Failed,
            "sent what is not valid HTTP after 0 bytes of the body",
        ),
        ("a body until the end", "HTTP/1.0 200 OK\r\n\r\nok".into(), Outcome::Passed, ""),
        (
            "two hundred headers",
            format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", headers(200)).into(),
            Outcome::Passed,
            "",
        ),
    ];
    for (what, reply, expected, message) in table {
        let server = Server::once(reply).await;
        let result = judged(HealthcheckAssert::new(server.url("/health"))).await;
        assert_eq!(result.verdict, expected, "{what}: {}", result.message);
        assert!(result.message.contains(message), "{what}: {}", result.message);
        assert!(!result.message.contains(['\x1b', '\0']), "{what}");
        // curl takes a head that was cut off for a whole one.
        let healthy = expected == Outcome::Passed || what == "half a head";
        assert_eq!(curl(&[&server.url("/health")], "200").await, healthy, "curl on {what}");
        assert_eq!(&*result.label, server.url("/health"));
        assert!(result.details()["phases"]["connect"].is_f64(), "{what}: {:?}", result.details());
    }
}

#[tokio::test]
async fn own_limits_are_no_verdict_about_the_target() {
    let headers: String = (0..1100).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let many = Server::once(format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n")).await;
    let result = judged(HealthcheckAssert::new(many.url("/"))).await;
    assert_eq!(result.verdict, Outcome::Errored, "{}", result.message);
    assert!(result.message.contains("larger than is read (1000 headers, 400 KiB)"), "{}", result.message);

    let huge = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "x".repeat(1 << 20));
    let huge = Server::once(huge).await;
    let result = judged(HealthcheckAssert::new(huge.url("/"))).await;
    assert_eq!(result.verdict, Outcome::Errored, "{}", result.message);

    let large = Server::once(answer("200 OK", &"x".repeat(3 << 20))).await;
    let status = judged(HealthcheckAssert::new(large.url("/"))).await;
    assert_eq!(status.verdict, Outcome::Passed, "{}", status.message);
    let body = judged(HealthcheckAssert::new(large.url("/")).body(Matcher::contains("x"))).await;
    assert_eq!(body.verdict, Outcome::Errored);
    assert_eq!(
        (&body.details()["status"], body.details()["phases"]["first_byte"].is_f64()),
        (&200.into(), true)
    );
    assert_eq!(
        body.message,
        "the body is larger than the 1048576 bytes that are read of it; raise `max_body`"
    );
    let enough = HealthcheckAssert::new(large.url("/")).max_body("4MiB".parse().unwrap());
    assert_eq!(judged(enough.body(Matcher::contains("x"))).await.verdict, Outcome::Passed);

    for (check, message) in [
        (HealthcheckAssert::new(large.url("/")).bearer(Secret::env("CLOCKWORK_TEST_UNSET")), "is not set"),
        (
            HealthcheckAssert::new("https://127.0.0.1:1/").ca_file("/no/such/file"),
            r#"ca_file "/no/such/file" cannot be read"#,
        ),
    ] {
        let result = judged(check).await;
        assert_eq!(result.verdict, Outcome::Errored);
        assert!(result.message.contains(message), "{}", result.message);
    }
}

#[tokio::test]
async fn whoever_does_not_answer_is_not_healthy() {
    let refused = nobody().await;
    let result = judged(HealthcheckAssert::new(format!("http://{refused}/"))).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(
        result.message.starts_with(&format!("{refused} refused the connection; nothing listens there")),
        "{}",
        result.message
    );
    assert!(!curl(&[&format!("http://{refused}/")], "200").await);
    let turned = judged(HealthcheckAssert::new(format!("http://{refused}/")).not()).await;
    assert_eq!(turned.verdict, Outcome::Passed, "refused proves not healthy");

    let silent = Server::talking(|stream, _| async move {
        tokio::time::sleep(Duration::from_secs(60)).await;
        drop(stream);
    })
    .await;
    let result = judged(HealthcheckAssert::new(silent.url("/"))).await;
    assert_eq!(result.verdict, Outcome::Failed);
    let expected = format!("(GET {}, waiting for {} to answer)", silent.url("/"), silent.address);
    assert!(
        result.message.starts_with("no answer within 6") && result.message.ends_with(&expected),
        "{}",
        result.message
    );

    // A listener whose queue is full: nothing accepts, and nothing refuses.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let full = socket.listen(0).unwrap();
    let address = full.local_addr().unwrap();
    let _filling = tokio::net::TcpStream::connect(address).await.unwrap();
    let result = judged(HealthcheckAssert::new(format!("http://{address}/"))).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(
        result.message.contains(&format!("waiting for {address} to accept a connection")),
        "{}",
        result.message
    );

    let dripping = Server::talking(|mut stream, seen| async move {
        read_head(&mut stream, &seen).await;
        for byte in answer("200 OK", "slowly").bytes() {
            let _ = stream.write_all(&[byte]).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let result = judged(HealthcheckAssert::new(dripping.url("/"))).await;
    assert_eq!(result.verdict, Outcome::Failed, "{}", result.message);

    let resetting = Server::talking(|mut stream, seen| async move {
        read_head(&mut stream, &seen).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        stream.set_zero_linger().unwrap();
    })
    .await;
    let result = judged(HealthcheckAssert::new(resetting.url("/"))).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(
        result.message.ends_with("reset the connection after 4 bytes of the body, before its end"),
        "{}",
        result.message
    );

    // The server has said all that it will before it is asked.
    let half_closed = Server::talking(|mut stream, seen| async move {
        let _ = stream.shutdown().await;
        read_head(&mut stream, &seen).await;
        tokio::time::sleep(Duration::from_secs(60)).await;
    })
    .await;
    let result = judged(HealthcheckAssert::new(half_closed.url("/"))).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(result.message.ends_with("closed the connection without an answer"), "{}", result.message);

    let unknown =
        judged(HealthcheckAssert::new("http://no-such-host.invalid/").timeout(Duration::from_secs(20))).await;
    assert_eq!(unknown.verdict, Outcome::Failed);
    assert!(unknown.message.starts_with(r#""no-such-host.invalid" does not resolve"#), "{}", unknown.message);
}

#[tokio::test]
async fn equal_questions_are_one_request_and_a_retry_asks_again() {
    let server = Server::keeping_alive(|_| answer("200 OK", "ok")).await;
    let url = server.url("/");
    let project = Project::new("test")
        .assert(HealthcheckAssert::new(&url))
        .assert(HealthcheckAssert::new(&url).body(Matcher::equals("ok")))
        .assert(HealthcheckAssert::new(&url).expected_status(204));
    let report = Engine::standard().assert(&project).await.unwrap();
    assert_eq!((report.summary.passed, report.summary.failed, server.count()), (2, 1, 1), "{report}");

    let check = HealthcheckAssert::new(&url).expected_status(204);
    let project = Project::new("test")
        .assert(check.within(Duration::from_millis(250)).every(Duration::from_millis(100)));
    let report = Engine::standard().assert(&project).await.unwrap();
    assert_eq!(report.results[0].attempts as usize, server.count() - 1, "{report}");
    assert!(report.results[0].attempts >= 2);
}

/// A server that closes a connection which it had promised to keep is not unhealthy for that.
#[tokio::test]
async fn a_connection_that_was_given_up_is_replaced() {
    let server = Server::talking(|mut stream, seen| async move {
        if read_head(&mut stream, &seen).await.is_some() {
            let _ = stream.write_all(UP.as_bytes()).await;
            // Reads the next question, and hangs up on it.
            let _ = read_head(&mut stream, &seen).await;
        }
    })
    .await;
    let mut project = Project::new("test");
    for index in 0..20 {
        let name = format!("r{index}");
        let mut resource = EndpointResource::new(&name).url(server.url(&format!("/{index}")));
        if index > 0 {
            resource = resource.depends_on(&*format!("r{}", index - 1));
        }
        project = project.with(resource.assert(HealthcheckAssert::default()));
    }
    let report = Engine::standard().assert(&project).await.unwrap();
    assert!(report.passed(), "{report}");
    assert!(server.count() > 20, "some connection was used twice");

    // What changes something is asked once, over a connection of its own.
    let server = Server::keeping_alive(|_| answer("200 OK", "ok")).await;
    let post =
        |path: &str| HealthcheckAssert::new(server.url(path)).method(clockwork_drivers::http::Method::POST);
    let project = Project::new("test")
        .with(EndpointResource::new("a").url(server.url("/")).assert(post("/a")))
        .with(EndpointResource::new("b").url(server.url("/")).depends_on("a").assert(post("/b")));
    assert!(Engine::standard().assert(&project).await.unwrap().passed());
    assert_eq!((server.count(), server.connections.load(std::sync::atomic::Ordering::SeqCst)), (2, 2));
}
