//! One connection to a server, whatever is spoken over it.

use std::net::SocketAddr;

use clockwork_core::CheckError;
use http::{StatusCode, Version};
use tokio::time::Instant;

use super::{broken::Broken, h1::Http1, h2::Http2, hop::Hop, observation::Headers, stream::Stream};

/// A connection that speaks HTTP.
pub(super) struct Connection {
    speaks: Speaks,
    pub(super) remote: SocketAddr,
    pub(super) made: Instant,
}

enum Speaks {
    Http1(Http1<Stream>),
    Http2(Http2),
}

/// What came back.
pub(super) struct Reply {
    pub(super) version: Version,
    pub(super) status: StatusCode,
    pub(super) headers: Headers,
    pub(super) body: Vec<u8>,
    /// There was more of the body than was to be kept.
    pub(super) truncated: bool,
    pub(super) first_byte: Instant,
    pub(super) end: Instant,
}

impl Connection {
    /// Speaks HTTP over a stream. In a box, because it goes from hand to hand.
    pub(super) async fn new(
        stream: Stream,
        remote: SocketAddr,
        version: Version,
    ) -> hyper::Result<Box<Self>> {
        let speaks = match version {
            Version::HTTP_2 => Speaks::Http2(Http2::new(stream).await?),
            _ => Speaks::Http1(Http1::new(stream)),
        };
        Ok(Box::new(Self { speaks, remote, made: Instant::now() }))
    }

    /// Asks, and reads the answer.
    ///
    /// # Errors
    /// When the request cannot be written down.
    pub(super) async fn ask(&mut self, hop: &Hop<'_>) -> Result<Result<Reply, Broken>, CheckError> {
        Ok(match &mut self.speaks {
            Speaks::Http1(connection) => {
                hop.write(connection.request())?;
                connection.ask(hop.method(), hop.max_body()).await
            }
            // In a box: most speak HTTP/1, and all would carry the room for it.
            Speaks::Http2(connection) => Box::pin(connection.ask(hop.message()?, hop.max_body())).await,
        })
    }

    /// Whether another question can be asked over it, after one that was answered.
    pub(super) async fn is_reusable(&mut self) -> bool {
        match &mut self.speaks {
            Speaks::Http1(connection) => connection.is_reusable(),
            Speaks::Http2(connection) => connection.is_reusable().await,
        }
    }

    /// Whether it is still there, after a rest.
    pub(super) async fn is_there(&mut self) -> bool {
        match &mut self.speaks {
            Speaks::Http1(connection) => connection.is_quiet().await,
            Speaks::Http2(connection) => connection.is_reusable().await,
        }
    }
}
