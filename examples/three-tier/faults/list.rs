//! The faults. Each undoes itself exactly, so that the next one meets a healthy system.

use super::Fault;
use crate::{
    certificates::Authority,
    docker::{Result, docker, inside, run},
    system::System,
};

const API_TO_PRIMARY: &[&str] = &["api-1 → primary", "api-2 → primary"];

pub(super) fn faults() -> Vec<Fault> {
    let mut all = connections();
    all.extend(names());
    all.extend(containers());
    all.extend(rights());
    all.extend(certificates());
    all
}

/// What firewalls, routes and bad lines do.
fn connections() -> Vec<Fault> {
    vec![
        Fault {
            what: "the firewall of the primary drops what comes from api-1",
            inject: |s| s.firewall("primary", "-A", "api-1", DROP),
            undo: |s| s.firewall("primary", "-D", "api-1", DROP),
            blames: &["api-1 → orders-db", "api-1 → primary"],
            says: "at the step connect",
        },
        Fault {
            what: "the firewall of the primary resets what comes from the worker",
            inject: |s| s.firewall("primary", "-A", "worker", RESET),
            undo: |s| s.firewall("primary", "-D", "worker", RESET),
            blames: &["worker → orders-db", "worker → primary"],
            says: "refused the connection",
        },
        Fault {
            what: "the firewall of the primary drops what comes from the replica",
            inject: |s| s.firewall("primary", "-A", "replica", DROP),
            undo: |s| s.firewall("primary", "-D", "replica", DROP),
            blames: &["replica → primary"],
            says: "at the step connect",
        },
        Fault {
            what: "api-2 closes its port to the load balancer",
            inject: |s| {
                s.firewall(
                    "api-2",
                    "-A",
                    "load-balancer",
                    "-p tcp --dport 8443 -j REJECT --reject-with tcp-reset",
                )
            },
            undo: |s| {
                s.firewall(
                    "api-2",
                    "-D",
                    "load-balancer",
                    "-p tcp --dport 8443 -j REJECT --reject-with tcp-reset",
                )
            },
            blames: &["load-balancer → api-2"],
            says: "refused the connection",
        },
        Fault {
            what: "39 of 40 packets from api-2 to the primary are lost",
            inject: |s| {
                s.firewall("primary", "-A", "api-2", ONE_OF_40)?;
                s.firewall("primary", "-A", "api-2", DROP)
            },
            undo: |s| {
                s.firewall("primary", "-D", "api-2", ONE_OF_40)?;
                s.firewall("primary", "-D", "api-2", DROP)
            },
            blames: &["api-2 → orders-db", "api-2 → primary"],
            says: "did not accept a connection within 2.5 s",
        },
        Fault {
            what: "packets of any size from api-1 to the primary are lost, empty ones arrive",
            inject: |s| s.firewall("primary", "-A", "api-1", "-m length --length 61: -j DROP"),
            undo: |s| s.firewall("primary", "-D", "api-1", "-m length --length 61: -j DROP"),
            blames: &["api-1 → primary"],
            says: "said nothing of PostgreSQL within 2.5 s",
        },
        Fault {
            what: "the line from the worker to the primary lets one packet through a second",
            inject: |s| {
                s.firewall("primary", "-A", "worker", ONE_A_SECOND)?;
                s.firewall("primary", "-A", "worker", DROP)
            },
            undo: |s| {
                s.firewall("primary", "-D", "worker", ONE_A_SECOND)?;
                s.firewall("primary", "-D", "worker", DROP)
            },
            blames: &["worker → primary"],
            says: "worker does not reach primary",
        },
        Fault {
            what: "the worker has no route to the primary",
            inject: |s| s.route("worker", "add", "primary"),
            undo: |s| s.route("worker", "del", "primary"),
            blames: &["worker → orders-db", "worker → primary"],
            says: "at the step route",
        },
        Fault {
            what: "the port of the queue leads api-1 to something else",
            inject: |s| s.redirect("queue", "-A", "api-1"),
            undo: |s| s.redirect("queue", "-D", "api-1"),
            blames: &["api-1 → queue"],
            says: "at the step protocol",
        },
        Fault {
            what: "the worker talks to the replica, whom it should not know",
            inject: |s| s.linger("worker", "orders-replica:5432"),
            undo: |s| s.forget("worker"),
            blames: &["worker → replica"],
            says: "worker reaches replica at port 5432, which is not declared",
        },
        Fault {
            what: "the queue drops what comes from api-2",
            inject: |s| s.firewall("queue", "-A", "api-2", "-j DROP"),
            undo: |s| s.firewall("queue", "-D", "api-2", "-j DROP"),
            blames: &["api-2 → queue"],
            says: "at the step connect",
        },
    ]
}

/// What networks and names do.
fn names() -> Vec<Fault> {
    vec![
        Fault {
            what: "api-1 is disconnected from the network in the back",
            inject: |s| s.disconnect("api-1", "back"),
            undo: |s| s.connect("api-1", "back", "api-1"),
            blames: &["api-1 → orders-db", "api-1 → primary", "api-1 → queue"],
            says: "they share no network",
        },
        Fault {
            what: "the worker is disconnected from the network in the back",
            inject: |s| s.disconnect("worker", "back"),
            undo: |s| s.connect("worker", "back", "worker"),
            blames: &["worker → orders-db", "worker → primary", "worker → queue"],
            says: "at the step name",
        },
        Fault {
            what: "nobody knows the primary as orders-db any more",
            inject: |s| s.disconnect("primary", "back").and_then(|()| s.connect("primary", "back", "other")),
            undo: |s| {
                s.disconnect("primary", "back").and_then(|()| s.connect("primary", "back", "orders-db"))
            },
            blames: &["api-1 → orders-db", "api-2 → orders-db", "worker → orders-db"],
            says: "at the step name",
        },
        Fault {
            what: "the hosts file of api-2 says that orders-db is elsewhere",
            inject: |s| s.shell("api-2", "cp /etc/hosts /tmp/hosts; echo 127.0.0.99 orders-db >>/etc/hosts"),
            undo: |s| s.shell("api-2", "cat /tmp/hosts >/etc/hosts"),
            blames: &["api-2 → orders-db"],
            says: "127.0.0.99:5432 refused",
        },
        Fault {
            what: "api-1 asks a name server that is not there",
            inject: |s| {
                s.shell(
                    "api-1",
                    "cp /etc/resolv.conf /tmp/resolv.conf; echo nameserver 127.0.0.12 >/etc/resolv.conf",
                )
            },
            undo: |s| s.shell("api-1", "cat /tmp/resolv.conf >/etc/resolv.conf"),
            blames: &["api-1 → orders-db", "api-1 → primary", "api-1 → queue"],
            says: "at the step name",
        },
    ]
}

/// What becomes of containers.
fn containers() -> Vec<Fault> {
    vec![
        Fault {
            what: "the replica is paused",
            inject: |s| s.engine("pause", "replica"),
            undo: |s| s.engine("unpause", "replica"),
            blames: &["replica"],
            says: "paused",
        },
        Fault {
            what: "the primary is paused",
            inject: |s| s.engine("pause", "primary"),
            undo: |s| s.engine("unpause", "primary"),
            blames: &["primary"],
            says: "paused",
        },
        Fault {
            what: "api-1 is killed",
            inject: |s| s.engine("kill", "api-1"),
            undo: |s| s.engine("start", "api-1"),
            blames: &["api-1"],
            says: "exited",
        },
        Fault {
            what: "api-2 is paused",
            inject: |s| s.engine("pause", "api-2"),
            undo: |s| s.engine("unpause", "api-2"),
            blames: &["api-2"],
            says: "paused",
        },
        Fault {
            what: "the queue is stopped",
            inject: |s| s.engine("stop", "queue"),
            undo: |s| s.engine("start", "queue"),
            blames: &["queue"],
            says: "exited",
        },
        Fault {
            what: "the queue is paused",
            inject: |s| s.engine("pause", "queue"),
            undo: |s| s.engine("unpause", "queue"),
            blames: &["queue"],
            says: "paused",
        },
        Fault {
            what: "the consumer of the queue is stopped",
            inject: |s| s.engine("stop", "worker"),
            undo: |s| s.engine("start", "worker"),
            blames: &["worker"],
            says: "exited",
        },
        Fault {
            what: "the consumer of the queue runs, and hangs",
            inject: |s| {
                s.signal("worker", "-STOP")?;
                // What it asked for before is over after a second.
                std::thread::sleep(std::time::Duration::from_millis(1500));
                Ok(())
            },
            undo: |s| s.signal("worker", "-CONT"),
            blames: &["worker → queue"],
            says: "consumer",
        },
        Fault {
            what: "the load balancer has forgotten one of its backends",
            inject: |s| s.balance(|conf| conf.replace("server api-1:8443 max_fails=0;", "")),
            undo: |s| s.balance(str::to_owned),
            blames: &["load-balancer → api-1"],
            says: "api-1 got none of",
        },
        Fault {
            what: "the load balancer is stopped",
            inject: |s| s.engine("stop", "load-balancer"),
            undo: |s| s.engine("start", "load-balancer"),
            blames: &["load-balancer"],
            says: "exited",
        },
    ]
}

/// What the database refuses.
fn rights() -> Vec<Fault> {
    vec![
        Fault {
            what: "the password of the API was changed in the database",
            inject: |s| {
                s.sql("primary", "ALTER ROLE api PASSWORD 'other'").and_then(|_| s.drop_sessions("api"))
            },
            undo: |s| {
                s.sql("primary", &format!("ALTER ROLE api PASSWORD '{}'", s.password("api")?)).map(drop)
            },
            blames: API_TO_PRIMARY,
            says: "at the step authentication",
        },
        Fault {
            what: "the role of the worker is locked",
            inject: |s| s.sql("primary", "ALTER ROLE worker NOLOGIN").map(drop),
            undo: |s| s.sql("primary", "ALTER ROLE worker LOGIN").map(drop),
            blames: &["worker → primary"],
            says: "at the step authentication",
        },
        Fault {
            what: "the API may not connect to its database any more",
            inject: |s| {
                s.sql("primary", "REVOKE CONNECT ON DATABASE shop FROM api")
                    .and_then(|_| s.drop_sessions("api"))
            },
            undo: |s| s.sql("primary", "GRANT CONNECT ON DATABASE shop TO api").map(drop),
            blames: API_TO_PRIMARY,
            says: "permission denied for database",
        },
        Fault {
            what: "the connections of the worker are used up",
            inject: |s| s.sql("primary", "ALTER ROLE worker CONNECTION LIMIT 0").map(drop),
            undo: |s| s.sql("primary", "ALTER ROLE worker CONNECTION LIMIT -1").map(drop),
            blames: &["worker → primary"],
            says: "too many connections for role",
        },
        Fault {
            what: "the replica no longer replays what it receives",
            inject: |s| s.sql("replica", "SELECT pg_wal_replay_pause()").map(drop),
            undo: |s| s.sql("replica", "SELECT pg_wal_replay_resume()").map(drop),
            blames: &["primary → replica"],
            says: "paused",
        },
        Fault {
            what: "a row of the reports differs from its order",
            inject: |s| s.sql("primary", "UPDATE reports SET cents = cents + 1 WHERE id = 2").map(drop),
            undo: |s| s.sql("primary", "UPDATE reports SET cents = cents - 1 WHERE id = 2").map(drop),
            blames: &["worker → primary"],
            says: "1 row",
        },
        Fault {
            what: "the table of orders was renamed",
            inject: |s| s.sql("primary", "ALTER TABLE orders RENAME TO orders_old").map(drop),
            undo: |s| s.sql("primary", "ALTER TABLE orders_old RENAME TO orders").map(drop),
            blames: &["primary"],
            says: "orders",
        },
    ]
}

/// What is wrong with certificates between the load balancer and the API.
fn certificates() -> Vec<Fault> {
    vec![
        Fault {
            what: "the certificate of api-1 expired yesterday",
            inject: |s| s.authority.issue(&s.tls("api-1"), &[&s.container("api-1"), "shop.internal"], -1),
            undo: |s| s.certify("api-1"),
            blames: &["load-balancer → api-1"],
            says: "expired",
        },
        Fault {
            what: "the certificate of api-2 is for another name",
            inject: |s| s.authority.issue(&s.tls("api-2"), &["elsewhere.internal"], 90),
            undo: |s| s.certify("api-2"),
            blames: &["load-balancer → api-2"],
            says: "at the step TLS",
        },
        Fault {
            what: "the certificate of api-1 is by somebody whom the load balancer does not trust",
            inject: |s| {
                Authority::new("Somebody else")?.issue(
                    &s.tls("api-1"),
                    &[&s.container("api-1"), "shop.internal"],
                    90,
                )
            },
            undo: |s| s.certify("api-1"),
            blames: &["load-balancer → api-1"],
            says: "at the step TLS",
        },
    ]
}

const DROP: &str = "-p tcp --dport 5432 -j DROP";
const RESET: &str = "-p tcp --dport 5432 -j REJECT --reject-with tcp-reset";
const ONE_OF_40: &str = "-p tcp --dport 5432 -m statistic --mode nth --every 40 --packet 39 -j ACCEPT";
const ONE_A_SECOND: &str = "-p tcp --dport 5432 -m limit --limit 1/second --limit-burst 2 -j ACCEPT";

/// What faults are made of.
impl System {
    fn engine(&self, verb: &str, container: &str) -> Result {
        docker(&[verb, &self.container(container)]).map(drop)
    }

    /// To the container's first process, past the engine.
    fn signal(&self, container: &str, signal: &str) -> Result {
        let pid = docker(&["inspect", "--format", "{{.State.Pid}}", &self.container(container)])?;
        run("kill", &[signal, &pid]).map(drop)
    }

    fn shell(&self, container: &str, script: &str) -> Result {
        docker(&["exec", &self.container(container), "sh", "-c", script]).map(drop)
    }

    /// Opens a connection from there, and keeps it.
    fn linger(&self, container: &str, address: &str) -> Result {
        let (host, port) = address.split_once(':').unwrap_or((address, "80"));
        let script = format!("tail -f /dev/null | nc {host} {port} & echo $! >/tmp/lingers; wait");
        docker(&["exec", "--detach", &self.container(container), "sh", "-c", &script])?;
        std::thread::sleep(std::time::Duration::from_millis(500));
        Ok(())
    }

    /// Ends that connection, and keeps the kernel from remembering it for a minute.
    fn forget(&self, container: &str) -> Result {
        const KEPT: &str = "/proc/sys/net/ipv4/tcp_max_tw_buckets";
        let container = self.container(container);
        let kept = inside(&container, &["cat", KEPT])?;
        inside(&container, &["sh", "-c", &format!("echo 0 >{KEPT}")])?;
        docker(&["exec", &container, "sh", "-c", "kill $(cat /tmp/lingers)"])?;
        std::thread::sleep(std::time::Duration::from_millis(200));
        inside(&container, &["sh", "-c", &format!("echo {kept} >{KEPT}")]).map(drop)
    }

    fn disconnect(&self, container: &str, network: &str) -> Result {
        docker(&["network", "disconnect", &self.network(network), &self.container(container)]).map(drop)
    }

    fn connect(&self, container: &str, network: &str, alias: &str) -> Result {
        let (network, container) = (self.network(network), self.container(container));
        docker(&["network", "connect", "--alias", alias, &network, &container]).map(drop)
    }

    /// Its address in the network that it shares with the other one.
    fn address(&self, container: &str, other: &str) -> Result<String> {
        let network = if other == "load-balancer" || container == "load-balancer" { "front" } else { "back" };
        let format =
            format!("{{{{(index .NetworkSettings.Networks \"{}\").IPAddress}}}}", self.network(network));
        docker(&["inspect", "--format", &format, &self.container(container)])
    }

    /// Adds (`-A`) or removes (`-D`) a rule of `container` about what comes from `from`.
    fn firewall(&self, container: &str, verb: &str, from: &str, rule: &str) -> Result {
        let from = self.address(from, container)?;
        let command = ["iptables", "-w", verb, "INPUT", "--source", &from].into_iter();
        let command: Vec<&str> = command.chain(rule.split(' ')).collect();
        inside(&self.container(container), &command).map(drop)
    }

    /// Leads what comes from `from` for the queue to the page about it, which speaks HTTP.
    fn redirect(&self, container: &str, verb: &str, from: &str) -> Result {
        let from = self.address(from, container)?;
        let rule =
            ["--source", &from, "-p", "tcp", "--dport", "4222", "-j", "REDIRECT", "--to-ports", "8222"];
        let command = [&["iptables", "-w", "-t", "nat", verb, "PREROUTING"][..], &rule].concat();
        inside(&self.container(container), &command).map(drop)
    }

    fn route(&self, container: &str, verb: &str, to: &str) -> Result {
        let to = self.address(to, container)?;
        inside(&self.container(container), &["ip", "route", verb, "unreachable", &to]).map(drop)
    }

    /// Ends the sessions of a user, who would keep theirs otherwise.
    fn drop_sessions(&self, user: &str) -> Result {
        let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'");
        self.sql("primary", &sql).map(drop)
    }
}
