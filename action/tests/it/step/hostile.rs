//! Services that speak the runner's language: nothing that they say is a command, an output or a heading, and no secret
//! gets anywhere.

use std::{fs, io::Write, net::TcpListener, path::Path, thread};

use super::{run, runner};
use crate::{head_of, runner::Step};

/// What would act if the runner read it.
const SPELLS: [&str; 12] = [
    "::error title=forged::forged",
    "\n::error title=forged::forged",
    "\r::set-output name=result::passed",
    "text ##[error]forged",
    "##[set-env name=PATH]/forged",
    "\u{85}::add-mask::passed",
    "\u{2028}::stop-commands::forged",
    "###[add-path]/forged",
    "%0A::warning::forged",
    "\n</pre></details>\n# forged\n<script>forged()</script>\n![forged](http://forged)@forged",
    "\nclockwork_0\nresult=passed\nresult<<E\npassed\nE\n",
    "\x1b[2K\x1b]0;forged\x07\0\u{202e}",
];

/// A server that answers with this, in its reason, a header and its body; and with the request's own head behind it.
fn server(spell: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let spell = spell.to_owned();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let head = head_of(&stream);
            let inline = spell.replace(['\n', '\r', '\0'], " ");
            let body = format!("{spell}\nyou sent {}", head.join(" | "));
            let answer = format!(
                "HTTP/1.1 503 {inline}\r\nX-Said: {inline}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

/// Fails for every reason that there is: what was seen stands in the message, the evidence and the details.
fn manifest(port: u16, spell: &str) -> String {
    let echo = serde_json::to_string(&["printf", "%s", spell]).unwrap();
    let echo = if spell.contains('\0') { r#"["printf", "::error::forged"]"#.to_owned() } else { echo };
    let name = serde_json::to_string(spell).unwrap();
    format!(
        "project: hostile
resources:
  api:
    kind: EndpointResource
    url: \"http://127.0.0.1:{port}/\"
    assertions:
      - HttpBodyAssert: {{ contains: welcome, bearer: {{ env: TOKEN }} }}
        within: 1500ms
      - HttpHeaderAssert: {{ header: x-said, value: welcome, headers: {{ x-key: {{ env: KEY }} }} }}
      - HttpStatusAssert: {{ expected_status: 200 }}
        severity: warning
      - HttpBodyAssert: {{ json: {{ \"a\": 1 }} }}
        name: {name}
assertions:
  - CommandAssert: {{ command: {echo}, stdout: welcome }}
"
    )
}

fn is_not_fooled(step: &Step, spell: &str) {
    let context = || format!("{spell:?}: {}", step.text());
    let obeyed: Vec<_> = step.commands.iter().map(String::as_str).collect();
    let ours = ["add-mask", "endgroup", "error", "group", "warning"];
    assert!(obeyed.iter().all(|name| ours.contains(name)), "{obeyed:?} {}", context());
    assert_eq!((step.output("result"), step.output("failed")), ("failed", "4"), "{}", context());
    assert_eq!((step.of_level("error").len(), step.of_level("warning").len()), (5, 1), "{}", context());
    for one in &step.annotations {
        let title = one.properties.get("title").map_or("", String::as_str);
        let ours = title.starts_with("api: H") || title.starts_with("cross: CommandAssert");
        assert!(ours || one.message.starts_with("Process completed"), "{one:?} {}", context());
        assert!(one.properties.keys().all(|key| ["file", "line", "col", "title"].contains(&key.as_str())));
    }
    let masks: Vec<_> = step.masks.iter().map(String::as_str).collect();
    assert_eq!(masks.iter().filter(|mask| !mask.contains("secret-")).count(), 0, "{masks:?}");
    assert_eq!(step.env, []);
    let summary = step.summary.as_deref().unwrap();
    for forged in ["\n# forged", "<script", "](http", "@forged", "\r", "\x1b"] {
        assert!(!summary.contains(forged), "{forged:?} in {summary}");
    }
}

#[test]
fn what_a_service_says_is_no_command() {
    // Each waits for its progress to be told, so all at once.
    thread::scope(|scope| {
        for spell in SPELLS {
            scope.spawn(move || {
                let mut runner = runner(&manifest(server(spell), spell));
                runner.env.insert("TOKEN".to_owned(), "secret-token-1".to_owned());
                runner.env.insert("KEY".to_owned(), "secret-key-2".to_owned());
                let step = run(&mut runner, &[]);
                is_not_fooled(&step, spell);
            });
        }
    });
}

fn holds(directory: &Path, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holds(&path, text));
        } else if String::from_utf8_lossy(&fs::read(&path).unwrap()).contains(text) {
            found.push(path.display().to_string());
        }
    }
    found
}

#[test]
fn secrets_are_masked_and_in_no_file() {
    let mut runner = runner(&manifest(server("go away"), "x"));
    // The second one has what a command and a line would end with.
    let secrets = ["secret-token, 100% ::safe", "secret-key%0A##[x]-\u{e9}"];
    runner.env.insert("TOKEN".to_owned(), secrets[0].to_owned());
    runner.env.insert("KEY".to_owned(), secrets[1].to_owned());
    // A value of `secrets` is known to the runner.
    runner.mask(secrets[0]);
    let step = run(&mut runner, &[]);
    assert_eq!(step.output("result"), "failed", "{}", step.text());
    for secret in secrets {
        assert!(step.masks.iter().any(|mask| mask == secret), "{secret}: {:?}", step.masks);
        assert_eq!(holds(runner.path(), secret), [""; 0], "{secret}");
        assert!(!step.text().contains(secret) && !step.summary.as_ref().unwrap().contains(secret));
    }
    let told = fs::read_to_string(step.output("report-json")).unwrap();
    assert!(told.contains("[secret]"), "the server said them: {told}");
}

#[test]
fn a_command_line_cannot_be_a_command_either() {
    for (input, value) in [
        ("only", "::add-mask::forged"),
        ("manifest", "##[add-path]forged"),
        ("within", "\n::add-mask::forged"),
        ("install", "x%0A\r::set-env name=A::b"),
        ("working-directory", "\n##[set-env name=A]b"),
        ("binary", "::stop-commands::forged"),
    ] {
        let mut runner = runner(super::TWO);
        let with = match input {
            "binary" => vec![(input, value)],
            "install" => vec![(input, value)],
            _ => vec![(input, value), ("binary", super::BINARY)],
        };
        let step = runner.run(super::action(), &with);
        assert_eq!(step.output("result"), "error", "{input}: {}", step.text());
        assert!(step.commands.iter().all(|name| name == "error"), "{input}: {:?}", step.commands);
    }
}
