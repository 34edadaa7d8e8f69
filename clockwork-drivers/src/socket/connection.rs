//! [`read`]: every TCP connection of a network namespace, and who listens there.

use std::{io, net::SocketAddr};

use nix::libc;

use super::diag::{self, Question, Told};

/// The numbers of `enum` in `net/tcp_states.h`.
const SYN_SENT: u8 = 2;
const TIME_WAIT: u8 = 6;
const LISTEN: u8 = 10;
/// Established, and on the way to its end, from either side.
const CONNECTED: [u8; 7] = [1, 4, 5, TIME_WAIT, 8, 9, 11];

/// One side of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Connection {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) phase: Phase,
    /// 0 where no process holds it any more.
    pub(crate) inode: u32,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Nobody has answered yet.
    Trying,
    /// It has ended, within the last minute, and this side ended it.
    Over,
    /// It is there.
    Open,
}

/// The table of one network namespace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) connections: Vec<Connection>,
    /// Addresses and ports that are listened at, with the sockets' inodes.
    pub(crate) listeners: Vec<(SocketAddr, u32)>,
    /// The ports that the kernel gives to whoever does not ask for one: first and last.
    pub(crate) ephemeral: (u16, u16),
}

/// The table of the network namespace that this thread is in.
pub(crate) fn read() -> io::Result<Table> {
    let states = CONNECTED.into_iter().chain([SYN_SENT, LISTEN]).fold(0, |all, state| all | (1 << state));
    let told = diag::ask(Question { protocol: libc::IPPROTO_TCP as u8, states })?;
    let mut table = Table { ephemeral: super::kernel::ephemeral(), ..Table::default() };
    for Told { address, port, remote, state, inode, .. } in told {
        let local = SocketAddr::new(address.to_canonical(), port);
        let phase = match state {
            LISTEN => {
                table.listeners.push((local, inode));
                continue;
            }
            SYN_SENT => Phase::Trying,
            TIME_WAIT => Phase::Over,
            _ => Phase::Open,
        };
        let remote = SocketAddr::new(remote.ip().to_canonical(), remote.port());
        table.connections.push(Connection { local, remote, phase, inode });
    }
    Ok(table)
}

impl Table {
    /// Whether somebody listens there, and the inode of that socket.
    pub(crate) fn listener(&self, at: SocketAddr) -> Option<u32> {
        let takes = |listener: &&(SocketAddr, u32)| {
            let (address, _) = listener;
            address.port() == at.port() && (address.ip() == at.ip() || address.ip().is_unspecified())
        };
        self.listeners.iter().find(takes).map(|(_, inode)| *inode)
    }

    fn is_ephemeral(&self, port: u16) -> bool {
        (self.ephemeral.0..=self.ephemeral.1).contains(&port)
    }

    /// Whether this side, of which nobody knows who listened, looks like the client's: a port that nobody chose, at the
    /// other side one that somebody did. `None` where that tells nothing.
    pub(crate) fn looks_like_a_client(&self, connection: &Connection) -> Option<bool> {
        match (self.is_ephemeral(connection.local.port()), self.is_ephemeral(connection.remote.port())) {
            (true, false) => Some(true),
            (false, true) => Some(false),
            _ => None,
        }
    }
}
