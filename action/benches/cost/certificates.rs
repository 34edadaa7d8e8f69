//! The certificates of the TLS scenario: a server's, by a CA between, by a root, as on the web.

use std::{fs, path::Path};

use anyhow::Context as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use crate::server::TLS_NAME;

/// Writes the root, what the server shows, and its key into a folder.
pub(crate) fn write(folder: &Path) -> anyhow::Result<Files> {
    let ca = |name: &str| {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let root = CertifiedIssuer::self_signed(ca("root"), KeyPair::generate()?)?;
    let between = CertifiedIssuer::signed_by(ca("between"), KeyPair::generate()?, &root)?;
    let key = KeyPair::generate()?;
    let own = CertificateParams::new(vec![TLS_NAME.to_owned()])?.signed_by(&key, &between)?;
    let path = |name: &str, content: String| {
        let path = folder.join(name);
        fs::write(&path, content)?;
        path.to_str().map(str::to_owned).context("the directory's name is not UTF-8")
    };
    Ok(Files {
        root: path("root.pem", root.pem())?,
        chain: path("chain.pem", format!("{}{}", own.pem(), between.pem()))?,
        key: path("key.pem", key.serialize_pem())?,
    })
}

/// Where they are.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) root: String,
    pub(crate) chain: String,
    pub(crate) key: String,
}
