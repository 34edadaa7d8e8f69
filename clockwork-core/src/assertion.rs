//! [`Assertion`]: a pure judgement over observations; [`Declared`]: one assertion with the options that every kind
//! has; [`IntoAssertion`]: how kinds, closures and `async fn` all become one.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;

use crate::{
    CheckError, Context, Graph, Input, Named, Place, Resource, ResourceName, Sentence, Severity, Verdict,
};

/// A statement about the world that can be judged.
///
/// An implementation asks probes through the context and compares; it opens no sockets, retries nothing and reads no
/// clock. The executor does that, the same way for every kind.
#[async_trait]
pub trait Assertion: fmt::Debug + Send + Sync + 'static {
    /// The kind's name: that of the struct, of the manifest's key, and the report's `assertion`.
    fn kind(&self) -> &'static str;

    /// What tells this one from others of its kind, in a few words; empty when there is nothing to tell.
    fn label(&self) -> String {
        String::new()
    }

    /// The resources that a cross-resource assertion is about, beside the one that it is declared on.
    fn related(&self) -> Vec<ResourceName> {
        Vec::new()
    }

    /// Of the related resources, the one whose own failures this may explain: a service that does not reach its database
    /// is not healthy either. Such failures do not keep it from being looked at, as others beneath it do; where it
    /// fails, it is what the report blames for them.
    fn explains(&self) -> Option<ResourceName> {
        None
    }

    /// Which resources of the project it is about beside those: found by what they are, or named in a place where a name
    /// need not be a resource's. It waits for them all.
    fn about(&self, _graph: &Graph) -> Vec<ResourceName> {
        Vec::new()
    }

    /// Which of these relationships, client first, it says are there: [`Graph::relationships`] collects them. `at` is where
    /// it looks from.
    fn implies(&self, _at: Option<&ResourceName>) -> Vec<(ResourceName, ResourceName)> {
        Vec::new()
    }

    /// The sentence that it is, if it stands for typed assertions that are written in a [`Lock`](crate::Lock).
    fn sentence(&self) -> Option<Sentence<'_>> {
        None
    }

    /// Whether the probes that this kind asks can look from inside a container (`at:`).
    fn supports_at(&self) -> bool {
        false
    }

    /// Whether a look of this kind mostly keeps a processor busy (cryptography, or the kernel, which makes a connection), where
    /// what it looks at is near: then several are better looked at on several threads, where the host of the engine has a
    /// choice.
    fn computes(&self) -> bool {
        false
    }

    /// Whether a look may block its thread, as code may that is not ours. Then it runs on a thread where that holds up nobody,
    /// and is told.
    fn may_block(&self) -> bool {
        false
    }

    /// What its verdict rests on beside the world and its fields (all that [`fmt::Debug`] shows): under `fresh_for`, a pass
    /// is used again only while these are the same.
    fn inputs(&self) -> Vec<Input> {
        Vec::new()
    }

    /// What is wrong with the fields, taken together and with the resource that it is declared on.
    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        Vec::new()
    }

    /// Looks and judges.
    ///
    /// # Errors
    /// When nothing could be judged: see [`CheckError`] for whose fault that may be.
    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError>;
}

/// An assertion kind that a manifest can declare.
pub trait AssertionKind: Assertion + serde::de::DeserializeOwned + schemars::JsonSchema {
    /// The manifest's key, which is also [`Assertion::kind`].
    const NAME: &'static str;

    /// Other spellings that a manifest may use.
    const ALIASES: &'static [&'static str] = &[];

    /// Whether it fills in `${captured.NAME}` itself, when it runs. In the fields of all other kinds that is an error.
    const CAPTURES: bool = false;
}

/// Something wrong with a declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Which field; empty for the whole.
    pub field: String,
    /// What is wrong, and the way out.
    pub message: String,
}

impl Invalid {
    /// Something wrong with `field`.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }

    /// Something wrong with the whole.
    pub fn whole(message: impl Into<String>) -> Self {
        Self::field("", message)
    }
}

/// The options that every assertion has, whatever its kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) name: Option<String>,
    pub(crate) at: Option<ResourceName>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) within: Option<Duration>,
    pub(crate) every: Option<Duration>,
    pub(crate) holds_for: Option<Duration>,
    pub(crate) severity: Severity,
    pub(crate) not: bool,
    pub(crate) tags: Vec<String>,
    pub(crate) skip: Option<String>,
    pub(crate) fresh_for: Option<Duration>,
}

/// One assertion as a project holds it: the judgement and its options.
#[derive(Debug, Clone)]
#[must_use]
pub struct Declared {
    pub(crate) assertion: Arc<dyn Assertion>,
    /// Shared with the graph, and among those in a manifest that set none, or one after the other the same.
    pub(crate) options: Arc<Options>,
    /// Where; unknown until it is declared.
    pub(crate) place: Option<Place>,
}

impl Declared {
    /// An assertion with no options set.
    pub fn new(assertion: impl Assertion) -> Self {
        Self { assertion: Arc::new(assertion), options: Arc::default(), place: None }
    }

    /// Says where it is declared, unless that is known.
    pub(crate) fn placed(mut self, place: impl Into<Place>) -> Self {
        self.place.get_or_insert_with(|| place.into());
        self
    }

    fn set(mut self, set: impl FnOnce(&mut Options)) -> Self {
        set(Arc::make_mut(&mut self.options));
        self
    }

    /// The judgement.
    pub fn assertion(&self) -> &dyn Assertion {
        &*self.assertion
    }

    /// A name of its own, which makes its id stable when others are added.
    pub fn name(self, name: impl Into<String>) -> Self {
        self.set(|options| options.name = Some(name.into()))
    }

    /// Looks from inside this resource (a container) instead of from the host.
    pub fn at(self, resource: impl Named) -> Self {
        self.set(|options| options.at = Some(resource.resource_name()))
    }

    /// How long one attempt may take.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.set(|options| options.timeout = Some(timeout))
    }

    /// Keeps trying until it passes, at most this long.
    pub fn within(self, within: Duration) -> Self {
        self.set(|options| options.within = Some(within))
    }

    /// How often to try again under `within` and `holds_for`.
    pub fn every(self, every: Duration) -> Self {
        self.set(|options| options.every = Some(every))
    }

    /// Once true, it must stay true this long.
    pub fn holds_for(self, holds_for: Duration) -> Self {
        self.set(|options| options.holds_for = Some(holds_for))
    }

    /// How much a failure matters.
    pub fn severity(self, severity: Severity) -> Self {
        self.set(|options| options.severity = severity)
    }

    /// It must fail. Only a judged property is turned around; an error is never a pass.
    #[expect(clippy::should_implement_trait, reason = "the contract's option is called `not`")]
    pub fn not(self) -> Self {
        self.set(|options| options.not = true)
    }

    /// That it passed may be used again this long, while everything that it rests on is the same: its fields, its
    /// resources, and what it says that it reads ([`Assertion::inputs`]). What did not pass is always looked at again.
    pub fn fresh_for(self, fresh_for: Duration) -> Self {
        self.set(|options| options.fresh_for = Some(fresh_for))
    }

    /// Marks it for `--tag`.
    pub fn tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> Self {
        self.set(|options| options.tags.extend(tags.into_iter().map(Into::into)))
    }

    /// Does not look, and says why.
    pub fn skip(self, reason: impl Into<String>) -> Self {
        self.set(|options| options.skip = Some(reason.into()))
    }
}

/// The options' setters on a kind itself: `HealthcheckAssert::new(url).within(…)`.
pub trait AssertionExt: Assertion + Sized {
    /// See [`Declared::name`].
    fn name(self, name: impl Into<String>) -> Declared {
        Declared::new(self).name(name)
    }

    /// See [`Declared::at`].
    fn at(self, resource: impl Named) -> Declared {
        Declared::new(self).at(resource)
    }

    /// See [`Declared::timeout`].
    fn timeout(self, timeout: Duration) -> Declared {
        Declared::new(self).timeout(timeout)
    }

    /// See [`Declared::within`].
    fn within(self, within: Duration) -> Declared {
        Declared::new(self).within(within)
    }

    /// See [`Declared::every`].
    fn every(self, every: Duration) -> Declared {
        Declared::new(self).every(every)
    }

    /// See [`Declared::holds_for`].
    fn holds_for(self, holds_for: Duration) -> Declared {
        Declared::new(self).holds_for(holds_for)
    }

    /// See [`Declared::severity`].
    fn severity(self, severity: Severity) -> Declared {
        Declared::new(self).severity(severity)
    }

    /// See [`Declared::not`].
    fn not(self) -> Declared {
        Declared::new(self).not()
    }

    /// See [`Declared::fresh_for`].
    fn fresh_for(self, fresh_for: Duration) -> Declared {
        Declared::new(self).fresh_for(fresh_for)
    }

    /// See [`Declared::tags`].
    fn tags<T: Into<String>>(self, tags: impl IntoIterator<Item = T>) -> Declared {
        Declared::new(self).tags(tags)
    }

    /// See [`Declared::skip`].
    fn skip(self, reason: impl Into<String>) -> Declared {
        Declared::new(self).skip(reason)
    }
}

impl<A: Assertion> AssertionExt for A {}

/// Whatever can be asserted: a kind, a kind with options, a closure or an `async fn` that takes a [`Context`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be asserted",
    note = "assert an assertion kind, or an `async` closure or function: `async |cx: Context| -> bool`",
    note = "on a resource it may take that first: `async |web: Arc<ContainerResource>, cx: Context| -> bool`",
    note = "one that captures something clones it for each call: `move |cx| {{ let x = x.clone(); async move {{ … }} }}`",
    note = "it returns `bool`, `(bool, message)`, a `Verdict`, or a `Result` of these with `CheckError`"
)]
pub trait IntoAssertion<Marker> {
    /// The assertion with its options.
    fn into_assertion(self) -> Declared;
}

/// Marks what is an assertion kind.
#[derive(Debug)]
pub enum ByKind {}
/// Marks what has its options already.
#[derive(Debug)]
pub enum WithOptions {}
impl<A: Assertion> IntoAssertion<ByKind> for A {
    fn into_assertion(self) -> Declared {
        Declared::new(self)
    }
}

impl IntoAssertion<WithOptions> for Declared {
    fn into_assertion(self) -> Declared {
        self
    }
}
