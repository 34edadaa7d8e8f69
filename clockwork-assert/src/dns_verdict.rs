//! What the answers of name servers come to: the judgement of [`crate::DnsResolveAssert`].

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use clockwork_core::{Among, CheckError, Evidence, Matcher, Verdict, duration, text::quote};
use clockwork_drivers::{
    address,
    dns::{DnsObservation, DnsOutcome, NameServer, RecordType},
};
use serde_json::{Value, json};

/// What was said, and by whom.
pub(crate) struct Answers {
    /// Who was asked: each of them, or the first of them that answers.
    pub(crate) servers: Arc<[NameServer]>,
    /// How many types of record were asked for.
    pub(crate) types: usize,
    /// To each type, by the first who was asked; then, by the next one.
    pub(crate) said: Vec<Said>,
}

pub(crate) struct Said {
    pub(crate) record_type: RecordType,
    pub(crate) seen: Result<Arc<DnsObservation>, CheckError>,
}

impl Answers {
    /// What each has said, or the first that answered.
    fn each(&self) -> impl Iterator<Item = (&NameServer, &[Said])> {
        self.servers.iter().zip(self.said.chunks(self.types.max(1)))
    }
}

impl Evidence for Answers {
    fn members(&self) -> String {
        let seen = self.each().flat_map(|(resolver, said)| said.iter().map(move |said| (resolver, said)));
        let details: Value = seen.map(|(resolver, said)| detail(resolver, said)).collect();
        format!(r#""answers":{details}"#)
    }
}

/// What they had to say.
pub(crate) struct Expected<'a> {
    pub(crate) hostname: &'a str,
    pub(crate) types: &'a [RecordType],
    pub(crate) addresses: &'a [IpAddr],
    pub(crate) matcher: Option<&'a Matcher>,
    pub(crate) min_ttl: Option<Duration>,
    pub(crate) max_ttl: Option<Duration>,
}

/// What the answers of one resolver come to.
enum One<'a> {
    /// As expected.
    Holds(Records<'a>),
    /// Records, but other ones: what is wrong.
    Wrong(Records<'a>, String),
    /// The name, or such a record of it, does not exist.
    Absent(String),
    /// Nothing that proves anything: what came instead.
    Unknown(String),
}

/// Records in the order of their texts, each once.
#[derive(PartialEq)]
struct Records<'a>(Vec<Record<'a>>);

/// A record's text, and the address that it is, if it is a record of one.
#[derive(Clone, Copy)]
struct Record<'a> {
    text: &'a str,
    address: Option<IpAddr>,
}

impl PartialEq for Record<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<'a> Records<'a> {
    fn of(records: impl Iterator<Item = Record<'a>>) -> Self {
        let mut records: Vec<_> = records.collect();
        records.sort_unstable_by_key(|record| record.text);
        records.dedup();
        Self(records)
    }

    fn has(&self, wanted: IpAddr) -> bool {
        self.0.iter().any(|record| match record.address {
            Some(address) => address == wanted,
            None => record.text == address::text(wanted),
        })
    }
}

impl Expected<'_> {
    /// The verdict, and whether everybody said that there is no such name or record.
    pub(crate) fn judge(&self, answers: Answers) -> (Verdict, bool) {
        let each = answers.each().map(|(resolver, said)| (resolver, self.judge_one(resolver, said)));
        let ones: Vec<_> = each.collect();
        let absent = ones.iter().all(|(_, one)| matches!(one, One::Absent(_)));
        let verdict = match &ones[..] {
            [(_, One::Holds(records))] => Verdict::passed().actual(list(records)),
            [(_, One::Wrong(records, message))] => Verdict::failed(message).actual(list(records)),
            [(_, One::Absent(message))] => Verdict::failed(message).actual("no such record"),
            [(_, One::Unknown(message))] => Verdict::unjudged(message),
            several => Self::together(several, self.hostname),
        };
        (verdict.expected(self.to_text()).evidence_of(answers), absent)
    }

    /// Of a name that means the machine itself: nobody is asked, and it has the addresses of the loopback interface.
    pub(crate) fn judge_this_machine(&self) -> Verdict {
        const WHY: &str = "it is this machine itself (RFC 6761): no name server was asked";
        let record = |record_type: &RecordType| match record_type {
            RecordType::A => Some(Record { text: "127.0.0.1", address: Some(Ipv4Addr::LOCALHOST.into()) }),
            RecordType::AAAA => Some(Record { text: "::1", address: Some(Ipv6Addr::LOCALHOST.into()) }),
            _ => None,
        };
        let records = Records::of(self.types.iter().filter_map(record));
        let hostname = quote(self.hostname);
        let verdict = match self.wrong_records(&records) {
            _ if records.0.is_empty() => {
                let types: Vec<_> = self.types.iter().map(|one| one.as_str()).collect();
                let message = format!("{hostname} has no {} record: {WHY}", types.join(" or "));
                Verdict::failed(message).actual("no such record")
            }
            Some(Wrong { message, judged: true }) => {
                Verdict::failed(format!("{hostname} {message}; {WHY}")).actual(list(&records))
            }
            Some(Wrong { message, judged: false }) => {
                Verdict::unjudged(format!("{hostname} {message}; {WHY}"))
            }
            None => Verdict::passed().message(WHY).actual(list(&records)),
        };
        verdict.expected(self.to_text())
    }

    /// Several that have to agree.
    fn together(ones: &[(&NameServer, One<'_>)], hostname: &str) -> Verdict {
        let mut wrong = Vec::new();
        let mut right: Vec<(&NameServer, &Records<'_>)> = Vec::new();
        let mut judged = true;
        for (resolver, one) in ones {
            match one {
                One::Holds(records) => right.push((resolver, records)),
                One::Wrong(_, message) | One::Absent(message) => wrong.push(message.as_str()),
                One::Unknown(message) => {
                    judged = false;
                    wrong.push(message);
                }
            }
        }
        let who_says_what = || {
            let told = right.iter().map(|(server, records)| format!("{server} says {}", list(records)));
            told.collect::<Vec<_>>().join("; ")
        };
        if wrong.is_empty() {
            return match right.windows(2).all(|pair| pair[0].1 == pair[1].1) {
                true => {
                    Verdict::passed().actual(right.first().map_or_else(String::new, |(_, said)| list(said)))
                }
                // Each is right by itself, so that nothing was proven against what was expected.
                false => Verdict::unjudged(format!(
                    "the resolvers disagree about {}: {}",
                    quote(hostname),
                    who_says_what()
                ))
                .actual(who_says_what()),
            };
        }
        let mut message = wrong.join("; ");
        if !right.is_empty() {
            message = format!("{message}; but {}", who_says_what());
        }
        // Where some are right, the opposite is no more proven than the assertion.
        if judged && right.is_empty() { Verdict::failed(message) } else { Verdict::unjudged(message) }
    }

    fn judge_one<'a>(&self, resolver: &NameServer, all: &'a [Said]) -> One<'a> {
        let hostname = || quote(self.hostname);
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for said in all {
            let seen = match &said.seen {
                Ok(seen) => seen,
                Err(error) => return One::Unknown(format!("{resolver}: {error}")),
            };
            match &seen.outcome {
                DnsOutcome::Found => found.push(seen),
                DnsOutcome::NoData | DnsOutcome::NoSuchName => missing.push((said.record_type, seen)),
                _ => return One::Unknown(trouble(&hostname(), said.record_type, seen)),
            }
        }
        let says_none =
            |(_, seen): &(RecordType, &Arc<DnsObservation>)| seen.outcome == DnsOutcome::NoSuchName;
        if let Some((none, seen)) = missing.iter().find(|it| says_none(it))
            && !(found.is_empty() && missing.iter().all(says_none))
        {
            let other = all.iter().map(|said| said.record_type).find(|other| other != none);
            let other = other.map_or("another type", RecordType::as_str);
            return One::Unknown(format!(
                "{} contradicts itself: asked for {none} it says that {} does not exist (NXDOMAIN), and asked for \
                 {other} that it does; programs that ask for both will fail at times",
                seen.server,
                hostname()
            ));
        }
        if found.is_empty() {
            return One::Absent(absent(&hostname(), self.types, missing.first().map(|(_, seen)| &***seen)));
        }
        let records = found.iter().flat_map(|seen| &seen.records);
        let records =
            Records::of(records.map(|record| Record { text: &record.data, address: record.address }));
        let says = || format!("{}says {}", via(found[0]), found[0].server);
        if let Some(wrong) = self.wrong_records(&records) {
            let message = format!("{} {} ({})", hostname(), wrong.message, says());
            return if wrong.judged { One::Wrong(records, message) } else { One::Unknown(message) };
        }
        match found.iter().find_map(|seen| self.wrong_ttl(seen)) {
            Some(message) => One::Wrong(records, format!("{message} ({})", says())),
            None => One::Holds(records),
        }
    }

    fn wrong_records(&self, records: &Records<'_>) -> Option<Wrong> {
        if !self.addresses.is_empty() && !self.addresses.iter().any(|wanted| records.has(*wanted)) {
            let wanted: Vec<_> =
                self.addresses.iter().map(|wanted| (address::text(*wanted), *wanted)).collect();
            let wanted = wanted.iter().map(|(text, address)| Record { text, address: Some(*address) });
            let wanted = Records::of(wanted);
            let any = if wanted.0.len() > 1 { "any of " } else { "" };
            let message = format!("resolves to {}, and not to {any}{}", list(records), list(&wanted));
            return Some(Wrong { message, judged: true });
        }
        let matcher = self.matcher?;
        let records: Vec<_> = records.0.iter().map(|record| record.text).collect();
        let addresses = self.types.iter().all(|one| one.is_address());
        let among = if addresses { Among::Elements } else { Among::List };
        let compared = matcher.check_among(&records, among);
        if compared.is_ok() && !self.types.iter().all(|one| ends_with_name(*one)) {
            return None;
        }
        // The commonest slip of all: names in records are absolute, and end with a dot.
        let without: Vec<_> = records.iter().map(|record| record.trim_end_matches('.')).collect();
        let types: Vec<_> = self.types.iter().map(|one| one.as_str()).collect();
        let Err(mismatch) = compared else {
            // `not: old.example` holds of `old.example.`, and was to catch it.
            let meant = negated(matcher).filter(|it| it.check_among(&without, among).is_ok())?;
            let list = records.iter().take(12).map(|record| quote(record)).collect::<Vec<_>>().join(", ");
            let message = format!(
                "has other {} records than {meant} only because names in records end with a dot: {list}",
                types.join("+")
            );
            return Some(Wrong { message, judged: false });
        };
        // What is negated is not to be anywhere, in no spelling.
        let positive = !negates(matcher) && self.types.iter().all(|one| ends_with_name(*one));
        if positive && matcher.check_among(&without, among).is_ok() {
            return None;
        }
        let message = format!("has other {} records: {}", types.join("+"), mismatch.message);
        Some(Wrong { message, judged: mismatch.judged })
    }

    /// The records and the aliases before them: whoever asks keeps the answer no longer than the shortest of them.
    fn wrong_ttl(&self, seen: &DnsObservation) -> Option<String> {
        let all = seen.aliases.iter().map(|alias| (alias.ttl, &alias.target));
        let all = all.chain(seen.records.iter().map(|record| (record.ttl, &record.data)));
        let seconds = |ttl: u32| Duration::from_secs(ttl.into());
        for (ttl, what) in all {
            let told = |limit: &str, bound: Duration| {
                let (ttl, bound) = (duration::show(seconds(ttl)), duration::show(bound));
                format!("the TTL of {} is {ttl}, {limit} {bound}", quote(what))
            };
            if let Some(min) = self.min_ttl.filter(|min| seconds(ttl) < *min) {
                let cached = if seen.authoritative {
                    ""
                } else {
                    "; this server does not speak for the zone, and a cache counts down: give one that does as `resolver`"
                };
                return Some(told("less than", min) + cached);
            }
            if let Some(max) = self.max_ttl.filter(|max| seconds(ttl) > *max) {
                return Some(told("more than", max));
            }
        }
        None
    }

    fn to_text(&self) -> String {
        match (self.matcher, self.addresses) {
            (Some(matcher), _) => matcher.to_string(),
            (None, []) => {
                let types: Vec<_> = self.types.iter().map(|one| one.as_str()).collect();
                format!("a record of type {}", types.join(" or "))
            }
            (None, addresses) => {
                let mut text = String::with_capacity(addresses.len() * 16);
                for (number, one) in addresses.iter().enumerate() {
                    text.push_str(if number == 0 { "" } else { " or " });
                    address::push(&mut text, *one);
                }
                text
            }
        }
    }
}

struct Wrong {
    message: String,
    judged: bool,
}

/// Whether records of this type end with a name.
fn ends_with_name(record_type: RecordType) -> bool {
    use RecordType::{CNAME, MX, NS, PTR, SRV};
    matches!(record_type, CNAME | MX | NS | PTR | SRV)
}

/// What a matcher negates: `old.example` of `not: old.example`.
fn negated(matcher: &Matcher) -> Option<Matcher> {
    let written = serde_json::to_value(matcher).ok()?;
    serde_json::from_value(written.get("not")?.clone()).ok()
}

/// Whether a matcher negates anything, however deep.
fn negates(matcher: &Matcher) -> bool {
    fn any(written: &Value) -> bool {
        match written {
            Value::Object(map) => map.iter().any(|(key, value)| key == "not" || any(value)),
            Value::Array(all) => all.iter().any(any),
            _ => false,
        }
    }
    serde_json::to_value(matcher).is_ok_and(|written| any(&written))
}

/// `10.0.0.1, 10.0.0.2`, each harmless, and not too many.
fn list(records: &Records<'_>) -> String {
    const SHOWN: usize = 12;
    let all = &records.0;
    let mut shown =
        String::with_capacity(all.first().map_or(0, |first| first.text.len()) * all.len().min(SHOWN));
    for (number, record) in all.iter().take(SHOWN).enumerate() {
        shown.push_str(if number == 0 { "" } else { ", " });
        if record.address.is_some() {
            shown.push_str(record.text);
        } else if let Ok(address) = record.text.parse() {
            address::push(&mut shown, address);
        } else {
            shown.push_str(&quote(record.text));
        }
    }
    if all.len() > SHOWN {
        let _ = write!(shown, ", … ({} in all)", all.len()); // a String takes everything
    }
    shown
}

/// `as an alias of "a.example.", `; nothing, where there is no alias.
fn via(seen: &DnsObservation) -> String {
    match seen.aliases.last() {
        Some(alias) => format!("as an alias of {}, ", quote(&alias.target)),
        None => String::new(),
    }
}

fn absent(hostname: &str, types: &[RecordType], seen: Option<&DnsObservation>) -> String {
    let Some(seen) = seen else { return format!("{hostname} has no record") };
    let whose = match seen.aliases.last() {
        Some(alias) => format!("{hostname} is an alias of {}, which", quote(&alias.target)),
        None => hostname.to_owned(),
    };
    let types: Vec<_> = types.iter().map(|one| one.as_str()).collect();
    let extended = extended(seen);
    match seen.outcome {
        DnsOutcome::NoSuchName => {
            format!("{whose} does not exist (NXDOMAIN, says {}{extended})", seen.server)
        }
        _ => format!("{whose} has no {} record (NODATA, says {}{extended})", types.join(" or "), seen.server),
    }
}

/// What came instead of an answer, and what to do about it.
fn trouble(hostname: &str, record_type: RecordType, seen: &DnsObservation) -> String {
    let (server, extended) = (seen.server, extended(seen));
    match &seen.outcome {
        DnsOutcome::Code(2) => format!(
            "{server} could not look {hostname} up (SERVFAIL for {record_type}{extended}); the zone's own servers do not \
             answer it, or DNSSEC does not hold: its log says more"
        ),
        DnsOutcome::Code(5) => format!(
            "{server} refused to look {hostname} up (REFUSED for {record_type}{extended}); it does not serve this zone, \
             or not this client"
        ),
        DnsOutcome::Code(code) => {
            let word = match seen.outcome.as_str() {
                "UNKNOWN CODE" => format!("code {code}"),
                word => word.to_owned(),
            };
            format!("{server} did not answer for {hostname} ({word} for {record_type}{extended})")
        }
        DnsOutcome::Referral => format!(
            "{server} does not know {hostname} itself and does not ask others for this client (a referral for \
             {record_type}); give a resolver that does, or the zone's own server"
        ),
        DnsOutcome::AliasLoop => {
            let names: Vec<_> = seen.aliases.iter().map(|alias| alias.name.as_str()).collect();
            let last = seen.aliases.last().map_or("", |alias| alias.target.as_str());
            let story = clockwork_core::text::bounded(format!("{} → {last}", names.join(" → ")), 1024);
            let story = clockwork_core::text::harmless(&story).into_owned();
            format!("the aliases of {hostname} go round in a circle: {story} (says {server})")
        }
        DnsOutcome::TooManyAliases => format!(
            "{hostname} has a chain of more than {} aliases, which resolvers do not follow (says {server})",
            seen.aliases.len().saturating_sub(1)
        ),
        DnsOutcome::Broken(why) => {
            format!("{server} gave no usable answer for {record_type} of {hostname}: {why}")
        }
        other => format!("{server} says {} for {record_type} of {hostname}", other.as_str()),
    }
}

/// The server's own words: `, extended error 22 "no reachable authority"`.
fn extended(seen: &DnsObservation) -> String {
    match &seen.extended_error {
        Some((code, text)) if text.is_empty() => format!(", extended error {code}"),
        Some((code, text)) => format!(", extended error {code} {}", quote(text)),
        None => String::new(),
    }
}

fn detail(resolver: &NameServer, said: &Said) -> Value {
    let record_type = said.record_type.as_str();
    match &said.seen {
        Ok(seen) => json!({
            "resolver": seen.server.to_string(),
            "type": record_type,
            "status": seen.outcome.as_str(),
            "records": seen.records.iter().map(|it| json!({ "data": it.data, "ttl": it.ttl })).collect::<Value>(),
            "aliases": seen
                .aliases
                .iter()
                .map(|it| json!({ "name": it.name, "target": it.target, "ttl": it.ttl }))
                .collect::<Value>(),
            "tcp": seen.over_tcp,
            "authoritative": seen.authoritative,
        }),
        Err(error) => json!({
            "resolver": resolver.to_string(),
            "type": record_type,
            "status": if error.is_timeout() { "TIMEOUT" } else { "UNREACHABLE" },
        }),
    }
}

#[cfg(test)]
#[path = "dns_verdict_tests.rs"]
mod tests;
