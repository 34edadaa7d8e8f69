//! Full TLS handshakes, verified by rustls, with a look at how long the certificates are valid.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, ensure};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::TlsConnector;
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

use crate::server::TLS_NAME;

/// How long a certificate has to be valid still.
const ENOUGH: Duration = Duration::from_secs(30 * 86_400);

/// One configuration for all handshakes.
pub(super) struct Client {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Client {
    pub(super) fn new(ca_file: &str) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(ca_file)? {
            roots.add(certificate?)?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?;
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        // As a check has to: a resumed session shows no certificate.
        config.resumption = Resumption::disabled();
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name: ServerName::try_from(TLS_NAME)? })
    }

    pub(super) async fn check(&self, address: &str) -> anyhow::Result<()> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut stream = self.connector.connect(self.name.clone(), stream).await?;
        let chain = stream.get_ref().1.peer_certificates().context("no certificate")?;
        let until = SystemTime::now() + ENOUGH;
        let until = i64::try_from(until.duration_since(SystemTime::UNIX_EPOCH)?.as_secs())?;
        for certificate in chain {
            let (_, certificate) = X509Certificate::from_der(certificate)?;
            ensure!(certificate.validity().not_after.timestamp() >= until, "it expires soon");
        }
        stream.shutdown().await?;
        Ok(())
    }
}
