//! What every HTTP kind is asked with: [`http_kind`] gives a kind the request fields as fields of its own, and
//! [`RequestFields`] makes a request of them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use clockwork_core::{ByteSize, CheckError, Invalid, Resource, Secret};
use clockwork_drivers::{
    EndpointResource,
    http::{BasicAuth, HttpRequest, HttpVersion, InvalidRequest, MAX_BODY, Method, ResolveTo, Text, UrlText},
};
use serde_json::Value;

/// Declares an HTTP kind: its own fields, each with the value that it has in Rust until its setter is called, and after
/// them the request fields that all HTTP kinds share, with their setters.
///
/// The parentheses name the fields for a body to send as text and as JSON: `(body, json)`, except in a kind in which
/// these names mean the answer's body. What few checks set is boxed, since ten thousand of them may lie in memory.
macro_rules! http_kind {
    (
        $(#[$about:meta])*
        pub struct $Kind:ident($body:ident, $json:ident) {
            $($(#[$meta:meta])* $field:ident: $Type:ty = $value:expr,)*
        }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, serde::Deserialize, clockwork_core::schemars::JsonSchema)]
        #[schemars(crate = "clockwork_core::schemars")]
        #[serde(deny_unknown_fields)]
        pub struct $Kind {
            /// What to ask: an `http://` or `https://` URL. On an `EndpointResource` it may be left out, which means
            /// the resource's `url`, or be relative to that (`/health`).
            #[serde(default)]
            #[schemars(with = "Option<String>")]
            url: Option<clockwork_drivers::http::UrlText>,
            $($(#[$meta])* $field: $Type,)*
            /// The request's method, `GET` unless given.
            #[serde(default, deserialize_with = "clockwork_drivers::http::fields::method")]
            #[schemars(with = "String")]
            method: clockwork_drivers::http::Method,
            /// The request's headers: name → text, or a secret.
            #[serde(default)]
            headers: Option<Box<std::collections::BTreeMap<String, clockwork_drivers::http::Text>>>,
            /// A body to send, as it is.
            #[serde(default)]
            $body: Option<Box<str>>,
            /// A body to send, as JSON.
            #[serde(default)]
            $json: Option<Box<serde_json::Value>>,
            /// A body to send, as a form: name → text, or a secret.
            #[serde(default)]
            form: Option<Box<std::collections::BTreeMap<String, clockwork_drivers::http::Text>>>,
            /// The user and the password to send (Basic authentication).
            #[serde(default)]
            basic_auth: Option<Box<clockwork_drivers::http::BasicAuth>>,
            /// The token to send (Bearer authentication).
            #[serde(default)]
            bearer: Option<Box<clockwork_core::Secret>>,
            /// Whether redirects are followed, at most 10 of them. Credentials are not sent along to another origin.
            #[serde(default = "crate::http_request::yes")]
            follow_redirects: bool,
            /// A PEM file: only what stands in it is trusted, instead of the machine's certificates.
            #[serde(default)]
            ca_file: Option<Box<std::path::Path>>,
            /// A PEM file with the certificate to show to the server.
            #[serde(default)]
            client_cert: Option<Box<std::path::Path>>,
            /// A PEM file with that certificate's key, if it is not in the same file.
            #[serde(default)]
            client_key: Option<Box<std::path::Path>>,
            /// Accept any certificate. The result says so.
            #[serde(default)]
            insecure: bool,
            /// Speak this HTTP version only: `1.1` or `2`.
            #[serde(default)]
            http_version: Option<clockwork_drivers::http::HttpVersion>,
            /// Connect to this address instead of the name's: `10.0.0.1`, or `10.0.0.1:8443`.
            #[serde(default)]
            resolve_to: Option<Box<clockwork_drivers::http::ResolveTo>>,
            /// How much of the answer's body is read.
            #[serde(default = "crate::http_request::max_body")]
            max_body: clockwork_core::ByteSize,
        }

        impl $Kind {
            /// With nothing said but the URL, if that.
            fn of(url: Option<String>) -> Self {
                Self {
                    url: url.map(Into::into),
                    $($field: $value,)*
                    method: clockwork_drivers::http::Method::GET,
                    headers: None,
                    $body: None,
                    $json: None,
                    form: None,
                    basic_auth: None,
                    bearer: None,
                    follow_redirects: true,
                    ca_file: None,
                    client_cert: None,
                    client_key: None,
                    insecure: false,
                    http_version: None,
                    resolve_to: None,
                    max_body: crate::http_request::max_body(),
                }
            }

            fn request_fields(&self) -> crate::http_request::RequestFields<'_> {
                crate::http_request::RequestFields {
                    url: self.url.as_ref(),
                    method: &self.method,
                    headers: self.headers.as_deref(),
                    body: self.$body.as_deref(),
                    json: self.$json.as_deref(),
                    body_names: [stringify!($body), stringify!($json), "form"],
                    form: self.form.as_deref(),
                    basic_auth: self.basic_auth.as_deref(),
                    bearer: self.bearer.as_deref(),
                    follow_redirects: self.follow_redirects,
                    ca_file: self.ca_file.as_deref(),
                    client_cert: self.client_cert.as_deref(),
                    client_key: self.client_key.as_deref(),
                    insecure: self.insecure,
                    http_version: self.http_version,
                    resolve_to: self.resolve_to.as_deref().copied(),
                    max_body: self.max_body,
                }
            }

            /// The request's method, `GET` unless given.
            #[must_use]
            pub fn method(mut self, method: clockwork_drivers::http::Method) -> Self {
                self.method = method;
                self
            }

            /// Sends this header.
            #[must_use]
            pub fn header(
                mut self,
                name: impl Into<String>,
                value: impl Into<clockwork_drivers::http::Text>,
            ) -> Self {
                self.headers.get_or_insert_default().insert(name.into(), value.into());
                self
            }

            /// Sends this body, as it is.
            #[must_use]
            pub fn $body(mut self, body: impl Into<String>) -> Self {
                self.$body = Some(body.into().into());
                self
            }

            /// Sends this as JSON.
            #[must_use]
            pub fn $json(mut self, value: impl Into<serde_json::Value>) -> Self {
                self.$json = Some(Box::new(value.into()));
                self
            }

            /// Sends a form with this field.
            #[must_use]
            pub fn form(
                mut self,
                name: impl Into<String>,
                value: impl Into<clockwork_drivers::http::Text>,
            ) -> Self {
                self.form.get_or_insert_default().insert(name.into(), value.into());
                self
            }

            /// Sends this user and password (Basic authentication).
            #[must_use]
            pub fn basic_auth(mut self, user: impl Into<String>, password: clockwork_core::Secret) -> Self {
                self.basic_auth = Some(Box::new(clockwork_drivers::http::BasicAuth::new(user, password)));
                self
            }

            /// Sends this token (Bearer authentication).
            #[must_use]
            pub fn bearer(mut self, token: clockwork_core::Secret) -> Self {
                self.bearer = Some(Box::new(token));
                self
            }

            /// Whether redirects are followed, at most 10 of them.
            #[must_use]
            pub fn follow_redirects(mut self, follow: bool) -> Self {
                self.follow_redirects = follow;
                self
            }

            /// Trusts only what stands in this PEM file.
            #[must_use]
            pub fn ca_file(mut self, file: impl Into<std::path::PathBuf>) -> Self {
                self.ca_file = Some(file.into().into());
                self
            }

            /// Shows the server the certificate in this PEM file.
            #[must_use]
            pub fn client_cert(mut self, file: impl Into<std::path::PathBuf>) -> Self {
                self.client_cert = Some(file.into().into());
                self
            }

            /// The PEM file with that certificate's key, if it is not in the same file.
            #[must_use]
            pub fn client_key(mut self, file: impl Into<std::path::PathBuf>) -> Self {
                self.client_key = Some(file.into().into());
                self
            }

            /// Whether any certificate is accepted.
            #[must_use]
            pub fn insecure(mut self, insecure: bool) -> Self {
                self.insecure = insecure;
                self
            }

            /// Speaks this HTTP version only.
            #[must_use]
            pub fn http_version(mut self, version: clockwork_drivers::http::HttpVersion) -> Self {
                self.http_version = Some(version);
                self
            }

            /// Connects to this address instead of the name's.
            #[must_use]
            pub fn resolve_to(mut self, address: impl Into<clockwork_drivers::http::ResolveTo>) -> Self {
                self.resolve_to = Some(Box::new(address.into()));
                self
            }

            /// How much of the answer's body is read.
            #[must_use]
            pub fn max_body(mut self, size: clockwork_core::ByteSize) -> Self {
                self.max_body = size;
                self
            }
        }
    };
}
pub(crate) use http_kind;

pub(crate) fn yes() -> bool {
    true
}

pub(crate) fn max_body() -> ByteSize {
    ByteSize(MAX_BODY)
}

/// The request fields of a kind, borrowed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestFields<'a> {
    pub(crate) url: Option<&'a UrlText>,
    pub(crate) method: &'a Method,
    pub(crate) headers: Option<&'a BTreeMap<String, Text>>,
    pub(crate) body: Option<&'a str>,
    pub(crate) json: Option<&'a Value>,
    pub(crate) form: Option<&'a BTreeMap<String, Text>>,
    /// What these three are called in the kind.
    pub(crate) body_names: [&'static str; 3],
    pub(crate) basic_auth: Option<&'a BasicAuth>,
    pub(crate) bearer: Option<&'a Secret>,
    pub(crate) follow_redirects: bool,
    pub(crate) ca_file: Option<&'a Path>,
    pub(crate) client_cert: Option<&'a Path>,
    pub(crate) client_key: Option<&'a Path>,
    pub(crate) insecure: bool,
    pub(crate) http_version: Option<HttpVersion>,
    pub(crate) resolve_to: Option<ResolveTo>,
    pub(crate) max_body: ByteSize,
}

impl<'a> RequestFields<'a> {
    /// The URL as declared, fit to be shown; empty, where it is the resource's.
    pub(crate) fn label(&self) -> String {
        self.url.map(|url| url.without_userinfo().into_owned()).unwrap_or_default()
    }

    /// The request of which nothing but its URL is known.
    fn bare_request(
        &self,
        owner: Option<&dyn Resource>,
    ) -> Result<Result<HttpRequest, InvalidRequest>, Invalid> {
        let base = owner.and_then(|owner| owner.downcast_ref::<EndpointResource>()?.base_url());
        match (self.url, base) {
            (Some(url), base) => Ok(HttpRequest::declared(base, url)),
            (None, Some(url)) => Ok(HttpRequest::new(url)),
            (None, None) => {
                let missing = "is missing: give one, or declare this on an EndpointResource that has a url";
                Err(Invalid::field("url", missing))
            }
        }
    }

    /// The request, with its secrets read.
    pub(crate) fn request(&self, owner: Option<&dyn Resource>) -> Result<HttpRequest, CheckError> {
        let invalid = |Invalid { field, message }| CheckError::unobservable(format!("{field}: {message}"));
        let mut request = self.bare_request(owner).map_err(invalid)??;
        if *self.method != Method::GET {
            request = request.method(self.method.clone());
        }
        for (name, value) in self.headers.into_iter().flatten() {
            request = request.header(name, value)?;
        }
        if let Some(body) = self.body {
            request = request.body(body.to_owned());
        }
        if let Some(json) = self.json {
            request = request.json(json);
        }
        if let Some(form) = self.form {
            request = request.form(form)?;
        }
        if let Some(auth) = self.basic_auth {
            request = request.basic_auth(auth)?;
        }
        if let Some(token) = self.bearer {
            request = request.bearer(token)?;
        }
        if !self.follow_redirects {
            request = request.follow_redirects(false);
        }
        if let Some(file) = self.ca_file {
            request = request.ca_file(file);
        }
        if let Some(file) = self.client_cert {
            request = request.client_cert(file, self.client_key.map(PathBuf::from));
        }
        if self.insecure {
            request = request.insecure(true);
        }
        if let Some(version) = self.http_version {
            request = request.http_version(version);
        }
        if let Some(address) = self.resolve_to {
            request = request.resolve_to(address);
        }
        if self.max_body != max_body() {
            request = request.max_body(self.max_body.bytes());
        }
        Ok(request)
    }

    /// What is wrong with the fields, taken together. Reads no secret.
    pub(crate) fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = Vec::new();
        if !self.url.is_some_and(UrlText::is_plain) {
            let url = self
                .bare_request(owner)
                .and_then(|request| request.map_err(|error| Invalid::field(error.field, error.message)));
            problems.extend(url.err());
        }
        for (name, value) in self.headers.into_iter().flatten() {
            // The value of a secret is read when it is sent, and not to validate a manifest.
            if let Err(error) = HttpRequest::validate_header(name, value) {
                problems.push(Invalid::whole(error.message()));
            }
        }
        let given = [self.body.is_some(), self.json.is_some(), self.form.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            let [body, json, form] = self.body_names;
            problems.push(Invalid::whole(format!(
                "a request has one body: `{body}`, `{json}` or `{form}`, not more"
            )));
        }
        let mut names = self.headers.into_iter().flat_map(BTreeMap::keys);
        let header = names.any(|name| name.eq_ignore_ascii_case("authorization"));
        let in_url = self.url.is_some_and(UrlText::has_userinfo);
        let ways = [self.basic_auth.is_some(), self.bearer.is_some(), header, in_url];
        if ways.iter().filter(|way| **way).count() > 1 {
            problems.push(Invalid::whole(
                "a request has one authorization: `basic_auth`, `bearer`, a header, or a user in the url, not more",
            ));
        }
        if self.basic_auth.is_some_and(|auth| auth.password.is_some() && auth.password_env.is_some()) {
            problems.push(Invalid::field("basic_auth", "give `password` or `password_env`, and not both"));
        }
        if self.client_key.is_some() && self.client_cert.is_none() {
            problems.push(Invalid::field("client_key", "needs `client_cert` beside it"));
        }
        if self.insecure && self.ca_file.is_some() {
            problems
                .push(Invalid::field("insecure", "accepts any certificate, so that `ca_file` means nothing"));
        }
        problems
    }
}
