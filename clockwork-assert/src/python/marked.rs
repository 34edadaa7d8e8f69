//! All functions of a file that are marked: each runs by itself, and all have to pass.

use std::sync::Arc;

use clockwork_core::{CheckError, Context, Fault, Resource, Verdict, nearest, text::quote};
use clockwork_drivers::python::{PythonFile, PythonFunction};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{PythonAssert, place};

impl PythonAssert {
    pub(super) async fn all(&self, file: &PythonFile, cx: &Context) -> Result<Verdict, CheckError> {
        let owner = cx.resource().map(|resource| resource.common().name().as_str());
        let mut wanted = Vec::new();
        for (index, (name, resource)) in file.checks.iter().enumerate() {
            match (owner, resource.as_deref()) {
                (Some(owner), Some(resource)) if owner != resource => {}
                (None, Some(resource)) => {
                    wanted.push((index, name, Some(Arc::clone(self.resource(resource, name, cx)?))));
                }
                _ => wanted.push((index, name, None)),
            }
        }
        if wanted.is_empty() {
            return Err(self.nothing_marked(file, owner));
        }
        let runs = wanted.iter().map(async |(index, _, resource)| {
            let resource: Option<&dyn Resource> = match resource {
                Some(resource) => Some(&**resource),
                None => cx.resource(),
            };
            self.one(PythonFunction::Marked(*index), resource, file, cx).await
        });
        let results = join_all(runs).await;
        let named: Vec<_> = wanted.iter().map(|(_, name, _)| name.as_str()).zip(results).collect();
        together(&named)
    }

    fn resource<'cx>(
        &self,
        resource: &str,
        function: &str,
        cx: &'cx Context,
    ) -> Result<&'cx Arc<dyn Resource>, CheckError> {
        cx.resource_named(resource).ok_or_else(|| {
            CheckError::unobservable(format!(
                "{} in {} is marked for the resource {}, which this project does not have",
                quote(function),
                quote(&self.file.to_string_lossy()),
                quote(resource),
            ))
        })
    }

    fn nothing_marked(&self, file: &PythonFile, owner: Option<&str>) -> CheckError {
        let shown = quote(&self.file.to_string_lossy());
        let others = file.checks.iter().filter_map(|(_, resource)| resource.as_deref());
        match owner {
            Some(owner) if !file.checks.is_empty() => {
                let error = CheckError::unobservable(format!(
                    "no function in {shown} is marked for {}",
                    quote(owner)
                ));
                match nearest(owner, others) {
                    Some(near) => error.hint(format!("one is for {}", quote(near))),
                    None => error,
                }
            }
            _ => CheckError::unobservable(format!("no function in {shown} is marked as a check"))
                .hint("mark them with `@assertion` (`from clockwork import assertion`), or name one with `function`"),
        }
    }
}

/// Passed if all did; errored if one could not be judged, whatever became of the others.
fn together(results: &[(&str, Result<Verdict, CheckError>)]) -> Result<Verdict, CheckError> {
    let mut wrong = Vec::new();
    let (mut errors, mut retry, mut timed_out) = (0, true, false);
    let mut checks = Vec::new();
    for (name, result) in results {
        let name = place::one_line(name, 100);
        let (verdict, message, details) = match result {
            Ok(verdict) if verdict.has_passed() => ("passed", verdict.text().to_owned(), verdict.details()),
            Ok(verdict) => ("failed", verdict.text().to_owned(), verdict.details()),
            Err(error) => {
                errors += 1;
                retry &= error.can_retry();
                timed_out |= error.is_timeout();
                ("errored", error.to_string(), error.details().clone())
            }
        };
        if verdict != "passed" {
            wrong.push(format!("{name} {verdict}: {message}"));
        }
        checks.push(json!({ "function": name, "verdict": verdict, "message": message, "details": details }));
    }
    let count = results.len();
    let checks = Value::Array(checks);
    if errors > 0 {
        let message = format!("{} of {count} did not pass: {}", wrong.len(), wrong.join("; "));
        let error = match (timed_out, retry) {
            (true, _) => CheckError::timed_out(Fault::Observer, message),
            (false, true) => CheckError::unobservable(message).retryable(),
            (false, false) => CheckError::unobservable(message),
        };
        return Err(error.detail("checks", checks));
    }
    let verdict = if wrong.is_empty() {
        let each = if count == 1 { "1 check" } else { &format!("{count} checks") };
        Verdict::passed().message(format!("{each} passed"))
    } else {
        Verdict::failed(format!("{} of {count} failed: {}", wrong.len(), wrong.join("; ")))
    };
    Ok(verdict.detail("checks", checks))
}
