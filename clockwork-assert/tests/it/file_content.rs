//! What is in files: of any size, of any bytes, and what is no file at all.

use std::{
    fs::{self, File},
    io::{Seek, SeekFrom, Write},
    time::{Duration, Instant},
};

use clockwork_assert::FileContentMatchesAssert;
use clockwork_core::{AssertionExt, Matcher, Outcome, Pattern, Project};

use crate::run::{check, directory, output, run, told};

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).unwrap()
}

#[tokio::test]
async fn text_is_searched_and_hashed_as_grep_and_sha256sum_do() {
    let (_kept, root) = directory();
    let path = root.join("app.log");
    fs::write(&path, "starting\nlistening on 8080\n").unwrap();
    let shown = path.to_str().unwrap();
    let digest = output("sha256sum", &[shown]).split(' ').next().unwrap().to_owned();
    let about = || FileContentMatchesAssert::new(&path);
    let table = [
        (about().contains("listening"), Outcome::Passed, format!("{shown}: text \"listening\" at byte 9")),
        (about().contains("Listening"), Outcome::Failed, format!("{shown}: does not contain \"Listening\"")),
        (
            about().pattern(pattern(r"on \d+\n$")),
            Outcome::Passed,
            format!("{shown}: match \"on \\\\d+\\\\n$\" at byte 19"),
        ),
        (
            about().pattern(pattern("^listening")),
            Outcome::Failed,
            format!("{shown}: nothing matches \"^listening\""),
        ),
        (
            about().pattern(pattern("(?m)^listening")),
            Outcome::Passed,
            format!("{shown}: match \"(?m)^listening\" at byte 9"),
        ),
        (
            about().sha256(digest.to_uppercase()),
            Outcome::Passed,
            format!("{shown}: sha256 {}…", &digest[..12]),
        ),
        (
            about().sha256("00".repeat(32)).contains("starting"),
            Outcome::Failed,
            format!("{shown}: sha256 is {digest}, expected {}", "00".repeat(32)),
        ),
    ];
    for (assertion, outcome, message) in table {
        assert_eq!(told(&check(assertion.clone()).await, outcome), message);
        let negated = if outcome == Outcome::Passed { Outcome::Failed } else { Outcome::Passed };
        told(&check(assertion.not()).await, negated);
    }
    let gone = FileContentMatchesAssert::new(root.join("gone")).contains("x");
    assert_eq!(
        told(&check(gone.clone()).await, Outcome::Failed),
        format!("{}/gone is missing", root.display())
    );
    told(&check(gone.not()).await, Outcome::Errored);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_searched_too() {
    let (_kept, root) = directory();
    let path = root.join("binary");
    fs::write(&path, b"\x7fELF\x00\xff\xfe ok caf\xc3\xa9 \xe9 end\xc3").unwrap();
    let about = || FileContentMatchesAssert::new(&path);
    for text in ["ELF\0", "café", " end"] {
        told(&check(about().contains(text)).await, Outcome::Passed);
    }
    for text in [r"^\x7fELF\x00", r"\bok\b", "caf[é]", "end"] {
        told(&check(about().pattern(pattern(text))).await, Outcome::Passed);
    }
    for text in ["end$", "\u{fffd}", r"\x00 ok"] {
        told(&check(about().pattern(pattern(text))).await, Outcome::Failed);
    }
    let digest = output("sha256sum", &[path.to_str().unwrap()]);
    told(&check(about().sha256(&digest[..64])).await, Outcome::Passed);
    let result = check(about().json("$.a", Matcher::equals(1))).await;
    assert!(
        told(&result, Outcome::Failed)
            .ends_with("it is not valid JSON: it is not UTF-8: byte 5 is part of no character")
    );
}

/// Larger than what is held in memory, so everything goes chunk by chunk; the needle stands across two chunks.
#[tokio::test]
async fn large_files_are_searched_in_chunks() {
    let (_kept, root) = directory();
    let path = root.join("large");
    let mut file = File::create(&path).unwrap();
    file.write_all(b"begin\n").unwrap();
    file.set_len(3 << 20).unwrap();
    file.seek(SeekFrom::Start((512 << 10) - 3)).unwrap();
    file.write_all(b"needle 42").unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all("caf\u{e9}\nend".as_bytes()).unwrap();
    let about = || FileContentMatchesAssert::new(&path);
    let shown = path.to_str().unwrap();
    let result = check(about().contains("needle 42")).await;
    assert_eq!(told(&result, Outcome::Passed), format!("{shown}: text \"needle 42\" at byte 524285"));
    for text in [
        "^begin\n",
        r"needle \d\d\x00",
        "(?m)^end$",
        "end$",
        "café",
        r"\x00caf",
        r"caf\w\b",
        r"\Aneedle|\bend\b",
    ] {
        told(&check(about().pattern(pattern(text))).await, Outcome::Passed);
    }
    for text in ["^needle", "begin$", "needle$", r"\bcaf\b", "needle 43"] {
        told(&check(about().pattern(pattern(text))).await, Outcome::Failed);
        told(&check(about().pattern(pattern(text)).not()).await, Outcome::Passed);
    }
    for text in ["needles", "End", "end\n"] {
        told(&check(about().contains(text)).await, Outcome::Failed);
    }
    let digest = output("sha256sum", &[shown]);
    told(&check(about().sha256(&digest[..64])).await, Outcome::Passed);
    told(&check(about().sha256("00".repeat(32))).await, Outcome::Failed);
}

/// One GiB that takes no place on the disk: searched in a memory that does not grow with it. In a process of its own,
/// because the memory is that of all tests.
#[test]
fn huge_files_are_searched_in_bounded_memory() {
    alone("file_content::huge");
}

#[tokio::test]
#[ignore = "run by huge_files_are_searched_in_bounded_memory, in a process of its own"]
async fn huge() {
    let (_kept, root) = directory();
    let path = root.join("huge");
    let mut file = File::create(&path).unwrap();
    file.set_len(1 << 30).unwrap();
    file.seek(SeekFrom::End(0)).unwrap();
    file.write_all(b"needle").unwrap();
    // The pages of this program itself, which come with their first use, are not the search's.
    let large = root.join("large");
    std::fs::write(&large, vec![b'x'; 3 << 20]).unwrap();
    told(&check(FileContentMatchesAssert::new(&large).contains("needle")).await, Outcome::Failed);
    let before = peak_memory();
    let about = FileContentMatchesAssert::new(&path).contains("needle");
    told(&check(about.timeout(Duration::from_secs(120))).await, Outcome::Passed);
    let grown = peak_memory().saturating_sub(before);
    assert!(grown < 16 << 10, "{grown} KiB more");
    // A document has to be held as a whole, so that has a limit.
    let result = check(FileContentMatchesAssert::new(&path).json("$.a", Matcher::equals(1))).await;
    assert!(
        told(&result, Outcome::Errored).contains("is too large to read as JSON: 1073741830 bytes"),
        "{}",
        result.message
    );
    // Whoever runs out of time says so, and the search ends with the wait.
    let began = Instant::now();
    let hopeless = FileContentMatchesAssert::new(&path).pattern(pattern("never"));
    let result = check(hopeless.timeout(Duration::from_millis(200))).await;
    let message = told(&result, Outcome::Errored);
    assert!(message.starts_with("no answer within ") && message.contains("(searching "), "{message}");
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
}

/// In KiB, of this whole process.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_ascii_whitespace().next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn what_is_no_file_is_never_read() {
    let (_kept, root) = directory();
    let fifo = root.join("fifo");
    output("mkfifo", &[fifo.to_str().unwrap()]);
    std::os::unix::fs::symlink("/dev/zero", root.join("link")).unwrap();
    let socket = root.join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let began = Instant::now();
    for (path, what) in [
        (fifo.as_path(), "a FIFO"),
        ("/dev/zero".as_ref(), "a character device"),
        (&root.join("link"), "a character device"),
        ("/".as_ref(), "a directory"),
        (&socket, "a socket"),
    ] {
        let about = FileContentMatchesAssert::new(path).contains("x").sha256("00".repeat(32));
        let message = format!("{} is {what}, not a regular file", path.display());
        assert_eq!(told(&check(about.clone()).await, Outcome::Failed), message);
        told(&check(about.not()).await, Outcome::Errored);
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// They claim to be regular files of no size, and are not.
#[tokio::test]
async fn files_of_the_kernel_are_read_as_they_are() {
    told(
        &check(FileContentMatchesAssert::new("/proc/self/status").pattern(pattern(r"(?m)^Pid:\s+\d+$")))
            .await,
        Outcome::Passed,
    );
    told(
        &check(FileContentMatchesAssert::new("/proc/version").contains("Linux version")).await,
        Outcome::Passed,
    );
    if output("id", &["-u"]) == "0" && fs::exists("/proc/kmsg").unwrap() {
        let result =
            check(FileContentMatchesAssert::new("/proc/kmsg").contains("x").timeout(Duration::from_secs(5)))
                .await;
        assert_ne!(result.verdict, Outcome::Skipped);
        assert!(!result.message.contains("no answer within"), "{}", result.message);
    }
}

#[tokio::test]
async fn values_in_documents() {
    let (_kept, root) = directory();
    fs::write(root.join("a.json"), r#"{ "server": { "port": 8080, "hosts": ["a", "b"] } }"#).unwrap();
    fs::write(root.join("a.yaml"), "server:\n  port: 8080\n  hosts: [a, b]\n").unwrap();
    fs::write(root.join("a.toml"), "[server]\nport = 8080\nhosts = [\"a\", \"b\"]\n").unwrap();
    for format in ["json", "yaml", "toml"] {
        let path = root.join(format!("a.{format}"));
        let about = |paths: serde_json::Value| -> FileContentMatchesAssert {
            serde_json::from_value(serde_json::json!({ "path": path, format: paths })).unwrap()
        };
        let all = serde_json::json!({ "server.port": 8080, "$.server.hosts[*]": { "length": 2 }, "server.hosts[1]": "b" });
        told(&check(about(all)).await, Outcome::Passed);
        let wrong = about(serde_json::json!({ "server.port": "8080" }));
        let result = check(wrong.clone()).await;
        assert!(
            told(&result, Outcome::Failed).starts_with(&format!("{}: server.port: expected", path.display())),
            "{}",
            result.message
        );
        let missing = about(serde_json::json!({ "server.name": "x" }));
        told(&check(missing.clone()).await, Outcome::Failed);
        told(&check(missing.not()).await, Outcome::Errored);
        fs::write(&path, "{ ]").unwrap();
        let result = check(about(serde_json::json!({ "a": 1 }))).await;
        assert!(
            told(&result, Outcome::Failed).contains(&format!("it is not valid {}: ", format.to_uppercase()))
        );
        told(&check(about(serde_json::json!({ "a": 1 })).not()).await, Outcome::Errored);
    }
}

/// Counted by the kernel, in a process of its own, because it counts what all tests read.
#[test]
fn many_ask_and_one_reads() {
    alone("file_content::bytes_read");
}

/// Runs an ignored test in a process of its own.
fn alone(test: &str) {
    let arguments = ["--exact", test, "--ignored", "--nocapture"];
    let said = output(std::env::current_exe().unwrap().to_str().unwrap(), &arguments);
    assert!(said.contains("1 passed"), "{said}");
}

#[tokio::test]
#[ignore = "run by many_ask_and_one_reads, in a process of its own"]
async fn bytes_read() {
    let (_kept, root) = directory();
    let path = root.join("file");
    fs::write(&path, "x".repeat(900_000)).unwrap();
    let mut project = Project::new("test");
    for _ in 0..500 {
        project = project
            .assert(FileContentMatchesAssert::new(&path).contains("xx"))
            .assert(FileContentMatchesAssert::new(&path).sha256("00".repeat(32)).not());
    }
    let read = || {
        let io = fs::read_to_string("/proc/self/io").unwrap();
        io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse::<u64>().ok()).unwrap()
    };
    let before = read();
    let results = run(project).await;
    assert!(results.iter().all(|result| result.verdict == Outcome::Passed));
    let read = read() - before;
    assert!((900_000..1_800_000).contains(&read), "{read} bytes read for {} assertions", results.len());
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_anything_runs() {
    let about = || FileContentMatchesAssert::new("/x");
    let table = [
        (about(), "give one of `pattern`, `contains`"),
        (about().contains(""), "is empty, which is in anything"),
        (about().pattern(pattern("")), "is empty, which matches anything"),
        (about().sha256("abc"), "\"abc\" is no SHA-256: that is 64 hexadecimal digits"),
        (about().json("$[", Matcher::equals(1)), "is no JSONPath"),
    ];
    for (assertion, problem) in table {
        let project = Project::new("test").assert(assertion);
        let error = clockwork_core::Engine::standard().assert(&project).await.unwrap_err().to_string();
        assert!(error.contains(problem), "{error} for {problem}");
    }
}
