//! What speaks against a chain of certificates: the findings of `SslCertificateAssert`, each with the certificate that it
//! is about, and the choice among several paths.

use clockwork_drivers::certificate::{
    Certificate, Crls, DeadEnd, Defect, Handshake, Issuer, Key, Path, Search, Status, Step, Trust, rfc3339,
    span,
};

/// One thing that speaks against a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// How far the path that it is on is from a good one: among several, the best is reported.
    rank: u8,
    /// What kind of answer it is.
    pub(crate) weight: Weight,
    pub(crate) text: String,
}

/// What a finding means for the verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weight {
    /// The certificate is not as it should be.
    Fails,
    /// The same, and waiting does not help.
    FailsForGood,
    /// Clockwork cannot tell.
    Unknown,
}

impl Finding {
    pub(crate) fn fails(rank: u8, text: String) -> Self {
        Self { rank, weight: Weight::Fails, text }
    }

    pub(crate) fn unknown(text: String) -> Self {
        Self { rank: 2, weight: Weight::Unknown, text }
    }
}

/// What is asked of each certificate of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Demands<'a> {
    pub(crate) min_days_valid: u32,
    pub(crate) min_key_bits: Option<u32>,
    pub(crate) crls: Option<(&'a Crls, &'a str)>,
    pub(crate) self_signed_ok: bool,
}

/// Everything that the judgement of a chain rests on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chain<'a> {
    seen: &'a Handshake,
    trust: &'a Trust,
    search: Search<'a>,
    demands: Demands<'a>,
    now: i64,
}

/// The smallest RSA key that is not weak: 112 bits of security, as OpenSSL's security level 2 and the CA/Browser Forum say.
const RSA: usize = 2048;
/// The smallest elliptic curve: the CA/Browser Forum allows none below P-256.
const EC: usize = 256;
/// From here on, `min_key_bits` is about RSA keys, below about elliptic curves: no RSA key is that short, no curve that long.
const ABOUT_RSA: usize = 1000;

impl<'a> Chain<'a> {
    pub(crate) fn new(seen: &'a Handshake, trust: &'a Trust, demands: Demands<'a>, now: i64) -> Self {
        Self { seen, trust, search: Search::new(&seen.chain, trust, now), demands, now }
    }

    /// The best path, and what speaks against it. Where none leads to anybody who is trusted, the path is the server's
    /// certificate alone.
    pub(crate) fn best(&self) -> (Path, Vec<Finding>) {
        if self.demands.self_signed_ok {
            match self.search.is_self_signed() {
                Some(true) => return self.judged(self.search.itself()),
                None => {
                    let (path, mut findings) = self.judged(self.search.itself());
                    let who = self.who(Step::Sent(0));
                    findings.push(Finding::unknown(format!(
                        "whether {who} signed itself cannot be verified by Clockwork"
                    )));
                    return (path, findings);
                }
                Some(false) => {}
            }
        }
        match self.search.paths() {
            Ok(paths) => {
                let judged = paths.into_iter().map(|path| self.judged(path));
                let best = judged.min_by_key(|(path, findings)| {
                    let worst = findings.iter().map(|finding| finding.rank).max().unwrap_or(0);
                    (worst, findings.len(), std::cmp::Reverse(self.valid_until(path)))
                });
                best.unwrap_or_else(|| (self.search.itself(), Vec::new()))
            }
            Err(end) => {
                let (path, mut findings) = self.judged(self.search.itself());
                findings.insert(0, Finding::fails(9, self.dead_end(&end)));
                (path, findings)
            }
        }
    }

    /// The first end of validity on a path.
    pub(crate) fn valid_until(&self, path: &Path) -> i64 {
        let ends = path.steps.iter().filter_map(|step| self.search.certificate(*step));
        ends.map(|certificate| certificate.not_after).min().unwrap_or(i64::MIN)
    }

    pub(crate) fn certificate(&self, step: Step) -> Option<&'a Certificate> {
        self.search.certificate(step)
    }

    /// `certificate 2 of 3 ("CN=…")`, `the trust anchor "CN=…"`.
    pub(crate) fn who(&self, step: Step) -> String {
        let title = self.certificate(step).map_or_else(|| String::from("unreadable"), Certificate::title);
        match (step, self.seen.chain.len()) {
            (Step::Sent(_), 1) => format!("the certificate {title}"),
            (Step::Sent(index), all) => format!("certificate {} of {all} ({title})", index + 1),
            (Step::Anchor(_), _) => format!("the trust anchor {title}"),
        }
    }

    fn judged(&self, path: Path) -> (Path, Vec<Finding>) {
        let mut findings: Vec<_> =
            path.faults.iter().map(|(at, defect)| self.defect(&path, *at, defect)).collect();
        for (at, step) in path.steps.iter().enumerate() {
            let Some(certificate) = self.certificate(*step) else { continue };
            let who = || self.who(*step);
            let left = certificate.not_after.saturating_sub(self.now);
            if left >= 0 && left < i64::from(self.demands.min_days_valid) * 86_400 {
                findings.push(Finding::fails(
                    1,
                    format!(
                        "{} expires in {} ({}), and has to be valid for {} days at least",
                        who(),
                        span(self.now, certificate.not_after),
                        rfc3339(certificate.not_after),
                        self.demands.min_days_valid
                    ),
                ));
            }
            findings.extend(self.key(&certificate.key, &who));
            // Nobody needs an anchor's signature, nor that of one that is trusted itself.
            if at + 1 < path.steps.len() {
                if let Some(hash) = certificate.signature.weak_hash() {
                    findings.push(Finding::fails(
                        4,
                        format!(
                            "{} is signed with {hash} ({}), which can be forged",
                            who(),
                            certificate.signature
                        ),
                    ));
                }
                findings.extend(self.revocation(&path, at, certificate));
            }
        }
        if let (Some((_, file)), [_]) = (self.demands.crls, &*path.steps) {
            let who = self.who(path.steps[0]);
            findings.push(Finding::unknown(format!(
                "{file} cannot say whether {who} is revoked: it has no issuer here"
            )));
        }
        (path, findings)
    }

    fn key(&self, key: &Key, who: &dyn Fn() -> String) -> Option<Finding> {
        let weak = |least: String| {
            Some(Finding::fails(4, format!("{} has a weak key: {key}, where {least} is the least", who())))
        };
        match key {
            Key::Rsa(bits) if *bits < RSA => return weak(format!("RSA {RSA}")),
            Key::Ec(_, bits) if *bits < EC => return weak(String::from("P-256")),
            Key::Dsa(_) => {
                return Some(Finding::fails(
                    4,
                    format!("{} has a key {key}, which no client of today accepts", who()),
                ));
            }
            _ => {}
        }
        let least = usize::try_from(self.demands.min_key_bits?).unwrap_or(usize::MAX);
        let too_small = |known: &str| {
            Some(Finding::fails(
                4,
                format!(
                    "{} has a key that is too small: {key}{known}, where {least} bits are the least",
                    who()
                ),
            ))
        };
        match (key, key.rsa_equivalent()) {
            (_, None) => {
                Some(Finding::unknown(format!("the strength of the key of {} is not known: {key}", who())))
            }
            (Key::Rsa(bits), _) if *bits < least => too_small(""),
            (Key::Rsa(_), _) => None,
            (_, _) if least < ABOUT_RSA => {
                if key.bits() < least {
                    too_small("")
                } else {
                    None
                }
            }
            (_, Some(equivalent)) if equivalent < least => {
                too_small(&format!(" (as strong as RSA {equivalent})"))
            }
            _ => None,
        }
    }

    fn revocation(&self, path: &Path, at: usize, certificate: &Certificate) -> Option<Finding> {
        let (crls, file) = self.demands.crls?;
        let who = self.who(path.steps[at]);
        let issuer = match path.steps[at + 1] {
            Step::Sent(_) => Issuer::Certificate(self.certificate(path.steps[at + 1])?),
            Step::Anchor(index) => Issuer::Anchor(self.trust.anchor(index)),
        };
        match crls.status(certificate, issuer, self.now) {
            Status::Revoked(when, reason) => {
                let reason = reason.map(|reason| format!(", {reason}")).unwrap_or_default();
                let (ago, date) = (span(when, self.now), rfc3339(when));
                Some(Finding::fails(5, format!("{who} was revoked {ago} ago ({date}{reason})")))
            }
            Status::Unusable(why) => {
                let issuer = clockwork_core::text::quote(&certificate.issuer);
                Some(Finding::unknown(format!(
                    "whether {who} is revoked cannot be told: the list of {issuer} in {file} {why}"
                )))
            }
            // A list of the CA that signed the server's certificate is what is asked for; those above it are rarely at hand.
            Status::NotCovered(issuers) if at == 0 => {
                let issuers: Vec<_> =
                    issuers.iter().map(|issuer| clockwork_core::text::quote(issuer)).collect();
                let issuer = clockwork_core::text::quote(&certificate.issuer);
                Some(Finding::unknown(format!(
                    "whether {who} is revoked cannot be told: {file} has no list of {issuer} that is about it, but of {}",
                    issuers.join(", ")
                )))
            }
            _ => None,
        }
    }

    fn defect(&self, path: &Path, at: usize, defect: &Defect) -> Finding {
        let step = path.steps[at];
        let who = self.who(step);
        let (rank, text) = match (defect, self.certificate(step)) {
            (Defect::Expired, Some(certificate)) => {
                let (ago, date) = (span(certificate.not_after, self.now), rfc3339(certificate.not_after));
                let text = format!("{who} expired {ago} ago ({date})");
                return Finding { rank: 3, weight: Weight::FailsForGood, text };
            }
            (Defect::NotYetValid, Some(certificate)) => {
                let (begin, wait) = (rfc3339(certificate.not_before), span(self.now, certificate.not_before));
                (3, format!("{who} is not valid before {begin}, {wait} from now"))
            }
            (Defect::Unverifiable(how), _) => {
                return Finding::unknown(format!(
                    "the signature of {who} cannot be verified by Clockwork: {how}"
                ));
            }
            (Defect::BadSignature, _) => {
                let by = path.steps.get(at + 1).map(|step| self.who(*step)).unwrap_or_default();
                (
                    8,
                    format!(
                        "{who} is not signed by the key of {by}: a CA of the same name with another key, or a forgery"
                    ),
                )
            }
            (Defect::NotACa, _) => {
                (7, format!("{who} signed the one before it, and is not a CA's certificate"))
            }
            (Defect::MayNotSign, _) => {
                (7, format!("{who} signed the one before it, which its key usage does not allow"))
            }
            (Defect::TooDeep, _) => {
                (7, format!("{who} allows fewer CAs below it than there are (path length)"))
            }
            (Defect::NotForServers, _) => (6, format!("{who} is not meant for servers (extended key usage)")),
            (Defect::CaAsServer, _) => (6, format!("{who} is a CA's certificate, and no server's")),
            (Defect::NameConstraint, _) => {
                (6, format!("{who} does not allow the names of those below it (name constraints)"))
            }
            (Defect::Malformed(how), _) => (8, format!("{who} {how}")),
            (other, _) => (8, format!("{who} is not as it should be: {other:?}")),
        };
        Finding::fails(rank, text)
    }

    fn dead_end(&self, end: &DeadEnd) -> String {
        let who = self.who(Step::Sent(end.last));
        let whence = self.trust.whence();
        let mut text = match (end.is_self_issued, end.last) {
            (true, 0) => format!(
                "{who} signed itself, and is not among {whence} (give it with `ca_file`, or say `self_signed_ok: true`)"
            ),
            (true, _) => format!(
                "{who} is a root that is not among {whence} (give it with `ca_file`, if it should be)"
            ),
            (false, _) => {
                let issuer = self.certificate(Step::Sent(end.last));
                let issuer = issuer.map(|one| clockwork_core::text::quote(&one.issuer)).unwrap_or_default();
                format!(
                    "{who} is signed by {issuer}, which the server does not send and which is not among {whence}: an \
                     intermediate certificate is missing, or the CA is not known here"
                )
            }
        };
        match end.unused {
            0 => {}
            1 => text.push_str("; 1 other certificate that it sends does not belong to it"),
            more => text.push_str(&format!("; {more} other certificates that it sends do not belong to it")),
        }
        text
    }
}
