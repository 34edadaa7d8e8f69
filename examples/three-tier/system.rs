//! The whole system, in containers: started once, removed whatever happens.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use clockwork_core::{Engine, Event, Graph, ManifestInput, Report, RunOptions};

use crate::{
    certificates::Authority,
    docker::{Result, all_at_once, docker},
};

const MANIFEST: &str = include_str!("clockwork.yaml");

/// How long the system may take to come up, or to recover.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct System {
    /// What every container's and network's name begins with.
    prefix: String,
    directory: PathBuf,
    pub(crate) authority: Authority,
    ports: [(&'static str, u16); 3],
    engine: Engine,
}

const CONTAINERS: [&str; 7] = ["primary", "replica", "queue", "api-1", "api-2", "worker", "load-balancer"];

/// The primary: made anew at each start, with who may do what.
const PRIMARY: &str = r#"
set -e
data=/var/lib/postgresql/data
initdb -N -D $data -U admin --pwfile=/shop/secrets/admin -A scram-sha-256 --auth-local=trust -E UTF8 --locale=C >/dev/null
cat >>$data/postgresql.conf <<'CONF'
listen_addresses = '*'
unix_socket_directories = '/tmp'
fsync = off
wal_level = replica
max_wal_senders = 4
max_connections = 60
wal_keep_size = '64MB'
CONF
printf 'local all all trust\nhost all all all scram-sha-256\nhost replication all all scram-sha-256\n' >$data/pg_hba.conf
exec postgres -D $data
"#;

const REPLICA: &str = r#"
data=/var/lib/postgresql/data
export PGPASSWORD=$(cat /shop/secrets/admin)
until pg_basebackup -h orders-db -U admin -D $data -X stream -R -c fast -N; do rm -rf $data; sleep 0.2; done
chmod 700 $data
echo "wal_receiver_timeout = '3s'" >>$data/postgresql.conf
echo "wal_retrieve_retry_interval = '500ms'" >>$data/postgresql.conf
exec postgres -D $data
"#;

const TABLES: &str = "
CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, product text NOT NULL, cents integer NOT NULL);
CREATE TABLE reports (id bigint PRIMARY KEY, product text NOT NULL, cents integer NOT NULL);
CREATE ROLE api LOGIN PASSWORD '$api';
CREATE ROLE worker LOGIN PASSWORD '$worker';
REVOKE CONNECT ON DATABASE shop FROM PUBLIC;
GRANT CONNECT ON DATABASE shop TO api, worker;
GRANT SELECT, INSERT ON orders TO api;
GRANT SELECT ON orders TO worker;
GRANT SELECT, INSERT ON reports TO worker;
";

const BALANCER: &str = "
user root root;
daemon off;
error_log stderr error;
pid /run/nginx.pid;
events {}
http {
  access_log off;
  upstream api {
    server api-1:8443 max_fails=0;
    server api-2:8443 max_fails=0;
  }
  server {
    listen 80;
    location / {
      proxy_pass https://api;
      proxy_ssl_trusted_certificate /shop/tls/ca.pem;
      proxy_ssl_verify on;
      proxy_ssl_name shop.internal;
      proxy_connect_timeout 500ms;
      proxy_read_timeout 4s;
      proxy_next_upstream_tries 2;
    }
  }
}
";

impl System {
    /// A system of this name, which is not there yet; `directory` is for its files.
    pub(crate) fn new(prefix: &str, directory: &Path) -> Result<Self> {
        let port = || -> Result<u16> { Ok(listener()?.local_addr().map_err(told)?.port()) };
        let ports = [("primary_port", port()?), ("replica_port", port()?), ("web_port", port()?)];
        let engine = Engine::builder()
            .register(clockwork_drivers::register)
            .register(clockwork_assert::register)
            .build()
            .map_err(told)?;
        let (prefix, directory) = (prefix.to_owned(), directory.to_owned());
        Ok(Self { prefix, directory, authority: Authority::new("The shop's own")?, ports, engine })
    }

    /// A container's name in the engine.
    pub(crate) fn container(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// A network's name in the engine.
    pub(crate) fn network(&self, name: &str) -> String {
        format!("{}-{name}", self.prefix)
    }

    /// Where the certificate of this replica of the API lies.
    pub(crate) fn tls(&self, api: &str) -> PathBuf {
        self.directory.join("tls").join(api)
    }

    fn names_of(&self, api: &str) -> [String; 2] {
        [self.container(api), String::from("shop.internal")]
    }

    /// Gives this replica of the API its right certificate.
    pub(crate) fn certify(&self, api: &str) -> Result {
        let [first, second] = self.names_of(api);
        self.authority.issue(&self.tls(api), &[&first, &second], 90)
    }

    /// Starts all of it, and waits until it is as it should be.
    pub(crate) fn start(&self) -> Result {
        self.write_files()?;
        for network in ["front", "back"] {
            docker(&["network", "create", &self.network(network)])?;
        }
        let shop = std::env::current_exe().map_err(told)?.with_file_name("shop");
        let shop = format!("{}:/bin/shop:ro", shop.display());
        let files = format!("{}:/shop:ro", self.directory.display());
        let [primary, replica, web] = [(0, 5432), (1, 5432), (2, 80)]
            .map(|(at, inner)| format!("127.0.0.1:{}:{inner}", self.ports[at].1));
        let run = |name: &str, network: &str, alias: &str, more: &[&str], image: &[&str]| -> Vec<String> {
            let (container, network) = (self.container(name), self.network(network));
            let base =
                ["run", "--detach", "--stop-timeout", "1", "--name", &container, "--network", &network];
            let rest = ["--network-alias", alias, "--volume", &files];
            [&base[..], &rest, more, image].concat().into_iter().map(str::to_owned).collect()
        };
        let database = ["--user", "70", "--tmpfs", "/var/lib/postgresql:uid=70,mode=700"];
        let postgres = |script: &'static str| ["clockwork/postgres:test", "sh", "-c", script];
        let queue = [
            "clockwork/nats:test",
            "nats-server",
            "--jetstream",
            "--store_dir",
            "/tmp",
            "--http_port",
            "8222",
        ];
        all_at_once(&[
            run(
                "primary",
                "back",
                "orders-db",
                &[&database[..], &["--publish", &primary]].concat(),
                &postgres(PRIMARY),
            ),
            run(
                "replica",
                "back",
                "orders-replica",
                &[&database[..], &["--publish", &replica]].concat(),
                &postgres(REPLICA),
            ),
            run("queue", "back", "events", &[], &queue),
        ])?;
        self.make_tables()?;
        let api = |name: &'static str| {
            let (name_is, tls) = (format!("NAME={name}"), format!("TLS_DIRECTORY=/shop/tls/{name}"));
            let more = ["--volume", &shop, "--env", "DATABASE_HOST=orders-db", "--env", "DATABASE_USER=api"];
            let rest = ["--env", "DATABASE_PASSWORD_FILE=/shop/secrets/api", "--env", "EVENTS_HOST=events"];
            let own = ["--env", &name_is, "--env", &tls];
            run(
                name,
                "back",
                name,
                &[&more[..], &rest, &own].concat(),
                &["clockwork/service:test", "shop", "api"],
            )
        };
        let worker = [
            "--volume",
            &shop,
            "--env",
            "DATABASE_HOST=orders-db",
            "--env",
            "DATABASE_USER=worker",
            "--env",
            "DATABASE_PASSWORD_FILE=/shop/secrets/worker",
            "--env",
            "EVENTS_HOST=events",
        ];
        let worker = run("worker", "back", "worker", &worker, &["clockwork/service:test", "shop", "worker"]);
        all_at_once(&[api("api-1"), api("api-2"), worker])?;
        let front = self.network("front");
        for api in ["api-1", "api-2"] {
            docker(&["network", "connect", "--alias", api, &front, &self.container(api)])?;
        }
        let more = [
            "--publish",
            &web,
            "--volume",
            &format!("{}/nginx.conf:/etc/nginx/nginx.conf:ro", self.directory.display()),
        ];
        all_at_once(&[run("load-balancer", "front", "load-balancer", &more, &["clockwork/nginx:test"])])?;
        self.order(3)?;
        self.recover()
    }

    /// Places orders, as a customer does.
    fn order(&self, count: usize) -> Result {
        let began = Instant::now();
        for _ in 0..count {
            while let Err(error) = self.post("/orders") {
                if began.elapsed() > PATIENCE {
                    return Err(error);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        Ok(())
    }

    fn post(&self, path: &str) -> Result {
        let mut stream = TcpStream::connect(("127.0.0.1", self.ports[2].1)).map_err(told)?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).map_err(told)?;
        let request = format!("POST {path} HTTP/1.0\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(request.as_bytes()).map_err(told)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map_err(told)?;
        match answer.contains(" 200 ") {
            true => Ok(()),
            false => Err(format!("POST {path}: {answer}")),
        }
    }

    /// Tells the load balancer who stands behind it, and to read that.
    pub(crate) fn balance(&self, configuration: impl FnOnce(&str) -> String) -> Result {
        // In place: the container has this very file.
        fs::write(self.directory.join("nginx.conf"), configuration(BALANCER)).map_err(told)?;
        docker(&["kill", "--signal", "HUP", &self.container("load-balancer")])?;
        std::thread::sleep(Duration::from_millis(500));
        Ok(())
    }

    fn write_files(&self) -> Result {
        let readable = |path: &Path, mode| set_mode(path, mode).map_err(told);
        readable(&self.directory, 0o755)?;
        fs::create_dir_all(self.directory.join("secrets")).map_err(told)?;
        // Random enough: they are worth nothing, and the system is gone in a minute.
        for user in ["admin", "api", "worker"] {
            let password = format!("{user}-{}-{}", std::process::id(), self.ports[0].1);
            fs::write(self.directory.join("secrets").join(user), password).map_err(told)?;
        }
        for api in ["api-1", "api-2"] {
            fs::create_dir_all(self.tls(api)).map_err(told)?;
            self.certify(api)?;
        }
        fs::write(self.directory.join("tls/ca.pem"), self.authority.pem()).map_err(told)?;
        fs::write(self.directory.join("nginx.conf"), BALANCER).map_err(told)
    }

    /// The password in a file.
    pub(crate) fn password(&self, user: &str) -> Result<String> {
        fs::read_to_string(self.directory.join("secrets").join(user)).map_err(told)
    }

    fn make_tables(&self) -> Result {
        let began = Instant::now();
        while let Err(error) = self.sql_in("primary", "postgres", "SELECT 1") {
            if began.elapsed() > PATIENCE {
                let primary = self.container("primary");
                return Err(format!("{error}\n{}", docker(&["logs", &primary]).unwrap_or_default()));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        self.sql_in("primary", "postgres", "CREATE DATABASE shop")?;
        let tables =
            TABLES.replace("$api", &self.password("api")?).replace("$worker", &self.password("worker")?);
        self.sql("primary", &tables).map(drop)
    }

    /// Runs statements as the administrator, inside the server's container.
    pub(crate) fn sql(&self, container: &str, sql: &str) -> Result<String> {
        self.sql_in(container, "shop", sql)
    }

    fn sql_in(&self, container: &str, database: &str, sql: &str) -> Result<String> {
        let psql =
            ["psql", "-h", "/tmp", "-U", "admin", "-d", database, "-v", "ON_ERROR_STOP=1", "-qtAc", sql];
        docker(&[&["exec", &self.container(container)], &psql[..]].concat())
    }

    /// Asserts all that the manifest says.
    pub(crate) fn assert(&self, within: Option<Duration>) -> Result<Report> {
        let graph = self.graph()?;
        let mut options = RunOptions::default();
        options.within = within;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(told)?;
        runtime.block_on(async {
            let mut events = self.engine.run(graph.into(), options).map_err(told)?;
            loop {
                match events.next().await {
                    Some(Event::Finished(report)) => return Ok((*report).clone()),
                    Some(_) => {}
                    None => return Err(String::from("the run ended without a report")),
                }
            }
        })
    }

    fn graph(&self) -> Result<Graph> {
        let mut manifest = ManifestInput::new("clockwork.yaml", MANIFEST);
        manifest.vars = self.variables();
        self.engine.read_graph(&manifest, &|_| None).map(|(_, graph)| graph).map_err(told)
    }

    /// The manifest's variables.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let directory = self.directory.display().to_string();
        let ports = self.ports.map(|(name, port)| (name, port.to_string()));
        let names = [("prefix", self.prefix.clone()), ("directory", directory)];
        names.into_iter().chain(ports).map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// Waits until everything is as it should be.
    pub(crate) fn recover(&self) -> Result {
        let began = Instant::now();
        loop {
            let report = self.assert(None)?;
            if report.passed() {
                return Ok(());
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("it does not come back:\n{report}"));
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Removes every trace.
    pub(crate) fn stop(&self) {
        let remove =
            |name: &&str| ["rm", "--force", "--volumes", &self.container(name)].map(str::to_owned).to_vec();
        let _ = all_at_once(&CONTAINERS.iter().map(remove).collect::<Vec<_>>());
        for network in ["front", "back"] {
            let _ = docker(&["network", "rm", &self.network(network)]);
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        self.stop();
    }
}

fn listener() -> Result<TcpListener> {
    TcpListener::bind("127.0.0.1:0").map_err(told)
}

pub(crate) fn told(error: impl std::fmt::Display) -> String {
    error.to_string()
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) -> std::io::Result<()> {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
}

/// Elsewhere the containers' engine sees what is given to it as it pleases.
#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) -> std::io::Result<()> {
    Ok(())
}
