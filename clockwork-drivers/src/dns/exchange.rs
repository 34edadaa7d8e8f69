//! One question to one server: over UDP, again if nothing comes, over TCP if the answer was cut off.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    task::{Context as Task, Poll, ready},
    time::Duration,
};

use clockwork_core::{CheckError, Context, Phase};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UdpSocket,
};

use super::{
    DnsName, RecordType,
    message::{Malformed, Question, Reply},
    sockets::{Socket, Sockets},
};
use crate::{
    tcp::{self, Outcome},
    vantage::network::{Line, Network},
};

/// After how long a question is sent again, the first time; then twice as long, and so on.
const PATIENCE: Duration = Duration::from_millis(300);
/// Why TCP is used.
const TOO_LARGE: &str = "its answer is too large for UDP";
/// More than a server may send that was told our limit.
const LARGEST: usize = 4096;

/// What one server did.
pub(super) enum Heard {
    /// It answered; over TCP, if so it says.
    Reply(Reply, bool),
    /// It answered, and the answer is of no use.
    Broken(String),
    /// It is not there: why.
    Nobody(String),
}

/// Asks until something is heard.
pub(super) async fn ask(
    server: SocketAddr,
    name: &DnsName,
    record_type: RecordType,
    cx: &Context,
) -> Result<Heard, CheckError> {
    let asked = Asked { server, question: Question::new(name, record_type, true) };
    match ask_with(&asked, cx).await? {
        // It may know nothing of EDNS (RFC 6891, section 7).
        Heard::Reply(reply, _) if matches!(reply.code, 1 | 4) => {
            let asked = Asked { question: Question::new(name, record_type, false), ..asked };
            Box::pin(async move { ask_with(&asked, cx).await }).await
        }
        heard => Ok(heard),
    }
}

/// What is asked, and of whom.
struct Asked {
    server: SocketAddr,
    question: Question,
}

async fn ask_with(asked: &Asked, cx: &Context) -> Result<Heard, CheckError> {
    let network = Network::of(cx).await?;
    match over_udp(asked, &network, cx).await {
        // Few answers are: what it takes then is not to be a part of every look.
        Ok(Ok(reply)) if reply.truncated => Box::pin(over_tcp(asked, &network, cx)).await,
        Ok(Ok(reply)) => Ok(Heard::Reply(reply, false)),
        Ok(Err(error)) => Ok(malformed(&error)),
        // What carries our bytes there knows no datagrams.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            let (server, place) = (asked.server, cx.vantage().as_str());
            let message = format!("cannot ask {server} from inside {place}: what its image has knows no UDP");
            Err(CheckError::unobservable(message)
                .hint("give an address, or run clockwork as root (CAP_SYS_ADMIN) where the engine runs"))
        }
        Err(error) => nobody(asked.server, error),
    }
}

fn malformed(error: &impl std::fmt::Display) -> Heard {
    let why = clockwork_core::text::quote(&error.to_string());
    Heard::Broken(format!("its answer is malformed: {}", why.trim_matches('"')))
}

/// What the first datagram says that is an answer to the question.
async fn over_udp(asked: &Asked, network: &Network, cx: &Context) -> io::Result<Result<Reply, Malformed>> {
    let (server, question) = (asked.server, asked.question.bytes());
    // Those inside a container are made there.
    let sockets = matches!(network, Network::Host).then(|| cx.shared::<Sockets>());
    // In a box: most questions need none.
    let new = async || Box::pin(network.udp(server, question, Some(cx))).await.map(Socket::new);
    let mut socket = match sockets.as_ref().and_then(|sockets| sockets.ask(server, question)) {
        Some(socket) => socket,
        None => new().await?,
    };
    cx.phase(Phase::waiting_for(server, " to answer"));
    let mut patience = PATIENCE;
    loop {
        match tokio::time::timeout(patience, poll_fn(|task| poll_answer(&socket.udp, asked, task))).await {
            Ok(answer) => {
                // What was asked twice may be answered once more.
                if patience == PATIENCE
                    && answer.is_ok()
                    && let Some(sockets) = sockets
                {
                    sockets.put(server, socket);
                }
                return answer;
            }
            Err(_) => {
                if socket.is_used() {
                    // Whoever answered over it before may be gone, and another answer a newcomer.
                    socket = new().await?;
                } else if let Err(error) = socket.udp.try_send(question)
                    // One that cannot be sent just now is as one that is lost.
                    && error.kind() != io::ErrorKind::WouldBlock
                {
                    return Err(error);
                }
                patience *= 2;
            }
        }
    }
}

fn poll_answer(
    socket: &UdpSocket,
    asked: &Asked,
    task: &mut Task<'_>,
) -> Poll<io::Result<Result<Reply, Malformed>>> {
    loop {
        // Not for ever, however much comes: this takes from the task's budget.
        ready!(socket.poll_recv_ready(task))?;
        match receive(socket, asked) {
            Ok(Some(reply)) => return Poll::Ready(Ok(reply)),
            Ok(None) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

/// The next datagram, if it is an answer. Its bytes are held no longer than it takes to read them, and not while waiting.
fn receive(socket: &UdpSocket, asked: &Asked) -> io::Result<Option<Result<Reply, Malformed>>> {
    let question = &asked.question;
    let mut answer = Vec::with_capacity(LARGEST);
    socket.try_recv_buf(&mut answer)?;
    if question.is_answered_by(&answer) {
        return Ok(Some(Reply::read(&answer, question)));
    }
    // A socket may be given the very port that it asks, and meet itself. Nobody listens there.
    if answer == question.bytes() && socket.local_addr()? == asked.server {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(None)
}

/// The same question again, over TCP, after an answer that was cut off.
async fn over_tcp(
    Asked { server, question }: &Asked,
    network: &Network,
    cx: &Context,
) -> Result<Heard, CheckError> {
    let server = *server;
    cx.phase(format!("waiting for {server} to answer over TCP, because {TOO_LARGE}"));
    let broken = |why: &str| Ok(Heard::Broken(format!("{TOO_LARGE}, and {why}")));
    let line = network.connect(server, Some(cx)).await;
    let mut stream = match line.and_then(Line::into_stream) {
        Ok(stream) => stream,
        Err(error) => {
            return broken(match tcp::classify(server, error)? {
                Outcome::Refused => "it refuses TCP connections",
                Outcome::Unreachable => "it is unreachable over TCP",
                _ => "it accepts no TCP connection",
            });
        }
    };
    let asked = async {
        let length = question.bytes().len() as u16; // at most a name and a little more
        stream.write_all(&[&length.to_be_bytes(), question.bytes()].concat()).await?;
        let mut answer = vec![0; stream.read_u16().await?.into()];
        stream.read_exact(&mut answer).await?;
        io::Result::Ok(answer)
    };
    let Ok(answer) = asked.await else {
        return broken("it closed the TCP connection before its answer was whole");
    };
    if !question.is_answered_by(&answer) {
        return broken("over TCP it answers another question");
    }
    match Reply::read(&answer, question) {
        Ok(reply) if reply.truncated => broken("its answer over TCP is cut off, too"),
        Ok(reply) => Ok(Heard::Reply(reply, true)),
        Err(error) => Ok(malformed(&error)),
    }
}

/// What keeps us from asking is ours, the rest is the server's.
fn nobody(server: SocketAddr, error: io::Error) -> Result<Heard, CheckError> {
    Ok(Heard::Nobody(match tcp::classify(server, error)? {
        Outcome::Refused => format!("{server} refuses: no name server listens there"),
        Outcome::Unreachable => format!("{server} is unreachable"),
        Outcome::NoSuchNetwork => {
            let family = if server.is_ipv6() { "IPv6" } else { "IPv4" };
            format!("{server} cannot be asked, this machine has no {family}")
        }
        other => format!("{server} cannot be asked: {}", other.as_str()),
    }))
}
