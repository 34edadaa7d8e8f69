//! TLS servers for certificates of every kind: rustls where it can hold the key, `openssl s_server` otherwise; and what
//! `openssl s_client` says of a server.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::io::AsyncReadExt;
use tokio_rustls::TlsAcceptor;

use super::forge::file;
use crate::server::Server;

/// A server that ends when it is dropped.
pub(super) enum Served {
    Rustls(Server),
    OpenSsl { child: Child, port: u16 },
}

impl Served {
    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Rustls(server) => server.address.port(),
            Self::OpenSsl { port, .. } => *port,
        }
    }

    /// Shows these certificates, whatever they are, with this key, whether it fits or not.
    pub(super) async fn rustls(chain: &str, key: &str) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config(chain, key)));
        let server = Server::talking(move |stream, _| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let _ = stream.read(&mut [0; 64]).await;
                }
            }
        });
        Self::Rustls(server.await)
    }

    /// The same with `openssl s_server` and these options.
    pub(super) fn openssl(chain: &str, key: &str, options: &[&str]) -> Self {
        const END: &str = "-----END CERTIFICATE-----\n";
        let (own, others) = chain.split_at(chain.find(END).unwrap() + END.len());
        let (own, others_file, key) = (file(own), file(others), file(key));
        let others =
            if others.is_empty() { vec![] } else { vec!["-cert_chain", others_file.to_str().unwrap()] };
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cipher", "DEFAULT:@SECLEVEL=0"])
            .args(["-cert", own.to_str().unwrap()])
            .args(others)
            .args(["-key", key.to_str().unwrap()])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let accept = lines.by_ref().map_while(Result::ok).find(|line| line.starts_with("ACCEPT"));
        let accept = accept.unwrap_or_else(|| panic!("openssl s_server {options:?} did not start"));
        let port = accept.rsplit(':').next().unwrap().trim().parse().unwrap();
        // What it prints has to be read, or it stops; this ends with it.
        std::thread::spawn(move || lines.for_each(drop));
        Self::OpenSsl { child, port }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Self::OpenSsl { child, .. } = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A configuration that shows these certificates.
pub(super) fn config(chain: &str, key: &str) -> ServerConfig {
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = ring::sign::any_supported_type(&key).unwrap();
    let provider = Arc::new(ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Always(Arc::new(CertifiedKey::new(chain, key)))))
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// What OpenSSL says of a server: nothing, if it accepts it.
pub(super) async fn s_client(port: u16, name: &str, ca: &str, options: &[&str]) -> Result<(), String> {
    let verify = if name.parse::<std::net::IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
    let output = tokio::process::Command::new("openssl")
        .args(["s_client", "-connect", &format!("127.0.0.1:{port}"), "-verify_return_error", verify, name])
        .args(["-CAfile", ca, "-no-CApath", "-no-CAstore"])
        .args(if verify == "-verify_ip" { vec!["-noservername"] } else { vec!["-servername", name] })
        .args(options)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let told =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.success() && told.contains("Verify return code: 0 (ok)") {
        return Ok(());
    }
    let error = told.lines().find_map(|line| line.split_once("verify error:num=")?.1.split_once(':'));
    Err(error.map_or(told.clone(), |(_, text)| text.to_owned()))
}
