//! [`ListenerProbe`]: every listener of the vantage's network.

use std::net::IpAddr;

use clockwork_core::{CheckError, Context, Fault, Probe, Vantage};

use super::system;
use crate::vantage::network::Network;

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// TCP: sockets that accept connections.
    Tcp,
    /// UDP: sockets that take datagrams from anybody, that is, those without a peer of their own.
    Udp,
}

/// Asks the kernel for its listeners. From inside a container: those of its network namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ListenerProbe(pub Protocol);

/// The listeners that were there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listeners {
    /// All of them, by port; sockets that share a port and an address (`SO_REUSEPORT`) are one.
    pub all: Vec<Listener>,
    /// The ports that the kernel gives to whoever does not ask for one: first and last.
    pub ephemeral: (u16, u16),
    /// The network namespace; 0 where it cannot be told.
    pub network: u64,
    /// Looked at from inside a container that has no network of its own but shares this machine's.
    pub shares_host_network: bool,
}

/// One listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// The port.
    pub port: u16,
    /// The address; `::ffff:127.0.0.1` is told as what it is, `127.0.0.1`.
    pub address: IpAddr,
    /// It takes IPv4 too, though the address is IPv6's: `[::]` without `IPV6_V6ONLY`.
    pub dual_stack: bool,
    /// The interface that it is bound to, by name or number; `None` for all of them.
    pub interface: Option<String>,
    /// Only this machine (this network namespace) can reach it: a loopback address, or bound to that interface.
    pub loopback: bool,
    /// The user who made the socket, as the host numbers them.
    pub uid: u32,
    /// The sockets' inodes, by which [`super::OwnerProbe`] finds who holds them.
    pub inodes: Vec<u32>,
}

impl Probe for ListenerProbe {
    type Observation = Listeners;

    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Listeners, CheckError> {
        let (protocol, network) = (self.0, Network::of(cx).await?);
        if network.is_relayed() {
            return Err(super::cannot_be_seen(cx));
        }
        let shares_host_network = matches!((cx.vantage(), &network), (Vantage::Inside(_), Network::Host));
        cx.phase("waiting for the kernel's socket table");
        system::listeners(&network, protocol, shares_host_network).await
    }

    fn describe(&self) -> String {
        String::from("reading the socket table")
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(seen: &Listeners) -> usize {
        256 + seen.all.len() * 96
    }
}
