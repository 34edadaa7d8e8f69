//! unbound, serving a zone file.

use std::{
    net::{SocketAddr, TcpListener, UdpSocket},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// A running unbound. It ends when this is dropped, or when the thread that started it does.
pub(super) struct Unbound {
    pub(super) address: SocketAddr,
    child: Child,
    _directory: TempDir,
}

impl Unbound {
    /// Serves this zone file as `zone.test`; besides, `refused.test` is refused, and of `dead.test` it
    /// knows no server.
    pub(super) fn start(zone: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("zone");
        std::fs::write(&file, zone).unwrap();
        // The port may be taken in between, and then unbound ends at once.
        for _ in 0..5 {
            let address = free_port();
            let config = directory.path().join("unbound.conf");
            std::fs::write(&config, configuration(address, file.to_str().unwrap())).unwrap();
            let child = Command::new("setpriv")
                .args(["--pdeathsig", "KILL", "unbound", "-d", "-c"])
                .arg(&config)
                .env("PATH", format!("{}:/usr/sbin", std::env::var("PATH").unwrap()))
                .stderr(Stdio::null())
                .spawn()
                .expect("unbound is installed (scripts/test.sh brings it)");
            let mut server = Self { address, child, _directory: tempfile::tempdir().unwrap() };
            if server.comes_up() {
                server._directory = directory;
                return server;
            }
        }
        panic!("unbound does not come up");
    }

    fn comes_up(&mut self) -> bool {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(10) && self.child.try_wait().unwrap().is_none() {
            // Any answer will do.
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            let question = [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, b't', b'e', b's', b't', 0, 0, 1, 0, 1];
            let asked = socket.connect(self.address).and_then(|()| socket.send(&question));
            if asked.is_ok() && socket.recv(&mut [0; 512]).is_ok() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// What dig says: the status, and the records, sorted.
    pub(super) fn dig(&self, name: &str, record_type: &str) -> (String, Vec<String>) {
        let run = |options: &[&str]| {
            let port = self.address.port().to_string();
            let output = Command::new("dig")
                .args(["@127.0.0.1", "-p", &port, "+tries=1", "+time=5"])
                .args(options)
                .args(["-q", name, "-t", record_type])
                .output()
                .expect("dig is installed (scripts/test.sh brings it)");
            String::from_utf8(output.stdout).unwrap()
        };
        let comments = run(&["+noall", "+comments"]);
        let status =
            comments.split("status: ").nth(1).and_then(|rest| rest.split(',').next()).unwrap_or("none");
        let mut records: Vec<_> = run(&["+short"]).lines().map(|line| line.replace("\" \"", "")).collect();
        records.sort();
        (status.to_owned(), records)
    }
}

impl Drop for Unbound {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port of 127.0.0.1 that is free over UDP and TCP.
fn free_port() -> SocketAddr {
    loop {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

fn configuration(address: SocketAddr, zone: &str) -> String {
    let port = address.port();
    format!(
        r#"server:
  interface: 127.0.0.1@{port}
  port: {port}
  username: ""
  chroot: ""
  pidfile: ""
  directory: ""
  use-syslog: no
  verbosity: 0
  do-not-query-localhost: no
  do-ip6: no
  num-threads: 1
  module-config: "iterator"
  local-zone: "test." nodefault
  local-zone: "refused.test." refuse
auth-zone:
  name: "zone.test"
  zonefile: "{zone}"
  for-downstream: yes
  for-upstream: yes
stub-zone:
  name: "dead.test"
remote-control:
  control-enable: no
"#
    )
}
