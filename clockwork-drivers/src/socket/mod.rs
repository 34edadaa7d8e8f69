//! Ports that are open: from the kernel's socket table ([`ListenerProbe`]), and from afar by connecting
//! ([`PortScanProbe`]).
//!
//! The table is asked for through netlink (`sock_diag`), with the filter in the kernel: ten thousand connections beside
//! the listeners cost nothing, and unlike `/proc/net/tcp6` it tells a dual-stack listener from one of IPv6 alone. Who
//! holds a listener ([`OwnerProbe`]) is looked for only for those that somebody asks about.

#[cfg(all(target_os = "linux", feature = "container", feature = "http"))]
pub(crate) mod connection;
#[cfg(target_os = "linux")]
mod diag;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(target_os = "linux")]
mod holders;
#[cfg(target_os = "linux")]
mod kernel;
mod listener;
mod owner;
mod port_range;
mod scan;

#[cfg(not(target_os = "linux"))]
use elsewhere as system;
#[cfg(target_os = "linux")]
use kernel as system;

pub use listener::{Listener, ListenerProbe, Listeners, Protocol};
pub use owner::{Owner, OwnerProbe, Owners};
pub use port_range::PortRange;
pub use scan::{PortScan, PortScanProbe, ScannedAddress};

/// Where something listens for TCP, in the network that this thread is in.
#[cfg(all(target_os = "linux", feature = "sandbox"))]
pub(crate) fn listening_for_tcp() -> std::io::Result<Vec<std::net::SocketAddr>> {
    const LISTENS: u32 = 10;
    let protocol = nix::libc::IPPROTO_TCP as u8;
    let told = diag::ask(diag::Question { protocol, states: 1 << LISTENS })?;
    Ok(told.into_iter().map(|told| (told.address.to_canonical(), told.port).into()).collect())
}

/// Where only the engine can look, it is asked for connections, not for tables nor for thousands of ports.
fn cannot_be_seen(cx: &clockwork_core::Context) -> clockwork_core::CheckError {
    let place = cx.vantage().as_str();
    clockwork_core::CheckError::unobservable(format!("cannot see the sockets inside {place}"))
        .hint("run clockwork as root (CAP_SYS_ADMIN) where the engine runs")
}
