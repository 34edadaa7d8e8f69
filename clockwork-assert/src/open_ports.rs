//! What [`crate::NoOpenPortsAssert`] makes of listeners and of scans.

use std::{collections::BTreeMap, net::IpAddr};

use clockwork_core::{CheckError, Vantage, Verdict};
use clockwork_drivers::socket::{Listener, Listeners, Owner, Owners, PortRange, PortScan, ScannedAddress};
use serde_json::{Map, Value, json};

use crate::PortScope;

/// How many open ports a message explains, how many more it lists, and how many the details hold.
const EXPLAINED: usize = 5;
const LISTED: usize = 20;
const DETAILED: usize = 1_000;
/// Where Docker's and Podman's resolver answers, inside a container.
const ENGINES_RESOLVER: &str = "127.0.0.11";

/// Which ports have to be closed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) except: &'a [PortRange],
    pub(crate) range: PortRange,
    pub(crate) scope: PortScope,
    pub(crate) udp: bool,
}

/// `22, 8000-8010`.
pub(crate) fn ports(ranges: &[PortRange]) -> String {
    let told: Vec<_> = ranges.iter().take(LISTED).map(ToString::to_string).collect();
    let more = if ranges.len() > LISTED { ", …" } else { "" };
    format!("{}{more}", told.join(", "))
}

impl Wanted<'_> {
    fn excepts(&self, port: u16) -> bool {
        self.except.iter().any(|range| range.contains(port))
    }

    fn means(&self, listener: &Listener) -> bool {
        let in_scope = match self.scope {
            PortScope::Any => true,
            PortScope::Loopback => listener.loopback,
            PortScope::Public => !listener.loopback,
        };
        in_scope && self.range.contains(listener.port)
    }

    /// What is open and must not be.
    pub(crate) fn open<'s>(&self, seen: &'s Listeners) -> Vec<&'s Listener> {
        seen.all.iter().filter(|listener| self.means(listener) && !self.excepts(listener.port)).collect()
    }

    fn expected(&self) -> String {
        let protocol = if self.udp { "UDP" } else { "TCP" };
        let mut told = format!("no open {protocol} port");
        match self.scope {
            PortScope::Any => {}
            PortScope::Loopback => told.push_str(" on loopback"),
            PortScope::Public => told.push_str(" that others can reach"),
        }
        if self.range != PortRange::ALL {
            told.push_str(&format!(" in {}", self.range));
        }
        if !self.except.is_empty() {
            told.push_str(&format!(" except {}", ports(self.except)));
        }
        told
    }

    /// The port as it is spoken of: `53/udp`.
    fn name(&self, port: u16) -> String {
        if self.udp { format!("{port}/udp") } else { port.to_string() }
    }

    /// Judges `open`, which is what [`Wanted::open`] found.
    pub(crate) fn judge(
        &self,
        seen: &Listeners,
        mut open: Vec<&Listener>,
        owners: &Owners,
        vantage: &Vantage,
    ) -> Result<Verdict, CheckError> {
        let inside = *vantage != Vantage::Host;
        if inside {
            open.retain(|listener| !is_engines_resolver(listener, owners, seen.network));
        }
        let shared = if seen.shares_host_network {
            " (the container has no network of its own: these are this machine's ports)"
        } else {
            ""
        };
        let maybe_client =
            |listener: &&Listener| self.udp && (seen.ephemeral.0..=seen.ephemeral.1).contains(&listener.port);
        let (maybe, sure): (Vec<&Listener>, Vec<&Listener>) = open.into_iter().partition(maybe_client);
        if sure.is_empty() && !maybe.is_empty() {
            let (first, last) = seen.ephemeral;
            let told = self.story(&maybe, owners);
            return Err(CheckError::unobservable(format!(
                "{told}: whether these are servers or clients that wait for an answer cannot be told, because the \
                 kernel gives the ports {first}-{last} to clients{shared}"
            ))
            .hint(format!("give `range: 1-{}`, or name what may be open in `except_ports`", first - 1))
            .detail("open", self.details(&maybe, owners))
            .retryable());
        }
        let verdict = if sure.is_empty() {
            let mut excepted: Vec<u16> =
                seen.all.iter().filter(|listener| self.means(listener)).map(|one| one.port).collect();
            excepted.retain(|port| self.excepts(*port));
            excepted.dedup();
            let told = match excepted.is_empty() {
                true => String::from("none is open"),
                false => format!("open, as they may be: {}", list(&excepted)),
            };
            Verdict::passed().message(format!("{told}{shared}")).actual(told)
        } else {
            let mut message = format!("{}{shared}", self.story(&sure, owners));
            if !maybe.is_empty() {
                let ports: Vec<u16> = maybe.iter().map(|listener| listener.port).collect();
                message.push_str(&format!("; perhaps also, if no client's: {}", list(&ports)));
            }
            let mut ports: Vec<u16> = sure.iter().map(|listener| listener.port).collect();
            ports.dedup();
            Verdict::failed(format!("{message}; stop what listens there, or name the port in `except_ports`"))
                .actual(format!("open: {}", list(&ports)))
                .detail("open", self.details(&sure, owners))
        };
        Ok(verdict.expected(self.expected()))
    }

    /// `port 6379 is open on 0.0.0.0 (redis-server, pid 812)`, for the first of them.
    fn story(&self, open: &[&Listener], owners: &Owners) -> String {
        let mut places: BTreeMap<(u16, String), Vec<String>> = BTreeMap::new();
        for listener in open {
            let owner = owner_of(listener, owners);
            places.entry((listener.port, owner)).or_default().extend(addresses(listener));
        }
        let told: Vec<_> = places
            .iter()
            .take(EXPLAINED)
            .map(|((port, owner), on)| format!("port {} is open on {} ({owner})", self.name(*port), and(on)))
            .collect();
        let mut told = told.join("; ");
        let mut rest: Vec<u16> = places.keys().skip(EXPLAINED).map(|(port, _)| *port).collect();
        rest.dedup();
        if !rest.is_empty() {
            told.push_str(&format!("; open too: {}", list(&rest)));
        }
        told
    }

    fn details(&self, open: &[&Listener], owners: &Owners) -> Value {
        let detail = |listener: &&Listener| {
            let mut told = Map::new();
            told.insert("port".into(), listener.port.into());
            told.insert("protocol".into(), if self.udp { "udp".into() } else { "tcp".into() });
            told.insert("address".into(), listener.address.to_string().into());
            if listener.dual_stack {
                told.insert("dual_stack".into(), true.into());
            }
            if let Some(interface) = &listener.interface {
                told.insert("interface".into(), interface.clone().into());
            }
            told.insert("scope".into(), if listener.loopback { "loopback".into() } else { "public".into() });
            if let Some(owner) = holder(listener, owners) {
                told.insert("process".into(), owner.name.clone().into());
                told.insert("pid".into(), owner.pid.into());
            }
            told.insert("uid".into(), listener.uid.into());
            Value::from(told)
        };
        open.iter().take(DETAILED).map(detail).collect()
    }
}

fn holder<'o>(listener: &Listener, owners: &'o Owners) -> Option<&'o Owner> {
    listener.inodes.iter().find_map(|inode| owners.found.get(inode))
}

fn owner_of(listener: &Listener, owners: &Owners) -> String {
    match (holder(listener, owners), owners.incomplete) {
        (Some(owner), _) => owner.to_string(),
        (None, Some(why)) => format!("owner unknown, user {}: {why}", listener.uid),
        // The kernel's own (NFS, WireGuard), or in a pid namespace that is not ours to see.
        (None, None) => format!("owner unknown, user {}: no process in sight holds it", listener.uid),
    }
}

/// The resolver that the engine puts into a container's network: nothing of the container's.
fn is_engines_resolver(listener: &Listener, owners: &Owners, network: u64) -> bool {
    let elsewhere = |owner: &Owner| owner.network != 0 && network != 0 && owner.network != network;
    listener.address.to_string() == ENGINES_RESOLVER && holder(listener, owners).is_some_and(elsewhere)
}

/// Where it listens, as people write it: a dual-stack listener on `[::]` is on `0.0.0.0`, too.
fn addresses(listener: &Listener) -> Vec<String> {
    let interface = listener.interface.as_deref().map(|name| format!("%{name}")).unwrap_or_default();
    let own = match listener.address {
        IpAddr::V4(address) => format!("{address}{interface}"),
        IpAddr::V6(address) => format!("[{address}{interface}]"),
    };
    match listener.dual_stack {
        true => vec![format!("0.0.0.0{interface}"), own],
        false => vec![own],
    }
}

fn and(words: &[String]) -> String {
    let mut unique: Vec<&str> = Vec::new();
    for word in words {
        if !unique.contains(&word.as_str()) {
            unique.push(word);
        }
    }
    match unique.split_last() {
        Some((last, first)) if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        _ => unique.concat(),
    }
}

fn list(ports: &[u16]) -> String {
    let told: Vec<_> = ports.iter().take(LISTED).map(ToString::to_string).collect();
    match ports.len() > LISTED {
        true => format!("{} and {} more", told.join(", "), ports.len() - LISTED),
        false => told.join(", "),
    }
}

/// Judges a scan of `host`.
pub(crate) fn judge_scan(wanted: &Wanted<'_>, seen: &PortScan, host: &str) -> Result<Verdict, CheckError> {
    let mut open = Vec::new();
    for one in &seen.addresses {
        open.extend(one.open.iter().filter(|port| !wanted.excepts(**port)).map(|port| (*port, one.address)));
    }
    open.sort_unstable();
    let scanned: Value = seen.addresses.iter().map(scanned).collect();
    let expected = wanted.expected();
    if open.is_empty() {
        unproven(seen, host).map_err(|error| error.detail("scanned", scanned.clone()))?;
        let told: Vec<_> = seen.addresses.iter().map(|one| summary(one, wanted)).collect();
        let told = told.join("; ");
        return Ok(Verdict::passed()
            .message(told.clone())
            .expected(expected)
            .actual(told)
            .detail("scanned", scanned));
    }
    let mut places: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for (port, address) in &open {
        places.entry(*port).or_default().push(match address {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        });
    }
    let told: Vec<_> = places
        .iter()
        .take(EXPLAINED)
        .map(|(port, on)| format!("port {port} of {host} accepted a connection at {}", and(on)))
        .collect();
    let mut message = told.join("; ");
    let ports: Vec<u16> = places.keys().copied().collect();
    if let Some(rest @ [_, ..]) = ports.get(EXPLAINED..) {
        message.push_str(&format!("; open too: {}", list(rest)));
    }
    let details: Value = open
        .iter()
        .take(DETAILED)
        .map(|(port, address)| json!({ "port": port, "protocol": "tcp", "address": address.to_string() }))
        .collect();
    Ok(Verdict::failed(format!("{message}; stop what listens there, or name the port in `except_ports`"))
        .expected(expected)
        .actual(format!("open: {}", list(&ports)))
        .detail("open", details)
        .detail("scanned", scanned))
}

/// Why a scan that found nothing proves nothing, if so.
fn unproven(seen: &PortScan, host: &str) -> Result<(), CheckError> {
    // An address that this machine has no way to is nobody's way in from here, if there is another that answers.
    let reachable = |one: &&ScannedAddress| one.answered() || one.silent > 0;
    let silent = seen.addresses.iter().filter(reachable).find(|one| !one.answered());
    let nobody = match silent {
        Some(one) => format!("none of the {} ports of {host} at {} answered", one.silent, one.address),
        None if !seen.addresses.iter().any(ScannedAddress::answered) => {
            format!("{host} cannot be reached from here")
        }
        None => return local_silence(seen),
    };
    Err(CheckError::unobservable(format!("{nobody}, not even by a refusal, so that nothing is proven"))
        .hint(
            "is the host up, is the name right? `method: sockets` on the host itself sees behind a firewall",
        )
        .retryable())
}

/// This machine itself refuses what nobody listens to. What keeps silent there is a listener that does not come to
/// accepting, or dropped by a rule.
fn local_silence(seen: &PortScan) -> Result<(), CheckError> {
    let Some(one) = seen.addresses.iter().find(|one| one.address.is_loopback() && one.silent > 0) else {
        return Ok(());
    };
    Err(CheckError::unobservable(format!(
        "{} of the ports at {} neither accepted nor refused: {}",
        one.silent,
        one.address,
        list(&one.silent_ports)
    ))
    .hint("something may listen there whose queue is full; `method: sockets` tells")
    .retryable())
}

fn summary(one: &ScannedAddress, wanted: &Wanted<'_>) -> String {
    let mut told = Vec::new();
    if !one.open.is_empty() {
        told.push(format!("open, as they may be: {}", list(&one.open)));
    }
    for (count, what) in
        [(one.refused, "refused"), (one.silent, "did not answer"), (one.unreachable, "unreachable from here")]
    {
        if count > 0 {
            told.push(format!("{count} {what}"));
        }
    }
    format!("ports {} at {}: {}", wanted.range, one.address, told.join(", "))
}

fn scanned(one: &ScannedAddress) -> Value {
    json!({
        "address": one.address.to_string(),
        "open": one.open.iter().take(DETAILED).collect::<Vec<_>>(),
        "refused": one.refused,
        "silent": one.silent,
        "unreachable": one.unreachable,
    })
}

#[cfg(test)]
#[path = "open_ports_tests.rs"]
mod tests;
