//! HTTP: [`HttpRequest`] says what to ask, [`HttpProbe`] asks, [`HttpObservation`] is the answer.
//!
//! It is a client for looking, not for browsing: it sends no cookies, asks for no compression and decodes none, uses no
//! proxy, and follows a redirect only with what is meant for the place that it leads to. Questions without consequences
//! (`GET`, `HEAD`) share connections within a run; a connection that the server gave up in the meantime is replaced
//! without a word, and none is used that is older than a second.
//!
//! A closure asks through its context:
//!
//! ```
//! use clockwork_core::prelude::*;
//! use clockwork_drivers::prelude::*;
//!
//! let serves = assertion("serves its version", async |cx: Context| {
//!     let reply = cx.http().get("http://localhost:8080/version").await?;
//!     Ok((reply.status() == 200, format!("answered {}", reply.status())))
//! });
//! # let _ = Project::new("shop").assert(serves);
//! ```

mod body;
mod broken;
mod connection;
pub mod fields;
mod h1;
mod h2;
mod head;
mod hop;
mod observation;
mod pool;
mod probe;
mod request;
mod stream;
mod web_url;

use std::sync::Arc;

use clockwork_core::{CheckError, Context};

pub use fields::{BasicAuth, HttpVersion, ResolveTo, Text, UrlText};
pub use http::Method;
pub use observation::{HttpObservation, Phases, Redirect};
pub use probe::HttpProbe;
pub use request::{HttpRequest, InvalidRequest, MAX_BODY, without_userinfo};

/// HTTP for closures and `async fn`s that are assertions.
pub trait HttpContext {
    /// Asks over HTTP, with the connections of this run.
    fn http(&self) -> Http<'_>;
}

impl HttpContext for Context {
    fn http(&self) -> Http<'_> {
        Http(self)
    }
}

/// Asks over HTTP: see [`HttpContext::http`].
#[derive(Debug, Clone, Copy)]
pub struct Http<'a>(&'a Context);

impl Http<'_> {
    /// `GET` this URL. Whoever asks the same in the same round shares the answer.
    ///
    /// # Errors
    /// When it is no `http` or `https` URL, or no complete answer came. A status such as 503 is an answer.
    pub async fn get(&self, url: &str) -> Result<Arc<HttpObservation>, CheckError> {
        self.send(HttpRequest::new(url)?).await
    }

    /// Any request. `GET` and `HEAD` share answers as [`Http::get`] does; others are sent each time.
    ///
    /// # Errors
    /// When no complete answer came.
    pub async fn send(&self, request: HttpRequest) -> Result<Arc<HttpObservation>, CheckError> {
        if request.is_plain_question() {
            self.0.observe(HttpProbe::new(request)).await
        } else {
            self.0.measure(HttpProbe::new(request)).await
        }
    }
}
