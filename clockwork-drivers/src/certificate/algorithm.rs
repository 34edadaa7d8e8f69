//! Keys and signatures of certificates: what they are called, how strong they are, and whether a signature is right.

use std::{fmt, sync::LazyLock};

use rustls::crypto::{WebPkiSupportedAlgorithms, ring};
use x509_parser::{
    prelude::FromDer,
    public_key::PublicKey,
    signature_algorithm::SignatureAlgorithm,
    x509::{AlgorithmIdentifier, SubjectPublicKeyInfo},
};

use crate::der::{self, Signed};

/// The signatures that can be verified here.
pub(super) static VERIFIABLE: LazyLock<WebPkiSupportedAlgorithms> =
    LazyLock::new(|| ring::default_provider().signature_verification_algorithms);

/// What became of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    Right,
    Wrong,
    /// With an algorithm, or by a key, that cannot be verified here.
    Unknown,
}

/// Whether the holder of this key (with its header) signed this.
pub(super) fn check(signed: &Signed<'_>, spki: &[u8]) -> Check {
    let Some(key) = der::public_key(spki) else { return Check::Unknown };
    let fitting = VERIFIABLE.all.iter().find(|one| {
        one.signature_alg_id().as_ref() == signed.algorithm
            && one.public_key_alg_id().as_ref() == key.algorithm
    });
    match fitting.map(|one| one.verify_signature(key.bits, signed.body, signed.signature)) {
        Some(Ok(())) => Check::Right,
        // ring does not look at shorter keys, or at much longer ones.
        Some(Err(_)) if !Key::read(spki).is_some_and(|key| key.is_verifiable()) => Check::Unknown,
        Some(Err(_)) => Check::Wrong,
        None => Check::Unknown,
    }
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Key {
    /// RSA, with so many bits.
    Rsa(usize),
    /// On an elliptic curve of this name, with so many bits.
    Ec(&'static str, usize),
    /// Ed25519.
    Ed25519,
    /// Ed448.
    Ed448,
    /// DSA, with so many bits.
    Dsa(usize),
    /// Something else: the object identifier.
    Other(String),
}

/// Curves: object identifier, name, bits. x509-parser goes by the point's bytes, which makes 528 bits of P-521.
const CURVES: [(&str, &str, usize); 8] = [
    ("1.2.840.10045.3.1.7", "P-256", 256),
    ("1.3.132.0.34", "P-384", 384),
    ("1.3.132.0.35", "P-521", 521),
    ("1.3.132.0.33", "P-224", 224),
    ("1.2.840.10045.3.1.1", "P-192", 192),
    ("1.3.132.0.10", "secp256k1", 256),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1", 256),
    ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1", 384),
];

impl Key {
    /// Reads a `SubjectPublicKeyInfo`.
    pub(super) fn read(spki: &[u8]) -> Option<Self> {
        let (_, read) = SubjectPublicKeyInfo::from_der(spki).ok()?;
        let oid = read.algorithm.algorithm.to_id_string();
        Some(match oid.as_str() {
            "1.3.101.112" => Self::Ed25519,
            "1.3.101.113" => Self::Ed448,
            "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => match read.parsed() {
                Ok(PublicKey::RSA(key)) => Self::Rsa(bits(key.modulus)),
                _ => Self::Rsa(0),
            },
            "1.2.840.10040.4.1" => match read.parsed() {
                Ok(PublicKey::DSA(key)) => Self::Dsa(bits(key)),
                _ => Self::Dsa(0),
            },
            "1.2.840.10045.2.1" => {
                let curve = read.algorithm.parameters.as_ref().and_then(|any| any.as_oid().ok());
                let curve = curve.map(|oid| oid.to_id_string());
                let known = CURVES.iter().find(|(oid, ..)| curve.as_deref() == Some(oid));
                match (known, read.parsed()) {
                    (Some((_, name, bits)), _) => Self::Ec(name, *bits),
                    (None, Ok(PublicKey::EC(point))) => Self::Ec("an unknown curve", point.key_size()),
                    (None, _) => Self::Ec("an unknown curve", 0),
                }
            }
            _ => Self::Other(oid),
        })
    }

    /// Its size in bits; 0 where that is not known.
    pub fn bits(&self) -> usize {
        match self {
            Self::Rsa(bits) | Self::Ec(_, bits) | Self::Dsa(bits) => *bits,
            Self::Ed25519 => 256,
            Self::Ed448 => 456,
            Self::Other(_) => 0,
        }
    }

    /// How many bits an RSA key has that is about as strong (NIST SP 800-57, part 1, table 2); `None` where that is not
    /// known.
    pub fn rsa_equivalent(&self) -> Option<usize> {
        match self {
            Self::Rsa(bits) | Self::Dsa(bits) => Some(*bits),
            Self::Ec(_, 512..) => Some(15_360),
            Self::Ec(_, 384..) | Self::Ed448 => Some(7_680),
            Self::Ec(_, 256..) | Self::Ed25519 => Some(3_072),
            Self::Ec(_, 224..) => Some(2_048),
            Self::Ec(..) => Some(1_024),
            Self::Other(_) => None,
        }
    }

    /// Whether signatures by it can be verified here.
    pub fn is_verifiable(&self) -> bool {
        match self {
            Self::Rsa(bits) => (2048..=8192).contains(bits),
            Self::Ec(name, _) => matches!(*name, "P-256" | "P-384"),
            Self::Ed25519 => true,
            _ => false,
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa(bits) => write!(f, "RSA {bits}"),
            Self::Ec(name, _) => write!(f, "EC {name}"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Ed448 => f.write_str("Ed448"),
            Self::Dsa(bits) => write!(f, "DSA {bits}"),
            Self::Other(oid) => write!(f, "of the unknown kind {oid}"),
        }
    }
}

/// The length of a number without its leading zeros.
fn bits(number: &[u8]) -> usize {
    let significant = number.iter().position(|byte| *byte != 0).map_or(&[][..], |at| &number[at..]);
    match significant.first() {
        Some(first) => significant.len() * 8 - first.leading_zeros() as usize,
        None => 0,
    }
}

/// What a certificate was signed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: String,
    weak_hash: Option<&'static str>,
}

/// Signatures: object identifier, name, and the hash where it is one that can be forged.
const SIGNATURES: [(&str, &str, Option<&str>); 20] = [
    ("1.2.840.113549.1.1.11", "RSA with SHA-256", None),
    ("1.2.840.10045.4.3.2", "ECDSA with SHA-256", None),
    ("1.2.840.10045.4.3.3", "ECDSA with SHA-384", None),
    ("1.2.840.10045.4.3.4", "ECDSA with SHA-512", None),
    ("1.2.840.113549.1.1.12", "RSA with SHA-384", None),
    ("1.2.840.113549.1.1.13", "RSA with SHA-512", None),
    ("1.3.101.112", "Ed25519", None),
    ("1.3.101.113", "Ed448", None),
    ("1.2.840.113549.1.1.14", "RSA with SHA-224", None),
    ("1.2.840.10045.4.3.1", "ECDSA with SHA-224", None),
    ("2.16.840.1.101.3.4.3.1", "DSA with SHA-224", None),
    ("2.16.840.1.101.3.4.3.2", "DSA with SHA-256", None),
    ("1.2.840.113549.1.1.5", "RSA with SHA-1", Some("SHA-1")),
    ("1.3.14.3.2.29", "RSA with SHA-1", Some("SHA-1")),
    ("1.2.840.10045.4.1", "ECDSA with SHA-1", Some("SHA-1")),
    ("1.2.840.10040.4.3", "DSA with SHA-1", Some("SHA-1")),
    ("1.3.14.3.2.27", "DSA with SHA-1", Some("SHA-1")),
    ("1.2.840.113549.1.1.4", "RSA with MD5", Some("MD5")),
    ("1.2.840.113549.1.1.3", "RSA with MD4", Some("MD4")),
    ("1.2.840.113549.1.1.2", "RSA with MD2", Some("MD2")),
];

/// The hashes that RSA-PSS names in its parameters.
const HASHES: [(&str, &str, Option<&str>); 5] = [
    ("2.16.840.1.101.3.4.2.1", "SHA-256", None),
    ("2.16.840.1.101.3.4.2.2", "SHA-384", None),
    ("2.16.840.1.101.3.4.2.3", "SHA-512", None),
    ("1.3.14.3.2.26", "SHA-1", Some("SHA-1")),
    ("1.2.840.113549.2.5", "MD5", Some("MD5")),
];

impl Signature {
    pub(super) fn read(algorithm: &AlgorithmIdentifier<'_>) -> Self {
        let oid = algorithm.algorithm.to_id_string();
        if oid == "1.2.840.113549.1.1.10" {
            let hash = match SignatureAlgorithm::try_from(algorithm) {
                Ok(SignatureAlgorithm::RSASSA_PSS(params)) => params.hash_algorithm_oid().to_id_string(),
                _ => String::new(),
            };
            let known = HASHES.iter().find(|(oid, ..)| *oid == hash);
            let name = known.map_or("an unknown hash", |(_, name, _)| name);
            return Self {
                name: format!("RSA-PSS with {name}"),
                weak_hash: known.and_then(|(.., weak)| *weak),
            };
        }
        match SIGNATURES.iter().find(|(known, ..)| *known == oid) {
            Some((_, name, weak_hash)) => Self { name: (*name).to_owned(), weak_hash: *weak_hash },
            None => Self { name: oid, weak_hash: None },
        }
    }

    /// The hash that it rests on, if that is one whose signatures can be forged: SHA-1, MD5 and older.
    pub fn weak_hash(&self) -> Option<&'static str> {
        self.weak_hash
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_counted_from_the_first_that_is_set() {
        for (number, expected) in [(&[0, 0x80, 0][..], 16), (&[0x7f, 0xff], 15), (&[0, 0], 0), (&[1], 1)] {
            assert_eq!(bits(number), expected, "{number:?}");
        }
    }
}
