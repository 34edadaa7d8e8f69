//! The user's own assertions: closures, `async fn` and plain functions that return a future. They are judged like every
//! kind: the same options, the same report.
//!
//! | what it is about | how it is declared |
//! | --- | --- |
//! | anything | [`assertion`]: `async \|cx: Context\| …` |
//! | the resource that it is declared on, as its type | [`assertion_on`]: `async \|web: Arc<WebResource>, cx: Context\| …` |
//! | several resources, as their types | [`across`]: `async \|(api, database), cx\| …` |
//!
//! The first two also go into `.assert(…)` as they are; their name is then that of the function.
//!
//! They run on threads of their own (see `executor/aside.rs`), so that one which blocks holds up nobody else. That is told: in its
//! details (`blocked_ms`), and in its message.

use std::{
    any::Any,
    fmt,
    future::Future,
    hash::{BuildHasher, RandomState},
    marker::PhantomData,
    sync::Arc,
};

use async_trait::async_trait;

use crate::{
    Assertion, CheckError, Context, Declared, Input, IntoAssertion, IntoVerdict, Invalid, Resource,
    ResourceName, Verdict,
};

/// Marks functions and closures.
#[derive(Debug)]
pub struct ByFunction<Fut>(PhantomData<Fut>);
/// Marks functions and closures that take the resource that they are declared on.
#[derive(Debug)]
pub struct ByFunctionOn<R, Fut>(PhantomData<(R, Fut)>);

impl<F, Fut> IntoAssertion<ByFunction<Fut>> for F
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoVerdict> + Send + 'static,
{
    fn into_assertion(self) -> Declared {
        assertion(name_of::<F>(), self)
    }
}

impl<F, R, Fut> IntoAssertion<ByFunctionOn<R, Fut>> for F
where
    F: Fn(Arc<R>, Context) -> Fut + Send + Sync + 'static,
    R: Resource,
    Fut: Future<Output: IntoVerdict> + Send + 'static,
{
    fn into_assertion(self) -> Declared {
        assertion_on(name_of::<F>(), self)
    }
}

/// A function's own name; that of the function around it, for a closure.
fn name_of<F>() -> &'static str {
    let path = std::any::type_name::<F>();
    let path = path.trim_end_matches("::{{closure}}");
    // Not the path of a type that it is generic over.
    let path = path.split('<').next().unwrap_or(path);
    path.rsplit("::").next().unwrap_or(path)
}

/// An assertion of the user's own: a name and an async closure or function.
///
/// It is called once for each attempt, and its future is `'static`: a closure that captures something clones it for
/// each call, `move |cx| { let url = url.clone(); async move { … } }`. An `async move |cx|` closure that captures lends
/// what it captured instead, and does not compile here.
///
/// ```
/// use clockwork_core::prelude::*;
///
/// let even = assertion("is even", async |_: Context| (4 % 2 == 0, "4 is odd"));
/// let project = Project::new("numbers").assert(even.severity(Severity::Warning));
/// ```
pub fn assertion<F, Fut>(name: impl Into<String>, function: F) -> Declared
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoVerdict> + Send + 'static,
{
    declared(name, Vec::new(), |_, _| Ok(()), |_| Vec::new(), move |(), cx| function(cx))
}

/// The same, about the resource that it is declared on, of this type. On another one, the project is not valid.
///
/// ```
/// use std::sync::Arc;
///
/// use clockwork_core::{Resource, prelude::*};
///
/// let named = assertion_on("has a short name", async |blank: Arc<BlankResource>, _: Context| {
///     blank.common().name().as_str().len() < 20
/// });
/// let project = Project::new("names").with(BlankResource::new("short").assert(named));
/// ```
pub fn assertion_on<F, R, Fut>(name: impl Into<String>, function: F) -> Declared
where
    F: Fn(Arc<R>, Context) -> Fut + Send + Sync + 'static,
    R: Resource,
    Fut: Future<Output: IntoVerdict> + Send + 'static,
{
    let given = |cx: &Context, _: &[ResourceName]| {
        let owner = cx.shared_resource().and_then(as_its_type);
        owner.ok_or_else(|| CheckError::unobservable(format!("it is about no {}", type_of::<R>())))
    };
    let problems = |owner: Option<&dyn Resource>| match owner {
        Some(owner) if owner.downcast_ref::<R>().is_some() => Vec::new(),
        Some(owner) => {
            let (wanted, there) = (type_of::<R>(), owner.kind());
            vec![Invalid::whole(format!("is about a {wanted}, and is declared on a {there}"))]
        }
        None => {
            let wanted = type_of::<R>();
            vec![Invalid::whole(format!(
                "is about a {wanted}: declare it on one, or use `across` with the resources"
            ))]
        }
    };
    declared(name, Vec::new(), given, problems, function)
}

/// The same, about one or several resources of the project, each as its type: `&api`, or `(&api, &database)` and so on up to
/// four. It waits for them all, and is skipped when what it is about did not hold.
///
/// ```
/// use clockwork_core::{Resource, prelude::*};
///
/// let (api, database) = (BlankResource::new("api"), BlankResource::new("database"));
/// let apart = across("have names of their own", (&api, &database), async |(api, database), _| {
///     api.common().name() != database.common().name()
/// });
/// let project = Project::new("names").with(api).with(database).assert(apart);
/// ```
pub fn across<A, F, Fut>(name: impl Into<String>, about: A, function: F) -> Declared
where
    A: Resources,
    F: Fn(A::Shared, Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output: IntoVerdict> + Send + 'static,
{
    declared(name, about.names(), A::shared, |_| Vec::new(), function)
}

/// One resource, or several, by reference.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no resource, and no tuple of resources",
    note = "give a reference, `&api`, or up to four of them: `(&api, &database)`"
)]
pub trait Resources {
    /// The same as the project holds them.
    type Shared: Send + 'static;

    /// Their names.
    fn names(&self) -> Vec<ResourceName>;

    /// Those of these names, in their order.
    ///
    /// # Errors
    /// When the project's resource of that name is of another type.
    fn shared(cx: &Context, names: &[ResourceName]) -> Result<Self::Shared, CheckError>;
}

impl<R: Resource> Resources for &R {
    type Shared = Arc<R>;

    fn names(&self) -> Vec<ResourceName> {
        vec![self.common().name().clone()]
    }

    fn shared(cx: &Context, names: &[ResourceName]) -> Result<Arc<R>, CheckError> {
        nth(cx, names, 0)
    }
}

macro_rules! several {
    ($($one:ident $place:tt),+) => {
        impl<$($one: Resource),+> Resources for ($(&$one,)+) {
            type Shared = ($(Arc<$one>,)+);

            fn names(&self) -> Vec<ResourceName> {
                vec![$(self.$place.common().name().clone()),+]
            }

            fn shared(cx: &Context, names: &[ResourceName]) -> Result<Self::Shared, CheckError> {
                Ok(($(nth::<$one>(cx, names, $place)?,)+))
            }
        }
    };
}

several!(A 0, B 1);
several!(A 0, B 1, C 2);
several!(A 0, B 1, C 2, D 3);

fn nth<R: Resource>(cx: &Context, names: &[ResourceName], place: usize) -> Result<Arc<R>, CheckError> {
    let name = names.get(place).map_or("", ResourceName::as_str);
    cx.resource_named(name).and_then(as_its_type).ok_or_else(|| {
        CheckError::unobservable(format!("the project's {name} is no {}", type_of::<R>()))
            .hint("give the project the resource that the assertion was made with")
    })
}

fn as_its_type<R: Resource>(resource: &Arc<dyn Resource>) -> Option<Arc<R>> {
    let any: Arc<dyn Any + Send + Sync> = Arc::<dyn Resource>::clone(resource);
    any.downcast().ok()
}

fn type_of<R>() -> &'static str {
    let path = std::any::type_name::<R>();
    path.rsplit("::").next().unwrap_or(path)
}

type Given<S> = fn(&Context, &[ResourceName]) -> Result<S, CheckError>;
type Problems = fn(Option<&dyn Resource>) -> Vec<Invalid>;

fn declared<F, S, Fut>(
    name: impl Into<String>,
    related: Vec<ResourceName>,
    given: Given<S>,
    problems: Problems,
    function: F,
) -> Declared
where
    F: Fn(S, Context) -> Fut + Send + Sync + 'static,
    S: Send + 'static,
    Fut: Future<Output: IntoVerdict> + Send + 'static,
{
    let label = name.into();
    let itself = RandomState::new().hash_one(&label);
    let kind = FunctionAssertion { label: label.clone(), itself, related, given, problems, function };
    Declared::new(kind).name(label)
}

struct FunctionAssertion<F, S> {
    label: String,
    /// Tells it from all others, also from one of the same text in another program: what it captured cannot be seen.
    itself: u64,
    related: Vec<ResourceName>,
    /// What it gets beside the context.
    given: Given<S>,
    /// What is wrong with the resource that it is declared on.
    problems: Problems,
    function: F,
}

impl<F, S> fmt::Debug for FunctionAssertion<F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FunctionAssertion").field("label", &self.label).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, S, Fut> Assertion for FunctionAssertion<F, S>
where
    F: Fn(S, Context) -> Fut + Send + Sync + 'static,
    S: Send + 'static,
    Fut: Future<Output: IntoVerdict> + Send + 'static,
{
    fn kind(&self) -> &'static str {
        "FunctionAssertion"
    }

    fn label(&self) -> String {
        self.label.clone()
    }

    fn related(&self) -> Vec<ResourceName> {
        self.related.clone()
    }

    /// The function is the user's: what it asks of the context says itself what it cannot do.
    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        (self.problems)(owner)
    }

    /// To call it, already: before its first `await`, or where a plain function makes the future.
    fn may_block(&self) -> bool {
        true
    }

    fn inputs(&self) -> Vec<Input> {
        vec![Input::Text(self.itself.to_string())]
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let given = (self.given)(cx, &self.related)?;
        (self.function)(given, cx.clone()).await.into_verdict()
    }
}

#[cfg(test)]
#[path = "function_tests.rs"]
mod tests;
