//! [`Document`]: a file's YAML as one flat list of nodes, in the order in which they stand in it.
//!
//! A collection's entry says where it ends, so that its children are found by stepping from one to the next, and a
//! whole subtree is skipped in one step. An entry takes 24 bytes and all text lies in one buffer: reading ten thousand
//! assertions is some hundred thousand entries, and a tree of boxed nodes would cost ten times the memory.

use super::scalar::{Plain, resolve};

/// The place of a node in its document.
pub(super) type Id = u32;

/// What the whole file is.
pub(super) const ROOT: Id = 0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Its type follows from its text.
    Plain,
    /// In quotes or a block: text, whatever it says.
    Quoted,
    Sequence,
    Mapping,
    /// Stands for another node, earlier in the document.
    Alias,
}

/// The scalar held a `${…}`.
pub(super) const INTERPOLATED: u8 = 1;
/// Something of its text came from the environment, and is not to be shown.
pub(super) const FROM_ENV: u8 = 2;
/// It could not be interpolated, which has been told: nothing more is said about it.
pub(super) const BROKEN: u8 = 4;
/// There is a `$` in it.
pub(super) const DOLLAR: u8 = 8;
/// Values have been put in, once and for all.
pub(super) const DONE: u8 = 16;
/// There is a `${captured.…}` in it, which is only known when it runs.
pub(super) const CAPTURED: u8 = 32;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// From 1.
    pub(super) line: u32,
    /// In characters, from 1.
    pub(super) column: u32,
    /// In characters; 0 where it ends on another line.
    pub(super) width: u32,
    pub(super) shape: Shape,
    pub(super) flags: u8,
    /// Where the text begins; where the collection ends (the next entry behind it); what the alias stands for.
    a: u32,
    /// How long the text is.
    b: u32,
}

impl Entry {
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn is_collection(&self) -> bool {
        matches!(self.shape, Shape::Sequence | Shape::Mapping)
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Document {
    entries: Vec<Entry>,
    text: String,
}

/// One step of the way to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Document {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { entries: Vec::with_capacity(bytes / 16), text: String::with_capacity(bytes / 2) }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entry(&self, id: Id) -> &Entry {
        &self.entries[id as usize]
    }

    pub(super) fn mark(&mut self, id: Id, flags: u8) {
        self.entries[id as usize].flags |= flags;
    }

    pub(super) fn push(&mut self, line: u32, column: u32, width: u32, shape: Shape) -> Id {
        let id = self.entries.len() as Id;
        self.entries.push(Entry { line, column, width, shape, flags: 0, a: id + 1, b: 0 });
        id
    }

    /// Adds a scalar with its text.
    pub(super) fn push_scalar(&mut self, line: u32, column: u32, width: u32, shape: Shape, text: &str) -> Id {
        let id = self.push(line, column, width, shape);
        self.set_text(id, text);
        if text.contains('$') {
            self.mark(id, DOLLAR);
        }
        id
    }

    /// Whether as much text may be added. What is put in from variables can be any multiple of the file.
    pub(super) fn has_room(&self, text: &str) -> bool {
        self.text.len() + text.len() <= 4 * super::parse::MAX_BYTES
    }

    /// Gives a scalar its text.
    pub(super) fn set_text(&mut self, id: Id, text: &str) {
        let entry = &mut self.entries[id as usize];
        (entry.a, entry.b) = (self.text.len() as u32, text.len() as u32);
        self.text.push_str(text);
    }

    /// Makes an interpolated scalar text, whatever it says.
    pub(super) fn set_quoted(&mut self, id: Id) {
        self.entries[id as usize].shape = Shape::Quoted;
    }

    pub(super) fn set_target(&mut self, id: Id, target: Id) {
        self.entries[id as usize].a = target;
    }

    /// Closes a collection: everything since belongs to it.
    pub(super) fn close(&mut self, id: Id) {
        self.entries[id as usize].a = self.entries.len() as u32;
    }

    /// The node itself, or what the alias stands for.
    pub(super) fn resolve(&self, id: Id) -> Id {
        let entry = self.entry(id);
        if entry.shape == Shape::Alias { entry.a } else { id }
    }

    /// A scalar's text.
    pub(super) fn text(&self, id: Id) -> &str {
        let entry = self.entry(id);
        match entry.shape {
            Shape::Plain | Shape::Quoted => &self.text[entry.a as usize..(entry.a + entry.b) as usize],
            _ => "",
        }
    }

    /// A scalar's value, `None` for collections.
    pub(super) fn scalar(&self, id: Id) -> Option<Plain<'_>> {
        let entry = self.entry(id);
        match entry.shape {
            Shape::Quoted => Some(Plain::Text(self.text(id))),
            Shape::Plain if entry.has(INTERPOLATED) => Some(match resolve(self.text(id)) {
                // What was put in is there, even if it is empty or says `null`.
                Plain::Null => Plain::Text(self.text(id)),
                other => other,
            }),
            Shape::Plain => Some(resolve(self.text(id))),
            _ => None,
        }
    }

    /// Nothing stands there, or `null`.
    pub(super) fn is_null(&self, id: Id) -> bool {
        matches!(self.scalar(self.resolve(id)), Some(Plain::Null))
    }

    /// The next entry behind this one and all that belongs to it.
    pub(super) fn after(&self, id: Id) -> Id {
        let entry = self.entry(id);
        if entry.is_collection() { entry.a } else { id + 1 }
    }

    /// A collection's elements; of a mapping, its keys and values in turn.
    pub(super) fn children(&self, id: Id) -> Children<'_> {
        let id = self.resolve(id);
        let end = if self.entry(id).is_collection() { self.entry(id).a } else { id + 1 };
        Children { document: self, next: id + 1, end }
    }

    /// A mapping's keys and values.
    pub(super) fn pairs(&self, id: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let mut children = self.children(id);
        let mapping = self.is_mapping(id);
        std::iter::from_fn(move || if mapping { Some((children.next()?, children.next()?)) } else { None })
    }

    pub(super) fn is_mapping(&self, id: Id) -> bool {
        self.entry(self.resolve(id)).shape == Shape::Mapping
    }

    pub(super) fn is_sequence(&self, id: Id) -> bool {
        self.entry(self.resolve(id)).shape == Shape::Sequence
    }

    /// The key and value of this name.
    pub(super) fn get(&self, id: Id, name: &str) -> Option<(Id, Id)> {
        self.pairs(id).find(|(key, _)| self.text(self.resolve(*key)) == name)
    }

    /// The way from `from` down to `to`, and the key that `to` is the value of.
    pub(super) fn way(&self, from: Id, to: Id) -> Option<(Vec<Step>, Option<Id>)> {
        let (mut here, mut steps, mut owner) = (self.resolve(from), Vec::new(), None);
        while here != to {
            let (step, key, next) = self.step(here, to)?;
            steps.push(step);
            (here, owner) = (self.resolve(next), key);
            if next == to || Some(to) == owner {
                break;
            }
        }
        Some((steps, owner))
    }

    fn step(&self, here: Id, to: Id) -> Option<(Step, Option<Id>, Id)> {
        let holds = |id: Id| {
            let target = self.resolve(id);
            (id..self.after(id)).contains(&to) || (target..self.after(target)).contains(&to)
        };
        let name = |key: Id| Step::Key(self.text(self.resolve(key)).to_owned());
        match self.entry(here).shape {
            Shape::Mapping => {
                let found = self.pairs(here).find(|(key, value)| *key == to || holds(*value));
                found.map(|(key, value)| (name(key), Some(key), value))
            }
            Shape::Sequence => {
                let found = self.children(here).enumerate().find(|(_, id)| holds(*id));
                found.map(|(index, id)| (Step::Index(index), None, id))
            }
            _ => None,
        }
    }
}

/// See [`Document::children`].
#[derive(Debug, Clone)]
pub(super) struct Children<'a> {
    document: &'a Document,
    next: Id,
    end: Id,
}

impl Iterator for Children<'_> {
    type Item = Id;

    fn next(&mut self) -> Option<Id> {
        let id = self.next;
        if id >= self.end {
            return None;
        }
        self.next = self.document.after(id);
        Some(id)
    }
}
