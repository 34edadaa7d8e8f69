//! PostgreSQL, with a client of our own on the protocol of `postgres-protocol` (which is that of `tokio-postgres`).
//!
//! `tokio-postgres` itself reads values in their binary form, and so only those of types that it knows; it has no limit
//! on rows but within a transaction of several round trips; and what does not speak PostgreSQL is to it a broken
//! connection. Here a check is one round trip, whatever the type, and what went wrong is known by its step.
//!
//! | file | what it does |
//! | --- | --- |
//! | `open`, `login` | reaches the server, TLS, SCRAM |
//! | `link` | one connection that many checks use at the same time |
//! | `answer` | what is sent for a statement, and what comes back |
//! | `session` | one connection that one look has for itself, for what takes several steps |
//! | `stream` | the rows of a query, one after the other, sorted by a key |
//! | `refusal` | what the server's error codes mean |
//!
//! One connection serves all checks of a run. Another is opened only where a statement that takes long holds up those
//! behind it, for a statement that may write, and for one that is measured.

mod answer;
mod link;
mod login;
mod message;
mod open;
mod refusal;
pub(super) mod session;
pub(super) mod stream;
mod value;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
};

use clockwork_core::{CheckError, Context, Probe, Vantage};

use self::link::{Link, Reply, Unasked};
use self::open::Server;
use super::{
    Connection,
    failure::{FailureKind, SqlFailure},
    statement::Statement,
};

/// How many connections to one database a run makes at most for statements that hold up each other.
const CONNECTIONS: usize = 8;

/// How often a statement is sent again because the connection ended before its answer began, or because the server left it
/// out. That it moves on from connections that others hold up does not count.
const RESENT: usize = 5;

/// The connections of one run.
#[derive(Default)]
struct Links(Mutex<HashMap<(Vantage, Connection), Made>>);

/// What was made for one database.
#[derive(Default)]
struct Made {
    links: Vec<Arc<Link>>,
    /// How many there ever were.
    ever: usize,
    /// A statement brought more rows than are read.
    floods: Arc<AtomicBool>,
}

/// Opens a connection, which then serves all checks. Equal ones of a round share it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Open {
    connection: Connection,
    /// Those who found that the first so many do not serve them share the next.
    nth: usize,
}

impl Probe for Open {
    type Observation = Result<Arc<Link>, SqlFailure>;

    async fn look(&self, cx: &Context) -> Result<Self::Observation, CheckError> {
        let opened = match open::connect(&self.connection, cx).await? {
            Ok(opened) => opened,
            Err(failure) => return Ok(Err(failure)),
        };
        let links = cx.shared::<Links>();
        let mut links = links.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = links.entry((cx.vantage().clone(), self.connection.clone())).or_default();
        let link = Arc::new(Link::new(opened, Arc::clone(&made.floods)));
        made.ever += 1;
        // Whoever asks for a new one over and over does not collect them.
        made.links.retain(|link| !link.is_idle());
        made.links.push(Arc::clone(&link));
        Ok(Ok(link))
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn describe(&self) -> String {
        format!("connecting to {}", self.connection.place())
    }
}

/// Makes a new connection, and says who is there.
pub(super) async fn connect(
    connection: &Connection,
    cx: &Context,
) -> Result<Result<Server, SqlFailure>, CheckError> {
    cx.phase(format!("waiting for it to let user {} in", clockwork_core::text::quote(connection.user())));
    // Asked anew in every round: that an old connection still works does not prove that a new one is let in.
    let opened = cx.observe(Open { connection: connection.clone(), nth: 0 }).await?;
    Ok(match &*opened {
        Ok(link) => Ok(link.server.clone()),
        Err(failure) => Err(failure.clone()),
    })
}

/// A connection that can be asked: one that is there, or a new one. With `crowded`, one that nobody holds up.
async fn link(
    connection: &Connection,
    crowded: bool,
    cx: &Context,
) -> Result<Result<Arc<Link>, SqlFailure>, CheckError> {
    let (found, nth) = {
        let links = cx.shared::<Links>();
        let mut links = links.0.lock().unwrap_or_else(PoisonError::into_inner);
        let made = links.entry((cx.vantage().clone(), connection.clone())).or_default();
        made.links.retain(|link| link.is_alive() || !link.is_over());
        let mut alive = made.links.iter().filter(|link| link.is_alive());
        let free = alive.clone().find(|link| !link.is_held_up());
        let full = alive.clone().count() >= CONNECTIONS;
        let found = free.or_else(|| if crowded && !full { None } else { alive.next_back() });
        (found.cloned(), made.ever)
    };
    if let Some(link) = found {
        return Ok(Ok(link));
    }
    Ok((*cx.observe(Open { connection: connection.clone(), nth }).await?).clone())
}

/// Runs a statement over a shared connection.
pub(super) async fn run(
    connection: &Connection,
    statement: &Statement,
    cx: &Context,
) -> Result<Reply, CheckError> {
    let (mut crowded, mut lost_before) = (false, false);
    for moved in 0..CONNECTIONS + RESENT {
        cx.phase(format!("waiting for a connection to {}", connection.place()));
        let link = match link(connection, crowded, cx).await? {
            Ok(link) => link,
            Err(failure) => return Ok(Err(failure)),
        };
        cx.phase(format!("waiting for {} to run the statement", link.server.place));
        // Where all connections are held up, or one after the other was, there is nothing to go to.
        let patient = crowded && (link.is_held_up() || moved >= CONNECTIONS);
        match link.ask(statement, patient).await {
            // A connection that was at rest may have been given up by the server. That happens once.
            Ok(Err(failure)) if failure.kind == FailureKind::Lost && !lost_before => lost_before = true,
            Ok(reply) => return Ok(reply),
            Err(Unasked::LeftOut) => {}
            Err(Unasked::Gone | Unasked::HeldUp) => crowded = true,
        }
    }
    let message = format!("{} keeps giving no answer", connection.place());
    Ok(Err(SqlFailure::new(FailureKind::Lost, message)))
}

/// Runs a statement over a connection of its own.
pub(super) async fn run_alone(
    connection: &Connection,
    statement: &Statement,
    cx: &Context,
) -> Result<Reply, CheckError> {
    cx.phase(format!("connecting to {}", connection.place()));
    let link = match open::connect(connection, cx).await? {
        Ok(opened) => Link::new(opened, Arc::default()),
        Err(failure) => return Ok(Err(failure)),
    };
    link.be_careful();
    cx.phase(format!("waiting for {} to run the statement", link.server.place));
    let gone = |_| {
        let message = format!("{} closed the connection", link.server.place);
        Err(SqlFailure::new(FailureKind::Lost, message))
    };
    Ok(link.ask(statement, true).await.unwrap_or_else(gone))
}
