//! [`PortAccessibleAssert`]: something accepts connections at a port.
//!
//! TCP: it proves that a connection was made, over any of the name's addresses, IPv4 or IPv6; the evidence says which, and
//! what the others did. It does not prove that what listens is what was meant, and a proxy that accepts for a service
//! that is down (Docker's does) is accepted too: ask the service something.
//!
//! UDP has no connections. An answer to an empty datagram proves that something is there, and so does silence on this
//! machine itself, where the kernel refuses what nobody has bound. A refusal proves the opposite. Silence from elsewhere
//! proves nothing (there may be a service that does not answer, or a firewall that drops), and is `errored`.
//!
//! Judged (so that `not` turns it around): accepted, refused, unreachable, no answer in time. Not judged: a name that does
//! not resolve, which may be a typing error.
//!
//! `details`: `addresses`, each `address` with its `outcome`, in the order of their answers.

use std::{borrow::Cow, sync::Arc};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Evidence, Fault, Invalid, Resource, ResourceName, Verdict,
    async_trait, schemars::JsonSchema,
};
use clockwork_drivers::{
    EndpointResource,
    resolve::authority,
    tcp::{TcpObservation, TcpProbe},
    udp::{UdpAnswer, UdpObservation, UdpProbe},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::host;

/// Something accepts connections at a port.
///
/// ```
/// use clockwork_assert::PortAccessibleAssert;
///
/// PortAccessibleAssert::new(5432).host("db.example");
/// ```
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(deny_unknown_fields)]
pub struct PortAccessibleAssert {
    /// The port. On an `EndpointResource` it may be left out, which means the resource's.
    #[serde(default)]
    port: Option<u16>,
    /// A name or an address: on an `EndpointResource` the resource's unless given, `localhost` elsewhere.
    #[serde(default)]
    host: Option<String>,
    /// What is spoken at the port.
    #[serde(default)]
    protocol: Transport,
}

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

impl PortAccessibleAssert {
    /// Something accepts connections at this port, of localhost unless it says otherwise.
    pub fn new(port: u16) -> Self {
        Self { port: Some(port), ..Self::default() }
    }

    /// Of this name or address.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    /// What is spoken at the port, if it is not TCP.
    #[must_use]
    pub fn protocol(mut self, protocol: Transport) -> Self {
        self.protocol = protocol;
        self
    }

    /// The host and the port, with what the owner knows.
    fn address(&self, owner: Option<&dyn Resource>) -> Option<(Cow<'_, str>, u16)> {
        if let (Some(host), Some(port)) = (&self.host, self.port) {
            return Some((host.into(), port));
        }
        let endpoint = owner.and_then(|owner| owner.downcast_ref::<EndpointResource>()?.address());
        let (host, port) = endpoint.map_or((None, None), |(host, port)| (Some(host), Some(port)));
        let host = self.host.as_ref().map(Cow::from).or(host.map(Cow::from));
        Some((host.unwrap_or("localhost".into()), self.port.or(port)?))
    }
}

/// Every address with its answer, in the order of their answers.
struct Addresses(Arc<TcpObservation>);

impl Evidence for Addresses {
    fn members(&self) -> String {
        let addresses = self.0.tried.iter();
        let addresses: Value = addresses
            .map(|tried| json!({ "address": tried.address.to_string(), "outcome": tried.outcome.as_str() }))
            .collect();
        format!(r#""addresses":{addresses}"#)
    }
}

fn judge_tcp(seen: Arc<TcpObservation>, place: &str) -> Verdict {
    let story = seen.story();
    let verdict = match seen.accepted {
        Some(_) => Verdict::passed().message(story.clone()),
        None => Verdict::failed(seen.refusal(place)),
    };
    verdict.expected(accepts(place)).actual(story).evidence_of(Addresses(seen))
}

fn accepts(place: &str) -> String {
    [place, " accepts a connection"].concat()
}

fn judge_udp(seen: &UdpObservation, place: &str) -> Result<Verdict, CheckError> {
    let told: Vec<_> =
        seen.tried.iter().map(|(address, answer)| format!("{address}: {}", answer.as_str())).collect();
    let told = told.join(", ");
    let open = |(_, answer): &(_, UdpAnswer)| matches!(answer, UdpAnswer::Answered | UdpAnswer::Bound);
    let unknown = |(_, answer): &(_, UdpAnswer)| *answer == UdpAnswer::OpenOrFiltered;
    let verdict = if seen.tried.iter().any(open) {
        Verdict::passed().message(told.clone())
    } else if seen.tried.iter().any(unknown) {
        return Err(CheckError::unobservable(format!(
            "{place}/udp neither answered an empty datagram nor refused it, so that it is open or filtered ({told})"
        ))
        .retryable()
        .hint("assert what the service does instead, or look from the machine that it runs on"));
    } else {
        Verdict::failed(format!("nothing is there at {place}/udp ({told})"))
    };
    let addresses = seen.tried.iter();
    let addresses: Value = addresses
        .map(|(address, answer)| json!({ "address": address.to_string(), "outcome": answer.as_str() }))
        .collect();
    Ok(verdict.expected(format!("{place}/udp is open")).actual(told).detail("addresses", addresses))
}

#[async_trait]
impl Assertion for PortAccessibleAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let suffix = if self.protocol == Transport::Udp { "/udp" } else { "" };
        match (&self.host, self.port) {
            (Some(host), Some(port)) => authority(host, port) + suffix,
            (Some(host), None) => format!("{host}{suffix}"),
            (None, Some(port)) => format!("port {port}{suffix}"),
            (None, None) => suffix.trim_start_matches('/').to_owned(),
        }
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = Vec::new();
        match self.port {
            Some(0) => problems.push(Invalid::field("port", "nothing can listen at port 0")),
            None if self.address(owner).is_none() => {
                let missing = "is missing: give one, or declare this on an EndpointResource that has one";
                problems.push(Invalid::field("port", missing));
            }
            _ => {}
        }
        problems.extend(self.host.as_deref().and_then(host::problem));
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn computes(&self) -> bool {
        true
    }

    fn implies(&self, at: Option<&ResourceName>) -> Vec<(ResourceName, ResourceName)> {
        let reached = at.zip(self.host.as_deref());
        reached.map(|(at, host)| (at.clone(), ResourceName::new(host))).into_iter().collect()
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let (host, port) =
            self.address(cx.resource()).ok_or_else(|| CheckError::unobservable("port: is missing"))?;
        let place = authority(&host, port);
        let looked = match self.protocol {
            Transport::Tcp => {
                let probe = TcpProbe { host: host.into(), port };
                cx.observe(probe).await.map(|seen| Ok(judge_tcp(seen, &place)))
            }
            Transport::Udp => {
                let probe = UdpProbe { host: host.into(), port };
                cx.observe(probe).await.map(|seen| judge_udp(&seen, &place))
            }
        };
        let error = match looked {
            Ok(judged) => return judged,
            Err(error) if error.is_timeout() && error.fault() == Fault::Target => error.hint(
                "filtered by a firewall, or no such machine: that nobody answers is all there is to see",
            ),
            Err(error) => error,
        };
        let actual = error.message().to_owned();
        Ok(Verdict::of_target(error)?.expected(accepts(&place)).actual(actual))
    }
}

impl AssertionKind for PortAccessibleAssert {
    const NAME: &'static str = "PortAccessibleAssert";
}
