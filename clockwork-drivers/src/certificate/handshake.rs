//! [`HandshakeProbe`]: shakes hands with a server and writes down what it shows: its whole chain of certificates, however
//! bad, and whether it proves that it has the key.
//!
//! The chain is read in any case and judged afterwards. What keeps the handshake from ending after the chain has been
//! seen (a server that wants a certificate of the client, for one) is part of the observation.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use clockwork_core::{CheckError, Context, Probe};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, ProtocolVersion, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{ring, verify_tls12_signature, verify_tls13_signature},
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_rustls::TlsConnector;

use super::{
    algorithm::VERIFIABLE,
    facts::Certificate,
    older::{self, Answer},
    path::Sent,
};
use crate::{
    resolve::{authority, resolve},
    starttls::{self, StartTls},
    tcp, tls,
};

/// Shakes hands with a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HandshakeProbe {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The name to ask for (SNI), if it is a name and not an address.
    pub server_name: String,
    /// How to get to TLS, where the connection begins in plain text.
    pub starttls: Option<StartTls>,
}

/// What a server showed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Handshake {
    /// Where it answered.
    pub remote: SocketAddr,
    /// The certificates in the order in which it sent them, its own first. Never empty.
    pub chain: Vec<Sent>,
    /// The version: `TLS 1.3`.
    pub version: Option<Version>,
    /// The cipher suite: `TLS13_AES_256_GCM_SHA384`.
    pub suite: Option<String>,
    /// Whether it proved that it has the key of its certificate.
    pub possession: Possession,
    /// With which alert the server broke the handshake off after it had sent the chain, if it did: most likely it wants
    /// a certificate of the client.
    pub broken: Option<String>,
}

/// A version of TLS that is spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Version {
    /// `TLS 1.3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }
}

/// Whether a server has the key of the certificate that it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Possession {
    /// It signed the handshake with it.
    Proven,
    /// Its signature is wrong.
    Disproven,
    /// Its signature cannot be verified here: because of the kind of key, or because the handshake ended before it.
    #[default]
    Unknown,
}

impl Probe for HandshakeProbe {
    type Observation = Handshake;

    async fn look(&self, cx: &Context) -> Result<Handshake, CheckError> {
        let name = ServerName::try_from(self.server_name.clone()).map_err(|_| {
            let shown = clockwork_core::text::quote(&self.server_name);
            CheckError::unobservable(format!("{shown} cannot be the name in a certificate"))
        })?;
        let whom = self.whom();
        let (stream, remote) = open(&self.host, self.port, self.starttls, &whom, cx).await?;
        let recorder = Arc::new(Recorder::default());
        let mut config = cx.shared::<Base>().0.clone();
        config.dangerous().set_certificate_verifier(Arc::clone(&recorder) as _);
        cx.phase(format!("waiting for {remote} to complete the TLS handshake"));
        let shaken = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        let seen = std::mem::take(&mut *recorder.0.lock().unwrap_or_else(PoisonError::into_inner));
        let mut handshake = Handshake {
            remote,
            chain: seen.chain.into_iter().map(Sent::new).collect(),
            version: seen.version,
            suite: None,
            possession: seen.possession,
            broken: None,
        };
        match shaken {
            Ok(mut stream) => {
                let connection = stream.get_ref().1;
                handshake.suite =
                    connection.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
                handshake.version = connection.protocol_version().and_then(version).or(handshake.version);
                // Polite; whether it arrives is of no interest.
                let _ = stream.shutdown().await;
                match handshake.chain.is_empty() {
                    true => Err(CheckError::target(format!("{whom} shows no certificate"))),
                    false => Ok(handshake),
                }
            }
            Err(_) if handshake.possession == Possession::Disproven => Ok(handshake),
            Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(inner @ rustls::Error::AlertReceived(_)) if !handshake.chain.is_empty() => {
                    handshake.broken = Some(tls::explain(inner));
                    Ok(handshake)
                }
                _ if handshake.chain.is_empty() => Err(self.explain(&error, &whom, cx).await),
                _ => Err(failure(&whom, &error)),
            },
        }
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        let with = self
            .starttls
            .map_or(String::new(), |protocol| format!(" after STARTTLS ({})", protocol.as_str()));
        format!("TLS handshake with {}{with}", authority(&self.host, self.port))
    }

    fn target(&self) -> Option<String> {
        Some(authority(&self.host, self.port))
    }

    fn weight(seen: &Handshake) -> usize {
        // What stands in a certificate is kept beside it.
        seen.chain.iter().map(|sent| 3 * sent.der.len() + 1024).sum()
    }
}

impl HandshakeProbe {
    fn whom(&self) -> String {
        authority(&self.host, self.port)
    }

    /// Why there is no certificate to be seen. A server that speaks older versions alone is asked for these, so that the
    /// message can say so.
    async fn explain(&self, error: &std::io::Error, whom: &str, cx: &Context) -> CheckError {
        let rustls_error = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let may_be_old = match rustls_error {
            Some(rustls::Error::AlertReceived(_) | rustls::Error::PeerIncompatible(_)) => true,
            Some(_) => false,
            // Some hang up without an alert.
            None => true,
        };
        if may_be_old {
            let older =
                older::ask(&self.host, self.port, self.starttls, &self.server_name, older::TLS12, whom, cx);
            match older.await {
                Ok(Answer::Accepted { version: older::TLS12, suite }) => {
                    return CheckError::target(format!(
                        "no TLS with {whom}: it speaks TLS 1.2, but only with cipher suites that are not considered secure \
                         today (it chose {suite:#06x}: no forward secrecy, or no authenticated encryption)"
                    ));
                }
                Ok(Answer::Accepted { version, .. }) => {
                    return CheckError::target(format!(
                        "no TLS with {whom}: the server speaks no TLS 1.2 or newer ({} is the newest that it accepts)",
                        older::name(version)
                    ));
                }
                Ok(Answer::Refused) | Err(_) => {}
            }
        }
        failure(whom, error)
    }
}

fn failure(whom: &str, error: &std::io::Error) -> CheckError {
    tls::failure(whom, error).unwrap_or_else(|| {
        CheckError::target(match error.kind() {
            std::io::ErrorKind::UnexpectedEof => format!("{whom} closed the connection in the TLS handshake"),
            _ => format!("{whom} broke the TLS handshake off: {error}"),
        })
    })
}

/// A connection that is ready for the TLS handshake.
pub(crate) async fn open(
    host: &str,
    port: u16,
    protocol: Option<StartTls>,
    whom: &str,
    cx: &Context,
) -> Result<(TcpStream, SocketAddr), CheckError> {
    let addresses = resolve(host, port, false, cx).await?;
    let (stream, tried) = tcp::connect(&addresses, cx).await?;
    let Some(tcp::Connected { mut stream, remote }) = stream else {
        return Err(tcp::nobody(whom, host, &tried));
    };
    let lost = |error| CheckError::target(format!("{whom} hung up at once")).with_source(error);
    stream.set_nodelay(true).map_err(lost)?;
    if let Some(protocol) = protocol {
        starttls::negotiate(&mut stream, protocol, whom, cx).await?;
    }
    Ok((stream, remote))
}

fn version(version: ProtocolVersion) -> Option<Version> {
    match version {
        ProtocolVersion::TLSv1_3 => Some(Version::Tls13),
        ProtocolVersion::TLSv1_2 => Some(Version::Tls12),
        _ => None,
    }
}

/// What all handshakes of a run have in common.
struct Base(ClientConfig);

impl Default for Base {
    fn default() -> Self {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        // It only fails for a provider that lacks what these versions need.
        #[expect(clippy::expect_used, reason = "ring has what TLS 1.2 and 1.3 need")]
        let builder = builder.with_safe_default_protocol_versions().expect("ring speaks TLS 1.2 and 1.3");
        let verifier = Arc::new(Recorder::default());
        let mut config = builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
        config.resumption = Resumption::disabled();
        Self(config)
    }
}

/// Accepts every chain and writes it down. The signature of the handshake is verified where that is possible.
#[derive(Debug, Default)]
struct Recorder(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    chain: Vec<CertificateDer<'static>>,
    version: Option<Version>,
    possession: Possession,
}

impl Recorder {
    fn record(
        &self,
        version: Version,
        certificate: &CertificateDer<'_>,
        verified: Result<HandshakeSignatureValid, rustls::Error>,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // rustls refuses weak keys and certificates of odd shape here. These are found, and named, in the judgement.
        let verifiable = || {
            Certificate::read(certificate).is_some_and(|one| one.key.is_verifiable())
                && webpki::EndEntityCert::try_from(certificate).is_ok()
        };
        let possession = match &verified {
            Ok(_) => Possession::Proven,
            Err(rustls::Error::InvalidCertificate(CertificateError::BadSignature)) if verifiable() => {
                Possession::Disproven
            }
            Err(_) => Possession::Unknown,
        };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.version = Some(version);
        seen.possession = possession;
        match possession {
            Possession::Disproven => verified,
            _ => Ok(HandshakeSignatureValid::assertion()),
        }
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.chain =
            std::iter::once(end_entity).chain(intermediates).map(|one| one.clone().into_owned()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.record(Version::Tls12, cert, verify_tls12_signature(message, cert, dss, &VERIFIABLE))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.record(Version::Tls13, cert, verify_tls13_signature(message, cert, dss, &VERIFIABLE))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let mut schemes = VERIFIABLE.supported_schemes();
        // So that servers with such keys show their certificates.
        schemes.extend([SignatureScheme::ECDSA_NISTP521_SHA512, SignatureScheme::ED448]);
        schemes
    }
}
