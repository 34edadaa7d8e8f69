//! More inhabitants of the zoo: weak keys and hashes, kinds of keys, revocation lists, and what only we are asked for.

use clockwork_core::{
    Matcher,
    Outcome::{Errored, Failed, Passed},
};
use rcgen::{KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SerialNumber};

use super::{
    forge::{CA, Ca, LOCALHOST, Made, certify, key, nothing, rsa},
    zoo_cases::{Case, HOST, case},
};

/// Made by `openssl`, which needs its security level 0 for these.
pub(super) fn weak() -> Vec<Case> {
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
        weak("weak key of a CA", "RSA 1024 of the CA between", &by(&usual, &weak_ca, &["-sha256"]), std::slice::from_ref(&weak_ca.pem), "CA certificate key too weak", "certificate 2 of 2 (\"CN=weak between\") has a weak key: RSA 1024"),
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

pub(super) fn kinds_of_keys(root: &Ca) -> Vec<Case> {
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

pub(super) fn revoked(root: &Ca, between: &Ca) -> Vec<Case> {
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
        listed(
            "good in one list, named by another",
            "a list of today without it, and one of that name by another key with it",
            format!("{}{}", between.crl(&[], 1, 30), impostor.crl(&[4711], 1, 30)),
            "",
            (Errored, "is not signed by that issuer's key (is it another CA's of the same name?); and it names the certificate"),
        )
        .differs("OpenSSL reads the first list of a file"),
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

pub(super) fn asked_for(root: &Ca) -> Vec<Case> {
    let own = root.leaf(&["localhost", "*.shop.example", "127.0.0.1"], nothing);
    let asked = |name, made, ours, ask| case(name, made, (&own, &[]), &root.pem(), "", ours).ask(ask);
    let numbered: Vec<_> = (0..150).map(|n| format!("n{n}.example")).collect();
    let numbered: Vec<_> =
        numbered.iter().map(String::as_str).chain(["*.last.example", "localhost"]).collect();
    let many = root.leaf(&numbered, nothing);
    let differs = "asked for more";
    vec![
        asked("issuer", "`issuer: { contains: root }`", (Passed, ""), |asked| asked.issuer(Matcher::contains("root"))),
        asked("other issuer", "`issuer: CN=other`", (Failed, "the issuer of the certificate \"CN=the server\" is wrong: expected \"CN=other\", got \"CN=root\""), |asked| asked.issuer("CN=other")).differs(differs),
        asked("names", "`subject_alt_names`, all there", (Passed, ""), |asked| asked.subject_alt_names(["a.shop.example", "*.shop.example", "127.0.0.1"])),
        case("one of many names", "`subject_alt_names`, a wildcard behind 150 others", (&many, &[]), &root.pem(), "", (Passed, "")).ask(|asked| asked.subject_alt_names(["*.last.example"])),
        asked("more names", "`subject_alt_names`, two not there", (Failed, "is not for \"shop.example\", \"*.example\" but for \"localhost\""), |asked| asked.subject_alt_names(["shop.example", "*.example"])).differs(differs),
    ]
}
