//! Where the command comes from: the tool cache, a release from a file server, or the source; and what is never run.

use std::{
    collections::BTreeMap,
    fs,
    io::Write,
    net::{Shutdown, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use sha2::{Digest, Sha256};

use super::{BINARY, TWO, runner};
use crate::{
    head_of,
    runner::{Runner, Step},
};

/// What a server has under a path.
#[derive(Debug, Clone)]
enum File {
    Whole(Vec<u8>),
    /// It says how long it is, and ends before that.
    CutOff(Vec<u8>),
    /// Nothing comes.
    Silent,
}

/// A file server that remembers what it was asked.
pub(super) struct Server {
    pub(super) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn new(files: BTreeMap<String, File>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            let mut kept = Vec::new();
            for mut stream in listener.incoming().map_while(Result::ok) {
                let head = head_of(&stream);
                let path =
                    head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
                seen.lock().unwrap().push(path.clone());
                let answer = |status: &str, length: usize, body: &[u8]| {
                    let head =
                        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
                    [head.as_bytes(), body].concat()
                };
                let answer = match files.get(&path) {
                    Some(File::Whole(body)) => answer("200 OK", body.len(), body),
                    Some(File::CutOff(body)) => answer("200 OK", body.len(), &body[..body.len() / 2]),
                    Some(File::Silent) => {
                        kept.push(stream);
                        continue;
                    }
                    None => answer("404 Not Found", 0, b""),
                };
                let _ = stream.write_all(&answer);
                let _ = stream.shutdown(Shutdown::Write);
            }
        });
        Self { port, asked }
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn target() -> &'static str {
    if cfg!(target_arch = "aarch64") { "aarch64-unknown-linux-musl" } else { "x86_64-unknown-linux-musl" }
}

/// An archive with a command that is the one that the tests were built with. `packed` is how tar packs it.
fn archive(directory: &Path, packed: &str, name: &str) -> Vec<u8> {
    let program = directory.join(name);
    fs::write(&program, format!("#!/bin/bash\nexec {BINARY} \"$@\"\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
    let file = directory.join("packed");
    let mut tar = Command::new("tar");
    tar.args(["-C", directory.to_str().unwrap(), packed]).arg(&file).arg(name);
    assert!(tar.status().unwrap().success());
    fs::read(file).unwrap()
}

/// A checkout of the action as the runner makes one, that knows these archives; and a source that builds at once.
pub(super) fn checkout(runner: &Runner, archives: &[(String, Vec<u8>)]) -> PathBuf {
    let root = runner.path().join("actions/clockwork-rs/clockwork/v1");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for directory in ["action/src", "scripts"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    for file in ["action.yml", "run.sh", "install.sh", "log.sh"] {
        fs::copy(here.join(file), root.join("action").join(file)).unwrap();
    }
    fs::copy(here.join("../scripts/release-build.sh"), root.join("scripts/release-build.sh")).unwrap();
    let sums: String = archives
        .iter()
        .map(|(name, bytes)| {
            let sum: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{sum}  {name}\n")
        })
        .collect();
    fs::write(root.join("action/checksums.txt"), format!("# of releases\n{sums}")).unwrap();
    for (file, text) in [
        (
            "Cargo.toml",
            "[workspace]\nmembers = [\"action\"]\nresolver = \"3\"\n\n[workspace.package]\nversion = \"0.1.0\"\n",
        ),
        (
            "action/Cargo.toml",
            "[package]\nname = \"clockwork-action\"\nversion.workspace = true\nedition = \"2024\"\n\n[[bin]]\nname = \
             \"clockwork\"\npath = \"src/main.rs\"\n",
        ),
        ("Cargo.lock", "version = 4\n\n[[package]]\nname = \"clockwork-action\"\nversion = \"0.1.0\"\n"),
    ] {
        fs::write(root.join(file), text).unwrap();
    }
    let main = format!(
        "use std::os::unix::process::CommandExt;\n\nfn main() {{\n    println!(\"built from source\");\n    let error = \
         std::process::Command::new({BINARY:?}).args(std::env::args_os().skip(1)).exec();\n    panic!(\"{{error}}\");\n}}\n"
    );
    fs::write(root.join("action/src/main.rs"), main).unwrap();
    root.join("action")
}

/// The name of the archive of this version.
fn named(version: &str, suffix: &str) -> String {
    format!("clockwork-{version}-{}.{suffix}", target())
}

/// A runner, the action, and a server with these versions of it, each in both ways of packing.
pub(super) fn released(versions: &[&str]) -> (Runner, PathBuf, Server) {
    with_server(versions, |_, bytes| File::Whole(bytes))
}

fn with_server(versions: &[&str], serve: impl Fn(&str, Vec<u8>) -> File) -> (Runner, PathBuf, Server) {
    let mut runner = runner(TWO);
    let mut archives = Vec::new();
    let mut files = BTreeMap::new();
    for version in versions {
        for (suffix, packed) in [("tar.gz", "-czf"), ("tar", "-cf")] {
            let (name, bytes) = (named(version, suffix), archive(runner.path(), packed, "clockwork"));
            files.insert(format!("/v{version}/{name}"), serve(version, bytes.clone()));
            archives.push((name, bytes));
        }
    }
    let action = checkout(&runner, &archives);
    let server = Server::new(files);
    runner.env.insert("CLOCKWORK_RELEASES".to_owned(), format!("http://127.0.0.1:{}", server.port));
    for name in ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
        if let Ok(value) = std::env::var(name) {
            runner.env.insert(name.to_owned(), value);
        }
    }
    (runner, action, server)
}

fn ran(step: &Step) -> bool {
    step.output("passed") == "1" && step.output("failed") == "1"
}

fn from_source(step: &Step) -> bool {
    ran(step) && step.log.iter().any(|line| line == "built from source")
}

#[test]
fn a_release_is_downloaded_once_and_then_in_the_tool_cache() {
    let (mut runner, action, server) = released(&["0.1.0"]);
    let first = runner.run(&action, &[("install", "release")]);
    assert!(ran(&first), "{}", first.text());
    assert_eq!(server.asked(), 1);
    assert!(first.text().contains("##[group]Installing clockwork 0.1.0"), "{}", first.text());
    // The same job again, with another home.
    runner.env.insert("HOME".to_owned(), runner.temp().display().to_string());
    let second = runner.run(&action, &[]);
    assert!(ran(&second), "{}", second.text());
    assert_eq!(server.asked(), 1);
    let kept = runner.tools().join("clockwork/0.1.0").join(target());
    assert!(kept.join("clockwork").exists());
    let names: Vec<_> =
        fs::read_dir(kept.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing is left behind: {names:?}");
    // What was never finished is not used.
    fs::remove_file(format!("{}.complete", kept.display())).unwrap();
    fs::write(kept.join("clockwork"), "#!/bin/bash\nexit 0\n").unwrap();
    assert!(ran(&runner.run(&action, &[])));
    assert_eq!(server.asked(), 2);
}

#[test]
fn what_is_not_what_was_released_is_never_run_and_nothing_in_its_place() {
    let harm = |_: &str, mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        File::Whole(bytes)
    };
    for install in ["auto", "release"] {
        let (mut runner, action, server) = with_server(&["0.1.0"], harm);
        let step = runner.run(&action, &[("install", install)]);
        assert_eq!((step.conclusion, step.exit_code), ("failure", Some(2)), "{}", step.text());
        assert_eq!((step.output("result"), step.output("passed")), ("error", ""));
        assert!(
            step.of_level("error")[0].message.contains("is not what was released"),
            "{:#?}",
            step.annotations
        );
        assert_eq!(server.asked(), 1, "it is not asked again");
        let kept = runner.tools().join("clockwork/0.1.0");
        assert!(!kept.join(target()).join("clockwork").exists());
        assert!(!kept.join(format!("{}.complete", target())).exists());
    }
}

#[test]
fn what_cannot_be_downloaded_is_built_where_that_is_allowed() {
    let offline = |runner: &mut Runner| {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        runner.env.insert("CLOCKWORK_RELEASES".to_owned(), format!("http://{free}"));
    };
    let falls_back = |case: &str, tries: usize| {
        let serve = |_: &str, bytes| File::CutOff(bytes);
        let (mut runner, action, server) = with_server(&["0.1.0"], serve);
        match case {
            "404" => {
                runner
                    .env
                    .insert("CLOCKWORK_RELEASES".to_owned(), format!("http://127.0.0.1:{}/no", server.port));
            }
            "offline" => offline(&mut runner),
            _ => {}
        }
        let step = runner.run(&action, &[("install", "release")]);
        assert_eq!((step.output("result"), step.exit_code), ("error", Some(2)), "{case}: {}", step.text());
        assert_eq!(server.asked(), tries, "{case}");
        let step = runner.run(&action, &[]);
        assert!(from_source(&step), "{case}: {}", step.text());
        let notices = step.of_level("notice");
        assert!(notices[0].message.contains("cannot be downloaded"), "{case}: {notices:#?}");
        assert!(!runner.tools().join("clockwork/0.1.0").join(format!("{}.complete", target())).exists());
    };
    thread::scope(|scope| {
        for (case, tries) in [("truncated", 3), ("404", 1), ("offline", 0)] {
            scope.spawn(move || falls_back(case, tries));
        }
    });
}

#[test]
fn versions_are_those_that_the_action_has_checksums_of() {
    let (mut runner, action, server) = released(&["0.0.9"]);
    for (with, done) in [
        (vec![("version", "v0.0.9")], "release"),
        (vec![("version", "0.0.9"), ("install", "release")], "release"),
        (vec![("version", "0.0.8")], "error"),
        (vec![("version", "../../0.0.9")], "error"),
        (vec![("version", "0.0.9"), ("install", "source")], "error"),
        (vec![("install", "release")], "error"),
        (vec![], "source"),
        (vec![("version", "0.1.0"), ("install", "source")], "source"),
    ] {
        let step = runner.run(&action, &with);
        let found = match step.output("result") {
            "failed" if from_source(&step) => "source",
            "failed" => "release",
            other => other,
        };
        assert_eq!(found, done, "{with:?}: {}", step.text());
    }
    assert_eq!(server.asked(), 1);
}

/// What a runner says of itself, what is released for that, and what its command is called.
const SYSTEMS: [(&str, &str, &str, &str); 5] = [
    ("Linux", "X64", "x86_64-unknown-linux-musl", "clockwork"),
    ("Linux", "ARM64", "aarch64-unknown-linux-musl", "clockwork"),
    ("macOS", "X64", "x86_64-apple-darwin", "clockwork"),
    ("macOS", "ARM64", "aarch64-apple-darwin", "clockwork"),
    ("Windows", "X64", "x86_64-pc-windows-msvc", "clockwork.exe"),
];

#[test]
fn each_system_gets_the_archive_that_is_for_it() {
    let packing = runner(TWO);
    let archives: Vec<_> = SYSTEMS
        .iter()
        .map(|(_, _, target, program)| {
            (format!("clockwork-0.1.0-{target}.tar.gz"), archive(packing.path(), "-czf", program))
        })
        .collect();
    let serve = |(name, bytes): &(String, Vec<u8>)| (format!("/v0.1.0/{name}"), File::Whole(bytes.clone()));
    let server = Server::new(archives.iter().map(serve).collect());
    for (number, (os, arch, target, program)) in SYSTEMS.into_iter().enumerate() {
        let mut runner = runner(TWO);
        let action = checkout(&runner, &archives);
        let said =
            [("RUNNER_OS", os), ("RUNNER_ARCH", arch)].map(|(name, is)| (name.to_owned(), is.to_owned()));
        runner.env.extend(said);
        runner.env.insert("CLOCKWORK_RELEASES".to_owned(), format!("http://127.0.0.1:{}", server.port));
        let step = runner.run(&action, &[("install", "release")]);
        assert!(ran(&step), "{os} {arch}: {}", step.text());
        assert_eq!(server.asked(), number + 1);
        assert!(step.text().contains(&format!("/v0.1.0/clockwork-0.1.0-{target}.tar.gz")), "{}", step.text());
        assert!(runner.tools().join("clockwork/0.1.0").join(target).join(program).exists());
    }
}

#[test]
fn where_there_is_no_release_the_source_is_built() {
    for (os, arch, said) in [
        ("macOS", "ARM64", "knows no release 0.1.0 for aarch64-apple-darwin"),
        ("FreeBSD", "X64", "there are no releases for FreeBSD on X64"),
    ] {
        let (mut runner, action, server) = released(&["0.1.0"]);
        runner
            .env
            .extend([("RUNNER_OS".to_owned(), os.to_owned()), ("RUNNER_ARCH".to_owned(), arch.to_owned())]);
        let step = runner.run(&action, &[]);
        assert!(from_source(&step), "{os} {arch}: {}", step.text());
        assert!(step.of_level("notice")[0].message.contains(said), "{:#?}", step.annotations);
        let step = runner.run(&action, &[("install", "release")]);
        assert_eq!(step.output("result"), "error", "{}", step.text());
        assert!(step.of_level("error")[0].message.contains(said), "{:#?}", step.annotations);
        assert_eq!(server.asked(), 0);
    }
}

#[test]
fn a_cancelled_download_ends() {
    let (mut runner, action, _server) = with_server(&["0.1.0"], |_, _| File::Silent);
    let mut running = runner.start(&action, &[]);
    running.wait_for("downloading");
    let step = running.cancel();
    assert_eq!(step.conclusion, "cancelled");
    assert_eq!(step.signals.len(), 1, "{}", step.text());
    assert_eq!((step.output("result"), step.exit_code), ("interrupted", Some(130)));
}

#[test]
fn the_scripts_know_where_releases_and_versions_are() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let script = fs::read_to_string(here.join("install.sh")).unwrap();
    assert!(script.contains(&format!("releases={}/releases/download\n", env!("CARGO_PKG_REPOSITORY"))));
    let version = Command::new("bash")
        .args(["-c", "source install.sh; version_of .."])
        .current_dir(here)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(version.stdout).unwrap().trim(), env!("CARGO_PKG_VERSION"));
    for line in
        fs::read_to_string(here.join("checksums.txt")).unwrap().lines().filter(|line| !line.starts_with('#'))
    {
        let (sum, name) = line.split_once("  ").unwrap();
        assert!(sum.len() == 64 && sum.chars().all(|c| c.is_ascii_hexdigit()), "{line}");
        assert!(
            name.starts_with("clockwork-") && (name.ends_with(".tar.gz") || name.ends_with(".tar")),
            "{line}"
        );
    }
}
