//! Kafka, by its wire protocol: `ApiVersions` (key 18, version 0), which a broker answers to everybody; then, where
//! credentials are given, `SaslHandshake` (key 17, version 1) for PLAIN and `SaslAuthenticate` (key 36, version 0).

use secrecy::ExposeSecret;

use super::{
    Stopped,
    probe::Credentials,
    talk::{Greeting, Stream, Talk},
};

pub(super) async fn greet<S: Stream>(
    talk: &mut Talk<S>,
    login: Option<&Credentials>,
) -> Result<Greeting, Stopped> {
    let versions = ask(talk, 18, 0, &[]).await?;
    if versions.len() < 6 {
        return Err(talk.stranger());
    }
    match i16::from_be_bytes([versions[0], versions[1]]) {
        0 | 35 => {} // 35: unsupported version of the question itself, which only a broker can say
        code => return Err(talk.stop(format!("answered ApiVersions with error {code}"))),
    }
    let Some(Credentials { user, password, .. }) = login else { return Ok(Greeting::default()) };
    let handshake = ask(talk, 17, 1, b"\0\x05PLAIN").await?;
    match handshake.get(..2).map(|code| i16::from_be_bytes([code[0], code[1]])) {
        Some(0) => {}
        Some(33) => return Err(talk.unwelcome(b"it does not offer SASL PLAIN")),
        Some(34) => return Err(talk.unwelcome(b"this listener asks for no credentials")),
        Some(code) => return Err(talk.stop(format!("answered SaslHandshake with error {code}"))),
        None => return Err(talk.stranger()),
    }
    let token = format!("\0{user}\0{}", password.expose_secret());
    let mut body = u32::try_from(token.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    body.extend_from_slice(token.as_bytes());
    let answer = ask(talk, 36, 0, &body).await?;
    match answer.get(..4) {
        Some([0, 0, ..]) => Ok(Greeting { server: None, accepted: Some(true) }),
        Some([_, _, high, low]) => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            Err(talk.unwelcome(answer[4..].get(..length).unwrap_or_default()))
        }
        _ => Err(talk.stranger()),
    }
}

/// One request, and its answer's body.
async fn ask<S: Stream>(talk: &mut Talk<S>, key: i16, version: i16, body: &[u8]) -> Result<Vec<u8>, Stopped> {
    const CLIENT: &[u8] = b"clockwork";
    let correlation = 0x636c_0000_i32 + i32::from(key);
    let mut request = Vec::new();
    request.extend(key.to_be_bytes());
    request.extend(version.to_be_bytes());
    request.extend(correlation.to_be_bytes());
    request.extend(9_i16.to_be_bytes());
    request.extend_from_slice(CLIENT);
    request.extend_from_slice(body);
    let mut framed = u32::try_from(request.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    framed.extend(request);
    talk.send(&framed).await?;
    let head = talk.exactly(8).await?;
    let size = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
    if size < 4 || head[4..] != correlation.to_be_bytes() {
        return Err(talk.stranger());
    }
    talk.exactly(size - 4).await
}
