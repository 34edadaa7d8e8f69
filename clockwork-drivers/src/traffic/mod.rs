//! [`TrafficProbe`]: who talks to whom, by the socket tables of the containers' networks.
//!
//! Each container's network has a table of its own, which the kernel tells through netlink, whole and at once. A look is
//! many of them, one after another: what lasts less than the time between two is seen only by what it leaves behind, a
//! socket in `TIME_WAIT`, which the side that ended the connection keeps for a minute.
//!
//! `world` is what is known of the networks, and finds out who is at an address; `look` collects it.

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod look;
mod probe;
#[cfg(target_os = "linux")]
mod world;

#[cfg(not(target_os = "linux"))]
use elsewhere as system;
#[cfg(target_os = "linux")]
use look as system;

pub use probe::{Link, Traffic, TrafficProbe};
