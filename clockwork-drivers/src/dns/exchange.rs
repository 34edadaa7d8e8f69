//! One question to one server: over UDP, again if nothing comes, over TCP if the answer was cut off.

use std::{io, net::SocketAddr, time::Duration};

use clockwork_core::{CheckError, Context};
use hickory_proto::rr::Name;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    RecordType,
    message::{Question, Reply},
};
use crate::{
    tcp::{self, Outcome},
    vantage::network::Network,
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
    name: &Name,
    record_type: RecordType,
    cx: &Context,
) -> Result<Heard, CheckError> {
    let heard = ask_with(server, &Question::new(name, record_type, true), record_type, cx).await?;
    match heard {
        // It may know nothing of EDNS (RFC 6891, section 7).
        Heard::Reply(reply, _) if matches!(reply.code, 1 | 4) => {
            ask_with(server, &Question::new(name, record_type, false), record_type, cx).await
        }
        heard => Ok(heard),
    }
}

async fn ask_with(
    server: SocketAddr,
    question: &Question,
    record_type: RecordType,
    cx: &Context,
) -> Result<Heard, CheckError> {
    let network = Network::of(cx).await?;
    let bytes = match over_udp(server, question, &network, cx).await {
        Ok(bytes) => bytes,
        // What carries our bytes there knows no datagrams.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {
            let place = cx.vantage().as_str();
            let message = format!("cannot ask {server} from inside {place}: what its image has knows no UDP");
            return Err(CheckError::unobservable(message)
                .hint("give an address, or run clockwork as root (CAP_SYS_ADMIN) where the engine runs"));
        }
        Err(error) => return nobody(server, error),
    };
    match Reply::read(&bytes, record_type) {
        Ok(reply) if reply.truncated => over_tcp(server, question, record_type, &network, cx).await,
        Ok(reply) => Ok(Heard::Reply(reply, false)),
        Err(error) => Ok(malformed(&error)),
    }
}

fn malformed(error: &impl std::fmt::Display) -> Heard {
    let why = clockwork_core::text::quote(&error.to_string());
    Heard::Broken(format!("its answer is malformed: {}", why.trim_matches('"')))
}

/// The first datagram that is an answer to the question.
async fn over_udp(
    server: SocketAddr,
    question: &Question,
    network: &Network,
    cx: &Context,
) -> io::Result<Vec<u8>> {
    let socket = network.udp(server, Some(cx)).await?;
    cx.phase(format!("waiting for {server} to answer"));
    let mut patience = PATIENCE;
    let mut answer = Vec::with_capacity(LARGEST);
    loop {
        socket.send(question.bytes()).await?;
        let again = tokio::time::sleep(patience);
        tokio::pin!(again);
        loop {
            answer.clear();
            tokio::select! {
                biased;
                received = socket.recv_buf(&mut answer) => received?,
                () = &mut again => break,
            };
            if question.is_answered_by(&answer) {
                return Ok(answer);
            }
            // A socket may be given the very port that it asks, and meet itself. Nobody listens there.
            if answer == question.bytes() && socket.local_addr()? == server {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
        }
        patience *= 2;
    }
}

/// The same question again, over TCP, after an answer that was cut off.
async fn over_tcp(
    server: SocketAddr,
    question: &Question,
    record_type: RecordType,
    network: &Network,
    cx: &Context,
) -> Result<Heard, CheckError> {
    cx.phase(format!("waiting for {server} to answer over TCP, because {TOO_LARGE}"));
    let broken = |why: &str| Ok(Heard::Broken(format!("{TOO_LARGE}, and {why}")));
    let mut stream = match network.connect(server, Some(cx)).await {
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
    match Reply::read(&answer, record_type) {
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
