//! All that is wrong with one struct, where serde gives up at the first thing.
//!
//! Once reading has failed, the same struct is read again and again with one field at a time, and where that one fails
//! with one field of that, and so on. A failure at a place that was cut out of its surroundings (something else is
//! missing there, of course) says nothing; a failure below is a fault of its own.

use super::{
    de::{De, View},
    fault::{Fault, Kind},
    node::{Document, Id},
};

/// How often one struct is read again. A manifest of errors must not take for ever.
const ATTEMPTS: usize = 200;

pub(super) struct Search<'a> {
    document: &'a Document<'a>,
    without: &'a [&'a str],
    read: &'a dyn Fn(De<'_>) -> Result<(), Fault>,
    attempts: usize,
    /// The places of the keys and elements on the way down, and the nodes.
    way: Vec<usize>,
    nodes: Vec<Id>,
}

/// All that is wrong with the struct at `id`, given what reading it failed with first.
pub(super) fn search(
    document: &Document,
    id: Id,
    without: &[&str],
    first: Fault,
    read: &dyn Fn(De<'_>) -> Result<(), Fault>,
) -> Vec<Fault> {
    let mut search =
        Search { document, without, read, attempts: ATTEMPTS, way: Vec::new(), nodes: Vec::new() };
    let mut found: Vec<Fault> = Vec::new();
    for fault in search.below(document.resolve(id)) {
        // Where the view does not reach (inside an enum), every attempt meets the same fault.
        if !found.iter().any(|other| other.place() == fault.place() && other.kind() == fault.kind()) {
            found.push(fault);
        }
    }
    if found.is_empty() { vec![first] } else { found }
}

impl Search<'_> {
    fn attempt(&mut self, except: &[usize]) -> Option<Fault> {
        self.attempts = self.attempts.checked_sub(1)?;
        let view = View { without: self.without, only: &self.way, except };
        let top = *self.nodes.first()?;
        (self.read)(De::with(self.document, top, &view)).err()
    }

    /// The faults of a collection's keys or elements, and of the collection itself.
    fn below(&mut self, node: Id) -> Vec<Fault> {
        let document = self.document;
        let mapping = document.is_mapping(node);
        let mut children = document.children(node);
        let (mut found, mut bad, mut bad_keys) = (Vec::new(), Vec::new(), Vec::new());
        self.nodes.push(node);
        let mut place = 0;
        while let Some(first) = children.next() {
            let name = if mapping { document.text(document.resolve(first)) } else { "" };
            let value = if mapping { children.next().unwrap_or(first) } else { first };
            if self.nodes.len() > 1 || !self.without.contains(&name) {
                self.way.push(place);
                let fault = self.attempt(&[]);
                if let Some(fault) =
                    fault.filter(|fault| fault.place().is_some_and(|at| !self.nodes.contains(&at)))
                {
                    bad.push(place);
                    bad_keys.push(name);
                    let value = document.resolve(value);
                    let deeper = document.entry(value).is_collection() && !fault.is_hidden();
                    let below = if deeper { self.below(value) } else { Vec::new() };
                    if below.is_empty() { found.push(fault) } else { found.extend(below) }
                }
                self.way.pop();
            }
            place += 1;
        }
        match self.attempt(&bad) {
            Some(fault) if fault.place() == Some(node) => match fault.kind() {
                Kind::Missing(field) if bad_keys.contains(&field.as_str()) => {}
                Kind::Missing(_) => found.push(fault),
                _ if bad.is_empty() => found.push(fault),
                _ => {}
            },
            _ => {}
        }
        self.nodes.pop();
        found
    }
}
