#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use clockwork_core::{Fault, ResourceName};

use super::*;

fn listener(port: u16, address: &str, inode: u32) -> Listener {
    let address: IpAddr = address.parse().unwrap();
    Listener {
        port,
        address,
        dual_stack: false,
        interface: None,
        loopback: address.is_loopback(),
        uid: 101,
        inodes: vec![inode],
    }
}

fn seen(all: Vec<Listener>) -> Listeners {
    Listeners { all, ephemeral: (32768, 60999), network: 7, shares_host_network: false }
}

fn owners() -> Owners {
    let owner = |pid, name: &str, network| Owner { pid, name: name.to_owned(), network, proxy_for: None };
    let proxy = Owner { proxy_for: Some("172.17.0.2:80".to_owned()), ..owner(20, "docker-proxy", 1) };
    let found = [
        (1, owner(812, "redis-server", 7)),
        (2, owner(5, "dockerd", 1)),
        (3, proxy),
        (4, owner(9, "a\nb", 7)),
    ];
    Owners { found: found.into(), incomplete: None }
}

const ALL: Wanted<'_> = Wanted { except: &[], range: PortRange::ALL, scope: PortScope::Any, udp: false };

fn judged(wanted: &Wanted<'_>, seen: &Listeners, owners: &Owners) -> Verdict {
    wanted.judge(seen, wanted.open(seen), owners, &Vantage::Host).unwrap()
}

#[test]
fn every_open_port_is_told_with_its_owner() {
    let dual = Listener { dual_stack: true, ..listener(8003, "::", 1) };
    let bound = Listener { interface: Some("eth0".to_owned()), ..listener(5, "fe80::1", 1) };
    let no_permission = Owners { incomplete: Some("no permission"), ..Owners::default() };
    let ends = "; stop what listens there, or name the port in `except_ports`";
    for (open, owners, expected) in [
        (
            vec![listener(6379, "0.0.0.0", 1)],
            owners(),
            "port 6379 is open on 0.0.0.0 (redis-server, pid 812)",
        ),
        (
            vec![listener(80, "0.0.0.0", 1), listener(80, "::", 1)],
            owners(),
            "port 80 is open on 0.0.0.0 and [::] (redis-server, pid 812)",
        ),
        (vec![dual], owners(), "port 8003 is open on 0.0.0.0 and [::] (redis-server, pid 812)"),
        (vec![bound], owners(), "port 5 is open on [fe80::1%eth0] (redis-server, pid 812)"),
        (
            vec![listener(8080, "0.0.0.0", 3)],
            owners(),
            "port 8080 is open on 0.0.0.0 (docker-proxy, pid 20, for the container at 172.17.0.2:80)",
        ),
        (vec![listener(80, "127.0.0.1", 4)], owners(), r#"port 80 is open on 127.0.0.1 ("a\nb", pid 9)"#),
        (
            vec![listener(80, "0.0.0.0", 99)],
            no_permission,
            "port 80 is open on 0.0.0.0 (owner unknown, user 101: no permission)",
        ),
        (
            vec![listener(80, "0.0.0.0", 99)],
            owners(),
            "port 80 is open on 0.0.0.0 (owner unknown, user 101: no process in sight holds it)",
        ),
    ] {
        let verdict = judged(&ALL, &seen(open), &owners);
        assert!(!verdict.has_passed() && verdict.is_judged());
        assert_eq!(verdict.text(), format!("{expected}{ends}"));
    }
}

#[test]
fn many_open_ports_are_told_in_few_words() {
    let verdict = judged(&ALL, &seen((1..=3000).map(|port| listener(port, "::1", 1)).collect()), &owners());
    assert!(verdict.text().contains("; open too: 6, 7, "), "{}", verdict.text());
    assert!(verdict.text().contains(" and 2975 more"), "{}", verdict.text());
    assert_eq!(verdict.details()["open"].as_array().unwrap().len(), DETAILED);
}

#[test]
fn only_what_is_meant_counts() {
    let table =
        seen(vec![listener(22, "0.0.0.0", 1), listener(6379, "127.0.0.1", 1), listener(9000, "::", 1)]);
    let (ssh, all) = ([PortRange::from(22)], [PortRange::from(1..=65535)]);
    for (wanted, open) in [
        (ALL, &[22, 6379, 9000][..]),
        (Wanted { except: &ssh, ..ALL }, &[6379, 9000]),
        (Wanted { except: &all, ..ALL }, &[]),
        (Wanted { scope: PortScope::Loopback, ..ALL }, &[6379]),
        (Wanted { scope: PortScope::Public, ..ALL }, &[22, 9000]),
        (Wanted { range: PortRange::from(1..=1024), except: &ssh, ..ALL }, &[]),
        (Wanted { range: PortRange::from(6000..=9000), ..ALL }, &[6379, 9000]),
    ] {
        let found: Vec<u16> = wanted.open(&table).iter().map(|listener| listener.port).collect();
        assert_eq!(found, open, "{wanted:?}");
        assert_eq!(judged(&wanted, &table, &owners()).has_passed(), open.is_empty());
    }
    let verdict = judged(&Wanted { except: &all, ..ALL }, &table, &owners());
    assert_eq!(verdict.text(), "open, as they may be: 22, 6379, 9000");
    assert_eq!(judged(&ALL, &seen(vec![]), &owners()).text(), "none is open");
}

/// The engine's own resolver is left out inside a container, and nowhere else; and nothing else at its address is.
#[test]
fn the_engines_resolver_is_not_the_containers() {
    let inside = Vantage::Inside(ResourceName::new("web"));
    for (address, inode, vantage, passes) in [
        ("127.0.0.11", 2, &inside, true),
        ("127.0.0.11", 1, &inside, false),
        ("127.0.0.11", 99, &inside, false),
        ("127.0.0.1", 2, &inside, false),
        ("127.0.0.11", 2, &Vantage::Host, false),
    ] {
        let table = seen(vec![listener(40000, address, inode)]);
        let verdict = ALL.judge(&table, ALL.open(&table), &owners(), vantage).unwrap();
        assert_eq!(verdict.has_passed(), passes, "{address} {inode} {vantage:?}");
    }
}

#[test]
fn an_ephemeral_udp_port_proves_nothing_alone() {
    let udp = Wanted { udp: true, ..ALL };
    let table = seen(vec![listener(40000, "0.0.0.0", 1)]);
    let error = udp.judge(&table, udp.open(&table), &owners(), &Vantage::Host).unwrap_err();
    assert_eq!(error.fault(), Fault::Observer);
    assert_eq!(
        error.to_string(),
        "port 40000/udp is open on 0.0.0.0 (redis-server, pid 812): whether these are servers or clients that wait for \
         an answer cannot be told, because the kernel gives the ports 32768-60999 to clients; give `range: 1-32767`, or \
         name what may be open in `except_ports`"
    );
    let table = seen(vec![listener(53, "0.0.0.0", 1), listener(40000, "0.0.0.0", 1)]);
    let verdict = judged(&udp, &table, &owners());
    assert!(verdict.text().starts_with("port 53/udp is open"), "{}", verdict.text());
    assert!(verdict.text().contains("; perhaps also, if no client's: 40000; "), "{}", verdict.text());
}

#[test]
fn a_scan_proves_what_answered() {
    let one = |address: &str, open: &[u16], refused, silent, unreachable| ScannedAddress {
        address: address.parse().unwrap(),
        open: open.to_vec(),
        refused,
        silent,
        silent_ports: (1..=silent as u16).collect(),
        unreachable,
    };
    let ssh = [PortRange::from(22)];
    let wanted = Wanted { except: &ssh, range: PortRange::from(1..=100), ..ALL };
    for (addresses, expected) in [
        (vec![one("192.0.2.1", &[], 100, 0, 0)], Ok("ports 1-100 at 192.0.2.1: 100 refused")),
        (
            vec![one("192.0.2.1", &[22], 0, 99, 0)],
            Ok("ports 1-100 at 192.0.2.1: open, as they may be: 22, 99 did not answer"),
        ),
        (
            vec![one("::1", &[], 0, 0, 100), one("192.0.2.1", &[], 100, 0, 0)],
            Ok("ports 1-100 at ::1: 100 unreachable from here; ports 1-100 at 192.0.2.1: 100 refused"),
        ),
        (
            vec![one("192.0.2.1", &[], 0, 100, 0)],
            Err("none of the 100 ports of h at 192.0.2.1 answered, not even"),
        ),
        (
            vec![one("192.0.2.1", &[], 100, 0, 0), one("2001:db8::1", &[], 0, 100, 0)],
            Err("none of the 100 ports of h at 2001:db8::1 answered, not even"),
        ),
        (vec![one("192.0.2.1", &[], 0, 0, 100)], Err("h cannot be reached from here, not even")),
        (
            vec![one("127.0.0.1", &[], 98, 2, 0)],
            Err("2 of the ports at 127.0.0.1 neither accepted nor refused: 1, 2"),
        ),
    ] {
        match (judge_scan(&wanted, &PortScan { addresses }, "h"), expected) {
            (Ok(verdict), Ok(text)) => assert!(verdict.has_passed() && verdict.text() == text, "{verdict:?}"),
            (Err(error), Err(text)) => assert!(error.message().starts_with(text), "{error}"),
            (told, expected) => panic!("{told:?} for {expected:?}"),
        }
    }
    let open = vec![one("192.0.2.1", &[22, 80], 98, 0, 0), one("2001:db8::1", &[80], 98, 0, 0)];
    let verdict = judge_scan(&wanted, &PortScan { addresses: open }, "h").unwrap();
    assert!(!verdict.has_passed() && verdict.is_judged());
    assert!(
        verdict
            .text()
            .starts_with("port 80 of h accepted a connection at 192.0.2.1 and [2001:db8::1]; stop what"),
        "{}",
        verdict.text()
    );
}
