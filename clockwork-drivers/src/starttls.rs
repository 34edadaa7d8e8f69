//! [`StartTls`]: the words with which a protocol goes over to TLS on a connection that began in plain text.
//!
//! Each dialogue is as short as its protocol allows, and everything the server says is bounded. Nothing that it sends in
//! plain text after its consent is taken for part of what is protected (the STARTTLS injection of CVE-2011-0411 and its
//! kin): whoever sends more before the handshake has failed.

use clockwork_core::{
    CheckError, Context,
    schemars::JsonSchema,
    text::{quote, quote_bytes},
};
use serde::Deserialize;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::der::element;

/// A protocol that goes over to TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum StartTls {
    /// Mail transfer and submission: `EHLO`, `STARTTLS`.
    Smtp,
    /// Mail access: `CAPABILITY`, `STARTTLS`.
    Imap,
    /// Mail access: `STLS`.
    Pop3,
    /// File transfer: `AUTH TLS`.
    Ftp,
    /// PostgreSQL: `SSLRequest`.
    #[serde(alias = "postgresql")]
    Postgres,
    /// MySQL and MariaDB: a handshake response that asks for TLS.
    #[serde(alias = "mariadb")]
    Mysql,
    /// Directories: the extended operation `StartTLS`.
    Ldap,
}

/// A line longer than this, or a reply of more lines, is no reply of these protocols.
const LINE: usize = 2048;
const LINES: usize = 100;
/// The largest binary reply that is read.
const PACKET: usize = 16 << 10;

impl StartTls {
    /// The name as it stands in a manifest.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Ftp => "ftp",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
            Self::Ldap => "ldap",
        }
    }

    /// The port that the protocol is usually spoken at.
    pub fn port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Imap => 143,
            Self::Pop3 => 110,
            Self::Ftp => 21,
            Self::Postgres => 5432,
            Self::Mysql => 3306,
            Self::Ldap => 389,
        }
    }
}

/// Talks until the server is ready for the TLS handshake. `whom` names it in messages.
///
/// # Errors
/// The server's fault: it does not speak the protocol, or refuses TLS.
pub(crate) async fn negotiate(
    stream: &mut TcpStream,
    protocol: StartTls,
    whom: &str,
    cx: &Context,
) -> Result<(), CheckError> {
    let mut talk = Talk { stream, protocol, whom, cx, buffer: Vec::new() };
    match protocol {
        StartTls::Smtp => talk.smtp().await?,
        StartTls::Imap => talk.imap().await?,
        StartTls::Pop3 => talk.pop3().await?,
        StartTls::Ftp => talk.ftp().await?,
        StartTls::Postgres => talk.postgres().await?,
        StartTls::Mysql => talk.mysql().await?,
        StartTls::Ldap => talk.ldap().await?,
    }
    match talk.buffer.is_empty() {
        true => Ok(()),
        false => Err(CheckError::target(format!(
            "{whom} went on in plain text after it had agreed to TLS, with {}: an error of the server, or somebody on the way",
            quote_bytes(&talk.buffer)
        ))),
    }
}

struct Talk<'a> {
    stream: &'a mut TcpStream,
    protocol: StartTls,
    whom: &'a str,
    cx: &'a Context,
    /// What was received and not yet read.
    buffer: Vec<u8>,
}

impl Talk<'_> {
    async fn smtp(&mut self) -> Result<(), CheckError> {
        self.coded("its greeting", "220").await?;
        self.send(b"EHLO clockwork.invalid\r\n").await?;
        let offered = self.coded("its answer to EHLO", "250").await?;
        let keyword =
            |line: &String| line.get(4..).is_some_and(|rest| rest.trim().eq_ignore_ascii_case("STARTTLS"));
        if !offered.iter().any(keyword) {
            return Err(self.refused("does not offer STARTTLS", &offered.join(" ")));
        }
        self.send(b"STARTTLS\r\n").await?;
        self.coded("its answer to STARTTLS", "220").await.map(drop)
    }

    async fn ftp(&mut self) -> Result<(), CheckError> {
        self.coded("its greeting", "220").await?;
        self.send(b"AUTH TLS\r\n").await?;
        self.coded("its answer to AUTH TLS", "234").await.map(drop)
    }

    async fn pop3(&mut self) -> Result<(), CheckError> {
        for (what, ask) in [("its greeting", Some(b"STLS\r\n")), ("its answer to STLS", None)] {
            let line = self.line(what).await?;
            if !line.starts_with("+OK") {
                return Err(self.refused(&format!("did not begin {what} with +OK"), &line));
            }
            if let Some(ask) = ask {
                self.send(ask).await?;
            }
        }
        Ok(())
    }

    async fn imap(&mut self) -> Result<(), CheckError> {
        let greeting = self.line("its greeting").await?;
        if !greeting.to_ascii_uppercase().starts_with("* OK") {
            return Err(self.refused("did not begin its greeting with * OK", &greeting));
        }
        self.send(b"a1 CAPABILITY\r\n").await?;
        let capabilities = self.tagged("its answer to CAPABILITY", "a1").await?;
        let offers = capabilities.to_ascii_uppercase();
        if !offers.split_ascii_whitespace().any(|word| word == "STARTTLS") {
            return Err(self.refused("does not offer STARTTLS", &capabilities));
        }
        self.send(b"a2 STARTTLS\r\n").await?;
        self.tagged("its answer to STARTTLS", "a2").await.map(drop)
    }

    async fn postgres(&mut self) -> Result<(), CheckError> {
        self.send(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
        let first = self.bytes(1, "its answer to SSLRequest").await?[0];
        match first {
            b'S' => Ok(()),
            b'N' => {
                Err(CheckError::target(format!("{} refuses TLS (it answered SSLRequest with N)", self.whom))
                    .hint("is `ssl` on in postgresql.conf?"))
            }
            b'E' => {
                let length = self.bytes(4, "its error").await?;
                let length = u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
                let said = self.bytes(length.saturating_sub(4).min(PACKET), "its error").await?;
                Err(self.refused("answered SSLRequest with an error", &String::from_utf8_lossy(&said)))
            }
            other => {
                Err(self.refused("does not speak PostgreSQL's protocol", &char::from(other).to_string()))
            }
        }
    }

    async fn mysql(&mut self) -> Result<(), CheckError> {
        let head = self.bytes(4, "its greeting").await?;
        let length = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        if head[3] != 0 || length > PACKET || length == 0 {
            return Err(self.refused("does not speak MySQL's protocol", &String::from_utf8_lossy(&head)));
        }
        let greeting = self.bytes(length, "its greeting").await?;
        if greeting[0] == 0xff {
            // Error number, then, in newer versions, `#` and the state.
            let said = String::from_utf8_lossy(greeting.get(3..).unwrap_or_default()).into_owned();
            return Err(self.refused("does not let this machine in", &said));
        }
        // Protocol, version (ends with 0), thread, salt, 0, and then the lower half of the capabilities.
        let version = greeting.iter().position(|byte| *byte == 0);
        let capabilities = version.and_then(|end| greeting.get(end + 1 + 4 + 8 + 1..)?.first_chunk::<2>());
        let Some(capabilities) = capabilities.filter(|_| greeting[0] == 10) else {
            return Err(self.refused("does not speak MySQL's protocol", &String::from_utf8_lossy(&greeting)));
        };
        const SSL: u32 = 0x0800;
        if u32::from(u16::from_le_bytes(*capabilities)) & SSL == 0 {
            return Err(CheckError::target(format!(
                "{} offers no TLS (CLIENT_SSL is not among its capabilities)",
                self.whom
            ))
            .hint("are `ssl_cert` and `ssl_key` set in its configuration?"));
        }
        // Protocol 4.1, secure connection, long password, TLS; the largest packet; utf8; 23 zeros.
        let mut request = vec![32, 0, 0, 1];
        request.extend((0x0200 | 0x8000 | 0x0001 | SSL).to_le_bytes());
        request.extend([0, 0, 0, 1, 33]);
        request.extend([0; 23]);
        self.send(&request).await
    }

    async fn ldap(&mut self) -> Result<(), CheckError> {
        const OID: &[u8] = b"1.3.6.1.4.1.1466.20037";
        // LDAPMessage { 1, ExtendedRequest [APPLICATION 23] { requestName [0] } }
        let mut request = vec![0x30, 29, 0x02, 1, 1, 0x77, 24, 0x80, 22];
        request.extend(OID);
        self.send(&request).await?;
        let head = self.bytes(2, "its answer to StartTLS").await?;
        let length = match head[1] {
            length @ 0..=0x7f => usize::from(length),
            more @ 0x81..=0x84 => {
                let bytes = self.bytes(usize::from(more & 0x7f), "its answer to StartTLS").await?;
                bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte))
            }
            _ => usize::MAX,
        };
        if head[0] != 0x30 || length > PACKET {
            return Err(self.refused("does not speak LDAP", &String::from_utf8_lossy(&head)));
        }
        let message = self.bytes(length, "its answer to StartTLS").await?;
        match ldap_result(&message) {
            Some((0, _)) => Ok(()),
            Some((code, said)) => Err(self.refused(&format!("refuses StartTLS with code {code}"), &said)),
            None => Err(self.refused("does not speak LDAP", &String::from_utf8_lossy(&message))),
        }
    }

    /// A reply of numbered lines, `250-first` to `250 last`.
    async fn coded(&mut self, what: &str, code: &str) -> Result<Vec<String>, CheckError> {
        let mut lines: Vec<String> = Vec::new();
        loop {
            let line = self.line(what).await?;
            let more = match lines.first() {
                None => line.get(3..4) == Some("-"),
                // FTP lets anything stand between the first line and the last.
                Some(first) => !(line.get(..3) == first.get(..3) && line.get(3..4) != Some("-")),
            };
            lines.push(line);
            if lines.len() > LINES {
                return Err(self.refused(&format!("does not end {what}"), &lines[0]));
            }
            if !more {
                break;
            }
        }
        match lines[0].starts_with(code) {
            true => Ok(lines),
            false => Err(self.refused(&format!("did not begin {what} with {code}"), &lines.join(" "))),
        }
    }

    /// Untagged lines up to the one with this tag, which has to say OK.
    async fn tagged(&mut self, what: &str, tag: &str) -> Result<String, CheckError> {
        let mut told = String::new();
        for _ in 0..LINES {
            let line = self.line(what).await?;
            if let Some(status) = line.strip_prefix(tag).filter(|rest| rest.starts_with(' ')) {
                return match status.trim_start().to_ascii_uppercase().starts_with("OK") {
                    true => Ok(told),
                    false => Err(self.refused(&format!("did not begin {what} with OK"), &line)),
                };
            }
            told.push_str(&line);
            told.push(' ');
        }
        Err(self.refused(&format!("does not end {what}"), &told))
    }

    fn refused(&self, what: &str, said: &str) -> CheckError {
        CheckError::target(format!("{} {what}: {}", self.whom, quote(said.trim_end())))
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), CheckError> {
        // Whatever came before it was asked for is no answer.
        if !self.buffer.is_empty() {
            return Err(self.refused("said more than it was asked", &String::from_utf8_lossy(&self.buffer)));
        }
        let lost =
            |error| CheckError::target(format!("{} broke the connection off", self.whom)).with_source(error);
        self.stream.write_all(bytes).await.map_err(lost)
    }

    async fn line(&mut self, what: &str) -> Result<String, CheckError> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned());
            }
            if self.buffer.len() > LINE {
                let begin = String::from_utf8_lossy(&self.buffer[..LINE]).into_owned();
                return Err(self.refused(&format!("does not speak {}", self.protocol.as_str()), &begin));
            }
            self.more(what).await?;
        }
    }

    async fn bytes(&mut self, count: usize, what: &str) -> Result<Vec<u8>, CheckError> {
        while self.buffer.len() < count {
            self.more(what).await?;
        }
        Ok(self.buffer.drain(..count).collect())
    }

    async fn more(&mut self, what: &str) -> Result<(), CheckError> {
        self.cx.phase(format!("waiting for {} ({}) to send {what}", self.whom, self.protocol.as_str()));
        let read = self.stream.read_buf(&mut self.buffer).await;
        let hung_up = || format!("{} hung up before {what}", self.whom);
        match read {
            Ok(0) if self.buffer.is_empty() => Err(CheckError::target(hung_up())),
            Ok(0) => {
                Err(self.refused(&format!("hung up within {what}"), &String::from_utf8_lossy(&self.buffer)))
            }
            Ok(_) => Ok(()),
            Err(error) => Err(CheckError::target(hung_up()).with_source(error)),
        }
    }
}

/// The code and the diagnostic of an ExtendedResponse: `{ id, [APPLICATION 24] { code, matched, diagnostic, … } }`.
fn ldap_result(message: &[u8]) -> Option<(u8, String)> {
    let (_, rest) = element(0x02, message)?;
    let (response, _) = element(0x78, rest)?;
    let (code, rest) = element(0x0a, response.content)?;
    let (_, rest) = element(0x04, rest)?;
    let (diagnostic, _) = element(0x04, rest)?;
    Some((*code.content.first()?, String::from_utf8_lossy(diagnostic.content).into_owned()))
}
