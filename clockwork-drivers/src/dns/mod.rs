//! DNS: [`DnsProbe`] asks name servers, [`DnsObservation`] is what they said.
//!
//! The exchange is ours, down to the socket, because a verdict needs the very answer: its code, whether it was cut off,
//! its chain of aliases, its times to live. (Names of the other probes are looked up by the system's own resolver: see
//! [`crate::resolve`].)
//!
//! - UDP sockets with ports that the kernel draws, each for one question at a time and for at most sixteen within 0.1 s,
//!   and an id that is drawn for each question; what does not come from the server, or does not repeat both the id and the
//!   question, is ignored and waited past.
//! - EDNS(0) with 1232 bytes, so that nothing is fragmented; a server that calls that a format error is asked without.
//! - An answer that was cut off is asked for again over TCP.
//! - A lost datagram is sent again, after 0.3 s, 0.6 s, 1.2 s and so on; how long in all, whoever waits decides.
//! - Names are absolute: no search domains, no `ndots`, no `/etc/hosts`, as with `dig`.
//! - Of several servers the first that answers is heard, in their order. The next one is asked, too, when those before
//!   it have been silent for a second, or nobody is there. An answer is an answer, whatever it says.

mod exchange;
mod fields;
mod hosts;
mod lookup;
mod message;
mod name;
mod observation;
mod probe;
mod record;
mod sockets;
mod system;

pub use fields::{NameServer, RecordType};
pub use hosts::HostsProbe;
pub(crate) use lookup::look_up;
pub use name::DnsName;
pub use observation::{Alias, DnsObservation, DnsOutcome, DnsRecord};
pub use probe::DnsProbe;
pub use system::{ResolvConf, ResolvConfProbe};
