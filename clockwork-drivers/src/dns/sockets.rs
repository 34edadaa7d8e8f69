//! [`Sockets`]: the UDP sockets of one run, each for one question after the other.
//!
//! To make one, name its peer, watch it and close it takes as long as to ask. A port must stay hard to guess (RFC 5452,
//! section 9.2), so none is kept for long, none has two questions under way, and one where anything has come meanwhile is
//! not asked over again: it cannot be the answer.

use std::{
    collections::{HashMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{net::UdpSocket, time::Instant};

/// How long a port is used, and for how many questions. Whoever asks again after a while is to see what answers a newcomer.
const FRESH: Duration = Duration::from_millis(100);
const QUESTIONS: usize = 16;
/// How many rest for one server at most.
const RESTING: usize = 64;

/// Those that rest, by whom they ask, the oldest first.
#[derive(Default)]
pub(super) struct Sockets(Mutex<HashMap<SocketAddr, VecDeque<Socket>>>);

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

    /// Whether this is not its first question.
    pub(super) fn is_used(&self) -> bool {
        self.asked > 1
    }

    fn is_quiet(&self) -> bool {
        matches!(self.udp.try_recv(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }
}

impl Sockets {
    fn resting(&self) -> MutexGuard<'_, HashMap<SocketAddr, VecDeque<Socket>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One that has asked this server, and has asked this now, too.
    pub(super) fn ask(&self, server: SocketAddr, question: &[u8]) -> Option<Socket> {
        let mut socket = self.resting().get_mut(&server)?.pop_back()?;
        // What keeps this one from asking is told by the next one, if it lasts.
        let asked =
            socket.made.elapsed() < FRESH && socket.is_quiet() && socket.udp.try_send(question).is_ok();
        socket.asked += 1;
        asked.then_some(socket)
    }

    /// Lets one rest that has heard the answer, the only one that is due.
    pub(super) fn put(&self, server: SocketAddr, socket: Socket) {
        if socket.asked >= QUESTIONS {
            return;
        }
        let mut all = self.resting();
        let resting = all.entry(server).or_default();
        if resting.front().is_some_and(|oldest| resting.len() >= RESTING || oldest.made.elapsed() >= FRESH) {
            resting.pop_front();
        }
        resting.push_back(socket);
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    /// A server, and one that has asked it.
    async fn both() -> (UdpSocket, SocketAddr, Socket) {
        let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(address).await.unwrap();
        socket.writable().await.unwrap();
        (server, address, Socket::new(socket))
    }

    #[tokio::test]
    async fn a_port_serves_a_few_questions_and_no_more() {
        let (server, address, mut socket) = both().await;
        let (port, sockets) = (socket.udp.local_addr().unwrap(), Sockets::default());
        assert!(sockets.ask(address, b"?").is_none() && !socket.is_used());
        for _ in 1..QUESTIONS {
            sockets.put(address, socket);
            socket = sockets.ask(address, b"?").unwrap();
            assert_eq!(server.recv_from(&mut [0; 9]).await.unwrap(), (1, port));
            assert!(socket.is_used() && sockets.ask(address, b"?").is_none());
        }
        sockets.put(address, socket);
        assert!(sockets.ask(address, b"?").is_none());
    }

    #[tokio::test]
    async fn one_that_is_old_or_where_anything_lies_is_not_used_again() {
        for (waits, hears) in [(FRESH, false), (Duration::ZERO, true)] {
            let (server, address, socket) = both().await;
            let (port, sockets) = (socket.udp.local_addr().unwrap(), Sockets::default());
            if hears {
                server.send_to(b"!", port).await.unwrap();
                socket.udp.readable().await.unwrap();
            }
            sockets.put(address, socket);
            tokio::time::sleep(waits).await;
            assert!(sockets.ask(address, b"?").is_none(), "{waits:?}");
        }
    }

    #[tokio::test]
    async fn no_more_rest_than_are_useful() {
        let (_server, address, _) = both().await;
        let sockets = Sockets::default();
        for _ in 0..RESTING + 9 {
            sockets.put(address, Socket::new(UdpSocket::bind("127.0.0.1:0").await.unwrap()));
        }
        assert!(sockets.resting()[&address].len() <= RESTING);
    }
}
