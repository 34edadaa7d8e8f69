//! What is known of the networks, and whom a socket connects: pure.

use std::{
    collections::{HashMap, HashSet},
    net::{IpAddr, SocketAddr},
};

use crate::socket::connection::{Connection, Phase, Table};

/// Parties by their number: the containers first, then the endpoints.
pub(super) type Party = usize;

/// A network namespace, and which containers are in it.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) members: Vec<Party>,
    /// It is this machine's own: other processes are in it, too.
    pub(super) is_host: bool,
    pub(super) table: Table,
    /// Whose a socket is, by its inode, where several are in the network.
    pub(super) owners: HashMap<u32, Party>,
}

/// All that is known.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) networks: Vec<Network>,
    /// Which network has this address.
    pub(super) addresses: HashMap<IpAddr, usize>,
    /// The addresses of this machine.
    pub(super) host: HashSet<IpAddr>,
    /// Ports of this machine that lead to a container: on which address (all, if `None`), to whom.
    pub(super) published: HashMap<u16, Vec<(Option<IpAddr>, Party)>>,
    /// Where endpoints listen.
    pub(super) endpoints: HashMap<SocketAddr, Party>,
    /// Connections that our own checks made, from here to there.
    pub(super) own: HashSet<(SocketAddr, SocketAddr)>,
}

/// A relationship that a socket shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Seen {
    pub(super) from: Party,
    pub(super) to: Result<Party, SocketAddr>,
    /// The port of the one who listens, as the client knows it.
    pub(super) port: u16,
    pub(super) phase: Phase,
    /// Whether it is known which of the two is the client.
    pub(super) sure: bool,
}

impl Network {
    /// Whose this socket is; 0 has no process any more.
    fn owner(&self, inode: u32) -> Option<Party> {
        match (&self.members[..], self.is_host) {
            ([only], false) => Some(*only),
            _ => self.owners.get(&inode).copied(),
        }
    }

    /// Whether sockets have to be told apart by their processes.
    pub(super) fn is_shared(&self) -> bool {
        self.is_host || self.members.len() > 1
    }
}

impl World {
    /// All that the tables show.
    pub(super) fn seen(&self) -> HashSet<Seen> {
        let mut all = HashSet::new();
        for (here, network) in self.networks.iter().enumerate() {
            for connection in &network.table.connections {
                all.extend(self.shows(here, connection));
            }
        }
        all
    }

    fn shows(&self, here: usize, connection: &Connection) -> Option<Seen> {
        let Connection { local, remote, phase, inode } = *connection;
        if self.own.contains(&(local, remote)) || self.own.contains(&(remote, local)) {
            return None;
        }
        let network = &self.networks[here];
        let me = network.owner(inode);
        let there = self.network_of(here, remote.ip());
        let listens_here = network.table.listener(local);
        let listens_there = there.and_then(|there| self.networks[there].table.listener(remote));
        let (client, sure) = match (listens_here, listens_there, phase) {
            (_, _, Phase::Trying) | (None, Some(_), _) => (true, true),
            (Some(_), None, _) => (false, true),
            // Nobody listens any more, or both do.
            _ => match network.table.looks_like_a_client(connection) {
                Some(client) => (client, true),
                None => (true, there.is_none()),
            },
        };
        if client {
            let from = me?;
            let to = match self.listener(here, there, remote) {
                Found::Party(party) => Ok(party),
                Found::Outside => Err(remote),
                Found::Unknown => return None,
            };
            return (to != Ok(from)).then_some(Seen { from, to, port: remote.port(), phase, sure });
        }
        let to = me.or_else(|| network.owner(listens_here?))?;
        let there = &self.networks[there?];
        let theirs = || there.table.connections.iter().find(|one| one.local == remote && one.remote == local);
        let from = match there.is_shared() {
            false => there.owner(0),
            true => theirs().and_then(|theirs| there.owner(theirs.inode)),
        }?;
        (from != to).then_some(Seen { from, to: Ok(to), port: local.port(), phase, sure })
    }

    /// The network that has this address, seen from this one.
    fn network_of(&self, here: usize, address: IpAddr) -> Option<usize> {
        if address.is_loopback() {
            return Some(here);
        }
        self.addresses.get(&address).copied()
    }

    /// Who listens at this address.
    fn listener(&self, here: usize, there: Option<usize>, at: SocketAddr) -> Found {
        if let Some(party) = self.endpoints.get(&at) {
            return Found::Party(*party);
        }
        let of_host = self.host.contains(&at.ip()) || (at.ip().is_loopback() && self.networks[here].is_host);
        if of_host {
            let reaches =
                |(address, _): &&(Option<IpAddr>, Party)| address.is_none_or(|address| address == at.ip());
            if let Some((_, party)) = self.published.get(&at.port()).and_then(|all| all.iter().find(reaches))
            {
                return Found::Party(*party);
            }
        }
        let Some(there) =
            there.or_else(|| self.networks.iter().position(|network| network.is_host && of_host))
        else {
            return Found::Outside;
        };
        let network = &self.networks[there];
        match network.is_shared() {
            false => network.owner(0).map_or(Found::Unknown, Found::Party),
            true => match network.table.listener(at).and_then(|inode| network.owner(inode)) {
                Some(party) => Found::Party(party),
                // Some other process of this machine; or a container beside this one that has stopped to listen.
                None if network.is_host => Found::Outside,
                None => Found::Unknown,
            },
        }
    }
}

enum Found {
    Party(Party),
    Outside,
    Unknown,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use super::*;

    const API: Party = 0;
    const DATABASE: Party = 1;
    const HOSTED: Party = 2;
    const ENDPOINT: Party = 3;

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    /// The api at 10.0.0.2 and fd00::2, the database at 10.0.0.3, which listens at 5432 and is published as 15432, a
    /// container on the host's network that listens at 9000, and an endpoint.
    fn world(connections: &[(usize, &str, &str, Phase)]) -> World {
        let ephemeral = (32768, 60999);
        let table = |listeners: &[(&str, u32)]| Table {
            listeners: listeners.iter().map(|(address, inode)| (at(address), *inode)).collect(),
            ephemeral,
            ..Table::default()
        };
        let network = |member, table| Network { members: vec![member], table, ..Network::default() };
        let host = Network {
            is_host: true,
            owners: [(90, HOSTED), (91, HOSTED)].into(),
            ..network(HOSTED, table(&[("0.0.0.0:9000", 90), ("0.0.0.0:22", 5)]))
        };
        let mut world = World {
            networks: vec![
                network(API, table(&[("0.0.0.0:8080", 1)])),
                network(DATABASE, table(&[("[::]:5432", 2), ("0.0.0.0:5432", 2)])),
                host,
            ],
            addresses: [("10.0.0.2", 0), ("fd00::2", 0), ("10.0.0.3", 1), ("fd00::3", 1)]
                .map(|(address, network)| (address.parse().unwrap(), network))
                .into(),
            host: ["10.0.0.1", "192.0.2.1"].map(|address| address.parse().unwrap()).into(),
            published: [(15432, vec![(None, DATABASE)])].into(),
            endpoints: [(at("198.51.100.7:443"), ENDPOINT)].into(),
            own: HashSet::new(),
        };
        for (network, local, remote, phase) in connections {
            let inode = if *network == 2 { 91 } else { 50 };
            let connection = Connection { local: at(local), remote: at(remote), phase: *phase, inode };
            world.networks[*network].table.connections.push(connection);
        }
        world
    }

    #[test]
    fn a_connection_goes_from_the_client_to_the_listener() {
        let open = Phase::Open;
        // in which network, local, remote; from whom, to whom, at which port, for sure
        for (network, local, remote, expected) in [
            (0, "10.0.0.2:40000", "10.0.0.3:5432", Some((API, Ok(DATABASE), 5432, true))),
            (1, "10.0.0.3:5432", "10.0.0.2:40000", Some((API, Ok(DATABASE), 5432, true))),
            (1, "[fd00::3]:5432", "[fd00::2]:40000", Some((API, Ok(DATABASE), 5432, true))),
            (1, "10.0.0.3:40000", "10.0.0.2:8080", Some((DATABASE, Ok(API), 8080, true))),
            // By the port that the host publishes.
            (0, "10.0.0.2:40000", "192.0.2.1:15432", Some((API, Ok(DATABASE), 15432, true))),
            // By a container on the host's network, from it, and by another process there.
            (0, "10.0.0.2:40000", "10.0.0.1:9000", Some((API, Ok(HOSTED), 9000, true))),
            (2, "10.0.0.1:40000", "10.0.0.3:5432", Some((HOSTED, Ok(DATABASE), 5432, true))),
            (2, "127.0.0.1:40000", "127.0.0.1:15432", Some((HOSTED, Ok(DATABASE), 15432, true))),
            (0, "10.0.0.2:40000", "10.0.0.1:22", Some((API, Err(at("10.0.0.1:22")), 22, true))),
            // Elsewhere, and from elsewhere.
            (0, "10.0.0.2:40000", "198.51.100.7:443", Some((API, Ok(ENDPOINT), 443, true))),
            (0, "10.0.0.2:40000", "198.51.100.7:80", Some((API, Err(at("198.51.100.7:80")), 80, true))),
            (0, "10.0.0.2:8080", "203.0.113.9:55555", None),
            // Within the container.
            (0, "127.0.0.1:40000", "127.0.0.1:8080", None),
            // Nobody listens any more: by the ports, where these tell it.
            (0, "10.0.0.2:40000", "10.0.0.3:6000", Some((API, Ok(DATABASE), 6000, true))),
            (0, "10.0.0.2:6000", "10.0.0.3:40000", Some((DATABASE, Ok(API), 6000, true))),
            (0, "10.0.0.2:40000", "10.0.0.3:40001", Some((API, Ok(DATABASE), 40001, false))),
        ] {
            let seen = world(&[(network, local, remote, open)]).seen();
            let seen: Vec<_> = seen.iter().map(|seen| (seen.from, seen.to, seen.port, seen.sure)).collect();
            assert_eq!(seen, expected.into_iter().collect::<Vec<_>>(), "{local} - {remote}");
        }
    }

    #[test]
    fn our_own_connections_are_nobodys() {
        let mut world = world(&[
            (0, "10.0.0.2:40000", "10.0.0.3:5432", Phase::Over),
            (1, "10.0.0.3:5432", "10.0.0.2:40000", Phase::Open),
        ]);
        world.own.insert((at("10.0.0.2:40000"), at("10.0.0.3:5432")));
        assert_eq!(world.seen(), HashSet::new());
    }

    #[test]
    fn containers_that_share_a_network_are_told_apart_by_their_sockets() {
        let mut world = world(&[]);
        let network = &mut world.networks[0];
        network.members.push(DATABASE);
        network.owners = [(7, API), (1, DATABASE)].into();
        let within = Connection {
            local: at("127.0.0.1:40000"),
            remote: at("127.0.0.1:8080"),
            phase: Phase::Open,
            inode: 7,
        };
        network.table.connections.push(within);
        let seen: Vec<_> = world.seen().into_iter().map(|seen| (seen.from, seen.to, seen.port)).collect();
        assert_eq!(seen, [(API, Ok(DATABASE), 8080)]);
    }
}
