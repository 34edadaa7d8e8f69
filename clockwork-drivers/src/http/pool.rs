//! Connections that rest between two questions of one run.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::{
    connection::Connection,
    fields::{HttpVersion, ResolveTo},
};
use crate::tls::TlsSettings;

/// How old a connection may be when it is used again. An answer is to say that the service can be reached *now*, and a
/// connection that was made long ago says little about that.
const FRESH: Duration = Duration::from_secs(1);

/// What has to be equal, beside the origin, for a connection to serve another question.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Settings {
    pub(super) resolve_to: Option<ResolveTo>,
    pub(super) version: Option<HttpVersion>,
    /// `None` without TLS.
    pub(super) tls: Option<TlsSettings>,
}

/// The resting connections of one run, by the origin that they lead to. It is asked in different ways by few.
#[derive(Default)]
pub(super) struct Pool(Mutex<HashMap<Box<str>, Known, foldhash::fast::RandomState>>);

type Known = Vec<(Settings, Arc<Resting>)>;

impl Pool {
    /// Those that can serve this.
    pub(super) fn of(&self, origin: &str, settings: &Settings) -> Arc<Resting> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.get(origin).and_then(|known| known.iter().find(|(other, _)| other == settings));
        if let Some((_, resting)) = known {
            return Arc::clone(resting);
        }
        let resting = Arc::<Resting>::default();
        all.entry(origin.into()).or_default().push((settings.clone(), Arc::clone(&resting)));
        resting
    }
}

/// The resting connections to one host. There are never more than questions that were asked at the same time.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "they go from hand to hand in their boxes")]
pub(super) struct Resting(Mutex<Vec<Box<Connection>>>);

impl Resting {
    /// The connection that was used last, which is the likeliest to be still there.
    pub(super) fn take(&self, now: Instant) -> Option<Box<Connection>> {
        let mut old = Vec::new(); // dropped after the lock is released
        let mut resting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = resting.pop() {
            if now < connection.made + FRESH {
                return Some(connection);
            }
            old.push(connection);
        }
        None
    }

    /// Lets a connection rest.
    pub(super) fn put(&self, connection: Box<Connection>, now: Instant) {
        if now < connection.made + FRESH {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
