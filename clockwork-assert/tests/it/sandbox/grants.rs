//! What a program may do, unasked and by grants; also where the machine offers no namespaces.

use std::{
    fs,
    io::Write as _,
    net::TcpListener,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    time::Duration,
};

use clockwork_assert::CommandAssert;
use clockwork_core::{AssertionExt, Matcher, Outcome, ResourceExt};
use clockwork_drivers::sandbox::{NetworkAccess, Sandbox};

use crate::{
    nobody::as_nobody,
    run::{check, directory, output, told},
};

fn sh(script: &str) -> CommandAssert {
    CommandAssert::new(["sh", "-c", script])
}

const LONG: Duration = Duration::from_secs(60);

/// What every honest program does.
async fn honest() {
    let (_kept, root) = directory();
    fs::create_dir(root.join("checks")).unwrap();
    fs::write(root.join("data.txt"), "here\n").unwrap();
    let script = root.join("checks/check.sh");
    fs::write(&script, "#!/bin/sh\ncat data.txt && cat \"$(dirname \"$0\")/../data.txt\"\n").unwrap();
    fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
    let uid = output("id", &["-u"]);
    for (assertion, stdout) in [
        (sh("cat /etc/hostname >/dev/null && id -u"), uid.as_str()),
        (sh("echo x > /tmp/x && cat /tmp/x && rm /tmp/x && echo $TMPDIR"), "x\n/tmp"),
        (sh("echo a | tee /dev/stderr | cat"), "a"),
        (sh("mktemp -d >/dev/null && head -c 3 /dev/zero | wc -c"), "3"),
        (sh("test -r /proc/self/status && ls /proc | grep -c '^[0-9]'"), "4"),
        (sh("echo $((1 + 1)); test -z \"$CARGO_MANIFEST_DIR\""), "2"),
        (sh("cat data.txt").cwd(&root), "here"),
        (CommandAssert::new(["./checks/check.sh"]).cwd(&root), "here\nhere"),
        (CommandAssert::new([script.to_str().unwrap()]).cwd(&root), "here\nhere"),
        (
            CommandAssert::new([
                "/usr/bin/python3",
                "-c",
                "import json, ssl, sqlite3, subprocess; print(subprocess.check_output(['echo', '1'], text=True))",
            ]),
            "1",
        ),
        (
            CommandAssert::new([
                "/usr/bin/python3",
                "-c",
                "import multiprocessing as m; p = m.Process(target=print, args=(1,)); p.start(); p.join()",
            ]),
            "1",
        ),
        (
            CommandAssert::new([
                "/usr/bin/python3",
                "-c",
                "import asyncio; asyncio.run(asyncio.sleep(0)); print(1)",
            ]),
            "1",
        ),
        (CommandAssert::new(["date", "-u", "-d", "@0", "+%Y"]), "1970"),
        (CommandAssert::new(["getent", "passwd", "root"]).env("X", "y"), "root"),
    ] {
        let matcher: Matcher = match stdout {
            "root" => Matcher::contains("root"),
            stdout => Matcher::equals(stdout),
        };
        let result = check(assertion.stdout(matcher).timeout(LONG)).await;
        told(&result, Outcome::Passed);
        assert!(result.details()["sandbox"]["by"].as_array().unwrap().len() > 2, "{:?}", result.details());
    }
}

#[tokio::test]
async fn an_honest_program_needs_no_grant() {
    honest().await;
}

#[test]
fn an_honest_program_needs_no_grant_as_a_user_without_rights() {
    as_nobody("sandbox::grants::without_rights", &[]);
}

#[tokio::test]
#[ignore = "run by an_honest_program_needs_no_grant_as_a_user_without_rights, as another user"]
async fn without_rights() {
    honest().await;
    files().await;
    network().await;
}

/// A program of a home, in a prefix of its own, as version managers install them.
#[tokio::test]
async fn a_program_sees_the_installation_that_it_belongs_to() {
    let (_kept, root) = directory();
    let prefix = root.join("tool");
    for part in ["bin", "lib", "share"] {
        fs::create_dir_all(prefix.join(part)).unwrap();
        fs::write(prefix.join(part).join("data"), part).unwrap();
    }
    let program = prefix.join("bin/tool");
    fs::write(
        &program,
        format!("#!/bin/sh\ncat {0}/lib/data; cat {0}/share/data 2>/dev/null\nexit 0\n", prefix.display()),
    )
    .unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    fs::create_dir(root.join("links")).unwrap();
    symlink(&program, root.join("links/tool")).unwrap();
    for program in [program.as_path(), Path::new("links/tool")] {
        let assertion = CommandAssert::new([program.to_str().unwrap()]).cwd(&root);
        let assertion = if program.is_absolute() { assertion.cwd("/usr") } else { assertion.cwd(&root) };
        let stdout = if program.is_absolute() { "lib" } else { "libshare" };
        told(&check(assertion.stdout(Matcher::equals(stdout)).timeout(LONG)).await, Outcome::Passed);
    }
}

async fn files() {
    let (_kept, root) = directory();
    for name in ["read", "write", "real"] {
        fs::create_dir(root.join(name)).unwrap();
        fs::write(root.join(name).join("file"), name).unwrap();
    }
    symlink("real", root.join("current")).unwrap();
    let path = |name: &str| root.join(name).to_str().unwrap().to_owned();
    let (read, write, current) = (path("read"), path("write"), path("current"));
    for (script, sandbox, passes) in [
        (format!("cat {read}/file"), Sandbox::new().read(&read), true),
        (format!("cat {read}/file"), Sandbox::new(), false),
        (format!("cat {read}/file"), Sandbox::new().read(format!("{read}/file")), true),
        (format!("echo x > {read}/new"), Sandbox::new().read(&read), false),
        (
            format!(
                "echo x > {write}/new && chmod 600 {write}/new && mv {write}/new {write}/newer && rm {write}/newer"
            ),
            Sandbox::new().write(&write),
            true,
        ),
        (format!("echo x >> {write}/file"), Sandbox::new().write(format!("{write}/file")), true),
        (format!("cat {current}/file"), Sandbox::new().read(&current), true),
        (
            format!("cat {read}/file && echo x > {write}/y && rm {write}/y"),
            Sandbox::new().read(&root).write(&write),
            true,
        ),
        (format!("echo x > {read}/y"), Sandbox::new().read(&root).write(&write), false),
        (String::from("ls /sys/kernel >/dev/null"), Sandbox::new().read("/sys"), true),
        (
            String::from("test -e /var/log && ls / >/dev/null && echo x > /tmp/x && test $(ls /tmp) = x"),
            Sandbox::new().read("/"),
            true,
        ),
    ] {
        // Where it runs is shown, too: not from here, as that may lie under `/tmp`.
        let result = check(sh(&script).cwd("/usr").sandbox(sandbox).timeout(LONG)).await;
        assert_eq!(result.verdict == Outcome::Passed, passes, "{script}: {}", result.message);
    }
    let result = check(sh("true").sandbox(Sandbox::new().read("/no/such")).timeout(LONG)).await;
    assert_eq!(told(&result, Outcome::Errored), r#"sandbox.read grants "/no/such", which is not there"#);
}

#[tokio::test]
async fn files_are_granted_by_name() {
    files().await;
}

async fn network() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = stream.and_then(|mut stream| stream.write_all(b"hello\n"));
        }
    });
    let connect = |host: &str| {
        let script = format!(
            "import socket; s = socket.create_connection(('{host}', {port}), 10); print(s.recv(9).decode().strip())"
        );
        CommandAssert::new(["/usr/bin/python3", "-c", &script]).stdout(Matcher::equals("hello"))
    };
    use NetworkAccess::{All, Loopback};
    for (host, sandbox, passes) in [
        ("127.0.0.1", Sandbox::new(), false),
        ("127.0.0.1", Sandbox::new().network(Loopback), true),
        ("localhost", Sandbox::new().network(Loopback), true),
        ("127.0.0.1", Sandbox::new().network(All), true),
        ("127.0.0.1", Sandbox::new().network(Loopback).required(), true),
    ] {
        let result = check(connect(host).sandbox(sandbox.clone()).timeout(LONG)).await;
        assert_eq!(result.verdict == Outcome::Passed, passes, "{host}, {sandbox:?}: {}", result.message);
    }
    // An address of this machine that is not the loopback interface's.
    let outside =
        output("hostname", &["-I"]).split_whitespace().find(|one| one.contains('.')).map(str::to_owned);
    if let Some(address) = outside {
        let listener = TcpListener::bind((address.as_str(), 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = format!("import socket; socket.create_connection(('{address}', {port}), 10)");
        for (access, passes) in [(All, true), (Loopback, false)] {
            let assertion = CommandAssert::new(["/usr/bin/python3", "-c", &script])
                .sandbox(Sandbox::new().network(access));
            let result = check(assertion.timeout(LONG)).await;
            assert_eq!(result.verdict == Outcome::Passed, passes, "{access}: {}", result.message);
        }
    }
}

#[tokio::test]
async fn the_network_is_granted_by_degrees() {
    network().await;
}

#[tokio::test]
async fn variables_are_granted_by_name() {
    // SAFETY would be needed to set one: nextest sets this for every test.
    let name = "CARGO_MANIFEST_DIR";
    let script = format!("test -n \"${name}\"");
    told(&check(sh(&script).timeout(LONG)).await, Outcome::Failed);
    told(&check(sh(&script).sandbox(Sandbox::new().env(name)).timeout(LONG)).await, Outcome::Passed);
    told(&check(sh(&script).sandbox(Sandbox::off()).timeout(LONG)).await, Outcome::Passed);
}

#[tokio::test]
async fn a_network_of_a_container_needs_one() {
    let assertion = sh("true").sandbox(Sandbox::new().network(NetworkAccess::At));
    let result = check(assertion.timeout(LONG)).await;
    assert_eq!(
        told(&result, Outcome::Errored),
        "`sandbox.network: at` needs `at:`, the container whose network it is to be; for what listens on this machine, \
         grant `loopback`"
    );
    let engine = clockwork_core::BlankResource::new("r");
    let refused = clockwork_core::Project::new("p").with(engine.assert(sh("true").at("r")));
    let error = clockwork_core::Engine::standard().assert(&refused).await.unwrap_err().to_string();
    assert!(error.contains("at"), "{error}");
}

/// A machine that makes no namespaces: what is left is Landlock, the filter and the limits, and that is said.
#[test]
fn what_is_missing_is_said() {
    let (_kept, directory) = directory();
    let binary = directory.join("it");
    fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    fs::set_permissions(&binary, PermissionsExt::from_mode(0o755)).unwrap();
    let script = format!(
        "for kind in user mnt pid ipc net; do echo 0 > /proc/sys/user/max_${{kind}}_namespaces; done && exec {} --exact \
         sandbox::grants::without_namespaces --ignored --nocapture",
        binary.display()
    );
    let mut command = std::process::Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "unshare",
        "--user",
        "--map-root-user",
    ]);
    if output("id", &["-u"]) != "0" {
        command = std::process::Command::new("unshare");
        command.args(["--user", "--map-root-user"]);
    }
    let output = command.args(["sh", "-c", &script]).current_dir("/").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("1 passed"), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
#[ignore = "run by what_is_missing_is_said, where there are no namespaces"]
async fn without_namespaces() {
    let result = check(sh("cat /etc/hostname").timeout(LONG)).await;
    told(&result, Outcome::Passed);
    let missing = result.details()["sandbox"]["missing"].to_string();
    assert!(missing.contains("it sees which other processes there are (no pid namespace)"), "{missing}");
    assert!(missing.contains("the number of its processes is not limited"), "{missing}");
    assert!(!result.details()["sandbox"]["by"].to_string().contains("namespaces"), "{:?}", result.details());
    let result = check(sh("true").sandbox(Sandbox::new().required()).timeout(LONG)).await;
    let message = told(&result, Outcome::Errored);
    assert!(
        message.starts_with(
            "the sandbox is required, and this machine does not enforce all of it: it sees which other"
        ),
        "{message}"
    );
    let (_kept, root) = directory();
    fs::write(root.join("secret"), "canary").unwrap();
    let path = root.join("secret");
    for (script, passes) in [
        (format!("cat {}", path.display()), false),
        (format!("echo x > {}", path.display()), false),
        (format!("chmod 600 {}", path.display()), false),
        (String::from("echo x > /tmp/clockwork-escape"), false),
        (String::from("kill -0 $PARENT"), false),
        (String::from("cat /proc/$PARENT/environ"), false),
        (String::from("setsid sleep 823.5 >/dev/null 2>&1 & exit 0"), true),
        (String::from("exit 0"), true),
        (String::from("echo x > $TMPDIR/x && test -s $TMPDIR/x && test $TMPDIR != /tmp"), true),
    ] {
        let assertion = sh(&script).env("PARENT", std::process::id().to_string());
        let result = check(assertion.timeout(LONG)).await;
        assert_eq!(result.verdict == Outcome::Passed, passes, "{script}: {}", result.message);
        if !passes {
            told(
                &check(
                    sh(&script)
                        .env("PARENT", std::process::id().to_string())
                        .sandbox(Sandbox::off())
                        .timeout(LONG),
                )
                .await,
                Outcome::Passed,
            );
        }
    }
    assert!(!output("ps", &["-eo", "args="]).lines().any(|line| line == "sleep 823.5"));
    let _ = fs::remove_file("/tmp/clockwork-escape");
    // Where it kept its temporary files, nothing stays.
    let own = format!("clockwork-{}-", std::process::id());
    let began = std::time::Instant::now();
    let kept = || {
        fs::read_dir(std::env::temp_dir())
            .unwrap()
            .flatten()
            .any(|one| one.file_name().to_string_lossy().starts_with(&own))
    };
    while kept() {
        assert!(began.elapsed() < LONG, "temporary files stay");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
