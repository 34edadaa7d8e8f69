//! [`Ids`]: what each check of a run is called: `api/HealthcheckAssert`, and the next one `api/HealthcheckAssert#2`.

use std::{collections::HashMap, sync::Arc};

use crate::{Declared, text::push_number};

/// Gives out ids, each once.
#[derive(Default)]
pub(crate) struct Ids {
    /// Where each is counted.
    seen: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    counts: Vec<usize>,
    /// The last one, without its number, and where it is counted: mostly the next one is the same.
    latest: String,
    place: usize,
}

impl Ids {
    /// The id of an assertion that is declared on this resource, or `cross`.
    pub(crate) fn next(&mut self, owner: &str, declared: &Declared) -> Arc<str> {
        let (kind, name) = (declared.assertion.kind(), &declared.options.name);
        let behind_owner = self.latest.strip_prefix(owner).and_then(|rest| rest.strip_prefix('/'));
        if name.is_some() || behind_owner != Some(kind) {
            let latest = &mut self.latest;
            latest.clear();
            [owner, "/", kind].iter().for_each(|part| latest.push_str(part));
            if let Some(name) = name {
                latest.push('/');
                let name = crate::text::harmless(name);
                let mut lines = name.split('\n');
                latest.push_str(lines.next().unwrap_or_default());
                lines.for_each(|line| [" ", line].iter().for_each(|part| latest.push_str(part)));
            }
            let Some(place) = self.seen.get(latest.as_str()) else {
                let id: Arc<str> = latest.as_str().into();
                self.place = self.counts.len();
                self.seen.insert(Arc::clone(&id), self.place);
                self.counts.push(1);
                return id;
            };
            self.place = *place;
        }
        let count = &mut self.counts[self.place];
        *count += 1;
        let length = self.latest.len();
        self.latest.push('#');
        push_number(&mut self.latest, *count as u64);
        let id = self.latest.as_str().into();
        self.latest.truncate(length);
        id
    }
}
