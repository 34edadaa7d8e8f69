//! Where a run stands: the events so far, folded.

use std::{collections::HashMap, sync::Arc, time::Instant};

use clockwork_core::{Event, Graph, Outcome, Project};

use crate::outline::Outline;

/// Where a run stands.
#[derive(Debug)]
pub(super) struct State {
    /// `None`, if nobody will ask what waits for what.
    project: Option<Project>,
    /// What waits for what. Only runs that last long enough to be shown need it.
    waiting: Option<Waiting>,
    pub(super) began: Instant,
    pub(super) total: usize,
    pub(super) judged: usize,
    pub(super) failed: usize,
    pub(super) warnings: usize,
    pub(super) open: HashMap<Arc<str>, Open>,
}

/// A check that was looked at and has no verdict yet.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) began: Instant,
    /// The attempts that have ended.
    pub(super) attempts: u32,
    /// What the last one found.
    pub(super) last: Option<(Outcome, String)>,
}

#[derive(Debug)]
struct Waiting {
    outline: Outline,
    /// How many checks of each resource have no verdict yet, and whether any was looked at.
    open: Vec<(usize, bool)>,
    /// Which resource a check is on.
    owner: HashMap<String, usize>,
}

impl State {
    pub(super) fn new(project: impl Into<Option<Project>>, graph: &Graph) -> Self {
        Self {
            project: project.into(),
            waiting: None,
            began: Instant::now(),
            total: graph.len(),
            judged: 0,
            failed: 0,
            warnings: 0,
            open: HashMap::new(),
        }
    }

    pub(super) fn fold(&mut self, graph: &Graph, at: Instant, event: Event) {
        if let (Some(project), None) = (&self.project, &self.waiting) {
            self.waiting = Some(Waiting::new(project, graph));
        }
        let waiting = self.waiting.as_mut();
        match event {
            Event::Started { id } => {
                if let Some(waiting) = waiting
                    && let Some(&owner) = waiting.owner.get(&*id)
                {
                    waiting.open[owner].1 = true;
                }
                self.open.insert(id, Open { began: at, attempts: 0, last: None });
            }
            Event::Attempt { id, number, outcome, message, .. } => {
                if let Some(open) = self.open.get_mut(&id) {
                    open.attempts = number;
                    open.last = Some((outcome, message));
                }
            }
            Event::Judged(result) => {
                self.open.remove(&result.id);
                self.judged += 1;
                self.failed += usize::from(result.fails_the_run());
                self.warnings += usize::from(result.is_warning());
                if let Some(waiting) = waiting
                    && let Some(&owner) = waiting.owner.get(&*result.id)
                {
                    waiting.open[owner].0 = waiting.open[owner].0.saturating_sub(1);
                }
            }
            _ => {}
        }
    }

    /// What is being looked at, the longest first.
    pub(super) fn by_age(&self) -> Vec<(&str, &Open)> {
        let mut open: Vec<_> = self.open.iter().map(|(id, open)| (&**id, open)).collect();
        open.sort_by_key(|(id, open)| (open.began, *id));
        open
    }

    /// The resources that wait, and for which others.
    pub(super) fn waiting(&self) -> Vec<(&str, Vec<&str>)> {
        let Some(Waiting { outline, open, .. }) = &self.waiting else { return Vec::new() };
        let mut unsettled = vec![false; outline.resources.len()];
        let mut waiting = Vec::new();
        for (number, node) in outline.resources.iter().enumerate() {
            let blockers: Vec<_> = node.needs.iter().filter(|&&needed| unsettled[needed]).collect();
            let (left, looked_at) = open[number];
            unsettled[number] = left > 0 || !blockers.is_empty();
            if left > 0 && !looked_at && !blockers.is_empty() {
                let names = blockers.iter().map(|&&needed| outline.resources[needed].name.as_str());
                waiting.push((node.name.as_str(), names.collect()));
            }
        }
        waiting
    }
}

impl Waiting {
    fn new(project: &Project, graph: &Graph) -> Self {
        let outline = Outline::new(project, graph);
        let open = outline.resources.iter().map(|node| (node.checks.len(), false)).collect();
        let resources = outline.resources.iter().enumerate();
        let owner = resources
            .flat_map(|(number, node)| node.checks.iter().map(move |check| (check.clone(), number)))
            .collect();
        Self { outline, open, owner }
    }
}
