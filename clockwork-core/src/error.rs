//! [`CheckError`]: why a probe or a check came to no verdict, and whose fault that is.
//!
//! The distinction that everything else rests on is drawn here. What the *target* does wrong has been seen, so it is
//! a failure of the target: refused, no answer, broken protocol. What keeps *Clockwork* from looking is
//! an error, and an error is never a pass.

use std::{fmt, sync::Arc};

/// Whose fault it is that there is nothing to judge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The target was reached for and did wrong: the verdict is `failed`, though the property itself was not judged.
    Target,
    /// Clockwork could not look: the verdict is `errored`.
    Observer,
}

/// A look that brought no observation.
///
/// Cheap to clone, because everybody who shares one observation shares its error as well.
///
/// It does not implement [`std::error::Error`], so that any error type turns into one with `?` (as in `anyhow`);
/// [`CheckError::source`] gives access to what lies beneath.
#[derive(Clone)]
pub struct CheckError(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    fault: Fault,
    retry: bool,
    timed_out: bool,
    inconclusive: bool,
    message: String,
    hint: Option<String>,
    details: serde_json::Map<String, serde_json::Value>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl CheckError {
    /// The target was reached for and did wrong (refused, reset, no answer…). Trying again can help.
    pub fn target(message: impl Into<String>) -> Self {
        Self::new(Fault::Target, true, message.into())
    }

    /// Clockwork could not look (no permission, no engine, a secret that is not set…). Trying again does not help,
    /// unless [`CheckError::retryable`] says so.
    pub fn unobservable(message: impl Into<String>) -> Self {
        Self::new(Fault::Observer, false, message.into())
    }

    /// No answer in time. `fault` says whether silence is the target's doing.
    pub fn timed_out(fault: Fault, message: impl Into<String>) -> Self {
        Self::new(fault, true, message.into()).change(|inner| inner.timed_out = true)
    }

    fn new(fault: Fault, retry: bool, message: String) -> Self {
        Self(Arc::new(Inner {
            fault,
            retry,
            timed_out: false,
            inconclusive: false,
            message,
            hint: None,
            details: serde_json::Map::new(),
            source: None,
        }))
    }

    fn change(mut self, change: impl FnOnce(&mut Inner)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// Trying again can help: `within` keeps on.
    #[must_use]
    pub fn retryable(self) -> Self {
        self.change(|inner| inner.retry = true)
    }

    /// Trying again cannot help: `within` gives up at once.
    #[must_use]
    pub fn terminal(self) -> Self {
        self.change(|inner| inner.retry = false)
    }

    /// It happened on the way to the target, and says nothing about it (a name without an address, a vantage that is
    /// gone): [`Verdict::of_target`](crate::Verdict::of_target) makes no judgement of it.
    #[must_use]
    pub fn inconclusive(self) -> Self {
        self.change(|inner| inner.inconclusive = true)
    }

    /// With this in front of its message: where it happened, among several places.
    #[must_use]
    pub fn prefixed(self, prefix: &str) -> Self {
        self.change(|inner| inner.message.insert_str(0, prefix))
    }

    /// With this behind its message.
    #[must_use]
    pub(crate) fn followed_by(self, more: &str) -> Self {
        self.change(|inner| inner.message.push_str(more))
    }

    /// What the reader should do next.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        self.change(|inner| inner.hint = Some(hint.into()))
    }

    /// Structured data for the report's `details`.
    #[must_use]
    pub fn detail(self, key: &str, value: impl Into<serde_json::Value>) -> Self {
        self.change(|inner| {
            inner.details.insert(key.to_owned(), value.into());
        })
    }

    /// The error beneath this one. Its text is shown after this one's.
    #[must_use]
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.change(|inner| inner.source = Some(Arc::new(source)))
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        self.0.fault
    }

    /// Whether another attempt can help.
    pub fn can_retry(&self) -> bool {
        self.0.retry
    }

    /// Whether time ran out.
    pub fn is_timeout(&self) -> bool {
        self.0.timed_out
    }

    /// Whether it says nothing about what was to be looked at.
    pub fn is_inconclusive(&self) -> bool {
        self.0.inconclusive
    }

    /// This layer's message alone.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The report's `details`.
    pub fn details(&self) -> &serde_json::Map<String, serde_json::Value> {
        &self.0.details
    }

    /// The error beneath this one.
    pub fn source(&self) -> Option<&(dyn std::error::Error + Send + Sync + 'static)> {
        self.0.source.as_deref()
    }
}

/// The whole story in one line: message, sources, and what to do.
impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        let mut said = self.0.message.clone();
        let mut source = self.0.source.as_deref().map(|source| source as &dyn std::error::Error);
        while let Some(error) = source {
            let text = error.to_string();
            // Libraries often repeat their source in their own message; once is enough.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said.push_str(&text);
            }
            source = error.source();
        }
        match &self.0.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CheckError")
            .field("fault", &self.0.fault)
            .field("message", &self.to_string())
            .finish()
    }
}

/// Any error that a user's own check meets: Clockwork could not look.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for CheckError {
    fn from(error: E) -> Self {
        let mut inner = Inner {
            fault: Fault::Observer,
            retry: true,
            timed_out: false,
            inconclusive: false,
            message: error.to_string(),
            hint: None,
            details: serde_json::Map::new(),
            source: None,
        };
        inner.source = Some(Arc::new(error));
        Self(Arc::new(inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_every_source_once_and_the_way_out() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let error = CheckError::unobservable("cannot read the table")
            .with_source(Outer(std::io::Error::other("disk on fire")))
            .hint("put it out");
        assert_eq!(error.to_string(), "cannot read the table: outer: disk on fire; put it out");
    }

    #[test]
    fn any_error_becomes_one_and_is_the_observers_fault() {
        fn fails() -> Result<(), CheckError> {
            Err(std::io::Error::other("disk on fire"))?;
            Ok(())
        }
        let error = fails().expect_err("it fails");
        assert_eq!((error.fault(), error.to_string().as_str()), (Fault::Observer, "disk on fire"));
    }
}
