//! Everything that touches the world: drivers, which observe a kind of resource and change it, and probes, which look
//! without changing anything.
//!
//! Nothing here judges: a probe reports what it saw, never whether that is good. What the *target* does wrong is
//! [`clockwork_core::CheckError::target`], what keeps us from looking is [`clockwork_core::CheckError::unobservable`].

#[cfg(feature = "tcp")]
pub mod address;
#[cfg(feature = "certificate")]
pub mod certificate;
#[cfg(feature = "command")]
pub mod command;
#[cfg(feature = "container")]
pub mod container;
#[cfg(feature = "tls")]
mod der;
#[cfg(feature = "dns")]
pub mod dns;
#[cfg(feature = "http")]
pub mod endpoint;
#[cfg(all(feature = "tcp", feature = "tls"))]
pub mod exchange;
#[cfg(feature = "file")]
pub mod file;
#[cfg(feature = "handshake")]
pub mod handshake;
#[cfg(feature = "http")]
pub mod http;
mod platform;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "python")]
pub mod python;
#[cfg(all(feature = "handshake", feature = "container"))]
pub mod queue;
#[cfg(feature = "tcp")]
pub mod resolve;
#[cfg(feature = "sandbox")]
pub mod sandbox;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(any(feature = "command", feature = "python", feature = "systemd"))]
mod signal;
#[cfg(feature = "socket")]
pub mod socket;
pub mod sql;
#[cfg(all(feature = "tcp", feature = "tls"))]
pub mod starttls;
#[cfg(feature = "systemd")]
pub mod systemd;
#[cfg(feature = "tcp")]
pub mod tcp;
#[cfg(feature = "tls")]
pub mod tls;
#[cfg(all(feature = "container", feature = "http", feature = "socket"))]
pub mod traffic;
#[cfg(feature = "tcp")]
pub mod udp;
#[cfg(feature = "process")]
pub mod usage;
pub mod vantage;
#[cfg(feature = "vulnerability")]
pub mod vulnerability;

#[cfg(feature = "container")]
pub use container::{ContainerResource, DockerResource};
#[cfg(feature = "http")]
pub use endpoint::EndpointResource;
#[cfg(feature = "file")]
pub use file::FileResource;

use clockwork_core::Registry;

/// What a program that declares a project needs of this crate.
pub mod prelude {
    #[cfg(feature = "http")]
    pub use crate::http::{HttpContext, HttpRequest};
}

/// Adds this crate's resource kinds.
#[cfg_attr(
    not(any(feature = "container", feature = "file", feature = "http")),
    expect(unused_variables, reason = "without these features there is no kind to add")
)]
pub fn register(registry: &mut Registry) {
    #[cfg(feature = "container")]
    registry.resource::<ContainerResource>().resource::<DockerResource>();
    #[cfg(feature = "file")]
    registry.resource::<FileResource>();
    #[cfg(feature = "http")]
    registry.resource::<EndpointResource>();
}
