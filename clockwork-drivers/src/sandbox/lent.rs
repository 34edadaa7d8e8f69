//! The loopback interface of this machine, lent to a program that has a network of its own. There, the forked process
//! listens at every address at which something listens here ([`Lend::offer`]), and gives the sockets to Clockwork, which
//! carries each connection over ([`Lent`]). So the program reaches what listens for TCP on this machine when it starts,
//! under the same addresses, and nothing else.

use std::{
    collections::BTreeSet,
    fs,
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, bind, listen, recvmsg, send, sendmsg,
    socket_with, socketpair, sockopt,
};
use tokio::task::JoinSet;

/// How many addresses are lent at most: each takes a descriptor.
const MOST: usize = 512;

/// For the forked process: where to listen, and where the sockets go.
#[derive(Debug)]
pub(super) struct Lend {
    addresses: Vec<SocketAddr>,
    channel: OwnedFd,
}

/// For Clockwork: where the sockets come from, and what carries the connections. They end when this is dropped.
#[derive(Debug)]
pub(super) struct Lent {
    channel: OwnedFd,
    carriers: JoinSet<()>,
}

/// Both ends.
pub(super) fn lend() -> io::Result<(Lend, Lent)> {
    let flags = SocketFlags::CLOEXEC;
    let (there, here) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    Ok((Lend { addresses: listening(), channel: there }, Lent { channel: here, carriers: JoinSet::new() }))
}

impl Lend {
    /// In the new network: brings its loopback interface up, listens, and gives the sockets away.
    pub(super) fn offer(&self) -> io::Result<()> {
        let flags = SocketFlags::CLOEXEC;
        // Without a protocol: the one for interfaces and routes.
        let kernel = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        send(&kernel, &interface_up(), SendFlags::empty())?;
        for address in &self.addresses {
            let (family, flags) = match address {
                SocketAddr::V4(_) => (AddressFamily::INET, SocketFlags::CLOEXEC),
                SocketAddr::V6(_) => (AddressFamily::INET6, SocketFlags::CLOEXEC),
            };
            let Ok(socket) = socket_with(family, SocketType::STREAM, flags, None) else { continue };
            if address.is_ipv6() {
                sockopt::set_ipv6_v6only(&socket, true)?;
            }
            // What cannot be listened at there (no IPv6) cannot be connected to there either.
            if bind(&socket, address).is_err() || listen(&socket, 64).is_err() {
                continue;
            }
            let sockets = [socket.as_fd()];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            control.push(SendAncillaryMessage::ScmRights(&sockets));
            sendmsg(&self.channel, &[IoSlice::new(b"+")], &mut control, SendFlags::empty())?;
        }
        Ok(())
    }
}

/// `RTM_NEWLINK` for the first interface, which is the loopback one: up.
fn interface_up() -> [u8; 32] {
    const NEW_LINK: u16 = 16;
    const REQUEST: u16 = 1;
    const UP: u32 = 1;
    let mut message = [0; 32];
    message[0..4].copy_from_slice(&32_u32.to_ne_bytes());
    message[4..6].copy_from_slice(&NEW_LINK.to_ne_bytes());
    message[6..8].copy_from_slice(&REQUEST.to_ne_bytes());
    message[20..24].copy_from_slice(&1_u32.to_ne_bytes()); // its number
    message[24..28].copy_from_slice(&UP.to_ne_bytes());
    message[28..32].copy_from_slice(&UP.to_ne_bytes()); // what of it changes
    message
}

impl Lent {
    /// Takes the sockets that have come, and carries what connects to them. In a runtime.
    pub(super) fn carry(&mut self) {
        while let Ok(Some(listener)) = self.next() {
            let Ok(address) = listener.local_addr() else { continue };
            if listener.set_nonblocking(true).is_err() {
                continue;
            }
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { continue };
            self.carriers.spawn(accept(listener, address));
        }
    }

    fn next(&self) -> io::Result<Option<TcpListener>> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        recvmsg(&self.channel, &mut [IoSliceMut::new(&mut byte)], &mut control, flags)?;
        let sockets = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sockets) => sockets.next(),
            _ => None,
        });
        Ok(sockets.last().map(TcpListener::from))
    }
}

async fn accept(listener: tokio::net::TcpListener, address: SocketAddr) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((mut client, _)) = listener.accept().await else { return };
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            let carried = async {
                let mut server = tokio::net::TcpStream::connect(address).await?;
                let _ = (client.set_nodelay(true), server.set_nodelay(true)); // they only make it faster
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            };
            if carried.await.is_err() {
                // Refused or reset there is reset here.
                let _ = sockopt::set_socket_linger(&client, Some(Duration::ZERO));
            }
        });
    }
}

/// Where something listens for TCP on this machine's own addresses.
fn listening() -> Vec<SocketAddr> {
    let mut addresses = BTreeSet::new();
    for address in crate::socket::listening_for_tcp().unwrap_or_else(|_| in_tables()) {
        let port = address.port();
        match address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => {
                addresses.insert((IpAddr::V4(Ipv4Addr::LOCALHOST), port));
            }
            // It may take connections of both families.
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
                addresses.insert((IpAddr::V4(Ipv4Addr::LOCALHOST), port));
                addresses.insert((IpAddr::V6(Ipv6Addr::LOCALHOST), port));
            }
            ip if ip.is_loopback() => {
                addresses.insert((ip, port));
            }
            _ => {}
        }
    }
    addresses.into_iter().take(MOST).map(SocketAddr::from).collect()
}

/// The same from what the kernel tells anybody. With each read it goes through all connections that there may be: that takes
/// milliseconds.
fn in_tables() -> Vec<SocketAddr> {
    let tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"].map(fs::read_to_string);
    let lines = tables.iter().flatten().flat_map(|table| table.lines().skip(1));
    lines.filter_map(listener).collect()
}

/// `0: 0100007F:1F90 00000000:0000 0A …`: the address as words of the machine, the state.
fn listener(line: &str) -> Option<SocketAddr> {
    const LISTENS: &str = "0A";
    let mut words = line.split_ascii_whitespace().skip(1);
    let (address, port) = words.next()?.split_once(':')?;
    if words.nth(1)? != LISTENS {
        return None;
    }
    let mut bytes = Vec::with_capacity(16);
    for at in (0..address.len()).step_by(8) {
        bytes.extend(u32::from_str_radix(address.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    }
    let ip = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        16 => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?).to_canonical(),
        _ => return None,
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_read_from_the_kernels_table() {
        let own = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = own.local_addr().expect("its address");
        assert!(listening().contains(&address) && in_tables().contains(&address));
        let line = "  1: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0";
        assert_eq!(listener(line), Some("[::1]:8080".parse().expect("an address")));
        let connected = "  1: 0100007F:1F90 0100007F:9999 01 0";
        assert_eq!(listener(connected), None);
    }
}
