//! The body of an answer as text, in the encoding that the server says.

use std::borrow::Cow;

use clockwork_core::{
    CheckError,
    text::{quote, quote_bytes},
};
use clockwork_drivers::http::HttpObservation;
use encoding_rs::{Encoding, UTF_8};

/// Nothing that was read is compressed: nobody asked for that, and nobody undoes it.
pub(crate) fn refuse_encoded(seen: &HttpObservation) -> Result<(), CheckError> {
    // Chunks are put together while reading; other codings of the transfer are as good as those of the content.
    let plain = |coding: &[u8]| {
        let mut codings = coding.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        codings.all(|one| [&b""[..], b"identity", b"chunked"].iter().any(|it| one.eq_ignore_ascii_case(it)))
    };
    let mut codings = seen.header_values("content-encoding").chain(seen.header_values("transfer-encoding"));
    match codings.find(|coding| !plain(coding)) {
        None => Ok(()),
        Some(coding) => Err(CheckError::unobservable(format!(
            "the body is encoded as {}, which was not asked for and is not decoded",
            quote_bytes(coding)
        ))
        .hint("ask for it as it is: `headers: { accept-encoding: identity }`")),
    }
}

/// The part of the body that was read, as text: in the encoding that `Content-Type` names or that its first bytes tell,
/// else UTF-8.
///
/// # Errors
/// The target's, when it is no such text; ours, when we do not know the encoding.
pub(crate) fn decode(seen: &HttpObservation) -> Result<Cow<'_, str>, CheckError> {
    let encoding = match charset(seen.header("content-type").unwrap_or_default()) {
        None => UTF_8,
        Some(label) => Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
            CheckError::unobservable(format!(
                "the body is said to be {}, which is no known encoding",
                quote(label)
            ))
        })?,
    };
    let (encoding, marks) = Encoding::for_bom(seen.body()).unwrap_or((encoding, 0));
    let body = &seen.body()[marks..];
    if encoding == UTF_8 {
        return match std::str::from_utf8(body) {
            Ok(text) => Ok(text.into()),
            // Cut in the middle of a character.
            Err(error) if seen.is_truncated() && error.error_len().is_none() => {
                Ok(String::from_utf8_lossy(&body[..error.valid_up_to()]))
            }
            Err(error) => {
                let at = marks + error.valid_up_to();
                Err(CheckError::target(format!("the body is not UTF-8 text, from byte {at} on")))
            }
        };
    }
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let room = decoder.max_utf8_buffer_length(body.len()).unwrap_or(0);
    let mut text = String::with_capacity(room);
    let last = !seen.is_truncated();
    match decoder.decode_to_string_without_replacement(body, &mut text, last) {
        (encoding_rs::DecoderResult::InputEmpty, _) => Ok(text.into()),
        (_, read) => Err(CheckError::target(format!(
            "the body is not {} text, as it is said to be, from about byte {} on",
            encoding.name(),
            marks + read
        ))),
    }
}

/// The parameter of a media type: `text/html; charset="utf-8"`.
fn charset(content_type: &str) -> Option<&str> {
    content_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_decodes_is_not_judged() {
        for (name, coding, plain) in [
            ("content-encoding", "", true),
            ("content-encoding", "Identity", true),
            ("content-encoding", "gzip", false),
            ("transfer-encoding", "chunked", true),
            ("transfer-encoding", "gzip, chunked", false),
        ] {
            let seen = HttpObservation::of(200, &[("content-encoding", "identity"), (name, coding)], b"");
            assert_eq!(refuse_encoded(&seen).is_ok(), plain, "{name}: {coding}");
        }
    }

    #[test]
    fn text_is_read_in_the_encoding_that_the_server_says() {
        for (content_type, body, expected) in [
            ("text/plain", &b"\xc3\xbc"[..], Ok("ü")),
            ("text/plain", b"\xfc", Err("the body is not UTF-8 text, from byte 0 on")),
            ("text/plain; charset=ISO-8859-1", b"\xfc", Ok("ü")),
            ("text/plain; x=y; Charset=\"windows-1252\"", b"\x80", Ok("€")),
            ("text/plain; charset=utf-8", b"a\xfc", Err("the body is not UTF-8 text, from byte 1 on")),
            ("text/plain; charset=shift_jis", b"\x83\x65", Ok("テ")),
            (
                "text/plain; charset=shift_jis",
                b"ab\x83\xff",
                Err("the body is not Shift_JIS text, as it is said to be, from about byte 4 on"),
            ),
            (
                "text/plain; charset=klingon",
                b"a",
                Err("the body is said to be \"klingon\", which is no known encoding"),
            ),
            ("application/json", b"\xef\xbb\xbf{}", Ok("{}")),
            ("text/plain", b"\xff\xfeh\0i\0", Ok("hi")),
        ] {
            let seen = HttpObservation::of(200, &[("content-type", content_type)], body);
            let told = decode(&seen).map_err(|error| error.to_string());
            assert_eq!(told.as_deref().map_err(String::as_str), expected, "{content_type} {body:?}");
        }
    }
}
