//! The scenarios, what they need to be there, and what Clockwork may cost in each.

use std::{
    env,
    fs::{self, Permissions},
    net::{Ipv6Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context as _, bail};
use nix::unistd::{Uid, User};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{
    certificates,
    check::Check,
    containers::{self, Containers},
    crowd::Crowd,
    database::{self, Database},
    flat,
    floor::hex,
    planning,
    server::{self, Server},
    vulnerability,
};

/// Every scenario that is a comparison; `graph-20000` and `flat` are of their own.
pub(crate) const NAMES: &[&str] = &[
    "http-1000",
    "http-10000",
    "tcp-1000",
    "tls-200",
    "dns-1000",
    "files-1000",
    // Before there are a hundred containers, which the engine takes its time to list.
    "mixed-30",
    "containers-100",
    "sockets-20000",
    "sql-100",
    "start",
    "memory-10000",
    "vulnerability-200",
];

/// How many ports accept plain connections, each on [`TCP_ADDRESSES`] addresses.
const TCP_PORTS: usize = 50;
const TCP_ADDRESSES: usize = 20;
/// How many ports speak TLS, on as many addresses each.
const TLS_PORTS: usize = 10;
/// As large as configuration files are.
const FILE_BYTES: usize = 4096;
/// Established connections, both ends of them.
const SOCKETS: usize = 20_000;
/// The name of the process that must run.
const PROCESS: &str = "sleep";

/// What Clockwork may cost; `None` where the scenario is not about that.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// Times the floor's wall time.
    pub(crate) wall: Option<f64>,
    /// Times the floor's CPU time.
    pub(crate) cpu: Option<f64>,
    /// Wall time of the whole process.
    pub(crate) wall_ms: Option<f64>,
    /// Memory.
    pub(crate) peak_mib: Option<f64>,
}

/// A list of checks, how often to run it, and what it may cost.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) rounds: usize,
    pub(crate) limits: Limits,
    pub(crate) checks: Vec<Check>,
}

/// The two programs that are compared, each written in one piece. From what a linker has written here and there, and from what
/// tar has unpacked, the command's start takes up to a sixth more: how a file came about is not to decide between the two.
#[derive(Debug)]
pub(crate) struct Programs {
    pub(crate) clockwork: String,
    pub(crate) floor: String,
}

impl Programs {
    fn copied(directory: &Path) -> anyhow::Result<Self> {
        let copy = |from: &Path, name: &str| {
            let to = directory.join(name);
            fs::write(&to, fs::read(from)?)?;
            fs::set_permissions(&to, Permissions::from_mode(0o755))?;
            anyhow::Ok(to.display().to_string())
        };
        Ok(Self {
            clockwork: copy(Path::new(env!("CARGO_BIN_EXE_clockwork")), "clockwork")?,
            floor: copy(&env::current_exe()?, "floor")?,
        })
    }
}

/// What the scenarios look at. All of it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct World {
    directory: TempDir,
    pub(crate) programs: Programs,
    certificates: certificates::Files,
    server: Server,
    process: Child,
    containers: Option<Containers>,
    crowd: Option<Crowd>,
    database: Option<Database>,
    user: String,
    files: Vec<Check>,
}

impl World {
    /// With a server, a process to look for, and no files or containers yet.
    pub(crate) fn new() -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new().prefix("clockwork-cost-").tempdir()?;
        let certificates = certificates::write(directory.path())?;
        let process = Command::new(PROCESS).arg("86400").stdin(Stdio::null()).spawn().context(PROCESS)?;
        Ok(Self {
            programs: Programs::copied(directory.path())?,
            server: Server::start(TCP_PORTS, TLS_PORTS, &certificates)?,
            directory,
            certificates,
            process,
            containers: None,
            crowd: None,
            database: None,
            user: User::from_uid(Uid::effective())?.context("this user has no name")?.name,
            files: Vec::new(),
        })
    }

    /// Where manifests, lists and files are.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Distinct URLs of one server.
    pub(crate) fn http(&self, count: usize) -> Vec<Check> {
        let address = format!("127.0.0.1:{}", self.server.http);
        let check = |number: usize| Check::Http {
            address: address.clone(),
            path: format!("/check/{number}"),
            body: server::body(&number.to_string()),
        };
        (0..count).map(check).collect()
    }

    /// Distinct pairs of address and port.
    fn tcp(&self, count: usize) -> Vec<Check> {
        let addresses = (1..=TCP_ADDRESSES)
            .flat_map(|host| self.server.tcp.iter().map(move |port| format!("127.0.0.{host}:{port}")));
        addresses.take(count).map(|address| Check::Tcp { address }).collect()
    }

    /// Distinct pairs of address and port.
    fn tls(&self, count: usize) -> Vec<Check> {
        let addresses = (1..=TCP_ADDRESSES)
            .flat_map(|host| self.server.tls.iter().map(move |port| format!("127.0.0.{host}:{port}")));
        let check = |address| Check::Tls { address, ca_file: self.certificates.root.clone() };
        addresses.take(count).map(check).collect()
    }

    /// Distinct names of one server.
    fn dns(&self, count: u16) -> Vec<Check> {
        let resolver = format!("127.0.0.1:{}", self.server.dns);
        let check = |number: u16| Check::Dns {
            resolver: resolver.clone(),
            name: format!("{number}.bench.test"),
            address: server::address(number).to_string(),
        };
        (0..count).map(check).collect()
    }

    /// Distinct files.
    fn files(&mut self, count: usize) -> anyhow::Result<Vec<Check>> {
        let folder = self.directory.path().join("files");
        fs::create_dir_all(&folder)?;
        while self.files.len() < count {
            let number = self.files.len();
            let path = folder.join(format!("service-{number:05}.conf"));
            let filler = format!("# service {number}, a line like any other\n");
            let half = filler.repeat(FILE_BYTES / 2 / filler.len());
            let content = format!("{half}version = 1.4.{number}\n{half}");
            fs::write(&path, &content)?;
            fs::set_permissions(&path, Permissions::from_mode(0o640))?;
            self.files.push(Check::File {
                path: path.to_str().context("the directory's name is not UTF-8")?.to_owned(),
                mode: 0o640,
                owner: self.user.clone(),
                sha256: hex(&Sha256::digest(&content)),
            });
        }
        Ok(self.files[..count].to_vec())
    }

    /// Running containers.
    fn containers(&mut self, count: usize) -> anyhow::Result<Vec<Check>> {
        if self.containers.as_ref().is_none_or(|running| running.names.len() < count) {
            self.containers = None; // first, so that the old ones are gone before the new ones come
            eprintln!("starting {count} containers");
            self.containers = Some(Containers::start(count)?);
        }
        let names = self.containers.iter().flat_map(|running| &running.names);
        Ok(names.take(count).map(|name| Check::Container { name: name.clone() }).collect())
    }

    /// Builds a scenario; an `Err` inside says why it cannot be run here.
    pub(crate) fn scenario(&mut self, name: &str) -> anyhow::Result<Result<Scenario, String>> {
        let Some(name) = NAMES.iter().copied().find(|known| *known == name) else {
            bail!(
                "there is no scenario {name}; there are {}, {} and {}",
                NAMES.join(", "),
                planning::NAME,
                flat::NAME
            );
        };
        if matches!(name, "containers-100" | "mixed-30")
            && let Some(why) = containers::unavailable()
        {
            return Ok(Err(why));
        }
        if name == "sql-100"
            && let Some(why) = database::unavailable()
        {
            return Ok(Err(why));
        }
        if name == "sockets-20000" && Command::new("ss").arg("-V").output().is_err() {
            return Ok(Err(String::from("there is no `ss` to compare with")));
        }
        let http = Limits { wall: Some(1.3), cpu: Some(1.6), ..Limits::default() };
        let wall = |times| Limits { wall: Some(times), ..Limits::default() };
        let peak = Limits { peak_mib: Some(40.0), ..Limits::default() };
        let listeners = Limits { wall_ms: Some(50.0), ..Limits::default() };
        let start = Limits { wall_ms: Some(6.0), ..Limits::default() };
        let (rounds, limits, checks) = match name {
            "http-1000" => (21, http, self.http(1_000)),
            "http-10000" => (9, Limits { peak_mib: peak.peak_mib, ..http }, self.http(10_000)),
            "tcp-1000" => (21, wall(1.3), self.tcp(1_000)),
            "tls-200" => (21, wall(1.3), self.tls(200)),
            "dns-1000" => (21, wall(1.5), self.dns(1_000)),
            "files-1000" => (21, wall(1.6), self.files(1_000)?),
            "containers-100" => (21, wall(2.0), self.containers(100)?),
            "sql-100" => (21, wall(1.3), self.sql(100)?),
            "sockets-20000" => (21, listeners, vec![self.closed_port()?]),
            "mixed-30" => (41, wall(1.5), self.mixed()?),
            "start" => (101, start, vec![self.exists()?]),
            // The first round, which does not count, makes the index.
            "vulnerability-200" => {
                let limits = Limits { wall_ms: Some(300.0), peak_mib: Some(80.0), ..Limits::default() };
                (21, limits, vec![vulnerability::machine(self.directory())?])
            }
            _ => (3, peak, self.half_and_half()?),
        };
        Ok(Ok(Scenario { name, rounds, limits, checks }))
    }

    /// One file.
    fn exists(&self) -> anyhow::Result<Check> {
        let path = self.directory.path().join("there");
        fs::write(&path, "")?;
        Ok(Check::Exists { path: path.to_str().context("the directory's name is not UTF-8")?.to_owned() })
    }

    /// Statements of one database.
    fn sql(&mut self, count: u32) -> anyhow::Result<Vec<Check>> {
        let database = match &mut self.database {
            Some(database) => database,
            none => none.insert(Database::start()?),
        };
        let (port, file) = (database.port, database.password_file());
        let password_file = file.to_str().context("the directory's name is not UTF-8")?;
        let check = |number| Check::Sql { port, password_file: password_file.to_owned(), number };
        Ok((1..=count).map(check).collect())
    }

    /// A port at which nothing listens, beside twenty thousand established sockets.
    fn closed_port(&mut self) -> anyhow::Result<Check> {
        eprintln!("opening {SOCKETS} sockets");
        self.crowd = Some(Crowd::of(SOCKETS)?);
        // Below those that the kernel gives away.
        let free = |port: &u16| TcpListener::bind((Ipv6Addr::UNSPECIFIED, *port)).is_ok();
        let port = (20_000..30_000).find(free).context("no port is free")?;
        Ok(Check::ClosedPort { port })
    }

    /// What a small shop's manifest says: thirty assertions of all kinds.
    fn mixed(&mut self) -> anyhow::Result<Vec<Check>> {
        let mut checks = self.http(10);
        checks.extend(self.tcp(6));
        checks.extend(self.files(3)?); // two assertions each
        checks.push(self.exists()?);
        checks.push(Check::Process { name: PROCESS.to_owned(), runs: true });
        checks.push(Check::Process { name: "clockwork-none".to_owned(), runs: false });
        checks.extend(self.containers(5)?);
        Ok(checks)
    }

    /// Ten thousand assertions of the two kinds that keep most of what they saw.
    fn half_and_half(&mut self) -> anyhow::Result<Vec<Check>> {
        let mut checks = self.http(5_000);
        checks.extend(self.files(2_500)?); // two assertions each
        Ok(checks)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
