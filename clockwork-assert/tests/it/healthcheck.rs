//! HealthcheckAssert against servers that answer well, badly, and not at all.

use std::time::Duration;

use clockwork_assert::HealthcheckAssert;
use clockwork_core::{AssertionExt, Engine, Matcher, Outcome, Project, ResourceExt, Secret, SecretString};
use clockwork_drivers::{EndpointResource, http::HttpVersion};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::io::AsyncWriteExt;

use crate::server::{Authority, Server, answer, curl, judged, nobody, read_head, server_config};

const UP: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

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
    }
}

#[tokio::test]
async fn own_limits_are_no_verdict_about_the_target() {
    let headers: String = (0..300).map(|n| format!("x-{n}: {n}\r\n")).collect();
    let many = Server::once(format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n")).await;
    let result = judged(HealthcheckAssert::new(many.url("/"))).await;
    assert_eq!(result.verdict, Outcome::Errored, "{}", result.message);
    assert!(result.message.contains("larger than is read (256 headers, 400 KiB)"), "{}", result.message);

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
async fn redirects_are_followed_to_an_end_and_not_in_circles() {
    let site = Server::keeping_alive(|path| match path {
        "/a" => "HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n".into(),
        "/b" => "HTTP/1.1 301 x\r\nlocation: c?x=1#y\r\ncontent-length: 0\r\n\r\n".into(),
        "/c?x=1" => answer("200 OK", "arrived"),
        "/loop" => "HTTP/1.1 302 Found\r\nlocation: /pool\r\ncontent-length: 0\r\n\r\n".into(),
        "/pool" => "HTTP/1.1 302 Found\r\nlocation: /loop\r\ncontent-length: 0\r\n\r\n".into(),
        "/ftp" => "HTTP/1.1 302 Found\r\nlocation: ftp://me:secret@x/\r\ncontent-length: 0\r\n\r\n".into(),
        more => {
            let next = more.trim_start_matches('/').parse::<u32>().unwrap_or(0) + 1;
            format!("HTTP/1.1 302 Found\r\nlocation: /{next}\r\ncontent-length: 0\r\n\r\n")
        }
    })
    .await;
    let result = judged(HealthcheckAssert::new(site.url("/a")).body(Matcher::equals("arrived"))).await;
    assert_eq!(result.verdict, Outcome::Passed, "{}", result.message);
    assert_eq!(result.details["url"], site.url("/c?x=1"));
    assert_eq!(result.details["redirects"][1], serde_json::json!({ "url": site.url("/b"), "status": 301 }));
    for (path, message) in [
        ("/loop", format!("redirects go round in a circle: {0}/loop → {0}/pool → {0}/loop", site.url(""))),
        ("/1", String::from("more than 10 redirects: ")),
        ("/ftp", String::from(r#"redirects to "ftp://x/", which is neither http nor https"#)),
    ] {
        let result = judged(HealthcheckAssert::new(site.url(path))).await;
        assert_eq!(result.verdict, Outcome::Failed, "{path}");
        assert!(result.message.contains(&message), "{path}: {}", result.message);
        assert!(!curl(&[&site.url(path)], "200").await, "{path}");
    }
    let kept = judged(HealthcheckAssert::new(site.url("/a")).follow_redirects(false)).await;
    assert_eq!(kept.message, r#"answered 302 Found, to "/b""#);
    let kept = HealthcheckAssert::new(site.url("/a")).follow_redirects(false).expected_status(302);
    assert_eq!(judged(kept).await.verdict, Outcome::Passed);
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown_and_never_to_another_origin() {
    const CANARY: &str = "canary-3f9a";
    let secret = || Secret::from(SecretString::from(CANARY));
    let elsewhere = Server::keeping_alive(|_| answer("200 OK", "ok")).await;
    let url = elsewhere.url("/");
    let reply = format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n");
    let gate = Server::once(reply).await;
    let with_user = format!("http://me:{CANARY}@{}/", gate.address);
    // "me:canary-3f9a"
    let basic = "authorization: Basic bWU6Y2FuYXJ5LTNmOWE=";
    for (check, sent) in [
        (HealthcheckAssert::new(gate.url("/")).bearer(secret()), "authorization: Bearer canary-3f9a"),
        (HealthcheckAssert::new(gate.url("/")).basic_auth("me", secret()), basic),
        (HealthcheckAssert::new(&with_user), basic),
        (HealthcheckAssert::new(gate.url("/")).header("X-Api-Key", secret()), "x-api-key: canary-3f9a"),
    ] {
        let debug = format!("{check:?}");
        let result = judged(check).await;
        assert_eq!(result.verdict, Outcome::Passed, "{}", result.message);
        let first = gate.requests.lock().unwrap().pop().unwrap();
        assert!(first.contains(sent), "{first}");
        let second = elsewhere.requests.lock().unwrap().pop().unwrap();
        assert!(!second.contains(CANARY) && !second.contains("authorization"), "{second}");
        let shown = serde_json::to_string(&result).unwrap();
        assert!(!shown.contains(CANARY), "{shown}");
        assert!(!debug.contains(CANARY) || debug.contains("://me:"), "{debug}");
    }
    for url in [format!("http://me:{CANARY}@127.0.0.1:1/"), format!("http://me:{CANARY}@no-such.invalid/")] {
        let result = judged(HealthcheckAssert::new(url).timeout(Duration::from_secs(20))).await;
        assert!(!serde_json::to_string(&result).unwrap().contains(CANARY), "{result:?}");
    }
    for url in [format!("ftp://me:{CANARY}@x/"), format!("http://me:{CANARY}@x:99999/")] {
        let project = Project::new("test").assert(HealthcheckAssert::new(url));
        let error = Engine::standard().assert(&project).await.unwrap_err().to_string();
        assert!(!error.contains(CANARY), "{error}");
    }
}

#[tokio::test]
async fn bodies_and_headers_go_out_as_declared() {
    let server = Server::keeping_alive(|_| answer("200 OK", "")).await;
    let base = || HealthcheckAssert::new(server.url("/x")).method(clockwork_drivers::http::Method::POST);
    for (check, expected) in [
        (base().request_json(serde_json::json!({ "a": 1 })), "content-type: application/json\r\n"),
        (base().request_json(serde_json::json!({ "a": 1 })), "\r\n\r\n{\"a\":1}"),
        (base().form("a b", "c&d"), "\r\n\r\na+b=c%26d"),
        (base().request_body("raw"), "\r\n\r\nraw"),
        (base().header("Accept", "text/plain"), "accept: text/plain\r\n"),
        (base().header("Host", "other.example"), "host: other.example\r\n"),
        (base(), "user-agent: clockwork/"),
        (base(), "accept: */*\r\n"),
    ] {
        assert_eq!(judged(check).await.verdict, Outcome::Passed);
        let request = server.requests.lock().unwrap().pop().unwrap();
        assert!(request.starts_with("POST /x HTTP/1.1\r\n") && request.contains(expected), "{request}");
        assert_eq!(request.matches("accept:").count() + request.matches("host:").count(), 2, "{request}");
    }
}

#[tokio::test]
async fn tls_is_trusted_for_a_reason_and_the_reason_for_distrust_is_told() {
    let ca = Authority::new();
    let good = Server::tls(ca.serves(&["localhost", "127.0.0.1"], |_| {}), UP).await;
    let expired = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    };
    let expired = Server::tls(ca.serves(&["localhost"], expired), UP).await;
    let later = |params: &mut CertificateParams| params.not_before = date_time_ymd(2090, 1, 1);
    let later = Server::tls(ca.serves(&["localhost"], later), UP).await;
    let other = Server::tls(ca.serves(&["other.example"], |_| {}), UP).await;
    let plain = Server::talking(|mut stream, _| async move {
        let _ = stream.write_all(answer("400 Bad Request", "").as_bytes()).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    })
    .await;
    let ca_file = ca.file.path().to_str().unwrap();
    for (what, port, expected, message) in [
        ("good", good.address.port(), Outcome::Passed, ""),
        ("expired", expired.address.port(), Outcome::Failed, "its certificate has expired "),
        ("not yet valid", later.address.port(), Outcome::Failed, "its certificate is not valid before "),
        ("another name", other.address.port(), Outcome::Failed, r#"is not for "localhost" but for "#),
        ("no TLS", plain.address.port(), Outcome::Failed, "it does not speak TLS at this port"),
    ] {
        let url = format!("https://localhost:{port}/");
        let result = judged(HealthcheckAssert::new(&url).ca_file(ca_file)).await;
        assert_eq!(result.verdict, expected, "{what}: {}", result.message);
        assert!(result.message.contains(message), "{what}: {}", result.message);
        assert_eq!(
            curl(&["--cacert", ca_file, &url], "200").await,
            expected == Outcome::Passed,
            "curl on {what}"
        );
        if what != "no TLS" {
            let result = judged(HealthcheckAssert::new(&url).insecure(true)).await;
            assert_eq!(result.verdict, Outcome::Passed, "{what}: {}", result.message);
            assert_eq!(result.details["insecure"], true);
            assert!(result.message.contains("not verified"), "{}", result.message);
        }
    }
    let unknown = judged(HealthcheckAssert::new(format!("https://localhost:{}/", good.address.port()))).await;
    assert_eq!(unknown.verdict, Outcome::Failed);
    assert!(unknown.message.contains("signed by nobody who is trusted here"), "{}", unknown.message);
    let by_address = format!("https://127.0.0.1:{}/", good.address.port());
    assert_eq!(judged(HealthcheckAssert::new(by_address).ca_file(ca_file)).await.verdict, Outcome::Passed);
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_when_it_is_given() {
    for is_ca in [false, true] {
        let mut params = CertificateParams::new(vec![String::from("localhost")]).unwrap();
        if is_ca {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        }
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &pem).unwrap();
        let server = Server::tls(server_config(&pem, &key, None), UP).await;
        let url = format!("https://localhost:{}/", server.address.port());
        let given = judged(HealthcheckAssert::new(&url).ca_file(file.path())).await;
        assert_eq!(given.verdict, Outcome::Passed, "{}", given.message);
        assert!(curl(&["--cacert", file.path().to_str().unwrap(), &url], "200").await);
        let not_given = judged(HealthcheckAssert::new(&url)).await;
        assert_eq!(not_given.verdict, Outcome::Failed, "{}", not_given.message);
        // For that name only.
        let other = format!("https://127.0.0.1:{}/", server.address.port());
        let other = judged(HealthcheckAssert::new(other).ca_file(file.path())).await;
        assert!(other.message.contains("is not for"), "{}", other.message);
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_where_it_is_meant_to_be() {
    let ca = Authority::new();
    let server = Server::tls(ca.serves_known(&["localhost"]), UP).await;
    let url = format!("https://localhost:{}/", server.address.port());
    let (certificate, key) = ca.sign(&["client"], |_| {});
    let both = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(both.path(), format!("{certificate}{}", key.serialize_pem())).unwrap();
    let base = || HealthcheckAssert::new(&url).ca_file(ca.file.path());
    let known = judged(base().client_cert(both.path())).await;
    assert_eq!(known.verdict, Outcome::Passed, "{}", known.message);
    let unknown = judged(base()).await;
    assert_eq!(unknown.verdict, Outcome::Failed);
    assert!(unknown.message.contains("CertificateRequired"), "{}", unknown.message);
    let no_key = judged(base().client_cert(ca.file.path())).await;
    assert_eq!(no_key.verdict, Outcome::Errored);
    assert!(no_key.message.contains("holds no private key"), "{}", no_key.message);
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered() {
    let ca = Authority::new();
    let mut config = ca.serves(&["localhost"], |_| {});
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let server = Server::talking(move |stream, seen| {
        let acceptor = acceptor.clone();
        async move {
            let Ok(mut stream) = acceptor.accept(stream).await else { return };
            if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
                while read_head(&mut stream, &seen).await.is_some() {
                    let _ = stream.write_all(UP.as_bytes()).await;
                }
                return;
            }
            let Ok(mut connection) = h2::server::handshake(stream).await else { return };
            while let Some(Ok((request, mut respond))) = connection.accept().await {
                seen.lock().unwrap().push(format!("{} {:?}", request.uri(), request.version()));
                let mut send = respond.send_response(http::Response::new(()), false).unwrap();
                send.send_data("second".into(), true).unwrap();
            }
        }
    })
    .await;
    let url = format!("https://localhost:{}/", server.address.port());
    let base = || HealthcheckAssert::new(&url).ca_file(ca.file.path());
    // Two over one connection, when one waits for the other.
    let project = Project::new("test")
        .with(EndpointResource::new("one").url(&url).assert(base().body(Matcher::equals("second"))))
        .with(EndpointResource::new("two").url(&url).depends_on("one").assert(base().header("x", "y")));
    let report = Engine::standard().assert(&project).await.unwrap();
    assert!(report.passed(), "{report}");
    assert_eq!(server.connections.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(*server.requests.lock().unwrap(), vec![format!("{url} HTTP/2.0"); 2]);
    let first = judged(base().http_version(HttpVersion::Http11).body(Matcher::equals("ok"))).await;
    assert_eq!(first.verdict, Outcome::Passed, "{}", first.message);
    let only_first = Server::tls(ca.serves(&["localhost"], |_| {}), UP).await;
    let only_first = format!("https://localhost:{}/", only_first.address.port());
    let second = HealthcheckAssert::new(only_first).ca_file(ca.file.path()).http_version(HttpVersion::Http2);
    let result = judged(second).await;
    assert!(result.message.contains("does not offer HTTP/2"), "{}", result.message);
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

#[tokio::test]
async fn names_reach_every_address_and_say_which() {
    let six = Server::at("[::1]:0", |mut stream, seen| async move {
        if read_head(&mut stream, &seen).await.is_some() {
            let _ = stream.write_all(UP.as_bytes()).await;
        }
    })
    .await;
    let literal = judged(HealthcheckAssert::new(six.url("/"))).await;
    assert_eq!(literal.verdict, Outcome::Passed, "{}", literal.message);
    let port = six.address.port();
    let to_six = HealthcheckAssert::new(format!("http://shop.example:{port}/health"))
        .resolve_to("::1".parse::<std::net::IpAddr>().unwrap());
    let result = judged(to_six).await;
    assert_eq!(result.verdict, Outcome::Passed, "{}", result.message);
    assert!(six.requests.lock().unwrap().last().unwrap().contains(&format!("host: shop.example:{port}\r\n")));
    let elsewhere = HealthcheckAssert::new("http://shop.example/health").resolve_to(six.address);
    assert_eq!(judged(elsewhere).await.verdict, Outcome::Passed);
    assert!(six.requests.lock().unwrap().last().unwrap().contains("host: shop.example\r\n"));
}

#[tokio::test]
async fn an_endpoint_gives_what_its_assertions_leave_out() {
    let server =
        Server::keeping_alive(|path| answer(if path == "/base/health" { "200 x" } else { "404 x" }, ""))
            .await;
    let endpoint = EndpointResource::new("shop")
        .url(server.url("/base/"))
        .assert(HealthcheckAssert::new("health"))
        .assert(HealthcheckAssert::default().expected_status(404))
        .assert(HealthcheckAssert::new("/health").expected_status(404));
    let report = Engine::standard().assert(&Project::new("test").with(endpoint)).await.unwrap();
    assert!(report.passed(), "{report}");

    for check in [
        HealthcheckAssert::default(),
        HealthcheckAssert::new("/health"),
        HealthcheckAssert::new("localhost:80/x"),
    ] {
        let error = Engine::standard().assert(&Project::new("test").assert(check)).await.unwrap_err();
        assert!(error.to_string().contains("url"), "{error}");
    }
    let base = || HealthcheckAssert::new("http://localhost/");
    for (check, message) in [
        (base().request_body("a").form("b", "c"), "one body: `request_body`, `request_json` or `form`"),
        (base().bearer(Secret::env("X")).header("authorization", "x"), "one authorization"),
        (base().client_key("k"), "needs `client_cert`"),
        (base().header("a b", "c"), "cannot be a header's name"),
        (base().header("a", "b\nc"), "a character that no header can have"),
        (base().json("a[", Matcher::equals(1)), "is no JSONPath"),
        (base().insecure(true).ca_file("x"), "`ca_file` means nothing"),
    ] {
        let error = Engine::standard().assert(&Project::new("test").assert(check)).await.unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}
