//! [`Sandbox`]: what a foreign program may do, as a manifest says it.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
    time::Duration,
};

use clockwork_core::{
    ByteSize, Invalid,
    schemars::{JsonSchema, Schema, SchemaGenerator, json_schema},
    text::quote,
};
use serde::{Deserialize, Deserializer, de, de::value::MapAccessDeserializer};

/// How many times as much memory, and how many times as many processes, all checks of a worker may have together.
#[cfg(feature = "python")]
const TOGETHER: u64 = 8;
/// How many processes a worker has itself, with one for each check.
#[cfg(feature = "python")]
const WORKER: u32 = 128;

/// What a foreign program may do. Nothing is granted that does not stand here, but what every program needs to run: see
/// the [module](super).
///
/// In a manifest: a map of these fields, `required` (the defaults, and all of them enforced), `off` or `false` (none), or
/// `on` or `true` (the default).
///
/// ```
/// use clockwork_drivers::sandbox::{NetworkAccess, Sandbox};
///
/// let sandbox = Sandbox::new().read("/srv/data").network(NetworkAccess::Loopback).required();
/// assert!(Sandbox::off().is_off());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sandbox {
    pub(crate) off: bool,
    pub(crate) grants: Grants,
}

/// What a sandbox grants, and its limits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "SandboxGrants")]
pub(crate) struct Grants {
    /// Whether all of this has to be enforced: what this machine cannot enforce makes the result `errored`. Otherwise it
    /// stands in the evidence.
    pub(crate) required: bool,
    /// Files and directories that it may read, with all that is in them. A relative path is relative to Clockwork's working
    /// directory.
    pub(crate) read: Vec<PathBuf>,
    /// Files and directories that it may read and change, with all that is in them.
    pub(crate) write: Vec<PathBuf>,
    /// What it reaches: `none`, the default; `loopback`, what listens for TCP on this machine's own addresses
    /// (127.0.0.0/8, ::1); `at`, the network of the resource that `at:` names; `all`, everything that Clockwork reaches.
    pub(crate) network: NetworkAccess,
    /// How much memory it may use, all of its processes together; 1 GiB unless given.
    pub(crate) memory: ByteSize,
    /// How much time each of its processes may compute; 60 s unless given.
    #[serde(with = "clockwork_core::duration")]
    #[schemars(with = "clockwork_core::duration::Schema")]
    pub(crate) cpu: Duration,
    /// How many processes and threads it may have at one time; 64 unless given.
    pub(crate) processes: u32,
    /// How many files one of its processes may have open; 1024 unless given.
    pub(crate) open_files: u32,
    /// How large a file it writes may become, and all that it keeps in its own `/tmp`; 256 MiB unless given.
    pub(crate) file_size: ByteSize,
    /// The variables of Clockwork's environment that it gets, beside PATH, HOME, USER, LOGNAME, SHELL, LANG, LANGUAGE, TZ,
    /// TERM and those that begin with `LC_`.
    pub(crate) env: Vec<String>,
}

impl Default for Grants {
    fn default() -> Self {
        Self {
            required: false,
            read: Vec::new(),
            write: Vec::new(),
            network: NetworkAccess::None,
            memory: ByteSize(1 << 30),
            cpu: Duration::from_secs(60),
            processes: 64,
            open_files: 1024,
            file_size: ByteSize(256 << 20),
            env: Vec::new(),
        }
    }
}

/// The limits of a [`Sandbox`], for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How much memory it may use.
    pub memory: ByteSize,
    /// How much time each of its processes may compute.
    pub cpu: Duration,
    /// How many processes and threads it may have at one time.
    pub processes: u32,
    /// How many files one of its processes may have open.
    pub open_files: u32,
    /// How large a file it writes may become.
    pub file_size: ByteSize,
}

/// What a program in a sandbox reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NetworkAccess {
    /// Nothing, not even other programs of this machine.
    #[default]
    None,
    /// What listens for TCP on this machine's own addresses: 127.0.0.0/8 and ::1.
    Loopback,
    /// The network of the resource that `at:` names.
    At,
    /// Everything that Clockwork reaches.
    All,
}

impl JsonSchema for NetworkAccess {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "NetworkAccess".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": ["none", "loopback", "at", "all"] })
    }
}

impl fmt::Display for NetworkAccess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Loopback => "loopback",
            Self::At => "at",
            Self::All => "all",
        })
    }
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Sandbox {
    /// The default: nothing is granted but what every program needs.
    pub fn new() -> Self {
        Self { off: false, grants: Grants::default() }
    }

    /// None: the program may do whatever Clockwork may.
    pub fn off() -> Self {
        Self { off: true, grants: Grants::default() }
    }

    /// Whether there is none.
    pub fn is_off(&self) -> bool {
        self.off
    }

    /// Whether all of it has to be enforced.
    pub fn is_required(&self) -> bool {
        !self.off && self.grants.required
    }

    /// What is reached.
    pub fn network_access(&self) -> NetworkAccess {
        if self.off { NetworkAccess::All } else { self.grants.network }
    }

    /// Its limits; `None` where there is no sandbox.
    pub fn limits(&self) -> Option<Limits> {
        let Grants { memory, cpu, processes, open_files, file_size, .. } = self.grants;
        (!self.off).then_some(Limits { memory, cpu, processes, open_files, file_size })
    }

    /// What this machine cannot enforce makes the result `errored`, instead of standing in the evidence.
    #[must_use]
    pub fn required(mut self) -> Self {
        self.grants.required = true;
        self
    }

    /// Grants to read this file, or this directory and all that is in it.
    #[must_use]
    pub fn read(mut self, path: impl Into<PathBuf>) -> Self {
        self.grants.read.push(path.into());
        self
    }

    /// Grants to read and change this file, or this directory and all that is in it.
    #[must_use]
    pub fn write(mut self, path: impl Into<PathBuf>) -> Self {
        self.grants.write.push(path.into());
        self
    }

    /// What it reaches; nothing unless given.
    #[must_use]
    pub fn network(mut self, access: NetworkAccess) -> Self {
        self.grants.network = access;
        self
    }

    /// How much memory it may use, all of its processes together.
    #[must_use]
    pub fn memory(mut self, limit: ByteSize) -> Self {
        self.grants.memory = limit;
        self
    }

    /// How much time each of its processes may compute.
    #[must_use]
    pub fn cpu(mut self, limit: Duration) -> Self {
        self.grants.cpu = limit;
        self
    }

    /// How many processes and threads it may have at one time.
    #[must_use]
    pub fn processes(mut self, limit: u32) -> Self {
        self.grants.processes = limit;
        self
    }

    /// How many files one of its processes may have open.
    #[must_use]
    pub fn open_files(mut self, limit: u32) -> Self {
        self.grants.open_files = limit;
        self
    }

    /// How large a file that it writes may become, and all that it keeps in its own `/tmp`.
    #[must_use]
    pub fn file_size(mut self, limit: ByteSize) -> Self {
        self.grants.file_size = limit;
        self
    }

    /// Grants it this variable of Clockwork's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>) -> Self {
        self.grants.env.push(name.into());
        self
    }

    /// How much memory each check may use, in bytes; `None` where there is no limit.
    #[cfg(feature = "python")]
    pub(crate) fn memory_of_each(&self) -> Option<u64> {
        (!self.off).then_some(self.grants.memory.0)
    }

    /// The variables of Clockwork's environment that are granted by name.
    pub fn granted_variables(&self) -> &[String] {
        &self.grants.env
    }

    /// For a worker that runs many programs' worth of checks at the same time: all of them together may have more
    /// processes and memory than each; and it reads these, too.
    #[cfg(feature = "python")]
    pub(crate) fn for_many(&self, also: &[PathBuf]) -> Self {
        let mut grants = self.grants.clone();
        grants.read.extend_from_slice(also);
        grants.memory = ByteSize(grants.memory.0.saturating_mul(TOGETHER));
        grants.processes = grants.processes.saturating_mul(TOGETHER as u32).saturating_add(WORKER);
        Self { off: self.off, grants }
    }

    /// What is wrong with it: for [`clockwork_core::Assertion::validate`]. The fields are called `sandbox.…`.
    pub fn validate(&self) -> Vec<Invalid> {
        let mut problems = Vec::new();
        for (field, paths) in [("sandbox.read", &self.grants.read), ("sandbox.write", &self.grants.write)] {
            problems.extend(
                paths.iter().filter_map(|path| check(path)).map(|problem| Invalid::field(field, problem)),
            );
        }
        for name in &self.grants.env {
            if name.is_empty() || name.contains(['=', '\0']) {
                let problem = format!("{} cannot be the name of a variable", quote(name));
                problems.push(Invalid::field("sandbox.env", problem));
            }
        }
        let least = [
            (
                "sandbox.memory",
                self.grants.memory.0 < 1 << 20,
                "is less than 1 MiB, in which no program runs",
            ),
            ("sandbox.cpu", self.grants.cpu.is_zero(), "is zero: no program runs in no time"),
            ("sandbox.processes", self.grants.processes == 0, "is zero: the program itself is a process"),
            ("sandbox.open_files", self.grants.open_files < 8, "is less than 8, with which no program runs"),
        ];
        problems.extend(
            least
                .into_iter()
                .filter(|(_, wrong, _)| *wrong)
                .map(|(field, _, problem)| Invalid::field(field, problem)),
        );
        problems
    }
}

fn check(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().as_encoded_bytes();
    if bytes.is_empty() {
        return Some(String::from("is empty: name a file or a directory"));
    }
    if bytes.contains(&0) {
        return Some(String::from("holds a NUL character, which no path can"));
    }
    if bytes == b"~" || bytes.starts_with(b"~/") {
        return Some(format!(
            "{} begins with `~`, which is not expanded: write the whole path, for example with `${{env.HOME}}`",
            quote(&path.to_string_lossy())
        ));
    }
    None
}

struct Visitor;

impl<'de> de::Visitor<'de> for Visitor {
    type Value = Sandbox;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what is granted (`{ read: [/srv/data], network: loopback }`), `required`, `on` or `off`")
    }

    fn visit_bool<E: de::Error>(self, on: bool) -> Result<Sandbox, E> {
        Ok(if on { Sandbox::new() } else { Sandbox::off() })
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Sandbox, E> {
        match word {
            "required" => Ok(Sandbox::new().required()),
            "on" | "true" => Ok(Sandbox::new()),
            "off" | "false" => Ok(Sandbox::off()),
            _ => Err(E::custom(format!(
                "{} is no sandbox; write `required`, `on`, `off`, or what is granted: `{{ read: [/srv/data], network: \
                 loopback }}`",
                quote(word)
            ))),
        }
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Sandbox, A::Error> {
        Ok(Sandbox { off: false, grants: Grants::deserialize(MapAccessDeserializer::new(map))? })
    }
}

impl<'de> Deserialize<'de> for Sandbox {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Sandbox {
    fn schema_name() -> Cow<'static, str> {
        "Sandbox".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let grants = generator.subschema_for::<Grants>();
        json_schema!({
            "description": "What a program may do: what is granted, `required`, `on` or `off`",
            "anyOf": [{ "enum": ["required", "on", "off"] }, { "type": "boolean" }, grants]
        })
    }
}
