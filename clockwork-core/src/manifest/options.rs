//! The options that every assertion has, and the project's defaults.

use std::time::Duration;

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::{de::De, fault::Fault, lower::Lowering, node::Id};
use crate::{ResourceName, assertion::Options, project::Defaults};

/// The options' names, in the order in which people are told them.
pub(super) const OPTIONS: [&str; 11] =
    ["name", "at", "timeout", "within", "every", "holds_for", "fresh_for", "severity", "not", "tags", "skip"];

/// Whether a kind of this name would be taken for an option.
pub(crate) fn is_option(name: &str) -> bool {
    OPTIONS.contains(&name)
}

/// A duration that is not nothing.
struct Positive(Duration);

impl<'de> Deserialize<'de> for Positive {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match crate::duration::deserialize(deserializer)? {
            Duration::ZERO => Err(serde::de::Error::custom("this has to be longer than nothing")),
            duration => Ok(Self(duration)),
        }
    }
}

struct AnyDuration(Duration);

impl<'de> Deserialize<'de> for AnyDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::duration::deserialize(deserializer).map(Self)
    }
}

/// At least one.
struct Count(usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match usize::deserialize(deserializer)? {
            0 => Err(serde::de::Error::custom("with 0 nothing would ever run; it has to be 1 or more")),
            count => Ok(Self(count)),
        }
    }
}

struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.trim().is_empty() { Err(serde::de::Error::custom("this is empty")) } else { Ok(Self(text)) }
    }
}

impl Lowering<'_> {
    fn read<T: DeserializeOwned>(&mut self, value: Id) -> Option<T> {
        let read = T::deserialize(De::new(self.document, value));
        read.map_err(|fault: Fault| self.fault(fault, value, "this", &[])).ok()
    }

    /// Reads one option; false, if it is in error.
    pub(super) fn option(&mut self, options: &mut Options, name: &str, value: Id) -> bool {
        let read = match name {
            "name" => self.read(value).map(|Text(name)| options.name = Some(name)),
            // The host is where it is looked from anyway.
            "at" => {
                self.read(value).map(|Text(at)| options.at = (at != "host").then(|| ResourceName::new(at)))
            }
            "timeout" => self.read(value).map(|Positive(timeout)| options.timeout = Some(timeout)),
            "within" => self.read(value).map(|AnyDuration(within)| options.within = Some(within)),
            "every" => self.read(value).map(|Positive(every)| options.every = Some(every)),
            "holds_for" => self.read(value).map(|AnyDuration(holds_for)| options.holds_for = Some(holds_for)),
            "fresh_for" => self.read(value).map(|Positive(fresh_for)| options.fresh_for = Some(fresh_for)),
            "severity" => self.read(value).map(|severity| options.severity = severity),
            "not" => self.read(value).map(|not| options.not = not),
            "tags" => self.strings(value).map(|tags| options.tags = tags),
            _ => self.read(value).map(|Text(reason)| options.skip = Some(reason)),
        };
        read.is_some()
    }

    /// A list of text, or one.
    pub(super) fn strings(&mut self, value: Id) -> Option<Vec<String>> {
        if !self.document.is_sequence(value) && self.document.scalar(self.document.resolve(value)).is_some() {
            return self.read(value).map(|Text(one)| vec![one]);
        }
        if self.document.is_mapping(value) {
            return self.read(value);
        }
        let (mut strings, mut good) = (Vec::new(), true);
        for id in self.document.children(value) {
            match self.read(id) {
                Some(Text(text)) => strings.push(text),
                None => good = false,
            }
        }
        good.then_some(strings)
    }

    pub(super) fn defaults(&mut self, defaults: &mut Defaults, map: Id) {
        const KNOWN: [&str; 5] = ["timeout", "concurrency", "target_concurrency", "within", "deadline"];
        if !self.expect_map(map, "a map of defaults") {
            return;
        }
        for (key, value) in self.document.pairs(map) {
            match self.name(key) {
                "timeout" => {
                    let _ = self.read(value).map(|Positive(timeout)| defaults.timeout = timeout);
                }
                "concurrency" => {
                    let _ = self.read(value).map(|Count(count)| defaults.concurrency = count);
                }
                "target_concurrency" => {
                    let _ = self.read(value).map(|Count(count)| defaults.target_concurrency = Some(count));
                }
                "within" => {
                    let _ = self.read(value).map(|AnyDuration(within)| defaults.within = Some(within));
                }
                "deadline" => {
                    let _ = self.read(value).map(|Positive(deadline)| defaults.deadline = Some(deadline));
                }
                name => self.unknown_key(key, "unknown-field", "`defaults` has no field", name, &KNOWN),
            }
        }
    }
}
