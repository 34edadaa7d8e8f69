//! The zoo: every case of [`super::zoo_cases`], judged by us and by OpenSSL.

use clockwork_assert::SslCertificateAssert;
use clockwork_core::{Clock, Engine, Outcome, Project};
use tokio::task::JoinSet;

use super::{
    forge::{file, openssl},
    server::{Served, s_client},
    zoo_cases::{Case, Keeper, cases},
};

/// Our verdict and OpenSSL's on each, with the reason where they differ.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_verdict_of_the_zoo_is_openssl_s_or_differs_for_a_reason() {
    let mut running = JoinSet::new();
    let all = tokio::task::spawn_blocking(cases).await.unwrap();
    assert!(all.len() >= 30, "only {} cases", all.len());
    let turns = std::sync::Arc::new(tokio::sync::Semaphore::new(6));
    for case in all {
        let turns = std::sync::Arc::clone(&turns);
        running.spawn(async move {
            let _turn = turns.acquire().await.unwrap();
            judge(&case).await
        });
    }
    let mut wrong = Vec::new();
    let mut table = Vec::new();
    while let Some(judged) = running.join_next().await {
        let (line, problems) = judged.unwrap();
        table.push(line);
        wrong.extend(problems);
    }
    table.sort();
    // `cargo test … -- --nocapture` shows it.
    for line in &table {
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), "{line}");
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

async fn judge(case: &Case) -> (String, Vec<String>) {
    let server = match case.keeper {
        Keeper::Rustls => Served::rustls(&case.chain, &case.key).await,
        Keeper::OpenSsl => Served::openssl(&case.chain, &case.key, &[]),
    };
    let ca = file(&case.trusted);
    let assertion = SslCertificateAssert::default()
        .host("127.0.0.1")
        .port(server.port())
        .server_name(case.host)
        .ca_file(&ca);
    let crl = case.crl.as_deref().map(file);
    let assertion = match &crl {
        Some(crl) => assertion.crl_file(crl),
        None => assertion,
    };
    let project = Project::new("zoo").assert((case.ask)(assertion));
    let report = Engine::standard().assert(&project).await.unwrap();
    let result = &report.results[0];
    let mut options = Vec::new();
    if let Some(crl) = &crl {
        options.extend(["-crl_check", "-CRL", crl.to_str().unwrap()]);
    }
    let theirs = s_client(server.port(), case.host, ca.to_str().unwrap(), &options).await;
    let mut problems = Vec::new();
    let name = case.name;
    if result.verdict != case.ours.0 || !result.message.contains(case.ours.1) {
        let (expected, message) = case.ours;
        problems.push(format!(
            "{name}: we say {:?} {:?}, not {expected:?} {message:?}",
            result.verdict, result.message
        ));
    }
    match (&theirs, case.theirs) {
        (Ok(()), "") => {}
        (Err(error), expected) if !expected.is_empty() && error.contains(expected) => {}
        (theirs, expected) => problems.push(format!("{name}: OpenSSL says {theirs:?}, not {expected:?}")),
    }
    let agree = (result.verdict == Outcome::Passed) == theirs.is_ok();
    if agree != case.differs.is_empty() {
        problems.push(format!("{name}: we {} agree with OpenSSL", if agree { "do" } else { "do not" }));
    }
    if result.message.contains('\n') || result.message.len() > 1500 {
        problems.push(format!("{name}: not a message: {:?}", result.message));
    }
    let theirs = if theirs.is_ok() { "accepts" } else { case.theirs };
    let why = if case.differs.is_empty() { String::new() } else { format!(" (differs: {})", case.differs) };
    let ours = format!("{:?}: {}", result.verdict, result.message);
    (format!("{name} | {} | {theirs}{why} | {ours}", case.made), problems)
}

/// The chain stands in the report, whatever the verdict, and says what `openssl x509` says.
#[tokio::test]
async fn the_report_holds_the_whole_chain() {
    let case = tokio::task::spawn_blocking(cases).await.unwrap().remove(0);
    let server = Served::rustls(&case.chain, &case.key).await;
    let ca = file(&case.trusted);
    let base =
        || SslCertificateAssert::default().host("127.0.0.1").port(server.port()).server_name(case.host);
    let project = Project::new("zoo").assert(base().ca_file(&ca)).assert(base());
    let report = Engine::standard().assert(&project).await.unwrap();
    let own = file(&case.chain);
    let own = own.to_str().unwrap();
    let said = openssl(&[
        "x509",
        "-in",
        own,
        "-noout",
        "-fingerprint",
        "-sha256",
        "-serial",
        "-enddate",
        "-dateopt",
        "iso_8601",
    ]);
    for result in &report.results {
        let details = result.details();
        let chain = details["chain"].as_array().unwrap();
        assert_eq!(chain.len(), 2);
        let fingerprint = chain[0]["sha256"].as_str().unwrap();
        let colons: Vec<_> = said.lines().next().unwrap().split('=').nth(1).unwrap().split(':').collect();
        assert_eq!(fingerprint, colons.join("").to_lowercase());
        let until = chain[0]["not_after"].as_str().unwrap().replace('T', " ");
        assert!(said.contains(&until), "{until} in {said}");
        let serial = chain[0]["serial"].as_str().unwrap().to_uppercase();
        assert!(said.contains(serial.trim_start_matches("00")), "{serial} in {said}");
        assert_eq!(chain[0]["key"], "EC P-256");
        assert_eq!(chain[0]["key_bits"], 256);
        assert_eq!(chain[0]["signature"], "ECDSA with SHA-256");
        assert_eq!(chain[0]["subject_alt_names"], serde_json::json!(["localhost"]));
        assert_eq!(details["protocol"], "TLS 1.3");
        assert!(details["cipher_suite"].as_str().unwrap().starts_with("TLS13_"));
    }
    let details = report.results[0].details();
    assert_eq!(details["anchor"]["subject"], "CN=root");
    assert_eq!(details["chain"][1]["in_path"], true);
    assert_eq!(report.results[1].verdict, Outcome::Failed, "not trusted by the machine's roots");
    assert_eq!(report.results[1].details()["chain"][1]["in_path"], false);
}

/// The time of day is the engine's clock: what is good today has expired in two years, and waiting is pointless then.
#[tokio::test]
async fn the_time_of_day_is_the_engine_s() {
    #[derive(Debug)]
    struct InTwoYears;
    impl Clock for InTwoYears {
        fn now(&self) -> std::time::SystemTime {
            std::time::SystemTime::now() + std::time::Duration::from_secs(730 * 86_400)
        }
    }
    use clockwork_core::AssertionExt;
    let case = tokio::task::spawn_blocking(cases).await.unwrap().remove(0);
    let server = Served::rustls(&case.chain, &case.key).await;
    let asserted = SslCertificateAssert::default()
        .host("127.0.0.1")
        .port(server.port())
        .server_name(case.host)
        .ca_file(file(&case.trusted))
        .within(std::time::Duration::from_secs(20));
    let engine = Engine::builder().clock(InTwoYears).build().unwrap();
    let report = engine.assert(&Project::new("later").assert(asserted)).await.unwrap();
    let result = &report.results[0];
    assert_eq!((result.verdict, result.attempts), (Outcome::Failed, 1), "{}", result.message);
    assert!(
        result.message.contains("the trust anchor \"CN=root\" expired 330 days ago"),
        "{}",
        result.message
    );
}
