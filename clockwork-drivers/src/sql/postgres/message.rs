//! The server's messages: where one ends, and what the few say that matter here. Whatever stands in them is foreign, so
//! nothing is believed: what does not fit is `None`.

use bytes::{Buf, Bytes, BytesMut};

/// How long one message may be, in bytes.
pub(super) const MESSAGE_LIMIT: usize = 16 << 20;

/// A message of the server.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) tag: u8,
    pub(super) body: Bytes,
}

/// That what came is no message that is taken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoMessage {
    /// Its length is none.
    Garbled,
    /// It is longer than is read.
    TooLong,
}

/// Takes the first message off, if it is there as a whole.
pub(super) fn take(inbox: &mut BytesMut, limit: usize) -> Result<Option<Message>, NoMessage> {
    let Some((head, _)) = inbox.split_first_chunk::<5>() else { return Ok(None) };
    let tag = head[0];
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
    match length.checked_sub(4) {
        Some(body) if body > limit => Err(NoMessage::TooLong),
        Some(body) if inbox.len() >= body + 5 => {
            let mut message = inbox.split_to(body + 5);
            message.advance(5);
            Ok(Some(Message { tag, body: message.freeze() }))
        }
        Some(body) => {
            inbox.reserve(body + 5 - inbox.len());
            Ok(None)
        }
        None => Err(NoMessage::Garbled),
    }
}

/// A text that ends with a NUL.
pub(super) fn text(body: &mut Bytes) -> Option<String> {
    let end = body.iter().position(|byte| *byte == 0)?;
    let text = String::from_utf8_lossy(&body.split_to(end)).into_owned();
    body.advance(1);
    Some(text)
}

fn number<const N: usize>(body: &mut Bytes) -> Option<[u8; N]> {
    let number = *body.first_chunk::<N>()?;
    body.advance(N);
    Some(number)
}

pub(super) fn int16(body: &mut Bytes) -> Option<i16> {
    number(body).map(i16::from_be_bytes)
}

pub(super) fn int32(body: &mut Bytes) -> Option<i32> {
    number(body).map(i32::from_be_bytes)
}

/// What an ErrorResponse says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerError {
    pub(super) code: String,
    pub(super) message: String,
    pub(super) detail: String,
    pub(super) hint: String,
}

impl ServerError {
    pub(super) fn read(mut body: Bytes) -> Self {
        let mut error = Self::default();
        while let Some((&field, _)) = body.split_first().filter(|(field, _)| **field != 0) {
            body.advance(1);
            let Some(text) = text(&mut body) else { break };
            match field {
                b'C' => error.code = text.chars().take(5).filter(char::is_ascii_alphanumeric).collect(),
                b'M' => error.message = text,
                b'D' => error.detail = text,
                b'H' => error.hint = text,
                _ => {}
            }
        }
        error
    }
}

/// The columns that a RowDescription announces: their names and types.
pub(super) fn columns(mut body: Bytes) -> Option<Vec<(String, u32)>> {
    let count = int16(&mut body)?;
    let column = |_| {
        let name = text(&mut body)?;
        let _table_and_column = number::<6>(&mut body)?;
        let oid = number(&mut body).map(u32::from_be_bytes)?;
        let _size_modifier_format = number::<8>(&mut body)?;
        Some((name, oid))
    };
    (0..count).map(column).collect()
}

/// A DataRow's values; `None` inside is NULL.
pub(super) fn values(mut body: Bytes) -> Option<Vec<Option<Bytes>>> {
    let count = int16(&mut body)?;
    let value = |_| match int32(&mut body)? {
        -1 => Some(None),
        length => {
            let length = usize::try_from(length).ok().filter(|length| *length <= body.len())?;
            Some(Some(body.split_to(length)))
        }
    };
    (0..count).map(value).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn a_message_is_taken_when_it_is_there_as_a_whole() {
        let mut inbox = BytesMut::from(&b"Z\0\0\0\x05IT\0\0"[..]);
        let message = take(&mut inbox, 100).unwrap().unwrap();
        assert_eq!((message.tag, &*message.body), (b'Z', &b"I"[..]));
        assert!(take(&mut inbox, 100).unwrap().is_none());
        assert_eq!(&*inbox, b"T\0\0");
        for (bytes, wrong) in [
            (b"D\0\0\0\x03", NoMessage::Garbled),
            (b"D\xff\xff\xff\xff", NoMessage::TooLong),
            (b"HTTP/", NoMessage::TooLong),
        ] {
            assert_eq!(take(&mut BytesMut::from(&bytes[..]), 100).unwrap_err(), wrong);
        }
    }

    #[test]
    fn what_does_not_fit_is_none() {
        assert_eq!(columns(Bytes::from_static(b"\0\x01id")), None);
        assert_eq!(columns(Bytes::from_static(b"\0\0")), Some(Vec::new()));
        assert_eq!(values(Bytes::from_static(b"\0\x01\0\0\0\x09x")), None);
        assert_eq!(values(Bytes::from_static(b"\0\x01\x80\0\0\0x")), None);
        assert_eq!(values(Bytes::from_static(b"\0\x01\xff\xff\xff\xff")), Some(vec![None]));
        let error = ServerError::read(Bytes::from_static(b"SERROR\0C42P01\0Mno such table\0\0"));
        assert_eq!((error.code.as_str(), error.message.as_str()), ("42P01", "no such table"));
        assert_eq!(ServerError::read(Bytes::from_static(b"M")), ServerError::default());
    }
}
