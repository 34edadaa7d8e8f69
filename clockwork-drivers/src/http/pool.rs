//! Connections that rest between two questions of one run.

use std::{
    collections::HashMap,
    hash::{Hash, Hasher},
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

/// What has to be equal for a connection to serve another question.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) host: Box<str>,
    pub(super) port: u16,
    pub(super) resolve_to: Option<ResolveTo>,
    pub(super) version: Option<HttpVersion>,
    /// `None` without TLS.
    pub(super) tls: Option<TlsSettings>,
}

/// By what tells most of them apart.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&*self.host, self.port).hash(state);
    }
}

/// The resting connections of one run.
#[derive(Default)]
pub(super) struct Pool(Mutex<HashMap<Key, Arc<Resting>>>);

impl Pool {
    /// Those that can serve this.
    pub(super) fn of(&self, key: &Key) -> Arc<Resting> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get(key) {
            Some(resting) => Arc::clone(resting),
            None => Arc::clone(all.entry(key.clone()).or_default()),
        }
    }
}

/// The resting connections to one host. There are never more than questions that were asked at the same time.
#[derive(Default)]
pub(super) struct Resting(Mutex<Vec<Connection>>);

impl Resting {
    /// The connection that was used last, which is the likeliest to be still there.
    pub(super) fn take(&self, now: Instant) -> Option<Connection> {
        let mut old = Vec::new(); // dropped after the lock is released
        let mut resting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(connection) = resting.pop() {
            if now - connection.made < FRESH {
                return Some(connection);
            }
            old.push(connection);
        }
        None
    }

    /// Lets a connection rest.
    pub(super) fn put(&self, connection: Connection, now: Instant) {
        if now - connection.made < FRESH {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
    }
}
