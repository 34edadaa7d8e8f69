//! [`DnsResolveAssert`]: a name has records in DNS, and they are the ones that it has to have.
//!
//! It proves what the name servers that were asked say, just now: those of `/etc/resolv.conf` (as `dig` asks them), or the
//! `resolver` that is given. Names are absolute: there are no search domains, and `/etc/hosts` is not consulted. For
//! `localhost` and what is below it no name server is asked unless one is given: it is this machine (RFC 6761). A resolver
//! that caches may not have seen the newest change yet; asking the zone's own servers says what is true there.
//!
//! Judged (so that `not` turns it around): other records than expected, a time to live outside of its limits, NODATA and
//! NXDOMAIN, if every resolver that has to agree says one of these. Not judged: SERVFAIL, REFUSED and other codes,
//! a referral, silence, a malformed answer, a loop of aliases, resolvers that disagree, and a server that contradicts
//! itself (NXDOMAIN for one type of a name that has another).
//!
//! `details`: `answers`, each with `resolver`, `type`, `status` (`NOERROR`, `NODATA`, `NXDOMAIN`, `SERVFAIL`, …),
//! `records` (each `data` and `ttl`), `aliases` (each `name`, `target`, `ttl`), `tcp` and `authoritative`.

use std::{
    borrow::Cow,
    fmt,
    net::IpAddr,
    str::FromStr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use clockwork_core::{
    Assertion, AssertionKind, CheckError, Context, Fault, Invalid, Matcher, Resource, Verdict, async_trait,
    duration,
    schemars::{JsonSchema, Schema, SchemaGenerator, json_schema},
    text::quote,
};
use clockwork_drivers::{
    dns::{DnsName, DnsProbe, HostsProbe, NameServer, RecordType, ResolvConfProbe},
    resolve::literal,
};
use futures_util::future::join_all;
use serde::{Deserialize, Deserializer, de};

use crate::{
    dns_verdict::{Answers, Expected, Said},
    one_or_many::OneOrMany,
};

/// A name has records in DNS, and they are the ones that it has to have.
///
/// ```
/// use std::net::Ipv4Addr;
///
/// use clockwork_assert::DnsResolveAssert;
/// use clockwork_core::Matcher;
/// use clockwork_drivers::dns::RecordType;
///
/// DnsResolveAssert::new("shop.example").expected_ip(Ipv4Addr::new(192, 0, 2, 1));
/// DnsResolveAssert::new("shop.example").record_type(RecordType::MX).expected(Matcher::equals("10 mail.example."));
/// ```
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[schemars(crate = "clockwork_core::schemars")]
#[serde(deny_unknown_fields)]
pub struct DnsResolveAssert {
    /// The name, in any script, always absolute. With `record_type: PTR` it may be an address.
    hostname: String,
    /// The address that has to be among those of the name; of a list, any of them. (`expected: { all_of: […] }` asks for
    /// each.)
    #[serde(default)]
    expected_ip: Option<OneOrMany<IpAddr>>,
    /// What one of the records has to be like, as zone files write it: `10 mail.example.`; the dot at the end of a name
    /// may be left out. `not` means that none is so;
    /// `length` is the number of records, and `equals` takes all of them as a list, in any order. `contains` looks into a
    /// record, but an address is only ever taken as a whole.
    #[serde(default)]
    expected: Option<Matcher>,
    /// What to ask for: `A+AAAA` unless given.
    #[serde(default)]
    record_type: RecordTypes,
    /// The name server to ask, with its port where that is not 53; of a list, the first that answers. Those of
    /// `/etc/resolv.conf` unless given.
    #[serde(default)]
    resolver: Option<OneOrMany<NameServer>>,
    /// Ask each of them: every one has to say what is expected, and all the same.
    #[serde(default)]
    every_resolver: bool,
    /// How long the records may be kept, at least. Resolvers that cache count down: ask the zone's own.
    #[serde(default, with = "duration::optional")]
    #[schemars(with = "Option<duration::Schema>")]
    min_ttl: Option<Duration>,
    /// How long the records may be kept, at most.
    #[serde(default, with = "duration::optional")]
    #[schemars(with = "Option<duration::Schema>")]
    max_ttl: Option<Duration>,
    /// The name that is asked for, once it has been read.
    #[serde(skip)]
    name: OnceLock<DnsName>,
}

/// One type of record, or several: `A+AAAA`.
#[derive(Debug, Clone)]
pub struct RecordTypes {
    /// Each of them once.
    all: [RecordType; RecordType::ALL.len()],
    count: u8,
}

impl RecordTypes {
    fn as_slice(&self) -> &[RecordType] {
        &self.all[..self.count.into()]
    }

    fn add(&mut self, one: RecordType) {
        if !self.as_slice().contains(&one) {
            self.all[usize::from(self.count)] = one;
            self.count += 1;
        }
    }

    /// `A+AAAA`, behind what is there already.
    fn push_to(&self, text: &mut String) {
        for (number, one) in self.as_slice().iter().enumerate() {
            text.push_str(if number == 0 { "" } else { "+" });
            text.push_str(one.as_str());
        }
    }
}

impl PartialEq for RecordTypes {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl Eq for RecordTypes {}

impl Default for RecordTypes {
    fn default() -> Self {
        let mut types = Self::from(RecordType::A);
        types.add(RecordType::AAAA);
        types
    }
}

impl From<RecordType> for RecordTypes {
    fn from(one: RecordType) -> Self {
        Self { all: [one; _], count: 1 }
    }
}

impl FromStr for RecordTypes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (first, more) = text.split_once('+').map_or((text, None), |(first, more)| (first, Some(more)));
        let mut types = Self::from(first.trim().parse::<RecordType>()?);
        for one in more.into_iter().flat_map(|more| more.split('+')) {
            types.add(one.trim().parse()?);
        }
        Ok(types)
    }
}

impl fmt::Display for RecordTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        self.push_to(&mut text);
        f.write_str(&text)
    }
}

impl<'de> Deserialize<'de> for RecordTypes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = RecordTypes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a type of record (`MX`), several (`A+AAAA`), or a list of these")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RecordTypes, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<RecordTypes, A::Error> {
                let first = seq.next_element()?;
                let mut all: RecordTypes =
                    first.ok_or_else(|| de::Error::custom("the list is empty: give at least one"))?;
                while let Some(more) = seq.next_element::<RecordTypes>()? {
                    more.as_slice().iter().for_each(|one| all.add(*one));
                }
                Ok(all)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for RecordTypes {
    fn schema_name() -> Cow<'static, str> {
        "RecordTypes".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let known = RecordType::ALL.iter().map(|known| known.as_str());
        let examples: Vec<_> = known.chain(["A+AAAA"]).collect();
        let one = json_schema!({ "type": "string", "examples": examples });
        json_schema!({
            "description": "A type of DNS record, or several: A+AAAA, or a list of these",
            "anyOf": [one, { "type": "array", "items": { "type": "string" }, "minItems": 1 }]
        })
    }
}

impl DnsResolveAssert {
    /// This name has an address.
    pub fn new(hostname: impl Into<String>) -> Self {
        Self {
            hostname: hostname.into(),
            expected_ip: None,
            expected: None,
            record_type: RecordTypes::default(),
            resolver: None,
            every_resolver: false,
            min_ttl: None,
            max_ttl: None,
            name: OnceLock::new(),
        }
    }

    /// The address that has to be among those of the name; of several, any of them.
    #[must_use]
    pub fn expected_ip(mut self, address: impl Into<OneOrMany<IpAddr>>) -> Self {
        self.expected_ip = Some(address.into());
        self
    }

    /// What one of the records has to be like.
    #[must_use]
    pub fn expected(mut self, matcher: impl Into<Matcher>) -> Self {
        self.expected = Some(matcher.into());
        self
    }

    /// What to ask for, if it is not addresses.
    #[must_use]
    pub fn record_type(mut self, record_type: impl Into<RecordTypes>) -> Self {
        self.record_type = record_type.into();
        self.name = OnceLock::new(); // what is asked for depends on it
        self
    }

    /// The name server to ask; of several, the first that answers.
    #[must_use]
    pub fn resolver(mut self, resolver: impl Into<OneOrMany<NameServer>>) -> Self {
        self.resolver = Some(resolver.into());
        self
    }

    /// Whether each of the resolvers is asked, and all have to say the same.
    #[must_use]
    pub fn every_resolver(mut self, every: bool) -> Self {
        self.every_resolver = every;
        self
    }

    /// How long the records may be kept, at least.
    #[must_use]
    pub fn min_ttl(mut self, ttl: Duration) -> Self {
        self.min_ttl = Some(ttl);
        self
    }

    /// How long the records may be kept, at most.
    #[must_use]
    pub fn max_ttl(mut self, ttl: Duration) -> Self {
        self.max_ttl = Some(ttl);
        self
    }

    /// The name that is asked for.
    fn name(&self) -> Result<&DnsName, Invalid> {
        if let Some(name) = self.name.get() {
            return Ok(name);
        }
        let name = match self.hostname.parse().map_err(|problem| (problem, literal(&self.hostname))) {
            Ok(name) => name,
            Err((_, Some(address))) if self.record_type == RecordTypes::from(RecordType::PTR) => {
                DnsName::reverse(address)
            }
            Err((_, Some(_))) => {
                let problem = format!(
                    "{} is an address already; `record_type: PTR` asks for its name",
                    quote(&self.hostname)
                );
                return Err(Invalid::field("hostname", problem));
            }
            Err((problem, None)) => return Err(Invalid::field("hostname", problem)),
        };
        Ok(self.name.get_or_init(|| name))
    }

    /// What is said to each type of record by each resolver that has to agree, or by the first that answers.
    async fn ask(&self, name: &DnsName, cx: &Context) -> Result<Answers, CheckError> {
        let servers: Arc<[NameServer]> = match &self.resolver {
            Some(given) => given.shared(),
            None => cx.observe(ResolvConfProbe).await?.servers.as_slice().into(),
        };
        let types = self.record_type.as_slice();
        let ask = |servers: Arc<[NameServer]>, record_type| {
            let probe = DnsProbe { name: name.clone(), record_type, servers };
            async move { Said { record_type, seen: cx.observe(probe).await } }
        };
        let said = match types {
            // Most ask one question.
            [only] if !self.every_resolver => vec![ask(Arc::clone(&servers), *only).await],
            types => {
                let each: Vec<Arc<[NameServer]>> = match self.every_resolver {
                    true => servers.iter().map(|server| Arc::from([server.clone()])).collect(),
                    false => vec![Arc::clone(&servers)],
                };
                let questions = each.iter().flat_map(|servers| types.iter().map(move |one| (servers, *one)));
                join_all(questions.map(|(servers, one)| ask(Arc::clone(servers), one))).await
            }
        };
        // One of several that have to agree is a part of the story; the only one is all of it.
        let of_the_story = |error: &CheckError| error.fault() == Fault::Target && self.every_resolver;
        let mut errors = said.iter().filter_map(|said| said.seen.as_ref().err());
        if let Some(error) = errors.find(|error| !of_the_story(error)) {
            return Err(error.clone());
        }
        Ok(Answers { servers, types: types.len(), said })
    }

    fn expected_of(&self) -> Expected<'_> {
        Expected {
            hostname: &self.hostname,
            types: self.record_type.as_slice(),
            addresses: self.expected_ip.as_ref().map_or(&[], OneOrMany::as_slice),
            matcher: self.expected.as_ref(),
            min_ttl: self.min_ttl,
            max_ttl: self.max_ttl,
        }
    }
}

/// Whether this name means the machine itself, wherever it is asked for (RFC 6761, section 6.3).
fn is_this_machine(hostname: &str) -> bool {
    let name = hostname.strip_suffix('.').unwrap_or(hostname);
    name.rsplit('.').next().is_some_and(|last| last.eq_ignore_ascii_case("localhost"))
}

/// An address among these values that is not written as records are shown: `2001:DB8::1`.
fn written_otherwise(value: &serde_json::Value) -> Option<(String, IpAddr)> {
    match value {
        serde_json::Value::String(text) => {
            let address = text.parse::<IpAddr>().ok()?;
            (address.to_string() != *text).then(|| (text.clone(), address))
        }
        serde_json::Value::Array(all) => all.iter().find_map(written_otherwise),
        serde_json::Value::Object(all) => all.values().find_map(written_otherwise),
        _ => None,
    }
}

#[async_trait]
impl Assertion for DnsResolveAssert {
    fn kind(&self) -> &'static str {
        Self::NAME
    }

    fn label(&self) -> String {
        let shown = clockwork_core::text::harmless(&self.hostname);
        if self.record_type == RecordTypes::default() {
            return shown.into_owned();
        }
        let mut label = String::with_capacity(shown.len() + 8);
        label.push_str(&shown);
        label.push(' ');
        self.record_type.push_to(&mut label);
        label
    }

    fn validate(&self, _owner: Option<&dyn Resource>) -> Vec<Invalid> {
        let mut problems: Vec<_> = self.name().err().into_iter().collect();
        if self.expected.is_some() && self.expected_ip.is_some() {
            problems.push(Invalid::whole("give `expected_ip` or `expected`, and not both"));
        }
        let empty = "is empty: give at least one";
        if self.expected_ip.as_ref().is_some_and(|all| all.as_slice().is_empty()) {
            problems.push(Invalid::field("expected_ip", empty));
        }
        if self.resolver.as_ref().is_some_and(|all| all.as_slice().is_empty()) {
            problems.push(Invalid::field("resolver", empty));
        }
        // Addresses are compared as texts, and `not` would hold of the same one, written in another way.
        if self.record_type.as_slice().iter().all(|one| one.is_address())
            && let Some(written) = self.expected.as_ref().and_then(|it| serde_json::to_value(it).ok())
            && let Some((text, address)) = written_otherwise(&written)
        {
            let problem = format!("{} is written {address} in records", quote(&text));
            problems.push(Invalid::field("expected", problem));
        }
        for address in self.expected_ip.iter().flat_map(|addresses| addresses.as_slice()) {
            let needed = if address.is_ipv4() { RecordType::A } else { RecordType::AAAA };
            if !self.record_type.as_slice().contains(&needed) {
                let problem = format!(
                    "{address} can only be in a record of type {needed}, and `record_type` is {}",
                    self.record_type
                );
                problems.push(Invalid::field("expected_ip", problem));
            }
        }
        if let (Some(min), Some(max)) = (self.min_ttl, self.max_ttl)
            && min > max
        {
            problems.push(Invalid::field("min_ttl", "is more than `max_ttl`, so that nothing can meet both"));
        }
        problems
    }

    fn supports_at(&self) -> bool {
        true
    }

    async fn check(&self, cx: &Context) -> Result<Verdict, CheckError> {
        let invalid = |Invalid { field, message }| CheckError::unobservable(format!("{field}: {message}"));
        let name = self.name().map_err(invalid)?;
        if self.resolver.is_none() && is_this_machine(&self.hostname) {
            return Ok(self.expected_of().judge_this_machine());
        }
        let (verdict, absent) = self.expected_of().judge(self.ask(name, cx).await?);
        if absent && let [address, ..] = &**cx.observe(HostsProbe { name: self.hostname.clone() }).await? {
            let told = format!(
                "{}; /etc/hosts has it as {}, which DNS does not know of",
                verdict.text(),
                quote(address)
            );
            return Ok(verdict.message(told));
        }
        Ok(verdict)
    }
}

impl AssertionKind for DnsResolveAssert {
    const NAME: &'static str = "DnsResolveAssert";
    const ALIASES: &'static [&'static str] = &["DNSResolveAssert"];
}
