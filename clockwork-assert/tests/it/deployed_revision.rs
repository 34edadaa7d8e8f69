//! DeployedRevisionAssert against replicas on several addresses, with curl asking each of them.

use std::time::Duration;

use clockwork_assert::{DeployedRevisionAssert, OneOrMany};
use clockwork_core::{AssertionExt, Engine, Matcher, Outcome, Pattern, Project};
use clockwork_drivers::http::ResolveTo;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::{
    run::output,
    server::{Server, judged, read_head},
};

/// A replica at this address that serves this revision.
async fn replica(address: &str, revision: &str) -> Server {
    let body = format!(r#"{{"version":"{revision}","build":7}}"#);
    let reply =
        format!("HTTP/1.1 200 OK\r\nX-Revision: {revision}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    Server::at(address, move |mut stream, seen| {
        let reply = reply.clone();
        async move {
            while read_head(&mut stream, &seen).await.is_some() {
                let _ = stream.write_all(reply.as_bytes()).await;
            }
        }
    })
    .await
}

/// Three replicas at one port of three addresses.
async fn replicas(revisions: [&str; 3]) -> (u16, Vec<Server>) {
    'ports: loop {
        let first = replica("127.0.0.1:0", revisions[0]).await;
        let port = first.address.port();
        let mut all = vec![first];
        for (host, revision) in [(2, revisions[1]), (3, revisions[2])] {
            let address = format!("127.0.0.{host}:{port}");
            if std::net::TcpListener::bind(&address).is_err() {
                continue 'ports;
            }
            all.push(replica(&address, revision).await);
        }
        return (port, all);
    }
}

fn addresses<const N: usize>(texts: [&str; N]) -> OneOrMany<ResolveTo> {
    OneOrMany::from(texts.map(|text| text.parse::<ResolveTo>().unwrap()))
}

const ALL: [&str; 3] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];

#[tokio::test(flavor = "multi_thread")]
async fn the_one_stale_replica_is_named() {
    let (port, servers) = replicas(["1.4.2", "1.4.1", "1.4.2"]).await;
    let url = format!("http://shop.test:{port}/version");
    let check = || DeployedRevisionAssert::new(&url, "1.4.2").addresses(addresses(ALL));
    let result = judged(check().json("version")).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert_eq!(
        result.message,
        format!(
            "expected \"1.4.2\", but 127.0.0.2:{port} has \"1.4.1\"; right at 127.0.0.1:{port}, 127.0.0.3:{port}"
        )
    );
    for (number, host) in ALL.into_iter().enumerate() {
        let to = format!("shop.test:{port}:{host}");
        let said = output("curl", &["-sS", "--noproxy", "*", "--resolve", &to, &url]);
        let details = result.details();
        let revision = details["addresses"][number]["revision"].as_str().unwrap();
        assert!(said.contains(revision), "{host}: {said} against {revision}");
    }
    assert!(
        servers
            .iter()
            .all(|server| server.requests.lock().unwrap()[0].contains(&format!("host: shop.test:{port}")))
    );
    // Somebody still serves it, and somebody does not: neither is proven.
    assert_eq!(judged(check().json("version").not()).await.verdict, Outcome::Errored);
    let gone = DeployedRevisionAssert::new(&url, "1.3.0").addresses(addresses(ALL)).json("version").not();
    assert_eq!(judged(gone).await.verdict, Outcome::Passed, "nobody serves it any more");
    // One address by itself.
    let one = DeployedRevisionAssert::new(&url, "1.4.2").json("version");
    let one = one.resolve_to("127.0.0.3".parse::<ResolveTo>().unwrap());
    assert_eq!(judged(one).await.verdict, Outcome::Passed);

    let (port, _servers) = replicas(["9f2c1e7"; 3]).await;
    let url = format!("http://shop.test:{port}/version");
    let check = |expected: Matcher| DeployedRevisionAssert::new(&url, expected).addresses(addresses(ALL));
    for (what, assertion, expected) in [
        ("a header, in any case", check("9f2c1e7".into()).header_name("x-REVISION"), Outcome::Passed),
        ("JSON", check("9f2c1e7".into()).json("$.version"), Outcome::Passed),
        (
            "a group",
            check("9f2c1e7".into()).body(Pattern::new(r#""version":"(\w+)""#).unwrap()),
            Outcome::Passed,
        ),
        ("a match", check("9f2c1e7".into()).body(Pattern::new("[0-9a-f]{7}").unwrap()), Outcome::Passed),
        ("a matcher", check(Matcher::starts_with("9f2")).json("version"), Outcome::Passed),
        ("a number", check(7.into()).json("build"), Outcome::Passed),
        ("a number is no text", check("7".into()).json("build"), Outcome::Failed),
        ("no such header", check("9f2c1e7".into()).header_name("x-build"), Outcome::Failed),
        ("no such value", check("9f2c1e7".into()).json("commit"), Outcome::Failed),
        ("no such text", check("9f2c1e7".into()).body(Pattern::new("commit").unwrap()), Outcome::Failed),
    ] {
        let result = judged(assertion.clone()).await;
        assert_eq!(result.verdict, expected, "{what}: {}", result.message);
        let under_not = if expected == Outcome::Passed { Outcome::Failed } else { Outcome::Errored };
        assert_eq!(judged(assertion.not()).await.verdict, under_not, "not {what}");
    }
    let result = judged(check("9f2c1e7".into()).header_name("x-build")).await;
    assert!(
        result.message.starts_with(&format!(
            "127.0.0.1:{port} tells no revision: its answer (200) has no header \"x-build\"; 127.0.0.2:{port} tells"
        )),
        "{}",
        result.message
    );
}

#[tokio::test]
async fn an_address_that_refuses_is_named_and_so_is_one_of_a_name() {
    let (port, mut servers) = replicas(["1.4.2"; 3]).await;
    servers.truncate(2);
    tokio::time::sleep(Duration::from_millis(20)).await;
    let url = format!("http://shop.test:{port}/version");
    let check = DeployedRevisionAssert::new(&url, "1.4.2").addresses(addresses(ALL)).json("version");
    let result = judged(check.clone()).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(
        result.message.contains(&format!("127.0.0.3:{port} refused the connection"))
            && result.message.ends_with(&format!("right at 127.0.0.1:{port}, 127.0.0.2:{port}")),
        "{}",
        result.message
    );
    assert_eq!(result.details()["addresses"][2]["status"], json!(null));
    assert_eq!(judged(check.not()).await.verdict, Outcome::Errored);

    // A name of this machine: each of its addresses is asked, and only one is served here.
    let names: Vec<_> = tokio::net::lookup_host(("localhost", port)).await.unwrap().collect();
    let check = DeployedRevisionAssert::new(format!("http://localhost:{port}/"), "1.4.2").json("version");
    let result = judged(check.clone()).await;
    let both = names.iter().any(std::net::SocketAddr::is_ipv6);
    assert_eq!(result.verdict, if both { Outcome::Failed } else { Outcome::Passed }, "{}", result.message);
    assert_eq!(
        result.message.contains(&format!("[::1]:{port} refused the connection")),
        both,
        "{}",
        result.message
    );
    assert_eq!(judged(check.every_address(false)).await.verdict, Outcome::Passed);
    let result = judged(DeployedRevisionAssert::new("http://no-such-host.invalid/", "1").json("v")).await;
    assert_eq!(result.verdict, Outcome::Failed, "{}", result.message);
}

#[tokio::test]
async fn an_address_that_redirects_to_another_host_tells_nothing_of_itself() {
    let other = replica("127.0.0.9:0", "1.4.2").await;
    let to = format!("http://127.0.0.9:{}/version", other.address.port());
    let reply = format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
    let server = Server::once(reply).await;
    let url = format!("http://shop.test:{}/version", server.address.port());
    let check = || DeployedRevisionAssert::new(&url, "1.4.2").json("version");
    let result = judged(check().addresses(addresses(["127.0.0.1"]))).await;
    assert_eq!(result.verdict, Outcome::Failed);
    assert!(result.message.contains(&format!("its answer (200) came from \"{to}\"")), "{}", result.message);
    let gone = DeployedRevisionAssert::new(&url, "1.3.0").json("version").addresses(addresses(["127.0.0.1"]));
    assert_eq!(judged(gone.not()).await.verdict, Outcome::Errored);
    let here = replica("127.0.0.1:0", "1.4.2").await;
    let local = format!("http://shop.test:{}/version", here.address.port());
    let anywhere =
        DeployedRevisionAssert::new(&local, "1.4.2").json("version").addresses(addresses(["0.0.0.0"]));
    assert_eq!(judged(anywhere).await.verdict, Outcome::Passed, "this machine, by whatever address");
    let one = check().resolve_to("127.0.0.1".parse::<ResolveTo>().unwrap());
    assert_eq!(judged(one).await.verdict, Outcome::Passed, "where one address is as good as another");
}

#[tokio::test]
async fn what_is_wrong_with_the_fields_is_told() {
    let check = || DeployedRevisionAssert::new("http://localhost/", "1");
    for (assertion, message) in [
        (check(), "where is the revision told? give `header`, `json` or `body`"),
        (check().json("a").header_name("b"), "the revision is told in one place"),
        (check().json("a[*]"), "may name several values, and one is needed"),
        (check().json("a").addresses(addresses(ALL)).every_address(false), "are all asked"),
        (check().json("a").addresses(addresses([])), "is empty: give at least one"),
    ] {
        let error = Engine::standard().assert(&Project::new("test").assert(assertion)).await.unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}
