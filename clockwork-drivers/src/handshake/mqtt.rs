//! MQTT 3.1.1 (OASIS standard): `CONNECT` with a clean session and no client identifier brings `CONNACK`.

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
    let mut flags = 0b0000_0010; // clean session
    let mut payload = text(""); // the client identifier
    if let Some(Credentials { user, password, .. }) = login {
        flags |= 0b1100_0000;
        payload.extend(text(user));
        payload.extend(text(password.expose_secret()));
    }
    let mut body = text("MQTT");
    body.extend([4, flags, 0, 10]); // level 4 is 3.1.1; ten seconds to keep it alive
    body.extend(payload);
    let mut packet = vec![0x10];
    packet.extend(length(body.len()));
    packet.extend(body);
    talk.send(&packet).await?;
    let reply = talk.exactly(2).await?;
    if reply != [0x20, 2] {
        return Err(talk.stranger());
    }
    let code = talk.exactly(2).await?[1];
    let accepted = match code {
        0 => {
            talk.send(&[0xe0, 0]).await?; // DISCONNECT
            login.map(|_| true)
        }
        4 | 5 if login.is_none() => None,
        4 => return Err(talk.unwelcome(b"bad user name or password")),
        5 => return Err(talk.unwelcome(b"not authorized")),
        1 => return Err(talk.stop(String::from("does not accept MQTT 3.1.1"))),
        2 => return Err(talk.stop(String::from("does not accept a client without an identifier"))),
        3 => return Err(talk.stop(String::from("says that its service is unavailable"))),
        other => return Err(talk.stop(format!("refused the connection with code {other}"))),
    };
    Ok(Greeting { server: None, accepted })
}

/// A string with its length before it (section 1.5.3). What is longer cannot be said in MQTT, and is cut.
fn text(text: &str) -> Vec<u8> {
    let bytes = &text.as_bytes()[..text.len().min(usize::from(u16::MAX))];
    let mut all = u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    all.extend_from_slice(bytes);
    all
}

/// The remaining length (section 2.2.3): seven bits a byte, the lowest first.
fn length(mut rest: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(rest % 128).unwrap_or_default();
        rest /= 128;
        bytes.push(if rest > 0 { low | 0x80 } else { low });
        if rest == 0 {
            return bytes;
        }
    }
}
