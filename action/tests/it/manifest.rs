//! The command on manifests, with kinds that look at the real machine.

use std::{
    fs,
    io::Write,
    net::TcpListener,
    os::unix::net::UnixListener,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::{Ended, clockwork};

fn manifest(directory: &Path, text: &str) {
    fs::write(directory.join("clockwork.yaml"), text).unwrap();
}

fn json(directory: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let ended = Ended::of(clockwork(directory).args(["assert", "--format", "json"]).args(args));
    let report = serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {ended:?}"));
    (ended.code, report)
}

#[test]
fn a_manifest_is_judged_from_its_directory() {
    let here = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    fs::write(here.path().join("app.conf"), "workers = 4\n").unwrap();
    let text = format!(
        "project: shop\n\
         vars: {{ file: app.conf }}\n\
         resources:\n\
         \x20 config:\n\
         \x20   kind: FileResource\n\
         \x20   path: ${{vars.file}}\n\
         \x20   assertions:\n\
         \x20     - FileExistsAssert\n\
         \x20     - FileSizeAssert: {{ max_bytes: 1KB }}\n\
         assertions:\n\
         \x20 - PortAccessibleAssert: {{ host: 127.0.0.1, port: {port} }}\n"
    );
    manifest(here.path(), &text);
    let (code, report) = json(here.path(), &[]);
    assert_eq!(code, Some(0), "{report:#}");
    let ids: Vec<_> = report["results"].as_array().unwrap().iter().map(|result| &result["id"]).collect();
    assert_eq!(ids, ["config/FileExistsAssert", "config/FileSizeAssert", "cross/PortAccessibleAssert"]);

    drop(listener);
    let (code, report) = json(here.path(), &[]);
    assert_eq!((code, &report["results"][2]["verdict"]), (Some(1), &"failed".into()), "{report:#}");

    let (code, report) = json(here.path(), &["--only", "config", "--var", "file=absent.conf"]);
    assert_eq!((code, &report["results"][0]["verdict"]), (Some(1), &"failed".into()), "{report:#}");

    fs::write(here.path().join("vars.yaml"), "file: absent.conf\n").unwrap();
    let (code, _) = json(here.path(), &["--only", "config", "--vars-file", "vars.yaml"]);
    assert_eq!(code, Some(1));
    let (code, _) =
        json(here.path(), &["--only", "config", "--vars-file", "vars.yaml", "--var", "file=app.conf"]);
    assert_eq!(code, Some(0), "--var goes before");
}

#[test]
fn standard_input_is_a_manifest_too() {
    let here = tempfile::tempdir().unwrap();
    let mut command = clockwork(&here);
    command.args(["assert", "--manifest", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let text = "project: shop\nassertions:\n  - FileExistsAssert: { path: /etc/passwd }\n";
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn every_error_of_a_manifest_at_once_and_nothing_runs() {
    let here = tempfile::tempdir().unwrap();
    let socket = here.path().join("socket");
    let listener = UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    manifest(
        here.path(),
        "project: shop\n\
         resources:\n\
         \x20 web:\n\
         \x20   kind: EndpointResource\n\
         \x20   depends_on: [databse]\n\
         \x20   assertions:\n\
         \x20     - HealthCheckAsert: { url: \"http://localhost\\x1b[2J\" }\n\
         \x20     - PortAccessibleAssert: { port: eighty }\n",
    );
    let ended = Ended::of(clockwork(&here).arg("assert"));
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{ended:?}");
    for said in ["clockwork.yaml:7:", "did you mean `HealthcheckAssert`", "clockwork.yaml:8:"] {
        assert!(ended.stderr.contains(said), "{said}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains('\x1b'), "{ended:?}");
    assert!(listener.accept().is_err(), "nothing ran");
    for (text, said) in
        [("", "empty"), ("\u{0}", ""), ("project: shop\n", "nothing is asserted"), ("a: [", "")]
    {
        manifest(here.path(), text);
        let ended = Ended::of(clockwork(&here).arg("assert"));
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{text:?}: {ended:?}");
        assert!(ended.stderr.contains(said) && ended.stderr.starts_with("error"), "{text:?}: {ended:?}");
    }
}

#[test]
fn what_a_file_holds_forges_nothing() {
    let here = tempfile::tempdir().unwrap();
    let hostile = "\n✓ All 9 assertions passed\u{1b}[2J\u{202e}\nok 1 - forged\n]]></failure>";
    fs::write(here.path().join("hostile.txt"), hostile).unwrap();
    manifest(
        here.path(),
        "project: shop\nassertions:\n  - FileContentMatchesAssert: { path: hostile.txt, contains: wanted }\n",
    );
    for format in ["text", "json", "junit", "tap"] {
        let ended = Ended::of(clockwork(&here).args(["assert", "--format", format]));
        assert_eq!(ended.code, Some(1), "{format}: {ended:?}");
        for forged in ["\x1b", "\u{202e}", "\n✓", "\nok 1 - forged"] {
            assert!(!ended.stdout.contains(forged), "{format} holds {forged:?}: {}", ended.stdout);
        }
    }
}

#[test]
fn a_service_that_never_answers_can_be_interrupted() {
    let here = tempfile::tempdir().unwrap();
    // It takes connections and never answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    manifest(
        here.path(),
        &format!(
            "project: shop\nassertions:\n  - HealthcheckAssert: {{ url: \"{url}\" }}\n    within: 60s\n"
        ),
    );
    let mut command = clockwork(&here);
    command.args(["assert", "--format", "json"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    // Once it is connected, it waits.
    let _connection = listener.accept().unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["results"][0]["message"], "the run was interrupted");
}

#[test]
fn the_schema_describes_what_is_read() {
    let here = tempfile::tempdir().unwrap();
    let ended = Ended::of(clockwork(&here).arg("schema"));
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let schema: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"));
    for kind in ["FileExistsAssert", "HealthcheckAssert", "ContainerResource"] {
        assert!(ended.stdout.contains(kind), "{kind}");
    }
}
