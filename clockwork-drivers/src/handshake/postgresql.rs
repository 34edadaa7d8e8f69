//! PostgreSQL, by its frontend/backend protocol 3.0: the startup message brings a request for authentication, or an
//! error of the server's own.

use clockwork_core::text::quote_bytes;

use super::{
    Stopped,
    talk::{Greeting, Stream, Talk},
};

/// Whether the server speaks the protocol and is ready, without credentials.
pub(super) async fn greet<S: Stream>(talk: &mut Talk<S>) -> Result<Greeting, Stopped> {
    let mut startup = 196_608_u32.to_be_bytes().to_vec(); // 3.0
    startup.extend_from_slice(b"user\0clockwork\0database\0postgres\0application_name\0clockwork\0\0");
    let size = u32::try_from(startup.len() + 4).unwrap_or_default().to_be_bytes();
    talk.send(&[&size[..], &startup].concat()).await?;
    let head = talk.exactly(5).await?;
    let size = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if size < 4 {
        return Err(talk.stranger());
    }
    match head[0] {
        b'R' => Ok(Greeting::default()),
        b'E' => {
            let fields = talk.exactly(size - 4).await?;
            let field = |code: u8| {
                fields
                    .split(|byte| *byte == 0)
                    .find_map(|field| field.strip_prefix(&[code]))
                    .unwrap_or_default()
            };
            match field(b'C') {
                // Class 28: it asks for other credentials, which proves the protocol.
                code if code.starts_with(b"28") => Ok(Greeting::default()),
                _ => Err(talk.stop(format!("answered {}", quote_bytes(field(b'M'))))),
            }
        }
        _ => Err(talk.stranger()),
    }
}
