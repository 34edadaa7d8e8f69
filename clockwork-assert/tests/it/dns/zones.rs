//! What a real server says, compared with what dig makes of it.

use std::net::IpAddr;

use clockwork_assert::{DnsResolveAssert, OneOrMany, RecordTypes};
use clockwork_core::{AssertionExt, Engine, ManifestInput, Matcher, Outcome};
use clockwork_drivers::dns::{NameServer, RecordType};
use serde_json::Value;

use super::unbound::Unbound;
use crate::run::{check, told};

fn zone() -> String {
    let mut zone = String::from(
        r#"$ORIGIN zone.test.
$TTL 300
@ IN SOA ns.zone.test. admin.zone.test. 2026010101 7200 3600 1209600 3600
@ IN NS ns.zone.test.
@ IN MX 10 Mail.zone.test.
@ IN MX 20 spare.zone.test.
@ IN TXT "v=spf1 ip4:10.0.0.0/8 -all"
@ IN CAA 0 issue "ca.example"
ns IN A 127.0.0.1
one IN A 10.0.0.1
two IN A 10.0.0.1
two IN A 10.0.0.2
both IN A 10.0.0.1
both IN AAAA 2001:db8::1
six IN AAAA 2001:db8::6
short 5 IN A 10.0.0.5
www IN CNAME alias
alias IN CNAME both
away IN CNAME nowhere
round IN CNAME trip
trip IN CNAME round
parts IN TXT "one part, " "and another"
quoted IN TXT "say \"hello\""
_ldap._tcp IN SRV 5 0 389 one.zone.test.
1.0.0.10.in-addr IN PTR one.zone.test.
_443._tcp.one IN TLSA 3 1 1 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
one IN SSHFP 4 2 0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789ABCDEF
web IN HTTPS 1 . alpn="h2,h3" port=8443
nap IN NAPTR 100 10 "S" "SIP+D2U" "" _sip._udp.zone.test.
*.wild IN A 10.0.0.7
xn--bcher-kva IN A 10.0.0.8
"#,
    );
    for number in 0..400 {
        zone.push_str(&format!("many IN A 10.1.{}.{}\n", number / 200, number % 200));
    }
    zone
}

fn asking(server: &Unbound, name: &str, types: &str) -> DnsResolveAssert {
    DnsResolveAssert::new(name)
        .record_type(types.parse::<RecordTypes>().unwrap())
        .resolver(NameServer::from(server.address))
}

/// Every type of record, present or not: the status and the records are dig's, and so is the verdict.
#[tokio::test(flavor = "multi_thread")]
async fn records_and_codes_are_those_that_dig_sees() {
    let server = Unbound::start(&zone());
    for (name, record_type) in [
        ("one.zone.test", "A"),
        ("ONE.Zone.TEST.", "A"),
        ("one.zone.test", "AAAA"),
        ("two.zone.test", "A"),
        ("both.zone.test", "AAAA"),
        ("six.zone.test", "A"),
        ("zone.test", "MX"),
        ("zone.test", "NS"),
        ("zone.test", "SOA"),
        ("zone.test", "TXT"),
        ("zone.test", "CAA"),
        ("zone.test", "SRV"),
        ("parts.zone.test", "TXT"),
        ("_ldap._tcp.zone.test", "SRV"),
        ("1.0.0.10.in-addr.zone.test", "PTR"),
        ("_443._tcp.one.zone.test", "TLSA"),
        ("one.zone.test", "SSHFP"),
        ("web.zone.test", "HTTPS"),
        ("nap.zone.test", "NAPTR"),
        ("www.zone.test", "CNAME"),
        ("one.zone.test", "CNAME"),
        ("any.wild.zone.test", "A"),
        ("many.zone.test", "A"),
        ("none.zone.test", "A"),
        ("x.refused.test", "A"),
        ("x.dead.test", "A"),
    ] {
        let what = format!("{record_type} of {name}");
        let (status, records) = server.dig(name, record_type);
        let result = check(asking(&server, name, record_type)).await;
        let answer = &result.details()["answers"][0];
        let ours = if answer["status"] == "NODATA" { "NOERROR" } else { answer["status"].as_str().unwrap() };
        assert_eq!(ours, status, "{what}: {}", result.message);
        let mut seen: Vec<String> = answer["records"].as_array().unwrap().iter().map(as_dig).collect();
        seen.sort();
        let plain = |text: &String| text.replace(['"', ' '], "").to_ascii_lowercase();
        assert_eq!(
            seen.iter().map(plain).collect::<Vec<_>>(),
            records.iter().map(plain).collect::<Vec<_>>(),
            "{what}"
        );
        let passed = if records.is_empty() { Outcome::Failed } else { Outcome::Passed };
        assert_eq!(result.verdict, passed, "{what}: {}", result.message);
        // What does not exist is proven not to; what could not be looked up is not.
        let turned = check(asking(&server, name, record_type).not()).await;
        let expected = match &*status {
            "NOERROR" | "NXDOMAIN" if records.is_empty() => Outcome::Passed,
            "NOERROR" => Outcome::Failed,
            _ => Outcome::Errored,
        };
        assert_eq!(turned.verdict, expected, "not {what}: {}", turned.message);
        assert_eq!(answer["tcp"], name == "many.zone.test", "{what}");
    }
}

fn as_dig(record: &Value) -> String {
    record["data"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_expected_is_compared() {
    let server = Unbound::start(&zone());
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let (passed, failed) = (Outcome::Passed, Outcome::Failed);
    let at = server.address;
    for (expected, assertion, message) in [
        (passed, asking(&server, "both.zone.test", "A+AAAA").expected_ip(ip("2001:db8:0::1")), ""),
        (
            passed,
            asking(&server, "both.zone.test", "A+AAAA").expected_ip([ip("2001:db8::1"), ip("10.0.0.1")]),
            "",
        ),
        (passed, asking(&server, "one.zone.test", "A+AAAA").expected_ip(ip("10.0.0.1")), ""),
        (passed, asking(&server, "two.zone.test", "A").expected_ip([ip("10.0.0.1"), ip("10.0.0.3")]), ""),
        (
            failed,
            asking(&server, "two.zone.test", "A").expected_ip([ip("10.0.0.3"), ip("10.0.0.4")]),
            "\"two.zone.test\" resolves to 10.0.0.1, 10.0.0.2, and not to any of 10.0.0.3, 10.0.0.4 (says SERVER)",
        ),
        (
            failed,
            asking(&server, "www.zone.test", "A+AAAA").expected_ip(ip("10.0.0.9")),
            "\"www.zone.test\" resolves to 10.0.0.1, 2001:db8::1, and not to 10.0.0.9 (as an alias of \"both.zone.test.\", \
             says SERVER)",
        ),
        (
            failed,
            asking(&server, "away.zone.test", "A+AAAA"),
            "\"away.zone.test\" is an alias of \"nowhere.zone.test.\", which does not exist (NXDOMAIN, says SERVER)",
        ),
        (
            failed,
            asking(&server, "one.zone.test", "AAAA+MX"),
            "\"one.zone.test\" has no AAAA or MX record (NODATA, says SERVER)",
        ),
        (passed, asking(&server, "bücher.zone.test", "A").expected("10.0.0.8"), ""),
        (passed, asking(&server, "zone.test", "MX").expected("10 mail.zone.test."), ""),
        (passed, asking(&server, "quoted.zone.test", "TXT").expected("say \"hello\""), ""),
        (passed, asking(&server, "parts.zone.test", "TXT").expected("one part, and another"), ""),
        (passed, asking(&server, "many.zone.test", "A").expected(Matcher::length(400)), ""),
        (passed, asking(&server, "zone.test", "TXT").expected(Matcher::starts_with("v=spf1 ")), ""),
        (passed, asking(&server, "zone.test", "CAA").expected(Matcher::contains("\"ca.example\"")), ""),
        (
            failed,
            asking(&server, "short.zone.test", "A").min_ttl(std::time::Duration::from_secs(60)),
            "the TTL of \"10.0.0.5\" is 5 s, less than 1m (says SERVER)",
        ),
        (passed, asking(&server, "short.zone.test", "A").max_ttl(std::time::Duration::from_secs(5)), ""),
    ] {
        let result = check(assertion).await;
        assert_eq!(told(&result, expected), message.replace("SERVER", &at.to_string()), "{}", result.label);
    }
    // An alias in a circle: unbound gives up on it, or says so; dig shows no address either.
    let round = check(asking(&server, "round.zone.test", "A")).await;
    told(&round, failed);
    assert!(server.dig("round.zone.test", "A").1.iter().all(|record| record.ends_with(".test.")));
    assert_eq!(check(asking(&server, "round.zone.test", "A").not()).await.verdict, Outcome::Errored);
}

#[tokio::test(flavor = "multi_thread")]
async fn resolvers_are_compared_and_the_one_that_is_behind_is_named() {
    let new = Unbound::start(&zone());
    let old = Unbound::start(
        &zone().replace("one IN A 10.0.0.1", "one IN A 10.0.0.99").replace("short 5", "short 77"),
    );
    let both = || OneOrMany::from([new.address.into(), old.address.into()]);
    let asking = |name: &str| {
        DnsResolveAssert::new(name).record_type(RecordType::A).resolver(both()).every_resolver(true)
    };
    assert_eq!(told(&check(asking("two.zone.test")).await, Outcome::Passed), "");
    assert_eq!(
        told(&check(asking("short.zone.test")).await, Outcome::Passed),
        "",
        "times to live may differ"
    );
    let differ = check(asking("one.zone.test")).await;
    assert_eq!(
        told(&differ, Outcome::Failed),
        format!(
            "the resolvers disagree about \"one.zone.test\": {} says 10.0.0.1; {} says 10.0.0.99",
            new.address, old.address
        )
    );
    assert_eq!(check(asking("one.zone.test").not()).await.verdict, Outcome::Errored);
    let behind = check(asking("one.zone.test").expected("10.0.0.1")).await;
    assert_eq!(
        told(&behind, Outcome::Failed),
        format!(
            "\"one.zone.test\" has other A records: expected \"10.0.0.1\", got \"10.0.0.99\" (says {}); but {} says 10.0.0.1",
            old.address, new.address
        )
    );
    // Without it, the first one that answers is heard.
    let first = DnsResolveAssert::new("one.zone.test").expected("10.0.0.1").resolver(both());
    assert_eq!(check(first.record_type(RecordType::A)).await.verdict, Outcome::Passed);
}

#[test]
fn manifests_say_it_in_both_spellings_and_learn_what_is_wrong() {
    let engine = Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
    let engine = engine.build().unwrap();
    let read = |kind: &str, fields: &str| {
        let text = format!("project: p\nassertions:\n  - {kind}: {{ {fields} }}\n");
        let read = engine.read_manifest(&ManifestInput::new("clockwork.yaml", text), &|_| None);
        read.map(drop).map_err(|error| error.to_string())
    };
    for kind in ["DnsResolveAssert", "DNSResolveAssert"] {
        for fields in [
            "hostname: a.example",
            "hostname: a.example, expected_ip: 10.0.0.1, record_type: A, resolver: '10.0.0.53:5353'",
            "hostname: a.example, expected_ip: [10.0.0.1, '::1'], resolver: [10.0.0.53, ns.example], every_resolver: true",
            "hostname: a.example, record_type: mx, expected: { contains: mail }, min_ttl: 1m, max_ttl: 1d",
            "hostname: a.example, record_type: [A, mx+TXT], expected: { contains: mail }",
            "hostname: 10.0.0.1, record_type: PTR, expected: a.example.",
        ] {
            assert_eq!(read(kind, fields), Ok(()), "{fields}");
        }
    }
    for (fields, message) in [
        ("hostname: a..example", "is not a name that DNS can hold"),
        ("hostname: 10.0.0.1", "is an address already; `record_type: PTR` asks for its name"),
        (
            "hostname: a.example, record_type: AAA",
            "is no record type that can be asked for; there are A, AAAA",
        ),
        ("hostname: a.example, record_type: []", "the list is empty"),
        ("hostname: a.example, record_type: [A, AAA]", "is no record type that can be asked for"),
        ("hostname: a.example, record_type: 5", "expected a type of record"),
        ("hostname: a.example, resolver: 'https://x'", "is not a name server; write `10.0.0.53`"),
        ("hostname: a.example, resolver: []", "the list is empty"),
        ("hostname: a.example, expected_ip: 10.0.0", "invalid IP address"),
        ("hostname: a.example, expected_ip: 10.0.0.1, record_type: MX", "can only be in a record of type A"),
        (
            "hostname: a.example, expected_ip: 10.0.0.1, expected: x",
            "give `expected_ip` or `expected`, and not both",
        ),
        (
            "hostname: a.example, expected: { not: { any_of: ['2001:DB8::1'] } }",
            "\"2001:DB8::1\" is written 2001:db8::1 in records",
        ),
        ("hostname: a.example, min_ttl: 2m, max_ttl: 1m", "is more than `max_ttl`"),
    ] {
        let error = read("DnsResolveAssert", fields).unwrap_err();
        assert!(error.contains(message), "{fields}: {error}");
    }
}
