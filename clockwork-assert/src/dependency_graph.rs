//! [`DependencyGraphAssert`]: the containers talk to whom they are declared to, and to nobody else.
//!
//! It compares the declared graph (`depends_on`, and what assertions imply, as a `ServiceConnectivityAssert` does) with the
//! TCP connections in the kernel's socket tables of all containers of the project, for as long as `over`, and names the
//! relationships that are not declared, those that are denied, and the dependencies of which no connection is seen. A
//! connection goes from the client to who listens; ports that are published, containers on the host's network and
//! endpoints are followed.
//!
//! It cannot see what is not TCP, what was over a minute ago, or what came and went between two looks (a tenth of a second)
//! and was ended by the other side: who ends a connection keeps it in its table for a minute (`TIME_WAIT`). Where two
//! containers share a network, or are on the host's, sockets are theirs by the process that holds them, and what is over
//! cannot be told. What this run's own checks did inside containers (`at:`) is not counted; what another run did within the
//! last minute is, as nothing tells it apart: so where an assertion implies a relationship, only a connection that is open
//! proves that it is used. A connection to somebody who is no resource of the project is told in the details, and not
//! judged.
//!
//! Judged (so that `not` turns it around) is what the tables show when all containers run.
//!
//! `details`: `connections` ([{ from, to, port, declared, live }]), `undeclared`, `denied`, `unused` (as `a → b`),
//! `outside` ([{ from, address }]), `looks`.

use std::{collections::BTreeSet, time::Duration};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Graph, Invalid, Named, Relationship, Resource,
    ResourceName, Verdict, async_trait, duration::show, schemars::JsonSchema,
};
use clockwork_drivers::{
    container::container_of,
    endpoint::EndpointResource,
    traffic::{Link, Traffic, TrafficProbe},
};
use serde::Deserialize;
use serde_json::json;

use crate::reach::Reach;

/// The containers talk to whom they are declared to, and to nobody else. Looked at from the Linux that they run on alone.
///
/// ```
/// use clockwork_assert::DependencyGraphAssert;
/// use clockwork_drivers::ContainerResource;
///
/// let (web, database) = (ContainerResource::new("web"), ContainerResource::new("database"));
/// DependencyGraphAssert::new().deny(&web, &database);
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(deny_unknown_fields)]
pub struct DependencyGraphAssert {
    /// Who may reach whom, beside what is declared: a map (`api: [cache]`), or a list of pairs. `*` is any.
    #[serde(default)]
    allow: Reach,
    /// Who must not reach whom, even if it is declared or allowed.
    #[serde(default)]
    deny: Reach,
    /// For how long it is looked at. `timeout` has to be longer.
    #[serde(with = "clockwork_core::duration", default = "second")]
    #[schemars(with = "clockwork_core::duration::Schema")]
    over: Duration,
    /// What it means when no connection is seen of what `depends_on` declares: `fail`, or `ignore`.
    #[serde(default)]
    unused: Unused,
}

/// What it means when a dependency is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(rename_all = "lowercase")]
pub enum Unused {
    /// It is a failure.
    #[default]
    Fail,
    /// It is told in the details alone.
    Ignore,
}

fn second() -> Duration {
    Duration::from_secs(1)
}

impl Default for DependencyGraphAssert {
    fn default() -> Self {
        Self { allow: Reach::default(), deny: Reach::default(), over: second(), unused: Unused::Fail }
    }
}

impl DependencyGraphAssert {
    /// The connections are those that are declared.
    pub fn new() -> Self {
        Self::default()
    }

    /// The first resource may reach the second one, beside what is declared.
    #[must_use]
    pub fn allow(mut self, from: impl Named, to: impl Named) -> Self {
        self.allow.0.push((from.resource_name().to_string(), to.resource_name().to_string()));
        self
    }

    /// The first resource must not reach the second one.
    #[must_use]
    pub fn deny(mut self, from: impl Named, to: impl Named) -> Self {
        self.deny.0.push((from.resource_name().to_string(), to.resource_name().to_string()));
        self
    }

    /// For how long it is looked at. The assertion's timeout has to be longer.
    #[must_use]
    pub fn over(mut self, over: Duration) -> Self {
        self.over = over;
        self
    }

    /// What it means when no connection is seen of what is declared.
    #[must_use]
    pub fn unused(mut self, unused: Unused) -> Self {
        self.unused = unused;
        self
    }

    /// `declared`: among the resources that are looked at.
    fn judge(&self, seen: &Traffic, declared: &[Relationship]) -> Verdict {
        let find = |from: &ResourceName, to: &ResourceName| {
            declared.iter().find(|one| one.from == *from && one.to == *to)
        };
        let is_allowed = |from: &ResourceName, to: &ResourceName| {
            find(from, to).is_some() || self.allow.covers(from.as_str(), to.as_str()).is_some()
        };
        let connected = || seen.links.iter().filter(|link| !link.only_tried);
        let (mut denied, mut undeclared) = (Told::default(), Told::default());
        for link in connected() {
            let (from, to) = (&link.from, &link.to);
            let forbids = |from: &ResourceName, to: &ResourceName| {
                self.deny.covers(from.as_str(), to.as_str()).is_some()
            };
            if forbids(from, to) || (!link.sure && forbids(to, from)) {
                denied.add(link);
            } else if !is_allowed(from, to) && (link.sure || !is_allowed(to, from)) {
                undeclared.add(link);
            }
        }
        let mut unused: BTreeSet<(&str, &str)> = BTreeSet::new();
        let mut why = Vec::new();
        for Relationship { from, to, implied_by, .. } in declared.iter().filter(|one| one.depends_on) {
            let mine = || {
                seen.links.iter().filter(|link| {
                    (link.from == *from && link.to == *to)
                        || (!link.sure && link.from == *to && link.to == *from)
                })
            };
            // What is over may have been a check's.
            if mine().any(|link| link.live || (!link.only_tried && implied_by.is_none())) {
                continue;
            }
            unused.insert((from.as_str(), to.as_str()));
            why.push(match mine().find(|link| link.only_tried) {
                Some(tries) => format!(
                    "{from} depends on {to}, tries to connect at port {}, and is not answered",
                    tries.port
                ),
                None => format!("{from} depends on {to}, and no connection was seen in {}", show(self.over)),
            });
        }
        let mut wrong = Vec::new();
        wrong.extend(denied.message("is denied"));
        wrong.extend(undeclared.message("is not declared"));
        if self.unused == Unused::Fail {
            wrong.extend(why);
        }
        let absent = seen
            .absent
            .iter()
            .map(|(name, state)| format!("{name} does not run ({state}): its connections cannot be seen"));
        let absent: Vec<_> = absent.collect();
        let links = connected().map(|Link { from, to, port, live, .. }| {
            json!({ "from": from, "to": to, "port": port, "declared": is_allowed(from, to), "live": live })
        });
        let outside =
            seen.outside.iter().map(|(from, to)| json!({ "from": from, "address": to.to_string() }));
        let (links, outside): (Vec<_>, Vec<_>) = (links.collect(), outside.collect());
        let pairs = connected().map(|link| (&link.from, &link.to)).collect::<BTreeSet<_>>().len();
        let actual = match pairs {
            1 => String::from("1 relationship"),
            many => format!("{many} relationships"),
        };
        let verdict = match (wrong.is_empty(), absent.is_empty()) {
            (true, true) => Verdict::passed().message(format!("{actual}, all declared")),
            (false, true) => Verdict::failed(wrong.join("; ")),
            (_, false) => Verdict::unjudged(absent.into_iter().chain(wrong).collect::<Vec<_>>().join("; ")),
        };
        let tell = |(from, to): &(&str, &str)| format!("{from} → {to}");
        let unused_blamed = unused.iter().filter(|_| self.unused == Unused::Fail).copied();
        let blamed: BTreeSet<_> = denied.pairs().chain(undeclared.pairs()).chain(unused_blamed).collect();
        verdict
            .blames(blamed)
            .expected("the declared relationships")
            .actual(actual)
            .detail_of("connections", &links)
            .detail_of("undeclared", &undeclared.pairs().map(|pair| tell(&pair)).collect::<BTreeSet<_>>())
            .detail_of("denied", &denied.pairs().map(|pair| tell(&pair)).collect::<BTreeSet<_>>())
            .detail_of("unused", &unused.iter().map(tell).collect::<BTreeSet<_>>())
            .detail_of("outside", &outside)
            .detail("looks", seen.looks)
    }
}

/// Relationships, with their ports.
#[derive(Default)]
struct Told<'a>(Vec<(&'a Link, String)>);

impl<'a> Told<'a> {
    fn add(&mut self, link: &'a Link) {
        let Link { from, to, port, live, .. } = link;
        let reaches = match (live, link.sure) {
            (_, false) => format!("{from} and {to} are connected"),
            (true, true) => format!("{from} reaches {to} at port {port}"),
            (false, true) => format!("{from} reached {to} at port {port}"),
        };
        self.0.push((link, reaches));
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.0.iter().map(|(link, _)| (link.from.as_str(), link.to.as_str()))
    }

    /// All of them, in a bounded message.
    fn message(&self, what: &str) -> Option<String> {
        const SHOWN: usize = 10;
        let told: Vec<_> = self.0.iter().take(SHOWN).map(|(_, told)| told.as_str()).collect();
        let more = self.0.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        (!told.is_empty()).then(|| format!("{}{more}, which {what}", told.join(", ")))
    }
}

fn is_looked_at(resource: &dyn Resource) -> bool {
    container_of(resource).is_some() || resource.downcast_ref::<EndpointResource>().is_some()
}

#[async_trait]
impl Assertion for DependencyGraphAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn related(&self) -> Vec<ResourceName> {
        let names: BTreeSet<_> = self.allow.names().chain(self.deny.names()).collect();
        names.into_iter().map(ResourceName::new).collect()
    }

    fn about(&self, graph: &Graph) -> Vec<ResourceName> {
        let containers = graph.resources().filter(|(resource, _)| container_of(*resource).is_some());
        containers.map(|(resource, _)| resource.common().name().clone()).collect()
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = Vec::new();
        for (field, reach) in [("allow", &self.allow), ("deny", &self.deny)] {
            if let Some((name, _)) = reach.0.iter().find(|(from, to)| from == to && from != crate::reach::ANY)
            {
                problems.push(Invalid::field(field, format!("{name} reaches itself: that is not looked at")));
            }
        }
        if let Some((from, to)) = self.allow.0.iter().find(|pair| self.deny.0.contains(pair)) {
            problems
                .push(Invalid::field("deny", format!("{from} → {to} is allowed, too: which of the two?")));
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let resources: Vec<_> =
            cx.graph().resources().map(|(resource, _)| resource).filter(|one| is_looked_at(*one)).collect();
        if !resources.iter().any(|resource| container_of(*resource).is_some()) {
            return Err(CheckError::unobservable(
                "the project has no containers whose connections could be seen",
            ));
        }
        let names: Vec<_> = resources.iter().map(|resource| resource.common().name().clone()).collect();
        let mut declared = cx.graph().relationships();
        declared.retain(|one| {
            names.contains(&one.to)
                && cx.resource_named(one.from.as_str()).is_some_and(|from| container_of(&**from).is_some())
        });
        let seen = cx.measure(TrafficProbe { resources: names, over: self.over }).await?;
        Ok(self.judge(&seen, &declared))
    }
}

impl AssertionKind for DependencyGraphAssert {
    const NAME: &'static str = "DependencyGraphAssert";
}

#[cfg(test)]
#[path = "dependency_graph_tests.rs"]
mod tests;
