//! HTTP/1.1 (RFC 9112): any answer to `GET /` proves that HTTP is spoken; its status is for other assertions.

use clockwork_core::text::quote_bytes;

use super::{
    Stopped,
    talk::{Greeting, Stream, Talk},
};

pub(super) async fn greet<S: Stream>(talk: &mut Talk<S>, authority: &str) -> Result<Greeting, Stopped> {
    let request = format!(
        "GET / HTTP/1.1\r\nhost: {authority}\r\nuser-agent: clockwork\r\naccept: */*\r\nconnection: close\r\n\r\n"
    );
    talk.send(request.as_bytes()).await?;
    let line = talk.line().await?;
    let status = line.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    match status.is_some_and(|digits| digits.iter().all(u8::is_ascii_digit)) {
        true => Ok(Greeting { server: Some(quote_bytes(&line)), accepted: None }),
        false => Err(talk.stranger()),
    }
}
