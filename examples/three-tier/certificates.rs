//! The certificates between the load balancer and the API.

use std::{
    path::Path,
    time::{Duration, SystemTime},
};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};

use crate::docker::Result;

/// Who signs, and which name and validity a certificate has.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

const DAY: u64 = 86_400;

impl Authority {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate().map_err(|error| error.to_string())?;
        CertifiedIssuer::self_signed(params, key).map(Self).map_err(|error| error.to_string())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes a certificate and its key into this directory, valid until so many days from now.
    pub(crate) fn issue(&self, directory: &Path, names: &[&str], days_left: i64) -> Result {
        let told = |error: &dyn std::error::Error| error.to_string();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).map_err(|error| told(&error))?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(|error| told(&error))?;
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + Duration::from_secs(now.as_secs() - 90 * DAY);
        params.not_after =
            epoch + Duration::from_secs((now.as_secs()).saturating_add_signed(days_left * DAY as i64));
        let key = KeyPair::generate().map_err(|error| told(&error))?;
        let certificate = params.signed_by(&key, &self.0).map_err(|error| told(&error))?;
        // The shop reads both for each connection.
        std::fs::write(directory.join("key.pem"), key.serialize_pem()).map_err(|error| told(&error))?;
        std::fs::write(directory.join("cert.pem"), certificate.pem()).map_err(|error| told(&error))
    }
}
