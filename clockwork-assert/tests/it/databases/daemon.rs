//! Servers as processes: they end with the test, whatever becomes of it.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::run::output;

/// A process that is killed when this is dropped, or when the test's process dies.
pub(crate) struct Daemon(Child);

impl Daemon {
    /// Starts it as a user who is not root, with its output in `log`.
    pub(crate) fn start(program: &Path, arguments: &[String], log: &Path) -> Self {
        let mut command = as_nobody();
        let log = File::create(log).unwrap();
        command.arg(program).args(arguments).stdin(Stdio::null());
        let child = command.current_dir("/").stderr(log.try_clone().unwrap()).stdout(log).spawn().unwrap();
        Self(child)
    }

    /// Whether it is still there.
    pub(crate) fn runs(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `setpriv`, which makes what follows run as nobody (where we are root) and die with us.
pub(crate) fn as_nobody() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if output("id", &["-u"]) == "0" {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command
}

/// Gives a directory to the user that servers run as.
pub(crate) fn give(directory: &Path) {
    if output("id", &["-u"]) == "0" {
        output("chown", &["-R", "65534:65534", directory.to_str().unwrap()]);
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Waits until it holds.
pub(crate) fn wait_until(what: &str, log: &Path, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        let said = || std::fs::read_to_string(log).unwrap_or_default();
        assert!(began.elapsed() < Duration::from_secs(60), "{what} did not come: {}", said());
        std::thread::sleep(Duration::from_millis(30));
    }
}

/// A data directory that was made once for all test processes, copied to `to`.
pub(crate) fn from_template(name: &str, to: &Path, make: impl FnOnce(&Path)) {
    let template = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&template).unwrap();
    let lock = File::create(template.join("lock")).unwrap();
    lock.lock().unwrap();
    let (done, data) = (template.join("done"), template.join("data"));
    if !done.exists() {
        let _ = std::fs::remove_dir_all(&data);
        std::fs::create_dir(&data).unwrap();
        give(&data);
        make(&data);
        File::create(done).unwrap();
    }
    output("cp", &["-a", data.to_str().unwrap(), to.to_str().unwrap()]);
}
