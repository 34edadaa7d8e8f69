//! What HTTP kinds trust, show and speak over TLS.

use std::time::Duration;

use clockwork_assert::HealthcheckAssert;
use clockwork_core::{AssertionExt, Engine, Matcher, Outcome, Project, ResourceExt};
use clockwork_drivers::{EndpointResource, http::HttpVersion};
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use tokio::io::AsyncWriteExt;

use crate::server::{Authority, Server, UP, answer, curl, judged, read_head, server_config};

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
            assert_eq!(result.details()["insecure"], true);
            assert!(result.message.contains("not verified"), "{}", result.message);
        }
    }
    // Waiting does not help.
    let expired =
        HealthcheckAssert::new(format!("https://localhost:{}/", expired.address.port())).ca_file(ca_file);
    assert_eq!(judged(expired.within(Duration::from_secs(5))).await.attempts, 1);
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
