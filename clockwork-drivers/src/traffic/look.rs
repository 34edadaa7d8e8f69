//! Collects what is known, again and again for a while.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
    os::unix::fs::MetadataExt,
    time::Duration,
};

use clockwork_core::{CheckError, Context, ResourceName, Vantage};
use tokio::time::{Instant, sleep};

use super::{
    probe::{Link, Traffic, TrafficProbe},
    world::{Network, Party, Seen, World},
};
use crate::{
    container::{ContainerDetails, ContainerInspect, ContainerRef, container_of, process_here},
    endpoint::EndpointResource,
    resolve::resolve,
    socket::{
        OwnerProbe,
        connection::{self, Connection, Phase},
    },
    usage::cgroup::names_container,
    vantage::{network as entered, no_entry},
};

/// How long between two looks.
const BETWEEN: Duration = Duration::from_millis(100);

/// How many addresses elsewhere are told.
const OUTSIDE: usize = 100;

/// A container that runs.
struct Running {
    party: Party,
    details: ContainerDetails,
    network: entered::Network,
    namespace: u64,
}

/// Looks, and looks again until it has looked for as long as it is to.
pub(super) async fn look(probe: &TrafficProbe, cx: &Context) -> Result<Traffic, CheckError> {
    let mut traffic = Traffic::default();
    let mut running = Vec::new();
    let mut world = World { host: host_addresses(), ..World::default() };
    for (party, name) in probe.resources.iter().enumerate() {
        let Some(resource) = cx.resource_named(name.as_str()) else { continue };
        if let Some(container) = container_of(&**resource) {
            match member(party, name, &ContainerRef::from(container), cx).await? {
                Ok(found) => running.push(found),
                Err(state) => traffic.absent.push((name.clone(), state)),
            }
        } else if let Some((host, port)) =
            resource.downcast_ref::<EndpointResource>().and_then(EndpointResource::address)
        {
            // A name that does not resolve is other assertions' business: nobody is connected to it.
            let found = resolve(&host, port, false, cx).await.unwrap_or_default();
            world.endpoints.extend(found.into_iter().map(|address| (address, party)));
        }
    }
    let entered = networks(&running, &mut world);
    let maker = cx.shared::<entered::Maker>();
    let (began, mut all) = (Instant::now(), HashMap::<_, (Phase, bool)>::new());
    loop {
        cx.phase("reading the socket tables of the containers");
        for (index, network) in entered.iter().enumerate() {
            let table = network.run(connection::read).await.map_err(|error| {
                CheckError::unobservable("cannot read the kernel's socket table").with_source(error)
            })?;
            world.networks[index].table = table;
            if world.networks[index].is_shared() {
                owners(&mut world.networks[index], &running, cx).await?;
            }
        }
        world.own = maker.own();
        for Seen { from, to, port, phase, sure } in world.seen() {
            let known = all.entry((from, to, port)).or_insert((phase, sure));
            *known = (known.0.max(phase), known.1 | sure);
        }
        traffic.looks += 1;
        let left = (began + probe.over).saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        sleep(left.min(BETWEEN)).await;
    }
    for ((from, to, port), (phase, sure)) in all {
        let from = probe.resources[from].clone();
        match to {
            Ok(to) => traffic.links.push(Link {
                from,
                to: probe.resources[to].clone(),
                port,
                live: phase == Phase::Open,
                only_tried: phase == Phase::Trying,
                sure,
            }),
            Err(address) => traffic.outside.push((from, address)),
        }
    }
    traffic.links.sort();
    traffic.outside.sort();
    traffic.outside.truncate(OUTSIDE);
    Ok(traffic)
}

/// The container, with its network; or what it is where it does not run.
async fn member(
    party: Party,
    name: &ResourceName,
    reference: &ContainerRef,
    cx: &Context,
) -> Result<Result<Running, String>, CheckError> {
    let seen = cx.observe(ContainerInspect::from(reference)).await?;
    let Some(details) = &*seen else { return Ok(Err(String::from("there is no such container"))) };
    if details.state.pid == 0 {
        return Ok(Err(format!("it is {}", details.state())));
    }
    let Some(pid) = process_here(details).await else {
        return Err(CheckError::unobservable(format!(
            "cannot see the sockets of {name}: its container runs on another machine, or hidden from this one"
        ))
        .hint("run clockwork where the container's engine runs, with its process table in sight"));
    };
    let inside = cx.from_vantage(Vantage::Inside(name.clone()));
    let network = entered::Network::of(&inside).await?;
    let namespace =
        std::fs::metadata(format!("/proc/{pid}/ns/net")).map_err(|error| no_entry(pid, error))?.ino();
    Ok(Ok(Running { party, details: details.clone(), network, namespace }))
}

/// Groups the containers by their networks, and notes where each can be reached.
fn networks(running: &[Running], world: &mut World) -> Vec<entered::Network> {
    let (mut entered, mut by_namespace) = (Vec::new(), BTreeMap::new());
    for Running { party, details, network, namespace } in running {
        let index = *by_namespace.entry(*namespace).or_insert_with(|| {
            entered.push(network.clone());
            let is_host = matches!(network, entered::Network::Host);
            world.networks.push(Network { is_host, ..Network::default() });
            world.networks.len() - 1
        });
        world.networks[index].members.push(*party);
        world.addresses.extend(details.addresses().map(|address| (address, index)));
        for (address, port) in details.published() {
            world.published.entry(port).or_default().push((address, *party));
        }
    }
    entered
}

/// Finds out whose the sockets of a shared network are.
async fn owners(network: &mut Network, running: &[Running], cx: &Context) -> Result<(), CheckError> {
    let connections = network.table.connections.iter().map(|Connection { inode, .. }| *inode);
    let inodes: HashSet<u32> =
        connections.chain(network.table.listeners.iter().map(|(_, inode)| *inode)).collect();
    let mut unknown: Vec<u32> =
        inodes.into_iter().filter(|inode| *inode != 0 && !network.owners.contains_key(inode)).collect();
    unknown.sort_unstable();
    if unknown.is_empty() {
        return Ok(());
    }
    let found = cx.measure(OwnerProbe(unknown)).await?;
    let members: Vec<_> = running.iter().filter(|one| network.members.contains(&one.party)).collect();
    let mut by_process = HashMap::new();
    for (inode, owner) in &found.found {
        let party = *by_process.entry(owner.pid).or_insert_with(|| {
            let groups = std::fs::read_to_string(format!("/proc/{}/cgroup", owner.pid)).unwrap_or_default();
            members.iter().find(|one| names_container(&groups, &one.details.id)).map(|one| one.party)
        });
        if let Some(party) = party {
            network.owners.insert(*inode, party);
        }
    }
    Ok(())
}

/// The addresses of this machine's interfaces.
fn host_addresses() -> HashSet<IpAddr> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let address = |interface: nix::ifaddrs::InterfaceAddress| {
        let address = interface.address?;
        let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
        v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
    };
    interfaces.filter_map(address).filter(|address| !address.is_loopback()).collect()
}
