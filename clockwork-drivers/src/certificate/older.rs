//! [`OlderProbe`]: whether a server still accepts an older version of TLS, also one that is not spoken here.
//!
//! A hello is written by hand that offers a version at most, with every cipher suite that servers of that time know, and
//! the answer is read up to the version and the suite that the server chose. Nothing is agreed upon.

use clockwork_core::{CheckError, Context, Probe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::handshake::open;
use crate::{
    resolve::{authority, literal},
    starttls::StartTls,
};

/// TLS 1.1, as it stands in a hello.
pub const TLS11: u16 = 0x0302;
/// TLS 1.2.
pub const TLS12: u16 = 0x0303;

/// Offers a version at most.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OlderProbe {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The name to ask for (SNI), if it is a name and not an address.
    pub server_name: String,
    /// How to get to TLS, where the connection begins in plain text.
    pub starttls: Option<StartTls>,
    /// The newest version that is offered: [`TLS11`] or [`TLS12`].
    pub newest: u16,
}

/// What a server makes of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// It chose a version and a cipher suite.
    Accepted {
        /// As it stands in its hello.
        version: u16,
        /// The number of the suite.
        suite: u16,
    },
    /// It broke off.
    Refused,
}

/// What a version is called.
pub fn name(version: u16) -> &'static str {
    match version {
        0x0300 => "SSL 3.0",
        0x0301 => "TLS 1.0",
        TLS11 => "TLS 1.1",
        TLS12 => "TLS 1.2",
        _ => "a version that is not known",
    }
}

impl Probe for OlderProbe {
    type Observation = Answer;

    async fn look(&self, cx: &Context) -> Result<Answer, CheckError> {
        let whom = authority(&self.host, self.port);
        ask(&self.host, self.port, self.starttls, &self.server_name, self.newest, &whom, cx).await
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        format!("offering {} at most to {}", name(self.newest), authority(&self.host, self.port))
    }

    fn target(&self) -> Option<String> {
        Some(authority(&self.host, self.port))
    }
}

pub(super) async fn ask(
    host: &str,
    port: u16,
    protocol: Option<StartTls>,
    server_name: &str,
    newest: u16,
    whom: &str,
    cx: &Context,
) -> Result<Answer, CheckError> {
    let (mut stream, remote) = open(host, port, protocol, whom, cx).await?;
    let mut random = [0; 32];
    rustls::crypto::ring::default_provider()
        .secure_random
        .fill(&mut random)
        .map_err(|_| CheckError::unobservable("this machine has no random numbers"))?;
    cx.phase(format!("waiting for {remote} to answer an offer of {} at most", name(newest)));
    let mut reply = Vec::new();
    if stream.write_all(&hello(newest, server_name, random)).await.is_err() {
        return Ok(Answer::Refused);
    }
    // Record header 5, handshake header 4, version 2, random 32, session id 1 to 33, suite 2; and a few warnings before.
    while reply.len() < 5 + 4 + 2 + 32 + 33 + 2 + 64 {
        match stream.read_buf(&mut reply).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        if let Some(answer) = read(&reply) {
            return Ok(answer);
        }
    }
    Ok(read(&reply).unwrap_or(Answer::Refused))
}

/// The answer, once enough of it is there.
fn read(mut reply: &[u8]) -> Option<Answer> {
    const ALERT: u8 = 21;
    const HANDSHAKE: u8 = 22;
    const SERVER_HELLO: u8 = 2;
    const WARNING: u8 = 1;
    const CLOSE_NOTIFY: u8 = 0;
    let refused = Some(Answer::Refused);
    // Old servers warn that they do not know the name, and go on to accept.
    while *reply.first()? == ALERT {
        let [_, _, _, high, low, level, what, rest @ ..] = reply else { return None };
        if [*high, *low, *level] != [0, 2, WARNING] || *what == CLOSE_NOTIFY {
            return refused;
        }
        reply = rest;
    }
    if *reply.first()? != HANDSHAKE {
        return refused;
    }
    if *reply.get(5)? != SERVER_HELLO {
        return refused;
    }
    let version = u16::from_be_bytes(*reply.get(9..)?.first_chunk()?);
    let session = usize::from(*reply.get(43)?);
    let suite = u16::from_be_bytes(*reply.get(44 + session..)?.first_chunk()?);
    Some(Answer::Accepted { version, suite })
}

/// A ClientHello for versions up to 1.2, with all suites that old servers are known to want.
fn hello(newest: u16, server_name: &str, random: [u8; 32]) -> Vec<u8> {
    // ECDHE, DHE and plain RSA; with GCM, ChaCha20, CBC, 3DES and RC4; ECDSA and RSA; then CCM, ARIA and Camellia.
    const SUITES: [u16; 59] = [
        0xc02c, 0xc030, 0xc02b, 0xc02f, 0xcca9, 0xcca8, 0x009f, 0x009e, 0xc024, 0xc028, 0xc023, 0xc027,
        0xc00a, 0xc014, 0xc009, 0xc013, 0x006b, 0x0067, 0x0039, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c,
        0x0035, 0x002f, 0xc012, 0xc008, 0x0016, 0x000a, 0x0005, 0x00ff, 0xccaa, 0xc0ac, 0xc0ad, 0xc0ae,
        0xc0af, 0xc09c, 0xc09d, 0xc09e, 0xc09f, 0xc0a0, 0xc0a1, 0xc0a2, 0xc0a3, 0xc05c, 0xc05d, 0xc060,
        0xc061, 0xc052, 0xc053, 0xc072, 0xc073, 0xc076, 0xc077, 0x0041, 0x0084, 0x0045, 0x0088,
    ];
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, content: &[u8]| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend(with_length_16(content));
    };
    let bare = server_name.trim_end_matches('.');
    if literal(bare).is_none() {
        let mut entry = vec![0];
        entry.extend(with_length_16(bare.as_bytes()));
        extension(0, &with_length_16(&entry));
    }
    extension(10, &with_length_16(&[0, 29, 0, 23, 0, 24, 0, 25])); // X25519, P-256, P-384, P-521
    extension(11, &[1, 0]); // points are not compressed
    if newest >= TLS12 {
        let schemes = [4, 3, 5, 3, 6, 3, 8, 4, 8, 5, 8, 6, 8, 7, 4, 1, 5, 1, 6, 1, 2, 3, 2, 1];
        extension(13, &with_length_16(&schemes));
    }
    let mut body = newest.to_be_bytes().to_vec();
    body.extend(random);
    body.push(0); // no session
    body.extend(with_length_16(&SUITES.map(u16::to_be_bytes).concat()));
    body.extend([1, 0]); // no compression
    body.extend(with_length_16(&extensions));
    let mut message = vec![1, 0];
    message.extend(with_length_16(&body));
    let mut record = vec![22, 3, 1];
    record.extend(with_length_16(&message));
    record
}

fn with_length_16(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(u16::MAX);
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(content);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_it_is_there() {
        let mut reply = vec![22, 3, 1, 0, 50, 2, 0, 0, 46, 3, 1];
        reply.extend([0; 32]);
        reply.extend([2, 7, 7, 0x00, 0x2f, 0]);
        let accepted = Answer::Accepted { version: 0x0301, suite: 0x002f };
        assert_eq!(read(&reply), Some(accepted));
        for end in [0, 5, 9, 10, 43, 47] {
            assert_eq!(read(&reply[..end]), None, "{end}");
        }
        assert_eq!(read(&[21, 3, 1, 0, 2, 2, 70]), Some(Answer::Refused), "an alert");
        // A warning (unrecognized_name) is no refusal: whatever follows it is the answer.
        let warning = [21, 3, 1, 0, 2, 1, 112];
        assert_eq!(read(&[&warning[..], &reply].concat()), Some(accepted), "after a warning");
        assert_eq!(read(&[warning, [21, 3, 1, 0, 2, 2, 70]].concat()), Some(Answer::Refused));
        assert_eq!(read(&[21, 3, 1, 0, 2, 1, 0]), Some(Answer::Refused), "close_notify");
        for end in [1, 6, 7] {
            assert_eq!(read(&warning[..end]), None, "{end} bytes of a warning");
        }
        assert_eq!(read(b"HTTP/1.1 400"), Some(Answer::Refused));
    }
}
