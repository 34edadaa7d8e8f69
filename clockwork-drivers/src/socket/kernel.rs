//! The listeners in the kernel's socket table.

use std::{
    fs, io,
    net::{IpAddr, Ipv6Addr},
    os::unix::fs::MetadataExt,
};

use clockwork_core::CheckError;
use nix::{errno::Errno, libc};

use super::{
    Listener, Listeners, Protocol,
    diag::{self, Question, Told},
};
use crate::vantage::network::Network;

pub(super) use super::holders::holders;

/// The loopback interface has this number in every network namespace (`LOOPBACK_IFINDEX`).
const LOOPBACK: u32 = 1;

/// The listeners of this network.
pub(super) async fn listeners(
    network: &Network,
    protocol: Protocol,
    shares_host_network: bool,
) -> Result<Listeners, CheckError> {
    network.run(move || read(protocol, shares_host_network)).await.map_err(blind)
}

impl Listener {
    fn new(told: &Told, interface: Option<String>) -> Self {
        let address = told.address.to_canonical();
        let loopback = address.is_loopback() || told.interface == LOOPBACK;
        let dual_stack = address == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !told.v6_only;
        let inodes = vec![told.inode];
        Self { port: told.port, address, dual_stack, interface, loopback, uid: told.uid, inodes }
    }
}

/// The table of the network namespace that this thread is in.
fn read(protocol: Protocol, shares_host_network: bool) -> io::Result<Listeners> {
    // The numbers are those of `enum` in `net/tcp_states.h`: LISTEN, and CLOSE, which is what UDP calls "no peer".
    let question = match protocol {
        Protocol::Tcp => Question { protocol: libc::IPPROTO_TCP as u8, states: 1 << 10 },
        Protocol::Udp => Question { protocol: libc::IPPROTO_UDP as u8, states: 1 << 7 },
    };
    let mut all: Vec<Listener> = Vec::new();
    let mut told = diag::ask(question)?;
    // A UDP socket that was not bound yet has no port.
    told.retain(|told| told.port != 0);
    told.sort_by_key(|told| (told.port, told.address.is_ipv6(), told.address, told.interface, told.v6_only));
    for told in &told {
        let listener = Listener::new(told, interface(told.interface));
        match all.last_mut() {
            Some(last) if Listener { inodes: last.inodes.clone(), ..listener.clone() } == *last => {
                last.inodes.push(told.inode);
            }
            _ => all.push(listener),
        }
    }
    let network = fs::metadata("/proc/thread-self/ns/net").map_or(0, |seen| seen.ino());
    Ok(Listeners { all, ephemeral: ephemeral(), network, shares_host_network })
}

fn interface(number: u32) -> Option<String> {
    if number == 0 {
        return None;
    }
    let name = nix::net::if_::if_indextoname(number).ok().and_then(|name| name.into_string().ok());
    Some(name.unwrap_or_else(|| number.to_string()))
}

/// This, too, is a setting of the network namespace.
pub(super) fn ephemeral() -> (u16, u16) {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    let mut ports = text.split_ascii_whitespace().map_while(|port| port.parse().ok());
    ports.next().zip(ports.next()).unwrap_or((32768, 60999))
}

fn blind(error: io::Error) -> CheckError {
    let errno = error.raw_os_error().map(Errno::from_raw);
    let cannot = CheckError::unobservable("cannot read the kernel's socket table").with_source(error);
    match errno {
        Some(Errno::ENOENT | Errno::EPROTONOSUPPORT | Errno::EAFNOSUPPORT | Errno::EOPNOTSUPP) => cannot.hint(
            "this kernel offers no `sock_diag`: load its modules (`modprobe tcp_diag udp_diag`), or use `method: connect`",
        ),
        Some(Errno::EPERM | Errno::EACCES) => {
            cannot.hint("a sandbox forbids netlink: allow it, or use `method: connect`")
        }
        Some(Errno::EMFILE | Errno::ENFILE) => {
            cannot.hint("raise `ulimit -n`, or lower `concurrency`").retryable()
        }
        _ => cannot.retryable(),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    #[test]
    fn addresses_are_what_they_mean() {
        // address, interface, v6only, and then: the address, both families, loopback
        for (address, interface, v6_only, meant, dual, loopback) in [
            ("0.0.0.0", 0, false, "0.0.0.0", false, false),
            ("127.0.0.1", 0, false, "127.0.0.1", false, true),
            ("127.8.9.1", 0, false, "127.8.9.1", false, true),
            ("10.0.0.1", 0, false, "10.0.0.1", false, false),
            ("0.0.0.0", LOOPBACK, false, "0.0.0.0", false, true),
            ("::", 0, false, "::", true, false),
            ("::", 0, true, "::", false, false),
            ("::1", 0, false, "::1", false, true),
            ("::ffff:127.0.0.1", 0, false, "127.0.0.1", false, true),
            ("::ffff:0.0.0.0", 0, false, "0.0.0.0", false, false),
            ("fe80::1", 2, false, "fe80::1", false, false),
        ] {
            let told = Told {
                address: address.parse().unwrap(),
                port: 1,
                remote: "0.0.0.0:0".parse().unwrap(),
                state: 10,
                interface,
                v6_only,
                uid: 0,
                inode: 1,
            };
            let listener = Listener::new(&told, None);
            assert_eq!(
                (listener.address.to_string().as_str(), listener.dual_stack, listener.loopback),
                (meant, dual, loopback),
                "{address}"
            );
        }
    }

    #[test]
    fn this_machines_table_can_be_read() {
        let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = open.local_addr().unwrap().port();
        let seen = read(Protocol::Tcp, false).unwrap();
        let found: Vec<_> = seen.all.iter().filter(|listener| listener.port == port).collect();
        assert_eq!(found.len(), 1, "{seen:?}");
        assert!(found[0].loopback && seen.ephemeral.0 < seen.ephemeral.1 && seen.network != 0);
    }
}
