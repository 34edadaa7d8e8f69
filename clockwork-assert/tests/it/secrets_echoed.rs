//! A target that repeats the secrets that it was sent: nothing of a run's output shows one, in any format.

use std::sync::Arc;

use clockwork_core::{Outcome, Report, TextOptions, write_text};
use tokio::io::AsyncWriteExt;

use crate::{
    run::judged,
    server::{Server, answer, read_head},
};

const CANARY: &str = "kanarie\"n-3f9a+&";

/// What the canary looks like in a header of Basic authentication (`me:…`), and in a form.
const BASE64: &str = "bWU6a2FuYXJpZSJuLTNmOWErJg==";
const FORM: &str = "kanarie%22n-3f9a%2B%26";

fn shows_no_secret(report: &Report, what: &str) {
    let mut text = String::new();
    write_text(&mut text, report, &TextOptions { verbose: true, ..TextOptions::default() }).unwrap();
    let json = serde_json::to_string(report).unwrap();
    for output in [&text, &json] {
        for secret in [CANARY, "kanarie", BASE64, FORM] {
            assert!(!output.contains(secret), "{what}: {output}");
        }
        assert!(output.contains("[secret]"), "{what}: {output}");
    }
}

#[tokio::test]
async fn what_a_server_repeats_is_masked() {
    let server = Server::talking(|mut stream, seen: Arc<_>| async move {
        while let Some(request) = read_head(&mut stream, &seen).await {
            let body = serde_json::json!({ "echo": request }).to_string();
            let said =
                request.lines().find(|line| line.starts_with("x-key") || line.starts_with("authorization"));
            let header = format!("418 Teapot\r\nx-said: {}", said.unwrap_or(request.lines().last().unwrap()));
            let _ = stream.write_all(answer(&header, &body).as_bytes()).await;
        }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    std::fs::write(&file, format!("{CANARY}\n")).unwrap();
    let secret = format!("{{ file: {} }}", file.display());
    let url = server.url("/");
    let with_user = url.replace("http://", "http://me:kanarie%22n-3f9a+%26@");
    for sent in [
        format!("url: \"{url}\", bearer: {secret}"),
        format!("url: \"{url}\", basic_auth: {{ user: me, password: {secret} }}"),
        format!("url: \"{url}\", headers: {{ X-Key: {secret} }}"),
        format!("url: \"{url}\", method: POST, form: {{ key: {secret} }}"),
        format!("url: \"{with_user}\""),
    ] {
        for kind in [
            "HealthcheckAssert: { json: { nothing: 1 }, expected_status: 418, REQUEST }",
            "HealthcheckAssert: { REQUEST }",
            "HealthcheckAssert: { expected_status: 418, body: { starts_with: x }, REQUEST }",
            "HttpStatusAssert: { expected_status: 200, REQUEST }",
            "HttpHeaderAssert: { header: x-said, value: nothing, REQUEST }",
            "HttpBodyAssert: { contains: nothing, REQUEST }",
            "HttpBodyAssert: { json: { echo: 1 }, REQUEST }",
            "HttpBodyAssert: { json_schema: { properties: { echo: { type: integer } } }, REQUEST }",
            "ResponseTimeAssert: { max_ms: 60000, REQUEST }",
            "DeployedRevisionAssert: { expected: nothing, header: x-said, REQUEST }",
        ] {
            let manifest = format!("project: p\nassertions:\n  - {}\n", kind.replace("REQUEST", &sent));
            let report = judged(&manifest).await;
            let result = &report.results[0];
            assert_eq!(result.verdict, Outcome::Failed, "{manifest}: {}", result.message);
            // Some show less than what would hold the secret.
            let shown = format!("{}{:?}", result.message, result.actual);
            if shown.contains("[secret]") || shown.contains("echo") {
                shows_no_secret(&report, &manifest);
            }
            assert!(!shown.contains("kanarie") && !shown.contains(BASE64), "{manifest}: {shown}");
        }
    }
}
