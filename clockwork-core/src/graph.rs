//! [`Graph`]: a project, validated: what waits for what, and every check in the order of the report.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
    ops::{Deref, Range},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use crate::{
    Assertion, Declared, Lock, Problem, Project, ProjectError, Resource, ResourceName, Sentence, ids::Ids,
    near::nearest, project::Defaults, project::owner_name,
};

/// A validated project.
#[derive(Debug)]
pub struct Graph {
    pub(crate) project: String,
    pub(crate) defaults: Defaults,
    pub(crate) nodes: Vec<Node>,
    pub(crate) lock: Option<Arc<Lock>>,
    /// In the order of the report: the graph's, then the manifest's; the cross-resource ones last.
    pub(crate) checks: Vec<Check>,
    by_name: HashMap<ResourceName, usize, foldhash::fast::RandomState>,
    order: Vec<usize>,
    /// How many more times the nearest name is looked for, which takes a look at every name.
    hints: AtomicUsize,
}

/// Ten thousand unknown names among ten thousand known ones would take minutes, and nobody reads so many hints.
const HINTS: usize = 64;

/// A resource with its place in the graph.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) resource: Arc<dyn Resource>,
    pub(crate) needs: Vec<usize>,
    pub(crate) needed_by: Vec<usize>,
    /// The composite that it is a part of.
    pub(crate) parent: Option<usize>,
    /// What its assertions are about, and so stand before it, though it does not depend on it.
    after: Vec<usize>,
    pub(crate) checks: Range<usize>,
    /// The checks that are about it or look from inside it, and wait for its verdicts.
    pub(crate) awaited_by: Vec<usize>,
    path: Vec<String>,
}

/// That one resource uses another, as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relationship {
    /// The one that uses.
    pub from: ResourceName,
    /// The one that is used.
    pub to: ResourceName,
    /// Whether `depends_on` says so.
    pub depends_on: bool,
    /// The id of the first assertion that implies it, if any does.
    pub implied_by: Option<String>,
}

/// One assertion to be judged.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) id: Arc<str>,
    pub(crate) node: Option<usize>,
    pub(crate) declared: Declared,
    /// Most have none.
    ties: Option<Box<Ties>>,
}

/// What ties a check to resources other than its own.
#[derive(Debug, Default)]
pub(crate) struct Ties {
    /// The resources that it is about, beside the one that it is declared on.
    pub(crate) related: Vec<usize>,
    /// The resources that it waits for: those that it is about, and the one that it looks from.
    pub(crate) waits: Vec<usize>,
    /// One of those stands behind its own resource: it waits for that one's verdicts too, and holds up nobody.
    pub(crate) late: bool,
    /// The resources whose own failures do not keep it from being looked at: the one whose failures it may explain, and
    /// the one that it looks from.
    pub(crate) despite: Vec<usize>,
    /// The resource whose failures it may explain.
    pub(crate) explains: Option<usize>,
    /// What it is about, where that is a relationship: `api → postgres-db`.
    pub(crate) relationship: Option<Arc<str>>,
}

impl Deref for Check {
    type Target = Ties;

    fn deref(&self) -> &Ties {
        static NONE: Ties = Ties {
            related: Vec::new(),
            waits: Vec::new(),
            late: false,
            despite: Vec::new(),
            explains: None,
            relationship: None,
        };
        self.ties.as_deref().unwrap_or(&NONE)
    }
}

impl Check {
    /// Whether its resource's verdicts are not complete without it, and whoever depends on that waits for it.
    pub(crate) fn counts(&self) -> bool {
        self.node.is_some() && !self.late
    }
}

impl Graph {
    /// Validates a project.
    ///
    /// # Errors
    /// All that is wrong with it, at once.
    pub fn new(project: &Project) -> Result<Self, ProjectError> {
        let mut problems = Vec::new();
        let mut graph = Self {
            project: project.name.clone(),
            defaults: project.defaults.clone(),
            nodes: Vec::new(),
            lock: project.lock.clone(),
            checks: Vec::new(),
            by_name: HashMap::default(),
            order: Vec::new(),
            hints: AtomicUsize::new(HINTS),
        };
        if project.name.trim().is_empty() {
            problems.push(Problem::new(
                "no-project-name",
                &["project"],
                "a project needs a name, which names its state",
            ));
        }
        for resource in &project.resources {
            graph.add(resource, None, &["resources".to_owned()], &mut problems);
        }
        graph.connect(&mut problems);
        let implied = graph.imply();
        graph.sort(&mut problems);
        for node in &graph.nodes {
            node.problems(&graph, &mut problems);
        }
        for (index, declared) in project.assertions.iter().enumerate() {
            let path = || vec!["assertions".to_owned(), index.to_string()];
            graph.declared_problems(declared, None, path, &mut problems);
        }
        for entry in project.lock.iter().flat_map(|lock| &lock.entries) {
            for (index, part) in entry.parts.iter().enumerate() {
                let path = || vec!["lock".to_owned(), entry.text.clone(), index.to_string()];
                graph.declared_problems(&part.declared, part.owner(&graph), path, &mut problems);
            }
        }
        let none = project.assertions.is_empty()
            && graph.nodes.iter().all(|n| n.resource.common().assertions.is_empty());
        if none && problems.is_empty() {
            let message = "nothing is asserted, so nothing could be proven: add `assertions` to a resource or to the project";
            problems.push(Problem::new("no-assertions", &[], message));
        }
        if !problems.is_empty() {
            return Err(ProjectError { problems });
        }
        graph.collect_checks(&project.assertions, &implied);
        Ok(graph)
    }

    /// Adds a resource and, below it, its parts.
    fn add(
        &mut self,
        resource: &Arc<dyn Resource>,
        parent: Option<usize>,
        at: &[String],
        problems: &mut Vec<Problem>,
    ) {
        let name = resource.common().name();
        let path: Vec<String> = at.iter().cloned().chain([name.to_string()]).collect();
        if let Err(message) = name.check() {
            problems.push(Problem { code: "bad-name", path: path.clone(), message });
        }
        let index = self.nodes.len();
        if let Some(first) = self.by_name.get(name) {
            let first = self.nodes[*first].path.join(".");
            let message = format!("two resources are called `{name}`; the other one is at {first}");
            problems.push(Problem { code: "duplicate-resource", path: path.clone(), message });
        } else {
            self.by_name.insert(name.clone(), index);
        }
        let below: Vec<String> = path.iter().cloned().chain(["children".to_owned()]).collect();
        let node = Node {
            resource: Arc::clone(resource),
            needs: Vec::new(),
            needed_by: Vec::new(),
            parent,
            after: Vec::new(),
            checks: 0..0,
            awaited_by: Vec::new(),
            path,
        };
        self.nodes.push(node);
        for child in resource.children() {
            self.add(child, Some(index), &below, problems);
        }
    }

    /// Draws the edges: `depends_on`, a composite to its parts, and parts to what their composite depends on.
    fn connect(&mut self, problems: &mut Vec<Problem>) {
        let mut edges = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            for (place, name) in node.resource.common().depends_on.iter().enumerate() {
                match self.by_name.get(name) {
                    Some(&needed) => {
                        edges.push((index, needed));
                        self.parts_of(index).for_each(|part| edges.push((part, needed)));
                    }
                    None => {
                        let mut path = node.path.clone();
                        path.extend(["depends_on".to_owned(), place.to_string()]);
                        problems.push(Problem {
                            code: "unknown-resource",
                            path,
                            message: self.unknown(name.as_str()),
                        });
                    }
                }
            }
            if let Some(parent) = node.parent {
                edges.push((parent, index));
            }
        }
        let mut drawn = HashSet::new();
        for (index, needed) in edges {
            if drawn.insert((index, needed)) {
                self.nodes[index].needs.push(needed);
                self.nodes[needed].needed_by.push(index);
            }
        }
    }

    /// The parts of a composite, and their parts. They stand right behind it.
    fn parts_of(&self, composite: usize) -> impl Iterator<Item = usize> + '_ {
        let within = move |mut index: usize| {
            while let Some(parent) = self.nodes[index].parent {
                if parent == composite {
                    return true;
                }
                index = parent;
            }
            false
        };
        (composite + 1..self.nodes.len()).take_while(move |&index| within(index))
    }

    pub(crate) fn unknown(&self, name: &str) -> String {
        let left = self.hints.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        // In the order of declaration: of two that are equally near, it is always the same.
        let near = left.ok().and_then(|_| nearest(name, (0..self.nodes.len()).map(|node| self.name(node))));
        let near = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        format!("there is no resource {}{near}", crate::text::quote(name))
    }

    /// The order that assertions imply: a resource stands behind what its assertions are about or look from, unless that
    /// leads in a circle. Returns the assertions for which it does, as the resource and the place there.
    fn imply(&mut self) -> HashSet<(usize, usize)> {
        let mut implied: Vec<(usize, usize, usize)> = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            for (place, declared) in node.resource.common().assertions.iter().enumerate() {
                let waits =
                    self.waits(declared, Some(index), self.indices(declared.assertion(), Some(index)));
                implied.extend(waits.into_iter().map(|to| (index, place, to)));
            }
        }
        if implied.is_empty() {
            return HashSet::new();
        }
        let mut edges: Vec<Vec<usize>> = self.nodes.iter().map(|node| node.needs.clone()).collect();
        implied.iter().for_each(|&(from, _, to)| edges[from].push(to));
        let circles = crate::circles::circles(&edges);
        let (mut late, mut drawn) = (HashSet::new(), HashSet::new());
        for (from, place, to) in implied {
            if circles[from] == circles[to] {
                late.insert((from, place));
            } else if drawn.insert((from, to)) {
                self.nodes[from].after.push(to);
            }
        }
        late
    }

    /// What a check waits for, beside what its own resource depends on: what it is about (`related`), and where it looks
    /// from.
    fn waits(&self, declared: &Declared, owner: Option<usize>, related: Vec<usize>) -> Vec<usize> {
        let mut waits = related;
        if let Some(at) = &declared.options.at
            && let Some(&at) = self.by_name.get(at)
            && owner != Some(at)
            && !waits.contains(&at)
        {
            waits.push(at);
        }
        waits
    }

    /// Kahn's algorithm, the earliest declared first; whatever is left over lies on or behind a cycle.
    fn sort(&mut self, problems: &mut Vec<Problem>) {
        let mut waiting: Vec<usize> =
            self.nodes.iter().map(|node| node.needs.len() + node.after.len()).collect();
        let mut before = vec![Vec::new(); self.nodes.len()];
        for (index, node) in self.nodes.iter().enumerate() {
            node.after.iter().for_each(|&other| before[other].push(index));
        }
        let mut ready: BinaryHeap<_> =
            (0..self.nodes.len()).filter(|&n| waiting[n] == 0).map(Reverse).collect();
        while let Some(Reverse(index)) = ready.pop() {
            self.order.push(index);
            for &next in self.nodes[index].needed_by.iter().chain(&before[index]) {
                waiting[next] -= 1;
                if waiting[next] == 0 {
                    ready.push(Reverse(next));
                }
            }
        }
        // Every cycle is told once, by walking back from what is left until a resource comes up again.
        let mut told = HashSet::new();
        for start in (0..self.nodes.len()).filter(|&n| waiting[n] > 0) {
            let (mut walk, mut here) = (vec![start], start);
            let cycle = loop {
                if told.contains(&here) {
                    break Vec::new();
                }
                // A node that is left over needs another one that is.
                let Some(&next) = self.nodes[here].needs.iter().find(|&&n| waiting[n] > 0) else {
                    break Vec::new();
                };
                if let Some(at) = walk.iter().position(|&n| n == next) {
                    break walk.split_off(at);
                }
                walk.push(next);
                here = next;
            };
            told.extend(walk);
            let Some(&first) = cycle.iter().min() else { continue };
            told.extend(cycle.iter().copied());
            let turn = cycle.iter().position(|&n| n == first).unwrap_or(0);
            let names: Vec<_> =
                cycle.iter().cycle().skip(turn).take(cycle.len() + 1).map(|&n| self.name(n)).collect();
            let mut path = self.nodes[first].path.clone();
            path.push("depends_on".to_owned());
            let message = format!("resources depend on each other in a circle: {}", names.join(" → "));
            problems.push(Problem { code: "dependency-cycle", path, message });
        }
    }

    fn declared_problems(
        &self,
        declared: &Declared,
        owner: Option<&dyn Resource>,
        path: impl Fn() -> Vec<String>,
        problems: &mut Vec<Problem>,
    ) {
        let assertion = declared.assertion();
        let place = |part: &str| [path(), vec![part.to_owned()]].concat();
        for invalid in assertion.validate(owner) {
            let mut path = place(assertion.kind());
            path.extend(invalid.field.split('.').filter(|part| !part.is_empty()).map(str::to_owned));
            problems.push(Problem { code: "invalid-assertion", path, message: invalid.message });
        }
        for name in assertion.related() {
            if !self.by_name.contains_key(&name) {
                let (path, message) = (place(assertion.kind()), self.unknown(name.as_str()));
                problems.push(Problem { code: "unknown-resource", path, message });
            }
        }
        if let Some(at) = &declared.options.at {
            if !self.by_name.contains_key(at) {
                let (path, message) = (place("at"), self.unknown(at.as_str()));
                problems.push(Problem { code: "unknown-resource", path, message });
            } else if !assertion.supports_at() {
                let message = format!("{} cannot look from inside a container", assertion.kind());
                problems.push(Problem { code: "no-vantage", path: place("at"), message });
            }
        }
    }

    /// Lays the checks out in the order of the report and gives each its id.
    fn collect_checks(&mut self, cross: &[Declared], late: &HashSet<(usize, usize)>) {
        let own = self.nodes.iter().map(|node| node.resource.common().assertions.len());
        let count = cross.len() + own.sum::<usize>();
        let mut ids = Ids::default();
        self.checks.reserve_exact(count);
        for &index in &self.order {
            let start = self.checks.len();
            let resource = Arc::clone(&self.nodes[index].resource);
            let common = resource.common();
            for (place, declared) in common.assertions.iter().enumerate() {
                let id = ids.next(owner_name(Some(common.name())), declared);
                let check = self.check(id, Some(index), declared, late.contains(&(index, place)));
                self.checks.push(check);
            }
            self.nodes[index].checks = start..self.checks.len();
        }
        for declared in cross {
            let check = self.check(ids.next(owner_name(None), declared), None, declared, false);
            self.checks.push(check);
        }
        for (index, check) in self.checks.iter().enumerate() {
            check.waits.iter().for_each(|&node| self.nodes[node].awaited_by.push(index));
        }
    }

    fn check(&self, id: Arc<str>, node: Option<usize>, declared: &Declared, late: bool) -> Check {
        let assertion = declared.assertion();
        let related = self.indices(assertion, node);
        let explains = assertion.explains().and_then(|name| self.by_name.get(&name).copied());
        let at = declared.options.at.as_ref().and_then(|name| self.by_name.get(name).copied());
        let tied = late || !related.is_empty() || explains.is_some() || at.is_some();
        let ties = tied.then(|| {
            let waits = self.waits(declared, node, related.clone());
            let despite = explains.into_iter().chain(at.filter(|at| !related.contains(at))).collect();
            let relationship = self.relationship(assertion, node, &related);
            Box::new(Ties { related, waits, late, despite, explains, relationship })
        });
        Check { id, node, declared: declared.clone(), ties }
    }

    fn relationship(
        &self,
        assertion: &dyn Assertion,
        node: Option<usize>,
        related: &[usize],
    ) -> Option<Arc<str>> {
        match (node, related) {
            (_, []) | (None, [_]) => None,
            // In the assertion's own order, also where it is declared on the resource that it leads to.
            (Some(owner), _) => {
                let names = [assertion.related(), assertion.about(self)].concat();
                let mut told: Vec<&str> = Vec::new();
                for name in names.iter().map(|name| name.as_str()) {
                    if !told.contains(&name) {
                        told.push(name);
                    }
                }
                if !told.contains(&self.name(owner)) {
                    told.insert(0, self.name(owner));
                }
                Some(told.join(" → ").into())
            }
            (None, related) => {
                Some(related.iter().map(|&one| self.name(one)).collect::<Vec<_>>().join(" → ").into())
            }
        }
    }

    fn indices(&self, assertion: &dyn Assertion, owner: Option<usize>) -> Vec<usize> {
        let (related, about) = (assertion.related(), assertion.about(self));
        if related.is_empty() && about.is_empty() {
            return Vec::new();
        }
        let mut seen: HashSet<usize> = owner.into_iter().collect();
        let known = related.into_iter().chain(about).filter_map(|name| self.by_name.get(&name).copied());
        known.filter(|index| seen.insert(*index)).collect()
    }

    pub(crate) fn name(&self, node: usize) -> &str {
        self.nodes[node].resource.common().name().as_str()
    }

    pub(crate) fn shared_name(&self, node: usize) -> Arc<str> {
        self.nodes[node].resource.common().name().shared()
    }

    /// The resource of this name.
    pub fn resource(&self, name: &str) -> Option<&Arc<dyn Resource>> {
        self.node(name).map(|index| &self.nodes[index].resource)
    }

    pub(crate) fn node(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// Every resource, dependencies first, with the names of what it needs.
    pub fn resources(&self) -> impl Iterator<Item = (&dyn Resource, Vec<&str>)> {
        self.order.iter().map(|&index| {
            let node = &self.nodes[index];
            (&*node.resource, node.needs.iter().map(|&needed| self.name(needed)).collect())
        })
    }

    /// Whether that an assertion passed may be used again (`fresh_for`).
    pub fn reuses(&self) -> bool {
        self.checks.iter().any(|check| check.declared.options.fresh_for.is_some())
    }

    /// What the project's sentences stand for, where that is written down.
    pub fn lock(&self) -> Option<&Lock> {
        self.lock.as_deref()
    }

    /// The sentences that are asserted.
    pub fn sentences(&self) -> impl Iterator<Item = Sentence<'_>> {
        self.checks.iter().filter_map(|check| check.declared.assertion.sentence())
    }

    /// Which resource uses which, by what is declared: `depends_on`, and what assertions imply. The using one first, each
    /// pair once, in the order of the graph.
    pub fn relationships(&self) -> Vec<Relationship> {
        let (mut all, mut known) = (Vec::<Relationship>::new(), HashMap::new());
        let mut add = |from: &ResourceName, to: &ResourceName, implied_by: Option<&str>| {
            if from == to {
                return;
            }
            let index = *known.entry((from.clone(), to.clone())).or_insert_with(|| {
                let (from, to) = (from.clone(), to.clone());
                all.push(Relationship { from, to, depends_on: false, implied_by: None });
                all.len() - 1
            });
            let one = &mut all[index];
            one.depends_on |= implied_by.is_none();
            one.implied_by = one.implied_by.take().or_else(|| implied_by.map(str::to_owned));
        };
        for &index in &self.order {
            let common = self.nodes[index].resource.common();
            common.depends_on.iter().for_each(|needed| add(&common.name, needed, None));
        }
        for Check { id, declared, .. } in self.checks.iter().filter(|check| !check.declared.options.not) {
            for (from, to) in declared.assertion.implies(declared.options.at.as_ref()) {
                if self.by_name.contains_key(&from) && self.by_name.contains_key(&to) {
                    add(&from, &to, Some(id));
                }
            }
        }
        all
    }

    /// The ids of a resource's checks, or of the cross-resource ones.
    pub fn check_ids(&self, resource: Option<&str>) -> Vec<&str> {
        let checks = match resource {
            Some(name) => {
                self.by_name.get(name).map_or(&[][..], |&node| &self.checks[self.nodes[node].checks.clone()])
            }
            None => {
                &self.checks[self.checks.iter().position(|c| c.node.is_none()).unwrap_or(self.checks.len())..]
            }
        };
        checks.iter().map(|check| &*check.id).collect()
    }

    /// How many checks compute more than they wait.
    pub fn computing(&self) -> usize {
        self.checks.iter().filter(|check| check.declared.assertion.computes()).count()
    }

    /// How many checks there are.
    pub fn len(&self) -> usize {
        self.checks.len()
    }

    /// Whether there is none. A validated project has at least one.
    pub fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }
}

impl Node {
    fn problems(&self, graph: &Graph, problems: &mut Vec<Problem>) {
        let resource = &*self.resource;
        for invalid in resource.validate() {
            let mut path = self.path.clone();
            path.extend(invalid.field.split('.').filter(|part| !part.is_empty()).map(str::to_owned));
            problems.push(Problem { code: "invalid-resource", path, message: invalid.message });
        }
        for (index, declared) in resource.common().assertions.iter().enumerate() {
            let path = || [&self.path[..], &["assertions".to_owned(), index.to_string()]].concat();
            graph.declared_problems(declared, Some(resource), path, problems);
        }
    }
}

#[cfg(test)]
#[path = "graph_tests.rs"]
mod tests;
