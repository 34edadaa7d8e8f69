//! The dispatcher: one loop that holds all state of a run. It starts attempts, hears how they ended, schedules retries,
//! and releases what waited. Attempts live in [`Lanes`], or on the threads of [`Aside`]; when the loop ends or is dropped, so
//! do they.

mod ending;
mod waiting;

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, HashMap, VecDeque},
    future::{Future as _, poll_fn},
    pin::pin,
    sync::{Arc, PoisonError},
    task::Poll,
    time::Duration,
};

use tokio::time::Instant;

use self::waiting::Step;
use super::{
    RunOptions, Stop,
    aside::{self, Aside, Job, clock_is_paused, stuck},
    attempt::{GRACE, Raw, context, overdue},
    finding::Finding,
    lanes::{Lanes, Work},
    result::{Story, because, blank, tell, tell_the_story},
    schedule::{Next, Times, next},
    timeline::Timeline,
};
use crate::{
    CheckError, Event, Outcome, Passes, Report,
    cleanup::Todo,
    clock::rfc3339,
    context::Run,
    event::Events,
    fresh::Fingerprint,
    graph::{Check, Graph, Node},
    report::CheckResult,
};

/// Runs a validated project.
pub(crate) async fn run(run: Run, passes: Passes, options: RunOptions, events: Events) -> Report {
    let run = Arc::new(run);
    // Looks that nobody waits for any more end with the run, also when the run is dropped half-way.
    let _end = EndOfRun(Arc::clone(&run));
    Dispatcher::new(run, passes, options, events).run().await
}

struct EndOfRun(Arc<Run>);

impl Drop for EndOfRun {
    fn drop(&mut self) {
        self.0.left.close();
        self.0.shelf.clear();
    }
}

/// A check that was looked at and has no verdict yet.
struct Active {
    began: Instant,
    attempts: u32,
    holds_since: Option<Instant>,
    timeline: Timeline,
    last: Option<Finding>,
    /// The end of `within` leaves the attempt that runs less time than it would have.
    cut_short: bool,
    /// The attempt that runs.
    runs: Runs,
    /// What its verdict rests on, under `fresh_for`.
    rests_on: Option<Fingerprint>,
}

/// Where an attempt runs.
enum Runs {
    Nowhere,
    Lane,
    Aside(Asked),
}

/// An attempt that may block its thread. When this is dropped, nobody waits for it any more.
struct Asked(Arc<Job>);

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.give_up();
    }
}

impl Active {
    fn new(began: Instant) -> Self {
        Self {
            began,
            attempts: 0,
            holds_since: None,
            timeline: Timeline::default(),
            last: None,
            cut_short: false,
            runs: Runs::Nowhere,
            rests_on: None,
        }
    }
}

struct Dispatcher {
    run: Arc<Run>,
    graph: Arc<Graph>,
    passes: Passes,
    options: RunOptions,
    events: Events,
    started_at: String,
    timeout: Duration,
    within: Option<Duration>,
    deadline: Option<Instant>,
    host: Arc<str>,
    concurrency: usize,

    lanes: Lanes,
    aside: Aside,
    /// Whether those that may block their thread run on others.
    has_threads: bool,
    /// How many of them run, and until when each of those may that were begun.
    aside_now: usize,
    overdue: BinaryHeap<Reverse<(Instant, usize)>>,
    ready: VecDeque<(usize, Instant)>,
    sleeping: BinaryHeap<Reverse<(Instant, usize)>>,
    active: Vec<Option<Box<Active>>>,
    /// The memory of those that have their verdicts.
    #[expect(clippy::vec_box, reason = "the boxes are what is used again")]
    spare: Vec<Box<Active>>,
    results: Vec<Option<Arc<CheckResult>>>,
    open: usize,

    /// How many resources each one still waits for, and how many checks of its own are open.
    needs: Vec<usize>,
    open_checks: Vec<usize>,
    /// The root failures that each resource stands on, then its own; empty where it holds.
    causes: Vec<Vec<Arc<str>>>,
    /// How many of these are not its own.
    inherited: Vec<usize>,
    /// Observations older than this do not show what the verdicts of a resource's dependencies rest on.
    fresh: Vec<Instant>,
    /// How many resources each check still waits for that is about several, or looks from another one; none for others.
    waits: Vec<Option<u32>>,
    /// The failures in spite of which a check is looked at.
    despite: HashMap<usize, Vec<Arc<str>>>,
    /// Why nothing more is looked at.
    enough: Option<String>,
}

impl Dispatcher {
    fn new(run: Arc<Run>, passes: Passes, options: RunOptions, events: Events) -> Self {
        let graph = Arc::clone(&run.graph);
        let defaults = &graph.defaults;
        let began = run.began;
        // One that is declared on a resource also waits for that one's turn, or, where it comes late, for its verdicts.
        let waits = graph.checks.iter().map(|check| {
            let waits = check.node.is_none() || !check.waits.is_empty();
            waits.then(|| check.waits.len() as u32 + check.node.map_or(0, |_| 1))
        });
        let waits = waits.collect();
        let open_checks =
            |node: &Node| graph.checks[node.checks.clone()].iter().filter(|c| c.counts()).count();
        Self {
            started_at: rfc3339(run.clock.now()),
            timeout: options.timeout.unwrap_or(defaults.timeout),
            within: options.within.or(defaults.within),
            deadline: options.deadline.or(defaults.deadline).map(|deadline| began + deadline),
            host: "host".into(),
            concurrency: options.concurrency.unwrap_or(defaults.concurrency).max(1),
            lanes: Lanes::new(),
            aside: Aside::new(),
            has_threads: !clock_is_paused(),
            aside_now: 0,
            overdue: BinaryHeap::new(),
            ready: VecDeque::with_capacity(graph.checks.len()),
            sleeping: BinaryHeap::new(),
            active: std::iter::repeat_with(|| None).take(graph.checks.len()).collect(),
            spare: Vec::new(),
            results: vec![None; graph.checks.len()],
            open: graph.checks.len(),
            needs: graph.nodes.iter().map(|node| node.needs.len()).collect(),
            open_checks: graph.nodes.iter().map(open_checks).collect(),
            causes: vec![Vec::new(); graph.nodes.len()],
            inherited: vec![0; graph.nodes.len()],
            fresh: vec![began; graph.nodes.len()],
            waits,
            despite: HashMap::new(),
            enough: None,
            graph,
            run,
            passes,
            options,
            events,
        }
    }

    async fn run(mut self) -> Report {
        set_the_clock().await;
        // First those that wait for nothing: others come to that below, and are offered then.
        for check in 0..self.graph.checks.len() {
            if self.waits[check] == Some(0) {
                self.offer_waiting(check);
            }
        }
        for node in (0..self.graph.nodes.len()).filter(|&node| self.needs[node] == 0).collect::<Vec<_>>() {
            self.go_on(Step::Release(node));
        }
        let stop: Stop = self.options.stop.clone();
        let stopped = stop.stopped();
        tokio::pin!(stopped);
        let mut interrupted = false;
        while self.open > 0 {
            self.start_ready();
            if self.open == 0 {
                break; // what passed before took no attempt
            }
            let wake = self.sleeping.peek().map(|Reverse((at, _))| *at);
            let late = self.overdue.peek().map(|Reverse((at, _))| *at);
            self.events.tell();
            tokio::select! {
                biased;
                () = &mut stopped => {
                    interrupted = true;
                    self.skip_the_rest("the run was interrupted").await;
                }
                () = self.lanes.wait() => {
                    let now = Instant::now();
                    for ended in self.lanes.ended() {
                        if self.enough.is_none() {
                            self.brought(ended.check, ended.raw, now);
                        }
                    }
                }
                () = self.aside.wait(), if self.aside_now > 0 => {
                    let now = Instant::now();
                    for ended in self.aside.ended() {
                        if self.enough.is_none() {
                            self.ended_aside(ended, now);
                        }
                    }
                }
                () = at(self.deadline) => self.out_of_time().await,
                () = at(wake) => self.wake(),
                () = at(late) => self.look_after_overdue(),
            }
            if let Some(reason) = self.enough.take() {
                self.skip_the_rest(&reason).await;
            }
        }
        self.events.tell();
        self.lanes.abort();
        let results = self.results.into_iter().flatten().collect();
        Report::new(
            self.graph.project.clone(),
            self.started_at,
            self.run.began.elapsed(),
            interrupted,
            results,
        )
    }

    /// Queues a check, or skips it and returns `false`.
    fn offer(&mut self, check: usize, fresh_since: Instant, causes: Vec<Arc<str>>) -> bool {
        let (message, caused_by) = match self.left_out(&self.graph.checks[check]) {
            Some(reason) => (reason, Vec::new()),
            None if causes.is_empty() => {
                self.ready.push_back((check, fresh_since));
                return true;
            }
            None => (because(&causes), causes),
        };
        let result = CheckResult { message, caused_by, ..blank(&self.graph, &self.host, check) };
        self.conclude(check, Arc::new(result));
        false
    }

    /// Why a check is not looked at, if it is not.
    fn left_out(&self, check: &Check) -> Option<String> {
        let (only, tags) = (&self.options.only, &self.options.tags);
        let options = &check.declared.options;
        if !only.is_empty() {
            let mut about = check.related.iter().chain(&check.node).map(|&node| self.graph.name(node));
            if !about.any(|name| only.iter().any(|wanted| wanted == name)) {
                return Some(String::from("not selected by --only"));
            }
        }
        if !tags.is_empty() && !options.tags.iter().any(|tag| tags.contains(tag)) {
            return Some(String::from("not selected by --tag"));
        }
        options.skip.clone()
    }

    fn start_ready(&mut self) {
        if self.ready.is_empty() {
            return;
        }
        let (now, graph) = (Instant::now(), Arc::clone(&self.graph));
        let mut aside = Vec::new();
        while self.lanes.busy() + self.aside_now < self.concurrency
            && let Some((check, fresh_since)) = self.ready.pop_front()
        {
            let options = &graph.checks[check].declared.options;
            let mut active = self.active[check].take().unwrap_or_else(|| {
                self.events.emit(|| Event::Started { id: Arc::clone(&graph.checks[check].id) });
                let new = Active::new(now);
                match self.spare.pop() {
                    Some(mut used) => {
                        *used = new;
                        used
                    }
                    None => Box::new(new),
                }
            });
            active.rests_on = options.fresh_for.map(|_| Fingerprint::of(&graph, check));
            if active.attempts == 0
                && let Some(passed) = self.passed_before(check, active.rests_on)
            {
                self.judged(check, passed, active, now);
                continue;
            }
            active.attempts += 1;
            active.cut_short = false;
            let mut deadline = now + options.timeout.unwrap_or(self.timeout);
            if let Some(within) = options.within.or(self.within)
                && active.holds_since.is_none()
            {
                let end = active.began + within;
                active.cut_short = end < deadline;
                deadline = deadline.min(end);
            }
            if let Some(node) = self.graph.checks[check].node {
                self.fresh[node] = self.fresh[node].max(fresh_since);
            }
            let cx = context(&self.run, check, fresh_since, deadline);
            active.runs = if self.has_threads && graph.checks[check].declared.assertion.may_block() {
                let job = self.aside.job(check, cx);
                aside.push(Arc::clone(&job));
                self.aside_now += 1;
                self.overdue.push(Reverse((deadline + 2 * GRACE, check)));
                Runs::Aside(Asked(job))
            } else {
                self.lanes.run(check, Work::Attempt(cx), &self.run.mask);
                Runs::Lane
            };
            self.active[check] = Some(active);
        }
        self.aside.run(aside);
    }

    /// That it passed not long ago, where that may be used again.
    fn passed_before(&self, check: usize, rests_on: Option<Fingerprint>) -> Option<Finding> {
        let fresh_for = self.graph.checks[check].declared.options.fresh_for?;
        let key = rests_on.filter(|_| !self.options.no_cache)?;
        self.passes.find(key, fresh_for, self.run.clock.now())
    }

    fn wake(&mut self) {
        let now = Instant::now();
        while let Some(&Reverse((at, check))) = self.sleeping.peek()
            && at <= now
        {
            self.sleeping.pop();
            if self.results[check].is_none() {
                self.ready.push_back((check, at));
            }
        }
    }

    /// An attempt that may have blocked its thread ended.
    fn ended_aside(&mut self, ended: aside::Ended, now: Instant) {
        let aside::Ended { job, raw } = ended;
        let runs = self.active[job.check].as_ref().map(|active| &active.runs);
        if runs.is_some_and(|runs| matches!(runs, Runs::Aside(Asked(asked)) if Arc::ptr_eq(asked, &job))) {
            self.aside_now -= 1;
            self.brought(job.check, raw, now);
        }
    }

    /// One that holds its thread, or never got one, is given up when its time is over. Others end by themselves.
    fn look_after_overdue(&mut self) {
        let now = Instant::now();
        while let Some(&Reverse((at, check))) = self.overdue.peek()
            && at <= now
        {
            self.overdue.pop();
            let Some(active) = &self.active[check] else { continue };
            let Runs::Aside(Asked(job)) = &active.runs else { continue };
            if job.cx.deadline().is_none_or(|deadline| deadline + 2 * GRACE > now) {
                continue; // that was an earlier attempt's
            }
            let raw = match job.blocks() {
                Some(held) => Err(stuck(held)),
                None if job.has_begun() => {
                    self.overdue.push(Reverse((now + GRACE, check)));
                    continue;
                }
                None => Err(overdue(now - active.began)),
            };
            let todo = Todo::new(check, job.cx.clone());
            self.aside_now -= 1;
            if todo.is_empty() {
                self.brought(check, raw, now);
            } else if let Some(active) = &mut self.active[check] {
                active.runs = Runs::Lane;
                self.lanes.run(check, Work::CleanUp(Box::new((todo, raw))), &self.run.mask);
            }
        }
    }

    /// What an attempt brought.
    fn brought(&mut self, check: usize, raw: Raw, now: Instant) {
        if self.results[check].is_some() {
            return;
        }
        let Some(mut active) = self.active[check].take() else { return };
        active.runs = Runs::Nowhere;
        let graph = Arc::clone(&self.graph);
        let options = &graph.checks[check].declared.options;
        let starved = active.cut_short && raw.as_ref().is_err_and(CheckError::is_timeout);
        let mut fresh = false;
        let mut finding = match active.last.take() {
            // That the last attempt had too little time says less than what the one before it saw.
            Some(last) if starved && last.outcome != Outcome::Passed => last,
            _ => {
                fresh = true;
                Finding::new(raw, options.not).masked(&self.run.mask)
            }
        };
        if finding.outcome == Outcome::Passed && options.holds_for.is_some() && active.holds_since.is_none() {
            active.holds_since = Some(now);
        }
        let times = Times {
            run_began: self.run.began,
            began: active.began,
            within: options.within.or(self.within),
            holds_since: active.holds_since,
            attempts: active.attempts,
        };
        let next = next(finding.outcome, finding.retry, options, times, now);
        // One attempt has no story.
        if fresh && (active.attempts > 1 || matches!(next, Next::At(_))) {
            active.timeline.add(now - active.began, finding.outcome, &finding.words.message);
        }
        match next {
            Next::At(at) => {
                self.events.emit(|| Event::Attempt {
                    id: Arc::clone(&self.graph.checks[check].id),
                    number: active.attempts,
                    outcome: finding.outcome,
                    message: finding.words.message.clone(),
                    again_in: at - now,
                });
                active.last = Some(finding);
                self.active[check] = Some(active);
                self.sleeping.push(Reverse((at, check)));
            }
            Next::Done => {
                let story =
                    Story { began: active.began, attempts: active.attempts, holds_since: active.holds_since };
                tell_the_story(&mut finding, options, &story, now);
                self.judged(check, finding, active, now);
            }
        }
    }

    fn judged(&mut self, check: usize, mut finding: Finding, mut active: Box<Active>, now: Instant) {
        self.tell_the_way(check, &mut finding);
        let fresh_for = self.graph.checks[check].declared.options.fresh_for;
        if let (Some(key), Some(fresh_for), None) = (active.rests_on, fresh_for, finding.reused) {
            self.passes.note(key, &finding, fresh_for, self.run.clock.now());
        }
        let despite = if self.despite.is_empty() { None } else { self.despite.remove(&check) };
        // Made where it stays, and filled in there: it is large.
        let mut result = Arc::new(blank(&self.graph, &self.host, check));
        let told = Arc::make_mut(&mut result);
        match despite {
            // It could not be judged, and what it stands on had failed before: no failure of its own.
            Some(causes) if !finding.judged && finding.outcome != Outcome::Passed => {
                told.message = format!("{}: {}", because(&causes), finding.words.message);
                told.caused_by = causes;
            }
            _ => {
                tell(told, finding);
                told.timeline = std::mem::take(&mut active.timeline).into_transitions();
            }
        }
        told.attempts = active.attempts;
        told.began = active.began - self.run.began;
        told.duration = now - active.began;
        self.spare.push(active);
        let fails = result.fails_the_run();
        self.conclude(check, result);
        if fails && self.options.fail_fast {
            let id = Arc::clone(&self.graph.checks[check].id);
            self.enough = Some(format!("the run stopped at its first failure, {id}"));
        } else if let Some(node) = self.graph.checks[check].node
            && self.graph.checks[check].counts()
        {
            self.open_checks[node] -= 1;
            if self.open_checks[node] == 0 {
                self.go_on(Step::Settle(node));
            }
        }
    }

    /// By which way it was looked from inside of what.
    fn tell_the_way(&self, check: usize, finding: &mut Finding) {
        let check = &self.graph.checks[check];
        if check.declared.options.at.is_none() && check.explains.is_none() {
            return;
        }
        let ways = self.run.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let service = check.explains.map(|node| self.graph.nodes[node].resource.common().name());
        let places = check.declared.options.at.iter().chain(service);
        let told: BTreeMap<&str, &str> =
            places.filter_map(|name| Some((name.as_str(), *ways.get(name)?))).collect();
        if !told.is_empty() {
            finding.details.add("vantage", &told);
        }
    }

    /// Notes a result; a failure becomes a cause for whatever depends on its resource.
    fn conclude(&mut self, check: usize, result: Arc<CheckResult>) {
        if let (true, true, Some(node)) =
            (result.fails_the_run(), self.graph.checks[check].counts(), self.graph.checks[check].node)
        {
            self.causes[node].push(Arc::clone(&result.id));
        }
        self.events.emit(|| Event::Judged(Arc::clone(&result)));
        self.results[check] = Some(result);
        self.open -= 1;
    }
}

/// Until the runtime has waited once with an alarm set, tokio tells itself of each further one by a system call.
async fn set_the_clock() {
    let mut alarm = pin!(tokio::time::sleep(Duration::from_millis(1)));
    poll_fn(|task| Poll::Ready(_ = alarm.as_mut().poll(task))).await;
    tokio::task::yield_now().await;
}

/// Waits until then; forever, where there is no such time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
