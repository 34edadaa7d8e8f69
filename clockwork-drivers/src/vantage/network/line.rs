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
        // Whoever makes thousands, one after the other, is not to keep the others from the thread.
        tokio::task::consume_budget().await;
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
            // Linux says 0 here, and others that run its programs the other.
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    fn unused(address: &str) -> SocketAddr {
        std::net::TcpListener::bind(address).unwrap().local_addr().unwrap()
    }

    #[tokio::test]
    async fn what_becomes_of_it_is_known_at_once_on_this_machine() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let listener = std::net::TcpListener::bind(any).unwrap();
            let address = listener.local_addr().unwrap();
            let line = Line::to(address).await.unwrap();
            assert!(matches!(line, Line::Bare(_)));
            let (accepted, from) = listener.accept().unwrap();
            assert_eq!((line.local_addr().unwrap(), line.peer_addr().unwrap()), (from, address));
            // It can be talked over.
            let stream = line.into_stream().unwrap();
            stream.writable().await.unwrap();
            assert_eq!(stream.try_write(b"x").unwrap(), 1);
            drop((listener, accepted));
            let refused = Line::to(unused(any)).await.unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        }
    }

    /// One whose queue is full answers nothing: until it does, the runtime waits.
    #[tokio::test]
    async fn what_takes_its_time_is_waited_for() {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let first = Line::to(address).await.unwrap();
        let late = tokio::spawn(Line::to(address));
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        assert!(!late.is_finished());
        drop((first, listener.accept().await.unwrap()));
        // The kernel tries again after a second.
        let late = tokio::time::timeout(std::time::Duration::from_secs(20), late).await;
        assert!(matches!(late.unwrap().unwrap().unwrap(), Line::Stream(_)));
    }

    #[tokio::test]
    async fn nobody_waits_for_whoever_makes_thousands() {
        let closed = unused("127.0.0.1:0");
        let thousands = tokio::spawn(async move {
            for _ in 0..2_000 {
                assert!(Line::to(closed).await.is_err());
            }
        });
        let mut turns = 0;
        while !thousands.is_finished() {
            turns += 1;
            tokio::task::yield_now().await;
        }
        thousands.await.unwrap();
        assert!(turns > 10, "{turns}");
    }
}
