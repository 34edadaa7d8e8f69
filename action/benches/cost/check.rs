//! One check of a scenario, and its two spellings: the manifest's and the floor's.

use std::fmt::Write;

/// What a line of a [`Check::File`] says, so that a pattern has something to find.
pub(crate) const FILE_PATTERN: &str = r"(?m)^version = 1\.4\.\d+$";

/// What is to be looked at. The fields are also the words of the floor's list, so none may hold a tab.
#[derive(Debug, Clone)]
pub(crate) enum Check {
    /// A GET that must answer 200 with this text in its body.
    Http { address: String, path: String, body: String },
    /// A connection that must be accepted.
    Tcp { address: String },
    /// A TLS handshake with a server whose certificate this CA's file vouches for.
    Tls { address: String, ca_file: String },
    /// A name that must have this address, asked of this server.
    Dns { resolver: String, name: String, address: String },
    /// A file's mode, owner, content by [`FILE_PATTERN`], and digest.
    File { path: String, mode: u32, owner: String, sha256: String },
    /// A file that must be there.
    Exists { path: String },
    /// A process of this name that must run, or must not.
    Process { name: String, runs: bool },
    /// A port at which nothing may listen on this machine, at any address.
    ClosedPort { port: u16 },
    /// A container that must run.
    Container { name: String },
    /// A statement of PostgreSQL that must bring this number ([`sql`]).
    Sql { port: u16, password_file: String, number: u32 },
    /// A machine's root with so many packages, none of which the database knows to be vulnerable.
    Vulnerabilities { root: String, database: String, packages: usize },
}

impl Check {
    /// How many assertions of a manifest say the same.
    pub(crate) fn assertions(&self) -> usize {
        match self {
            Self::File { .. } => 2,
            _ => 1,
        }
    }

    /// Its line of the floor's list.
    pub(crate) fn to_line(&self) -> String {
        match self {
            Self::Http { address, path, body } => format!("http\t{address}\t{path}\t{body}"),
            Self::Tcp { address } => format!("tcp\t{address}"),
            Self::Tls { address, ca_file } => format!("tls\t{address}\t{ca_file}"),
            Self::Dns { resolver, name, address } => format!("dns\t{resolver}\t{name}\t{address}"),
            Self::File { path, mode, owner, sha256 } => format!("file\t{path}\t{mode:o}\t{owner}\t{sha256}"),
            Self::Exists { path } => format!("exists\t{path}"),
            Self::Process { name, runs } => format!("process\t{name}\t{runs}"),
            Self::ClosedPort { port } => format!("closed\t{port}"),
            Self::Container { name } => format!("container\t{name}"),
            Self::Sql { port, password_file, number } => format!("sql\t{port}\t{password_file}\t{number}"),
            Self::Vulnerabilities { root, database, packages } => {
                format!("vulnerabilities\t{root}\t{database}\t{packages}")
            }
        }
    }

    /// Reads a line of the floor's list.
    pub(crate) fn from_line(line: &str) -> Option<Self> {
        let mut words = line.split('\t');
        let mut word = || words.next().map(str::to_owned);
        Some(match word()?.as_str() {
            "http" => Self::Http { address: word()?, path: word()?, body: word()? },
            "tcp" => Self::Tcp { address: word()? },
            "tls" => Self::Tls { address: word()?, ca_file: word()? },
            "dns" => Self::Dns { resolver: word()?, name: word()?, address: word()? },
            "file" => Self::File {
                path: word()?,
                mode: u32::from_str_radix(&word()?, 8).ok()?,
                owner: word()?,
                sha256: word()?,
            },
            "exists" => Self::Exists { path: word()? },
            "process" => Self::Process { name: word()?, runs: word()? == "true" },
            "closed" => Self::ClosedPort { port: word()?.parse().ok()? },
            "container" => Self::Container { name: word()? },
            "sql" => Self::Sql {
                port: word()?.parse().ok()?,
                password_file: word()?,
                number: word()?.parse().ok()?,
            },
            "vulnerabilities" => {
                Self::Vulnerabilities { root: word()?, database: word()?, packages: word()?.parse().ok()? }
            }
            _ => return None,
        })
    }

    /// Its lines of a manifest's `assertions`.
    fn write_assertions(&self, out: &mut String) {
        let mut line = |assertion: std::fmt::Arguments<'_>| {
            let _ = writeln!(out, "      - {assertion}"); // a String takes everything
        };
        match self {
            Self::Http { address, path, body } => line(format_args!(
                "HealthcheckAssert: {{ url: \"http://{address}{path}\", body: {{ contains: \"{body}\" }} }}"
            )),
            Self::Tcp { address } => {
                let (host, port) = address.rsplit_once(':').unwrap_or((address, "0"));
                line(format_args!("PortAccessibleAssert: {{ host: \"{host}\", port: {port} }}"));
            }
            Self::Tls { address, ca_file } => {
                let (host, port) = address.rsplit_once(':').unwrap_or((address, "0"));
                let name = crate::server::TLS_NAME;
                line(format_args!(
                    "SslCertificateAssert: {{ host: \"{host}\", port: {port}, server_name: {name}, ca_file: \"{ca_file}\" }}"
                ));
            }
            Self::Dns { resolver, name, address } => line(format_args!(
                "DnsResolveAssert: {{ hostname: \"{name}\", record_type: A, expected_ip: \"{address}\", resolver: \"{resolver}\" }}"
            )),
            Self::File { path, mode, owner, sha256 } => {
                line(format_args!(
                    "FilePermissionsAssert: {{ path: \"{path}\", mode: \"{mode:04o}\", owner: \"{owner}\" }}"
                ));
                line(format_args!(
                    "FileContentMatchesAssert: {{ path: \"{path}\", pattern: '{FILE_PATTERN}', sha256: \"{sha256}\" }}"
                ));
            }
            Self::Exists { path } => line(format_args!("FileExistsAssert: {{ path: \"{path}\" }}")),
            Self::Process { name, runs } => {
                let kind = if *runs { "ProcessRunningAssert" } else { "ProcessNotRunningAssert" };
                line(format_args!("{kind}: {{ name: \"{name}\" }}"));
            }
            Self::ClosedPort { port } => {
                line(format_args!("NoOpenPortsAssert: {{ range: \"{port}-{port}\" }}"));
            }
            Self::Container { name } => {
                line(format_args!("ContainerRunningAssert: {{ container: \"{name}\" }}"));
            }
            Self::Sql { port, password_file, number } => line(format_args!(
                "QuerySuccessAssert: {{ sql_query: \"{}\", value: {number}, connection: {{ \
                 engine: postgresql, host: 127.0.0.1, port: {port}, database: postgres, user: postgres, \
                 password: {{ file: \"{password_file}\" }} }} }}",
                sql(&number.to_string())
            )),
            Self::Vulnerabilities { root, database, .. } => line(format_args!(
                "VulnerabilityScanAssert: {{ path: \"{root}\", database: \"{database}\" }}"
            )),
        }
    }
}

/// A statement that brings the number that stands in it.
pub(crate) fn sql(number: &str) -> String {
    format!("SELECT count(*) FROM generate_series(1, {number})")
}

/// The manifest that asserts all of them, a hundred to a resource.
pub(crate) fn manifest(checks: &[Check]) -> String {
    let mut out = String::from("project: cost\ndefaults: { timeout: 30s, concurrency: 64 }\nresources:\n");
    for (number, group) in checks.chunks(100).enumerate() {
        let _ = writeln!(out, "  group-{number:04}:\n    kind: BlankResource\n    assertions:");
        for check in group {
            check.write_assertions(&mut out);
        }
    }
    out
}

/// The list that the floor reads.
pub(crate) fn floor_list(checks: &[Check]) -> String {
    checks.iter().map(|check| check.to_line() + "\n").collect()
}
