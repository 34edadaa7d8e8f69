//! [`Driver`]: what observes a kind of resource and changes it. A driver reports what it saw, never whether it is good.

use std::{any::Any, fmt, pin::Pin, task::Poll};

use async_trait::async_trait;
use futures_core::stream::{BoxStream, Stream};
use serde::Serialize;
use serde_json::Value;

use crate::{CheckError, Context, Resource, ResourceName};

/// What a driver or a probe saw, once, at one moment. Every serialisable type is one.
pub trait Observation: Any + fmt::Debug + Send + Sync {
    /// The observed state, in the vocabulary of the resource's spec, to be compared with it.
    fn state(&self) -> Value;
}

impl<T: Serialize + Any + fmt::Debug + Send + Sync> Observation for T {
    fn state(&self) -> Value {
        serde_json::to_value(self).unwrap_or(Value::Null)
    }
}

impl dyn Observation {
    /// This observation as its own type, if it is of that type.
    pub fn downcast_ref<T: Observation>(&self) -> Option<&T> {
        (self as &dyn Any).downcast_ref()
    }
}

/// A difference between what is declared and what is observed, in one field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// Where: `image`, `env_vars.MODE`.
    pub path: String,
    /// What is declared.
    pub declared: Value,
    /// What is there; null when there is nothing.
    pub observed: Value,
}

/// Field by field, what `observed` lacks of `declared`. What was not declared (absent, or null) is not compared.
pub fn drift(declared: &Value, observed: &Value) -> Vec<Drift> {
    fn walk(path: &str, declared: &Value, observed: &Value, found: &mut Vec<Drift>) {
        match (declared, observed) {
            (Value::Null, _) => {}
            (Value::Object(fields), Value::Object(there)) => {
                for (name, value) in fields {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    walk(&path, value, there.get(name).unwrap_or(&Value::Null), found);
                }
            }
            (declared, observed) if declared == observed => {}
            (declared, observed) => found.push(Drift {
                path: path.to_owned(),
                declared: declared.clone(),
                observed: observed.clone(),
            }),
        }
    }
    let mut found = Vec::new();
    walk("", declared, observed, &mut found);
    found
}

/// What a driver can be asked to do beside observing.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub enum Change {
    /// Make it: nothing is there.
    Create,
    /// Bring these fields to what is declared.
    Update(Vec<Drift>),
}

/// A hint that something changed: look again, sooner than scheduled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hint {
    /// Which resource, where the driver can tell.
    pub resource: Option<ResourceName>,
    /// What happened, for a person.
    pub what: String,
}

/// What touches one kind of resource.
///
/// Only [`Driver::observe`] has to be there. What a driver does not override it does not support, and says so.
#[async_trait]
pub trait Driver: fmt::Debug + Send + Sync {
    /// The resource kinds that this driver is for.
    fn kinds(&self) -> &'static [&'static str];

    /// What is there, or `None` where there is nothing.
    ///
    /// # Errors
    /// When it cannot be seen.
    async fn observe(
        &self,
        resource: &dyn Resource,
        cx: &Context,
    ) -> Result<Option<Box<dyn Observation>>, CheckError>;

    /// The changes that would remove the drift: by default, field by field.
    ///
    /// # Errors
    /// When a change is impossible, whatever is done.
    fn plan(
        &self,
        resource: &dyn Resource,
        observed: Option<&dyn Observation>,
    ) -> Result<Vec<Change>, CheckError> {
        let Some(observed) = observed else { return Ok(vec![Change::Create]) };
        let drift = drift(&resource.spec(), &observed.state());
        Ok(if drift.is_empty() { Vec::new() } else { vec![Change::Update(drift)] })
    }

    /// Makes one planned change. To be safe to repeat after an interruption.
    ///
    /// # Errors
    /// When the change failed, or this driver cannot make it.
    async fn apply(
        &self,
        resource: &dyn Resource,
        _change: &Change,
        _cx: &Context,
    ) -> Result<(), CheckError> {
        Err(unsupported(resource, "apply"))
    }

    /// Removes what the project made.
    ///
    /// # Errors
    /// When that failed, or this driver cannot do it.
    async fn destroy(&self, resource: &dyn Resource, _cx: &Context) -> Result<(), CheckError> {
        Err(unsupported(resource, "destroy"))
    }

    /// Resources of these kinds that exist, declared or not.
    ///
    /// # Errors
    /// When they cannot be listed.
    async fn discover(&self, _cx: &Context) -> Result<Vec<Box<dyn Resource>>, CheckError> {
        Err(CheckError::unobservable(format!("{} cannot be discovered", self.kinds().join(", "))))
    }

    /// Hints that something changed, for as long as the stream is held. None, where the driver cannot watch.
    fn watch(&self, _cx: &Context) -> BoxStream<'static, Hint> {
        Box::pin(Empty)
    }
}

/// No hints at all.
struct Empty;

impl Stream for Empty {
    type Item = Hint;

    fn poll_next(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Option<Hint>> {
        Poll::Ready(None)
    }
}

fn unsupported(resource: &dyn Resource, operation: &str) -> CheckError {
    CheckError::unobservable(format!("{} does not support {operation}", resource.kind()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn drift_is_told_field_by_field_and_only_for_what_is_declared() {
        let declared = json!({ "image": "nginx:1.27", "env_vars": { "A": "1", "B": "2" }, "user": null });
        let observed = json!({ "image": "nginx:1.26", "env_vars": { "A": "1" }, "user": "root", "pid": 7 });
        let found = drift(&declared, &observed);
        let told: Vec<_> = found.iter().map(|d| (d.path.as_str(), &d.declared, &d.observed)).collect();
        assert_eq!(
            told,
            [
                ("image", &json!("nginx:1.27"), &json!("nginx:1.26")),
                ("env_vars.B", &json!("2"), &Value::Null)
            ]
        );
    }
}
