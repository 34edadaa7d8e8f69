//! [`Passes`]: verdicts that may be used again (`fresh_for`). Only what passed is kept, under a fingerprint of all that the
//! verdict rests on beside the world: the assertion and its options, the resources that it is about, and what the
//! assertion says that it reads ([`Input`]). What does not pass takes back what passed before.

use std::{
    collections::{HashMap, HashSet},
    fmt::{self, Write as _},
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Outcome, executor::finding::Finding, graph::Graph, verdict::Said};

/// How much of a file is read to tell whether it changed; of a longer one, its size and times are taken.
const READ: u64 = 4 << 20;

/// How many passes a file of them holds.
const KEPT: usize = 10_000;

/// Something that an assertion's verdict rests on and that is not in its fields.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Input {
    /// What this file holds; a program, for one.
    File(PathBuf),
    /// What this variable of the environment is set to.
    Env(String),
    /// Anything else, as text.
    Text(String),
}

/// Of all that a verdict rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Fingerprint(u64, u64);

/// Verdicts that may be used again. Cheap to clone, and shared by its clones.
///
/// An [`Engine`](crate::Engine) has its own, which live as long as it does. Who wants them to outlive it keeps them as text:
///
/// ```
/// use clockwork_core::{Passes, RunOptions};
///
/// let passes = Passes::read(r#"{ "schema": "clockwork.passes/v1", "passes": {} }"#)?;
/// let mut options = RunOptions::default();
/// options.passes = Some(passes.clone());
/// // … `Engine::run` with these options, and when it has ended:
/// if passes.changed() {
///     println!("{}", passes.write(None));
/// }
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Default)]
pub struct Passes(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    kept: HashMap<Fingerprint, Pass>,
    /// What did not pass since these were read.
    taken_back: HashSet<Fingerprint>,
    changed: bool,
}

/// What passed, and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pass {
    /// Milliseconds since 1970.
    at: u64,
    /// Until when it is worth keeping.
    until: u64,
    message: String,
    expected: Option<String>,
    actual: Option<String>,
    details: Map<String, Value>,
}

/// The file's form.
#[derive(Serialize, Deserialize)]
struct Written {
    schema: String,
    passes: HashMap<String, Pass>,
}

const SCHEMA: &str = "clockwork.passes/v1";

impl Passes {
    /// What [`Passes::write`] wrote.
    ///
    /// # Errors
    /// Says why it cannot be read.
    pub fn read(text: &str) -> Result<Self, String> {
        let written: Written = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if written.schema != SCHEMA {
            return Err(format!("its schema is {}, not {SCHEMA}", crate::text::quote(&written.schema)));
        }
        let kept =
            written.passes.into_iter().filter_map(|(key, pass)| Some((Fingerprint::parse(&key)?, pass)));
        Ok(Self(Arc::new(Mutex::new(State { kept: kept.collect(), ..State::default() }))))
    }

    /// All that are worth keeping, as JSON. `others` is what somebody else wrote meanwhile: of what both know, the younger
    /// pass is kept, and none that was taken back here.
    pub fn write(&self, others: Option<&Self>) -> String {
        let mut all = others.map(|others| others.lock().kept.clone()).unwrap_or_default();
        let state = self.lock();
        all.retain(|key, _| !state.taken_back.contains(key));
        for (key, pass) in &state.kept {
            if all.get(key).is_none_or(|other| other.at < pass.at) {
                all.insert(*key, pass.clone());
            }
        }
        let newest = all.values().map(|pass| pass.at).max().unwrap_or(0);
        let mut all: Vec<_> = all.into_iter().filter(|(_, pass)| pass.until > newest).collect();
        all.sort_by_key(|(key, pass)| (std::cmp::Reverse(pass.at), *key));
        let passes = all.into_iter().take(KEPT).map(|(key, pass)| (key.to_string(), pass)).collect();
        serde_json::to_string(&Written { schema: SCHEMA.to_owned(), passes }).unwrap_or_default()
    }

    /// Whether there is something to write since they were read.
    pub fn changed(&self) -> bool {
        self.lock().changed
    }

    /// What passed no longer ago than this.
    pub(crate) fn find(&self, key: Fingerprint, fresh_for: Duration, now: SystemTime) -> Option<Finding> {
        let state = self.lock();
        let pass = state.kept.get(&key)?;
        // A pass from the future says nothing: somebody's clock was wrong.
        let age = millis(now).checked_sub(pass.at)?;
        (u128::from(age) < fresh_for.as_millis()).then(|| pass.finding())
    }

    /// Notes how a check ended that may be used again.
    pub(crate) fn note(&self, key: Fingerprint, finding: &Finding, fresh_for: Duration, now: SystemTime) {
        let mut state = self.lock();
        state.changed = true;
        match Pass::of(finding, fresh_for, now) {
            Some(pass) => {
                state.taken_back.remove(&key);
                state.kept.insert(key, pass);
            }
            None => {
                state.kept.remove(&key);
                state.taken_back.insert(key);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Passes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passes").field("kept", &self.lock().kept.len()).finish_non_exhaustive()
    }
}

impl Pass {
    fn of(finding: &Finding, fresh_for: Duration, now: SystemTime) -> Option<Self> {
        if finding.outcome != Outcome::Passed || finding.reused.is_some() {
            return None;
        }
        let at = millis(now);
        let Said { message, expected, actual, .. } = finding.words.clone().into_said();
        let until = at.saturating_add(u64::try_from(fresh_for.as_millis()).unwrap_or(u64::MAX));
        Some(Self { at, until, message, expected, actual, details: finding.details.to_map() })
    }

    fn finding(&self) -> Finding {
        let when = SystemTime::UNIX_EPOCH + Duration::from_millis(self.at);
        Finding::reused(&self.message, self.expected.clone(), self.actual.clone(), &self.details, when)
    }
}

fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

impl Fingerprint {
    /// Of a check, as everything is right now.
    pub(crate) fn of(graph: &Graph, index: usize) -> Self {
        let check = &graph.checks[index];
        let (assertion, options) = (check.declared.assertion(), &check.declared.options);
        let mut text = String::new();
        // The clockwork that judges, the judgement, and what is done with it.
        let _ = write!(text, "{}\0{}\0", env!("CARGO_PKG_VERSION"), graph.project);
        let _ = write!(text, "{}\0{assertion:?}\0", assertion.kind());
        let _ = write!(text, "{:?}\0{}\0{:?}\0", options.at, options.not, options.holds_for);
        let at = options.at.as_ref().and_then(|name| graph.resource(name.as_str()));
        let about = check.node.iter().chain(&check.related).map(|&node| &graph.nodes[node].resource);
        for resource in about.chain(at) {
            let _ = write!(text, "{}\0{}\0{}\0", resource.common().name(), resource.kind(), resource.spec());
        }
        if assertion.sentence().is_some() {
            let _ = write!(text, "{:?}\0", graph.lock());
        }
        let mut inputs = Vec::new();
        for input in assertion.inputs() {
            let _ = write!(text, "{input:?}\0");
            inputs.push(match input {
                Input::File(path) => contents(&path),
                Input::Env(name) => {
                    std::env::var_os(name).map(std::ffi::OsString::into_encoded_bytes).unwrap_or_default()
                }
                Input::Text(_) => Vec::new(),
            });
        }
        // Two of 64 bits: one might be met by chance.
        let [first, second] = [0_u8, 1].map(|salt| {
            let mut hasher = DefaultHasher::new();
            (salt, &text, &inputs).hash(&mut hasher);
            hasher.finish()
        });
        Self(first, second)
    }

    fn parse(text: &str) -> Option<Self> {
        let half = |range| u64::from_str_radix(text.get(range)?, 16).ok();
        (text.len() == 32).then_some(Self(half(0..16)?, half(16..32)?))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}", self.0, self.1)
    }
}

/// What a file holds, or, of one that is long or no file, what is known of it.
fn contents(path: &Path) -> Vec<u8> {
    match fs::metadata(path) {
        Ok(known) if known.is_file() && known.len() <= READ => {
            fs::read(path).unwrap_or_else(|error| error.to_string().into_bytes())
        }
        Ok(known) => format!("{known:?}").into_bytes(),
        Err(error) => error.to_string().into_bytes(),
    }
}

#[cfg(test)]
#[path = "fresh_tests.rs"]
mod tests;
