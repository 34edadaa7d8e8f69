//! gRPC over HTTP/2: the standard health service is asked; that it is not implemented is an answer of gRPC, too.

use bytes::Bytes;
use clockwork_core::text::quote_bytes;

use super::{Step, Stopped, talk::Stream};
use crate::handshake::talk::Greeting;

/// `grpc.health.v1.Health/Check` about the server as a whole: an empty message.
const EMPTY: &[u8] = &[0, 0, 0, 0, 0];

pub(super) async fn greet<S: Stream>(stream: S, authority: &str) -> Result<Greeting, Stopped> {
    let stop = |message: String| Stopped { step: Step::Protocol, message };
    let broken = |error: h2::Error| {
        stop(format!("does not speak gRPC: {}", quote_bytes(error.to_string().as_bytes())))
    };
    let (client, connection) = h2::client::handshake(stream).await.map_err(broken)?;
    let ask = async {
        let mut client = client.ready().await.map_err(broken)?;
        let request = http::Request::post(format!("http://{authority}/grpc.health.v1.Health/Check"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(())
            .map_err(|error| stop(error.to_string()))?;
        let (answer, mut body) = client.send_request(request, false).map_err(broken)?;
        body.send_data(Bytes::from_static(EMPTY), true).map_err(broken)?;
        let answer = answer.await.map_err(broken)?;
        let kind =
            answer.headers().get("content-type").map(|value| value.as_bytes().to_vec()).unwrap_or_default();
        match kind.starts_with(b"application/grpc") {
            true => Ok(Greeting::default()),
            false => Err(stop(format!(
                "does not speak gRPC: it answered {} with content type {}",
                answer.status(),
                quote_bytes(&kind)
            ))),
        }
    };
    tokio::select! {
        biased;
        greeting = ask => greeting,
        ended = connection => Err(match ended {
            Ok(()) => stop(String::from("closed the connection without an answer")),
            Err(error) => broken(error),
        }),
    }
}
