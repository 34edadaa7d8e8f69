//! The client's pieces, and TLS with certificates on both sides.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::{fs, net::SocketAddr, path::Path};

use clockwork_core::{BlankResource, Engine as Runner, Outcome, Project, ResourceExt, assertion};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{RootCertStore, ServerConfig, crypto::ring, server::WebPkiClientVerifier};
use rustls_pki_types::PrivateKeyDer;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;

#[test]
fn versions_are_compared_as_numbers() {
    assert!(version("1.9") < version("1.41"));
    assert_eq!((version("1.41"), version("1"), version("x.y")), (Some((1, 41)), None, None));
}

#[test]
fn no_name_becomes_another_request() {
    for (name, escaped) in [("web-1.a_b", "web-1.a_b"), ("../x?y#z", "..%2Fx%3Fy%23z"), ("..", "%2E%2E")] {
        assert_eq!(segment(name), escaped);
    }
}

/// A certificate authority, as the folder that DOCKER_CERT_PATH names.
fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

fn write_client(
    folder: &Path,
    trusted: &CertifiedIssuer<'_, KeyPair>,
    issuer: &CertifiedIssuer<'_, KeyPair>,
) {
    let key = KeyPair::generate().unwrap();
    let client = CertificateParams::new([]).unwrap().signed_by(&key, issuer).unwrap();
    fs::write(folder.join("ca.pem"), trusted.pem()).unwrap();
    fs::write(folder.join("cert.pem"), client.pem()).unwrap();
    fs::write(folder.join("key.pem"), key.serialize_pem()).unwrap();
}

/// An engine that lets nobody in who has no certificate of this authority.
async fn engine(authority: &CertifiedIssuer<'_, KeyPair>) -> SocketAddr {
    let key = KeyPair::generate().unwrap();
    let names = vec![String::from("127.0.0.1"), String::from("localhost")];
    let server = CertificateParams::new(names).unwrap().signed_by(&key, authority).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(authority.der().clone()).unwrap();
    let provider = Arc::new(ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(vec![server.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((wire, _)) = listener.accept().await {
            let Ok(mut wire) = acceptor.accept(wire).await else { continue };
            let mut buffer = [0; 4096];
            while let Ok(1..) = wire.read(&mut buffer).await {
                let answer = b"HTTP/1.1 200 OK\r\nApi-Version: 1.43\r\nContent-Length: 2\r\n\r\nOK";
                wire.write_all(answer).await.unwrap();
            }
        }
    });
    address
}

/// What becomes of a greeting.
async fn greeted(authority: String, certificates: Option<&Path>) -> String {
    let tls = Some(certificates.map(Path::to_owned));
    let endpoint = Endpoint { address: Address::Tcp { authority, tls }, source: "a test" };
    let greets = assertion("greets", move |cx: Context| {
        let endpoint = endpoint.clone();
        async move { Engine::greet(endpoint, &cx).await.map(|engine| engine.version == (1, 43)) }
    });
    let project = Project::new("test").with(BlankResource::new("engine").assert(greets));
    let report = Runner::standard().assert(&project).await.unwrap();
    match report.results[0].verdict {
        Outcome::Passed => String::from("passed"),
        Outcome::Errored => report.results[0].message.clone(),
        other => panic!("{other:?}: {}", report.results[0].message),
    }
}

#[tokio::test]
async fn an_engine_is_reached_by_tls_and_both_sides_are_known() {
    let (ours, stranger) = (authority(), authority());
    let address = engine(&ours).await;
    let folder = tempfile::tempdir().unwrap();

    write_client(folder.path(), &ours, &ours);
    assert_eq!(greeted(address.to_string(), Some(folder.path())).await, "passed");
    assert_eq!(greeted(format!("localhost:{}", address.port()), Some(folder.path())).await, "passed");

    write_client(folder.path(), &stranger, &ours);
    let untrusted = greeted(address.to_string(), Some(folder.path())).await;
    assert!(untrusted.starts_with("no TLS with the container engine at https://127.0.0.1:"), "{untrusted}");

    write_client(folder.path(), &ours, &stranger);
    let unknown = greeted(address.to_string(), Some(folder.path())).await;
    assert!(unknown.contains("the container engine at https://127.0.0.1:"), "{unknown}");

    let none = greeted(address.to_string(), None).await;
    assert!(none.contains("set DOCKER_CERT_PATH"), "{none}");
    fs::remove_file(folder.path().join("ca.pem")).unwrap();
    let unreadable = greeted(address.to_string(), Some(folder.path())).await;
    assert!(unreadable.contains("cannot read ") && unreadable.contains("ca.pem"), "{unreadable}");
}
