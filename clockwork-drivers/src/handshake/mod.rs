//! [`HandshakeProbe`]: whether a service speaks a protocol, asked by that protocol's own handshake, and how far it got.
//!
//! An open port proves little: a proxy accepts for a service that is gone, and a wrong service listens as well as the
//! right one. The handshake goes on until the service has said something that only this protocol says, and, where
//! credentials are given, until it has accepted them. Nothing is read or written beyond that.
//!
//! One file per protocol: what is sent, what has to come back, and which document says so.

pub(crate) mod amqp;
mod grpc;
mod http;
mod kafka;
mod mqtt;
mod mysql;
pub(crate) mod nats;
mod postgresql;
pub(crate) mod probe;
pub(crate) mod redis;
mod smtp;
pub(crate) mod talk;

pub use probe::{HandshakeObservation, HandshakeProbe, Login, Protocol, Step, Stopped};
