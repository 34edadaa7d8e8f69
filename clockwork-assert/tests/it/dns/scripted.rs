//! A name server that answers with exactly the bytes that a test gives it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, UdpSocket},
    task::JoinSet,
};

/// What it is asked: the message, over UDP or TCP, and how many came before it.
pub(super) struct Asked<'a> {
    pub(super) query: &'a [u8],
    pub(super) over_tcp: bool,
    pub(super) before: usize,
}

/// A server. It ends when it is dropped.
pub(super) struct Scripted {
    pub(super) address: SocketAddr,
    /// All questions so far, in bytes.
    pub(super) questions: Arc<Mutex<Vec<Vec<u8>>>>,
    _tasks: JoinSet<()>,
}

impl Scripted {
    /// Answers each question with these messages, over UDP and TCP.
    pub(super) async fn new(
        script: impl Fn(Asked<'_>) -> Vec<Vec<u8>> + Clone + Send + Sync + 'static,
    ) -> Self {
        loop {
            let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
            // The same port may be taken over UDP.
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                return Self::on(udp, Some(tcp), script);
            }
        }
    }

    /// The same, over UDP alone.
    pub(super) async fn without_tcp(
        script: impl Fn(Asked<'_>) -> Vec<Vec<u8>> + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::on(UdpSocket::bind("127.0.0.1:0").await.unwrap(), None, script)
    }

    fn on(
        udp: UdpSocket,
        tcp: Option<TcpListener>,
        script: impl Fn(Asked<'_>) -> Vec<Vec<u8>> + Clone + Send + Sync + 'static,
    ) -> Self {
        let address = udp.local_addr().unwrap();
        let questions = Arc::<Mutex<Vec<Vec<u8>>>>::default();
        let mut tasks = JoinSet::new();
        let note = |questions: &Mutex<Vec<Vec<u8>>>, query: &[u8]| {
            let mut questions = questions.lock().unwrap();
            questions.push(query.to_vec());
            questions.len() - 1
        };
        let (seen, answers) = (Arc::clone(&questions), script.clone());
        tasks.spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, peer)) = udp.recv_from(&mut buffer).await {
                let query = &buffer[..length];
                let before = note(&seen, query);
                for answer in answers(Asked { query, over_tcp: false, before }) {
                    let _ = udp.send_to(&answer, peer).await;
                }
            }
        });
        if let Some(tcp) = tcp {
            let seen = Arc::clone(&questions);
            tasks.spawn(async move {
                while let Ok((mut stream, _)) = tcp.accept().await {
                    let Ok(length) = stream.read_u16().await else { continue };
                    let mut query = vec![0; length.into()];
                    if stream.read_exact(&mut query).await.is_err() {
                        continue;
                    }
                    let before = note(&seen, &query);
                    for answer in script(Asked { query: &query, over_tcp: true, before }) {
                        let _ = stream.write_all(&answer).await;
                    }
                }
            });
        }
        Self { address, questions, _tasks: tasks }
    }

    pub(super) fn count(&self) -> usize {
        self.questions.lock().unwrap().len()
    }
}

/// A name as it goes over the wire.
pub(super) fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// A record.
pub(super) fn record(owner: &str, record_type: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = name(owner);
    bytes.extend(record_type.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(ttl.to_be_bytes());
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

pub(super) fn address(owner: &str, last: u8) -> Vec<u8> {
    record(owner, 1, 300, &[10, 0, 0, last])
}

pub(super) fn alias(owner: &str, target: &str) -> Vec<u8> {
    record(owner, 5, 300, &name(target))
}

/// The beginning of a zone, as it stands beside "no such thing".
pub(super) fn zone() -> Vec<u8> {
    let data = [name("ns.test"), name("admin.test"), vec![0; 20]].concat();
    record("test", 6, 300, &data)
}

/// An answer to this question: its code, and its sections.
pub(super) fn answer(query: &[u8], code: u8, answers: &[Vec<u8>], authority: &[Vec<u8>]) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 5;
    let mut bytes = query[..2].to_vec();
    bytes.extend([0x81, 0x80 | code, 0, 1]);
    bytes.extend((answers.len() as u16).to_be_bytes());
    bytes.extend((authority.len() as u16).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(&query[12..end]);
    bytes.extend(answers.concat());
    bytes.extend(authority.concat());
    bytes
}

/// The same message, marked as cut off.
pub(super) fn cut_off(mut message: Vec<u8>) -> Vec<u8> {
    message[2] |= 2;
    message
}

/// The same message as it goes over TCP.
pub(super) fn framed(message: Vec<u8>) -> Vec<u8> {
    let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
    bytes.extend(message);
    bytes
}

/// Whether the question offers EDNS.
pub(super) fn offers_edns(query: &[u8]) -> bool {
    query[11] == 1
}

/// The name that is asked for, with dots.
pub(super) fn asked_name(query: &[u8]) -> String {
    let (mut at, mut labels) = (12, Vec::new());
    while query[at] != 0 {
        let length = usize::from(query[at]);
        labels.push(String::from_utf8_lossy(&query[at + 1..at + 1 + length]).into_owned());
        at += 1 + length;
    }
    labels.join(".")
}
