//! The inhabitants of the zoo: how each is made, what OpenSSL says, what we say, and, where that differs, why.

use clockwork_assert::SslCertificateAssert;
use clockwork_core::{
    Matcher,
    Outcome::{self, Errored, Failed, Passed},
};
use rcgen::{
    BasicConstraints, CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair,
    KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SanType, SerialNumber,
};

use super::forge::{
    CA, Ca, LOCALHOST, Made, certify, days, key, nothing, rsa, self_signed, valid, with_wrong_signature,
};

/// Who shows the certificate.
pub(super) enum Keeper {
    Rustls,
    /// For keys that rustls cannot hold.
    OpenSsl,
}

pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) made: &'static str,
    /// What the server sends.
    pub(super) chain: String,
    pub(super) key: String,
    /// `ca_file`.
    pub(super) trusted: String,
    pub(super) crl: Option<String>,
    pub(super) host: &'static str,
    pub(super) ask: fn(SslCertificateAssert) -> SslCertificateAssert,
    pub(super) keeper: Keeper,
    /// Part of OpenSSL's error; empty where it accepts.
    pub(super) theirs: &'static str,
    pub(super) ours: (Outcome, &'static str),
    /// Why we do not say what OpenSSL says; empty where we do.
    pub(super) differs: &'static str,
}

impl Case {
    fn crl(mut self, crl: String) -> Self {
        self.crl = Some(crl);
        self
    }

    fn host(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    fn ask(mut self, ask: fn(SslCertificateAssert) -> SslCertificateAssert) -> Self {
        self.ask = ask;
        self
    }

    fn differs(mut self, why: &'static str) -> Self {
        self.differs = why;
        self
    }

    fn by_openssl(mut self) -> Self {
        self.keeper = Keeper::OpenSsl;
        self
    }
}

/// A case: name, how it is made, what is sent (the first with its key), who is trusted, OpenSSL's verdict, ours.
fn case(
    name: &'static str,
    made: &'static str,
    (own, others): (&Made, &[String]),
    trusted: &str,
    theirs: &'static str,
    ours: (Outcome, &'static str),
) -> Case {
    Case {
        name,
        made,
        chain: format!("{}{}", own.pem, others.concat()),
        key: own.key.clone(),
        trusted: trusted.to_owned(),
        crl: None,
        host: "localhost",
        ask: |asked| asked,
        keeper: Keeper::Rustls,
        theirs,
        ours,
        differs: "",
    }
}

const HOST: &[&str] = &["localhost"];

pub(super) fn cases() -> Vec<Case> {
    let root = Ca::root("root", nothing);
    let between = root.below("between", nothing);
    let mut all = good(&root, &between);
    all.extend(times(&root, &between));
    all.extend(names(&root));
    all.extend(trust(&root, &between));
    all.extend(crossed());
    all.extend(constraints(&root));
    all.extend(weak());
    all.extend(kinds_of_keys(&root));
    all.extend(revoked(&root, &between));
    all.extend(asked_for(&root));
    all
}

fn good(root: &Ca, between: &Ca) -> Vec<Case> {
    let own = between.leaf(HOST, nothing);
    let lower = between.below("lower", nothing);
    let deep = lower.leaf(HOST, nothing);
    let (root_pem, between_pem) = (root.pem(), between.pem());
    vec![
        case(
            "good",
            "server < between < root",
            (&own, &[between.pem()]),
            &root_pem,
            "",
            (Passed, "valid for 399 days"),
        ),
        case(
            "root sent too",
            "the same, and the root",
            (&own, &[between.pem(), root.pem()]),
            &root_pem,
            "",
            (Passed, ""),
        ),
        case(
            "any order",
            "server < lower < between < root, sent upside down",
            (&deep, &[root.pem(), between_pem.clone(), lower.pem()]),
            &root_pem,
            "",
            (Passed, ""),
        ),
        case(
            "sent twice",
            "a certificate of a CA is sent twice",
            (&own, &[between.pem(), between.pem()]),
            &root_pem,
            "",
            (Passed, ""),
        ),
    ]
}

fn times(root: &Ca, between: &Ca) -> Vec<Case> {
    let until = |from: i64, to: i64| between.leaf(HOST, move |made| valid(made, days(from), days(to)));
    let under = |from: i64, to: i64| {
        let ca = root.below("between", move |made| valid(made, days(from), days(to)));
        (ca.leaf(HOST, nothing), ca.pem())
    };
    let old_root = Ca::root("old root", |made| valid(made, days(-800), days(-3)));
    let old_between = old_root.below("between", nothing);
    let (expired, expired_ca) = under(-500, -13);
    let (soon, soon_ca) = under(-500, 9);
    let (early, early_ca) = under(5, 900);
    let ends = [between.pem()];
    let root = root.pem();
    vec![
        case(
            "expired",
            "not_after was 3 days ago",
            (&until(-90, -3), &ends),
            &root,
            "certificate has expired",
            (Failed, "certificate 1 of 2 (\"CN=the server\") expired 3 days ago (20"),
        ),
        case(
            "expires soon",
            "not_after is in 12 days",
            (&until(-90, 12), &ends),
            &root,
            "",
            (Failed, "certificate 1 of 2 (\"CN=the server\") expires in 11 days (20"),
        )
        .differs("`min_days_valid` is 30"),
        case(
            "expires soon, and that is enough",
            "the same, with `min_days_valid: 7`",
            (&until(-90, 12), &ends),
            &root,
            "",
            (Passed, "valid for 11 days more"),
        )
        .ask(|asked| asked.min_days_valid(7)),
        case(
            "expires in 31 days",
            "not_after is in 31 days",
            (&until(-90, 31), &ends),
            &root,
            "",
            (Passed, "valid for 30 days more"),
        ),
        case(
            "not yet valid",
            "not_before is in 5 days",
            (&until(5, 90), &ends),
            &root,
            "certificate is not yet valid",
            (Failed, "certificate 1 of 2 (\"CN=the server\") is not valid before 20"),
        ),
        case(
            "expired CA",
            "the CA between expired 13 days ago",
            (&expired, &[expired_ca]),
            &root,
            "certificate has expired",
            (Failed, "certificate 2 of 2 (\"CN=between\") expired 13 days ago (20"),
        ),
        case(
            "CA expires soon",
            "the CA between expires in 9 days",
            (&soon, &[soon_ca]),
            &root,
            "",
            (Failed, "certificate 2 of 2 (\"CN=between\") expires in 8 days (20"),
        )
        .differs("`min_days_valid` is 30"),
        case(
            "CA not yet valid",
            "the CA between is of next week",
            (&early, &[early_ca]),
            &root,
            "certificate is not yet valid",
            (Failed, "certificate 2 of 2 (\"CN=between\") is not valid before"),
        ),
        case(
            "expired root",
            "the trust anchor expired 3 days ago; rustls and webpki do not look",
            (&old_between.leaf(HOST, nothing), &[old_between.pem()]),
            &old_root.pem(),
            "certificate has expired",
            (Failed, "the trust anchor \"CN=old root\" expired 3 days ago (20"),
        ),
        case(
            "for ever",
            "not_after is 99991231235959Z",
            (&between.leaf(HOST, |made| made.not_after = rcgen::date_time_ymd(9999, 12, 31)), &ends),
            &root,
            "",
            (Passed, "valid for 399 days more"),
        ),
    ]
}

fn names(root: &Ca) -> Vec<Case> {
    let shop = "www.shop.example";
    let own = |names: &[&str]| root.leaf(names, nothing);
    let by_name = |names: &[&str], name: &str| {
        let name = name.to_owned();
        root.leaf(names, move |made| made.distinguished_name.push(DnType::CommonName, name))
    };
    let address_as_name = root.leaf(&[], |made| {
        made.subject_alt_names = vec![SanType::DnsName("127.0.0.1".try_into().unwrap())];
    });
    let nobody = root.leaf(HOST, |made| made.distinguished_name = rcgen::DistinguishedName::new());
    let root = root.pem();
    let other = "hostname mismatch";
    vec![
        case("other name", "for other.example", (&own(&["other.example", "third.example"]), &[]), &root, other, (Failed, "the certificate \"CN=the server\" is not for \"www.shop.example\" but for \"other.example\", \"third.example\"")).host(shop),
        case("wildcard", "for *.shop.example", (&own(&["*.shop.example"]), &[]), &root, "", (Passed, "")).host(shop),
        case("wildcard, two labels", "for *.shop.example, asked as a.b.shop.example", (&own(&["*.shop.example"]), &[]), &root, other, (Failed, "is not for \"a.b.shop.example\" but for \"*.shop.example\"")).host("a.b.shop.example"),
        case("wildcard, no label", "for *.shop.example, asked as shop.example", (&own(&["*.shop.example"]), &[]), &root, other, (Failed, "is not for \"shop.example\"")).host("shop.example"),
        case("wildcard within a label", "for w*.shop.example", (&own(&["w*.shop.example"]), &[]), &root, "", (Failed, "is not for \"www.shop.example\"")).host(shop).differs("RFC 9525: a wildcard is a whole label"),
        case("capital letters", "for WWW.Shop.Example", (&own(&["WWW.Shop.Example"]), &[]), &root, "", (Passed, "")).host(shop),
        case("address", "for the address 127.0.0.1", (&own(&["127.0.0.1"]), &[]), &root, "", (Passed, "")).host("127.0.0.1"),
        case("IPv6 address", "for the address ::1", (&own(&["::1"]), &[]), &root, "", (Passed, "")).host("::1"),
        case("other address", "for the address 127.0.0.2", (&own(&["127.0.0.2"]), &[]), &root, "IP address mismatch", (Failed, "is not for \"127.0.0.1\" but for \"127.0.0.2\"")).host("127.0.0.1"),
        case("address as a name", "127.0.0.1 as a DNS name", (&address_as_name, &[]), &root, "IP address mismatch", (Failed, "is not for \"127.0.0.1\"")).host("127.0.0.1"),
        case("common name alone", "no subject alternative name, CN=localhost", (&by_name(&[], "localhost"), &[]), &root, "", (Failed, "it has no subject alternative name, and a common name does not count")).differs("RFC 9525: a common name is no name; browsers and rustls agree"),
        case("common name beside others", "CN=localhost, for other.example", (&by_name(&["other.example"], "localhost"), &[]), &root, other, (Failed, "is not for \"localhost\" but for \"other.example\"")),
        case("no subject", "an empty subject, for localhost", (&nobody, &[]), &root, "", (Passed, "")),
    ]
}

fn trust(root: &Ca, between: &Ca) -> Vec<Case> {
    let own = between.leaf(HOST, nothing);
    let other = Ca::root("other root", nothing);
    let impostor = Ca::root("root", nothing);
    let alone = self_signed(HOST, nothing);
    let as_ca = self_signed(HOST, |made| made.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let old = self_signed(HOST, |made| valid(made, days(-9), days(-2)));
    let forged = Made { pem: with_wrong_signature(&own.pem), key: own.key.clone() };
    let (root_pem, other_pem) = (root.pem(), other.pem());
    let signed_itself = "signed itself, and is not among the certificates of ca_file";
    vec![
        case(
            "unknown CA",
            "server < between < root, and other root is trusted",
            (&own, &[between.pem()]),
            &other_pem,
            "unable to get local issuer certificate",
            (
                Failed,
                "certificate 2 of 2 (\"CN=between\") is signed by \"CN=root\", which the server does not send and which is not among the certificates of ca_file",
            ),
        ),
        case(
            "unknown root sent",
            "the same, and the root is sent",
            (&own, &[between.pem(), root.pem()]),
            &other_pem,
            "self-signed certificate in certificate chain",
            (Failed, "certificate 3 of 3 (\"CN=root\") is a root that is not among"),
        ),
        case(
            "missing intermediate",
            "the CA between is not sent",
            (&own, &[]),
            &root_pem,
            "unable to get local issuer certificate",
            (
                Failed,
                "the certificate \"CN=the server\" is signed by \"CN=between\", which the server does not send",
            ),
        ),
        case(
            "unrelated intermediate",
            "another CA is sent instead",
            (&own, &[other.pem()]),
            &root_pem,
            "unable to get local issuer certificate",
            (Failed, "1 other certificate that it sends does not belong to it"),
        ),
        case(
            "self-signed",
            "signed by its own key",
            (&alone, &[]),
            &root_pem,
            "self-signed certificate",
            (Failed, signed_itself),
        ),
        case(
            "self-signed, and that is fine",
            "the same, with `self_signed_ok`",
            (&alone, &[]),
            &root_pem,
            "self-signed certificate",
            (Passed, ""),
        )
        .ask(|asked| asked.self_signed_ok(true))
        .differs("`self_signed_ok`"),
        case(
            "self-signed and expired",
            "the same, expired, with `self_signed_ok`",
            (&old, &[]),
            &root_pem,
            "self-signed certificate",
            (Failed, "the certificate \"CN=the server\" expired 2 days ago"),
        )
        .ask(|asked| asked.self_signed_ok(true)),
        case(
            "signed by another, and self-signed is fine",
            "unknown CA, with `self_signed_ok`",
            (&own, &[between.pem()]),
            &other_pem,
            "unable to get local issuer certificate",
            (Failed, "is signed by \"CN=root\""),
        )
        .ask(|asked| asked.self_signed_ok(true)),
        case("self-signed and given", "it stands in ca_file", (&alone, &[]), &alone.pem, "", (Passed, "")),
        case(
            "self-signed as a CA and given",
            "`openssl req -x509`: CA:TRUE; webpki refuses it",
            (&as_ca, &[]),
            &as_ca.pem,
            "",
            (Passed, ""),
        ),
        case(
            "self-signed as a CA",
            "the same, and not given",
            (&as_ca, &[]),
            &root_pem,
            "self-signed certificate",
            (Failed, signed_itself),
        ),
        case(
            "intermediate given",
            "the CA between stands in ca_file, its root does not",
            (&own, &[]),
            &between.pem(),
            "unable to get issuer certificate",
            (Passed, ""),
        )
        .differs("whoever is given is trusted, as for curl and rustls; OpenSSL needs -partial_chain"),
        case(
            "server's own given",
            "the server's certificate stands in ca_file, its CA does not",
            (&own, &[]),
            &own.pem,
            "unable to get local issuer certificate",
            (Passed, ""),
        )
        .differs("whoever is given is trusted, as for curl; OpenSSL needs -partial_chain"),
        case(
            "another key of the same name",
            "an impostor of the same name as the root is trusted",
            (&root.leaf(HOST, nothing), &[]),
            &impostor.pem(),
            "",
            (Failed, "is not signed by the key of the trust anchor \"CN=root\""),
        )
        .differs_in_error("unable to get local issuer certificate"),
        case(
            "wrong signature",
            "one byte of the signature is changed",
            (&forged, &[between.pem()]),
            &root_pem,
            "certificate signature failure",
            (
                Failed,
                "certificate 1 of 2 (\"CN=the server\") is not signed by the key of certificate 2 of 2 (\"CN=between\")",
            ),
        ),
    ]
}

impl Case {
    /// OpenSSL's error, where its name for it surprises.
    fn differs_in_error(mut self, theirs: &'static str) -> Self {
        self.theirs = theirs;
        self
    }
}

/// One CA with two certificates: of its own root, and by an older root (as Let's Encrypt's first root had).
fn crossed() -> Vec<Case> {
    let old = Ca::root("old root", |made| valid(made, days(-2000), days(-30)));
    let new = Ca::root("new root", nothing);
    let other = Ca::root("older root", nothing);
    let by_old = old.below_with("new root", new.key(), |made| valid(made, days(-1500), days(-30)));
    let by_other = other.below_with("new root", new.key(), nothing);
    let between = new.below("between", nothing);
    let own = between.leaf(HOST, nothing);
    let stranger = Ca::root("stranger", |made| valid(made, days(-90), days(-2)));
    vec![
        case(
            "cross-signed, the other way expired",
            "the new root is trusted; its certificate by an old root, which expired, is sent too",
            (&own, &[between.pem(), by_old.pem()]),
            &new.pem(),
            "",
            (Passed, "valid for 399 days more"),
        ),
        case(
            "cross-signed, both trusted",
            "the old root, which expired, is trusted as well",
            (&own, &[between.pem(), by_old.pem()]),
            &format!("{}{}", old.pem(), new.pem()),
            "",
            (Passed, "valid for 399 days more"),
        ),
        case(
            "cross-signed, the long way",
            "only the older root is trusted",
            (&own, &[between.pem(), by_other.pem()]),
            &other.pem(),
            "",
            (Passed, ""),
        ),
        case(
            "cross-signed, only the expired way",
            "only the old root is trusted",
            (&own, &[between.pem(), by_old.pem()]),
            &old.pem(),
            "certificate has expired",
            (Failed, "certificate 3 of 3 (\"CN=new root\") expired 30 days ago"),
        ),
        case(
            "expired certificate too many",
            "an expired certificate that does not belong to it is sent too",
            (&own, &[between.pem(), stranger.pem()]),
            &new.pem(),
            "",
            (Passed, ""),
        ),
    ]
}

fn constraints(root: &Ca) -> Vec<Case> {
    let below = |change: fn(&mut rcgen::CertificateParams)| {
        let ca = root.below("between", change);
        (ca.leaf(HOST, nothing), ca.pem(), ca)
    };
    let (no_ca, no_ca_pem, _) = below(|made| made.is_ca = IsCa::ExplicitNoCa);
    let (may_not, may_not_pem, _) = below(|made| made.key_usages = vec![KeyUsagePurpose::DigitalSignature]);
    let (_, shallow_pem, shallow) = below(|made| made.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let lower = shallow.below("lower", nothing);
    let only = |name: &str| {
        Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName(name.to_owned())],
            excluded_subtrees: Vec::new(),
        })
    };
    let limited = root.below("limited", |made| made.name_constraints = only("shop.example"));
    let allowed = root.below("limited", |made| made.name_constraints = only("localhost"));
    let clients =
        root.leaf(HOST, |made| made.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth]);
    let servers =
        root.leaf(HOST, |made| made.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]);
    let ca = root.leaf(HOST, |made| made.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let odd = root.leaf(HOST, |made| {
        let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
        extension.set_criticality(true);
        made.custom_extensions.push(extension);
    });
    let root = root.pem();
    vec![
        case(
            "signed by no CA",
            "CA:FALSE above it",
            (&no_ca, &[no_ca_pem]),
            &root,
            "invalid CA certificate",
            (
                Failed,
                "certificate 2 of 2 (\"CN=between\") signed the one before it, and is not a CA's certificate",
            ),
        ),
        case(
            "signed by a key that may not",
            "key usage without keyCertSign above it; webpki does not look",
            (&may_not, &[may_not_pem]),
            &root,
            "invalid CA certificate",
            (Failed, "signed the one before it, which its key usage does not allow"),
        ),
        case(
            "too deep",
            "pathlen:0, and two below it",
            (&lower.leaf(HOST, nothing), &[lower.pem(), shallow_pem]),
            &root,
            "path length constraint exceeded",
            (Failed, "certificate 3 of 3 (\"CN=between\") allows fewer CAs below it than there are"),
        ),
        case(
            "name constraints",
            "the CA may sign for shop.example alone",
            (&limited.leaf(HOST, nothing), &[limited.pem()]),
            &root,
            "permitted subtree violation",
            (
                Failed,
                "certificate 2 of 2 (\"CN=limited\") does not allow the names of those below it (name constraints)",
            ),
        ),
        case(
            "name constraints that hold",
            "the CA may sign for localhost",
            (&allowed.leaf(HOST, nothing), &[allowed.pem()]),
            &root,
            "",
            (Passed, ""),
        ),
        case(
            "for clients",
            "extended key usage clientAuth",
            (&clients, &[]),
            &root,
            "unsuitable certificate purpose",
            (Failed, "is not meant for servers (extended key usage)"),
        ),
        case("for servers", "extended key usage serverAuth", (&servers, &[]), &root, "", (Passed, "")),
        case(
            "a CA's as a server's",
            "CA:TRUE, signed by the root",
            (&ca, &[]),
            &root,
            "",
            (Failed, "is a CA's certificate, and no server's"),
        )
        .differs("rustls and Firefox refuse it"),
        case(
            "unknown critical extension",
            "1.3.6.1.4.1.99999.1, critical",
            (&odd, &[]),
            &root,
            "unhandled critical extension",
            (Failed, "has a critical extension that is not known"),
        ),
    ]
}

/// Made by `openssl`, which needs its security level 0 for these.
fn weak() -> Vec<Case> {
    let root = certify("/CN=rsa root", &rsa(2048), None, CA, &["-sha256"]);
    let sha1_root = certify("/CN=rsa root", &rsa(2048), None, CA, &["-sha1"]);
    let weak_ca = certify("/CN=weak between", &rsa(1024), Some(&root), CA, &["-sha256"]);
    let by = |key: &str, ca: &Made, how: &[&str]| certify("/CN=the server", key, Some(ca), LOCALHOST, how);
    let usual = key("P-256");
    let pss = ["-sha256", "-sigopt", "rsa_padding_mode:pss"];
    let version_1 = certify("/CN=localhost", &usual, Some(&root), "", &["-sha256"]);
    let weak = |name, made, own: &Made, others: &[String], theirs, ours| {
        case(name, made, (own, others), &root.pem, theirs, (Failed, ours)).by_openssl()
    };
    vec![
        weak("weak key", "RSA 1024", &by(&rsa(1024), &root, &["-sha256"]), &[], "EE certificate key too weak", "the certificate \"CN=the server\" has a weak key: RSA 1024, where RSA 2048 is the least"),
        weak("weak key of a CA", "RSA 1024 of the CA between", &by(&usual, &weak_ca, &["-sha256"]), &[weak_ca.pem.clone()], "CA certificate key too weak", "certificate 2 of 2 (\"CN=weak between\") has a weak key: RSA 1024"),
        weak("SHA-1", "signed with SHA-1", &by(&usual, &root, &["-sha1"]), &[], "CA signature digest algorithm too weak", "the certificate \"CN=the server\" is signed with SHA-1 (RSA with SHA-1), which can be forged"),
        weak("MD5", "signed with MD5", &by(&usual, &root, &["-md5"]), &[], "CA signature digest algorithm too weak", "is signed with MD5 (RSA with MD5), which can be forged"),
        weak("SHA-1 in PSS", "signed with RSA-PSS and SHA-1", &by(&usual, &root, &["-sha1", "-sigopt", "rsa_padding_mode:pss"]), &[], "CA signature digest algorithm too weak", "is signed with SHA-1 (RSA-PSS with SHA-1)"),
        case("root signed with SHA-1", "a root's own signature proves nothing", (&by(&usual, &sha1_root, &["-sha256"]), &[]), &sha1_root.pem, "", (Passed, "")),
        case("RSA 2048", "RSA 2048, signed with SHA-256", (&by(&rsa(2048), &root, &["-sha256"]), &[]), &root.pem, "", (Passed, "")),
        case("RSA-PSS", "signed with RSA-PSS and SHA-256", (&by(&usual, &root, &[&pss[..], &["-sigopt", "rsa_pss_saltlen:32"]].concat()), &[]), &root.pem, "", (Passed, "")),
        case("version 1", "no extensions, CN=localhost", (&version_1, &[]), &root.pem, "", (Failed, "it has no subject alternative name")).by_openssl().differs("RFC 9525, and version 1 has no alternative names"),
        case("bits asked for", "RSA 2048, with `min_key_bits: 3072`", (&by(&rsa(2048), &root, &["-sha256"]), &[]), &root.pem, "", (Failed, "the certificate \"CN=the server\" has a key that is too small: RSA 2048, where 3072 bits are the least")).ask(|asked| asked.min_key_bits(3072)).differs("`min_key_bits`"),
    ]
}

fn kinds_of_keys(root: &Ca) -> Vec<Case> {
    let p384 = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let large_root = Ca::root_with("large root", p384(), nothing);
    let root_521 = certify("/CN=very large root", &key("P-521"), None, CA, &["-sha512"]);
    let under_521 = certify("/CN=the server", &key("P-256"), Some(&root_521), LOCALHOST, &["-sha512"]);
    let large = certify(
        "/CN=the server",
        &key("P-521"),
        Some(&Made { pem: root.pem(), key: root.key().serialize_pem() }),
        LOCALHOST,
        &["-sha256"],
    );
    let odd = root.leaf_with(KeyPair::generate_for(&PKCS_ED25519).unwrap(), HOST, nothing);
    let unable = "our cryptography (ring) cannot verify P-521: not known is no pass";
    vec![
        case("P-384", "ECDSA P-384 with SHA-384", (&large_root.leaf_with(p384(), HOST, nothing), &[]), &large_root.pem(), "", (Passed, "")),
        case("Ed25519", "a key Ed25519", (&odd, &[]), &root.pem(), "", (Passed, "")),
        case("P-521", "a key P-521", (&large, &[]), &root.pem(), "", (Errored, "that the server has the key of the certificate \"CN=the server\" cannot be verified by Clockwork: the key is EC P-521")).by_openssl().differs(unable),
        case("signed by P-521", "the root's key is P-521", (&under_521, &[]), &root_521.pem, "", (Errored, "the signature of the certificate \"CN=the server\" cannot be verified by Clockwork: ECDSA with SHA-512 by a key EC P-521")).differs(unable),
        case("bits of curves", "P-256, with `min_key_bits: 384`", (&root.leaf(HOST, nothing), &[]), &root.pem(), "", (Failed, "has a key that is too small: EC P-256, where 384 bits are the least")).ask(|asked| asked.min_key_bits(384)).differs("`min_key_bits`"),
        case("bits of curves as RSA", "P-256, with `min_key_bits: 3072`", (&root.leaf(HOST, nothing), &[]), &root.pem(), "", (Passed, "")).ask(|asked| asked.min_key_bits(3072)),
        case("more bits of curves as RSA", "P-256, with `min_key_bits: 4096`", (&root.leaf(HOST, nothing), &[]), &root.pem(), "", (Failed, "EC P-256 (as strong as RSA 3072), where 4096 bits are the least")).ask(|asked| asked.min_key_bits(4096)).differs("`min_key_bits`"),
    ]
}

fn revoked(root: &Ca, between: &Ca) -> Vec<Case> {
    let own = between.leaf(HOST, |made| made.serial_number = Some(SerialNumber::from(4711)));
    let bad_ca = root.below("bad", |made| made.serial_number = Some(SerialNumber::from(13)));
    let under_bad = bad_ca.leaf(HOST, nothing);
    let impostor = Ca::root("between", nothing);
    let both = format!("{}{}", bad_ca.crl(&[], 1, 30), root.crl(&[13], 1, 30));
    let no_lists = root.below("no lists", |made| made.key_usages = vec![KeyUsagePurpose::KeyCertSign]);
    let under_no_lists = no_lists.leaf(HOST, nothing);
    let (ends, root_pem) = ([between.pem()], root.pem());
    let listed = |name, made, crl: String, theirs, ours| {
        case(name, made, (&own, &ends), &root_pem, theirs, ours).crl(crl)
    };
    vec![
        listed("not revoked", "a list of today without it", between.crl(&[1, 2], 1, 30), "", (Passed, "")),
        listed(
            "revoked",
            "a list of today with it",
            between.crl(&[1, 4711], 1, 30),
            "certificate revoked",
            (Failed, "certificate 1 of 2 (\"CN=the server\") was revoked 1 day ago (20"),
        ),
        listed(
            "revoked in an old list",
            "a list with it that is out of date",
            between.crl(&[4711], 40, 30),
            "CRL has expired",
            (Failed, "certificate 1 of 2 (\"CN=the server\") was revoked 40 days ago"),
        ),
        listed(
            "old list",
            "a list without it that is out of date",
            between.crl(&[], 40, 30),
            "CRL has expired",
            (Errored, "the list of \"CN=between\" in crl_file"),
        ),
        listed(
            "list of tomorrow",
            "a list that is not valid yet",
            between.crl(&[], -2, 30),
            "CRL is not yet valid",
            (Errored, "is not of today"),
        ),
        listed(
            "list of another CA",
            "a list of the root alone",
            root.crl(&[], 1, 30),
            "unable to get certificate CRL",
            (Errored, "has no list of \"CN=between\" that is about it, but of \"CN=root\""),
        ),
        listed(
            "forged list",
            "a list of that name by another key",
            impostor.crl(&[], 1, 30),
            "unable to get certificate CRL",
            (Errored, "is not signed by that issuer's key"),
        ),
        case(
            "revoked CA",
            "the CA above it is on the root's list",
            (&under_bad, &[bad_ca.pem()]),
            &root_pem,
            "",
            (Failed, "certificate 2 of 2 (\"CN=bad\") was revoked"),
        )
        .crl(both)
        .differs("OpenSSL looks at CAs with -crl_check_all alone"),
        case(
            "list by a key that may not",
            "the CA's key usage lacks cRLSign",
            (&under_no_lists, &[no_lists.pem()]),
            &root_pem,
            "key usage does not include CRL signing",
            (Errored, "a key that may not sign lists"),
        )
        .crl(no_lists.crl_anyway()),
    ]
}

fn asked_for(root: &Ca) -> Vec<Case> {
    let own = root.leaf(&["localhost", "*.shop.example", "127.0.0.1"], nothing);
    let asked = |name, made, ours, ask| case(name, made, (&own, &[]), &root.pem(), "", ours).ask(ask);
    let differs = "asked for more";
    vec![
        asked("issuer", "`issuer: { contains: root }`", (Passed, ""), |asked| asked.issuer(Matcher::contains("root"))),
        asked("other issuer", "`issuer: CN=other`", (Failed, "the issuer of the certificate \"CN=the server\" is wrong: expected \"CN=other\", got \"CN=root\""), |asked| asked.issuer("CN=other")).differs(differs),
        asked("names", "`subject_alt_names`, all there", (Passed, ""), |asked| asked.subject_alt_names(["a.shop.example", "*.shop.example", "127.0.0.1"])),
        asked("more names", "`subject_alt_names`, two not there", (Failed, "is not for \"shop.example\", \"*.example\" but for \"localhost\""), |asked| asked.subject_alt_names(["shop.example", "*.example"])).differs(differs),
    ]
}
