//! The floor: what a good engineer would write by hand in tokio for exactly these checks. No framework, no report, no
//! retries; every answer is still checked, so that it cannot be fast by not looking.

mod containers;
mod dns;
mod files;
mod http;
mod processes;
mod sockets;
mod sql;
mod tls;

use std::{
    collections::{HashMap, HashSet},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, ensure};
use tokio::{net::TcpStream, runtime::Builder, sync::OnceCell, task::JoinSet};

use crate::check::Check;

pub(crate) use files::hex;

/// The argument that makes this binary the floor.
pub(crate) const PART: &str = "--floor";

/// How many checks run at the same time: as many as in the manifests.
const CONCURRENCY: usize = 64;

/// tokio's two runtimes. Which one is faster depends on the scenario, so both are tried, and the faster is the floor.
pub(crate) const RUNTIMES: [&str; 2] = ["one thread", "many threads"];

/// Does every check of the list in this file; fails at the first that does not hold.
pub(crate) fn run(list: Option<&String>, runtime: Option<&String>) -> anyhow::Result<ExitCode> {
    let text = std::fs::read_to_string(list.context("which list?")?)?;
    let checks: Option<Vec<Check>> = text.lines().map(Check::from_line).collect();
    let work = Arc::new(Work::new(checks.context("the list cannot be read")?)?);
    let runtime = match runtime {
        Some(runtime) if runtime == RUNTIMES[0] => Builder::new_current_thread().enable_all().build()?,
        _ => Builder::new_multi_thread().enable_all().build()?,
    };
    runtime.block_on(async {
        let mut workers = JoinSet::new();
        for _ in 0..CONCURRENCY.min(work.checks.len()) {
            workers.spawn(worker(Arc::clone(&work)));
        }
        while let Some(done) = workers.join_next().await {
            done??;
        }
        anyhow::Ok(())
    })?;
    println!("All {} checks passed", work.checks.len());
    Ok(ExitCode::SUCCESS)
}

/// What all workers share.
struct Work {
    checks: Vec<Check>,
    next: AtomicUsize,
    files: files::Expected,
    processes: OnceCell<HashSet<String>>,
    containers: OnceCell<HashMap<String, String>>,
    tls: OnceCell<tls::Client>,
    database: OnceCell<sql::Connection>,
}

impl Work {
    fn new(checks: Vec<Check>) -> anyhow::Result<Self> {
        Ok(Self {
            files: files::Expected::new(&checks)?,
            checks,
            next: AtomicUsize::new(0),
            processes: OnceCell::new(),
            containers: OnceCell::new(),
            tls: OnceCell::new(),
            database: OnceCell::new(),
        })
    }
}

/// Takes one check after the other until none is left, over one HTTP connection of its own.
async fn worker(work: Arc<Work>) -> anyhow::Result<()> {
    let mut client = http::Client::default();
    loop {
        let index = work.next.fetch_add(1, Ordering::Relaxed);
        let Some(check) = work.checks.get(index) else { return Ok(()) };
        holds(check, &work, index, &mut client).await.with_context(|| format!("{check:?}"))?;
    }
}

async fn holds(
    check: &Check,
    work: &Arc<Work>,
    index: usize,
    client: &mut http::Client,
) -> anyhow::Result<()> {
    match check {
        Check::Http { address, path, body } => client.check(address, path, body).await,
        Check::Tcp { address } => {
            drop(TcpStream::connect(address).await?);
            Ok(())
        }
        Check::Tls { address, ca_file } => {
            let client = work.tls.get_or_try_init(async || tls::Client::new(ca_file)).await?;
            client.check(address).await
        }
        Check::Dns { resolver, name, address } => dns::check(resolver, name, address).await,
        Check::File { .. } | Check::Exists { .. } | Check::Vulnerabilities { .. } => {
            let work = Arc::clone(work);
            tokio::task::spawn_blocking(move || work.files.check(&work.checks[index])).await?
        }
        Check::Process { name, runs } => {
            let running = work
                .processes
                .get_or_try_init(async || tokio::task::spawn_blocking(processes::names).await?)
                .await?;
            ensure!(running.contains(name) == *runs, "runs: {}", !runs);
            Ok(())
        }
        Check::ClosedPort { port } => {
            let port = *port;
            tokio::task::spawn_blocking(move || sockets::closed(port)).await?
        }
        Check::Sql { port, password_file, number } => {
            let connection = work.database.get_or_try_init(|| sql::connect(*port, password_file)).await?;
            sql::check(connection, *number).await
        }
        Check::Container { name } => {
            let states = work.containers.get_or_try_init(containers::states).await?;
            let state = states.get(name).map(String::as_str);
            ensure!(state == Some("running"), "{state:?}");
            Ok(())
        }
    }
}
