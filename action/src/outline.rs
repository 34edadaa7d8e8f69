//! [`Outline`]: what waits for what, by number, for progress and for drawings.

use std::collections::HashMap;

use clockwork_core::{Declared, Graph, Project};

/// A project's shape.
#[derive(Debug)]
pub(crate) struct Outline {
    /// Dependencies first.
    pub(crate) resources: Vec<Node>,
    /// The assertions that are about several resources, wherever they are declared.
    pub(crate) cross: Vec<Cross>,
    by_name: HashMap<String, usize>,
}

/// A resource.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) kind: &'static str,
    pub(crate) needs: Vec<usize>,
    /// The ids of its checks.
    pub(crate) checks: Vec<String>,
}

/// An assertion over several resources.
#[derive(Debug)]
pub(crate) struct Cross {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    /// The resources, among them the one that it is declared on.
    pub(crate) about: Vec<usize>,
    /// Whether it is declared on the project and not on a resource.
    pub(crate) of_project: bool,
}

impl Outline {
    pub(crate) fn new(project: &Project, graph: &Graph) -> Self {
        let mut outline = Self { resources: Vec::new(), cross: Vec::new(), by_name: HashMap::new() };
        for (resource, needs) in graph.resources() {
            let name = resource.common().name().to_string();
            let needs = outline.numbers(needs);
            let checks: Vec<_> = graph.check_ids(Some(&name)).into_iter().map(str::to_owned).collect();
            let number = outline.resources.len();
            outline.by_name.insert(name.clone(), number);
            outline.resources.push(Node { name, kind: resource.kind(), needs, checks });
        }
        for (number, (resource, _)) in graph.resources().enumerate() {
            let all = resource.common().assertions().iter().zip(&outline.resources[number].checks);
            let cross = all.map(|(declared, id)| outline.cross(declared, id, Some(number)));
            let cross: Vec<_> = cross.filter(|cross| cross.about.len() > 1).collect();
            outline.cross.extend(cross);
        }
        for (declared, id) in project.assertions().iter().zip(graph.check_ids(None)) {
            let cross = outline.cross(declared, id, None);
            outline.cross.push(cross);
        }
        outline
    }

    fn cross(&self, declared: &Declared, id: &str, owner: Option<usize>) -> Cross {
        let related = declared.assertion().related();
        let related = self.numbers(related.iter().map(|name| name.as_str()));
        let mut about: Vec<_> = owner.into_iter().collect();
        for number in related {
            if !about.contains(&number) {
                about.push(number);
            }
        }
        let kind = declared.assertion().kind();
        Cross { id: id.to_owned(), kind, about, of_project: owner.is_none() }
    }

    fn numbers<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
        names.into_iter().filter_map(|name| self.number(name)).collect()
    }

    /// The resource of this name.
    pub(crate) fn number(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }
}
