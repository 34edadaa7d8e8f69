//! The PostgreSQL server that some scenarios ask, in a directory of its own.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use nix::unistd::Uid;
use tempfile::TempDir;

/// PostgreSQL refuses to run as root.
const NOBODY: u32 = 65534;
/// How long the server may take to come up.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. It ends when this is dropped, or when the process that holds this ends.
#[derive(Debug)]
pub(crate) struct Database {
    child: Child,
    directory: TempDir,
    /// Where it listens on 127.0.0.1. The user `postgres` comes in with the password in [`Database::password_file`].
    pub(crate) port: u16,
}

fn binary(name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<_> = versions.map(|version| version.path().join("bin").join(name)).collect();
    found.retain(|path| path.exists());
    found.sort();
    found.pop()
}

/// Why there can be none here; `None` if there can.
pub(crate) fn unavailable() -> Option<String> {
    binary("initdb").is_none().then(|| "there is no PostgreSQL under /usr/lib/postgresql".to_owned())
}

/// Runs what follows as somebody who is not root, until this process ends.
fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if Uid::effective().is_root() {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg(program).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl Database {
    /// Starts one.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("clockwork-cost-").tempdir()?;
        let (data, password) = (directory.path().join("data"), directory.path().join("password"));
        fs::write(&password, "a password of the benchmark")?;
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644))?;
        if Uid::effective().is_root() {
            chown(directory.path(), Some(NOBODY), Some(NOBODY))?;
        }
        let mut initdb = as_nobody(&binary("initdb").context("no initdb")?);
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password);
        initdb.args(["-U", "postgres", "-E", "UTF8", "--locale=C", "-A", "scram-sha-256", "--no-sync"]);
        ensure!(initdb.status()?.success(), "initdb failed");
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = as_nobody(&binary("postgres").context("no postgres")?);
        server.arg("-D").arg(&data).args(["-c", "fsync=off", "-c", "listen_addresses=127.0.0.1"]);
        server.args(["-c", &format!("port={port}"), "-c", "unix_socket_directories="]);
        let child = server.spawn().context("cannot start PostgreSQL")?;
        let mut database = Self { child, directory, port };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            ensure!(database.child.try_wait()?.is_none(), "PostgreSQL ended at once");
            ensure!(began.elapsed() < PATIENCE, "PostgreSQL did not come up");
            thread::sleep(Duration::from_millis(50));
        }
        // It listens a moment before it lets anybody in.
        thread::sleep(Duration::from_secs(1));
        Ok(database)
    }

    /// The file that holds the password.
    pub(crate) fn password_file(&self) -> PathBuf {
        self.directory.path().join("password")
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
