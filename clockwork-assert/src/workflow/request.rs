//! [`WorkflowRequest`]: a step that asks over HTTP.

use std::collections::BTreeSet;

use clockwork_core::{CheckError, Context, Invalid, Matcher, Named, Resource};
use clockwork_drivers::{
    EndpointResource,
    http::{HttpObservation, HttpRequest, Text},
};

use super::captured::{Captured, names_in, names_in_text};
use crate::{
    expected_status::ExpectedStatus,
    http_answer::told,
    http_request::http_kind,
    json_path::{self, Paths},
};

http_kind! {
    /// A step that asks over HTTP.
    ///
    /// ```
    /// use clockwork_assert::WorkflowRequest;
    /// use serde_json::json;
    ///
    /// WorkflowRequest::post("http://localhost:8080/orders").json(json!({ "item": 5 })).expected_status(201);
    /// ```
    pub struct WorkflowRequest(body, json) {
        /// An `EndpointResource`, whose `url` this one's may be relative to. If left out, the one that it is declared on.
        #[serde(default)]
        resource: Option<String> = None,
        /// The status that it has to be answered with: `201`, `[200, 204]` or `2xx`, which it is unless given.
        #[serde(default = "success")]
        expected_status: ExpectedStatus = success(),
        /// What the answer's body has to be like, as text.
        #[serde(default)]
        expected_body: Option<Matcher> = None,
        /// What the answer's body has to hold, as JSON: JSONPath → what the value there has to be like.
        #[serde(default)]
        expected_json: Paths = Paths::new(),
    }
}

fn success() -> ExpectedStatus {
    ExpectedStatus::class(2)
}

impl WorkflowRequest {
    /// Gets this URL.
    pub fn get(url: impl Into<String>) -> Self {
        Self::of(Some(url.into()))
    }

    /// Posts to this URL.
    pub fn post(url: impl Into<String>) -> Self {
        Self::get(url).method(clockwork_drivers::http::Method::POST)
    }

    /// Deletes this URL.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::get(url).method(clockwork_drivers::http::Method::DELETE)
    }

    /// The resource whose `url` this one's is relative to.
    #[must_use]
    pub fn resource(mut self, resource: impl Named) -> Self {
        self.resource = Some(resource.resource_name().to_string());
        self
    }

    /// Other statuses than those of success.
    #[must_use]
    pub fn expected_status(mut self, status: impl Into<ExpectedStatus>) -> Self {
        self.expected_status = status.into();
        self
    }

    /// What the answer's body has to be like, as text.
    #[must_use]
    pub fn expected_body(mut self, matcher: impl Into<Matcher>) -> Self {
        self.expected_body = Some(matcher.into());
        self
    }

    /// What the value at this JSONPath of the answer has to be like.
    #[must_use]
    pub fn expected_json(mut self, path: impl Into<String>, matcher: impl Into<Matcher>) -> Self {
        self.expected_json.insert(path.into(), matcher.into());
        self
    }

    pub(super) fn resource_name(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// What the step is called where it has no name.
    pub(super) fn label(&self) -> String {
        let url = clockwork_core::text::harmless(&self.request_fields().label()).into_owned();
        format!("{} {url}", self.method).trim_end().to_owned()
    }

    /// The names of what it needs to be captured before.
    pub(super) fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        let texts = self.url.as_deref().into_iter().chain(self.body.as_deref());
        texts.for_each(|text| names_in_text(text, &mut names));
        for text in self.headers.iter().chain(&self.form).flat_map(|texts| texts.values()) {
            if let Text::Plain(text) = text {
                names_in_text(text, &mut names);
            }
        }
        self.json.iter().for_each(|json| names_in(json, &mut names));
        for matcher in self.expected_body.iter().chain(self.expected_json.values()) {
            names_in(&serde_json::to_value(matcher).unwrap_or_default(), &mut names);
        }
        names
    }

    /// The same with what was captured.
    pub(super) fn filled(&self, captured: &Captured) -> Result<Self, String> {
        let text = |text: &Text| match text {
            Text::Plain(plain) => captured.text(plain).map(Text::Plain),
            secret @ Text::Secret(_) => Ok(secret.clone()),
        };
        let mut filled = self.clone();
        filled.url = self.url.as_deref().map(|url| captured.url(url)).transpose()?.map(Into::into);
        filled.body = self.body.as_deref().map(|body| captured.text(body)).transpose()?.map(Into::into);
        filled.json = self.json.as_ref().map(|json| captured.value(json).map(Box::new)).transpose()?;
        for value in filled.headers.iter_mut().chain(&mut filled.form).flat_map(|texts| texts.values_mut()) {
            *value = text(value)?;
        }
        filled.expected_body = self.expected_body.as_ref().map(|one| captured.matcher(one)).transpose()?;
        for matcher in filled.expected_json.values_mut() {
            *matcher = captured.matcher(matcher)?;
        }
        Ok(filled)
    }

    /// The secrets that are sent along.
    pub(super) fn hide_secrets(&self, captured: &mut Captured) {
        for text in self.headers.iter().chain(&self.form).flat_map(|texts| texts.values()) {
            if let Text::Secret(secret) = text {
                captured.hide(secret);
            }
        }
        self.bearer.iter().for_each(|secret| captured.hide(secret));
        if let Some(auth) = &self.basic_auth {
            auth.password.iter().for_each(|secret| captured.hide(secret));
            auth.password_env.iter().for_each(|name| captured.hide(&clockwork_core::Secret::env(name)));
        }
    }

    pub(super) fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let stand_ins = Captured::stand_ins(self.names());
        let mut tried = match self.filled(&stand_ins) {
            Ok(tried) => tried,
            // A stand-in is a text, which not every operator takes; what is captured will be looked at when it is there.
            Err(_) => self.clone(),
        };
        if self.url.as_deref().is_some_and(|url| url.starts_with("${captured.")) {
            tried.url = Some("http://localhost/".into());
        }
        // Which URL the named resource has is not known here.
        let stand_in = EndpointResource::new("resource").url("http://localhost/");
        let owner = if self.resource.is_some() { Some(&stand_in as &dyn Resource) } else { owner };
        let mut problems = tried.request_fields().validate(owner);
        if !self.expected_json.is_empty() {
            problems.extend(json_path::problems("expected_json", &self.expected_json));
        }
        problems
    }

    pub(super) fn request(&self, cx: &Context) -> Result<HttpRequest, CheckError> {
        let Some(name) = &self.resource else { return self.request_fields().request(cx.resource()) };
        let resource = cx.resource_named(name).map(|resource| &**resource);
        let resource =
            resource.ok_or_else(|| CheckError::unobservable(format!("there is no resource {name}")))?;
        if resource.downcast_ref::<EndpointResource>().and_then(EndpointResource::base_url).is_none() {
            let message = format!("the resource {name} ({}) has no `url`", resource.kind());
            return Err(CheckError::unobservable(message).hint("name an EndpointResource that has one"));
        }
        self.request_fields().request(Some(resource))
    }

    /// What is wrong with the answer, and whether that was judged.
    pub(super) fn judge(&self, seen: &HttpObservation) -> Result<Result<(), (String, bool)>, CheckError> {
        if !self.expected_status.contains(seen.status()) {
            return Ok(Err((format!("{}, expected {}", told(seen), self.expected_status), true)));
        }
        if let Some(matcher) = &self.expected_body
            && let Err(mismatch) = matcher.check_str(&seen.text()?)
        {
            return Ok(Err((format!("the body is wrong: {}", mismatch.message), mismatch.judged)));
        }
        if self.expected_json.is_empty() {
            return Ok(Ok(()));
        }
        let wrong = json_path::compare(&seen.json()?, &self.expected_json);
        if wrong.is_empty() {
            return Ok(Ok(()));
        }
        let told: Vec<_> = wrong.iter().map(|wrong| wrong.message.as_str()).collect();
        Ok(Err((told.join("; "), wrong.iter().any(|wrong| wrong.judged))))
    }
}
