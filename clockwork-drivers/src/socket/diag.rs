//! The kernel's socket table, over netlink: `struct inet_diag_req_v2` there, `struct inet_diag_msg` back
//! (`linux/inet_diag.h`).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd},
};

use nix::{
    errno::Errno,
    sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, socket},
};

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const DUMP: u16 = 0x301;
/// `NLM_F_DUMP_INTR`: the table changed while it was read.
const INTERRUPTED: u16 = 0x10;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `INET_DIAG_SKV6ONLY`.
const V6_ONLY: u16 = 11;
/// `struct nlmsghdr`, `struct inet_diag_msg`, `struct nlattr`.
const HEADER: usize = 16;
const MESSAGE: usize = 72;
const ATTRIBUTE: usize = 4;
/// No answer of the kernel to a dump is larger.
const BUFFER: usize = 32 << 10;

/// What tells TCP from UDP here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question {
    /// `IPPROTO_TCP`, `IPPROTO_UDP`.
    pub(super) protocol: u8,
    /// The states that are meant: a bit for each one's number.
    pub(super) states: u32,
}

/// One socket, as the kernel tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) address: IpAddr,
    pub(super) port: u16,
    /// The other side; port 0, where there is none.
    pub(super) remote: SocketAddr,
    /// The number of its state.
    pub(super) state: u8,
    /// The interface that it is bound to; 0 for all of them.
    pub(super) interface: u32,
    pub(super) v6_only: bool,
    pub(super) uid: u32,
    pub(super) inode: u32,
}

/// All sockets of both families that are meant, of the network namespace that this thread is in.
pub(super) fn ask(question: Question) -> io::Result<Vec<Told>> {
    let kernel = socket(
        AddressFamily::Netlink,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkSockDiag,
    )?;
    let mut told = Vec::new();
    for family in [nix::libc::AF_INET, nix::libc::AF_INET6] {
        send(kernel.as_raw_fd(), &request(family as u8, question), MsgFlags::empty())?;
        match receive(&kernel, &mut told) {
            Ok(()) => {}
            // A kernel without IPv6 has no such sockets.
            Err(Errno::ENOENT | Errno::EAFNOSUPPORT) if family == nix::libc::AF_INET6 => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(told)
}

fn request(family: u8, question: Question) -> [u8; HEADER + 56] {
    let mut bytes = [0; HEADER + 56];
    let length = bytes.len() as u32;
    bytes[0..4].copy_from_slice(&length.to_ne_bytes());
    bytes[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&DUMP.to_ne_bytes());
    bytes[HEADER] = family;
    bytes[HEADER + 1] = question.protocol;
    bytes[HEADER + 4..HEADER + 8].copy_from_slice(&question.states.to_ne_bytes());
    bytes
}

fn receive(kernel: &OwnedFd, told: &mut Vec<Told>) -> nix::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = match recv(kernel.as_raw_fd(), &mut buffer, MsgFlags::MSG_TRUNC) {
            Err(Errno::EINTR) => continue,
            length => length?,
        };
        // What did not fit is lost, and a listener may be in it.
        let bytes = buffer.get(..length).ok_or(Errno::EMSGSIZE)?;
        if read(bytes, told)? {
            return Ok(());
        }
    }
}

/// Reads the messages of one datagram; whether it was the last.
fn read(mut bytes: &[u8], told: &mut Vec<Told>) -> nix::Result<bool> {
    while bytes.len() >= HEADER {
        let length = number(bytes, 0) as usize;
        let message = bytes.get(HEADER..length).ok_or(Errno::EBADMSG)?;
        if short(bytes, 6) & INTERRUPTED != 0 {
            return Err(Errno::EAGAIN);
        }
        match short(bytes, 4) {
            NLMSG_DONE => return Ok(true),
            NLMSG_ERROR => {
                let errno = message.get(..4).map_or(0, |_| number(message, 0) as i32);
                return Err(Errno::from_raw(errno.wrapping_neg()));
            }
            BY_FAMILY => told.push(socket_of(message).ok_or(Errno::EBADMSG)?),
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(false)
}

fn socket_of(message: &[u8]) -> Option<Told> {
    let (fixed, attributes) = message.split_at_checked(MESSAGE)?;
    let address = |at: usize| -> Option<IpAddr> {
        Some(match i32::from(fixed[0]) {
            nix::libc::AF_INET => Ipv4Addr::from(<[u8; 4]>::try_from(&fixed[at..at + 4]).ok()?).into(),
            _ => Ipv6Addr::from(<[u8; 16]>::try_from(&fixed[at..at + 16]).ok()?).into(),
        })
    };
    Some(Told {
        address: address(8)?,
        port: u16::from_be_bytes([fixed[4], fixed[5]]),
        remote: SocketAddr::new(address(24)?, u16::from_be_bytes([fixed[6], fixed[7]])),
        state: fixed[1],
        interface: number(fixed, 40),
        v6_only: v6_only(attributes),
        uid: number(fixed, 64),
        inode: number(fixed, 68),
    })
}

fn v6_only(mut attributes: &[u8]) -> bool {
    while attributes.len() > ATTRIBUTE {
        let length = usize::from(short(attributes, 0));
        if short(attributes, 2) == V6_ONLY {
            return attributes[ATTRIBUTE] != 0;
        }
        attributes = attributes.get(length.max(ATTRIBUTE).next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

/// The callers have looked whether there is enough.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_ne_bytes([bytes[at], bytes[at + 1]])
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend((HEADER as u32 + body.len() as u32).to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(body);
        bytes
    }

    fn listener(v6_only: u8) -> Vec<u8> {
        let mut body = vec![0; MESSAGE];
        body[0] = nix::libc::AF_INET6 as u8;
        body[4..6].copy_from_slice(&8003_u16.to_be_bytes());
        body[1] = 10;
        body[23] = 1;
        body[6..8].copy_from_slice(&443_u16.to_be_bytes());
        body[39] = 2;
        body[40..44].copy_from_slice(&3_u32.to_ne_bytes());
        body[64..68].copy_from_slice(&1000_u32.to_ne_bytes());
        body[68..72].copy_from_slice(&77_u32.to_ne_bytes());
        for (kind, value) in [(8_u16, 3_u8), (V6_ONLY, v6_only)] {
            body.extend(5_u16.to_ne_bytes());
            body.extend(kind.to_ne_bytes());
            body.extend([value, 0, 0, 0]);
        }
        body
    }

    #[test]
    fn the_kernels_messages_are_read() {
        let mut told = Vec::new();
        let bytes = [message(BY_FAMILY, 0, &listener(1)), message(BY_FAMILY, 0, &listener(0))].concat();
        assert!(!read(&bytes, &mut told).unwrap());
        let expected = Told {
            address: "::1".parse().unwrap(),
            port: 8003,
            remote: "[::2]:443".parse().unwrap(),
            state: 10,
            interface: 3,
            v6_only: true,
            uid: 1000,
            inode: 77,
        };
        assert_eq!(told, [expected.clone(), Told { v6_only: false, ..expected }]);
        assert!(read(&message(NLMSG_DONE, 0, &[0; 4]), &mut told).unwrap());
    }

    #[test]
    fn what_is_no_answer_is_an_error() {
        let denied = (-(Errno::EPERM as i32)).to_ne_bytes();
        let mut cut = message(BY_FAMILY, 0, &listener(0));
        cut.truncate(60);
        for (bytes, errno) in [
            (message(NLMSG_ERROR, 0, &denied), Errno::EPERM),
            (message(BY_FAMILY, 0, &[0; 10]), Errno::EBADMSG),
            (message(BY_FAMILY, INTERRUPTED, &listener(0)), Errno::EAGAIN),
            (cut, Errno::EBADMSG),
            (vec![0; HEADER], Errno::EBADMSG),
        ] {
            assert_eq!(read(&bytes, &mut Vec::new()), Err(errno));
        }
    }
}
