//! MySQL and MariaDB, by the client/server protocol: the server's handshake packet (version 10), and its answer to ours
//! by `mysql_native_password` or `caching_sha2_password` where credentials are given.

use clockwork_core::text::quote_bytes;
use secrecy::ExposeSecret;
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{
    Step, Stopped,
    probe::Credentials,
    talk::{Greeting, Stream, Talk},
};

// Capabilities: long password, protocol 4.1, secure connection, connect with a database, plugin authentication.
const CAPABILITIES: u32 = 1 | 1 << 9 | 1 << 15 | 1 << 19;
const WITH_DATABASE: u32 = 1 << 3;
const NATIVE: &[u8] = b"mysql_native_password";
const CACHING: &[u8] = b"caching_sha2_password";

pub(super) async fn greet<S: Stream>(
    talk: &mut Talk<S>,
    login: Option<&Credentials>,
) -> Result<Greeting, Stopped> {
    let (_, hello) = packet(talk).await?;
    if hello.first() == Some(&0xff) {
        let (_, why) = error(&hello);
        return Err(talk.stop(format!("turned us away: {}", talk.quote(why))));
    }
    let Some(Hello { version, scramble, plugin }) = Hello::read(&hello) else { return Err(talk.stranger()) };
    let server = Some(format!("MySQL {}", quote_bytes(version)));
    let Some(Credentials { user, password, database }) = login else {
        return Ok(Greeting { server, accepted: None });
    };
    let password = password.expose_secret().as_bytes();
    let mut plugin = if plugin == CACHING { CACHING } else { NATIVE };
    let proof = prove(plugin, password, &scramble);
    let mut capabilities = CAPABILITIES;
    if database.is_some() {
        capabilities |= WITH_DATABASE;
    }
    let mut answer = capabilities.to_le_bytes().to_vec();
    answer.extend((1_u32 << 24).to_le_bytes()); // the largest packet
    answer.push(45); // utf8mb4
    answer.extend([0; 23]);
    answer.extend_from_slice(user.as_bytes());
    answer.push(0);
    answer.push(u8::try_from(proof.len()).unwrap_or_default());
    answer.extend(proof);
    if let Some(database) = database {
        answer.extend_from_slice(database.as_bytes());
        answer.push(0);
    }
    answer.extend_from_slice(plugin);
    answer.push(0);
    send(talk, 1, &answer).await?;
    loop {
        let (number, reply) = packet(talk).await?;
        match (reply.first(), reply.get(1)) {
            (Some(0x00), _) => return Ok(Greeting { server, accepted: Some(true) }),
            (Some(0xff), _) => {
                let (code, why) = error(&reply);
                return Err(match code {
                    // 1044, 1045, 1698: access denied; 1049: no such database.
                    1044 | 1045 | 1049 | 1698 => talk.unwelcome(why),
                    _ => talk.stop(format!("turned us away: {}", talk.quote(why))),
                });
            }
            // Another plugin, with a scramble of its own.
            (Some(0xfe), Some(_)) => {
                let mut parts = reply[1..].splitn(2, |byte| *byte == 0);
                let wanted = parts.next().unwrap_or_default();
                let scramble = parts.next().unwrap_or_default();
                plugin = match wanted {
                    CACHING => CACHING,
                    NATIVE => NATIVE,
                    other => {
                        let message =
                            format!("asks for {}, which this handshake does not speak", talk.quote(other));
                        return Err(Stopped { step: Step::Authentication, message });
                    }
                };
                let scramble = scramble.strip_suffix(&[0]).unwrap_or(scramble);
                send(talk, number.wrapping_add(1), &prove(plugin, password, scramble)).await?;
            }
            (Some(0x01), Some(0x03)) => {} // the cached password is right: OK follows
            (Some(0x01), Some(0x04)) => {
                let message =
                    "asks for the password itself, which is not sent without TLS (caching_sha2_password)";
                return Err(Stopped { step: Step::Authentication, message: String::from(message) });
            }
            _ => return Err(talk.stranger()),
        }
    }
}

/// What a server says first.
struct Hello<'a> {
    version: &'a [u8],
    scramble: Vec<u8>,
    plugin: &'a [u8],
}

impl<'a> Hello<'a> {
    fn read(packet: &'a [u8]) -> Option<Self> {
        let rest = packet.strip_prefix(&[10])?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        let (version, rest) = (&rest[..end], &rest[end + 1..]);
        let first = rest.get(4..12)?; // after the connection's number
        // Filler, capabilities, character set, status, capabilities, the scramble's length, ten reserved bytes.
        let second = rest.get(31..)?;
        let end = second.iter().position(|byte| *byte == 0)?;
        let scramble = [first, &second[..end]].concat();
        let plugin = second[end + 1..].split(|byte| *byte == 0).next()?;
        Some(Self { version, scramble, plugin })
    }
}

fn prove(plugin: &[u8], password: &[u8], scramble: &[u8]) -> Vec<u8> {
    if password.is_empty() {
        return Vec::new();
    }
    if plugin == CACHING {
        let once = Sha256::digest(password);
        let mixed = Sha256::digest([&Sha256::digest(once)[..], scramble].concat());
        return once.iter().zip(mixed).map(|(a, b)| a ^ b).collect();
    }
    let once = Sha1::digest(password);
    let mixed = Sha1::digest([scramble, &Sha1::digest(once)[..]].concat());
    once.iter().zip(mixed).map(|(a, b)| a ^ b).collect()
}

/// The code and the text of an error packet.
fn error(packet: &[u8]) -> (u16, &[u8]) {
    let code = packet.get(1..3).map_or(0, |code| u16::from_le_bytes([code[0], code[1]]));
    let text = packet.get(3..).unwrap_or_default();
    // After `#`, five letters of SQL state.
    (code, text.strip_prefix(b"#").and_then(|text| text.get(5..)).unwrap_or(text))
}

async fn packet<S: Stream>(talk: &mut Talk<S>) -> Result<(u8, Vec<u8>), Stopped> {
    let head = talk.exactly(4).await?;
    let size = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
    if size == 0 {
        return Err(talk.stranger());
    }
    Ok((head[3], talk.exactly(size).await?))
}

async fn send<S: Stream>(talk: &mut Talk<S>, number: u8, body: &[u8]) -> Result<(), Stopped> {
    let size = u32::try_from(body.len()).unwrap_or_default().to_le_bytes();
    talk.send(&[&size[..3], &[number], body].concat()).await
}
