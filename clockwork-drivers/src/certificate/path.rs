//! The ways from a server's certificate to somebody who is trusted, and what is wrong on each.
//!
//! A server sends certificates in any order, with some too many: paths are looked for by name, and webpki judges each by
//! itself. It is the authority: nothing passes that it refuses. What it does not say is which certificate it refuses, so
//! each is looked at again here; and it takes no interest in the anchor's own validity or in what keys may be used for,
//! which is looked at in any case.

use clockwork_core::text::quote;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{EndEntityCert, KeyUsage};

use super::{
    algorithm::{self, Check},
    facts::Certificate,
    trust::Trust,
};
use crate::der;

/// How many paths are judged. A server that sends more than two or three possible ones is no server but a riddle.
const PATHS: usize = 16;
/// How many certificates of CAs a path may have, the anchor's left out; webpki's own limit.
const DEPTH: usize = 6;
/// How many steps the search may take in all.
const STEPS: usize = 500;

/// A certificate that the server sent.
#[derive(Debug, Clone)]
pub struct Sent {
    /// As it came.
    pub der: CertificateDer<'static>,
    /// What stands in it; `None` where it cannot be read.
    pub certificate: Option<Certificate>,
}

impl Sent {
    /// One that was sent.
    pub fn new(der: CertificateDer<'static>) -> Self {
        Self { certificate: Certificate::read(&der), der }
    }
}

/// One step of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The certificate at this place of those that the server sent; the server's own is 0.
    Sent(usize),
    /// The one at this place of those that are trusted.
    Anchor(usize),
}

/// A way from the server's certificate to somebody who is trusted.
#[derive(Debug, Clone)]
pub struct Path {
    /// From the server's certificate to the anchor. It is one step where this very certificate is trusted.
    pub steps: Vec<Step>,
    /// What is wrong, and with which step.
    pub faults: Vec<(usize, Defect)>,
}

/// What is wrong with a certificate of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Defect {
    /// Its last second is over.
    Expired,
    /// Its first second is still to come.
    NotYetValid,
    /// It bears a signature that is not by the key of the next one.
    BadSignature,
    /// Its signature cannot be verified by Clockwork: what it was made with.
    Unverifiable(String),
    /// It signed another, and does not say that it is a CA's.
    NotACa,
    /// It signed another, and its key usage does not allow that.
    MayNotSign,
    /// More CAs follow below it than it allows.
    TooDeep,
    /// Its extended key usage does not allow to prove a server.
    NotForServers,
    /// It is the server's, and says that it is a CA's.
    CaAsServer,
    /// It does not allow the names of those below it.
    NameConstraint,
    /// It breaks the rules for certificates: how, in words that follow its name.
    Malformed(String),
}

/// Where the search ended, when no path leads to anybody who is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadEnd {
    /// The last of those that the server sent, as far as one leads to the next.
    pub last: usize,
    /// Whether that one names itself as its issuer.
    pub is_self_issued: bool,
    /// How many of those that were sent lead nowhere.
    pub unused: usize,
}

/// Everything that the search needs.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    sent: &'a [Sent],
    trust: &'a Trust,
    /// Unix time.
    now: i64,
}

impl<'a> Search<'a> {
    /// For the ways from the first of those that were sent.
    pub fn new(sent: &'a [Sent], trust: &'a Trust, now: i64) -> Self {
        Self { sent, trust, now }
    }

    /// The certificate of a step; `None` for an anchor without one, or one that cannot be read.
    pub fn certificate(&self, step: Step) -> Option<&'a Certificate> {
        match step {
            Step::Sent(index) => self.sent.get(index)?.certificate.as_ref(),
            Step::Anchor(index) => self.trust.anchor(index).certificate(),
        }
    }

    /// Every way to somebody who is trusted, judged; the shortest first.
    ///
    /// # Errors
    /// Where it ends when there is none. The server's certificate has to be readable.
    pub fn paths(&self) -> Result<Vec<Path>, DeadEnd> {
        let Some(own) = self.certificate(Step::Sent(0)) else {
            return Err(DeadEnd {
                last: 0,
                is_self_issued: false,
                unused: self.sent.len().saturating_sub(1),
            });
        };
        if self.trust.position(own).is_some() {
            return Ok(vec![self.itself()]);
        }
        let (mut found, mut longest, mut steps) = (Vec::new(), vec![0], STEPS);
        self.extend(&mut vec![0], &mut found, &mut longest, &mut steps);
        if found.is_empty() {
            let last = longest.last().copied().unwrap_or(0);
            return Err(DeadEnd {
                last,
                is_self_issued: self.certificate(Step::Sent(last)).is_some_and(|one| one.is_self_issued()),
                unused: self.sent.len() - longest.len(),
            });
        }
        found.sort_by_key(Vec::len);
        Ok(found.into_iter().map(|steps| Path { faults: self.faults(&steps), steps }).collect())
    }

    /// The server's certificate alone, where it is trusted itself, or is to be taken as if it were.
    pub fn itself(&self) -> Path {
        let steps = vec![Step::Sent(0)];
        let mut faults = Vec::new();
        if let Some(own) = self.certificate(Step::Sent(0)) {
            self.validity(0, own, &mut faults);
            if own.for_servers == Some(false) {
                faults.push((0, Defect::NotForServers));
            }
            // That is all that webpki would be asked: it builds no path of one step.
            if let Err(error) = EndEntityCert::try_from(&own.der) {
                faults.push((0, Defect::Malformed(words(&error))));
            }
        }
        Path { steps, faults }
    }

    /// Whether the server's certificate signed itself.
    pub fn is_self_signed(&self) -> Option<bool> {
        let own = self.certificate(Step::Sent(0))?;
        if !own.is_self_issued() {
            return Some(false);
        }
        match algorithm::check(&der::signed(&own.der)?, &own.spki) {
            Check::Right => Some(true),
            Check::Wrong => Some(false),
            Check::Unknown => None,
        }
    }

    fn extend(
        &self,
        path: &mut Vec<usize>,
        found: &mut Vec<Vec<Step>>,
        longest: &mut Vec<usize>,
        steps: &mut usize,
    ) {
        if path.len() > longest.len() {
            longest.clone_from(path);
        }
        let Some(last) = path.last().and_then(|last| self.certificate(Step::Sent(*last))) else { return };
        for anchor in self.trust.named(&last.issuer_der) {
            if found.len() < PATHS {
                found.push(path.iter().copied().map(Step::Sent).chain([Step::Anchor(*anchor)]).collect());
            }
        }
        if path.len() > DEPTH {
            return;
        }
        for index in 1..self.sent.len() {
            let Some(next) = self.certificate(Step::Sent(index)) else { continue };
            if next.subject_der != last.issuer_der || self.is_known(next, path) {
                continue;
            }
            *steps = steps.saturating_sub(1);
            if *steps == 0 || found.len() >= PATHS {
                return;
            }
            path.push(index);
            self.extend(path, found, longest, steps);
            path.pop();
        }
    }

    /// Whether this one leads nowhere new: it stands in the path already, or is a root that is trusted as it is.
    fn is_known(&self, next: &Certificate, path: &[usize]) -> bool {
        let in_path = path.iter().filter_map(|index| self.certificate(Step::Sent(*index)));
        let mut in_path = in_path.filter(|one| one.subject_der == next.subject_der);
        in_path.any(|one| one.spki == next.spki)
            || (next.is_self_issued()
                && self
                    .trust
                    .named(&next.subject_der)
                    .iter()
                    .any(|index| self.trust.anchor(*index).spki() == next.spki))
    }

    fn faults(&self, steps: &[Step]) -> Vec<(usize, Defect)> {
        let mut faults = Vec::new();
        let mut below = 0; // CAs that are not self-issued, as path lengths are counted
        for (at, step) in steps.iter().enumerate() {
            let Some(certificate) = self.certificate(*step) else { continue };
            self.validity(at, certificate, &mut faults);
            let is_anchor = matches!(step, Step::Anchor(_));
            // What a root says that its key is for binds nobody who trusts the key; but its validity does.
            if certificate.for_servers == Some(false) && !is_anchor {
                faults.push((at, Defect::NotForServers));
            }
            if at == 0 {
                if certificate.is_ca {
                    faults.push((at, Defect::CaAsServer));
                }
                continue;
            }
            // An anchor of version 1 cannot say that it is a CA's. One that says that it is none is no client's anchor.
            let no_ca = if is_anchor { certificate.denies_ca } else { !certificate.is_ca };
            if no_ca {
                faults.push((at, Defect::NotACa));
            }
            if certificate.signs_certificates == Some(false) {
                faults.push((at, Defect::MayNotSign));
            }
            if certificate.path_length.is_some_and(|most| below > most) {
                faults.push((at, Defect::TooDeep));
            }
            below += u32::from(!certificate.is_self_issued());
        }
        if let Err(error) = self.verify(steps) {
            self.attribute(&error, steps, &mut faults);
        }
        faults
    }

    fn validity(&self, at: usize, certificate: &Certificate, faults: &mut Vec<(usize, Defect)>) {
        if self.now > certificate.not_after {
            faults.push((at, Defect::Expired));
        } else if self.now < certificate.not_before {
            faults.push((at, Defect::NotYetValid));
        }
    }

    /// What webpki says to exactly this path.
    fn verify(&self, steps: &[Step]) -> Result<(), webpki::Error> {
        let mut others = Vec::new();
        let mut anchors: &[_] = &[];
        for step in &steps[1..] {
            match step {
                Step::Sent(index) => others.push(CertificateDer::from(&*self.sent[*index].der)),
                Step::Anchor(index) => anchors = std::slice::from_ref(&self.trust.anchor(*index).trusted),
            }
        }
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(self.now.max(0).unsigned_abs()));
        EndEntityCert::try_from(&self.sent[0].der)?
            .verify_for_usage(
                algorithm::VERIFIABLE.all,
                anchors,
                &others,
                now,
                KeyUsage::server_auth(),
                None,
                None,
            )
            .map(drop)
    }

    /// Which certificate webpki means.
    fn attribute(&self, error: &webpki::Error, steps: &[Step], faults: &mut Vec<(usize, Defect)>) {
        for at in 0..steps.len() - 1 {
            let Some(certificate) = self.certificate(steps[at]) else { continue };
            if let Err(error) = EndEntityCert::try_from(&certificate.der) {
                faults.push((at, Defect::Malformed(words(&error))));
            }
            let spki = match steps[at + 1] {
                Step::Sent(_) => self.certificate(steps[at + 1]).map(|issuer| issuer.spki.clone()),
                Step::Anchor(index) => Some(self.trust.anchor(index).spki()),
            };
            let (Some(signed), Some(spki)) = (der::signed(&certificate.der), spki) else { continue };
            match algorithm::check(&signed, &spki) {
                Check::Right => {}
                Check::Wrong => faults.push((at, Defect::BadSignature)),
                Check::Unknown => {
                    let by = algorithm::Key::read(&spki);
                    let by = by.map_or_else(|| String::from("an unknown key"), |key| format!("a key {key}"));
                    faults.push((at, Defect::Unverifiable(format!("{} by {by}", certificate.signature))));
                }
            }
        }
        match error {
            webpki::Error::NameConstraintViolation => {
                let limits = |step: &Step| self.certificate(*step).is_some_and(|one| one.limits_names);
                let at = steps.iter().rposition(limits).unwrap_or(steps.len() - 1);
                faults.push((at, Defect::NameConstraint));
            }
            // Nothing passes that webpki refuses, also where it is not seen here why.
            error if faults.is_empty() => faults.push((0, Defect::Malformed(words(error)))),
            _ => {}
        }
    }
}

fn words(error: &webpki::Error) -> String {
    let known = match error {
        webpki::Error::UnsupportedCriticalExtension => "has a critical extension that is not known",
        webpki::Error::UnsupportedCertVersion => "is of an old version, which no client takes for a server's",
        webpki::Error::SignatureAlgorithmMismatch => "names two different algorithms for its signature",
        webpki::Error::InvalidSerialNumber => "has a serial number that is none",
        webpki::Error::InvalidCertValidity => "ends before it begins",
        other => return format!("breaks the rules for certificates: {}", quote(&other.to_string())),
    };
    known.to_owned()
}

/// Whether a certificate is for this name, as RFC 9525 says: one of its alternative names, never its common name; a
/// wildcard stands for the whole of the leftmost label; an address is an address. `None` where `name` is neither a DNS
/// name nor an address, or the certificate cannot be read.
pub fn is_for(sent: &Sent, name: &str) -> Option<bool> {
    let name = ServerName::try_from(name).ok()?;
    let certificate = EndEntityCert::try_from(&sent.der).ok()?;
    Some(certificate.verify_is_valid_for_subject_name(&name).is_ok())
}

/// Whether this can be the name in a certificate: a DNS name or an address.
pub fn is_name(name: &str) -> bool {
    ServerName::try_from(name).is_ok()
}
