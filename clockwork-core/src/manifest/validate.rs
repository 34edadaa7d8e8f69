//! What is wrong with the project as a whole (names, dependencies, fields taken together), tied to its places.

use super::{
    error::Trouble,
    lower::Lowering,
    node::{Id, ROOT},
    options::is_option,
};
use crate::{Graph, Problem, Project, ProjectError};

impl Lowering<'_> {
    /// The graph of the project, if that is valid.
    pub(super) fn validate(&mut self, project: &Project) -> Option<Graph> {
        let problems = match Graph::new(project) {
            Ok(graph) => return Some(graph),
            Err(ProjectError { problems }) => problems,
        };
        for Problem { code, path, message } in problems {
            let (id, unread, whole_way) = self.find(&path);
            // An assertion may need something of its resource. Where that could not be read, only what is wrong with
            // a field that is there is certain.
            let field =
                path.iter().rposition(|part| part == "assertions").is_some_and(|at| path.len() > at + 3);
            let certain = code != "invalid-assertion" || (field && whole_way);
            if (unread && !certain) || (code == "no-assertions" && !self.problems.is_empty()) {
                continue;
            }
            // Told already, as a key that comes twice.
            if code == "duplicate-resource" && self.comes_twice(&path) {
                continue;
            }
            let (message, help) = match message.split_once("; did you mean ") {
                Some((message, near)) => (message.to_owned(), Some(format!("did you mean {near}"))),
                None => (message, None),
            };
            let trouble = Trouble::new(code, None, message).help(help);
            match id {
                ROOT => self.problems.add(self.file, trouble),
                id => self.report(id, trouble),
            }
        }
        None
    }

    fn comes_twice(&self, path: &[String]) -> bool {
        let Some((name, above)) = path.split_last() else { return false };
        let map = self.find(above).0;
        self.document.pairs(map).filter(|(key, _)| self.name(*key) == name).count() > 1
    }

    /// The nearest node on this way that is there, whether something on the way could not be read, and whether the way
    /// ends at that node.
    fn find(&self, path: &[String]) -> (Id, bool, bool) {
        let document = self.document;
        let (mut here, mut unread) = (ROOT, false);
        for part in path {
            let node = document.resolve(here);
            let next = if document.is_mapping(node) {
                let named = document.get(node, part);
                // A kind that is named by an alias stands under that.
                let kind = || document.pairs(node).find(|(key, _)| !is_option(self.name(*key)));
                let in_list = || {
                    document
                        .way(ROOT, node)
                        .is_some_and(|(steps, _)| matches!(steps.last(), Some(super::node::Step::Index(_))))
                };
                named.or_else(|| if in_list() { kind() } else { None }).map(|(_, value)| value)
            } else {
                part.parse().ok().and_then(|index| document.children(node).nth(index))
            };
            let Some(next) = next else { return (here, unread, false) };
            here = next;
            unread |= self.unread.contains(&document.resolve(here));
        }
        (here, unread, true)
    }
}
