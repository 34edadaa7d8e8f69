//! Reading a manifest: bytes → a [document](node) with places → values put in for `${…}` → a validated
//! [`Project`]. Nothing runs, nothing is looked up, and all that is wrong comes at once.
//!
//! | step | module |
//! | --- | --- |
//! | bytes to nodes, within bounds | `parse`, `subset`, `scan`, `node`, `scalar` |
//! | `${vars.X}` and `${env.X}` | `interpolate` |
//! | nodes to Rust types | `de`, `fault` |
//! | the structure around them | `lower`, `options` |
//! | every fault, not only serde's first | `search`, `required` |
//! | the dependency graph's problems, with places | `validate` |
//! | what is wrong, in words and at its place | `report`, `error` |
//! | the same, for editors | `schema` |

mod de;
mod error;
mod fault;
mod interpolate;
mod lock;
mod lower;
mod node;
mod options;
mod parse;
mod report;
mod required;
mod scalar;
mod scan;
mod schema;
mod search;
mod subset;
mod validate;

use std::{collections::BTreeMap, sync::Arc};

pub use error::{ManifestError, ManifestProblem};
pub(crate) use {de::De, fault::Fault, options::is_option};

use self::{
    error::{Problems, Source, Spot, Trouble},
    interpolate::{Interpolator, Pass, Vars},
    lower::Lowering,
    node::{Document, ROOT},
};
use crate::{Engine, Graph, Lock, Project, Registry};

/// A manifest as it came, and what overrides its variables.
#[derive(Debug, Clone, Default)]
pub struct ManifestInput {
    /// What errors call it: `clockwork.yaml`.
    pub name: String,
    /// The file. At most 32 MiB are read.
    pub bytes: Vec<u8>,
    /// `--var NAME=VALUE`: names with dots reach into maps. The value is taken as it is, and typed as a plain scalar.
    pub vars: Vec<(String, String)>,
    /// `--vars-file`: name and content, each a YAML map. Later ones override earlier ones.
    pub vars_files: Vec<(String, Vec<u8>)>,
    /// `clockwork.lock.yaml`, what the manifest's sentences stand for: its name and content.
    pub lock: Option<(String, Vec<u8>)>,
}

impl ManifestInput {
    /// This manifest, with nothing overridden.
    pub fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), bytes: bytes.into(), ..Self::default() }
    }
}

impl Engine {
    /// Reads a manifest with the kinds that this engine knows. `env` answers for `${env.NAME}`.
    ///
    /// # Errors
    /// All that is wrong with it, at once. Nothing ran.
    pub fn read_manifest(
        &self,
        input: &ManifestInput,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Project, ManifestError> {
        Reader::new(env).read(self, input).map(|(project, _)| project)
    }

    /// As [`Engine::read_manifest`], for [`Engine::run`]: a manifest is validated as it is read, and a large one need
    /// not be twice.
    ///
    /// # Errors
    /// As [`Engine::read_manifest`].
    pub fn read_graph(
        &self,
        input: &ManifestInput,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Project, Graph), ManifestError> {
        Reader::new(env).read(self, input)
    }

    /// Reads a lock for [`Project::lock`]: what the sentences of a project stand for that is declared in Rust. `input` is the
    /// lock's own name, content and variables.
    ///
    /// # Errors
    /// All that is wrong with it, at once.
    pub fn read_lock(
        &self,
        input: &ManifestInput,
        project: &Project,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Lock, ManifestError> {
        let graph = Graph::new(project).ok();
        let mut reader = Reader::new(env);
        let mut vars = reader.overrides(input);
        let lock = reader.lock(self.registry(), (&input.name, &input.bytes), &mut vars, graph.as_ref());
        reader.problems.finish(&reader.files, lock)
    }

    /// The JSON Schema (draft 7) of the manifests that this engine reads, for editors.
    pub fn schema(&self) -> serde_json::Value {
        schema::schema(self.registry())
    }
}

struct Reader<'a> {
    /// The manifest is the first one.
    files: Vec<Source<'a>>,
    problems: Problems,
    env: &'a dyn Fn(&str) -> Option<String>,
    shown_as: BTreeMap<String, String>,
}

impl<'a> Reader<'a> {
    fn new(env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { files: Vec::new(), problems: Problems::default(), env, shown_as: BTreeMap::new() }
    }

    fn read(mut self, engine: &Engine, input: &'a ManifestInput) -> Result<(Project, Graph), ManifestError> {
        let mut manifest = self.open(&input.name, &input.bytes);
        if let Some(document) = &manifest
            && (document.len() == 0 || document.is_null(ROOT))
        {
            let message = "the manifest is empty";
            let help = "it needs `project: NAME`, and `resources` or `assertions`".to_owned();
            self.problems.add(0, Trouble::new("empty", None, message).help(help));
            manifest = None;
        }
        let mut vars = self.overrides(input);
        let mut read = manifest.and_then(|mut document| {
            self.interpolate(&mut document, &mut vars);
            self.lower(engine.registry(), &document)
        });
        if let Some((name, bytes)) = &input.lock {
            let graph = read.as_ref().map(|(_, graph)| graph);
            let lock = self.lock(engine.registry(), (name, bytes), &mut vars, graph).map(Arc::new);
            if let Some((project, graph)) = &mut read {
                project.lock.clone_from(&lock);
                graph.lock = lock;
            }
        }
        self.problems.finish(&self.files, read)
    }

    /// The variables that go before the manifest's own.
    fn overrides(&mut self, input: &'a ManifestInput) -> Vars {
        let mut vars = Vars::default();
        input.vars.iter().for_each(|(name, text)| vars.set(name, text));
        // Whoever overrides comes first.
        for (name, bytes) in input.vars_files.iter().rev() {
            self.vars_file(name, bytes, &mut vars);
        }
        vars
    }

    /// A lock; `None`, if it is no YAML.
    fn lock(
        &mut self,
        registry: &Registry,
        (name, bytes): (&'a str, &'a [u8]),
        vars: &mut Vars,
        graph: Option<&Graph>,
    ) -> Option<Lock> {
        let file = self.files.len();
        let mut document = self.open(name, bytes)?;
        let all = (ROOT, document.len() as node::Id);
        if document.len() > 0 {
            self.put_in(&mut document, all, file, vars, Pass::Whole);
        }
        parse::key_troubles(&document, |id, trouble| {
            if !self.problems.only_counts() {
                self.problems.add(file, trouble.path(report::path_of(&document, id)));
            }
        });
        let mut lowering =
            Lowering::new(&document, registry, &mut self.problems, (file, name), &self.shown_as);
        Some(lowering.lock(name, graph))
    }

    /// Reads a file; says what is wrong, and returns nothing, if it is not YAML.
    fn open(&mut self, name: &'a str, bytes: &'a [u8]) -> Option<Document<'a>> {
        let file = self.files.len();
        let (text, wrong) = parse::decode(bytes);
        self.files.push(Source::new(name, text));
        let document = wrong.map_or_else(|| parse::parse(text), Err);
        document.map_err(|trouble| self.problems.add(file, trouble)).ok()
    }

    fn vars_file(&mut self, name: &'a str, bytes: &'a [u8], vars: &mut Vars) {
        let file = self.files.len();
        let Some(mut document) = self.open(name, bytes).filter(|document| document.len() > 0) else { return };
        if document.is_null(ROOT) {
            return;
        }
        if !document.is_mapping(ROOT) {
            let message = "expected a map of variables";
            self.problems.add(file, Trouble::new("wrong-type", spot(&document, ROOT), message));
            return;
        }
        self.variables(&mut document, ROOT, file, vars);
        parse::key_troubles(&document, |_, trouble| self.problems.add(file, trouble));
    }

    /// First into the variables, then from them into everything else.
    fn interpolate(&mut self, document: &mut Document, vars: &mut Vars) {
        if let Some((_, map)) = document.get(ROOT, "vars") {
            self.variables(document, map, 0, vars);
        }
        let all = (ROOT, document.len() as node::Id);
        self.put_in(document, all, 0, vars, Pass::Whole);
    }

    /// Variables may be made of others: first those that are made of none, then those that are made of these.
    fn variables(&mut self, document: &mut Document, map: node::Id, file: usize, vars: &mut Vars) {
        let range = (map, document.after(map));
        for _ in 0..=interpolate::MAX_DEPTH {
            if !vars.take(document, map) {
                break;
            }
            self.put_in(document, range, file, vars, Pass::Ready);
        }
        if vars.take(document, map) {
            vars.give_up();
        }
        self.put_in(document, range, file, vars, Pass::Variables);
    }

    fn put_in(
        &mut self,
        document: &mut Document,
        range: (node::Id, node::Id),
        file: usize,
        vars: &Vars,
        pass: Pass,
    ) {
        let mut interpolator =
            Interpolator { vars, pass, env: self.env, shown_as: &mut self.shown_as, unknown: 0 };
        let (source, problems) = (&self.files[file], &mut self.problems);
        let troubles = interpolator.apply(document, range, source);
        for (id, trouble) in troubles {
            if !problems.only_counts() {
                problems.add(file, trouble.path(report::path_of(document, id)));
            }
        }
    }

    fn lower(&mut self, registry: &Registry, document: &Document) -> Option<(Project, Graph)> {
        parse::key_troubles(document, |id, trouble| {
            if !self.problems.only_counts() {
                self.problems.add(0, trouble.path(report::path_of(document, id)));
            }
        });
        let name = self.files[0].name;
        let mut lowering = Lowering::new(document, registry, &mut self.problems, (0, name), &self.shown_as);
        let project = lowering.project();
        let graph = lowering.validate(&project);
        let unread = !lowering.unread.is_empty();
        if unread && self.problems.is_empty() {
            // Cannot be. But were something left out without a word, a pass would prove less than was asked for.
            let message = "something in it could not be read";
            self.problems.add(0, Trouble::new("unreadable", None, message));
        }
        Some((project, graph?))
    }
}

fn spot(document: &Document, id: node::Id) -> Spot {
    let entry = document.entry(id);
    Spot {
        line: entry.line,
        column: entry.column,
        width: if entry.is_collection() { 1 } else { entry.width },
    }
}

#[cfg(test)]
mod tests;
