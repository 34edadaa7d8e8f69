//! Names to addresses, by the system's own resolver, so that a check sees what programs on this machine see.
//!
//! Checks that ask for the same name at about the same time share one answer: a thousand checks of one host are not a
//! thousand questions.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clockwork_core::{CheckError, Context, Fault, Phase, Probe, text::quote};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::time::Instant;

/// How old an answer may be when somebody else uses it: shorter than any time to live that a name server gives.
const FRESH: Duration = Duration::from_secs(1);

/// Marks, in the `details`, an error that says that a name does not resolve.
const UNRESOLVED: &str = "unresolved";

/// Whether this error says that a name does not resolve. Then nothing was proven about whoever was meant: the name may be
/// wrong.
pub fn is_unresolved(error: &CheckError) -> bool {
    error.details().contains_key(UNRESOLVED)
}

/// A name's addresses in the order of preference (RFC 6724), with this port.
///
/// `fresh` asks anew, for whoever measures how long it takes.
///
/// # Errors
/// The target's fault: the name does not resolve.
pub(crate) async fn resolve(
    host: &str,
    port: u16,
    fresh: bool,
    cx: &Context,
) -> Result<Vec<SocketAddr>, CheckError> {
    if let Some(address) = literal(host) {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    cx.phase(Phase::before(format!("resolving {}", quote(host))));
    if matches!(cx.vantage(), clockwork_core::Vantage::Inside(_)) {
        return Box::pin(inside(host, port, cx)).await;
    }
    let addresses =
        if fresh { look_up(host.to_owned()).await } else { cx.shared::<Names>().ask(host).await }?;
    Ok(addresses
        .iter()
        .map(|address| {
            let mut address = *address;
            address.set_port(port);
            address
        })
        .collect())
}

/// As a program inside the container would find it.
#[cfg(feature = "dns")]
async fn inside(host: &str, port: u16, cx: &Context) -> Result<Vec<SocketAddr>, CheckError> {
    // The way in first: that it takes long is not the name's fault.
    crate::vantage::network::Network::of(cx).await?;
    cx.phase(Phase::before(format!("resolving {}", quote(host))));
    let found = match crate::dns::look_up(host, cx).await {
        Ok(found) => found,
        // Its name server is not there, or does not answer: that is how it is for whoever is inside.
        Err(error) if error.fault() == Fault::Target && !error.is_inconclusive() => {
            Err(error.message().to_owned())
        }
        Err(error) => return Err(error),
    };
    match found {
        Ok(addresses) => Ok(addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect()),
        Err(why) => {
            let (name, place) = (quote(host), cx.vantage().as_str());
            Err(CheckError::target(format!("{name} does not resolve to an address inside {place}: {why}"))
                .detail(UNRESOLVED, host)
                .inconclusive()
                .hint("check its spelling, and that both are in one network"))
        }
    }
}

#[cfg(not(feature = "dns"))]
async fn inside(host: &str, _: u16, cx: &Context) -> Result<Vec<SocketAddr>, CheckError> {
    let message = format!("cannot resolve {} inside {}", quote(host), cx.vantage().as_str());
    Err(CheckError::unobservable(message).hint("build clockwork-drivers with its `dns` feature"))
}

/// Looks up all addresses of a name, in the order of preference, with a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ResolveProbe {
    /// A name, or an address, which is its own.
    pub host: String,
    /// The port that the addresses get.
    pub port: u16,
}

impl Probe for ResolveProbe {
    type Observation = Vec<SocketAddr>;

    async fn look(&self, cx: &Context) -> Result<Vec<SocketAddr>, CheckError> {
        resolve(&self.host, self.port, false, cx).await
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        format!("looking up {}", quote(&self.host))
    }
}

/// The address that stands where a name could: `127.0.0.1`, `::1`, `[::1]`.
pub fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// `host:port`, with brackets where the host is an IPv6 address.
pub fn authority(host: &str, port: u16) -> String {
    let (before, behind) = if host.contains(':') && !host.starts_with('[') { ("[", "]:") } else { ("", ":") };
    let mut text = String::with_capacity(host.len() + "[]:65535".len());
    for part in [before, host, behind] {
        text.push_str(part);
    }
    clockwork_core::text::push_number(&mut text, port.into());
    text
}

type Answer = Result<Arc<[SocketAddr]>, CheckError>;

/// The answers of the last second, and the questions under way.
#[derive(Default)]
struct Names(Mutex<HashMap<String, Asked>>);

/// A question, when it was asked, and its answer, which may be still to come.
type Asked = (Instant, Shared<BoxFuture<'static, Answer>>);

impl Names {
    async fn ask(&self, host: &str) -> Answer {
        let answer = {
            let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match names.get(host) {
                // A question without an answer is shared however old it is: the resolver has its own patience, and
                // asking it again for every check that waits would only exhaust its threads.
                Some((asked, answer)) if answer.peek().is_none() || asked.elapsed() < FRESH => answer.clone(),
                _ => {
                    let answer = look_up(host.to_owned()).boxed().shared();
                    names.insert(host.to_owned(), (Instant::now(), answer.clone()));
                    answer
                }
            }
        };
        answer.await
    }
}

async fn look_up(host: String) -> Answer {
    let addresses =
        tokio::net::lookup_host((host.as_str(), 0)).await.map_err(|error| unresolved(&host, error))?;
    let mut unique: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        if !unique.contains(&address) {
            unique.push(address);
        }
    }
    if unique.is_empty() {
        return Err(CheckError::target(format!("{} has no address", quote(&host)))
            .detail(UNRESOLVED, host)
            .inconclusive());
    }
    Ok(unique.into())
}

fn unresolved(name: &str, error: io::Error) -> CheckError {
    let host = quote(name);
    if crate::platform::could_not_ask(&error) {
        return CheckError::unobservable(format!("cannot resolve {host}")).with_source(error).retryable();
    }
    CheckError::target(format!("{host} does not resolve to an address"))
        .with_source(error)
        .detail(UNRESOLVED, name)
        .inconclusive()
        .hint("check its spelling, and the name servers of this machine")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_need_no_resolver() {
        for (host, expected) in [
            ("127.0.0.1", Some("127.0.0.1")),
            ("::1", Some("::1")),
            ("[::1]", Some("::1")),
            ("localhost", None),
            ("1.2.3", None),
        ] {
            assert_eq!(literal(host), expected.and_then(|text| text.parse().ok()), "{host}");
        }
        assert_eq!(authority("::1", 80), "[::1]:80");
        assert_eq!(authority("[::1]", 80), "[::1]:80");
        assert_eq!(authority("a.example", 80), "a.example:80");
    }
}
