//! The head of an HTTP/1 answer: what it says, and how its body ends (RFC 9112, section 6.3).

use std::mem::MaybeUninit;

use http::{Method, StatusCode, Version};
use httparse::{Header, ParserConfig, Status};

use super::{body::Body, observation::Headers};

/// How many headers a response may have, and how many bytes its head: beyond that it is not read.
pub(super) const MAX_HEADERS: usize = 1000;
pub(super) const MAX_HEAD: usize = 400 << 10;

/// How many headers there is room for on the stack.
const USUAL_HEADERS: usize = 64;

/// The head of an answer.
pub(super) struct Head {
    pub(super) version: Version,
    pub(super) status: StatusCode,
    pub(super) headers: Headers,
    /// How its body ends.
    pub(super) body: Body,
    /// Whether the server keeps the connection for another question.
    pub(super) keep_alive: bool,
}

/// What stands at the beginning of some bytes.
pub(super) enum Parsed {
    /// A head, and how many bytes it has.
    Head(Head, usize),
    /// An interim answer (`103 Early Hints`) of so many bytes: the one that counts is still to come.
    Interim(usize),
    /// The beginning of a head.
    Partial,
}

/// Why there is no head.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoHead {
    /// It is not valid.
    Invalid,
    /// It is larger than is read.
    TooLarge,
}

/// Reads the head of an answer to this method.
pub(super) fn parse(bytes: &[u8], method: &Method) -> Result<Parsed, NoHead> {
    let mut few = [const { MaybeUninit::uninit() }; USUAL_HEADERS];
    match parse_into(bytes, method, &mut few) {
        Err(NoHead::TooLarge) => {
            let mut many = vec![MaybeUninit::uninit(); MAX_HEADERS];
            parse_into(bytes, method, &mut many)
        }
        parsed => parsed,
    }
}

fn parse_into<'b>(
    bytes: &'b [u8],
    method: &Method,
    room: &mut [MaybeUninit<Header<'b>>],
) -> Result<Parsed, NoHead> {
    let mut config = ParserConfig::default();
    config.allow_obsolete_multiline_headers_in_responses(true);
    let mut response = httparse::Response::new(&mut []);
    let length = match config.parse_response_with_uninit_headers(&mut response, bytes, room) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(Parsed::Partial),
        Err(httparse::Error::TooManyHeaders) => return Err(NoHead::TooLarge),
        Err(_) => return Err(NoHead::Invalid),
    };
    let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(NoHead::Invalid)?;
    if status.is_informational() && status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Parsed::Interim(length));
    }
    let version = if response.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    let bytes = response.headers.iter().map(|header| header.name.len() + header.value.len()).sum();
    let mut headers = Headers::with_room(response.headers.len(), bytes);
    let mut framing = Framing::default();
    for header in &*response.headers {
        // A value that goes on in the next line.
        if header.value.contains(&b'\n') {
            let value = unfolded(header.value);
            framing.heed(header.name, &value);
            headers.push(header.name, &value);
        } else {
            framing.heed(header.name, header.value);
            headers.push(header.name, header.value);
        }
    }
    let upgraded =
        status == StatusCode::SWITCHING_PROTOCOLS || (method == Method::CONNECT && status.is_success());
    let keep_alive = !framing.close && version == Version::HTTP_11 && !upgraded;
    let empty = upgraded || matches!(status.as_u16(), 204 | 304) || method == Method::HEAD;
    let body = if empty { Body::Length(0) } else { framing.body(version)? };
    Ok(Parsed::Head(Head { version, status, headers, body, keep_alive }, length))
}

/// What the headers say of the body's end and of the connection's.
#[derive(Default)]
struct Framing {
    length: Option<Result<u64, NoHead>>,
    /// Whether there is a transfer coding, and the last one is `chunked`.
    chunked: Option<bool>,
    close: bool,
}

impl Framing {
    fn heed(&mut self, name: &str, value: &[u8]) {
        match name.len() {
            14 if name.eq_ignore_ascii_case("content-length") => {
                // Said again it must be the same.
                let length = content_length(value).ok_or(NoHead::Invalid);
                self.length = match self.length.take() {
                    Some(before) if before != length => Some(Err(NoHead::Invalid)),
                    _ => Some(length),
                };
            }
            17 if name.eq_ignore_ascii_case("transfer-encoding") => {
                self.chunked = Some(tokens(value).next_back().is_some_and(|last| is(last, b"chunked")));
            }
            10 if name.eq_ignore_ascii_case("connection") => {
                self.close |= tokens(value).any(|token| is(token, b"close"));
            }
            _ => {}
        }
    }

    fn body(self, version: Version) -> Result<Body, NoHead> {
        match (self.chunked, self.length) {
            // HTTP/1.0 has no transfer codings: who knows how a server that sends one there ends its body.
            (Some(_), _) if version == Version::HTTP_10 => Err(NoHead::Invalid),
            (Some(true), _) => Ok(Body::chunked()),
            (Some(false), _) | (None, None) => Ok(Body::UntilTheEnd),
            (None, Some(length)) => length.map(Body::Length),
        }
    }
}

/// The one number that this says, which may be said several times: `2`, `2, 2`.
fn content_length(value: &[u8]) -> Option<u64> {
    let mut numbers = tokens(value).map(number);
    let first = numbers.next()??;
    numbers.all(|other| other == Some(first)).then_some(first)
}

/// What these digits say.
fn number(digits: &[u8]) -> Option<u64> {
    let number = digits.iter().try_fold(0_u64, |number, digit| match digit {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    });
    number.filter(|_| !digits.is_empty())
}

fn tokens(value: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

fn is(token: &[u8], word: &[u8]) -> bool {
    token.eq_ignore_ascii_case(word)
}

/// A value over several lines as one: each fold is a space (RFC 9112, section 5.2).
fn unfolded(value: &[u8]) -> Vec<u8> {
    let mut lines = value.split(|&byte| byte == b'\n');
    let mut whole = lines.next().unwrap_or_default().trim_ascii_end().to_vec();
    for line in lines {
        whole.push(b' ');
        whole.extend_from_slice(line.trim_ascii());
    }
    whole
}
