//! HttpStatusAssert, HttpHeaderAssert and HttpBodyAssert against servers that do what a test says, with curl beside them.

use clockwork_assert::{ExpectedStatus, HttpBodyAssert, HttpHeaderAssert, HttpStatusAssert};
use clockwork_core::{AssertionExt, Engine, ManifestInput, Matcher, Outcome, Pattern, Project, ResourceExt};
use clockwork_drivers::EndpointResource;
use serde_json::json;

use crate::{
    run::output,
    server::{Server, answer, curl, judged, nobody},
};

fn redirect(status: &str, location: &str) -> String {
    format!("HTTP/1.1 {status}\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
}

/// What is answered at each path.
fn site(path: &str) -> String {
    match path {
        "/ok" => answer("200 OK", "ok"),
        "/none" => answer("204 No Content", ""),
        "/missing" => answer("404 Not Found", "nothing here"),
        "/down" => answer("503 Service Unavailable", "down"),
        "/to-ok" => redirect("302 Found", "/ok"),
        "/moved" => redirect("301 Moved Permanently", "/missing"),
        "/round" => redirect("302 Found", "/trip"),
        "/trip" => redirect("302 Found", "/round"),
        "/upgrade" => {
            String::from("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n")
        }
        "/hints" => format!("HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n{}", answer("200 OK", "ok")),
        path if path.starts_with("/deep") => {
            let depth: u32 = path[5..].parse().unwrap();
            redirect("307 Temporary Redirect", &format!("/deep{}", depth + 1))
        }
        _ => String::new(),
    }
}

#[tokio::test]
async fn a_status_is_the_one_that_curl_sees() {
    use Outcome::{Errored, Failed, Passed};
    let server = Server::keeping_alive(site).await;
    let url = |path: &str| server.url(path);
    // the path, what is expected, the verdict, the verdict under `not`, the message
    for (path, expected, verdict, under_not, message) in [
        ("/ok", "200", Passed, Failed, ""),
        ("/none", "204", Passed, Failed, ""),
        ("/none", "200", Failed, Passed, "answered 204 No Content"),
        ("/missing", "404", Passed, Failed, ""),
        ("/missing", "200", Failed, Passed, "answered 404 Not Found: \"nothing here\""),
        ("/to-ok", "200", Passed, Failed, ""),
        ("/to-ok", "302", Failed, Passed, "`follow_redirects: false` judges the first answer"),
        ("/moved", "200", Failed, Passed, "after 1 redirects: \"nothing here\""),
        ("/hints", "200", Passed, Failed, ""),
        ("/upgrade", "200", Failed, Passed, "answered 101 Switching Protocols"),
        ("/round", "302", Failed, Errored, "redirects go round in a circle: "),
        ("/deep0", "307", Failed, Errored, "more than 10 redirects: "),
    ] {
        let check = || HttpStatusAssert::new(url(path), expected.parse::<u16>().unwrap());
        let result = judged(check()).await;
        assert_eq!(result.verdict, verdict, "{path} {expected}: {}", result.message);
        assert!(
            result.message.contains(message) && message.is_empty() == result.message.is_empty(),
            "{}",
            result.message
        );
        assert_eq!(curl(&[&url(path)], expected).await, verdict == Passed, "curl on {path} {expected}");
        let turned = judged(check().not()).await;
        assert_eq!(turned.verdict, under_not, "not {path} {expected}: {}", turned.message);
    }
    let first = HttpStatusAssert::new(url("/to-ok"), ExpectedStatus::class(3)).follow_redirects(false);
    assert_eq!(judged(first).await.verdict, Passed);
    let any = HttpStatusAssert::new(url("/none"), [200, 204]);
    assert_eq!(judged(any).await.verdict, Passed);
    for (what, reply, message) in [
        ("an empty reply", "", "closed the connection without an answer"),
        (
            "1xx, then nothing",
            "HTTP/1.1 103 Early Hints\r\n\r\n",
            "before the head of its answer was complete",
        ),
    ] {
        let server = Server::once(reply).await;
        let result = judged(HttpStatusAssert::new(server.url("/"), 200)).await;
        assert!(result.verdict == Failed && result.message.contains(message), "{what}: {}", result.message);
        assert!(!curl(&[&server.url("/")], "200").await);
        let result = judged(HttpStatusAssert::new(server.url("/"), 200).not()).await;
        assert_eq!(result.verdict, Errored, "{what}");
    }
    let refused = format!("http://{}/", nobody().await);
    assert_eq!(judged(HttpStatusAssert::new(&refused, 200)).await.verdict, Failed);
    assert_eq!(
        judged(HttpStatusAssert::new(&refused, 200).not()).await.verdict,
        Errored,
        "no status proves nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_repeat_and_have_no_case() {
    let reply = "HTTP/1.1 200 OK\r\nX-Frame-Options: DENY\r\nset-cookie: a=1; Secure\r\nSet-Cookie: b=2\r\n\
                 content-length: 0\r\n\r\n";
    let latin = b"HTTP/1.1 200 OK\r\nx-latin: caf\xe9\r\ncontent-length: 0\r\n\r\n";
    let latin = Server::once(*latin).await;
    let server = Server::once(reply).await;
    let url = server.url("/");
    let check = |header: &str| HttpHeaderAssert::new(&url, header);
    let (passed, failed) = (Outcome::Passed, Outcome::Failed);
    let dumped = output("curl", &["-sS", "--noproxy", "*", "-D", "-", "-o", "/dev/null", &url]);
    for (header, value, expected) in [
        ("x-frame-options", "DENY", passed),
        ("X-FRAME-OPTIONS", "deny", failed), // values have case
        ("set-cookie", "b=2", passed),
        ("set-cookie", "c=3", failed),
    ] {
        let result = judged(check(header).value(value)).await;
        assert_eq!(result.verdict, expected, "{header}: {}", result.message);
        let there = dumped
            .lines()
            .filter_map(|line| line.split_once(": "))
            .any(|(name, said)| name.eq_ignore_ascii_case(header) && said == value);
        assert_eq!(there, expected == passed, "curl on {header}: {dumped}");
    }
    let latin = HttpHeaderAssert::new(latin.url("/"), "x-latin").value("café");
    assert_eq!(judged(latin).await.verdict, passed);
    assert_eq!(judged(check("x-powered-by").absent(true)).await.verdict, passed);
    assert_eq!(judged(check("Set-Cookie").absent(true)).await.verdict, failed);
    let insecure = Matcher::not(Matcher::contains("b="));
    let result = judged(check("set-cookie").value(insecure)).await;
    assert_eq!((result.verdict, result.details()["values"].clone()), (failed, json!(["a=1; Secure", "b=2"])));
    let missing = judged(check("etag").value("x").not()).await;
    assert_eq!(missing.verdict, Outcome::Errored, "{}", missing.message);
    assert_eq!(judged(check("etag").not()).await.verdict, passed);
}

/// What it holds, and what keeps it from being known.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_judged_as_far_as_it_is_known() {
    use Outcome::{Errored, Failed, Passed};
    let big = format!("begin {} end", "x".repeat(2 << 20));
    let server = Server::once(answer("200 OK", &big)).await;
    let check = || HttpBodyAssert::new(server.url("/"));
    let regex = |text: &str| Pattern::new(text).unwrap();
    let larger = "the body is larger than the 1048576 bytes that are read of it; raise `max_body`";
    for (what, assertion, verdict, message) in [
        ("found before the limit", check().contains("begin x"), Passed, ""),
        ("matched before the limit", check().matches(regex("^begin")), Passed, ""),
        ("beyond the limit", check().contains("end"), Errored, larger),
        ("matched by the limit only", check().matches(regex("x$")), Errored, larger),
        ("a checksum", check().sha256("0".repeat(64)), Errored, larger),
        (
            "no JSON from its beginning on",
            check().json("a", 1),
            Failed,
            "the body is not JSON (line 1, column 1)",
        ),
        ("enough is read", check().contains(" end").max_body("4MiB".parse().unwrap()), Passed, ""),
    ] {
        let result = judged(assertion).await;
        assert_eq!(result.verdict, verdict, "{what}: {}", result.message);
        assert!(result.message.starts_with(message), "{what}: {}", result.message);
    }
    let sum = output("sh", &["-c", &format!("curl -sS --noproxy '*' '{}' | sha256sum", server.url("/"))]);
    let sum = sum.split(' ').next().unwrap();
    let whole = check().sha256(sum).max_body("4MiB".parse().unwrap());
    assert_eq!(judged(whole).await.verdict, Passed);

    let json = format!("[{}]", "1,".repeat(1 << 20));
    let cut = Server::once(answer("200 OK", &json)).await;
    let result = judged(HttpBodyAssert::new(cut.url("/")).json("$[0]", 1)).await;
    assert_eq!((result.verdict, result.message.as_str()), (Errored, larger));

    let half = Server::once("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nok").await;
    let result = judged(HttpBodyAssert::new(half.url("/")).contains("ok")).await;
    assert_eq!(result.verdict, Failed);
    assert!(result.message.contains("after 2 bytes of the body, before its end"), "{}", result.message);
    assert_eq!(judged(HttpBodyAssert::new(half.url("/")).contains("no").not()).await.verdict, Errored);

    let mut latin =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=iso-8859-1\r\ncontent-length: 4\r\n\r\n"
            .to_vec();
    latin.extend(b"caf\xe9");
    let latin = Server::once(latin).await;
    assert_eq!(judged(HttpBodyAssert::new(latin.url("/")).contains("café")).await.verdict, Passed);
    let mut wrong =
        b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 4\r\n\r\n".to_vec();
    wrong.extend(b"caf\xe9");
    let wrong = Server::once(wrong).await;
    let result = judged(HttpBodyAssert::new(wrong.url("/")).contains("caf")).await;
    assert_eq!(result.message, "the body is not UTF-8 text, from byte 3 on");
    assert_eq!(judged(HttpBodyAssert::new(wrong.url("/")).contains("x").not()).await.verdict, Errored);
}

/// A schema in the manifest, in files, and one that wants to be fetched.
#[tokio::test]
async fn a_schema_is_read_from_a_file_and_never_fetched() {
    let server = Server::keeping_alive(|_| answer("200 OK", r#"{"id":7,"name":"gear"}"#)).await;
    let elsewhere = Server::keeping_alive(|_| answer("200 OK", "true")).await;
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let check = |schema: serde_json::Value| HttpBodyAssert::new(server.url("/")).json_schema(schema);
    let remote = json!({ "properties": { "id": { "$ref": elsewhere.url("/schema.json") } } });
    for (schema, verdict, message) in [
        (json!({ "required": ["id", "name"] }), Outcome::Passed, ""),
        (json!(file("good.json", r#"{"properties":{"id":{"type":"integer"}}}"#)), Outcome::Passed, ""),
        (json!(file("good.yaml", "properties:\n  id: { type: integer }\n")), Outcome::Passed, ""),
        (
            json!(file(
                "strict.json",
                r#"{"properties":{"id":{"type":"string"}},"additionalProperties":false}"#
            )),
            Outcome::Failed,
            "/id: it is not of type \"string\", got 7",
        ),
        (json!(file("broken.json", "{")), Outcome::Errored, "is not JSON: "),
        (json!(directory.path().join("none.json").to_str()), Outcome::Errored, "is not there"),
        (
            json!(file("remote.json", &remote.to_string())),
            Outcome::Errored,
            "is not fetched: put what it names into `$defs`",
        ),
    ] {
        let result = judged(check(schema.clone())).await;
        assert_eq!(result.verdict, verdict, "{schema}: {}", result.message);
        assert!(result.message.contains(message), "{schema}: {}", result.message);
    }
    let error = Engine::standard().assert(&Project::new("test").assert(check(remote))).await.unwrap_err();
    assert!(error.to_string().contains("is not fetched"), "{error}");
    assert_eq!(elsewhere.count(), 0);
}

/// Three kinds about one URL are one request, and manifests know both spellings.
#[tokio::test]
async fn one_request_serves_them_all() {
    let server = Server::keeping_alive(|_| answer("200 OK", r#"{"status":"up"}"#)).await;
    let engine = Engine::builder().register(clockwork_drivers::register).register(clockwork_assert::register);
    let engine = engine.build().unwrap();
    let manifest = format!(
        "project: p
resources:
  shop:
    kind: EndpointResource
    url: {}
    assertions:
      - HttpStatusAssert: {{ url: /x, expected_status: 2xx }}
      - HTTPStatusAssert: {{ url: /x, expected_status: [200, 204] }}
      - HTTPHeaderAssert: {{ url: /x, header: content-length, value: '15' }}
      - HttpHeaderAssert: {{ url: /x, header: server, absent: true }}
      - HttpBodyAssert: {{ url: /x, json: {{ status: up }}, json_schema: {{ required: [status] }}, contains: status }}
",
        server.url("/")
    );
    let project = engine.read_manifest(&ManifestInput::new("clockwork.yaml", manifest), &|_| None).unwrap();
    let report = engine.assert(&project).await.unwrap();
    assert!(report.passed() && report.results.len() == 5, "{report}");
    assert_eq!(server.count(), 1);

    let wrong = Project::new("test").with(
        EndpointResource::new("shop")
            .url(server.url("/"))
            .assert(HttpHeaderAssert::new("/x", "not a name"))
            .assert(HttpHeaderAssert::new("/x", "etag").value("x").absent(true))
            .assert(HttpBodyAssert::new("/x")),
    );
    let error = engine.assert(&wrong).await.unwrap_err().to_string();
    for message in
        ["cannot be a header's name", "a header that is absent has no `value`", "nothing is asserted"]
    {
        assert!(error.contains(message), "{error}");
    }
}
