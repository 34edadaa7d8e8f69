//! [`Seen`]: what became of the requests to a load balancer, and who is at fault.

use std::collections::{BTreeMap, HashMap};

use clockwork_core::{Resource, ResourceName, text::quote};
use serde_json::Value;

use crate::{backends::Backend, json_path::shown};

/// What became of one request.
pub(crate) enum Sample {
    /// A good answer, of whom, and whether it was the first one.
    From(Value, bool),
    /// A bad answer of somebody.
    Bad(Value, String),
    /// A good answer that does not tell whose it is.
    Unidentified(String),
    /// No answer, or a bad one of nobody in particular.
    Unanswered(String),
    /// Time had run out.
    NotMade,
}

impl Sample {
    pub(crate) fn told(&self) -> Option<String> {
        match self {
            Self::From(value, _) | Self::Bad(value, _) => Some(text_of(value)),
            _ => None,
        }
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim().to_owned(),
        other => other.to_string(),
    }
}

/// The backend that this text means, with the port or without.
pub(crate) fn whose(told: &str, known: &HashMap<String, usize>) -> Option<usize> {
    let bare =
        || told.parse::<std::net::SocketAddr>().ok().map(|address| address.ip().to_canonical().to_string());
    known.get(told).copied().or_else(|| known.get(&bare()?).copied())
}

/// A name as it stands in messages.
pub(crate) fn plain(name: &str) -> String {
    match ResourceName::new(name).check() {
        Ok(()) => name.to_owned(),
        Err(_) => quote(name),
    }
}

/// What became of all requests.
pub(crate) struct Seen {
    pub(crate) counts: Vec<u32>,
    pub(crate) unknown: BTreeMap<String, u32>,
    pub(crate) unanswered: BTreeMap<String, u32>,
    pub(crate) unidentified: BTreeMap<String, u32>,
    pub(crate) failed_over: BTreeMap<String, u32>,
    pub(crate) made: u32,
    pub(crate) redirected: bool,
}

impl Seen {
    pub(crate) fn of(samples: &[Sample], known: &HashMap<String, usize>, backends: &[Backend]) -> Self {
        let mut seen = Self {
            counts: vec![0; backends.len()],
            unknown: BTreeMap::new(),
            unanswered: BTreeMap::new(),
            unidentified: BTreeMap::new(),
            failed_over: BTreeMap::new(),
            made: 0,
            redirected: false,
        };
        let count = |map: &mut BTreeMap<String, u32>, what: String| *map.entry(what).or_default() += 1;
        for sample in samples {
            seen.made += 1;
            match sample {
                Sample::From(value, first) => {
                    seen.redirected |= !first;
                    let told = text_of(value);
                    let mut asked: Vec<_> =
                        told.split([',', ' ']).filter(|part| !part.is_empty() && *part != ":").collect();
                    if whose(&told, known).is_some() || !asked.iter().all(|one| whose(one, known).is_some()) {
                        asked = vec![&told];
                    }
                    let last = asked.pop().and_then(|last| whose(last, known));
                    for failed in asked.iter().filter_map(|one| whose(one, known)) {
                        count(&mut seen.failed_over, plain(&backends[failed].name));
                    }
                    match last {
                        Some(index) => seen.counts[index] += 1,
                        None => count(&mut seen.unknown, shown(value)),
                    }
                }
                Sample::Bad(value, status) => match whose(&text_of(value), known) {
                    Some(index) => {
                        seen.counts[index] += 1;
                        let who = plain(&backends[index].name);
                        count(&mut seen.unanswered, format!("{who} answered {status}"));
                    }
                    None => count(&mut seen.unanswered, format!("{} answered {status}", shown(value))),
                },
                Sample::Unidentified(why) => count(&mut seen.unidentified, why.clone()),
                Sample::Unanswered(what) => count(&mut seen.unanswered, what.clone()),
                Sample::NotMade => seen.made -= 1,
            }
        }
        seen
    }

    /// The balancer and those of its backends that got nothing, where nothing else is wrong.
    pub(crate) fn at_fault<'a>(
        &self,
        owner: Option<&'a dyn Resource>,
        backends: &'a [Backend],
    ) -> Vec<(&'a str, &'a str)> {
        let others = [&self.unknown, &self.unanswered, &self.unidentified, &self.failed_over];
        let idle = backends.iter().zip(&self.counts).filter(|(_, count)| **count == 0);
        match owner {
            Some(owner) if others.iter().all(|one| one.is_empty()) => {
                idle.map(|(backend, _)| (owner.common().name().as_str(), backend.name.as_str())).collect()
            }
            _ => Vec::new(),
        }
    }

    /// How many answers came that somebody stands behind.
    pub(crate) fn answered(&self) -> u32 {
        self.counts.iter().sum::<u32>() + self.unknown.values().sum::<u32>()
    }
}
