//! The network namespaces of Linux: entered by one thread of the run, which makes what is needed there.

use std::{
    collections::{HashMap, HashSet},
    fs::File,
    io,
    net::SocketAddr,
    os::unix::fs::MetadataExt,
    sync::{Arc, Mutex, PoisonError, mpsc},
};

#[cfg(feature = "container")]
use clockwork_core::Context;
use nix::sched::{CloneFlags, setns};
use tokio::sync::oneshot;

use super::Network;
#[cfg(feature = "container")]
use super::{super::no_entry, Kept};

/// A container's network.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    pub(crate) file: Arc<File>,
    maker: Arc<Maker>,
}

impl Namespace {
    /// The network of this process.
    #[cfg(feature = "container")]
    pub(super) async fn of_process(pid: u32, cx: &Context) -> Result<Network, Kept> {
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
            true => Network::Host, // a container on the host's network
            false => {
                // Entered once, to learn here whether we may.
                let namespace = Self { file: Arc::new(namespace), maker: cx.shared::<Maker>() };
                namespace.make(|| Ok(())).await.map_err(kept)?;
                Network::Inside(namespace)
            }
        };
        networks.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number, network.clone());
        Ok(network)
    }

    /// What `make` makes inside of it.
    pub(super) async fn make<T: Send + 'static>(
        &self,
        make: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        self.maker.make(&self.file, make).await
    }

    /// A connection of ours stays in the container's socket table for a while, where it is not the container's own.
    pub(super) fn remember(&self, local: SocketAddr, remote: SocketAddr) {
        let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
        let mut own = self.maker.own.lock().unwrap_or_else(PoisonError::into_inner);
        own.insert((canonical(local), canonical(remote)));
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
