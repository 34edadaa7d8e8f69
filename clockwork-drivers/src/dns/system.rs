//! [`ResolvConfProbe`]: the name servers that a machine or a container is set up to ask, and how it completes names.

use clockwork_core::{CheckError, Context, Fault, Probe, text::quote};

use super::NameServer;
use crate::vantage;

const FILE: &str = "/etc/resolv.conf";

/// Reads `/etc/resolv.conf`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResolvConfProbe;

/// What stands in it (resolv.conf(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolvConf {
    /// Whom to ask, in this order.
    pub servers: Vec<NameServer>,
    /// What a name that is not absolute is completed with, in this order.
    pub search: Vec<String>,
    /// A name with at least so many dots is asked as it is first.
    pub ndots: u32,
}

impl Probe for ResolvConfProbe {
    type Observation = ResolvConf;

    async fn look(&self, cx: &Context) -> Result<ResolvConf, CheckError> {
        cx.phase(format!("reading {FILE}"));
        parse(&vantage::read(FILE, cx).await?.unwrap_or_default())
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        format!("reading the name servers from {FILE}")
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

fn parse(content: &[u8]) -> Result<ResolvConf, CheckError> {
    const GIVE: &str = "give `resolver`";
    // What it cannot read is none of our business, as it is none of the system's resolver's.
    let (config, _) = resolv_conf::Config::parse_with_errors(content);
    let mut servers = Vec::with_capacity(config.nameservers.len());
    for server in &config.nameservers {
        let server = server.to_string();
        servers.push(server.parse().map_err(|_| {
            CheckError::unobservable(format!(
                "{FILE} names a name server {} that cannot be asked",
                quote(&server)
            ))
            .hint(GIVE)
        })?);
    }
    if servers.is_empty() {
        return Err(CheckError::unobservable(format!("no name server is configured in {FILE}")).hint(GIVE));
    }
    let search = config.get_last_search_or_domain().cloned().collect();
    Ok(ResolvConf { servers, search, ndots: config.ndots })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn the_servers_of_resolv_conf_in_their_order() {
        let servers = |content: &str| {
            let servers = parse(content.as_bytes())?.servers;
            Ok(servers.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let read: Result<_, CheckError> =
            servers("# x\nsearch a.example\nnameserver 10.0.0.1\nnonsense\nnameserver ::1\n");
        assert_eq!(read.unwrap(), ["10.0.0.1:53", "[::1]:53"]);
        let error = servers("search a.example\n").unwrap_err();
        assert_eq!(error.to_string(), "no name server is configured in /etc/resolv.conf; give `resolver`");
        assert_eq!(error.fault(), Fault::Observer);
        assert!(parse(b"").is_err());
        let conf = parse(b"nameserver 127.0.0.11\nsearch a.example b.example\noptions ndots:0\n").unwrap();
        assert_eq!(
            (conf.search, conf.ndots),
            (vec![String::from("a.example"), String::from("b.example")], 0)
        );
    }
}
