//! [`DnsName`]: a name that DNS holds.

use std::{
    fmt::{self, Write as _},
    hash::{Hash, Hasher},
    net::IpAddr,
    str::FromStr,
    sync::Arc,
};

use clockwork_core::text::quote;
use hickory_proto::rr::Name;

use crate::resolve;

/// A name takes at most so many bytes of a message (RFC 1035, section 2.3.4).
const LONGEST: usize = 255;

/// An absolute name that can be asked for. Two that differ in case are the same.
#[derive(Clone)]
pub struct DnsName {
    /// As it stands in a message: each label behind its length, and a zero at the end.
    wire: Arc<[u8]>,
}

impl FromStr for DnsName {
    type Err = String;

    /// A name as people write it: with or without the dot at its end, in any script (IDNA).
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(name) = plain(text) {
            return Ok(name);
        }
        if text.is_empty() {
            return Err(String::from("is empty"));
        }
        if resolve::literal(text).is_some() {
            return Err(format!("{} is an address, not a name", quote(text)));
        }
        // What is ASCII already is asked as it is: `_dmarc.example`, `*.example`, `under_score.example`.
        let name = if text.is_ascii() { Name::from_ascii(text) } else { Name::from_utf8(text) };
        let name = name.map_err(|error| {
            let why = clockwork_core::text::harmless(&error.to_string()).into_owned();
            format!("{} is not a name that DNS can hold: {why}", quote(text))
        })?;
        if name.iter().any(<[u8]>::is_empty) {
            return Err(format!("{} is not a name that DNS can hold: it has an empty label", quote(text)));
        }
        Ok(Self::from(&name))
    }
}

/// A name as nearly all are: labels of letters, digits, hyphens and underscores. `None` is any other one, and what is none.
fn plain(text: &str) -> Option<DnsName> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let mut wire = [0; LONGEST];
    let end = text.len() + 1;
    wire.get_mut(1..=end)?[..text.len()].copy_from_slice(text.as_bytes());
    // Where the length of this label belongs, and whether it could be the last part of an address.
    let (mut start, mut only_digits) = (0, true);
    for at in 1..=end {
        match wire[at] {
            _ if at == end => {}
            b'.' => {}
            b'0'..=b'9' => continue,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => {
                only_digits = false;
                continue;
            }
            b'-' if at > start + 1 => {
                only_digits = false;
                continue;
            }
            _ => return None,
        }
        let length = at - start - 1;
        if !(1..=63).contains(&length) || (at == end && only_digits) {
            return None;
        }
        wire[start] = length as u8;
        (start, only_digits) = (at, true);
    }
    wire[end] = 0;
    Some(DnsName { wire: wire[..=end].into() })
}

impl From<&Name> for DnsName {
    fn from(name: &Name) -> Self {
        let mut wire = Vec::with_capacity(name.len() + 1);
        for label in name.iter() {
            wire.push(label.len() as u8); // a label has at most 63 bytes
            wire.extend(label);
        }
        wire.push(0);
        Self { wire: wire.into() }
    }
}

impl DnsName {
    /// The name under which the name of this address is found: `1.0.0.127.in-addr.arpa`.
    pub fn reverse(address: IpAddr) -> Self {
        Self::from(&Name::from(address))
    }

    /// As it stands in a message.
    pub(super) fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// As reports show names: in small letters.
    pub(super) fn in_small_letters(&self) -> String {
        let mut text = self.to_string();
        text.make_ascii_lowercase();
        text
    }
}

impl PartialEq for DnsName {
    fn eq(&self, other: &Self) -> bool {
        // No length of a label looks like a letter: they end at 63, and letters begin at 65.
        Arc::ptr_eq(&self.wire, &other.wire) || self.wire.eq_ignore_ascii_case(&other.wire)
    }
}

impl Eq for DnsName {}

impl Hash for DnsName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut small = [0; LONGEST];
        let small = &mut small[..self.wire.len()];
        small.copy_from_slice(&self.wire);
        small.make_ascii_lowercase();
        state.write(small);
    }
}

/// As zone files write it, with the dot at its end: `xn--bcher-kva.example.`.
impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(self.wire.len());
        let mut rest = self.wire();
        while let [length, labels @ ..] = rest
            && *length > 0
            && let Some((label, behind)) = labels.split_at_checked(usize::from(*length))
        {
            for (at, byte) in label.iter().enumerate() {
                match byte {
                    b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => {}
                    b'-' if at > 0 => {}
                    b'*' if at == 0 => {}
                    b'!'..=b'~' => text.push('\\'),
                    other => {
                        write!(text, "\\{other:03o}")?;
                        continue;
                    }
                }
                text.push(char::from(*byte));
            }
            text.push('.');
            rest = behind;
        }
        f.write_str(if text.is_empty() { "." } else { &text })
    }
}

impl fmt::Debug for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DnsName({self})")
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use std::hash::BuildHasher;

    use super::*;

    #[test]
    fn names_are_absolute_and_in_ascii() {
        for (written, expected) in [
            ("a.example", Some("a.example.")),
            ("a.example.", Some("a.example.")),
            ("bücher.example", Some("xn--bcher-kva.example.")),
            ("_dmarc.under_score.example", Some("_dmarc.under_score.example.")),
            ("localhost", Some("localhost.")),
            ("*.example", Some("*.example.")),
            (".", Some(".")),
            ("", None),
            ("a..example", None),
            (".example", None),
            ("a b.example", None),
            ("http://a.example/", None),
            ("127.0.0.1", None),
            ("::1", None),
        ] {
            let read = written.parse::<DnsName>();
            assert_eq!(read.as_ref().ok().map(ToString::to_string).as_deref(), expected, "{read:?}");
        }
        assert!(format!("{}.example", "x".repeat(64)).parse::<DnsName>().is_err());
        assert!("x.".repeat(130).parse::<DnsName>().is_err());
        assert_eq!("A.example".parse::<DnsName>(), "a.EXAMPLE.".parse());
        let reverse = |text: &str| DnsName::reverse(text.parse().expect("an address")).to_string();
        assert_eq!(reverse("192.0.2.1"), "1.2.0.192.in-addr.arpa.");
        assert!(reverse("2001:db8::1").ends_with(".8.b.d.0.1.0.0.2.ip6.arpa."));
    }

    /// The plain ones are read and written here, and are to be what hickory-proto says of them.
    #[test]
    fn names_are_what_they_are_for_others() {
        let long = format!("{}.{}", "x".repeat(63), "y.".repeat(94));
        for written in [
            "a",
            "A.b-c.d_e",
            "_a.b",
            "a--b.c",
            "1.2.3.example",
            "10.0.0.1x",
            "xn--bcher-kva.example",
            "a-.b",
            &long,
            &long[..long.len() - 1],
            &format!("{long}z"),
        ] {
            let name = plain(written).unwrap_or_else(|| panic!("{written} is plain"));
            let mut other = Name::from_ascii(written).unwrap();
            assert_eq!(*name.wire, *DnsName::from(&other).wire, "{written}");
            other.set_fqdn(true);
            assert_eq!(name.to_string(), other.to_ascii());
        }
        for written in [
            "",
            ".",
            "-a",
            "a.-b",
            "a..b",
            ".a",
            "a..",
            "*.a",
            "a b",
            "a\\.b",
            "a\0",
            "\0",
            "1.2.3.4",
            "1",
            "a.1",
            "ü.a",
            "::1",
            "[::1]",
            &"x".repeat(64),
            &format!("{long}zz"),
            &"y.".repeat(300),
        ] {
            assert!(plain(written).is_none(), "{written}");
        }
        for byte in 0..=255 {
            let mut other = Name::from_labels([&[byte][..], &[b'a', byte], b"B"]).unwrap();
            other.set_fqdn(true);
            let name = DnsName::from(&other);
            assert_eq!(name.to_string(), other.to_ascii());
            assert_eq!(name.in_small_letters(), other.to_lowercase().to_ascii());
        }
    }

    #[test]
    fn names_that_are_the_same_are_one_question() {
        let state = std::hash::RandomState::new();
        let name = |text: &str| text.parse::<DnsName>().unwrap();
        assert_eq!(state.hash_one(name("A.example")), state.hash_one(name("a.EXAMPLE.")));
        assert_ne!(name("a.example"), name("b.example"));
        assert_ne!(name("a.b.example"), name("a-b.example"));
    }
}
