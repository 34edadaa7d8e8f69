//! [`EndpointResource`]: a service that somebody else runs, known by its URL or by its host and port. It is observed
//! and never changed.

use std::sync::Arc;

use async_trait::async_trait;
use clockwork_core::{
    Change, CheckError, Common, Context, Driver, Fault, Invalid, Observation, Resource, ResourceKind,
    schemars::{self, JsonSchema},
};
use serde::{Deserialize, Serialize};

use crate::{
    http::{HttpProbe, HttpRequest, without_userinfo},
    tcp::TcpProbe,
};

/// A service that somebody else runs: `url`, or `host` and `port`.
///
/// What is asserted about it may leave out what it says already: the `url` of `HealthcheckAssert` and its kin is the
/// resource's, or is joined to it as a browser joins a link (`/health`), and so are the host and the port of
/// `PortAccessibleAssert`.
///
/// ```
/// use clockwork_drivers::endpoint::EndpointResource;
///
/// let shop = EndpointResource::new("shop").url("https://shop.example/");
/// assert_eq!(shop.address(), Some(("shop.example".to_owned(), 443)));
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointResource {
    #[serde(skip)]
    common: Common,
    /// Where it answers over HTTP.
    #[serde(default)]
    url: Option<String>,
    /// Where it listens: a name or an address.
    #[serde(default)]
    host: Option<String>,
    /// The port that it listens at.
    #[serde(default)]
    port: Option<u16>,
}

impl EndpointResource {
    /// An endpoint of this name, that is still to be given a URL, or a host and a port.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self { common: Common::new(name), url: None, host: None, port: None }
    }

    /// Where it answers over HTTP.
    #[must_use]
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// Where it listens: a name or an address.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// The port that it listens at.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The URL, where it has one.
    pub fn base_url(&self) -> Option<&str> {
        self.url.as_deref()
    }

    /// The host and the port that it listens at, which a URL names too.
    pub fn address(&self) -> Option<(String, u16)> {
        match (&self.url, &self.host, self.port) {
            (Some(url), ..) => HttpRequest::new(url).ok().map(|request| request.host_and_port()),
            (None, Some(host), Some(port)) => Some((host.clone(), port)),
            _ => None,
        }
    }
}

impl Resource for EndpointResource {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn common(&self) -> &Common {
        &self.common
    }

    fn common_mut(&mut self) -> &mut Common {
        &mut self.common
    }

    fn spec(&self) -> serde_json::Value {
        match &self.url {
            Some(url) => serde_json::json!({ "url": without_userinfo(url) }),
            None => serde_json::json!({ "host": self.host, "port": self.port }),
        }
    }

    fn driver(&self) -> Option<Arc<dyn Driver>> {
        Some(Arc::new(EndpointDriver))
    }

    fn validate(&self) -> Vec<Invalid> {
        match (&self.url, &self.host, self.port) {
            (Some(url), None, None) => match HttpRequest::new(url) {
                Ok(_) => Vec::new(),
                Err(error) => vec![Invalid::field("url", error.message)],
            },
            (Some(_), ..) => vec![Invalid::whole("give `url`, or `host` and `port`, and not both")],
            (None, Some(host), Some(port)) => {
                let mut problems = Vec::new();
                if host.is_empty() {
                    problems.push(Invalid::field("host", "is empty"));
                }
                if port == 0 {
                    problems.push(Invalid::field("port", "nothing can listen at port 0"));
                }
                problems
            }
            (None, Some(_), None) => vec![Invalid::whole("`port` is missing beside `host`")],
            (None, None, Some(_)) => vec![Invalid::whole("`host` is missing beside `port`")],
            (None, None, None) => vec![Invalid::whole("give `url`, or `host` and `port`")],
        }
    }
}

impl ResourceKind for EndpointResource {
    const NAME: &'static str = "EndpointResource";
}

/// Looks whether an endpoint is there: a URL answers (whatever the status), a host accepts a connection at the port.
#[derive(Debug, Clone, Copy)]
pub struct EndpointDriver;

/// What an endpoint was seen to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EndpointState {
    /// The URL that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The status that it answered with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The host that accepted a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The address that answered.
    pub address: String,
}

#[async_trait]
impl Driver for EndpointDriver {
    fn kinds(&self) -> &'static [&'static str] {
        &[EndpointResource::NAME]
    }

    async fn observe(
        &self,
        resource: &dyn Resource,
        cx: &Context,
    ) -> Result<Option<Box<dyn Observation>>, CheckError> {
        let endpoint = resource.downcast_ref::<EndpointResource>();
        let endpoint = endpoint.ok_or_else(|| {
            CheckError::unobservable(format!("{} is not an EndpointResource", resource.common().name()))
        })?;
        let seen = match look(endpoint, cx).await {
            Ok(seen) => seen,
            // Nobody there, and that has been seen. Who does not answer in time may be there.
            Err(error) if error.fault() == Fault::Target && !error.is_timeout() => None,
            Err(error) => return Err(error),
        };
        Ok(seen.map(|state| Box::new(state) as Box<dyn Observation>))
    }

    /// Nothing: it is somebody else's.
    fn plan(
        &self,
        _resource: &dyn Resource,
        _observed: Option<&dyn Observation>,
    ) -> Result<Vec<Change>, CheckError> {
        Ok(Vec::new())
    }
}

async fn look(endpoint: &EndpointResource, cx: &Context) -> Result<Option<EndpointState>, CheckError> {
    if let Some(url) = &endpoint.url {
        let request = HttpRequest::new(url)?.follow_redirects(false);
        let seen = cx.observe(HttpProbe::new(request)).await?;
        return Ok(Some(EndpointState {
            url: Some(without_userinfo(url).into_owned()),
            status: Some(seen.status()),
            host: None,
            port: None,
            address: seen.remote().to_string(),
        }));
    }
    let address = endpoint.address();
    let (host, port) = address
        .ok_or_else(|| CheckError::unobservable("the endpoint has neither a url nor a host and a port"))?;
    let seen = cx.observe(TcpProbe { host: host.as_str().into(), port }).await?;
    Ok(seen.accepted.map(|address| EndpointState {
        url: None,
        status: None,
        host: Some(host),
        port: Some(port),
        address: address.to_string(),
    }))
}
