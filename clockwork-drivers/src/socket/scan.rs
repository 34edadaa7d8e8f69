//! [`PortScanProbe`]: which ports of a host accept a connection, as seen from here.
//!
//! It connects to every port of a range, a bounded number of them at a time, and closes at once what is accepted. How
//! long a port may keep silent follows from how long others took to answer (RFC 6298), so that a firewall that drops
//! does not cost a second a port; a silent one is asked a second time, because a packet may get lost.
//!
//! A connection that meets itself (TCP's simultaneous open, when the kernel gives a client the very port that it
//! connects to) is no open port; [`crate::tcp`] knows.

use std::{net::IpAddr, time::Duration};

use clockwork_core::{CheckError, Context, Fault, Probe};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout};

use super::PortRange;
use crate::{
    platform,
    resolve::resolve,
    tcp::{self, Outcome},
    vantage::network::Network,
};

/// How many connections are tried at a time, where the limit on open files allows.
const AT_ONCE: u64 = 512;
/// How long a port may keep silent before anything is known about the way there; and at least, however short that is.
const PATIENCE: Duration = Duration::from_secs(1);
const LEAST_PATIENCE: Duration = Duration::from_millis(100);
/// How many silent ports are told one by one.
const TOLD: usize = 100;

/// Connects to these ports of a host, at each of its addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PortScanProbe {
    /// A name or an address.
    pub host: String,
    /// The ports.
    pub range: PortRange,
}

/// What the addresses of the host did, in the resolver's order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortScan {
    /// One for each address.
    pub addresses: Vec<ScannedAddress>,
}

/// What the ports of one address did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScannedAddress {
    /// The address.
    pub address: IpAddr,
    /// The ports that accepted a connection, in order.
    pub open: Vec<u16>,
    /// How many refused one.
    pub refused: usize,
    /// How many did not answer: dropped by a firewall, behind a full queue, or no machine is there.
    pub silent: usize,
    /// The first of those.
    pub silent_ports: Vec<u16>,
    /// How many cannot be reached from here, or are rejected on the way.
    pub unreachable: usize,
}

impl ScannedAddress {
    fn new(address: IpAddr) -> Self {
        Self { address, open: Vec::new(), refused: 0, silent: 0, silent_ports: Vec::new(), unreachable: 0 }
    }

    /// Whether anything at this address answered at all.
    pub fn answered(&self) -> bool {
        !self.open.is_empty() || self.refused > 0
    }

    fn scanned(&self) -> usize {
        self.open.len() + self.refused + self.silent + self.unreachable
    }

    fn take(&mut self, port: u16, outcome: Outcome) {
        match outcome {
            Outcome::Accepted => self.open.push(port),
            Outcome::Refused => self.refused += 1,
            Outcome::Silent => {
                self.silent += 1;
                if self.silent_ports.len() < TOLD {
                    self.silent_ports.push(port);
                }
            }
            Outcome::Unreachable | Outcome::NoSuchNetwork | Outcome::Other(_) => self.unreachable += 1,
        }
    }
}

impl Probe for PortScanProbe {
    type Observation = PortScan;

    async fn look(&self, cx: &Context) -> Result<PortScan, CheckError> {
        let network = Network::of(cx).await?;
        if network.is_relayed() {
            return Err(super::cannot_be_seen(cx));
        }
        let mut addresses = Vec::new();
        for address in resolve(&self.host, 0, false, cx).await? {
            addresses.push(scan(&network, address, self.range, cx).await?);
        }
        Ok(PortScan { addresses })
    }

    fn describe(&self) -> String {
        format!("scanning ports {} of {}", self.range, self.host)
    }

    fn looks_inside(&self) -> bool {
        true
    }

    /// How long a scan takes is ours: what was not scanned in time is not known.
    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn target(&self) -> Option<String> {
        Some(self.host.clone())
    }

    fn weight(seen: &PortScan) -> usize {
        seen.addresses.iter().map(|one| 256 + 2 * (one.open.len() + one.silent_ports.len())).sum()
    }
}

async fn scan(
    network: &Network,
    address: std::net::SocketAddr,
    range: PortRange,
    cx: &Context,
) -> Result<ScannedAddress, CheckError> {
    let ip = address.ip();
    let patience = std::sync::Mutex::new(Patience::default());
    let ports = (range.first()..=range.last()).map(|port| {
        let patience = &patience;
        let mut address = address;
        address.set_port(port);
        async move { (port, ask(network, address, patience).await) }
    });
    let mut answers = stream::iter(ports).buffer_unordered(at_once());
    let mut seen = ScannedAddress::new(ip);
    while let Some((port, outcome)) = answers.next().await {
        seen.take(port, outcome?);
        if seen.scanned() % 1024 == 1 {
            let answered = if seen.answered() { "" } else { ", none of which answered" };
            cx.phase(format!("at {ip}, {} ports done{answered}", seen.scanned()));
        }
    }
    drop(answers);
    seen.open.sort_unstable();
    seen.silent_ports.sort_unstable();
    Ok(seen)
}

async fn ask(
    network: &Network,
    address: std::net::SocketAddr,
    patience: &std::sync::Mutex<Patience>,
) -> Result<Outcome, CheckError> {
    let known = || patience.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    for times in [1, 2] {
        let (began, limit) = (Instant::now(), known().limit() * times);
        let Ok((_, ended)) = timeout(limit, tcp::attempt(network, address, None)).await else { continue };
        let outcome = match ended {
            Ok(_) => Outcome::Accepted,
            Err(error) => tcp::classify(address, error)?,
        };
        if matches!(outcome, Outcome::Accepted | Outcome::Refused) {
            known().learn(began.elapsed());
        }
        return Ok(outcome);
    }
    Ok(Outcome::Silent)
}

/// A quarter of the files that may be open: other checks need some, too.
fn at_once() -> usize {
    usize::try_from((platform::open_files() / 4).clamp(8, AT_ONCE)).unwrap_or(8)
}

/// How long to wait, from how long answers took: the smoothed time and its variation.
#[derive(Debug, Default)]
struct Patience(Option<(Duration, Duration)>);

impl Patience {
    fn limit(&self) -> Duration {
        self.0.map_or(PATIENCE, |(smoothed, variation)| {
            (smoothed + 4 * variation).clamp(LEAST_PATIENCE, PATIENCE)
        })
    }

    fn learn(&mut self, took: Duration) {
        self.0 = Some(match self.0 {
            None => (took, took / 2),
            Some((smoothed, variation)) => {
                ((7 * smoothed + took) / 8, (3 * variation + smoothed.abs_diff(took)) / 4)
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_follows_from_the_answers() {
        let mut patience = Patience::default();
        assert_eq!(patience.limit(), PATIENCE);
        patience.learn(Duration::from_micros(50));
        assert_eq!(patience.limit(), LEAST_PATIENCE);
        for _ in 0..50 {
            patience.learn(Duration::from_millis(200));
        }
        assert!((200..300).contains(&patience.limit().as_millis()), "{:?}", patience.limit());
        for _ in 0..50 {
            patience.learn(Duration::from_secs(9));
        }
        assert_eq!(patience.limit(), PATIENCE);
    }
}
