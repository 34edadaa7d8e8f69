#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use super::*;

const SERVER: &str = "10.0.0.53:53";

fn said(record_type: RecordType, outcome: DnsOutcome, records: &[(&str, u32)]) -> Said {
    let seen = DnsObservation::of(SERVER.parse().unwrap(), outcome, records);
    Said { record_type, seen: Ok(Arc::new(seen)) }
}

fn judged(expected: &Expected<'_>, said: Vec<Said>) -> Verdict {
    let resolver: NameServer = SERVER.parse().unwrap();
    expected.judge(Answers { servers: [resolver].into(), types: said.len(), said }).0
}

fn expected<'a>(
    types: &'a [RecordType],
    addresses: &'a [IpAddr],
    matcher: Option<&'a Matcher>,
) -> Expected<'a> {
    Expected { hostname: "a.example", types, addresses, matcher, min_ttl: None, max_ttl: None }
}

#[test]
fn what_is_said_of_addresses() {
    use DnsOutcome::{Broken, Code, Found, NoData, NoSuchName, Referral};
    use RecordType::{A, AAAA};
    let one: [IpAddr; 1] = ["10.0.0.1".parse().unwrap()];
    // what is said to A and to AAAA, the addresses that are expected, whether it passed, whether it was judged, the message
    for (a, aaaa, wanted, passed, judged_so, message) in [
        ((Found, &[("10.0.0.1", 60)][..]), (NoData, &[][..]), &[][..], true, true, ""),
        ((NoData, &[]), (Found, &[("::1", 60)]), &[], true, true, ""),
        ((Found, &[("10.0.0.2", 60), ("10.0.0.1", 60)]), (NoData, &[]), &one, true, true, ""),
        (
            (Found, &[("10.0.0.12", 60)]),
            (Found, &[("::1", 60)]),
            &one,
            false,
            true,
            r#""a.example" resolves to 10.0.0.12, ::1, and not to 10.0.0.1 (says 10.0.0.53:53)"#,
        ),
        (
            (NoSuchName, &[]),
            (NoSuchName, &[]),
            &one,
            false,
            true,
            r#""a.example" does not exist (NXDOMAIN, says 10.0.0.53:53)"#,
        ),
        (
            (NoData, &[]),
            (NoData, &[]),
            &[],
            false,
            true,
            r#""a.example" has no A or AAAA record (NODATA, says 10.0.0.53:53)"#,
        ),
        (
            (Found, &[("10.0.0.1", 60)]),
            (NoSuchName, &[]),
            &one,
            false,
            false,
            "10.0.0.53:53 contradicts itself: asked for AAAA it says that \"a.example\" does not exist (NXDOMAIN), and asked \
             for A that it does; programs that ask for both will fail at times",
        ),
        (
            (Found, &[("10.0.0.1", 60)]),
            (Code(2), &[]),
            &one,
            false,
            false,
            "10.0.0.53:53 could not look \"a.example\" up (SERVFAIL for AAAA); the zone's own servers do not answer it, or \
             DNSSEC does not hold: its log says more",
        ),
        (
            (Code(5), &[]),
            (Code(5), &[]),
            &[],
            false,
            false,
            "10.0.0.53:53 refused to look \"a.example\" up (REFUSED for A); it does not serve this zone, or not this client",
        ),
        (
            (Code(4), &[]),
            (NoData, &[]),
            &[],
            false,
            false,
            "10.0.0.53:53 did not answer for \"a.example\" (NOTIMP for A)",
        ),
        (
            (Code(77), &[]),
            (NoData, &[]),
            &[],
            false,
            false,
            "10.0.0.53:53 did not answer for \"a.example\" (code 77 for A)",
        ),
        (
            (Referral, &[]),
            (NoData, &[]),
            &[],
            false,
            false,
            "10.0.0.53:53 does not know \"a.example\" itself and does not ask others for this client (a referral for A); \
             give a resolver that does, or the zone's own server",
        ),
        (
            (Broken(String::from("it is upside down")), &[]),
            (NoData, &[]),
            &[],
            false,
            false,
            "10.0.0.53:53 gave no usable answer for A of \"a.example\": it is upside down",
        ),
    ] {
        let answers = vec![said(A, a.0.clone(), a.1), said(AAAA, aaaa.0.clone(), aaaa.1)];
        let verdict = judged(&expected(&[A, AAAA], wanted, None), answers);
        let told = (verdict.has_passed(), verdict.is_judged(), verdict.text());
        assert_eq!(told, (passed, judged_so, message), "{a:?} {aaaa:?}");
    }
}

#[test]
fn what_is_said_of_other_records() {
    use RecordType::{MX, TXT};
    let matcher = |value: Value| serde_json::from_value::<Matcher>(value).unwrap();
    let mail = &[("10 mail.example.", 60), ("20 spare.example.", 60)][..];
    for (record_type, records, wanted, passed, message) in [
        (MX, mail, json!("10 mail.example."), true, ""),
        (MX, mail, json!({ "length": 2, "contains": "spare" }), true, ""),
        (MX, mail, json!({ "equals": ["20 spare.example.", "10 mail.example."] }), true, ""),
        (
            MX,
            mail,
            json!({ "not": { "contains": "spare" } }),
            false,
            r#""a.example" has other MX records: expected contains "spare" of none, got "10 mail.example.", "20 spare.example." (says 10.0.0.53:53)"#,
        ),
        (MX, &mail[..1], json!("10 mail.example"), true, ""),
        (MX, mail, json!({ "equals": ["20 spare.example", "10 mail.example"] }), true, ""),
        (MX, mail, json!(["10 other.example", "20 spare.example"]), true, ""),
        (
            MX,
            &mail[..1],
            json!({ "all_of": [{ "starts_with": "10 " }, { "not": "10 mail.example." }] }),
            false,
            r#""a.example" has other MX records: expected "10 mail.example." of none, got "10 mail.example." (says 10.0.0.53:53)"#,
        ),
        (
            MX,
            &mail[..1],
            json!({ "not": "10 mail.example" }),
            false,
            r#""a.example" has other MX records than "10 mail.example" only because names in records end with a dot: "10 mail.example." (says 10.0.0.53:53)"#,
        ),
        (TXT, &[("v=spf1 -all", 60)], json!({ "starts_with": "v=spf1" }), true, ""),
    ] {
        let wanted = matcher(wanted);
        let verdict = judged(
            &expected(&[record_type], &[], Some(&wanted)),
            vec![said(record_type, DnsOutcome::Found, records)],
        );
        assert_eq!((verdict.has_passed(), verdict.text()), (passed, message), "{wanted}");
    }
}

#[test]
fn times_to_live_have_limits() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    for (min, max, message) in [
        (seconds(60), seconds(300), ""),
        (seconds(61), None, r#"the TTL of "10.0.0.1" is 1m, less than 1m1s (says 10.0.0.53:53)"#),
        (None, seconds(299), r#"the TTL of "10.0.0.2" is 5m, more than 4m59s (says 10.0.0.53:53)"#),
    ] {
        let limits = Expected { min_ttl: min, max_ttl: max, ..expected(&[RecordType::A], &[], None) };
        let records = &[("10.0.0.1", 60), ("10.0.0.2", 300)];
        let verdict = judged(&limits, vec![said(RecordType::A, DnsOutcome::Found, records)]);
        assert_eq!((verdict.has_passed(), verdict.text()), (message.is_empty(), message));
    }
}

#[test]
fn several_resolvers_have_to_agree() {
    use DnsOutcome::{Code, Found, NoSuchName};
    let servers: Arc<[NameServer]> = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()].into();
    let good = &[("10.0.0.9", 60)][..];
    let silent = || Err(CheckError::timed_out(clockwork_core::Fault::Target, "no answer within 5 s"));
    let answer = |outcome, records| said(RecordType::A, outcome, records).seen;
    for (first, second, passed, judged, message) in [
        (answer(Found, good), answer(Found, &[("10.0.0.9", 7)]), true, true, ""),
        (
            answer(Found, good),
            answer(Found, &[("10.0.0.9", 60), ("10.0.0.8", 60)]),
            false,
            false,
            r#"the resolvers disagree about "a.example": 10.0.0.1:53 says 10.0.0.9; 10.0.0.2:53 says 10.0.0.8, 10.0.0.9"#,
        ),
        (
            answer(Found, good),
            answer(NoSuchName, &[]),
            false,
            false,
            r#""a.example" does not exist (NXDOMAIN, says 10.0.0.53:53); but 10.0.0.1:53 says 10.0.0.9"#,
        ),
        (
            answer(Found, good),
            silent(),
            false,
            false,
            "10.0.0.2:53: no answer within 5 s; but 10.0.0.1:53 says 10.0.0.9",
        ),
        (
            answer(NoSuchName, &[]),
            answer(NoSuchName, &[]),
            false,
            true,
            r#""a.example" does not exist (NXDOMAIN, says 10.0.0.53:53); "a.example" does not exist (NXDOMAIN, says 10.0.0.53:53)"#,
        ),
        (
            answer(NoSuchName, &[]),
            answer(Code(9), &[]),
            false,
            false,
            r#""a.example" does not exist (NXDOMAIN, says 10.0.0.53:53); 10.0.0.53:53 did not answer for "a.example" (NOTAUTH for A)"#,
        ),
    ] {
        let said = [first, second].map(|seen| Said { record_type: RecordType::A, seen });
        let answers = Answers { servers: Arc::clone(&servers), types: 1, said: said.into() };
        let wanted: [IpAddr; 1] = ["10.0.0.9".parse().unwrap()];
        let (verdict, _) = expected(&[RecordType::A], &wanted, None).judge(answers);
        assert_eq!((verdict.has_passed(), verdict.is_judged(), verdict.text()), (passed, judged, message));
    }
}

#[test]
fn an_alias_and_the_servers_own_words_are_part_of_the_story() {
    // Only what came over the wire has these, so that the wire's tests show the rest.
    assert_eq!(absent("\"a.example\"", &[RecordType::A], None), "\"a.example\" has no record");
}

#[test]
fn a_name_without_its_dot_is_not_proven_to_be_gone() {
    use RecordType::{CNAME, MX, TXT};
    for (record_type, record, matcher, passed, judged_so) in [
        (CNAME, "old.example.", json!({ "not": "old.example" }), false, false),
        (CNAME, "old.example.", json!({ "not": "old.example." }), false, true),
        (CNAME, "new.example.", json!({ "not": "old.example" }), true, true),
        (CNAME, "new.example.", json!({ "not": { "ends_with": "old.example" } }), true, true),
        (CNAME, "www.old.example.", json!({ "not": { "ends_with": "old.example" } }), false, false),
        (MX, "10 old.example.", json!({ "not": "10 old.example" }), false, false),
        (TXT, "The end.", json!({ "not": "The end" }), true, true),
    ] {
        let read: Matcher = serde_json::from_value(matcher.clone()).unwrap();
        let said = vec![said(record_type, DnsOutcome::Found, &[(record, 60)])];
        let verdict = judged(&expected(&[record_type], &[], Some(&read)), said);
        let told = (verdict.has_passed(), verdict.is_judged());
        assert_eq!(told, (passed, judged_so), "{record} {matcher}: {}", verdict.text());
    }
}
