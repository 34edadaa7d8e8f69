//! [`Line`]: a TCP connection that was just made.

use std::{io, net::SocketAddr};

use tokio::net::TcpStream;

/// A TCP connection. Many are made only to see whether they can be: the runtime hears of one that somebody talks over, or
/// that takes its time to be made. To this machine itself none does, and to wait for it in the event loop would cost as much
/// as to make it.
#[derive(Debug)]
pub(crate) enum Line {
    #[cfg_attr(
        not(target_os = "linux"),
        expect(dead_code, reason = "what a second `connect` says differs elsewhere")
    )]
    Bare(std::net::TcpStream),
    Stream(TcpStream),
}

impl Line {
    /// Connects from here.
    #[cfg(target_os = "linux")]
    pub(super) async fn to(address: SocketAddr) -> io::Result<Self> {
        use nix::{
            errno::Errno,
            sys::socket::{
                AddressFamily, SockFlag, SockProtocol, SockType, SockaddrStorage, connect, socket,
            },
        };
        use std::os::fd::AsRawFd;
        let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(family, SockType::Stream, flags, SockProtocol::Tcp)?;
        let there = SockaddrStorage::from(address);
        // The second one tells what has become of the first: made, failed and how, or still on its way (EALREADY).
        let made = match connect(socket.as_raw_fd(), &there) {
            Err(Errno::EINPROGRESS) => connect(socket.as_raw_fd(), &there),
            at_once => at_once,
        };
        let stream = std::net::TcpStream::from(socket);
        match made {
            Ok(()) | Err(Errno::EISCONN) => Ok(Self::Bare(stream)),
            Err(Errno::EALREADY) => {
                let stream = TcpStream::from_std(stream)?;
                stream.writable().await?;
                stream.take_error()?.map_or(Ok(Self::Stream(stream)), Err)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Connects from here.
    #[cfg(not(target_os = "linux"))]
    pub(super) async fn to(address: SocketAddr) -> io::Result<Self> {
        TcpStream::connect(address).await.map(Self::Stream)
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Bare(stream) => stream.local_addr(),
            Self::Stream(stream) => stream.local_addr(),
        }
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Bare(stream) => stream.peer_addr(),
            Self::Stream(stream) => stream.peer_addr(),
        }
    }

    /// To talk over it.
    pub(crate) fn into_stream(self) -> io::Result<TcpStream> {
        match self {
            Self::Bare(stream) => TcpStream::from_std(stream),
            Self::Stream(stream) => Ok(stream),
        }
    }
}
