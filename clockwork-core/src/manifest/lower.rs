//! From a document to a [`Project`]: every key is looked at, and whatever is wrong is told, before anything is given up.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use super::{
    de::{De, View},
    error::{Problems, Trouble},
    fault::{Told, describe, found, suggest},
    node::{CAPTURED, Document, Id, ROOT},
    options::{OPTIONS, is_option},
    required::{properties, required},
};
use crate::{
    Assertion, BlankResource, Common, Declared, Place, Project, Registry, Resource, ResourceName,
    assertion::Options,
    registry::{AssertionEntry, ResourceEntry},
    text::quote,
};

pub(super) const TOP: [&str; 5] = ["project", "vars", "defaults", "resources", "assertions"];

/// The keys of a resource that are not its kind's.
pub(super) const RESOURCE: [&str; 4] = ["kind", "description", "depends_on", "assertions"];

/// A resource's kind's own fields.
const OWN: View<'static> = View { without: &RESOURCE, only: &[], except: &[] };

/// What a composite has beside them.
pub(super) const CHILDREN: &str = "children";

pub(super) struct Lowering<'a> {
    pub(super) document: &'a Document<'a>,
    pub(super) registry: &'a Registry,
    pub(super) problems: &'a mut Problems,
    /// Which file it is, and what it is called.
    pub(super) file: usize,
    pub(super) file_name: Arc<str>,
    /// Values from the environment, and what is shown for them.
    pub(super) shown_as: &'a BTreeMap<String, String>,
    /// The resources and assertions that could not be read: what they are, taken together, is not judged.
    pub(super) unread: HashSet<Id>,
    /// What may hold a `${captured.…}`: from which entry to which.
    captures: Vec<(Id, Id)>,
    /// The options of all assertions that set none.
    plain: Arc<Options>,
    /// Those of the last one that set any. Mostly the next one sets the same.
    latest: Arc<Options>,
    /// The kinds of assertions, which are asked for once for each.
    kinds: HashMap<&'a str, &'a AssertionEntry, foldhash::fast::RandomState>,
}

/// Stands where an assertion could not be read, so that those behind it keep their places.
#[derive(Debug)]
struct Unread;

#[async_trait::async_trait]
impl Assertion for Unread {
    fn kind(&self) -> &'static str {
        "Unread"
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, _: &crate::Context) -> Result<crate::Verdict, crate::CheckError> {
        Err(crate::CheckError::unobservable("it could not be read"))
    }
}

impl<'a> Lowering<'a> {
    pub(super) fn new(
        document: &'a Document<'a>,
        registry: &'a Registry,
        problems: &'a mut Problems,
        (file, file_name): (usize, &str),
        shown_as: &'a BTreeMap<String, String>,
    ) -> Self {
        let plain = Arc::<Options>::default();
        Self {
            document,
            registry,
            problems,
            file,
            file_name: file_name.into(),
            shown_as,
            unread: HashSet::new(),
            captures: Vec::new(),
            latest: Arc::clone(&plain),
            plain,
            kinds: registry.assertions().iter().map(|(name, entry)| (*name, entry)).collect(),
        }
    }

    pub(super) fn name(&self, key: Id) -> &'a str {
        self.document.text(self.document.resolve(key))
    }

    fn place(&self, id: Id) -> Place {
        let entry = self.document.entry(id);
        Place { file: Arc::clone(&self.file_name), line: entry.line, column: entry.column }
    }

    pub(super) fn project(&mut self) -> Project {
        let document = self.document;
        let mut project = Project::new("unnamed");
        if !self.expect_map(ROOT, "a map with `project`, and `resources` or `assertions`") {
            return project;
        }
        if document.get(ROOT, "project").is_none() {
            let trouble =
                Trouble::new("missing-field", None, "a manifest needs `project`, which names its state");
            self.problems.add(self.file, trouble.help("add `project: NAME`".to_owned()));
        }
        for (key, value) in document.pairs(ROOT) {
            match self.name(key) {
                "project" => match serde::Deserialize::deserialize(De::new(document, value)) {
                    Ok(name) => project.name = name,
                    Err(fault) => self.fault(fault, value, "this", &[]),
                },
                "vars" => {
                    self.expect_map(value, "a map of variables");
                }
                "defaults" => self.defaults(&mut project.defaults, value),
                "resources" => project.resources = self.resources(value),
                "assertions" => project.assertions = self.assertions(value),
                name => self.unknown_key(key, "unknown-key", "a manifest has no key", name, &TOP),
            }
        }
        self.misplaced_captures();
        project
    }

    /// Nobody fills these in, and so they would be taken for plain text.
    pub(super) fn misplaced_captures(&mut self) {
        let document = self.document;
        if !document.has(CAPTURED) {
            return;
        }
        let marked = (0..document.len() as Id).filter(|id| document.entry(*id).has(CAPTURED));
        let misplaced = marked.filter(|id| !self.captures.iter().any(|(from, to)| (from..to).contains(&id)));
        for id in misplaced.collect::<Vec<_>>() {
            let message = "`${captured.…}` is known only to the later steps of a workflow";
            self.report(id, Trouble::new("interpolation", None, message));
        }
    }

    fn resources(&mut self, map: Id) -> Vec<Arc<dyn Resource>> {
        if !self.expect_map(map, "a map of resources (`NAME: { kind: … }`)") {
            return Vec::new();
        }
        let document = self.document;
        document.pairs(map).map(|(key, value)| self.resource(key, value)).collect()
    }

    fn resource(&mut self, key: Id, map: Id) -> Arc<dyn Resource> {
        let document = self.document;
        let name = self.name(key);
        let mut common = Common::new(name);
        if !self.expect_map(map, "a resource (a map with its `kind`)") {
            self.unread.insert(document.resolve(map));
            return Arc::new(BlankResource::new(name));
        }
        let kind = self.kind(map);
        for (key, value) in document.pairs(map) {
            match self.name(key) {
                "description" => match serde::Deserialize::deserialize(De::new(document, value)) {
                    Ok(description) => common.description = Some(description),
                    Err(fault) => self.fault(fault, value, "this", &[]),
                },
                "depends_on" => {
                    let names = self.strings(value).unwrap_or_default();
                    common.depends_on = names.into_iter().map(ResourceName::new).collect();
                }
                "assertions" => common.assertions = self.assertions(value),
                _ => {}
            }
        }
        match kind {
            Some((_, Some(entry))) => match (entry.read)(self.own(map), common.clone()) {
                Ok(resource) => return resource,
                Err(fault) => {
                    let owner = format!("the resource `{name}`");
                    let read = |de: De<'_>| (entry.read)(de, Common::default()).map(drop);
                    self.faults(map, (&RESOURCE, &owner), fault, &read, entry.schema);
                }
            },
            Some((_, None)) => {
                let children = document.get(map, CHILDREN).map(|(_, value)| self.resources(value));
                for (key, _) in document.pairs(map) {
                    let name = self.name(key);
                    if name != CHILDREN && !RESOURCE.contains(&name) {
                        let known = [&RESOURCE[..], &[CHILDREN]].concat();
                        self.unknown_key(
                            key,
                            "unknown-field",
                            "a `BlankResource` has no field",
                            name,
                            &known,
                        );
                    }
                }
                return blank(common, children.unwrap_or_default());
            }
            None => {}
        }
        self.unread.insert(document.resolve(map));
        blank(common, Vec::new())
    }

    fn own(&self, map: Id) -> De<'a> {
        De::with(self.document, map, &OWN)
    }

    /// The kind of a resource; the entry is `None` for a composite.
    fn kind(&mut self, map: Id) -> Option<(&'a str, Option<ResourceEntry>)> {
        let registry = self.registry;
        let known = || registry.resources().keys().copied().chain([BlankResource::NAME]).collect::<Vec<_>>();
        let Some((_, value)) = self.document.get(map, "kind") else {
            let help = suggest("", &known());
            self.report(map, Trouble::new("missing-field", None, "a resource needs its `kind`").help(help));
            return None;
        };
        let value = self.document.resolve(value);
        let name = match <&str as serde::Deserialize>::deserialize(De::new(self.document, value)) {
            Ok(name) => name,
            Err(fault) => {
                self.fault(fault, value, "this", &[]);
                return None;
            }
        };
        if name == BlankResource::NAME {
            return Some((name, None));
        }
        if let Some(entry) = registry.resources().get(name) {
            return Some((name, Some(*entry)));
        }
        let help = match registry.assertions().contains_key(name) {
            true => Some(format!("{name} is an assertion kind, and goes under `assertions`")),
            false => suggest(name, &known()),
        };
        let message = format!("there is no resource kind {}", quote(name));
        self.report(value, Trouble::new("unknown-kind", None, message).help(help));
        None
    }

    pub(super) fn assertions(&mut self, list: Id) -> Vec<Declared> {
        let document = self.document;
        if !document.is_sequence(list) {
            let message =
                format!("expected a list of assertions, found {}", found(document, document.resolve(list)));
            let help = "begin each assertion with `- `".to_owned();
            self.report(list, Trouble::new("wrong-type", None, message).help(help));
            return Vec::new();
        }
        let items = document.children(list);
        // They stay until the end of the run, and would take up to twice as much if they were not counted.
        let mut all = Vec::with_capacity(items.clone().count());
        all.extend(items.map(|item| {
            self.assertion(item).unwrap_or_else(|| {
                self.unread.insert(document.resolve(item));
                Declared::new(Unread)
            })
        }));
        all
    }

    fn assertion(&mut self, item: Id) -> Option<Declared> {
        let document = self.document;
        if !document.is_mapping(item) {
            return self.bare(item);
        }
        let (mut options, mut good) = (None::<Options>, true);
        let (mut kind, mut several) = (None, false);
        for (key, value) in document.pairs(item) {
            let name = self.name(key);
            let entry = self.kinds.get(name).copied();
            if entry.is_none() && is_option(name) {
                good &= self.option(options.get_or_insert_default(), name, value);
            } else {
                several |= kind.is_some();
                kind = Some((key, value, name, entry));
            }
        }
        let Some((key, value, name, entry)) = kind else {
            let message = "this assertion names no kind";
            let help = "one key beside the options names it: `- HealthcheckAssert: { … }`".to_owned();
            self.report(item, Trouble::new("no-kind", None, message).help(help));
            return None;
        };
        if several {
            let all = document.pairs(item).filter(|(key, _)| !is_option(self.name(*key)));
            let entry = |key| self.kinds.get(self.name(key)).copied();
            let kinds: Vec<_> = all.map(|(key, value)| (key, value, entry(key))).collect();
            self.several(&kinds);
            return None;
        }
        let Some(entry) = entry else {
            self.unknown_kind(key);
            return None;
        };
        if entry.captures {
            let value = document.resolve(value);
            self.captures.push((value, document.after(value)));
        }
        let assertion = self.fields(name, value, entry);
        match (assertion, good) {
            (Some(assertion), true) => {
                let options = self.shared(options);
                Some(Declared { assertion, options, place: Some(self.place(key)) })
            }
            _ => None,
        }
    }

    fn shared(&mut self, options: Option<Options>) -> Arc<Options> {
        match options.filter(|options| *options != *self.plain) {
            None => Arc::clone(&self.plain),
            Some(options) => {
                if options != *self.latest {
                    self.latest = Arc::new(options);
                }
                Arc::clone(&self.latest)
            }
        }
    }

    /// A kind's name alone.
    fn bare(&mut self, item: Id) -> Option<Declared> {
        let item = self.document.resolve(item);
        let name = match <&str as serde::Deserialize>::deserialize(De::new(self.document, item)) {
            Ok(name) => name,
            Err(_) => {
                let message = format!("expected an assertion, found {}", found(self.document, item));
                let help = "write the name of a kind, or `KIND: { … }` with its fields".to_owned();
                self.report(item, Trouble::new("wrong-type", None, message).help(help));
                return None;
            }
        };
        let Some(&entry) = self.kinds.get(name) else {
            self.unknown_kind(item);
            return None;
        };
        match (entry.read)(De::empty(self.document, item)) {
            Ok(assertion) => {
                let place = Some(self.place(item));
                Some(Declared { assertion, options: Arc::clone(&self.plain), place })
            }
            Err(fault) => {
                let Told { code, message, .. } = describe(&fault, self.document, name, &[]);
                let fields = required(entry.schema);
                let fields: Vec<_> = fields.iter().map(|field| format!("{field}: …")).collect();
                let help =
                    (!fields.is_empty()).then(|| format!("write `- {name}: {{ {} }}`", fields.join(", ")));
                self.report(item, Trouble::new(code, None, message).help(help));
                None
            }
        }
    }

    fn fields(&mut self, name: &str, value: Id, entry: &AssertionEntry) -> Option<Arc<dyn Assertion>> {
        let document = self.document;
        if document.is_mapping(value) {
            return match (entry.read)(De::new(document, value)) {
                Ok(assertion) => Some(assertion),
                Err(fault) => {
                    let read = |de: De<'_>| (entry.read)(de).map(drop);
                    self.faults(value, (&[], &format!("`{name}`")), fault, &read, entry.schema);
                    None
                }
            };
        }
        if document.is_null(value) {
            let message = format!("nothing stands behind `{name}:`");
            let help = match required(entry.schema) {
                fields if fields.is_empty() => format!("where it needs no fields, write `- {name}` alone"),
                fields => {
                    format!("indent its fields further than its name; it needs `{}`", fields.join("`, `"))
                }
            };
            self.report(value, Trouble::new("missing-field", None, message).help(help));
            return None;
        }
        let found = found(document, document.resolve(value));
        let message = format!("expected a map with the fields of `{name}`, found {found}");
        let help = match &*required(entry.schema) {
            [field] => Some(format!("did you mean `{name}: {{ {field}: … }}`?")),
            _ => None,
        };
        self.report(value, Trouble::new("wrong-type", None, message).help(help));
        None
    }

    /// More than one key that is no option.
    fn several(&mut self, kinds: &[(Id, Id, Option<&AssertionEntry>)]) {
        let known: Vec<_> =
            kinds.iter().filter_map(|(key, value, entry)| Some((*key, *value, (*entry)?))).collect();
        if let [(first, ..), (second, ..), ..] = *known {
            let (first, name) = (self.name(first), self.name(second));
            let message = format!("an assertion has one kind, and here are two: `{first}` and `{name}`");
            let help = "begin each assertion with `- ` of its own".to_owned();
            self.report(second, Trouble::new("several-kinds", None, message).help(help));
        }
        if let [(key, value, entry)] = *known
            && !self.document.is_null(value)
        {
            // For what is wrong with the fields.
            self.fields(self.name(key), value, entry);
        }
        for (key, ..) in kinds.iter().filter(|(_, _, entry)| entry.is_none()) {
            let name = self.name(*key);
            match *known {
                [(kind, value, entry)] if properties(entry.schema).iter().any(|field| field == name) => {
                    let kind = self.name(kind);
                    let message = format!("`{name}` is a field of `{kind}`, and stands beside it");
                    let help = match self.document.is_null(value) {
                        true => format!("indent it further than `{kind}`"),
                        false => format!("put it into the map of `{kind}`"),
                    };
                    self.report(*key, Trouble::new("misplaced-field", None, message).help(help));
                }
                [] => self.unknown_kind(*key),
                _ => self.unknown_key(*key, "unknown-option", "an assertion has no option", name, &OPTIONS),
            }
        }
    }

    fn unknown_kind(&mut self, key: Id) {
        if self.problems.only_counts() {
            return;
        }
        let name = self.name(key);
        let kinds: Vec<_> = self.registry.assertions().keys().copied().collect();
        let near = crate::nearest(name, kinds.iter().chain(&OPTIONS).copied());
        let help = match near {
            _ if self.registry.resources().contains_key(name) || name == BlankResource::NAME => {
                Some(format!("{name} is a resource kind, and goes under `resources` with `kind: {name}`"))
            }
            Some(near) => Some(format!("did you mean `{near}`?")),
            None => suggest(name, &kinds),
        };
        let message = format!("there is no assertion kind {}", quote(name));
        self.report(key, Trouble::new("unknown-kind", None, message).help(help));
    }
}

fn blank(common: Common, children: Vec<Arc<dyn Resource>>) -> Arc<dyn Resource> {
    let mut blank = BlankResource::new("").with_children(children);
    *blank.common_mut() = common;
    Arc::new(blank)
}
