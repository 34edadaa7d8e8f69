//! TLS for the probes: what to trust, what to show, and what went wrong, in words.
//!
//! A client configuration is built once per run and setting, and the machine's roots are loaded once per run, when the
//! first HTTPS check needs them. Sessions are never resumed: a resumed one shows no certificate, so that one that
//! expired in the meantime would pass.

use std::{
    collections::HashMap,
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use clockwork_core::{CheckError, Context, text::quote};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::{CryptoProvider, ring},
    server::ParsedCertificate,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject};
use tokio::sync::OnceCell;

/// What a client trusts and shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TlsSettings {
    /// A PEM file: then only what stands in it is trusted, instead of the machine's roots.
    pub ca_file: Option<PathBuf>,
    /// A PEM file with the client's certificate chain.
    pub client_cert: Option<PathBuf>,
    /// A PEM file with its key; that of the certificate, if none is given.
    pub client_key: Option<PathBuf>,
    /// Accept any certificate.
    pub insecure: bool,
    /// The protocols offered, the preferred one first (ALPN).
    pub alpn: &'static [&'static [u8]],
}

/// A client's configuration, built once per run.
///
/// # Errors
/// Clockwork cannot look: a file that cannot be read, or holds nothing that fits.
pub async fn client_config(settings: &TlsSettings, cx: &Context) -> Result<Arc<ClientConfig>, CheckError> {
    let configs: Arc<Configs> = cx.shared();
    let slot = {
        let mut all = configs.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(settings) {
            Some(slot) => Arc::clone(slot),
            None => Arc::clone(all.entry(settings.clone()).or_default()),
        }
    };
    slot.get_or_try_init(async || {
        let roots = match settings.ca_file.is_some() || settings.insecure {
            true => Arc::new(RootCertStore::empty()), // and not asked for
            false => cx.shared::<Roots>().get().await?.store,
        };
        let settings = settings.clone();
        blocking(move || build(&settings, roots)).await?.map(Arc::new)
    })
    .await
    .map(Arc::clone)
}

/// The configurations of one run. Files that could not be read are read again at the next attempt.
#[derive(Default)]
struct Configs(Mutex<HashMap<TlsSettings, Arc<OnceCell<Arc<ClientConfig>>>>>);

/// What this machine trusts; Mozilla's list, where it has none.
#[derive(Default)]
pub(crate) struct Roots(OnceCell<System>);

/// The machine's roots, and, where it has any of its own, their certificates.
#[derive(Clone)]
pub(crate) struct System {
    pub(crate) store: Arc<RootCertStore>,
    pub(crate) certificates: Arc<[CertificateDer<'static>]>,
}

impl Roots {
    pub(crate) async fn get(&self) -> Result<System, CheckError> {
        let load = || {
            let mut roots = RootCertStore::empty();
            let certificates = rustls_native_certs::load_native_certs().certs;
            roots.add_parsable_certificates(certificates.iter().cloned());
            if roots.is_empty() {
                roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
            }
            System { store: Arc::new(roots), certificates: certificates.into() }
        };
        self.0.get_or_try_init(async || blocking(load).await).await.cloned()
    }
}

pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CheckError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| CheckError::unobservable("cannot prepare TLS").with_source(error))
}

fn build(settings: &TlsSettings, system: Arc<RootCertStore>) -> Result<ClientConfig, CheckError> {
    // Given explicitly: the process's default provider is not ours to choose.
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| CheckError::unobservable("cannot prepare TLS").with_source(error))?;
    let builder = if settings.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
    } else {
        match &settings.ca_file {
            Some(file) => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(OnlyThese::read(file, provider)?)),
            None => builder.with_root_certificates(system),
        }
    };
    let mut config = match &settings.client_cert {
        None => builder.with_no_client_auth(),
        Some(certificate) => {
            let chain = certificates("client_cert", certificate)?;
            let key_file = settings.client_key.as_ref().unwrap_or(certificate);
            let key = PrivateKeyDer::from_pem_file(key_file)
                .map_err(|error| unusable("client_key", key_file, "holds no private key", error))?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                CheckError::unobservable(format!(
                    "client_cert {} and its key cannot be used together",
                    shown(certificate)
                ))
                .with_source(error)
            })?
        }
    };
    config.alpn_protocols = settings.alpn.iter().map(|protocol| protocol.to_vec()).collect();
    config.resumption = Resumption::disabled();
    Ok(config)
}

pub(crate) fn certificates(field: &str, file: &Path) -> Result<Vec<CertificateDer<'static>>, CheckError> {
    let read = |error| unusable(field, file, "is not a PEM file", error);
    // A pipe that nobody writes to would block for ever.
    if std::fs::metadata(file).is_ok_and(|found| !found.is_file()) {
        return Err(CheckError::unobservable(format!("{field} {} is not a regular file", shown(file))));
    }
    let all: Vec<_> =
        CertificateDer::pem_file_iter(file).map_err(read)?.collect::<Result<_, _>>().map_err(read)?;
    if all.is_empty() {
        return Err(CheckError::unobservable(format!("{field} {} holds no certificate", shown(file)))
            .hint("it has to be a PEM file with `-----BEGIN CERTIFICATE-----`"));
    }
    Ok(all)
}

pub(crate) fn unusable(
    field: &str,
    file: &Path,
    what: &str,
    error: rustls_pki_types::pem::Error,
) -> CheckError {
    match error {
        rustls_pki_types::pem::Error::Io(error) => {
            CheckError::unobservable(format!("{field} {} cannot be read", shown(file))).with_source(error)
        }
        // Its text may quote the file, which may be a key.
        _ => CheckError::unobservable(format!("{field} {} {what}", shown(file))),
    }
}

pub(crate) fn shown(path: &Path) -> String {
    quote(&path.to_string_lossy())
}

/// What the other side, which is at `place`, did wrong in TLS, if that is what lies beneath this error.
pub(crate) fn failure(place: &str, error: &io::Error) -> Option<CheckError> {
    let error: &rustls::Error = error.get_ref()?.downcast_ref()?;
    let failure = CheckError::target(format!("no TLS with {place}: {}", explain(error)));
    let expired = matches!(
        error,
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. }
        )
    );
    // Waiting makes no certificate valid again.
    Some(if expired { failure.terminal() } else { failure })
}

pub(crate) fn explain(error: &rustls::Error) -> String {
    use rustls::{Error, InvalidMessage};
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::AlertReceived(alert) => format!("it broke the TLS handshake off with the alert {alert:?}"),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            String::from("it does not speak TLS at this port")
        }
        Error::PeerIncompatible(why) => format!("it offers no TLS that is considered secure today ({why:?})"),
        Error::NoApplicationProtocol => {
            String::from("it speaks none of the HTTP versions that were offered (ALPN)")
        }
        other => format!("it broke the TLS protocol: {}", quote(&other.to_string())),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired => String::from("its certificate has expired"),
        CertificateError::ExpiredContext { time, not_after } => {
            format!("its certificate has expired {} ago", days(time.as_secs(), not_after.as_secs()))
        }
        CertificateError::NotValidYet => String::from("its certificate is not valid yet"),
        CertificateError::NotValidYetContext { time, not_before } => {
            format!(
                "its certificate is not valid before {} from now",
                days(not_before.as_secs(), time.as_secs())
            )
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            let presented: Vec<_> = presented.iter().take(8).map(|name| quote(name)).collect();
            let presented = if presented.is_empty() { String::from("no name") } else { presented.join(", ") };
            format!("its certificate is not for {} but for {presented}", quote(&expected.to_str()))
        }
        CertificateError::NotValidForName => String::from("its certificate is for another name"),
        CertificateError::UnknownIssuer => String::from(
            "its certificate is signed by nobody who is trusted here (give the CA with `ca_file`)",
        ),
        CertificateError::Revoked => String::from("its certificate has been revoked"),
        CertificateError::BadSignature => String::from("its certificate's signature is wrong"),
        // A certificate that signs itself is refused in this way where it says that it is a CA.
        other if is_ca_as_server(other) => String::from(
            "its certificate is a CA's, most likely one that signed itself (give it with `ca_file`)",
        ),
        other => format!("its certificate is not valid: {}", quote(&other.to_string())),
    }
}

fn days(later: u64, earlier: u64) -> String {
    clockwork_core::duration::show(std::time::Duration::from_secs(later.saturating_sub(earlier)))
}

/// Trusts what stands in `ca_file` and nothing else.
#[derive(Debug)]
struct OnlyThese {
    rules: Arc<WebPkiServerVerifier>,
    certificates: Vec<CertificateDer<'static>>,
}

impl OnlyThese {
    fn read(file: &Path, provider: Arc<CryptoProvider>) -> Result<Self, CheckError> {
        let wrong = |what: &str, error: Box<dyn std::error::Error + Send + Sync>| {
            CheckError::unobservable(format!("ca_file {} {what}", shown(file)))
                .with_source(io::Error::other(error))
        };
        let certificates = certificates("ca_file", file)?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots
                .add(certificate.clone())
                .map_err(|error| wrong("holds a certificate that cannot be read", error.into()))?;
        }
        let rules = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        let rules = rules.map_err(|error| wrong("cannot be used", error.into()))?;
        Ok(Self { rules, certificates })
    }
}

impl ServerCertVerifier for OnlyThese {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict =
            self.rules.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            // `openssl req -x509` makes self-signed certificates that say they are a CA's. webpki never takes these
            // for a server's, but whoever gives this very certificate trusts it. Its validity was checked before.
            Err(rustls::Error::InvalidCertificate(error))
                if is_ca_as_server(&error) && self.certificates.iter().any(|given| given == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.rules.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.rules.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.rules.supported_verify_schemes()
    }
}

fn is_ca_as_server(error: &CertificateError) -> bool {
    // webpki's own error, which is not among those that rustls names.
    matches!(error, CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity"))
}

/// Accepts any certificate, also one that cannot be read.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
