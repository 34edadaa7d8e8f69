//! What a name server can do wrong, and what is said of it.

use std::time::{Duration, Instant};

use clockwork_assert::{DnsResolveAssert, OneOrMany};
use clockwork_core::{AssertionExt, Engine, Matcher, Outcome, Project};
use clockwork_drivers::dns::{NameServer, RecordType};
use tokio::net::UdpSocket;

use super::scripted::{
    Asked, Scripted, address, alias, answer, asked_name, cut_off, framed, name, offers_edns, record, zone,
};
use crate::server::judged;

const NAME: &str = "a.test";

fn asking(server: impl Into<NameServer>) -> DnsResolveAssert {
    DnsResolveAssert::new(NAME).record_type(RecordType::A).resolver(server.into())
}

type Script = fn(Asked<'_>) -> Vec<Vec<u8>>;

/// A good answer.
fn good(query: &[u8]) -> Vec<u8> {
    answer(query, 0, &[address(NAME, 1)], &[])
}

fn many(count: u16) -> Vec<Vec<u8>> {
    (0..count).map(|number| record(NAME, 1, 60, &[10, 1, (number >> 8) as u8, number as u8])).collect()
}

/// Each has the verdict that it deserves, and under `not`, too.
#[tokio::test]
async fn every_answer_has_its_verdict_and_its_message() {
    use Outcome::{Errored, Failed, Passed};
    // what it does, the verdict, the verdict under `not`, the message
    let table: Vec<(&str, Script, Outcome, Outcome, &str)> = vec![
        ("answers", |asked| vec![good(asked.query)], Passed, Failed, ""),
        (
            "answers with another id first",
            |asked| {
                let mut spoofed = answer(asked.query, 0, &[address(NAME, 66)], &[]);
                spoofed[0] ^= 1;
                vec![spoofed, vec![], vec![0; 3], good(asked.query)]
            },
            Passed,
            Failed,
            "",
        ),
        (
            "answers another question first",
            |asked| {
                let mut other = asked.query.to_vec();
                other[13] = b'b';
                vec![answer(&other, 0, &[address("b.test", 66)], &[]), good(asked.query)]
            },
            Passed,
            Failed,
            "",
        ),
        (
            "loses the first datagram",
            |asked| if asked.before == 0 { vec![] } else { vec![good(asked.query)] },
            Passed,
            Failed,
            "",
        ),
        (
            "knows nothing of EDNS",
            |asked| match offers_edns(asked.query) {
                true => vec![answer(asked.query, 1, &[], &[])],
                false => vec![good(asked.query)],
            },
            Passed,
            Failed,
            "",
        ),
        (
            "finds nothing right",
            |asked| vec![answer(asked.query, 1, &[], &[])],
            Failed,
            Errored,
            r#"SERVER did not answer for "a.test" (FORMERR for A)"#,
        ),
        (
            "can nothing",
            |asked| vec![answer(asked.query, 4, &[], &[])],
            Failed,
            Errored,
            r#"SERVER did not answer for "a.test" (NOTIMP for A)"#,
        ),
        (
            "fails, and says why",
            |asked| {
                let mut failed = answer(asked.query, 2, &[], &[]);
                failed[11] = 1;
                failed.extend([
                    0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 10, 0, 15, 0, 6, 0, 22, b'h', b'i', 0x1b, b'!',
                ]);
                vec![failed]
            },
            Failed,
            Errored,
            r#"SERVER could not look "a.test" up (SERVFAIL for A, extended error 22 "hi\u{1b}!"); the zone's own servers do not answer it, or DNSSEC does not hold: its log says more"#,
        ),
        (
            "refuses, without the question",
            |asked| vec![[&asked.query[..2], &[0x81, 0x85, 0, 0, 0, 0, 0, 0, 0, 0]].concat()],
            Failed,
            Errored,
            r#"SERVER refused to look "a.test" up (REFUSED for A); it does not serve this zone, or not this client"#,
        ),
        (
            "fails, and gives the address all the same",
            |asked| vec![answer(asked.query, 2, &[address(NAME, 1)], &[])],
            Failed,
            Errored,
            r#"SERVER could not look "a.test" up (SERVFAIL for A); the zone's own servers do not answer it, or DNSSEC does not hold: its log says more"#,
        ),
        (
            "has no such name, and its address",
            |asked| vec![answer(asked.query, 3, &[address(NAME, 1)], &[])],
            Failed,
            Errored,
            r#"SERVER gave no usable answer for A of "a.test": it says that there is no such name (NXDOMAIN), and gives a record of it"#,
        ),
        (
            "has no such name",
            |asked| vec![answer(asked.query, 3, &[], &[zone()])],
            Failed,
            Passed,
            r#""a.test" does not exist (NXDOMAIN, says SERVER)"#,
        ),
        (
            "has no such record",
            |asked| vec![answer(asked.query, 0, &[], &[zone()])],
            Failed,
            Passed,
            r#""a.test" has no A record (NODATA, says SERVER)"#,
        ),
        (
            "has the address of another name only",
            |asked| vec![answer(asked.query, 0, &[address("b.test", 66)], &[zone()])],
            Failed,
            Passed,
            r#""a.test" has no A record (NODATA, says SERVER)"#,
        ),
        (
            "sends to somebody else",
            |asked| vec![answer(asked.query, 0, &[], &[record("test", 2, 60, &name("ns.test"))])],
            Failed,
            Errored,
            r#"SERVER does not know "a.test" itself and does not ask others for this client (a referral for A); give a resolver that does, or the zone's own server"#,
        ),
        (
            "knows nothing, and asks nobody",
            |asked| {
                let mut empty = answer(asked.query, 0, &[], &[]);
                empty[3] = 0;
                vec![empty]
            },
            Failed,
            Errored,
            r#"SERVER does not know "a.test" itself and does not ask others for this client (a referral for A); give a resolver that does, or the zone's own server"#,
        ),
        (
            "goes round in a circle",
            |asked| {
                vec![answer(
                    asked.query,
                    0,
                    &[alias(NAME, "b.test"), alias("b.test", "c.test"), alias("c.test", "b.test")],
                    &[],
                )]
            },
            Failed,
            Errored,
            r#"the aliases of "a.test" go round in a circle: a.test. → b.test. → c.test. → b.test. (says SERVER)"#,
        ),
        (
            "is an alias of itself",
            |asked| vec![answer(asked.query, 0, &[alias(NAME, "A.TEST")], &[])],
            Failed,
            Errored,
            r#"the aliases of "a.test" go round in a circle: a.test. → a.test. (says SERVER)"#,
        ),
        (
            "never comes to an end",
            |asked| {
                let asked_name = asked_name(asked.query);
                let number: u32 = asked_name
                    .strip_prefix('n')
                    .and_then(|rest| rest.split('.').next()?.parse().ok())
                    .unwrap_or(0);
                vec![answer(asked.query, 0, &[alias(&asked_name, &format!("n{}.test", number + 1))], &[])]
            },
            Failed,
            Errored,
            r#""a.test" has a chain of more than 16 aliases, which resolvers do not follow (says SERVER)"#,
        ),
        (
            "gives the chain piece by piece, and out of order",
            |asked| match &*asked_name(asked.query) {
                NAME => {
                    vec![answer(asked.query, 0, &[alias("b.test", "c.test"), alias(NAME, "b.test")], &[])]
                }
                _ => vec![answer(asked.query, 0, &[address("c.test", 1)], &[])],
            },
            Passed,
            Failed,
            "",
        ),
        (
            "has an alias of nothing",
            |asked| match &*asked_name(asked.query) {
                NAME => vec![answer(asked.query, 0, &[alias(NAME, "b.test")], &[])],
                _ => vec![answer(asked.query, 3, &[], &[zone()])],
            },
            Failed,
            Passed,
            r#""a.test" is an alias of "b.test.", which does not exist (NXDOMAIN, says SERVER)"#,
        ),
        (
            "has names that point to themselves",
            |asked| {
                let mut looped = answer(asked.query, 0, &[vec![]], &[]);
                let here = looped.len() as u8;
                looped.extend([0xc0, here, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 10, 0, 0, 1]);
                vec![looped]
            },
            Failed,
            Errored,
            r#"SERVER gave no usable answer for A of "a.test": its answer is malformed: "#,
        ),
        (
            "announces more records than it sends",
            |asked| {
                let mut short = good(asked.query);
                short[7] = 9;
                vec![short]
            },
            Failed,
            Errored,
            r#"SERVER gave no usable answer for A of "a.test": its answer is malformed: "#,
        ),
        (
            "has more than UDP carries",
            |asked| match asked.over_tcp {
                false => vec![cut_off(answer(asked.query, 0, &[address(NAME, 66)], &[]))],
                true => vec![framed(answer(asked.query, 0, &many(2500), &[]))],
            },
            Passed,
            Failed,
            "",
        ),
        (
            "hangs up over TCP",
            |asked| match asked.over_tcp {
                false => vec![cut_off(good(asked.query))],
                true => vec![framed(good(asked.query))[..20].to_vec()],
            },
            Failed,
            Errored,
            r#"SERVER gave no usable answer for A of "a.test": its answer is too large for UDP, and it closed the TCP connection before its answer was whole"#,
        ),
        (
            "answers something else over TCP",
            |asked| match asked.over_tcp {
                false => vec![cut_off(good(asked.query))],
                true => {
                    let mut other = good(asked.query);
                    other[1] ^= 1;
                    vec![framed(other)]
                }
            },
            Failed,
            Errored,
            r#"SERVER gave no usable answer for A of "a.test": its answer is too large for UDP, and over TCP it answers another question"#,
        ),
        (
            "cuts off over TCP, too",
            |asked| match asked.over_tcp {
                false => vec![cut_off(good(asked.query))],
                true => vec![framed(cut_off(good(asked.query)))],
            },
            Failed,
            Errored,
            r#"SERVER gave no usable answer for A of "a.test": its answer is too large for UDP, and its answer over TCP is cut off, too"#,
        ),
    ];
    for (what, script, expected, under_not, message) in table {
        let server = Scripted::new(script).await;
        let result = judged(asking(server.address)).await;
        let message = message.replace("SERVER", &server.address.to_string());
        assert_eq!(result.verdict, expected, "{what}: {}", result.message);
        let malformed = message.ends_with("malformed: ") && result.message.starts_with(&message);
        assert!(malformed || result.message == message, "{what}: {}", result.message);
        assert!(!result.message.contains(['\x1b', '\n']), "{what}");
        let server = Scripted::new(script).await;
        let turned = judged(asking(server.address).not()).await;
        assert_eq!(turned.verdict, under_not, "not, {what}: {}", turned.message);
    }
}

#[tokio::test]
async fn who_cannot_be_asked_over_tcp_after_a_cut_off_answer_says_so() {
    let server = Scripted::without_tcp(|asked| vec![cut_off(good(asked.query))]).await;
    let result = judged(asking(server.address)).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(
        result.message.ends_with("its answer is too large for UDP, and it refuses TCP connections"),
        "{}",
        result.message
    );
}

#[tokio::test]
async fn a_huge_answer_is_whole() {
    let server = Scripted::new(|asked| match asked.over_tcp {
        false => vec![cut_off(answer(asked.query, 0, &[], &[]))],
        true => vec![framed(answer(asked.query, 0, &many(2900), &[]))],
    })
    .await;
    let result = judged(asking(server.address).expected(Matcher::length(2900))).await;
    assert_eq!(result.verdict, Outcome::Passed, "{}", result.message);
    let result = judged(asking(server.address).expected(Matcher::length(1))).await;
    assert!(result.message.len() < 1000 && result.message.contains("… (2900 in all)"), "{}", result.message);
}

#[tokio::test]
async fn silence_is_no_proof_and_the_question_is_asked_again_within_the_deadline() {
    let silent = Scripted::new(|_| vec![]).await;
    let result = judged(asking(silent.address)).await;
    assert_eq!(result.verdict, Outcome::Failed);
    let expected = format!("(asking {0} for A of \"a.test.\", waiting for {0} to answer)", silent.address);
    assert!(
        result.message.starts_with("no answer within ") && result.message.ends_with(&expected),
        "{}",
        result.message
    );
    assert_eq!(silent.count(), 2, "at once, and after 0.3 s");
    {
        let questions = silent.questions.lock().unwrap();
        assert_eq!(questions[0], questions[1], "the same question");
    }
    assert_eq!(judged(asking(silent.address).not()).await.verdict, Outcome::Errored);

    // Somebody else on this machine who knows id and port, but not the server's address.
    let spoofed = Scripted::new(|_| vec![]).await;
    let real = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let (at, other) = (real.local_addr().unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let spoof = async {
        let mut query = [0; 512];
        let (length, peer) = real.recv_from(&mut query).await.unwrap();
        other.send_to(&good(&query[..length]), peer).await.unwrap();
        std::future::pending::<()>().await;
    };
    let result = tokio::select! { result = judged(asking(at)) => result, () = spoof => unreachable!() };
    assert_eq!(result.verdict, Outcome::Failed, "{}", result.message);
    drop(spoofed);

    let nobody = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let result = judged(asking(nobody)).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert_eq!(
        result.message,
        format!(
            "{nobody} refuses: no name server listens there; check the resolver's address, and that it runs"
        )
    );
    assert_eq!(judged(asking(nobody).not()).await.verdict, Outcome::Errored);
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_silent_and_not_when_it_says_no() {
    let silent = Scripted::new(|_| vec![]).await;
    let works = Scripted::new(|asked| vec![good(asked.query)]).await;
    let refuses = Scripted::new(|asked| vec![answer(asked.query, 5, &[], &[])]).await;
    let gone = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let list = |servers: [std::net::SocketAddr; 2]| OneOrMany::from(servers.map(NameServer::from));
    let asking = |servers| DnsResolveAssert::new(NAME).record_type(RecordType::A).resolver(list(servers));
    let patient = |check: DnsResolveAssert| check.timeout(Duration::from_secs(5));
    let run = async |check: DnsResolveAssert| {
        let report = Engine::standard().assert(&Project::new("test").assert(patient(check))).await.unwrap();
        clockwork_core::CheckResult::clone(&report.results[0])
    };
    let began = Instant::now();
    let result = run(asking([silent.address, works.address])).await;
    assert_eq!(result.verdict, Outcome::Passed, "{}", result.message);
    assert!((Duration::from_millis(900)..Duration::from_secs(4)).contains(&began.elapsed()));
    let began = Instant::now();
    assert_eq!(run(asking([gone, works.address])).await.verdict, Outcome::Passed);
    assert!(began.elapsed() < Duration::from_millis(900), "who is not there is not waited for");
    let result = run(asking([refuses.address, works.address])).await;
    assert_eq!(result.verdict, Outcome::Failed, "an answer is an answer");

    // All of them have to agree: the silent one is named, and so is what the others say.
    let all = asking([silent.address, works.address]).every_resolver(true);
    let result = judged(all.clone()).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(
        result.message.starts_with(&format!("{}: no answer within 6", silent.address))
            && result.message.ends_with(&format!("; but {} says 10.0.0.1", works.address)),
        "{}",
        result.message
    );
    assert_eq!(result.details()["answers"][0]["status"], "TIMEOUT");
    assert_eq!(judged(all.not()).await.verdict, Outcome::Errored);
}

#[tokio::test]
async fn equal_questions_are_asked_once() {
    let server = Scripted::new(|asked| vec![good(asked.query)]).await;
    let project = Project::new("test")
        .assert(asking(server.address))
        .assert(asking(server.address).expected("10.0.0.1"))
        .assert(asking(server.address).expected("10.0.0.2"))
        .assert(
            DnsResolveAssert::new("A.Test.")
                .record_type(RecordType::A)
                .resolver(NameServer::from(server.address)),
        );
    let report = Engine::standard().assert(&project).await.unwrap();
    assert_eq!((report.summary.passed, report.summary.failed, server.count()), (3, 1, 1), "{report}");
}

/// A name that is in /etc/hosts only is one that programs find and DNS does not have.
#[tokio::test]
async fn a_name_of_etc_hosts_is_not_one_of_dns() {
    let server = Scripted::new(|asked| vec![answer(asked.query, 3, &[], &[zone()])]).await;
    let localhost = DnsResolveAssert::new("localhost").resolver(NameServer::from(server.address));
    let result = judged(localhost).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(
        result.message.contains("\"localhost\" does not exist (NXDOMAIN")
            && result.message.ends_with("; /etc/hosts has it as \"127.0.0.1\", which DNS does not know of"),
        "{}",
        result.message
    );
}

/// Whoever asks for it gets this machine, whatever the name servers say (RFC 6761).
#[tokio::test]
async fn localhost_is_this_machine_unless_a_name_server_is_given() {
    let ip = |text: &str| text.parse::<std::net::IpAddr>().unwrap();
    let named = |name: &str| DnsResolveAssert::new(name);
    for (assertion, verdict, message) in [
        (named("localhost"), Outcome::Passed, "no name server was asked"),
        (named("LocalHost.").expected_ip(ip("127.0.0.1")), Outcome::Passed, ""),
        (named("db.localhost").expected("::1"), Outcome::Passed, ""),
        (
            named("localhost").expected_ip(ip("10.0.0.1")),
            Outcome::Failed,
            "and not to 10.0.0.1; it is this machine",
        ),
        (named("localhost").record_type(RecordType::MX), Outcome::Failed, "\"localhost\" has no MX record"),
    ] {
        let result = judged(assertion).await;
        assert_eq!(result.verdict, verdict, "{}", result.message);
        assert!(result.message.contains(message), "{}", result.message);
    }
}
