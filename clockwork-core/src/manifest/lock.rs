//! `clockwork.lock.yaml`: what the manifest's sentences stand for, read as strictly as the manifest.

use super::{
    de::De,
    error::Trouble,
    fault::Fault,
    lower::Lowering,
    node::{Id, ROOT},
    options::OPTIONS,
};
use crate::{
    Graph, Lock, ResourceName,
    lock::{LockEntry, LockedAssertion, normal},
    text::quote,
};

/// What the file says that it is.
pub(super) const VERSION: &str = "clockwork.lock/v1";

const TOP: [&str; 2] = ["lock", "entries"];
const ENTRY: [&str; 7] =
    ["source", "target", "assertion", "reviewed", "assertions", "on_source", "on_target"];
/// The options that an assertion has here; the others are those of the sentence.
const ALLOWED: [&str; 3] = ["name", "at", "not"];

impl Lowering<'_> {
    /// All entries; `graph` is of the project that they are about, where that could be read.
    pub(super) fn lock(&mut self, name: &str, graph: Option<&Graph>) -> Lock {
        let mut lock = Lock { name: name.to_owned(), entries: Vec::new() };
        let document = self.document;
        if document.len() == 0 || !self.expect_map(ROOT, "a map with `lock` and `entries`") {
            return lock;
        }
        let version = document.get(ROOT, "lock").map(|(_, value)| (value, self.text(value)));
        match version {
            Some((_, Some(version))) if version == VERSION => {}
            Some((_, None)) => {}
            Some((value, Some(version))) => {
                let message = format!("{} is no lock that can be read", quote(&version));
                self.report(
                    value,
                    Trouble::new("unknown-lock", None, message).help(format!("write `lock: {VERSION}`")),
                );
            }
            None => {
                let trouble = Trouble::new("missing-field", None, "a lock says first what it is");
                self.report(ROOT, trouble.help(format!("add `lock: {VERSION}`")));
            }
        }
        for (key, value) in document.pairs(ROOT) {
            match self.name(key) {
                "lock" => {}
                "entries" if document.is_sequence(value) => {
                    let entries = document.children(value).filter_map(|item| self.entry(item, graph));
                    lock.entries = entries.collect();
                }
                "entries" => {
                    let message = "expected a list of entries";
                    let help = "begin each entry with `- source: …`".to_owned();
                    self.report(value, Trouble::new("wrong-type", None, message).help(help));
                }
                name => self.unknown_key(key, "unknown-key", "a lock has no key", name, &TOP),
            }
        }
        self.twice(&lock);
        self.misplaced_captures();
        lock
    }

    fn entry(&mut self, item: Id, graph: Option<&Graph>) -> Option<LockEntry> {
        let document = self.document;
        if !self.expect_map(item, "an entry (`source`, `target`, `assertion` and what that stands for)") {
            return None;
        }
        let mut entry = LockEntry {
            source: ResourceName::new(""),
            target: ResourceName::new(""),
            text: String::new(),
            reviewed: None,
            parts: Vec::new(),
            line: document.entry(document.resolve(item)).line,
        };
        let mut lists = Vec::new();
        for (key, value) in document.pairs(item) {
            match self.name(key) {
                name @ ("source" | "target") => {
                    let Some(text) = self.text(value) else { continue };
                    if let Some(graph) = graph
                        && graph.resource(&text).is_none()
                    {
                        let unknown = graph.unknown(&text);
                        let (message, help) = match unknown.split_once("; ") {
                            Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
                            None => (unknown, None),
                        };
                        self.report(value, Trouble::new("unknown-resource", None, message).help(help));
                    }
                    let text = ResourceName::new(text);
                    if name == "source" { entry.source = text } else { entry.target = text }
                }
                "assertion" => entry.text = normal(&self.text(value).unwrap_or_default()),
                "reviewed" => entry.reviewed = self.text(value),
                "assertions" => lists.push((value, None)),
                "on_source" => lists.push((value, Some("source"))),
                "on_target" => lists.push((value, Some("target"))),
                name => self.unknown_key(key, "unknown-field", "an entry has no field", name, &ENTRY),
            }
        }
        for (list, side) in lists {
            let owner =
                side.map(|side| if side == "source" { &entry.source } else { &entry.target }).cloned();
            let declared = self.assertions(list);
            for (item, declared) in document.children(list).zip(declared) {
                let part = LockedAssertion { owner: owner.clone(), declared };
                self.part(item, &part, graph);
                entry.parts.push(part);
            }
        }
        for name in ["source", "target", "assertion"] {
            if document.get(item, name).is_none() {
                let message = format!("an entry needs `{name}`");
                self.report(item, Trouble::new("missing-field", None, message));
            }
        }
        if entry.parts.is_empty() {
            let message = "this entry has no assertions, so that it would prove nothing";
            let help = "write what the sentence stands for under `assertions`, `on_source` or `on_target`"
                .to_owned();
            self.report(item, Trouble::new("no-assertions", None, message).help(help));
        }
        Some(entry)
    }

    /// What is wrong with an assertion in its place.
    fn part(&mut self, item: Id, part: &LockedAssertion, graph: Option<&Graph>) {
        let document = self.document;
        for (key, _) in document.pairs(item) {
            let name = self.name(key);
            if OPTIONS.contains(&name) && !ALLOWED.contains(&name) {
                let message = format!("`{name}` is not for an assertion in a lock");
                let help = "write it beside the sentence, in the manifest".to_owned();
                self.report(key, Trouble::new("misplaced-option", None, message).help(help));
            }
        }
        let assertion = part.declared.assertion();
        if assertion.sentence().is_some() {
            let message = "a sentence stands for typed assertions, and not for another sentence";
            self.report(item, Trouble::new("sentence-in-lock", None, message));
        }
        let Some(graph) = graph.filter(|_| !self.unread.contains(&document.resolve(item))) else { return };
        let fields =
            document.pairs(item).find(|(key, _)| !OPTIONS.contains(&self.name(*key))).map(|(_, value)| value);
        for invalid in assertion.validate(part.owner(graph)) {
            let mut place = fields.unwrap_or(item);
            for step in invalid.field.split('.') {
                place = document.get(place, step).map_or(place, |(_, value)| value);
            }
            self.report(place, Trouble::new("invalid-assertion", None, invalid.message));
        }
        for name in assertion.related().iter().chain(&part.declared.options.at) {
            if graph.resource(name.as_str()).is_none() {
                self.report(item, Trouble::new("unknown-resource", None, graph.unknown(name.as_str())));
            }
        }
        if part.declared.options.at.is_some() && !assertion.supports_at() {
            let message = format!("{} cannot look from inside a container", assertion.kind());
            self.report(item, Trouble::new("no-vantage", None, message));
        }
    }

    /// Two entries for one sentence: which of them?
    fn twice(&mut self, lock: &Lock) {
        for (index, entry) in lock.entries.iter().enumerate() {
            let same = |other: &&LockEntry| {
                (&other.source, &other.target, &other.text) == (&entry.source, &entry.target, &entry.text)
            };
            let Some(first) = lock.entries[..index].iter().find(same) else { continue };
            let list = self.document.get(ROOT, "entries").map(|(_, list)| list);
            let item = list.and_then(|list| {
                let document = self.document;
                document
                    .children(list)
                    .find(|item| document.entry(document.resolve(*item)).line == entry.line)
            });
            let message = format!("there is an entry for this sentence already, in line {}", first.line);
            self.report(item.unwrap_or(ROOT), Trouble::new("duplicate-entry", None, message));
        }
    }

    /// A text that is not empty.
    fn text(&mut self, value: Id) -> Option<String> {
        match <String as serde::Deserialize>::deserialize(De::new(self.document, value)) {
            Ok(text) if text.trim().is_empty() => {
                self.report(value, Trouble::new("invalid-value", None, "this is empty"));
                None
            }
            Ok(text) => Some(text),
            Err(fault) => {
                let fault: Fault = fault;
                self.fault(fault, value, "this", &[]);
                None
            }
        }
    }
}
