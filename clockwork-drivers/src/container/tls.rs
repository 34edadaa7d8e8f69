//! TLS to an engine: `ca.pem` is who is trusted, `cert.pem` and `key.pem` are who we are. The engine's certificate is
//! always verified: whoever talks to a container engine is root on its machine.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clockwork_core::CheckError;
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::endpoint::Endpoint;

pub(super) async fn secure(
    wire: TcpStream,
    endpoint: &Endpoint,
    authority: &str,
    certificates: Option<&Path>,
) -> Result<TlsStream<TcpStream>, CheckError> {
    let folder = certificates
        .ok_or_else(|| {
            CheckError::unobservable(format!(
                "no certificates to talk TLS to the container engine at {endpoint}"
            ))
            .hint("set DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem")
        })?
        .to_owned();
    let config = tokio::task::spawn_blocking(move || config(&folder)).await??;
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
    TlsConnector::from(Arc::new(config)).connect(name, wire).await.map_err(|error| {
        CheckError::unobservable(format!("no TLS with the container engine at {endpoint}")).with_source(error)
    })
}

fn config(folder: &Path) -> Result<ClientConfig, CheckError> {
    let unreadable = |path: PathBuf| {
        move |error: rustls_pki_types::pem::Error| {
            CheckError::unobservable(format!("cannot read {}", path.display()))
                .with_source(error)
                .hint("set DOCKER_CERT_PATH to the folder of ca.pem, cert.pem and key.pem")
        }
    };
    let read = |name: &str| -> Result<Vec<CertificateDer<'static>>, CheckError> {
        let path = folder.join(name);
        let certificates = CertificateDer::pem_file_iter(&path).map_err(unreadable(path.clone()))?;
        certificates.collect::<Result<_, _>>().map_err(unreadable(path))
    };
    let mut roots = RootCertStore::empty();
    for certificate in read("ca.pem")? {
        roots.add(certificate)?;
    }
    let key = folder.join("key.pem");
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    // An engine that asks for no client certificate needs none.
    if !key.exists() {
        return Ok(builder.with_no_client_auth());
    }
    let key = PrivateKeyDer::from_pem_file(&key).map_err(unreadable(key))?;
    Ok(builder.with_client_auth_cert(read("cert.pem")?, key)?)
}
