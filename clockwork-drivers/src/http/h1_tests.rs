//! What servers may send, well-formed and not, read here and by hyper: both must see the same.
#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use super::*;
use crate::http::head::MAX_HEADERS;

impl Quiet for DuplexStream {}

/// How an answer was read.
#[derive(Debug, PartialEq, Eq)]
enum Read {
    Whole {
        status: u16,
        version: http::Version,
        headers: Vec<(String, Vec<u8>)>,
        body: Vec<u8>,
        kept: bool,
    },
    NotHttp,
    TooLarge,
    Malformed,
    Closed,
    /// Still waiting for more.
    Waiting,
    Other(String),
}

/// How the bytes come, and what follows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    WholeThenClosed,
    WholeThenSilence,
    BytewiseThenClosed,
}

const PATIENCE: Duration = Duration::from_secs(60);

/// A server that sends this to whoever asks.
fn serve(bytes: &[u8], sent: Sent) -> DuplexStream {
    let (ours, mut theirs) = duplex(1 << 20);
    let bytes = bytes.to_vec();
    tokio::spawn(async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(theirs.read_u8().await?);
        }
        match sent {
            Sent::BytewiseThenClosed => {
                for byte in bytes {
                    theirs.write_all(&[byte]).await?;
                    tokio::task::yield_now().await;
                }
            }
            Sent::WholeThenClosed | Sent::WholeThenSilence => theirs.write_all(&bytes).await?,
        }
        if sent == Sent::WholeThenSilence {
            tokio::time::sleep(PATIENCE * 2).await;
        }
        std::io::Result::Ok(())
    });
    ours
}

async fn here(stream: DuplexStream, method: &Method, sent: Sent) -> Read {
    let mut connection = Http1::new(stream);
    connection.request().extend_from_slice(format!("{method} / HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes());
    let Ok(reply) = tokio::time::timeout(PATIENCE, connection.ask(method, 1 << 20)).await else {
        return Read::Waiting;
    };
    match reply {
        Ok(reply) => {
            let headers = reply
                .headers
                .iter()
                .map(|(name, value)| (String::from_utf8(name.to_vec()).unwrap(), value.to_vec()));
            let mut headers: Vec<_> = headers.collect();
            headers.sort_by(|a, b| a.0.cmp(&b.0));
            Read::Whole {
                status: reply.status.as_u16(),
                version: reply.version,
                headers,
                body: reply.body,
                kept: sent == Sent::WholeThenSilence
                    && connection.is_reusable()
                    && connection.is_quiet().await,
            }
        }
        Err(Broken { problem, .. }) => match problem {
            Problem::NotHttp => Read::NotHttp,
            Problem::TooLarge => Read::TooLarge,
            Problem::Malformed(_) => Read::Malformed,
            Problem::Closed => Read::Closed,
            Problem::Io(error) => Read::Other(error.to_string()),
            Problem::Http2(error) => Read::Other(error.to_string()),
        },
    }
}

async fn hyper(stream: DuplexStream, method: &Method, sent: Sent) -> Read {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .allow_obsolete_multiline_headers_in_responses(true)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    let driver = tokio::spawn(connection);
    let request = Request::builder().method(method).uri("/").header("host", "x");
    let ask = async {
        let response = sender.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await?;
        let (head, body) = response.into_parts();
        Ok((head, body.collect().await?.to_bytes()))
    };
    let Ok(asked) = tokio::time::timeout(PATIENCE, ask).await else { return Read::Waiting };
    let asked: Result<_, hyper::Error> = asked;
    match asked {
        Ok((head, body)) => {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let headers = head.headers.iter();
            let mut headers: Vec<_> =
                headers.map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect();
            headers.sort_by(|a, b| a.0.cmp(&b.0));
            let kept = sent == Sent::WholeThenSilence && sender.is_ready() && !driver.is_finished();
            Read::Whole {
                status: head.status.as_u16(),
                version: head.version,
                headers,
                body: body.into(),
                kept,
            }
        }
        Err(error) => {
            let beneath =
                std::error::Error::source(&error).and_then(|source| source.downcast_ref::<io::Error>());
            match beneath.map(io::Error::kind) {
                Some(io::ErrorKind::UnexpectedEof) => Read::Closed,
                Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => Read::Malformed,
                Some(_) => Read::Other(format!("{error:?}")),
                None if error.is_parse() && error.to_string().contains("too large") => Read::TooLarge,
                None if error.is_parse() => Read::NotHttp,
                None if error.is_incomplete_message() => Read::Closed,
                None => Read::Other(format!("{error:?}")),
            }
        }
    }
}

const HEADS: &[&str] = &[
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokmore",
    "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\nX-B:\r\n\r\nok",
    "HTTP/1.1 200 OK\ncontent-length: 2\n\nok",
    "HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.1 200 \u{fc}ber\r\ncontent-length: 2\r\n\r\nok",
    "\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    " HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.0 200 OK\r\n\r\nok",
    "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.1 200 OK\r\n\r\nok",
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.2 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/2 200 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/0.9 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    "ICY 200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 000 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 999 OK\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 2x0 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n",
    "HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello",
    "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    "HTTP/1.1 304 Not Modified\r\ntransfer-encoding: chunked\r\n\r\n",
    "HTTP/1.1 205 Reset\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 102 x\r\n\r\nHTTP/1.1 404 x\r\ncontent-length: 0\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n",
    "HTTP/1.1 199 x\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
    "HTTP/1.1 101 Switching\r\nupgrade: x\r\n\r\nwhatever",
    "",
    "\r\n",
    "\r\n\r\n",
    "S",
    "SSH-2.0-OpenSSH_9.2\r\n",
    "\x15\x03\x01\0\x02\x02\n",
    "* OK IMAP4rev1\r\n",
    "220 mail.example ESMTP\r\n",
    "<html>\n\n",
];

/// Heads of answers whose body is `ok`, in so many bytes or chunks, or until the end.
const FRAMINGS: &[&str] = &[
    "content-length: 2\r\ncontent-length: 2",
    "content-length: 2, 2",
    "content-length: 2,2,2",
    "content-length: 2\r\ncontent-length: 3",
    "content-length: 3\r\ncontent-length: 2",
    "content-length: 2, 3",
    "content-length: 2,",
    "content-length:",
    "content-length: +2",
    "content-length: -2",
    "content-length: 0x2",
    "content-length: 2 2",
    "content-length: 2\u{fc}",
    "content-length: 02",
    "content-length:\t2\t",
    "content-length: 99999999999999999999",
    "content-length: x\r\ncontent-length: 2",
    "content-length: 2\r\ncontent-length: x",
    "transfer-encoding: identity",
    "transfer-encoding: gzip",
    "transfer-encoding: gzip\r\ncontent-length: 2",
    "transfer-encoding:",
    "transfer-encoding: xchunked",
    "transfer-encoding: chunked, gzip",
    "connection: close\r\ncontent-length: 2",
    "connection: x, Close\r\ncontent-length: 2",
    "connection: close\r\nconnection: keep-alive\r\ncontent-length: 2",
    "connection: keep-alive\r\ncontent-length: 2",
    "connection: closed\r\ncontent-length: 2",
    "proxy-connection: close\r\ncontent-length: 2",
    "x: a\r\n b\r\n\tc \r\ncontent-length: 2",
    "content-length: \r\n 2",
    "content-length: 2\r\n , 3",
    "transfer-encoding:\r\n gzip",
    " x: y\r\ncontent-length: 2",
    "x : y\r\ncontent-length: 2",
    "x\r\ncontent-length: 2",
    ": y\r\ncontent-length: 2",
    "x y: z\r\ncontent-length: 2",
    "x(y): z\r\ncontent-length: 2",
    "x: a\0b\r\ncontent-length: 2",
    "x: a\x7fb\r\ncontent-length: 2",
    "x: a\x01b\r\ncontent-length: 2",
    "x: a\rb\r\ncontent-length: 2",
    "x: \u{fc}\r\ncontent-length: 2",
    "\u{fc}: x\r\ncontent-length: 2",
    "!#$%&'*+-.^_`|~09aZ: x\r\ncontent-length: 2",
    "x: \"a, b\"\r\ncontent-length: 2",
];

/// What comes after `transfer-encoding: chunked`.
const CHUNKS: &[&str] = &[
    "2\r\nok\r\n0\r\n\r\n",
    "1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
    "2\r\nok\r\n0\r\n\r\nmore",
    "0\r\n\r\n",
    "00\r\n\r\n",
    "002\r\nok\r\n000\r\n\r\n",
    "A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n",
    "2;x\r\nok\r\n0;y=\"z\"\r\n\r\n",
    "2 ;x\r\nok\r\n0\r\n\r\n",
    "2 \t\r\nok\r\n0 \r\n\r\n",
    "2 2\r\nok\r\n0\r\n\r\n",
    " 2\r\nok\r\n0\r\n\r\n",
    "\r\n2\r\nok\r\n0\r\n\r\n",
    "2\nok\n0\n\n",
    "2\r\nok0\r\n\r\n",
    "2\r\nokk\r\n0\r\n\r\n",
    "3\r\nok\r\n0\r\n\r\n",
    "2\rxok\r\n0\r\n\r\n",
    "2;x\nok\r\n0\r\n\r\n",
    "2\r\nok\rx0\r\n\r\n",
    "2\r\nok\n0\r\n\r\n",
    "-2\r\nok\r\n0\r\n\r\n",
    "+2\r\nok\r\n0\r\n\r\n",
    "0x2\r\nok\r\n0\r\n\r\n",
    "2g\r\nok\r\n0\r\n\r\n",
    "zz\r\nok\r\n0\r\n\r\n",
    ";x\r\nok\r\n0\r\n\r\n",
    "fffffffffffffffff\r\nok\r\n0\r\n\r\n",
    "ffffffffffffffff\r\nok",
    "10000000000000000\r\nok",
    "0000000000000000002\r\nok\r\n0\r\n\r\n",
    "2\r\nok\r\n0\r\nx: y\r\n\r\n",
    "2\r\nok\r\n0\r\nx: y\r\nz: \r\n\r\nmore",
    "2\r\nok\r\n0\r\nx\r\n\r\n",
    "2\r\nok\r\n0\r\nx y: z\r\n\r\n",
    "2\r\nok\r\n0\r\nx: y\n\r\n\r\n",
    "2\r\nok\r\n0\r\nx: y\rz\r\n\r\n",
    "2\r\nok\r\n0\r\n x: y\r\n\r\n",
    "2\r\nok\r\n0\r\n\rx",
    "2\r\nok\r\n0\r\n\nx",
    "2\r\nok\r\n0\r\n",
    "2\r\nok\r\n0",
    "2\r\nok\r\n",
    "2\r\no",
    "2",
    "",
];

fn table() -> Vec<Vec<u8>> {
    let mut all: Vec<Vec<u8>> = HEADS.iter().map(|head| head.as_bytes().to_vec()).collect();
    let framings = FRAMINGS.iter();
    all.extend(framings.map(|headers| format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\nok").into_bytes()));
    for version in ["1.0", "1.1"] {
        for coding in ["chunked", "Chunked", "gzip, chunked", "chunked\r\ncontent-length: 1"] {
            all.extend(CHUNKS.iter().map(|chunks| {
                format!("HTTP/{version} 200 OK\r\ntransfer-encoding: {coding}\r\n\r\n{chunks}").into_bytes()
            }));
        }
    }
    // Latin-1, as a server may send it.
    let latin =
        |bytes: &Vec<u8>| std::str::from_utf8(bytes).map(|text| text.chars().map(|c| c as u8).collect());
    let more: Vec<Vec<u8>> =
        all.iter().filter(|bytes| !bytes.is_ascii()).map(|bytes| latin(bytes).unwrap()).collect();
    all.extend(more);
    let many = |count, size| {
        let headers: String = (0..count).map(|n| format!("x-{n}: {}\r\n", "x".repeat(size))).collect();
        format!("HTTP/1.1 200 OK\r\n{headers}content-length: 2\r\n\r\nok").into_bytes()
    };
    all.extend([
        many(63, 1),
        many(64, 1),
        many(100, 1),
        many(998, 1),
        many(999, 1),
        many(1000, 1),
        many(10, 1 << 15),
    ]);
    let trailers = |count| {
        let trailers: String = (0..count).map(|n| format!("x-{n}: y\r\n")).collect();
        format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n{trailers}\r\n").into_bytes()
    };
    all.extend([trailers(99), trailers(100)]);
    all
}

/// How they read it, if not in the same way.
async fn difference(bytes: &[u8], method: &Method, sent: Sent) -> Option<String> {
    let (ours, theirs) =
        tokio::join!(here(serve(bytes, sent), method, sent), hyper(serve(bytes, sent), method, sent));
    let same = match (&ours, &theirs) {
        // hyper asks to be spoken to in HTTP/1.0 then; here the connection is not used again.
        (
            Read::Whole { version: http::Version::HTTP_10, kept: false, body, headers, status },
            Read::Whole { version, body: body2, headers: headers2, status: status2, .. },
        ) => *version == http::Version::HTTP_10 && (status, headers, body) == (status2, headers2, body2),
        // hyper does not look at a head that comes in pieces before its end.
        (Read::NotHttp, Read::Closed) => sent == Sent::BytewiseThenClosed,
        (ours, theirs) => ours == theirs,
    };
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]);
    (!same).then(|| format!("{method}, {sent:?}: {text:?}\n here: {ours:?}\nhyper: {theirs:?}\n"))
}

#[tokio::test(start_paused = true)]
async fn every_answer_is_read_as_hyper_reads_it() {
    let mut differences = Vec::new();
    for bytes in table() {
        for method in [Method::GET, Method::HEAD] {
            for sent in [Sent::WholeThenClosed, Sent::WholeThenSilence] {
                differences.extend(difference(&bytes, &method, sent).await);
            }
        }
        if bytes.len() < 4096 {
            differences.extend(difference(&bytes, &Method::GET, Sent::BytewiseThenClosed).await);
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// Wherever an answer is cut off, nobody takes it for a whole one that is not.
#[tokio::test(start_paused = true)]
async fn every_beginning_of_an_answer_is_read_as_hyper_reads_it() {
    let mut differences = Vec::new();
    for whole in [
        "HTTP/1.1 200 OK\r\ncontent-length: 12\r\nx: y\r\n\r\nhello, world",
        "HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
         5;x=y\r\nhello\r\n7\r\n, world\r\n0\r\nx: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\r\n b\r\n\r\nhello, world",
    ] {
        for end in 0..=whole.len() {
            for sent in [Sent::WholeThenClosed, Sent::WholeThenSilence, Sent::BytewiseThenClosed] {
                differences.extend(difference(&whole.as_bytes()[..end], &Method::GET, sent).await);
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// An answer that comes before all of the question went out is an answer.
#[tokio::test(start_paused = true)]
async fn an_early_answer_is_heard() {
    let (ours, mut theirs) = duplex(1024);
    tokio::spawn(async move {
        let mut some = [0; 16];
        theirs.read_exact(&mut some).await.unwrap();
        theirs.write_all(b"HTTP/1.1 413 x\r\ncontent-length: 2\r\n\r\nno").await.unwrap();
        tokio::time::sleep(PATIENCE).await;
    });
    let mut connection = Http1::new(ours);
    connection.request().resize(1 << 20, b'x');
    let reply = connection.ask(&Method::POST, 100).await;
    assert_eq!(reply.map(|reply| (reply.status.as_u16(), reply.body)).ok(), Some((413, b"no".to_vec())));
    assert!(!connection.is_reusable());
}

/// A server that never comes to the answer that counts is not listened to for ever.
#[tokio::test(start_paused = true)]
async fn interim_answers_without_end_are_too_much() {
    let endless = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_HEAD / 20);
    assert_eq!(
        here(serve(&endless, Sent::WholeThenSilence), &Method::GET, Sent::WholeThenSilence).await,
        Read::TooLarge
    );
}
