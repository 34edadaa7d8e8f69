//! [`PortMapping`]: `8080:80`, `127.0.0.1:8080:80/udp`, `8000-8002:8000-8002`.

use std::{fmt, net::IpAddr, ops::RangeInclusive, str::FromStr};

use super::one_line;

/// Which ports of a container are published, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortMapping {
    /// The host's address that they are published on; all, if `None`.
    pub address: Option<IpAddr>,
    /// The host's ports; the engine chooses, if `None`.
    pub host: Option<RangeInclusive<u16>>,
    /// The container's ports.
    pub container: RangeInclusive<u16>,
    /// The transport.
    pub protocol: Protocol,
}

/// A published port's transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

one_line!(
    PortMapping,
    "`8080:80`, `127.0.0.1:8080:80/udp`, `8000-8002:8000-8002`, or the container's port alone",
    r"^[\d.:\-\[\]a-fA-F]+(/(tcp|udp|sctp))?$|\$\{"
);

impl FromStr for PortMapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |what: &str| {
            format!(
                "{} publishes no port: {what}; write `8080:80`, `127.0.0.1:8080:80/udp`, `8000-8002:8000-8002` or the \
                 container's port alone",
                clockwork_core::text::quote(text)
            )
        };
        let (ports, protocol) = match text.split_once('/') {
            None | Some((_, "tcp")) => (text.split('/').next().unwrap_or(text), Protocol::Tcp),
            Some((ports, "udp")) => (ports, Protocol::Udp),
            Some((ports, "sctp")) => (ports, Protocol::Sctp),
            Some(_) => return Err(wrong("the protocol is tcp, udp or sctp")),
        };
        let (rest, container) = match ports.rsplit_once(':') {
            Some((rest, container)) => (Some(rest), container),
            None => (None, ports),
        };
        let container = range(container).ok_or_else(|| wrong("ports are numbers from 1 to 65535"))?;
        // What is left is `[address:]host`; an IPv6 address stands in brackets.
        let (address, host) = match rest.map(|rest| rest.rsplit_once(':').unwrap_or(("", rest))) {
            None => (None, None),
            Some((address, host)) => {
                let address =
                    match address.strip_prefix('[').map_or(Some(address), |bare| bare.strip_suffix(']')) {
                        Some("") if address.is_empty() => None,
                        Some(bare) => Some(bare.parse().map_err(|_| wrong("that is no IP address"))?),
                        None => return Err(wrong("a bracket is missing")),
                    };
                let host = match host {
                    "" if address.is_some() => None,
                    host => Some(range(host).ok_or_else(|| wrong("ports are numbers from 1 to 65535"))?),
                };
                (address, host)
            }
        };
        if host.as_ref().is_some_and(|host| host.len() != container.len()) {
            return Err(wrong("both ranges need the same length"));
        }
        Ok(Self { address, host, container, protocol })
    }
}

fn range(text: &str) -> Option<RangeInclusive<u16>> {
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|&port| digits && port > 0)
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = port(first)?..=port(last)?;
    (!range.is_empty()).then_some(range)
}

impl PortMapping {
    /// One mapping for each port, in the one spelling that declared and observed ones share: `8080:80/tcp`.
    pub(crate) fn each(&self) -> impl Iterator<Item = String> + '_ {
        self.container.clone().enumerate().map(|(index, container)| {
            let host = self.host.as_ref().and_then(|host| host.clone().nth(index));
            spell(self.address, host, container, self.protocol)
        })
    }
}

/// The engine's own spelling (`80/tcp`, an address, a port, either may be empty), in ours.
pub(crate) fn observed(port: &str, address: &str, host: &str) -> Option<String> {
    let mapping: PortMapping = port.parse().ok()?;
    let address = address.parse::<IpAddr>().ok();
    Some(spell(
        address,
        host.parse().ok().filter(|&host| host > 0),
        *mapping.container.start(),
        mapping.protocol,
    ))
}

fn spell(address: Option<IpAddr>, host: Option<u16>, container: u16, protocol: Protocol) -> String {
    let address = match address.filter(|address| !address.is_unspecified()) {
        None => String::new(),
        Some(IpAddr::V4(address)) => format!("{address}:"),
        Some(IpAddr::V6(address)) => format!("[{address}]:"),
    };
    let host = match host {
        Some(host) => format!("{host}:"),
        None if address.is_empty() => String::new(),
        None => String::from(":"),
    };
    format!("{address}{host}{container}/{protocol}")
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        })
    }
}

impl fmt::Display for PortMapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |range: &RangeInclusive<u16>| match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        match self.address {
            Some(IpAddr::V4(address)) => write!(f, "{address}:")?,
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            None => {}
        }
        match &self.host {
            Some(host) => write!(f, "{}:", range(host))?,
            None if self.address.is_some() => f.write_str(":")?,
            None => {}
        }
        f.write_str(&range(&self.container))?;
        match self.protocol {
            Protocol::Tcp => Ok(()),
            protocol => write!(f, "/{protocol}"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn ports_are_written_as_compose_has_them() {
        for (text, each) in [
            ("8080:80", vec!["8080:80/tcp"]),
            ("8080:80/udp", vec!["8080:80/udp"]),
            ("127.0.0.1:8080:80/udp", vec!["127.0.0.1:8080:80/udp"]),
            ("[::1]:8080:80", vec!["[::1]:8080:80/tcp"]),
            ("8000-8002:9000-9002", vec!["8000:9000/tcp", "8001:9001/tcp", "8002:9002/tcp"]),
            ("80", vec!["80/tcp"]),
            ("127.0.0.1::80", vec!["127.0.0.1::80/tcp"]),
            ("0.0.0.0:8080:80", vec!["8080:80/tcp"]),
        ] {
            let mapping: PortMapping = text.parse().unwrap();
            assert_eq!(mapping.each().collect::<Vec<_>>(), each, "{text}");
            assert_eq!(mapping.to_string(), text);
        }
        assert_eq!(serde_json::from_str::<PortMapping>("80").unwrap().to_string(), "80");
        assert_eq!("8080:80/tcp".parse::<PortMapping>().unwrap().to_string(), "8080:80");
    }

    #[test]
    fn what_is_no_port_is_an_error_with_the_way_out() {
        let wrong = [
            "",
            ":",
            "80:",
            ":80",
            "http",
            "70000:80",
            "0:80",
            "8080:80/icmp",
            "8000-8002:80",
            "9-8:9-8",
            "+80:80",
            "x:8080:80",
            "[::1:8080:80",
            "::1:8080:80x",
            "1.2.3.4.5:80:80",
            "-1:80",
            "8080:80/",
            "[]:80:80",
        ];
        for text in wrong {
            let message = text.parse::<PortMapping>().unwrap_err();
            assert!(message.contains("write `8080:80`"), "{text}: {message}");
        }
    }

    #[test]
    fn the_engines_spelling_becomes_ours() {
        assert_eq!(observed("80/tcp", "", "8080").unwrap(), "8080:80/tcp");
        assert_eq!(observed("80/tcp", "0.0.0.0", "8080").unwrap(), "8080:80/tcp");
        assert_eq!(observed("53/udp", "127.0.0.1", "").unwrap(), "127.0.0.1::53/udp");
        assert_eq!(observed("80/tcp", "", "0").unwrap(), "80/tcp");
    }
}
