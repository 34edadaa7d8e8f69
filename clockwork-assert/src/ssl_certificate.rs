//! [`SslCertificateAssert`]: a server shows a certificate that clients of today accept, and that will hold for a while.
//!
//! It proves that the server has the key of a certificate for the expected name, that a path leads from it to somebody who
//! is trusted, and that everything on this path is in order: validity (the trust anchor's own too), signatures, what each
//! key may be used for, key sizes, name constraints, and revocation where a list is given. Certificates that the server
//! sends beside the path do not matter. It proves nothing about what is spoken over the connection, nor about revocation
//! without a list (OCSP is not asked).
//!
//! Decisions, and where they differ from `openssl verify`:
//!
//! - The name has to be among the subject alternative names (RFC 9525). A common name is nobody's name; OpenSSL still
//!   takes one where there is no alternative name.
//! - Whoever stands in `ca_file` is trusted, an intermediate CA as well, and so is the very certificate of the server.
//!   OpenSSL wants a root unless it is told `-partial_chain` (curl tells it).
//! - A CA's certificate is no server's, unless it is trusted itself or `self_signed_ok` takes it. OpenSSL accepts it.
//! - Keys below RSA 2048 or P-256, DSA keys, and signatures with SHA-1 or MD5 fail, `min_key_bits` or not: OpenSSL does
//!   so at its security level 2, the CA/Browser Forum in general. The signature of the trust anchor does not count.
//! - `crl_file` has to have a list of today of the CA that signed the server's certificate; lists of the CAs above it
//!   count where they are there. OpenSSL: between `-crl_check` and `-crl_check_all`.
//! - `min_tls` asserts that nothing older is accepted, as testssl.sh and sslyze understand it: older versions are offered
//!   in a second handshake.
//!
//! Judged (so that `not` turns it around): everything about the certificate, the key, and the version. Not judged: no
//! connection, no STARTTLS, no TLS, no certificate. What Clockwork cannot verify (P-521 and Ed448 signatures, a list that
//! is out of date, not of that issuer, or not understood) is `errored`.
//!
//! `details`: `chain`, each certificate in the order in which it was sent, with `subject`, `issuer`, `subject_alt_names`,
//! `serial`, `not_before`, `not_after` (RFC 3339), `days_left`, `key`, `key_bits`, `signature`, `sha256`, and `in_path`;
//! `anchor`, the same for the trust anchor, with `whence`; `valid_until` and `days_left`, the earliest on the path;
//! `protocol`; `cipher_suite`; `remote`; `handshake`, where the server broke it off after its certificate; `oldest_tls`
//! where an older version than `min_tls` was accepted.

use std::path::{Path as FilePath, PathBuf};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Matcher, Resource, Verdict, async_trait,
    schemars::JsonSchema, text::quote,
};
use clockwork_drivers::{
    EndpointResource,
    certificate::{
        Answer, Certificate, CrlProbe, Crls, Handshake, HandshakeProbe, OlderProbe, Path, Possession, Step,
        TLS11, TLS12, Trust, TrustProbe, Version, days_between, is_for, is_name, rfc3339, span, unix,
        version_name,
    },
    http::HttpRequest,
    resolve::authority,
    starttls::StartTls,
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    certificate_findings::{Chain, Demands, Finding, Weight},
    tls_version::TlsVersion,
};

/// A server shows a certificate that clients accept: for this name, trusted, unrevoked, strong, and valid for a while.
///
/// ```
/// use clockwork_assert::SslCertificateAssert;
///
/// SslCertificateAssert::new("https://shop.example/").min_days_valid(14);
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(deny_unknown_fields)]
pub struct SslCertificateAssert {
    /// Where the server is: an `https` URL. On an `EndpointResource` the resource's, unless something else is given.
    #[serde(default)]
    url: Option<String>,
    /// Instead of a URL: a name or an address.
    #[serde(default)]
    host: Option<String>,
    /// The port beside `host`: 443 unless given, or the usual one of the protocol of `starttls`.
    #[serde(default)]
    port: Option<u16>,
    /// How many days every certificate of the path has to be valid still.
    #[serde(default = "thirty")]
    min_days_valid: u32,
    /// The name that the certificate has to be for, and that is asked for (SNI). The host unless given.
    #[serde(default)]
    server_name: Option<String>,
    /// A PEM file: then only what stands in it is trusted, instead of the machine's roots.
    #[serde(default)]
    ca_file: Option<PathBuf>,
    /// A file with revocation lists (PEM, or one in DER). One of the CA that signed the server's certificate has to be among
    /// them.
    #[serde(default)]
    crl_file: Option<PathBuf>,
    /// How many bits the keys of the path have to have. From 1000 on it is about RSA keys, and elliptic curves count as much
    /// as the RSA key that is as strong (P-256: 3072); below, it is about elliptic curves. RSA 2048 and P-256 are the
    /// least in any case.
    #[serde(default)]
    min_key_bits: Option<u32>,
    /// What the issuer of the server's certificate has to be like, as text: `C=US, O=Let's Encrypt, CN=R11`.
    #[serde(default)]
    issuer: Option<Matcher>,
    /// Names that the certificate has to be for as well: a wildcard of the certificate covers them, and `*.name` has to be
    /// there itself.
    #[serde(default)]
    subject_alt_names: Vec<String>,
    /// The oldest version of TLS that the server may accept.
    #[serde(default)]
    min_tls: Option<TlsVersion>,
    /// The protocol that goes over to TLS, where the connection begins in plain text.
    #[serde(default)]
    starttls: Option<StartTls>,
    /// Whether a certificate that signed itself is taken as if it were trusted. Everything else is still asked of it.
    #[serde(default)]
    self_signed_ok: bool,
}

fn thirty() -> u32 {
    30
}

/// For a resource that says where it is.
impl Default for SslCertificateAssert {
    fn default() -> Self {
        Self {
            url: None,
            host: None,
            port: None,
            min_days_valid: thirty(),
            server_name: None,
            ca_file: None,
            crl_file: None,
            min_key_bits: None,
            issuer: None,
            subject_alt_names: Vec::new(),
            min_tls: None,
            starttls: None,
            self_signed_ok: false,
        }
    }
}

impl SslCertificateAssert {
    /// The server of this `https` URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: Some(url.into()), ..Self::default() }
    }

    /// The server of this name or address, instead of a URL.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// Its port, if it is not the usual one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Other than 30 days.
    #[must_use]
    pub fn min_days_valid(mut self, days: u32) -> Self {
        self.min_days_valid = days;
        self
    }

    /// Another name than the host's.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Only what stands in this PEM file is trusted.
    #[must_use]
    pub fn ca_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.ca_file = Some(file.into());
        self
    }

    /// Revocation lists.
    #[must_use]
    pub fn crl_file(mut self, file: impl Into<PathBuf>) -> Self {
        self.crl_file = Some(file.into());
        self
    }

    /// How many bits the keys have to have.
    #[must_use]
    pub fn min_key_bits(mut self, bits: u32) -> Self {
        self.min_key_bits = Some(bits);
        self
    }

    /// What the issuer has to be like.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<Matcher>) -> Self {
        self.issuer = Some(issuer.into());
        self
    }

    /// Names that the certificate has to be for as well.
    #[must_use]
    pub fn subject_alt_names<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.subject_alt_names.extend(names.into_iter().map(Into::into));
        self
    }

    /// The oldest version of TLS that the server may accept.
    #[must_use]
    pub fn min_tls(mut self, version: TlsVersion) -> Self {
        self.min_tls = Some(version);
        self
    }

    /// Goes over to TLS as this protocol does.
    #[must_use]
    pub fn starttls(mut self, protocol: StartTls) -> Self {
        self.starttls = Some(protocol);
        self
    }

    /// Takes a certificate that signed itself.
    #[must_use]
    pub fn self_signed_ok(mut self, ok: bool) -> Self {
        self.self_signed_ok = ok;
        self
    }

    /// Where the server is, with what the owner knows.
    fn address(&self, owner: Option<&dyn Resource>) -> Result<(String, u16), Invalid> {
        let (host, port) = match (&self.url, &self.host, self.port) {
            (Some(url), None, None) => of_url(url).map_err(|why| Invalid::field("url", why))?,
            (Some(_), ..) => return Err(Invalid::whole("give `url`, or `host` and `port`, and not both")),
            (None, host, port) => {
                let usual = self.starttls.map_or(443, StartTls::port);
                let endpoint = owner.and_then(|owner| owner.downcast_ref::<EndpointResource>()?.address());
                match (host, endpoint) {
                    (Some(host), _) => (host.clone(), port.unwrap_or(usual)),
                    (None, Some((host, its))) => (host, port.unwrap_or(its)),
                    (None, None) => {
                        return Err(Invalid::whole(
                            "give `url`, or `host` and `port`, or declare this on an EndpointResource that has one",
                        ));
                    }
                }
            }
        };
        Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
    }

    /// The name to ask for. A dot at its end says only that it is complete; no certificate has it.
    fn name(&self, host: &str) -> String {
        self.server_name.as_deref().unwrap_or(host).trim_end_matches('.').to_owned()
    }

    fn judge(&self, seen: &Seen<'_>) -> Result<Verdict, CheckError> {
        let file =
            self.crl_file.as_deref().map(|file| format!("crl_file {}", shown(file))).unwrap_or_default();
        let demands = Demands {
            min_days_valid: self.min_days_valid,
            min_key_bits: self.min_key_bits,
            crls: seen.crls.map(|crls| (crls, file.as_str())),
            self_signed_ok: self.self_signed_ok,
        };
        let chain = Chain::new(seen.handshake, seen.trust, demands, seen.now);
        let Some(own) = chain.certificate(Step::Sent(0)) else {
            return Ok(Verdict::failed(format!("the certificate that {} shows cannot be read", seen.place))
                .expected(self.expected(&seen.name))
                .detail("remote", seen.handshake.remote.to_string()));
        };
        let (path, mut findings) = chain.best();
        findings.extend(self.names(&chain, own, seen));
        findings.extend(possession(&chain, seen));
        findings.extend(self.version(seen));
        let until = chain.valid_until(&path);
        let details = details(&chain, &path, until, seen);
        let with = |weights: &[Weight]| {
            let told = findings.iter().filter(|finding| weights.contains(&finding.weight));
            told.map(|finding| finding.text.as_str()).take(8).collect::<Vec<_>>().join("; ")
        };
        let failures = with(&[Weight::Fails, Weight::FailsForGood]);
        let actual = format!("{own}, valid until {}", rfc3339(own.not_after));
        let mut verdict = match (failures.is_empty(), findings.is_empty()) {
            (true, true) => {
                let version = seen.handshake.version.map_or("", |version| version.as_str());
                Verdict::passed().message(format!(
                    "valid for {} more, until {} ({version})",
                    span(seen.now, until),
                    rfc3339(until)
                ))
            }
            (true, false) => {
                let error = CheckError::unobservable(with(&[Weight::Unknown]));
                return Err(details.into_iter().fold(error, |error, (key, value)| error.detail(key, value)));
            }
            (false, _) => Verdict::failed(failures),
        };
        if findings.iter().any(|finding| finding.weight == Weight::FailsForGood) {
            verdict = verdict.terminal();
        }
        let verdict = verdict.expected(self.expected(&seen.name)).actual(actual);
        Ok(details.into_iter().fold(verdict, |verdict, (key, value)| verdict.detail(key, value)))
    }

    fn expected(&self, name: &str) -> String {
        format!(
            "a certificate for {} that is trusted and valid for {} days",
            quote(name),
            self.min_days_valid
        )
    }

    /// What the certificate says of whom it is for and who signed it.
    fn names(&self, chain: &Chain<'_>, own: &Certificate, seen: &Seen<'_>) -> Vec<Finding> {
        let who = chain.who(Step::Sent(0));
        let mut findings = Vec::new();
        let sent = &seen.handshake.chain[0];
        let (mut wrong, mut unknown) = (Vec::new(), false);
        for name in std::iter::once(&seen.name).chain(&self.subject_alt_names) {
            if name.starts_with("*.") {
                let listed = own.names.iter().any(|own| own.eq_ignore_ascii_case(name));
                wrong.extend((!listed).then_some(name));
                continue;
            }
            match is_for(sent, name) {
                Some(true) => {}
                Some(false) => wrong.push(name),
                None if own.names.is_empty() => wrong.push(name),
                None => unknown = true,
            }
        }
        if unknown {
            findings.push(Finding::unknown(format!("the names of {who} cannot be compared")));
        }
        if !wrong.is_empty() {
            let quoted = |names: &mut dyn Iterator<Item = &String>| {
                names.take(8).map(|name| quote(name)).collect::<Vec<_>>().join(", ")
            };
            let wrong = quoted(&mut wrong.into_iter());
            findings.push(Finding::fails(6, match own.names.is_empty() {
                false => format!("{who} is not for {wrong} but for {}", quoted(&mut own.names.iter())),
                true => format!(
                    "{who} is not for {wrong}: it has no subject alternative name, and a common name does not count"
                ),
            }));
        }
        if let Some(Err(mismatch)) = self.issuer.as_ref().map(|issuer| issuer.check_str(&own.issuer)) {
            findings.push(match mismatch.judged {
                true => Finding::fails(6, format!("the issuer of {who} is wrong: {mismatch}")),
                false => Finding::unknown(format!("the issuer of {who} cannot be compared: {mismatch}")),
            });
        }
        findings
    }

    fn version(&self, seen: &Seen<'_>) -> Option<Finding> {
        let least = self.min_tls?;
        let fails = |text| Some(Finding::fails(6, text));
        match (seen.handshake.version, least) {
            (None, _) => Some(Finding::unknown(String::from(
                "the version of TLS is not known, because the server broke the handshake off",
            ))),
            (Some(Version::Tls12), TlsVersion::Tls13) => {
                fails(format!("the server speaks TLS 1.2 at best, and no {least}"))
            }
            _ => match seen.older {
                Some(Answer::Accepted { version, .. }) => fails(format!(
                    "the server accepts {}, which is older than {least}",
                    version_name(*version)
                )),
                Some(_) => None,
                None => Some(Finding::unknown(String::from("older versions of TLS were not offered"))),
            },
        }
    }
}

/// What was seen, all together.
struct Seen<'a> {
    place: &'a str,
    name: String,
    handshake: &'a Handshake,
    older: Option<&'a Answer>,
    trust: &'a Trust,
    crls: Option<&'a Crls>,
    now: i64,
}

fn possession(chain: &Chain<'_>, seen: &Seen<'_>) -> Option<Finding> {
    let who = chain.who(Step::Sent(0));
    match (seen.handshake.possession, &seen.handshake.broken) {
        (Possession::Proven, _) => None,
        (Possession::Disproven, _) => Some(Finding::fails(
            8,
            format!("the server does not have the key of {who}: its signature of the handshake is wrong"),
        )),
        (Possession::Unknown, Some(broken)) => Some(Finding::unknown(format!(
            "the server broke the handshake off before it proved that it has the key of {who}: {broken}"
        ))),
        (Possession::Unknown, None) => {
            let key = chain.certificate(Step::Sent(0)).map(|own| own.key.to_string()).unwrap_or_default();
            Some(Finding::unknown(format!(
                "that the server has the key of {who} cannot be verified by Clockwork: the key is {key}"
            )))
        }
    }
}

fn details(chain: &Chain<'_>, path: &Path, until: i64, seen: &Seen<'_>) -> Vec<(&'static str, Value)> {
    let handshake = seen.handshake;
    let sent = handshake.chain.iter().enumerate().map(|(index, sent)| {
        let mut facts = sent
            .certificate
            .as_ref()
            .map_or_else(|| json!({ "unreadable": true }), |one| one.details(seen.now));
        facts["in_path"] = path.steps.contains(&Step::Sent(index)).into();
        facts
    });
    let mut details = vec![
        ("chain", sent.take(20).collect()),
        ("valid_until", rfc3339(until).into()),
        ("days_left", days_between(seen.now, until).into()),
        ("remote", handshake.remote.to_string().into()),
    ];
    if let Some(anchor @ Step::Anchor(_)) = path.steps.last() {
        let mut facts = chain.certificate(*anchor).map_or_else(|| json!({}), |one| one.details(seen.now));
        facts["whence"] = seen.trust.whence().into();
        details.push(("anchor", facts));
    }
    details.extend(handshake.version.map(|version| ("protocol", version.as_str().into())));
    details.extend(handshake.suite.clone().map(|suite| ("cipher_suite", suite.into())));
    details.extend(handshake.broken.clone().map(|broken| ("handshake", broken.into())));
    if let Some(Answer::Accepted { version, .. }) = seen.older {
        details.push(("oldest_tls", version_name(*version).into()));
    }
    details
}

fn of_url(url: &str) -> Result<(String, u16), String> {
    let request = HttpRequest::new(url).map_err(|invalid| invalid.message)?;
    match url.trim_start().get(..6).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https:")) {
        true => Ok(request.host_and_port()),
        false => {
            Err(format!("{} is not an https URL; for another protocol, give `host` and `port`", quote(url)))
        }
    }
}

fn shown(file: &FilePath) -> String {
    quote(&file.to_string_lossy())
}

#[async_trait]
impl Assertion for SslCertificateAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let place = match (&self.url, &self.host, self.port) {
            (Some(url), ..) => url.clone(),
            (None, Some(host), Some(port)) => authority(host, port),
            (None, Some(host), None) => host.clone(),
            (None, None, Some(port)) => format!("port {port}"),
            (None, None, None) => String::new(),
        };
        match &self.server_name {
            Some(name) if !place.is_empty() => format!("{place} as {name}"),
            _ => place,
        }
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = Vec::new();
        let mut check = |field: &str, name: &str| {
            if !is_name(name.trim_end_matches('.')) {
                let shown = quote(name);
                let what =
                    "is neither a DNS name nor an address; names in other scripts are written as xn--…";
                problems.push(Invalid::field(field, format!("{shown} {what}")));
            }
        };
        match self.address(owner) {
            Err(invalid) => problems.push(invalid),
            Ok((_, 0)) => problems.push(Invalid::field("port", "nothing can listen at port 0")),
            Ok((host, _)) => {
                let field = if self.server_name.is_some() { "server_name" } else { "host" };
                check(field, &self.name(&host));
                for name in &self.subject_alt_names {
                    check("subject_alt_names", name.strip_prefix("*.").unwrap_or(name));
                }
            }
        }
        if self.min_key_bits.is_some_and(|bits| !(1..=16_384).contains(&bits)) {
            problems.push(Invalid::field("min_key_bits", "has to be from 1 to 16384"));
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn computes(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let (host, port) =
            self.address(cx.resource()).map_err(|why| CheckError::unobservable(why.message))?;
        let (name, starttls) = (self.name(&host), self.starttls);
        let place = authority(&host, port);
        // First what can go wrong here, then what the server does.
        let trust = cx.observe(TrustProbe { ca_file: self.ca_file.clone() }).await?;
        let crls = match &self.crl_file {
            Some(file) => Some(cx.observe(CrlProbe { file: file.clone() }).await?),
            None => None,
        };
        let probe = HandshakeProbe { host: host.clone(), port, server_name: name.clone(), starttls };
        let handshake = cx.observe(probe).await?;
        let newest = match (self.min_tls, handshake.version) {
            (Some(TlsVersion::Tls13), Some(Version::Tls13)) => Some(TLS12),
            (Some(TlsVersion::Tls12), Some(_)) => Some(TLS11),
            _ => None,
        };
        let older = match newest {
            Some(newest) => {
                let probe = OlderProbe { host, port, server_name: name.clone(), starttls, newest };
                Some(cx.observe(probe).await?)
            }
            None => None,
        };
        self.judge(&Seen {
            place: &place,
            name,
            handshake: &handshake,
            older: older.as_deref(),
            trust: &trust,
            crls: crls.as_deref(),
            now: unix(cx.now()),
        })
    }
}

impl AssertionKind for SslCertificateAssert {
    const NAME: &'static str = "SslCertificateAssert";
    const ALIASES: &'static [&'static str] = &["SSLCertificateAssert"];
}
