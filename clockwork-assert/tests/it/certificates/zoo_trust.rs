//! The part of the zoo about who vouches for whom: missing and unknown issuers, several ways up, signatures that are wrong.

use clockwork_core::Outcome::{Failed, Passed};
use rcgen::{BasicConstraints, IsCa};

use super::{
    forge::{Ca, Made, days, nothing, self_signed, valid, with_wrong_signature},
    zoo_cases::{Case, HOST, case},
};

pub(super) fn trust(root: &Ca, between: &Ca) -> Vec<Case> {
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

/// One CA with two certificates: of its own root, and by an older root (as Let's Encrypt's first root had).
pub(super) fn crossed() -> Vec<Case> {
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
