//! [`Document`]: a file's YAML as one flat list of nodes, in the order in which they stand in it.
//!
//! A collection's entry says where it ends, so that its children are found by stepping from one to the next, and a
//! whole subtree is skipped in one step. An entry takes 24 bytes, and the text of most stays where it was read: ten
//! thousand assertions are some hundred thousand entries, and a tree of boxed nodes would cost ten times the memory.

use super::scalar::{Plain, is_null, resolve};

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
/// A mapping's keys are text, and none comes twice, as long as no values are put in. Of others that is not known.
pub(super) const GOOD_KEYS: u8 = 64;

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
    pub(super) fn new(line: u32, column: u32, width: u32, shape: Shape, (a, b): (u32, u32)) -> Self {
        Self { line, column, width, shape, flags: 0, a, b }
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn is_collection(&self) -> bool {
        matches!(self.shape, Shape::Sequence | Shape::Mapping)
    }
}

#[derive(Debug, Default)]
pub(super) struct Document<'t> {
    entries: Vec<Entry>,
    /// The file, where scalars are read as they stand there.
    source: &'t str,
    /// All other text. Its places are counted on from the end of the file.
    text: String,
    /// What any entry is marked with.
    flags: u8,
}

/// One step of the way to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl<'t> Document<'t> {
    /// An empty one for a file of which about so many bytes are its own text.
    pub(super) fn with_capacity(source: &'t str, text: usize) -> Self {
        let entries = Vec::with_capacity(source.len() / 12);
        Self { entries, source, text: String::with_capacity(text), flags: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn entry(&self, id: Id) -> &Entry {
        &self.entries[id as usize]
    }

    pub(super) fn mark(&mut self, id: Id, flags: u8) {
        self.entries[id as usize].flags |= flags;
        self.flags |= flags;
    }

    /// Whether any entry is marked with this.
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    pub(super) fn add(&mut self, entry: Entry) -> Id {
        let id = self.entries.len() as Id;
        self.entries.push(entry);
        id
    }

    /// Opens a collection, or adds an alias.
    pub(super) fn push(&mut self, line: u32, column: u32, width: u32, shape: Shape) -> Id {
        self.add(Entry::new(line, column, width, shape, (self.entries.len() as Id + 1, 0)))
    }

    /// The text of the scalar that was added last, if it stands in the file as it is.
    pub(super) fn last_in_file(&self) -> Option<&'t [u8]> {
        let entry = self.entries.last()?;
        self.source.as_bytes().get(entry.a as usize..(entry.a + entry.b) as usize)
    }

    /// Opens a collection that begins with the scalar that was added last.
    pub(super) fn open_before(&mut self, shape: Shape) -> Id {
        let id = self.entries.len() as Id - 1;
        let first = self.entries[id as usize];
        self.entries[id as usize] = Entry::new(first.line, first.column, 1, shape, (id + 1, 0));
        self.add(first);
        id
    }

    /// Adds a scalar with its text.
    pub(super) fn push_scalar(&mut self, line: u32, column: u32, width: u32, shape: Shape, text: &str) -> Id {
        let place = self.own(text);
        let id = self.add(Entry::new(line, column, width, shape, place));
        if text.contains('$') {
            self.mark(id, DOLLAR);
        }
        id
    }

    /// Adds text that does not stand in the file as it is, and says what an entry has for it.
    pub(super) fn own(&mut self, text: &str) -> (u32, u32) {
        let at = self.source.len() + self.text.len();
        self.text.push_str(text);
        (at as u32, text.len() as u32)
    }

    /// Whether as much text may be added. What is put in from variables can be any multiple of the file.
    pub(super) fn has_room(&self, text: &str) -> bool {
        self.source.len() + self.text.len() + text.len() <= 4 * super::parse::MAX_BYTES
    }

    /// Gives a scalar its text.
    pub(super) fn set_text(&mut self, id: Id, text: &str) {
        let (a, b) = self.own(text);
        let entry = &mut self.entries[id as usize];
        (entry.a, entry.b) = (a, b);
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
        self.text_of(self.entry(id))
    }

    pub(super) fn text_of(&self, entry: &Entry) -> &str {
        let (text, at, to) = self.place_of(entry);
        &text[at..to]
    }

    /// The same, where only bytes are compared: that it lies between characters is not asked for again.
    pub(super) fn bytes_of(&self, entry: &Entry) -> &[u8] {
        let (text, at, to) = self.place_of(entry);
        &text.as_bytes()[at..to]
    }

    fn place_of(&self, entry: &Entry) -> (&str, usize, usize) {
        if !matches!(entry.shape, Shape::Plain | Shape::Quoted) {
            return ("", 0, 0);
        }
        let (at, length) = (entry.a as usize, entry.b as usize);
        match at.checked_sub(self.source.len()) {
            None => (self.source, at, at + length),
            Some(at) => (&self.text, at, at + length),
        }
    }

    /// A scalar's value, `None` for collections.
    pub(super) fn scalar(&self, id: Id) -> Option<Plain<'_>> {
        self.scalar_of(self.entry(id))
    }

    pub(super) fn scalar_of(&self, entry: &Entry) -> Option<Plain<'_>> {
        match entry.shape {
            Shape::Quoted => Some(Plain::Text(self.text_of(entry))),
            Shape::Plain if entry.has(INTERPOLATED) => Some(match resolve(self.text_of(entry)) {
                // What was put in is there, even if it is empty or says `null`.
                Plain::Null => Plain::Text(self.text_of(entry)),
                other => other,
            }),
            Shape::Plain => Some(resolve(self.text_of(entry))),
            _ => None,
        }
    }

    /// Nothing stands there, or `null`.
    pub(super) fn is_null(&self, id: Id) -> bool {
        self.is_null_at(self.entry(self.resolve(id)))
    }

    pub(super) fn is_null_at(&self, entry: &Entry) -> bool {
        entry.shape == Shape::Plain && !entry.has(INTERPOLATED) && is_null(self.bytes_of(entry))
    }

    /// The next entry behind this one and all that belongs to it.
    pub(super) fn after(&self, id: Id) -> Id {
        let entry = self.entry(id);
        if entry.is_collection() { entry.a } else { id + 1 }
    }

    /// A collection's elements; of a mapping, its keys and values in turn.
    pub(super) fn children(&self, id: Id) -> Children<'_> {
        let id = self.resolve(id);
        Children { document: self, next: id + 1, end: self.after(id) }
    }

    /// A mapping's keys and values.
    pub(super) fn pairs(&self, id: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let mut children = self.children(id);
        if !self.is_mapping(id) {
            children.next = children.end;
        }
        std::iter::from_fn(move || Some((children.next()?, children.next()?)))
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

/// Whether they say the same at the same places, wherever their text lies.
#[cfg(test)]
impl PartialEq for Document<'_> {
    fn eq(&self, other: &Self) -> bool {
        let all = |document: &Self| -> Vec<_> {
            let text = |id| document.text(id).to_owned();
            let place = |entry: &Entry| match entry.shape {
                Shape::Plain | Shape::Quoted => Entry { a: 0, ..*entry },
                _ => Entry { flags: entry.flags & !GOOD_KEYS, ..*entry },
            };
            document.entries.iter().zip(0..).map(|(entry, id)| (place(entry), text(id))).collect()
        };
        (all(self), self.flags & !GOOD_KEYS) == (all(other), other.flags & !GOOD_KEYS)
    }
}

/// See [`Document::children`].
#[derive(Debug, Clone)]
pub(super) struct Children<'a> {
    document: &'a Document<'a>,
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
