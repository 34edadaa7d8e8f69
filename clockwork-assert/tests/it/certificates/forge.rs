//! Makes certificates: with rcgen where it can, with the `openssl` command where it will not (weak keys, weak hashes).

use std::{
    path::PathBuf,
    process::Command,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    DnType, IsCa, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber,
};

/// A CA that signs.
pub(super) struct Ca {
    issuer: CertifiedIssuer<'static, KeyPair>,
    name: String,
}

/// A certificate, and its key.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) pem: String,
    pub(super) key: String,
}

/// So many days from now, in whole seconds.
pub(super) fn days(days: i64) -> Instant {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    Instant(now.saturating_add_signed(days * 86_400))
}

/// Seconds of Unix time.
#[derive(Clone, Copy)]
pub(super) struct Instant(u64);

/// Sets the validity.
pub(super) fn valid(params: &mut CertificateParams, from: Instant, to: Instant) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(from.0);
    params.not_after = epoch + Duration::from_secs(to.0);
}

pub(super) fn nothing(_: &mut CertificateParams) {}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    if !name.is_empty() {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.use_authority_key_identifier_extension = true;
    valid(&mut params, days(-400), days(400));
    params
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl Ca {
    pub(super) fn root(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        Self::root_with(name, KeyPair::generate().unwrap(), change)
    }

    pub(super) fn root_with(name: &str, key: KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = ca_params(name);
        change(&mut params);
        Self { issuer: CertifiedIssuer::self_signed(params, key).unwrap(), name: name.to_owned() }
    }

    /// Another CA, below this one.
    pub(super) fn below(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        self.below_with(name, KeyPair::generate().unwrap(), change)
    }

    pub(super) fn below_with(
        &self,
        name: &str,
        key: KeyPair,
        change: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let mut params = ca_params(name);
        change(&mut params);
        Self { issuer: CertifiedIssuer::signed_by(params, key, &self.issuer).unwrap(), name: name.to_owned() }
    }

    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(super) fn key(&self) -> KeyPair {
        KeyPair::from_pem(&self.issuer.key().serialize_pem()).unwrap()
    }

    /// A server's certificate for these names.
    pub(super) fn leaf(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Made {
        self.leaf_with(KeyPair::generate().unwrap(), names, change)
    }

    pub(super) fn leaf_with(
        &self,
        key: KeyPair,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> Made {
        let params = leaf_params(names, change);
        Made { pem: params.signed_by(&key, &self.issuer).unwrap().pem(), key: key.serialize_pem() }
    }

    /// A list by a CA that may not sign any. rcgen will not, so that one with the same name and key does.
    pub(super) fn crl_anyway(&self) -> String {
        Self::root_with(&self.name, self.key(), nothing).crl(&[], 1, 30)
    }

    /// A list of revoked serial numbers, of so many days ago, for so many days.
    pub(super) fn crl(&self, revoked: &[u64], ago: i64, valid_for: i64) -> String {
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let at = |days: i64| epoch + Duration::from_secs(self::days(days).0);
        let revoked_certs = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: at(-ago),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: at(-ago),
            next_update: at(valid_for - ago),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked_certs.collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn leaf_params(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = params("the server");
    params.subject_alt_names = CertificateParams::new(names).unwrap().subject_alt_names;
    change(&mut params);
    params
}

pub(super) fn self_signed(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Made {
    let (params, key) = (leaf_params(names, change), KeyPair::generate().unwrap());
    Made { pem: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem() }
}

/// The same certificate with the last byte of its signature changed.
pub(super) fn with_wrong_signature(pem: &str) -> String {
    let (head, rest) = pem.split_at(pem.trim_end().rfind('\n').unwrap());
    let (body, last) = head.rsplit_once('\n').unwrap();
    // The last but one group of four is whole bytes of the signature, whatever the padding.
    let at = last.len() - 6;
    let other = if last.as_bytes()[at] == b'A' { "B" } else { "A" };
    format!("{body}\n{}{other}{}{rest}", &last[..at], &last[at + 1..])
}

/// A directory for what `openssl` makes, which stays as long as the tests run.
pub(super) fn directory() -> &'static PathBuf {
    static DIRECTORY: OnceLock<tempfile::TempDir> = OnceLock::new();
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| DIRECTORY.get_or_init(|| tempfile::tempdir().unwrap()).path().to_owned())
}

/// A new file with this content.
pub(super) fn file(content: &str) -> PathBuf {
    let (mut file, path) = tempfile::NamedTempFile::new_in(directory()).unwrap().keep().unwrap();
    std::io::Write::write_all(&mut file, content.as_bytes()).unwrap();
    path
}

/// Runs `openssl` in the directory.
pub(super) fn openssl(arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).current_dir(directory()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A key by `openssl`: `rsa:1024`, or a curve's name.
pub(super) fn key(kind: &str) -> String {
    let arguments = match kind.split_once(':') {
        Some(("rsa", bits)) => vec![
            "genpkey".into(),
            "-algorithm".into(),
            "RSA".into(),
            "-pkeyopt".into(),
            format!("rsa_keygen_bits:{bits}"),
        ],
        _ if kind == "ed448" => vec!["genpkey".into(), "-algorithm".into(), "ed448".into()],
        _ => vec![
            "genpkey".into(),
            "-algorithm".into(),
            "EC".into(),
            "-pkeyopt".into(),
            format!("ec_paramgen_curve:{kind}"),
        ],
    };
    openssl(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

/// RSA keys are slow to make: one of each size for all.
pub(super) fn rsa(bits: usize) -> String {
    static WEAK: OnceLock<String> = OnceLock::new();
    static USUAL: OnceLock<String> = OnceLock::new();
    let slot = if bits < 2048 { &WEAK } else { &USUAL };
    slot.get_or_init(|| key(&format!("rsa:{bits}"))).clone()
}

/// A certificate by `openssl`: for this key, signed by `by` (certificate and key) or by itself.
pub(super) fn certify(subject: &str, key: &str, by: Option<&Made>, extensions: &str, how: &[&str]) -> Made {
    let (key_file, extensions) = (file(key), file(extensions));
    let (key_file, extensions) = (key_file.to_str().unwrap(), extensions.to_str().unwrap());
    let request = file(&openssl(&["req", "-new", "-key", key_file, "-subj", subject]));
    let mut arguments =
        vec!["x509", "-req", "-in", request.to_str().unwrap(), "-days", "400", "-extfile", extensions];
    let by = by.map(|by| (file(&by.pem), file(&by.key)));
    match &by {
        Some((certificate, key)) => {
            arguments.extend(["-CA", certificate.to_str().unwrap(), "-CAkey", key.to_str().unwrap()]);
            arguments.extend(["-set_serial", "77"]);
        }
        None => arguments.extend(["-signkey", key_file]),
    }
    arguments.extend(how);
    Made { pem: openssl(&arguments), key: key.to_owned() }
}

pub(super) const CA: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign\n";
pub(super) const LOCALHOST: &str = "subjectAltName=DNS:localhost\n";
