//! Telling what is wrong: in words, at its place, and without anything that came from the environment.

use super::{
    de::De,
    error::{Spot, Trouble},
    fault::{Fault, Kind, Told, describe, found, suggest},
    lower::Lowering,
    node::{BROKEN, Document, FROM_ENV, Id, ROOT, Step},
    options::OPTIONS,
    required::{MakeSchema, missing},
    search::search,
};
use crate::{nearest, text::quote};

impl Lowering<'_> {
    pub(super) fn unknown_key(
        &mut self,
        key: Id,
        code: &'static str,
        what: &str,
        name: &str,
        known: &[&str],
    ) {
        // Told already: a merge key.
        if name != "<<" {
            let message = format!("{what} {}", quote(name));
            self.report(key, Trouble::new(code, None, message).help(suggest(name, known)));
        }
    }

    pub(super) fn expect_map(&mut self, value: Id, expected: &str) -> bool {
        if self.document.is_mapping(value) {
            return true;
        }
        let found = found(self.document, self.document.resolve(value));
        self.report(value, Trouble::new("wrong-type", None, format!("expected {expected}, found {found}")));
        false
    }

    /// Everything that is wrong with a struct that could not be read.
    pub(super) fn faults(
        &mut self,
        map: Id,
        (also, owner): (&[&str], &str),
        first: Fault,
        read: &dyn Fn(De<'_>) -> Result<(), Fault>,
        schema: MakeSchema,
    ) {
        if self.problems.only_counts() {
            return;
        }
        let mut faults = search(self.document, map, also, first.at(self.document.resolve(map)), read);
        faults.extend(missing(self.document, map, also, &faults, schema));
        for fault in faults {
            self.fault(fault, map, owner, also);
        }
    }

    /// Says what serde found wrong with the struct or the value `whole`, which belongs to `owner`.
    pub(super) fn fault(&mut self, fault: Fault, whole: Id, owner: &str, also: &[&str]) {
        let document = self.document;
        let at = fault.place().unwrap_or(whole);
        let fault = fault.at(at);
        // A field of something inside belongs to that.
        let steps = document.way(whole, at).map(|(steps, _)| steps).unwrap_or_default();
        let inside = match fault.kind() {
            Kind::Missing(_) => steps.last(),
            Kind::Unknown { name, .. } if name == "<<" => return,
            Kind::Unknown { .. } => steps.iter().nth_back(1),
            // Told already, if it is the same key twice.
            Kind::Duplicate(field)
                if document.pairs(at).filter(|(key, _)| self.name(*key) == *field).count() > 1 =>
            {
                return;
            }
            _ => None,
        };
        let inside = inside.map(|step| match step {
            Step::Key(key) => format!("`{key}`"),
            Step::Index(index) => format!("the element at index {index}"),
        });
        let of_assertion = inside.is_none() && also.is_empty();
        let also = if inside.is_some() { &[] } else { also };
        let Told { code, message, help } =
            describe(&fault, document, inside.as_deref().unwrap_or(owner), also);
        let help = match fault.kind() {
            Kind::Unknown { name, known }
                if of_assertion && nearest(name, known.iter().copied()).is_none() =>
            {
                // Short names are near to anything.
                let option = nearest(name, OPTIONS).filter(|option| option == name || name.len() > 4);
                let told =
                    |option| format!("`{option}` is an option, and stands beside {owner}, not in its fields");
                option.map(told).or(help)
            }
            _ => help,
        };
        let mut trouble = Trouble::new(code, None, message).help(help);
        trouble.hide = fault.is_hidden();
        self.report(at, trouble);
    }

    /// Ties what is wrong to its place.
    pub(super) fn report(&mut self, id: Id, mut trouble: Trouble) {
        let document = self.document;
        let target = document.resolve(id);
        if document.entry(target).has(BROKEN) || self.problems.only_counts() {
            return;
        }
        let (steps, owner) = document.way(ROOT, id).unwrap_or_default();
        let entry = document.entry(id);
        // A block's own place is its first key; that of a value that is not there is nowhere. The key says more.
        let nowhere = entry.is_collection() || (entry.width == 0 && document.is_null(id));
        let entry = owner.filter(|_| nowhere).map_or(entry, |owner| document.entry(owner));
        let width = if entry.is_collection() { 1 } else { entry.width };
        trouble.spot = trouble.spot.or(Some(Spot { line: entry.line, column: entry.column, width }));
        trouble.path = path(steps);
        if (target..document.after(target)).any(|id| document.entry(id).has(FROM_ENV)) {
            trouble.message = self.scrub(trouble.message);
            trouble.help = trouble.help.map(|help| self.scrub(help));
        }
        self.problems.add(self.file, trouble);
    }

    /// Shows `${env.X}` for what came from there.
    fn scrub(&self, mut message: String) -> String {
        for (value, shown) in self.shown_as.iter().filter(|(value, _)| !value.is_empty()) {
            let quoted = quote(value);
            let inner = &quoted[1..quoted.len() - 1];
            for (from, to) in
                [(format!("`{value}`"), format!("`{shown}`")), (quoted.clone(), format!("\"{shown}\""))]
            {
                message = message.replace(&from, &to);
            }
            // A word or a digit may stand in the message anyway.
            if value.len() >= 4 {
                message = message.replace(value.as_str(), shown).replace(inner, shown);
            }
            // Text that was cut when it was quoted.
            let start: String = value.chars().take(24).collect();
            if start.len() >= 24
                && (message.contains(&start) || message.contains(&quote(&start)[1..start.len()]))
            {
                return format!("what `{shown}` stands for is not valid here");
            }
        }
        message
    }
}

/// The way to a node: `resources.api.assertions[0].HealthcheckAssert.url`.
pub(super) fn path_of(document: &Document, id: Id) -> String {
    path(document.way(ROOT, id).unwrap_or_default().0)
}

fn path(steps: Vec<Step>) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Index(index) => path.push_str(&format!("[{index}]")),
            Step::Key(key) if key.is_empty() => {}
            Step::Key(key) => {
                let plain = key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
                match (plain, path.is_empty()) {
                    (true, true) => path.push_str(&key),
                    (true, false) => path.extend([".", &key]),
                    (false, _) => path.push_str(&format!("[{}]", quote(&key))),
                }
            }
        }
    }
    path
}
