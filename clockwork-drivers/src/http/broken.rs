//! What the target did wrong instead of answering, in words.

use std::{error::Error, io};

use clockwork_core::{
    CheckError,
    text::{quote, quote_bytes},
};

use super::head::{MAX_HEAD, MAX_HEADERS};
use crate::tls;

/// How much of an answer is remembered, for the message when it is no HTTP.
pub(super) const BEGINNING: usize = 64;

/// What came instead of an answer.
pub(super) struct Broken {
    pub(super) problem: Problem,
    /// The first bytes of what came.
    pub(super) beginning: Vec<u8>,
    /// Whether the head had arrived, and how much of the body.
    pub(super) body: Option<u64>,
}

/// What is wrong.
pub(super) enum Problem {
    /// The stream broke.
    Io(io::Error),
    /// The connection ended before the answer did.
    Closed,
    /// No head of an answer.
    NotHttp,
    /// The head is larger than is read.
    TooLarge,
    /// A body that is not what its head announces.
    Malformed(&'static str),
    /// What hyper says of HTTP/2.
    Http2(hyper::Error),
}

impl Broken {
    /// Whether this may be no more than the end of a connection that had rested: nothing of an answer has come. (Over
    /// HTTP/2 the end itself is announced, so that something has.)
    pub(super) fn may_be_stale(&self) -> bool {
        self.body.is_none() && (self.beginning.is_empty() || matches!(self.problem, Problem::Http2(_)))
    }
}

/// The error that says it; `place` is who did it.
pub(super) fn explain(broken: &Broken, place: &str) -> CheckError {
    let Broken { problem, beginning, body } = broken;
    // Over HTTP/2 a server speaks before it is asked.
    let nothing = beginning.is_empty() && !matches!(problem, Problem::Http2(_));
    let when = when(nothing, *body);
    match problem {
        Problem::Io(error) => interrupted(error, place, &when),
        Problem::Closed => CheckError::target(format!("{place} closed the connection {when}")),
        Problem::NotHttp => not_http(place, beginning),
        Problem::TooLarge => too_large(place),
        Problem::Malformed(what) => {
            CheckError::target(format!("{place} sent what is not valid HTTP {when}: {what}"))
        }
        Problem::Http2(error) => http2(error, place, *body, &when),
    }
}

fn too_large(place: &str) -> CheckError {
    CheckError::unobservable(format!(
        "{place} answers with a head that is larger than is read ({MAX_HEADERS} headers, {} KiB)",
        MAX_HEAD >> 10
    ))
}

fn interrupted(error: &io::Error, place: &str, when: &str) -> CheckError {
    if let Some(failure) = tls::failure(place, error) {
        return failure;
    }
    CheckError::target(match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
            format!("{place} reset the connection {when}")
        }
        // What rustls says of a connection that just ends: whoever ends it may have cut the answer off.
        io::ErrorKind::UnexpectedEof if error.to_string().contains("close_notify") => {
            format!("{place} closed the connection {when}, without ending TLS as it should")
        }
        io::ErrorKind::UnexpectedEof => format!("{place} closed the connection {when}"),
        _ => format!("the connection to {place} broke {when}: {error}"),
    })
}

fn http2(error: &hyper::Error, place: &str, body: Option<u64>, when: &str) -> CheckError {
    if error.is_user() {
        return CheckError::unobservable(format!("cannot send the request to {place}: {error}"));
    }
    if let Some(error) = beneath(error) {
        return interrupted(error, place, when);
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return CheckError::target(format!("{place} closed the connection {when}"));
    }
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let what = quote(&deepest.to_string());
    CheckError::target(match body {
        Some(bytes) => format!("the answer of {place} broke off after {bytes} bytes of its body: {what}"),
        None => format!("{place} broke the HTTP protocol: {what}"),
    })
}

fn when(nothing: bool, body: Option<u64>) -> String {
    match body {
        Some(bytes) => format!("after {bytes} bytes of the body, before its end"),
        None if nothing => String::from("without an answer"),
        None => String::from("before the head of its answer was complete"),
    }
}

fn not_http(place: &str, beginning: &[u8]) -> CheckError {
    let error = CheckError::target(match beginning.starts_with(b"HTTP/") {
        true => format!("{place} answers with a head that is not valid HTTP: {}", quote_bytes(beginning)),
        false => format!("{place} does not speak HTTP: its answer begins with {}", quote_bytes(beginning)),
    });
    // A TLS record: an alert, or a handshake.
    match beginning {
        [0x15 | 0x16, 0x03, ..] => error.hint("that is TLS: write https:// instead of http://"),
        _ => error,
    }
}

/// The stream's own error beneath hyper's.
fn beneath(error: &hyper::Error) -> Option<&io::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref() {
            return Some(error);
        }
        source = error.source();
    }
    None
}
