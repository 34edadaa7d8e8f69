//! Redis, by its serialisation protocol (RESP 2): `AUTH` where credentials are given, then `PING`.

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
    if let Some(credentials) = login {
        authenticate(talk, credentials).await?;
    }
    talk.send(&command(&[b"PING"])).await?;
    match talk.line().await? {
        reply if reply == b"+PONG" => Ok(Greeting { server: None, accepted: login.map(|_| true) }),
        reply if reply.starts_with(b"-NOAUTH") => Ok(Greeting::default()),
        reply if reply.starts_with(b"-") => Err(talk.stop(format!("answered {}", talk.quote(&reply[1..])))),
        _ => Err(talk.stranger()),
    }
}

/// `AUTH`, with a user where there is one.
pub(crate) async fn authenticate<S: Stream>(talk: &mut Talk<S>, login: &Credentials) -> Result<(), Stopped> {
    let mut words: Vec<&[u8]> = vec![b"AUTH"];
    if !login.user.is_empty() {
        words.push(login.user.as_bytes());
    }
    words.push(login.password.expose_secret().as_bytes());
    talk.send(&command(&words)).await?;
    match talk.line().await? {
        reply if reply.starts_with(b"+") => Ok(()),
        reply if reply.starts_with(b"-") => Err(talk.unwelcome(&reply[1..])),
        _ => Err(talk.stranger()),
    }
}

/// A command, as the protocol writes it.
pub(crate) fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        bytes.extend_from_slice(word);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
