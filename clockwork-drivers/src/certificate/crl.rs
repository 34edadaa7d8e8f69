//! [`CrlProbe`]: lists of revoked certificates from a file, and what they say of a certificate.
//!
//! A list counts only where it is signed by the very issuer, is of today, and is of a kind that is understood here.

use std::{
    collections::HashMap,
    io::Read,
    path::{Path, PathBuf},
};

use clockwork_core::{CheckError, Context, Fault, Probe};
use rustls_pki_types::{CertificateRevocationListDer, pem::PemObject};
use x509_parser::{
    extensions::{DistributionPointName, GeneralName, ParsedExtension},
    prelude::FromDer,
    revocation_list::CertificateRevocationList,
};

use super::{
    algorithm::{self, Check},
    facts::Certificate,
    time::rfc3339,
    trust::Anchor,
};
use crate::{
    der,
    tls::{blocking, shown},
};

/// The largest file that is read. The largest public lists have some ten megabytes.
const LIMIT: u64 = 64 << 20;

/// Reads a file of revocation lists: PEM, any number of them, or one in DER.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CrlProbe {
    /// The file.
    pub file: PathBuf,
}

/// The lists of a file.
#[derive(Debug)]
pub struct Crls {
    lists: Vec<List>,
    weight: usize,
}

#[derive(Debug)]
struct List {
    der: Vec<u8>,
    issuer: String,
    issuer_der: Vec<u8>,
    this_update: i64,
    next_update: Option<i64>,
    /// Serial number → when, and why.
    revoked: HashMap<Vec<u8>, (i64, Option<String>)>,
    scope: Scope,
}

/// Which of its issuer's certificates a list is about.
#[derive(Debug, Default)]
struct Scope {
    servers_only: bool,
    cas_only: bool,
    /// Only of those that say that their list is at one of these places.
    places: Vec<String>,
    /// Why it is not understood.
    strange: Option<&'static str>,
}

/// What the lists say of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// A list of today does not name it.
    Good,
    /// It is named: since when (Unix time), and why.
    Revoked(i64, Option<String>),
    /// No list is about it; the issuers of those that are there.
    NotCovered(Vec<String>),
    /// There is a list about it, which does not count: why.
    Unusable(String),
}

/// Who signed a certificate, and has to have signed its list.
#[derive(Debug, Clone, Copy)]
pub enum Issuer<'a> {
    /// A CA on the path.
    Certificate(&'a Certificate),
    /// One that is trusted.
    Anchor(&'a Anchor),
}

impl Issuer<'_> {
    fn spki(&self) -> Vec<u8> {
        match self {
            Self::Certificate(certificate) => certificate.spki.clone(),
            Self::Anchor(anchor) => anchor.spki(),
        }
    }

    fn may_sign_lists(&self) -> bool {
        let certificate = match self {
            Self::Certificate(certificate) => Some(*certificate),
            Self::Anchor(anchor) => anchor.certificate(),
        };
        certificate.and_then(|certificate| certificate.signs_crls).unwrap_or(true)
    }
}

impl Crls {
    /// Reads lists, PEM or DER.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let all: Vec<Vec<u8>> = match bytes.first() {
            Some(0x30) => vec![bytes.to_vec()],
            _ => {
                let all = CertificateRevocationListDer::pem_slice_iter(bytes).collect::<Result<Vec<_>, _>>();
                let all = all.map_err(|_| String::from("is not a PEM file"))?;
                all.into_iter().map(|list| list.to_vec()).collect()
            }
        };
        if all.is_empty() {
            return Err(String::from("holds no revocation list (`-----BEGIN X509 CRL-----`)"));
        }
        let weight = 3 * bytes.len();
        let lists = all.into_iter().enumerate().map(|(index, der)| {
            List::read(der)
                .ok_or_else(|| format!("holds a revocation list that cannot be read: number {}", index + 1))
        });
        Ok(Self { lists: lists.collect::<Result<_, _>>()?, weight })
    }

    /// What the lists say of a certificate that `issuer` signed.
    pub fn status(&self, certificate: &Certificate, issuer: Issuer<'_>, now: i64) -> Status {
        let (mut unusable, mut named) = (None, None);
        let mut good = false;
        for list in self.lists.iter().filter(|list| list.is_about(certificate)) {
            match list.problem(issuer, now) {
                // Whoever is revoked stays revoked, also when the list is old; but only the issuer may say so.
                Err(Problem::Old(why)) => {
                    if let Some((when, reason)) = list.revoked.get(&certificate.serial_der) {
                        return Status::Revoked(*when, reason.clone());
                    }
                    unusable.get_or_insert(why);
                }
                Err(Problem::Unusable(why)) => {
                    // What names it is not outvoted by another list that does not, such as the one before its changes.
                    if list.revoked.contains_key(&certificate.serial_der) {
                        named.get_or_insert(format!("{why}; and it names the certificate"));
                    }
                    unusable.get_or_insert(why);
                }
                Ok(()) => match list.revoked.get(&certificate.serial_der) {
                    Some((when, reason)) => return Status::Revoked(*when, reason.clone()),
                    None => good = true,
                },
            }
        }
        if let Some(why) = named {
            return Status::Unusable(why);
        }
        match (good, unusable) {
            (true, _) => Status::Good,
            (false, Some(why)) => Status::Unusable(why),
            (false, None) => {
                Status::NotCovered(self.lists.iter().take(3).map(|list| list.issuer.clone()).collect())
            }
        }
    }
}

enum Problem {
    Old(String),
    Unusable(String),
}

impl List {
    fn read(der: Vec<u8>) -> Option<Self> {
        let (rest, read) = CertificateRevocationList::from_der(&der).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let mut scope = Scope::default();
        for extension in read.extensions() {
            match extension.parsed_extension() {
                ParsedExtension::IssuingDistributionPoint(point) => {
                    scope.servers_only = point.only_contains_user_certs;
                    scope.cas_only = point.only_contains_ca_certs;
                    if let Some(name) = &point.distribution_point {
                        scope.places = places(name);
                        if scope.places.is_empty() {
                            scope.strange = Some("its distribution point is not a URL");
                        }
                    }
                    if point.indirect_crl || point.only_contains_attribute_certs {
                        scope.strange = Some("it is about certificates of other issuers, or of another kind");
                    } else if point.only_some_reasons.is_some() {
                        scope.strange = Some("it is about some reasons only");
                    }
                }
                _ if extension.oid.to_id_string() == "2.5.29.27" => {
                    scope.strange = Some("it lists the changes since another one (a delta CRL)");
                }
                _ if extension.critical => {
                    scope.strange = Some("it has a critical extension that is not known")
                }
                _ => {}
            }
        }
        let mut revoked = HashMap::new();
        for entry in read.iter_revoked_certificates() {
            if entry.extensions().iter().any(|extension| extension.critical) {
                scope.strange = Some("an entry of it has a critical extension that is not known");
            }
            let reason = entry.reason_code().map(|(_, reason)| reason.to_string());
            revoked.insert(entry.raw_serial().to_vec(), (entry.revocation_date.timestamp(), reason));
        }
        Some(Self {
            issuer: read.issuer().to_string(),
            issuer_der: der::content(read.issuer().as_raw())?.to_vec(),
            this_update: read.last_update().timestamp(),
            next_update: read.next_update().map(|next| next.timestamp()),
            revoked,
            scope,
            der,
        })
    }

    fn is_about(&self, certificate: &Certificate) -> bool {
        let scope = &self.scope;
        self.issuer_der == certificate.issuer_der
            && (!scope.servers_only || !certificate.is_ca)
            && (!scope.cas_only || certificate.is_ca)
            && (scope.places.is_empty()
                || certificate.crl_places.is_empty()
                || scope.places.iter().any(|place| certificate.crl_places.contains(place)))
    }

    fn problem(&self, issuer: Issuer<'_>, now: i64) -> Result<(), Problem> {
        let unusable = |why: String| Err(Problem::Unusable(why));
        if let Some(strange) = self.scope.strange {
            return unusable(format!("is of a kind that is not understood: {strange}"));
        }
        let signed = der::signed(&self.der);
        match signed.map_or(Check::Unknown, |signed| algorithm::check(&signed, &issuer.spki())) {
            Check::Right => {}
            Check::Wrong => {
                return unusable(String::from(
                    "is not signed by that issuer's key (is it another CA's of the same name?)",
                ));
            }
            Check::Unknown => {
                return unusable(String::from("is signed in a way that cannot be verified here"));
            }
        }
        if !issuer.may_sign_lists() {
            return unusable(String::from("is signed by a key that may not sign lists (key usage)"));
        }
        if self.this_update > now {
            return unusable(format!("is not of today: it is of {}", rfc3339(self.this_update)));
        }
        match self.next_update {
            None => Err(Problem::Old(String::from("does not say until when it counts"))),
            Some(next) if next <= now => {
                Err(Problem::Old(format!("is out of date: its next update was due on {}", rfc3339(next))))
            }
            Some(_) => Ok(()),
        }
    }
}

/// The URLs of a distribution point.
pub(super) fn places(name: &DistributionPointName<'_>) -> Vec<String> {
    let DistributionPointName::FullName(names) = name else { return Vec::new() };
    let urls = names.iter().filter_map(|name| match name {
        GeneralName::URI(url) => Some((*url).to_owned()),
        _ => None,
    });
    urls.collect()
}

impl Probe for CrlProbe {
    type Observation = Crls;

    async fn look(&self, cx: &Context) -> Result<Crls, CheckError> {
        cx.phase(format!("reading {}", shown(&self.file)));
        let file = self.file.clone();
        blocking(move || {
            let bytes = read(&file)?;
            Crls::read(&bytes)
                .map_err(|what| CheckError::unobservable(format!("crl_file {} {what}", shown(&file))))
        })
        .await?
    }

    fn looks_inside(&self) -> bool {
        true // a file of the one who asks: the same from everywhere
    }

    fn describe(&self) -> String {
        format!("reading crl_file {}", shown(&self.file))
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(crls: &Crls) -> usize {
        crls.weight
    }
}

fn read(file: &Path) -> Result<Vec<u8>, CheckError> {
    let wrong = |what: &str| CheckError::unobservable(format!("crl_file {} {what}", shown(file)));
    // A pipe that nobody writes to would block for ever.
    if std::fs::metadata(file).is_ok_and(|found| !found.is_file()) {
        return Err(wrong("is not a regular file"));
    }
    let unreadable = |error| wrong("cannot be read").with_source(error);
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).map_err(unreadable)?;
    opened.take(LIMIT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    match bytes.len() as u64 > LIMIT {
        true => Err(wrong("is larger than 64 MiB")),
        false => Ok(bytes),
    }
}
