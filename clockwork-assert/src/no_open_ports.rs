//! [`NoOpenPortsAssert`]: nothing listens but at the ports that may be open.
//!
//! `method: sockets`, the default, asks the kernel for its listeners: every address, both families, whoever owns them,
//! and nothing a firewall could hide. From inside a container (`at:`) those of its own network namespace. A dual-stack
//! listener on `[::]` counts for IPv4, too. A port that an engine publishes by a rule of the firewall alone (Docker
//! without its userland proxy) has no socket and is not seen so; with the proxy it is, and the message says for which
//! container. What the container engine itself answers at 127.0.0.11 inside a container (its resolver) does not count.
//!
//! `scope` is about who can reach a listener. `loopback`: this machine alone (127.0.0.0/8, `::1`, or bound to the
//! loopback interface). `public`: anybody else, be it the neighbours on the link (link-local addresses), other
//! containers (a bridge's address) or the world; which of them a firewall lets through is not asked.
//!
//! UDP has no listeners. A socket with a peer of its own is a client and is skipped; one without takes datagrams from
//! anybody and counts. In the ephemeral range it may still be a client that sends without connecting: what is seen
//! there, and nothing else, is `errored`. Give a `range` below it, or name the port in `except_ports`.
//!
//! `method: connect` connects to every port of `range` of a `host`: for machines that Clockwork does not run on. It
//! proves what can be reached from here (with `at:`, from inside that container). A port that keeps silent (dropped by a firewall, or behind a full queue) is not
//! open; where none of a scan's ports answers, not even by a refusal, no machine may be there at all, and the verdict is
//! `errored`. So it is where a port of this machine itself keeps silent.
//!
//! Judged (so that `not` turns it around): an open port, and none. Not judged: a name that does not resolve.
//!
//! `details`: `open`, each `port` with `protocol`, `address`, and where known `interface`, `scope`, `process`, `pid`,
//! `uid`; for a scan `scanned`, each `address` with `open`, `refused`, `silent`, `unreachable`.

use std::ops::RangeInclusive;

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Invalid, Resource, Vantage, Verdict, async_trait,
};
use clockwork_drivers::{
    EndpointResource,
    socket::{ListenerProbe, OwnerProbe, Owners, PortRange, PortScanProbe, Protocol},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    Transport, host,
    open_ports::{self, Wanted},
};

/// Nothing listens but at the ports that may be open. To look at sockets takes Linux; `method: connect` works everywhere.
///
/// ```
/// use clockwork_assert::NoOpenPortsAssert;
///
/// NoOpenPortsAssert::new().except_ports([22, 443]);
/// ```
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoOpenPortsAssert {
    /// The ports that may be open: numbers, and ranges as `"8000-8010"`.
    #[serde(default)]
    except_ports: Vec<PortRange>,
    /// What is spoken at the ports.
    #[serde(default)]
    protocol: Transport,
    /// Only what this machine alone can reach (`loopback`), only what others can reach (`public`), or both.
    #[serde(default)]
    scope: Option<PortScope>,
    /// Only these ports: `"1-1024"`, or `[1, 1024]`. All of them unless given.
    #[serde(default)]
    range: Option<PortRange>,
    /// From the kernel's socket table, or by connecting. Left out, it is `connect` where a `host` is given and on an
    /// `EndpointResource`, otherwise `sockets`.
    #[serde(default)]
    method: Option<PortMethod>,
    /// For `connect`: a name or an address. On an `EndpointResource` the resource's unless given, otherwise
    /// `localhost`.
    #[serde(default)]
    host: Option<String>,
}

/// Who can reach a listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PortScope {
    /// Whoever it is.
    #[default]
    Any,
    /// This machine alone.
    Loopback,
    /// Others, too.
    Public,
}

/// How open ports are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PortMethod {
    /// From the kernel's socket table.
    Sockets,
    /// By connecting to every port.
    Connect,
}

impl NoOpenPortsAssert {
    /// Nothing listens on this machine, at any port and address.
    pub fn new() -> Self {
        Self::default()
    }

    /// These ports may be open.
    #[must_use]
    pub fn except_ports(mut self, ports: impl IntoIterator<Item = u16>) -> Self {
        self.except_ports.extend(ports.into_iter().map(PortRange::from));
        self
    }

    /// The ports from one to another may be open, both included.
    #[must_use]
    pub fn except_range(mut self, ports: RangeInclusive<u16>) -> Self {
        self.except_ports.push(ports.into());
        self
    }

    /// What is spoken at the ports, if it is not TCP.
    #[must_use]
    pub fn protocol(mut self, protocol: Transport) -> Self {
        self.protocol = protocol;
        self
    }

    /// Only what these can reach.
    #[must_use]
    pub fn scope(mut self, scope: PortScope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Only the ports from one to another, both included.
    #[must_use]
    pub fn range(mut self, range: RangeInclusive<u16>) -> Self {
        self.range = Some(range.into());
        self
    }

    /// How open ports are found.
    #[must_use]
    pub fn method(mut self, method: PortMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// Connects to this name or address.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        self.host = Some(host.into());
        self
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            except: &self.except_ports,
            range: self.range.unwrap_or(PortRange::ALL),
            scope: self.scope.unwrap_or_default(),
            udp: self.protocol == Transport::Udp,
        }
    }

    /// The host to connect to, where it is to be found out in that way.
    fn remote(&self, owner: Option<&dyn Resource>) -> Option<String> {
        let endpoint = owner.and_then(|owner| owner.downcast_ref::<EndpointResource>()?.address());
        let host = self.host.clone().or(endpoint.map(|(host, _)| host));
        match self.method {
            Some(PortMethod::Sockets) => None,
            Some(PortMethod::Connect) => Some(host.unwrap_or_else(|| String::from("localhost"))),
            None => host,
        }
    }

    async fn look_at_sockets(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let wanted = self.wanted();
        let protocol = if wanted.udp { Protocol::Udp } else { Protocol::Tcp };
        let seen = cx.observe(ListenerProbe(protocol)).await?;
        let open = wanted.open(&seen);
        let mut inodes: Vec<u32> = open.iter().flat_map(|listener| &listener.inodes).copied().collect();
        if inodes.is_empty() {
            return wanted.judge(&seen, open, &Owners::default(), cx.vantage());
        }
        inodes.sort_unstable();
        inodes.dedup();
        // All processes are looked at, wherever they live.
        let owners = cx.from_vantage(Vantage::Host).observe(OwnerProbe(inodes)).await?;
        wanted.judge(&seen, open, &owners, cx.vantage())
    }

    async fn scan(&self, host: String, cx: &Context) -> Result<Verdict, CheckError> {
        let wanted = self.wanted();
        let probe = PortScanProbe { host: host.clone(), range: wanted.range };
        let seen = cx.observe(probe).await.map_err(|error| match error.is_timeout() {
            true => error.hint("raise `timeout`, or give a smaller `range`"),
            false => error,
        })?;
        open_ports::judge_scan(&wanted, &seen, &host)
    }
}

impl AssertionKind for NoOpenPortsAssert {
    const NAME: &'static str = "NoOpenPortsAssert";
}

#[async_trait]
impl Assertion for NoOpenPortsAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let mut told = Vec::new();
        told.extend(self.host.clone());
        told.push(String::from(if self.protocol == Transport::Udp { "udp" } else { "tcp" }));
        told.extend(self.range.map(|range| range.to_string()));
        told.extend(match self.scope {
            Some(PortScope::Loopback) => Some(String::from("loopback")),
            Some(PortScope::Public) => Some(String::from("public")),
            Some(PortScope::Any) | None => None,
        });
        match self.except_ports.as_slice() {
            [] => {}
            except => told.push(format!("except {}", open_ports::ports(except))),
        }
        told.join(", ")
    }

    fn supports_at(&self) -> bool {
        true
    }

    fn validate(&self, owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems = Vec::new();
        let ranges = self.except_ports.iter().map(|range| ("except_ports", range));
        for (field, range) in ranges.chain(self.range.iter().map(|range| ("range", range))) {
            problems.extend(range.problem().map(|problem| Invalid::field(field, problem)));
        }
        let remote = self.remote(owner).is_some();
        if remote && self.protocol == Transport::Udp {
            let problem =
                "UDP has no connections: what does not answer may be open or filtered; use `method: sockets`";
            problems.push(Invalid::field("protocol", problem));
        }
        if remote && self.scope.is_some() {
            let problem =
                "connecting cannot tell who else can connect; use `method: sockets`, or leave it out";
            problems.push(Invalid::field("scope", problem));
        }
        match &self.host {
            Some(_) if self.method == Some(PortMethod::Sockets) => {
                problems.push(Invalid::field("host", "the socket table is this machine's: leave `host` out"));
            }
            Some(host) => problems.extend(host::problem(host)),
            None => {}
        }
        problems
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        match self.remote(cx.resource()) {
            Some(host) => self.scan(host, cx).await,
            None => self.look_at_sockets(cx).await,
        }
    }
}
