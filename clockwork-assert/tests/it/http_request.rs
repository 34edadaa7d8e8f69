//! What HTTP kinds send, and where to.

use std::time::Duration;

use clockwork_assert::HealthcheckAssert;
use clockwork_core::{AssertionExt, Engine, Matcher, Outcome, Project, ResourceExt, Secret, SecretString};
use clockwork_drivers::EndpointResource;
use tokio::io::AsyncWriteExt;

use crate::server::{Server, UP, answer, curl, judged, read_head};

#[tokio::test]
async fn redirects_are_followed_to_an_end_and_not_in_circles() {
    let site = Server::keeping_alive(|path| match path {
        "/a" => "HTTP/1.1 302 Found\r\nlocation: /b\r\ncontent-length: 0\r\n\r\n".into(),
        "/b" => "HTTP/1.1 301 x\r\nlocation: c?x=1#y\r\ncontent-length: 0\r\n\r\n".into(),
        "/c?x=1" => answer("200 OK", "arrived"),
        "/loop" => "HTTP/1.1 302 Found\r\nlocation: /pool\r\ncontent-length: 0\r\n\r\n".into(),
        "/pool" => "HTTP/1.1 302 Found\r\nlocation: /loop\r\ncontent-length: 0\r\n\r\n".into(),
        "/ftp" => "HTTP/1.1 302 Found\r\nlocation: ftp://me:secret@x/\r\ncontent-length: 0\r\n\r\n".into(),
        more => {
            let next = more.trim_start_matches('/').parse::<u32>().unwrap_or(0) + 1;
            format!("HTTP/1.1 302 Found\r\nlocation: /{next}\r\ncontent-length: 0\r\n\r\n")
        }
    })
    .await;
    let result = judged(HealthcheckAssert::new(site.url("/a")).body(Matcher::equals("arrived"))).await;
    assert_eq!(result.verdict, Outcome::Passed, "{}", result.message);
    assert_eq!(result.details()["url"], site.url("/c?x=1"));
    assert_eq!(result.details()["redirects"][1], serde_json::json!({ "url": site.url("/b"), "status": 301 }));
    for (path, message) in [
        ("/loop", format!("redirects go round in a circle: {0}/loop → {0}/pool → {0}/loop", site.url(""))),
        ("/1", String::from("more than 10 redirects: ")),
        ("/ftp", String::from(r#"redirects to "ftp://x/", which is neither http nor https"#)),
    ] {
        let result = judged(HealthcheckAssert::new(site.url(path))).await;
        assert_eq!(result.verdict, Outcome::Failed, "{path}");
        assert!(result.message.contains(&message), "{path}: {}", result.message);
        assert!(!curl(&[&site.url(path)], "200").await, "{path}");
    }
    let kept = judged(HealthcheckAssert::new(site.url("/a")).follow_redirects(false)).await;
    assert_eq!(kept.message, r#"answered 302 Found, to "/b""#);
    let kept = HealthcheckAssert::new(site.url("/a")).follow_redirects(false).expected_status(302);
    assert_eq!(judged(kept).await.verdict, Outcome::Passed);
}

#[tokio::test]
async fn credentials_are_sent_and_never_shown_and_never_to_another_origin() {
    const CANARY: &str = "canary-3f9a";
    let secret = || Secret::from(SecretString::from(CANARY));
    let elsewhere = Server::keeping_alive(|_| answer("200 OK", "ok")).await;
    let url = elsewhere.url("/");
    let reply = format!("HTTP/1.1 302 Found\r\nlocation: {url}\r\ncontent-length: 0\r\n\r\n");
    let gate = Server::once(reply).await;
    let with_user = format!("http://me:{CANARY}@{}/", gate.address);
    // "me:canary-3f9a"
    let basic = "authorization: Basic bWU6Y2FuYXJ5LTNmOWE=";
    for (check, sent) in [
        (HealthcheckAssert::new(gate.url("/")).bearer(secret()), "authorization: Bearer canary-3f9a"),
        (HealthcheckAssert::new(gate.url("/")).basic_auth("me", secret()), basic),
        (HealthcheckAssert::new(&with_user), basic),
        (HealthcheckAssert::new(gate.url("/")).header("X-Api-Key", secret()), "x-api-key: canary-3f9a"),
    ] {
        let debug = format!("{check:?}");
        let result = judged(check).await;
        assert_eq!(result.verdict, Outcome::Passed, "{}", result.message);
        let first = gate.requests.lock().unwrap().pop().unwrap();
        assert!(first.contains(sent), "{first}");
        let second = elsewhere.requests.lock().unwrap().pop().unwrap();
        assert!(!second.contains(CANARY) && !second.contains("authorization"), "{second}");
        let shown = serde_json::to_string(&result).unwrap();
        assert!(!shown.contains(CANARY), "{shown}");
        assert!(!debug.contains(CANARY) || debug.contains("://me:"), "{debug}");
    }
    for url in [format!("http://me:{CANARY}@127.0.0.1:1/"), format!("http://me:{CANARY}@no-such.invalid/")] {
        let result = judged(HealthcheckAssert::new(url).timeout(Duration::from_secs(20))).await;
        assert!(!serde_json::to_string(&result).unwrap().contains(CANARY), "{result:?}");
    }
    for url in [format!("ftp://me:{CANARY}@x/"), format!("http://me:{CANARY}@x:99999/")] {
        let project = Project::new("test").assert(HealthcheckAssert::new(url));
        let error = Engine::standard().assert(&project).await.unwrap_err().to_string();
        assert!(!error.contains(CANARY), "{error}");
    }
}

#[tokio::test]
async fn bodies_and_headers_go_out_as_declared() {
    let server = Server::keeping_alive(|_| answer("200 OK", "")).await;
    let base = || HealthcheckAssert::new(server.url("/x")).method(clockwork_drivers::http::Method::POST);
    for (check, expected) in [
        (base().request_json(serde_json::json!({ "a": 1 })), "content-type: application/json\r\n"),
        (base().request_json(serde_json::json!({ "a": 1 })), "\r\n\r\n{\"a\":1}"),
        (base().form("a b", "c&d"), "\r\n\r\na+b=c%26d"),
        (base().request_body("raw"), "\r\n\r\nraw"),
        (base().header("Accept", "text/plain"), "accept: text/plain\r\n"),
        (base().header("Host", "other.example"), "host: other.example\r\n"),
        (base(), "user-agent: clockwork/"),
        (base(), "accept: */*\r\n"),
    ] {
        assert_eq!(judged(check).await.verdict, Outcome::Passed);
        let request = server.requests.lock().unwrap().pop().unwrap();
        assert!(request.starts_with("POST /x HTTP/1.1\r\n") && request.contains(expected), "{request}");
        assert_eq!(request.matches("accept:").count() + request.matches("host:").count(), 2, "{request}");
    }
}

#[tokio::test]
async fn names_reach_every_address_and_say_which() {
    let six = Server::at("[::1]:0", |mut stream, seen| async move {
        if read_head(&mut stream, &seen).await.is_some() {
            let _ = stream.write_all(UP.as_bytes()).await;
        }
    })
    .await;
    let literal = judged(HealthcheckAssert::new(six.url("/"))).await;
    assert_eq!(literal.verdict, Outcome::Passed, "{}", literal.message);
    let port = six.address.port();
    let to_six = HealthcheckAssert::new(format!("http://shop.example:{port}/health"))
        .resolve_to("::1".parse::<std::net::IpAddr>().unwrap());
    let result = judged(to_six).await;
    assert_eq!(result.verdict, Outcome::Passed, "{}", result.message);
    assert!(six.requests.lock().unwrap().last().unwrap().contains(&format!("host: shop.example:{port}\r\n")));
    let elsewhere = HealthcheckAssert::new("http://shop.example/health").resolve_to(six.address);
    assert_eq!(judged(elsewhere).await.verdict, Outcome::Passed);
    assert!(six.requests.lock().unwrap().last().unwrap().contains("host: shop.example\r\n"));
}

#[tokio::test]
async fn an_endpoint_gives_what_its_assertions_leave_out() {
    let server =
        Server::keeping_alive(|path| answer(if path == "/base/health" { "200 x" } else { "404 x" }, ""))
            .await;
    let endpoint = EndpointResource::new("shop")
        .url(server.url("/base/"))
        .assert(HealthcheckAssert::new("health"))
        .assert(HealthcheckAssert::default().expected_status(404))
        .assert(HealthcheckAssert::new("/health").expected_status(404));
    let report = Engine::standard().assert(&Project::new("test").with(endpoint)).await.unwrap();
    assert!(report.passed(), "{report}");

    for check in [
        HealthcheckAssert::default(),
        HealthcheckAssert::new("/health"),
        HealthcheckAssert::new("localhost:80/x"),
    ] {
        let error = Engine::standard().assert(&Project::new("test").assert(check)).await.unwrap_err();
        assert!(error.to_string().contains("url"), "{error}");
    }
    let base = || HealthcheckAssert::new("http://localhost/");
    for (check, message) in [
        (base().request_body("a").form("b", "c"), "one body: `request_body`, `request_json` or `form`"),
        (base().bearer(Secret::env("X")).header("authorization", "x"), "one authorization"),
        (base().client_key("k"), "needs `client_cert`"),
        (base().header("a b", "c"), "cannot be a header's name"),
        (base().header("a", "b\nc"), "a character that no header can have"),
        (base().json("a[", Matcher::equals(1)), "is no JSONPath"),
        (base().insecure(true).ca_file("x"), "`ca_file` means nothing"),
    ] {
        let error = Engine::standard().assert(&Project::new("test").assert(check)).await.unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn every_field_is_read_and_no_other() {
    let fields = serde_json::json!({
        "url": "http://localhost/", "expected_status": "2xx", "body": { "contains": "ok" }, "json": { "a.b": 1 },
        "method": "post", "headers": { "x": 1, "y": { "env": "Y" } }, "request_body": "a", "request_json": [1],
        "form": { "a": "b" }, "basic_auth": { "user": "u", "password_env": "P" }, "bearer": { "file": "/token" },
        "follow_redirects": false, "ca_file": "ca.pem", "client_cert": "c.pem", "client_key": "k.pem",
        "insecure": true, "http_version": 1.1, "resolve_to": "[::1]:80", "max_body": "2MiB"
    });
    let schema = serde_json::to_value(clockwork_core::schemars::schema_for!(HealthcheckAssert)).unwrap();
    for (field, value) in fields.as_object().unwrap() {
        let one = serde_json::json!({ field.as_str(): value });
        serde_json::from_value::<HealthcheckAssert>(one).unwrap_or_else(|error| panic!("{field}: {error}"));
        assert!(schema["properties"][field]["description"].is_string(), "{field} is not documented");
    }
    assert_eq!(schema["properties"].as_object().unwrap().len(), fields.as_object().unwrap().len());
    assert_eq!(schema["properties"]["follow_redirects"]["default"], true);
    for wrong in [
        serde_json::json!({ "urll": "x" }),
        serde_json::json!({ "http_version": 3 }),
        serde_json::json!({ "method": "a b" }),
        serde_json::json!({ "resolve_to": "localhost" }),
        serde_json::json!({ "bearer": "written down" }),
    ] {
        assert!(serde_json::from_value::<HealthcheckAssert>(wrong.clone()).is_err(), "{wrong}");
    }
}
