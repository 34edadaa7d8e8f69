//! [`Blamed`]: whom a run's failures come down to. A failing relationship stands for the failures of its own that a
//! service has because of it; a service that fails by itself stands for the relationships of which nothing could be told
//! from there; and each root cause is told once, however many stand on it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::Serialize;

use super::CheckResult;
use crate::Outcome;

/// What failures come down to: a resource, or a relationship between several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Blamed {
    /// `postgres-db`, or `api → postgres-db`.
    pub what: Arc<str>,
    /// Whether it is a relationship.
    pub relationship: bool,
    /// The ids of the failures that say so.
    pub ids: Vec<Arc<str>>,
    /// The ids of the failures that it explains.
    pub explains: Vec<Arc<str>>,
    /// How many assertions were skipped because of it.
    pub skipped: usize,
}

pub(super) fn blamed(results: &[Arc<CheckResult>]) -> Vec<Blamed> {
    let failures = || results.iter().filter(|result| result.fails_the_run());
    let mut explained: HashMap<&str, &Arc<str>> = HashMap::new();
    for result in failures().filter(|result| result.verdict == Outcome::Failed) {
        if let (Some(service), Some(relationship)) = (&result.explains, &result.relationship) {
            explained.entry(service).or_insert(relationship);
        }
    }
    let fails_itself: HashSet<&str> = failures()
        .filter(|one| one.relationship.is_none())
        .filter_map(|one| one.resource.as_deref())
        .collect();
    let mut all: Vec<Blamed> = Vec::new();
    let (mut places, mut of_id) = (HashMap::new(), HashMap::new());
    for result in failures() {
        let explained = result.resource.as_deref().and_then(|resource| explained.get(resource));
        let (what, relationship, own) = match (explained, &result.relationship, &result.resource) {
            // One relationship does not explain another of its kind.
            (Some(relationship), _, _) if result.explains.is_none() => (*relationship, true, false),
            (_, Some(_), Some(resource)) if !result.judged && fails_itself.contains(&**resource) => {
                (resource, false, false)
            }
            (_, Some(relationship), _) => (relationship, true, true),
            (_, None, Some(resource)) => (resource, false, true),
            (_, None, None) => (result.related.first().unwrap_or(&result.id), false, true),
        };
        let place = *places.entry(Arc::clone(what)).or_insert_with(|| {
            let (ids, explains) = (Vec::new(), Vec::new());
            all.push(Blamed { what: Arc::clone(what), relationship, ids, explains, skipped: 0 });
            all.len() - 1
        });
        let blamed = &mut all[place];
        if own { &mut blamed.ids } else { &mut blamed.explains }.push(Arc::clone(&result.id));
        of_id.insert(&*result.id, place);
    }
    for result in results {
        let mut counted = Vec::new();
        for place in result.caused_by.iter().filter_map(|id| of_id.get(&**id)) {
            if !counted.contains(place) {
                counted.push(*place);
                all[*place].skipped += 1;
            }
        }
    }
    all
}
