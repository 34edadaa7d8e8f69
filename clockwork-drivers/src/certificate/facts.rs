//! [`Certificate`]: what stands in a certificate, read once, in words that reports can show.

use std::{fmt, net::IpAddr, sync::Arc};

use clockwork_core::text::{bounded, quote};
use rustls_pki_types::CertificateDer;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use x509_parser::{
    certificate::X509Certificate,
    extensions::{GeneralName, ParsedExtension},
    prelude::FromDer,
    x509::X509Version,
};

use super::{
    algorithm::{Key, Signature},
    time::{days_between, rfc3339},
};
use crate::der;

/// How many names of one certificate go into the report.
const NAMES: usize = 100;
/// How long a name in the report's details may be, in bytes.
const LONG: usize = 500;

/// What stands in a certificate. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificate(Arc<Facts>);

/// The facts themselves.
#[derive(Debug)]
#[non_exhaustive]
pub struct Facts {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// Whom it is for: `CN=shop.example, O=Shop`. Foreign text.
    pub subject: String,
    /// Who signed it. Foreign text.
    pub issuer: String,
    /// The names that it is for (subject alternative names): DNS names and addresses.
    pub names: Vec<String>,
    /// The serial number, in hexadecimal digits.
    pub serial: String,
    /// The first second at which it is valid, in Unix time.
    pub not_before: i64,
    /// The last one.
    pub not_after: i64,
    /// Its public key.
    pub key: Key,
    /// What it was signed with.
    pub signature: Signature,
    /// Whether it says that it is a CA's.
    pub is_ca: bool,
    /// Whether nobody may take it for a CA's: it says so, or could say that it is one's and does not.
    pub(super) denies_ca: bool,
    /// How many CAs may follow below it.
    pub(super) path_length: Option<u32>,
    /// Whether its key may sign certificates; `None` where it does not say.
    pub(super) signs_certificates: Option<bool>,
    /// Whether its key may sign CRLs; `None` where it does not say.
    pub(super) signs_crls: Option<bool>,
    /// Whether its key may prove a server; `None` where it does not say.
    pub(super) for_servers: Option<bool>,
    /// Whether it limits the names of those below it.
    pub(super) limits_names: bool,
    /// Where its CRL is to be found.
    pub(super) crl_places: Vec<String>,
    /// The content of the names as they stand there: what links one certificate to the next.
    pub(super) subject_der: Vec<u8>,
    pub(super) issuer_der: Vec<u8>,
    pub(super) serial_der: Vec<u8>,
    /// The public key with its header.
    pub(super) spki: Vec<u8>,
}

impl std::ops::Deref for Certificate {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.0
    }
}

impl Certificate {
    /// Reads one; `None` where it cannot be read.
    pub fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (rest, read) = X509Certificate::from_der(der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let constraints = read.basic_constraints().ok()?.map(|found| found.value);
        let usage = read.key_usage().ok()?.map(|found| found.value);
        let purposes = read.extended_key_usage().ok()?.map(|found| found.value);
        let names = read.subject_alternative_name().ok()?;
        let names = names.iter().flat_map(|found| &found.value.general_names);
        let tbs = &read.tbs_certificate;
        Some(Self(Arc::new(Facts {
            der: der.clone().into_owned(),
            subject: read.subject().to_string(),
            issuer: read.issuer().to_string(),
            names: names.filter_map(name).collect(),
            serial: hex(read.raw_serial()),
            not_before: read.validity().not_before.timestamp(),
            not_after: read.validity().not_after.timestamp(),
            key: Key::read(tbs.subject_pki.raw)?,
            signature: Signature::read(&read.signature_algorithm),
            is_ca: constraints.is_some_and(|found| found.ca),
            denies_ca: match constraints {
                Some(found) => !found.ca,
                None => {
                    read.version() == X509Version::V3 && !usage.is_some_and(|usage| usage.key_cert_sign())
                }
            },
            path_length: constraints.and_then(|found| found.path_len_constraint),
            signs_certificates: usage.map(|usage| usage.key_cert_sign()),
            signs_crls: usage.map(|usage| usage.crl_sign()),
            for_servers: purposes.map(|purposes| purposes.server_auth),
            limits_names: matches!(read.name_constraints(), Ok(Some(_)) | Err(_)),
            crl_places: crl_places(&read),
            subject_der: der::content(read.subject().as_raw())?.to_vec(),
            issuer_der: der::content(read.issuer().as_raw())?.to_vec(),
            serial_der: read.raw_serial().to_vec(),
            spki: tbs.subject_pki.raw.to_vec(),
        })))
    }

    /// Whether subject and issuer are one: a root, or one that signed itself.
    pub fn is_self_issued(&self) -> bool {
        self.subject_der == self.issuer_der
    }

    /// What to call it in a message: the subject, or the first name, or the serial number.
    pub fn title(&self) -> String {
        match (self.subject.is_empty(), self.names.first()) {
            (false, _) => quote(&self.subject),
            (true, Some(name)) => quote(name),
            (true, None) => format!("with the serial number {}", bounded(self.serial.clone(), 64)),
        }
    }

    /// For the report's `details`.
    pub fn details(&self, now: i64) -> Value {
        let text = |text: &String| bounded(text.clone(), LONG);
        json!({
            "subject": text(&self.subject),
            "issuer": text(&self.issuer),
            "subject_alt_names": self.names.iter().take(NAMES).map(text).collect::<Vec<_>>(),
            "serial": text(&self.serial),
            "not_before": rfc3339(self.not_before),
            "not_after": rfc3339(self.not_after),
            "days_left": days_between(now, self.not_after),
            "key": self.key.to_string(),
            "key_bits": self.key.bits(),
            "signature": self.signature.to_string(),
            "sha256": hex(&Sha256::digest(&self.der)),
        })
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title())
    }
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(bytes) => Some(IpAddr::from(bytes).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        },
        _ => None,
    }
}

fn crl_places(read: &X509Certificate<'_>) -> Vec<String> {
    let extensions = read.iter_extensions().filter_map(|extension| match extension.parsed_extension() {
        ParsedExtension::CRLDistributionPoints(points) => Some(points),
        _ => None,
    });
    let points = extensions.flat_map(|points| points.iter()).filter_map(|p| p.distribution_point.as_ref());
    points.flat_map(super::crl::places).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
