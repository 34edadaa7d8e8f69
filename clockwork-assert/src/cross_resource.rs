//! [`CrossResourceAssert`]: a sentence about two resources, judged by the typed assertions that it was compiled into.
//!
//! A sentence proves nothing by itself. What it stands for is written in `clockwork.lock.yaml` beside the manifest, where
//! people review it, and runs without asking anybody what the words might mean:
//!
//! ```yaml
//! lock: clockwork.lock/v1
//! entries:
//!   - source: api
//!     target: postgres-db
//!     assertion: the api reads its users from the database
//!     reviewed: by Anna, 2026-11-30            # for people; may be left out
//!     assertions:                              # as under the manifest's own `assertions`
//!       - ServiceConnectivityAssert: { from_service: api, to_service: postgres-db, protocol: postgresql }
//!     on_source: []                            # as under the first resource's `assertions`
//!     on_target:                               # as under the second one's: its connection is used
//!       - TableExistsAssert: { table: users }
//! ```
//!
//! An entry is used for exactly its sentence about exactly these two resources; white space aside, a sentence that was
//! changed has none. Assertions there take `name`, `at` and `not`; everything else (`within`, `severity`…) stands with the
//! sentence. What is wrong with the file is told as it is for the manifest, and nothing runs. Entries that nobody uses are
//! told on standard error.
//!
//! It holds if all of its assertions hold. If one does not, the message names it. If one cannot be judged and none fails,
//! or if there is no entry, it is `errored`, whatever `not` says. Judged (so that `not` turns it around): all hold, or one
//! of them is judged and does not.
//!
//! In Rust no file is read: give what sentences stand for with `Project::lock`, made of values (`Lock::entry`) or of a file
//! (`Engine::read_lock`).
//!
//! `details`: `assertions` ([{ assertion, label, verdict, message }]), `reviewed`.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Named, Resource, ResourceName, Sentence, Verdict,
    async_trait,
    text::{bounded, harmless, quote},
};
use futures_util::future::join_all;
use schemars::JsonSchema;
use serde::Deserialize;

/// A sentence about two resources, judged by the typed assertions that it was compiled into.
///
/// ```
/// use clockwork_assert::{CrossResourceAssert, Protocol, ServiceConnectivityAssert};
/// use clockwork_core::{IntoAssertion, Lock, Project};
/// use clockwork_drivers::ContainerResource;
///
/// let (api, database) = (ContainerResource::new("api"), ContainerResource::new("postgres-db"));
/// let sentence = "the api can ask the database";
/// let meant = ServiceConnectivityAssert::new(&api, &database).protocol(Protocol::Postgresql);
/// let lock = Lock::new().entry(&api, &database, sentence, [meant.into_assertion()]);
/// let asserted = CrossResourceAssert::new(&api, &database, sentence);
/// Project::new("shop").with(api).with(database).assert(asserted).lock(lock);
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrossResourceAssert {
    /// The resource that the sentence begins with.
    source: String,
    /// The other resource.
    target: String,
    /// The sentence. What it stands for is written in `clockwork.lock.yaml`.
    assertion: String,
}

impl CrossResourceAssert {
    /// This sentence holds of these two resources.
    pub fn new(source: impl Named, target: impl Named, assertion: impl Into<String>) -> Self {
        Self {
            source: source.resource_name().to_string(),
            target: target.resource_name().to_string(),
            assertion: assertion.into(),
        }
    }

    fn words(&self) -> Sentence<'_> {
        Sentence { source: &self.source, target: &self.target, text: &self.assertion }
    }

    /// There is nothing that says what the sentence stands for.
    fn unknown(&self, what: String) -> CheckError {
        let Self { source, target, assertion } = self;
        CheckError::unobservable(what).hint(format!(
            "write there what it stands for: `entries: [{{ source: {source}, target: {target}, assertion: {}, assertions: \
             [ … ] }}]`, below `lock: clockwork.lock/v1`",
            quote(assertion)
        ))
    }
}

#[async_trait]
impl Assertion for CrossResourceAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        bounded(harmless(self.assertion.trim()).replace('\n', " "), 100)
    }

    fn related(&self) -> Vec<ResourceName> {
        vec![ResourceName::new(&self.source), ResourceName::new(&self.target)]
    }

    fn sentence(&self) -> Option<Sentence<'_>> {
        Some(self.words())
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let empty = self.assertion.trim().is_empty();
        empty.then(|| Invalid::field("assertion", "is empty: say what has to hold")).into_iter().collect()
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let Some(lock) = cx.graph().lock() else {
            return Err(self.unknown(String::from(
                "the sentence was not compiled into typed assertions: there is no clockwork.lock.yaml beside the manifest",
            )));
        };
        let Some(entry) = lock.find(self.words()) else {
            let other = lock.about(self.words()).next();
            let other = other.map(|entry| {
                format!(" (of these two it has {}: was the sentence changed?)", quote(entry.text()))
            });
            return Err(self.unknown(format!(
                "the sentence was not compiled into typed assertions: {} has no entry for it{}",
                harmless(lock.name()),
                other.unwrap_or_default()
            )));
        };
        let parts = join_all(entry.assertions().iter().map(|part| part.look(cx))).await;
        entry.judge(&parts)
    }
}

impl AssertionKind for CrossResourceAssert {
    const NAME: &'static str = "CrossResourceAssert";
}
