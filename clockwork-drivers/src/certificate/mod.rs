//! Certificates of servers: what a server shows ([`HandshakeProbe`]), which versions it still accepts ([`OlderProbe`]),
//! whom to trust ([`TrustProbe`]), who is revoked ([`CrlProbe`]), and the ways from one to the other ([`Search`]).
//!
//! Nothing here says whether a certificate is good enough: that it expires on Friday is a fact, that Friday is too early
//! is a judgement.

mod algorithm;
mod crl;
mod facts;
mod handshake;
mod older;
mod path;
mod time;
mod trust;

pub use algorithm::{Key, Signature};
pub use crl::{CrlProbe, Crls, Issuer, Status};
pub use facts::{Certificate, Facts};
pub use handshake::{Handshake, HandshakeProbe, Possession, Version};
pub use older::{Answer, OlderProbe, TLS11, TLS12, name as version_name};
pub use path::{DeadEnd, Defect, Path, Search, Sent, Step, is_for, is_name};
pub use time::{days_between, rfc3339, span, unix};
pub use trust::{Anchor, Trust, TrustProbe};
