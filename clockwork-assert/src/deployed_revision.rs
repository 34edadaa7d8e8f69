//! [`DeployedRevisionAssert`]: every machine behind a name serves the revision that was deployed.
//!
//! Behind one name there may be several addresses, and a request meets one of them. With `every_address` (unless it is
//! turned off) the name is looked up once, and each of its addresses is asked. It cannot see replicas that share one
//! address behind a load balancer: give theirs as `addresses`.
//!
//! Judged (so that `not` turns it around): each address answered, and none with the revision. Not judged: an address that
//! does not answer, tells no revision or redirects to another address, and addresses that differ.
//!
//! `details`: `addresses`, each with `address`, `revision` (null where none was told), `status` (null where no answer
//! came) and `problem`.

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Fault, Invalid, Matcher, Pattern, Resource, Verdict,
    async_trait, text::quote,
};
use clockwork_drivers::{
    http::{HttpObservation, HttpProbe, HttpRequest, ResolveTo},
    resolve::ResolveProbe,
};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    answer_value::{Found, Place},
    http_request::http_kind,
    json_path,
    one_or_many::OneOrMany,
};

http_kind! {
    /// Every machine behind a name serves the revision that was deployed.
    ///
    /// ```
    /// use clockwork_assert::DeployedRevisionAssert;
    ///
    /// DeployedRevisionAssert::new("https://shop.example/version", "1.4.2").json("version");
    /// DeployedRevisionAssert::new("https://shop.example/", "9f2c1e7").header_name("x-revision");
    /// ```
    pub struct DeployedRevisionAssert(request_body, request_json) {
        /// The revision that has to be there: a text, or a matcher.
        expected: Matcher = Matcher::equals(""),
        /// The answer's header that tells the revision.
        #[serde(default)]
        header: Option<String> = None,
        /// The JSONPath in the answer's body that tells it: `version` is short for `$.version`.
        #[serde(default)]
        json: Option<String> = None,
        /// The regular expression that finds it in the answer's body: its first group, or all that it matches.
        #[serde(default)]
        body: Option<Pattern> = None,
        /// Ask each address behind the name, and not only one of them.
        #[serde(default = "crate::http_request::yes")]
        every_address: bool = true,
        /// Ask these addresses instead of those of the name: `10.0.0.1`, or `10.0.0.1:8443`.
        #[serde(default)]
        addresses: Option<OneOrMany<ResolveTo>> = None,
    }
}

/// How many addresses are asked at the same time: a name may have hundreds.
const AT_ONCE: usize = 16;

/// What one address said.
struct Seen {
    address: String,
    answer: Result<(u16, Found), CheckError>,
}

impl DeployedRevisionAssert {
    /// What this URL answers tells this revision. Say where: `header_name`, `json` or `body`.
    pub fn new(url: impl Into<String>, expected: impl Into<Matcher>) -> Self {
        Self { expected: expected.into(), ..Self::of(Some(url.into())) }
    }

    /// The answer's header that tells the revision. (`header` sends one.)
    #[must_use]
    pub fn header_name(mut self, name: impl Into<String>) -> Self {
        self.header = Some(name.into());
        self
    }

    /// The JSONPath in the answer's body that tells it.
    #[must_use]
    pub fn json(mut self, path: impl Into<String>) -> Self {
        self.json = Some(path.into());
        self
    }

    /// The regular expression that finds it in the answer's body: its first group, or all that it matches.
    #[must_use]
    pub fn body(mut self, pattern: Pattern) -> Self {
        self.body = Some(pattern);
        self
    }

    /// Whether each address behind the name is asked.
    #[must_use]
    pub fn every_address(mut self, every: bool) -> Self {
        self.every_address = every;
        self
    }

    /// Asks these addresses instead of those of the name.
    #[must_use]
    pub fn addresses(mut self, addresses: impl Into<OneOrMany<ResolveTo>>) -> Self {
        self.addresses = Some(addresses.into());
        self
    }

    /// The request to each address that has to be asked.
    async fn requests(
        &self,
        request: HttpRequest,
        cx: &Context,
    ) -> Result<Vec<(Option<ResolveTo>, HttpRequest)>, CheckError> {
        let to = |address: ResolveTo| (Some(address), request.clone().resolve_to(address));
        if let Some(addresses) = &self.addresses {
            return Ok(addresses.as_slice().iter().copied().map(to).collect());
        }
        if !self.every_address || self.resolve_to.is_some() {
            return Ok(vec![(None, request)]);
        }
        let (host, port) = request.host_and_port();
        let addresses = cx.observe(ResolveProbe { host, port }).await?;
        // Without the port, so that a redirect to another one stays at the address.
        Ok(addresses.iter().map(|address| to(ResolveTo::from(address.ip()))).collect())
    }

    /// Where an answer tells the revision.
    fn place(&self) -> Option<Place<'_>> {
        match (&self.header, &self.json, &self.body) {
            (Some(name), ..) => Some(Place::Header(name)),
            (None, Some(path), _) => Some(Place::Json(path)),
            (None, None, Some(pattern)) => Some(Place::Body(pattern)),
            (None, None, None) => None,
        }
    }

    /// What this answer tells of the revision.
    fn find(&self, seen: &HttpObservation) -> Result<Found, CheckError> {
        self.place().map_or_else(|| Ok(Found::None(String::from("is not read"))), |place| place.find(seen))
    }

    fn judge(&self, seen: &[Seen]) -> Verdict {
        let (mut right, mut wrong, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        let mut details = Vec::with_capacity(seen.len());
        for Seen { address, answer } in seen {
            let mut detail = json!({ "address": address, "revision": null, "status": null, "problem": null });
            match answer {
                Ok((status, Found::Value(revision))) => {
                    detail["status"] = (*status).into();
                    detail["revision"] = shortened(revision);
                    match self.expected.check(Some(revision)) {
                        Ok(()) => right.push((address, json_path::shown(revision))),
                        Err(mismatch) if mismatch.judged => {
                            let had = format!("{address} has {}", json_path::shown(revision));
                            wrong.push(if (200..300).contains(status) {
                                had
                            } else {
                                format!("{had} (answered {status})")
                            });
                        }
                        Err(mismatch) => unknown.push(format!("{address}: {}", mismatch.message)),
                    }
                }
                Ok((status, Found::None(why))) => {
                    detail["status"] = (*status).into();
                    detail["problem"] = format!("the answer {why}").into();
                    unknown.push(format!("{address} tells no revision: its answer ({status}) {why}"));
                }
                Err(error) => {
                    detail["problem"] = error.to_string().into();
                    let told = error.to_string();
                    unknown.push(if told.contains(address.as_str()) {
                        told
                    } else {
                        format!("{address}: {told}")
                    });
                }
            }
            details.push(detail);
        }
        let expected = self.expected.to_string();
        let verdict = if wrong.is_empty() && unknown.is_empty() && !right.is_empty() {
            Verdict::passed().actual(right[0].1.clone())
        } else {
            let mut message = Vec::new();
            if !wrong.is_empty() {
                message.push(format!("expected {expected}, but {}", wrong.join(", ")));
            }
            message.extend(unknown.iter().cloned());
            if !right.is_empty() {
                let right: Vec<_> = right.iter().map(|(address, _)| address.as_str()).collect();
                message.push(format!("right at {}", right.join(", ")));
            }
            let message = message.join("; ");
            // Under `not` the revision must be nowhere, and that is only known when everybody has said so.
            match unknown.is_empty() && right.is_empty() {
                true => Verdict::failed(message),
                false => Verdict::unjudged(message),
            }
            .actual(wrong.into_iter().chain(unknown).collect::<Vec<_>>().join("; "))
        };
        verdict.expected(expected).detail("addresses", details)
    }
}

/// For the report: as it was told, and not more than is needed to know it.
fn shortened(revision: &Value) -> Value {
    match revision {
        Value::String(text) => clockwork_core::text::bounded(text.clone(), 200).into(),
        Value::Array(_) | Value::Object(_) => clockwork_core::text::bounded(revision.to_string(), 200).into(),
        other => other.clone(),
    }
}

#[async_trait]
impl Assertion for DeployedRevisionAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        format!("{} at {}", self.expected, self.request_fields().label()).trim_end_matches(" at ").to_owned()
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = self.request_fields().validate(owner);
        let given = [self.header.is_some(), self.json.is_some(), self.body.is_some()];
        match given.iter().filter(|given| **given).count() {
            1 => {}
            0 => problems.push(Invalid::whole("where is the revision told? give `header`, `json` or `body`")),
            _ => problems
                .push(Invalid::whole("the revision is told in one place: give `header`, `json` or `body`")),
        }
        if let Some(path) = &self.json {
            problems.extend(
                json_path::one(&Value::Null, path).err().map(|problem| Invalid::field("json", problem)),
            );
        }
        if self.addresses.as_ref().is_some_and(|all| all.as_slice().is_empty()) {
            problems.push(Invalid::field("addresses", "is empty: give at least one"));
        }
        if self.addresses.is_some() && (!self.every_address || self.resolve_to.is_some()) {
            problems.push(Invalid::field(
                "addresses",
                "are all asked, so that `every_address: false` and `resolve_to` mean nothing beside them",
            ));
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let request = self.request_fields().request(cx.resource())?;
        let port = request.host_and_port().1;
        let asked = self.requests(request, cx).await?.into_iter().map(|(address, request)| async move {
            let place = request.host_and_port().0;
            let asked = address.map(|address| address.with_port(port).ip());
            let answer = cx.observe(HttpProbe::new(request)).await;
            let address = match (address, &answer) {
                (Some(address), _) => address.with_port(port).to_string(),
                (None, Ok(seen)) => seen.remote().to_string(),
                (None, Err(_)) => place,
            };
            let answer = answer.and_then(|seen| {
                let found = match asked {
                    // Another host answered for this one, and which of its addresses that was is chance.
                    Some(asked) if !asked.is_unspecified() && asked != seen.remote().ip() => Found::None(format!(
                        "came from {} ({}), to which it redirects: give that URL, so that each of its addresses is asked",
                        quote(seen.url()),
                        seen.remote()
                    )),
                    _ => self.find(&seen)?,
                };
                Ok((seen.status(), found))
            });
            Seen { address, answer }
        });
        let seen: Vec<Seen> = stream::iter(asked).buffered(AT_ONCE).collect().await;
        let blind = |seen: &&Seen| matches!(&seen.answer, Err(error) if error.fault() == Fault::Observer);
        if let Some(Seen { address, answer: Err(error) }) = seen.iter().find(blind) {
            let only = seen.len() == 1;
            let told = if only { error.to_string() } else { format!("{address}: {error}") };
            let error = CheckError::unobservable(told);
            return Err(if only {
                error
            } else {
                error.hint("`every_address: false` asks one of them only")
            });
        }
        let verdict = self.judge(&seen);
        Ok(if self.insecure { verdict.detail("insecure", true) } else { verdict })
    }
}

impl AssertionKind for DeployedRevisionAssert {
    const NAME: &'static str = "DeployedRevisionAssert";
}
