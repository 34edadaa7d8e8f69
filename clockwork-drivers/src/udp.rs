//! [`UdpProbe`]: whether anything is there at a UDP port, as far as that can be told.
//!
//! UDP has no handshake. What can be seen is an answer (something is there), an ICMP refusal (nothing is there), or
//! neither. Silence means two things: on this machine Linux refuses what nobody has bound, at once and always, so
//! silence means that somebody has; from elsewhere it may as well be a firewall, and proves nothing. Other systems can be
//! set up to say nothing on themselves, either.

use std::{io, net::SocketAddr, time::Duration};

use clockwork_core::{CheckError, Context, Phase, Probe, text::quote};

use crate::{
    resolve::{authority, resolve},
    vantage::network::Network,
};

/// How long an answer or a refusal from elsewhere may take; and on this machine, where it comes at once.
const PATIENCE: Duration = Duration::from_secs(1);
const LOCAL_PATIENCE: Duration = Duration::from_millis(100);

/// Sends an empty datagram to a host and a port, and waits for what comes back.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UdpProbe {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// What came back from each address, in the resolver's order, up to the first that is open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UdpObservation {
    /// The addresses with their answers.
    pub tried: Vec<(SocketAddr, UdpAnswer)>,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UdpAnswer {
    /// A datagram: something is there.
    Answered,
    /// Nothing, from this machine itself, which refuses what nobody has bound: something is there.
    Bound,
    /// ICMP says that nothing is there.
    Refused,
    /// No way leads there.
    Unreachable,
    /// Nothing, from elsewhere: something is there that does not answer, or a firewall dropped it.
    OpenOrFiltered,
}

impl UdpAnswer {
    /// The words for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Bound => "bound",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::OpenOrFiltered => "open or filtered",
        }
    }
}

impl Probe for UdpProbe {
    type Observation = UdpObservation;

    async fn look(&self, cx: &Context) -> Result<UdpObservation, CheckError> {
        let network = Network::of(cx).await?;
        if network.is_relayed() {
            // Silence proves something only where a refusal comes at once.
            let place = cx.vantage().as_str();
            return Err(CheckError::unobservable(format!("cannot tell about UDP from inside {place}"))
                .hint("run clockwork as root (CAP_SYS_ADMIN) where the engine runs"));
        }
        let mut tried = Vec::new();
        for address in resolve(&self.host, self.port, false, cx).await? {
            cx.phase(Phase::waiting_for(address, "/udp to answer or refuse"));
            let answer = ask(&network, address).await.or_else(|error| classify(address, error))?;
            tried.push((address, answer));
            if matches!(answer, UdpAnswer::Answered | UdpAnswer::Bound) {
                break;
            }
        }
        Ok(UdpObservation { tried })
    }

    fn describe(&self) -> String {
        format!("asking {}/udp", authority(&self.host, self.port))
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn target(&self) -> Option<String> {
        Some(authority(&self.host, self.port))
    }
}

async fn ask(network: &Network, address: SocketAddr) -> io::Result<UdpAnswer> {
    // Twice, because one datagram may get lost.
    let socket = network.udp(address, &[], None).await?;
    let own = socket.local_addr()?;
    let local = own.ip() == address.ip() || address.ip().is_loopback();
    // It may meet itself, as TCP sockets may.
    if own == address {
        return Ok(UdpAnswer::Refused);
    }
    let patience = if local { LOCAL_PATIENCE } else { PATIENCE };
    for again in [true, false] {
        match tokio::time::timeout(patience / 2, socket.recv(&mut [0; 1])).await {
            Ok(received) => return received.map(|_| UdpAnswer::Answered),
            Err(_) if again => socket.send(&[]).await?,
            Err(_) => break,
        };
    }
    Ok(if local && cfg!(target_os = "linux") { UdpAnswer::Bound } else { UdpAnswer::OpenOrFiltered })
}

fn classify(address: SocketAddr, error: io::Error) -> Result<UdpAnswer, CheckError> {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown,
        NetworkUnreachable,
    };
    match error.kind() {
        // Windows has its own word for it.
        ConnectionRefused | ConnectionReset => Ok(UdpAnswer::Refused),
        // This machine has no IPv6.
        AddrNotAvailable if address.is_ipv6() => Ok(UdpAnswer::Unreachable),
        HostUnreachable | NetworkUnreachable | NetworkDown => Ok(UdpAnswer::Unreachable),
        _ => Err(CheckError::unobservable(format!("cannot send to {}", quote(&address.to_string())))
            .with_source(error)
            .retryable()),
    }
}
