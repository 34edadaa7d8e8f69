//! A name's addresses as programs inside a container find them: in its `/etc/hosts`, then in DNS, completed with the search
//! domains of its `/etc/resolv.conf`. (On the host, the system's own resolver is asked: [`crate::resolve`].)

use std::{net::IpAddr, sync::Arc};

use clockwork_core::{CheckError, Context};

use super::{DnsName, DnsOutcome, DnsProbe, HostsProbe, NameServer, RecordType, ResolvConf, ResolvConfProbe};

/// The addresses of `host`; or, in words, what became of the question.
///
/// # Errors
/// When the container's files cannot be read, or its name servers cannot be asked.
pub(crate) async fn look_up(host: &str, cx: &Context) -> Result<Result<Vec<IpAddr>, String>, CheckError> {
    let known = cx.observe(HostsProbe { name: host.to_owned() }).await?;
    let known: Vec<IpAddr> = known.iter().filter_map(|address| address.parse().ok()).collect();
    if !known.is_empty() {
        return Ok(Ok(known));
    }
    let conf = cx.observe(ResolvConfProbe).await?;
    let servers: Arc<[NameServer]> = conf.servers.as_slice().into();
    let mut why = format!("{} is not a name that DNS can hold", clockwork_core::text::quote(host));
    for candidate in candidates(host, &conf) {
        let Ok(name) = candidate.parse::<DnsName>() else { continue };
        let ask = |record_type| {
            cx.observe(DnsProbe { name: name.clone(), record_type, servers: Arc::clone(&servers) })
        };
        let (v6, v4) = tokio::try_join!(ask(RecordType::AAAA), ask(RecordType::A))?;
        let records = v6.records.iter().chain(&v4.records);
        let addresses: Vec<IpAddr> = records.filter_map(|record| record.address).collect();
        if !addresses.is_empty() {
            return Ok(Ok(addresses));
        }
        // The worse of the two says more: that there is no record of one kind is usual.
        let told = if v4.outcome == DnsOutcome::NoData { &v6 } else { &v4 };
        why = format!("{} answered {} for {candidate}", told.server, told.outcome.as_str());
        if !matches!(told.outcome, DnsOutcome::NoData | DnsOutcome::NoSuchName) {
            break; // it does not know; so the next candidate must not stand for this one
        }
    }
    Ok(Err(why))
}

/// The absolute names that a name may stand for, in the order in which they are asked (resolv.conf(5)).
fn candidates(host: &str, conf: &ResolvConf) -> Vec<String> {
    if host.ends_with('.') {
        return vec![host.to_owned()];
    }
    let mut names: Vec<String> = conf.search.iter().map(|domain| format!("{host}.{domain}")).collect();
    let dots = host.bytes().filter(|byte| *byte == b'.').count();
    let as_it_is = if dots >= conf.ndots as usize { 0 } else { names.len() };
    names.insert(as_it_is, host.to_owned());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_completed_as_the_system_does() {
        let conf = |ndots| ResolvConf { servers: Vec::new(), search: vec![String::from("a.example")], ndots };
        for (host, ndots, expected) in [
            ("db", 1, &["db.a.example", "db"][..]),
            ("db", 0, &["db", "db.a.example"]),
            ("db.local", 1, &["db.local", "db.local.a.example"]),
            ("db.local", 5, &["db.local.a.example", "db.local"]),
            ("db.", 5, &["db."]),
        ] {
            assert_eq!(candidates(host, &conf(ndots)), expected, "{host}, ndots {ndots}");
        }
    }
}
