//! [`DnsProbe`]: asks a name server, follows aliases, and comes back with what it said.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use clockwork_core::{CheckError, Context, Phase, Probe, text::quote};
use futures_util::{StreamExt, stream::FuturesUnordered};

use super::{
    Alias, DnsName, DnsObservation, DnsOutcome, DnsRecord, NameServer, RecordType,
    exchange::{self, Heard},
    message::{Reply, Told},
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
        let (server, mut heard) = match *self.servers {
            [NameServer::Address(server)] => self.only(server, cx).await?,
            // On its own, as nearly all ask one.
            _ => Box::pin(self.first_of(cx)).await?,
        };
        let mut chain = Chain::new(self.name.clone());
        let mut over_tcp = false;
        let (outcome, last) = loop {
            let mut reply = match heard {
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
            match chain.follow(&mut reply) {
                Some(outcome) => break (outcome, Some(reply)),
                // The server gave a part of the chain only.
                None => {
                    let next = &chain.end;
                    cx.phase(format!("waiting for {server} to say what {} is", next.in_small_letters()));
                    heard = Box::pin(exchange::ask(server, next, self.record_type, cx)).await?;
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
        let records: usize = seen.records.iter().map(|record| record.data.len() + 64).sum();
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

    /// What is heard from the only one who is asked.
    async fn only(&self, server: SocketAddr, cx: &Context) -> Result<(SocketAddr, Heard), CheckError> {
        cx.phase(waiting_for(&[server]));
        match exchange::ask(server, &self.name, self.record_type, cx).await? {
            Heard::Nobody(why) => Err(nobody(why)),
            heard => Ok((server, heard)),
        }
    }

    /// What is heard first, and from whom.
    async fn first_of(&self, cx: &Context) -> Result<(SocketAddr, Heard), CheckError> {
        let servers = self.addresses(cx).await?;
        let mut rest = servers.iter().copied();
        let (mut waiting, mut absent) = (Vec::with_capacity(servers.len()), Vec::new());
        let mut asked = FuturesUnordered::new();
        loop {
            if let Some(server) = rest.next() {
                waiting.push(server);
                asked.push(
                    async move { (server, exchange::ask(server, &self.name, self.record_type, cx).await) },
                );
            } else if asked.is_empty() {
                return Err(nobody(absent.join(", ")));
            }
            cx.phase(waiting_for(&waiting));
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

fn waiting_for(servers: &[SocketAddr]) -> Phase {
    if let [server] = *servers {
        return Phase::waiting_for(server, " to answer");
    }
    let names: Vec<_> = servers.iter().map(SocketAddr::to_string).collect();
    format!("waiting for {} to answer", names.join(" or ")).into()
}

fn nobody(why: String) -> CheckError {
    CheckError::target(why).hint("check the resolver's address, and that it runs")
}

/// The way from the name through its aliases to the records.
struct Chain {
    /// What the name turned out to stand for; itself, at first.
    end: DnsName,
    /// The names before that.
    names: Vec<DnsName>,
    aliases: Vec<Alias>,
    records: Vec<DnsRecord>,
}

impl Chain {
    fn new(name: DnsName) -> Self {
        Self { end: name, names: Vec::new(), aliases: Vec::new(), records: Vec::new() }
    }

    /// Goes as far as this reply leads: to an outcome, or `None` where the last alias' target has to be asked for. The
    /// records that it leads to are taken out of it.
    fn follow(&mut self, reply: &mut Reply) -> Option<DnsOutcome> {
        let before = self.names.len();
        loop {
            self.records.reserve_exact(reply.answers.len());
            for answer in reply.answers.iter_mut().filter(|it| it.owner == self.end) {
                if let Told::Record(record) = &mut answer.told {
                    self.records.extend(record.take());
                }
            }
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
            let mut here = reply.answers.iter().filter(|it| it.owner == self.end);
            let alias = here.find_map(|answer| match &answer.told {
                Told::Alias(target, ttl) => Some((target.clone(), *ttl)),
                Told::Record(_) => None,
            });
            let Some((target, ttl)) = alias else { break };
            let (name, shown) = (self.end.in_small_letters(), target.in_small_letters());
            self.aliases.push(Alias { name, target: shown, ttl });
            if self.end == target || self.names.contains(&target) {
                return Some(DnsOutcome::AliasLoop);
            }
            if self.aliases.len() > MAX_ALIASES {
                return Some(DnsOutcome::TooManyAliases);
            }
            self.names.push(std::mem::replace(&mut self.end, target));
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
