//! [`TcpProbe`]: who accepts a connection at a host and a port, address by address; and the connecting that the other
//! probes share.
//!
//! A name may have several addresses. They are tried in the resolver's order; when one does not answer at once, the
//! next is tried beside it (RFC 8305), so that a host whose IPv6 is broken is still found over IPv4.

use std::{
    fmt::{self, Write as _},
    io,
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use clockwork_core::{CheckError, Context, Phase, Probe};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::net::TcpStream;

use crate::{
    address, platform,
    resolve::{authority, resolve},
    vantage::network::{Line, Network},
};

/// How long the first address has the field to itself (RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// Connects to a host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TcpProbe {
    /// A name or an address.
    pub host: Arc<str>,
    /// The port.
    pub port: u16,
}

/// Who accepted, and who did not.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpObservation {
    /// What was to be reached: a name or an address.
    pub host: Arc<str>,
    /// The address that accepted; `None` where none did.
    pub accepted: Option<SocketAddr>,
    /// Every address that answered before one accepted, with its answer.
    pub tried: Vec<Tried>,
}

/// What one address did.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tried {
    /// The address and the port.
    pub address: SocketAddr,
    /// Its answer.
    pub outcome: Outcome,
}

/// The answer of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A connection was made.
    Accepted,
    /// Something is there, and says that nothing listens at this port.
    Refused,
    /// No way leads there.
    Unreachable,
    /// Nothing answered until the kernel gave up: filtered, or not there.
    Silent,
    /// This machine has no network of the address's family.
    NoSuchNetwork,
    /// Something else: the error number.
    Other(i32),
}

impl Outcome {
    /// The word for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Silent => "no answer",
            Self::NoSuchNetwork => "no such network here",
            Self::Other(_) => "failed",
        }
    }
}

const ACCEPTED: &str = " accepted the connection";

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, outcome } = self;
        match outcome {
            Outcome::Accepted => write!(f, "{address}{ACCEPTED}"),
            Outcome::Refused => write!(f, "{address} refused the connection"),
            Outcome::Unreachable => write!(f, "{address} is unreachable"),
            Outcome::Silent => write!(f, "{address} did not answer"),
            Outcome::NoSuchNetwork => {
                let family = if address.is_ipv6() { "IPv6" } else { "IPv4" };
                write!(f, "{address} cannot be tried, there is no {family} here")
            }
            Outcome::Other(number) => {
                write!(f, "{address} failed: {}", io::Error::from_raw_os_error(*number))
            }
        }
    }
}

impl Probe for TcpProbe {
    type Observation = TcpObservation;

    async fn look(&self, cx: &Context) -> Result<TcpObservation, CheckError> {
        let addresses = resolve(&self.host, self.port, false, cx).await?;
        let (reached, mut tried) = reach(&addresses, cx).await?;
        let accepted = reached.map(|reached| reached.remote);
        if let Some(address) = accepted {
            tried.reserve_exact(1);
            tried.push(Tried { address, outcome: Outcome::Accepted });
        }
        Ok(TcpObservation { host: Arc::clone(&self.host), accepted, tried })
    }

    fn describe(&self) -> String {
        format!("connecting to {}", authority(&self.host, self.port))
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn target(&self) -> Option<String> {
        Some(authority(&self.host, self.port))
    }
}

impl TcpObservation {
    /// Who answered what, in a few words: `127.0.0.1:80 refused the connection, [::1]:80 is unreachable`.
    pub fn story(&self) -> String {
        story(&self.tried)
    }

    /// The message for when nobody accepted; `place` is what was to be reached.
    pub fn refusal(&self, place: &str) -> String {
        nobody(place, &self.host, &self.tried).to_string()
    }
}

pub(crate) fn story(tried: &[Tried]) -> String {
    let mut told = String::with_capacity(tried.len() * 48);
    for (number, one) in tried.iter().enumerate() {
        if number > 0 {
            told.push_str(", ");
        }
        match one.outcome {
            Outcome::Accepted => {
                address::push_socket(&mut told, one.address);
                told.push_str(ACCEPTED);
            }
            _ => {
                let _ = write!(told, "{one}"); // a String takes everything
            }
        }
    }
    told
}

/// A connection to talk over, and whom with.
#[derive(Debug)]
pub(crate) struct Connected {
    pub(crate) stream: TcpStream,
    pub(crate) remote: SocketAddr,
}

/// A connection, and whom with.
#[derive(Debug)]
pub(crate) struct Reached {
    line: Line,
    /// Not what the socket says: through a relay, that is the relay.
    remote: SocketAddr,
}

/// A connection to the first of these addresses that accepts one, and what those did that answered before it.
///
/// # Errors
/// When this machine cannot connect to anything: its own limits, its own rules.
pub(crate) async fn connect(
    addresses: &[SocketAddr],
    cx: &Context,
) -> Result<(Option<Connected>, Vec<Tried>), CheckError> {
    let (reached, tried) = reach(addresses, cx).await?;
    let Some(Reached { line, remote }) = reached else { return Ok((None, tried)) };
    let stream = line.into_stream().map_err(|error| cannot_connect(remote).with_source(error).retryable())?;
    Ok((Some(Connected { stream, remote }), tried))
}

async fn reach(addresses: &[SocketAddr], cx: &Context) -> Result<(Option<Reached>, Vec<Tried>), CheckError> {
    let network = Network::of(cx).await?;
    let mut tried = Vec::new();
    if let [address] = *addresses {
        cx.phase(progress(&[], addresses));
        return match attempt(&network, address, Some(cx)).await {
            (_, Ok(reached)) => Ok((Some(reached), tried)),
            (_, Err(error)) => {
                tried.push(Tried { address, outcome: classify(address, error)? });
                nobody_accepted(tried, cx)
            }
        };
    }
    let mut rest = addresses.iter().copied();
    let mut waiting = Vec::with_capacity(addresses.len());
    let mut attempts = FuturesUnordered::new();
    loop {
        if let Some(address) = rest.next() {
            waiting.push(address);
            attempts.push(attempt(&network, address, Some(cx)));
        } else if attempts.is_empty() {
            return nobody_accepted(tried, cx);
        }
        cx.phase(progress(&tried, &waiting));
        let more = rest.len() > 0;
        let ended = tokio::select! {
            biased;
            Some(ended) = attempts.next() => ended,
            () = tokio::time::sleep(STAGGER), if more => continue,
        };
        let (address, ended) = ended;
        waiting.retain(|other| *other != address);
        match ended {
            Ok(reached) => return Ok((Some(reached), tried)),
            Err(error) => tried.push(Tried { address, outcome: classify(address, error)? }),
        }
    }
}

fn nobody_accepted(tried: Vec<Tried>, cx: &Context) -> Result<(Option<Reached>, Vec<Tried>), CheckError> {
    // A container without IPv6 is a part of what is looked at, this machine is not.
    let here = *cx.vantage() == clockwork_core::Vantage::Host;
    if here && tried.iter().all(|one| one.outcome == Outcome::NoSuchNetwork) {
        return Err(CheckError::unobservable(story(&tried))
            .hint("enable that network on this machine, or give an address of the other kind"));
    }
    Ok((None, tried))
}

fn progress(tried: &[Tried], waiting: &[SocketAddr]) -> Phase {
    if let ([], [address]) = (tried, waiting) {
        return Phase::waiting_for(*address, " to accept a connection");
    }
    let waiting: Vec<_> = waiting.iter().map(SocketAddr::to_string).collect();
    let waiting = waiting.join(" and ");
    if tried.is_empty() {
        format!("waiting for {waiting} to accept a connection").into()
    } else {
        format!("{}, waiting for {waiting} to accept one", story(tried)).into()
    }
}

/// One connection to one address; one that meets itself is a refusal.
pub(crate) async fn attempt(
    network: &Network,
    address: SocketAddr,
    cx: Option<&Context>,
) -> (SocketAddr, io::Result<Reached>) {
    let reached = network.connect(address, cx).await.and_then(|line| {
        if network.is_relayed() {
            return Ok(Reached { line, remote: address });
        }
        // Who asks for 0.0.0.0 gets this machine.
        let remote = if address.ip().is_unspecified() { line.peer_addr()? } else { address };
        // A socket that connects to a port in the ephemeral range may be given that very port and meet itself (TCP's
        // simultaneous open). Nobody listens there.
        let local = line.local_addr()?;
        match local.port() == remote.port() && local.ip() == remote.ip() {
            true => Err(io::ErrorKind::ConnectionRefused.into()),
            false => Ok(Reached { line, remote }),
        }
    });
    (address, reached)
}

/// What an address did; or that it was this machine that did not let us find out.
pub(crate) fn classify(address: SocketAddr, error: io::Error) -> Result<Outcome, CheckError> {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable,
        NetworkDown, NetworkUnreachable, NotConnected, TimedOut,
    };
    let hint = match error.kind() {
        // Reset before it was made: a listener whose queue is full says no in this way, and so do some firewalls.
        ConnectionRefused | ConnectionReset | ConnectionAborted | NotConnected => {
            return Ok(Outcome::Refused);
        }
        HostUnreachable | NetworkUnreachable | NetworkDown => return Ok(Outcome::Unreachable),
        TimedOut => return Ok(Outcome::Silent),
        // Also what it says when all local ports are taken, but only of an address that is not among its own.
        AddrNotAvailable if address.is_ipv6() => return Ok(Outcome::NoSuchNetwork),
        AddrNotAvailable => "all local ports are in use: lower `concurrency`",
        io::ErrorKind::PermissionDenied => "a rule of this machine forbids it: a firewall, or a sandbox",
        _ => match error.raw_os_error() {
            Some(number) if platform::is_no_such_network(number) => return Ok(Outcome::NoSuchNetwork),
            Some(number) if platform::is_exhausted(number) => "raise `ulimit -n`, or lower `concurrency`",
            Some(number) => return Ok(Outcome::Other(number)),
            None => "",
        },
    };
    let error = cannot_connect(address).with_source(error).retryable();
    Err(if hint.is_empty() { error } else { error.hint(hint) })
}

fn cannot_connect(address: SocketAddr) -> CheckError {
    CheckError::unobservable(format!("cannot connect to {address}"))
}

/// Nobody accepted: the error that says so. `place` is what was to be reached, `host` the name or address in it.
pub(crate) fn nobody(place: &str, host: &str, tried: &[Tried]) -> CheckError {
    let message = match tried {
        [one] if one.address.ip().to_string() == host.trim_matches(['[', ']']) => one.to_string(),
        tried => format!("cannot connect to {place}: {}", story(tried)),
    };
    let error = CheckError::target(message);
    match tried.iter().any(|one| one.outcome == Outcome::Refused) {
        true => error.hint("nothing listens there: is the service running, and is its port published?"),
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("a test's address")
    }

    #[test]
    fn what_an_address_does_is_told_from_what_this_machine_cannot() {
        use nix::errno::Errno;
        let v4 = at("127.0.0.1:80");
        for (errno, expected) in [
            (Errno::ECONNREFUSED, Some(Outcome::Refused)),
            (Errno::ECONNRESET, Some(Outcome::Refused)),
            (Errno::EHOSTUNREACH, Some(Outcome::Unreachable)),
            (Errno::ENETUNREACH, Some(Outcome::Unreachable)),
            (Errno::ETIMEDOUT, Some(Outcome::Silent)),
            (Errno::EAFNOSUPPORT, Some(Outcome::NoSuchNetwork)),
            (Errno::EINVAL, Some(Outcome::Other(Errno::EINVAL as i32))),
            (Errno::EMFILE, None),
            (Errno::EACCES, None),
            (Errno::EPERM, None),
            (Errno::EADDRNOTAVAIL, None),
        ] {
            let outcome = classify(v4, io::Error::from_raw_os_error(errno as i32));
            assert_eq!(outcome.ok(), expected, "{errno}");
        }
    }

    #[test]
    fn every_address_is_named() {
        let tried = [
            Tried { address: at("[::1]:80"), outcome: Outcome::Refused },
            Tried { address: at("127.0.0.1:80"), outcome: Outcome::Unreachable },
        ];
        assert_eq!(
            nobody("localhost:80", "localhost", &tried).message(),
            "cannot connect to localhost:80: [::1]:80 refused the connection, 127.0.0.1:80 is unreachable"
        );
        assert_eq!(nobody("[::1]:80", "::1", &tried[..1]).message(), "[::1]:80 refused the connection");
    }

    /// What is rare in a look is boxed: each of ten thousand holds the room for the rest of it.
    #[tokio::test]
    async fn a_look_is_small() {
        use clockwork_core::{Engine, Project, assertion};
        let check = assertion("is small", async |cx: Context| {
            let probe = TcpProbe { host: "127.0.0.1".into(), port: 1 };
            let sizes = [
                ("TCP", size_of_val(&probe.look(&cx))),
                #[cfg(feature = "dns")]
                ("DNS", {
                    let servers = ["127.0.0.1:1".parse().expect("a name server")].into();
                    let name = "a.example".parse().expect("a name");
                    let record_type = crate::dns::RecordType::A;
                    size_of_val(&crate::dns::DnsProbe { name, record_type, servers }.look(&cx))
                }),
            ];
            Ok((sizes.iter().all(|(_, size)| *size <= 900), format!("{sizes:?}")))
        });
        let report = Engine::standard().assert(&Project::new("test").assert(check)).await;
        let report = report.expect("the project is valid");
        assert!(report.passed(), "{report}");
    }

    /// A name with several addresses is reached if one of them is, and what the others did is told.
    #[tokio::test]
    async fn every_address_is_tried_until_one_accepts() {
        use clockwork_core::{Engine, Project, assertion};
        let open = tokio::net::TcpListener::bind("[::1]:0").await.expect("this machine has IPv6");
        let open = open.local_addr().map(|address| (address, open)).expect("it is bound");
        let closed = {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("this machine has IPv4");
            listener.local_addr().expect("it is bound")
        };
        // A listener whose queue is full: nothing accepts, and nothing refuses.
        let silent = tokio::net::TcpSocket::new_v4().expect("this machine has IPv4");
        silent.bind(at("127.0.0.1:0")).expect("some port is free");
        let silent = silent.listen(0).expect("it is bound");
        let nowhere = silent.local_addr().expect("it is bound");
        let _filling = TcpStream::connect(nowhere).await.expect("the queue has one place");
        let address = open.0;
        let check = assertion("connects", move |cx: Context| async move {
            let (stream, tried) = connect(&[closed, address], &cx).await?;
            assert_eq!(stream.expect("IPv6 accepts").remote, address);
            assert_eq!(tried, [Tried { address: closed, outcome: Outcome::Refused }]);
            // The one that does not answer does not hold up the one that does.
            let (stream, _) = connect(&[nowhere, address], &cx).await?;
            assert!(stream.is_some());
            let (stream, tried) = connect(&[closed, closed], &cx).await?;
            Ok(stream.is_none() && tried.len() == 2)
        });
        let report = Engine::standard().assert(&Project::new("test").assert(check)).await;
        let report = report.expect("the project is valid");
        assert!(report.passed(), "{report}");
    }
}
