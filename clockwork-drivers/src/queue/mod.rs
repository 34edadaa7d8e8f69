//! [`QueueProbe`]: what waits in a queue, who consumes it, and how old the oldest waiting message is, as the broker tells.
//! Nothing is consumed, acknowledged or changed.
//!
//! One file per broker: AMQP 0-9-1 (a passive declaration), NATS JetStream (its API over the client protocol), Redis
//! streams (`XINFO`).

mod amqp;
mod nats;
mod probe;
mod redis;

pub use probe::{Age, BrokerEngine, QueueObservation, QueueProbe, QueueState, QueueStop};
