//! Sockets inside a container's network, made from the host.
//!
//! A socket belongs for its whole life to the network namespace that it was made in, whoever uses it. So it is enough
//! to *make* it there: one thread of each run enters a namespace, makes a socket, and hands it out; connecting, reading
//! and writing go on in the run's own runtime as with any other socket. Nothing runs in the container, nothing has to be
//! installed there, and two hundred vantages cost one thread and a descriptor each, which end with the run.
//!
//! Where the namespace is not ours to enter, the engine carries the bytes ([`super::relay`]).

#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod line;
#[cfg(target_os = "linux")]
mod namespace;

#[cfg(not(target_os = "linux"))]
pub(crate) use elsewhere::Namespace;
pub(crate) use line::Line;
#[cfg(target_os = "linux")]
pub(crate) use namespace::{Maker, Namespace};

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
};

use clockwork_core::{CheckError, Context, Vantage};
use tokio::net::{TcpSocket, UdpSocket};

#[cfg(feature = "container")]
use super::relay::Relay;

/// Where a probe makes its sockets: in the host's network, or in a container's.
#[derive(Debug, Clone)]
pub(crate) enum Network {
    Host,
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there are no namespaces here"))]
    Inside(Namespace),
    /// By what the engine runs in there.
    #[cfg(feature = "container")]
    Relayed(Relay),
}

/// Why a namespace was not entered.
#[cfg(feature = "container")]
enum Kept {
    /// We may not; another way may lead there.
    Out(String),
    /// None does.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "there are no namespaces here"))]
    Away(CheckError),
}

impl Network {
    /// The network of this context's vantage.
    ///
    /// # Errors
    /// When the resource is no container, the container does not run, or no way leads into its network.
    pub(crate) async fn of(cx: &Context) -> Result<Self, CheckError> {
        let Vantage::Inside(name) = cx.vantage() else { return Ok(Self::Host) };
        // On its own: whoever looks from the host, which nearly all do, is not to hold the room for it.
        #[cfg(feature = "container")]
        return Box::pin(Self::inside(name, cx)).await;
        #[cfg(not(feature = "container"))]
        Err(CheckError::unobservable(format!("cannot look from inside {name}"))
            .hint("build clockwork-drivers with its `container` feature"))
    }

    #[cfg(feature = "container")]
    async fn inside(name: &clockwork_core::ResourceName, cx: &Context) -> Result<Self, CheckError> {
        let (engine, seen) = crate::container::running(cx, name).await?;
        let Some(details) = &*seen else { return Ok(Self::Host) }; // it is there, or that was an error
        let why = match crate::container::process_here(details).await {
            None => String::from("its container runs on another machine, or hidden from this one"),
            Some(pid) => match Namespace::of_process(pid, cx).await {
                Ok(network) => {
                    cx.looks_by("namespace");
                    return Ok(network);
                }
                Err(Kept::Out(why)) => why,
                Err(Kept::Away(error)) => return Err(error),
            },
        };
        Relay::to(&engine, details, &why, cx).await.map(Self::Relayed)
    }

    /// Whether what comes from there comes through a relay, which cannot tell silence from slowness.
    pub(crate) fn is_relayed(&self) -> bool {
        #[cfg(feature = "container")]
        return matches!(self, Self::Relayed(_));
        #[cfg(not(feature = "container"))]
        false
    }

    /// What `work` finds on a thread that is in this network. It may block, though not for long: inside a container, the
    /// run's other sockets wait for it.
    #[cfg(all(target_os = "linux", feature = "socket"))]
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        match self {
            Self::Host => tokio::task::spawn_blocking(work).await?,
            Self::Inside(namespace) => namespace.make(work).await,
            #[cfg(feature = "container")]
            Self::Relayed(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// A connection to `address`. `cx` hears what is done on the way there.
    #[cfg_attr(
        not(feature = "container"),
        expect(unused_variables, reason = "there is no way but the direct one")
    )]
    pub(crate) async fn connect(&self, address: SocketAddr, cx: Option<&Context>) -> io::Result<Line> {
        let namespace = match self {
            Self::Host => return Line::to(address).await,
            Self::Inside(namespace) => namespace,
            #[cfg(feature = "container")]
            Self::Relayed(relay) => return Box::pin(relay.tcp(address, cx)).await.map(Line::Stream),
        };
        let make = move || if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let stream = namespace.make(make).await?.connect(address).await?;
        if let Ok(local) = stream.local_addr() {
            namespace.remember(local, address);
        }
        Ok(Line::Stream(stream))
    }

    /// A UDP socket that talks to `address` alone, and has sent it this first datagram.
    #[cfg_attr(
        not(feature = "container"),
        expect(unused_variables, reason = "there is no way but the direct one")
    )]
    pub(crate) async fn udp(
        &self,
        address: SocketAddr,
        first: &[u8],
        cx: Option<&Context>,
    ) -> io::Result<UdpSocket> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let make = move || {
            let socket = std::net::UdpSocket::bind(any)?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let socket = match self {
            Self::Host => make()?,
            Self::Inside(namespace) => Box::pin(namespace.make(make)).await?,
            #[cfg(feature = "container")]
            Self::Relayed(relay) => {
                let socket = Box::pin(relay.udp(address, cx)).await?;
                Box::pin(socket.send(first)).await?;
                return Ok(socket);
            }
        };
        socket.connect(address)?; // so that the kernel tells this socket of refusals, and of this peer alone
        // At once: to ask whether there is room for it would be a turn of the event loop, and there is.
        let sent = socket.send(first);
        let socket = UdpSocket::from_std(socket)?;
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Box::pin(socket.send(first)).await?,
            sent => sent?,
        };
        Ok(socket)
    }
}
