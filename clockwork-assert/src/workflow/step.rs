//! [`WorkflowStep`]: one step, and how it goes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use clockwork_core::{CheckError, Context, Fault, Invalid, Resource, duration::show, text::quote};
use clockwork_drivers::http::HttpProbe;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use super::{
    capture::Capture,
    captured::{Captured, unknown},
    query::{WorkflowQuery, refused},
    request::WorkflowRequest,
};
use crate::http_answer::milliseconds;

/// One step of a workflow: a `request` or a `query`.
///
/// ```
/// use clockwork_assert::{Capture, WorkflowRequest, WorkflowStep};
///
/// let order = WorkflowRequest::post("http://localhost:8080/orders").expected_status(201);
/// WorkflowStep::request("order", order).capture("id", Capture::json("$.id"));
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkflowStep {
    /// What messages call it.
    #[serde(default)]
    name: Option<String>,
    /// Asks over HTTP.
    #[serde(default)]
    request: Option<Box<WorkflowRequest>>,
    /// Asks a database.
    #[serde(default)]
    query: Option<Box<WorkflowQuery>>,
    /// What it takes from the answer, by the name under which later steps know it: `${captured.NAME}`. A text is a
    /// JSONPath of the response, or a column of the query.
    #[serde(default)]
    capture: BTreeMap<String, Capture>,
    /// How long one try may take.
    #[serde(with = "clockwork_core::duration::optional", default)]
    #[schemars(with = "Option<clockwork_core::duration::Schema>")]
    timeout: Option<Duration>,
    /// Tries again until it holds, at most this long: it asks, or writes, each time.
    #[serde(with = "clockwork_core::duration::optional", default)]
    #[schemars(with = "Option<clockwork_core::duration::Schema>")]
    within: Option<Duration>,
    /// How often to try again under `within`, every 500 ms unless given.
    #[serde(with = "clockwork_core::duration::optional", default)]
    #[schemars(with = "Option<clockwork_core::duration::Schema>")]
    every: Option<Duration>,
}

/// How often a step is tried again.
const EVERY: Duration = Duration::from_millis(500);

/// A try with less time than this would only show that it had too little.
const QUICKEST: Duration = Duration::from_millis(100);

/// How a step went.
pub(super) struct Run {
    pub(super) ended: Ended,
    pub(super) took: Duration,
    pub(super) tries: u32,
}

/// How a step ended.
pub(super) enum Ended {
    Held,
    /// What is wrong, and whether it was judged.
    Wrong(String, bool),
    /// It could not be looked at.
    Errored(CheckError),
}

impl WorkflowStep {
    fn new(name: String, request: Option<WorkflowRequest>, query: Option<WorkflowQuery>) -> Self {
        let name = (!name.is_empty()).then_some(name);
        let (request, query) = (request.map(Box::new), query.map(Box::new));
        Self { name, request, query, capture: BTreeMap::new(), timeout: None, within: None, every: None }
    }

    /// Asks over HTTP.
    pub fn request(name: impl Into<String>, request: WorkflowRequest) -> Self {
        Self::new(name.into(), Some(request), None)
    }

    /// Asks a database.
    pub fn query(name: impl Into<String>, query: WorkflowQuery) -> Self {
        Self::new(name.into(), None, Some(query))
    }

    /// What it takes from the answer, for the steps behind it: `${captured.NAME}`.
    #[must_use]
    pub fn capture(mut self, name: impl Into<String>, capture: Capture) -> Self {
        self.capture.insert(name.into(), capture);
        self
    }

    /// How long one try may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Tries again until it holds, at most this long.
    #[must_use]
    pub fn within(mut self, within: Duration) -> Self {
        self.within = Some(within);
        self
    }

    /// How often to try again.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Self {
        self.every = Some(every);
        self
    }

    pub(super) fn resources(&self) -> impl Iterator<Item = &str> {
        let request = self.request.iter().filter_map(|request| request.resource_name());
        request.chain(self.query.iter().filter_map(|query| query.resource_name()))
    }

    /// `"pay"`, or what it asks.
    pub(super) fn label(&self) -> String {
        match (&self.name, &self.request, &self.query) {
            (Some(name), ..) => quote(name),
            (None, Some(request), _) => quote(&request.label()),
            (None, None, Some(query)) => quote(&query.label()),
            (None, None, None) => String::from("(empty)"),
        }
    }

    /// What it captures.
    pub(super) fn captures(&self) -> impl Iterator<Item = &String> {
        self.capture.keys()
    }

    /// What it needs to be captured before.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let mut names = self.request.iter().map(|request| request.names()).next().unwrap_or_default();
        names.extend(self.query.iter().flat_map(|query| query.names()));
        names
    }

    pub(super) fn hide_secrets(&self, captured: &mut Captured, cx: &Context) {
        self.request.iter().for_each(|request| request.hide_secrets(captured));
        self.query.iter().for_each(|query| query.hide_secrets(captured, cx));
    }

    /// What is wrong with it, where `known` was captured before.
    pub(super) fn validate(
        &self,
        field: &str,
        known: &BTreeSet<String>,
        owner: Option<&dyn Resource>,
    ) -> Vec<Invalid> {
        let mut problems = Vec::new();
        let mut within = |part: &str, found: Vec<Invalid>| {
            problems.extend(found.into_iter().map(|Invalid { field: inner, message }| {
                let path = [field, part, &inner].into_iter().filter(|part| !part.is_empty());
                Invalid::field(path.collect::<Vec<_>>().join("."), message)
            }));
        };
        match (&self.request, &self.query) {
            (Some(request), None) => within("request", request.validate(owner)),
            (None, Some(query)) => within("query", query.validate(owner)),
            _ => within("", vec![Invalid::whole("a step has one of `request` and `query`")]),
        }
        for (name, capture) in &self.capture {
            let named =
                name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-')) && !name.is_empty();
            if !named {
                let problem = format!("{} cannot be a name: letters, digits, `_` and `-` can", quote(name));
                within("capture", vec![Invalid::whole(problem)]);
            }
            within("capture", capture.problem(name, self.request.is_some()).into_iter().collect());
        }
        for name in self.names().difference(known) {
            within("", vec![Invalid::whole(unknown(name, known))]);
        }
        if self.every.is_some() && self.within.is_none() {
            within("every", vec![Invalid::whole("is for `within`, under which it is tried again")]);
        }
        problems
    }

    /// Goes through it, and takes what it captures.
    pub(super) async fn run(&self, captured: &mut Captured, cx: &Context) -> Run {
        let began = Instant::now();
        let until = self.within.map(|within| began + within);
        let (mut tries, mut before) = (0, None);
        loop {
            tries += 1;
            let now = Instant::now();
            let ends = self.timeout.map(|timeout| now + timeout).into_iter().chain(until);
            let limited = ends.fold(cx.clone(), |cx, end| cx.until(end));
            let (mut ended, timed_out) = self.once(captured, &limited).await;
            // That the last try had too little time says less than what the one before it saw.
            if let (true, Some(last)) = (timed_out, before.take()) {
                ended = last;
            }
            let again = match &ended {
                Ended::Held => false,
                Ended::Wrong(..) => true,
                Ended::Errored(error) => error.can_retry(),
            };
            let next = Instant::now() + self.every.unwrap_or(EVERY);
            let late = |end: Instant| next + QUICKEST >= end;
            if !again || until.is_none_or(late) || cx.deadline().is_some_and(late) {
                return Run { ended, took: began.elapsed(), tries };
            }
            before = Some(ended);
            sleep(next.saturating_duration_since(Instant::now())).await;
        }
    }

    /// One try, and whether time ran out.
    async fn once(&self, captured: &mut Captured, cx: &Context) -> (Ended, bool) {
        let found = match (&self.request, &self.query) {
            // In boxes: laid out within each other, these futures are deeper than the compiler looks.
            (Some(request), _) => Box::pin(self.ask(request, captured, cx)).await,
            (None, Some(query)) => Box::pin(self.query_once(query, captured, cx)).await,
            (None, None) => Err(CheckError::unobservable("the step asks nothing")),
        };
        let values = match found {
            Ok(Ok(values)) => values,
            Ok(Err((message, judged))) => return (Ended::Wrong(message, judged), false),
            // What the target does wrong says nothing of what was to be compared.
            Err(error) if error.fault() == Fault::Target => {
                return (Ended::Wrong(error.to_string(), false), error.is_timeout());
            }
            Err(error) => {
                let timed_out = error.is_timeout();
                return (Ended::Errored(error), timed_out);
            }
        };
        for (name, value, secret) in values {
            if let Err(message) = captured.take(&name, value, secret) {
                return (Ended::Wrong(message, false), false);
            }
        }
        (Ended::Held, false)
    }

    async fn ask(&self, request: &WorkflowRequest, captured: &Captured, cx: &Context) -> Found {
        let request = request.filled(captured).map_err(CheckError::unobservable)?;
        // Alone: what changes something is never answered with what somebody else was told.
        let seen = cx.measure(HttpProbe::new(request.request(cx)?)).await?;
        if let Err(wrong) = request.judge(&seen)? {
            return Ok(Err(wrong));
        }
        Ok(self.taken(|capture| capture.of_response(&seen)))
    }

    async fn query_once(&self, query: &WorkflowQuery, captured: &Captured, cx: &Context) -> Found {
        let query = query.filled(captured).map_err(CheckError::unobservable)?;
        let seen = cx.measure(query.probe(cx)?).await?;
        let rows = match &*seen {
            Ok(rows) => rows,
            Err(failure) => return Ok(Err(refused(failure)?)),
        };
        if let Err(wrong) = query.judge(rows)? {
            return Ok(Err(wrong));
        }
        Ok(self.taken(|capture| capture.of_rows(rows)))
    }

    fn taken(&self, take: impl Fn(&Capture) -> Result<Value, String>) -> Result<Values, (String, bool)> {
        let one = |(name, capture): (&String, &Capture)| match take(capture) {
            Ok(value) => Ok((name.clone(), value, capture.is_secret())),
            Err(why) => Err((format!("cannot capture {}: {why}", quote(name)), false)),
        };
        self.capture.iter().map(one).collect()
    }
}

/// What was captured: name, value, whether it is secret.
type Values = Vec<(String, Value, bool)>;

/// The inner error says what is wrong, and whether it was judged.
type Found = Result<Result<Values, (String, bool)>, CheckError>;

impl Run {
    /// For the report.
    pub(super) fn details(&self, step: &WorkflowStep, captured: &Captured) -> Value {
        let (verdict, message) = match &self.ended {
            Ended::Held => ("passed", None),
            Ended::Wrong(message, _) => ("failed", Some(message.clone())),
            Ended::Errored(error) => ("errored", Some(error.to_string())),
        };
        let mut details = Map::new();
        details.insert("name".into(), Value::from(captured.masks().text(step.label().trim_matches('"'))));
        details.insert("verdict".into(), verdict.into());
        details.insert("took_ms".into(), json!(milliseconds(self.took)));
        if self.tries > 1 {
            details.insert("tries".into(), self.tries.into());
        }
        if let Some(message) = message {
            details.insert("message".into(), captured.masks().text(&message).into());
        }
        Value::Object(details)
    }

    /// ` (3 tries in 1.2 s)`, where there were several.
    pub(super) fn story(&self) -> String {
        if self.tries > 1 { format!(" ({} tries in {})", self.tries, show(self.took)) } else { String::new() }
    }
}
