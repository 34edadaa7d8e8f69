//! Versions of TLS, the key's possession, servers that want a certificate of the client, and servers that speak no TLS.

use clockwork_assert::{SslCertificateAssert, TlsVersion};
use clockwork_core::{AssertionExt, Outcome};

use super::{
    forge::{Ca, file, nothing},
    server::{Served, s_client},
};
use crate::{run::check, server::Server};

const OLD: &str = "ALL:@SECLEVEL=0";

/// `min_tls` says that nothing older is accepted, and OpenSSL, made to speak older versions, says the same.
#[tokio::test]
async fn a_server_may_not_accept_what_is_older_than_asked_for() {
    let root = Ca::root("root", nothing);
    let own = root.leaf(&["localhost"], nothing);
    let ca = file(&root.pem());
    let (old, new) = (Some(TlsVersion::Tls12), Some(TlsVersion::Tls13));
    for (options, least, expected) in [
        (&["-tls1_3"][..], new, ""),
        (&["-tls1_3"], old, ""),
        (&["-tls1_2"], old, ""),
        (&["-no_tls1", "-no_tls1_1"], old, ""),
        (&["-no_tls1", "-no_tls1_1"], new, "the server accepts TLS 1.2, which is older than TLS 1.3"),
        (
            &["-cipher", "ECDHE-ECDSA-AES128-CCM"],
            new,
            "the server accepts TLS 1.2, which is older than TLS 1.3",
        ),
        (
            &["-cipher", "ECDHE-ECDSA-CAMELLIA128-SHA256"],
            new,
            "the server accepts TLS 1.2, which is older than TLS 1.3",
        ),
        (&["-tls1_2"], new, "the server speaks TLS 1.2 at best, and no TLS 1.3"),
        (&[], old, "the server accepts TLS 1.1, which is older than TLS 1.2"),
        (&["-no_tls1_1"], old, "the server accepts TLS 1.0, which is older than TLS 1.2"),
        (&[], None, ""),
    ] {
        let server = Served::openssl(&own.pem, &own.key, options);
        let asserted =
            SslCertificateAssert::default().host("127.0.0.1").port(server.port()).server_name("localhost");
        let asserted = asserted.ca_file(&ca);
        let asserted = match least {
            Some(least) => asserted.min_tls(least),
            None => asserted,
        };
        let result = check(asserted).await;
        let message = format!("{options:?} {least:?}: {}", result.message);
        assert_eq!(result.verdict == Outcome::Passed, expected.is_empty(), "{message}");
        assert!(result.message.contains(expected), "{message}");
        let older: &[&str] = match least {
            Some(TlsVersion::Tls13) => &["-tls1_2"],
            Some(_) if options.contains(&"-no_tls1_1") => &["-tls1"],
            Some(_) => &["-tls1_1"],
            None => continue,
        };
        let with = [older, &["-cipher", OLD]].concat();
        let accepted = s_client(server.port(), "localhost", ca.to_str().unwrap(), &with).await.is_ok();
        assert_eq!(accepted, !expected.is_empty(), "{message}, OpenSSL with {older:?}");
    }
}

#[tokio::test]
async fn servers_that_show_no_certificate_say_why() {
    let root = Ca::root("root", nothing);
    let own = root.leaf(&["localhost"], nothing);
    let ca = file(&root.pem());
    let asserted = |port| SslCertificateAssert::default().host("localhost").port(port).ca_file(&ca);
    for (options, expected) in [
        (&["-tls1"][..], "the server speaks no TLS 1.2 or newer (TLS 1.0 is the newest that it accepts)"),
        (&["-tls1_1"], "the server speaks no TLS 1.2 or newer (TLS 1.1 is the newest that it accepts)"),
        (
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"],
            "it speaks TLS 1.2, but only with cipher suites that are not considered secure today (it chose 0xc009",
        ),
    ] {
        let server = Served::openssl(&own.pem, &own.key, options);
        let result = check(asserted(server.port())).await;
        assert_eq!(result.verdict, Outcome::Failed);
        assert!(result.message.contains(expected), "{options:?}: {}", result.message);
        // Nothing was seen of the certificate, so that nothing can be turned around.
        let turned = check(asserted(server.port()).not()).await;
        assert_eq!(turned.verdict, Outcome::Errored, "{}", turned.message);
    }
    let plain = Server::once("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let result = check(asserted(plain.address.port())).await;
    assert_eq!(result.verdict, Outcome::Failed);
    let mute = Server::talking(|stream, _| async move { drop(stream) }).await;
    let result = check(asserted(mute.address.port())).await;
    assert_eq!(result.verdict, Outcome::Failed, "{}", result.message);
    let silent = Server::talking(|stream, _| async move {
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        drop(stream);
    });
    let silent = silent.await;
    let result = check(asserted(silent.address.port()).timeout(std::time::Duration::from_millis(300))).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(result.message.contains("to complete the TLS handshake"), "{}", result.message);
    let nobody = check(asserted(crate::server::nobody().await.port())).await;
    assert!(nobody.message.contains("refused the connection"), "{}", nobody.message);
}

/// A certificate is public: whoever shows it has to prove that the key is theirs.
#[tokio::test]
async fn a_stolen_certificate_proves_nothing() {
    let root = Ca::root("root", nothing);
    let (own, other) = (root.leaf(&["localhost"], nothing), root.leaf(&["localhost"], nothing));
    let ca = file(&root.pem());
    let server = Served::rustls(&own.pem, &other.key).await;
    let asserted = || SslCertificateAssert::default().host("localhost").port(server.port()).ca_file(&ca);
    let result = check(asserted()).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(
        result.message.contains("the server does not have the key of the certificate"),
        "{}",
        result.message
    );
    assert!(s_client(server.port(), "localhost", ca.to_str().unwrap(), &[]).await.is_err());
    // Whoever takes any certificate that signed itself still wants its holder.
    let alone = super::forge::self_signed(&["localhost"], nothing);
    let server = Served::rustls(&alone.pem, &other.key).await;
    let result = check(asserted().port(server.port()).self_signed_ok(true)).await;
    assert_eq!(result.verdict, Outcome::Failed, "{}", result.message);
}

/// What the server shows is seen before it asks who we are.
#[tokio::test]
async fn servers_that_want_a_certificate_of_the_client_are_judged_by_their_own() {
    let root = Ca::root("root", nothing);
    let own = root.leaf(&["localhost"], nothing);
    let ca = file(&root.pem());
    for version in ["-tls1_2", "-tls1_3"] {
        let server = Served::openssl(&own.pem, &own.key, &[version, "-Verify", "1"]);
        let asserted = SslCertificateAssert::default().host("localhost").port(server.port()).ca_file(&ca);
        let result = check(asserted).await;
        assert_eq!(result.verdict, Outcome::Passed, "{version}: {}", result.message);
    }
}

/// The URL, the host, or the resource say where the server is; what cannot be is said before anything runs.
#[tokio::test]
async fn the_address_comes_from_the_url_or_the_resource() {
    use clockwork_core::{Engine, ManifestInput, Project, ResourceExt};
    use clockwork_drivers::EndpointResource;
    let root = Ca::root("root", nothing);
    let own = root.leaf(&["localhost", "127.0.0.1"], nothing);
    let ca = file(&root.pem());
    let server = Served::rustls(&own.pem, &own.key).await;
    let url = format!("https://localhost:{}/health?x=1", server.port());
    let by_address = format!("https://127.0.0.1:{}", server.port());
    let inherited = || SslCertificateAssert::default().ca_file(&ca);
    let project = Project::new("test")
        .with(EndpointResource::new("url").url(&url).assert(inherited()))
        .with(EndpointResource::new("port").host("localhost").port(server.port()).assert(inherited()))
        .assert(SslCertificateAssert::new(&by_address).ca_file(&ca));
    let report = Engine::standard().assert(&project).await.unwrap();
    assert!(report.passed(), "{report}");
    let engine = Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
    let engine = engine.build().unwrap();
    for (fields, expected) in [
        ("{ url: \"https://shop.example/\", min_tls: 1.2, starttls: smtp }", ""),
        ("{ host: shop.example, min_tls: \"1.3\", issuer: { contains: Encrypt } }", ""),
        ("{ host: shop.example, min_tls: 1.1 }", "is not a version that can be asked for: 1.2 or 1.3"),
        ("{ url: \"http://shop.example/\" }", "is not an https URL"),
        ("{ url: \"https://shop.example/\", port: 443 }", "not both"),
        ("{}", "give `url`, or `host` and `port`"),
        ("{ host: \"bad name\" }", "is neither a DNS name nor an address"),
        ("{ host: shop.example, port: 0 }", "nothing can listen at port 0"),
        ("{ host: shop.example, starttls: gopher }", "known are `smtp`"),
        ("{ host: shop.example, min_key_bits: 0 }", "has to be from 1 to 16384"),
        (
            "{ host: shop.example, subject_alt_names: [\"*.a.example\", \"b c\"] }",
            "is neither a DNS name nor an address",
        ),
    ] {
        for kind in ["SslCertificateAssert", "SSLCertificateAssert"] {
            let text = format!("project: test\nassertions:\n  - {kind}: {fields}\n");
            let read = engine.read_manifest(&ManifestInput::new("clockwork.yaml", text), &|_| None);
            match read {
                Ok(_) => assert_eq!(expected, "", "{fields}"),
                Err(error) => {
                    let message = error.to_string();
                    assert!(!expected.is_empty() && message.contains(expected), "{fields}: {message}");
                }
            }
        }
    }
}
