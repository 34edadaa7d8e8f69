//! AMQP 0-9-1: the protocol header brings `Connection.Start`; with credentials it goes on to `Open`ing the virtual host.

use clockwork_core::text::quote_bytes;
use secrecy::ExposeSecret;

use super::{
    Step, Stopped,
    probe::Credentials,
    talk::{Greeting, Stream, Talk},
};

const START: [u8; 4] = [0, 10, 0, 10];
const START_OK: [u8; 4] = [0, 10, 0, 11];
const TUNE: [u8; 4] = [0, 10, 0, 30];
const TUNE_OK: [u8; 4] = [0, 10, 0, 31];
const OPEN: [u8; 4] = [0, 10, 0, 40];
const OPEN_OK: [u8; 4] = [0, 10, 0, 41];
pub(crate) const CLOSE: [u8; 4] = [0, 10, 0, 50];

pub(super) async fn greet<S: Stream>(
    talk: &mut Talk<S>,
    login: Option<&Credentials>,
) -> Result<Greeting, Stopped> {
    begin(talk).await?;
    let Some(credentials) = login else { return Ok(Greeting::default()) };
    open(talk, credentials).await?;
    close(talk).await?;
    Ok(Greeting { server: None, accepted: Some(true) })
}

/// Says what is spoken, and hears that it is.
pub(crate) async fn begin<S: Stream>(talk: &mut Talk<S>) -> Result<(), Stopped> {
    talk.send(b"AMQP\0\0\x09\x01").await?;
    let (_, method, arguments) = frame(talk).await?;
    match method == START && arguments.len() >= 2 {
        true => Ok(()),
        false => Err(talk.stranger()),
    }
}

/// Says goodbye: a broker that is left without a word writes a warning into its log.
pub(crate) async fn close<S: Stream>(talk: &mut Talk<S>) -> Result<(), Stopped> {
    send(talk, 0, &[&CLOSE[..], b"\0\xc8\x00\0\0\0\0"].concat()).await?;
    frame(talk).await?; // CloseOk
    Ok(())
}

/// Logs in, and opens the virtual host, `/` unless another is meant.
pub(crate) async fn open<S: Stream>(talk: &mut Talk<S>, login: &Credentials) -> Result<(), Stopped> {
    let Credentials { user, password, database } = login;
    // It says itself that we understand a refusal; else a broker only hangs up (RabbitMQ's extension).
    let capability = [&[28][..], b"authentication_failure_closet\x01"].concat();
    let properties = [&[12][..], b"capabilitiesF", &length(capability.len()), &capability].concat();
    let token = format!("\0{user}\0{}", password.expose_secret());
    let start_ok = [
        &START_OK[..],
        &length(properties.len()),
        &properties,
        b"\x05PLAIN",
        &length(token.len()),
        token.as_bytes(),
        b"\x05en_US",
    ];
    send(talk, 0, &start_ok.concat()).await?;
    let (_, method, arguments) = match frame(talk).await {
        Err(Stopped { step: Step::Protocol, message }) if message.starts_with("closed") => {
            return Err(talk.unwelcome(b"")); // how AMQP itself refuses
        }
        answer => answer?,
    };
    match method {
        TUNE => {}
        CLOSE => return Err(talk.unwelcome(reason(&arguments))),
        _ => return Err(talk.stranger()),
    }
    send(talk, 0, &[&TUNE_OK[..], arguments.get(..8).unwrap_or(&[0; 8])].concat()).await?;
    let host = database.as_deref().unwrap_or("/").as_bytes();
    let host = &host[..host.len().min(255)];
    let size = u8::try_from(host.len()).unwrap_or(u8::MAX);
    send(talk, 0, &[&OPEN[..], &[size], host, b"\0\0"].concat()).await?;
    let (_, method, arguments) = frame(talk).await?;
    match method {
        OPEN_OK => Ok(()),
        CLOSE => {
            let (host, why) = (quote_bytes(host), talk.quote(reason(&arguments)));
            let message = format!("does not open the virtual host {host}: {why}");
            Err(Stopped { step: Step::Authentication, message })
        }
        _ => Err(talk.stranger()),
    }
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

/// The text of a `Close`: after the code, with its length before it.
pub(crate) fn reason(arguments: &[u8]) -> &[u8] {
    let size = usize::from(arguments.get(2).copied().unwrap_or_default());
    arguments.get(3..3 + size).unwrap_or_default()
}

/// Sends a method on a channel; 0 is the connection itself.
pub(crate) async fn send<S: Stream>(talk: &mut Talk<S>, channel: u16, method: &[u8]) -> Result<(), Stopped> {
    let channel = channel.to_be_bytes();
    talk.send(&[&[1, channel[0], channel[1]][..], &length(method.len()), method, &[0xce]].concat()).await
}

/// The next method frame: its channel, its class and method, and its arguments.
pub(crate) async fn frame<S: Stream>(talk: &mut Talk<S>) -> Result<(u16, [u8; 4], Vec<u8>), Stopped> {
    loop {
        let head = talk.exactly(7).await?;
        let (channel, size) = (
            u16::from_be_bytes([head[1], head[2]]),
            u32::from_be_bytes([head[3], head[4], head[5], head[6]]) as usize,
        );
        if !matches!(head[0], 1 | 8) || channel > 1 || (head[0] == 1 && size < 4) {
            return Err(talk.stranger());
        }
        let mut payload = talk.exactly(size + 1).await?;
        if payload.pop() != Some(0xce) {
            return Err(talk.stranger());
        }
        if head[0] == 1 {
            return Ok((channel, [payload[0], payload[1], payload[2], payload[3]], payload.split_off(4)));
        }
    }
}
