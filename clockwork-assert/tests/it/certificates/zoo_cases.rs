//! The inhabitants of the zoo: how each is made, what OpenSSL says, what we say, and, where that differs, why.

use clockwork_assert::SslCertificateAssert;
use clockwork_core::Outcome::{self, Failed, Passed};
use rcgen::{
    BasicConstraints, CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, SanType,
};

use super::{
    forge::{Ca, Made, days, nothing, valid},
    zoo_strength::{asked_for, kinds_of_keys, revoked, weak},
    zoo_trust::{crossed, trust},
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
    pub(super) fn crl(mut self, crl: String) -> Self {
        self.crl = Some(crl);
        self
    }

    pub(super) fn host(mut self, host: &'static str) -> Self {
        self.host = host;
        self
    }

    pub(super) fn ask(mut self, ask: fn(SslCertificateAssert) -> SslCertificateAssert) -> Self {
        self.ask = ask;
        self
    }

    pub(super) fn differs(mut self, why: &'static str) -> Self {
        self.differs = why;
        self
    }

    pub(super) fn by_openssl(mut self) -> Self {
        self.keeper = Keeper::OpenSsl;
        self
    }
}

impl Case {
    /// OpenSSL's error, where its name for it surprises.
    pub(super) fn differs_in_error(mut self, theirs: &'static str) -> Self {
        self.theirs = theirs;
        self
    }
}

/// A case: name, how it is made, what is sent (the first with its key), who is trusted, OpenSSL's verdict, ours.
pub(super) fn case(
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

pub(super) const HOST: &[&str] = &["localhost"];

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

fn constraints(root: &Ca) -> Vec<Case> {
    let below = |change: fn(&mut rcgen::CertificateParams)| {
        let ca = root.below("between", change);
        (ca.leaf(HOST, nothing), ca.pem(), ca)
    };
    let (no_ca, no_ca_pem, _) = below(|made| made.is_ca = IsCa::ExplicitNoCa);
    let no_root = Ca::root("no root", |made| made.is_ca = IsCa::ExplicitNoCa);
    let (under_no_root, no_root_pem) = (no_root.leaf(HOST, nothing), no_root.pem());
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
            "signed by a trusted one that is no CA",
            "CA:FALSE, in `ca_file`",
            (&under_no_root, &[]),
            &no_root_pem,
            "invalid CA certificate",
            (
                Failed,
                "the trust anchor \"CN=no root\" signed the one before it, and is not a CA's certificate",
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
