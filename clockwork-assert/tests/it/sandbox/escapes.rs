//! Every way out that we know of, tried in a sandbox and without one. A program that ends with 0 has escaped: in the
//! sandbox none may, without it those must that could, so that each attempt is known to be one.

use std::{
    collections::BTreeMap,
    fs,
    net::{TcpListener, UdpSocket},
    os::unix::{
        fs::{PermissionsExt, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use clockwork_assert::CommandAssert;
use clockwork_core::{AssertionExt, ByteSize, Engine, Outcome, Project};
use clockwork_drivers::sandbox::Sandbox;

use super::attempts::{ATTEMPTS, Attempt, Language, Whose};
use crate::{
    nobody::as_nobody,
    run::{directory, output},
};

/// What the attempts are about: things outside that they may not reach.
struct Outside {
    _kept: tempfile::TempDir,
    target: Child,
    _listeners: (TcpListener, UdpSocket, UnixListener, UnixListener),
    variables: BTreeMap<&'static str, String>,
    read: PathBuf,
    write: PathBuf,
    here: PathBuf,
}

impl Drop for Outside {
    fn drop(&mut self) {
        let _ = self.target.kill();
        let _ = self.target.wait();
    }
}

const CANARY: &str = "canary-5d1e";

fn outside() -> Outside {
    let (kept, root) = directory();
    let make = |name: &str| {
        let path = root.join(name);
        fs::create_dir(&path).unwrap();
        path
    };
    let (here, read, write, closed) = (make("here"), make("read"), make("write"), make("closed"));
    let secret = closed.join("secret");
    fs::write(&secret, CANARY).unwrap();
    fs::write(root.join("beside"), CANARY).unwrap();
    fs::write(read.join("file"), "granted").unwrap();
    fs::write(here.join("file"), "here").unwrap();
    symlink(&secret, here.join("link")).unwrap();
    symlink("../closed", here.join("up")).unwrap();
    for file in [read.join("file"), here.join("file")] {
        fs::set_permissions(file, PermissionsExt::from_mode(0o644)).unwrap();
    }
    // A process of the same user, outside.
    let target = Command::new("sleep").arg("600").env("CANARY", CANARY).stdin(Stdio::null()).spawn().unwrap();
    let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let path = closed.join("socket");
    let unix = UnixListener::bind(&path).unwrap();
    let name = format!("clockwork-test-{}", std::process::id());
    let abstracted = {
        use std::os::linux::net::SocketAddrExt;
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        UnixListener::bind_addr(&address).unwrap()
    };
    let show = |path: &Path| path.to_str().unwrap().to_owned();
    let variables = BTreeMap::from([
        ("SECRET", show(&secret)),
        ("CLOSED", show(&closed)),
        ("READ", show(&read)),
        ("WRITE", show(&write)),
        ("OUTSIDE", show(&root)),
        ("TARGET", target.id().to_string()),
        ("PARENT", std::process::id().to_string()),
        ("PORT", tcp.local_addr().unwrap().port().to_string()),
        ("UDP", udp.local_addr().unwrap().port().to_string()),
        ("SOCKET", show(&path)),
        ("ABSTRACT", name),
        ("HERE", show(&here)),
    ]);
    Outside { _kept: kept, target, _listeners: (tcp, udp, unix, abstracted), variables, read, write, here }
}

async fn escaped(attempt: &Attempt, outside: &Outside, sandbox: Sandbox) -> (bool, String) {
    let words = match attempt.language {
        Language::Shell => ["sh", "-c", attempt.script],
        Language::Python => ["/usr/bin/python3", "-c", attempt.script],
    };
    let mut command = CommandAssert::new(words).cwd(&outside.here).sandbox(sandbox);
    for (name, value) in &outside.variables {
        command = command.env(*name, value.clone());
    }
    let project = Project::new("escape").assert(command.timeout(Duration::from_secs(60)));
    let report = Engine::standard().assert(&project).await.unwrap();
    let result = &report.results[0];
    let whole = serde_json::to_string(&report).unwrap();
    assert!(!whole.contains(CANARY) || sandbox_is_off(attempt, result.verdict), "{}: {whole}", attempt.name);
    (result.verdict == Outcome::Passed, result.message.clone())
}

fn sandbox_is_off(_: &Attempt, verdict: Outcome) -> bool {
    verdict == Outcome::Passed
}

fn sandbox(outside: &Outside) -> Sandbox {
    Sandbox::new()
        .read(&outside.read)
        .write(&outside.write)
        .memory(ByteSize(256 << 20))
        .cpu(Duration::from_secs(30))
        .processes(32)
        .open_files(128)
        .file_size(ByteSize(8 << 20))
}

async fn all(root: bool) {
    let (mut escapes, mut idle, mut tried) = (Vec::new(), Vec::new(), 0);
    for attempt in ATTEMPTS {
        let outside = outside();
        let before = fs::read_to_string(outside.read.join("file")).unwrap();
        let (out, message) = escaped(attempt, &outside, sandbox(&outside)).await;
        tried += 1;
        if out {
            escapes.push(format!("{} ({message})", attempt.name));
        }
        let untouched = fs::read_to_string(outside.read.join("file")).ok();
        if untouched.as_deref() != Some(before.as_str())
            || fs::read_dir(outside.here.join("..")).unwrap().count() != 5
        {
            escapes.push(format!("{}: it changed something", attempt.name));
        }
        let can = match attempt.whose {
            Whose::Anybodys => true,
            Whose::Roots => root,
            Whose::Nobodys => false,
        };
        if can {
            let (out, message) = escaped(attempt, &outside, Sandbox::off()).await;
            if !out {
                idle.push(format!("{} ({message})", attempt.name));
            }
        }
    }
    assert!(escapes.is_empty(), "escaped: {escapes:#?}");
    assert!(idle.is_empty(), "do not even work without a sandbox: {idle:#?}");
    assert!(tried >= 40, "{tried}");
}

#[tokio::test]
async fn nobody_gets_out() {
    all(output("id", &["-u"]) == "0").await;
}

#[test]
fn nobody_gets_out_as_a_user_without_rights() {
    as_nobody("sandbox::escapes::without_rights", &[]);
}

#[tokio::test]
#[ignore = "run by nobody_gets_out_as_a_user_without_rights, as another user"]
async fn without_rights() {
    all(false).await;
}
