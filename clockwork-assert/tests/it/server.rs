//! Servers on this machine that do exactly what a test says, down to the byte.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use clockwork_core::{CheckResult, Engine, IntoAssertion, Project};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;

pub(crate) const UP: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/// A server. It ends when it is dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    /// The heads of all requests so far.
    pub(crate) requests: Arc<Mutex<Vec<String>>>,
    pub(crate) connections: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
}

impl Server {
    /// Hands every connection to `talk`.
    pub(crate) async fn talking<F, Fut>(talk: F) -> Self
    where
        F: Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::at("127.0.0.1:0", talk).await
    }

    pub(crate) async fn at<F, Fut>(address: &str, talk: F) -> Self
    where
        F: Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, connections) = (Arc::<Mutex<Vec<String>>>::default(), Arc::<AtomicUsize>::default());
        let mut accepting = JoinSet::new();
        let (seen, count) = (Arc::clone(&requests), Arc::clone(&connections));
        accepting.spawn(async move {
            let mut talks = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                talks.spawn(talk(stream, Arc::clone(&seen)));
            }
        });
        Self { address, requests, connections, _accepting: accepting }
    }

    /// Reads one request, sends these bytes, and closes.
    pub(crate) async fn once(reply: impl Into<Vec<u8>>) -> Self {
        let reply: Arc<[u8]> = reply.into().into();
        Self::talking(move |mut stream, seen| {
            let reply = Arc::clone(&reply);
            async move {
                if read_head(&mut stream, &seen).await.is_some() {
                    let _ = stream.write_all(&reply).await;
                    let _ = stream.shutdown().await;
                }
            }
        })
        .await
    }

    /// Answers every request of a connection with what `reply` makes of its path.
    pub(crate) async fn keeping_alive(reply: fn(&str) -> String) -> Self {
        Self::talking(move |mut stream, seen| async move {
            while let Some(head) = read_head(&mut stream, &seen).await {
                let path = head.split(' ').nth(1).unwrap_or_default();
                let _ = stream.write_all(reply(path).as_bytes()).await;
            }
        })
        .await
    }

    /// The same as [`Server::once`] over TLS.
    pub(crate) async fn tls(config: rustls::ServerConfig, reply: &'static str) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::talking(move |stream, seen| {
            let acceptor = acceptor.clone();
            async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                while read_head(&mut stream, &seen).await.is_some() {
                    let _ = stream.write_all(reply.as_bytes()).await;
                }
            }
        })
        .await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// One request's head, and its body where it announces one. `None` at the end.
pub(crate) async fn read_head<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    seen: &Mutex<Vec<String>>,
) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.ok()?);
    }
    let mut text = String::from_utf8(bytes).unwrap();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    text.push_str(&String::from_utf8(body).unwrap());
    seen.lock().unwrap().push(text.clone());
    Some(text)
}

pub(crate) fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

/// An address where nothing listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// A CA, and what it signs.
pub(crate) struct Authority {
    pub(crate) file: tempfile::NamedTempFile,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "test authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), issuer.pem()).unwrap();
        Self { file, issuer }
    }

    /// A certificate and its key, as PEM.
    pub(crate) fn sign(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (String, KeyPair) {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key)
    }

    /// A server's configuration with a certificate for these names.
    pub(crate) fn serves(
        &self,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> rustls::ServerConfig {
        let (certificate, key) = self.sign(names, change);
        server_config(&certificate, &key, None)
    }

    /// The same, for clients that show a certificate of this authority.
    pub(crate) fn serves_known(&self, names: &[&str]) -> rustls::ServerConfig {
        let (certificate, key) = self.sign(names, |_| {});
        server_config(&certificate, &key, Some(&self.issuer.pem()))
    }
}

pub(crate) fn server_config(certificate: &str, key: &KeyPair, clients: Option<&str>) -> rustls::ServerConfig {
    use rustls::{
        RootCertStore, pki_types::CertificateDer, pki_types::pem::PemObject, server::WebPkiClientVerifier,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let key = PrivatePkcs8KeyDer::from(key.serialize_der());
    builder.with_single_cert(vec![certificate], key.into()).unwrap()
}

/// The one result of asserting this.
pub(crate) async fn judged<M>(assertion: impl IntoAssertion<M>) -> CheckResult {
    let project = Project::new("test").assert(assertion.into_assertion().timeout(Duration::from_millis(600)));
    let report = Engine::standard().assert(&project).await.unwrap();
    CheckResult::clone(&report.results[0])
}

/// Whether curl gets an answer with this status.
pub(crate) async fn curl(arguments: &[&str], status: &str) -> bool {
    let output = tokio::process::Command::new("curl")
        .args([
            "-sS",
            "-L",
            "--max-redirs",
            "10",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            "--max-time",
            "0.6",
        ])
        .args(["--noproxy", "*"])
        .args(arguments)
        .output()
        .await
        .unwrap();
    output.status.success() && output.stdout == status.as_bytes()
}
