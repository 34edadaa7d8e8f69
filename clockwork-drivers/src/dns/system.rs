//! [`NameServersProbe`]: the name servers that this machine is set up to ask.

use std::io;

use clockwork_core::{CheckError, Context, Fault, Probe, text::quote};

use super::NameServer;

const FILE: &str = "/etc/resolv.conf";

/// Reads which name servers `/etc/resolv.conf` names, in its order.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NameServersProbe;

impl Probe for NameServersProbe {
    type Observation = Vec<NameServer>;

    async fn look(&self, cx: &Context) -> Result<Vec<NameServer>, CheckError> {
        cx.phase(format!("reading {FILE}"));
        let read = tokio::task::spawn_blocking(|| std::fs::read(FILE)).await?;
        parse(read)
    }

    fn describe(&self) -> String {
        format!("reading the name servers from {FILE}")
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }
}

fn parse(read: io::Result<Vec<u8>>) -> Result<Vec<NameServer>, CheckError> {
    const GIVE: &str = "give `resolver`";
    let content = read.map_err(|error| {
        CheckError::unobservable(format!("cannot read this machine's name servers from {FILE}"))
            .with_source(error)
            .hint(GIVE)
    })?;
    // What it cannot read is none of our business, as it is none of the system's resolver's.
    let (config, _) = resolv_conf::Config::parse_with_errors(&content);
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
    Ok(servers)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn the_servers_of_resolv_conf_in_their_order() {
        let servers = |content: &str| {
            let servers = parse(Ok(content.as_bytes().to_vec()))?;
            Ok(servers.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let read: Result<_, CheckError> =
            servers("# x\nsearch a.example\nnameserver 10.0.0.1\nnonsense\nnameserver ::1\n");
        assert_eq!(read.unwrap(), ["10.0.0.1:53", "[::1]:53"]);
        let error = servers("search a.example\n").unwrap_err();
        assert_eq!(error.to_string(), "no name server is configured in /etc/resolv.conf; give `resolver`");
        assert_eq!(error.fault(), Fault::Observer);
        assert!(parse(Err(io::ErrorKind::NotFound.into())).is_err());
    }
}
