//! Sockets inside a container's network, made from the host.
//!
//! A socket belongs for its whole life to the network namespace that it was made in, whoever uses it. So it is enough
//! to *make* it there: one thread of each run enters a namespace, makes a socket, and hands it out; connecting, reading
//! and writing go on in the run's own runtime as with any other socket. Nothing runs in the container, nothing has to be
//! installed there, and two hundred vantages cost one thread and a descriptor each, which end with the run.
//!
//! Where the namespace is not ours to enter, the engine carries the bytes ([`super::relay`]).

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::unix::fs::MetadataExt,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

use clockwork_core::{CheckError, Context, Vantage};
use nix::sched::{CloneFlags, setns};
use tokio::{
    net::{TcpSocket, TcpStream, UdpSocket},
    sync::oneshot,
};

#[cfg(feature = "container")]
use super::{no_entry, relay::Relay};

/// Where a probe makes its sockets: in the host's network, or in a container's.
#[derive(Debug, Clone)]
pub(crate) enum Network {
    Host,
    Inside {
        namespace: Arc<File>,
        maker: Arc<Maker>,
    },
    /// By what the engine runs in there.
    #[cfg(feature = "container")]
    Relayed(Relay),
}

/// Why a namespace was not entered.
#[cfg(feature = "container")]
enum Kept {
    /// We may not; another way may lead there.
    Out(String),
    /// None does.
    Away(CheckError),
}

impl Network {
    /// The network of this context's vantage.
    ///
    /// # Errors
    /// When the resource is no container, the container does not run, or no way leads into its network.
    pub(crate) async fn of(cx: &Context) -> Result<Self, CheckError> {
        let Vantage::Inside(name) = cx.vantage() else { return Ok(Self::Host) };
        #[cfg(feature = "container")]
        return Self::inside(name, cx).await;
        #[cfg(not(feature = "container"))]
        Err(CheckError::unobservable(format!("cannot look from inside {name}"))
            .hint("build clockwork-drivers with its `container` feature"))
    }

    #[cfg(feature = "container")]
    async fn inside(name: &clockwork_core::ResourceName, cx: &Context) -> Result<Self, CheckError> {
        let (engine, seen) = crate::container::running(cx, name).await?;
        let Some(details) = &*seen else { return Ok(Self::Host) }; // it is there, or that was an error
        let why = match crate::container::process_here(details).await {
            None => String::from("its container runs on another machine, or hidden from this one"),
            Some(pid) => match Self::of_process(pid, cx).await {
                Ok(network) => {
                    cx.looks_by("namespace");
                    return Ok(network);
                }
                Err(Kept::Out(why)) => why,
                Err(Kept::Away(error)) => return Err(error),
            },
        };
        Relay::to(&engine, details, &why, cx).await.map(Self::Relayed)
    }

    #[cfg(feature = "container")]
    async fn of_process(pid: u32, cx: &Context) -> Result<Self, Kept> {
        let networks = cx.shared::<Networks>();
        let path = format!("/proc/{pid}/ns/net");
        let kept = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => {
                Kept::Out(String::from("no permission to enter its network (CAP_SYS_ADMIN)"))
            }
            _ => Kept::Away(no_entry(pid, error)),
        };
        // Not by the process: its number may be another container's by now. A namespace keeps its own while we hold it.
        let there = std::fs::metadata(&path).map_err(kept)?;
        if let Some(known) = networks.0.lock().unwrap_or_else(PoisonError::into_inner).get(&there.ino()) {
            return Ok(known.clone());
        }
        let namespace = File::open(&path).map_err(kept)?;
        let number = namespace.metadata().map_err(kept)?.ino();
        let network = match is_our_own(&namespace) {
            true => Self::Host, // a container on the host's network
            false => {
                // Entered once, to learn here whether we may.
                let (namespace, maker) = (Arc::new(namespace), cx.shared::<Maker>());
                maker.make(&namespace, || Ok(())).await.map_err(kept)?;
                Self::Inside { namespace, maker }
            }
        };
        networks.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number, network.clone());
        Ok(network)
    }

    /// Whether what comes from there comes through a relay, which cannot tell silence from slowness.
    pub(crate) fn is_relayed(&self) -> bool {
        #[cfg(feature = "container")]
        return matches!(self, Self::Relayed(_));
        #[cfg(not(feature = "container"))]
        false
    }

    /// What `work` finds on a thread that is in this network. It may block, though not for long: inside a container, the
    /// run's other sockets wait for it.
    #[cfg(feature = "socket")]
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        match self {
            Self::Host => tokio::task::spawn_blocking(work).await?,
            Self::Inside { namespace, maker } => maker.make(namespace, work).await,
            #[cfg(feature = "container")]
            Self::Relayed(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// A connection to `address`. `cx` hears what is done on the way there.
    #[cfg_attr(
        not(feature = "container"),
        expect(unused_variables, reason = "there is no way but the direct one")
    )]
    pub(crate) async fn connect(&self, address: SocketAddr, cx: Option<&Context>) -> io::Result<TcpStream> {
        let (namespace, maker) = match self {
            Self::Host => return TcpStream::connect(address).await,
            Self::Inside { namespace, maker } => (namespace, maker),
            #[cfg(feature = "container")]
            Self::Relayed(relay) => return relay.tcp(address, cx).await,
        };
        let make = move || if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() };
        let stream = maker.make(namespace, make).await?.connect(address).await?;
        // They stay in the container's socket table for a while, where they are not the container's own.
        if let Ok(local) = stream.local_addr() {
            let canonical =
                |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
            let mut own = maker.own.lock().unwrap_or_else(PoisonError::into_inner);
            own.insert((canonical(local), canonical(address)));
        }
        Ok(stream)
    }

    /// A UDP socket that talks to `address` alone.
    #[cfg_attr(
        not(feature = "container"),
        expect(unused_variables, reason = "there is no way but the direct one")
    )]
    pub(crate) async fn udp(&self, address: SocketAddr, cx: Option<&Context>) -> io::Result<UdpSocket> {
        let any: SocketAddr = match address {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = match self {
            Self::Host => UdpSocket::bind(any).await?,
            Self::Inside { namespace, maker } => {
                let make = move || {
                    let socket = std::net::UdpSocket::bind(any)?;
                    socket.set_nonblocking(true)?;
                    Ok(socket)
                };
                UdpSocket::from_std(maker.make(namespace, make).await?)?
            }
            #[cfg(feature = "container")]
            Self::Relayed(relay) => return relay.udp(address, cx).await,
        };
        socket.connect(address).await?; // so that the kernel tells this socket of refusals, and of this peer alone
        Ok(socket)
    }
}

/// The networks that this run has looked from, by the numbers of their namespaces.
#[derive(Default)]
struct Networks(Mutex<HashMap<u64, Network>>);

fn is_our_own(namespace: &File) -> bool {
    let identity = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
    match (namespace.metadata(), std::fs::metadata("/proc/self/ns/net")) {
        (Ok(there), Ok(here)) => identity(there) == identity(here),
        _ => false,
    }
}

type Job = Box<dyn FnOnce() + Send>;

/// The thread that enters namespaces. It is in none in particular: each job enters the one that it needs. It ends when
/// the run does, which drops the sender.
#[derive(Debug, Default)]
pub(crate) struct Maker {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    /// The connections that were made inside containers, from here to there.
    own: Mutex<HashSet<(SocketAddr, SocketAddr)>>,
}

impl Maker {
    /// What `make` makes inside this namespace.
    async fn make<T: Send + 'static>(
        &self,
        namespace: &Arc<File>,
        make: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let (answer, answered) = oneshot::channel();
        let namespace = Arc::clone(namespace);
        let job: Job = Box::new(move || {
            let made =
                setns(&*namespace, CloneFlags::CLONE_NEWNET).map_err(io::Error::from).and_then(|()| make());
            drop(answer.send(made)); // nobody waits any more: what was made is closed
        });
        self.jobs()?
            .send(job)
            .map_err(|_| io::Error::other("the thread that enters namespaces has ended"))?;
        answered.await.map_err(|_| io::Error::other("the thread that enters namespaces has ended"))?
    }

    /// The connections that this run made inside containers, from here to there.
    #[cfg(all(feature = "container", feature = "http", feature = "socket"))]
    pub(crate) fn own(&self) -> HashSet<(SocketAddr, SocketAddr)> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn jobs(&self) -> io::Result<mpsc::Sender<Job>> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(jobs) = &*jobs {
            return Ok(jobs.clone());
        }
        let (sender, receiver) = mpsc::channel::<Job>();
        std::thread::Builder::new().name(String::from("namespaces")).spawn(move || {
            for job in receiver {
                job();
            }
        })?;
        Ok(jobs.insert(sender).clone())
    }
}
