//! [`PythonAssert`]: a function of the user's, in Python, says that it is so.
//!
//! The function gets the resource that the assertion is declared on as its first argument (at the top level `None`), and
//! `args` by their names; one without parameters, or whose first one is among `args`, gets no resource. The resource is a map whose
//! entries are attributes, too: `resource.name`, `kind`, `description`, `depends_on`, the fields of its kind as the manifest has them
//! (`resource.ports`, `resource["image"]`; all of them in `resource.spec`), and `resource.observation`, what its driver
//! sees, looked at when it is asked for. Secrets are not among them: those that a check needs are granted one by one, by
//! `args` (`token: { env: API_TOKEN }`) or by `sandbox.env`.
//!
//! | it returns or raises | verdict |
//! | --- | --- |
//! | `True`, `False` | passed, failed |
//! | `(True, "…")`, `(False, "…")` | the same, with this message |
//! | `None` | passed, as in pytest: then it was an `assert` that could have failed. A function in which nothing could have failed (no `assert`, nothing raised, nothing called) is `errored` |
//! | a dict | as `passed` in it says, a `bool`; with `message`, `expected` and `actual`, and everything else in the report's `details` |
//! | `AssertionError` | failed, with its message; without one, with the condition and what it compared |
//! | a coroutine (`async def`) | is awaited, by `asyncio.run` |
//! | any other exception, `sys.exit` | errored, with the line of the user's where it happened |
//! | anything else: a string, a number, a `numpy.bool_`, a generator | errored: nothing is taken for true |
//!
//! Without `function`, all functions of the file that are marked run, and all have to pass: on a resource those that are
//! marked for it and those for any (`@assertion`), at the top level all, each with its own resource. The decorator needs
//! nothing installed; `clockwork schema --python > checks/clockwork.pyi` writes its type hints for editors and type checkers.
//!
//! ```python
//! from clockwork import assertion
//!
//! @assertion(resource="api")
//! def answers(api):
//!     assert api.observation.state == "running"
//! ```
//!
//! One interpreter is started for all files and functions with the same `python` and `sandbox`. It imports each file once in
//! each round, and the checks run in processes that are forked from there. What one does to its process (its working
//! directory, its globals, a crash, `os._exit`) no other sees: only one that left its process as it was is followed by others
//! there, and one that ends a process in which others ran is asked once more in a new one, so that it may run twice. For a
//! file of functions and plain values that is cheap; one that keeps more at its top level (a session, a lock, a cache), or
//! may reach into modules of others (it assigns to attributes, or changes a collection where it knows such a module), has a
//! process for each check. A file that starts threads or processes, or opens
//! files or connections, while it is imported cannot be copied, and is imported for each check anew. A check that does not
//! end in time is `errored`, with the line where it stood; all that it had started ends with it. The file is compiled with
//! its assertions whatever `PYTHONOPTIMIZE` says, and an assertion that is always true (`assert (x, "…")`) is `errored`.
//!
//! `file` is relative to Clockwork's working directory, and its own directory comes first among those that it imports from.
//! Packages come from the interpreter: `python: .venv/bin/python` for those of a virtual environment. Python 3.8 or newer.
//!
//! In its sandbox a check reads its own directory, the working directory, what belongs to the system and what the interpreter
//! needs; more is granted by name. Nothing is concluded from what it is not shown: where it looked for a file that is here and
//! not granted, for the machine's processes, or for a network that it does not reach, there is no verdict, whatever it returns
//! (`errored`, with the grant that it lacks). `memory` is what each process of a check may allocate, and eight times that for
//! all checks of an interpreter together, as with `processes`; `cpu` is that of each process.
//!
//! It cannot prove more than the function looks at, and what it does to the world is its own affair: it should only look.
//! Judged (so that `not` turns it around): what it returns, and a failed assertion.
//!
//! `details`: `python` (its version), `output` (what was printed), `traceback`, `checks` (those that are marked), `sandbox`.

mod broken;
mod judge;
mod marked;
mod place;
mod value;

use std::{collections::BTreeMap, path::PathBuf};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Input, Invalid, Resource, Verdict, async_trait,
    text::quote,
};
use clockwork_drivers::{
    file::check_path,
    python::{PythonCall, PythonFile, PythonFunction, PythonProbe},
    sandbox::{NetworkAccess, Sandbox},
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::program_inputs;

pub use value::PythonValue;

/// A function in a Python file says that it is so. On Linux and macOS; its sandbox is Linux's.
///
/// ```
/// use clockwork_assert::PythonAssert;
///
/// PythonAssert::new("checks/api.py", "validate_api_response").python(".venv/bin/python").arg("limit", 3);
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PythonAssert {
    /// The file, relative to Clockwork's working directory.
    file: PathBuf,
    /// The function in it; unless given, all that are marked with `@assertion`.
    #[serde(default)]
    function: Option<String>,
    /// The interpreter: a name, or a path such as `.venv/bin/python`.
    #[serde(default = "python3")]
    python: String,
    /// Arguments beside the resource, by their names: values, or secrets (`{ env: NAME }`, `{ file: path }`).
    #[serde(default)]
    args: BTreeMap<String, PythonValue>,
    /// What it may do: what is granted, `required`, or `off`. By default it reads its own directory, the working directory
    /// and what the interpreter needs, and reaches no network.
    #[serde(default)]
    sandbox: Sandbox,
}

fn python3() -> String {
    String::from("python3")
}

impl PythonAssert {
    /// This function of this file.
    pub fn new(file: impl Into<PathBuf>, function: impl Into<String>) -> Self {
        Self { function: Some(function.into()), ..Self::marked(file) }
    }

    /// All functions of this file that are marked with `@assertion`.
    pub fn marked(file: impl Into<PathBuf>) -> Self {
        let (file, python) = (file.into(), python3());
        Self { file, function: None, python, args: BTreeMap::new(), sandbox: Sandbox::default() }
    }

    /// The interpreter.
    #[must_use]
    pub fn python(mut self, python: impl Into<String>) -> Self {
        self.python = python.into();
        self
    }

    /// An argument beside the resource: a value, or a `Secret`.
    #[must_use]
    pub fn arg(mut self, name: impl Into<String>, value: impl Into<PythonValue>) -> Self {
        self.args.insert(name.into(), value.into());
        self
    }

    /// What it may do.
    #[must_use]
    pub fn sandbox(mut self, sandbox: Sandbox) -> Self {
        self.sandbox = sandbox;
        self
    }

    fn call(
        &self,
        function: PythonFunction,
        resource: Option<&dyn Resource>,
    ) -> Result<PythonCall, CheckError> {
        let (mut args, mut secrets) = (Map::new(), Vec::new());
        for (name, value) in &self.args {
            args.insert(name.clone(), value.reveal(&mut secrets)?);
        }
        Ok(PythonCall {
            function,
            observed: resource.map(|resource| resource.common().name().to_string()),
            resource: resource.map(document),
            args,
            secrets,
        })
    }
}

/// A resource as a function gets it.
fn document(resource: &dyn Resource) -> Value {
    let (common, spec) = (resource.common(), resource.spec());
    let mut document = match &spec {
        Value::Object(fields) => fields.clone(),
        _ => Map::new(),
    };
    document.insert(String::from("name"), json!(common.name()));
    document.insert(String::from("kind"), json!(resource.kind()));
    document.insert(String::from("description"), json!(common.description()));
    document.insert(String::from("depends_on"), json!(common.depends_on()));
    document.insert(String::from("spec"), spec);
    Value::Object(document)
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

impl AssertionKind for PythonAssert {
    const NAME: &'static str = "PythonAssert";
}

#[async_trait]
impl Assertion for PythonAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let file = self.file.to_string_lossy();
        match &self.function {
            Some(function) => format!("{file}::{function}"),
            None => file.into_owned(),
        }
    }

    fn supports_at(&self) -> bool {
        self.sandbox.network_access() == NetworkAccess::At
    }

    fn inputs(&self) -> Vec<Input> {
        let mut inputs = program_inputs::of_script(&self.python, &self.file, &self.sandbox);
        inputs.extend(self.args.values().filter_map(PythonValue::input));
        inputs
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = self.sandbox.validate();
        problems.extend(check_path(&self.file).map(|problem| Invalid::field("file", problem)));
        if let Some(function) = &self.function
            && !is_identifier(function)
        {
            let problem = format!("{} cannot be the name of a function", quote(function));
            problems.push(Invalid::field("function", problem));
        }
        if self.python.trim().is_empty() || self.python.contains('\0') {
            problems.push(Invalid::field("python", "names no interpreter: leave it out for `python3`"));
        }
        for name in self.args.keys().filter(|name| !is_identifier(name)) {
            let problem = format!("{} cannot be the name of an argument", quote(name));
            problems.push(Invalid::field("args", problem));
        }
        if self.function.is_none() && !self.args.is_empty() {
            problems.push(Invalid::field("args", "are for one function: name it with `function`"));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let (python, sandbox, file) = (self.python.clone(), self.sandbox.clone(), self.file.clone());
        let file = cx.observe(PythonProbe { python, sandbox, file }).await?;
        if let Some(broken) = &file.broken {
            return Err(self.broken(broken, &file));
        }
        match &self.function {
            Some(name) => self.one(PythonFunction::Named(name.clone()), cx.resource(), &file, cx).await,
            None => self.all(&file, cx).await,
        }
    }
}

impl PythonAssert {
    async fn one(
        &self,
        function: PythonFunction,
        resource: Option<&dyn Resource>,
        file: &PythonFile,
        cx: &Context,
    ) -> Result<Verdict, CheckError> {
        let call = self.call(function, resource)?;
        let run = file.call(&call, cx).await?;
        self.judge(&run, call.resource.is_some(), file)
    }
}
