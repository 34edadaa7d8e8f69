//! [`Sockets`]: the UDP sockets of one run, each for one question after the other.
//!
//! To make one, name its peer, watch it and close it takes as long as to ask. A port must stay hard to guess (RFC 5452,
//! section 9.2), so none is kept for long, and none has two questions under way.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{net::UdpSocket, time::Instant};

/// How long a port is used, and for how many questions.
const FRESH: Duration = Duration::from_secs(1);
const QUESTIONS: usize = 16;

/// Those that rest, by whom they ask. There are never more than questions were asked at the same time.
#[derive(Default)]
pub(super) struct Sockets(Mutex<HashMap<SocketAddr, Vec<Socket>>>);

/// A socket that asks one server.
pub(super) struct Socket {
    pub(super) udp: UdpSocket,
    made: Instant,
    asked: usize,
}

impl Socket {
    /// One that has just been made, and has asked.
    pub(super) fn new(udp: UdpSocket) -> Self {
        Self { udp, made: Instant::now(), asked: 1 }
    }
}

impl Sockets {
    fn resting(&self) -> MutexGuard<'_, HashMap<SocketAddr, Vec<Socket>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that has asked this server, and has asked this now, too.
    pub(super) fn ask(&self, server: SocketAddr, question: &[u8]) -> Option<Socket> {
        let mut socket = self.resting().get_mut(&server)?.pop()?;
        // What keeps this one from asking is told by the next one, if it lasts.
        let asked = socket.made.elapsed() < FRESH && socket.udp.try_send(question).is_ok();
        socket.asked += 1;
        asked.then_some(socket)
    }

    /// Lets one rest that has heard the answer, the only one that is due.
    pub(super) fn put(&self, server: SocketAddr, socket: Socket) {
        if socket.asked < QUESTIONS {
            self.resting().entry(server).or_default().push(socket);
        }
    }
}
