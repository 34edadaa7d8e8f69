//! What the target did wrong instead of answering, in words.

use std::{error::Error, io};

use clockwork_core::{
    CheckError,
    text::{quote, quote_bytes},
};

use super::connection::{Broken, MAX_HEAD, MAX_HEADERS};
use crate::tls;

/// The error that says it; `place` is who did it.
pub(super) fn explain(broken: &Broken, place: &str) -> CheckError {
    let Broken { error, seen, body } = broken;
    if error.is_user() {
        return CheckError::unobservable(format!("cannot send the request to {place}: {error}"));
    }
    if broken.needs_more_room() {
        return CheckError::unobservable(format!(
            "{place} answers with a head that is larger than is read ({MAX_HEADERS} headers, {} KiB)",
            MAX_HEAD >> 10
        ));
    }
    if let Some(error) = beneath(error) {
        if let Some(failure) = tls::failure(place, error) {
            return failure;
        }
        let when = when(seen.is_empty(), *body);
        return CheckError::target(match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                format!("{place} reset the connection {when}")
            }
            // What rustls says of a connection that just ends: whoever ends it may have cut the answer off.
            io::ErrorKind::UnexpectedEof if error.to_string().contains("close_notify") => {
                format!("{place} closed the connection {when}, without ending TLS as it should")
            }
            io::ErrorKind::UnexpectedEof => format!("{place} closed the connection {when}"),
            // What hyper says of chunks that are none.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                format!("{place} sent what is not valid HTTP {when}: {error}")
            }
            _ => format!("the connection to {place} broke {when}: {error}"),
        });
    }
    if error.is_parse() {
        return not_http(place, &seen.beginning, *body);
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return CheckError::target(format!("{place} closed the connection {}", when(seen.is_empty(), *body)));
    }
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    let what = quote(&deepest.to_string());
    match body {
        Some(bytes) => CheckError::target(format!(
            "the answer of {place} broke off after {bytes} bytes of its body: {what}"
        )),
        None => CheckError::target(format!("{place} broke the HTTP protocol: {what}")),
    }
}

fn when(nothing: bool, body: Option<u64>) -> String {
    match body {
        Some(bytes) => format!("after {bytes} bytes of the body, before its end"),
        None if nothing => String::from("without an answer"),
        None => String::from("before the head of its answer was complete"),
    }
}

fn not_http(place: &str, beginning: &[u8], body: Option<u64>) -> CheckError {
    if let Some(bytes) = body {
        return CheckError::target(format!(
            "{place} sent a body that is not valid HTTP, from byte {bytes} on"
        ));
    }
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
