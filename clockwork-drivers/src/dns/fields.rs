//! What a question is described with beside its name, as manifests write it: record types, name servers.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6},
    str::FromStr,
};

use clockwork_core::text::quote;
use hickory_proto::rr;

use super::DnsName;
use crate::resolve;

/// The port that name servers listen at.
const PORT: u16 = 53;

macro_rules! record_types {
    ($($(#[$about:meta])* $Type:ident = $text:literal,)*) => {
        /// What is asked for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum RecordType {
            $($(#[$about])* $Type,)*
        }

        impl RecordType {
            /// All that can be asked for.
            pub const ALL: &'static [Self] = &[$(Self::$Type),*];

            /// As zone files spell it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$Type => $text,)*
                }
            }

            pub(super) fn on_the_wire(self) -> rr::RecordType {
                match self {
                    $(Self::$Type => rr::RecordType::$Type,)*
                }
            }
        }
    };
}

#[rustfmt::skip]
record_types! {
    /// An IPv4 address.
    A = "A",
    /// An IPv6 address.
    AAAA = "AAAA",
    /// Another name for this one.
    CNAME = "CNAME",
    /// Where mail goes.
    MX = "MX",
    /// The zone's name servers.
    NS = "NS",
    /// Text.
    TXT = "TXT",
    /// Where a service is.
    SRV = "SRV",
    /// The name of an address.
    PTR = "PTR",
    /// The zone's beginning.
    SOA = "SOA",
    /// Who may issue certificates.
    CAA = "CAA",
    /// Which certificate a service has (DANE).
    TLSA = "TLSA",
    /// Which key an SSH server has.
    SSHFP = "SSHFP",
    /// Rules that rewrite.
    NAPTR = "NAPTR",
    /// How to connect to a web site.
    HTTPS = "HTTPS",
    /// How to connect to a service.
    SVCB = "SVCB",
}

impl RecordType {
    /// Whether its records are addresses.
    pub fn is_address(self) -> bool {
        matches!(self, Self::A | Self::AAAA)
    }
}

impl FromStr for RecordType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|known| known.as_str().eq_ignore_ascii_case(text)).ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|known| known.as_str()).collect();
            format!("{} is no record type that can be asked for; there are {}", quote(text), all.join(", "))
        })
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name server to ask: an address, or a name whose addresses the system's resolver knows.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum NameServer {
    /// At this address.
    Address(SocketAddr),
    /// On this host, at this port.
    Host(String, u16),
}

impl From<SocketAddr> for NameServer {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl From<IpAddr> for NameServer {
    fn from(address: IpAddr) -> Self {
        Self::Address(SocketAddr::new(address, PORT))
    }
}

impl FromStr for NameServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse::<SocketAddr>() {
            return match address.port() {
                0 => Err(format!("{} has port 0, where nothing can listen", quote(text))),
                _ => Ok(Self::Address(address)),
            };
        }
        if let Some(address) = resolve::literal(text) {
            return Ok(address.into());
        }
        if let Some(address) = scoped(text) {
            return Ok(Self::Address(address));
        }
        let wrong = || {
            format!(
                "{} is not a name server; write `10.0.0.53`, `10.0.0.53:5353`, `[::1]:5353`, `ns1.example` or \
                 `ns1.example:5353`",
                quote(text)
            )
        };
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?),
            None => (text, PORT),
        };
        if host.contains(['/', ':', '@', '[']) || host.parse::<DnsName>().is_err() {
            return Err(wrong());
        }
        Ok(Self::Host(host.to_owned(), port))
    }
}

/// `fe80::1%eth0`: an address of one network, as resolv.conf writes it.
fn scoped(text: &str) -> Option<SocketAddr> {
    let (address, scope) = text.split_once('%')?;
    let address: Ipv6Addr = address.parse().ok()?;
    let scope = match scope.parse() {
        Ok(number) => number,
        Err(_) => crate::platform::interface(scope)?,
    };
    Some(SocketAddrV6::new(address, PORT, 0, scope).into())
}

/// `10.0.0.53:53`.
impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Host(host, port) => f.write_str(&resolve::authority(host, *port)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_addresses_or_names_with_or_without_a_port() {
        for (written, expected) in [
            ("10.0.0.53", Some("10.0.0.53:53")),
            ("10.0.0.53:5353", Some("10.0.0.53:5353")),
            ("::1", Some("[::1]:53")),
            ("[::1]", Some("[::1]:53")),
            ("[::1]:5353", Some("[::1]:5353")),
            ("fe80::1%7", Some("[fe80::1%7]:53")),
            ("ns1.example", Some("ns1.example:53")),
            ("ns1.example:5353", Some("ns1.example:5353")),
            ("", None),
            ("10.0.0.53:0", None),
            ("ns1.example:x", None),
            ("https://dns.example/dns-query", None),
            ("tls://10.0.0.53", None),
        ] {
            let read = written.parse::<NameServer>();
            assert_eq!(read.as_ref().ok().map(ToString::to_string).as_deref(), expected, "{read:?}");
        }
    }
}
