//! Who waits for whom: what a verdict releases, and what is skipped because of it.

use std::{collections::HashSet, sync::Arc};

use super::Dispatcher;

/// What follows from a verdict.
pub(super) enum Step {
    /// All that a resource depends on has its verdicts.
    Release(usize),
    /// A resource has all its own.
    Settle(usize),
}

impl Dispatcher {
    /// Whatever may be looked at after this, or is skipped after it.
    pub(super) fn go_on(&mut self, first: Step) {
        let mut steps = vec![first];
        while let Some(step) = steps.pop() {
            match step {
                Step::Release(node) => self.release(node, &mut steps),
                Step::Settle(node) => self.settle(node, &mut steps),
            }
        }
    }

    /// A resource's dependencies have their verdicts: its checks may be looked at, or are skipped with the cause.
    fn release(&mut self, node: usize, steps: &mut Vec<Step>) {
        let graph = Arc::clone(&self.graph);
        let needs = &graph.nodes[node].needs;
        self.fresh[node] = needs.iter().map(|&needed| self.fresh[needed]).max().unwrap_or(self.run.began);
        self.causes[node] = self.causes_of(needs);
        self.inherited[node] = self.causes[node].len();
        for check in graph.nodes[node].checks.clone() {
            let offered = match (graph.checks[check].late, self.waits[check].is_some()) {
                (true, _) => continue,
                (false, true) if !self.no_longer_waits(check) => continue,
                (false, true) => self.offer_waiting(check),
                (false, false) => {
                    let causes = self.causes[node][..self.inherited[node]].to_vec();
                    self.offer(check, self.fresh[node], causes)
                }
            };
            if !offered {
                self.open_checks[node] -= 1;
            }
        }
        if self.open_checks[node] == 0 {
            steps.push(Step::Settle(node));
        }
    }

    /// A resource has all its verdicts: what waited for them goes on.
    fn settle(&mut self, node: usize, steps: &mut Vec<Step>) {
        let graph = Arc::clone(&self.graph);
        let late = graph.nodes[node].checks.clone().filter(|&check| graph.checks[check].late);
        for check in late.chain(graph.nodes[node].awaited_by.iter().copied()) {
            if !self.no_longer_waits(check) || self.offer_waiting(check) {
                continue;
            }
            if let Some(owner) = graph.checks[check].node.filter(|_| graph.checks[check].counts()) {
                self.open_checks[owner] -= 1;
                if self.open_checks[owner] == 0 {
                    steps.push(Step::Settle(owner));
                }
            }
        }
        for &next in &graph.nodes[node].needed_by {
            self.needs[next] -= 1;
            if self.needs[next] == 0 {
                steps.push(Step::Release(next));
            }
        }
    }

    /// A check waits for one resource less; whether that was the last.
    fn no_longer_waits(&mut self, check: usize) -> bool {
        let Some(waits) = &mut self.waits[check] else { return false };
        *waits = waits.saturating_sub(1);
        *waits == 0
    }

    /// All that a check waits for has its verdicts. Returns whether it is looked at.
    pub(super) fn offer_waiting(&mut self, index: usize) -> bool {
        let graph = Arc::clone(&self.graph);
        let check = &graph.checks[index];
        let about = check.waits.iter().chain(&check.node).copied();
        let fresh = about.clone().map(|node| self.fresh[node]).max().unwrap_or(self.run.began);
        let (mut causes, mut despite) = (Vec::new(), Vec::new());
        for node in about {
            let (inherited, own) = self.causes[node].split_at(self.inherited[node]);
            causes.extend_from_slice(inherited);
            match () {
                // Its siblings wait for nothing, and it does not wait for them.
                () if check.counts() && check.node == Some(node) => {}
                () if check.despite.contains(&node) => despite.extend_from_slice(own),
                () => causes.extend_from_slice(own),
            }
        }
        if !causes.is_empty() {
            causes.append(&mut despite);
        } else if !despite.is_empty() {
            self.despite.insert(index, once(despite));
        }
        self.offer(index, fresh, once(causes))
    }

    /// The root failures beneath these resources, each once.
    fn causes_of(&self, nodes: &[usize]) -> Vec<Arc<str>> {
        once(nodes.iter().flat_map(|&node| &self.causes[node]).cloned().collect())
    }
}

/// Each of these once.
fn once(causes: Vec<Arc<str>>) -> Vec<Arc<str>> {
    let mut seen = HashSet::new();
    causes.into_iter().filter(|cause| seen.insert(Arc::clone(cause))).collect()
}
