//! As much DER as is needed here: the elements of a message, and of what is signed: where the signed bytes, the algorithm
//! and the signature of a certificate or a CRL lie, and the algorithm and the bits of a public key.

/// What is signed, with what, and the signature: the shape of certificates and CRLs alike.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Signed<'a> {
    /// With its header: these bytes are signed.
    pub(crate) body: &'a [u8],
    /// The content of the algorithm's identifier.
    pub(crate) algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
}

/// A public key with the content of its algorithm's identifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PublicKey<'a> {
    pub(crate) algorithm: &'a [u8],
    pub(crate) bits: &'a [u8],
}

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;

/// The parts of a certificate or a CRL; `None` where it has not that shape.
pub(crate) fn signed(der: &[u8]) -> Option<Signed<'_>> {
    let rest = content(der)?;
    let (body, rest) = element(SEQUENCE, rest)?;
    let (algorithm, rest) = element(SEQUENCE, rest)?;
    let (signature, _) = element(BIT_STRING, rest)?;
    Some(Signed { body: body.whole, algorithm: algorithm.content, signature: bits(signature.content)? })
}

/// The parts of a `SubjectPublicKeyInfo`, given with its header.
pub(crate) fn public_key(der: &[u8]) -> Option<PublicKey<'_>> {
    let (algorithm, rest) = element(SEQUENCE, content(der)?)?;
    let (key, _) = element(BIT_STRING, rest)?;
    Some(PublicKey { algorithm: algorithm.content, bits: bits(key.content)? })
}

/// What stands inside a sequence.
pub(crate) fn content(der: &[u8]) -> Option<&[u8]> {
    element(SEQUENCE, der).map(|(found, _)| found.content)
}

/// A bit string of whole bytes, as keys and signatures are.
fn bits(content: &[u8]) -> Option<&[u8]> {
    content.split_first().and_then(|(unused, bits)| (*unused == 0).then_some(bits))
}

pub(crate) struct Element<'a> {
    whole: &'a [u8],
    pub(crate) content: &'a [u8],
}

/// The first element, which has to be of this kind, and what follows it.
pub(crate) fn element(tag: u8, der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (found, rest) = der.split_first()?;
    if *found != tag {
        return None;
    }
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((Element { whole: &der[..der.len() - rest.len()], content }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_or_of_another_shape_is_nothing() {
        let whole = [0x30, 10, 0x30, 1, 7, 0x30, 0, 0x03, 3, 0, 1, 2];
        let parts = signed(&whole).map(|parts| (parts.body.to_vec(), parts.signature.to_vec()));
        assert_eq!(parts, Some((vec![0x30, 1, 7], vec![1, 2])));
        for end in 0..whole.len() {
            assert!(signed(&whole[..end]).is_none(), "{end}");
        }
        assert!(content(&[0x30, 0x80, 0, 0]).is_none(), "no definite length");
        assert!(content(&[0x30, 0x85, 1, 1, 1, 1, 1]).is_none(), "longer than anything");
    }
}
