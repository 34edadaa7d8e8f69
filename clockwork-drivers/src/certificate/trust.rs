//! [`TrustProbe`]: whom to trust, which is a file's certificates or the machine's roots, with what is known of each.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use clockwork_core::{CheckError, Context, Fault, Probe};
use rustls_pki_types::{CertificateDer, TrustAnchor};

use super::facts::Certificate;
use crate::tls::{Roots, blocking, certificates, shown};

/// Reads whom to trust.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TrustProbe {
    /// A PEM file: then only what stands in it is trusted. Otherwise the machine's roots are, or Mozilla's list where it
    /// has none.
    pub ca_file: Option<PathBuf>,
}

/// Whom to trust.
#[derive(Debug, Default)]
pub struct Trust {
    anchors: Vec<Anchor>,
    by_subject: HashMap<Vec<u8>, Vec<usize>>,
    /// Where it comes from, for messages.
    whence: String,
    weight: usize,
}

/// One that is trusted.
#[derive(Debug)]
pub struct Anchor {
    pub(super) trusted: TrustAnchor<'static>,
    /// Mozilla's built-in list has no certificates.
    der: Option<CertificateDer<'static>>,
    certificate: OnceLock<Option<Certificate>>,
}

impl Anchor {
    /// Its certificate, where there is one that can be read.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.get_or_init(|| Certificate::read(self.der.as_ref()?)).as_ref()
    }

    /// Its public key, with its header.
    pub(super) fn spki(&self) -> Vec<u8> {
        webpki::spki_for_anchor(&self.trusted).to_vec()
    }
}

impl Trust {
    /// Trusts these, which come from `whence`.
    ///
    /// # Errors
    /// The number of the first one (from 1) that cannot be used.
    pub fn new(whence: String, all: Vec<CertificateDer<'static>>) -> Result<Self, usize> {
        let mut trust = Self { whence, ..Self::default() };
        for (index, der) in all.into_iter().enumerate() {
            let trusted = webpki::anchor_from_trusted_cert(&der).map_err(|_| index + 1)?.to_owned();
            trust.add(trusted, Some(der));
        }
        Ok(trust)
    }

    fn add(&mut self, trusted: TrustAnchor<'static>, der: Option<CertificateDer<'static>>) {
        if der.is_some() && self.anchors.iter().any(|known| known.der == der) {
            return;
        }
        self.weight += der.as_ref().map_or(0, |der| der.len() + trusted.subject_public_key_info.len()) + 256;
        self.by_subject.entry(trusted.subject.to_vec()).or_default().push(self.anchors.len());
        self.anchors.push(Anchor { trusted, der, certificate: OnceLock::new() });
    }

    /// Where it comes from: `the certificates of ca_file "ca.pem"`, `the roots of this machine`.
    pub fn whence(&self) -> &str {
        &self.whence
    }

    /// The one at this place.
    pub fn anchor(&self, index: usize) -> &Anchor {
        &self.anchors[index]
    }

    /// Those of this name.
    pub(super) fn named(&self, subject: &[u8]) -> &[usize] {
        self.by_subject.get(subject).map_or(&[], Vec::as_slice)
    }

    /// Where this very certificate is trusted.
    pub(super) fn position(&self, certificate: &Certificate) -> Option<usize> {
        let named = self.named(&certificate.subject_der).iter().copied();
        named.into_iter().find(|index| self.anchors[*index].der.as_ref() == Some(&certificate.der))
    }
}

/// The machine's, read once per run.
#[derive(Default)]
struct OfThisMachine(tokio::sync::OnceCell<Arc<Trust>>);

impl Probe for TrustProbe {
    type Observation = Arc<Trust>;

    async fn look(&self, cx: &Context) -> Result<Arc<Trust>, CheckError> {
        let Some(file) = self.ca_file.clone() else {
            cx.phase("reading the roots of this machine");
            let system = cx.shared::<Roots>().get().await?;
            let shared = cx.shared::<OfThisMachine>();
            let trust = shared.0.get_or_init(async || Arc::new(of_this_machine(&system))).await;
            return Ok(Arc::clone(trust));
        };
        cx.phase(format!("reading {}", shown(&file)));
        blocking(move || {
            let all = certificates("ca_file", &file)?;
            let whence = format!("the certificates of ca_file {}", shown(&file));
            Trust::new(whence, all).map(Arc::new).map_err(|number| {
                CheckError::unobservable(format!(
                    "ca_file {} holds a certificate that cannot be read: number {number}",
                    shown(&file)
                ))
            })
        })
        .await?
    }

    fn looks_inside(&self) -> bool {
        true // a file of the one who asks: the same from everywhere
    }

    fn describe(&self) -> String {
        String::from("reading whom to trust")
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(trust: &Arc<Trust>) -> usize {
        trust.weight
    }
}

fn of_this_machine(system: &crate::tls::System) -> Trust {
    let mut trust = Trust { whence: String::from("the roots of this machine"), ..Trust::default() };
    for der in system.certificates.iter() {
        // As every client does: one that cannot be read is nobody's anchor.
        if let Ok(trusted) = webpki::anchor_from_trusted_cert(der) {
            trust.add(trusted.to_owned(), Some(der.clone()));
        }
    }
    if trust.anchors.is_empty() {
        trust.whence = String::from("Mozilla's roots (this machine has none)");
        for trusted in &system.store.roots {
            trust.add(trusted.clone(), None);
        }
    }
    trust
}
