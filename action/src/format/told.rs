//! [`Told`]: a result with its names, which are made once and stand in most formats.

use std::ops::Deref;

use clockwork_core::CheckResult;

use super::one_line;

/// A result, and what it is called.
#[derive(Debug)]
pub(crate) struct Told<'a> {
    result: &'a CheckResult,
    title: String,
    name: usize,
}

impl<'a> Told<'a> {
    pub(crate) fn of(result: &'a CheckResult) -> Self {
        let about = result.relationship.as_deref().or(result.resource.as_deref()).unwrap_or("cross");
        let (id, label) = (&*result.id, &*result.label);
        let id = id.strip_prefix(result.resource.as_deref().unwrap_or("cross")).unwrap_or(id);
        let id = id.strip_prefix('/').unwrap_or(id);
        let known = label.is_empty() || id.strip_suffix(label).is_some_and(|before| before.ends_with('/'));
        let mut title = String::with_capacity(about.len() + id.len() + label.len() + 5);
        title.extend([&one_line(about), ": "]);
        let name = title.len();
        title.push_str(&one_line(id));
        if !known {
            title.extend([" (", &one_line(label), ")"]);
        }
        Self { result, title, name }
    }

    /// A result's name with whom it is about: `web: HealthcheckAssert (/health)`,
    /// `api → db: ServiceConnectivityAssert (tcp)`.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Its name among those of its resource: its id without the resource, and its label where that says more.
    pub(crate) fn name(&self) -> &str {
        &self.title[self.name..]
    }
}

impl Deref for Told<'_> {
    type Target = CheckResult;

    fn deref(&self) -> &CheckResult {
        self.result
    }
}
