//! [`LoadBalancerAssert`]: a load balancer gives requests to all of its backends, and to no other.
//!
//! It proves what became of so many requests, each over a connection of its own and without cookies: that every backend
//! got some, that each was answered well, that nobody unknown answered, and with `max_skew` how evenly they were given. A
//! balancer that ties a client to one backend (by its address) fails: from here it is one client. It cannot see a backend
//! that the balancer has given up and that is not listed in `backends`.
//!
//! `max_skew` is one of two measures. `20%` (or `0.2`): no backend's share is further from its even share than 20 per cent
//! of that. `2x` (or `2`): the busiest gets at most twice what the quietest gets. Both go by `weight`, where backends have
//! one. A balancer that gives at random is uneven by nature: of 50 requests, 25 and 25 are as likely as not 21 and 29.
//!
//! An answer is of the backend whose name or `id` it tells. One that is a container of the project is also known by its
//! host name, id and addresses, with or without a port; an endpoint by its address. What `nginx` tells as
//! `$upstream_addr` when it asked one backend after another (`10.0.0.1:80, 10.0.0.2:80`) is of the last one, and the
//! others failed.
//!
//! Judged (so that `not` turns it around) are the shares when each request was answered, well, by somebody who can be told.
//!
//! `details`: `backends` (name → how many requests it answered), `unknown` (the same for who is not listed), `unanswered`,
//! `unidentified` and `failed_over` (what happened → how often), `requests` (how many were made).

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Fault, Graph, Invalid, Named, Resource, ResourceName,
    Verdict, async_trait, duration, text::quote,
};
use clockwork_drivers::{
    container::{ContainerInspect, ContainerRef, container_of},
    endpoint::EndpointResource,
    http::{HttpObservation, HttpProbe, HttpRequest},
};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, timeout_at};

use crate::{
    answer_value::Found,
    backends::{Backend, Backends, Identify, Skew},
    balanced::{Sample, Seen, plain, whose},
    expected_status::ExpectedStatus,
    http_request::http_kind,
};

http_kind! {
    /// A load balancer gives requests to all of its backends, and to no other.
    ///
    /// ```
    /// use clockwork_assert::{Identify, LoadBalancerAssert};
    /// use clockwork_drivers::ContainerResource;
    ///
    /// let (first, second) = (ContainerResource::new("api-1"), ContainerResource::new("api-2"));
    /// LoadBalancerAssert::new("https://shop.example/whoami", Identify::header("x-served-by"))
    ///     .backend(&first)
    ///     .backend(&second);
    /// ```
    pub struct LoadBalancerAssert(request_body, request_json) {
        /// Who stands behind it: names, or a map from names to what their answers tell. A name may be a resource's.
        backends: Backends = Backends::default(),
        /// How many requests are made, each over a connection of its own.
        #[serde(default = "fifty")]
        #[schemars(range(min = 2, max = 10000))]
        requests: u32 = fifty(),
        /// Where an answer tells which backend it is of.
        identify: Identify = Identify::default(),
        /// How unevenly the requests may be given: `20%` from the even share, or the busiest `2x` the quietest.
        #[serde(default)]
        max_skew: Option<Skew> = None,
        /// How many requests are under way at the same time.
        #[serde(default = "eight")]
        #[schemars(range(min = 1, max = 256))]
        concurrency: u16 = eight(),
        /// How long one request may take.
        #[serde(with = "clockwork_core::duration", default = "two_seconds")]
        #[schemars(with = "clockwork_core::duration::Schema")]
        request_timeout: Duration = two_seconds(),
        /// Which answers are good: whatever is below 400, unless this is given.
        #[serde(default)]
        expected_status: Option<ExpectedStatus> = None,
    }
}

fn fifty() -> u32 {
    50
}

fn eight() -> u16 {
    8
}

fn two_seconds() -> Duration {
    Duration::from_secs(2)
}

/// How long before the check's own deadline no request is waited for any more: somebody has to tell what was seen.
const MARGIN: Duration = Duration::from_millis(200);

/// How many different things are told of one sort.
const TOLD: usize = 3;

impl LoadBalancerAssert {
    /// What this URL answers tells there which backend it is of. Say which there are: `backend`, or `backends`.
    pub fn new(url: impl Into<String>, identify: Identify) -> Self {
        Self { identify, ..Self::of(Some(url.into())) }
    }

    /// Adds a backend: a resource, or a name.
    #[must_use]
    pub fn backend(self, backend: impl Named) -> Self {
        self.backend_as::<String>(backend, [], 1)
    }

    /// Adds a backend whose answers tell one of these, and which gets so many parts of the requests.
    #[must_use]
    pub fn backend_as<I: Into<String>>(
        mut self,
        backend: impl Named,
        ids: impl IntoIterator<Item = I>,
        weight: u32,
    ) -> Self {
        let (name, ids) = (backend.resource_name().to_string(), ids.into_iter().map(Into::into).collect());
        self.backends.0.push(Backend { name, ids, weight });
        self
    }

    /// All backends, by their names.
    #[must_use]
    pub fn backends(mut self, backends: impl Into<Backends>) -> Self {
        self.backends = backends.into();
        self
    }

    /// How many requests are made.
    #[must_use]
    pub fn requests(mut self, requests: u32) -> Self {
        self.requests = requests;
        self
    }

    /// How unevenly the requests may be given.
    #[must_use]
    pub fn max_skew(mut self, skew: Skew) -> Self {
        self.max_skew = Some(skew);
        self
    }

    /// How many requests are under way at the same time.
    #[must_use]
    pub fn concurrency(mut self, concurrency: u16) -> Self {
        self.concurrency = concurrency;
        self
    }

    /// How long one request may take.
    #[must_use]
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Which answers are good, instead of whatever is below 400.
    #[must_use]
    pub fn expected_status(mut self, status: impl Into<ExpectedStatus>) -> Self {
        self.expected_status = Some(status.into());
        self
    }

    /// One request, over a connection of its own.
    async fn ask(
        &self,
        request: HttpRequest,
        last: Option<Instant>,
        cx: &Context,
    ) -> Result<Sample, CheckError> {
        let now = Instant::now();
        if last.is_some_and(|last| now >= last) {
            return Ok(Sample::NotMade);
        }
        let until = now + self.request_timeout;
        let until = last.map_or(until, |last| until.min(last));
        let seen = match timeout_at(until, cx.measure(HttpProbe::fresh(request))).await {
            Err(_) => {
                let waited = duration::show(until - now);
                return Ok(Sample::Unanswered(format!("no answer within {waited}")));
            }
            Ok(Err(error)) if error.fault() == Fault::Observer => return Err(error),
            Ok(Err(error)) => return Ok(Sample::Unanswered(error.to_string())),
            Ok(Ok(seen)) => seen,
        };
        let Some(place) = self.identify.place() else {
            return Err(CheckError::unobservable(
                "`identify` does not say where an answer tells its backend",
            ));
        };
        let found = place.find(&seen);
        let good = match &self.expected_status {
            Some(expected) => expected.contains(seen.status()),
            None => seen.status() < 400,
        };
        Ok(match (good, found) {
            (true, Ok(Found::Value(value))) => Sample::From(value, seen.redirects().is_empty()),
            (true, Ok(Found::None(why))) => Sample::Unidentified(format!("the answer {why}")),
            (true, Err(error)) if error.fault() == Fault::Observer => return Err(error),
            (true, Err(error)) => Sample::Unidentified(error.to_string()),
            (false, Ok(Found::Value(value))) => Sample::Bad(value, status(&seen)),
            (false, _) => Sample::Unanswered(format!("answered {}", status(&seen))),
        })
    }

    /// Whose answers tell what: the names and ids that are given, and, where these do not do, what resources are known by.
    async fn known(&self, samples: &[Sample], cx: &Context) -> Result<HashMap<String, usize>, CheckError> {
        let mut known = HashMap::new();
        for (index, backend) in self.backends.0.iter().enumerate() {
            for id in backend.ids.iter().chain([&backend.name]) {
                known.insert(id.clone(), index);
            }
        }
        let all_known = samples.iter().filter_map(Sample::told).all(|told| whose(&told, &known).is_some());
        if all_known {
            return Ok(known);
        }
        let mut more: HashMap<String, Option<usize>> = HashMap::new();
        let mut add = |id: String, index: usize| {
            // What two of them are called tells neither.
            more.entry(id).and_modify(|of| *of = of.filter(|of| *of == index)).or_insert(Some(index));
        };
        for (index, backend) in self.backends.0.iter().enumerate() {
            let Some(resource) = cx.resource_named(&backend.name) else { continue };
            if let Some((host, port)) =
                resource.downcast_ref::<EndpointResource>().and_then(EndpointResource::address)
            {
                add(clockwork_drivers::resolve::authority(&host, port), index);
                add(host, index);
            }
            let Some(container) = container_of(&**resource) else { continue };
            let here = cx.from_vantage(clockwork_core::Vantage::Host);
            let seen = here.observe(ContainerInspect::from(&ContainerRef::from(container))).await?;
            let Some(details) = &*seen else { continue };
            details.addresses().for_each(|address| add(address.to_string(), index));
            add(details.id.chars().take(12).collect(), index);
            for id in [&*details.id, details.hostname(), container.engine_name()] {
                add(id.to_owned(), index);
            }
        }
        for (id, index) in more {
            if let Some(index) = index {
                known.entry(id).or_insert(index);
            }
        }
        Ok(known)
    }

    fn judge(
        &self,
        samples: &[Sample],
        known: &HashMap<String, usize>,
        owner: Option<&dyn Resource>,
    ) -> Result<Verdict, CheckError> {
        let seen = Seen::of(samples, known, &self.backends.0);
        let counts: Vec<_> = self
            .backends
            .0
            .iter()
            .zip(&seen.counts)
            .map(|(backend, count)| (*count, backend.weight))
            .collect();
        let (made, asked) = (seen.made, self.requests);
        let shares: Vec<_> = self
            .backends
            .0
            .iter()
            .zip(&seen.counts)
            .map(|(backend, count)| format!("{} {count}", plain(&backend.name)))
            .collect();
        let shares = shares.join(", ");
        let mut problems = Vec::new();
        tell(&mut problems, &seen.unanswered, |what, count| format!("{count} of {made} requests: {what}"));
        tell(&mut problems, &seen.unknown, |who, count| {
            format!("{who} answered {count} of {made} requests and is not among the backends")
        });
        tell(&mut problems, &seen.unidentified, |why, count| {
            format!("{count} of {made} answers do not tell their backend: {why}")
        });
        tell(&mut problems, &seen.failed_over, |who, count| {
            format!("{who} failed {count} of {made} requests, which another one answered")
        });
        let unmade = asked - made;
        let alone = problems.is_empty() && unmade == 0;
        let idle: Vec<_> = self
            .backends
            .0
            .iter()
            .zip(&seen.counts)
            .filter(|(_, count)| **count == 0)
            .map(|(b, _)| plain(&b.name))
            .collect();
        if unmade > 0 && problems.is_empty() {
            let message = format!("only {made} of {asked} requests were made in time ({shares})");
            return Err(CheckError::unobservable(message)
                .retryable()
                .hint("raise `timeout`, or make fewer `requests`"));
        }
        if !idle.is_empty() && seen.answered() > 0 {
            problems.insert(0, format!("{} got none of {made} requests", idle.join(" and ")));
            if alone && idle.len() + 1 == counts.len() && counts.len() > 1 {
                problems.push(String::from("does the balancer tie a client to one backend, by its address?"));
            }
        } else if alone
            && let Some(limit) = self.max_skew
            && !limit.allows(&counts)
        {
            problems.push(match limit {
                Skew::Deviation(_) => format!("a share is {} from the even one", limit.shown(&counts)),
                Skew::Factor(_) => {
                    format!("the busiest backend gets {} what the quietest gets", limit.shown(&counts))
                }
            });
        }
        if unmade > 0 {
            problems.push(format!("{unmade} more requests were not made in time"));
        }
        if seen.redirected && !problems.is_empty() {
            problems.push(String::from(
                "requests were redirected, so that each is several: `follow_redirects: false` counts the first answers",
            ));
        }
        let judged = seen.unanswered.is_empty() && seen.unidentified.is_empty();
        let verdict = if problems.is_empty() {
            Verdict::passed().message(format!("{made} requests: {shares}"))
        } else if seen.answered() == 0 {
            Verdict::unjudged(problems.join("; "))
        } else {
            let message = format!("{} ({shares})", problems.join("; "));
            if judged { Verdict::failed(message) } else { Verdict::unjudged(message) }
        };
        let shares: BTreeMap<_, _> = self.backends.0.iter().map(|b| &b.name).zip(&seen.counts).collect();
        Ok(verdict
            .blames(seen.at_fault(owner, &self.backends.0))
            .expected(self.expected())
            .detail_of("backends", &shares)
            .detail_of("unknown", &seen.unknown)
            .detail_of("unanswered", &seen.unanswered)
            .detail_of("unidentified", &seen.unidentified)
            .detail_of("failed_over", &seen.failed_over)
            .detail("requests", made))
    }

    fn expected(&self) -> String {
        let count = self.backends.0.len();
        let each = if count == 1 { String::from("the backend") } else { format!("each of {count} backends") };
        match self.max_skew {
            Some(skew) => format!("{each} gets requests, within {skew}"),
            None => format!("{each} gets requests"),
        }
    }

    /// What nobody could keep to, or what would prove nothing.
    fn shares_problem(&self) -> Option<Invalid> {
        let weights: u32 = self.backends.0.iter().map(|backend| backend.weight).sum();
        let even =
            |backend: &Backend| f64::from(self.requests) * f64::from(backend.weight) / f64::from(weights);
        let least = self.backends.0.iter().min_by(|a, b| even(a).total_cmp(&even(b)))?;
        if even(least) < 2.0 {
            let enough = (2.0 * f64::from(weights) / f64::from(least.weight)).ceil();
            let message = format!(
                "{} requests prove too little about {} backends: make at least {enough}, so that each is due two",
                self.requests,
                self.backends.0.len()
            );
            return Some(Invalid::field("requests", message));
        }
        // What the most even balancer there is would do.
        let mut best: Vec<_> = self.backends.0.iter().map(|b| (even(b).floor() as u32, b.weight)).collect();
        let rest = self.requests - best.iter().map(|(count, _)| count).sum::<u32>();
        let mut order: Vec<_> = (0..best.len()).collect();
        order.sort_by(|&a, &b| {
            even(&self.backends.0[b]).fract().total_cmp(&even(&self.backends.0[a]).fract())
        });
        order.iter().take(rest as usize).for_each(|&index| best[index].0 += 1);
        let limit = self.max_skew.filter(|limit| !limit.allows(&best))?;
        Some(Invalid::field(
            "max_skew",
            format!(
                "even a perfect balancer cannot keep to {limit} with {} requests ({} at best): make more `requests`",
                self.requests,
                limit.shown(&best)
            ),
        ))
    }
}

fn status(seen: &HttpObservation) -> String {
    clockwork_core::text::bounded(clockwork_core::text::harmless(&seen.status_line()).replace('\n', " "), 100)
}

/// The most frequent of these, and how many more there are.
fn tell(problems: &mut Vec<String>, what: &BTreeMap<String, u32>, say: impl Fn(&str, u32) -> String) {
    let mut all: Vec<_> = what.iter().collect();
    all.sort_by(|a, b| b.1.cmp(a.1));
    problems.extend(all.iter().take(TOLD).map(|(what, count)| say(what, **count)));
    if all.len() > TOLD {
        problems.push(format!("and {} more of that sort", all.len() - TOLD));
    }
}

#[async_trait]
impl Assertion for LoadBalancerAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let (url, backends) = (self.request_fields().label(), self.backends.0.len());
        let backends = if backends == 1 { String::from("1 backend") } else { format!("{backends} backends") };
        if url.is_empty() { backends } else { format!("{url}, {backends}") }
    }

    fn about(&self, graph: &Graph) -> Vec<ResourceName> {
        let names = self.backends.0.iter().map(|backend| backend.name.as_str());
        names.filter(|name| graph.resource(name).is_some()).map(ResourceName::new).collect()
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = self.request_fields().validate(owner);
        problems.extend(self.identify.problem());
        if !(1..=256).contains(&self.concurrency) {
            problems.push(Invalid::field("concurrency", "make at least 1 request at a time and at most 256"));
        }
        if self.request_timeout.is_zero() {
            problems.push(Invalid::field("request_timeout", "is 0: nothing answers in no time"));
        }
        let mut ids = HashMap::new();
        for (index, Backend { name, ids: told, weight }) in self.backends.0.iter().enumerate() {
            if *weight == 0 || *weight > 1000 {
                problems.push(Invalid::field(format!("backends.{name}"), "has a weight from 1 to 1000"));
            }
            for id in told.iter().chain([name]) {
                if id.trim().is_empty() {
                    problems
                        .push(Invalid::field("backends", "has an empty text: nobody could be told by it"));
                } else if ids.insert(id, index).is_some_and(|other| other != index) {
                    problems
                        .push(Invalid::field("backends", format!("{} stands for two backends", quote(id))));
                }
            }
        }
        if self.backends.0.is_empty() {
            problems.push(Invalid::field("backends", "is empty: name at least one"));
        } else if !(2..=10_000).contains(&self.requests) {
            problems.push(Invalid::field("requests", "make at least 2 requests and at most 10000"));
        } else if problems.is_empty() {
            problems.extend(self.shares_problem());
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let request = self.request_fields().request(cx.resource())?;
        let last = cx.deadline().map(|deadline| deadline - MARGIN);
        let asked = (0..self.requests).map(|_| self.ask(request.clone(), last, cx));
        let mut answers = stream::iter(asked).buffer_unordered(usize::from(self.concurrency));
        let mut samples = Vec::new();
        while let Some(sample) = answers.next().await {
            samples.push(sample?);
        }
        drop(answers);
        let known = self.known(&samples, cx).await?;
        let verdict = self.judge(&samples, &known, cx.resource())?;
        Ok(if self.insecure { verdict.detail("insecure", true) } else { verdict })
    }
}

impl AssertionKind for LoadBalancerAssert {
    const NAME: &'static str = "LoadBalancerAssert";
}

#[cfg(test)]
#[path = "load_balancer_tests.rs"]
mod tests;
