//! [`OwnerProbe`]: which processes hold sockets.
//!
//! The kernel's socket table names inodes, not processes. Who holds one is found by reading the descriptors of every
//! process, which costs far more than the table: it is done for the sockets that somebody asks about, ends with the
//! last of them, and looks at processes with very many descriptors last.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    os::unix::fs::MetadataExt,
    path::Path,
};

use clockwork_core::{CheckError, Context, Fault, Probe};

/// How many descriptors are read at most, in all.
const DESCRIPTORS: usize = 500_000;
/// A process with more descriptors than this is looked at after those with fewer.
const MANY: u64 = 1_000;
/// How much of a command line is read.
const ARGUMENTS: u64 = 4 << 10;

/// Looks for the holders of these sockets, by inode.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OwnerProbe(pub Vec<u32>);

/// Who holds which socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owners {
    /// By inode: the holder with the lowest number; where one is systemd, which opens sockets for others, another.
    pub found: HashMap<u32, Owner>,
    /// Why a socket may have a holder that is not found here, if so.
    pub incomplete: Option<&'static str>,
}

/// A process that holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Its number on the host.
    pub pid: u32,
    /// Its name: what `ps -o comm` shows.
    pub name: String,
    /// Its network namespace; 0 where that cannot be seen.
    pub network: u64,
    /// For Docker's userland proxy: the address in the container's network that it passes connections on to.
    pub proxy_for: Option<String>,
}

impl Probe for OwnerProbe {
    type Observation = Owners;

    /// All processes are looked at, wherever they live.
    fn looks_inside(&self) -> bool {
        true
    }

    async fn look(&self, cx: &Context) -> Result<Owners, CheckError> {
        cx.phase("reading the descriptors of processes");
        let wanted: HashSet<u32> = self.0.iter().copied().collect();
        match tokio::task::spawn_blocking(move || find(Path::new("/proc"), wanted)).await {
            Ok(seen) => Ok(seen),
            Err(stopped) => Err(CheckError::unobservable("the look was stopped").with_source(stopped)),
        }
    }

    fn describe(&self) -> String {
        String::from("looking for the processes that hold sockets")
    }

    fn silence(&self) -> Fault {
        Fault::Observer
    }

    fn weight(seen: &Owners) -> usize {
        256 + seen.found.len() * 128
    }
}

fn find(proc: &Path, mut wanted: HashSet<u32>) -> Owners {
    let mut owners = Owners::default();
    wanted.remove(&0); // a socket that nobody holds any more
    let mut left = DESCRIPTORS;
    for pid in processes(proc) {
        if wanted.is_empty() {
            return owners;
        }
        match held(&proc.join(pid.to_string()), &wanted, &mut left) {
            Ok(held) if held.is_empty() => {}
            Ok(held) => {
                let owner = Owner::read(&proc.join(pid.to_string()), pid);
                for inode in held {
                    wanted.remove(&inode);
                    owners.found.insert(inode, owner.clone());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                owners.incomplete = Some("no permission");
            }
            Err(_) => {} // it ended
        }
        if left == 0 {
            owners.incomplete = Some("too many descriptors to look through");
            break;
        }
    }
    owners
}

/// Those with few descriptors first, and systemd last: it holds the sockets that it opened for its services.
fn processes(proc: &Path) -> Vec<u32> {
    let entries = fs::read_dir(proc).into_iter().flatten().flatten();
    let mut all: Vec<_> = entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse::<u32>().ok()?;
            // How many there are, since Linux 6.2; 0 before.
            let descriptors = fs::metadata(entry.path().join("fd")).map_or(0, |seen| seen.size());
            Some((pid == 1, descriptors > MANY, pid))
        })
        .collect();
    all.sort_unstable();
    all.into_iter().map(|(_, _, pid)| pid).collect()
}

fn held(process: &Path, wanted: &HashSet<u32>, left: &mut usize) -> io::Result<Vec<u32>> {
    let mut held = Vec::new();
    for entry in fs::read_dir(process.join("fd"))? {
        if *left == 0 || held.len() == wanted.len() {
            break;
        }
        *left -= 1;
        // Descriptors come and go.
        let Ok(target) = fs::read_link(entry?.path()) else { continue };
        let inode = target.to_str().and_then(|target| target.strip_prefix("socket:[")?.strip_suffix(']'));
        if let Some(inode) = inode.and_then(|inode| inode.parse().ok())
            && wanted.contains(&inode)
            && !held.contains(&inode)
        {
            held.push(inode);
        }
    }
    Ok(held)
}

impl Owner {
    fn read(process: &Path, pid: u32) -> Self {
        let name = fs::read(process.join("comm")).unwrap_or_default();
        let name = String::from_utf8_lossy(name.strip_suffix(b"\n").unwrap_or(&name)).into_owned();
        let network = fs::metadata(process.join("ns/net")).map_or(0, |seen| seen.ino());
        let proxy_for = if name == "docker-proxy" { proxied(process) } else { None };
        Self { pid, name, network, proxy_for }
    }
}

/// `docker-proxy -proto tcp -host-ip 0.0.0.0 -host-port 8080 -container-ip 172.17.0.2 -container-port 80`.
fn proxied(process: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(process.join("cmdline")).ok()?;
    io::Read::read_to_end(&mut io::Read::take(file, ARGUMENTS), &mut bytes).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let arguments: Vec<&str> = text.split('\0').collect();
    let after = |option: &str| {
        let at = arguments.iter().position(|argument| *argument == option)?;
        arguments.get(at + 1).copied()
    };
    let address: std::net::IpAddr = after("-container-ip")?.parse().ok()?;
    let port: u16 = after("-container-port")?.parse().ok()?;
    Some(std::net::SocketAddr::new(address, port).to_string())
}

/// `redis-server, pid 812`.
impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let plain = !self.name.is_empty() && self.name.chars().all(|c| c.is_ascii_graphic() && c != '"');
        match plain {
            true => f.write_str(&self.name)?,
            false => f.write_str(&clockwork_core::text::quote(&self.name))?,
        }
        write!(f, ", pid {}", self.pid)?;
        match &self.proxy_for {
            Some(address) => write!(f, ", for the container at {address}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

    use std::os::unix::fs::symlink;

    use super::*;

    /// A procfs of plain files.
    fn process(proc: &Path, pid: u32, name: &str, arguments: &str, sockets: &[u32]) {
        let directory = proc.join(pid.to_string());
        fs::create_dir_all(directory.join("fd")).unwrap();
        fs::write(directory.join("comm"), format!("{name}\n")).unwrap();
        fs::write(directory.join("cmdline"), arguments).unwrap();
        symlink("/dev/null", directory.join("fd/0")).unwrap();
        for (number, inode) in sockets.iter().enumerate() {
            let fd = directory.join(format!("fd/{}", number + 3));
            symlink(format!("socket:[{inode}]"), fd).unwrap();
        }
    }

    #[test]
    fn holders_are_found_and_named() {
        let proc = tempfile::tempdir().unwrap();
        let proxy =
            "docker-proxy\0-proto\0tcp\0-host-ip\00.0.0.0\0-container-ip\0172.17.0.2\0-container-port\080\0";
        process(proc.path(), 1, "systemd", "", &[10, 11]);
        process(proc.path(), 812, "redis-server", "", &[5, 10]);
        process(proc.path(), 813, "redis-server", "", &[10]);
        process(proc.path(), 20, "docker-proxy", proxy, &[12]);
        process(proc.path(), 21, "a\n\x1b[31m", "", &[13]);
        let seen = find(proc.path(), [10, 11, 12, 13, 14, 0].into());
        let told = |inode: u32| seen.found.get(&inode).map(ToString::to_string);
        assert_eq!(told(10).unwrap(), "redis-server, pid 812");
        assert_eq!(told(11).unwrap(), "systemd, pid 1");
        assert_eq!(told(12).unwrap(), "docker-proxy, pid 20, for the container at 172.17.0.2:80");
        assert_eq!(told(13).unwrap(), r#""a\n\u{1b}[31m", pid 21"#);
        assert_eq!((told(14), seen.incomplete), (None, None));
    }

    #[test]
    fn this_process_is_found() {
        let open = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
        let inode = fs::read_link(link).unwrap().to_str().unwrap().replace(|c: char| !c.is_ascii_digit(), "");
        let inode = inode.parse().unwrap();
        let seen = find(Path::new("/proc"), [inode].into());
        assert_eq!(seen.found[&inode].pid, std::process::id());
    }
}
