//! SMTP (RFC 5321): the greeting, `EHLO`, and `AUTH PLAIN` (RFC 4954) where credentials are given.

use base64::Engine as _;
use clockwork_core::text::quote_bytes;
use secrecy::ExposeSecret;

use super::{
    Step, Stopped,
    probe::Credentials,
    talk::{Greeting, Stream, Talk},
};

pub(super) async fn greet<S: Stream>(
    talk: &mut Talk<S>,
    login: Option<&Credentials>,
) -> Result<Greeting, Stopped> {
    let (code, banner) = reply(talk).await?;
    let banner = banner.first().cloned().unwrap_or_default();
    if code != 220 {
        return Err(talk.stop(format!("greets with {code} {}", quote_bytes(&banner))));
    }
    let server = Some(quote_bytes(&banner));
    talk.send(b"EHLO clockwork.invalid\r\n").await?;
    let (code, offers) = reply(talk).await?;
    if code != 250 {
        let said = offers.first().map(Vec::as_slice).unwrap_or_default();
        return Err(talk.stop(format!("answered EHLO with {code} {}", quote_bytes(said))));
    }
    let mut accepted = None;
    if let Some(Credentials { user, password, .. }) = login {
        let offers: Vec<_> = offers.iter().map(|line| line.to_ascii_uppercase()).collect();
        let plain = |line: &Vec<u8>| {
            line.starts_with(b"AUTH") && line.split(|byte| b" =".contains(byte)).any(|word| word == b"PLAIN")
        };
        if !offers.iter().any(plain) {
            let message = match offers.iter().any(|line| line == b"STARTTLS") {
                true => "offers AUTH PLAIN only after STARTTLS, which this handshake does not speak",
                false => "does not offer AUTH PLAIN",
            };
            return Err(Stopped { step: Step::Authentication, message: String::from(message) });
        }
        let token = base64::engine::general_purpose::STANDARD
            .encode(format!("\0{user}\0{}", password.expose_secret()));
        talk.hide(token.as_bytes()); // servers repeat lines that they do not understand
        talk.send(format!("AUTH PLAIN {token}\r\n").as_bytes()).await?;
        let (code, said) = reply(talk).await?;
        if code != 235 {
            let said = said.first().map(Vec::as_slice).unwrap_or_default();
            return Err(talk.unwelcome(&[code.to_string().as_bytes(), b" ", said].concat()));
        }
        accepted = Some(true);
    }
    talk.send(b"QUIT\r\n").await?;
    Ok(Greeting { server, accepted })
}

/// A reply of one or several lines (section 4.2): its code, and the texts.
async fn reply<S: Stream>(talk: &mut Talk<S>) -> Result<(u16, Vec<Vec<u8>>), Stopped> {
    let mut texts = Vec::new();
    loop {
        let line = talk.line().await?;
        let code = line.get(..3).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u16>().ok());
        let (Some(code), Some(b' ' | b'-') | None) = (code, line.get(3)) else { return Err(talk.stranger()) };
        let goes_on = line.get(3) == Some(&b'-');
        texts.push(line.get(4..).unwrap_or_default().to_vec());
        if !goes_on {
            return Ok((code, texts));
        }
    }
}
