//! [`DnsProbe`]: asks a name server, follows aliases, and comes back with what it said.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clockwork_core::{CheckError, Context, Probe, text::quote};
use futures_util::{StreamExt, stream::FuturesUnordered};
use hickory_proto::rr::{Name, RData, RecordType as WireType};

use super::{
    Alias, DnsName, DnsObservation, DnsOutcome, DnsRecord, NameServer, RecordType,
    exchange::{self, Heard},
    message::Reply,
    record,
};
use crate::resolve::resolve;

/// How long a server may be silent until the next one is asked, too.
const STAGGER: Duration = Duration::from_secs(1);
/// How many aliases are followed. Resolvers give up between 8 and 16.
const MAX_ALIASES: usize = 16;

/// Asks for records of a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DnsProbe {
    /// Whose.
    pub name: DnsName,
    /// Which.
    pub record_type: RecordType,
    /// Who is asked: the first of these that answers.
    pub servers: Arc<[NameServer]>,
}

impl Probe for DnsProbe {
    type Observation = DnsObservation;

    async fn look(&self, cx: &Context) -> Result<DnsObservation, CheckError> {
        let servers = self.addresses(cx).await?;
        let (server, heard) = self.first_of(&servers, cx).await?;
        let mut chain = Chain::new(self.name.0.clone(), self.record_type);
        let mut over_tcp = false;
        let mut heard = heard;
        let (outcome, last) = loop {
            let reply = match heard {
                Heard::Reply(reply, tcp) => {
                    over_tcp |= tcp;
                    reply
                }
                Heard::Broken(why) => break (DnsOutcome::Broken(why), None),
                Heard::Nobody(why) => {
                    let why = format!("it is gone after it answered: {why}");
                    break (DnsOutcome::Broken(why), None);
                }
            };
            match chain.follow(&reply) {
                Some(outcome) => break (outcome, Some(reply)),
                // The server gave a part of the chain only.
                None => {
                    let next = chain.end();
                    cx.phase(format!("waiting for {server} to say what {} is", record::name(next)));
                    heard = exchange::ask(server, next, self.record_type, cx).await?;
                }
            }
        };
        Ok(DnsObservation {
            server,
            outcome,
            records: chain.records,
            aliases: chain.aliases,
            over_tcp,
            authoritative: last.as_ref().is_some_and(|reply| reply.authoritative),
            extended_error: last.and_then(|reply| reply.extended_error),
        })
    }

    fn describe(&self) -> String {
        let servers: Vec<_> = self.servers.iter().map(ToString::to_string).collect();
        format!(
            "asking {} for {} of {}",
            servers.join(" or "),
            self.record_type,
            quote(&self.name.to_string())
        )
    }

    fn looks_inside(&self) -> bool {
        true
    }

    fn target(&self) -> Option<String> {
        self.servers.first().map(ToString::to_string)
    }

    fn weight(seen: &DnsObservation) -> usize {
        let records: usize = seen.records.iter().map(|record| record.data.len() + 48).sum();
        size_of::<DnsObservation>() + records + seen.aliases.len() * 128
    }
}

impl DnsProbe {
    async fn addresses(&self, cx: &Context) -> Result<Vec<SocketAddr>, CheckError> {
        let mut addresses = Vec::with_capacity(self.servers.len());
        for server in &*self.servers {
            match server {
                NameServer::Address(address) => addresses.push(*address),
                NameServer::Host(host, port) => addresses.extend(resolve(host, *port, false, cx).await?),
            }
        }
        Ok(addresses)
    }

    /// What is heard first, and from whom.
    async fn first_of(
        &self,
        servers: &[SocketAddr],
        cx: &Context,
    ) -> Result<(SocketAddr, Heard), CheckError> {
        let mut rest = servers.iter().copied();
        let (mut waiting, mut absent) = (Vec::with_capacity(servers.len()), Vec::new());
        let mut asked = FuturesUnordered::new();
        loop {
            if let Some(server) = rest.next() {
                waiting.push(server);
                asked.push(async move {
                    (server, exchange::ask(server, &self.name.0, self.record_type, cx).await)
                });
            } else if asked.is_empty() {
                return Err(CheckError::target(absent.join(", "))
                    .hint("check the resolver's address, and that it runs"));
            }
            let names: Vec<_> = waiting.iter().map(SocketAddr::to_string).collect();
            cx.phase(format!("waiting for {} to answer", names.join(" or ")));
            let more = rest.len() > 0;
            let (server, heard) = tokio::select! {
                biased;
                Some(heard) = asked.next() => heard,
                () = tokio::time::sleep(STAGGER), if more => continue,
            };
            match heard? {
                Heard::Nobody(why) => {
                    waiting.retain(|other| *other != server);
                    absent.push(why);
                }
                heard => return Ok((server, heard)),
            }
        }
    }
}

/// The way from the name through its aliases to the records.
struct Chain {
    record_type: RecordType,
    /// The name, and what it turned out to stand for.
    names: Vec<Name>,
    aliases: Vec<Alias>,
    records: Vec<DnsRecord>,
}

impl Chain {
    fn new(name: Name, record_type: RecordType) -> Self {
        Self { record_type, names: vec![name], aliases: Vec::new(), records: Vec::new() }
    }

    fn end(&self) -> &Name {
        // It begins with one, and names are only added.
        &self.names[self.names.len() - 1]
    }

    /// Goes as far as this reply leads: to an outcome, or `None` where the last alias' target has to be asked for.
    fn follow(&mut self, reply: &Reply) -> Option<DnsOutcome> {
        let before = self.names.len();
        let wanted = self.record_type.on_the_wire();
        loop {
            let end = self.end().clone();
            let here = |answer: &&super::message::Answer| answer.owner == end;
            let records = reply.answers.iter().filter(here).filter(|it| it.data.record_type() == wanted);
            let records = records.map(|it| DnsRecord { data: record::show(&it.data), ttl: it.ttl });
            self.records.extend(records);
            if !self.records.is_empty() {
                // Programs go by the code, and heed nothing that comes with a bad one.
                return Some(match reply.code {
                    0 => DnsOutcome::Found,
                    code => {
                        self.records.clear();
                        match code {
                            3 => DnsOutcome::Broken(String::from(
                                "it says that there is no such name (NXDOMAIN), and gives a record of it",
                            )),
                            code => DnsOutcome::Code(code),
                        }
                    }
                });
            }
            let alias = reply.answers.iter().filter(here).find_map(|answer| match &answer.data {
                RData::CNAME(target) if wanted != WireType::CNAME => Some((target.0.clone(), answer.ttl)),
                _ => None,
            });
            let Some((target, ttl)) = alias else { break };
            self.aliases.push(Alias { name: record::name(&end), target: record::name(&target), ttl });
            if self.names.contains(&target) {
                return Some(DnsOutcome::AliasLoop);
            }
            if self.aliases.len() > MAX_ALIASES {
                return Some(DnsOutcome::TooManyAliases);
            }
            self.names.push(target);
        }
        match reply.code {
            0 if reply.zone => Some(DnsOutcome::NoData),
            0 if self.names.len() > before => None,
            // Nothing, from one that neither has the zone nor asks who has: it does not know.
            0 if !reply.authoritative && (reply.name_servers || !reply.recursive) => {
                Some(DnsOutcome::Referral)
            }
            0 => Some(DnsOutcome::NoData),
            3 => Some(DnsOutcome::NoSuchName),
            code => Some(DnsOutcome::Code(code)),
        }
    }
}
