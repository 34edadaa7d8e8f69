//! A run with its runtime, its signals and its progress.

use std::{
    mem::ManuallyDrop,
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use clockwork_core::{Engine, Event, EventStream, Graph, Passes, Report, RunOptions, Secrets, Stop};
use tokio::{
    runtime::{Builder, Handle, Runtime, RuntimeFlavor},
    time::{Instant, MissedTickBehavior, interval_at, sleep_until},
};

use crate::{
    cli::RunArgs,
    exit::Exit,
    progress::Progress,
    system::{Signals, end_at_the_second},
};

/// Of fewer checks, several threads do not make up for their start.
const MANY: usize = 16;

/// `timeout` signals its child and then the child's whole group: what comes so soon is still the first signal.
const ONE_SIGNAL: Duration = Duration::from_millis(50);

/// A run that is ready to begin.
pub(crate) struct Run {
    graph: Arc<Graph>,
    events: EventStream,
    stop: Stop,
    runtime: Runtime,
}

impl Run {
    /// `secrets`: where those go that it reads. `foreign`: there is code in the project that may block its thread, or
    /// compute for long.
    ///
    /// # Errors
    /// When an option names a resource that is not there, or the runtime cannot be made. Nothing ran.
    pub(crate) fn new(
        engine: Engine,
        graph: Arc<Graph>,
        args: &RunArgs,
        passes: Passes,
        secrets: Secrets,
        foreign: bool,
    ) -> anyhow::Result<Self> {
        if Handle::try_current().is_ok() {
            bail!(
                "clockwork_action brings its own runtime: call it from a plain `fn main`, or embed `Engine` where there \
                 is a runtime"
            );
        }
        let mut options = RunOptions::default();
        options.only.clone_from(&args.only);
        options.tags.clone_from(&args.tag);
        options.fail_fast = args.fail_fast;
        (options.passes, options.no_cache) = (Some(passes), args.no_cache);
        options.within = args.within;
        options.timeout = args.timeout;
        options.deadline = args.deadline;
        options.concurrency = args.concurrency.map(usize::from);
        options.grace = args.grace;
        options.secrets = secrets;
        let stop = options.stop.clone();
        let events = engine.run(Arc::clone(&graph), options)?;
        // Our own kinds wait for the network, or leave what blocks to other threads: on one thread, without handing
        // each check over and back, they take two thirds of the time. Foreign code that blocks must not keep the others
        // from their deadlines; and where many checks keep a processor busy (TLS handshakes, new connections), several
        // threads take less time, if not less work.
        let computes = graph.len() > MANY && 2 * graph.computing() > graph.len();
        let mut builder = if foreign || computes {
            let mut builder = Builder::new_multi_thread();
            // No more threads than there is work for: starting them is most of what a small run costs.
            let cpus = thread::available_parallelism().map_or(2, usize::from);
            builder.worker_threads(cpus.min(graph.len()).max(2));
            builder
        } else {
            Builder::new_current_thread()
        };
        let runtime = builder.enable_all().build().context("cannot start the runtime")?;
        Ok(Self { graph, events, stop, runtime })
    }

    /// Runs it to its end, or to the first signal: there is a whole report either way.
    pub(crate) fn watch(self, progress: Progress) -> anyhow::Result<Arc<Report>> {
        let Self { graph, events, stop, runtime } = self;
        let heard = Arc::<OnceLock<Instant>>::default();
        let report = runtime.block_on(async {
            tokio::spawn(heed(Signals::listen()?, stop, Arc::clone(&heard)));
            // On a worker, as the main thread would have to be woken for every attempt that ends.
            tokio::spawn(follow(events, progress, graph)).await.context("the run was lost")
        });
        // It lives as long as the process: what hangs in a system call must not hold up the report, and a second signal
        // must still be heard while somebody is slow to read it.
        let runtime = ManuallyDrop::new(runtime);
        if let RuntimeFlavor::CurrentThread = runtime.handle().runtime_flavor() {
            let first = heard.get().copied();
            if let Some(first) = first {
                runtime.block_on(async { sleep_until(first + ONE_SIGNAL).await });
            }
            end_at_the_second(runtime, first.is_some());
        }
        report
    }
}

async fn follow(mut events: EventStream, mut progress: Progress, graph: Arc<Graph>) -> Arc<Report> {
    let report = match progress.tick() {
        None => last(&mut events).await,
        Some(tick) => show(&mut events, &mut progress, &graph, tick).await,
    };
    progress.finish();
    match report {
        Some(report) => report,
        None => unreachable!("a run ends with its report"),
    }
}

async fn last(events: &mut EventStream) -> Option<Arc<Report>> {
    loop {
        if let Event::Finished(report) = events.next().await? {
            return Some(report);
        }
    }
}

async fn show(
    events: &mut EventStream,
    progress: &mut Progress,
    graph: &Graph,
    tick: Duration,
) -> Option<Arc<Report>> {
    let mut ticks = interval_at(Instant::now() + Progress::QUIET_FOR, tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let mut event = tokio::select! {
            biased;
            _ = ticks.tick() => {
                progress.show(graph);
                continue;
            }
            event = events.next() => Some(event?),
        };
        // They come in bursts.
        let now = std::time::Instant::now();
        while let Some(next) = event {
            if let Event::Finished(report) = next {
                return Some(report);
            }
            progress.note(now, next);
            event = events.waiting();
        }
    }
}

/// The first signal stops the run, which still reports; the second one ends the process where it stands.
async fn heed(mut signals: Signals, stop: Stop, heard: Arc<OnceLock<Instant>>) {
    signals.next().await;
    stop.stop();
    let first = *heard.get_or_init(Instant::now);
    while first.elapsed() < ONE_SIGNAL {
        signals.next().await;
    }
    std::process::exit(Exit::Interrupted.code().into());
}
